"""Erasing: what was made of a person's traces is in no file of the store afterwards, and the rest is as it was."""

from __future__ import annotations

import json
import shutil

import nbformat
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import lmops
from lmops.cli import main
from lmops.errors import NotFoundError, UsageError
from lmops.runbooks import RunbookRun
from lmops.runbooks._journal import Journal
from lmops.scorers import Score, scorer
from lmops.store import PendingChange, file_sha256
from lmops.times import utc_now
from tests import forked

SECRET = "Rumpelstiltskin"
STORY = f"My name is {SECRET}, I was born on 7 May 1812 and I live at Straw Lane 3 in Spinningdale."


def trace(number, user, text, *, long=0, answer="Gladly."):
    """Return one OTLP/JSON request: a question of a user and its answer."""
    said = json.dumps([{"role": "user", "parts": [{"type": "text", "content": text + " x" * long}]}])
    got = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": f"{answer} {text}"}]}])
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "user.id": user,
        "session.id": f"s-{user}",
        "gen_ai.input.messages": said,
        "gen_ai.output.messages": got,
    }
    span = {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": "chat m",
        "startTimeUnixNano": str(1_700_000_000_000_000_000 + number),
        "endTimeUnixNano": "1700000001000000000",
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()],
    }
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
    )  # fmt: skip  # arguments that belong together share a line
    Journal(ws.project).refuse(run)


def fill(ws):
    """Put a secret into spans, blobs, inbox, cache, data sets and results."""
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


@pytest.fixture
def full(made_once):
    """A store in which a secret is everywhere: in notebooks too, whose places the store knows."""
    with made_once(fill) as ws:
        for number, text in (("1", STORY), ("2", "When does the ferry leave for the island today?")):
            keep_run(ws, f"shows_{number}", f"0  {text[:40]}...")
        yield ws


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
    assert report.records == {
        "cached answers": 1,
        "examples": 1,
        "cases of evaluations": 1,
        "executed runbooks": 1,
    }
    assert "nothing was changed" in repr(report)
    assert {path: path.read_bytes() for path in full.store.path.rglob("*.parquet")} == before


def test_after_erasing_no_file_of_the_store_holds_it(full):
    """Segments, blobs, database and its log, notebooks and pages: searched byte by byte."""
    assert len(holding(full.store.path, SECRET)) > 5
    report = full.erase(user_id="u-1", reason="asked for by letter", dry_run=False)
    assert report.left == ()
    assert holding(full.store.path, SECRET, "Spinningdale", "May 1812") == []
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
        "shows_1": False,
        "shows_2": True,
    }
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
    done = forked.run(code)
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


def test_a_file_that_a_killed_process_never_listed_goes(full):
    """It is no part of the store, and somebody's words all the same, also where nothing else is left of them."""
    full.store.drain()
    source = next(path for path in full.store.path.glob("segments/spans/*/*.parquet") if holding(path.parent, SECRET))
    left = source.with_name("0" * 32 + ".parquet")
    shutil.copy(source, left)
    full.erase(user_id="u-1", reason="asked", dry_run=False)
    assert holding(full.store.path, SECRET) == []


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
)  # fmt: skip  # cases that belong together share a line
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


@pytest.fixture
def typed(full):
    """A data set typed by hand: the person's words, a word of it, and nothing of it; the first as of two versions."""
    story = {"id": "story", "input": STORY, "expected": "b"}
    full.datasets.save("typed", [story, {"id": "name", "input": f"Who is {SECRET}?"}, {"id": "other", "input": "x"}])
    full.datasets.save("typed", [story, {"id": "other", "input": "y"}])
    full.evals.run(answer, "typed@1", scorers=[quoted], progress=False)
    return full


def inputs(ws, ref="typed@1"):
    """Return the inputs of a version by the ids of its examples."""
    return {example.example_id: example.input for example in ws.datasets.get(ref).examples}


def test_examples_that_are_only_alike_are_named_and_stay(typed):
    """Somebody may have typed what a person asked as well: who erases decides."""
    report = typed.erase(user_id="u-1")
    assert report.alike == {"examples": ["typed@2/story"]}
    assert "STAY: examples with a stretch of text in common, unless they are named: typed@2/story" in repr(report)
    typed.erase(user_id="u-1", reason="asked for", dry_run=False)
    assert inputs(typed)["story"] == STORY
    assert typed.erase(user_id="nobody").alike == {}


def test_examples_that_are_named_go_with_what_was_made_of_them(typed):
    """In every version that holds them, with the cases over them and what else shows their texts."""
    assert typed.erase(examples="typed/story").records["examples"] == 1
    typed.erase(user_id="u-1", examples=["typed/story", "typed@1/name"], reason="asked for", dry_run=False)
    assert inputs(typed) == {"story": "[erased]", "name": "[erased]", "other": "x"}
    assert inputs(typed, "typed") == {"story": "[erased]", "other": "y"}
    assert holding(typed.store.path, SECRET, "Spinningdale") == []
    assert (typed.store.check().ok, typed.audit.verify().ok) == (True, True)


def test_what_shows_a_word_of_a_person_goes(typed):
    """Examples typed by hand, cases over them, cached answers, notebooks; traces are asked for by themselves."""
    report = typed.erase(words=[SECRET])
    assert (report.traces, report.records["examples"], report.records["cached answers"]) == (0, 3, 1)
    typed.erase(where=f"contains(input, '{SECRET}')", words=SECRET, reason="asked for", dry_run=False)
    assert inputs(typed) == {"story": "[erased]", "name": "[erased]", "other": "x"}
    assert holding(typed.store.path, SECRET) == []
    assert typed.audit.verify().ok


@pytest.mark.parametrize("ref", ["typed/none", "typed@2/name", "none/story", "typed"])
def test_an_example_that_is_not_there_is_refused(typed, ref):
    """Nothing is erased by a name that means nothing."""
    with pytest.raises(NotFoundError, match="there is no example"):
        typed.erase(examples=[ref, "typed/story"], reason="asked for", dry_run=False)
    assert inputs(typed)["story"] == STORY


def test_a_plan_of_before_is_carried_out(full):
    """What was noted when rows had other names is finished all the same."""
    plan = {
        "by": "user_id", "trace_ids": [f"{1:032x}"], "examples": [1], "cases": [], "cached": ["a"], "runbooks": [],
        "blobs": [], "notebooks": [], "files": [], "salt": "s", "planned_ns": 0, "counts": {}, "unsearched": {},
    }  # fmt: skip  # keys that belong together share a line
    with full.store.transaction() as con:
        arguments = {"plan": plan, "reason": "asked"}
        full.store.changes.begin(con, kind="erase", subject="traces", arguments=arguments, actor="ann")
        con.execute("update pending_changes set pid = 4194304")
    with lmops.open(full.store.path) as other:
        assert other.store.pending == ()
        assert (inputs(other, "cases")[other.datasets.get("cases").examples[0].example_id]) == "[erased]"
        assert other.audit.verify().ok


LEFT = "ignore::lmops.store.DamagedSegmentWarning"


@pytest.fixture
def damaged(ws):
    """A file with a person's only trace, which cannot be read for a byte outside of its rows; another's can."""
    ingest(ws, trace(1, "u-1", STORY))
    ws.store.drain()
    ingest(ws, trace(2, "u-2", "When does the ferry leave for the island today?"))
    ws.store.drain()
    path = next(path for path in ws.store.path.glob("segments/spans/**/*.parquet") if SECRET in str(said(path)))
    flip(path)
    return path


def said(path):
    """Return what is in a file of spans."""
    return pq.read_table(path, columns=["input"], partitioning=None)["input"].to_pylist()


def flip(path, word=b"arquet-cpp"):
    """Change a bit of the name of the library that wrote a file, or change it back."""
    content = path.read_bytes()
    at = content.index(word) - 1
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])


@pytest.mark.filterwarnings(LEFT)
@pytest.mark.parametrize("way", ["repair", "backup", "rescue", "record"])
@pytest.mark.parametrize("asked", [{"user_id": "u-1"}, {"session_id": "s-u-1"}, {"trace_ids": f"{1:032x}"}])
def test_what_could_not_be_read_goes_when_it_can_be(ws, damaged, way, asked):
    """A repair, a rescue, or the file put back whole do not bring an erased person back, nor does what is set aside."""
    path = ws.store.path
    if way == "record":
        flip(damaged)
        with ws.store.transaction() as con:
            con.execute("update segments set rows = 7 where path = ?", (str(damaged.relative_to(path)),))
    report = ws.erase(**asked, reason="asked", dry_run=False)
    assert len(report.left) == 1
    assert str(damaged.relative_to(path)) in report.left[0]
    (left,) = ws.store.pending
    assert [one["path"] for one in left.passed] == [str(damaged.relative_to(path))]
    assert SECRET not in str(left.arguments)
    assert "u-1" not in str(left.arguments)
    ws.close()
    if way == "backup":
        flip(damaged)
    if way == "rescue":
        copy = path.parent / "copy"
        copy.mkdir()
        (path / "meta.sqlite").rename(copy / "meta.sqlite")
        (path / "segments.log").unlink()
        lmops.store.rescue(path, records=copy)
        shutil.rmtree(copy)
    with lmops.open(path) as again:
        again.store.check(repair=way in ("repair", "record"))
        assert (again.store.pending, again.store.check().ok, again.audit.verify().ok) == ((), True, True)
        assert again.sql("select user_id from spans union select user_id from traces").fetchall() == [("u-2",)]
        assert holding(path, SECRET, "u-1") == []
        assert again.sql("select reason from audit where action = 'store.erase'").fetchall() == [("asked",)] * 2


@pytest.mark.filterwarnings(LEFT)
def test_it_waits_for_as_long_as_the_file_is_damaged(ws, damaged):
    """Opening the store again changes nothing, and check says what waits."""
    ws.erase(user_id="u-1", reason="asked", dry_run=False)
    ws.close()
    with lmops.open(ws.store.path) as again:
        assert len(again.store.pending) == 1
        assert any(
            "the erase of traces" in one and "--repair finishes it" in one for one in again.store.check().problems
        )
        assert again.sql("select count(*) from audit where action = 'store.erase'").fetchall() == [(1,)]
    assert damaged.is_file()


@pytest.mark.filterwarnings(LEFT)
def test_what_came_later_is_not_of_those_who_had_asked(ws, damaged):
    """The same person may come again: only what was there when they asked goes."""
    ws.erase(user_id="u-1", reason="asked", dry_run=False)
    late = trace(3, "u-1", "Hello, it is me again, and this is new.")
    (span,) = late["resourceSpans"][0]["scopeSpans"][0]["spans"]
    span["startTimeUnixNano"], span["endTimeUnixNano"] = "4000000000000000000", "4000000001000000000"
    ingest(ws, late)
    ws.store.check(repair=True)
    assert ws.sql("select trace_id from traces order by 1").fetchall() == [(f"{2:032x}",), (f"{3:032x}",)]
    assert holding(ws.store.path, SECRET) == []


AGAIN = [
    ("lmops.store._store.Store.resume", False),
    ("lmops.store._erase_plan.Planner.plan", True),
    ("lmops.store._maintenance.Maintenance.erase_traces", True),
    ("lmops.store._erase.Eraser._drop_blobs", True),
    ("lmops.store._meta.Meta.rewrite", True),
    ("lmops.store._erase.Eraser._say", False),
    ("lmops.store._erase.Eraser._say", True),
]


@pytest.mark.filterwarnings(LEFT)
@pytest.mark.parametrize(("step", "is_after"), AGAIN)
def test_killed_while_it_goes_at_last_it_is_finished_by_the_next(ws, damaged, step, is_after):
    """SIGKILL in the repair that makes it readable: the next to open the store erases it, with its long text."""
    ingest(ws, trace(4, "u-1", "A long story that only one tells. " * 9_000))
    ws.store.drain()
    path = ws.store.path
    flip(next(one for one in path.glob("segments/spans/**/*.parquet") if "long story" in str(said(one))))
    ws.erase(user_id="u-1", reason="asked", dry_run=False)
    ws.close()
    assert forked.run(dying(step, is_after=is_after, path=path)).returncode == -9
    with lmops.open(path) as other:
        assert (other.store.pending, other.store.check().ok, other.audit.verify().ok) == ((), True, True)
        assert other.sql("select user_id from spans union select user_id from traces").fetchall() == [("u-2",)]
        assert other.sql("select count(*) from audit where action = 'store.erase'").fetchall() == [(2,)]
    assert holding(path, SECRET, "long story") == []


def dying(step, *, is_after, path):
    """Return a program that repairs a store and is killed at a step."""
    return f"""
import importlib, os, signal, warnings, lmops
warnings.simplefilter("ignore")
ws = lmops.open({str(path)!r})
module, _, name = {step!r}.rpartition(".")
module, _, owner = module.rpartition(".")
owner = getattr(importlib.import_module(module), owner)
real = getattr(owner, name)
def killed(*args, **kwargs):
    if {is_after}:
        real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, name, killed)
ws.store.check(repair=True)
"""


@pytest.mark.filterwarnings(LEFT)
def test_half_a_file_that_a_repair_set_aside_goes_too(ws):
    """Its rows that were kept are in another file; those that were lost are still in what lies aside."""
    from lmops.store._salvage import opened

    words = [f"{SECRET} {number} {json.dumps(list(range(number, number + 40)))}" for number in range(4)]
    ingest(ws, *(trace(number + 1, "u-1" if number < 3 else "u-2", text) for number, text in enumerate(words)))
    ws.store.drain()
    path = next(ws.store.path.glob("segments/spans/**/*.parquet"))
    with opened(path).file as file:
        column = next(
            file.metadata.row_group(0).column(at)
            for at in range(file.metadata.num_columns)
            if file.metadata.row_group(0).column(at).path_in_schema == "trace_id"
        )
    content = bytearray(path.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    content[start : start + column.total_compressed_size] = bytes(column.total_compressed_size)
    path.write_bytes(content)
    assert ws.store.check(repair=True).lost_rows == {"spans": 4}
    report = ws.erase(user_id="u-1", reason="asked", dry_run=False)
    assert report.left == ()
    assert not list(ws.store.path.glob("quarantine/**/*.parquet"))


def test_what_was_set_aside_and_cannot_be_read_is_named(full):
    """Nothing can be said of it: the report says so, and it stays."""
    aside = full.store.path / "quarantine/one.parquet"
    aside.parent.mkdir()
    aside.write_bytes(b"PAR1 and nothing that could be read")
    report = full.erase(user_id="u-1", reason="asked", dry_run=False)
    assert len(report.left) == 1
    assert report.left[0].startswith("quarantine/one.parquet was set aside")
    assert aside.is_file()


@pytest.mark.filterwarnings(LEFT)
def test_cases_in_a_file_that_cannot_be_read_lose_their_texts_later(full):
    """Results that were packed: their file is not written anew while it is damaged, and is when it is whole again."""
    full.store.pack_results(least=1, wait=True)
    path = next(path for path in full.store.path.glob("segments/results/**/*.parquet"))
    flip(path)
    report = full.erase(user_id="u-1", reason="asked", dry_run=False)
    assert [str(path.relative_to(full.store.path)) in one for one in report.left] == [True]
    flip(path)
    full.close()
    with lmops.open(full.store.path) as again:
        assert again.store.pending == ()
        assert holding(full.store.path, SECRET) == []
        assert again.sql("select count(*) from results where output = '[erased]'").fetchall() == [(1,)]
        assert again.audit.verify().ok


def test_what_was_erased_makes_nothing_else_alike(typed):
    """The word that stands for what is gone is nobody's text."""
    typed.erase(examples="typed/story", reason="asked", dry_run=False)
    assert typed.erase(examples="typed/story").records == {"examples": 1, "cases of evaluations": 1}


@pytest.mark.filterwarnings(LEFT)
def test_every_kind_of_file_is_waited_for(ws):
    """Spans, traces and writes of the inbox that were damaged: after the repair none holds the person."""
    ingest(ws, trace(1, "u-1", STORY))
    ws.store.drain()
    for path in ws.store.path.glob("segments/*/**/*.parquet"):
        flip(path)
    ws.store.append_many({"spans": [{**_rows_of(STORY), "trace_id": f"{2:032x}", "user_id": "u-1"}]})
    with ws.store.transaction() as con:
        con.execute("update inbox set checksum = checksum + 1")
    report = ws.erase(user_id="u-1", reason="asked", dry_run=False)
    places = ["inbox/", "segments/spans/", "segments/traces/"]
    assert [[one.startswith(place) for place in places].count(True) for one in sorted(report.left)] == [1, 1, 1]
    ws.store.check(repair=True)
    assert (ws.store.pending, ws.store.check().ok) == ((), True)
    assert holding(ws.store.path, SECRET, "u-1") == []


def _rows_of(text):
    """Return a row of a span that says a text."""
    return dict.fromkeys(column for column, _, _ in lmops.store.SPAN_COLUMNS) | {
        "span_id": f"{9:016x}", "name": "chat", "kind": "llm", "status": "ok", "start_ns": 1_700_000_000_000_000_000,
        "end_ns": 1_700_000_001_000_000_000, "input": text,
    }  # fmt: skip  # keys that belong together share a line


@pytest.mark.filterwarnings(LEFT)
def test_what_a_condition_would_find_in_a_file_is_not_known_before(ws, damaged):
    """A condition is not kept, for it may hold the person's words: the report says that it has to be asked again."""
    traces = list(ws.store.path.glob("segments/traces/**/*.parquet"))
    for path in traces:
        flip(path)
    asked = {"where": f"contains(input, '{SECRET}')", "reason": "asked", "dry_run": False}
    report = ws.erase(**asked)
    assert (report.traces, ws.store.pending) == (0, ())
    assert "erase it once more then" in report.left[0]
    for path in (damaged, *traces):
        flip(path)
    assert ws.erase(**asked).left == ()
    assert holding(ws.store.path, SECRET) == []
