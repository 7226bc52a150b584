"""The bootstrap: an independent library, the shortcut for repeated rows, clusters, coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats as scipy_stats

from lmops.calc.bootstrap import bca_interval, distinct_rows, resampled_sums, sum_by_cluster


def test_bca_agrees_with_scipy():
    """The same limits as scipy's BCa, up to the noise of the draws."""
    values = np.random.default_rng(1).lognormal(size=60)
    other = scipy_stats.bootstrap((values,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(2))
    found = bca_interval(values, draws=20_000)
    width = other.confidence_interval.high - other.confidence_interval.low
    assert found.low == pytest.approx(other.confidence_interval.low, abs=0.02 * width)
    assert found.high == pytest.approx(other.confidence_interval.high, abs=0.02 * width)
    assert found.se == pytest.approx(other.standard_error, rel=0.03)


def test_repeated_rows_have_the_same_distribution():
    """The multinomial shortcut for verdicts draws from the binomial that resampling them is."""
    rows = np.array([[1.0]] * 30 + [[0.0]] * 70)
    sums = resampled_sums(rows, draws=20_000, seed=0)[:, 0]
    expected = scipy_stats.binom(100, 0.3)
    assert sums.mean() == pytest.approx(30, abs=0.15)
    assert sums.std() == pytest.approx(expected.std(), rel=0.03)


@given(arrays(np.float64, st.tuples(st.integers(1, 40), st.integers(1, 4)), elements=st.sampled_from([0.0, 0.5, 1, 7])))
@settings(max_examples=80, deadline=None)
def test_distinct_rows(rows):
    """Each row is there with its count, and nothing else is."""
    distinct, counts = distinct_rows(rows)
    found = {}
    for row, count in zip(distinct, counts, strict=True):
        found[tuple(row)] = found.get(tuple(row), 0) + count
    expected = {}
    for row in rows:
        expected[tuple(row)] = expected.get(tuple(row), 0) + 1
    assert found == expected


def test_same_seed_same_interval():
    """The seed decides, and the order of the values does not matter more than the draws do."""
    values = np.random.default_rng(3).normal(size=50)
    assert bca_interval(values, seed=4) == bca_interval(values, seed=4)
    assert bca_interval(values, seed=4) != bca_interval(values, seed=5)


def test_edges():
    """None and one value have no limits; equal values no width."""
    assert np.isnan(
        [bca_interval([]).estimate, bca_interval([1.0]).low, bca_interval([1, 2], clusters=[0, 0]).low]
    ).all()
    assert (bca_interval([2.0] * 5).low, bca_interval([2.0] * 5).high) == (2.0, 2.0)
    with pytest.raises(ValueError, match="draws"):
        bca_interval([1, 2], draws=1)


def test_clusters_are_drawn_whole():
    """Copies within clusters change nothing; the sums per cluster are what is drawn."""
    values = np.random.default_rng(5).normal(size=20)
    once = bca_interval(values, clusters=range(20))
    thrice = bca_interval(np.repeat(values, 3), clusters=np.repeat(range(20), 3))
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))
    assert sum_by_cluster(np.array([[1.0], [2.0], [4.0]]), np.array([7, 3, 7])).tolist() == [[2.0], [5.0]]


def test_skewed_means_are_covered():
    """Lognormal costs, n = 100: near 95 %, as close as a bootstrap comes."""
    rng = np.random.default_rng(6)
    held = 0
    for i in range(500):
        found = bca_interval(rng.lognormal(sigma=0.7, size=100), draws=1000, seed=i)
        held += found.low <= np.exp(0.245) <= found.high
    assert 0.91 * 500 <= held <= 0.97 * 500


def test_many_rows_take_another_way_to_the_same():
    """Above 50,000 different rows: the same error as the textbook's, and the seed decides here as well."""
    values = np.random.default_rng(7).normal(3, 2, 60_000)
    found = bca_interval(values, draws=300, seed=1)
    assert found.se == pytest.approx(2 / np.sqrt(60_000), rel=0.15)
    assert found.low < found.estimate < found.high
    assert found == bca_interval(values, draws=300, seed=1)
