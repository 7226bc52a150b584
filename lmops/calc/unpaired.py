"""Two groups of different items: this week against last week, one route of the traffic against the other.

Where the same items were answered twice, :mod:`lmops.calc.paired` sees far smaller differences. Differences are a - b.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lmops.calc.arrays import (
    Floats,
    check_level,
    cluster_codes,
    cluster_df,
    show,
    t_two_sided_p,
    t_value,
    vector,
    z_value,
)
from lmops.calc.intervals import clustered_se, wilson

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpairedDifference:
    """The difference a - b of two independent groups with its interval; NaN where it cannot be known."""

    difference: float
    low: float
    high: float
    se: float
    p_value: float  # two-sided
    level: float
    mean_a: float
    mean_b: float
    n_a: int
    n_b: int
    n_clusters: int | None = None  # in both groups together
    method: str

    @property
    def n(self) -> int:
        """Items in both groups."""
        return self.n_a + self.n_b

    @property
    def sd(self) -> float:
        """NaN: there are no pairs."""
        return math.nan

    @property
    def design_effect(self) -> float:
        """NaN: it is in the error already."""
        return math.nan

    def __repr__(self) -> str:
        return (
            f"UnpairedDifference({show(self.difference)} [{show(self.low)}, {show(self.high)}], {self.level:g}, "
            f"{self.method}, n={self.n_a} and {self.n_b})"
        )


def newcombe(
    successes_a: ArrayLike, n_a: ArrayLike, successes_b: ArrayLike, n_b: ArrayLike, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Return the limits of the difference of two independent rates, from their Wilson limits.

    ``d - sqrt((p_a - l_a)^2 + (u_b - p_b)^2)`` and ``d + sqrt((u_a - p_a)^2 + (p_b - l_b)^2)``. Source: R. G. Newcombe,
    "Interval estimation for the difference between independent proportions", Statistics in Medicine 17 (1998) 873-890,
    method 10.

    Args:
        successes_a: counts in 0..n_a, a number or an array.
        n_a: numbers of trials.
        successes_b: the same of the other group.
        n_b: the same.
        level: confidence level in (0, 1).

    Returns:
        Two arrays in -1..1; NaN where a group is empty.

    >>> low, high = newcombe(56, 70, 48, 80)
    >>> f"{low:.4f} {high:.4f}"
    '0.0524 0.3339'
    """
    low_a, high_a = wilson(successes_a, n_a, level)
    low_b, high_b = wilson(successes_b, n_b, level)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate_a = np.asarray(successes_a, dtype=np.float64) / np.asarray(n_a, dtype=np.float64)
        rate_b = np.asarray(successes_b, dtype=np.float64) / np.asarray(n_b, dtype=np.float64)
    gap = rate_a - rate_b
    low = gap - np.hypot(rate_a - low_a, high_b - rate_b)
    high = gap + np.hypot(high_a - rate_a, rate_b - low_b)
    return np.asarray(low), np.asarray(high)


def rate_difference(
    successes_a: int, n_a: int, successes_b: int, n_b: int, *, level: float = 0.95
) -> UnpairedDifference:
    """Return the difference of two independent rates with Newcombe's interval.

    The p-value is that of the pooled score test, ``z = d / sqrt(p (1-p) (1/n_a + 1/n_b))``, which is Pearson's
    chi-square; ``se`` is the one that the limits stand for.

    Args:
        successes_a: in 0..n_a.
        n_a: trials.
        successes_b: in 0..n_b.
        n_b: trials.
        level: confidence level in (0, 1).

    Returns:
        An UnpairedDifference of fractions. An empty group: NaN; no success at all, or no failure: p is 1.
    """
    low, high = (float(limit) for limit in newcombe(successes_a, n_a, successes_b, n_b, level))
    known = n_a > 0 and n_b > 0
    rate_a = successes_a / n_a if n_a else math.nan
    rate_b = successes_b / n_b if n_b else math.nan
    p_value = math.nan
    if known:
        pooled = (successes_a + successes_b) / (n_a + n_b)
        spread = math.sqrt(pooled * (1 - pooled) * (1 / n_a + 1 / n_b))
        p_value = math.erfc(abs(rate_a - rate_b) / spread / math.sqrt(2)) if spread > 0 else 1.0
    return UnpairedDifference(
        difference=rate_a - rate_b,
        low=low,
        high=high,
        se=(high - low) / 2 / z_value(level),
        p_value=p_value,
        level=level,
        mean_a=rate_a,
        mean_b=rate_b,
        n_a=n_a,
        n_b=n_b,
        method="newcombe",
    )


def mean_difference(
    a: ArrayLike,
    b: ArrayLike,
    *,
    clusters_a: ArrayLike | Iterable[object] | None = None,
    clusters_b: ArrayLike | Iterable[object] | None = None,
    level: float = 0.95,
) -> UnpairedDifference:
    """Return the difference of two independent means with Welch's interval, clustered when clusters are given.

    ``se^2 = se_a^2 + se_b^2``, degrees of freedom ``se^4/(se_a^4/(n_a - 1) + se_b^4/(n_b - 1))``, with the
    degrees of freedom of clusters (:func:`lmops.calc.arrays.cluster_df`) in place of n - 1. Source: B. L. Welch,
    Biometrika 34 (1947) 28-35.

    Args:
        a: one score per item; NaN are left out.
        b: the scores of the other group.
        clusters_a: the cluster of each item of a (a session, a user); None for independent items.
        clusters_b: the same for b; both or neither.
        level: confidence level in (0, 1).

    Returns:
        An UnpairedDifference. Fewer than two items or clusters in a group, or no spread in either: no limits.

    Raises:
        ValueError: clusters for one group only.
    """
    check_level(level)
    if (clusters_a is None) != (clusters_b is None):
        raise ValueError("clusters are needed for both groups or for neither")
    mean_a, se_a, df_a, units_a, n_a = _group(a, clusters_a)
    mean_b, se_b, df_b, units_b, n_b = _group(b, clusters_b)
    se = math.hypot(se_a, se_b)
    df = math.nan
    if se > 0:  # in shares of the error, which cannot underflow
        share = (se_a / se) ** 2
        df = 1 / (share**2 / df_a + (1 - share) ** 2 / df_b)
    gap = mean_a - mean_b
    half = t_value(level, df) * se
    method = "welch t" if clusters_a is None else "welch t, clustered"
    return UnpairedDifference(difference=gap, low=gap - half, high=gap + half, se=se,
                              p_value=t_two_sided_p(gap / se, df) if se > 0 else math.nan, level=level, mean_a=mean_a,
                              mean_b=mean_b, n_a=n_a, n_b=n_b,
                              n_clusters=None if clusters_a is None else units_a + units_b,
                              method=method)  # fmt: skip  # arguments that belong together share a line


def _group(values: ArrayLike, clusters: ArrayLike | Iterable[object] | None) -> tuple[float, float, float, int, int]:
    """Return mean, standard error, its degrees of freedom, independent units and items of one group."""
    data = vector(values)
    known = ~np.isnan(data)
    kept = data[known]
    n = int(kept.size)
    mean = float(kept.mean()) if n else math.nan
    codes = np.arange(n) if clusters is None else cluster_codes(clusters, data.size)[known]
    return mean, clustered_se(kept, codes), cluster_df(codes), int(np.unique(codes).size), n
