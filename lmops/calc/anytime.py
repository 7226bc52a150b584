"""Limits of one figure that is looked at again and again while its clusters come: rates, means, percentiles.

At one look these are the limits of :mod:`lmops.calc.intervals`, by cluster, drawn apart by as much as a normal mixture
asks for at so many clusters: the asymptotic confidence sequence of the clusters' sums, with the small-sample forms of
Wilson, Student and order statistics. From wherever one begins to count, all ends at which one looks hold together.
"""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

from lmops.calc.arrays import check_level, cluster_codes, cluster_df, t_value, vector, z_value
from lmops.calc.intervals import Interval, proportion_interval, quantile_interval, score_interval, wilson
from lmops.calc.sequential import mixture_rho, normal_mixture_boundary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike

#: Clusters at which the limits are tightest: about the sessions of a day.
TIGHTEST: Final = 100
#: The level of a smaller tail is 1 but for rounding; no order statistic of one or two clusters holds it.
_LEAST_TAIL: Final = 1e-12


def wider(clusters: int, *, level: float = 0.95, tightest_at: float = TIGHTEST) -> float:
    """Return how many times as wide limits that hold at every look are as those of one look.

    ``u(n)/(z sqrt(n))`` with u the normal mixture's boundary. Source: I. Waudby-Smith, D. Arbour, R. Sinha, E. Kennedy,
    A. Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences", Annals of Statistics 52 (2024).

    Args:
        clusters: Of them there are so many (sessions; items where each stands for itself).
        level: Confidence level in (0, 1), of all looks together.
        tightest_at: Clusters at which it is least.

    Returns:
        A number above 1; NaN without clusters.
    """
    check_level(level)
    if clusters < 1:
        return math.nan
    rho = mixture_rho(tightest_at, alpha=1 - level)
    bound = float(normal_mixture_boundary(clusters, rho=rho, alpha=1 - level))
    return bound / (math.sqrt(clusters) * z_value(level))


def anytime_rate(
    outcomes: ArrayLike, *, clusters: ArrayLike | Iterable[object] | None = None, level: float = 0.95
) -> Interval:
    """Return the rate of outcomes with limits that hold at every look, by cluster.

    Wilson's limits at the effective number of :func:`proportion_interval`, taken as :func:`wider` squared times fewer;
    ``n_effective`` says how many outcomes of one look they are worth. Simulated rates of .02 to .9, looked at 23
    times from the second of 600 sessions on (one to nine outcomes each, half of the sessions of one kind throughout),
    were held at all looks together in 95.6 % of the trials or more, by the limits of one look in 65 to 74 %.

    Args:
        outcomes: one value in 0..1 per item; NaN are left out.
        clusters: the cluster of each item; None for independent items.
        level: confidence level in (0, 1), of all looks together.
    """
    data = vector(outcomes, "outcomes")
    codes = None if clusters is None else cluster_codes(clusters, data.size)
    one = proportion_interval(data, clusters=codes, level=level)
    if not one.n_effective > 0:
        return one
    quantile = z_value(level) if codes is None else t_value(level, cluster_df(codes))
    away = quantile / z_value(level) * wider(one.n if one.n_clusters is None else one.n_clusters, level=level)
    worth = one.n_effective / away**2
    low, high = wilson(min(one.estimate * worth, worth), worth, level)
    return replace(one, low=float(low), high=float(high), n_effective=worth, method=f"{one.method}, at every look")


def anytime_mean(
    values: ArrayLike, *, clusters: ArrayLike | Iterable[object] | None = None, level: float = 0.95
) -> Interval:
    """Return the mean of values with limits that hold at every look, by cluster: those for long tails, as much wider.

    Simulated exponential and lognormal values (sigma .8): held at all looks together from the tenth value on in 95 % of
    the trials or more; from the second on in 90 %, for so few show nothing of a tail.

    Args:
        values: one per item, any unit; NaN are left out.
        clusters: the cluster of each item; None for independent items.
        level: confidence level in (0, 1), of all looks together.
    """
    one = score_interval(values, clusters=clusters, level=level, has_ends=False)
    away = wider(one.n if one.n_clusters is None else one.n_clusters, level=level)
    low, high = (one.estimate + away * (limit - one.estimate) for limit in (one.low, one.high))
    return replace(one, low=low, high=high, method=f"{one.method}, at every look")


def anytime_quantile(
    values: ArrayLike, q: float, level: float = 0.95, *, clusters: ArrayLike | Iterable[object] | None = None
) -> tuple[float, float]:
    """Return limits of a quantile that hold at every look: two order statistics, by cluster, as much farther apart.

    Args:
        values: observations in any order; NaN are left out.
        q: the quantile, a fraction in (0, 1).
        level: confidence level in (0, 1), of all looks together.
        clusters: the cluster of each value; None for independent ones.

    Returns:
        (low, high) in the unit of the values. A limit is NaN when no order statistic can hold its tail: for a p95 at
        95 % the upper limit needs some 130 values.
    """
    data = vector(values)
    codes = None if clusters is None else cluster_codes(clusters, data.size)
    count = data.size if codes is None else int(codes.max(initial=-1)) + 1
    if not count:
        return math.nan, math.nan
    far = NormalDist().cdf(-z_value(level) * wider(count, level=level))
    if far < _LEAST_TAIL:
        return math.nan, math.nan
    return quantile_interval(data, q, 1 - 2 * far, clusters=codes)
