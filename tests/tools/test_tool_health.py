"""The runbook of tools: nothing there, all well, and an outage that is named."""

from __future__ import annotations

from tests.tools.test_finding import called, outage


def decided(ws, **values):
    run = ws.runbooks.run("tool_health", {"last": "100d", **values}, progress=False).raise_for_status()
    return run.result["decision"], run.result["reasons"][0]


def test_tool_health(ws, warm_kernels):
    """It ends with what was found."""
    assert decided(ws) == ("no data", "no tool was called in this window")
    ws.store.load(spans=called("ok"))
    assert decided(ws) == ("ok", "nothing is above its limit")
    outage(ws)
    decision, why = decided(ws)
    assert decision == "attention"
    assert why.startswith("find, pay: 19 of 19 calls failed from")
