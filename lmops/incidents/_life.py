"""How incidents are opened, found again by their cause, moved and read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.errors import NotFoundError, UsageError, did_you_mean
from lmops.incidents._records import SEVERITIES, Incident
from lmops.records import States
from lmops.times import from_ns, to_ns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    import pandas as pd

    from lmops.monitors import Alert
    from lmops.records import Change
    from lmops.store import Store

    Row = dict[str, Any]

STATUSES: Final = ("open", "mitigated", "resolved", "closed")
STATES: Final = States(
    thing="incident",
    table="incidents",
    steps={
        "open": ("mitigated", "resolved"),
        "mitigated": ("open", "resolved"),
        "resolved": ("open", "closed"),
        "closed": ("open",),
    },
)
#: Titles and people are short; what is longer is a note.
TITLE: Final = 300
_TIMES: Final = ("since", "detected", "acknowledged", "mitigated", "resolved", "closed", "reopened", "opened", "moved")
#: What begins anew when an incident comes back.
_AGAIN: Final = dict.fromkeys(("mitigated_ns", "resolved_ns", "closed_ns", "is_verified"))
_OF_ALERT: Final = "select incident from incident_alerts where alert = ? order by incident desc limit 1"
_SAME_SERIES: Final = (
    "select i.incident, i.cause, i.explained from incidents i join incident_alerts l on l.incident = i.incident "
    "join alerts a on a.alert = l.alert where i.status != 'closed' and a.monitor = ? and a.series = ? "
    "and a.direction is ? order by i.incident desc limit 1"
)
_FOLLOWED: Final = (
    "select n.alert from alerts a join alerts n on n.monitor = a.monitor and n.series = a.series and n.alert > a.alert "
    "where a.alert = ? and a.status = 'resolved' and n.alert not in (select alert from incident_alerts where "
    "incident = ?) order by n.alert limit 1"
)
_SAME: Final = "select incident from incidents where status != 'closed' and cause = ? order by incident desc limit 1"


def of_alert(change: Change, alert: Alert, told: Mapping[str, Any]) -> int:
    """Return the number of the incident of an alert: the one that it belongs to already, or a new one.

    It belongs to the one that it was linked to; to one that is not closed of the same cause, of which the same values
    of the same dimension accounted for most; and to one that is not closed of the same series, unless both have causes.

    Args:
        change: What it is part of.
        alert: Which.
        told: title, severity, in_charge, condition, since_ns, explained, cause, where somebody or something says them.
    """
    con = change.con
    linked = con.execute(_OF_ALERT, (alert.alert,)).fetchone()
    if linked is not None:
        return int(linked[0])
    (series,) = con.execute("select series from alerts where alert = ?", (alert.alert,)).fetchone()
    known = None if told["cause"] is None else con.execute(_SAME, (told["cause"],)).fetchone()
    if known is None:
        known = con.execute(_SAME_SERIES, (alert.monitor, series, alert.direction)).fetchone()
        is_other = known is not None and None not in (told["cause"], known["explained"])
        known = None if is_other else known
    if known is not None:
        number = int(known[0])
        _link(change, number, alert.alert)
        change.say("incident.link", str(number), after={"alert": alert.alert})
        if STATES.row(change, number)["status"] == "resolved":
            reopen(change, number, why=f"alert {alert.alert}: it came back")
        return number
    own = {
        "title": told["title"] or _title(alert),
        "severity": told["severity"] or SEVERITIES[alert.severity],
        "cause": told["cause"] or f"{alert.monitor} {series} {alert.direction or 'silent'}",
        "since_ns": told["since_ns"] or to_ns(alert.since_at or alert.found_at),
        "detected_ns": to_ns(max(alert.opened_at, alert.found_at)),  # what came back was found then
    }
    number = _next(con)
    _link(change, number, alert.alert)
    _begin(change, number, {**told, **own})
    return number


def followed_by(con: sqlite3.Connection, number: int, alert: int) -> int | None:
    """Return the alert that came of the series of one of an incident after that was over, where it is not of it."""
    row = con.execute(_FOLLOWED, (alert, number)).fetchone()
    return None if row is None else int(row[0])


def by_hand(change: Change, told: Mapping[str, Any]) -> int:
    """Return the number of the incident with a title that is not closed, or of a new one."""
    cause = told["title"].casefold()
    known = change.con.execute(_SAME, (cause,)).fetchone()
    if known is not None:
        return int(known[0])
    number = _next(change.con)
    own = {"severity": told["severity"] or 3, "since_ns": told["since_ns"] or change.at_ns}
    _begin(change, number, {**told, **own, "cause": cause, "detected_ns": change.at_ns})
    return number


def _title(alert: Alert) -> str:
    named = ", ".join(f"{column} {value}" for column, value in alert.series.items())
    return f"{alert.monitor}{f' ({named})' if named else ''}: {alert.words}"[:TITLE]


def _next(con: sqlite3.Connection) -> int:
    return int(con.execute("select coalesce(max(incident), 0) + 1 from incidents").fetchone()[0])


def _link(change: Change, number: int, alert: int) -> None:
    change.insert("incident_alerts", {"incident": number, "alert": alert, "linked_ns": change.at_ns})


def _begin(change: Change, number: int, told: Mapping[str, Any]) -> None:
    acknowledged = change.at_ns if told["in_charge"] else None
    own = {"incident": number, "times_opened": 1, "opened_ns": change.at_ns, "opened_by": change.actor}
    STATES.begin(change, {**told, **own, "acknowledged_ns": acknowledged})


def reopen(change: Change, number: int, *, why: str | None) -> None:
    """Let an incident begin anew."""
    row = STATES.row(change, number)
    if row["status"] == "open":
        return
    change.reason = why or change.reason
    again = {**_AGAIN, "times_opened": row["times_opened"] + 1, "reopened_ns": change.at_ns}
    STATES.move(change, number, to="open", action="reopen", row=again)


def tell(change: Change, number: int, action: str, after: Mapping[str, Any]) -> None:
    """Write columns of an incident that are no state, and the event; nothing where they are so already."""
    before = STATES.row(change, number)
    told = {name: value for name, value in after.items() if before[name] != value}
    if not told:
        return
    who = {"actor": change.actor, "moved_ns": change.at_ns, "reason": change.reason}
    change.replace("incidents", {**before, **told, **who})
    change.say(f"incident.{action}", str(number), before={name: before[name] for name in told}, after=told)


def add(change: Change, table: str, number: int, row: Mapping[str, Any], *, said: str, after: Mapping[str, Any]) -> int:
    """Write something that belongs to an incident, and the event; return its number within the incident."""
    query = f"select coalesce(max(number), 0) + 1 from {table} where incident = ?"
    (place,) = change.con.execute(query, (number,)).fetchone()
    who = {"actor": change.actor, "at_ns": change.at_ns}
    change.insert(table, {"incident": number, "number": place, **row, **who})
    change.say(f"incident.{said}", str(number), after=after)
    return int(place)


def rows_of(store: Store, con: sqlite3.Connection, table: str, number: int) -> list[Row]:
    """Return what belongs to an incident, in the order in which it was written; what was altered is left out."""
    query = f"select * from {table} where incident = ? order by 2"
    return [dict(row) for row in store.listed(con, table, map(dict, con.execute(query, (number,)).fetchall()))]


def row(store: Store, con: sqlite3.Connection, number: int) -> Row:
    """Return the row of an incident; raises as :func:`read`."""
    found = store.record(con, "incidents", number)
    if found is None:
        raise NotFoundError(f"there is no incident {number}: ws.incidents.list() lists them")
    return dict(found)


def read(store: Store, con: sqlite3.Connection, number: int) -> Incident:
    """Return an incident.

    Raises:
        NotFoundError: There is no such incident.
        DamagedStoreError: It was changed past the audit chain.
    """
    found = row(store, con, number)
    alerts = tuple(one["alert"] for one in rows_of(store, con, "incident_alerts", number))
    return _made(found, alerts)


def unresolved(store: Store, con: sqlite3.Connection) -> list[Incident]:
    """Return the incidents that are open or mitigated, the most severe first."""
    query = "select * from incidents where status in ('open', 'mitigated') order by severity, incident"
    rows = store.listed(con, "incidents", map(dict, con.execute(query).fetchall()))
    return [read(store, con, row["incident"]) for row in rows]


def listed(store: Store, status: str | None) -> pd.DataFrame:
    """Return one row an incident, the newest first; see ``Incidents.list``."""
    if status is not None and status not in (*STATUSES, "unresolved"):
        raise UsageError(did_you_mean("status", status, (*STATUSES, "unresolved")))
    which = {None: "true", "unresolved": "status in ('open', 'mitigated')"}.get(status, "status = $status")
    params = {"status": status} if "$" in which else {}
    frame: pd.DataFrame = store.sql(f"select * from incidents where {which} order by incident desc", params).df()
    return frame


def _made(row: Row, alerts: tuple[int, ...]) -> Incident:
    names = ("incident", "title", "severity", "status", "cause", "explained", "times_opened", "opened_by", "actor")
    told = {name: row[name] for name in (*names, "reason")}
    times: Row = {f"{name}_at": None if row[f"{name}_ns"] is None else from_ns(row[f"{name}_ns"]) for name in _TIMES}
    verified = None if row["is_verified"] is None else bool(row["is_verified"])
    own = {"owner": row["in_charge"], "where": row["condition"], "is_verified": verified, "alerts": alerts}
    return Incident(**told, **times, **own)


def checked_title(title: str) -> str:
    """Return the title of an incident.

    Raises:
        UsageError: It is empty or long.
    """
    said = " ".join(title.split())
    if not said or len(said) > TITLE:
        raise UsageError(
            f"an incident has a title of 1 to {TITLE} characters, such as 'answers cite no sources'; this one has "
            f"{len(said):,}. What is longer is a note: ws.incidents.note(3, '...')"
        )
    return said
