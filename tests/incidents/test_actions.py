"""Actions: a dry run that changes nothing, a real run that happens once and whole, or not at all."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

import lmops
from lmops.errors import ConflictError, NotFoundError, RefusedError, UsageError
from lmops.incidents import ACTIONS, Action, Planned, Stand
from tests.incidents.conftest import PLAN
from tests.monitors.listeners import eventually

WHY = {"dry_run": False, "reason": "half of the answers fail"}


def events(ws):
    return ws.sql("select count(*) from audit").fetchall()[0][0]


def test_a_dry_run_says_what_would_be_and_changes_nothing(incidents, opened, broken_ws):
    """Where the alias points, and where it would."""
    before = events(broken_ws)
    found = incidents.act(1, "roll_back", PLAN)
    assert (found.state, found.stands, found.then) == ("planned", {"answer@production": 2}, {"answer@production": 1})
    assert found.seen in found.text
    assert (events(broken_ws), broken_ws.prompts.aliases("answer")) == (before, {"production": 2})
    assert incidents.get(1).status == "open"


def test_a_real_run_is_evidence_of_both(incidents, opened, broken_ws):
    """The incident names the events of what was done, and these the incident."""
    found = incidents.act(1, "roll_back", PLAN, **WHY)
    assert (found.state, found.then, found.number) == ("done", {"answer@production": 1}, 1)
    (event,) = found.events
    rows = broken_ws.sql("select action, actor, reason, evidence from audit where event_id = $id", {"id": event})
    assert rows.fetchall() == [("prompt.rollback", "mara", WHY["reason"], '["incident-1"]')]
    assert broken_ws.prompts.aliases("answer") == {"production": 1}
    assert incidents.get(1).status == "mitigated"
    assert broken_ws.audit.verify().ok


def test_a_second_run_does_nothing(incidents, opened, broken_ws):
    """Also one that was decided on before: it would walk back further."""
    seen = incidents.act(1, "roll_back", PLAN).seen
    incidents.act(1, "roll_back", PLAN, seen=seen, **WHY)
    before = events(broken_ws)
    for again in ({"seen": seen, **WHY}, WHY, {}):
        assert incidents.act(1, "roll_back", PLAN, **again).state == "already done"
    assert events(broken_ws) == before
    assert len(incidents.acts(1)) == 1


def test_what_was_moved_since_is_a_conflict_and_nothing_is_done(incidents, opened, broken_ws):
    """Somebody rolled it back and promoted another version: decide anew."""
    seen = incidents.act(1, "roll_back", PLAN).seen
    broken_ws.prompts.save("answer", "answer 3 {{ q }}")
    broken_ws.prompts.promote("answer", 3, to="production", reason="a fix")
    before = events(broken_ws)
    with pytest.raises(ConflictError, match="Nothing was changed"):
        incidents.act(1, "roll_back", PLAN, seen=seen, **WHY)
    assert (events(broken_ws), incidents.get(1).status) == (before, "open")
    assert incidents.act(1, "roll_back", PLAN).then == {"answer@production": 2}


def test_the_same_place_at_another_time_is_another_state(incidents, opened, broken_ws):
    """The alias was moved away and back since the dry run."""
    seen = incidents.act(1, "roll_back", PLAN).seen
    for version in (1, 2):
        broken_ws.prompts.promote("answer", version, to="production", reason="to and fro")
    with pytest.raises(ConflictError):
        incidents.act(1, "roll_back", PLAN, seen=seen, **WHY)


def test_what_was_undone_since_is_done_again(incidents, rolled_back, broken_ws):
    """Somebody promoted the bad one once more."""
    broken_ws.prompts.promote("answer", 2, to="production", reason="a mistake")
    assert incidents.act(1, "roll_back", PLAN, **WHY).state == "done"
    assert [one.number for one in incidents.acts(1)] == [1, 2]


def test_an_action_that_fails_leaves_nothing_half(incidents, opened, broken_ws):
    """It moved the alias and then could not go on."""

    def stuck(project, params, reason):
        ACTIONS.get("roll_back").do(project, params, reason)
        raise OSError("the router does not answer")

    ACTIONS.register("stuck", replace(ACTIONS.get("roll_back"), name="stuck", do=stuck))
    before = events(broken_ws)
    with pytest.raises(OSError, match="router"):
        incidents.act(1, "stuck", PLAN, **WHY)
    assert (events(broken_ws), broken_ws.prompts.aliases("answer")) == (before, {"production": 2})
    assert broken_ws.audit.verify().ok


KILLED = """
import os, signal, sys, lmops
from dataclasses import replace
from lmops.incidents import ACTIONS, Incidents

def killed(project, params, reason):
    ACTIONS.get("roll_back").do(project, params, reason)
    os.kill(os.getpid(), signal.SIGKILL)

ACTIONS.register("killed", replace(ACTIONS.get("roll_back"), name="killed", do=killed))
ws = lmops.open(sys.argv[1])
plan = Incidents(ws.project).act(1, "killed", {"prompt": "answer"})
Incidents(ws.project).act(1, "killed", {"prompt": "answer"}, dry_run=False, seen=plan.seen, reason="now")
"""


def test_who_is_killed_in_the_middle_leaves_nothing_half(incidents, opened, broken_ws):
    """A process that is gone after it moved the alias has moved nothing; the next does it all."""
    folder = broken_ws.store.path
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with lmops.open(folder, actor="ann") as other:
        assert other.prompts.aliases("answer") == {"production": 2}
        assert other.incidents.get(1).status == "open"
        assert other.incidents.act(1, "roll_back", PLAN, **WHY).state == "done"
        assert other.audit.verify().ok


DIES_BEFORE = """
import os, signal, sys, lmops
print(lmops.open(sys.argv[1]).incidents.act(1, "roll_back", {"prompt": "answer"}).seen, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_who_is_killed_between_the_dry_run_and_the_act_has_changed_nothing(incidents, opened, broken_ws):
    """What was seen still stands, so that somebody else may act on it."""
    command = [sys.executable, "-c", DIES_BEFORE, str(broken_ws.store.path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, broken_ws.prompts.aliases("answer")) == (-signal.SIGKILL, {"production": 2})
    assert incidents.acts(1) == []
    assert incidents.act(1, "roll_back", PLAN, seen=done.stdout.strip(), **WHY).state == "done"


def test_two_at_once_do_it_once(incidents, opened, broken_ws):
    """One does it, the other finds it done."""
    found, seen = [], incidents.act(1, "roll_back", PLAN).seen

    def run(actor):
        with lmops.open(broken_ws.store.path, actor=actor) as other:
            found.append(other.incidents.act(1, "roll_back", PLAN, seen=seen, **WHY).state)

    threads = [threading.Thread(target=run, args=(name,)) for name in ("ann", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["already done", "done"]
    assert broken_ws.prompts.aliases("answer") == {"production": 1}


@pytest.mark.parametrize(
    ("action", "params", "error", "words"),
    [
        ("roll_bak", PLAN, NotFoundError, "did you mean 'roll_back'"),
        ("roll_back", {}, UsageError, "say what"),
        ("roll_back", {"promt": "answer"}, UsageError, "did you mean 'prompt'"),
        ("roll_back", {"prompt": "other"}, NotFoundError, "other"),
        ("roll_back", {"prompt": "answer", "alias": "staging"}, NotFoundError, "staging"),
    ],
)
def test_what_cannot_be_done_is_said(incidents, opened, action, params, error, words):
    """An action, an argument, a prompt, an alias that is not there."""
    with pytest.raises(error, match=words):
        incidents.act(1, action, params)


def test_there_is_a_version_to_go_back_to_or_it_is_refused(incidents, opened, broken_ws):
    """A prompt that has only ever been one."""
    broken_ws.prompts.save("other", "hello")
    broken_ws.prompts.promote("other", 1, to="production")
    with pytest.raises(RefusedError, match="no version was there before"):
        incidents.act(1, "roll_back", {"prompt": "other"})


def test_a_real_run_needs_a_reason(incidents, opened):
    """The audit chain shows it."""
    with pytest.raises(UsageError, match="needs a reason"):
        incidents.act(1, "roll_back", PLAN, dry_run=False)


@pytest.fixture
def route(broken_ws):
    """A route with two arms, of which the new one has a tenth."""
    arms = {"old": {"prompt": "answer@1", "model": "standin:ferry-1", "weight": 0.9, "limits": {"per_minute": 60}}}
    arms["new"] = {"prompt": "answer@2", "model": "standin:ferry-1", "weight": 0.1}
    return broken_ws.routing.set("support", {"arms": arms, "fallbacks": ["old"]}, reason="a try")


def test_a_route_is_given_other_shares(incidents, opened, route, broken_ws):
    """A version of its own, with everything else as it was; once."""
    asked = {"route": "support", "weights": {"old": 1.0}}
    plan = incidents.act(1, "reroute", asked)
    assert (plan.stands, plan.then) == ({"old": 0.9, "new": 0.1}, {"old": 1.0, "new": 0.0})
    incidents.act(1, "reroute", asked, seen=plan.seen, **WHY)
    live = broken_ws.routing.live("support")
    assert (live.version, live.weights, live.fallbacks) == (2, {"old": 1.0, "new": 0.0}, ("old",))
    assert live.arms["old"].limits.per_minute == 60
    assert incidents.act(1, "reroute", asked, **WHY).state == "already done"
    assert broken_ws.audit.verify().ok
    with pytest.raises(UsageError, match="add up to 0"):
        incidents.act(1, "reroute", {**asked, "weights": {"old": 0.5}})
    with pytest.raises(UsageError, match="did you mean 'old'"):
        incidents.act(1, "reroute", {**asked, "weights": {"odl": 1}})


def test_an_arm_is_switched_off(incidents, opened, route, broken_ws):
    """Seen by everybody who chooses, soon."""
    incidents.act(1, "kill_arm", {"route": "support", "arm": "new"}, **WHY)
    eventually(lambda: {broken_ws.routing.choose("support", f"u{one}").arm for one in range(50)} == {"old"})
    assert incidents.act(1, "kill_arm", {"route": "support", "arm": "new"}).state == "already done"
    assert incidents.act(1, "kill_arm", {"route": "support"}).then == {"support": "off"}


def test_a_canary_is_stopped(incidents, opened, route, broken_ws):
    """Its share goes back to the control; a route without one is not touched."""
    with pytest.raises(UsageError, match="canary"):
        incidents.act(1, "stop_canary", {"route": "support"})
    plan = {"arm": "new", "control": "old", "steps": [{"share": 0.1, "n": 100}], "guards": {"error_rate": 0.02}}
    arms = {name: {"prompt": arm.prompt, "model": arm.model, "weight": arm.weight} for name, arm in route.arms.items()}
    broken_ws.routing.set("support", {"arms": arms, "canary": plan}, reason="a canary")
    incidents.act(1, "stop_canary", {"route": "support"}, **WHY)
    assert broken_ws.routing.live("support").weights == {"old": 1.0, "new": 0.0}
    assert incidents.act(1, "stop_canary", {"route": "support"}).state == "already done"


def test_a_route_is_rolled_back(incidents, opened, route, broken_ws):
    """As a prompt is."""
    arms = {"new": {"prompt": "answer@2", "model": "standin:ferry-1", "weight": 1.0}}
    broken_ws.routing.set("support", {"arms": arms}, reason="all of it")
    incidents.act(1, "roll_back", {"route": "support"}, **WHY)
    assert broken_ws.routing.live("support").version == 1


def test_a_room_adds_its_own_action(incidents, opened):
    """It says what stands, what would stand, and does it."""
    switch = {"on": True}
    tool = Action(
        name="switch_off",
        words="switch a tool off",
        params={"tool": "its name"},
        needs=("tool",),
        stand=lambda _project, params: Stand({params["tool"]: switch["on"]}),
        plan=lambda _project, params: Planned({params["tool"]: False}, f"{params['tool']} is switched off"),
        do=lambda _project, _params, _reason: switch.update(on=False),
    )
    ACTIONS.register("switch_off", tool)
    with pytest.raises(UsageError, match="switch_off needs tool"):
        incidents.act(1, "switch_off")
    assert incidents.act(1, "switch_off", {"tool": "search"}, **WHY).then == {"search": False}
    assert (switch["on"], incidents.act(1, "switch_off", {"tool": "search"}, **WHY).state) == (False, "already done")
    assert "switch a tool off" in incidents.actions()["switch_off"]


@pytest.fixture
def policy(broken_ws):
    """A policy of which version 1 is in production, and whose rail "secrets" is switched off."""
    rails = broken_ws.guardrails
    rails.save("support", input=["secrets"])
    rails.save("support", input=["secrets", "injection"])
    rails.promote("support", 1, to="production")
    rails.switch_off("support", "secrets", reason="too many false alarms")
    return rails


def test_a_guardrail_is_tightened_by_a_version(incidents, opened, policy):
    """Its alias moves as one of a prompt does, once, and can be rolled back."""
    params = {"policy": "support", "version": 2}
    plan = incidents.act(1, "tighten_guardrail", params)
    assert (plan.state, plan.stands, plan.then) == ("planned", {"support@production": 1}, {"support@production": 2})
    assert policy.aliases("support") == {"production": 1}
    assert incidents.act(1, "tighten_guardrail", params, seen=plan.seen, **WHY).state == "done"
    assert incidents.act(1, "tighten_guardrail", params, **WHY).state == "already done"
    assert incidents.act(1, "roll_back", {"policy": "support"}, **WHY).then == {"support@production": 1}


def test_a_guardrail_is_tightened_by_a_rail(incidents, opened, policy):
    """One that was switched off is asked again."""
    params = {"policy": "support", "rail": "secrets"}
    assert incidents.act(1, "tighten_guardrail", params).then == {"support/secrets": "on"}
    assert incidents.act(1, "tighten_guardrail", params, **WHY).state == "done"
    assert policy.switched_off("support") == ()
    assert "policy.switch_on support/secrets" in incidents.timeline(1)["what"].tolist()
    with pytest.raises(UsageError, match=r"version= .* or rail="):
        incidents.act(1, "tighten_guardrail", {"policy": "support"})


def test_a_guardrail_that_somebody_moved_is_left_alone(incidents, opened, policy):
    """Decide anew."""
    params = {"policy": "support", "version": 2}
    seen = incidents.act(1, "tighten_guardrail", params).seen
    policy.promote("support", 2, to="production")
    policy.promote("support", 1, to="production")
    with pytest.raises(ConflictError):
        incidents.act(1, "tighten_guardrail", params, seen=seen, **WHY)
