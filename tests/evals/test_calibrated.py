"""A gate and the calibration of the judges that its criteria rest on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lmops.errors import UsageError
from lmops.scorers import scorer
from tests.evals.conftest import right


@scorer
def polite(output, expected):
    return output == expected


JUDGE = replace(polite, kind="judge")
ASKED = {"scorers": {"polite": {"min": 0.5}}}
LABELS = [{"item": n, "label": n % 4 > 0, "verdict": n % 8 > 1} for n in range(80)]


@pytest.fixture
def run(quiet, rows):
    """A run that a judge scored."""
    return quiet(right, rows, scorers=(JUDGE,))


def test_an_uncalibrated_judge_is_no_ground(ws, run):
    """The verdict is inconclusive and says what to do."""
    verdict = ws.evals.gate(run, criteria=ASKED)
    assert verdict.outcome == "inconclusive"
    assert "polite.calibration" in verdict.text
    assert "the judge is uncalibrated: it has no calibration" in verdict.text


def test_a_calibrated_judge_is(ws, run):
    """Of this very version."""
    ws.feedback.calibrate(JUDGE, LABELS)
    assert ws.evals.gate(run, criteria=ASKED).outcome == "pass"


def test_a_calibration_of_another_version_does_not_hold(ws, run):
    """The reason says what moved."""
    ws.feedback.calibrate("polite", LABELS, version="other")
    verdict = ws.evals.gate(run, criteria=ASKED)
    assert verdict.outcome == "inconclusive"
    assert "the judge's version was other" in verdict.text


def test_the_criteria_may_allow_it(ws, run):
    """They say so, and the verdict keeps it."""
    verdict = ws.evals.gate(run, criteria={**ASKED, "allow_uncalibrated": True})
    assert verdict.outcome == "pass"
    with pytest.raises(UsageError, match="allow_uncalibrated is 'maybe'; give true or false"):
        ws.evals.gate(run, criteria={**ASKED, "allow_uncalibrated": "maybe"})


def test_what_does_not_rest_on_a_judge_needs_none(ws, quiet, rows):
    """A scorer of code, and criteria that do not name the judge."""
    run = quiet(right, rows, scorers=(JUDGE, "exact_match"))
    assert ws.evals.gate(run, criteria={"scorers": {"exact_match": {"min": 0.5}}}).outcome == "pass"


def test_a_run_says_that_its_judge_is_uncalibrated(ws, run):
    """Beside its mean, until it is calibrated."""
    assert run.uncalibrated() == {"polite": "uncalibrated: it has no calibration"}
    assert "uncalibrated: it has no calibration" in run.text
    assert "uncalibrated" in run._repr_html_()
    ws.feedback.calibrate(JUDGE, LABELS)
    assert "uncalibrated" not in run.text
