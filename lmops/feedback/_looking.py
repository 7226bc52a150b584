"""How far a queue is, and which of its items are where."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from lmops.errors import UsageError, did_you_mean
from lmops.feedback._label_records import QueueProgress, RaterProgress
from lmops.feedback._schema import ITEM_STORED, ITEMS, ITEMS_SQL
from lmops.store.schema import checksum

if TYPE_CHECKING:
    import sqlite3

    import pandas as pd

    from lmops.feedback._label_records import Queue
    from lmops.store import Store

#: Items by what has become of them; the parameters are the rater and the queue.
WHICH: Final = {
    "all": "true",
    "open": "not is_done and not is_gone",
    "done": "is_done and not is_gold",
    "mine": "position in (select t.position from queue_turns t join label_history h on h.seq = t.seq "
    "where t.queue = :queue and t.rater = :rater and h.action = 'label')",
}
_STORED: Final = (
    f"select {', '.join(ITEM_STORED)}, checksum from queue_items where queue = ? and position between ? and ?"
)
_PROGRESS: Final = (
    "select rater, sum(status = 'done') as done, sum(status = 'skipped') as skipped, sum(status = 'held') as held, "
    "total(seconds) as seconds, sum(status = 'old') as old from queue_turns where queue = ? group by rater "
    "order by rater"
)
_FULL: Final = "select count(*) from queue_full where queue = ?"
#: Full without being done by all that are asked: what is held, what nobody is handed, what is known.
_NOT_DONE: Final = (
    "select count(*) from queue_items i where i.queue = ?1 and (i.needs = 0 or (select count(*) from queue_turns t "
    "where t.queue = i.queue and t.position = i.position and t.status = 'done') < i.needs) and i.position in (select "
    "f.position from queue_full f where f.queue = ?1 and f.position in (select position from queue_turns where "
    "queue = ?1 and status = 'held' union select position from queue_gone where queue = ?1 union select position from "
    "queue_gold where queue = ?1 union select position from queue_items indexed by queue_items_erased where queue = ?1 "
    "and trace_id glob 'erased-*'))"
)
_GOLD: Final = "select count(*) from queue_gold where queue = ?"
_GONE: Final = (
    "select count(*) from queue_items i where i.queue = ?1 and i.needs > 0 and (select count(*) from queue_turns t "
    "where t.queue = i.queue and t.position = i.position and t.status = 'done') < i.needs and i.position in "
    "(select position from queue_gone where queue = ?1 union select position from queue_items "
    "indexed by queue_items_erased where queue = ?1 and trace_id glob 'erased-*')"
)
_TAGS: Final = (
    "select tag, count(*) as n from (select unnest(json_extract_string(field_values, $path)) as tag "
    "from labels where queue = $queue) group by tag order by n desc, tag limit 1000"
)


def progress_of(con: sqlite3.Connection, queue: Queue) -> QueueProgress:
    """Return how far a queue and each of its raters are."""
    asked_for = (_FULL, _NOT_DONE, _GOLD, _GONE)
    full, not_done, gold, gone = (con.execute(query, (queue.name,)).fetchone()[0] for query in asked_for)
    rows = con.execute(_PROGRESS, (queue.name,)).fetchall()
    found = {row["rater"]: RaterProgress(**dict(row)) for row in rows}
    asked = {one: RaterProgress(rater=one, done=0, skipped=0, held=0, seconds=0.0) for one in queue.raters}
    raters = tuple({**asked, **found}.values())
    return QueueProgress(queue=queue.name, items=queue.count - gold, done=full - not_done, gone=gone, raters=raters)


def tags_of(store: Store, name: str, field: str) -> tuple[str, ...]:
    """Return the tags of a field so far, the most frequent first."""
    given = {"path": f"$.{json.dumps(field)}[*]", "queue": name}
    return tuple(row[0] for row in store.sql(_TAGS, given).fetchall())


def items_of(store: Store, name: str, which: str, *, rater: str, after: int, n: int) -> pd.DataFrame:
    """Return items of a queue in their order; see :meth:`lmops.feedback.Queues.items`."""
    if which not in WHICH:
        raise UsageError(did_you_mean("kind of items", which, WHICH))
    from lmops.base.frames import Frame

    query = (
        f"select * from ({ITEMS_SQL}) where queue = :queue and position > :after and {WHICH[which]} "
        "order by position limit :n"
    )
    columns = [name for name, _, _ in ITEMS]
    with store.reading() as con:
        rows = con.execute(query, {"queue": name, "after": after, "rater": rater, "n": n}).fetchall()
        ends = (name, rows[0]["position"], rows[-1]["position"]) if rows else (name, 0, 0)
        if not all(checksum(row[:-1]) == row[-1] for row in con.execute(_STORED, ends)):
            store.sql("from queue_items limit 0").close()  # it says what is wrong with which
    frame = Frame(list(map(tuple, rows)), columns=columns)
    truths = [name for name, sql, _ in ITEMS if sql == "BOOLEAN"]
    return frame.astype(dict.fromkeys(truths, bool))
