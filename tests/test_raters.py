"""Simulated raters err as often as they are told to, say the same again, and label as people do."""

from __future__ import annotations

import pytest

from lmops.sample import raters
from tests.store.helpers import span

IDS = sorted(raters.truth())[:300]


def test_a_rater_says_the_same_again_and_another_seed_something_else():
    """Errors follow from name, seed and trace."""
    ada = raters.PAIR[0]
    said = [ada.passes(one) for one in IDS]
    assert said == [ada.passes(one) for one in IDS]
    other = raters.SimulatedRater(name=ada.name, sensitivity=0.95, specificity=0.9, seed=1)
    assert said != [other.passes(one) for one in IDS]


@pytest.mark.parametrize(("sensitivity", "specificity"), [(1.0, 1.0), (0.0, 0.0), (1.0, 0.0)])
def test_error_rates_at_their_ends_leave_nothing_to_chance(sensitivity, specificity):
    """One who never errs tells the truth, one who always does its opposite."""
    rater = raters.SimulatedRater(name="x", sensitivity=sensitivity, specificity=specificity)
    for one in IDS:
        is_right = raters.truth()[one]["is_right"]
        assert rater.passes(one) is (sensitivity == 1.0 if is_right else specificity == 0.0)


def test_two_who_never_err_agree_and_an_expert_decides_nothing(ws):
    """A queue is labelled to its end, through the verbs that people use."""
    for trace_id in IDS[:12]:
        ws.store.append_many({"spans": [span("t", "root", trace_id=trace_id, span_id="1" * 16, input='"why?"')]})
    ws.feedback.schemas.save("support", raters.FIELDS)
    ws.feedback.queue("q", IDS[:12], schema="support", k=2)
    both = [raters.EXPERT, raters.SimulatedRater(name="second", sensitivity=1.0, specificity=1.0)]
    assert [one.label(ws.feedback, "q") for one in both] == [12, 12]
    assert ws.feedback.queues.progress("q").is_done
    assert raters.expected_agreement(both, IDS[:12]) == 1.0
    assert raters.decide(ws.feedback, "q") == 0


def test_where_they_disagree_an_expert_decides_by_the_truth(ws):
    """One who is always wrong beside one who never is: every item is decided, and rightly."""
    ws.feedback.schemas.save("support", raters.FIELDS)
    ws.feedback.queue("q", IDS[:8], schema="support", k=2)
    wrong = raters.SimulatedRater(name="wrong", sensitivity=0.0, specificity=0.0)
    for one in (raters.EXPERT, wrong):
        one.label(ws.feedback, "q")
    assert raters.expected_agreement([raters.EXPERT, wrong], IDS[:8]) == 0.0
    assert raters.decide(ws.feedback, "q") == 8
    query = "select trace_id, field_values ->> '$.verdict.value' from labels where is_adjudicated"
    assert {one: value == "pass" for one, value in ws.sql(query).fetchall()} == {
        one: raters.truth()[one]["is_right"] for one in IDS[:8]
    }


def test_the_rate_of_the_truth_is_a_share():
    """Of all traces of the sample."""
    assert 0.8 < raters.true_rate(list(raters.truth())) < 0.9
