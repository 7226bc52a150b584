"""What people would find beside a judge that scores on a scale: comparisons and gates."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from lmops.scorers import scorer


@scorer
def grade(output):
    return float(output)


GRADE = replace(grade, range=(1, 5), kind="judge")
NAMES = [f"e{number:03}" for number in range(200)]
CHANCE = random.Random(3)
#: What people say of the new version and of the old one, which is worse by about .8.
NEW = {name: CHANCE.choice((3, 4, 4, 5)) for name in NAMES}
OLD = {name: CHANCE.choice((2, 3, 3, 4, 4)) for name in NAMES}
TRUTH = sum(NEW[name] - OLD[name] for name in NAMES) / 200


def graded(ws, people, name, more=0):
    """Return a run whose judge is a mark off now and then, and gives one side more."""
    said = {
        one: str(min(5, max(1, mark + more - (place % 3 == 0)))) for place, (one, mark) in enumerate(people.items())
    }
    rows = [{"example_id": one, "input": one, "expected": ""} for one in people]
    return ws.evals.run(lambda given: said[given], rows, (GRADE,), name=name, progress=False)


def labelled(ws, run, people, count=60, kind="scale"):
    """Let somebody label so many cases, as they come."""
    fields = [{"name": "grade", "kind": "scale", "low": 1, "high": 5}] if kind == "scale" else [{"name": "verdict"}]
    ws.feedback.schemas.save(f"by-{kind}", fields)
    ws.feedback.queue(f"of-{run.name}", run, schema=f"by-{kind}")
    for row in ws.feedback.queues.items(f"of-{run.name}", n=count).itertuples():
        mark = people[row.example_id]
        said = {"grade": mark} if kind == "scale" else {"verdict": "pass" if mark > 3 else "fail"}
        ws.feedback.queues.label(f"of-{run.name}", row.position, said, rater="ann")


@pytest.fixture
def runs(ws):
    """Two runs; the judge gives the old version a mark too much."""
    return graded(ws, NEW, "new"), graded(ws, OLD, "old", more=1)


def test_a_difference_is_corrected_by_labels_of_both_sides(ws, runs):
    """Where the judge says that nothing changed."""
    for run, people in zip(runs, (NEW, OLD), strict=True):
        labelled(ws, run, people)
    one = ws.evals.compare(*runs)["grade"]
    assert one.outcome != "better"
    assert (one.correction, one.corrected_outcome) == ("by 60 labels of a and 60 of b", "better")
    assert one.corrected_low < TRUTH < one.corrected_high


def test_a_difference_is_corrected_by_labels_of_one_side(ws):
    """As if the judge erred alike on both, which it says."""
    runs = graded(ws, NEW, "new"), graded(ws, OLD, "old")
    labelled(ws, runs[0], NEW)
    one = ws.evals.compare(*runs)["grade"]
    assert one.correction == "by 60 labels, as if the judge erred alike on both"
    assert one.corrected_low < TRUTH < one.corrected_high


def test_a_gate_decides_on_what_people_would_find(ws, runs):
    """The loss against the baseline is the corrected one; the scale bounds what has a score on one side only."""
    asked = {"scorers": {"grade": {"max_loss": 0.1}}, "allow_uncalibrated": True}
    old, new = runs[1], runs[0]
    assert ws.evals.gate(old, new, asked).outcome != "fail"
    for run, people in ((new, NEW), (old, OLD)):
        labelled(ws, run, people)
    verdict = ws.evals.gate(old, new, asked)
    assert verdict.outcome == "fail"
    assert "corrected by 60 labels of a and 60 of b" in verdict.results[-1].reason
    assert verdict.results[-1].value == pytest.approx(ws.evals.compare(new, old)["grade"].corrected)


def test_without_labels_it_says_why(ws, runs):
    """Nobody labelled, or on another scale."""
    assert ws.evals.compare(*runs)["grade"].correction == "its scores are no verdicts, and nobody labelled its cases"
    for run, people in zip(runs, (NEW, OLD), strict=True):
        labelled(ws, run, people, kind="pass")
    assert ws.evals.compare(*runs)["grade"].correction == (
        "its scores are no verdicts, and the labels are on another scale than the scores"
    )
