"""What goes into a queue: ids, frames, runs and comparisons as items, each in a queue once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.feedback._label_records import Queue
from lmops.feedback._schema import ITEM_STORED, checksum
from lmops.feedback.sampling import Chosen
from lmops.text import plain_line

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

    from lmops.store import Store

_COLUMNS: Final = ("trace_id", "span_id", "run_id", "example_id", "repeat", "stratum", "probability")
_TAKES: Final = (
    "items: give trace ids, a frame or rows with trace_id (and span_id) or with run_id and example_id, a run, a "
    "comparison, or the name of a strategy; this is "
)
_CASES: Final = "select trace_id, run_id, example_id, repeat from results where run_id = ? order by example_id, repeat"


def chosen_of(store: Store, given: Any) -> list[Chosen]:
    """Return the items that were given; of a comparison the cases of the run that is judged.

    Raises:
        UsageError: It is nothing that has items.
    """
    run = getattr(given, "a", given)
    if hasattr(run, "run_id") and not hasattr(run, "columns"):
        rows = store.sql(_CASES, [run.run_id]).fetchall()
        return [Chosen(trace_id=row[0], run_id=row[1], example_id=row[2], repeat=row[3]) for row in rows]
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
    return Chosen(**{**found, "repeat": int(found["repeat"] or 0) if is_case else None})


def put(
    con: sqlite3.Connection, queue: str, items: Iterable[Chosen], *, after: int, k: int, overlap: float
) -> tuple[int, str]:
    """Put items into a queue, each once, and return how many are new, and the checksum over them.

    Args:
        con: Inside the transaction.
        queue: The queue.
        items: In their order.
        after: The items that it has.
        k: Raters of an item where several are asked.
        overlap: The share of the items for which they are; evenly spread over the queue.
    """
    known = (
        {row[0] for row in con.execute("select item from queue_items where queue = ?", (queue,))} if after else set()
    )
    rows: list[tuple[Any, ...]] = []
    position = after
    for one in items:
        if one.item in known:
            continue
        known.add(one.item)
        position += 1
        needs = k if int(position * overlap) > int((position - 1) * overlap) else 1
        row = (
            queue,
            position,
            one.item,
            one.trace_id,
            one.span_id,
            one.run_id,
            one.example_id,
            one.repeat,
            one.stratum,
            one.probability,
            needs,
        )
        rows.append((*row, checksum(row)))
    marks = ", ".join("?" * (len(ITEM_STORED) + 1))
    con.executemany(f"insert into queue_items ({', '.join(ITEM_STORED)}, checksum) values ({marks})", rows)
    con.execute(
        "insert into queue_open (queue, position) select queue, position from queue_items where queue = ? and "
        "position > ? order by position",
        (queue, after),
    )
    return len(rows), f"{checksum(row[-1] for row in rows):08x}"


def queue_of(row: Mapping[str, Any] | sqlite3.Row, *, added: int = 0) -> Queue:
    """Return a row as a queue."""
    same = ("status", "schema", "schema_version", "strategy", "count", "k", "overlap")
    return Queue(
        name=row["queue"],
        raters=tuple(json.loads(row["raters"] or "[]")),
        is_blind=bool(row["is_blind"]),
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
