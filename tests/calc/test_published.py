"""Published worked examples of coefficients, tests and plans; the source stands beside each."""

import math

import numpy as np
import pytest
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import power_proportions_2indep, proportion_effectsize

from lmops.calc.agreement import (
    brennan_prediger,
    cohen_kappa,
    conger_kappa,
    fleiss_kappa,
    gwet_ac1,
    krippendorff_alpha,
)
from lmops.calc.judge import calibrate, ppi_mean
from lmops.calc.multiple import adjust
from lmops.calc.paired import mcnemar_chi2
from lmops.calc.power import n_for_two_means, n_for_two_rates, power_of_two_rates
from lmops.calc.reliability import icc
from lmops.calc.repeats import pass_k_interval
from lmops.calc.retrieval import ndcg_at_k
from lmops.calc.sequential import betting_test

N = math.nan
#: Krippendorff 2011 and Gwet's handbook: twelve units, four raters, some ratings missing.
UNITS = np.array([
    [1, 1, N, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4], [4, 4, 4, 4], [1, 1, 2, 1],
    [2, 2, 2, 2], [N, 5, 5, 5], [N, N, 1, 1], [N, N, 3, N],
])  # fmt: skip  # arguments that belong together share a line
#: Shrout and Fleiss 1979, table 2: six targets, four judges.
TARGETS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
FEW = {"draws": 50}


@pytest.mark.parametrize(
    ("scale", "value"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)]
)
def test_krippendorff_alpha_on_every_scale(scale, value):
    """K. Krippendorff, Computing Krippendorff's alpha-reliability (2011), section C."""
    assert krippendorff_alpha(UNITS, scale=scale, **FEW).value == pytest.approx(value, abs=5e-4)


@pytest.mark.parametrize(
    ("coefficient", "value", "se"),
    [(gwet_ac1, 0.77544, 0.14295), (brennan_prediger, 0.77273, 0.14472), (conger_kappa, 0.76282, None)],
)
def test_coefficients_of_gwet(coefficient, value, se):
    """K. L. Gwet, Handbook of Inter-Rater Reliability, 4th ed. (2014); his package irrCAC has these figures."""
    found = coefficient(UNITS, **FEW)
    assert found.value == pytest.approx(value, abs=5e-6)
    assert se is None or found.se == pytest.approx(se, abs=5e-6)


def test_conger_of_two_raters_is_cohen():
    """The definition: A. J. Conger, Psychological Bulletin 88 (1980)."""
    a, b = [1, 1, 2, 2, 3, 1, 2, 3], [1, 2, 2, 2, 3, 1, 1, 3]
    pairs = np.column_stack((a, b))
    assert conger_kappa(pairs, **FEW).value == pytest.approx(cohen_kappa(a, b, **FEW).value)


@pytest.mark.parametrize(
    ("kind", "single", "average"), [("icc1", 0.17, 0.44), ("icc2", 0.29, 0.62), ("icc3", 0.71, 0.91)]
)
def test_intraclass_correlations(kind, single, average):
    """P. E. Shrout, J. L. Fleiss, Psychological Bulletin 86 (1979), table 4."""
    one, many = icc(TARGETS, kind=kind), icc(TARGETS, kind=kind, average=True)
    assert (one.value, many.value) == (pytest.approx(single, abs=5e-3), pytest.approx(average, abs=5e-3))
    assert one.low < one.value < one.high
    assert (one.n, one.n_raters) == (6, 4)


def test_intervals_of_intraclass_correlations():
    """The same data by the R package psych, as its help page shows them."""
    found = [(one.low, one.high) for one in (icc(TARGETS, kind=kind) for kind in ("icc1", "icc2", "icc3"))]
    assert found[0] == pytest.approx((-0.133, 0.723), abs=1e-3)
    assert found[1] == pytest.approx((0.019, 0.761), abs=1e-3)
    assert found[2] == pytest.approx((0.342, 0.946), abs=1e-3)


def test_intraclass_correlation_edges():
    """Too few, missing, nothing varies, raters that agree."""
    assert math.isnan(icc([[1, 2]]).value)
    assert icc([[1, 2], [2, N], [3, 4], [5, 5]]).n_missing == 1
    assert math.isnan(icc([[1, 1], [1, 1]]).value)
    assert icc([[1, 1], [2, 2], [5, 5]]).value == 1


def test_mcnemar_chi_square():
    """A. Agresti, Categorical Data Analysis, 2nd ed. (2002), table 10.1: approval ratings, 150 and 86 changed."""
    statistic, p_value = mcnemar_chi2(150, 86)
    assert (float(statistic), float(p_value)) == (pytest.approx(17.36, abs=5e-3), pytest.approx(3.1e-5, rel=0.02))
    assert float(mcnemar_chi2(150, 86, corrected=True)[0]) == pytest.approx(63**2 / 236)
    assert [float(one) for one in mcnemar_chi2(0, 0)] == [0, 1]
    with pytest.raises(ValueError, match="negative"):
        mcnemar_chi2(-1, 2)


def test_two_groups():
    """statsmodels as the oracle; J. Cohen 1988: half a standard deviation takes 63 in each group by z."""
    assert n_for_two_means(0.5, sd_a=1) == (63, 63)
    n_a, n_b = n_for_two_rates(0.65, 0.85)
    assert n_a == n_b
    assert 0.8 <= power_of_two_rates(0.65, 0.85, n_a=n_a, n_b=n_b) < 0.81
    assert power_proportions_2indep(0.2, 0.65, n_a).power == pytest.approx(0.8, abs=0.02)
    effect = proportion_effectsize(0.8, 0.9)
    needed = NormalIndPower().solve_power(effect, alpha=0.05, power=0.8)
    assert n_for_two_rates(0.8, 0.9)[0] == pytest.approx(needed, rel=0.03)
    assert n_for_two_rates(0.8, 0.9, ratio=2) == pytest.approx((316, 158), rel=0.06)
    assert n_for_two_rates(0.5, 0.5) is None
    assert n_for_two_means(0, sd_a=1) is None
    for call in (lambda: n_for_two_rates(1.2, 0.5), lambda: n_for_two_means(1, sd_a=-1)):
        with pytest.raises(ValueError, match="must"):
            call()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: krippendorff_alpha(UNITS, scale="ratios"), "did you mean 'ratio'"),
        (lambda: krippendorff_alpha(-UNITS, scale="ratio"), "not negative"),
        (lambda: krippendorff_alpha([["a", "b"]], scale="ratio"), "needs numbers"),
        (lambda: cohen_kappa([1, 2], [1, 2], weights="quadratc"), "did you mean 'quadratic'"),
        (lambda: icc(TARGETS, kind="icc4"), "kind must be one of"),
        (lambda: ndcg_at_k(["a"], {"a"}, gain="exp"), "gain must be one of"),
        (lambda: pass_k_interval([[1, 0]], 1, kind="some"), "kind must be one of"),
        (lambda: betting_test([1, 0], 0.5, side="over"), "side must be one of"),
        (lambda: adjust([0.1], "holms"), "method must be one of"),
    ],
)
def test_an_unknown_option_is_refused(call, words):
    """And never computed as something else."""
    with pytest.raises(ValueError, match=words):
        call()


def test_clusters_widen_what_is_known_of_a_judge():
    """Ten copies of each item know no more than one of each."""
    rng = np.random.default_rng(8)
    human = (rng.random(40) < 0.7).astype(float)
    judge = np.where(rng.random(40) < 0.9, human, 1 - human)
    codes = np.repeat(np.arange(40), 10)
    copies = calibrate(np.repeat(judge, 10), np.repeat(human, 10), clusters=codes, draws=200)
    once = calibrate(judge, human, draws=200)
    for name in ("sensitivity", "kappa", "ac1"):
        wide, single = getattr(copies, name), getattr(once, name)
        assert wide.high - wide.low == pytest.approx(single.high - single.low, rel=0.25)
    extra = (rng.random(400) < 0.7).astype(float)
    labeled = ppi_mean(np.repeat(human, 10), np.repeat(judge, 10), extra, clusters=codes)
    plain = ppi_mean(np.repeat(human, 10), np.repeat(judge, 10), extra)
    assert labeled.high - labeled.low > 2 * (plain.high - plain.low)
    assert fleiss_kappa(UNITS, **FEW).se > 0
