"""Failure modes as acts: each a few rows that are never changed, of which the last that stands counts.

A row says what a mode is from then on, or which mode a note is in. So what holds now is read without going through what
was done before, an undo is one row more, and an act that is taken back leaves what was there before it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import ConflictError
from lmops.feedback._schema import MODE_NOW, NOTES_NOW
from lmops.text import plain_line

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from lmops.records import Change

_MODES: Final = f"select mode, name, criteria from ({MODE_NOW}) where queue = ? order by mode"
_NOTES: Final = f"select note, mode, position from ({NOTES_NOW}) where queue = ?"
_STANDS: Final = "not exists (select 1 from failure_history u where u.undoes = f.act)"
_LAST: Final = (
    f"select max(f.act) from failure_history f where f.queue = ? and f.actor = ? and f.undoes is null and {_STANDS}"
)
#: Acts of others since then on the same modes or notes.
_SINCE: Final = (
    f"select f.actor, f.action from failure_history f join failure_history a on a.act = ? and f.queue = a.queue "
    f"where f.act > a.act and f.undoes is null and {_STANDS} and (f.note = a.note or "
    "f.mode in (a.mode, a.other_mode) or f.other_mode in (a.mode, a.other_mode)) order by f.seq limit 1"
)


class ModeNow(NamedTuple):
    """A mode as it stands."""

    number: int
    name: str
    criteria: str | None
    notes: int
    items: int


class Board(NamedTuple):
    """The modes of a queue by their numbers, and the mode that each note is in."""

    modes: dict[int, ModeNow]
    notes: dict[str, int | None]


def board_of(con: sqlite3.Connection, queue: str) -> Board:
    """Return what holds now."""
    rows, notes = con.execute(_MODES, (queue,)).fetchall(), con.execute(_NOTES, (queue,)).fetchall()
    counts = Counter(row[1] for row in notes)
    items = Counter(mode for mode, _ in {(row[1], row[2]) for row in notes})
    modes = {one: ModeNow(one, name, criteria, counts[one], items[one]) for one, name, criteria in rows}
    return Board(modes, {row[0]: row[1] for row in notes})


def next_mode(con: sqlite3.Connection, queue: str) -> int:
    """Return the number of the next mode: one that none had, also of those that were taken back."""
    query = "select coalesce(max(mode), 0) + 1 from failure_history where queue = ? and note is null"
    return int(con.execute(query, (queue,)).fetchone()[0])


def mode_row(number: int, name: str | None, criteria: str | None, *, into: int | None = None) -> dict[str, Any]:
    """Return the row that says what a mode is from then on; without a name it is gone."""
    return {"mode": number, "name": name, "criteria": criteria, "other_mode": into}


def note_row(note: str, mode: int | None, *, was: int | None) -> dict[str, Any]:
    """Return the row that says which mode a note is in from then on."""
    return {"note": note, "mode": mode, "other_mode": was}


def write(change: Change, queue: str, action: str, rows: Iterable[Mapping[str, Any]]) -> int:
    """Write the rows of one act, say so in the chain without any text of theirs, and return the act's number."""
    act = int(change.con.execute("select coalesce(max(act), 0) + 1 from failure_history").fetchone()[0])
    given = list(rows)
    same = {"act": act, "queue": queue, "action": action, "actor": change.actor, "recorded_ns": change.at_ns}
    for row in given:
        change.insert("failure_history", {**same, **row})
    modes = sorted({row["mode"] for row in given if row.get("mode") is not None})
    told = {"act": act, "modes": modes, "notes": sum(row.get("note") is not None for row in given)}
    change.say(f"failure_mode.{action}", queue, after=told)
    return act


def undo(change: Change, queue: str) -> tuple[str, int] | None:
    """Take back what this actor did last and did not take back; return its action and how many notes it moved.

    Raises:
        ConflictError: Somebody else went on from there since.
    """
    con = change.con
    act = con.execute(_LAST, (queue, change.actor)).fetchone()[0]
    if act is None:
        return None
    since = con.execute(_SINCE, (act,)).fetchone()
    if since is not None:
        raise ConflictError(
            f"{plain_line(since[0], 60)} went on from there ({since[1]}): their undo comes first. Nothing was changed"
        )
    action, notes = con.execute("select min(action), count(note) from failure_history where act = ?", (act,)).fetchone()
    write(change, queue, "undo", [{"undoes": act}])
    return str(action), int(notes)
