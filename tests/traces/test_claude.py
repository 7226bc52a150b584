"""Claude Code tells its calls in log events."""

from __future__ import annotations

import json

import pytest

from .otlp_builders import START_NS, attributes_json

SAID = {
    "session.id": "s1", "user.id": "u1", "model": "claude-sonnet-4-5-20250929", "duration_ms": "1200",
    "input_tokens": "3", "output_tokens": "40", "cache_read_tokens": "12000", "cache_creation_tokens": "500",
    "cost_usd": "0.0125", "request_id": "req_1",
}  # fmt: skip  # keys that belong together share a line


def told(name="api_request", **more):
    """Return a request with one event of Claude Code."""
    record = {
        "timeUnixNano": str(START_NS),
        "body": {"stringValue": f"claude_code.{name}"},
        "attributes": attributes_json({"event.name": name, **SAID, **more.pop("said", {})}),
        **more,
    }
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()


def test_a_request_of_claude_code_is_a_call(ws):
    """The cache stands beside the input, the cost is the list's, and the same event again adds nothing."""
    for _ in range(2):
        ws.traces.ingest(told(), progress=False)
    (row,) = ws.sql(
        "select session_id, user_id, model, input_tokens, cached_input_tokens, latency_ms, cost_usd, "
        "reported_cost_usd, start_ns from llm_calls"
    ).fetchall()
    assert row[:6] == ("s1", "u1", "claude-sonnet-4-5-20250929", 12_503, 12_000, 1200.0)
    assert row[6:8] == (pytest.approx((3 * 3 + 12_000 * 0.3 + 500 * 3.75 + 40 * 15) / 1e6), 0.0125)
    assert row[8] == START_NS - 1_200_000_000


def test_a_failed_request_of_claude_code_is_a_failed_call(ws):
    """Its error is the call's."""
    ws.traces.ingest(told("api_error", said={"error": "overloaded", "status_code": "529"}), progress=False)
    assert ws.sql("select status, error_message from llm_calls").fetchall() == [("error", "overloaded")]


def test_an_event_that_has_a_span_makes_none(ws):
    """Where Claude Code sends spans too, the call is there already; other events tell of no call."""
    ids = {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "00f067aa0ba902b7"}
    for body in (told(**ids), told("user_prompt")):
        ws.traces.ingest(body, progress=False)
    assert ws.sql("select count(*) from spans").fetchall() == [(0,)]
