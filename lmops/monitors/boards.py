"""What the dashboard shows of monitors: every series over a range, beside its baseline and the week before."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.monitors import _state
from lmops.monitors._words import amount
from lmops.monitors.reading import Traffic, figures
from lmops.traces import seconds, time_range

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lmops.monitors._records import Alert, Figures, Look, Monitor
    from lmops.records import Project

Point = tuple[float, int, float | None]
_WEEK_NS: Final = 7 * 86_400 * 10**9
#: Rather than more points, a line has wider ones.
_POINTS: Final = 120
#: What methods look at that hold no level of the metric against a baseline.
_TITLES: Final = {"silence": "items that came", "anomaly": "{}, single ones", "burn": "budget: {}"}
_LEVELS: Final = ("detector", "threshold")
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
    until_ns = _until(project, last)
    since_ns = until_ns - int(seconds(last) * 1e9)
    for monitor in monitors:
        with project.reading() as con:
            looks = {series: state.look for series, state in _state.read(con, monitor).items()}
        with Traffic(project.store, monitor, until_ns) as traffic:
            found += _of_monitor(traffic, looks, since_ns, until_ns, int(seconds(every) * 1e9))
    return sorted(found, key=lambda tile: (_STATUS.index(tile.status), _URGENCY.index(tile.severity), tile.monitor))


def _until(project: Project, last: str) -> int:
    """Return where a range ends: now, or a moment after the newest trace."""
    since_ns = time_range(project.store, last=last, since=None, until=None).since_ns
    return int(seconds(last) * 1e9) + (since_ns or 0) + 1_000_000  # ranges are half open


def _of_monitor(traffic: Traffic, looks: Mapping[str, Look], since_ns: int, until_ns: int, width_ns: int) -> list[Tile]:
    monitor = traffic.monitor
    metric = monitor.watched
    earlier = _lines(traffic, since_ns - _WEEK_NS, until_ns - _WEEK_NS, width_ns, moved_ns=_WEEK_NS)
    lines = _lines(traffic, since_ns, until_ns, width_ns, moved_ns=0)
    now = figures(traffic, until_ns - monitor.window_ns, until_ns)
    before = figures(traffic, until_ns - monitor.window_ns - _WEEK_NS, until_ns - _WEEK_NS)
    newest = traffic.ends(until_ns)
    names = dict.fromkeys([*looks, *now, *lines][: monitor.most] if monitor.by else ["{}"])
    return [
        Tile(
            monitor=monitor.name,
            version=monitor.version,
            series=_values(series),
            title=_TITLES.get(monitor.method, "{}").format(metric.words),
            unit="number" if monitor.method == "silence" else metric.unit,
            worse=metric.worse,
            severity=monitor.severity,
            status=looks[series].status if series in looks else "learning",
            words=looks[series].words if series in looks else "no check has looked yet",
            now=_four(monitor, now.get(series)),
            baseline=_baseline(looks.get(series)) if monitor.method in _LEVELS else None,
            before=_four(monitor, before.get(series))[:2],
            points=lines.get(series, ()),
            earlier=earlier.get(series, ()),
            as_of_ms=None if newest is None else newest[1] / 1e6,
            where=_where(monitor, _values(series)),
        )
        for series in names
    ]


def _lines(traffic: Traffic, since_ns: int, until_ns: int, width_ns: int, *, moved_ns: int) -> dict[str, list[Point]]:
    """Return of each series its points; where nothing is known in between, a point says so."""
    level = traffic.monitor.watched.level
    made = "avg(value)" if level is None else f"quantile_cont(value, {level!r})"
    made = "count(*)::DOUBLE" if traffic.monitor.method == "silence" else made
    width_us = max(width_ns, (until_ns - since_ns) // _POINTS) // 1_000
    rows = traffic.ask(
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


def _baseline(look: Look | None) -> tuple[float | None, float | None, float | None] | None:
    if look is None or look.figures.baseline is None:
        return None
    return (look.figures.baseline, None, None)


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
