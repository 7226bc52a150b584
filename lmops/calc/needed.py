"""How many more labels a corrected rate needs to be known well enough. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from lmops.calc.corrected import Allocation, allocate_labels, corrected_pass_rate

if TYPE_CHECKING:
    from lmops.calc.corrected import Errors

#: The verdicts are taken as many, so that what is left of the interval is what labels can narrow.
_VERDICTS: Final = 100_000
_MOST: Final = 100_000
_STEP: Final = 1.15


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
