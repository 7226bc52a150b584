"""How alike two rankings of the same things are, without knowing which of them are any good.

A thing that is listed twice counts where it stands first. Two empty rankings say nothing of each other: NaN.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence


def overlap_at_k(a: Sequence[Hashable], b: Sequence[Hashable], k: int | None = None) -> float:
    """Return the share of the first k of one ranking that are among the first k of the other, in whatever order.

    ``|first k of a and first k of b| / size of the longer of the two``: 1 is the same set, also where fewer than k
    were found.

    Args:
        a: ids, best first.
        b: ids, best first.
        k: places that count, at least 1; None: all.

    Returns:
        A fraction in 0..1; 0 when one of them is empty, NaN when both are.

    Raises:
        ValueError: k below 1.

    >>> overlap_at_k(["a", "b", "c"], ["b", "a", "x"], 3)
    0.6666666666666666
    """
    first, second = _first(a, k), _first(b, k)
    longer = max(len(first), len(second))
    return len(set(first) & set(second)) / longer if longer else math.nan


def rbo(a: Sequence[Hashable], b: Sequence[Hashable], *, p: float = 0.9) -> float:
    """Return the rank-biased overlap of two rankings: how alike they are, the first places counting most.

    The mean of the overlap at depths 1, 2, 3, ... with weights ``(1 - p) p^(d - 1)``, extrapolated from the last
    depth seen (RBO_ext, also for rankings of different length): W. Webber, A. Moffat, J. Zobel, ACM TOIS 28 (2010)
    article 20, equation 32.

    Args:
        a: ids, best first.
        b: ids, best first.
        p: patience of a reader in (0, 1), the chance that one goes on to the next place. With .9 the first ten
            places have 86 % of the weight.

    Returns:
        A fraction in 0..1: 1 for the same order, 0 for nothing in common or one that is empty; NaN when both are.

    Raises:
        ValueError: p is not between 0 and 1.

    >>> round(rbo(["a", "b", "c"], ["a", "c", "b"]), 3)
    0.955
    """
    if not 0 < p < 1:
        raise ValueError(f"p must lie between 0 and 1, not {p}")
    short, long = sorted((_first(a, None), _first(b, None)), key=len)
    if not long:
        return math.nan
    if not short:
        return 0.0
    seen: set[Hashable] = set()
    common, common_of_short, total, agreement = 0, 0, 0.0, 0.0
    for depth, name in enumerate(long, 1):
        other = short[depth - 1 : depth]
        common += (name in seen) + sum(one in seen or one == name for one in other)
        seen.update(other, [name])
        if other:
            common_of_short = common
        # below its end the shorter one is taken to agree as much as above it
        beyond = common_of_short * (depth - len(short)) / len(short) if not other else 0.0
        agreement = (common + beyond) / depth
        total += (1 - p) * p ** (depth - 1) * agreement
    return total + agreement * p ** len(long)


def _first(ranked: Sequence[Hashable], k: int | None) -> list[Hashable]:
    if k is not None and k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    return list(dict.fromkeys(ranked if k is None else ranked[:k]))
