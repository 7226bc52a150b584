"""Small stores for the tests of widgets."""

# ruff: noqa: E501 - scripts of the page stand on one line
from __future__ import annotations

import json

import pytest

START_NS = 1_760_000_000_000_000_000
QUESTIONS = (
    "How do I take my dog?",
    "Refund for booking 4711, please",
    "When does the night ferry leave?",
    "Gilt mein Ticket?",
)


def _span_row(trace, span, **columns):
    """One span row with every column."""
    from lmops.store._tables import SPAN_COLUMNS

    row = dict.fromkeys(name for name, _, _ in SPAN_COLUMNS)
    start = columns.pop("start_ns", START_NS)
    latency = columns.pop("latency_ms", 100.0)
    row |= {
        "trace_id": trace, "span_id": span, "name": "ask", "kind": "chain", "status": "ok", "start_ns": start,
        "end_ns": start + int(latency * 1e6), "latency_ms": latency, "attributes": "{}", "events": "[]",
        "resource": "{}", "dialect": "genai", "scope": "test", "normaliser_version": 1,
    }  # fmt: skip  # items that belong together share a line
    return row | columns


def _conversation(i, *, spread_ns=60_000_000_000, text=None):
    """The spans of one trace: a root, a retriever with documents, a model call, a tool that sometimes fails."""
    trace, start = f"{i + 1:032x}", START_NS + i * spread_ns
    question = text or f"{QUESTIONS[i % 4]} ({i})"
    failed = i % 10 == 3
    latency = 200.0 + 37 * (i % 50)
    documents = [
        {
            "rank": 1,
            "id": f"article-{i % 7}",
            "score": 0.83,
            "content": text or "Dogs travel in the pet cabins.",
            "metadata": {},
        }
    ]
    messages = [
        {"role": "system", "content": "Answer from the sources."}, {"role": "user", "content": question},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "c1", "name": "lookup", "arguments": '{"port": "Skarholm"}'}]},
        {"role": "tool", "content": '{"cabins": 4}', "tool_call_id": "c1"},
    ]  # fmt: skip  # items that belong together share a line
    answer = [{"role": "assistant", "content": text or "Book a pet cabin."}]
    common = {"session_id": f"s{i // 3}", "user_id": f"u{i % 5}", "service": "ferry", "environment": "production"}
    error = (
        {"status": "error", "error_type": "TimeoutError", "error_message": text or "no answer within 5 s"}
        if failed
        else {}
    )
    return [
        _span_row(trace, "a" * 16, start_ns=start, latency_ms=latency, name=text or ("support" if i % 3 else "booking"),
                 input=question, output=None if failed else answer[0]["content"], **common,
                 **({"status": "error"} if failed else {})),
        _span_row(trace, "b" * 16, parent_span_id="a" * 16, start_ns=start + 1_000_000, latency_ms=20.0, name="search",
                 kind="retriever", input=question, documents=json.dumps(documents), **common),
        _span_row(trace, "c" * 16, parent_span_id="a" * 16, start_ns=start + 30_000_000, latency_ms=latency - 60,
                 name="chat", kind="llm", model="gpt-5-mini" if i % 4 else "gpt-5", input=json.dumps(messages),
                 output=json.dumps(answer), input_tokens=500 + i, output_tokens=80, cost_usd=None if i % 9 == 8 else 0.001 * (1 + i % 6),
                 prompt_name="answer", prompt_version=str(1 + i % 2), attributes=json.dumps({"k": text or "v"}), **common),
        _span_row(trace, "d" * 16, parent_span_id="c" * 16, start_ns=start + 40_000_000, latency_ms=30.0, name="execute",
                 kind="tool", tool_name="lookup", input='{"port": "Skarholm"}', output='{"cabins": 4}', **common, **error),
    ]  # fmt: skip  # items that belong together share a line


@pytest.fixture
def span_row():
    """Return a function that makes one span row."""
    return _span_row


@pytest.fixture
def conversation():
    """Return a function that makes the span rows of one trace."""
    return _conversation


@pytest.fixture
def traffic():
    """Return a function that makes a store of ``n`` traces."""
    from lmops.store import Store

    stores = []

    def make(n=60, **options):
        store = Store.open(":memory:")
        stores.append(store)
        if n:
            store.load(spans=[row for i in range(n) for row in _conversation(i, **options)])
        return store

    yield make
    for store in stores:
        store.close()


@pytest.fixture(scope="module")
def forty():
    """A store of 40 traces that tests only look at."""
    from lmops.store import Store

    with Store.open(":memory:") as store:
        store.load(spans=[row for i in range(40) for row in _conversation(i)])
        yield store


@pytest.fixture
def controller(traffic):
    """Return a function that makes a controller over ``n`` traces, or over a given store."""
    from lmops.traces.listing import TraceSource
    from lmops.widgets.traces.controller import TraceBrowserController

    def make(n=60, *, store=None, **options):
        return TraceBrowserController(TraceSource(store or traffic(n)), **options)

    return make
