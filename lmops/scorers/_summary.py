"""Many scores of one scorer as a few figures: a mean over what has a value, and what is missing and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lmops.scorers._records import Score


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSummary:
    """What many scores come to.

    Args:
        n: Scores with a value.
        total: All of them.
        mean: Of the values (yes is 1, no is 0); None when there is none. Read it beside ``coverage``.
        unmeasured: Scores that had nothing to measure.
        errors: Scores that failed.
        reasons: (status, reason) -> how often.
    """

    n: int
    total: int
    mean: float | None
    unmeasured: int
    errors: int
    reasons: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def coverage(self) -> float | None:
        """The share that has a value; None of nothing."""
        return self.n / self.total if self.total else None

    def __repr__(self) -> str:
        shown = "no value" if self.mean is None else f"mean {self.mean:.4g}"
        missing = f"{self.unmeasured:,} unmeasured, {self.errors:,} errors"
        return f"<ScoreSummary {shown}, n={self.n:,} of {self.total:,}, {missing}>"


def summarise(scores: Iterable[Score]) -> ScoreSummary:
    """Return the summary of scores of one scorer.

    Example:
        >>> from lmops.scorers import Score, summarise
        >>> summarise([Score.of(True), Score.of(False), Score.unmeasured("no reference"), Score.failed("timed out")])
        <ScoreSummary mean 0.5, n=2 of 4, 1 unmeasured, 1 errors>
    """
    values: list[float] = []
    reasons: Counter[tuple[str, str]] = Counter()
    for score in scores:
        if score.value is not None:
            values.append(float(score.value))
        else:
            reasons[score.status, score.reason or ""] += 1
    by_status: Counter[str] = Counter()
    for (status, _), times in reasons.items():
        by_status[status] += times
    return ScoreSummary(
        n=len(values),
        total=len(values) + by_status.total(),
        mean=sum(values) / len(values) if values else None,
        unmeasured=by_status["unmeasured"],
        errors=by_status["error"],
        reasons=dict(reasons.most_common()),
    )
