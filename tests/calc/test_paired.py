"""Paired comparisons: published examples, oracles, symmetry, coverage and error rates by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from lmops.calc.arrays import t_value
from lmops.calc.paired import (
    flips,
    mcnemar,
    mcnemar_p,
    paired_bootstrap,
    paired_difference,
    sign_flip_test,
)

SCORES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=25)


def test_mcnemar_published():
    """Fagerland, Lydersen and Laake (2013): airway hyper-responsiveness (1, 7) and complete response (6, 16)."""
    assert mcnemar_p([1, 6], [7, 16]) == pytest.approx([0.039, 0.035], abs=5e-4)
    assert mcnemar_p([1, 6], [7, 16], mid_p=False) == pytest.approx([0.070, 0.052], abs=5e-4)


@given(st.integers(0, 60), st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_mcnemar_exact_is_that_of_statsmodels(gained, lost):
    """The exact p-value; mid-p is never larger, and the sides may be swapped."""
    exact = float(mcnemar_p(gained, lost, mid_p=False))
    if gained + lost:
        assert exact == pytest.approx(statsmodels_mcnemar([[0, gained], [lost, 0]], exact=True).pvalue)
    mid = float(mcnemar_p(gained, lost))
    assert 0 < mid <= exact <= 1
    assert mid == float(mcnemar_p(lost, gained))


def test_bonett_price_from_the_formula():
    """Bentur et al. (2009) as in Fagerland et al. (2014): 1 and 7 of 21 disagree."""
    a = [1, 1, *[0] * 7, *[0] * 12]
    b = [1, 0, *[1] * 7, *[0] * 12]
    found = paired_difference(a, b)
    assert found.method == "bonett-price"
    assert found.difference == pytest.approx(-6 / 21)
    up, down = 2 / 23, 8 / 23
    half = 1.959964 * math.sqrt((up + down - (up - down) ** 2) / 23)
    assert (found.low, found.high) == pytest.approx((up - down - half, up - down + half), abs=1e-6)
    assert (found.low, found.high) == pytest.approx((-0.508, -0.013), abs=2e-3)


def test_paired_t_is_that_of_scipy():
    """One score per item: scipy's paired t-test and its interval."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 40))
    expected = scipy_stats.ttest_rel(a, b)
    found = paired_difference(a, b)
    assert found.p_value == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.correlation == pytest.approx(np.corrcoef(a, b)[0, 1])
    variance = a.var(ddof=1) + b.var(ddof=1) - 2 * np.cov(a, b)[0, 1]  # Miller 2024: Va + Vb - 2 Cov
    assert found.se**2 * 40 == pytest.approx(variance)


def test_clustered_error_is_that_of_statsmodels():
    """The differences regressed on a constant, errors clustered, t with G - 1 degrees of freedom for equal sizes."""
    rng = np.random.default_rng(2)
    groups = rng.permutation(np.arange(100) % 20)
    a, b = 0.5 + (rng.normal(size=(2, 100)) + rng.normal(size=20)[groups] * [[1], [0]]) / 20
    fit = sm.OLS(a - b, np.ones(100)).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": True, "df_correction": True}, use_t=True
    )
    found = paired_difference(a, b, clusters=groups)
    assert found.se == pytest.approx(float(fit.bse[0]))
    assert found.p_value == pytest.approx(float(fit.pvalues[0]))
    assert (found.low, found.high) == pytest.approx(tuple(fit.conf_int()[0]))
    assert found.design_effect == pytest.approx((found.se / ((a - b).std(ddof=1) / 10)) ** 2)


def test_costs_in_clusters_allow_for_long_tails():
    """Skewed costs get wider limits, the more so to the side of the long tail; p goes with the limits."""
    clusters = np.repeat(np.arange(20), 5)
    d = np.repeat(np.exp(np.random.default_rng(5).normal(size=20)), 5)
    found = paired_difference(d, 0 * d, clusters=clusters)
    half = t_value(0.95, 19) * found.se
    assert found.method == "paired t, clustered, long tails"
    assert found.low <= found.difference - half
    assert found.high - found.difference > 1.2 * half
    for level in np.linspace(0.05, 0.999, 40):
        at = paired_difference(d - 1, 0 * d, clusters=clusters, level=level)
        assert (at.low > 0 or at.high < 0) == (at.p_value < 1 - level)


def test_even_costs_in_clusters_lose_little():
    """Where no tail is seen the limits are those of Student, or a little wider."""
    d = np.random.default_rng(5).uniform(2, 4, size=200)
    clusters = np.arange(200) % 40
    found = paired_difference(d + 100, np.full(200, 100.0), clusters=clusters)
    half = t_value(0.95, 39) * found.se
    assert half <= (found.high - found.low) / 2 < 1.1 * half


def test_one_variant_that_costs_more_has_a_long_tail():
    """The differences are as skewed as the costs: the long side is longer, and p goes with the limits."""
    d = np.exp(np.random.default_rng(5).normal(size=20))
    plain, found = (paired_difference(d, 0 * d, long_tails=tails) for tails in (False, True))
    assert (plain.method, found.method) == ("paired t", "paired t, long tails")
    assert found.low <= plain.low
    assert found.high - found.difference > 1.5 * (plain.high - plain.difference)
    assert found.p_value >= plain.p_value


def test_small_costs_are_no_shares():
    """What is known of a cost does not depend on its unit: dollars and cents have the same limits."""
    rng = np.random.default_rng(6)
    a, b = 1e-3 * np.exp(rng.normal(size=(2, 40)))
    a[4:], clusters = b[4:], np.arange(40) % 10
    for more in ({}, {"clusters": clusters}):
        dollars, cents = (
            paired_difference(a * unit, b * unit, has_ends=False, long_tails=True, **more) for unit in (1, 1e5)
        )
        assert (cents.low, cents.high) == pytest.approx((1e5 * dollars.low, 1e5 * dollars.high))
    assert math.isnan(paired_difference(b, b, has_ends=False).low)


def test_repeats_are_averaged_first():
    """Items are the sample: ten identical repeats know no more than one, and unequal numbers of repeats are fine."""
    a, b = np.array([0.2, 0.9, 0.4, 0.7]), np.array([0.1, 0.8, 0.6, 0.2])
    once = paired_difference(a, b)
    many = paired_difference(np.repeat(a[:, None], 10, axis=1), np.repeat(b[:, None], 3, axis=1))
    assert (many.low, many.high) == pytest.approx((once.low, once.high))
    assert (many.within_a, many.repeats_a, many.repeats_b) == (pytest.approx(0, abs=1e-12), 10, 3)
    assert math.isnan(once.within_a)
    ragged = paired_difference([[1, math.nan], [0, 1], [1, 1]], [[0, 0], [0, 0], [math.nan, math.nan]])
    assert (ragged.n, ragged.n_missing, ragged.difference) == (2, 1, 0.75)


@given(SCORES, st.randoms())
@settings(max_examples=60, deadline=None)
def test_symmetry_order_and_scale(pairs, shuffler):
    """Swapping the two turns the sign; the order of items does not matter; a scale goes through."""
    shuffled = list(pairs)
    shuffler.shuffle(shuffled)
    (a, b), (c, d) = zip(*pairs, strict=True), zip(*shuffled, strict=True)
    found, swapped, other = paired_difference(a, b), paired_difference(b, a), paired_difference(c, d)
    assert swapped.difference == pytest.approx(-found.difference)
    assert (swapped.low, swapped.high) == pytest.approx((-found.high, -found.low), abs=1e-9)
    assert (other.low, other.high) == pytest.approx((found.low, found.high), abs=1e-9)
    scaled = paired_difference(np.array(a) * 50 - 20, np.array(b) * 50 - 20)
    if found.method == scaled.method == "paired t" and found.se > 1e-9:
        assert (scaled.low, scaled.high) == pytest.approx((50 * found.low, 50 * found.high), abs=1e-6)
    assert found.low <= found.high


def test_edges():
    """Nothing, one pair, one cluster: no limits; equal differences get a width where the scale is known."""
    assert paired_difference([], []).n == 0
    assert math.isnan(paired_difference([], []).difference)
    assert math.isnan(paired_difference([1], [0]).low)
    assert math.isnan(paired_difference([1, 0], [0, 0], clusters=["a", "a"]).low)
    alike = paired_difference([0.5] * 20, [0.5] * 20)
    assert alike.method == "plus two pairs"
    assert -0.15 < alike.low < 0 < alike.high < 0.15
    assert alike.p_value == 1
    fewer = paired_difference([0.5] * 20, [0.5] * 20, clusters=np.arange(20) // 5)
    assert fewer.high > 2 * alike.high
    assert math.isnan(paired_difference([300.0] * 5, [200.0] * 5).low)
    with pytest.raises(ValueError, match="same items"):
        paired_difference([1, 2], [1])


def test_flips():
    """Who passes where, at a threshold, with repeats averaged and missing pairs counted."""
    table = flips([1, 1, 0, 0, math.nan], [1, 0, 1, 0, 1])
    assert (table.gained, table.lost, table.both, table.neither, table.n, table.n_missing) == (1, 1, 1, 1, 4, 1)
    assert table.discordance == 0.5
    assert flips([[1, 1, 0]], [[0, 0, 1]]).gained == 1
    assert math.isnan(flips([], []).discordance)
    assert math.isnan(mcnemar([], []).p_value)
    assert mcnemar([1, 0], [1, 0]).p_value == 1


@pytest.mark.parametrize("n", [3, 12, 20])
def test_sign_flips_exact_are_those_of_scipy(n):
    """All 2^n patterns, as scipy enumerates them; ties and zeros included."""
    d = np.random.default_rng(n).integers(-3, 5, n).astype(float)
    expected = (
        scipy_stats.permutation_test(
            (d,), np.mean, permutation_type="samples", n_resamples=np.inf, vectorized=True
        ).pvalue
        if n <= 12
        else float(np.mean(np.abs(_patterns(n) @ d) >= abs(d.sum())))
    )
    found = sign_flip_test(d)
    assert found.is_exact
    assert found.p_value == pytest.approx(expected)


def _patterns(n):
    return 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1) - 1


def test_sign_flips_by_draws():
    """Above twenty: close to the normal p-value, never 0, for continuous, repeated and clustered differences."""
    rng = np.random.default_rng(5)
    d = rng.normal(0.1, 1, 300)
    found = sign_flip_test(d)
    z = d.sum() / math.sqrt(np.square(d).sum())
    assert found.p_value == pytest.approx(2 * scipy_stats.norm.sf(abs(z)), abs=0.02)
    assert not found.is_exact
    verdicts = rng.integers(-1, 2, 300) + (rng.random(300) < 0.1) * (rng.integers(0, 2, 300) - 0.0)
    verdicts = np.clip(verdicts, -1, 1)
    exact = float(mcnemar_p((verdicts > 0).sum(), (verdicts < 0).sum(), mid_p=False))  # the same test
    assert sign_flip_test(verdicts).p_value == pytest.approx(exact, abs=0.015)
    assert sign_flip_test(np.ones(200)).p_value == pytest.approx(1 / 10_001)
    whole = sign_flip_test(np.ones(200), clusters=np.arange(200) // 50)
    assert (whole.p_value, whole.n) == (2 / 16, 4)
    assert math.isnan(sign_flip_test([]).p_value)
    assert sign_flip_test([0.0, 0.0]).p_value == 1


def test_bootstrap_is_close_to_t():
    """Enough well-behaved pairs: both intervals agree; the limits of the bootstrap turn with the sides."""
    rng = np.random.default_rng(6)
    a, b = rng.normal(size=(2, 300))
    plain, boot = paired_difference(a, b), paired_bootstrap(a, b)
    assert boot.method == "bca"
    assert (boot.low, boot.high) == pytest.approx((plain.low, plain.high), abs=0.02)
    assert (boot.difference, boot.p_value) == (plain.difference, plain.p_value)
    clustered = paired_bootstrap(a, b, clusters=np.arange(300) // 3)
    assert clustered.n_clusters == 100


@pytest.mark.parametrize(("n", "rate", "gain"), [(40, 0.7, 0.0), (50, 0.9, 0.05), (200, 0.8, 0.1)])
def test_paired_verdicts_cover(n, rate, gain):
    """Verdicts that hang together: Bonett and Price's interval holds the truth; few flips make it wide."""
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(1500):
        b = rng.random(n) < rate
        a = np.where(rng.random(n) < 0.7, b, rng.random(n) < rate) | (rng.random(n) < gain / (1 - rate))
        found = paired_difference(a, b)
        held += found.low <= gain <= found.high
    assert 0.94 * 1500 <= held <= 0.98 * 1500


@pytest.mark.parametrize(("groups", "size", "repeats"), [(12, 5, 1), (40, 3, 1), (30, 1, 4), (20, 4, 3)])
def test_clustered_and_repeated_differences_cover(groups, size, repeats):
    """Shared effects of clusters, noise between repeats: 95 % hold."""
    rng = np.random.default_rng(8)
    held = 0
    codes = np.repeat(np.arange(groups), size)
    for _ in range(1000):
        effect = rng.normal(0, 0.5, groups)[codes] + rng.normal(0, 0.5, groups * size)
        a = effect[:, None] + rng.normal(size=(groups * size, repeats)) + 0.3
        b = rng.normal(size=(groups * size, repeats))
        found = paired_difference(a, b, clusters=codes if size > 1 else None)
        held += found.low <= 0.3 <= found.high
    assert 930 <= held <= 970


def test_mcnemar_mid_p_holds_its_level():
    """Under no difference, 10 to 60 items: rejections near 5 %, the exact test far below."""
    rng = np.random.default_rng(9)
    for n in (10, 25, 60):
        discordant = rng.binomial(n, 0.4, 20_000)
        gained = rng.binomial(discordant, 0.5)
        mid = np.mean(mcnemar_p(gained, discordant - gained) <= 0.05)
        exact = np.mean(mcnemar_p(gained, discordant - gained, mid_p=False) <= 0.05)
        assert exact < mid < 0.056


def test_sign_flips_hold_their_level():
    """Skewed around the same mean is not the null; symmetric is: 5 % at 5 %."""
    rng = np.random.default_rng(10)
    p = [sign_flip_test(rng.standard_t(3, 15)).p_value for _ in range(600)]
    assert 0.03 < np.mean(np.array(p) <= 0.05) < 0.07


@pytest.mark.parametrize(
    ("groups", "size", "gain", "loss", "alike"),
    [(20, 5, 0.1, 0.05, 0.3), (30, 5, 0.01, 0.03, 0.5), (40, 5, 0.1, 0.05, 0.5)],
)
def test_clustered_verdicts_cover(groups, size, gain, loss, alike):
    """Verdicts that flip together within clusters, also when hardly any flips."""
    rng = np.random.default_rng(11)
    shares = [gain, loss, 1 - gain - loss]
    codes = np.repeat(np.arange(groups), size)
    held = 0
    for _ in range(1000):
        common = rng.choice(3, size=groups, p=shares)[codes]
        kind = np.where(rng.random(codes.size) < alike, common, rng.choice(3, size=codes.size, p=shares))
        found = paired_difference(kind != 1, kind != 0, clusters=codes)
        held += found.low <= gain - loss <= found.high
    assert found.method == "bonett-price, clustered"
    assert 940 <= held <= 990


def test_few_flips_of_repeats_are_not_overrated():
    """One answer of 600 differs: the interval is as wide as that of no difference at all, not a hair's breadth."""
    a, b = np.ones((200, 3)), np.ones((200, 3))
    alike = paired_difference(a, b)
    b[0, 0] = 0
    found = paired_difference(a, b)
    assert found.method == "plus two pairs"
    assert found.high - found.low == pytest.approx(alike.high - alike.low, rel=0.1)
    assert found.se > 2 * (1 / 3) / 200
    rng = np.random.default_rng(12)
    held = 0
    for _ in range(800):
        p = rng.beta(3, 0.1, (100, 1))
        found = paired_difference(rng.random((100, 5)) < p, rng.random((100, 5)) < p)
        held += found.low <= 0 <= found.high
    assert 750 <= held <= 795


@pytest.mark.parametrize("is_verdict", [False, True])
def test_a_cluster_that_holds_half_of_the_items_is_no_false_alarm(is_verdict):
    """G - 1 degrees of freedom would hold the truth in about 85 % of trials, or less."""
    rng = np.random.default_rng(31)
    held, codes = 0, np.concatenate((np.zeros(60, dtype=int), 1 + np.arange(60) % 20))
    for _ in range(600):
        shared = rng.normal(size=(2, 21))[:, codes]
        a, b = (shared > 0.5) if is_verdict else shared + rng.normal(size=(2, 120))
        found = paired_difference(a, b, clusters=codes)
        held += found.low <= 0 <= found.high
    assert held >= 570
