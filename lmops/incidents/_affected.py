"""How many traces and users an incident is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.errors import NotFoundError
from lmops.incidents._records import Affected
from lmops.store import Bounds
from lmops.times import from_ns, to_ns
from lmops.traces import found_sql

if TYPE_CHECKING:
    from lmops.incidents._records import Incident
    from lmops.monitors import Monitors
    from lmops.records import Project

_COUNTED: Final = (
    "select count(*), count(distinct user_id), count(*) filter (where user_id is null), sum(cost_usd), min(start_at), "
    "max(start_at) from traces where trace_id in ({})"
)


def condition_checked(where: str | None) -> str | None:
    """Return a condition that can be read.

    Raises:
        QueryError: It cannot.
    """
    if where is not None:
        found_sql(where, Bounds(None, None), evaluations=False)
    return where


def affected(project: Project, monitors: Monitors, found: Incident, *, until_ns: int | None = None) -> Affected:
    """Return what an incident is about, until a time or until it was stopped; see ``Incidents.affected``."""
    end = found.mitigated_at or found.resolved_at or project.now()
    until = from_ns(until_ns) if until_ns is not None else end
    parts = []
    for alert in found.alerts if found.where is None else ():
        try:
            over = monitors.alert(alert).resolved_at
            parts.append(monitors.traces_sql(alert, until=until if over is None else min(over, until)))
        except NotFoundError:  # its monitor is gone
            continue
    if found.where is not None:
        bounds = Bounds(to_ns(found.since_at), to_ns(until))
        parts.append(found_sql(found.where, bounds, evaluations=False))
    sql = " union ".join(f"({part})" for part in parts) or "select trace_id from traces where false"
    traces, users, anonymous, cost, first, last = project.store.sql(_COUNTED.format(sql)).fetchall()[0]
    return Affected(
        incident=found.incident,
        traces=traces,
        users=users or None,
        anonymous=anonymous,
        cost_usd=cost,
        first_at=first,
        last_at=last,
        sql=sql,
    )
