"""Corrected rates and differences hold what people would find, simulated through the workspace."""

from __future__ import annotations

import pytest

from tests.bench.bench_corrected import PAIRS, Simulated, held, recorded

SURE = ("rate, by calibration", "rate, by labels", "difference, by calibration", "difference, by labels")


@pytest.mark.parametrize(("rates", "errors", "labels"), [((0.5, 0.4), (0.9, 0.7), 100), ((0.8, 0.8), (0.95, 0.6), 300)])
def test_the_truth_is_held(ws, rates, errors, labels):
    """In about 95 of 100 draws, where what the judge says holds it much less often."""
    found = held(ws, Simulated(rates, *errors), draws=60, labels=labels)
    assert min(found[name][0] for name in SURE) >= 0.88
    assert [found[name][1] for name in SURE] == [0] * len(SURE)
    assert found["rate, raw"][0] < 0.85


@pytest.mark.skipif(not PAIRS.exists(), reason="the verdicts of recorded judges are not here")
def test_the_truth_is_held_by_recorded_judges(ws):
    """Real judges of real answers, drawn from what people said of them."""
    judge = dict(recorded(judges=("ChatGPT",)))["ChatGPT"]
    found = held(ws, judge, draws=40, labels=150)
    assert min(found[name][0] for name in SURE) >= 0.85
