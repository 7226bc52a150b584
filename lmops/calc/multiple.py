"""Many comparisons at once: p-values adjusted so that the error of the whole family is held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from lmops.calc.arrays import Floats, vector

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike


def holm(p_values: ArrayLike) -> Floats:
    """Return Holm's adjusted p-values: reject those at most alpha and no family errs more often than alpha.

    Sorted upwards, ``p_(i)`` becomes ``max over j <= i of min(1, (m - j + 1) p_(j))``; holds under any dependence.
    Source: S. Holm, Scandinavian J. of Statistics 6 (1979) 65-70. For gates: one wrong verdict is one too many.

    Args:
        p_values: one per comparison, in 0..1. NaN (a comparison that could not be made) stays NaN and is not counted.

    Returns:
        Adjusted p-values in the given order; ties get one value; an empty array for none.

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    return _adjust(p_values, lambda p, rank: np.maximum.accumulate((p.size - rank + 1) * p))


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """Return Benjamini and Hochberg's adjusted p-values: reject those at most q and about q of them are wrong.

    Sorted upwards, ``p_(i)`` becomes ``min over j >= i of min(1, m p_(j) / j)``; holds for independent and positively
    dependent tests. Source: Y. Benjamini, Y. Hochberg, JRSS B 57 (1995) 289-300. For exploring slices.

    Args:
        p_values: one per comparison, in 0..1. NaN stays NaN and is not counted.

    Returns:
        Adjusted p-values in the given order; an empty array for none.

    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    return _adjust(p_values, lambda p, rank: np.minimum.accumulate((p * (p.size / rank))[::-1])[::-1])


def adjust(p_values: ArrayLike, method: Literal["holm", "bh", "none"] = "holm") -> Floats:
    """Return adjusted p-values by the name of the method: "holm", "bh" or "none"."""
    methods: dict[str, Callable[[ArrayLike], Floats]] = {
        "holm": holm,
        "bh": benjamini_hochberg,
        "none": lambda p: _adjust(p, lambda ordered, _: ordered),
    }
    if method not in methods:
        raise ValueError(f"method must be one of {', '.join(methods)}; not {method!r}")
    return methods[method](p_values)


def _adjust(p_values: ArrayLike, step: Callable[[Floats, Floats], Floats]) -> Floats:
    data = vector(p_values, "p_values")
    known = ~np.isnan(data)
    p = data[known]
    if p.size and (p.min() < 0 or p.max() > 1):
        raise ValueError(f"p_values must be between 0 and 1; found {p.min():g} to {p.max():g}")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(step(p[order], np.arange(1, p.size + 1, dtype=np.float64)), 1.0)
    result = np.full(data.size, np.nan)
    result[known] = adjusted
    return result
