"""What every statistic needs: arrays without surprises, cluster codes, quantiles of z and t."""

from __future__ import annotations

import math
from difflib import get_close_matches
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from numpy.typing import ArrayLike

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]


def check_level(level: float) -> None:
    """Refuse a confidence level outside (0, 1)."""
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level}")


def check_open_unit(name: str, value: float) -> None:
    """Refuse a probability outside (0, 1)."""
    if not 0 < value < 1:
        raise ValueError(f"{name} must be between 0 and 1, not {value}")


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Refuse an option that is not among the choices: it must not be computed as something else."""
    if value not in choices:
        near = get_close_matches(str(value), choices, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; not {value!r}{hint}")


def check_draws(draws: int) -> None:
    """Refuse fewer than two random draws."""
    if draws < 2:
        raise ValueError(f"draws must be at least 2, not {draws}")


def vector(values: ArrayLike, name: str = "values") -> Floats:
    """Return the values as one-dimensional floats; None becomes NaN, infinities are refused."""
    data = np.atleast_1d(np.asarray(values, dtype=np.float64))
    if data.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, not of shape {data.shape}")
    return _finite(data, name)


def matrix(values: ArrayLike, name: str = "values") -> Floats:
    """Return the values as floats, one row per item and one column per repeat; a vector is one repeat."""
    data = np.asarray(values, dtype=np.float64)
    if data.ndim <= 1:
        data = data.reshape(-1, 1)
    if data.ndim != 2:
        raise ValueError(f"{name} must be items x repeats, not of shape {data.shape}")
    return _finite(data, name)


def _finite(data: Floats, name: str) -> Floats:
    if bool(np.isinf(data).any()):
        raise ValueError(f"{name} holds an infinite value; a score is finite, or missing (NaN)")
    return data


def row_means(data: Floats) -> Floats:
    """Return the mean of each row without its NaN; NaN for a row of nothing but NaN."""
    if data.shape[1] == 1:
        return data[:, 0]
    known = ~np.isnan(data)
    count = known.sum(axis=1)
    total = np.where(known, data, 0.0).sum(axis=1)
    means: Floats = np.divide(total, count, out=np.full(len(data), np.nan), where=count > 0)
    return means


def cluster_codes(clusters: ArrayLike | Iterable[object], n: int) -> Ints:
    """Return the cluster of each item as a number from 0; an item whose cluster is missing is a cluster of its own.

    Raises:
        ValueError: not one cluster per item.
    """
    labels: Any = clusters if isinstance(clusters, np.ndarray) else list(clusters)  # type: ignore[arg-type]  # arrays went the other way
    if len(labels) != n:
        raise ValueError(f"clusters must name one cluster per item: {len(labels)} clusters for {n} items")
    if isinstance(labels, np.ndarray) and labels.dtype.kind in "iub":
        if n and labels.min() >= 0 and labels.max() <= 4 * n:
            return without_gaps(labels.astype(np.int64))
        return np.unique(labels, return_inverse=True)[1].astype(np.int64)
    known: dict[object, int] = {}
    return np.fromiter(
        # NaN is not equal to itself; an object() is equal to nothing else
        (known.setdefault(object() if is_missing(label) else label, len(known)) for label in labels),
        dtype=np.int64,
        count=n,
    )


def without_gaps(codes: Ints) -> Ints:
    """Return the clusters numbered from 0 in the same order, where some numbers have no item; nothing is sorted."""
    has_items = np.bincount(codes) > 0
    numbers: Ints = np.cumsum(has_items) - 1
    return numbers[codes]


def cluster_sizes(codes: Ints) -> Ints:
    """Return how many items each cluster has that has any, in their order."""
    counts = np.bincount(codes)
    return counts[counts > 0]


def is_missing(label: object) -> bool:
    """Return whether a label is None, NaN, or the NA or NaT of a frame."""
    if label is None or type(label).__name__ in {"NAType", "NaTType"}:
        return True
    return isinstance(label, float | np.floating) and math.isnan(label)


def cluster_sums(values: Floats, codes: Ints) -> Floats:
    """Return the sum of the values of each cluster."""
    return np.bincount(codes, weights=values).astype(np.float64)


def cluster_df(codes: Ints) -> float:
    """Return the degrees of freedom of a clustered standard error of a mean: G - 1 for G clusters of one size.

    Fewer when a few large clusters carry the mean, because its error is then known from those few only. Satterthwaite's
    ``(sum l)^2 / sum l^2`` with l the eigenvalues of the covariance of the cluster sums, for clusters whose items are
    alike. Sources: R. M. Bell, D. F. McCaffrey, Survey Methodology 28 (2002) 169-181; G. W. Imbens, M. Kolesar, Review
    of Economics and Statistics 98 (2016) 701-712.

    Args:
        codes: the cluster of each item.

    Returns:
        At most G - 1, and 0 for one cluster or none.

    >>> round(cluster_df(np.repeat(range(8), 5)), 6), round(cluster_df(np.repeat(range(8), [65, *[5] * 7])), 2)
    (7.0, 1.48)
    """
    counts = cluster_sizes(codes).astype(np.float64)
    if counts.size < 2:
        return 0.0
    share = counts / counts.sum()
    # Sums of the cluster sums' covariance V = (D - nn')^2 with D the sizes: trace V and trace V^2, in closed form.
    s2, s3, s4, s5 = (float((share**power).sum()) for power in (2, 3, 4, 5))
    trace = s2 - 2 * s3 + s2**2
    square = s4 + 2 * (s4 * s2 + s3**2) + s2**4 - 4 * s5 + 2 * s2 * s4 - 4 * s2**2 * s3
    return min(trace**2 / square, counts.size - 1.0)


def effective_clusters(codes: Ints) -> float:
    """Return how many clusters of one size know as much as these, ``n^2 / sum n_c^2``; NaN for no items.

    Source: L. Kish, Survey Sampling (1965), section 11.7.
    """
    counts = cluster_sizes(codes).astype(np.float64)
    return float(counts.sum() ** 2 / np.square(counts).sum()) if counts.size else math.nan


def is_binary(data: Floats) -> bool:
    """Return whether every known value is 0 or 1, and there is one."""
    known = data[~np.isnan(data)]
    return known.size > 0 and bool(np.isin(known, (0.0, 1.0)).all())


def z_value(level: float) -> float:
    """Return the normal quantile of (1 + level) / 2."""
    return NormalDist().inv_cdf((1 + level) / 2)


def t_value(level: float, df: float) -> float:
    """Return Student's quantile of (1 + level) / 2; NaN for no degrees of freedom."""
    if not df > 0:
        return math.nan
    from scipy.special import stdtrit  # a tenth of the import time of scipy.stats

    return float(stdtrit(df, (1 + level) / 2))


def t_two_sided_p(t: float, df: float) -> float:
    """Return the two-sided p-value of Student's t; NaN for no degrees of freedom or t NaN."""
    if not df > 0 or math.isnan(t):
        return math.nan
    from scipy.special import stdtr

    return float(2 * stdtr(df, -abs(t)))


def show(value: float) -> str:
    """Return a number as a person reads it in a ``__repr__``."""
    return "nan" if math.isnan(value) else f"{value:.4g}"
