"""What the dashboard shows of monitors: every series over a range, beside its baseline and the week before."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.base.units import amount
from lmops.monitors import _state
from lmops.monitors._judged import Judged, point
from lmops.monitors.drifting import Parts
from lmops.monitors.reading import Traffic, figures
from lmops.times import to_ns
from lmops.traces import seconds, time_range

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lmops.monitors._records import Alert, Figures, Monitor
    from lmops.monitors._state import Held, State
    from lmops.records import Project

Point = tuple[float, int, float | None]
_WEEK_NS: Final = 7 * 86_400 * 10**9
#: Rather than more points, a line has wider ones.
_POINTS: Final = 120
#: What methods look at that hold no level of the metric against a baseline.
_TITLES: Final = {"silence": "items that came", "anomaly": "{}, single ones", "burn": "budget: {}"}
_BASED: Final = ("detector", "drift", "threshold")
_STATUS: Final = ("firing", "no data", "learning", "quiet")
_URGENCY: Final = ("page", "urgent", "ticket", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One series of a monitor.

    Args:
        monitor: Name of the monitor.
        version: Of it.
        series: The values that tell its series apart, by column.
        title: What is watched, in words.
        unit: As of the metric.
        worse: The way that is alarming.
        severity: Of its alerts.
        status: "firing", "quiet", "learning" or "no data".
        words: How it is, in a sentence.
        now: (n, estimate, low, high) of its window.
        baseline: (estimate, low, high) that it is held against; None while it learns.
        before: (n, estimate) of the range a week earlier.
        points: (start in milliseconds, n, estimate) over the range.
        earlier: The same a week earlier, moved to this range.
        as_of_ms: The newest item.
        where: Condition of a search for its traces; None where it has no trace of its own.
    """

    monitor: str
    version: int
    series: Mapping[str, Any]
    title: str
    unit: str
    worse: str
    severity: str
    status: str
    words: str
    now: tuple[int, float | None, float | None, float | None]
    baseline: tuple[float | None, float | None, float | None] | None
    before: tuple[int, float | None]
    points: Sequence[tuple[float, int, float | None]]
    earlier: Sequence[tuple[float, int, float | None]]
    as_of_ms: float | None
    where: str | None

    @property
    def cells(self) -> list[str]:
        """Its figures as text: now, the interval, n, the baseline; nothing for what is not known."""
        n, *values = self.now
        now, low, high, baseline = (
            "" if value is None else amount(value, self.unit)
            for value in (*values, None if self.baseline is None else self.baseline[0])
        )
        return [now, f"{low} to {high}" if low and high else "", f"{n:,}", baseline]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """One alert that is not resolved.

    Args:
        alert: Its number.
        monitor: Name of the monitor.
        series: The values that tell its series apart, by column.
        severity: "page", "urgent", "ticket" or "note".
        status: "firing", "acknowledged" or "silenced".
        words: What it says.
        since_ms: The likeliest time of the change.
        times: How often it came back.
        examples: Ids of traces, worst first.
    """

    alert: int
    monitor: str
    series: Mapping[str, Any]
    severity: str
    status: str
    words: str
    since_ms: float | None
    times: int
    examples: Sequence[str]


def tiles(project: Project, monitors: Iterable[Monitor], *, last: str, every: str) -> list[Tile]:
    """Return every series of some monitors over a range that ends now, or at the newest trace where all are older.

    Args:
        project: Where they are.
        monitors: The versions that are looked at.
        last: Length of the range, such as "7d".
        every: Width of a point, such as "6h".

    Returns:
        Those that fire first; what a check said of each is that of the last one.
    """
    found: list[Tile] = []
    until_ns = range_end(project, last)
    since_ns = until_ns - int(seconds(last) * 1e9)
    for monitor in monitors:
        with project.reading() as con:
            states = _state.read(con, monitor)
        with Traffic(project.store, monitor, until_ns) as traffic:
            found += _of_monitor(traffic, states, since_ns, until_ns, int(seconds(every) * 1e9))
    return sorted(found, key=lambda tile: (_STATUS.index(tile.status), _URGENCY.index(tile.severity), tile.monitor))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The metric of an alert over time.

    Args:
        title: What is watched, in words.
        unit: As of the metric.
        baseline: What it is held against; None: not known.
        points: (start in milliseconds, n, estimate) from the first to the last.
    """

    title: str
    unit: str
    baseline: float | None
    points: Sequence[Point]


def line_of(
    project: Project, alert: Alert, monitor: Monitor, series: str, *, since_ns: int, until_ns: int, points: int = 96
) -> Line:
    """Return the metric of the series of an alert between two times.

    Args:
        project: Where the traffic is.
        alert: Which.
        monitor: The version that found it.
        series: Of the alert, as its row has it.
        since_ns: Start of the first point.
        until_ns: End of the last one.
        points: At most so many.
    """
    width_ns = max((until_ns - since_ns) // points, 1_000_000)
    with project.reading() as con:
        states = _state.read(con, monitor)
    found_ns = to_ns(alert.found_at)
    window = (found_ns - monitor.window_ns, found_ns)
    with Traffic(project.store, monitor, until_ns) as traffic:
        levels = _levels(traffic, states, (min(since_ns, window[0]), until_ns), window)
        found = levels.lines(since_ns, until_ns, width_ns)
    metric = monitor.watched
    baseline = alert.baseline if monitor.method in _BASED else None
    unit = "number" if monitor.method == "silence" else metric.unit
    return Line(title=levels.title(series), unit=unit, baseline=baseline, points=found.get(series, ()))


def range_end(project: Project, last: str) -> int:
    """Return where a range ends: now, or a moment after the newest trace.

    Args:
        project: Where the traces are.
        last: Length of the range.
    """
    since_ns = time_range(project.store, last=last, since=None, until=None).since_ns
    return int(seconds(last) * 1e9) + (since_ns or 0) + 1_000_000  # ranges are half open


def _of_monitor(
    traffic: Traffic, states: Mapping[str, State], since_ns: int, until_ns: int, width_ns: int
) -> list[Tile]:
    monitor, looks = traffic.monitor, {series: state.look for series, state in states.items()}
    metric = monitor.watched
    window = (until_ns - monitor.window_ns, until_ns)
    levels = _levels(traffic, states, (min(since_ns, window[0]) - _WEEK_NS, until_ns), window)
    earlier = levels.lines(since_ns - _WEEK_NS, until_ns - _WEEK_NS, width_ns, moved_ns=_WEEK_NS)
    lines = levels.lines(since_ns, until_ns, width_ns)
    now = levels.figures(*window)
    before = levels.figures(window[0] - _WEEK_NS, window[1] - _WEEK_NS)
    newest = traffic.ends(until_ns)
    names = dict.fromkeys([*looks, *now, *lines][: monitor.most] if monitor.by else ["{}"])
    judged = _AsPeople(traffic, states, since_ns, until_ns)
    return [
        Tile(
            monitor=monitor.name,
            version=monitor.version,
            series=_values(series),
            title=levels.title(series) + judged.words,
            unit="number" if monitor.method == "silence" else metric.unit,
            worse=metric.worse,
            severity=monitor.severity,
            status=looks[series].status if series in looks else "learning",
            words=looks[series].words if series in looks else "no check has looked yet",
            now=_four(monitor, judged.now(series, now.get(series))),
            baseline=levels.baseline(series) or (judged.baseline(series) if monitor.method in _BASED else None),
            before=judged.before(_four(monitor, before.get(series))),
            points=judged.line(lines.get(series, ())),
            earlier=judged.line(earlier.get(series, ())),
            as_of_ms=None if newest is None else newest[1] / 1e6,
            where=_where(monitor, _values(series)),
        )
        for series in names
    ]


class _Levels:
    """The metric of each series over time."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    def title(self, _series: str) -> str:
        """Return what is watched, in words."""
        monitor = self._traffic.monitor
        return _TITLES.get(monitor.method, "{}").format(monitor.watched.words)

    def figures(self, since_ns: int, until_ns: int) -> dict[str, Figures]:
        """Return the metric between two times, with its limits."""
        return figures(self._traffic, since_ns, until_ns)

    def baseline(self, _series: str) -> tuple[float | None, float | None, float | None] | None:
        """Return what is not known here: a check has it."""
        return None

    def lines(self, since_ns: int, until_ns: int, width_ns: int, *, moved_ns: int = 0) -> dict[str, list[Point]]:
        """Return of each series its points; where nothing is known in between, a point says so."""
        level = self._traffic.monitor.watched.level
        made = "avg(value)" if level is None else f"quantile_cont(value, {level!r})"
        made = "count(*)::DOUBLE" if self._traffic.monitor.method == "silence" else made
        width_us = max(width_ns, (until_ns - since_ns) // _POINTS) // 1_000
        rows = self._traffic.ask(
            f"select series, (us - $start) // {width_us} as place, count(*), {made} from {{items}} "
            "group by series, place order by series, place",
            since_ns,
            until_ns,
            start=since_ns // 1_000,
        ).fetchall()
        result: dict[str, list[Point]] = {}
        for series, place, n, value in rows:
            points = result.setdefault(series, [])
            start_ms = (since_ns + moved_ns) / 1e6
            while len(points) < place:
                points.append((start_ms + len(points) * width_us / 1e3, 0, None))
            points.append((start_ms + place * width_us / 1e3, n, value))
        return result


class _Shares(_Levels):
    """Of a drift the share of the part that fires, or has grown most."""

    def __init__(
        self, traffic: Traffic, states: Mapping[str, State], span: tuple[int, int], window: tuple[int, int]
    ) -> None:
        super().__init__(traffic)
        self._parts = Parts(traffic, states, span, window)

    def title(self, series: str) -> str:
        part = self._parts.words(series)
        return super().title(series) if part is None else f"{part}: {super().title(series)}"

    def figures(self, since_ns: int, until_ns: int) -> dict[str, Figures]:
        return self._parts.figures(since_ns, until_ns)

    def baseline(self, series: str) -> tuple[float | None, float | None, float | None] | None:
        return self._parts.baseline(series)

    def lines(self, since_ns: int, until_ns: int, width_ns: int, *, moved_ns: int = 0) -> dict[str, list[Point]]:
        width_ns = max(width_ns, (until_ns - since_ns) // _POINTS)
        result = {}
        for series in self._parts.figures(since_ns, until_ns):
            shares = self._parts.shares(series, since_ns, until_ns, width_ns)
            result[series] = [((at + moved_ns) / 1e6, n, share) for at, n, share in shares]
        return result


def _levels(traffic: Traffic, states: Mapping[str, State], span: tuple[int, int], window: tuple[int, int]) -> _Levels:
    """Return what a monitor shows over a time; of a drift the part is that of a window."""
    return _Shares(traffic, states, span, window) if traffic.monitor.method == "drift" else _Levels(traffic)


def _values(series: str) -> dict[str, Any]:
    try:
        said = json.loads(series)
    except ValueError:  # somebody was erased from it
        return {"series": series}
    return dict(said)


def _four(monitor: Monitor, found: Figures | None) -> tuple[int, float | None, float | None, float | None]:
    if found is None:
        return (0, None, None, None)
    if monitor.method == "silence":
        return (found.n, found.n, None, None)
    return (found.n, found.estimate, found.low, found.high)


class _AsPeople:
    """Turns what a judge says into what people would say, where that is known of all that a tile shows."""

    def __init__(self, traffic: Traffic, states: Mapping[str, State], since_ns: int, until_ns: int) -> None:
        self._judged, self._states = Judged(traffic), states
        self._window = (until_ns - traffic.monitor.window_ns, until_ns)
        held = [one for one in map(self._held, states) if one is not None]
        spans = {(since_ns - _WEEK_NS, until_ns), *((one.since_ns, one.until_ns) for one in held)}
        self._records, self.words = self._judged.basis(*sorted(spans))

    def _held(self, series: str) -> Held | None:
        return self._states[series].core.held if series in self._states else None

    def now(self, series: str, found: Figures | None) -> Figures | None:
        """Return the figures of the window."""
        if found is None or not self._records:
            return found
        return self._judged.told(series, found, self._window)[0]

    def baseline(self, series: str) -> tuple[float | None, float | None, float | None] | None:
        """Return what a series is held against: its baseline, or a limit, which stays what somebody said."""
        held = self._held(series)
        limit = self._states[series].look.figures.baseline if series in self._states else None
        value = limit if held is None else held.estimate
        if held is not None and self._records:
            value = point(value, self._judged.basis((held.since_ns, held.until_ns)).records[0])
        return None if value is None else (value, None, None)

    def before(self, found: tuple[int, float | None, float | None, float | None]) -> tuple[int, float | None]:
        """Return the figures of a week before."""
        return found[0], self._point(found[1])

    def line(self, points: Sequence[Point]) -> Sequence[Point]:
        """Return points."""
        return [(at, n, self._point(value)) for at, n, value in points] if self._records else points

    def _point(self, value: float | None) -> float | None:
        return point(value, self._records[-1]) if self._records else value


def _where(monitor: Monitor, series: Mapping[str, Any]) -> str | None:
    """Return the search for what a series counts, of a rate for its share; None where it is of no traces themselves."""
    metric = monitor.watched
    if metric.view != "traces":
        return None
    parts = [metric.where, *([metric.value] if metric.kind == "rate" else [])]
    for column, value in series.items():
        quoted = str(value).replace("'", "''")
        parts.append(f"{column} is null" if value is None else f"{column} = '{quoted}'")
    return " and ".join(f"({part})" for part in parts)


def alert_rows(alerts: Sequence[Alert]) -> list[AlertRow]:
    """Return the alerts that are not resolved, the most urgent first."""
    rows = [
        AlertRow(
            alert=one.alert,
            monitor=one.monitor,
            series=one.series,
            severity=one.severity,
            status=one.status,
            words=one.words,
            since_ms=(one.since_at or one.found_at).timestamp() * 1e3,
            times=one.times_opened,
            examples=one.examples,
        )
        for one in alerts
        if one.status != "resolved"
    ]
    return sorted(rows, key=lambda one: (one.status != "firing", _URGENCY.index(one.severity), -(one.since_ms or 0)))
