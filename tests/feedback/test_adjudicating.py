"""Decisions on what raters said differently, many in one call."""

from __future__ import annotations

import pytest

from lmops.errors import UsageError
from tests.evals.judged import judged, truth


@pytest.fixture
def disputed(ws):
    """Four cases of a run, on three of which two raters disagree."""
    ws.feedback.schemas.save("verdict")
    ws.feedback.queue("q", judged(ws, truth(4, rate=0.5, seed=1), "new"), schema="verdict", k=2)
    for position, other in ((1, "pass"), (2, "fail"), (3, "fail"), (4, "fail")):
        for rater, value in (("ann", "pass"), ("bob", other)):
            ws.feedback.queues.label("q", position, {"verdict": value}, rater=rater)
    return ws


def test_disagreements_are_a_queue_whose_labels_decide(disputed):
    """Each with its own record and event; who looked at it again may leave some open."""
    found = disputed.feedback.queues.disagreements("q")
    assert disputed.feedback.queue("again", found, schema="verdict").count == 3
    for position, value in ((1, "pass"), (2, "fail")):
        disputed.feedback.queues.label("again", position, {"verdict": value}, rater="eve")
    made = disputed.feedback.adjudicate("q", "again", reason="looked again")
    assert [(one.position, one.values["verdict"]["value"]) for one in made] == [(2, "pass"), (3, "fail")]
    assert disputed.feedback.queues.disagreements("q").position.tolist() == [4]
    events = disputed.sql("select reason from audit where action = 'queue.adjudicate'").fetchall()
    assert events == [("looked again",)] * 2


def test_decisions_are_handed_over(disputed):
    """By position or by item."""
    found = disputed.feedback.queues.disagreements("q")
    disputed.feedback.adjudicate("q", {2: {"verdict": "pass"}, found.item[1]: {"verdict": "fail"}})
    assert disputed.feedback.queues.disagreements("q").position.tolist() == [4]


@pytest.mark.parametrize(
    ("decisions", "why"),
    [
        ({1: {"verdict": "pass"}}, "item '1' of q is not in dispute"),
        ({2: {"verdict": "pass"}, 3: {"verdict": "perhaps"}}, "perhaps"),
        ({}, "there is no decision on any of the 3 items in dispute"),
    ],
)
def test_what_does_not_fit_decides_nothing(disputed, decisions, why):
    """Neither the others."""
    with pytest.raises(UsageError, match=why):
        disputed.feedback.adjudicate("q", decisions)
    assert len(disputed.feedback.queues.disagreements("q")) == 3
