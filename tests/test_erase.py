"""Erasing: what was made of a person's traces is in no file of the store afterwards, and the rest is as it was."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import nbformat
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import lmops
from lmops.cli import main
from lmops.errors import UsageError
from lmops.runbooks import RunbookRun
from lmops.runbooks._journal import Journal
from lmops.scorers import Score, scorer
from lmops.store import PendingChange, file_sha256
from lmops.times import utc_now

SECRET = "Rumpelstiltskin"
STORY = f"My name is {SECRET}, I was born on 7 May 1812 and I live at Straw Lane 3 in Spinningdale."


def trace(number, user, text, *, long=0, answer="Gladly."):
    """Return one OTLP/JSON request: a question of a user and its answer."""
    said = json.dumps([{"role": "user", "parts": [{"type": "text", "content": text + " x" * long}]}])
    got = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": f"{answer} {text}"}]}])
    attributes = {
        "gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "user.id": user, "session.id": f"s-{user}",
        "gen_ai.input.messages": said, "gen_ai.output.messages": got,
    }  # fmt: skip
    span = {
        "traceId": f"{number:032x}", "spanId": f"{number:016x}", "name": "chat m",
        "startTimeUnixNano": str(1_700_000_000_000_000_000 + number), "endTimeUnixNano": "1700000001000000000",
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()],
    }  # fmt: skip
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [span]}]}]}


def ingest(ws, *requests):
    ws.traces.ingest("\n".join(map(json.dumps, requests)).encode(), format="jsonl", progress=False)


def answer(question):
    return f"You said: {question}"


@scorer(name="quoted")
def quoted(output):
    """Return a score whose rationale quotes the answer."""
    return Score(value=float(len(output)), rationale=f"it says {output}")


def holding(folder, *words):
    """Return the files below a folder that hold one of the words, Parquet unpacked."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".parquet":
                content += json.dumps(pq.read_table(path, partitioning=None).to_pylist(), default=str).encode()
            if any(word.encode() in content for word in words):
                found.append(path.relative_to(folder))
    return found


def keep_run(ws, name, shown):
    """Record a run of a runbook whose executed notebook and page show a text."""
    folder = ws.store.path / "runs" / name
    folder.mkdir(parents=True)
    output = nbformat.v4.new_output("stream", text=shown)
    notebook = folder / f"{name}.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=[output])]), notebook)
    (folder / f"{name}.html").write_text(f"<p>{shown}</p>")
    run = RunbookRun(
        run_id=name, name=name, notebook=notebook, status="ok", parameters={}, started_at=utc_now(), actor="tester",
        notebook_path=notebook, html_path=folder / f"{name}.html", sha256=file_sha256(notebook),
    )  # fmt: skip
    Journal(ws.project).refuse(run)


@pytest.fixture
def full(ws):
    """A store in which a secret is everywhere: spans, blobs, inbox, cache, data sets, results, notebooks."""
    ingest(ws, trace(1, "u-1", STORY), trace(2, "u-2", "When does the ferry leave for the island today?"))
    ingest(ws, trace(3, "u-1", STORY, long=200_000))
    ws.store.append_many({"spans": [{**ws.store.whole(_rows(ws))[0], "trace_id": f"{4:032x}", "span_id": f"{4:016x}"}]})
    with ws.store.transaction() as con:
        for key, text in (("a", f"Gladly. {STORY}"), ("b", "At noon.")):
            kept = json.dumps({"content": text, "tool_calls": [], "response_id": key})
            con.execute("insert into response_cache values (?, 'm', ?, 0)", (key, kept))
            con.execute("insert into unsealed values ('response_cache', ?)", (json.dumps([key]),))
    ws.datasets.add_traces("cases", [f"{1:032x}", f"{2:032x}"])
    ws.evals.run(answer, "cases", scorers=[quoted], progress=False)
    for number, text in (("1", STORY), ("2", "When does the ferry leave for the island today?")):
        keep_run(ws, f"shows_{number}", f"0  {text[:40]}...")
    return ws


def _rows(ws, number=1):
    names = [column for column, _, _ in lmops.store.SPAN_COLUMNS]
    return (
        ws.sql(f"select {', '.join(names)} from spans where trace_id = ?", [f"{number:032x}"])
        .to_arrow_table()
        .to_pylist()
    )


def test_a_dry_run_says_what_would_go_and_changes_nothing(full):
    """It is the default, and needs no reason."""
    before = {path: path.read_bytes() for path in full.store.path.rglob("*.parquet")}
    report = full.erase(user_id="u-1")
    assert (report.dry_run, report.traces, report.spans, report.blobs > 0) == (True, 3, 3, True)
    assert (report.cached_answers, report.examples, report.cases, report.runbook_runs) == (1, 1, 1, 1)
    assert "nothing was changed" in repr(report)
    assert {path: path.read_bytes() for path in full.store.path.rglob("*.parquet")} == before


def test_after_erasing_no_file_of_the_store_holds_it(full):
    """Segments, blobs, database and its log, notebooks and pages: searched byte by byte."""
    assert len(holding(full.store.path, SECRET)) > 5
    report = full.erase(user_id="u-1", reason="asked for by letter", dry_run=False)
    assert report.left == ()
    assert holding(full.store.path, SECRET, "Spinningdale", "1812") == []
    assert full.sql("select trace_id from traces").fetchall() == [(f"{2:032x}",)]


def test_the_rest_is_as_it_was(full):
    """Other traces, examples, numbers of results and notebooks stay; store and chain are whole."""
    results = (
        "select example_id, r.status, latency_ms, value from results r join scores using (run_id, example_id, repeat)"
    )
    before = full.sql(f"{results} order by all").fetchall()
    full.erase(user_id="u-1", reason="asked", dry_run=False)
    assert full.store.check().ok
    assert full.audit.verify().ok
    assert full.sql(f"{results} order by all").fetchall() == before
    first, second = full.datasets.get("cases").examples
    assert (first.input, first.output) == ("[erased]", None)
    assert "ferry" in json.dumps(second.input)
    assert {run.name: run.notebook_path is not None for run in full.runbooks.runs()} == {
        "shows_1": False, "shows_2": True,
    }  # fmt: skip
    with full.store.reading() as con:
        assert [row[0] for row in con.execute("select key from response_cache")] == ["b"]


def test_the_chain_says_that_and_why_and_not_what(full):
    """Neither the person nor the words are in the event."""
    report = full.erase(session_id="s-u-1", reason="request 17", dry_run=False)
    event = full.sql("select action, reason, after, actor from audit where event_id = ?", [report.event_id]).fetchall()[
        0
    ]
    assert (event[0], event[1], event[3]) == ("store.erase", "request 17", "tester")
    assert json.loads(event[2])["traces"] == 3
    assert "u-1" not in event[2]
    assert full.store.pending == ()


def test_packed_results_lose_their_texts_too(full):
    """Results that have moved into segments are written anew."""
    full.store.pack_results(least=1, wait=True)
    assert any("results" in str(path) for path in holding(full.store.path, SECRET))
    full.erase(user_id="u-1", reason="asked", dry_run=False)
    assert holding(full.store.path, SECRET) == []
    assert full.audit.verify().ok
    assert full.sql("select count(*) from results where output = '[erased]'").fetchall() == [(1,)]


STEPS = [
    ("lmops.store._maintenance.Maintenance.erase_traces", False),
    ("lmops.store._maintenance.Maintenance.erase_traces", True),
    ("lmops.store._erase.Eraser._drop_blobs", True),
    ("lmops.store._erase.Eraser._records", True),
    ("lmops.store._erase.Eraser._segments_of_results", True),
    ("lmops.store._erase.Eraser._files", True),
    ("lmops.store._meta.Meta.rewrite", True),
    ("lmops.store._erase.Eraser._say", False),
]


@pytest.mark.parametrize(("step", "is_after"), STEPS)
def test_killed_anywhere_it_is_finished_at_the_next_opening(full, step, is_after):
    """SIGKILL before or after each step: the next to open the store erases the rest, once."""
    path = full.store.path
    code = f"""
import importlib, os, signal, lmops
module, _, name = {step!r}.rpartition(".")
module, _, owner = module.rpartition(".")
owner = getattr(importlib.import_module(module), owner)
real = getattr(owner, name)
def dying(*args, **kwargs):
    if {is_after}:
        real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, name, dying)
lmops.open({str(path)!r}).erase(user_id="u-1", reason="asked", dry_run=False)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    (change,) = full.store.pending
    assert isinstance(change, PendingChange)
    assert (change.kind, change.is_running) == ("erase", False)
    with lmops.open(path) as other:
        assert other.store.pending == ()
        assert other.sql("select count(*) from audit where action = 'store.erase'").fetchall() == [(1,)]
        assert other.audit.verify().ok
        assert other.store.check().ok
    assert holding(path, SECRET) == []


def test_a_long_text_that_another_trace_shares_stays(ws):
    """A blob goes only when nobody refers to it any more."""
    text = "A long story that two people tell. " * 9_000
    ingest(ws, trace(1, "u-1", text), trace(2, "u-2", text))
    ws.erase(user_id="u-1", reason="asked", dry_run=False)
    assert ws.store.check().ok
    assert text[:100] in repr(ws.store.whole(_rows(ws, 2)))


def test_traces_of_evaluations_over_a_person_go_with_them(ws):
    """A case asks what the person asked: its own trace holds the words as well."""
    ingest(ws, trace(1, "u-1", STORY), trace(2, "u-2", "When does the ferry leave for the island today?"))
    ws.datasets.add_traces("cases", [f"{1:032x}", f"{2:032x}"])
    ws.evals.run(answer, "cases", scorers=[quoted], tracing=True, progress=False)
    ws.erase(user_id="u-1", reason="asked", dry_run=False)
    assert holding(ws.store.path, SECRET) == []
    assert ws.sql("select count(*) from traces").fetchall() == [(2,)]


def test_a_file_of_the_quarantine_that_names_the_trace_goes(full):
    """What was set aside as damaged is still somebody's words."""
    folder = full.store.path / "quarantine"
    folder.mkdir()
    source = next(path for path in full.store.path.rglob("*.parquet") if "spans" in str(path))
    shutil.copy(source, folder / "one.parquet")
    (folder / "row.json").write_text(json.dumps({"trace_id": f"{3:032x}", "input": SECRET}))
    (folder / "other.json").write_text(json.dumps({"trace_id": f"{9:032x}"}))
    full.erase(user_id="u-1", reason="asked", dry_run=False)
    assert holding(full.store.path, SECRET) == []
    assert [path.name for path in folder.iterdir()] == ["other.json"]


def test_spans_that_wait_elsewhere_are_named(full):
    """What another process has not stored yet is not this one's to remove: the report says so."""
    folder = full.store.path / "spill" / "p"
    folder.mkdir(parents=True)
    (folder / "spans-000000000001.json").write_text(json.dumps({"spans": [{"trace_id": f"{1:032x}"}]}))
    report = full.erase(user_id="u-1", reason="asked", dry_run=False)
    assert len(report.left) == 1
    assert "spill/p/spans-000000000001.json" in report.left[0]


def test_known_backups_are_listed(full, tmp_path):
    """They are not touched, and the report says where they are."""
    kept, gone = tmp_path / "kept", tmp_path / "gone"
    for path in (kept, gone):
        full.store.backup(path)
    shutil.rmtree(gone)
    assert full.erase(user_id="u-1").backups == (str(kept),)


@pytest.mark.parametrize(
    "asked",
    [
        {}, {"user_id": "a", "session_id": "b"}, {"user_id": ""}, {"trace_ids": "abc"}, {"trace_ids": [3]},
        {"where": "no_such = 1"}, {"user_id": 7},
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(ws, asked):
    """Nothing is erased by an argument that means nothing."""
    with pytest.raises(UsageError):
        ws.erase(**asked)


def test_erasing_needs_a_reason(full):
    """Without one nothing is changed."""
    with pytest.raises(UsageError, match="reason"):
        full.erase(user_id="u-1", dry_run=False)
    assert full.sql("select count(*) from traces").fetchall() == [(4,)]


def test_nobody_is_nothing(ws):
    """An unknown user leaves no event."""
    assert repr(ws.erase(user_id="nobody", reason="asked", dry_run=False)) == "<EraseReport erased nothing>"
    assert ws.sql("select count(*) from audit").fetchall() == [(0,)]


def test_the_command_says_first_and_erases_with_yes(full):
    """The same as a command: dry unless --yes, JSON when asked."""
    arguments = ["erase", "--where", "user_id = 'u-1'", "--store", str(full.store.path)]
    first = CliRunner().invoke(main, arguments)
    assert (first.exit_code, "would erase 3 traces" in first.output) == (0, True)
    assert CliRunner().invoke(main, [*arguments, "--yes"]).exit_code == 2
    done = CliRunner().invoke(main, [*arguments, "--yes", "--reason", "asked", "--json"])
    assert (done.exit_code, json.loads(done.output)["traces"]) == (0, 3)
    assert full.sql("select count(*) from traces").fetchall() == [(1,)]


def test_copies_that_left_the_store_are_listed(full, tmp_path):
    """Exports of the store and of data sets, as far as they are still there; each is an event."""
    for name in ("all.duckdb", "folder", "gone.duckdb"):
        full.store.export(tmp_path / name)
    full.datasets.export("cases", tmp_path / "cases.jsonl")
    for path in tmp_path.glob("gone.*"):
        path.unlink()
    report = full.erase(user_id="u-1")
    names = ("all.duckdb", "all.records.sqlite", "folder", "cases.jsonl")
    assert report.exports == tuple(str(tmp_path / name) for name in names)
    assert "an export still holds" in repr(report)
    events = full.sql("select action, after from audit where action like '%.export'").fetchall()
    assert [action for action, _ in events] == ["store.export"] * 3 + ["dataset.export"]
    first, second = (json.loads(after)["rows"] for _, after in events[:2])
    assert 10 < first == second - 1  # the event of the first
    assert SECRET not in str(events)


def test_an_export_of_a_store_that_is_only_read_leaves_no_event(full, tmp_path):
    """Nothing can be written there."""
    full.datasets.save("typed", [{"input": "a", "expected": "b"}])
    before = full.audit.head()
    with lmops.open(full.store.path, read_only=True) as ws:
        ws.store.export(tmp_path / "folder")
        ws.datasets.export("typed", tmp_path / "typed.jsonl")
    assert full.audit.head() == before


def test_examples_that_name_no_trace_are_said_to_be_not_searched(full):
    """By data set, also when there is nothing else to erase; what was erased before counts no more."""
    full.datasets.save("typed", [{"input": STORY, "expected": "b"}, {"input": "x"}])
    report = full.erase(user_id="u-1")
    assert report.unsearched == {"typed": 2}
    assert "not searched: 2 examples of the data set typed" in repr(report)
    assert full.erase(user_id="u-1", reason="asked for", dry_run=False).unsearched == {"typed": 2}
    assert full.erase(user_id="nobody").unsearched == {"typed": 2}
