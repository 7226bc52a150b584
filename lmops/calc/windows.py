"""When something was failing: stretches of a series of failures and successes that chance does not account for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lmops.calc.arrays import vector

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: So often the usual rate is estimated anew without what was found: the found hardly ever moves after the second time.
_ROUNDS = 3
_MANY = 0.25


class Window(NamedTuple):
    """A stretch of failures: from which value to which (0-based, both failed), how many failed of how many, score."""

    first: int
    last: int
    failed: int
    n: int
    score: float  # log of the likelihood ratio of the stretch: failing at ``rate`` against the usual rate


def failing_windows(
    failed: ArrayLike, *, rate: float = 0.5, usual: float | None = None, alpha: float = 0.01
) -> tuple[Window, ...]:
    """Return the stretches in which so many values failed that chance would make one in ``1/alpha`` such series.

    Each failure scores ``log(rate/usual)``, each success ``log((1 - rate)/(1 - usual))``; the stretches of the highest
    sums are taken one after another (S. Karlin, S. F. Altschul, PNAS 87 (1990) 2264-2268; a cumulative sum that begins
    anew at 0). Under the usual rate
    the exponential of the sum from any start is a martingale, so that a stretch of score s begins at one of n places
    with probability at most ``n exp(-s)`` (Ville's inequality): those of ``s >= log(n/alpha)`` are kept.

    Args:
        failed: 0 and 1 in the order of time; NaN is left out of the sums and keeps its place.
        rate: Failures in a stretch that is looked for, in (0, 1).
        usual: Failures where nothing is wrong; None: those outside of what is found, never below 1/(n + 2).
        alpha: Chance of a false stretch in the whole series, in (0, 1).

    Returns:
        Windows in the order of time. n = 0, no failure, or a usual rate of ``rate`` or more: none.

    Raises:
        ValueError: A value is neither 0 nor 1, or a rate is not between 0 and 1.

    >>> [window[:4] for window in failing_windows([0] * 40 + [1] * 8 + [0] * 40)]
    [(40, 47, 8, 8)]
    """
    values = vector(failed, "failed")
    known = ~np.isnan(values)
    if not np.isin(values[known], (0.0, 1.0)).all():
        raise ValueError("failed must be 0 or 1, or NaN where it is not known")
    for name, share in (("rate", rate), ("alpha", alpha), ("usual", 0.5 if usual is None else usual)):
        if not 0 < share < 1:
            raise ValueError(f"{name} must be between 0 and 1, not {share:g}")
    places = np.flatnonzero(known)
    series = values[known]
    found: list[Window] = []
    before = None
    for _ in range(_ROUNDS if usual is None else 1):
        base = _usual(series, found) if usual is None else usual
        found = _segments(series, rate, base, math.log(max(len(series), 1) / alpha)) if base < rate else []
        if found == before:
            break
        before = found
    return tuple(one._replace(first=int(places[one.first]), last=int(places[one.last])) for one in found)


def _usual(series: np.ndarray, found: list[Window]) -> float:
    """Return the rate of failures outside of what is found; before anything is, of all, or of the usual block."""
    n = len(series)
    outside = np.ones(n, dtype=bool)
    for one in found:
        outside[one.first : one.last + 1] = False
    usual = float(series[outside].mean()) if outside.any() else 0.0
    if not found and usual > _MANY:  # most of it may be one outage: the median of blocks does not see that
        usual = float(np.median([block.mean() for block in np.array_split(series, max(min(20, n // 5), 1))]))
    return max(usual, 1 / (n + 2))


def _segments(series: np.ndarray, rate: float, usual: float, least: float) -> list[Window]:
    """Return the stretches of at least that score: each begins where the sum was 0 and ends at its top."""
    up, down = math.log(rate / usual), math.log((1 - rate) / (1 - usual))
    scores = np.where(series > 0, up, down).tolist()
    found: list[Window] = []
    at, begin, end, total, top = 0, 0, 0, 0.0, 0.0
    while at < len(scores):
        total += scores[at]
        at += 1
        if total > top:
            end, top = at, total
        if total <= 0 or at == len(scores):
            if top >= least:
                found.append(Window(begin, end - 1, int(series[begin:end].sum()), end - begin, top))
                at = end  # what follows the top has a stretch of its own
            begin, end, total, top = at, at, 0.0, 0.0
    return found
