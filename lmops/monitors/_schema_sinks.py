"""The tables of sinks and of what is to be told to them, and the views over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.store.schema import TIME, Erased, Room, Table, View

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from lmops.store.schema import Column

_SINKS: Final[tuple[Column, ...]] = (
    ("name", "VARCHAR", "unique"),
    ("kind", "VARCHAR", "webhook, slack, alertmanager, pagerduty, email"),
    ("url", "VARCHAR", "where to; NULL: the variable url_env of the environment has it"),
    ("url_env", "VARCHAR", "name of the variable with the address"),
    ("secret_env", "VARCHAR", "name of the variable with the secret"),
    ("min_severity", "VARCHAR", "the least that is told: note, ticket, urgent, page"),
    ("monitors", "VARCHAR", "JSON list of the monitors that are told of; NULL: all"),
    ("has_text", "BOOLEAN", "whether questions and answers of example traces are told"),
    ("mail", "VARCHAR", "JSON object of e-mail: sender, to, user"),
    ("failures", "BIGINT", "how often it failed since it took something last; NULL: it does not fail"),
    ("failing_since_at", TIME, "since when it fails"),
    ("next_at", TIME, "not tried before, where it fails"),
    ("said", "VARCHAR", "why it failed last"),
    ("actor", "VARCHAR", "who saved it"),
    ("saved_at", TIME, "when"),
)
_DELIVERIES: Final[tuple[Column, ...]] = (
    ("number", "BIGINT", "1, 2, 3, ... in the order of what happened"),
    ("alert", "BIGINT", "which"),
    ("transition", "VARCHAR", "what it became: firing, acknowledged, silenced, resolved"),
    ("sink", "VARCHAR", "who is told"),
    ("severity", "VARCHAR", "page, urgent, ticket, note"),
    ("idempotency_key", "VARCHAR", "the same however often it is sent"),
    ("status", "VARCHAR", "waiting, sent, superseded by a newer one, dropped with its sink"),
    ("attempts", "BIGINT", "how often it was tried"),
    ("refused", "BIGINT", "how often the sink took others and not this one"),
    ("said", "VARCHAR", "what was answered last"),
    ("made_at", TIME, "when it happened"),
    ("next_at", TIME, "not tried before; of one that waits"),
    ("ended_at", TIME, "when it was sent, superseded or dropped"),
)
MADE_SINKS: Final = """
create table alert_sinks (
    name text primary key, kind text not null, url text, url_env text, secret_env text, min_severity text not null,
    monitors text, has_text integer not null, mail text, actor text not null, saved_ns integer not null
) without rowid;
create table alert_outbox (
    number integer primary key autoincrement, alert integer not null, seq integer not null, transition text not null,
    sink text not null, severity text not null, idempotency_key text not null, facts text not null,
    status text not null, attempts integer not null, refused integer not null, said text, made_ns integer not null,
    next_ns integer, ended_ns integer
);
create table alert_sink_states (
    sink text primary key, failures integer not null, since_ns integer not null, next_ns integer not null,
    said text not null
) without rowid;
create index alert_outbox_waiting on alert_outbox (sink, status, next_ns);
create index alert_outbox_alert on alert_outbox (alert, sink);
"""


def names_of_notices(_con: sqlite3.Connection, keys: Iterable[tuple[Any, ...]]) -> list[str]:
    """Return what rows of the outbox are called."""
    return [f"notice {number} of an alert" for (number,) in sorted(keys)]


SINK_TABLES: Final = (
    Table("alert_sinks", ("name",)),
    Table(
        "alert_outbox",
        ("number",),
        held_by="the events of the alerts that it tells of",
        erased=Erased("notices of alerts", texts=("facts",), names=names_of_notices),
    ),
    Table("alert_sink_states", ("sink",), held_by="what sinks answered"),
)
SINK_VIEWS: Final = (
    View(
        "alert_sinks",
        _SINKS,
        "select s.name, s.kind, s.url, s.url_env, s.secret_env, s.min_severity, s.monitors, s.has_text, s.mail, "
        "t.failures, t.since_ns, t.next_ns, t.said, s.actor, s.saved_ns from alert_sinks s "
        "left join alert_sink_states t on t.sink = s.name order by s.name",
        ("alert_sinks", "alert_sink_states"),
    ),
    View(
        "alert_deliveries",
        _DELIVERIES,
        "select number, alert, transition, sink, severity, idempotency_key, status, attempts, refused, said, made_ns, "
        "next_ns, ended_ns from alert_outbox order by number",
        ("alert_outbox",),
    ),
)
ROOM: Final = Room(tables=SINK_TABLES, views=SINK_VIEWS, migrations={20: MADE_SINKS})
