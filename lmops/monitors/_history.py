"""How the series of a monitor went: what it watches over time, its baseline, and the alerts on it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lmops import charts
from lmops.base.frames import Frame
from lmops.monitors import _state, reading
from lmops.monitors._judged import Judged
from lmops.monitors._records import CheckReport, Figures
from lmops.monitors._words import series_words
from lmops.monitors.boards import range_end
from lmops.monitors.drifting import Parts
from lmops.monitors.reading import Traffic
from lmops.times import from_ns, to_ns
from lmops.traces import seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    import plotly.graph_objects as go

    from lmops.monitors._records import Alert, Monitor
    from lmops.monitors._state import State
    from lmops.records import Project

_POINTS: Final = 60
_LEAST_NS: Final = 3600 * 10**9
#: Series that are drawn: those that fire, then those with the most items.
DRAWN: Final = 4
_COLUMNS: Final = ("bucket", "estimate", "low", "high", "n", "baseline", "baseline_low", "baseline_high", "alert")


@dataclass(frozen=True, slots=True, kw_only=True)
class History(CheckReport):
    """How a monitor is as of the last check, and how its series went; :meth:`figure` draws one.

    Args:
        unit: Of the estimates.
        title: What is watched.
        points: By series, one mapping a point, with the columns of :meth:`line`.
    """

    unit: str
    title: str
    points: dict[str, list[dict[str, Any]]] = field(repr=False)

    def line(self, series: str | None = None) -> pd.DataFrame:
        """Return the points of a series.

        Args:
            series: As of :meth:`df`; the first that is drawn by default.

        Returns:
            bucket (start, UTC), estimate, low, high (in the unit of the metric), n, baseline, baseline_low,
            baseline_high, alert (words of one that was found then).
        """
        named = next(iter(self.points), "{}") if series is None else series
        return Frame(self.points.get(named, []), columns=[*_COLUMNS])

    def figure(self, series: str | None = None) -> go.Figure:
        """Return a chart: the estimates with their intervals, the baseline, alerts, and how many items there are.

        Args:
            series: As of :meth:`df`; the first that is drawn by default.
        """
        named = next(iter(self.points), "{}") if series is None else series
        of = series_words(named)
        frame = self.line(named).astype(dict.fromkeys(_COLUMNS[1:-1], "float64"))
        return charts.series(frame, title=f"{self.title}: {of}" if of else self.title, unit=self.unit)


def history(project: Project, monitor: Monitor, report: CheckReport, *, last: str) -> History:
    """Return how the series of a monitor went over a range that ends now, or at the newest trace.

    Args:
        project: Where it is.
        monitor: The version that is looked at.
        report: How it was when a check looked last.
        last: Length of the range.
    """
    until_ns = range_end(project, last)
    since_ns = until_ns - int(seconds(last) * 1e9)
    width_ns = max((until_ns - since_ns) // _POINTS, _LEAST_NS)
    times = range(since_ns, until_ns, width_ns)
    with project.reading() as con:
        states = _state.read(con, monitor)
    firing = sorted(states, key=lambda one: (states[one].look.status != "firing", -states[one].look.figures.n))[:DRAWN]
    with Traffic(project.store, monitor, until_ns) as traffic:
        made = _Points(traffic, states, since_ns, until_ns, width_ns)
        points = {series: made.of(series, states[series], times, report.alerts) for series in firing}
    told = {name: getattr(report, name) for name in ("at", "series", "alerts", "opened", "resolved", "notes")}
    return History(**told, unit=monitor.watched.unit, title=monitor.watched.words, points=points)


class _Points:
    """Makes the points of series."""

    def __init__(
        self, traffic: Traffic, states: Mapping[str, State], since_ns: int, until_ns: int, width_ns: int
    ) -> None:
        self._traffic, self._width_ns = traffic, width_ns
        self._judged = Judged(traffic)
        window = (until_ns - traffic.monitor.window_ns, until_ns)
        is_drift = traffic.monitor.method == "drift"
        self._parts = Parts(traffic, states, (since_ns, until_ns), window) if is_drift else None

    def of(self, series: str, state: State, times: range, alerts: tuple[Alert, ...]) -> list[dict[str, Any]]:
        """Return one row a point."""
        base = self._base(series, state)
        mine = _dict(series)
        found = {to_ns(one.found_at): one.words for one in alerts if dict(one.series) == mine}
        rows = []
        for at in times:
            now = self._now(series, state, (at, at + self._width_ns))
            words = [said for ns, said in found.items() if at <= ns < at + self._width_ns]
            told = {name: getattr(now, name) for name in ("estimate", "low", "high", "n")}
            rows.append({"bucket": from_ns(at), **told, **base, "alert": words[0] if words else None})
        return rows

    def _now(self, series: str, state: State, span: tuple[int, int]) -> Figures:
        if self._parts is not None:
            return self._parts.figures(*span).get(series, Figures())
        found = reading.figures(self._traffic, *span, series=series).get(series, Figures())
        return self._judged.told(series, found, span, state.core.held)[0]

    def _base(self, series: str, state: State) -> dict[str, float | None]:
        """Return the baseline with its limits; of a threshold its limit, which has none."""
        held, usual = state.core.held, state.look.figures.baseline
        found = Figures()
        if self._parts is not None:
            usual, low, high = self._parts.baseline(series) or (None, None, None)
            found = Figures(low=low, high=high)
        elif held is not None:
            span = (held.since_ns, held.until_ns)
            raw = reading.figures(self._traffic, *span, series=series).get(series, Figures())
            found = self._judged.told(series, raw, span, held)[0]
        return {"baseline": usual, "baseline_low": found.low, "baseline_high": found.high}


def _dict(series: str) -> dict[str, Any]:
    try:
        return dict(json.loads(series))
    except ValueError:  # somebody was erased from it
        return {"": series_words(series)}
