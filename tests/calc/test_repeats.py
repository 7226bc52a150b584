"""Repeats: the published ICC, exact counts, flips, where the next answers pay, coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from lmops.calc.repeats import (
    flip_rate,
    items_or_repeats,
    pass_at_k,
    pass_hat_k,
    pass_k_interval,
    variance_split,
)

SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


def test_shrout_and_fleiss():
    """Shrout and Fleiss (1979), tables 2 to 4: BMS 11.24, WMS 6.26, ICC(1,1) .17."""
    found = variance_split(SHROUT_FLEISS)
    assert found.within == pytest.approx(6.26, abs=0.005)
    assert found.between == pytest.approx((11.24 - 6.26) / 4, abs=0.005)
    assert found.icc == pytest.approx(0.17, abs=0.005)
    assert found.se == pytest.approx(found.se_with(n=6, repeats=4))
    assert (found.n, found.repeats) == (6, 4)


def test_split_is_unbiased():
    """Simulated with 1 between and 4 within, repeats missing at random: both come back."""
    rng = np.random.default_rng(1)
    splits = []
    for _ in range(400):
        scores = rng.normal(0, 1, (60, 1)) + rng.normal(0, 2, (60, 5))
        scores[rng.random(scores.shape) < 0.3] = np.nan
        splits.append(variance_split(scores))
    assert np.mean([s.within for s in splits]) == pytest.approx(4, rel=0.03)
    assert np.mean([s.between for s in splits]) == pytest.approx(1, rel=0.08)


def test_split_edges():
    """Nothing, one item, no repeats, no variance: NaN or zero, never a made-up number."""
    assert variance_split(np.empty((0, 3))).n == 0
    assert math.isnan(variance_split([[1, 2, 3]]).between)
    assert variance_split([[1, 2, 3]]).within == 1
    single = variance_split([1.0, 2.0, 4.0])
    assert math.isnan(single.within)
    assert single.se == pytest.approx(np.std([1, 2, 4], ddof=1) / math.sqrt(3))
    flat = variance_split(np.ones((4, 3)))
    assert (flat.between, flat.within, flat.se) == (0, 0, 0)
    assert math.isnan(flat.icc)


def test_items_or_repeats():
    """Labeled items that cost 50 answers: repeats pay while they vary most; free items always pay."""
    noisy = variance_split(
        np.random.default_rng(2).normal(0, 1, (200, 2)) + np.random.default_rng(3).normal(0, 0.5, (200, 1))
    )
    advice = items_or_repeats(noisy, cost_per_item=50)
    assert advice.more == "repeats"
    assert advice.best_repeats == pytest.approx(math.sqrt(noisy.within / noisy.between * 50), abs=0.5)
    free = items_or_repeats(noisy)
    assert (free.more, free.best_repeats) == ("items", 1)
    assert free.se_more_items == pytest.approx(free.se_now / math.sqrt(2))
    assert free.se_more_items <= free.se_more_repeats <= free.se_now
    assert items_or_repeats(variance_split([1.0, 2.0])).more == "unknown"
    assert items_or_repeats(variance_split([[0, 1], [1, 0]]), cost_per_item=1).more == "repeats"
    with pytest.raises(ValueError, match="cost"):
        items_or_repeats(noisy, cost_per_answer=0)


def test_flip_rate():
    """One in two items flips; of its three repeats two of three pairs differ; single repeats say nothing."""
    found = flip_rate([[1, 1, 0], [1, 1, 1], [1, math.nan, math.nan]])
    assert (found.pair_rate, found.item_rate, found.n) == (pytest.approx(1 / 3), 0.5, 2)
    assert math.isnan(flip_rate([1, 0, 1]).pair_rate)
    rng = np.random.default_rng(4)
    rates = [flip_rate(rng.random((4000, k)) < 0.3).pair_rate for k in (2, 5, 9)]
    assert rates == pytest.approx([0.42] * 3, abs=0.03)  # 2 p (1 - p), whatever the number of repeats


@given(st.integers(1, 40), st.data())
@settings(max_examples=60, deadline=None)
def test_pass_k_are_the_published_ratios(n, data):
    """Chen et al. (2021) and tau-bench (2024) by whole numbers; at k = 1 both are the pass rate."""
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    assert float(pass_at_k(c, n, k)) == pytest.approx(1 - math.comb(n - c, k) / math.comb(n, k))
    assert float(pass_hat_k(c, n, k)) == pytest.approx(math.comb(c, k) / math.comb(n, k))
    assert float(pass_at_k(c, n, 1)) == pytest.approx(c / n)
    assert pass_hat_k(c, n, k) <= pass_hat_k(c, n, 1) + 1e-12
    assert pass_at_k(c, n, k) >= pass_at_k(c, n, 1) - 1e-12


def test_pass_k_edges():
    """Too few repeats cannot say; impossible counts are errors; large counts do not overflow."""
    assert np.isnan(pass_at_k([1, 2], [2, 3], 3)).tolist() == [True, False]
    assert 0 < float(pass_at_k(10, 100_000, 5000)) < 1
    with pytest.raises(ValueError, match="k must"):
        pass_at_k(1, 2, 0)
    with pytest.raises(ValueError, match="passed must"):
        pass_hat_k(3, 2, 1)
    with pytest.raises(ValueError, match="0 or 1"):
        pass_k_interval([[0.5]], 1)
    assert pass_k_interval([[1], [0]], 2).n == 0
    assert pass_k_interval(np.empty((0, 2)), 1).n == 0


@pytest.mark.parametrize(("kind", "k"), [("any", 2), ("all", 3)])
def test_pass_k_interval_covers(kind, k):
    """Items of different difficulty: the interval over items holds the mean of p^k, or of 1 - (1 - p)^k."""
    rng = np.random.default_rng(5)
    p = rng.beta(3, 1.5, 1_000_000)
    truth = np.mean(p**k if kind == "all" else 1 - (1 - p) ** k)
    held = 0
    for _ in range(400):
        verdicts = rng.random((80, 4)) < rng.beta(3, 1.5, (80, 1))
        found = pass_k_interval(verdicts, k, kind=kind)
        held += found.low <= truth <= found.high
    assert 0.92 * 400 <= held <= 0.98 * 400


def test_pass_k_with_clusters():
    """Items that are copies of each other, clustered, have the interval of one copy."""
    verdicts = np.random.default_rng(6).random((15, 4)) < 0.6
    once = pass_k_interval(verdicts, 2, clusters=range(15))
    thrice = pass_k_interval(np.repeat(verdicts, 3, axis=0), 2, clusters=np.repeat(range(15), 3))
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))
    assert thrice.method == "pass@2, wilson or jeffreys, clustered"


@pytest.mark.parametrize(("n", "rate"), [(20, 0.95), (50, 0.99), (100, 0.995)])
def test_pass_k_covers_rates_at_which_wilson_does_not(n, rate):
    """Exactly, over all counts of items that pass: Wilson's limits alone hold these rates in 91 to 93 %."""
    held = 0.0
    for passes in range(n + 1):
        found = pass_k_interval((np.arange(n) < passes)[:, None], 1)
        held += scipy_stats.binom.pmf(passes, n, rate) * (found.low <= rate <= found.high)
    assert held >= 0.94
