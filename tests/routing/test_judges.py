"""Arms by what a judge says of them: as people would find it where that is known, and what is said where it is not."""

from __future__ import annotations

import pytest

from lmops.scorers import build
from tests.routing.trials import ARMS, traffic

TRUTH = {"next": 0.5, "current": 0.9}
RIGHT = {"pass": 0.9, "fail": 0.8}
POLITE = build(lambda output: output == "pass", name="polite", kind="judge", range=(0, 1))
OTHER = build(lambda output: output != "fail", name="polite", kind="judge", range=(0, 1))


def calibrate(ws, scorer=POLITE, *, n=400):
    """Measure the judge on labels of which it gets exactly its shares right."""
    other = {"pass": "fail", "fail": "pass"}
    labels = [
        {"item": f"{label}-{at}", "label": label, "verdict": label if at < n * RIGHT[label] else other[label]}
        for label in RIGHT
        for at in range(n)
    ]
    ws.feedback.calibrate("polite", labels, version=scorer.version)


@pytest.fixture
def judged(ws):
    """A route whose new arm people like less, and a judge of it who errs as above."""
    ws.routing.set("support", {"arms": ARMS})

    def said(arm, number):
        passes = (number * 0.618) % 1 < TRUTH[arm]
        return "pass" if ((number * 0.382 + 0.1) % 1 < RIGHT["pass"]) == passes else "fail"

    traffic(ws, users=600, each=1, output=lambda choice, number: said(choice.assigned, number), input="q")
    ws.monitors.score(POLITE, progress=False)
    return ws


def compared(ws):
    return ws.routing.compare("support", "score.polite", guards=()).primary


def test_a_calibration_that_holds_corrects_a_difference(judged):
    """Its figures, limits and verdict are what people would find; what the judge found stands beside it."""
    raw = compared(judged).found
    calibrate(judged)
    one = compared(judged)
    index = RIGHT["pass"] + RIGHT["fail"] - 1
    assert one.found.difference == pytest.approx(raw.difference / index)
    assert one.found.low < raw.low / index < raw.high / index < one.found.high
    assert one.verdict == "worse"
    assert one.notes[0].startswith("as people would find it by calibration 1 (the judge: ")


def test_without_a_calibration_it_is_said_whose_words_they_are(judged):
    """What the judge says is worth nobody knows what."""
    assert "as the judge says it, and not as people would: it is uncalibrated" in compared(judged).notes


def test_a_calibration_of_another_version_is_stale(judged):
    """Nothing is corrected by it."""
    calibrate(judged, OTHER)
    assert "its calibration is stale" in compared(judged).notes[0]


def test_of_two_versions_nothing_is_corrected(judged):
    """Of two judges that err otherwise nobody knows what a common rate is worth."""
    judged.monitors.score(OTHER, where="user_id < 'u3'", progress=False)
    assert "2 versions of it spoke" in compared(judged).notes[0]


def test_labels_that_do_not_tell_a_judge_from_a_coin_correct_nothing(judged):
    """Two of each kind."""
    calibrate(judged, n=2)
    assert "too few to tell it from a coin" in compared(judged).notes[0]
