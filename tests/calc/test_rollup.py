"""The facts of one trace: root, calls, error, and their independence of order."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmops.calc.rollup import pick_duplicates, rollup


def span(span_id, parent=None, kind="chain", status="ok", start=0, end=10, **columns):
    row = {
        "span_id": span_id,
        "parent_span_id": parent,
        "kind": kind,
        "status": status,
        "start_ns": start,
        "end_ns": end,
        "model": "m",
        "input_tokens": 1,
        "output_tokens": 1,
        "output": "x",
    }
    return row | columns


def test_nothing():
    """No spans, no facts."""
    facts = rollup([])
    assert facts.root_span_id is None
    assert not facts.is_orphan
    assert facts.call_span_ids == frozenset()


def test_root_is_the_earliest_true_root():
    """A span without a parent goes before an earlier orphan; of several roots the earliest counts."""
    facts = rollup([span("b", start=5), span("a", start=7), span("o", "gone", start=1)])
    assert facts.root_span_id == "b"
    assert not facts.is_orphan


def test_orphans():
    """Without any root the earliest orphan stands in, and the trace says so."""
    facts = rollup([span("x", "gone", start=5), span("y", "lost", start=3), span("z", "y", start=1)])
    assert facts.root_span_id == "y"
    assert facts.is_orphan
    assert facts.depths == {"x": 0, "y": 0, "z": 1}


def test_billable_calls_have_no_model_below_at_any_depth():
    """Nested model spans are one call, also through other spans; a reranker is one if it names a model."""
    facts = rollup([
        span("root"), span("w", "root", "llm"), span("c", "w"), span("in", "c", "llm"), span("t", "in", "tool"),
        span("e", "root", "embedding"), span("r", "root", "reranker", model=None), span("u", "w", "llm"),
        span("paid", "root", "reranker"),
    ])  # fmt: skip  # arguments that belong together share a line
    assert facts.call_span_ids == {"in", "u", "e", "paid"}
    assert rollup([span("r", kind="reranker")]).call_span_ids == {"r"}
    assert rollup([span("r", kind="reranker", model=None)]).call_span_ids == set()


def test_deepest_error():
    """One failing tool shows as several error spans: the deepest is the error, then the earliest end."""
    rows = [span("root", status="error"), span("a", "root", status="error"), span("t1", "a", "tool", "error", end=9),
            span("t2", "a", "tool", "error", end=4), span("ok", "t1"), span("deep", "ok"),
            span("b", "root", status="error", end=1)]  # fmt: skip  # items that belong together share a line
    assert rollup(rows).error_span_id == "t2"
    assert rollup(rows[:2]).error_span_id == "a"
    assert rollup([span("a")]).error_span_id is None


def test_cycles_and_self_parents():
    """A cycle is cut above its earliest span; a self parent counts as an orphan."""
    facts = rollup([span("a", "c", "llm", start=3), span("b", "a", "llm", start=1), span("c", "b", "llm", start=2)])
    assert facts.parents == {"b": None, "c": "b", "a": "c"}
    assert facts.depths == {"b": 0, "c": 1, "a": 2}
    assert facts.call_span_ids == {"a"}
    assert facts.root_span_id == "b"
    assert facts.is_orphan
    assert rollup([span("s", "s", "llm")]).call_span_ids == {"s"}


@pytest.mark.parametrize("usage", [None, 7])
def test_streamed_answer_beside_its_call(usage):
    """A call without usage and the zero-length answer that follows it are one call: the answer counts."""
    rows = [
        span("root"),
        span("call", "root", "llm", start=1, end=5, input_tokens=None, output_tokens=None, output=None),
        span("answer", "root", "llm", start=9, end=9, input_tokens=usage, output_tokens=usage),
    ]
    facts = rollup(rows)
    assert facts.call_span_ids == {"answer"}
    assert facts.duplicates == {"answer": ("call",)}


def test_a_logfire_stream_in_two_traces_is_one_call():
    """A root call's answer comes in a trace of its own: there it counts, and the call that opened it does not."""
    empty = {"input_tokens": None, "output_tokens": None, "output": None, "scope": "logfire.openai 5.4.0"}
    opened = span("call", None, "llm", start=1, end=5, **empty)
    answer = span("answer", None, "llm", start=9, end=9, scope="logfire.openai 5.4.0")
    assert rollup([opened]).call_span_ids == frozenset()
    assert rollup([answer]).call_span_ids == {"answer"}
    assert rollup([opened | {"status": "error"}]).call_span_ids == {"call"}
    assert rollup([opened | {"scope": "other 1"}]).call_span_ids == {"call"}


def test_streamed_halves_are_joined_by_the_model_asked_for():
    """The model that answered is known to the answer alone."""
    empty = {"input_tokens": None, "output_tokens": None, "output": None}
    rows = [
        span("root"),
        span("call", "root", "llm", start=1, end=5, requested_model="m", **empty),
        span("answer", "root", "llm", start=9, end=9, requested_model="m", model="m-2026-01-01"),
    ]
    assert rollup(rows).call_span_ids == {"answer"}


def test_a_silent_call_is_told_by_its_wrapper():
    """The client's own span has no texts; the span around it that has them, and nothing else below, is the call."""
    rows = [
        span("outer", None, "llm"),
        span("step", "outer"),
        span("sdk", "step", "llm", output=None),
    ]
    facts = rollup(rows)
    assert (facts.call_span_ids, facts.duplicates) == ({"outer"}, {"outer": ("sdk",)})


@pytest.mark.parametrize(
    "more",
    [
        [span("sdk", "outer", "llm", output="said")],
        [span("sdk", "outer", "llm", output=None, status="error")],
        [span("sdk", "outer", "llm", output=None, input_tokens=2)],
        [span("sdk", "outer", "llm", output=None), span("again", "outer", "llm", output=None)],
    ],
    ids=["says itself", "failed", "other usage", "two calls"],
)
def test_a_wrapper_stands_only_for_the_very_same_call(more):
    """Otherwise the calls below it count, as always."""
    assert rollup([span("outer", None, "llm"), *more]).call_span_ids == {row["span_id"] for row in more}


@pytest.mark.parametrize(
    "change",
    [
        {"status": "error"},
        {"input_tokens": 3},
        {"output": "x"},
        {"model": "other"},
        {"end_ns": 20},
        {"parent_span_id": "other"},
        {"kind": "embedding"},
    ],
)
def test_streamed_answers_are_joined_only_when_it_is_safe(change):
    """Anything that speaks against one call keeps the two apart."""
    call = span("call", "root", "llm", start=1, end=5, input_tokens=None, output_tokens=None, output=None) | change
    facts = rollup([span("root"), span("other", "root"), call, span("answer", "root", "llm", start=9, end=9)])
    assert facts.call_span_ids == {"call", "answer"}


def test_streamed_answers_take_the_call_that_ended_last():
    """Several streams in a row: each answer belongs to the call before it, each call to one answer."""
    rows = [span("root")]
    for i in range(3):
        empty = {"input_tokens": None, "output_tokens": None, "output": None}
        rows += [
            span(f"c{i}", "root", "llm", start=10 * i, end=10 * i + 5, **empty),
            span(f"a{i}", "root", "llm", start=10 * i + 7, end=10 * i + 7),
        ]
    assert rollup(rows).duplicates == {f"a{i}": (f"c{i}",) for i in range(3)}


IDS = st.sampled_from("abcdefg")
SPANS = st.lists(
    st.builds(
        span, IDS, st.one_of(st.none(), IDS, st.just("gone")), st.sampled_from(["llm", "chain", "embedding", "tool"]),
        st.sampled_from(["ok", "error"]), st.integers(0, 5), st.integers(0, 9),
        input_tokens=st.sampled_from([None, 1]), output=st.sampled_from([None, "x"]),
    ),
    max_size=10,
)  # fmt: skip  # arguments that belong together share a line


@given(SPANS, st.randoms())
@settings(max_examples=300, deadline=None)
def test_order_does_not_matter(rows, shuffler):
    """Any rows, with cycles, lost parents and repeated ids: every order gives the same facts."""
    other = list(rows)
    shuffler.shuffle(other)
    facts = rollup(rows)
    assert rollup(other) == facts
    assert set(facts.depths) == {row["span_id"] for row in rows}
    for span_id, above in facts.parents.items():
        assert facts.depths[span_id] == (0 if above is None else facts.depths[above] + 1)
    if any(row["kind"] in {"llm", "embedding"} for row in rows) and not facts.duplicates:
        by_id = {row["span_id"] for row in rows}
        assert facts.call_span_ids <= by_id


@pytest.mark.parametrize("shape", ["chain", "star", "ring"])
def test_thirty_thousand_spans(shape):
    """Deep chains need no recursion, and nothing is quadratic."""
    n = 30_000
    parent = {
        "chain": lambda i: f"{i - 1}" if i else None,
        "star": lambda i: "0" if i else None,
        "ring": lambda i: f"{(i - 1) % n}",
    }[shape]
    rows = [span(f"{i}", parent(i), "llm", "error", start=i, end=i + i % 2, output=None, input_tokens=None,
                 output_tokens=None) for i in range(n)]  # fmt: skip  # one row is packed as it is read
    random.Random(3).shuffle(rows)
    began = time.process_time()
    facts = rollup(rows)
    assert time.process_time() - began < 5
    assert max(facts.depths.values()) == (1 if shape == "star" else n - 1)
    assert len(facts.call_span_ids) == (n - 1 if shape == "star" else 1)


def call(trace, span_id, response_id="r", start=0, tokens=(1, 1), took=10, scope=""):
    return {
        "trace_id": trace,
        "span_id": span_id,
        "response_id": response_id,
        "start_ns": start,
        "scope": scope,
        "end_ns": start + took,
        "input_tokens": tokens[0],
        "output_tokens": tokens[1],
    }


def test_pick_duplicates_prefers_usage_then_the_earliest():
    """One request reported twice is one call: the one that knows its usage, then the one that started first."""
    rows = [call("t1", "a", tokens=(None, None)), call("t2", "b", start=5), call("t3", "c", start=4),
            call("t3", "d", start=1, tokens=(1, None)), call("t4", "x", None), call("t5", "y", None),
            call("t6", "z", "other")]  # fmt: skip  # items that belong together share a line
    assert pick_duplicates(rows) == {("t3", "c"): [("t2", "b"), ("t3", "d"), ("t1", "a")]}


@pytest.mark.parametrize(
    ("other", "is_one"),
    [
        ({"start": 5, "scope": "b"}, True),  # overlaps
        ({"start": 5, "scope": "b", "tokens": (7, 7)}, True),  # overlaps, and the clients count differently
        ({"start": 5, "scope": "a", "tokens": (7, 7)}, False),  # two parallel calls of one instrumentation
        ({"start": 500_000_000, "scope": "b"}, True),  # the same usage at nearly the same time
        ({"start": 500_000_000, "scope": "b", "tokens": (7, 7)}, False),
        ({"start": 500_000_000, "scope": "a"}, False),  # the next call of a proxy that gives one id to all
        ({"start": 3_600_000_000_000, "scope": "b"}, False),  # an hour later
    ],
)
def test_an_id_that_comes_again_is_another_call(other, is_one):
    """Spans with one response id are one call when they overlap, or say the same usage at nearly the same time."""
    rows = [call("t1", "a", scope="a"), call("t2", "b", **other)]
    assert bool(pick_duplicates(rows)) == is_one


def test_ids_that_are_numbered_over_again_keep_their_pairs():
    """Each call that two instrumentations saw is joined with its own second span, not with a call of the same id."""
    minute = 60_000_000_000
    rows = [call(f"{scope}{n}", "s", start=n * minute, scope=scope) for n in range(3) for scope in "ab"]
    assert pick_duplicates(rows) == {(f"a{n}", "s"): [(f"b{n}", "s")] for n in range(3)}


@given(
    st.lists(
        st.builds(
            call, IDS, IDS, st.sampled_from(["r", "q", None, ""]), st.integers(0, 2),
            st.tuples(st.sampled_from([None, 1]), st.sampled_from([None, 1])),
        ),
        max_size=8, unique_by=lambda row: (row["trace_id"], row["span_id"]),
    ),
    st.randoms(),
)  # fmt: skip  # cases that belong together share a line
@settings(max_examples=200, deadline=None)
def test_pick_duplicates_order_does_not_matter(rows, shuffler):
    """The same winner and losers in any order of arrival."""
    other = list(rows)
    shuffler.shuffle(other)
    assert pick_duplicates(other) == pick_duplicates(rows)
