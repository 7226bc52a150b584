"""What missing scores could do to a mean: coverage, and the mean if every missing score were the worst or the best."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lmops.calc.arrays import Floats, show, vector

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """A mean over what was measured, and the range it could have over everything."""

    mean: float
    low: float  # every missing value at the lower end of the scale
    high: float
    coverage: float  # measured / all
    n: int  # measured
    n_missing: int

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return self.n_missing == 0

    def __repr__(self) -> str:
        return (
            f"Bounds(mean {show(self.mean)}, {show(self.low)} to {show(self.high)} with the missing, "
            f"coverage {show(self.coverage)} of {self.n + self.n_missing})"
        )


def mean_bounds(values: ArrayLike, *, low: float = 0.0, high: float = 1.0, n_total: int | None = None) -> Bounds:
    """Return the mean of the measured values and its bounds when the missing ones may be anything on the scale.

    ``(sum + missing * low)/N`` and ``(sum + missing * high)/N``. Source: C. F. Manski, "Nonparametric bounds on
    treatment effects", AER 80 (1990) 319-323.

    Args:
        values: one score per item, NaN for the unmeasured.
        low: the worst end of the scale, in the unit of the values; ``-inf`` or NaN when it has none.
        high: the other end.
        n_total: number of items, when unmeasured ones are not in ``values`` at all.

    Returns:
        Bounds. No item at all: all NaN. Nothing measured: mean NaN, bounds the ends of the scale. An end without limit
        gives NaN when something is missing.

    Raises:
        ValueError: ``low`` above ``high``, a value outside the scale, or fewer items than values.
    """
    data = vector(values)
    total = data.size if n_total is None else n_total
    if total < data.size:
        raise ValueError(f"n_total is {total}, but there are {data.size} values")
    known = data[~np.isnan(data)]
    return _bounds(known, int(total) - known.size, low, high)


def difference_bounds(a: ArrayLike, b: ArrayLike, *, low: float = 0.0, high: float = 1.0) -> Bounds:
    """Return the mean paired difference a - b and its bounds when the missing scores may be anything on the scale.

    The mean is over the pairs that are complete. For the bounds every missing score is replaced by the end of the
    scale that is worst (best) for a. Source: Manski 1990, as :func:`mean_bounds`.

    Args:
        a: one score per item, NaN for the unmeasured.
        b: the scores of the same items under the other variant.
        low: lower end of the scale.
        high: upper end of the scale.

    Returns:
        Bounds of the difference; coverage counts the complete pairs.

    Raises:
        ValueError: a and b of different length, ``low`` above ``high``, or a value outside the scale.
    """
    left, right = vector(a, "a"), vector(b, "b")
    if left.size != right.size:
        raise ValueError(f"a and b must hold the same items: {left.size} and {right.size} values")
    _check_scale(np.concatenate((left, right)), low, high)
    gaps = np.isnan(left) | np.isnan(right)
    pairs = (left - right)[~gaps]
    n, missing = int(pairs.size), int(gaps.sum())
    if n + missing == 0:
        return Bounds(mean=math.nan, low=math.nan, high=math.nan, coverage=math.nan, n=0, n_missing=0)

    def extreme(left_end: float, right_end: float) -> float:
        filled = np.where(np.isnan(left), left_end, left) - np.where(np.isnan(right), right_end, right)
        mean = float(filled.mean())
        return mean if math.isfinite(mean) else math.nan

    return Bounds(
        mean=float(pairs.mean()) if n else math.nan,
        low=extreme(low, high),
        high=extreme(high, low),
        coverage=n / (n + missing),
        n=n,
        n_missing=missing,
    )


def _bounds(known: Floats, missing: int, low: float, high: float) -> Bounds:
    _check_scale(known, low, high)
    n = int(known.size)
    if n + missing == 0:
        return Bounds(mean=math.nan, low=math.nan, high=math.nan, coverage=math.nan, n=0, n_missing=0)
    total = float(known.sum())

    def filled(end: float) -> float:
        value = (total + missing * end) / (n + missing) if missing else total / n
        return value if math.isfinite(value) else math.nan

    return Bounds(
        mean=total / n if n else math.nan,
        low=filled(low),
        high=filled(high),
        coverage=n / (n + missing),
        n=n,
        n_missing=missing,
    )


def _check_scale(values: Floats, low: float, high: float) -> None:
    if low > high:
        raise ValueError(f"low must not be above high: {low:g} and {high:g}")
    known = values[~np.isnan(values)]
    if known.size and (known.min() < low or known.max() > high):
        raise ValueError(f"a value is outside the scale {low:g}..{high:g}: found {known.min():g} to {known.max():g}")
