"""How many more are needed: labels until a corrected rate is known well enough, values until a test stops. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from lmops.calc.corrected import Allocation, allocate_labels, corrected_pass_rate
from lmops.calc.sequential import betting_test

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from lmops.calc.corrected import Errors
    from lmops.calc.sequential import Side

#: The verdicts are taken as many, so that what is left of the interval is what labels can narrow.
_VERDICTS: Final = 100_000
_MOST: Final = 100_000
_STEP: Final = 1.15
_FIRST: Final = 64


def labels_needed(width: float, errors: Errors, *, judge_rate: float, level: float = 0.95) -> Allocation | None:
    """Return the fewest further labels that make the interval of the corrected rate at most so wide, by class.

    The judge's errors are taken to be those seen so far; the labels go where they narrow most
    (:func:`lmops.calc.corrected.allocate_labels`). The number is found to about a seventh of itself.

    Args:
        width: Of the interval, from its low to its high end, a fraction above 0.
        errors: What is known of the judge: sensitivity and specificity, and the labels behind them.
        judge_rate: The share that the judge passes.
        level: Confidence level in (0, 1).

    Returns:
        An Allocation, of no labels where it is narrow enough; None where the rate cannot be corrected, because a class
        has no label or the judge is no better than chance, or where 100,000 labels would not do.
    """
    if not width > 0:
        raise ValueError(f"width must be above 0, not {width}")
    sensitivity, n_pass, specificity, n_fail = errors
    now = corrected_pass_rate(
        judge_rate * _VERDICTS,
        _VERDICTS,
        sensitivity=sensitivity,
        n_pass=n_pass,
        specificity=specificity,
        n_fail=n_fail,
        level=level,
    )
    if math.isnan(now.estimate):
        return None
    budget = 0
    while budget <= _MOST:
        split = allocate_labels(
            budget,
            rate=now.estimate,
            sensitivity=sensitivity,
            n_pass=n_pass,
            specificity=specificity,
            n_fail=n_fail,
        )
        then = corrected_pass_rate(
            judge_rate * _VERDICTS,
            _VERDICTS,
            sensitivity=sensitivity,
            n_pass=split.target_pass,
            specificity=specificity,
            n_fail=split.target_fail,
            level=level,
        )
        if then.high - then.low <= width:
            return split
        budget = max(budget + 5, round(budget * _STEP))
    return None


def values_to_go(
    values: ArrayLike, mean: float, *, side: Side, expected: float, alpha: float = 0.05, most: int = 65_536
) -> int | None:
    """Return after how many more values a betting test stops, if they come as evenly as they can.

    Args:
        values: so far, in [0, 1].
        mean: under the null, in (0, 1).
        side: as of the test.
        expected: the mean of the values to come, each of them 0 or 1.
        alpha: error in (0, 1).
        most: no more are looked for.

    Returns:
        0 where it has stopped already; None where it never stops, or only after more than ``most``.

    >>> values_to_go([], 0.1, side="below", expected=0.02)
    72
    """
    known = np.asarray(values, dtype=np.float64)
    size = _FIRST
    while size < most:
        size = min(4 * size, most)
        marks = np.floor(expected * np.arange(size + 1) + 0.5)
        stopped = betting_test(np.concatenate((known, np.diff(marks))), mean, side=side, alpha=alpha).stopped_at
        if stopped is not None:
            return max(stopped - known.size, 0)
    return None
