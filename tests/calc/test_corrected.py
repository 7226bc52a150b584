"""Corrected rates and differences: published values, what cannot be computed and why, coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmops.calc.corrected import Errors, allocate_labels, corrected_difference, corrected_pass_rate
from lmops.calc.intervals import jeffreys
from tests.bench import bench_calc as simulate
from tests.bench import bench_corrected

SOME = math.nan


@pytest.mark.parametrize(
    ("labels", "low", "high"), [(50, 0.0, 0.3281189), (100, 0.01390166, 0.2897995), (200, 0.05635072, 0.2627330)]
)
def test_correction_published(labels, low, high):
    """Where T may be 0: near Lee et al.'s example (README; as their R port of commit 082884d prints it)."""
    found = corrected_pass_rate(400, 1000, sensitivity=0.9, n_pass=labels, specificity=0.7, n_fail=labels)
    assert found.estimate == pytest.approx(1 / 6)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.0135)
    rates, sizes = np.array([0.4, 0.7, 0.9]), np.array([1000, labels, labels])
    lows, highs = jeffreys(rates * sizes, sizes)
    for theta, ends in ((found.low, (lows[0], lows[1], highs[2])), (found.high, (highs[0], highs[1], lows[2]))):
        apart = (np.array([1, 1 - theta, theta]) * (rates - ends)) ** 2
        seen = abs(rates[0] + rates[1] - 1 - theta * (rates[1] + rates[2] - 1))
        assert seen == pytest.approx(math.sqrt(apart.sum())) or (theta == 0 and seen < math.sqrt(apart.sum()))


@given(st.integers(0, 300), st.floats(0.6, 1), st.floats(0.6, 1))
def test_correction_turns_with_the_labels(passes, sensitivity, specificity):
    """Calling pass fail and fail pass mirrors the rate; it stays within 0..1."""
    found = corrected_pass_rate(passes, 300, sensitivity=sensitivity, n_pass=40, specificity=specificity, n_fail=60)
    turned = corrected_pass_rate(
        300 - passes, 300, sensitivity=specificity, n_pass=60, specificity=sensitivity, n_fail=40
    )
    assert turned.estimate == pytest.approx(1 - found.estimate)
    assert (turned.low, turned.high) == pytest.approx((1 - found.high, 1 - found.low), nan_ok=True)
    assert 0 <= found.low <= found.high <= 1 or (found.reason and math.isnan(found.low))
    assert 0 <= found.share_of_calibration <= 1


def test_correction_that_cannot_be():
    """A judge no better than chance, no labels, no verdicts: NaN beside the raw rate."""
    coin = corrected_pass_rate(30, 100, sensitivity=0.5, n_pass=50, specificity=0.5, n_fail=50)
    assert (math.isnan(coin.estimate), coin.raw) == (True, 0.3)
    unknown = corrected_pass_rate(3, 10, sensitivity=math.nan, n_pass=0, specificity=0.9, n_fail=5)
    assert math.isnan(unknown.low)
    assert math.isnan(corrected_pass_rate(0, 0, sensitivity=1, n_pass=5, specificity=1, n_fail=5).raw)
    with pytest.raises(ValueError, match="passes must"):
        corrected_pass_rate(5, 4, sensitivity=1, n_pass=5, specificity=1, n_fail=5)
    with pytest.raises(ValueError, match="sensitivity must"):
        corrected_pass_rate(1, 4, sensitivity=1.2, n_pass=5, specificity=1, n_fail=5)


@pytest.mark.parametrize(("theta", "q1", "q0", "m"), [(0.8, 0.9, 0.7, 60), (0.5, 0.8, 0.8, 30), (0.95, 0.95, 0.8, 40)])
def test_correction_covers(theta, q1, q0, m):
    """Errors of the judge, of the calibration and of the sample together: about 95 %; the raw rate is far off."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(2000):
        passes = rng.binomial(400, theta * q1 + (1 - theta) * (1 - q0))
        found = corrected_pass_rate(
            passes, 400, sensitivity=rng.binomial(m, q1) / m, n_pass=m, specificity=rng.binomial(m, q0) / m, n_fail=m
        )
        held += found.low <= theta <= found.high
    assert 0.93 * 2000 <= held <= 0.97 * 2000


@pytest.mark.parametrize("judge", [(0.6, 0.6), (0.95, 0.95), (0.6, 0.95)])
@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_limits_are_as_wide_as_they_should_be_with_fifty_labels(judge, rate):
    """Of judges as good as a coin and nearly perfect: 93 to 97 %, by two standard errors of 1,000 draws at most."""
    rng, (q1, q0), held, known = np.random.default_rng(2), judge, 0, 0
    for _ in range(1000):
        n_pass = rng.binomial(50, rate)
        passes = rng.binomial(500, rate * q1 + (1 - rate) * (1 - q0))
        right = rng.binomial(n_pass, q1) / max(n_pass, 1), rng.binomial(50 - n_pass, q0) / max(50 - n_pass, 1)
        found = corrected_pass_rate(
            passes, 500, sensitivity=right[0], n_pass=n_pass, specificity=right[1], n_fail=50 - n_pass
        )
        known += found.reason is None
        held += found.low <= rate <= found.high
    assert 0.93 - 0.014 <= held / known <= 0.97 + 0.014


def test_allocation():
    """The kind that weighs more and is known worse gets the labels; the best split beats its neighbours."""
    found = allocate_labels(180, rate=0.1667, sensitivity=0.9, n_pass=10, specificity=0.7, n_fail=10)
    assert found.add_pass + found.add_fail == 180
    assert found.target_fail > 3 * found.target_pass
    theta, q1, q0 = 0.1667, 10 / 12, 8 / 12
    error = [theta**2 * q1 * (1 - q1) / m + (1 - theta) ** 2 * q0 * (1 - q0) / (200 - m) for m in range(10, 190)]
    assert abs(10 + int(np.argmin(error)) - found.target_pass) <= 1
    even = allocate_labels(10, rate=0.5, sensitivity=math.nan, n_pass=0, specificity=math.nan, n_fail=0)
    assert (even.add_pass, even.add_fail) == (5, 5)
    assert allocate_labels(5, rate=0.5, sensitivity=0.9, n_pass=100, specificity=0.9, n_fail=2).add_fail == 5


def test_difference_by_own_labels():
    """A worked example: each verdict counts as people called its labeled ones, on each side by itself."""
    a = [1] * 6 + [0] * 4
    labels_a = [1, 1, 1, 0, SOME, SOME, 0, 1, SOME, SOME]
    b = [1] * 5 + [0] * 5
    labels_b = [1, 0, SOME, SOME, SOME, 0, 0, SOME, SOME, SOME]
    found = corrected_difference(a, b, labels_a=labels_a, labels_b=labels_b)
    assert found.difference == pytest.approx((0.6 * 3 / 4 + 0.4 * 1 / 2) - (0.5 * 1 / 2 + 0.5 * 0))
    assert (found.basis, found.n_labels_a, found.n_labels_b, found.reason) == ("own labels", 6, 4, None)
    assert found.raw == pytest.approx(0.1)
    assert 0.5 < found.share_of_labels <= 1


def test_difference_by_labels_of_unequal_chances():
    """Each label counts by the inverse of its chance; where all chances are alike they change nothing."""
    a, b = [1] * 4, [1] * 4
    found = corrected_difference(
        a, b, labels_a=[1, 0, SOME, SOME], labels_b=[1, 1, SOME, 0], chances_a=[0.5, 0.25, 1, 1], chances_b=[0.5] * 4
    )
    assert found.difference == pytest.approx((1 * 2 + 0 * 4) / 6 - 2 / 3)
    rng = np.random.default_rng(3)
    verdicts, labels = rng.integers(0, 2, (2, 200)), rng.integers(0, 2, (2, 200)).astype(float)
    labels[:, 100:] = np.nan
    options = {"labels_a": labels[0], "labels_b": labels[1]}
    alike = corrected_difference(*verdicts, **options, chances_a=np.full(200, 0.5), chances_b=np.full(200, 0.5))
    assert alike == corrected_difference(*verdicts, **options)
    with pytest.raises(ValueError, match="chances_a must be above 0 and at most 1"):
        corrected_difference(a, b, labels_a=[1, 0, SOME, SOME], labels_b=b, chances_a=[0.5, 0, 1, 1])


def test_unequal_chances_cover():
    """Cases on which the versions differ are labeled more often: plain counts are off, weighed ones hold the truth."""
    rng, held, plain = np.random.default_rng(11), 0, 0
    for _ in range(150):
        human = rng.random((2, 400)) < np.array([[0.8], [0.7]])
        verdicts = np.where(human, rng.random((2, 400)) < 0.9, rng.random((2, 400)) < 0.4)
        chances = np.where(human[0] != human[1], 0.6, 0.15)
        labels = np.where(rng.random((2, 400)) < chances, human, np.nan)
        options = {"labels_a": labels[0], "labels_b": labels[1]}
        found = corrected_difference(*verdicts, **options, chances_a=chances, chances_b=chances)
        held += found.low <= 0.1 <= found.high
        plain += abs(corrected_difference(*verdicts, **options).difference - 0.1) > abs(found.difference - 0.1)
    assert held / 150 >= 0.913
    assert plain / 150 > 0.5


def test_difference_where_all_is_labeled():
    """Then the judge does not matter: the difference of the labels, and its plain paired error."""
    rng = np.random.default_rng(5)
    labels, verdicts = rng.integers(0, 2, (2, 400)), rng.integers(0, 2, (2, 400))
    found = corrected_difference(*verdicts, labels_a=labels[0], labels_b=labels[1])
    assert found.difference == pytest.approx((labels[0] - labels[1]).mean())
    assert found.se == pytest.approx(np.std(labels[0] - labels[1], ddof=1) / 20, rel=0.02)


def test_difference_by_shared_errors():
    """Labels on one side only: the raw difference over Youden's index, and the p-value of the raw one."""
    a, b = [1] * 60 + [0] * 40, [1] * 50 + [0] * 50
    labels = [1] * 36 + [0] * 4 + [SOME] * 20 + [1] * 4 + [0] * 26 + [SOME] * 10
    found = corrected_difference(a, b, labels_a=labels)
    assert found.basis == "shared errors"
    assert found.difference == pytest.approx(0.1 / (36 / 40 + 26 / 30 - 1))
    assert found.low < 0.1 < found.difference < found.high
    turned = corrected_difference(b, a, labels_b=labels)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        (Errors(0.5, 50, 0.5, 50), "coin does as well"),
        (Errors(0.9, 0, 0.9, 10), "no label says pass"),
        (Errors(0.9, 10, 0.9, 0), "no label says fail"),
        (None, "no label says pass"),
    ],
)
def test_difference_says_why_it_cannot_be(errors, reason):
    """No limits, and a sentence instead; a rate says the same."""
    found = corrected_difference([1, 1, 0, 1] * 10, [1, 0, 0, 1] * 10, errors=errors)
    assert reason in found.reason
    assert math.isnan(found.low)
    if errors is not None:
        rate = corrected_pass_rate(
            30, 40, sensitivity=errors[0], n_pass=errors[1], specificity=errors[2], n_fail=errors[3]
        )
        assert reason in rate.reason
        assert math.isnan(rate.low)


def test_labels_that_do_not_tell_the_judge_from_a_coin():
    """The limits go as far as the scale, but for what the verdicts rule out under any judge."""
    weak = {"sensitivity": 0.6, "n_pass": 10}
    for passes in (0, 6, 30, 54):
        rate = corrected_pass_rate(passes, 60, **weak, specificity=0.6, n_fail=10)
        assert (rate.low, rate.high, rate.reason) == (0, 1, None)
    few = corrected_pass_rate(9, 60, **weak, specificity=0.9, n_fail=40)
    assert (few.low, few.high) == (0, pytest.approx(0.447, abs=0.001))
    turned = corrected_pass_rate(9, 60, sensitivity=0.4, n_pass=10, specificity=0.9, n_fail=40)
    assert (turned.low, turned.high) == (0, 1)
    errors = Errors(0.6, 10, 0.6, 10)
    found = corrected_difference([1, 1, 0, 1] * 10, [1, 0, 0, 1] * 10, errors=errors)
    assert (found.low, found.high, found.reason) == (pytest.approx(0.301, abs=0.001), 1, None)
    alike = corrected_difference([1, 1, 0, 1] * 10, [1, 0, 1, 1] * 10, errors=errors)
    assert (alike.low, alike.high, alike.reason) == (-1, 1, None)


@pytest.mark.parametrize("judge", [(0.6, 0.6), (0.6, 0.95), (0.75, 0.75)])
def test_limits_hold_what_is_true_where_few_labels_are_of_one_kind(judge):
    """Fifty labels, five of them passes, of a judge little better than a coin: rates and differences, either way."""
    found = bench_corrected.cell(bench_corrected.Simulated((0.1, 0.18), *judge), 50, draws=200)
    assert {name: share for name, (share, _) in found.items() if share < 0.9} == {}
    assert found["rate, by calibration"][1] < 0.35


def test_difference_of_bad_input():
    """Other values, other items, nothing at all."""
    with pytest.raises(ValueError, match="labels_a must be 0 or 1"):
        corrected_difference([1, 0], [1, 0], labels_a=[0.5, 1])
    with pytest.raises(ValueError, match="same items"):
        corrected_difference([1, 0], [1, 0, 1])
    nothing = corrected_difference([], [])
    assert (nothing.n, nothing.reason) == (0, "no item has a verdict on both sides")
    lost = corrected_difference([1, SOME], [1, 1], labels_a=[1, 0])
    assert (lost.n, lost.n_missing, lost.n_labels_a) == (1, 1, 1)


@pytest.mark.parametrize("labels", [50, 300])
@pytest.mark.parametrize("judges", [((0.9, 0.8), (0.7, 0.95)), ((0.6, 0.6), (0.6, 0.6)), ((0.95, 0.6), (0.6, 0.95))])
def test_differences_are_covered(judges, labels):
    """Also by a judge that errs otherwise on one version, where the raw difference is never right."""
    held, raw, _ = simulate.corrected_difference_coverage((0.8, 0.7), judges, labels, trials=300)
    assert held >= 0.913
    assert raw < 0.5


def test_clustered_differences_are_covered():
    """Ten items that share what is hard about them."""
    held, _, _ = simulate.corrected_difference_coverage(
        (0.8, 0.7), ((0.9, 0.8), (0.7, 0.95)), 150, trials=150, clusters=50
    )
    assert held >= 0.913


def test_shared_errors_cover():
    """Labels on one side, and a judge that errs alike on both."""
    held, raw, _ = simulate.corrected_difference_coverage(
        (0.8, 0.7), ((0.8, 0.8), (0.8, 0.8)), 150, trials=150, sides="one"
    )
    assert held >= 0.913
    assert raw < 0.8


@pytest.mark.parametrize(("sensitivity", "specificity"), [(0.6, 0.95), (0.95, 0.95), (0.8, 0.7)])
@pytest.mark.parametrize("rate", [0.5, 0.95])
def test_rates_are_covered(rate, sensitivity, specificity):
    """From a hundred labels drawn from all items, of which few are fails."""
    held, raw, _ = simulate.corrected_rate_coverage(rate, (sensitivity, specificity), 100, trials=400)
    assert held >= 0.913
    assert raw < 0.6 or abs(rate * sensitivity + (1 - rate) * (1 - specificity) - rate) < 0.03
