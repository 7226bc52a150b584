"""What commands make is named with how much of it there is; numbers are printed for people."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from click.testing import CliRunner

import lmops
from lmops.cli import main
from lmops.cli.printing import print_frame


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs a command on a store with a trace and a data set."""
    monkeypatch.chdir(tmp_path)
    with lmops.open("store") as ws:
        with ws.traces.instrument(set_global=False).get_tracer("test").start_as_current_span("ask"):
            pass
        ws.traces.stop_instrumentation()
        ws.store.compact()
        ws.datasets.save("golden", [{"input": "Dogs?"}, {"input": "Cats?"}])

    def invoke(*words):
        found = CliRunner().invoke(main, [*words, "--store", "store"])
        assert found.exit_code == 0, (found.output, found.exception)
        return found.stdout

    return invoke


def test_copies_say_what_is_in_them(run, tmp_path):
    """A backup, an export of views, of a data set and of the audit chain: counts and size, also as JSON."""
    assert "files, " in (said := run("store", "backup", "copy"))
    assert "; 1 spans, 1 traces, " in said
    assert " records" in said
    assert "views, " in run("store", "export", "views")
    assert run("dataset", "export", "golden", "golden.jsonl").startswith("golden.jsonl: 2 examples of golden@1, ")
    assert " events, " in run("audit", "export", "chain.jsonl")
    for words in (("dataset", "export", "golden", "again.jsonl"), ("store", "export", "all.duckdb")):
        made = json.loads(run(*words, "--json"))
        assert made["bytes"] == (tmp_path / made["path"]).stat().st_size


def test_the_store_is_described_in_words(run):
    """Sizes in their units and times as times; JSON has the numbers."""
    said = run("store", "stats")
    assert "StoreStats(" not in said
    assert " kB" in said
    assert json.loads(run("store", "stats", "--json"))["spans"] == 1


def test_counts_have_separators_and_names_have_none(capsys):
    """Numbers stand to the right; one that is typed into the next command is as it is typed."""
    frame = pd.DataFrame({"name": ["a", "b"], "tokens": [1234567, 8], "seed": [20260101, 3]})
    print_frame(frame, as_json=False, empty="none")
    head, first, second = capsys.readouterr().out.splitlines()
    assert first.split() == ["a", "1,234,567", "20260101"]
    assert second.index("8") == first.index("7", 10) == head.index("tokens") + 5
