"""A call inside of a tool is decided by the policy of its run as well as by the one that it brings."""

from __future__ import annotations

import asyncio

import pytest

from lmops.tools import Decision
from lmops.tools.policies.joint import Joint
from tests.tools.calls import context, tool
from tests.tools.test_calling import Policy

YES, NO, ASK = Decision(action="allow"), Decision(action="deny", reason="no"), Decision(action="ask")


def rewrite(**arguments):
    return Decision(action="rewrite", arguments=arguments, policy="p")


@pytest.fixture
def inside(ws):
    """Calls a tool that refunds within, under a policy that it brings itself."""
    brought = []

    @ws.tools.tool
    def refund(amount: int) -> int:
        return amount

    @ws.tools.tool
    async def clerk(amount: int) -> dict:
        found = await ws.tools.acall("refund", {"amount": amount}, policy=brought[0])
        return {"outcome": found.outcome, "value": found.value}

    def called(outer, inner):
        brought[:] = [inner]
        return ws.tools.call("clerk", {"amount": 9}, policy=outer).value

    return called


def test_a_looser_policy_inside_of_a_tool_loosens_nothing(ws, inside):
    """Nor does a stricter one of it count for nothing."""
    ws.tools.policies.save("strict", [{"deny": "refund"}, {"allow": "*"}])
    ws.tools.policies.save("asks", [{"ask": "refund"}, {"allow": "*"}])
    ws.tools.policies.save("loose", [{"allow": "*"}])
    for outer, inner, outcome in (
        ("strict", "loose", "denied"),
        ("asks", "loose", "asked"),
        ("loose", "strict", "denied"),
        ("loose", "asks", "asked"),
        ("asks", "strict", "denied"),
        ("loose", "loose", "ok"),
        ("strict", None, "denied"),
        (None, "loose", "ok"),
    ):
        assert inside(outer, inner)["outcome"] == outcome, (outer, inner)


@pytest.mark.parametrize(
    ("outer", "inner", "action", "arguments"),
    [
        (YES, rewrite(a=1), "rewrite", {"a": 1}),
        (rewrite(a=1), YES, "rewrite", {"a": 1}),
        (rewrite(a=1), rewrite(a=1), "rewrite", {"a": 1}),
        (rewrite(a=1), rewrite(a=2), "deny", None),
        (rewrite(a=1), NO, "deny", None),
        (NO, rewrite(a=1), "deny", None),
        (ASK, NO, "deny", None),
        (ASK, rewrite(a=1), "ask", None),
    ],
)
def test_the_stricter_wins_and_both_see_what_is_changed(outer, inner, action, arguments):
    """Two that change it against each other change nothing."""
    one, two = Policy(outer), Policy(inner)
    found = Joint(one, two).decide(tool(), {"a": 9}, context())
    assert (found.action, found.arguments) == (action, arguments)
    if outer.action == "rewrite":
        assert two.asked[0][1] == outer.arguments
    if inner.action == "rewrite" and outer in (YES, ASK):
        assert one.asked[-1][1] == inner.arguments


def test_each_that_asks_is_answered_about_the_call_as_it_is_made():
    """A no of one is a no; one policy under two names is asked once."""
    asks = Decision(action="ask", policy="shop@1")
    for answer, outcome in ((YES, "rewrite"), (NO, "deny"), (None, "ask")):
        joint = Joint(Policy(ASK, YES), Joint(Policy(ASK, answer), Policy(rewrite(a=1))))
        decision = joint.decide(tool(), {"a": 9}, context())
        found = asyncio.run(joint.ask(tool(), {"a": 9}, context(), decision))
        assert (found.action, found.arguments) == (outcome, {"a": 1} if outcome == "rewrite" else None)
    twice = Joint(Policy(asks, YES), Policy(asks, NO))
    decision = twice.decide(tool(), {}, context())
    assert asyncio.run(twice.ask(tool(), {}, context(), decision)).action == "allow"
