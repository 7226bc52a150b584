"""Means and clustered rates: oracles, published rules, edge cases, coverage by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from lmops.calc.arrays import t_value
from lmops.calc.intervals import (
    clustered_se,
    jeffreys,
    mean_interval,
    proportion_interval,
    score_interval,
    small_n_advice,
    wilson,
)

VALUES = st.lists(st.floats(-100, 100), min_size=2, max_size=30)


def test_wilson_17_of_20():
    """17 of 20 and 850 of 1000 are both 85 %, and not at all the same."""
    assert wilson(17, 20) == pytest.approx((0.6396, 0.9476), abs=5e-5)
    assert wilson(850, 1000) == pytest.approx((0.8265, 0.8708), abs=5e-5)


def test_jeffreys_published():
    """Brown, Cai and DasGupta (2001), table 5: n = 30, x = 0, 1, 15; with the end corrected at 0."""
    low, high = jeffreys([0, 1, 15], 30)
    assert low == pytest.approx([0, 0.004, 0.328], abs=5e-4)
    assert high == pytest.approx([0.080, 0.146, 0.672], abs=6e-4)
    low, high = jeffreys([0, 5], [0, 5])
    assert np.isnan([low[0], high[0]]).all()
    assert high[1] == 1.0
    with pytest.raises(ValueError, match="prior"):
        jeffreys(1, 2, prior=(0, 1))


@given(VALUES, st.floats(0.5, 0.99))
@settings(max_examples=50, deadline=None)
def test_mean_interval_is_the_t_interval(values, level):
    """scipy's t interval; the order and a missing value change nothing."""
    found = mean_interval([*values[::-1], math.nan], level=level)
    assert found.n == len(values)
    assert found.n_missing == 1
    if len(set(values)) > 1 and np.std(values) > 1e-6:
        expected = scipy_stats.t.interval(level, len(values) - 1, np.mean(values), scipy_stats.sem(values))
        assert (found.low, found.high) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("corrected", [False, True])
def test_clustered_se_is_that_of_statsmodels(corrected):
    """The cluster-robust error of a regression on a constant, with the factor G/(G-1) or without."""
    rng = np.random.default_rng(5)
    groups = rng.integers(0, 12, 90)
    y = rng.normal(size=12)[groups] + rng.normal(size=90)
    fit = sm.OLS(y, np.ones(90)).fit(cov_type="cluster", cov_kwds={"groups": groups, "use_correction": corrected})
    assert clustered_se(y, groups, corrected=corrected) == pytest.approx(float(fit.bse[0]))
    assert clustered_se(y, [f"c{g}" for g in groups], corrected=corrected) == pytest.approx(float(fit.bse[0]))


def test_singleton_clusters_are_no_clusters():
    """Each item a cluster of its own, or a missing cluster: the plain interval."""
    values = [0.1, 0.9, 0.4, 0.6, 0.2]
    plain = mean_interval(values)
    for clusters in (range(5), [None] * 5, [math.nan] * 5):
        found = mean_interval(values, clusters=clusters)
        assert (found.low, found.high, found.n_clusters) == (pytest.approx(plain.low), pytest.approx(plain.high), 5)
        assert found.n_effective == pytest.approx(5)


def test_duplicating_items_within_clusters_adds_nothing():
    """Five copies of each item, clustered, know exactly what one copy knows."""
    values = np.array([0.0, 1, 1, 0, 1, 1, 1, 0, 1, 1])
    once = proportion_interval(values, clusters=range(10))
    fivefold = proportion_interval(np.repeat(values, 5), clusters=np.repeat(range(10), 5))
    assert (fivefold.low, fivefold.high) == pytest.approx((once.low, once.high))
    assert fivefold.n == 50
    assert fivefold.n_effective == pytest.approx(9)


@pytest.mark.parametrize("function", [mean_interval, proportion_interval, score_interval])
def test_too_few(function):
    """Nothing gives NaN and n = 0; one cluster gives a mean without limits."""
    nothing = function([])
    assert nothing.n == 0
    assert np.isnan([nothing.estimate, nothing.low, nothing.high]).all()
    assert function([math.nan]).n_missing == 1
    one = function([1, 0, 1], clusters=["a", "a", "a"])
    assert one.estimate == pytest.approx(2 / 3)
    assert np.isnan([one.low, one.high]).all()


def test_score_interval_chooses():
    """Verdicts get Wilson, other scores t, equal scores in 0..1 an interval that has a width."""
    assert score_interval([0, 1, 1]).method == "wilson"
    assert score_interval([0.5, 1, 0.7, 0.9]).method == "t, long tails"
    assert score_interval([0.5, 1, 1, 1]).method == "wilson"  # one that differs tells no spread
    equal = score_interval([1.0] * 10)
    assert (equal.low, equal.high) == pytest.approx((0.7225, 1.0), abs=1e-4)
    clustered = score_interval([1.0] * 10, clusters=[0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    assert clustered.low < 0.2
    assert score_interval([3.0, 3.0]).se == 0


def test_one_far_value_makes_limits_wide_but_not_without_end():
    """The farther it lies the wider they are, by the error alone once it is most of what was seen."""
    near, far, farther = (score_interval([*np.linspace(0, 2, 19), top]) for top in (3.0, 1e3, 1e6))
    widths = [(one.high - one.low) / one.se for one in (near, far, farther)]
    assert widths[0] < widths[1] == pytest.approx(widths[2], rel=1e-3)
    assert far.estimate - far.low == pytest.approx(t_value(0.95, 2) * far.se)
    assert far.high - far.estimate > 7 * far.se  # with all of its lean Hall's limit would be nearer than 5


def test_skewed_means_have_a_longer_side():
    """Costs: the limit on the side of the tail is farther away, and small ones are no shares."""
    values = 1e-3 * np.exp(np.random.default_rng(3).normal(size=30))
    plain, found = mean_interval(values), score_interval(values, has_ends=False)
    assert found.high - found.estimate > 1.5 * (plain.high - plain.estimate)
    assert found.low <= plain.low
    equal = score_interval([0.002] * 50, has_ends=False)
    assert (equal.low, equal.high) == (0.002, 0.002)
    assert score_interval([0.002] * 50).high > 0.05


def test_refusals():
    """Infinite values, other shapes, rates above 1 and clusters of another length are errors."""
    with pytest.raises(ValueError, match="infinite"):
        mean_interval([math.inf])
    with pytest.raises(ValueError, match="one-dimensional"):
        mean_interval([[1.0]])
    with pytest.raises(ValueError, match="between 0 and 1"):
        proportion_interval([2])
    with pytest.raises(ValueError, match="1 clusters for 2 items"):
        mean_interval([1, 2], clusters=["a"])


def test_advice():
    """Few items and few clusters are told; enough is silence."""
    assert small_n_advice(0) == "Nothing was measured."
    assert "smoke test" in small_n_advice(12)
    assert "12 clusters" in small_n_advice(5000, n_clusters=12)
    assert "Wilson" in small_n_advice(100)
    assert small_n_advice(1000) is None


def test_repr_is_short():
    """A person reads the estimate, the limits and what they rest on."""
    assert repr(score_interval([1] * 17 + [0] * 3)) == "Interval(0.85 [0.6396, 0.9476], 0.95, wilson, n=20)"


@pytest.mark.parametrize(("rate", "groups", "size"), [(0.8, 40, 5), (0.5, 15, 8), (0.9, 60, 4)])
def test_clustered_rate_covers(rate, groups, size):
    """Beta-binomial clusters: the clustered interval holds the truth, Wilson's plain one does not."""
    rng = np.random.default_rng(3)
    held = plain = 0
    codes = np.repeat(np.arange(groups), size)
    for _ in range(1000):
        p = rng.beta(rate * 2, (1 - rate) * 2, groups)
        x = rng.random(groups * size) < p[codes]
        found = proportion_interval(x, clusters=codes)
        held += found.low <= rate <= found.high
        low, high = wilson(x.sum(), x.size)
        plain += low <= rate <= high
    assert 930 <= held <= 980
    assert plain < 880


@pytest.mark.parametrize("n", [5, 30])
def test_mean_interval_covers(n):
    """Normal scores: 95 % at any n, also very small."""
    rng = np.random.default_rng(4)
    held = sum(found.low <= 0 <= found.high for found in map(mean_interval, rng.normal(size=(2000, n))))
    assert 1870 <= held <= 1930


@pytest.mark.parametrize("kind", ["few large", "one giant"])
def test_unequal_clusters_cover(kind):
    """A few clusters that hold most of the items: their number, not that of all clusters, says what is known."""
    rng = np.random.default_rng(32)
    sizes = {"few large": [60, 50, 40, *[2] * 25], "one giant": [100, *[5] * 20]}[kind]
    codes, held, naive = np.repeat(np.arange(len(sizes)), sizes), 0, 0
    for _ in range(1000):
        values = rng.normal(size=len(sizes))[codes] + rng.normal(size=codes.size)
        found = mean_interval(values, clusters=codes)
        held += found.low <= 0 <= found.high
        naive += abs(found.estimate) <= 2.0 * found.se
    assert held >= 945
    assert naive < 880


def test_equal_scores_of_unequal_clusters_are_worth_the_large_ones():
    """Ten passes in one conversation and ten alone are nearer to two conversations than to eleven."""
    alone = proportion_interval([1] * 20, clusters=[0] * 10 + list(range(1, 11)))
    assert alone.n_effective == pytest.approx(400 / 110)
