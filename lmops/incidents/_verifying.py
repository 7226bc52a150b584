"""Is an incident over? The tests of its alerts on sessions after what was done, written down as evidence."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from lmops.errors import NotFoundError, UsageError
from lmops.incidents import _life
from lmops.incidents._records import Verified
from lmops.times import from_ns, to_ns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from lmops.incidents._records import Incident
    from lmops.monitors import Monitors, Recovery
    from lmops.records import Project
    from lmops.store import Store

    State = Literal["recovered", "not recovered", "cannot tell"]


def verify(
    project: Project,
    monitors: Monitors,
    found: Incident,
    *,
    since_ns: int | None,
    until_ns: int | None,
    within: float | None,
) -> Verified:
    """Test every alert of an incident and write down what was found; see ``Incidents.verify``."""
    with project.reading() as con:
        done = last_done(project.store, con, _life.row(project.store, con, found.incident))
    begin = since_ns or done
    if begin is None:
        raise UsageError(
            f"nothing was done about incident {found.incident} yet, so that no traffic is after it: "
            f"act({found.incident}, ...) or mitigate({found.incident}, reason=...) first, or say since=..."
        )
    end = to_ns(project.now()) if until_ns is None else until_ns
    tested, missing, over = _tested(project, monitors, found, begin, end, within)
    state, words = _state(tested, missing, over)
    needed = [one.needed for one in tested if one.state == "cannot tell"]
    row = {
        "state": state,
        "since_ns": begin,
        "until_ns": end,
        "words": words,
        "found": json.dumps([asdict(one) for one in tested], default=str),
    }
    with project.change() as change:
        _life.STATES.row(change, found.incident)
        number = _same(_life.rows_of(project.store, change.con, "incident_checks", found.incident), row)
        if number is None:
            said = {"state": state, "words": words}
            number = _life.add(change, "incident_checks", found.incident, row, said="verify", after=said)
    return Verified(
        incident=found.incident,
        number=number,
        state=state,
        since=from_ns(begin),
        until=from_ns(end),
        needed=None if None in needed or not needed else max(one or 0 for one in needed),
        found=tuple(tested),
        words=words,
    )


def last_done(store: Store, con: sqlite3.Connection, row: dict[str, Any]) -> int | None:
    """Return when something was done about an incident last, since it came back; None for never."""
    times = [one["at_ns"] for one in _life.rows_of(store, con, "incident_actions", row["incident"])]
    times += [] if row["mitigated_ns"] is None else [row["mitigated_ns"]]
    return max((ns for ns in times if ns >= (row["reopened_ns"] or 0)), default=None)


def last_check(store: Store, con: sqlite3.Connection, row: dict[str, Any]) -> dict[str, Any] | None:
    """Return the last check of traffic since something was done last, and since the incident came back."""
    begin = max(last_done(store, con, row) or 0, row["reopened_ns"] or 0)
    checks = _life.rows_of(store, con, "incident_checks", row["incident"])
    return next((one for one in reversed(checks) if one["since_ns"] >= begin), None)


def _tested(
    project: Project, monitors: Monitors, found: Incident, begin: int, end: int, within: float | None
) -> tuple[list[Recovery], list[str], list[str]]:
    """Return what the test of each alert says, and why one cannot be tested.

    An alert that was over, and whose series is another one's now which is not of the incident, is not tested: how that
    series is since then says nothing of this incident.
    """
    tested, missing, over = [], [], []
    with project.reading() as con:
        later = {alert: _life.followed_by(con, found.incident, alert) for alert in found.alerts}
    for alert in found.alerts:
        if later[alert] is not None:
            over.append(f"alert {alert} was over, what there is since then is alert {later[alert]}")
            continue
        try:
            tested.append(monitors.recovered(alert, since=from_ns(begin), until=from_ns(end), within=within))
        except NotFoundError as error:
            missing.append(str(error))
    if not tested and not missing:
        missing.append("it has no alert that could be tested, so that no monitor watches it")
    return tested, missing, over


def _state(tested: Sequence[Recovery], missing: Sequence[str], over: Sequence[str]) -> tuple[State, str]:
    states = {one.state for one in tested}
    words = "; ".join([*(f"{one.monitor}: {one.words}" for one in tested), *missing, *over])
    if "not recovered" in states:
        return "not recovered", words
    return ("cannot tell" if missing or "cannot tell" in states else "recovered"), words


def _same(checks: Sequence[dict[str, Any]], row: dict[str, Any]) -> int | None:
    """Return the number of the last check where it said the same of the same sessions."""
    names = ("state", "since_ns", "words")
    last = checks[-1] if checks else None
    same = last is not None and [last[name] for name in names] == [row[name] for name in names]
    return int(last["number"]) if last is not None and same else None
