"""The audit chain covers the records: whatever is changed in SQLite past the chain is found, by row and event."""

import asyncio
import hashlib
import sqlite3
import time

import nbformat
import orjson
import pytest

import lmops
from lmops.guardrails import made, rail
from lmops.scorers import judge, with_examples
from lmops.store._meta import migrations, statements
from lmops.store.schema import schema
from lmops.tools import CallContext
from tests import warm

SEALED = schema().sealed
#: Tables that hold no record: machinery of the store, facts with a checksum in each row, and what a room can lose.
OTHERS = {
    "alert_outbox", "alert_sink_states", "anchor_claims",
    "audit", "audit_head", "counters", "dead_rows", "feedback_history", "guardrail_files", "inbox",
    "info", "label_history", "monitor_files", "monitor_states", "pending_changes", "prompt_files",
    "queue_back", "queue_full", "queue_gone", "queue_raters", "queue_turns", "retired", "retrieval_files",
    "route_files", "segments", "tool_files", "tool_policy_files",
    "trace_score_chances", "trace_score_claims", "trace_score_history", "unsealed",
}  # fmt: skip  # many words: packed, they are read at a glance
#: Tables whose rows are held by a hash over several of them.
HELD = {name for name, table in schema().tables.items() if table.check is not None} - OTHERS | {schema().packed.table}


def tables():
    """Return the columns of every table that the migrations make."""
    with sqlite3.connect(":memory:") as con:
        for _, script in migrations():
            for statement in statements(script):
                con.execute(statement)
        names = [row[0] for row in con.execute("select name from sqlite_master where type = 'table'")]
        found = {name: [row[1] for row in con.execute(f"pragma table_info({name})")] for name in names}
    con.close()
    return {name: columns for name, columns in found.items() if not name.startswith("sqlite_")}


COVERED = {name: columns for name, columns in tables().items() if name in SEALED or name in HELD}
EDITS = [(table, column) for table, columns in COVERED.items() for column in columns]


@rail(name="any")
def _any(_given):
    """Find nothing."""
    return ()


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A store with a row in every table of records, and without the triggers that refuse changes."""
    path = tmp_path_factory.mktemp("full") / ".lmops"
    with pytest.MonkeyPatch.context() as patched, lmops.open(path, actor="ann") as ws:
        warm.use(patched)
        for text in ("Answer {{ input }}", "Say {{ input }}"):
            ws.prompts.save("p", text, note="n", model="standin:ferry-1")
        ws.prompts.promote("p", 1, to="production", reason="first")
        ws.prompts.protect("p")
        ws.models.set_price("m", input_usd_per_mtok=1, output_usd_per_mtok=2, reason="list")
        ws.models.register("house", base_url="http://127.0.0.1:9/v1", model="m", reason="ours")
        ws.models.complete("standin:ferry-1", "hello", cache=True)
        ws.datasets.save("d", [{"input": "a", "expected": "b", "cluster": "c"}, {"input": "x", "expected": "y"}])
        ws.datasets.promote("d", 1, to="golden", reason="checked")
        ws.datasets.protect("d", "golden")
        run = ws.evals.run(str.upper, "d", ["exact_match"], progress=False, name="up")
        ws.evals.gate(run, criteria={"scorers": {"exact_match": {"min": 0.5}}})
        ws.runbooks.run(_notebook(path.parent), progress=False)
        ws.feedback.schemas.save("support", [{"name": "verdict"}])
        ws.feedback.queue("q", ["a" * 32, "b" * 32], schema="support")
        ws.feedback.queue("r", run, schema="support")
        ws.feedback.queues.gold("q", {"c" * 32: {"verdict": "pass"}})
        ws.feedback.queues.label("q", 1, {"verdict": "pass"}, rater="ann")
        ws.feedback.themes("q").make("rude", criteria="hurts")
        ws.feedback.queues.adjudicate("q", 1, {"verdict": "fail"}, reason="it is rude")
        labels = [{"item": one, "label": one, "verdict": one, "schema": "support@1"} for one in ("pass", "fail")]
        ws.feedback.calibrate("polite", labels, version="1")
        ws.monitors.score("refusal", progress=False)
        ws.traces.views.save("slow", "latency_ms > 900")
        polite = judge("polite", "Is it polite?", model="standin:judge-1")
        shown = with_examples(polite, [{"output": "Buy!", "verdict": "fail"}])
        with ws.project.change() as change:
            figures = {"n_learning": 9, "n_held_out": 9, "p_value": 0.01}
            ws.judges.better(change, polite, shown, traces=["a" * 32] * 2, figures=figures)
            change.say("judge.improve", "polite")
        ws.routing.kill(ws.routing.set("support", {"p@1": 1}).name, reason="down")
        ws.guardrails.save("support", input=["any"])
        ws.guardrails.switch_off("support", "any", reason="too strict")
        _noted(ws, run)
        ws.retrieval.build("docs", {"a": "Cats pay half."}, "docs")
        ws.monitors.sinks.save("ops", kind="webhook", url="http://127.0.0.1:9/hook")
        ws.monitors.save("errors", metric="error_rate")
        ws.guardrails.card(made("any"), ws.datasets.save("attacks", [{"input": "a", "expected": 1}]), progress=False)
        _watched(ws)
        ws.audit.cover(reason="all of it is ours")
        with ws.store.transaction() as con:
            for (name,) in con.execute("select name from sqlite_master where type = 'trigger'").fetchall():
                con.execute(f"drop trigger {name}")
        found = ws.audit.verify()
        assert (found.ok, found.not_covered) == (True, {})
        assert found.records > 15
        yield ws


def _noted(ws, run):
    """Note what a run was made under."""
    ws.guardrails.note_run(run, "support")
    ws.retrieval.note_run(run, ws.retrieval.save("docs").ref)


def _watched(ws):
    """Write an alert, an anchor of a judge, an incident, and what tools may do."""
    with ws.project.change() as change:
        told = {"monitor": "errors", "version": 1, "series": "{}", "metric": "error_rate", "severity": "ticket"}
        times = {"found_ns": 1, "opened_ns": 1, "moved_ns": 1}
        row = {**told, **times, "words": "more", "times_opened": 1, "status": "firing", "actor": "ann"}
        number = change.insert("alerts", row)
        change.insert("alert_examples", {"alert": number, "place": 1, "trace_id": "a" * 32})
        change.say("alert.open", str(number))
    with ws.project.change() as change:
        of = {"judge": "polite", "version": 1}
        chosen = {"judge_version": "1", "dataset": "d@1", "items": 1, "repeats": 2, "every_s": 9.0}
        change.insert("judge_anchors", {**of, **chosen, "author": "ann", "created_ns": 1})
        verdict = {"sweep": 0, "example_id": "e", "score": 1.0, "kept": 1.0, "start_ns": 1}
        change.insert("anchor_verdicts", {**of, **verdict})
        change.say("judge.anchor", "polite@1")
    for number, text in enumerate(("Answer {{ input }}", "Say {{ input }}"), 1):
        ws.prompts.save("r", text)
        ws.prompts.promote("r", number, to="production")
    ws.incidents.open(1, explain=False)
    ws.incidents.note(1, "it is the new prompt")
    ws.incidents.act(1, "roll_back", {"prompt": "r"}, dry_run=False, reason="it fails")
    ws.incidents.verify(1)
    rule = {"severity": 3, "after": "1m", "who": "ann", "sink": "ops", "unless": "resolved"}
    ws.incidents.set_policy([rule])
    ws.incidents.escalate(at="2100-01-01")
    _policed(ws)


def _policed(ws):
    """Write a tool that is off, a policy of tools, a call that waits for a yes."""
    ws.tools.save("mail", description="Send a mail.", parameters={"type": "object"})
    ws.tools.policies.save("tools", [{"ask": "mail"}])
    decider, call = ws.tools.policies.decider("tools"), (ws.tools.get("mail"), {"to": "ann"}, CallContext(run_id="r"))
    asyncio.run(decider.ask(*call, decider.decide(*call)))
    ws.tools.disable("mail", reason="down")


def _notebook(folder):
    path = folder / "n.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")]), path)
    return path


@pytest.fixture
def changed(full):
    """A function that makes one edit past the chain, returns what is found, and takes the edit back."""

    def change(statement, *values):
        with full.store.reading() as con:
            try:
                assert con.execute(statement, values).rowcount == 1
            except sqlite3.IntegrityError:
                return None  # a row id takes nothing but a whole number
            return full.audit.verify()

    return change


def test_every_table_is_covered_or_known():
    """A new table is declared by its room, and covered by the chain or in the list above."""
    assert set(tables()) == set(schema().tables) == set(COVERED) | OTHERS
    assert all(schema().tables[name].held_by for name in OTHERS)


@pytest.mark.parametrize("table", tables())
def test_a_key_is_unique(full, table):
    """What an event names is one row."""
    key = schema().tables[table].key
    with full.store.reading() as con:
        indexes = [found[1] for found in con.execute(f"pragma index_list({table})") if found[2]]
        unique = [tuple(row[2] for row in con.execute(f"pragma index_info({name})")) for name in indexes]
        primary = [found[1] for found in con.execute(f"pragma table_info({table})") if found[5]]
    assert key in [*unique, tuple(primary)]


def row_of(full, table):
    """Return one row of a table and the condition that finds it."""
    with full.store.reading() as con:
        row = con.execute(f"select * from {table} limit 1").fetchone()
        keys = [found[1] for found in con.execute(f"pragma table_info({table})") if found[5]]
    assert row is not None, f"no row of {table} to change"
    return dict(row), " and ".join(f"{key} = '{row[key]}'" for key in keys)


def other(value):
    """Return another value of the same kind."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value + b"x"
    return value + 1_000_000 if isinstance(value, int | float) else value + " "


@pytest.mark.parametrize(("table", "column"), EDITS, ids=[".".join(edit) for edit in EDITS])
def test_another_value_in_any_column_is_found(full, changed, table, column):
    """One cell: the row is named, and the event that wrote it where one did."""
    row, where = row_of(full, table)
    found = changed(f"update {table} set {column} = ? where {where}", other(row[column]))
    assert not found.ok
    assert any(word in found.problem for word in (table, "d@1"))
    assert found.first_broken is not None or table in HELD or "named by no event" in found.text


@pytest.mark.parametrize(("table", "column"), EDITS, ids=[".".join(edit) for edit in EDITS])
def test_another_type_in_any_column_is_found(full, changed, table, column):
    """The bytes of a text, the text of bytes, a text that is no number: each differs from what was written."""
    row, where = row_of(full, table)
    value = row[column]
    made = str(value).encode() if not isinstance(value, bytes) else value.hex()
    found = changed(f"update {table} set {column} = ? where {where}", made)
    assert found is None or not found.ok


@pytest.mark.parametrize("table", COVERED)
def test_a_removed_row_is_found(full, changed, table):
    """Gone without an event."""
    _, where = row_of(full, table)
    found = changed(f"delete from {table} where {where}")
    assert not found.ok
    assert any(word in found.problem for word in (table, "d@1", "queue q"))


@pytest.mark.parametrize("table", COVERED)
def test_an_added_row_is_found(full, changed, table):
    """A copy of a row under another key, which no event names."""
    row, _ = row_of(full, table)
    others = {"eval_results": ("example_id",), "queue_items": ("position", "item")}
    keys = SEALED[table].key[:1] if table in SEALED else others.get(table, ("hash",))
    row |= {key: other(row[key]) for key in keys}
    row |= {name: None for name in ("content_id", "chunk_id") if name in row}
    found = changed(f"insert into {table} ({', '.join(row)}) values ({', '.join('?' * len(row))})", *row.values())
    assert not found.ok
    assert table in " ".join(found.altered)


@pytest.mark.parametrize(
    "cell", ["model_endpoints.model", "eval_results.output", "audit.actor", "example_contents.split"]
)
def test_text_that_is_no_text_is_found(full, changed, cell):
    """Bytes that are no UTF-8 do not stop the check."""
    table, column = cell.split(".")
    _, where = row_of(full, table)
    assert not changed(f"update {table} set {column} = cast(x'ff' as text) where {where}").ok


def test_nothing_for_an_empty_text_is_found(full, changed):
    """NULL is not the empty text."""
    assert not changed("update verdicts set prompt_ref = ''").ok
    assert not changed("update audit set reason = '' where event_id = 1").ok


def test_records_of_an_older_store_are_counted_until_somebody_answers_for_them(ws):
    """What no event names is said to be not covered; an event may name it as it is from then on."""
    with ws.store.transaction() as con:
        con.execute("insert into model_endpoints values ('old', 'http://x', 'm', null, null, '{}', 1.0, 1, 'ann', 1)")
    assert ws.audit.verify().problem == 'model_endpoints ["old"] is named by no event'
    with ws.store.transaction() as con:
        con.execute("insert into unsealed values ('model_endpoints', '[\"old\"]')")
    found = ws.audit.verify()
    assert (found.ok, found.records, found.not_covered) == (True, 0, {"model_endpoints": 1})
    assert "not covered: 1 of model_endpoints" in found.text
    assert (ws.audit.cover(reason="checked by hand"), ws.audit.cover(reason="again")) == (1, 0)
    assert (ws.audit.verify().records, ws.audit.verify().not_covered) == (1, {})


def test_cases_whose_run_was_lost_can_be_covered_once(ws):
    """What a rescue finds in files without the record of its run is named by no event until somebody answers for it."""
    with ws.store.transaction() as con:
        con.execute("insert into eval_results (run_id, example_id, repeat, status) values ('run-x', 'e1', 0, 'ok')")
    assert ws.audit.verify().problem == 'eval_results ["run-x"] is named by no event'
    assert (ws.audit.cover(reason="rescued"), ws.audit.cover(reason="again")) == (1, 0)
    assert ws.audit.verify().ok


def test_a_run_that_goes_on_is_not_covered_and_one_that_is_resumed_is_again(ws):
    """Its cases are named when it ends; a resumption takes the failed ones off and names the rest anew."""

    def task(text):
        if text == "x":
            raise ValueError(text)
        assert ws.audit.verify().not_covered == {"eval_results": 1}
        return text

    ws.datasets.save("d", [{"input": "a", "expected": "a"}, {"input": "x", "expected": "x"}])
    run = ws.evals.run(task, "d", ["exact_match"], progress=False, retries=0)
    assert (ws.audit.verify().ok, ws.audit.verify().not_covered) == (True, {})
    ws.evals.resume(run.run_id, task=str, progress=False)
    assert (ws.audit.verify().ok, ws.audit.verify().not_covered) == (True, {})


def test_results_are_the_same_when_they_move_into_segments_and_gone_when_they_are_retained(ws):
    """One hash over all cases of a run, wherever they lie and whatever they hold."""
    ws.datasets.save("d", [{"input": text, "expected": "a"} for text in ("a", "b", '"],["')])
    run = ws.evals.run(str.upper, "d", ["exact_match"], progress=False)
    before = ws.store.result_hashes(run.run_id)
    query = "select * replace (epoch_us(started_at) as started_at) from {} order by all"
    rows = [row for view in ("results", "scores") for row in ws.sql(query.format(view)).fetchall()]
    digest = hashlib.sha256(b"".join(map(orjson.dumps, rows))).hexdigest()
    assert before == {run.run_id: digest}
    assert ws.store.pack_results(least=1, wait=True) == 3
    assert (ws.store.result_hashes(), ws.audit.verify().ok) == (before, True)
    ws.store.retain(days=1, now_ns=time.time_ns() + 10 * 86_400_000_000_000)
    assert (ws.store.result_hashes(), ws.audit.verify().ok) == ({}, True)


def test_answers_are_named_many_at_a_time(ws):
    """An answer waits for its event; one that is cleared away is named as gone."""
    for number in range(3):
        ws.models.complete("standin:ferry-1", f"hello {number}", cache=True)
    assert ws.audit.verify().not_covered == {"response_cache": 3}
    ws.audit.cover(reason="ours")
    ws.models.clear_cache()
    found = ws.audit.verify()
    assert (found.ok, found.not_covered) == (True, {})


def test_a_row_under_another_key_is_named_with_its_event(full, changed):
    """It is missing where it was, and its event says so; that no event names the other key comes after."""
    found = changed("update model_endpoints set name = 'barn' where name = 'house'")
    assert (found.ok, len(found.altered)) == (False, 2)
    assert found.problem == f'model_endpoints ["house"] is missing: event {found.first_broken} wrote it'


def test_a_head_that_is_no_number_is_found(changed):
    """Whatever somebody put there is a broken chain, and no error."""
    assert not changed("update audit_head set events = x'31'").ok
