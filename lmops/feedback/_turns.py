"""Whose turn is what: items handed out, held for a while, done; and every act of a rater as an event.

What a rater said is in ``label_history`` and nowhere else. Turns, what is open and where each rater goes on are derived
from it, one item at a time, so that handing out an item takes no longer in a long queue than in a short one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from lmops.errors import ConflictError
from lmops.feedback._order import key_of, mixed, place_of
from lmops.feedback._schema import EVENT_STORED, GONE, HOLDS, STANDING
from lmops.store.schema import checksum

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence

    from lmops.feedback._label_records import Values

#: The position of an undo that found nothing: no item has it.
NOWHERE: Final = 0
_LAST: Final = "select coalesce(max(sequence), 0) from label_history where client = ?"
_KNOWN: Final = "select * from label_history where client = ? and sequence = ? order by part"
_STANDS: Final = STANDING.format("h")
_SAID: Final = (
    "select h.* from label_history h where h.queue = ? and h.position = ? and h.rater = ? and h.action in {0} "
    f"and {_STANDS} order by h.seq desc limit 1"
)
#: What counts as a rater of those that are asked; a skipped item waits for another, an old one is labelled anew.
_TAKES: Final = ("held", "done")
#: Of an item: as many raters have it as are asked, or nobody can look at it any more.
_FULL: Final = (
    "(select count(*) from queue_turns t where t.queue = i.queue and t.position = i.position and "
    f"t.status in ('held', 'done')) >= i.needs or {GONE}"
)
_IS_FULL: Final = f"select {_FULL} from queue_items i where i.queue = ? and i.position = ?"
#: The turn of who said something: labels of versions before those that are asked again are old.
_TURN: Final = (
    "case when h.action = 'skip' then 'skipped' when h.schema_version < coalesce((select q.since_version from queues q "
    "where q.queue = h.queue), 0) then 'old' else 'done' end"
)
#: Nobody looks at one item for longer: what is beyond was a pause.
IDLE_S: Final = 120
_SPENT: Final = f"min(h.seconds, {IDLE_S})"
_SETTLE: Final = (
    "insert or replace into queue_turns (queue, position, rater, status, until_ns, seq, seconds) "
    f"select ?, ?, ?, {_TURN}, null, h.seq, {_SPENT} from label_history h where h.seq = ?"
)
_IS_FREE: Final = (
    "not exists (select 1 from queue_turns t where t.queue = i.queue and t.position = i.position and t.rater = ? "
    f"and t.status <> 'old') and not ({GONE})"
)
#: The few rows of the other table first.
_IN: Final = "cross join queue_items i on i.queue = one.queue and i.position = one.position"
_BACK: Final = (
    f"select i.position, one.id from queue_back one {_IN} where one.queue = ? and one.id > ? and {_IS_FREE} "
    "order by one.id limit 1"
)
_LAST_BACK: Final = "select coalesce(max(id), 0) from queue_back where queue = ?"
_GOLD: Final = f"select i.position from queue_gold one {_IN} where one.queue = ? and {_IS_FREE}"
_AHEAD: Final = (
    "select 1 from queue_items i where i.queue = ? and i.position = ? and not exists (select 1 from queue_full f "
    f"where f.queue = i.queue and f.position = i.position) and {_IS_FREE}"
)
_PACE: Final = "select first, size, step, back, handed from queue_raters where queue = ? and rater = ?"
_KEEP_PACE: Final = (
    "insert or replace into queue_raters (queue, rater, first, size, step, back, handed) values (?, ?, ?, ?, ?, ?, ?)"
)
_OLDER: Final = (
    "select t.position, t.rater from queue_turns t join label_history h on h.seq = t.seq where t.queue = ? and "
    "t.status = 'done' and h.schema_version < ?"
)
#: Of one queue, from what raters did; who is held to it and what is gone is known nowhere else, and stays.
_REBUILD: Final = (
    "delete from queue_turns where queue = :queue and status <> 'held'",
    "update queue_turns set seq = null, seconds = null where queue = :queue",
    (
        "insert into queue_turns (queue, position, rater, status, until_ns, seq, seconds) select h.queue, h.position, "
        f"h.rater, {_TURN}, null, h.seq, {_SPENT} from label_history h join ({HOLDS}) said on said.seq = h.seq "
        "where h.queue = :queue on conflict (queue, position, rater) do update set seq = excluded.seq, "
        "seconds = excluded.seconds"
    ),
    "delete from queue_full where queue = :queue",
    (
        "insert into queue_full (queue, position) select i.queue, i.position from queue_items i where i.queue = :queue "
        f"and ({_FULL})"
    ),
    "delete from queue_back where queue = :queue",
    "delete from queue_raters where queue = :queue",
)


class Pace(NamedTuple):
    """How far a rater is in a queue.

    Args:
        first: The items before those that the order is of.
        size: How many those are; what is added later comes after them.
        step: In that order, 0 for the first.
        back: The last that came back, of those that the rater was offered.
        handed: Items that the rater was handed.
    """

    first: int
    size: int
    step: int
    back: int
    handed: int


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


def act_of(con: sqlite3.Connection, queue: str, rater: str, client: str, sequence: int) -> list[sqlite3.Row]:
    """Return the events of one act of a client; none where there is none, or it was taken back."""
    rows = con.execute(_KNOWN, (client, sequence)).fetchall()
    taken_back = "select 1 from label_history where undoes = ?"
    is_meant = rows and (rows[0]["queue"], rows[0]["rater"]) == (queue, rater) and rows[0]["action"] != "undo"
    return rows if is_meant and con.execute(taken_back, (rows[0]["seq"],)).fetchone() is None else []


def undone(con: sqlite3.Connection, events: Sequence[sqlite3.Row]) -> str | None:
    """Return what was said by the act that events took back; None where nothing was."""
    row = con.execute("select field_values from label_history where seq = ?", (events[-1]["undoes"],)).fetchone()
    found: str | None = None if row is None else row["field_values"]
    return found


def said(con: sqlite3.Connection, queue: str, position: int, rater: str, *actions: str) -> sqlite3.Row | None:
    """Return what a rater did last with an item, of some actions, and did not take back."""
    marks = f"({', '.join('?' * len(actions))})"
    found: sqlite3.Row | None = con.execute(_SAID.format(marks), (queue, position, rater, *actions)).fetchone()
    return found


def settle(con: sqlite3.Connection, queue: str, position: int, rater: str) -> None:
    """Derive the turn of a rater on an item from what was said, and whether the item is full."""
    before = status(con, queue, position, rater)
    last = said(con, queue, position, rater, "label", "skip")
    if last is None:
        con.execute("delete from queue_turns where queue = ? and position = ? and rater = ?", (queue, position, rater))
    else:
        con.execute(_SETTLE, (queue, position, rater, last["seq"]))
    is_let_go = before in _TAKES and status(con, queue, position, rater) not in _TAKES
    list_full(con, queue, position, is_let_go=is_let_go)


def list_full(con: sqlite3.Connection, queue: str, position: int, *, is_let_go: bool) -> None:
    """List an item as full while as many raters have it as are asked, and else as come back where one let it go."""
    place = (queue, position)
    if con.execute(_IS_FULL, place).fetchone()[0]:
        con.execute("insert or ignore into queue_full (queue, position) values (?, ?)", place)
        con.execute("delete from queue_back where queue = ? and position = ?", place)
        return
    con.execute("delete from queue_full where queue = ? and position = ?", place)
    if is_let_go:
        con.execute("insert or replace into queue_back (queue, position) values (?, ?)", place)


def expire(con: sqlite3.Connection, queue: str, now_ns: int) -> None:
    """Give back what was held until a time that is past."""
    rows = con.execute(
        "select position, rater from queue_turns where queue = ? and status = 'held' and until_ns <= ?",
        (queue, now_ns),
    ).fetchall()
    for position, rater in rows:
        settle(con, queue, position, rater)


def status(con: sqlite3.Connection, queue: str, position: int, rater: str) -> str | None:
    """Return what an item is to a rater: held, done, skipped, old (to be labelled anew); None for nothing."""
    query = "select status from queue_turns where queue = ? and position = ? and rater = ?"
    row = con.execute(query, (queue, position, rater)).fetchone()
    return None if row is None else str(row[0])


def is_full(con: sqlite3.Connection, queue: str, position: int) -> bool:
    """Return whether as many raters have an item as are asked."""
    query = "select 1 from queue_full where queue = ? and position = ?"
    return con.execute(query, (queue, position)).fetchone() is not None


def held(con: sqlite3.Connection, queue: str, rater: str) -> list[int]:
    """Return the positions that a rater holds, the first one first."""
    query = (
        "select position from queue_turns indexed by queue_turns_rater where queue = ? and rater = ? and "
        "status = 'held' order by position"
    )
    return [row[0] for row in con.execute(query, (queue, rater))]


def hold(con: sqlite3.Connection, queue: str, position: int, rater: str, *, until_ns: int) -> None:
    """Hold an item for a rater; what the rater said of it before stands."""
    con.execute(
        "insert into queue_turns (queue, position, rater, status, until_ns) values (?, ?, ?, 'held', ?) "
        "on conflict (queue, position, rater) do update set status = 'held', until_ns = excluded.until_ns",
        (queue, position, rater, until_ns),
    )
    list_full(con, queue, position, is_let_go=False)


def ahead(
    con: sqlite3.Connection, queue: str, rater: str, n: int, have: Collection[int], *, now_ns: int, until_ns: int
) -> list[int]:
    """Hold what a rater holds on, and return up to ``n`` positions beside those that the rater has."""
    expire(con, queue, now_ns)
    mine = held(con, queue, rater)
    for position in mine:
        hold(con, queue, position, rater, until_ns=until_ns)
    found = [position for position in mine if position not in have][:n]
    while len(found) < n and (taken := take(con, queue, rater, until_ns=until_ns)) is not None:
        found.append(taken)
    return found


def take(con: sqlite3.Connection, queue: str, rater: str, *, until_ns: int) -> int | None:
    """Hold the next item for a rater and return its position; None where there is none.

    What came back comes first, then the order of the rater goes on; between them come items with known answers.
    """
    row = con.execute("select * from queues where queue = ?", (queue,)).fetchone()
    known = con.execute(_PACE, (queue, rater)).fetchone()
    pace, key = Pace._make(known or (0, row["count"], 0, 0, 0)), key_of(row["seed"] or 0, queue, rater)
    position = _gold(con, row, rater, pace.handed, key)
    if position is None:
        position, pace = _back(con, queue, rater, pace)
    if position is None:
        position, pace = _ahead(con, row, rater, pace, key)
    con.execute(_KEEP_PACE, (queue, rater, *pace._replace(handed=pace.handed + (position is not None))))
    if position is not None:
        hold(con, queue, position, rater, until_ns=until_ns)
    return position


def _gold(con: sqlite3.Connection, queue: sqlite3.Row, rater: str, handed: int, key: tuple[int, ...]) -> int | None:
    """Return an item with a known answer where one is due: at one place, not foreseen, of every so many."""
    if not queue["gold_share"]:
        return None
    every = max(1, round(1 / queue["gold_share"]))
    if mixed(key[0] ^ (handed // every)) % every != handed % every:
        return None
    left = [row[0] for row in con.execute(_GOLD, (queue["queue"], rater))]
    return min(left, key=lambda position: mixed(key[1] ^ position), default=None)


def _back(con: sqlite3.Connection, queue: str, rater: str, pace: Pace) -> tuple[int | None, Pace]:
    """Return the next item that came back since the rater was offered one, and how far the rater is then."""
    found = con.execute(_BACK, (queue, pace.back, rater)).fetchone()
    if found is None:
        return None, pace._replace(back=con.execute(_LAST_BACK, (queue,)).fetchone()[0])
    return int(found[0]), pace._replace(back=found[1])


def _ahead(
    con: sqlite3.Connection, queue: sqlite3.Row, rater: str, pace: Pace, key: tuple[int, ...]
) -> tuple[int | None, Pace]:
    """Return the next item in the order of a rater that is not full, and how far the rater is then."""
    name, is_random = queue["queue"], queue["item_order"] == "random"
    while True:
        if pace.step >= pace.size:
            first = pace.first + pace.size
            pace = pace._replace(first=first, size=queue["count"] - first, step=0)
            if pace.size <= 0:
                return None, pace
        at = place_of(pace.step, pace.size, key) if is_random else pace.step
        position, pace = pace.first + at + 1, pace._replace(step=pace.step + 1)
        if con.execute(_AHEAD, (name, position, rater)).fetchone() is not None:
            return position, pace


def ask_again(con: sqlite3.Connection, queue: str, version: int) -> int:
    """Ask again for the labels of a queue that were made under earlier versions; return of how many items."""
    rows = con.execute(_OLDER, (queue, version)).fetchall()
    for row in rows:
        settle(con, queue, row["position"], row["rater"])
    return len({row["position"] for row in rows})


def rebuild(con: sqlite3.Connection, queue: str) -> None:
    """Derive anew what is full, whose turn is what and how far raters are; what is held is held on."""
    for statement in _REBUILD:
        con.execute(statement, {"queue": queue})
