"""The audit chain's one writer: each event carries the hash of the one before, inside the caller's transaction."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

GENESIS: Final = "0" * 64
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


def default_actor() -> str:
    """Return who acts when nobody says so: ``LMOPS_ACTOR``, else the system's user."""
    named = os.environ.get("LMOPS_ACTOR")
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "unknown"


def event_hash(event: Mapping[str, Any]) -> str:
    """Return the SHA-256 of an event: of the JSON list of ``FIELDS``, without spaces, in UTF-8."""
    text = json.dumps([event[name] for name in FIELDS], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


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
) -> int:
    """Append one event and return its id; ``con`` is inside a write transaction, so the chain has no gaps."""
    events, previous_hash = _end(con)
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
        "evidence": _json(list(evidence)) if evidence else None,
        "previous_hash": previous_hash,
    }
    digest = event_hash(event)
    values = [*(event[name] for name in FIELDS), digest]
    columns = ", ".join((*FIELDS, "hash"))
    con.execute(f"insert into audit ({columns}) values ({', '.join('?' * len(values))})", values)
    con.execute("insert or replace into audit_head (one, events, hash) values (1, ?, ?)", (event_id, digest))
    return event_id


def _end(con: sqlite3.Connection) -> tuple[int, str]:
    """Return how many events there are and the hash of the last one.

    The head says so, and not the last row: an event after a removed tail must not hide that it is gone.
    """
    last = con.execute("select event_id, hash from audit order by event_id desc limit 1").fetchone()
    head = con.execute("select events, hash from audit_head").fetchone()
    end = (int(last[0]), str(last[1])) if last else (0, GENESIS)
    return (int(head[0]), str(head[1])) if head and head[0] > end[0] else end


def _json(value: object) -> str | None:
    if value is None:
        return None
    return _text(json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str))


def _text(text: str) -> str:
    """Return text that can be stored: a lone surrogate, half of a character, becomes the replacement character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
