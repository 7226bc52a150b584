"""Judges: published and reference values, edge cases, coverage of what is corrected."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm

from lmops.calc.judge import (
    calibrate,
    labels_for_width,
    position_bias,
    ppi_mean,
    self_preference,
    verbosity_slope,
)

Y = [1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0, 0]
F = [0.9, 0.2, 0.7, 0.8, 0.4, 0.6, 0.9, 0.3, 0.5, 0.8, 0.1, 0.4]
U = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.85, 0.75, 0.65, 0.55, 0.45, 0.35, 0.25, 0.15, 0.05, 0.99,
     0.88, 0.77, 0.66, 0.51]  # fmt: skip  # many words: packed, they are read at a glance


def test_calibration():
    """Counts, rates with intervals, agreement and base rates, missing ones counted."""
    found = calibrate([1, 1, 1, 0, 0, 1, None], [1, 1, 0, 0, 1, None, 1], draws=50)
    assert (found.true_pass, found.false_pass, found.true_fail, found.false_fail) == (2, 1, 1, 1)
    assert (found.n, found.n_missing) == (5, 2)
    assert found.sensitivity.estimate == pytest.approx(2 / 3)
    assert found.specificity.n == 2
    assert (found.base_rate, found.judge_rate) == (0.6, 0.6)
    assert found.kappa.value == pytest.approx((0.6 - 0.52) / 0.48)
    assert found.is_better_than_chance
    one_sided = calibrate([1, 1], [1, 1], draws=50)
    assert math.isnan(one_sided.specificity.estimate)
    assert not one_sided.is_better_than_chance
    assert calibrate([], []).n == 0
    with pytest.raises(ValueError, match="0 or 1"):
        calibrate([0.5], [1])


def test_labels_for_width():
    """An even rate to ten points."""
    assert labels_for_width(0.1, rate=0.5) == 97


def test_ppi_reference():
    """ppi-python 0.2.3 on the same data: weight .984, 1 and 0 (its interval has the normal quantile and ddof 0)."""
    assert ppi_mean(Y, F, U, folds=1).estimate == pytest.approx(0.5878448876)
    assert ppi_mean(Y, F, U, weight=1).estimate == pytest.approx(0.5879166667)
    assert ppi_mean(Y, F, U, weight=0).estimate == pytest.approx(np.mean(Y))
    found = ppi_mean(Y, F, U, folds=1)
    rest = np.array(Y) - found.weight * np.array(F)
    half = 1.959964 * math.sqrt(found.weight**2 * np.var(U) / 24 + rest.var() / 12)
    assert (found.estimate - half, found.estimate + half) == pytest.approx((0.38727166, 0.78841811), abs=1e-6)
    assert found.se == pytest.approx(half / 1.959964, rel=0.04)


def test_ppi_edges():
    """No labels, one label, no verdicts elsewhere, a judge that never varies, a perfect judge."""
    assert math.isnan(ppi_mean([], [], U).estimate)
    assert math.isnan(ppi_mean([1], [1], U).low)
    assert ppi_mean(Y, F, []).weight == 0
    flat = ppi_mean(Y, [0.5] * 12, [0.5] * 20)
    assert (flat.weight, flat.estimate) == (0, pytest.approx(np.mean(Y)))
    perfect = ppi_mean(Y, Y, [0.0, 1.0] * 500)
    assert perfect.weight > 0.9
    assert perfect.n_effective > 100
    with pytest.raises(ValueError, match="weight must"):
        ppi_mean(Y, F, U, weight=2)
    with pytest.raises(ValueError, match="same items"):
        ppi_mean(Y, F[:-1], U)


def test_verdicts_count_as_people_called_them():
    """A worked example: by the share of passes in each verdict, with limits that lean as few errors do."""
    found = ppi_mean([1] * 19 + [0] + [0] * 9 + [1], [1] * 20 + [0] * 10, [1] * 50 + [0] * 20)
    assert found.estimate == pytest.approx(0.7 * 19 / 20 + 0.3 * 1 / 10)
    assert 0 < found.low < found.estimate < found.high < 1
    turned = ppi_mean([0] * 19 + [1] + [1] * 9 + [0], [0] * 20 + [1] * 10, [0] * 50 + [1] * 20)
    assert (turned.low, turned.high) == pytest.approx((1 - found.high, 1 - found.low), abs=0.001)
    assert found.estimate - found.low > 1.1 * (found.high - found.estimate)


@pytest.mark.parametrize(("n", "skill"), [(20, 0.9), (20, 0.0), (60, 0.6), (300, 0.6)])
def test_ppi_covers(n, skill):
    """Few labels, good and useless judges: about 95 % hold, and a good judge narrows the interval."""
    rng = np.random.default_rng(2)
    held, narrower = 0, 0
    for _ in range(1000):
        y = rng.normal(0.5, 1, n + 1000)
        f = skill * y + math.sqrt(1 - skill**2) * rng.normal(0.2, 1, n + 1000)
        found = ppi_mean(y[:n], f[:n], f[n:])
        held += found.low <= 0.5 <= found.high
        narrower += found.n_effective > n
    assert 930 <= held <= 970
    if skill >= 0.6:
        assert narrower > 900


def test_position_bias():
    """Consistent pairs, flips towards the first place, ties and missing verdicts."""
    first = ["a", "a", "b", "tie", "a", "a", "tie", None]
    swapped = ["a", "b", "b", "tie", "b", "b", "a", "a"]
    found = position_bias(first, swapped)
    assert found.consistency.estimate == pytest.approx(3 / 7)
    assert (found.first_rate, found.n, found.n_missing) == (1.0, 7, 1)
    assert found.p_value == pytest.approx(2 / 8 - 1 / 8)
    turned = position_bias(
        [{"a": "b", "b": "a"}.get(v, v) for v in first], [{"a": "b", "b": "a"}.get(v, v) for v in swapped]
    )
    assert turned.first_rate == 0.0
    assert math.isnan(position_bias([], []).p_value)
    with pytest.raises(ValueError, match="a verdict is"):
        position_bias(["A"], ["b"])


def test_slope_is_that_of_statsmodels():
    """The least-squares slope with HC3 errors and t quantiles."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=80)
    y = 0.3 * x + rng.normal(size=80) * (1 + np.abs(x))
    fit = sm.OLS(y, sm.add_constant(x)).fit(cov_type="HC3", use_t=True)
    found = verbosity_slope([*y, math.nan], [*x, 1])
    assert (found.slope, found.se, found.p_value) == pytest.approx((fit.params[1], fit.bse[1], fit.pvalues[1]))
    assert (found.low, found.high) == pytest.approx(tuple(fit.conf_int()[1]))
    assert math.isnan(verbosity_slope([1, 0, 1], [5, 5, 5]).slope)
    assert verbosity_slope([], []).n == 0


def test_self_preference_is_a_difference_of_excesses():
    """A judge that adds 0.2 to its own family is found out."""
    own = np.resize([0, 1], 40)
    labels = np.random.default_rng(4).random(40)
    found = self_preference(labels + 0.1 + 0.2 * own + np.resize([0.01, 0.01, -0.01, -0.01], 40), labels, own)
    assert found.slope == pytest.approx(0.2)
    assert found.low > 0.15


def test_weights_undo_an_unequal_draw():
    """Of 100 passes of the judge 10 were labeled, of its 20 fails all: rates are those of the 120."""
    verdicts, labels = [1.0] * 10 + [0.0] * 20, [1.0] * 9 + [0.0] + [0.0] * 15 + [1.0] * 5
    found = calibrate(verdicts, labels, weights=[10.0] * 10 + [1.0] * 20, draws=10)
    assert found.sensitivity.estimate == pytest.approx(90 / 95)
    assert found.specificity.estimate == pytest.approx(15 / 25)
    assert (found.judge_rate, found.base_rate) == pytest.approx((100 / 120, 95 / 120))
    assert (found.sensitivity.n, found.specificity.n) == (14, 16)
    assert found.sensitivity.n_effective < 14


def test_none_of_what_was_rarely_drawn_says_little():
    """No false pass among ten passes that stand for a hundred: the specificity may be far below 1."""
    found = calibrate([1.0] * 10 + [0.0] * 20, [1.0] * 10 + [0.0] * 20, weights=[10.0] * 10 + [1.0] * 20, draws=10)
    assert found.specificity.estimate == 1
    assert found.specificity.low < 0.4
    assert found.sensitivity.low > 0.6


def test_one_weight_an_item():
    """Another number of weights, or one that is not positive, is refused."""
    for weights in ([1.0], [1.0, 0.0]):
        with pytest.raises(ValueError, match="weights must"):
            calibrate([1.0, 0.0], [1.0, 0.0], weights=weights)
