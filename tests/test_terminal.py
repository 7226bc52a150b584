"""Nothing that a command prints acts on the terminal, wherever its text comes from."""

from __future__ import annotations

import json
import logging
import re
import warnings

import pytest
from click.testing import CliRunner

import lmops
from lmops.cli import main

#: Clears the screen, sets the title, turns text around, hides what follows.
HOSTILE = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp.exe\u2066\x08\x7f"
_ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store in which every text that somebody else may choose is hostile."""
    folder = tmp_path_factory.mktemp("hostile") / "p" / ".lmops"
    chat = {
        "messages": [{"role": "user", "content": f"ask {HOSTILE}"}, {"role": "assistant", "content": HOSTILE}],
        "model": f"m{HOSTILE}",
        "timestamp": "2026-01-01T00:00:00Z",
        "user_id": HOSTILE,
        "name": HOSTILE,
    }
    path = folder.parent / "a.jsonl"
    folder.parent.mkdir()
    path.write_text(json.dumps(chat) + "\n")
    with lmops.open(folder, actor=f"someone {HOSTILE}") as ws:
        ws.traces.ingest(path, progress=False)
        ws.prompts.save("p", f"text {HOSTILE}", note=HOSTILE)
        ws.prompts.save("p", f"text two {HOSTILE}", note=HOSTILE)
        ws.prompts.promote("p", 2, to="production", reason=f"why {HOSTILE}")
        ws.datasets.save("d", [{"input": f"q {HOSTILE}", "expected": HOSTILE}], note=HOSTILE)
        ws.audit.append(action=HOSTILE, subject=HOSTILE, reason=HOSTILE)
        ws.evals.run(lambda given: given, "d", ["exact_match"], progress=False, name=f"n{HOSTILE}")
    return folder


COMMANDS = [
    ["search"], ["search", "--json"], ["sql", "select * from spans"], ["sql", "select * from spans", "--json"],
    ["sql", f"select {HOSTILE}"], ["search", f"name = {HOSTILE}"], ["show", HOSTILE], ["prompt", "list"],
    ["prompt", "show", "p"], ["prompt", "show", "p", "--json"], ["prompt", "diff", "p", "1", "2"],
    ["prompt", "history", "p"], ["prompt", "render", "p"], ["prompt", "show", HOSTILE], ["audit", "log"],
    ["audit", "report"], ["audit", "report", "--format", "markdown"], ["audit", "verify"], ["eval", "list"],
    ["eval", "list", "--json"], ["store", "stats"], ["store", "check"], ["runbook", "list"], ["ingest", HOSTILE],
    ["runbook", "show", HOSTILE], ["eval", "show", HOSTILE], ["trust", HOSTILE],
]  # fmt: skip  # items that belong together share a line


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: repr(words)[:40])
def test_what_a_command_prints_does_not_act(store, command, monkeypatch):
    """Data, names that were asked for, and errors."""
    monkeypatch.chdir(store.parent)
    found = CliRunner().invoke(main, command)
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    printed = found.output + found.stderr
    assert printed
    assert not _ACTS.search(printed), printed


def test_warnings_and_the_log_do_not_act(capsys):
    """What is told beside the output comes from the same data."""
    CliRunner().invoke(main, ["trust"])
    shown = warnings.formatwarning(UserWarning(HOSTILE), UserWarning, "f", 1)
    logging.lastResort.handle(logging.makeLogRecord({"msg": HOSTILE, "levelno": logging.WARNING}))
    for text in (shown, capsys.readouterr().err):
        assert text
        assert not _ACTS.search(text)
