"""Where raters disagree somebody decides; what holds becomes examples that say where it comes from."""

from __future__ import annotations

import json
from dataclasses import replace

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


def test_what_is_written_is_no_dispute(labelled):
    """No two people write the same correction: the newest is what is expected, and agreement does not count it."""
    queues = labelled.feedback.queues
    queues.label("q", 1, {"verdict": "pass", "better": "Therefore."}, rater="bob")
    assert list(queues.disagreements("q")["field"]) == ["verdict"]
    assert queues.to_dataset("q", "golden").examples[0].expected == "Therefore."
    assert [one.field for one in labelled.feedback.agreement(queues.get("q")).fields] == ["verdict"]


def test_splits_follow_the_shares(labelled):
    """Who is where stays when more is labelled, and the version still says what changed."""
    queues, shares = labelled.feedback.queues, {"dev": 0.5, "test": 0.5}
    made = queues.to_dataset("q", "golden", shares=shares)
    assert {one.split for one in made.examples} <= {"dev", "test"}
    assert made.note.startswith("labels of queue q: 4 new")
    assert made.note.endswith("; split dev 0.5, test 0.5, seed 0")
    queues.label("q", 3, {"verdict": "fail"}, rater="ann")
    again = queues.to_dataset("q", "golden", shares=shares)
    assert again.note == "labels of queue q: 0 new, 1 with other labels, 1 with another expected answer"
    assert [one.split for one in again.examples] == [one.split for one in made.examples]


def test_a_correction_that_is_withdrawn_is_no_longer_expected(labelled):
    """Labelled again without it, or taken back altogether; the version says so."""
    queues = labelled.feedback.queues
    queues.to_dataset("q", "golden")
    queues.label("q", 3, {"verdict": "fail"}, rater="ann")
    made = queues.to_dataset("q", "golden")
    assert [one.expected for one in made.examples] == ["Because 1.", "Because 2.", None, "Because 4."]
    queues.undo("q", rater="ann")
    queues.undo("q", rater="ann")
    made = queues.to_dataset("q", "golden")
    assert [one.expected for one in made.examples] == ["Because 1.", "Because 2.", "Because 3.", None]
    assert set(made.examples[3].labels.values()) == {None}
    assert made.note == (
        "labels of queue q: 0 new, 2 with other labels, 2 with another expected answer, 1 without labels now"
    )


def test_an_answer_that_was_written_by_hand_stays(labelled):
    """Where nobody corrected it; what a rater wrote comes before it."""
    queues = labelled.feedback.queues
    made = queues.to_dataset("q", "golden")
    labelled.datasets.add("golden", [replace(made.examples[3], expected="By hand.")])
    queues.label("q", 4, {"verdict": "fail"}, rater="ann")
    assert queues.to_dataset("q", "golden").examples[3].expected == "By hand."


@pytest.mark.parametrize("tracing", [True, False])
def test_cases_of_a_run_are_the_examples_that_were_evaluated(ws, tracing):
    """With the corrected text as what is expected, traced or not; withdrawn, what was expected before is again."""
    rows = [{"example_id": one, "input": one, "expected": f"old {one}"} for one in ("e1", "e2")]
    run = ws.evals.run(lambda given: f"{given}!", rows, ["exact_match"], tracing=tracing, progress=False)
    ws.feedback.schemas.save("support", FIELDS)
    ws.feedback.queue("q", run, schema="support")
    for one in ws.feedback.queues.items("q").itertuples():
        ws.feedback.queues.label("q", one.position, {"verdict": "fail", "better": f"new {one.example_id}"}, rater="ann")
    made = ws.feedback.queues.to_dataset("q", "golden")
    assert {one.example_id: (one.input, one.expected) for one in made.examples} == {
        "e1": ("e1", "new e1"), "e2": ("e2", "new e2")
    }  # fmt: skip  # an example a line
    ws.feedback.queues.label("q", 1, {"verdict": "pass"}, rater="ann")
    again = ws.feedback.queues.to_dataset("q", "golden")
    assert again.note == "labels of queue q: 0 new, 1 with other labels, 1 with another expected answer"
    assert sorted(one.expected[:3] for one in again.examples) == ["new", "old"]


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
