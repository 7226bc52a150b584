"""How far two distributions of kinds are apart: an effect size, which a sample of any size leaves where it is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from lmops.calc.arrays import vector

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


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
