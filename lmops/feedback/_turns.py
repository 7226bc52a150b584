"""Whose turn is what: items handed out, held for a while, done; and every act of a rater as an event.

What a rater said is in ``label_history`` and nowhere else. Turns, what is open and where each rater goes on are derived
from it, one item at a time, so that handing out an item takes no longer in a long queue than in a short one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from lmops.errors import ConflictError
from lmops.feedback._schema import EVENT_STORED, STANDING, checksum

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from lmops.feedback._label_records import Values

_LAST: Final = "select coalesce(max(sequence), 0) from label_history where client = ?"
_KNOWN: Final = "select * from label_history where client = ? and sequence = ? order by part"
_STANDS: Final = STANDING.format("h")
_SAID: Final = (
    "select h.* from label_history h where h.queue = ? and h.position = ? and h.rater = ? and h.action in {0} "
    f"and {_STANDS} order by h.seq desc limit 1"
)
#: A turn of somebody who only holds the item counts as long as it is held; a skipped item waits for another rater.
_TAKEN: Final = "select count(*) from queue_turns where queue = ? and position = ? and status in ('held', 'done')"
_FREE: Final = (
    "select o.position from queue_open o where o.queue = ? and o.position >= ? and not exists (select 1 from "
    "queue_turns t where t.queue = o.queue and t.position = o.position and t.rater = ?) order by o.position limit 1"
)


class Act(NamedTuple):
    """What a rater does, as it is sent.

    Args:
        queue: Where.
        rater: Who.
        action: label, skip, note or undo.
        positions: Of the items; of an undo those that it was on.
        client: Who sends it: a page, a process.
        sequence: 1, 2, 3, ... of that client.
        schema_version: Under which a label was made.
        values: Of a label.
        note: Of a note.
        seconds: Spent on it.
        said_ns: When it was done.
    """

    queue: str
    rater: str
    action: str
    positions: tuple[int, ...]
    client: str
    sequence: int
    schema_version: int | None
    values: Values | None
    note: str | None
    seconds: float | None
    said_ns: int

    @property
    def text(self) -> str | None:
        """The values as they are stored."""
        return None if self.values is None else json.dumps(self.values, ensure_ascii=False, sort_keys=True)


def known(con: sqlite3.Connection, act: Act) -> list[sqlite3.Row]:
    """Return what is in the store of an act that was sent before.

    Raises:
        ConflictError: Under this number the client sent something else, or one before it is missing.
    """
    rows = con.execute(_KNOWN, (act.client, act.sequence)).fetchall()
    if rows:
        first = rows[0]
        same = (first["queue"], first["rater"], first["action"]) == (act.queue, act.rater, act.action)
        if act.action != "undo":
            same &= tuple(row["position"] for row in rows) == act.positions
            same &= (first["field_values"], first["note"]) in ((act.text, act.note), (None, None))
        if not same:
            raise ConflictError(
                f"number {act.sequence} of {act.client!r:.60} was {first['action']} of item {first['position']} in "
                f"{first['queue']}; nothing was changed. A new act takes the next number"
            )
        return rows
    last = con.execute(_LAST, (act.client,)).fetchone()[0]
    if act.sequence != last + 1:
        raise ConflictError(
            f"number {act.sequence} of {act.client!r:.60} came and {last + 1} is missing: send them in order. "
            "Nothing was changed"
        )
    return rows


def write(con: sqlite3.Connection, act: Act, *, at_ns: int, undoes: Sequence[int | None]) -> int:
    """Write the events of an act, one for each item, and return the number of the last one."""
    seq = 0
    last = con.execute("select coalesce(max(seq), 0) from sqlite_sequence where name = 'label_history'").fetchone()[0]
    marks = ", ".join("?" * (len(EVENT_STORED) + 1))
    for part, (position, target) in enumerate(zip(act.positions, undoes, strict=True)):
        seq = last + 1 + part
        values = (
            seq,
            act.client,
            act.sequence,
            part,
            act.queue,
            position,
            act.rater,
            act.action,
            act.schema_version,
            act.text,
            act.note,
            act.seconds,
            target,
            act.said_ns,
            at_ns,
        )
        con.execute(
            f"insert into label_history ({', '.join(EVENT_STORED)}, checksum) values ({marks})",
            (*values, checksum(values)),
        )
    return seq


def last_act(con: sqlite3.Connection, queue: str, rater: str) -> list[sqlite3.Row]:
    """Return the events of the last act of a rater that was not taken back; none where there is none."""
    query = (
        "select h.* from label_history h where h.queue = ? and h.rater = ? and h.action <> 'undo' "
        f"and {_STANDS} order by h.seq desc limit 1"
    )
    last = con.execute(query, (queue, rater)).fetchone()
    return [] if last is None else con.execute(_KNOWN, (last["client"], last["sequence"])).fetchall()


def said(con: sqlite3.Connection, queue: str, position: int, rater: str, *actions: str) -> sqlite3.Row | None:
    """Return what a rater did last with an item, of some actions, and did not take back."""
    marks = f"({', '.join('?' * len(actions))})"
    found: sqlite3.Row | None = con.execute(_SAID.format(marks), (queue, position, rater, *actions)).fetchone()
    return found


def settle(con: sqlite3.Connection, queue: str, position: int, rater: str) -> None:
    """Derive the turn of a rater on an item from what was said, and whether the item is open."""
    last = said(con, queue, position, rater, "label", "skip")
    if last is None:
        _let_go(con, queue, position, rater)
    else:
        status = "done" if last["action"] == "label" else "skipped"
        con.execute(
            "insert or replace into queue_turns (queue, position, rater, status, until_ns, seq) "
            "values (?, ?, ?, ?, null, ?)",
            (queue, position, rater, status, last["seq"]),
        )
    open_or_not(con, queue, position)


def open_or_not(con: sqlite3.Connection, queue: str, position: int) -> None:
    """List an item as open while fewer raters have it than are asked; raters who went past it come back to it."""
    needs = con.execute("select needs from queue_items where queue = ? and position = ?", (queue, position)).fetchone()
    taken = con.execute(_TAKEN, (queue, position)).fetchone()[0]
    if taken >= needs[0]:
        con.execute("delete from queue_open where queue = ? and position = ?", (queue, position))
        return
    con.execute("insert or ignore into queue_open (queue, position) values (?, ?)", (queue, position))
    con.execute("update queue_raters set cursor = min(cursor, ?) where queue = ?", (position, queue))


def expire(con: sqlite3.Connection, queue: str, now_ns: int) -> None:
    """Give back what was held until a time that is past."""
    rows = con.execute(
        "select position, rater from queue_turns where queue = ? and status = 'held' and until_ns <= ?",
        (queue, now_ns),
    ).fetchall()
    for position, rater in rows:
        _let_go(con, queue, position, rater)
        open_or_not(con, queue, position)


def status(con: sqlite3.Connection, queue: str, position: int, rater: str) -> str | None:
    """Return what an item is to a rater: held, done, skipped; None for nothing."""
    query = "select status from queue_turns where queue = ? and position = ? and rater = ?"
    row = con.execute(query, (queue, position, rater)).fetchone()
    return None if row is None else str(row[0])


def is_open(con: sqlite3.Connection, queue: str, position: int) -> bool:
    """Return whether fewer raters have an item than are asked."""
    query = "select 1 from queue_open where queue = ? and position = ?"
    return con.execute(query, (queue, position)).fetchone() is not None


def held(con: sqlite3.Connection, queue: str, rater: str) -> list[int]:
    """Return the positions that a rater holds, the first one first."""
    query = "select position from queue_turns where queue = ? and rater = ? and status = 'held' order by position"
    return [row[0] for row in con.execute(query, (queue, rater))]


def hold(con: sqlite3.Connection, queue: str, position: int, rater: str, *, until_ns: int) -> None:
    """Hold an item for a rater."""
    con.execute(
        "insert or replace into queue_turns (queue, position, rater, status, until_ns, seq) "
        "values (?, ?, ?, 'held', ?, null)",
        (queue, position, rater, until_ns),
    )
    open_or_not(con, queue, position)


def take(con: sqlite3.Connection, queue: str, rater: str, *, until_ns: int) -> int | None:
    """Hold the next item that a rater has had no turn on, and return its position; None where there is none."""
    known_rater = "select cursor from queue_raters where queue = ? and rater = ?"
    cursor = con.execute(known_rater, (queue, rater)).fetchone()
    found = con.execute(_FREE, (queue, cursor[0] if cursor else 1, rater)).fetchone()
    if found is None:
        return None
    position = int(found[0])
    hold(con, queue, position, rater, until_ns=until_ns)
    con.execute(
        "insert or replace into queue_raters (queue, rater, cursor) values (?, ?, ?)", (queue, rater, position + 1)
    )
    return position


def _let_go(con: sqlite3.Connection, queue: str, position: int, rater: str) -> None:
    con.execute("delete from queue_turns where queue = ? and position = ? and rater = ?", (queue, position, rater))
