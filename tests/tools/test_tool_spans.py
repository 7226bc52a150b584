"""What stands on the spans of calls and runs, and in the view of calls."""

from __future__ import annotations

import pytest

from tests.tools.test_looping import MODEL, said, tools

__all__ = ["tools"]


@pytest.fixture
def traced(ws):
    """Its calls are traced into it."""
    ws.traces.instrument(clients=False)
    return ws


def test_a_call_is_a_row_with_its_version_and_outcome(traced, tools):
    """Arguments stand there as the model wrote them; keys are masked."""
    run = tools.run(f"{said('refund', order='A', amount='3')} {said('refund', x=1)} nope({{}})", model=MODEL)
    key = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD"
    tools.call("refund", {"order": key})
    traced.traces.stop_instrumentation()
    rows = traced.sql(
        "select tool_name, version, outcome, arguments, result, status from tool_calls order by start_at"
    ).df()
    assert rows["tool_name"].tolist() == ["refund", "refund", "nope", "refund"]
    assert rows["outcome"].tolist() == ["ok", "invalid_arguments", "unknown_tool", "ok"]
    assert rows["version"].dropna().tolist() == [1, 1, 1]
    assert rows["arguments"][0] == '{"order":"A","amount":"3"}'
    assert rows["status"].tolist() == ["ok", "error", "error", "ok"]
    assert key not in rows["arguments"][3]
    trace = traced.traces.get(run.trace_id)
    assert {one.name for one in trace.spans if one.kind == "tool"} == {"execute_tool refund", "execute_tool nope"}
    (root,) = [one for one in trace.spans if one.kind == "agent"]
    assert (root.span_id, root.name) == (run.span_id, "invoke_agent agent")
    assert all(one.parent_span_id == run.span_id for one in trace.spans if one.kind == "tool")
