"""The tables of incidents, of what was noted, done, verified and told of them; and their views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.store.schema import TIME, Becomes, Erased, Room, Table, View, stored_name

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from lmops.store.schema import Column

_INCIDENTS: Final[tuple[Column, ...]] = (
    ("incident", "BIGINT", "1, 2, 3, ..."),
    ("title", "VARCHAR", "what is wrong, in a sentence"),
    ("severity", "BIGINT", "1 (page) to 4 (note)"),
    ("status", "VARCHAR", "open, mitigated, resolved, closed"),
    ("in_charge", "VARCHAR", "who looks after it"),
    ("cause", "VARCHAR", "what tells it apart: the same is the same incident"),
    ("explained", "VARCHAR", "what accounts for most of the change, when it was opened; NULL: nothing, or not known"),
    ("condition", "VARCHAR", "which traces are affected, as for a search; NULL: those of its alerts"),
    ("since_at", TIME, "the likeliest time at which it began"),
    ("detected_at", TIME, "when an alert, or somebody, said so"),
    ("acknowledged_at", TIME, "when somebody took it on"),
    ("mitigated_at", TIME, "when something was done that stopped it"),
    ("resolved_at", TIME, "when it was resolved"),
    ("closed_at", TIME, "when it was closed"),
    ("is_verified", "BOOLEAN", "whether a test said that it is over when it was resolved; NULL: it was not resolved"),
    ("times_opened", "BIGINT", "more than 1: it came back"),
    ("reopened_at", TIME, "when it came back last"),
    ("opened_at", TIME, "when it was opened"),
    ("opened_by", "VARCHAR", "by whom"),
    ("actor", "VARCHAR", "who moved it last"),
    ("moved_at", TIME, "when"),
    ("reason", "VARCHAR", "why"),
)
_NOTES: Final[tuple[Column, ...]] = (
    ("incident", "BIGINT", "which"),
    ("number", "BIGINT", "1, 2, 3, ... within the incident"),
    ("kind", "VARCHAR", "note, follow-up"),
    ("text", "VARCHAR", "what was noted"),
    ("ref", "VARCHAR", "what a follow-up made, such as a version of a dataset"),
    ("actor", "VARCHAR", "who"),
    ("at", TIME, "when"),
)
_ACTIONS: Final[tuple[Column, ...]] = (
    ("incident", "BIGINT", "which"),
    ("number", "BIGINT", "1, 2, 3, ... within the incident"),
    ("action", "VARCHAR", "roll_back, reroute, ..."),
    ("params", "VARCHAR", "JSON object"),
    ("stood", "VARCHAR", "JSON object: what stood before"),
    ("stands", "VARCHAR", "JSON object: what stood after"),
    ("words", "VARCHAR", "the same in a sentence"),
    ("events", "VARCHAR", "JSON list of the events of the audit chain that say what was done"),
    ("actor", "VARCHAR", "who"),
    ("at", TIME, "when"),
    ("reason", "VARCHAR", "why"),
)
_CHECKS: Final[tuple[Column, ...]] = (
    ("incident", "BIGINT", "which"),
    ("number", "BIGINT", "1, 2, 3, ... within the incident"),
    ("state", "VARCHAR", "recovered, not recovered, cannot tell"),
    ("since_at", TIME, "sessions from then on counted"),
    ("until_at", TIME, "up to then"),
    ("words", "VARCHAR", "what it rests on"),
    ("found", "VARCHAR", "JSON list: of each alert the figures of its test"),
    ("actor", "VARCHAR", "who asked"),
    ("at", TIME, "when"),
)
_ESCALATIONS: Final[tuple[Column, ...]] = (
    ("incident", "BIGINT", "which"),
    ("opened", "BIGINT", "how often it had been opened"),
    ("step", "VARCHAR", "the rule of the policy"),
    ("who", "VARCHAR", "who was told"),
    ("sink", "VARCHAR", "by which sink"),
    ("due_at", TIME, "since when it was due"),
    ("at", TIME, "when it was told"),
)
_POLICIES: Final[tuple[Column, ...]] = (
    ("name", "VARCHAR", "of the policy"),
    ("rules", "VARCHAR", "JSON list: severity, after, who, sink, unless"),
    ("actor", "VARCHAR", "who saved it"),
    ("saved_at", TIME, "when"),
)
_HISTORY: Final[tuple[Column, ...]] = (
    ("event_id", "BIGINT", "in the audit chain"),
    ("incident", "BIGINT", "which"),
    ("action", "VARCHAR", "open, link, note, own, act, verify, mitigate, resolve, close, reopen, follow_up, escalate"),
    ("status", "VARCHAR", "open, mitigated, resolved, closed; NULL: it stayed what it was"),
    ("actor", "VARCHAR", "who"),
    ("at", TIME, "when"),
    ("reason", "VARCHAR", "why"),
)
_LINKS: Final[tuple[Column, ...]] = (
    ("incident", "BIGINT", "which"),
    ("alert", "BIGINT", "an alert of it"),
    ("linked_at", TIME, "since when"),
)
MADE: Final = """
create table incidents (
    incident integer primary key, title text not null, severity integer not null, in_charge text, cause text not null,
    explained text, condition text, since_ns integer not null, detected_ns integer not null, acknowledged_ns integer,
    mitigated_ns integer, resolved_ns integer, closed_ns integer, is_verified integer, times_opened integer not null,
    reopened_ns integer, opened_ns integer not null, opened_by text not null, status text not null, owner text,
    until_ns integer, actor text not null, moved_ns integer not null, reason text
);
create table incident_alerts (
    incident integer not null, alert integer not null, linked_ns integer not null, primary key (incident, alert)
) without rowid;
create table incident_notes (
    incident integer not null, number integer not null, kind text not null, text text not null, ref text,
    actor text not null, at_ns integer not null, primary key (incident, number)
) without rowid;
create table incident_actions (
    incident integer not null, number integer not null, action text not null, params text not null, stood text not null,
    stands text not null, words text not null, events text not null, actor text not null, at_ns integer not null,
    reason text, primary key (incident, number)
) without rowid;
create table incident_checks (
    incident integer not null, number integer not null, state text not null, since_ns integer not null,
    until_ns integer not null, words text not null, found text not null, actor text not null, at_ns integer not null,
    primary key (incident, number)
) without rowid;
create table incident_escalations (
    incident integer not null, opened integer not null, step text not null, who text not null, sink text not null,
    due_ns integer not null, at_ns integer not null, primary key (incident, opened, step)
) without rowid;
create table escalation_policies (
    name text primary key, rules text not null, actor text not null, saved_ns integer not null
) without rowid;
"""


def names_of_incidents(_con: sqlite3.Connection, keys: Iterable[tuple[Any, ...]]) -> list[str]:
    """Return what rows of an incident are called."""
    return [f"incident {number}" for number in sorted({key[0] for key in keys})]


def _erased(called: str, *texts: str) -> Erased:
    """Return how somebody is erased from what was written of incidents: the words go, the row stays."""
    return Erased(called, texts=texts, left=dict.fromkeys(texts, Becomes.ERASED), names=names_of_incidents)


TABLES: Final = (
    Table("incidents", ("incident",), erased=_erased("incidents", "title", "cause", "explained", "condition")),
    Table("incident_alerts", ("incident", "alert")),
    Table("incident_notes", ("incident", "number"), erased=_erased("notes of incidents", "text")),
    Table("incident_actions", ("incident", "number"), erased=_erased("actions of incidents", "params", "words")),
    Table("incident_checks", ("incident", "number"), erased=_erased("checks of incidents", "words", "found")),
    Table("incident_escalations", ("incident", "opened", "step")),
    Table("escalation_policies", ("name",)),
)


def _whole(name: str, columns: tuple[Column, ...], order: str) -> View:
    """Return the view of a table as it is."""
    return View(name, columns, f"select {', '.join(map(stored_name, columns))} from {name} order by {order}", (name,))


VIEWS: Final = (
    _whole("incidents", _INCIDENTS, "incident"),
    _whole("incident_alerts", _LINKS, "incident, alert"),
    _whole("incident_notes", _NOTES, "incident, number"),
    _whole("incident_actions", _ACTIONS, "incident, number"),
    _whole("incident_checks", _CHECKS, "incident, number"),
    _whole("incident_escalations", _ESCALATIONS, "incident, opened, at_ns, step"),
    _whole("escalation_policies", _POLICIES, "name"),
    View(
        "incident_history",
        _HISTORY,
        "select event_id, cast(subject as integer), substr(action, 10), json_extract(after, '$.status'), actor, at_ns, "
        "reason from audit where action like 'incident.%' order by event_id",
        ("audit",),
    ),
)
ROOM: Final = Room(tables=TABLES, views=VIEWS, migrations={22: MADE})
