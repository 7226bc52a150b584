"""What goes into a queue: ids, frames, runs and comparisons as items, each in a queue once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import ConflictError, NotFoundError, UsageError, did_you_mean
from lmops.feedback._draws import withdrawn
from lmops.feedback._handed import refuse_closed
from lmops.feedback._label_records import Queue
from lmops.feedback._schema import ITEM_STORED
from lmops.feedback.sampling import DRAWN, Chosen
from lmops.store.schema import checksum
from lmops.text import plain_line

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

    from lmops.feedback._label_records import LabelSchema
    from lmops.records import Change
    from lmops.store import Store

_TEXTS: Final = ("trace_id", "span_id", "run_id", "example_id", "stratum")
_COLUMNS: Final = (*_TEXTS, "repeat", "probability")
ORDERS: Final = ("given", "random")
_TAKES: Final = (
    "items: give trace ids, a frame or rows with trace_id (and span_id) or with run_id and example_id, a run, a "
    "comparison, or the name of a strategy; this is "
)
#: In an order that is left to chance, the same in every run: the part that is labelled so far tells of the others, and
#: of two runs it is of the same examples.
_CASES: Final = (
    "select trace_id, run_id, example_id, repeat from results where run_id = ? "
    "order by md5(concat_ws('/', example_id, repeat)), example_id, repeat"
)


def chosen_of(store: Store, given: Any) -> list[Chosen]:
    """Return the items that were given; of a comparison the cases of the run that is judged.

    All cases of a run are in, each with probability 1.

    Raises:
        UsageError: It is nothing that has items.
    """
    run = getattr(given, "a", given)
    if hasattr(run, "run_id") and not hasattr(run, "columns"):
        rows = store.sql(_CASES, [run.run_id]).fetchall()
        return [
            Chosen(trace_id=row[0], run_id=row[1], example_id=row[2], repeat=row[3], probability=1.0) for row in rows
        ]
    if hasattr(given, "to_dict") and hasattr(given, "columns"):
        given = given.astype(object).where(given.notna(), None).to_dict("records")
    if isinstance(given, str | bytes) or not hasattr(given, "__iter__"):
        raise UsageError(f"{_TAKES}{plain_line(repr(given), 60)}")
    return [_chosen(one) for one in given]


def _chosen(one: Any) -> Chosen:
    trace_id = getattr(one, "trace_id", one)
    if isinstance(trace_id, str) and trace_id.strip():
        return Chosen(trace_id=trace_id.strip())
    if not hasattr(one, "keys"):
        raise UsageError(f"{_TAKES}{plain_line(repr(one), 60)}")
    found = {name: one.get(name) for name in _COLUMNS}
    is_case = found["run_id"] is not None and found["example_id"] is not None
    if found["trace_id"] is None and not is_case:
        raise UsageError(f"{_TAKES}{plain_line(repr(dict(one)), 100)}")
    if not is_case:
        found |= {"run_id": None, "example_id": None, "repeat": None}
    share = found["probability"]
    if share is not None and not 0 < share <= 1:
        raise UsageError(f"probability={share!r} of item {found['trace_id']!r:.60}: give a share above 0, at most 1")
    texts = {name: None if found[name] is None else str(found[name]) for name in _TEXTS}
    return Chosen(
        **texts,
        repeat=int(found["repeat"] or 0) if is_case else None,
        probability=None if share is None else float(share),
    )


def put(
    con: sqlite3.Connection, queue: str, items: Iterable[Chosen], *, after: int, asked: tuple[int, float] | None
) -> tuple[int, str]:
    """Put items into a queue, each once, and return how many are new, and the checksum over them.

    Args:
        con: Inside the transaction.
        queue: The queue.
        items: In their order.
        after: The items that it has.
        asked: Raters of an item where several are asked, and the share of the items for which they are, evenly spread
            over the queue. None: the answers are known, and nobody is asked.
    """
    known = (
        {row[0] for row in con.execute("select item from queue_items where queue = ?", (queue,))} if after else set()
    )
    k, overlap = asked or (0, 1.0)
    fewest = min(k, 1)
    rows: list[tuple[Any, ...]] = []
    position = after
    for one in items:
        item = one.item
        if item in known:
            continue
        known.add(item)
        position += 1
        needs = k if int(position * overlap) > int((position - 1) * overlap) else fewest
        row = (queue, position, item, *one, needs)  # in the order of ITEM_STORED
        rows.append((*row, checksum(row)))
    marks = ", ".join("?" * (len(ITEM_STORED) + 1))
    con.executemany(f"insert into queue_items ({', '.join(ITEM_STORED)}, checksum) values ({marks})", rows)
    if asked is None:
        full = "insert into queue_full (queue, position) values (?, ?)"
        con.executemany(full, [row[:2] for row in rows])
    return len(rows), f"{checksum(row[-1] for row in rows):08x}"


def take_back(change: Change, given: Queue) -> Queue:
    """Take the items that came with a queue out of it again; see :meth:`lmops.feedback.Queues.withdraw`."""
    name, after = given.name, given.count - given.added
    row = change.store.record(change.con, "queues", name)
    if row is None:
        raise NotFoundError(f"there is no queue {plain_line(name, 60)!r} (any more)")
    refuse_closed(row)
    there = change.con.execute("select max(position) from queue_items where queue = ?", (name,)).fetchone()[0]
    if there != given.count:
        raise ConflictError(
            f"queue {name} has other items since: {row['count']:,}, not {given.count:,}. Nothing was changed"
        )
    for table in ("label_history", "queue_turns"):
        query = f"select count(distinct position) from {table} where queue = ? and position > ?"
        if worked := change.con.execute(query, (name, after)).fetchone()[0]:
            raise ConflictError(
                f"raters have worked on {worked:,} of these {given.added:,} items of queue {name}, or have them before "
                "their eyes. Nothing was changed"
            )
    query = "select count(*) from queue_raters where queue = ? and first + size > ?"
    if ahead := change.con.execute(query, (name, after)).fetchone()[0]:
        raise ConflictError(f"{ahead:,} raters have gone on in queue {name} since. Nothing was changed")
    for table in ("queue_full", "queue_back", "queue_gone", "queue_items"):
        change.con.execute(f"delete from {table} where queue = ? and position > ?", (name, after))
    withdrawn(change, name, after)
    change.replace("queues", {**dict(row), "count": after})
    change.say("queue.withdraw", name, before={"items": given.count}, after={"items": after})
    return queue_of({**dict(row), "count": after})


def queue_of(row: Mapping[str, Any] | sqlite3.Row, *, added: int = 0) -> Queue:
    """Return a row as a queue."""
    same = ("status", "schema", "schema_version", "strategy", "count", "k", "overlap", "gold_share")
    return Queue(
        name=row["queue"],
        raters=tuple(json.loads(row["raters"] or "[]")),
        is_blind=bool(row["is_blind"]),
        order=row["item_order"] or ORDERS[0],
        added=added,
        **{name: row[name] for name in same},
    )


def check_asked(k: int | None, overlap: float | None, raters: Sequence[str]) -> tuple[int, float]:
    """Return how many raters an item has, and for which share of the items.

    Raises:
        UsageError: It cannot be, or there are not as many raters.
    """
    k, overlap = (2 if overlap is not None else 1) if k is None else k, 1.0 if overlap is None else float(overlap)
    if not 1 <= k <= 100 or not 0 <= overlap <= 1:
        raise UsageError(f"k={k!r}, overlap={overlap!r}: give 1 to 100 raters an item, and a share of 0 to 1")
    if raters and k > len(raters):
        raise UsageError(f"k={k}: there are only {len(raters)} raters ({plain_line(', '.join(raters), 100)})")
    return k, overlap


def check_order(order: str | None, items: object) -> str:
    """Return in which order raters are handed the items of a new queue.

    Raises:
        UsageError: There is no such order.
    """
    if order is None:
        return "random" if isinstance(items, str) and items in DRAWN else "given"
    if order not in ORDERS:
        raise UsageError(did_you_mean("order", order, ORDERS))
    return order


def refuse_other(
    row: Mapping[str, Any] | sqlite3.Row,
    version: LabelSchema | None,
    raters: Sequence[str],
    *,
    k: int | None,
    overlap: float | None,
    order: str | None,
) -> None:
    """Refuse what is asked of a queue that is there and was made in another way.

    Raises:
        UsageError: What was asked differs; the message says from what.
    """
    queue = queue_of(row)
    asked: dict[str, Any] = {"schema": version and version.name, "raters": tuple(raters) or None}
    asked |= {"k": k, "overlap": overlap, "order": order}
    for name, wanted in asked.items():
        held = getattr(queue, name)
        if wanted is not None and wanted != held:
            raise UsageError(
                f"queue {queue.name} is there and has {name}={plain_line(repr(held), 100)}, not "
                f"{plain_line(repr(wanted), 100)}: leave it out to add items, or name another queue"
            )
