"""A canary: what it waits for, when it goes on, when it stops, and that it moves once."""

from __future__ import annotations

import json

import pytest

from lmops.errors import ConflictError, UsageError
from lmops.routing._plan import plan_of, shares_with
from tests.routing.trials import PLAN, arms, traffic


def test_it_goes_through_its_steps(ws):
    """It waits for the users of a step, goes on, and is promoted when no guard can be worse by its margin."""
    ws.routing.set("support", arms(0.1, canary=PLAN))
    assert ws.routing.canary("support").decision == "wait"
    traffic(ws, users=600)
    found = ws.routing.canary("support")
    assert (found.decision, found.step, found.weights) == ("go_on", 1, {"current": 0.5, "next": 0.5})
    moved = ws.routing.step("support", act=True, reason="as planned")
    assert moved.is_moved
    assert ws.routing.choose("support", key="u1").version == moved.version
    assert ws.routing.live("support").weights == {"current": 0.5, "next": 0.5}
    assert ws.routing.canary("support").decision == "wait"
    traffic(ws, users=600, day=2, seed=1)
    done = ws.routing.step("support", act=True)
    assert done.status.decision == "promote", done.status.reason
    assert ws.routing.live("support").weights == {"current": 0.0, "next": 1.0}
    assert ws.routing.step("support", act=True).status.decision == "promoted"


def test_it_stops_by_itself_when_told_so(ws):
    """An arm that is worse loses its share; the audit chain has the evidence; a second step does nothing."""
    ws.routing.set("support", arms(0.1, canary={**PLAN, "automatic": True}))
    traffic(ws, users=900, failing={"next": 0.6})
    found = ws.routing.step("support")
    assert found.status.decision == "stop"
    assert found.is_moved
    assert ws.routing.live("support").weights["next"] == 0
    again = ws.routing.step("support")
    assert (again.is_moved, again.status.decision) == (False, "stopped")
    assert "queries that failed worse" in str(ws.audit.events()["reason"].tolist())


def test_a_step_leaves_what_it_rests_on(ws):
    """In the chain: the version and the decisions that were looked at, the split, and the figures of each metric."""
    ws.routing.set("support", arms(0.1, canary=PLAN))
    traffic(ws, users=900, failing={"next": 0.6})
    found = ws.routing.step("support", act=True).status
    ((after, evidence),) = ws.sql("select after, evidence from audit where action = 'route.step'").fetchall()
    told = json.loads(after)
    assert (told["version"], told["decision"], told["to"]) == (1, "stop", {"current": 1.0, "next": 0.0})
    assert (told["from"], told["n"], sum(told["split"]["arms"].values())) == (0.1, found.n, 900)
    assert told["since"] < told["until"]
    (one,) = (one for one in told["metrics"] if one["metric"] == "error_rate")
    assert (one["verdict"], one["low"] > 0.1, one["users_a"]) == ("worse", True, found.n)
    assert json.loads(evidence) == ["support@1"]


def test_it_proposes_unless_told_so(ws):
    """Without automatic nothing moves, and the call that would move it is shown."""
    ws.routing.set("support", arms(0.1, canary=PLAN))
    traffic(ws, users=900, failing={"next": 0.6})
    found = ws.routing.step("support")
    assert (found.is_moved, found.version) == (False, 1)
    assert "act=True" in found.text
    assert "to be stopped" in found._repr_html_()
    assert ws.routing.live("support").version == 1


def test_twice_at_once_moves_once(ws):
    """Two steps that were decided on one version move it once; one that somebody was faster than changes nothing."""
    ws.routing.set("support", arms(0.1, canary=PLAN))
    traffic(ws, users=600)
    known = ws.routing._known("support")
    for _ in range(2):
        assert ws.routing._stepped("support", known, 1, act=True, reason=None).version == 2
    assert len(ws.routing.history("support")) == 2
    ws.routing.weigh("support", {"current": 1.0}, reason="something is odd")
    with pytest.raises(ConflictError):
        ws.routing._stepped("support", known, 1, act=True, reason=None)
    assert ws.routing.live("support").weights["next"] == 0


def test_a_split_that_is_off_holds_it(ws):
    """It neither goes on nor stops where the users did not come as they were meant to."""
    ws.routing.set("support", arms(0.5, canary=PLAN))
    traffic(ws, users=900, each=1, failing={"next": 0.6}, lost=("next",))
    found = ws.routing.canary("support")
    assert found.decision == "wait"
    assert "shares that were meant" in found.reason


def test_shares_of_other_arms_are_kept_among_themselves():
    """Whoever gets a share takes it of all others alike; nobody's is lost in rounding."""
    found = shares_with({"a": 0.6, "b": 0.3, "c": 0.1}, "c", 0.4, control="a")
    assert found == pytest.approx({"a": 0.4, "b": 0.2, "c": 0.4})
    assert sum(shares_with({"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}, "c", 0.1, control="a").values()) == 1
    assert shares_with({"a": 0.0, "c": 1.0}, "c", 0.0, control="a") == {"a": 1.0, "c": 0.0}


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"arm": "nxt"}, "next"),
        ({"control": "next"}, "both"),
        ({"steps": []}, "list of shares"),
        ({"steps": [{"share": 0.5, "n": 10}, {"share": 0.1, "n": 10}]}, "grow"),
        ({"steps": [{"share": 2, "n": 10}]}, "share=2"),
        ({"steps": [{"share": 0.1, "n": 0}]}, "n=0"),
        ({"guards": {"errors": 0.1}}, "error_rate"),
        ({"guards": {}}, "nothing could stop it"),
        ({"guards": {"error_rate": -1}}, "margin of error_rate"),
        ({"automatic": "yes"}, "automatic"),
        ({"level": 2}, "level"),
        ({"stepz": 1}, "steps"),
    ],
)
def test_a_plan_that_is_none_is_refused(part, said):
    """Each part of a plan is checked, and the message says what would work."""
    with pytest.raises(UsageError, match=said):
        plan_of({**PLAN, **part}, {"current": 0.9, "next": 0.1}, "support@1")


def test_a_route_without_a_plan_says_so(ws):
    """Asked for a canary that nobody planned, the route shows how to plan one."""
    ws.routing.set("support", arms(0.1))
    with pytest.raises(UsageError, match="has no plan"):
        ws.routing.canary("support")
