"""Detectors: rates, the curve with its band, the area under it, and thresholds for wanted false alarms."""

import math

import numpy as np
import pytest

from lmops.calc.detection import auroc, curve, rates, threshold_for


def test_rates_are_of_what_they_say():
    """Recall of what is there, false positives of what is ordinary, precision of what was found."""
    found = rates([1, 1, 0, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0, 0])
    assert (found.true_positive, found.false_negative, found.false_positive, found.true_negative) == (2, 1, 1, 3)
    assert (found.recall.estimate, found.fpr.estimate) == (pytest.approx(2 / 3), 0.25)
    assert found.precision.estimate == pytest.approx(2 / 3)
    assert (found.n, found.n_positive, found.n_negative) == (7, 3, 4)


def test_what_is_not_known_is_left_out():
    """A text on which the detector failed, or of which nobody knows, is in no rate; no texts make NaN."""
    found = rates([1, math.nan, 0], [1, 1, math.nan])
    assert (found.n_positive, found.n_negative, found.recall.n) == (1, 0, 1)
    assert math.isnan(found.fpr.estimate)
    assert math.isnan(rates([0, 0], [1, 1]).precision.estimate)


def test_texts_of_one_cluster_are_worth_less():
    """Ten copies of two texts do not say as much as twenty texts."""
    said, truth = [1] * 10 + [0] * 10, [1] * 20
    alone, together = rates(said, truth), rates(said, truth, clusters=["a"] * 5 + ["b"] * 5 + ["c"] * 5 + ["d"] * 5)
    assert together.recall.high - together.recall.low > alone.recall.high - alone.recall.low


def test_a_curve_goes_from_the_highest_threshold_to_the_lowest():
    """Both rates rise to 1, and each point lies within its limits."""
    points = curve([0.9, 0.8, 0.7, 0.3, 0.2, 0.1], [1, 1, 0, 1, 0, 0])
    assert [p.threshold for p in points] == [0.9, 0.8, 0.7, 0.3, 0.2, 0.1]
    assert (points[1].recall, points[1].fpr, points[-1].recall, points[-1].fpr) == (pytest.approx(2 / 3), 0, 1, 1)
    assert all(p.recall_low <= p.recall <= p.recall_high and p.fpr_low <= p.fpr <= p.fpr_high for p in points)
    assert curve([0.5, 0.6], [1, 1]) == []


def test_a_long_curve_is_thinned():
    """Of many scores a hundred thresholds are kept, both ends among them."""
    scores = np.linspace(0, 1, 5_000)
    points = curve(scores, np.arange(5_000) % 2)
    assert (len(points), points[0].threshold, points[-1].threshold) == (100, 1.0, 0.0)


def test_the_area_is_the_chance_of_the_right_order():
    """Ties count a half; the example of Hanley and McNeil (Radiology 143 (1982) 29-36, table II): .893, error .032."""
    normal, abnormal = [33, 6, 6, 11, 2], [3, 2, 2, 11, 33]
    scores = [rating for counts in (normal, abnormal) for rating, n in enumerate(counts) for _ in range(n)]
    found = auroc(scores, [0] * 58 + [1] * 51)
    assert (round(found.estimate, 3), round(found.se, 2)) == (0.893, 0.03)
    assert 0.8 < found.low < found.estimate < found.high < 0.96


def test_a_threshold_needs_enough_ordinary_texts():
    """One in a hundred cannot be told from fifty texts; from ninety-nine the highest score decides."""
    assert threshold_for(np.linspace(0, 0.5, 50), 0.01) is None
    found = threshold_for(np.linspace(0, 0.5, 99), 0.01)
    assert (found.threshold, found.fpr, found.n) == (pytest.approx(0.5, abs=1e-5), 0.01, 99)
    assert found.threshold > 0.5


def test_the_limits_of_a_threshold_hold_on_other_texts():
    """Of 2,000 thresholds chosen for 5 %, in about 95 % the true rate of new texts is within the limits."""
    random, inside, shares = np.random.default_rng(7), 0, []
    for _ in range(2_000):
        found = threshold_for(random.random(200), 0.05)
        shares.append(1 - found.threshold)  # of uniform scores
        inside += found.low <= shares[-1] <= found.high
    assert 0.94 <= inside / 2_000 <= 0.96
    assert np.mean(shares) == pytest.approx(0.05, abs=0.002)


def test_ties_keep_the_wanted_rate():
    """Where many ordinary texts share the highest score, the threshold is above it."""
    found = threshold_for([0.0] * 50 + [0.7] * 60, 0.05)
    assert found.threshold > 0.7
