"""How far a queue is, and which of its items are where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.errors import UsageError, did_you_mean
from lmops.feedback._label_records import QueueProgress, RaterProgress

if TYPE_CHECKING:
    import sqlite3

    import pandas as pd

    from lmops.feedback._label_records import Queue
    from lmops.store import Store

#: Items by what has become of them; the parameters are the rater and the queue.
WHICH: Final = {
    "all": "true",
    "open": "not is_done",
    "done": "is_done",
    "mine": "position in (select l.position from labels l where l.queue = $queue and l.rater = $rater)",
}
#: Nobody looks at one item for longer; what is beyond was a pause.
IDLE_S: Final = 120
_PROGRESS: Final = (
    "select t.rater, sum(t.status = 'done') as done, sum(t.status = 'skipped') as skipped, "
    "sum(t.status = 'held') as held, total(min(h.seconds, ?)) as seconds from queue_turns t "
    "left join label_history h on h.seq = t.seq where t.queue = ? group by t.rater order by t.rater"
)
_DONE: Final = (
    "select count(*) from (select i.position from queue_turns t join queue_items i on i.queue = t.queue and "
    "i.position = t.position where t.queue = ? and t.status = 'done' group by i.position having count(*) >= i.needs)"
)


def progress_of(con: sqlite3.Connection, queue: Queue) -> QueueProgress:
    """Return how far a queue and each of its raters are."""
    rows = con.execute(_PROGRESS, (IDLE_S, queue.name)).fetchall()
    done = con.execute(_DONE, (queue.name,)).fetchone()[0]
    found = {row["rater"]: RaterProgress(**dict(row)) for row in rows}
    asked = {one: RaterProgress(rater=one, done=0, skipped=0, held=0, seconds=0.0) for one in queue.raters}
    return QueueProgress(queue=queue.name, items=queue.count, done=done, raters=tuple({**asked, **found}.values()))


def items_of(store: Store, name: str, which: str, *, rater: str, after: int, n: int) -> pd.DataFrame:
    """Return items of a queue in their order; see :meth:`lmops.feedback.Queues.items`."""
    if which not in WHICH:
        raise UsageError(did_you_mean("kind of items", which, WHICH))
    query = (
        "select * from queue_items where queue = $queue and position > $after and "
        f"{WHICH[which]} and $rater is not null order by position limit $n"
    )
    given = {"queue": name, "after": after, "rater": rater, "n": n}
    frame: pd.DataFrame = store.sql(query, given).df()
    return frame
