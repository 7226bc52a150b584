"""What a monitor is, what a check found, and what an alert says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from lmops.base.shown import Shown
from lmops.metrics import metric_of
from lmops.records import Version
from lmops.traces import NO_EVALUATION, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import pandas as pd

    from lmops.metrics import Metric

Method = Literal["detector", "drift", "threshold", "anomaly", "burn", "silence"]
Direction = Literal["above", "below", "both"]
Severity = Literal["page", "urgent", "ticket", "note"]
Status = Literal["quiet", "firing", "learning", "no data"]
#: The views that have the traffic of evaluations among their rows.
_WITH_EVALUATIONS: Final = frozenset(("traces", "spans", "llm_calls", "tool_calls", "retrievals", "guardrail_checks"))
#: The series of a monitor that has one.
ALL: Final = "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor(Version):
    """One version of a monitor: what is watched, how, and who is told.

    Args:
        metric: Name of the metric, or a mapping of one's own.
        by: Columns of the metric's view that tell series apart; each series is watched.
        where: SQL: which rows of the view count.
        method: How it is watched.
        window: The stretch of time that an estimate is of, such as "1d".
        baseline: What it is held against: "first 3d", "rolling 7d", "same hour of the week", or "SINCE..UNTIL".
        direction: Which way is alarming.
        limit: Of the method: the limit of a threshold, the budget of a burn, how many times as far as usual.
        margin: How far beyond its baseline a rate may be, as a share of the lesser of it and its rest.
        every: Items between two false alarms of all its series together.
        most: Series that are watched at most.
        severity: How urgent its alerts are.
        owner: Who looks after it.
        on: Whether it is looked at.
    """

    metric: str | Mapping[str, Any]
    by: tuple[str, ...]
    where: str | None
    method: Method
    window: str
    baseline: str
    direction: Direction
    limit: float | None
    margin: float
    every: float
    most: int
    severity: Severity
    owner: str | None
    on: bool

    @property
    def watched(self) -> Metric:
        """The metric with all conditions of the monitor; the traffic of evaluations does not count."""
        metric = metric_of(self.metric)
        parts = [metric.where, *([self.where] if self.where else [])]
        parts += [NO_EVALUATION] if metric.view in _WITH_EVALUATIONS else []
        if self.method == "drift":  # what is said of it are shares of its parts
            metric = replace(metric, name=f"drift.{metric.name}", title=f"drift of {metric.title}", unit="share")
        return replace(metric, where=" and ".join(f"({part})" for part in parts))

    @property
    def window_ns(self) -> int:
        """The window in nanoseconds."""
        return int(seconds(self.window) * 1e9)

    @property
    def directions(self) -> tuple[str, ...]:
        """Each way that is alarming."""
        return ("above", "below") if self.direction == "both" else (self.direction,)

    @property
    def each_every(self) -> float:
        """Items between two false alarms of one series in one direction, so that all together keep ``every``."""
        return self.every * len(self.directions) * (self.most if self.by else 1)


class Figures(NamedTuple):
    """What a metric was over some time, in its unit; None is not known."""

    n: int = 0
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    baseline: float | None = None


class Step(NamedTuple):
    """A series began to fire, or fires no more; or, of single queries, there are more while it fires."""

    series: str
    fires: bool
    at_ns: int
    direction: str | None = None
    since_ns: int | None = None
    since_low_ns: int | None = None
    since_high_ns: int | None = None
    figures: Figures = Figures()
    words: str = ""
    examples: tuple[str, ...] = ()
    is_more: bool = False


class Look(NamedTuple):
    """How one series is now."""

    series: str
    status: Status
    figures: Figures
    words: str
    needed: int | None = None
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert(Shown):
    """What a monitor found, and what became of it; a row of the view ``alerts``.

    Args:
        alert: Its number.
        monitor: Name of the monitor.
        version: Of the monitor.
        series: The values that tell its series apart, by column.
        metric: Name of the metric.
        direction: "above" or "below"; None of silence.
        severity: "page", "urgent", "ticket" or "note".
        status: "firing", "acknowledged", "silenced" or "resolved".
        since_at: The likeliest time of the change; None where it cannot be dated.
        since_low_at: The earliest likely time of it.
        since_high_at: The latest likely time of it.
        found_at: Up to when one had to look to find it.
        opened_at: When a check said so.
        n: Items of the estimate.
        estimate: Of the metric since then, in its unit.
        low: Lower limit, of a confidence sequence (95 %): it holds at every look.
        high: Upper limit, likewise.
        baseline: What it is held against.
        words: The same in a sentence.
        times_opened: More than 1: it came back soon after it was resolved.
        silenced_until_at: Of a silenced one.
        resolved_at: When it was resolved last.
        actor: Who moved it last.
        moved_at: When.
        reason: Why.
        examples: Ids of example traces, worst first.
    """

    alert: int
    monitor: str
    version: int
    series: Mapping[str, Any]
    metric: str
    direction: str | None
    severity: str
    status: str
    since_at: datetime | None
    since_low_at: datetime | None
    since_high_at: datetime | None
    found_at: datetime
    opened_at: datetime
    n: int | None
    estimate: float | None
    low: float | None
    high: float | None
    baseline: float | None
    words: str
    times_opened: int
    silenced_until_at: datetime | None
    resolved_at: datetime | None
    actor: str
    moved_at: datetime
    reason: str | None
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery(Shown):
    """Whether what an alert found is over, by sessions that began after a time; a test that may be looked at any time.

    Args:
        alert: Its number.
        monitor: Name of the monitor.
        state: "recovered", "not recovered" or "cannot tell".
        n: Sessions since then.
        needed: So many more are needed, where they are as before the alert; None where it is told, or cannot be said.
        rate: The share of them that is unwelcome, as a detector counts; None without any.
        edge: What that share must be below; None where the method of the monitor has none.
        p_recovered: Always-valid p-value of "the share is at the edge or beyond": small when it is over.
        p_not_recovered: Always-valid p-value of "the share is at the edge or below".
        estimate: Of the metric since then, in its unit.
        low: Lower limit, of a confidence sequence (95 %): it holds at every look.
        high: Upper limit, likewise.
        baseline: What it is held against.
        since: Sessions that began from then on count.
        until: And before then.
        words: The same in a sentence.
    """

    alert: int
    monitor: str
    state: Literal["recovered", "not recovered", "cannot tell"]
    n: int
    needed: int | None
    rate: float | None
    edge: float | None
    p_recovered: float
    p_not_recovered: float
    estimate: float | None
    low: float | None
    high: float | None
    baseline: float | None
    since: datetime
    until: datetime
    words: str

    @property
    def exit_code(self) -> int:
        """0 recovered, 1 not recovered, 3 cannot tell."""
        return {"recovered": 0, "not recovered": 1, "cannot tell": 3}[self.state]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport(Shown):
    """What a check found; :meth:`df` has one row a series.

    Args:
        at: The time as of which it looked.
        series: One mapping a series: monitor, version, metric, series, status, n, needed, estimate, low, high,
            baseline, words.
        alerts: Those that are not resolved.
        opened: Numbers of the alerts that this check opened, or opened again.
        resolved: Numbers of those that it resolved.
        notes: What else is to be said: late data, series that are too many, a monitor that cannot be asked.
    """

    at: datetime
    series: tuple[Mapping[str, Any], ...] = field(repr=False)
    alerts: tuple[Alert, ...] = field(repr=False)
    opened: tuple[int, ...] = ()
    resolved: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def firing(self) -> tuple[Alert, ...]:
        """The alerts that nobody has acknowledged or silenced."""
        return tuple(alert for alert in self.alerts if alert.status == "firing")

    @property
    def outcome(self) -> Literal["quiet", "firing", "cannot tell"]:
        """Whether an alert fires; where none does, whether every series could be told."""
        if self.firing:
            return "firing"
        is_told = self.series and all(one["status"] in ("quiet", "firing") for one in self.series)
        return "quiet" if is_told else "cannot tell"

    @property
    def exit_code(self) -> int:
        """0 quiet, 1 firing, 3 cannot tell."""
        return {"quiet": 0, "firing": 1, "cannot tell": 3}[self.outcome]

    def df(self) -> pd.DataFrame:
        """Return one row a series, with the columns of ``series``."""
        from lmops.base.frames import Frame

        return Frame(self.series, columns=[*COLUMNS])


#: The columns of a check.
COLUMNS: Final = ("monitor", "version", "metric", "series", "status", *Figures._fields, "needed", "words")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest(Shown):
    """When a monitor would have fired; :meth:`df` has one row for each time.

    Args:
        monitor: Which version.
        since: From when on it was replayed.
        until: Up to when.
        fired: One mapping each: series, fired_at, since_at, since_low_at, since_high_at, resolved_at (None: not yet),
            direction, n, estimate, low, high, baseline, words.
        series: How each series is at the end, as in a check.
    """

    monitor: str
    since: datetime
    until: datetime
    fired: tuple[Mapping[str, Any], ...]
    series: tuple[Mapping[str, Any], ...] = field(repr=False, default=())

    def df(self) -> pd.DataFrame:
        """Return one row for each time that it would have fired, with the columns of ``fired``."""
        from lmops.base.frames import Frame

        return Frame(self.fired, columns=[*FIRED])


_TIMES: Final = ("fired_at", "since_at", "since_low_at", "since_high_at", "resolved_at")
FIRED: Final = ("series", *_TIMES, "direction", *Figures._fields, "words")


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation(Shown):
    """How large a change a monitor finds how soon; :meth:`df` has one row for each size.

    Args:
        before: The rate of the baseline.
        edge: What the rate must not go beyond.
        n_per_day: Values a day.
        every: Values between two false alarms.
        rows: One mapping each: rate (after the change), values (median until it is found), values_low, values_high
            (80 % of changes), days (the median).
    """

    before: float
    edge: float
    n_per_day: float
    every: float
    rows: tuple[Mapping[str, Any], ...] = field(repr=False)

    def df(self) -> pd.DataFrame:
        """Return one row for each size of change, with the columns of ``rows``."""
        from lmops.base.frames import Frame

        return Frame(self.rows)
