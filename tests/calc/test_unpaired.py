"""Two independent groups: the published example, oracles, edges, coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

from lmops.calc.decide import decide
from lmops.calc.unpaired import mean_difference, newcombe, rate_difference

COUNTS = st.tuples(st.integers(1, 200), st.floats(0, 1)).map(lambda pair: (round(pair[0] * pair[1]), pair[0]))


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [  # Newcombe (1998), table II, method 10
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((10, 10, 0, 10), 0.6075, 1.0000),
    ],
)
def test_newcombe_published(counts, low, high):
    """The worked examples of Newcombe (1998)."""
    assert newcombe(*counts) == pytest.approx((low, high), abs=5e-5)


@given(COUNTS, COUNTS)
@settings(max_examples=50, deadline=None)
def test_rates_are_those_of_statsmodels(a, b):
    """The same limits, the pooled z-test, and mirrored when the groups swap."""
    found, swapped = rate_difference(*a, *b), rate_difference(*b, *a)
    expected = confint_proportions_2indep(*a, *b, method="newcomb", compare="diff")
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-9)
    assert (swapped.low, swapped.high) == pytest.approx((-found.high, -found.low), abs=1e-12)
    if 0 < a[0] + b[0] < a[1] + b[1]:
        assert found.p_value == pytest.approx(proportions_ztest([a[0], b[0]], [a[1], b[1]])[1], abs=1e-9)
    else:
        assert found.p_value == 1


def test_welch_is_that_of_scipy():
    """Unequal spreads and sizes; each item its own cluster changes nothing; copies in clusters add nothing."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=12), rng.normal(0.5, 3, size=30)
    expected = scipy_stats.ttest_ind(a, b, equal_var=False)
    interval = expected.confidence_interval()
    for clusters in ({}, {"clusters_a": range(12), "clusters_b": range(30)}):
        found = mean_difference([*a, math.nan][: 12 + (not clusters)], b, **clusters)
        assert found.p_value == pytest.approx(expected.pvalue)
        assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    copies = mean_difference(np.repeat(a, 4), b, clusters_a=np.repeat(range(12), 4), clusters_b=range(30))
    assert (copies.low, copies.high) == pytest.approx((interval.low, interval.high))
    assert (copies.n, copies.n_clusters) == (78, 42)


def test_edges():
    """Empty groups, single items, no spread, clusters on one side only."""
    assert math.isnan(rate_difference(0, 0, 1, 2).low)
    assert math.isnan(rate_difference(0, 0, 1, 2).p_value)
    assert math.isnan(mean_difference([], [1, 2]).difference)
    assert math.isnan(mean_difference([1], [1, 2]).low)
    assert math.isnan(mean_difference([1, 1], [2, 2]).low)
    assert np.isnan(newcombe([0, 1], [0, 2], 1, 2)[0]).tolist() == [True, False]
    assert not math.isnan(mean_difference([0, 1e-160, 3e-160], [0, 2e-160]).low)  # squares of the errors underflow
    with pytest.raises(ValueError, match="both groups"):
        mean_difference([1], [2], clusters_a=["x"])


def test_decisions_on_two_groups():
    """The same four words; the items needed are those of both groups together."""
    assert decide(rate_difference(90, 100, 60, 100)).outcome == "better"
    open_question = decide(rate_difference(82, 100, 80, 100), margin=0.05)
    assert open_question.outcome == "inconclusive"
    assert open_question.n_needed > 200
    assert decide(mean_difference([], [])).outcome == "inconclusive"


def test_groups_cover():
    """Unequal groups: Newcombe's and Welch's intervals hold the truth."""
    rng = np.random.default_rng(2)
    low, high = newcombe(rng.binomial(30, 0.9, 20_000), 30, rng.binomial(80, 0.7, 20_000), 80)
    assert 0.935 < np.mean((low <= 0.2) & (high >= 0.2)) < 0.975
    held = 0
    for _ in range(1000):
        found = mean_difference(rng.normal(size=8), rng.normal(0, 4, size=25))
        held += found.low <= 0 <= found.high
    assert 930 <= held <= 970
