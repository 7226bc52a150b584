"""The rows of the chain: every statement the room of the audit asks the records with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmops.store import GENESIS, key_text, note, unsealed
from lmops.store.schema import schema

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping

    from lmops.store import Named


def events(con: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """Yield every event, oldest first, with the columns of the table."""
    return (dict(row) for row in con.execute("select * from audit order by event_id"))


def chosen(con: sqlite3.Connection, given: Mapping[str, object]) -> tuple[dict[str, Any], ...]:
    """Return the events of a time (low, high), an actor, a subject and an action; None asks for all."""
    query = (
        "select * from audit where (:low is null or at_ns >= :low) and (:high is null or at_ns < :high) "
        "and (:actor is null or actor = :actor) "
        "and (:subject is null or subject = :subject "
        "or substr(subject, 1, length(:subject) + 1) = :subject || '@') "
        "and (:action is null or action = :action or substr(action, 1, length(:action) + 1) = :action || '.') "
        "order by event_id"
    )
    return tuple(dict(row) for row in con.execute(query, dict(given)))


def last(con: sqlite3.Connection) -> tuple[int, str]:
    """Return id and hash of the newest event; (0, the beginning) of an empty chain."""
    row = con.execute("select event_id, hash from audit order by event_id desc limit 1").fetchone()
    return (row[0], row[1]) if row else (0, GENESIS)


def head(con: sqlite3.Connection) -> tuple[object, object] | None:
    """Return the number of events and the hash of the last as the head says them, whatever they are."""
    row = con.execute("select events, hash from audit_head").fetchone()
    return None if row is None else (row[0], row[1])


def uncovered(con: sqlite3.Connection, hashes: Mapping[str, str]) -> tuple[list[tuple[str, list[Any]]], list[str]]:
    """Return the records that no event names, as (table, key), and the ended runs whose cases none names.

    Args:
        con: The connection.
        hashes: Run id -> the hash of its cases as they are now. A rescue finds the cases of runs in their files, also
            of runs whose record is lost.
    """
    packed = schema().packed
    status = {row[0]: row[1] for row in con.execute(f"select {packed.owner}, status from {packed.owners[0]}")}
    bare = list(unsealed(con))
    named: Named = {}
    for event_id, said in con.execute("select event_id, records from audit where records is not null"):
        note(named, event_id, said)
    known = named.get(packed.table, {})
    lost = {one for one in hashes if one not in status and known.get(key_text([one]), (0, None))[1] is None}
    of_runs = {key[0] for table, key in bare if table == packed.table} | lost
    rows = [(table, key) for table, key in bare if table != packed.table]
    return rows, [run_id for run_id in of_runs if status.get(run_id) != "running"]
