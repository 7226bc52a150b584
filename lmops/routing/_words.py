"""What comparisons say: verdicts, differences and users in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from lmops.base.units import amount
from lmops.text import plain_line

if TYPE_CHECKING:
    from lmops.routing._trial_records import MetricComparison

VERDICTS: Final = {
    "better": "better",
    "worse": "worse",
    "non_inferior": "not worse",
    "inconclusive": "cannot tell yet",
    "invalid": "nothing can be said",
}


def difference_words(one: MetricComparison) -> str:
    """Return a metric with its verdict, the difference and its interval in one line."""
    return f"{plain_line(one.metric.words, 80)} {VERDICTS[one.verdict]}, {interval_words(one)}"


def interval_words(one: MetricComparison) -> str:
    """Return a difference with its limits, in the unit of its metric."""
    found, unit = one.found, one.metric.unit
    if math.isnan(found.difference):
        return "no difference is known"
    said = amount(found.difference, unit, signed=True)
    if math.isnan(found.low):
        return f"{said}, no limits"
    return f"{said} [{amount(found.low, unit, signed=True)}, {amount(found.high, unit, signed=True)}]"


def verdict_words(one: MetricComparison) -> str:
    """Return the verdict of a metric, with the users that it takes where it is open."""
    words = VERDICTS[one.verdict]
    if one.verdict == "non_inferior" and one.decision.margin is not None:
        return f"{words} by {amount(one.decision.margin, one.metric.unit)} or more"
    if one.verdict == "inconclusive" and one.decision.n_needed is not None:
        return f"{words}: {one.decision.n_needed - one.found.n:,} more users"
    return words
