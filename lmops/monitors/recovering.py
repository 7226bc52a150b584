"""Is what an alert found over? A test on sessions that began after something was done, valid whenever one looks.

Two bets are made on the share of sessions that are unwelcome: that it is below the edge which the alert went beyond,
and that it is not. Whoever looks after every session errs in one of twenty cases at most. What rests on no such share
(a mean without bounds, single queries, money) has no bet, and it is said so. That something never happens cannot be
shown by any number of sessions: there the edge is a share of what the alert found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np

from lmops.base.units import counted, share
from lmops.calc.needed import values_to_go
from lmops.calc.sequential import betting_test
from lmops.metrics import items_sql
from lmops.monitors import _state, drifting, reading
from lmops.monitors._records import Figures, Recovery
from lmops.monitors._versions import baseline_of
from lmops.monitors._words import estimate_words, time_words
from lmops.monitors.detecting import held_of
from lmops.monitors.reading import REACH_NS, Stretch, Traffic
from lmops.times import from_ns, to_ns

if TYPE_CHECKING:
    from datetime import datetime

    from lmops.calc.arrays import Floats
    from lmops.monitors._records import Alert, Monitor
    from lmops.monitors._state import Held
    from lmops.monitors.explaining import About
    from lmops.records import Project

ALPHA: Final = 0.05
_DAY_NS: Final = 24 * 3600 * 10**9
_NEAREST: Final = 1e-4  # of an edge to 0 and to 1
#: Where none may happen, so much of what the alert found may be left.
NEVER_WITHIN: Final = 0.25
_UNTESTED: Final = {
    "anomaly": "single queries far from usual have no share that could be back",
    "burn": "what is spent has no upper limit",
    "threshold": "a mean without limits cannot be tested at every look",
}


class _Bound(NamedTuple):
    """What the share of a series must stay below: of sessions without a cut, or beyond one."""

    lowest: float  # edges differ by the hour of the week
    highest: float
    low: float | None = None
    high: float | None = None
    baseline: float | None = None
    usual: float | None = None  # the share of the baseline
    why: str = ""  # what the edge is, where it is not that of the monitor

    @property
    def is_never(self) -> bool:
        """Whether none may be unwelcome, which no number of sessions can show."""
        return self.highest < _NEAREST


class _Told(NamedTuple):
    """What the two bets say."""

    state: Literal["recovered", "not recovered", "cannot tell"]
    words: str
    needed: int | None = None
    p_recovered: float = 1.0
    p_not: float = 1.0


def recovered(
    project: Project,
    alert: Alert,
    monitor: Monitor,
    *,
    series: str,
    since_ns: int,
    until_ns: int,
    within: float | None = None,
) -> Recovery:
    """Return whether an alert is over; see :meth:`lmops.monitors.Monitors.recovered`.

    Args:
        project: Where the traffic is.
        alert: Which.
        monitor: The version that found it.
        series: Of the alert, as its row has it.
        since_ns: Sessions that began from then on count.
        until_ns: And before then.
        within: How much of what the alert found may be left, as a share; None: the edge of the monitor counts.
    """
    values = np.zeros(0)
    with Traffic(project.store, monitor, until_ns) as traffic:
        way = _way(project, traffic, alert, series)
        shown = _shown(project, traffic, alert, series, since_ns, until_ns)
        bound = _bound(project, traffic, alert, series, way)
        if bound is not None and since_ns < until_ns:
            values = _values(traffic, series, way, bound, since_ns, until_ns)
        if bound is not None and (within or bound.is_never):
            bound = _eased(traffic, alert, series, way, bound, within or NEVER_WITHIN, until_ns=since_ns)
    told = _silence(monitor, shown) if monitor.method == "silence" else _tested(monitor, values, bound)
    now = f"{monitor.watched.words}: {estimate_words(monitor.watched, shown)}; " if shown.n else ""
    return Recovery(
        alert=alert.alert,
        monitor=monitor.name,
        state=told.state,
        n=shown.n if bound is None else int(values.size),
        needed=told.needed,
        rate=float(values.mean()) if values.size else None,
        edge=None if bound is None else bound.highest,
        p_recovered=told.p_recovered,
        p_not_recovered=told.p_not,
        estimate=shown.estimate,
        low=shown.low,
        high=shown.high,
        baseline=alert.baseline if bound is None or bound.baseline is None else bound.baseline,
        since=from_ns(since_ns),
        until=from_ns(until_ns),
        words=f"{now}{told.words} (sessions since {time_words(since_ns)})",
    )


def traces_sql(alert: Alert, about: About, *, until: datetime) -> str:
    """Return the query of the traces that an alert is about: what failed, or is beyond the baseline, since the change.

    Args:
        alert: Which.
        about: What it is about.
        until: Items before it count.
    """
    since, end = (f"'{moment.isoformat()}'::TIMESTAMPTZ" for moment in (about.since, until))
    items = items_sql(about.metric, since=since, until=end)
    sign = "<" if alert.direction == "below" else ">"
    which = "true"
    if about.metric.kind == "rate":
        which = f"value = {int(alert.direction != 'below')}"
    elif alert.baseline is not None:
        which = f"value {sign} {alert.baseline!r}"
    return f"select distinct trace_id from ({items}) where trace_id is not null and {which}"


def _shown(project: Project, traffic: Traffic, alert: Alert, series: str, since_ns: int, until_ns: int) -> Figures:
    """Return what the alert is about between two times."""
    if traffic.monitor.method != "drift":
        return reading.figures(traffic, since_ns, until_ns, series=series).get(series, Figures())
    parts = drifting.of_alert(project, traffic, alert, (since_ns, until_ns))
    return parts.figures(since_ns, until_ns).get(series, Figures())


def _way(project: Project, traffic: Traffic, alert: Alert, series: str) -> str:
    """Return what of the traffic is unwelcome: the direction of the alert, or of a drift the part that grew."""
    if traffic.monitor.method != "drift":
        return alert.direction or "above"
    found_ns = to_ns(alert.found_at)
    return drifting.of_alert(project, traffic, alert, (found_ns, found_ns)).way(series) or ""


def _bound(project: Project, traffic: Traffic, alert: Alert, series: str, way: str) -> _Bound | None:
    """Return what the share must stay below; None where the method has no such share."""
    monitor = traffic.monitor
    metric, limit = monitor.watched, monitor.limit
    if monitor.method in ("detector", "drift"):
        held = _held(project, traffic, alert, series)
        if held is None or way not in held.edges:
            return None
        edges = held.edges[way]
        usual = held.shares.get(way)
        bound = _Bound(min(edges), max(edges), held.low, held.high, held.estimate if usual is None else usual)
        before = _values(traffic, series, way, bound, held.since_ns, held.until_ns)
        return bound._replace(usual=float(before.mean()) if before.size else None)
    if monitor.method not in ("threshold", "burn") or limit is None:
        return None
    if metric.kind == "rate":
        edge = limit if way == "above" else 1 - limit
        usual = 0.0 if edge < _NEAREST else None
        return _Bound(edge, edge, baseline=limit, usual=usual) if edge < 1 - _NEAREST else None
    if metric.kind == "quantile" and metric.level is not None and monitor.method == "threshold":
        edge = 1 - metric.level if way == "above" else metric.level
        return _Bound(edge, edge, limit, limit, limit)
    return None


def _held(project: Project, traffic: Traffic, alert: Alert, series: str) -> Held | None:
    """Return the baseline that an alert of a detector was held against."""
    monitor = traffic.monitor
    base = baseline_of(monitor.baseline)
    if base.kind in ("rolling", "hours"):  # that of the day of the change: those since then have learned from it
        day = to_ns(alert.since_at or alert.found_at) // _DAY_NS * _DAY_NS
        return held_of(traffic, day - base.span_ns, day, from_ns=day, to_ns=day + _DAY_NS).get(series)
    with project.reading() as con:
        state = _state.read(con, monitor).get(series)
    return None if state is None else state.core.held


def _values(traffic: Traffic, series: str, way: str, bound: _Bound, since_ns: int, until_ns: int) -> Floats:
    """Return the share of each session that began between two times that is unwelcome."""
    if traffic.monitor.method == "drift":
        said = drifting.read(traffic, since_ns, until_ns).get(series)
        return np.zeros(0) if said is None else said.of(way)
    stretch = Stretch(series, since_ns, until_ns, bound.low, bound.high)
    found: Floats = getattr(reading.values(traffic, [stretch])[series], way)
    return found


def _eased(
    traffic: Traffic, alert: Alert, series: str, way: str, bound: _Bound, within: float, *, until_ns: int
) -> _Bound:
    """Return a bound that leaves room for a share of what went beyond the edge until something was done."""
    since_ns, end_ns = to_ns(alert.since_at or alert.found_at), to_ns(alert.found_at) + REACH_NS
    seen = _values(traffic, series, way, bound, since_ns, max(until_ns, end_ns))
    if not seen.size:
        return bound
    rate = float(seen.mean())
    edges = (edge + within * max(rate - edge, 0.0) for edge in (bound.lowest, bound.highest))
    lowest, highest = (min(edge, 1 - _NEAREST) for edge in edges)
    why = f", {share(within)} of the {share(rate)} until then"
    return bound._replace(lowest=lowest, highest=highest, why=why)


def _tested(monitor: Monitor, values: Floats, bound: _Bound | None) -> _Told:
    if bound is None:
        why = _UNTESTED.get(monitor.method, "its baseline is not known any more")
        return _Told("cannot tell", f"no test that may be looked at at any time: {why}")
    if bound.is_never:
        return _Told("cannot tell", "what the alert found is gone, so that no share of it can be held against")
    back = betting_test(values, bound.lowest, side="below", alpha=ALPHA)
    bad = betting_test(values, bound.highest, side="above", alpha=ALPHA)
    edge = f"{share(bound.highest)}{bound.why}"
    told = _Told("cannot tell", "", p_recovered=back.p_value, p_not=bad.p_value)
    usual = bound.lowest / 2 if bound.usual is None else min(bound.usual, bound.lowest)
    if not values.size:
        needed = values_to_go(values, bound.lowest, side="below", expected=usual)
        return told._replace(words=f"no session yet: cannot verify yet, {_more(needed)}", needed=needed)
    seen = f"{share(float(values.mean()))} of {counted(values.size, 'session')} unwelcome, edge {edge}"
    if bad.stopped_at is not None:
        return told._replace(state="not recovered", words=f"{seen}: beyond it (p={bad.p_value:.2g})")
    if back.stopped_at is not None:
        return told._replace(state="recovered", words=f"{seen}: below it (p={back.p_value:.2g})")
    needed = values_to_go(values, bound.lowest, side="below", expected=usual)
    return told._replace(words=f"{seen}: cannot verify yet, {_more(needed)}", needed=needed)


def _silence(monitor: Monitor, shown: Figures) -> _Told:
    if shown.n:
        return _Told("recovered", f"something comes again: {counted(shown.n, 'item')}")
    return _Told("cannot tell", f"nothing came yet; {monitor.name} watches whether anything does", needed=1)


def _more(needed: int | None) -> str:
    return "and more sessions alone will not tell" if needed is None else f"about {counted(needed, 'more session')}"
