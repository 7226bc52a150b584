"""An item as a rater may see it, and what is refused before anything is looked at."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from lmops.errors import ConflictError, NotFoundError, UsageError
from lmops.feedback import _turns
from lmops.feedback._label_records import Kept, Turn
from lmops.feedback._schema import GONE
from lmops.text import plain_line
from lmops.times import from_ns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from lmops.feedback._turns import Act

_MOST_AT_ONCE: Final = 10_000


def check_rater(name: object) -> str:
    """Return the name of a rater.

    Raises:
        UsageError: It is none.
    """
    words = name.strip() if isinstance(name, str) else ""
    if not words or len(words) > 100 or not words.isprintable():
        raise UsageError(f"rater={plain_line(repr(name), 60)}: give a name of 1 to 100 characters on one line")
    return words


def items_given(item: int | str | Sequence[int | str]) -> list[int | str]:
    """Return the items that one act is on.

    Raises:
        UsageError: There is none, or there are too many.
    """
    given = [item] if isinstance(item, int | str) else list(item)
    if not 0 < len(given) <= _MOST_AT_ONCE:
        raise UsageError(f"{len(given):,} items: give 1 to {_MOST_AT_ONCE:,} at once")
    return given


def refuse_closed(row: sqlite3.Row) -> None:
    if row["status"] != "open":
        name = row["queue"]
        raise ConflictError(
            f"queue {name} is {row['status']} by {plain_line(row['actor'], 60)}: ws.feedback.queues.reopen({name!r}) "
            "goes on with it. Nothing was changed"
        )


def refuse_gone(con: sqlite3.Connection, name: str, position: int) -> None:
    """Refuse an item that nobody can look at any more.

    Raises:
        ConflictError: Its trace was removed.
    """
    query = f"select 1 from queue_items i where i.queue = ? and i.position = ? and ({GONE})"
    if con.execute(query, (name, position)).fetchone() is not None:
        raise ConflictError(
            f"item {position} of {name}: its trace was removed with old ones, or erased. Nothing was changed; what was "
            "said of it before stays"
        )


def position_of(con: sqlite3.Connection, name: str, item: int | str) -> int:
    """Return the position of an item that is in a queue."""
    column = "item" if isinstance(item, str) else "position"
    row = con.execute(f"select position from queue_items where queue = ? and {column} = ?", (name, item)).fetchone()
    if row is None:
        raise NotFoundError(
            f"queue {name} has no item {plain_line(repr(item), 100)}; ws.sql('from queue_items') has all"
        )
    return int(row[0])


def turn_of(con: sqlite3.Connection, queue: sqlite3.Row, position: int, rater: str) -> Turn:
    """Return an item as this rater may see it."""
    name = queue["queue"]
    row = con.execute("select * from queue_items where queue = ? and position = ?", (name, position)).fetchone()
    turns = con.execute("select * from queue_turns where queue = ? and position = ?", (name, position)).fetchall()
    until_ns = next((one["until_ns"] for one in turns if one["rater"] == rater), None)
    own = _turns.said(con, name, position, rater, "label")
    noted = _turns.said(con, name, position, rater, "note")
    others = [
        (one["rater"], _turns.said(con, name, position, one["rater"], "label"))
        for one in turns
        if one["rater"] != rater and one["status"] == "done" and (own is not None or not queue["is_blind"])
    ]
    told = ("queue", "position", "item", "trace_id", "span_id", "run_id", "example_id", "repeat")
    return Turn(
        **{one: row[one] for one in told},
        until=None if until_ns is None else from_ns(until_ns),
        said=None if own is None or own["field_values"] is None else json.loads(own["field_values"]),
        note=None if noted is None else noted["note"],
        others=tuple((who, json.loads(one["field_values"] or "{}")) for who, one in others if one is not None),
    )


def kept(act: Act, positions: Sequence[int], seq: int, *, is_repeated: bool = False, undid: str | None = None) -> Kept:
    return Kept(
        seq=seq,
        action=act.action,
        positions=tuple(positions),
        client=act.client,
        sequence=act.sequence,
        is_repeated=is_repeated,
        undid=None if undid is None else json.loads(undid),
    )
