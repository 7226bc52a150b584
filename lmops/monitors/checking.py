"""A check: every monitor looks at what came since the last one, and its alerts are opened and resolved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.errors import DamagedStoreError, UsageError
from lmops.monitors import _state, alerts, anchors, detecting, methods
from lmops.monitors._records import CheckReport, Figures, Look
from lmops.monitors._source import Sources
from lmops.monitors.reading import REACH_NS, TICK_NS, Traffic
from lmops.text import plain_line
from lmops.times import from_ns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lmops.monitors._records import Monitor
    from lmops.monitors._state import State
    from lmops.monitors.detecting import Found
    from lmops.records import Project
    from lmops.store import Store

#: What is younger than this is not looked at yet: spans come late.
LATENESS_S: Final = 15 * 60.0


def traffic_of(store: Store, monitor: Monitor, until_ns: int, sources: Sources | None = None) -> Traffic:
    """Return the items that a monitor watches; of those that are read for several monitors its own."""
    asked = methods.asked_as(monitor)
    return Traffic(store, asked, until_ns, None if sources is None else sources.of(asked))


def evaluate(traffic: Traffic, states: Mapping[str, State], *, now_ns: int, lateness_s: float) -> Found:
    """Return where the series of a monitor stand as of a time, and what happened since they were looked at.

    Args:
        traffic: What the monitor watches; nothing is written.
        states: Where its series stood.
        now_ns: The time as of which it looks.
        lateness_s: What is younger is not looked at yet.
    """
    settled = now_ns - int(lateness_s * 1e9)
    if traffic.monitor.watched.view == anchors.VIEW:  # a check has asked the judge just now: nothing comes late
        return detecting.look(traffic, states, -(-now_ns // TICK_NS) * TICK_NS)
    if traffic.monitor.method in ("detector", "drift"):
        return detecting.look(traffic, states, (settled - REACH_NS) // TICK_NS * TICK_NS)
    return methods.look(traffic, states, settled)


def check(
    project: Project, monitors: Sequence[Monitor], *, current: Mapping[str, int], now_ns: int, lateness_s: float
) -> CheckReport:
    """Look at every series of some monitors once; see :meth:`lmops.monitors.Monitors.check`.

    Args:
        project: Whose they are.
        monitors: Those that look.
        current: The version of every monitor that is on: alerts of others are resolved.
        now_ns: The time as of which they look.
        lateness_s: What is younger is not looked at yet.
    """
    opened: list[int] = []
    resolved: list[int] = []
    notes: list[str] = []
    rows: list[dict[str, Any]] = []
    with Sources(project.store, [methods.asked_as(one) for one in monitors], now_ns) as sources:
        for monitor in monitors:
            try:
                states, said, new, old = _look(project, sources, monitor, now_ns=now_ns, lateness_s=lateness_s)
            except (UsageError, DamagedStoreError) as error:  # that one cannot be asked does not hide the others
                words = f"cannot be asked: {plain_line(str(error), 300)}"
                notes.append(f"{monitor.name} {words}")
                rows.append(row_of(monitor, Look("{}", "no data", Figures(), words)))
                continue
            opened, resolved, notes = [*opened, *new], [*resolved, *old], [*notes, *said]
            looks = [state.look for state in states.values()]
            nothing = Look("{}", "no data", Figures(), "nothing was ever there")
            rows += [row_of(monitor, look) for look in looks or [nothing]]
    with project.reading() as con:
        is_due = alerts.needs_settling(con, current, now_ns=now_ns)
    if is_due:
        with project.change() as change:
            resolved += alerts.settle(change, current, now_ns=now_ns)
    with project.reading() as con:
        asked = {monitor.name for monitor in monitors}
        still_open = [one for one in alerts.read(project.store, con) if one.monitor in asked]
    return CheckReport(
        at=from_ns(now_ns),
        series=tuple(rows),
        alerts=tuple(still_open),
        opened=tuple(opened),
        resolved=tuple(resolved),
        notes=tuple(notes),
    )


def _look(
    project: Project, sources: Sources, monitor: Monitor, *, now_ns: int, lateness_s: float
) -> tuple[Mapping[str, State], list[str], list[int], list[int]]:
    """Let one monitor look, and write what it found: all of it in one transaction, or nothing.

    Where another check has written meanwhile what it found counts: it looked at the same.
    """
    with project.reading() as con:
        states = _state.read(con, monitor)
    with traffic_of(project.store, monitor, now_ns, sources) as traffic:
        found = evaluate(traffic, states, now_ns=now_ns, lateness_s=lateness_s)
    if found.states == states:
        return states, found.notes, [], []
    with project.change(durable=bool(found.steps)) as change:
        if _state.written(change.con, monitor) != {series: state.seq for series, state in states.items()}:
            now = _state.read(change.con, monitor)
            return now, ["another check of the same was faster, and counts"], [], []
        _state.write(change.con, monitor, found.states, at_ns=change.at_ns)
        opened, resolved = alerts.apply(change, monitor, found, now_ns=now_ns)
    return found.states, found.notes, opened, resolved


def row_of(monitor: Monitor, look: Look) -> dict[str, Any]:
    """Return how a series is, as reports list it."""
    return {
        "monitor": monitor.name,
        "version": monitor.version,
        "metric": monitor.watched.name,
        "series": look.series,
        "status": look.status,
        **look.figures._asdict(),
        "needed": look.needed,
        "words": look.words,
    }


def last_report(project: Project, monitor: Monitor) -> CheckReport:
    """Return how the series of a monitor were when it looked last, and its alerts that are not resolved."""
    with project.reading() as con:
        states = _state.read(con, monitor)
        still_open = [one for one in alerts.read(project.store, con) if one.monitor == monitor.name]
    looks = [state.look for state in states.values()] or [Look("{}", "no data", Figures(), "no check has looked yet")]
    through = max((state.through_ns for state in states.values()), default=0)
    rows = tuple(row_of(monitor, look) for look in looks)
    return CheckReport(at=from_ns(through), series=rows, alerts=tuple(still_open))
