"""What is to be told of alerts: written with what happened, in one transaction, and told until somebody took it.

A row is a notice for one sink. Whoever tells takes some rows for a while, sends them, and writes what became of them:
one who is killed meanwhile leaves rows that are sent again when that while is over, with the keys that they had. Of an
alert only the newest is told. A sink that fails is tried less and less often; when it is back it is told of many alerts
in one message, and so many messages a minute.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.monitors._payloads import SEVERITIES, TRANSITIONS, facts_of
from lmops.monitors._sink_records import Deliveries, sink_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from lmops.base.posting import Reply
    from lmops.monitors._payloads import AlertLike
    from lmops.monitors._sink_records import Sink
    from lmops.records import Change

    Row = Mapping[str, Any]

#: Which transitions are told in which way; what nobody acts on there is not.
_SPOKEN: Final = {
    "webhook": TRANSITIONS,
    "slack": TRANSITIONS,
    "alertmanager": ("firing", "resolved"),
    "pagerduty": ("firing", "acknowledged", "resolved"),
    "email": ("firing", "resolved"),
}
#: Most notices of one message.
GROUP: Final = 20
#: Most messages to one sink in a minute.
PER_MINUTE: Final = 30
_MINUTE_NS: Final = 60 * 10**9
#: So long whoever took notices may take to send them.
LEASE_S: Final = 60
_FIRST_WAIT_S: Final = 5.0
#: A sink that is down for long is asked so often.
_LONGEST_WAIT_S: Final = 300.0
#: So long a sink may ask to be left alone.
_LONGEST_ASKED_S: Final = 3_600.0
#: What was told is kept for so long; of an alert the newest notice for each sink always.
KEPT_NS: Final = 90 * 24 * 3600 * 10**9
#: Answers that speak of what was sent, not of the sink.
_OF_THE_NOTICE: Final = frozenset({400, 413, 422})
#: Notices of the same alert for the same sink.
_SAME: Final = "select {} from alert_outbox o where o.alert = alert_outbox.alert and o.sink = alert_outbox.sink"


def enqueue(change: Change, alert: AlertLike, transition: str) -> int:
    """Write what is to be told of an alert, in the transaction in which it happens; return how many sinks are told.

    Args:
        change: In which the alert moves.
        alert: As it is from now on.
        transition: What it becomes: "firing" (again), "acknowledged", "silenced" or "resolved".

    Raises:
        UsageError: It is no such transition.
    """
    if transition not in TRANSITIONS:
        raise UsageError(f"{transition!r} is nothing that an alert becomes: {', '.join(TRANSITIONS)}")
    rows = change.store.records(change.con, "alert_sinks")[0]
    sinks = [sink for sink in (sink_of(dict(row)) for row in rows) if _is_told(sink, alert, transition)]
    write(change, alert, transition, sinks)
    return len(sinks)


def write(change: Change, alert: AlertLike, transition: str, sinks: Sequence[Sink]) -> None:
    """Write what some sinks are to be told of an alert, whatever they are told of by themselves."""
    facts = facts_of(alert, transition, at=change.at)
    query = "select coalesce(max(seq), 0) + 1 from alert_outbox where alert = ?"
    (seq,) = change.con.execute(query, (alert.alert,)).fetchone()
    for sink in sinks:
        change.insert(
            "alert_outbox",
            {
                "alert": alert.alert,
                "seq": seq,
                "transition": transition,
                "sink": sink.name,
                "severity": alert.severity,
                "idempotency_key": f"{facts['fingerprint']}-{alert.alert}-{seq}-{transition}",
                "facts": json.dumps(facts),
                "status": "waiting",
                "attempts": 0,
                "refused": 0,
                "made_ns": change.at_ns,
            },
        )


def _is_told(sink: Sink, alert: AlertLike, transition: str) -> bool:
    is_urgent = SEVERITIES.index(alert.severity) >= SEVERITIES.index(sink.min_severity)
    return is_urgent and transition in _SPOKEN[sink.kind] and (sink.monitors is None or alert.monitor in sink.monitors)


def is_waiting(con: sqlite3.Connection) -> bool:
    """Return whether anything is to be told."""
    return con.execute("select 1 from alert_outbox where status = 'waiting' limit 1").fetchone() is not None


def supersede(change: Change) -> int:
    """Take out what is not to be told any more, because something newer is; return how many notices that were.

    What somebody is sending at the moment stays: it must not arrive after what is newer.
    """
    return change.con.execute(
        "update alert_outbox set status = 'superseded', ended_ns = ? where status = 'waiting' "
        f"and coalesce(next_ns, 0) <= ? and number < ({_SAME.format('max(o.number)')})",
        (change.at_ns, change.at_ns),
    ).rowcount


def prune(change: Change) -> int:
    """Take out notices that ended long ago and that newer ones followed; return how many those were."""
    return change.con.execute(
        f"delete from alert_outbox where ended_ns < ? and number < ({_SAME.format('max(o.number)')})",
        (change.at_ns - KEPT_NS,),
    ).rowcount


def take(change: Change, sink: Sink) -> list[Row]:
    """Take notices for a sink, the most urgent first, so that nobody else sends them meanwhile.

    Args:
        change: What it is written with.
        sink: Who is told.

    Returns:
        At most so many as one message holds; none while the sink fails, or was told much in the last minute.
    """
    con, now = change.con, change.at_ns
    if con.execute("select 1 from alert_sink_states where sink = ? and next_ns > ?", (sink.name, now)).fetchone():
        return []
    (told,) = con.execute(
        "select count(distinct ended_ns) from alert_outbox where sink = ? and status = 'sent' and ended_ns > ?",
        (sink.name, now - _MINUTE_NS),
    ).fetchone()
    if told >= PER_MINUTE:
        return []
    urgency = " ".join(f"when '{name}' then {place}" for place, name in enumerate(SEVERITIES))
    found = con.execute(
        "select * from alert_outbox where sink = ? and status = 'waiting' and coalesce(next_ns, 0) <= ? "
        f"and not exists ({_SAME.format('1')} and o.status = 'waiting' and o.number < alert_outbox.number) "
        f"order by refused > 0, case severity {urgency} end desc, number limit ?",
        (sink.name, now, 1 if sink.kind == "pagerduty" else GROUP),
    ).fetchall()
    rows: list[Row] = [dict(row) for row in found]
    if rows:  # what was refused goes alone, and last: it may be what the others were refused for
        rows = [row for row in rows if not row["refused"]] or rows[:1]
        _set(con, rows, "attempts = attempts + 1, next_ns = ?", now + LEASE_S * 10**9)
    return rows


def settle(change: Change, sink: Sink, rows: Sequence[Row], reply: Reply) -> None:
    """Write what became of notices that were sent.

    Args:
        change: What it is written with.
        sink: Who was told.
        rows: What :func:`take` returned.
        reply: What was answered.
    """
    con, now = change.con, change.at_ns
    if reply.is_taken:
        _set(con, rows, "status = 'sent', next_ns = null, said = ?, ended_ns = ?", reply.said, now)
        recover(change, sink.name)
        keys = [row["idempotency_key"] for row in rows]
        alerts = sorted({row["alert"] for row in rows})
        change.say("sink.deliver", sink.name, after={"alerts": alerts, "idempotency_keys": keys})
    elif reply.status in _OF_THE_NOTICE:
        wait_ns = round(_wait_s(max(row["refused"] for row in rows) + 1, reply) * 1e9)
        _set(con, rows, "refused = refused + 1, said = ?, next_ns = ?", reply.said, now + wait_ns)
    else:
        _set(con, rows, "said = ?, next_ns = null", reply.said)
        known = con.execute("select failures, since_ns from alert_sink_states where sink = ?", (sink.name,)).fetchone()
        failures, since_ns = (known[0] + 1, known[1]) if known else (1, now)
        state = {"sink": sink.name, "failures": failures, "since_ns": since_ns, "said": reply.said}
        change.replace("alert_sink_states", {**state, "next_ns": now + round(_wait_s(failures, reply) * 1e9)})


def recover(change: Change, name: str) -> None:
    """Take it that a sink does not fail any more."""
    change.delete("alert_sink_states", name)


def drop(change: Change, name: str) -> int:
    """Tell a sink that is no more nothing of what waits; return how many notices that were."""
    recover(change, name)
    return change.con.execute(
        "update alert_outbox set status = 'dropped', next_ns = null, ended_ns = ? where sink = ? "
        "and status = 'waiting'",
        (change.at_ns, name),
    ).rowcount


def outcome(con: sqlite3.Connection, *, sent: int, superseded: int) -> Deliveries:
    """Return what became of what was to be told, with what waits now and the sinks that fail."""
    (waiting,) = con.execute("select count(*) from alert_outbox where status = 'waiting'").fetchone()
    failing = dict(con.execute("select sink, said from alert_sink_states order by sink").fetchall())
    refused = con.execute(
        "select sink, max(said) from alert_outbox where status = 'waiting' and refused > 0 group by sink order by sink"
    ).fetchall()
    return Deliveries(sent=sent, superseded=superseded, waiting=waiting, failed={**dict(refused), **failing})


def _set(con: sqlite3.Connection, rows: Sequence[Row], what: str, *values: Any) -> None:
    marks = ", ".join("?" * len(rows))
    con.execute(
        f"update alert_outbox set {what} where number in ({marks})", (*values, *(one["number"] for one in rows))
    )


def _wait_s(failures: int, reply: Reply) -> float:
    """Return how long to wait after so many failures: longer each time, up to a bound, never all at one moment."""
    own = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(failures - 1, 20)) * random.uniform(0.5, 1.0)
    asked = reply.headers.get("retry-after", "")
    return max(own, min(float(asked), _LONGEST_ASKED_S)) if asked.isascii() and asked.isdigit() else own
