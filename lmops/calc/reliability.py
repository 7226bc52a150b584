"""How much of the spread of numeric ratings lies between the items: intraclass correlations of several raters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from lmops.calc.arrays import Floats, check_choice, check_level, matrix, show

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_KINDS = ("icc1", "icc2", "icc3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """An intraclass correlation with its interval. What cannot be computed is NaN; n is always there."""

    name: str
    value: float
    low: float
    high: float
    level: float
    n: int  # items that every rater rated
    n_raters: int
    n_missing: int  # items that some rater left out

    def __repr__(self) -> str:
        return (
            f"Reliability({self.name} {show(self.value)} [{show(self.low)}, {show(self.high)}], {self.level:g}, "
            f"n={self.n}, {self.n_raters} raters)"
        )


def icc(
    ratings: ArrayLike, *, kind: Literal["icc1", "icc2", "icc3"] = "icc2", average: bool = False, level: float = 0.95
) -> Reliability:
    """Return the intraclass correlation of one rating, or of the average of all raters.

    With the mean squares of items MSB, raters MSJ, rest MSE and within items MSW, n items and k raters::

        icc1 = (MSB - MSW)/(MSB + (k-1) MSW)                        other raters for each item
        icc2 = (MSB - MSE)/(MSB + (k-1) MSE + k (MSJ - MSE)/n)      these raters are a sample of all; absolute agreement
        icc3 = (MSB - MSE)/(MSB + (k-1) MSE)                        these raters are all there are; consistency

    The average of k raters has ``k r/(1 + (k-1) r)`` of icc1 and icc3 (Spearman-Brown), and for icc2
    ``(MSB - MSE)/(MSB + (MSJ - MSE)/n)``. Intervals from F. Source: P. E. Shrout, J. L. Fleiss, Psychological Bulletin
    86 (1979) 420-428; K. O. McGraw, S. P. Wong, Psychological Methods 1 (1996) 30-46.

    Args:
        ratings: items x raters, numbers; an item that a rater left out (NaN) is not counted.
        kind: as above.
        average: Whether the mean of all raters is used instead of one.
        level: confidence level in (0, 1).

    Returns:
        A Reliability, at most 1; NaN for fewer than two items or raters, or when nothing varies.

    Raises:
        ValueError: another kind.
    """
    check_level(level)
    check_choice("kind", kind, _KINDS)
    data = matrix(ratings, "ratings")
    complete = data[~np.isnan(data).any(axis=1)]
    n, k = complete.shape
    name = f"{kind.upper()[:3]}({kind[3]},{k if average else 1})"
    value = low = high = math.nan
    if n > 1 and k > 1:
        value, low, high = _icc(complete, kind, level, average=average)
    return Reliability(
        name=name, value=value, low=low, high=high, level=level, n=n, n_raters=k, n_missing=len(data) - n
    )


def _icc(data: Floats, kind: str, level: float, *, average: bool) -> tuple[float, float, float]:
    from scipy.stats import f as f_distribution

    n, k = data.shape
    grand, by_item, by_rater = float(data.mean()), data.mean(axis=1), data.mean(axis=0)
    msb = k * float(np.square(by_item - grand).sum()) / (n - 1)
    msj = n * float(np.square(by_rater - grand).sum()) / (k - 1)
    msw = float(np.square(data - by_item[:, None]).sum()) / (n * (k - 1))
    mse = float(np.square(data - by_item[:, None] - by_rater + grand).sum()) / ((n - 1) * (k - 1))
    noise, df = (msw, n * (k - 1.0)) if kind == "icc1" else (mse, (n - 1.0) * (k - 1))
    if msb + noise <= 0:
        return math.nan, math.nan, math.nan
    tail = (1 + level) / 2

    def one(b: float, w: float) -> float:
        return float((b - w) / (b + (k - 1) * w))

    def many(single: float) -> float:
        return float(k * single / (1 + (k - 1) * single)) if single > -1 / (k - 1) else -math.inf

    if kind != "icc2":
        value = one(msb, noise)
        if noise == 0:
            return value, math.nan, math.nan
        ratio = msb / noise
        low, high = ratio / f_distribution.ppf(tail, n - 1, df), ratio * f_distribution.ppf(tail, df, n - 1)
        limits = tuple((end - 1) / (end + k - 1) for end in (low, high))
        shown = (value, *limits)
        return tuple(map(many, shown)) if average else shown  # type: ignore[return-value]  # three of them
    value = (msb - mse) / (msb + (k - 1) * mse + k * (msj - mse) / n)
    if mse == 0:
        return (many(value) if average else value), math.nan, math.nan
    a, b = k * value / (n * (1 - value)), 1 + k * value * (n - 1) / (n * (1 - value))
    v = (a * msj + b * mse) ** 2 / ((a * msj) ** 2 / (k - 1) + (b * mse) ** 2 / ((n - 1) * (k - 1)))
    upper, lower = f_distribution.ppf(tail, n - 1, v), f_distribution.ppf(tail, v, n - 1)
    rest = k * msj + (k * n - k - n) * mse
    low = n * (msb - upper * mse) / (upper * rest + n * msb)
    high = n * (lower * msb - mse) / (rest + n * lower * msb)
    found = (value, float(low), float(high))
    return tuple(map(many, found)) if average else found  # type: ignore[return-value]  # three of them
