"""Bootstrap by resampling items or whole clusters, fast enough for hundreds of thousands of rows.

A statistic that is a function of per-item sums (a mean, a rate, kappa, pass^k) needs only the resampled sums:
:func:`resampled_sums` draws them, from counts of distinct rows where rows repeat, and :func:`bca_limits` makes limits.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from lmops.calc.arrays import Floats, check_draws, check_level, cluster_codes, vector
from lmops.calc.intervals import Interval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import ArrayLike

_BATCH = 2_000_000  # random numbers held at once
_LARGE = 50_000


def bca_interval(
    values: ArrayLike,
    *,
    clusters: ArrayLike | Iterable[object] | None = None,
    level: float = 0.95,
    draws: int = 5000,
    seed: int = 0,
) -> Interval:
    """Return the mean with its bias-corrected and accelerated (BCa) bootstrap interval.

    Items, or whole clusters, are drawn with replacement; see :func:`bca_limits` for the limits. Source: B. Efron,
    "Better bootstrap confidence intervals", JASA 82 (1987) 171-185. It suits skewed scores (cost, latency, length);
    under about 20 items it is too narrow like every bootstrap.

    Args:
        values: one score per item; NaN are left out.
        clusters: the cluster of each item; None for independent items.
        level: confidence level in (0, 1).
        draws: number of resamples.
        seed: of the resampling; the same seed gives the same interval.

    Returns:
        An Interval in the unit of the values. n = 0: all NaN; n = 1 or one cluster: limits NaN; all values equal: an
        interval of no width.
    """
    check_level(level)
    check_draws(draws)
    data = vector(values)
    known = ~np.isnan(data)
    kept = data[known]
    rows = np.column_stack((kept, np.ones(kept.size)))
    groups = None
    if clusters is not None:
        rows = sum_by_cluster(rows, cluster_codes(clusters, data.size)[known])
        groups = len(rows)
    estimate = float(kept.mean()) if kept.size else math.nan
    low, high, se = bootstrap_limits(rows, lambda sums: sums[:, 0] / sums[:, 1], level=level, draws=draws, seed=seed)
    return Interval(
        estimate=estimate,
        low=low,
        high=high,
        level=level,
        n=int(kept.size),
        n_missing=int(data.size - kept.size),
        se=se,
        n_clusters=groups,
        method="bca" if groups is None else "bca, clustered",
    )


def bootstrap_limits(
    rows: Floats,
    statistic: Callable[[Floats], Floats],
    *,
    level: float,
    draws: int,
    seed: int,
    counts: Floats | None = None,
) -> tuple[float, float, float]:
    """Return (low, high, se) by BCa of a statistic of column sums over the rows (items or clusters).

    Args:
        rows: one row of contributions per item or cluster.
        statistic: takes sums of shape (many, columns) and returns one number each; NaN where it is undefined.
        level: confidence level in (0, 1).
        draws: number of resamples.
        seed: of the resampling.
        counts: how many times each row is there, when rows that are equal were put together; None: once.

    Returns:
        NaN for fewer than two rows. Draws where the statistic is undefined are left out.
    """
    distinct, times = distinct_rows(rows) if counts is None else (rows, counts)
    if times.sum() < 2:
        return math.nan, math.nan, math.nan
    total = times @ distinct
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = float(statistic(total[None, :])[0])
        replicates = statistic(resampled_sums(distinct, counts=times, draws=draws, seed=seed))
        leave_one_out = np.repeat(statistic(total - distinct), times.astype(np.int64))
    replicates = replicates[~np.isnan(replicates)]
    if math.isnan(estimate) or replicates.size < 2:
        return math.nan, math.nan, math.nan
    low, high = bca_limits(estimate, replicates, leave_one_out, level=level)
    return low, high, float(replicates.std(ddof=1))


def bca_limits(estimate: float, replicates: Floats, leave_one_out: Floats, *, level: float) -> tuple[float, float]:
    """Return the BCa limits: quantiles of the replicates at levels moved for bias and skewness.

    With z0 the normal quantile of the share of replicates below the estimate (ties count half) and a the acceleration
    ``sum(d^3) / (6 (sum d^2)^1.5)``, d the jackknife deviations, the levels are
    ``Phi(z0 + (z0 + z)/(1 - a(z0 + z)))``. Source: Efron 1987; A. C. Davison, D. V. Hinkley, Bootstrap Methods and
    their Application (1997), section 5.3.

    Returns:
        (low, high). All replicates equal: that value twice. A bias that cannot be measured because the estimate lies
        outside all replicates falls back to the percentile interval.
    """
    normal = NormalDist()
    # sums of the same numbers in another order differ in the last digits
    slack = 1e-12 * max(1.0, abs(estimate))
    below = float(np.mean(replicates < estimate - slack) + 0.5 * np.mean(np.abs(replicates - estimate) <= slack))
    bias = normal.inv_cdf(below) if 0 < below < 1 else 0.0
    jackknife = leave_one_out[~np.isnan(leave_one_out)]
    deviation = jackknife.mean() - jackknife if jackknife.size else np.zeros(1)
    spread = float(np.square(deviation).sum())
    accelerated = float((deviation**3).sum()) / (6 * spread**1.5) if spread > slack**2 else 0.0
    levels = []
    for z in (normal.inv_cdf((1 - level) / 2), normal.inv_cdf((1 + level) / 2)):
        divisor = 1 - accelerated * (bias + z)
        levels.append(normal.cdf(bias + (bias + z) / divisor) if divisor > 0 else normal.cdf(math.copysign(40, z)))
    low, high = np.quantile(replicates, levels)
    return float(low), float(high)


def resampled_sums(rows: Floats, *, draws: int, seed: int, counts: Floats | None = None) -> Floats:
    """Return the column sums of ``draws`` resamples of the rows, drawn with replacement.

    Where many rows are equal (verdicts, small integers) the number of times each distinct row is drawn is one
    multinomial draw, which costs nothing per item and has exactly the same distribution.

    Args:
        rows: one row of contributions per item or cluster.
        draws: number of resamples.
        seed: of the resampling.
        counts: how many times each row is there; None: once.
    """
    rng = np.random.default_rng(seed)
    distinct, times = distinct_rows(rows) if counts is None else (rows, counts)
    n = int(times.sum())
    if len(distinct) <= max(64, n // 16):
        drawn = rng.multinomial(n, times / n, size=draws).astype(np.float64)
        sums: Floats = drawn @ distinct
        return sums
    rows = np.repeat(distinct, times.astype(np.int64), axis=0)
    sums = np.empty((draws, rows.shape[1]))
    columns = [(np.ascontiguousarray(c), bool((c == c[0]).all())) for c in rows.T]
    if n > _LARGE and rows.shape[1] <= 4:
        for i in range(draws):  # the counts of so many rows leave the cache; picking values does so less
            picked = rng.integers(0, n, size=n, dtype=np.int32)
            sums[i] = [n * column[0] if constant else column.take(picked).sum() for column, constant in columns]
        return sums
    step = max(1, _BATCH // n)
    for start in range(0, draws, step):
        size = min(step, draws - start)
        chosen = rng.integers(0, n, size=(size, n), dtype=np.int64)
        chosen += np.arange(size)[:, None] * n
        often = np.bincount(chosen.ravel(), minlength=size * n).reshape(size, n)
        sums[start : start + size] = often.astype(np.float64) @ rows
    return sums


def distinct_rows(rows: Floats) -> tuple[Floats, Floats]:
    """Return the distinct rows and how many times each is there."""
    if not len(rows):
        return rows, np.zeros(0)
    varying = [j for j in range(rows.shape[1]) if bool((rows[:, j] != rows[0, j]).any())]
    if len(varying) <= 1:  # sorting one column is much faster than sorting rows
        column = rows[:, varying[0]] if varying else rows[:, 0]
        _, first, counts = np.unique(column, return_index=True, return_counts=True)
        return rows[first], counts.astype(np.float64)
    # sorting one number per row is much faster than sorting rows; equal rows may get unequal numbers (rounding), which
    # only leaves a row twice; unequal rows with equal numbers would be wrong, so that is looked at
    key = rows @ np.random.default_rng(1).random(rows.shape[1])
    _, first, back, counts = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    if not bool((rows[first][back] == rows).all()):
        distinct, counts = np.unique(rows, axis=0, return_counts=True)
        return distinct, counts.astype(np.float64)
    return rows[first], counts.astype(np.float64)


def sum_by_cluster(rows: Floats, codes: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
    """Return one row per cluster: the sums of the rows of its items."""
    _, compact = np.unique(codes, return_inverse=True)
    groups = int(compact.max()) + 1 if compact.size else 0
    return np.column_stack([np.bincount(compact, weights=column, minlength=groups) for column in rows.T])
