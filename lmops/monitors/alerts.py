"""What becomes of alerts: opened and resolved by checks, acknowledged, silenced and resolved by people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import NotFoundError, UsageError, did_you_mean
from lmops.monitors import _outbox, _state
from lmops.monitors._records import Alert
from lmops.monitors._state import Core
from lmops.monitors._words import series_words
from lmops.records import States
from lmops.times import from_ns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    import pandas as pd

    from lmops.monitors._records import Monitor, Step
    from lmops.monitors.detecting import Found
    from lmops.records import Change
    from lmops.store import Store

STATUSES: Final = ("firing", "acknowledged", "silenced", "resolved")
STATES: Final = States(
    thing="alert",
    table="alerts",
    steps={
        "firing": ("acknowledged", "silenced", "resolved"),
        "acknowledged": ("firing", "silenced", "resolved"),
        "silenced": ("firing", "acknowledged", "resolved"),
        "resolved": ("firing",),
    },
)
#: One that comes back so soon after it was resolved is the same.
FLAPPING_NS: Final = 24 * 3600 * 10**9
_EXAMPLES: Final = 10
_NEWEST: Final = "select * from alerts where monitor = ? and series = ? order by alert desc limit 1"
_TIMES: Final = ("since", "since_low", "since_high", "found", "opened", "silenced_until", "resolved", "moved")


def apply(change: Change, monitor: Monitor, found: Found, *, now_ns: int) -> tuple[list[int], list[int]]:
    """Open and resolve the alerts of a monitor as a look says; return the numbers of both.

    Args:
        change: What it is part of.
        monitor: Whose look it is.
        found: What it found.
        now_ns: The time as of which it looked.
    """
    opened: list[int] = []
    resolved: list[int] = []
    for step in found.steps:
        newest = _newest(change.con, monitor.name, step.series)
        is_open = newest is not None and newest["status"] != "resolved"
        if not step.fires:
            if newest is not None and is_open and step.at_ns >= newest["found_ns"]:
                _resolve(change, newest, at_ns=step.at_ns, why=step.words)
                resolved.append(newest["alert"])
        elif step.is_more:
            if newest is not None and is_open:
                _more(change, newest, step)
        elif not is_open and (newest is None or step.at_ns > newest["found_ns"]):
            opened.append(_open(change, monitor, step, newest, now_ns=now_ns))
    for series, state in found.states.items():
        newest = _newest(change.con, monitor.name, series)
        if newest is None or newest["version"] != monitor.version:
            continue
        is_open = newest["status"] != "resolved"
        if is_open and state.core.fires is None:
            _resolve(change, newest, at_ns=now_ns, why="looked at again with data that came late: no evidence is left")
            resolved.append(newest["alert"])
        elif not is_open and state.core.fires is not None:
            _reopen(change, newest, {"resolved_ns": None}, why="looked at again with data that came late")
            opened.append(newest["alert"])
    return list(dict.fromkeys(opened)), [one for one in dict.fromkeys(resolved) if one not in opened]


def _newest(con: sqlite3.Connection, monitor: str, series: str) -> dict[str, Any] | None:
    row = con.execute(_NEWEST, (monitor, series)).fetchone()
    return None if row is None else dict(row)


def _open(change: Change, monitor: Monitor, step: Step, newest: Mapping[str, Any] | None, *, now_ns: int) -> int:
    """Open an alert, or the last one of the series again where it was resolved just now; return its number."""
    told = {
        "direction": step.direction,
        "since_ns": step.since_ns,
        "since_low_ns": step.since_low_ns,
        "since_high_ns": step.since_high_ns,
        "found_ns": step.at_ns,
        **step.figures._asdict(),
        "words": step.words,
        "resolved_ns": None,
    }
    resolved_ns = None if newest is None or newest["version"] != monitor.version else newest["resolved_ns"]
    if newest is not None and resolved_ns is not None and step.at_ns - resolved_ns < FLAPPING_NS:
        number = int(newest["alert"])
        _exemplify(change, number, step.examples, is_kept=monitor.method == "anomaly")
        _reopen(change, newest, told, why="it came back within a day")
        return number
    number = int(change.con.execute("select coalesce(max(alert), 0) + 1 from alerts").fetchone()[0])
    own = {"alert": number, "monitor": monitor.name, "version": monitor.version, "series": step.series}
    _exemplify(change, number, step.examples)
    change.reason = step.words
    row = {**own, "metric": monitor.watched.name, "severity": monitor.severity, "opened_ns": now_ns, **told}
    STATES.begin(change, {**row, "times_opened": 1, "silenced_until_ns": None})
    _tell(change, number)
    return number


def _reopen(change: Change, newest: Mapping[str, Any], told: Mapping[str, Any], *, why: str) -> None:
    change.reason = why
    row = {**told, "times_opened": newest["times_opened"] + 1}
    STATES.move(change, newest["alert"], to="firing", action="reopen", row=row)
    _tell(change, newest["alert"])


def _more(change: Change, newest: Mapping[str, Any], step: Step) -> None:
    """Write the single queries that came while an alert was open; the sinks are told, unless somebody looks at it."""
    _exemplify(change, newest["alert"], step.examples, is_kept=True)
    told = {**step.figures._asdict(), "words": step.words}
    change.replace("alerts", {**newest, **told})
    change.say("alert.more", str(newest["alert"]), before={name: newest[name] for name in told}, after=told)
    if newest["status"] == "firing":
        _tell(change, newest["alert"])


def _resolve(change: Change, row: Mapping[str, Any], *, at_ns: int, why: str) -> None:
    change.reason = why
    told = {"resolved_ns": at_ns, "silenced_until_ns": None}
    STATES.move(change, row["alert"], to="resolved", action="resolve", row=told)
    _tell(change, row["alert"])


def _tell(change: Change, number: int) -> None:
    """Write what the sinks are to be told of an alert, in the transaction that moved it."""
    row = change.con.execute("select * from alerts where alert = ?", (number,)).fetchone()
    alert = _with_examples(change.con, dict(row))
    _outbox.enqueue(change, alert, alert.status)


def _exemplify(change: Change, number: int, traces: tuple[str, ...], *, is_kept: bool = False) -> None:
    """Write the example traces of an alert in the place of those that it had, or before them.

    Those of single queries stay, as far as there is room: they are what the alert was of, and have left its window when
    it comes back.
    """
    query = "select place, trace_id from alert_examples where alert = ? order by place"
    known = change.con.execute(query, (number,)).fetchall()
    for place, _ in known:
        change.delete("alert_examples", number, place)
    kept = [trace_id for _, trace_id in known] if is_kept else []
    for place, trace_id in enumerate([*dict.fromkeys((*traces, *kept))][:_EXAMPLES], start=1):
        change.insert("alert_examples", {"alert": number, "place": place, "trace_id": trace_id})


def settle(change: Change, current: Mapping[str, int], *, now_ns: int) -> list[int]:
    """Let silences end that ran out, and resolve the alerts of versions that are no longer looked at.

    Args:
        change: What it is part of.
        current: The version of each monitor that is looked at.
        now_ns: The time as of which this is.

    Returns:
        The numbers of the alerts that were resolved.
    """
    query = "select * from alerts where status != 'resolved' order by alert"
    resolved = []
    for row in map(dict, change.con.execute(query).fetchall()):
        version = current.get(row["monitor"])
        if version != row["version"]:
            now = "is switched off" if version is None else f"is at version {version} now"
            _resolve(change, row, at_ns=now_ns, why=f"the monitor {now}")
            resolved.append(row["alert"])
        elif row["status"] == "silenced" and (row["silenced_until_ns"] or 0) <= now_ns:
            change.reason = "its silence has run out"
            STATES.move(change, row["alert"], to="firing", action="unsilence", row={"silenced_until_ns": None})
            _tell(change, row["alert"])
    return resolved


def needs_settling(con: sqlite3.Connection, current: Mapping[str, int], *, now_ns: int) -> bool:
    """Return whether :func:`settle` has anything to do."""
    query = "select monitor, version, status, silenced_until_ns from alerts where status != 'resolved'"
    return any(
        current.get(monitor) != version or (status == "silenced" and (until or 0) <= now_ns)
        for monitor, version, status, until in con.execute(query)
    )


def move(change: Change, number: int, *, to: str, until_ns: int | None = None) -> None:
    """Bring an alert into another state, as somebody asked.

    Args:
        change: Who and why.
        number: Of the alert.
        to: "acknowledged", "silenced" or "resolved".
        until_ns: Of a silence.

    Raises:
        NotFoundError: There is no such alert.
        UsageError: It cannot become that.
    """
    row = change.store.record(change.con, "alerts", number)
    if row is None:
        raise NotFoundError(f"there is no alert {number}: ws.monitors.alerts() lists them")
    action = {"acknowledged": "acknowledge", "silenced": "silence", "resolved": "resolve"}[to]
    told = {"silenced_until_ns": until_ns}
    if row["status"] == to == "silenced":
        before = {"silenced_until_ns": row["silenced_until_ns"]}
        who = {"actor": change.actor, "moved_ns": change.at_ns, "reason": change.reason}
        change.replace("alerts", {**dict(row), **told, **who})
        change.say("alert.silence", str(number), before=before, after=told)
        _tell(change, number)
        return
    if to == "resolved":
        told["resolved_ns"] = change.at_ns
    STATES.move(change, number, to=to, action=action, row=told)
    if row["status"] != to:
        _tell(change, number)


def forget(con: sqlite3.Connection, monitor: Monitor, series: str, *, at_ns: int) -> None:
    """Let a series begin anew whose alert somebody resolved: it fires again when there is new evidence."""
    states = _state.read(con, monitor)
    if series in states and states[series].core.fires is not None:
        state = states[series]
        core = Core(first_ns=state.core.first_ns, held=state.core.held, fired_ns=state.through_ns)
        fresh = {series: _state.replaced(state, core)}
        _state.write(con, monitor, fresh, at_ns=at_ns)


def series_of(con: sqlite3.Connection, number: int) -> str:
    """Return the series of an alert as its row, and the state of its monitor, have it."""
    return str(con.execute("select series from alerts where alert = ?", (number,)).fetchone()[0])


def alert_of(row: Mapping[str, Any]) -> Alert:
    """Return an alert of its row in the view or in the table."""
    data = {name: row[name] for name in row if not name.endswith("_ns") and name not in ("owner", "examples")}
    times = {f"{name}_at": None if row[f"{name}_ns"] is None else from_ns(row[f"{name}_ns"]) for name in _TIMES}
    try:
        series = json.loads(row["series"])
    except ValueError:  # somebody was erased from it
        series = {"": series_words(row["series"])}
    return Alert(**{**data, **times, "series": series, "examples": tuple(row["examples"])})


def _with_examples(con: sqlite3.Connection, row: Mapping[str, Any]) -> Alert:
    """Return an alert of its row in the table."""
    query = "select trace_id from alert_examples where alert = ? order by place"
    return alert_of({**row, "examples": [one[0] for one in con.execute(query, (row["alert"],))]})


def read(store: Store, con: sqlite3.Connection, *, number: int | None = None) -> list[Alert]:
    """Return the alerts that are not resolved, or the one of a number, in the order of severity and time."""
    where = "status != 'resolved'" if number is None else "alert = ?"
    rows = con.execute(f"select * from alerts where {where} order by alert", [] if number is None else [number])
    found = [_with_examples(con, row) for row in store.listed(con, "alerts", map(dict, rows.fetchall()))]
    order = ("page", "urgent", "ticket", "note")
    return sorted(found, key=lambda one: (order.index(one.severity), one.alert))


def listed(store: Store, *, status: str | None, since_ns: int | None) -> pd.DataFrame:
    """Return alerts, the newest first; see :meth:`lmops.monitors.Monitors.alerts`."""
    if status is not None and status not in (*STATUSES, "open"):
        raise UsageError(did_you_mean("status", status, (*STATUSES, "open")))
    which = {None: "true", "open": "status != 'resolved'"}.get(status, "status = $status")
    when = "true" if since_ns is None else "coalesce(resolved_at, found_at) >= $since or status != 'resolved'"
    params: dict[str, Any] = {"status": status} if "$" in which else {}
    params |= {} if since_ns is None else {"since": from_ns(since_ns)}
    query = f"select * from alerts where {which} and ({when}) order by alert desc"
    frame: pd.DataFrame = store.sql(query, params).df()
    return frame
