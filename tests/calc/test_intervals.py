"""Intervals against published examples, an independent library, and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from lmops.calc.intervals import proportion_interval, quantile_interval, quantile_ranks, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [  # Newcombe 1998, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_published(successes, n, low, high):
    """The four worked examples of Newcombe (1998)."""
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_is_vectorised_and_missing_is_nan():
    """Arrays broadcast; no trials and NaN give NaN; the ends are exact."""
    low, high = wilson([0, 10, 0, math.nan], [10, 10, 0, 5])
    assert low.tolist()[0] == 0.0
    assert high.tolist()[1] == 1.0
    assert np.isnan(low[2:]).all()
    assert np.isnan(high[2:]).all()
    assert wilson(3, [10, 20, 30])[0].shape == (3,)


@pytest.mark.parametrize(("successes", "n", "level"), [(3, 2, 0.95), (-1, 5, 0.95), (1, 2, 1.0), (1, 2, 0)])
def test_wilson_refuses(successes, n, level):
    """Impossible counts and levels are errors."""
    with pytest.raises(ValueError, match="must be between"):
        wilson(successes, n, level)


@given(st.integers(1, 5000), st.floats(0, 1), st.floats(0.5, 0.999))
@settings(max_examples=60, deadline=None)
def test_wilson_agrees_with_scipy(n, share, level):
    """scipy computes the same interval, and it holds the observed rate."""
    k = round(n * share)
    low, high = wilson(k, n, level)
    other = scipy_stats.binomtest(k, n).proportion_ci(level, method="wilson")
    assert (float(low), float(high)) == pytest.approx((other.low, other.high), abs=1e-9)
    assert low <= k / n <= high


def test_wilson_coverage():
    """A 95 % interval holds the truth in about 95 % of seeded trials."""
    rng = np.random.default_rng(7)
    for rate, n in ((0.03, 200), (0.2, 50), (0.5, 30)):
        low, high = wilson(rng.binomial(n, rate, 20_000), n)
        assert 0.925 < np.mean((low <= rate) & (rate <= high)) < 0.985


@pytest.mark.parametrize(
    ("n", "q", "ranks"),
    [
        # median: the ranks of the sign test's interval (Conover 1999, table A3 with alpha/2 <= 0.025)
        (6, 0.5, (1, 6)),
        (20, 0.5, (6, 15)),
        (100, 0.5, (40, 61)),
        # the smallest sample whose maximum bounds the p95 from above: 0.95**n <= 0.025, n >= 72
        (71, 0.95, (63, None)),
        (72, 0.95, (64, 72)),
        (5, 0.5, (None, None)),
        (0, 0.5, (None, None)),
    ],
)
def test_quantile_ranks_published(n, q, ranks):
    """Known ranks of order statistics."""
    assert quantile_ranks(n, q) == ranks


@given(st.integers(1, 3000), st.floats(0.01, 0.99), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
@settings(max_examples=60, deadline=None)
def test_quantile_ranks_are_the_tightest(n, q, level):
    """Each tail is held, and the next rank inward would not hold it (binomial of scipy)."""
    tail = (1 - level) / 2
    low, high = quantile_ranks(n, q, level)
    binomial = scipy_stats.binom(n, q)
    if low is not None:
        assert binomial.cdf(low - 1) <= tail * (1 + 1e-9)
    assert binomial.cdf(low or 0) >= tail * (1 - 1e-9)
    if high is not None:
        assert binomial.sf(high - 1) <= tail * (1 + 1e-9)
    assert binomial.sf((high or n + 1) - 2) >= tail * (1 - 1e-9)


def test_quantile_interval_values():
    """Limits are observed values; order and NaN do not matter; what cannot be held is NaN."""
    values = [*range(100, 0, -1), math.nan]
    assert quantile_interval(values, 0.5) == (40.0, 61.0)
    low, high = quantile_interval(range(50), 0.95)
    assert low == 43.0
    assert math.isnan(high)
    assert all(math.isnan(limit) for limit in quantile_interval([], 0.5))
    with pytest.raises(ValueError, match="q must be"):
        quantile_interval([1.0], 95)


def test_quantile_interval_of_clusters():
    """Copies say nothing new, clusters of one are no clusters, and one cluster says nothing."""
    rng = np.random.default_rng(4)
    once, copies = rng.lognormal(size=200), np.repeat(np.arange(200), 5)
    found = quantile_interval(once[copies], 0.95, clusters=copies)
    assert found == pytest.approx(quantile_interval(once, 0.95), rel=0.1)
    assert quantile_interval(once, 0.9, clusters=range(200)) == quantile_interval(once, 0.9)
    assert np.isnan(quantile_interval(once, 0.5, clusters=["a"] * 200)).all()


def test_quantile_interval_of_clusters_covers():
    """Repeats of 100 examples that are alike; as independent values they would hold it in 75 %."""
    rng, codes = np.random.default_rng(12), np.repeat(np.arange(100), 5)
    truth, held, plain = math.exp(scipy_stats.norm.ppf(0.95)), 0, 0
    for _ in range(300):
        values = np.exp(0.95 * rng.normal(size=100)[codes] + 0.31 * rng.normal(size=500))
        for clusters in (codes, None):
            low, high = quantile_interval(values, 0.95, clusters=clusters)
            is_held = not (low > truth or high < truth)
            held, plain = held + is_held * (clusters is not None), plain + is_held * (clusters is None)
    assert plain < 0.85 * 300
    assert held >= 0.92 * 300


def test_quantile_coverage():
    """The interval of the p95 of skewed latencies holds the truth at least 95 % of the time."""
    rng = np.random.default_rng(11)
    truth = math.exp(scipy_stats.norm.ppf(0.95))
    held = 0
    for _ in range(1500):
        low, high = quantile_interval(rng.lognormal(size=300), 0.95)
        held += low <= truth <= high
    assert 0.94 < held / 1500 < 0.985


def test_a_cluster_whose_values_are_all_missing_is_no_cluster():
    """It changes nothing, and nothing is divided by it."""
    values, clusters = [1, 0, 1, 1, 0, 1, 1, 0], list("aabbccdd")
    alone = proportion_interval(values, clusters=clusters)
    with_gap = proportion_interval([*values[:4], math.nan, *values[4:]], clusters=[*clusters[:4], "x", *clusters[4:]])
    assert (with_gap.low, with_gap.high, with_gap.n_clusters) == (alone.low, alone.high, 4)
