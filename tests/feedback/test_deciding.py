"""Where raters disagree somebody decides; what holds becomes examples that say where it comes from."""

from __future__ import annotations

import json

import pytest

from lmops.errors import UsageError
from tests.store.helpers import span

TRACES = [f"{number:032x}" for number in range(1, 5)]
FIELDS = [{"name": "verdict"}, {"name": "better", "kind": "text"}]


@pytest.fixture
def labelled(ws):
    """Four traces, all labelled by Ann; Bob says something else of the second."""
    for trace_id in TRACES:
        ws.store.append_many({"spans": [span("t", "root", trace_id=trace_id, span_id="1" * 16, input='"why?"')]})
    ws.feedback.schemas.save("support", FIELDS)
    ws.feedback.queue("q", TRACES, schema="support", k=2)
    for at in (1, 2, 3, 4):
        said = {"value": "pass", "critique": f"fine {at}"}
        ws.feedback.queues.label("q", at, {"verdict": said, "better": f"Because {at}."}, rater="ann")
    ws.feedback.queues.label("q", 1, {"verdict": {"value": "pass", "critique": "good"}}, rater="bob")
    ws.feedback.queues.label("q", 2, {"verdict": "fail"}, rater="bob")
    return ws


def test_disagreement_is_in_what_was_chosen(labelled):
    """Not in the words beside it; what somebody decided is no longer listed."""
    frame = labelled.feedback.queues.disagreements("q")
    assert frame[["position", "field"]].to_numpy().tolist() == [[2, "verdict"]]
    assert json.loads(frame.answers[0])["bob"] == {"value": "fail"}
    labelled.feedback.queues.adjudicate("q", 2, {"verdict": "fail"}, reason="it is rude")
    assert len(labelled.feedback.queues.disagreements("q")) == 0


def test_a_decision_has_its_own_record(labelled):
    """Labels stay; the chain says who decided, why, and that somebody decided again."""
    queues = labelled.acting_as("mara").feedback.queues
    made = queues.adjudicate("q", 2, {"verdict": "fail"}, reason="it is rude")
    again = queues.adjudicate("q", TRACES[1], {"verdict": "cannot tell"})
    rows = labelled.sql("select rater, is_adjudicated, note from labels where position = 2 order by rater").fetchall()
    assert rows == [("ann", False, None), ("bob", False, None), ("mara", True, None)]
    events = labelled.sql("select event_id, actor, reason from audit where action = 'queue.adjudicate'").fetchall()
    assert events == [(made.event_id, "mara", "it is rude"), (again.event_id, "mara", None)]
    assert labelled.audit.verify().ok


def test_labels_become_examples_in_one_call(labelled):
    """With where they come from, the corrected text as what is expected, and nothing where it is a tie."""
    made = labelled.feedback.queues.to_dataset("q", "golden", split="dev")
    first, second = made.examples[:2]
    assert (first.trace_id, first.expected, first.split) == (TRACES[0], "Because 1.", "dev")
    assert first.labels["verdict"]["value"] == "pass"
    assert first.labels["labelled"] == {
        "queue": "q",
        "schema": ["support@1"],
        "raters": ["ann", "bob"],
        "is_adjudicated": False,
        "probability": None,
        "strategy": "given",
    }
    assert second.labels["verdict"] is None
    assert made.note == "labels of queue q: 4 new, 0 with other labels, 0 with another expected answer"


def test_labelling_anew_makes_a_version_that_says_what_changed(labelled):
    """Examples keep their place and their id; the same labels again make no version."""
    queues = labelled.feedback.queues
    before = queues.to_dataset("q", "golden")
    assert queues.to_dataset("q", "golden").version == before.version
    queues.label("q", 3, {"verdict": "fail", "better": "Never."}, rater="ann")
    after = queues.to_dataset("q", "golden")
    assert after.version == 2
    assert after.note == "labels of queue q: 0 new, 1 with other labels, 1 with another expected answer"
    assert [one.example_id for one in after.examples] == [one.example_id for one in before.examples]
    assert (after.examples[2].expected, after.examples[2].labels["verdict"]) == ("Never.", {"value": "fail"})


def test_splits_follow_the_shares(labelled):
    """Who is where stays when more is labelled."""
    made = labelled.feedback.queues.to_dataset("q", "golden", shares={"dev": 0.5, "test": 0.5})
    assert {one.split for one in made.examples} <= {"dev", "test"}


def test_what_makes_no_example_is_said(labelled):
    """Nothing labelled, no such field, every trace gone."""
    queues = labelled.feedback.queues
    queues.open("empty", TRACES, schema="support")
    with pytest.raises(UsageError, match="queue empty has no labelled trace yet"):
        queues.to_dataset("empty", "golden")
    with pytest.raises(UsageError, match="no text field of support@1 named 'verdict'"):
        queues.to_dataset("q", "golden", expected="verdict")
    queues.open("gone", ["f" * 32], schema="support")
    queues.label("gone", 1, {"verdict": "pass"})
    with pytest.raises(UsageError, match="none of the 1 labelled traces of queue gone is in the store"):
        queues.to_dataset("gone", "golden")
