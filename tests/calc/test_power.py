"""Sample sizes: published figures, an oracle, inverses, and simulation of the power promised."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.power import TTestPower

from lmops.calc.paired import mcnemar_p, paired_difference
from lmops.calc.power import (
    mde_paired_binary,
    minimum_detectable_effect,
    n_for_difference,
    n_for_non_inferiority,
    n_for_paired_binary,
    n_for_paired_t,
    paired_t_power,
)


def test_millers_969_questions():
    """Miller (2024), section 5: w2 = 1/9, s2 = 1/6, three points, many repeats: 969; one repeat: more than fourfold."""
    common = {"variance": 1 / 9, "within_a": 1 / 6, "within_b": 1 / 6}
    assert n_for_difference(0.03, **common, repeats_a=math.inf, repeats_b=math.inf) == 969
    assert n_for_difference(0.03, **common) == 3876
    assert minimum_detectable_effect(198, **common, repeats_a=1, repeats_b=1) == pytest.approx(0.1327, abs=1e-3)


@given(st.floats(0.1, 1.5), st.floats(0.5, 0.95))
def test_paired_t_is_that_of_statsmodels(effect, power):
    """Cohen's d = .5 needs 33.37 pairs, so 34; the noncentral t throughout."""
    assert n_for_paired_t(0.5, sd=1) == 34
    needed = n_for_paired_t(effect, sd=1, power=power)
    assert paired_t_power(needed, effect) >= power
    assert needed == 2 or paired_t_power(needed - 1, effect) < power
    assert paired_t_power(needed, effect) == pytest.approx(TTestPower().power(effect, needed, 0.05), abs=1e-6)


@given(st.floats(0.005, 0.5), st.floats(0.01, 4), st.floats(0.55, 0.95))
def test_effect_and_items_are_inverse(delta, variance, power):
    """The items for an effect detect it, and one item less does not."""
    n = n_for_difference(delta, variance=variance, power=power)
    assert minimum_detectable_effect(n, variance=variance, power=power) <= delta * (1 + 1e-8)
    if n > 1:
        assert minimum_detectable_effect(n - 1, variance=variance, power=power) > delta * (1 - 1e-8)
    assert n_for_difference(-delta, variance=variance, power=power) == n


@given(st.integers(20, 5000), st.floats(0.05, 1))
def test_binary_effect_and_items_are_inverse(n, discordance):
    """McNemar's: the detectable difference of n pairs needs n pairs."""
    delta = mde_paired_binary(n, discordance=discordance)
    if not math.isnan(delta):
        assert 0 < delta <= discordance
        assert abs(n_for_paired_binary(delta, discordance=discordance) - n) <= 1


def test_monotone():
    """More variance, more clustering, more power and less repeats ask for more; halving the effect for fourfold."""
    n = n_for_difference(0.1, variance=1)
    assert n_for_difference(0.05, variance=1) == pytest.approx(4 * n, abs=4)
    assert n_for_difference(0.1, variance=1, design_effect=2) == pytest.approx(2 * n, abs=2)
    assert n_for_difference(0.1, variance=1, power=0.9) > n
    assert n_for_difference(0.1, variance=1, within_a=1, repeats_a=2) < n_for_difference(0.1, variance=1, within_a=1)
    assert n_for_non_inferiority(0.1, variance=1) == n
    assert n_for_non_inferiority(0.1, variance=1, true_difference=-0.05) == pytest.approx(4 * n, abs=4)


def test_what_cannot_be_had():
    """No difference, a loss as large as the margin, unknown variance: None or NaN, never a number."""
    assert n_for_difference(0, variance=1) is None
    assert n_for_difference(0.1, variance=math.nan) is None
    assert n_for_non_inferiority(0.1, variance=1, true_difference=-0.1) is None
    assert n_for_paired_binary(0, discordance=0.2) is None
    assert n_for_paired_t(0, sd=1) is None
    assert n_for_difference(1e-200, variance=1) is None
    assert n_for_paired_binary(1e-200, discordance=0.2) is None
    assert math.isnan(minimum_detectable_effect(0, variance=1))
    assert math.isnan(mde_paired_binary(3, discordance=0.1))
    assert math.isnan(paired_t_power(1, 1.0))
    assert n_for_paired_t(1, sd=0) == 2


@pytest.mark.parametrize(
    "call",
    [
        lambda: n_for_difference(0.1, variance=-1),
        lambda: n_for_difference(0.1, variance=1, repeats_a=0),
        lambda: n_for_difference(0.1, variance=1, power=1),
        lambda: n_for_paired_binary(0.3, discordance=0.2),
        lambda: n_for_non_inferiority(-0.1, variance=1),
    ],
)
def test_refusals(call):
    """Impossible plans are errors."""
    with pytest.raises(ValueError, match="must"):
        call()


def test_power_is_kept():
    """Simulated with the items asked for: about 80 % find the difference."""
    rng = np.random.default_rng(1)
    n = n_for_difference(0.3, variance=0.5, within_a=1, within_b=1, repeats_a=2, repeats_b=2)
    found = 0
    for _ in range(600):
        effect = rng.normal(0.3, math.sqrt(0.5), (n, 1))
        found += paired_difference(effect + rng.normal(size=(n, 2)), rng.normal(size=(n, 2))).low > 0
    assert 0.75 < found / 600 < 0.85
    n = n_for_paired_binary(0.1, discordance=0.3)
    cells = rng.multinomial(n, [0.2, 0.1, 0.7], size=4000)
    assert 0.77 < np.mean(mcnemar_p(cells[:, 0], cells[:, 1]) <= 0.05) < 0.84
