"""Traces are put together the same way, whatever the order in which their spans and log events arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmops.calc.rollup import rollup
from lmops.store import Store
from lmops.store._overlay import trace_row
from lmops.store._tables import TRACE_COLUMNS

from .helpers import START, Row, bodies, count, llm, log_of, shown, span, state, trace_of

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Traces with a failing branch, an orphan, nested model spans, and calls that are the same call in three traces.
SPANS: list[Row] = [
    span("a", "root", start=START, user_id="u"),
    span("a", "step", "root", start=START + 5, status="error", error_type="ToolError"),
    llm("a", "outer", "root", start=START + 10, response_id="r1", prompt_name="p", prompt_version="1"),
    llm("a", "inner", "outer", start=START + 11, response_id="r1", input="x"),
    llm("b", "twin", "root", start=START + 20, response_id="r1", cost_usd=0.5),
    llm("b", "own", "root", start=START + 30, response_id="r2", session_id="s"),
    span("c", "root", start=START + 40),
    llm("c", "third", "root", start=START + 41, response_id="r1", input_tokens=None),
    llm("c", "fourth", "root", start=START + 41, response_id="r2", cost_usd=None),
    llm("d", "alone", "gone", start=START + 50, response_id=None),
    llm("e", "wrapper", start=START + 60, output="said", response_id="r3"),
    llm("e", "sdk", "wrapper", start=START + 61, response_id="r3"),
]
LOGS: list[Row] = [log_of(SPANS[3], "one"), log_of(SPANS[3], "two", at=START + 1), log_of(SPANS[9], "three")]
ITEMS: list[tuple[str, Row]] = [*(("spans", row) for row in SPANS), *(("logs", row) for row in LOGS)]


def write(store: Store, items: Sequence[tuple[str, Row]], way: str) -> None:
    """Write some spans and logs in one of the ways."""
    rows: dict[str, list[Row]] = {"spans": [], "logs": []}
    for tbl, row in items:
        rows[tbl].append(dict(row))
    if way == "load":
        store.load(rows["spans"], rows["logs"])
    else:
        store.append_many(rows)
    if way == "drain":
        store.drain()


def reference() -> dict[str, list[Row]]:
    """Return what all of it, loaded at once, looks like."""
    with Store.open(":memory:", join_logs=bodies) as store:
        write(store, ITEMS, "load")
        return state(store)


EXPECTED: dict[str, list[Row]] = reference()


def test_the_reference_is_what_it_should_be() -> None:
    """One call per response id, the failing branch is the error, the orphan stands alone."""
    traces = {row["trace_id"]: row for row in EXPECTED["traces"]}
    a, b, c, d = (traces[name.encode().hex().rjust(32, "0")] for name in "abcd")
    assert sum(row["call_count"] for row in traces.values()) == 4
    assert [row["name"] for row in EXPECTED["llm_calls"]] == ["inner", "own", "alone", "wrapper"]
    assert a["error_type"] == "ToolError"
    assert (a["is_orphan"], c["is_orphan"], d["is_orphan"]) == (False, False, True)
    assert b["session_id"] == "s"


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_order_and_partition_do_not_matter(data: st.DataObject) -> None:
    """Any order, any batches, repeats among them, drained or not: the same rows of every view."""
    items = data.draw(st.permutations(ITEMS))
    items += data.draw(st.lists(st.sampled_from(ITEMS), max_size=4))
    with Store.open(":memory:", join_logs=bodies) as store:
        while items:
            size = data.draw(st.integers(1, len(items)))
            write(store, items[:size], data.draw(st.sampled_from(["append", "drain", "load"])))
            items = items[size:]
            if data.draw(st.booleans()):
                state(store)  # what a question leaves behind is used by the next
        assert state(store) == EXPECTED
        store.drain()
        assert state(store) == EXPECTED
        store.compact(grace_s=0)
        assert state(store) == EXPECTED
        assert store.check().ok


def test_a_late_span_joins_its_drained_trace(store: Store) -> None:
    """The trace's row changes before the drain of the late span and not by it."""
    store.load([span("t", "root")])
    store.append_many({"spans": [llm("t", "late", "root", start=START + 9)]})
    expected = state(store)
    assert expected["traces"][0]["span_count"] == 2
    store.drain()
    assert state(store) == expected


def test_the_root_of_an_orphan_arrives(store: Store) -> None:
    """An orphan is one until its root is there."""
    store.load([span("t", "child", "root")])
    assert store.sql("select is_orphan, name from traces").fetchall() == [(True, "child")]
    store.append_many({"spans": [span("t", "root")]})
    assert store.sql("select is_orphan, name from traces").fetchall() == [(False, "root")]


def test_repeats_add_nothing(store: Store) -> None:
    """The same spans again are counted as duplicates, whichever way they came first."""
    store.append_many({"spans": trace_of("t")})
    assert store.load(trace_of("t")).duplicates == 8
    assert store.load([*trace_of("u"), *trace_of("u")]).new == 8
    store.append_many({"spans": [*trace_of("t"), *trace_of("u")]})
    assert (count(store), count(store, "traces")) == (16, 2)


def test_a_winner_that_arrives_later_takes_the_call(store: Store) -> None:
    """Of one call in two traces the one that knows its usage counts, and the other trace loses it."""
    store.load([llm("a", "x", response_id="r", input_tokens=None, output_tokens=None)])
    store.append_many({"spans": [llm("b", "y", response_id="r", start=START + 5)]})
    calls = shown(store, "llm_calls")
    assert [row["name"] for row in calls] == ["y"]
    assert [row["call_count"] for row in shown(store, "traces")] == [0, 1]
    store.drain()
    assert shown(store, "llm_calls") == calls


@pytest.mark.parametrize("way", ["append", "drain", "load"])
def test_an_id_that_all_answers_have_is_no_identity(store: Store, way: str) -> None:
    """A stand-in model answers with one constant id: from the ninth trace on, each call is one again."""
    for number in range(12):
        write(store, [("spans", llm(f"t{number}", "call", response_id="chatcmpl-123"))], way)
        counted = sum(row["call_count"] for row in shown(store, "traces"))
        assert counted == (1 if number < 8 else number + 1)
    store.drain()
    assert count(store, "llm_calls") == 12
    assert not any(row["duplicate_span_ids"] for row in shown(store, "llm_calls"))


def test_log_events_before_and_after_their_span(store: Store) -> None:
    """Content of events reaches the span in the order of time."""
    row = llm("t", "x")
    store.append_many({"logs": [log_of(row, "second", at=START + 2)]})
    store.drain()
    store.append_many({"spans": [row]})
    assert shown(store, "spans")[0]["output"] == '["second"]'
    store.drain()
    store.append_many({"logs": [log_of(row, "first", at=START + 1)]})
    assert shown(store, "spans")[0]["output"] == '["first", "second"]'
    store.drain()
    assert shown(store, "spans")[0]["output"] == '["first", "second"]'
    assert store.check().ok


ONE = llm("t", "1")
STEP = span("t", "2", parent_span_id=ONE["span_id"])


@pytest.mark.parametrize("spans", [[ONE], [ONE, STEP]])
def test_a_row_has_every_column_in_order(spans):
    facts = rollup(spans)
    row = trace_row(spans, facts, [ONE])
    assert list(row) == [name for name, _, _ in TRACE_COLUMNS]


def test_a_step_that_says_nothing_changes_only_what_is_counted():
    alone, both = (trace_row(spans, rollup(spans), [ONE]) for spans in ([ONE], [ONE, STEP]))
    assert {name for name in alone if alone[name] != both[name]} <= {"span_count", "end_ns", "latency_ms"}
