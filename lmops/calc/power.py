"""How many items: for a difference to be seen, for "not worse" to be shown, and what n items could have shown.

Every function is in the unit of the scores. Counts come back as whole items, rounded up; None where no number of items
is enough: no difference to see (or one that would take 1e16 items), or a loss as large as the margin.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from lmops.calc.arrays import check_open_unit


def n_for_difference(
    difference: float,
    *,
    variance: float,
    within_a: float = 0.0,
    within_b: float = 0.0,
    repeats_a: float = 1,
    repeats_b: float = 1,
    alpha: float = 0.05,
    power: float = 0.8,
    design_effect: float = 1.0,
) -> int | None:
    """Return the items that a paired comparison needs to find a difference with the wanted power.

    ``n = (z_{alpha/2} + z_power)^2 (w^2 + s_A^2/K_A + s_B^2/K_B) / difference^2``, times the design effect. Source:
    E. Miller, "Adding error bars to evals", arXiv 2411.00640 (2024), equation 9.

    Args:
        difference: the true mean difference worth finding; its sign does not matter.
        variance: variance over items of the true paired difference (w^2); with ``within_*`` left at 0, the variance
            of the observed paired differences.
        within_a: variance between repeats of one item under A.
        within_b: the same under B.
        repeats_a: repeats per item under A; ``math.inf`` for the limit.
        repeats_b: the same under B.
        alpha: two-sided error in (0, 1).
        power: probability in (0, 1) of finding it.
        design_effect: clustered variance / plain variance of the mean; 1 for independent items.

    Returns:
        Whole items, at least 1; None when the difference is 0 or something is NaN.

    >>> n_for_difference(0.03, variance=1 / 9, within_a=1 / 6, within_b=1 / 6, repeats_a=math.inf, repeats_b=math.inf)
    969
    """
    total = _variance(variance, within_a, within_b, repeats_a, repeats_b, design_effect)
    return _items(_z_sum(alpha / 2, power) ** 2 * total, difference)


def minimum_detectable_effect(
    n: float,
    *,
    variance: float,
    within_a: float = 0.0,
    within_b: float = 0.0,
    repeats_a: float = 1,
    repeats_b: float = 1,
    alpha: float = 0.05,
    power: float = 0.8,
    design_effect: float = 1.0,
) -> float:
    """Return the smallest true difference that n paired items find with the wanted power.

    The inverse of :func:`n_for_difference` (Miller 2024, equation 10); belongs beside every "no difference".

    Args:
        n: items.
        variance: as there.
        within_a: as there.
        within_b: as there.
        repeats_a: as there.
        repeats_b: as there.
        alpha: two-sided error in (0, 1).
        power: probability in (0, 1) of finding it.
        design_effect: as there.

    Returns:
        A positive difference; NaN for n below 1 or an unknown variance; 0 when nothing varies.

    >>> f"{minimum_detectable_effect(198, variance=1 / 9):.3f}"
    '0.066'
    """
    total = _variance(variance, within_a, within_b, repeats_a, repeats_b, design_effect)
    if not n >= 1:
        return math.nan
    return _z_sum(alpha / 2, power) * math.sqrt(total / n)


def n_for_paired_binary(
    difference: float, *, discordance: float, alpha: float = 0.05, power: float = 0.8
) -> int | None:
    """Return the pairs that McNemar's test needs to find a difference between two pass rates.

    ``n = (z_{alpha/2} sqrt(d) + z_power sqrt(d - difference^2))^2 / difference^2``, d the discordance. Source:
    R. J. Connor, Biometrics 43 (1987) 207-211; O. S. Miettinen, Biometrics 24 (1968) 339-352.

    Args:
        difference: pass rate of A minus that of B; its sign does not matter.
        discordance: share of items on which the two disagree, at least the size of the difference.
        alpha: two-sided error in (0, 1).
        power: probability in (0, 1) of finding it.

    Returns:
        Whole pairs; None for no difference or NaN.

    Raises:
        ValueError: a discordance below the difference or above 1.
    """
    delta = abs(difference)
    if math.isnan(delta) or math.isnan(discordance) or delta == 0:
        return None
    if not delta <= discordance <= 1:
        raise ValueError(f"discordance must be between the difference {delta:g} and 1, not {discordance:g}")
    check_open_unit("alpha", alpha)
    check_open_unit("power", power)
    normal = NormalDist()
    root = normal.inv_cdf(1 - alpha / 2) * math.sqrt(discordance)
    root += normal.inv_cdf(power) * math.sqrt(max(discordance - delta**2, 0.0))
    return _ceil(root / delta)


def mde_paired_binary(n: float, *, discordance: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the smallest difference of two pass rates that n pairs find; the inverse of :func:`n_for_paired_binary`.

    Args:
        n: pairs.
        discordance: share of items on which the two disagree, in 0..1.
        alpha: two-sided error in (0, 1).
        power: probability in (0, 1) of finding it.

    Returns:
        A fraction in 0..discordance. NaN for n below 1, NaN, or when even a difference as large as the discordance
        (every disagreement one way) would not be found.
    """
    if not n >= 1 or not 0 < discordance <= 1:
        return math.nan
    check_open_unit("alpha", alpha)
    check_open_unit("power", power)
    normal = NormalDist()
    za, zb = normal.inv_cdf(1 - alpha / 2), normal.inv_cdf(power)
    # sqrt(n) x - za sqrt(d) = zb sqrt(d - x^2), squared, is a quadratic in x with this positive root
    root = za * math.sqrt(n * discordance)
    inside = root**2 - (n + zb**2) * (za**2 - zb**2) * discordance
    if inside < 0:
        return math.nan
    delta = (root + math.copysign(math.sqrt(inside), zb)) / (n + zb**2)
    return delta if delta <= discordance else math.nan


def n_for_paired_t(difference: float, *, sd: float, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """Return the pairs that the paired t-test needs, exactly, by the noncentral t; for few pairs.

    :func:`n_for_difference` takes the spread as known and asks for about two pairs fewer. Source: J. Cohen, Statistical
    Power Analysis for the Behavioral Sciences, 2nd ed. (1988), section 2.4.

    Args:
        difference: the true mean difference worth finding.
        sd: standard deviation of the paired differences.
        alpha: two-sided error in (0, 1).
        power: probability in (0, 1) of finding it.

    Returns:
        Whole pairs, at least 2; None for no difference or NaN.
    """
    approximate = n_for_difference(difference, variance=sd**2, alpha=alpha, power=power)
    if approximate is None:
        return None
    if sd == 0:
        return 2
    effect = abs(difference) / sd
    n = max(2, approximate - 1)
    while paired_t_power(n, effect, alpha) < power:
        n += 1
    return n


def paired_t_power(n: int, effect: float, alpha: float = 0.05) -> float:
    """Return the power of the two-sided paired t-test with n pairs for a difference of ``effect`` sd; NaN for n < 2."""
    from scipy.special import nctdtr, stdtrit

    if n < 2:
        return math.nan
    check_open_unit("alpha", alpha)
    critical = float(stdtrit(n - 1, 1 - alpha / 2))
    shift = abs(effect) * math.sqrt(n)
    lower = float(nctdtr(n - 1, shift, -critical))
    return 1 - float(nctdtr(n - 1, shift, critical)) + (0.0 if math.isnan(lower) else lower)


def n_for_non_inferiority(
    margin: float,
    *,
    variance: float,
    true_difference: float = 0.0,
    alpha: float = 0.025,
    power: float = 0.8,
    design_effect: float = 1.0,
) -> int | None:
    """Return the paired items needed to show "not worse by more than the margin".

    ``n = (z_alpha + z_power)^2 variance / (margin + true_difference)^2``, one-sided. Source: S.-C. Chow, J. Shao,
    H. Wang, Sample Size Calculations in Clinical Research, 2nd ed. (2008), section 3.1; FDA, Non-Inferiority Clinical
    Trials (2016).

    Args:
        margin: the largest loss that is acceptable, positive.
        variance: variance of the paired differences.
        true_difference: gain (positive) or loss (negative) that is assumed to be there; 0: the two are alike.
        alpha: one-sided error in (0, 1); 0.025 belongs to a 95 % interval.
        power: probability in (0, 1) of showing it.
        design_effect: clustered variance / plain variance of the mean.

    Returns:
        Whole items; None when the assumed loss reaches the margin (more items would only prove that) or NaN.

    Raises:
        ValueError: a negative margin.
    """
    if margin < 0:
        raise ValueError(f"margin must not be negative, not {margin:g}")
    room = margin + true_difference
    if not room > 0:
        return None
    return _items(_z_sum(alpha, power) ** 2 * _variance(variance, 0, 0, 1, 1, design_effect), room)


def n_for_two_rates(
    rate_a: float, rate_b: float, *, ratio: float = 1.0, alpha: float = 0.05, power: float = 0.8
) -> tuple[int, int] | None:
    """Return the items of two groups (other items in each) that find a difference between their rates.

    ``n_b = (z_{alpha/2} sqrt(p(1-p)(1 + 1/r)) + z_power sqrt(p_a(1-p_a)/r + p_b(1-p_b)))^2 / (p_a - p_b)^2``, ``n_a = r
    n_b``, p the rate of both together. Source: J. L. Fleiss, B. Levin, M. C. Paik, Statistical Methods for Rates and
    Proportions, 3rd ed. (2003), section 4.2, without the correction for continuity.

    Args:
        rate_a: of group A, a fraction in 0..1.
        rate_b: of group B.
        ratio: items of A per item of B, positive.
        alpha: two-sided error in (0, 1).
        power: probability in (0, 1) of finding it.

    Returns:
        (items of A, items of B); None for no difference or NaN.

    Raises:
        ValueError: a rate outside 0..1, or a ratio that is not positive.
    """
    for rate in (rate_a, rate_b):
        if rate < 0 or rate > 1:
            raise ValueError(f"a rate must be between 0 and 1, not {rate:g}")
    if not ratio > 0:
        raise ValueError(f"ratio must be positive, not {ratio:g}")
    delta = abs(rate_a - rate_b)
    if math.isnan(delta) or delta == 0:
        return None
    check_open_unit("alpha", alpha)
    check_open_unit("power", power)
    both = (ratio * rate_a + rate_b) / (1 + ratio)
    normal = NormalDist()
    root = normal.inv_cdf(1 - alpha / 2) * math.sqrt(both * (1 - both) * (1 + 1 / ratio))
    root += normal.inv_cdf(power) * math.sqrt(rate_a * (1 - rate_a) / ratio + rate_b * (1 - rate_b))
    return _groups(root / delta, ratio)


def n_for_two_means(
    difference: float,
    *,
    sd_a: float,
    sd_b: float | None = None,
    ratio: float = 1.0,
    alpha: float = 0.05,
    power: float = 0.8,
) -> tuple[int, int] | None:
    """Return the items of two groups (other items in each) that find a difference between their means.

    ``n_b = (z_{alpha/2} + z_power)^2 (sd_a^2/r + sd_b^2)/difference^2``, ``n_a = r n_b``. Source: S.-C. Chow, J. Shao,
    H. Wang, Sample Size Calculations in Clinical Research, 2nd ed. (2008), section 3.2.

    Args:
        difference: the true difference worth finding; its sign does not matter.
        sd_a: standard deviation of the scores of A.
        sd_b: of B; None: that of A.
        ratio: items of A per item of B, positive.
        alpha: two-sided error in (0, 1).
        power: probability in (0, 1) of finding it.

    Returns:
        (items of A, items of B); None for no difference or NaN.

    Raises:
        ValueError: a negative standard deviation, or a ratio that is not positive.
    """
    other = sd_a if sd_b is None else sd_b
    if sd_a < 0 or other < 0 or not ratio > 0:
        raise ValueError("standard deviations must not be negative, and the ratio must be positive")
    delta = abs(difference)
    spread = math.sqrt(sd_a**2 / ratio + other**2)
    if math.isnan(delta) or math.isnan(spread) or delta == 0:
        return None
    return _groups(_z_sum(alpha / 2, power) * spread / delta, ratio)


def power_of_two_rates(rate_a: float, rate_b: float, *, n_a: int, n_b: int, alpha: float = 0.05) -> float:
    """Return the power with which two groups of these sizes find a difference between their rates; NaN for none.

    The inverse of :func:`n_for_two_rates`.

    Args:
        rate_a: of group A, a fraction in 0..1.
        rate_b: of group B.
        n_a: items of A, at least 1.
        n_b: items of B, at least 1.
        alpha: two-sided error in (0, 1).
    """
    check_open_unit("alpha", alpha)
    if min(n_a, n_b) < 1:
        return math.nan
    both = (n_a * rate_a + n_b * rate_b) / (n_a + n_b)
    null = math.sqrt(both * (1 - both) * (1 / n_a + 1 / n_b))
    true = math.sqrt(rate_a * (1 - rate_a) / n_a + rate_b * (1 - rate_b) / n_b)
    normal = NormalDist()
    away = abs(rate_a - rate_b) - normal.inv_cdf(1 - alpha / 2) * null
    return normal.cdf(away / true) if true > 0 else float(away > 0)


def _groups(root: float, ratio: float) -> tuple[int, int] | None:
    """Return the sizes of two groups from the root of the size of the second."""
    n_b = _ceil(root)
    return None if n_b is None else (max(1, math.ceil(ratio * n_b - 1e-9)), n_b)


def _variance(
    variance: float, within_a: float, within_b: float, repeats_a: float, repeats_b: float, design_effect: float
) -> float:
    if min(variance, within_a, within_b, design_effect) < 0:
        raise ValueError("variances and the design effect must not be negative")
    if min(repeats_a, repeats_b) < 1:
        raise ValueError(f"repeats must be at least 1, not {min(repeats_a, repeats_b):g}")
    return design_effect * (variance + within_a / repeats_a + within_b / repeats_b)


def _z_sum(tail: float, power: float) -> float:
    check_open_unit("alpha", tail)
    check_open_unit("power", power)
    normal = NormalDist()
    return normal.inv_cdf(1 - tail) + normal.inv_cdf(power)


def _items(numerator: float, difference: float) -> int | None:
    if math.isnan(numerator) or math.isnan(difference) or difference == 0:
        return None
    return _ceil(math.sqrt(numerator) / abs(difference))


def _ceil(root: float) -> int | None:
    """Return the square, rounded up; None for more items than anyone could have."""
    if root > 1e8:
        return None
    items = root**2
    # a result that is a whole number up to rounding is that number
    return max(1, math.ceil(items - 1e-9 * max(1.0, items)))
