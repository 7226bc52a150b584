"""Advice: the cheapest arm that is not worse, or how much it takes to tell."""

from __future__ import annotations

import json

import pytest

from lmops.errors import UsageError
from lmops.scorers import scorer
from tests.routing.trials import ARMS, MODEL, traffic
from tests.store.helpers import DAY, START, llm


@scorer
def is_text(output):
    """Whether there is an answer."""
    return bool(output)


def _asked(ws, users, *, cost, failing=0.05):
    """Let users ask; the requests of an arm cost what is said, and some fail."""
    rows = []
    for number in range(users):
        choice = ws.routing.choose("support", key=f"u{number}")
        rows.append(
            llm(
                f"t{number}",
                "r",
                start=START + DAY + number * 10**9,
                user_id=f"u{number}",
                status="error" if number % round(1 / failing) == 0 else "ok",
                cost_usd=cost[choice.assigned] * (1 + number % 7 / 10),
                attributes=json.dumps(choice.attributes),
            )
        )
    ws.project.store.append_many({"spans": rows})


def test_the_cheaper_arm_that_is_not_worse_is_proposed(ws):
    """An arm that is cheaper and not worse by the margin is named, with the call that gives it the traffic."""
    ws.routing.set("support", {"arms": ARMS})
    _asked(ws, 1200, cost={"current": 0.01, "next": 0.004})
    found = ws.routing.advise("support", "error_rate", margin=0.1)
    assert (found.arm, found.weights) == ("next", {"current": 0.0, "next": 1.0})
    assert found.evidence == ("support@1",)
    assert "ws.routing.weigh('support'" in found.text
    assert "not worse" in found._repr_html_()
    assert ws.routing.live("support").version == 1


def test_what_cannot_be_told_is_no_advice(ws):
    """With few users it says how many it takes, and proposes nothing."""
    ws.routing.set("support", {"arms": ARMS})
    _asked(ws, 120, cost={"current": 0.01, "next": 0.004})
    found = ws.routing.advise("support", "error_rate", margin=0.02)
    if found.best == "next":
        found = ws.routing.advise("support", "thumbs_down_rate", margin=0.02)
    assert found.weights is None or found.arm == found.best
    assert found.arm is None
    assert "cannot tell yet" in found.text


def test_the_best_is_kept_where_nothing_is_cheaper(ws):
    """Without a cheaper arm the best one stays."""
    ws.routing.set("support", {"arms": ARMS})
    traffic(ws, users=600, failing={"next": 0.5})
    found = ws.routing.advise("support", "error_rate", margin=0.02)
    assert (found.arm, found.best) == ("current", "current")


def test_advice_from_runs_of_the_arms(ws):
    """Runs of each arm's prompt, model and params are held against each other, example by example."""
    for words in ("Answer: {{ question }}", "Answer at great length, with every reason: {{ question }}"):
        ws.prompts.save("answer", words, model="standin:ferry-1")
    ws.models.set_price("ferry-1", input_usd_per_mtok=10, output_usd_per_mtok=10)
    ws.routing.set("support", {"answer@1": 0.5, "answer@2": 0.5})
    with pytest.raises(UsageError, match="finished runs"):
        ws.routing.advise("support", "is_text", margin=0.1, source="evals")
    rows = [{"input": f"Question {number}?"} for number in range(60)]
    ws.datasets.save("questions", rows)
    runs = [
        ws.evals.run(f"answer@{version}", "questions", scorers=[is_text], progress=False).run_id for version in (1, 2)
    ]
    found = ws.routing.advise("support", "is_text", margin=0.1, source="evals")
    assert (found.arm, found.source, sorted(found.evidence)) == ("answer@1", "evals", sorted(runs))
    assert runs[0] in found.text
    assert [one.units for one in found.arms] == [60, 60]


def test_a_source_that_is_none_is_refused(ws):
    """Advice is from traffic or from evals, and takes two arms that have traffic."""
    ws.routing.set("support", {"arms": {"one": {"model": MODEL, "weight": 1}}})
    with pytest.raises(UsageError, match="evals"):
        ws.routing.advise("support", "error_rate", margin=0.1, source="eval")
    with pytest.raises(UsageError, match="one arm"):
        ws.routing.advise("support", "error_rate", margin=0.1)
