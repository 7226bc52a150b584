"""How far two distributions of kinds are apart: an effect size, which a sample of any size leaves where it is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from lmops.calc.arrays import check_draws, matrix, vector

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from lmops.calc.arrays import Floats

_DRAWN_AT_ONCE = 500


def cramers_v(before: ArrayLike, after: ArrayLike) -> float:
    """Return Cramer's V of two periods and the kinds of what was said in them: 0 is the same mix, 1 is nothing alike.

    It is corrected for what chance alone would make of it: W. Bergsma, J. of the Korean Statistical Society 42 (2013)
    323-328. About .1 is a small difference, .3 one of medium size and .5 a large one (J. Cohen, 1988).

    Args:
        before: how many of each kind there were, at least 0; need not be whole.
        after: likewise, of the same kinds.

    Returns:
        A number in [0, 1]; NaN where one period is empty, or there is one kind only.

    Raises:
        ValueError: not as many kinds on both sides, or a count below 0.

    >>> round(cramers_v([80, 20], [50, 50]), 2)
    0.31
    """
    table = np.stack([vector(before, "before"), vector(after, "after")])
    if table.min(initial=0.0) < 0:
        raise ValueError(f"counts must be at least 0, and one is {table.min():g}")
    table = table[:, table.sum(axis=0) > 0]
    n, kinds = table.sum(), table.shape[1]
    if kinds < 2 or not table.sum(axis=1).all():
        return math.nan
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / n
    square = float(((table - expected) ** 2 / expected).sum() / n)
    more = (kinds - 1) / (n - 1)
    return math.sqrt(max(square - more, 0.0) / min(1 - 1 / (n - 1), kinds - (kinds - 1) * more - 1))


def mix_p(counts: ArrayLike, is_after: ArrayLike, *, draws: int = 1_999, seed: int = 0) -> float:
    """Return how often chance alone sets two periods as far apart, by dealing whole units to them again at random.

    The distance is the chi-square of the two mixes of kinds, sum of (p - q)^2 / (p + q). Units (people, sessions) stay
    whole, so that somebody who says the same again and again counts as one who does. Source: R. A. Fisher, The Design
    of Experiments (1935); B. Phipson, G. K. Smyth, SAGMB 9 (2010), the + 1.

    Args:
        counts: units by kinds: how many of each kind a unit said, at least 0.
        is_after: whether a unit is of the second period.
        draws: random deals, at least 2; p is at least 1 / (draws + 1).
        seed: of the deals.

    Returns:
        A number in (0, 1]; NaN where a period has no unit or said nothing.

    Raises:
        ValueError: not one period a unit, a count below 0, or fewer than two draws.

    >>> mix_p([[4, 0], [3, 1], [4, 0], [0, 4], [1, 3], [0, 4]], [0, 0, 0, 1, 1, 1], draws=199) < 0.15
    True
    """
    check_draws(draws)
    table, sides = matrix(counts, "counts"), vector(is_after, "is_after") > 0
    if len(table) != len(sides):
        raise ValueError(f"{len(table)} units and {len(sides)} periods: give one period a unit")
    if table.min(initial=0.0) < 0:
        raise ValueError(f"counts must be at least 0, and one is {table.min():g}")
    total = table.sum(axis=0)
    later = table[sides].sum(axis=0)
    if not (later.sum() > 0 and (total - later).sum() > 0):
        return math.nan
    rng = np.random.default_rng(seed)
    observed = _apart(later[None], total)[0]
    at_least, dealt = 1, sides.astype(np.float64)
    for start in range(0, draws, _DRAWN_AT_ONCE):
        deals = rng.permuted(np.tile(dealt, (min(_DRAWN_AT_ONCE, draws - start), 1)), axis=1)
        at_least += int((_apart(deals @ table, total) >= observed - 1e-12).sum())
    return at_least / (draws + 1)


def _apart(later: Floats, total: Floats) -> Floats:
    """Return the distance of the second period from the first, a row each."""
    earlier = total - later
    with np.errstate(divide="ignore", invalid="ignore"):
        p, q = earlier / earlier.sum(axis=1, keepdims=True), later / later.sum(axis=1, keepdims=True)
        return np.asarray(np.nansum((p - q) ** 2 / (p + q), axis=1), dtype=np.float64)
