"""Routes in versions: what can be one, which is live, and who moved it."""

from __future__ import annotations

import pytest

from lmops.errors import ConflictError, DamagedStoreError, NotFoundError, RefusedError, UsageError

MODEL = "standin:ferry-1"
WHOLE = {
    "arms": {
        "current": {"prompt": "answer@1", "model": MODEL, "params": {"temperature": 0.1}, "weight": 0.9},
        "next": {
            "prompt": "answer@2",
            "policy": "strict",
            "weight": 0.1,
            "limits": {"usd_per_day": 5, "per_minute": 60},
        },
        "spare": {"model": MODEL},
    },
    "fallbacks": ["current", "spare"],
    "when": [{"if": {"segment": "vip"}, "arms": {"current": 1}}],
    "timeout_s": 12,
    "canary": {"arm": "next", "steps": [{"share": 0.1, "n": 50}], "guards": {"error_rate": 0.02}},
}


def test_a_route_comes_back_as_it_was_set(routed):
    """All its parts; the same content again is the same version."""
    made = routed.routing.set("support", WHOLE, reason="the first")
    found = routed.routing.get("support@1")
    assert found == made == routed.routing.set("support", WHOLE)
    assert found.weights == {"current": 0.9, "next": 0.1, "spare": 0.0}
    assert (found.arms["next"].limits.usd_per_day, found.arms["next"].policy) == (5.0, "strict")
    assert (found.fallbacks, found.timeout_s, found.canary) == (("current", "spare"), 12.0, WHOLE["canary"])
    assert found.note == "the first"


def test_prompts_with_their_shares_are_a_route(routed):
    """Each is an arm of its own name."""
    found = routed.routing.set("support", {"answer@1": 0.9, "answer@2": 0.1})
    assert {arm: one.prompt for arm, one in found.arms.items()} == {"answer@1": "answer@1", "answer@2": "answer@2"}


def test_what_is_set_is_live(routed):
    """Version and alias are one change; a draft is nothing that decides."""
    routed.routing.set("support", {"answer@1": 1})
    routed.routing.set("support", {"answer@2": 1}, to=None)
    assert routed.routing.live("support").version == 1
    assert routed.routing.choose("support", "u").arm == "answer@1"
    routed.routing.promote("support", 2, to="production")
    assert routed.routing.choose("support", "u").arm == "answer@2"
    assert routed.sql("select action from audit where action like 'route.%' order by event_id").fetchall() == [
        ("route.save",), ("route.promote",), ("route.save",), ("route.promote",),
    ]  # fmt: skip  # one event a word


@pytest.mark.parametrize(
    ("route", "said"),
    [
        ({"answer@1": 0.9, "answer@2": 0.05}, "add up to 0.95 and not to 1: answer@1 0.9, answer@2 0.05"),
        ({}, "has no arm"),
        ({"arms": {"a": {"model": MODEL, "wieght": 1}}}, "weight"),
        ({"arms": {"a": {"weight": 1}}}, "neither a prompt nor a model"),
        ({"arms": {"a": {"model": MODEL, "weight": -1}}}, "at least 0"),
        ({"arms": {"a": {"model": MODEL, "weight": float("nan")}}}, "give a number"),
        ({"arms": {"a b": {"model": MODEL, "weight": 1}}}, "no name of an arm"),
        ({"arms": {"a": {"model": MODEL, "weight": 1}}, "fallbacks": ["b"]}, "fallbacks"),
        ({"arms": {"a": {"model": MODEL, "weight": 1, "limits": {"per_minute": 0}}}}, "whole number from 1"),
        ({"arms": {"a": {"model": MODEL, "weight": 1}}, "when": [{"if": {}, "arms": {"a": 1}}]}, "says no condition"),
        (
            {"arms": {"a": {"model": MODEL, "weight": 1}}, "when": [{"if": {"x": 1}, "arms": {"a": 0.5}}]},
            "add up to 0.5",
        ),
        ({"arms": {"a": {"model": MODEL, "weight": 1}}, "circuit": {"failures": 9, "of": 3}}, "cannot be"),
        ({"arms": {"a": {"model": MODEL, "weight": 1}}, "timeout_s": 0}, "more than 0"),
        ({"arms": {"a": {"model": MODEL, "weight": 1}}, "canary": {"x": object()}}, "part of canary"),
        ({"arms": {"a": {"model": MODEL, "weight": 1, "params": {"stop": object()}}}}, "cannot be saved"),
    ],
)
def test_what_is_no_route_is_refused(routed, route, said):
    """The message says what was found; nothing is saved."""
    with pytest.raises(UsageError, match=said):
        routed.routing.set("support", route)
    assert routed.routing.list().empty


def test_what_an_arm_needs_must_be_there(routed):
    """An unknown version, prompt or model is named with the arm and what is nearest."""
    for arm, said in (("answer@9", "answer has no version 9"), ("anser@1", "did you mean 'answer'")):
        with pytest.raises(NotFoundError, match=f"arm '{arm}': .*{said}"):
            routed.routing.set("support", {arm: 1})
    with pytest.raises(NotFoundError, match="arm 'a': "):
        routed.routing.set("support", {"arms": {"a": {"model": "hause", "weight": 1}}})


def test_who_decided_on_another_state_changes_nothing(routed):
    """Neither alias nor version; the message says who moved it."""
    routed.routing.set("support", {"answer@1": 1})
    routed.acting_as("mara", reason="hers").routing.set("support", {"answer@2": 1})
    with pytest.raises(ConflictError, match="mara moved it from 1 to 2"):
        routed.routing.set("support", {"answer@3": 1}, expected=1)
    assert len(routed.routing.versions("support")) == 2


def test_a_protected_alias_takes_no_route_without_evidence(routed):
    """Nothing of it is saved; a draft is."""
    routed.routing.set("support", {"answer@1": 1})
    routed.routing.protect("support")
    with pytest.raises(RefusedError):
        routed.routing.set("support", {"answer@2": 1})
    assert routed.routing.set("support", {"answer@2": 1}, to=None).version == 2


def test_a_dry_run_saves_nothing(routed):
    """It returns what would be saved, and refuses what would be refused."""
    found = routed.routing.set("support", WHOLE, dry_run=True)
    assert (found.ref, routed.routing.list().empty) == ("support@1", True)
    with pytest.raises(UsageError, match="add up"):
        routed.routing.set("support", {"answer@1": 0.5}, dry_run=True)


def test_a_switch_is_in_the_audit_chain(routed):
    """Who, why, and what it was; a second time nothing happens."""
    routed.routing.set("support", {"answer@1": 1})
    for _ in range(2):
        found = routed.routing.kill("support", reason="leaks")
    routed.routing.kill("support", "answer@1", reason="dry", dry_run=True)
    assert (found.is_killed, found.reason, found.arm) == (True, "leaks", None)
    query = "select subject, actor, reason from audit where action = 'route.kill'"
    assert routed.sql(query).fetchall() == [("support", "tester", "leaks")]
    assert routed.sql("select route, arm, is_killed from route_switches").fetchall() == [("support", "", True)]


def test_a_switch_needs_a_reason_and_an_arm_that_is_there(routed):
    """Both are said."""
    routed.routing.set("support", {"answer@1": 1})
    with pytest.raises(UsageError, match="needs a reason"):
        routed.routing.kill("support", reason=" ")
    with pytest.raises(NotFoundError, match="answer@1"):
        routed.routing.kill("support", "answer@7", reason="x")
    with pytest.raises(NotFoundError, match="support"):
        routed.routing.kill("suport", reason="x")


def test_what_changed_is_shown_line_by_line(routed):
    """Only what differs."""
    routed.routing.set("support", WHOLE)
    other = {**WHOLE, "timeout_s": 5}
    routed.routing.set("support", other)
    lines = routed.routing.diff("support", 1, 2).splitlines()
    assert [line for line in lines if line[:2] not in ("--", "++", "@@")] == ["-timeout_s: 12.0", "+timeout_s: 5.0"]


def test_a_version_that_was_changed_past_the_chain_is_refused(routed):
    """It does not decide."""
    routed.routing.set("support", {"answer@1": 1})
    with routed.store.transaction() as con:
        con.execute("update route_versions set body = replace(body, 'answer@1', 'answer@2')")
    with pytest.raises(DamagedStoreError):
        routed.acting_as("mara").routing.choose("support", "u")
    assert routed.routing.verify()


def test_texts_of_others_are_escaped(routed):
    """Names of arms are checked; notes, models and conditions are what somebody wrote."""
    bad = "<script>alert(1)</script>\x1b[31m"
    route = {
        "arms": {"a": {"prompt": "answer@1", "params": {"stop": bad}, "weight": 1}},
        "when": [{"if": {bad: bad}, "arms": {"a": 1}}],
    }
    found = routed.routing.set("support", route, reason=bad)
    switch = routed.routing.kill("support", reason=bad)
    for shown in (found, switch, routed.routing.status("support")):
        assert "<script>" not in shown._repr_html_()
        assert "\x1b" not in shown.text
