"""What moved: the judge, the application, its model, or the traffic? Or it cannot be told, and what would help."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from lmops.base.shown import Shown
from lmops.base.units import amount
from lmops.calc.intervals import wilson
from lmops.text import plain_line
from lmops.times import from_ns, to_ns

if TYPE_CHECKING:
    from datetime import datetime

    from lmops.metrics import Metric
    from lmops.monitors._explained import Explanation, Period
    from lmops.monitors._records import Monitor
    from lmops.records import Project

Which = Literal["judge", "application", "model", "traffic", "cannot tell"]
#: A mix that accounts for so much of a change is what is to be said first.
_MOST: Final = 0.5
_SPOKE: Final = (
    "select distinct h.scorer_version from trace_scores h join trace_scorers s on s.scorer = h.scorer and "
    "s.scorer_version = h.scorer_version where s.kind = 'judge' and h.scorer = $scorer and h.status = 'value' "
    "and h.start_at >= $since and h.start_at < $until order by all"
)
_ANCHORED: Final = (
    "select judge, version from judge_anchors where judge = $judge and judge_version = $version order by version desc"
)
_DIFFERENCES: Final = (
    "with told as (select v.example_id, avg(v.score - v.kept) filter (v.start_at >= $since and v.sweep >= a.repeats) "
    "as now, coalesce(avg(v.score - v.kept) filter (v.sweep between 1 and a.repeats - 1), 0) as usual from "
    "anchor_verdicts as v join judge_anchors as a on a.judge = v.judge and a.version = v.version where "
    "v.judge = $judge and v.version = $version group by v.example_id) "
    "select now - usual from told where now is not null order by example_id"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved(Shown):
    """What moved, and by what that is said.

    Args:
        alert: Number of the alert.
        which: "judge", "application", "model" (another one answers under the same name), "traffic", or "cannot tell".
        words: The same in sentences.
        judge: The judge that measures, None where none does.
        answers: Anchors that it was shown again since the change.
        shift: By how much its scores of them moved; None: it was not asked since.
        shift_low: Lower limit, at 95 %.
        shift_high: Upper limit.
        explanation: What accounts for the change of the metric.
    """

    alert: int
    which: Which
    words: str
    judge: str | None
    answers: int
    shift: float | None
    shift_low: float | None
    shift_high: float | None
    explanation: Explanation


class Shift(NamedTuple):
    """By how much a judge's scores of its anchors moved, with limits at 95 %."""

    n: int
    estimate: float
    low: float
    high: float


def what_moved(project: Project, number: int, monitor: Monitor, explanation: Explanation) -> Moved:
    """Return what moved where an alert is open; see :meth:`lmops.monitors.Monitors.moved`."""
    metric = monitor.watched
    judged = _Judged(project, metric)
    before, after = (judged.versions(period) for period in (explanation.before, explanation.after))
    shift, ref = None, None
    if not before and not after:
        which, words = _of_traffic(explanation)
    elif before and after and before != after:
        which = "judge"
        words = f"another version of the judge spoke: {_list(before)} before, {_list(after)} after"
    else:
        ref = judged.anchored((after or before)[-1])
        since = explanation.at_high or explanation.after.since
        shift = None if ref is None else judged.shift(ref, since)
        which, words = _of_judge(judged, ref, shift, explanation, metric)
    return Moved(
        alert=number,
        which=which,
        words=words,
        judge=metric.score if before or after else None,
        answers=0 if shift is None else shift.n,
        shift=None if shift is None else shift.estimate,
        shift_low=None if shift is None else shift.low,
        shift_high=None if shift is None else shift.high,
        explanation=explanation,
    )


def _of_judge(
    judged: _Judged, ref: tuple[str, int] | None, shift: Shift | None, explanation: Explanation, metric: Metric
) -> tuple[Which, str]:
    """Return what moved where one version of a judge measured all along."""
    if ref is None:
        return "cannot tell", (
            f"the judge has no anchors, so nobody knows whether it moved: ws.monitors.anchor('judge:{metric.score}', "
            "'golden') keeps some for the next time"
        )
    named = f"{ref[0]}@{ref[1]}"
    if shift is None:
        return "cannot tell", f"the judge {named} was not shown its anchors since the change: the next check asks it"
    of = f"on {shift.n:,} anchors the judge {named} moved by {_limits(shift, metric)}"
    if explanation.change is None or explanation.low is None or explanation.high is None:
        return "cannot tell", f"{of}; how far the metric moved is not known"
    rest = _rest(explanation.change, explanation.low, explanation.high, shift)
    if judged.fires(ref):
        if rest.low <= 0 <= rest.high:
            return "judge", f"{of}, which can be all of the change"
        return "judge", f"{of}; that is not all: {_limits(rest, metric)} of the change remain"
    if rest.low > 0 or rest.high < 0:
        which, words = _of_traffic(explanation)
        return which, f"{words}; {of}, which cannot be all of the change"
    return "cannot tell", f"{of}, which can be all of the change, or nothing of it: more anchors would tell"


def _of_traffic(explanation: Explanation) -> tuple[Which, str]:
    """Return whether the mix of the traffic or another model accounts for most of a change that no judge makes."""
    if explanation.state in ("cannot_tell", "no_change"):
        return "cannot tell", "the change cannot be told from chance"
    for one in explanation.accounts[:1]:
        if one.dimension == "fingerprint" and one.is_clear and one.share >= _MOST:
            return "model", (
                f"another model answers under the same name, and nobody here released it; {one.title} accounts for "
                f"most of it: {one.words}"
            )
        if one.how == "mix" and one.is_clear and one.share >= _MOST:
            return "traffic", f"another mix accounts for most of it, {one.title}: {one.words}"
        return "application", f"no mix of the traffic accounts for most of it; first is {one.title}: {one.words}"
    return "application", "nothing that is known of the traffic accounts for it"


def _rest(change: float, low: float, high: float, shift: Shift) -> Shift:
    """Return what is left of a change beside the shift of a judge, with limits (MOVER)."""
    rest = change - shift.estimate
    return Shift(
        shift.n,
        rest,
        rest - math.hypot(change - low, shift.high - shift.estimate),
        rest + math.hypot(high - change, shift.estimate - shift.low),
    )


def _limits(shift: Shift, metric: Metric) -> str:
    estimate, low, high = (amount(value, metric.unit, signed=True) for value in shift[1:])
    return f"{estimate} [{low}, {high}]"


def _list(words: list[str]) -> str:
    return ", ".join(plain_line(one, 40) for one in words)


class _Judged:
    """What the store knows of the judge of a metric."""

    def __init__(self, project: Project, metric: Metric) -> None:
        self._project, self._metric = project, metric

    def versions(self, period: Period) -> list[str]:
        """Return the versions of the judge that spoke in a period; none where no judge does."""
        if self._metric.score is None:
            return []
        asked = {"scorer": self._metric.score, "since": period.since, "until": period.until}
        return [row[0] for row in self._project.store.sql(_SPOKE, asked).fetchall()]

    def anchored(self, version: str) -> tuple[str, int] | None:
        """Return the judge of the store that has anchors and is this version of the scorer."""
        asked = {"judge": self._metric.score, "version": version}
        found = self._project.store.sql(_ANCHORED, asked).fetchall()
        return found[0] if found else None

    def shift(self, ref: tuple[str, int], since: datetime) -> Shift | None:
        """Return how much the scores of anchors moved since a time; None where it was not asked."""
        asked = {"judge": ref[0], "version": ref[1], "since": from_ns(to_ns(since))}
        found = [row[0] for row in self._project.store.sql(_DIFFERENCES, asked).fetchall()]
        return shift_of(found) if found else None

    def fires(self, ref: tuple[str, int]) -> bool:
        """Return whether the monitor of the anchors says that the judge moved, which holds however often one looks."""
        wanted = f"anchor.{ref[0]}@{ref[1]}"
        query = "select monitor from alerts where metric = $metric and status <> 'resolved'"
        return bool(self._project.store.sql(query, {"metric": wanted}).fetchall())


def shift_of(differences: list[float]) -> Shift:
    """Return the mean of differences in [-1, 1], with limits from those of its rises and its falls (Wilson, MOVER).

    Args:
        differences: One for each answer.
    """
    n = len(differences)
    up, down = (sum(max(sign * one, 0.0) for one in differences) / n for sign in (1, -1))
    (up_low, up_high), (down_low, down_high) = (wilson(min(part * n, float(n)), n, 0.95) for part in (up, down))
    estimate = up - down
    return Shift(
        n,
        estimate,
        max(estimate - math.hypot(up - up_low, down_high - down), -1.0),
        min(estimate + math.hypot(up_high - up, down - down_low), 1.0),
    )
