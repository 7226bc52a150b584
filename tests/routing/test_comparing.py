"""Arms of a route held against each other: what is told, by whom it is counted, and when nothing is said."""

from __future__ import annotations

import json

import pytest

from lmops.errors import UsageError
from tests.routing.trials import ARMS, arms, traffic
from tests.store.helpers import DAY, START, llm


def test_an_arm_that_fails_more_is_worse(ws):
    """A clear loss is worse, counted by users, with guards beside it; frame, text and card say the same."""
    ws.routing.set("support", {"arms": ARMS})
    traffic(ws, users=500, failing={"next": 0.3})
    found = ws.routing.compare("support", "error_rate", guards={"cost_per_query": 0.001})
    assert (found.treatment, found.control, found.verdict) == ("next", "current", "worse")
    row = found.df().iloc[0]
    assert row["n_treatment"] + row["n_control"] == 500
    assert 0.1 < row["low"] < row["difference"] < row["high"] < 0.4
    assert "queries that failed" in found.text
    assert "worse" in found._repr_html_()
    assert len(found.chart().data) > 0


def test_arms_that_are_alike_are_never_better(ws):
    """Without a difference it cannot be told yet, or it is not worse by a margin; the users it takes are said."""
    ws.routing.set("support", {"arms": ARMS})
    traffic(ws, users=500)
    one = ws.routing.compare("support", "error_rate", guards=())
    assert one.verdict == "inconclusive"
    assert ws.routing.compare("support", "error_rate", guards=(), margin=0.2).verdict == "non_inferior"
    tight = ws.routing.compare("support", "error_rate", guards=(), margin=0.001)
    assert tight.primary.decision.n_needed > 500
    assert "more users" in tight.text


def test_a_split_that_is_off_says_nothing(ws):
    """Where half of an arm's requests are lost there is no verdict, and likely causes are named."""
    ws.routing.set("support", {"arms": ARMS})
    traffic(ws, users=600, each=1, failing={"next": 0.4}, lost=("next",))
    found = ws.routing.compare("support", "error_rate", guards=())
    assert found.verdict == "invalid"
    assert any("likely causes" in note for note in found.notes)
    assert "nothing can be said" in found.text


def test_requests_count_for_the_arm_that_had_the_key(ws):
    """What a fallback answered counts for the arm that was assigned, and is said."""
    ws.routing.set("support", {"arms": ARMS})
    rows = []
    for number in range(200):
        choice = ws.routing.choose("support", key=f"u{number}")
        said = {**choice.attributes, "lmops.route.arm": "current"}
        if choice.assigned == "next":
            said["lmops.route.reason"] = "fallback"
        start = START + DAY + number * 10**9
        rows.append(llm(f"t{number}", "r", start=start, user_id=f"u{number}", attributes=json.dumps(said)))
    ws.project.store.append_many({"spans": rows})
    found = ws.routing.compare("support", "error_rate", guards=())
    assert found.primary.found.n_a > 60
    assert found.elsewhere == {"fallback": found.primary.found.n_a}
    assert any("another arm's answer" in note for note in found.notes)


def test_what_a_rule_decided_was_not_drawn(ws):
    """Requests that a rule sent to an arm are no part of a comparison, also where a fallback answered them."""
    ws.routing.set("support", {"arms": ARMS, "when": [{"if": {"segment": "vip"}, "arms": {"current": 1}}]})
    rows = []
    for number in range(200):
        is_vip = number % 2 == 0
        choice = ws.routing.choose("support", f"u{number}", {"segment": "vip"} if is_vip else None)
        said = choice.attributes | ({"lmops.route.reason": "fallback"} if is_vip else {})
        start = START + DAY + number * 10**9
        rows.append(llm(f"t{number}", "r", start=start, user_id=f"u{number}", attributes=json.dumps(said)))
    ws.project.store.append_many({"spans": rows})
    found = ws.routing.compare("support", "error_rate", guards=())
    assert found.primary.found.n_a + found.primary.found.n_b == 100
    assert found.elsewhere == {}


def test_users_of_two_arms_and_other_shares_are_said(ws):
    """When shares move on the way, only what was under the same shares is held together, and who moved is said."""
    ws.routing.set("support", arms(0.1))
    traffic(ws, users=300, failing={"current": 0.02, "next": 0.02})
    ws.routing.set("support", arms(0.5))
    traffic(ws, users=300, failing={"current": 0.4, "next": 0.4}, day=2, seed=1)
    found = ws.routing.compare("support", "error_rate", guards=())
    assert found.verdict == "inconclusive"
    assert found.users_in_two > 60
    assert any("shares changed" in note for note in found.notes)


def test_an_arm_that_became_another_starts_anew(ws):
    """Decisions of versions in which an arm was something else do not count."""
    ws.routing.set("support", {"arms": ARMS})
    traffic(ws, users=100)
    changed = {**ARMS, "next": {**ARMS["next"], "params": {"temperature": 0.9}}}
    ws.routing.set("support", {"arms": changed})
    found = ws.routing.compare("support", "error_rate", guards=())
    assert found.since is None
    assert "nothing is recorded yet" in found.text
    assert found.verdict == "inconclusive"


def test_earlier_means_make_intervals_narrower(ws):
    """What users were like before there were arms takes away a part of the variance, and the share is said."""
    heavy = [f"u{number}" for number in range(0, 300, 3)]
    rows = [
        llm(f"b{number}-{turn}", "r", start=START + number * 10**9 + turn, user_id=f"u{number}",
            cost_usd=0.05 if f"u{number}" in heavy else 0.001)
        for number in range(300) for turn in range(2)
    ]  # fmt: skip  # a row of what was before
    ws.routing.set("support", {"arms": ARMS})
    for number in range(300):
        choice = ws.routing.choose("support", key=f"u{number}")
        rows.append(
            llm(f"a{number}", "r", start=START + DAY + number * 10**9, user_id=f"u{number}",
                cost_usd=0.05 if f"u{number}" in heavy else 0.001 + number * 1e-6,
                attributes=json.dumps(choice.attributes))
        )  # fmt: skip  # a row of what was then
    ws.project.store.append_many({"spans": rows})
    found = ws.routing.compare("support", "cost_per_query", guards=())
    assert found.primary.found.reduced > 0.9
    assert "what users were like before" in found.text


def test_power_before_the_start(ws):
    """The users it takes are told for one look and for any, from traffic as it is; without any they are not."""
    ws.routing.set("support", {"arms": ARMS})
    with pytest.raises(UsageError, match="traffic"):
        ws.routing.power("support", "error_rate", effect=0.02)
    traffic(ws, users=200)
    found = ws.routing.power("support", "error_rate", effect=0.02)
    assert 500 < found.one_look < found.always < 3 * found.one_look
    assert "any look" in found.text
    assert "users" in found._repr_html_()
    smaller = ws.routing.power("support", "error_rate", effect=0.02, shares=(0.05, 0.95))
    assert smaller.always > 3 * found.always


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"arms": ("next", "nxt")}, "next"),
        ({"arms": ("next", "next")}, "give two"),
        ({"guards": ["latency"]}, "latency"),
        ({"guards": "error_rate"}, "give names"),
        ({"margin": -1.0}, "margin"),
        ({"by": "session"}, "user_id"),
        ({"level": 95.0}, "level=95"),
        ({"tightest_at": 0}, "pairs of users"),
        ({"since": "2026-01-02", "until": "2026-01-01"}, "before"),
    ],
)
def test_what_cannot_be_compared_is_said(ws, asked, said):
    """Arms, guards, margins and times that are none are refused with what would work."""
    ws.routing.set("support", {"arms": ARMS})
    with pytest.raises(UsageError, match=said):
        ws.routing.compare("support", "error_rate", **asked)


def test_words_of_others_are_escaped(ws):
    """A metric of somebody's own reaches cards, texts and charts as text."""
    bad = "<script>alert(1)</script>\x1b[31m"
    ws.routing.set("support", {"arms": ARMS})
    traffic(ws, users=60)
    own = {"view": "traces", "value": "cost_usd", "kind": "mean", "title": bad, "name": bad}
    found = ws.routing.compare("support", own, guards=())
    plan = ws.routing.power("support", own, effect=0.001)
    for shown in (found, plan):
        assert "<script>" not in shown._repr_html_()
        assert "\x1b" not in shown.text
    assert "<script>" not in found.chart().to_json()
