"""The audit chain's one writer: each event carries the hash of the one before, inside the caller's transaction."""

from __future__ import annotations

import functools
import getpass
import hashlib
import json
import os
import re
import time
from typing import TYPE_CHECKING, Any, Final

from lmops.store._hashes import list_text
from lmops.store._seals import seal

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

GENESIS: Final = "0" * 64
#: Set in the kernel of a runbook: what it changes is named as changed by that run.
_RUN_VARIABLE: Final = "LMOPS_RUN_ID"
#: What the system's user is read from, before the list of users.
_USER_VARIABLES: Final = ("LOGNAME", "USER", "LNAME", "USERNAME")
_RUN_ID: Final = re.compile("[0-9a-f]{12}")
FIELDS: Final = (
    "event_id",
    "at_ns",
    "actor",
    "action",
    "subject",
    "reason",
    "before",
    "after",
    "evidence",
    "previous_hash",
)
#: The columns of an event, its hash last.
EVENT_COLUMNS: Final = (*FIELDS, "records", "hash")


def default_actor() -> str:
    """Return who acts when nobody says so: ``LMOPS_ACTOR``, else the system's user."""
    named = os.environ.get("LMOPS_ACTOR")
    if named:
        return named
    return _user(os.getuid() if hasattr(os, "getuid") else 0, *map(os.environ.get, _USER_VARIABLES))


@functools.lru_cache(maxsize=16)
def _user(_uid: int, *_named: str | None) -> str:
    """Return the system's name of this user, which reading the list of users finds out."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "unknown"


#: The last event, and what the head says it is; of two with one number ``max`` takes the first.
_ENDS: Final = (
    "select * from (select event_id, hash from audit order by event_id desc limit 1) "
    "union all select events, hash from audit_head"
)
#: ``json.dumps`` makes one for each call.
_VALUE: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)


def event_hash(event: Mapping[str, Any]) -> str:
    """Return the SHA-256 of an event: of the JSON list of ``FIELDS``, without spaces, in UTF-8.

    What it says of records, where it says anything, is the last of the list.
    """
    values = [event[name] for name in FIELDS]
    if "records" in event.keys() and event["records"] is not None:  # noqa: SIM118  # the rows of SQLite are no mappings
        values.append(event["records"])
    return hashlib.sha256(list_text(values).encode("utf-8", "surrogatepass")).hexdigest()


def append_event(
    con: sqlite3.Connection,
    *,
    actor: str,
    action: str,
    subject: str,
    reason: str | None = None,
    before: object = None,
    after: object = None,
    evidence: Sequence[str] = (),
    at_ns: int | None = None,
    rows: Iterable[Sequence[Any]] = (),
    named: Mapping[str, Mapping[str, str | None]] | None = None,
    end: tuple[int, str] | None = None,
) -> int:
    """Append one event and return its id; ``con`` is inside a write transaction, so the chain has no gaps.

    What happens inside of a runbook's run names that run as evidence: see :func:`run_evidence`.

    Args:
        con: The connection of that transaction.
        actor: Who.
        action: What was done.
        subject: On what.
        reason: Why.
        before: What it was.
        after: What it is.
        evidence: Ids of what it rests on.
        at_ns: When; now by default.
        rows: (table, *key) of the records that were written or removed, after they were.
        named: Hashes of records that the caller made: table -> key -> hash, None for what is gone.
        end: What :func:`chain_end` said in this transaction, when nothing was appended since.
    """
    evidence = [*evidence, *_running()]
    events, previous_hash = end or chain_end(con)
    event_id = events + 1
    event = {
        "event_id": event_id,
        "at_ns": time.time_ns() if at_ns is None else at_ns,
        "actor": _text(actor),
        "action": _text(action),
        "subject": _text(subject),
        "reason": None if reason is None else _text(reason),
        "before": _json(before),
        "after": _json(after),
        "evidence": _json(evidence) if evidence else None,
        "previous_hash": previous_hash,
        "records": seal(con, rows, named or {}),
    }
    digest = event_hash(event)
    values = [*(event[name] for name in EVENT_COLUMNS[:-1]), digest]
    columns = ", ".join(EVENT_COLUMNS)
    con.execute(f"insert into audit ({columns}) values ({', '.join('?' * len(values))})", values)
    con.execute("insert or replace into audit_head (one, events, hash) values (1, ?, ?)", (event_id, digest))
    return event_id


def run_evidence(run_id: str) -> str:
    """Return how the evidence of an event names the run of a runbook that it happened in."""
    return f"runbook:{run_id}"


def run_changes(con: sqlite3.Connection, run_id: str, *, after_event: int) -> list[dict[str, object]]:
    """Return the events that happened inside of a run, in their order: event_id, action, subject."""
    rows = con.execute(
        "select event_id, action, subject from audit where event_id > ? and instr(evidence, ?) > 0 order by event_id",
        (after_event, f'"{run_evidence(run_id)}"'),
    )
    return [dict(row) for row in rows]


def _running() -> list[str]:
    run_id = os.environ.get(_RUN_VARIABLE, "")
    return [run_evidence(run_id)] if _RUN_ID.fullmatch(run_id) else []


def chain_end(con: sqlite3.Connection) -> tuple[int, str]:
    """Return how many events there are and the hash of the last one; the next has one number more.

    The head says so, and not the last row: an event after a removed tail must not hide that it is gone.
    """
    ends = [(int(row[0]), str(row[1])) for row in con.execute(_ENDS)]
    return max(ends, key=lambda end: end[0], default=(0, GENESIS))


def _json(value: object) -> str | None:
    if value is None:
        return None
    return _text(_VALUE.encode(value))


def _text(text: str) -> str:
    """Return text that can be stored: a lone surrogate, half of a character, becomes the replacement character."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
