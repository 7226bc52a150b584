"""From the inbox into segments: bounded batches, each one transaction, one drainer at a time."""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.store._filesystem import fsync_dir
from lmops.store._segments import overlay_tables, to_arrow, write_segment

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import filelock

    from lmops.store._engine import Engine
    from lmops.store._meta import Meta
    from lmops.store._overlay import Overlay
    from lmops.store._segments import Written

Row = dict[str, Any]
log = logging.getLogger(__name__)

LOCK: Final = "drain.lock"
#: Rows that make a drain worthwhile, and the most that one drain takes: a process killed every few seconds must
#: still finish one.
DRAIN_ROWS: Final = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """What a bulk load did."""

    new: int
    new_traces: int
    duplicates: int
    new_logs: int


class Publisher:
    """Writes overlays into segments. Its lock is a file lock that the kernel frees when a process dies."""

    def __init__(self, folder: Path, meta: Meta, engine: Engine) -> None:
        self._folder = folder
        self._meta = meta
        self._engine = engine
        #: set on close: a drain ends after its present batch
        self.is_stopping = False

    def waiting_rows(self) -> int:
        """Return how many rows wait in the inbox."""
        con = self._meta.connection()
        return int(con.execute("select value from counters where name = 'inbox_rows'").fetchone()[0])

    def _new_lock(self) -> filelock.BaseFileLock:
        import filelock

        # A soft lock would outlive a killed process.
        return filelock.FileLock(self._folder / LOCK, fallback_to_soft=False, preserve_lock_file=True)

    @contextlib.contextmanager
    def locked(self, *, timeout_s: float = -1) -> Iterator[bool]:
        """Hold the drain lock; yields False when it could not be had in time (-1: wait for ever, 0: do not wait)."""
        import filelock

        lock = self._new_lock()
        try:
            lock.acquire(timeout=timeout_s)
        except filelock.Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def drain(self, *, leave: int = 0, wait: bool = True, batches: int | None = None) -> int:
        """Move undrained writes into segments, oldest first, batch by batch; return how many rows moved.

        Args:
            leave: Stop when fewer rows than this wait.
            wait: Wait for another process that is draining; otherwise stop.
            batches: Stop after so many; None for no limit.
        """
        moved = done = 0
        while batches is None or done < batches:
            # The lock is taken for one batch at a time, so that others get their turn.
            with self.locked(timeout_s=-1 if wait else 0) as mine:
                if not mine:
                    return moved
                batch = self.drain_batch()
            moved += batch
            done += 1
            if not batch or self.is_stopping or self.waiting_rows() < leave:
                break
        return moved

    def drain_batch(self) -> int:
        """Move one bounded batch, under the caller's lock; return its rows."""
        snapshot = self._engine.head(DRAIN_ROWS)
        if not snapshot.tail:
            return 0
        spans = [row for rows in snapshot.tail.values() for row in rows.get("spans", ())]
        logs = [row for rows in snapshot.tail.values() for row in rows.get("logs", ())]
        self.publish(self._engine.overlay(snapshot, spans, logs), list(snapshot.tail))
        return len(spans) + len(logs)

    def load(self, spans: Sequence[Row], logs: Sequence[Row]) -> LoadReport:
        """Publish rows at once, without the inbox: the way of large files."""
        with self.locked():
            # What waits in the inbox comes first, so that a repeat of it is seen as one.
            while self.drain_batch():
                pass
            over = self._engine.overlay(self._engine.manifest(), spans, logs)
            self.publish(over, [])
        return LoadReport(
            new=over.new_spans,
            new_traces=len(over.traces) - len(over.dead_traces),
            duplicates=over.duplicates,
            new_logs=len(over.logs),
        )

    def publish(self, over: Overlay, seqs: Sequence[int]) -> None:
        """Write an overlay's rows and, in one transaction, list the files, bury what they replace, clear the inbox.

        ``seqs`` are the oldest writes of the inbox: only the holder of the lock removes any.
        """
        rev = int(self._meta.connection().execute("select value from counters where name = 'rev'").fetchone()[0]) + 1
        with self.files() as written:
            tables = overlay_tables(over, rev=rev) | {"logs": to_arrow("logs", over.logs, rev=rev)}
            written += [write_segment(self._folder, tbl, table) for tbl, table in tables.items() if table.num_rows]
            with self._meta.write() as con:
                for file in written:
                    file.insert(con)
                bury(con, "spans", over.dead_spans, rev)
                bury(con, "traces", [(trace_id, "") for trace_id in over.dead_traces], rev)
                clear_inbox(con, seqs)
                con.execute("update counters set value = ? where name = 'rev'", (rev,))
                move_manifest(con)
        self._engine.members.learn(written, over)

    @contextlib.contextmanager
    def files(self) -> Iterator[list[Written]]:
        """Collect files that are about to be listed; on any error they are removed again."""
        written: list[Written] = []
        try:
            yield written
        except BaseException:
            for file in written:
                with contextlib.suppress(OSError):
                    (self._folder / file.path).unlink(missing_ok=True)
            raise

    def retire(self, con: sqlite3.Connection, paths: Sequence[str]) -> None:
        """Take files out of the manifest; readers that hold an older snapshot still find them for a while."""
        now = time.time_ns()
        con.executemany("delete from segments where path = ?", [(path,) for path in paths])
        con.executemany("insert or replace into retired values (?, ?)", [(path, now) for path in paths])

    def sweep(self, *, grace_s: float) -> int:
        """Unlink files retired longer ago than ``grace_s`` and leftovers of killed processes; return how many.

        Must run under the lock: then no other process has a file that is written but not yet listed.
        """
        con = self._meta.connection()
        listed = {row[0] for row in con.execute("select path from segments union all select path from retired")}
        old = time.time_ns() - int(grace_s * 1e9)
        gone = [row[0] for row in con.execute("select path from retired where retired_ns <= ?", (old,))]
        root = self._folder / "segments"
        stray = [
            str(path.relative_to(self._folder))
            for path in root.rglob("*")
            if path.is_file() and path.relative_to(self._folder).as_posix() not in listed
        ]
        for relative in (*gone, *stray):
            with contextlib.suppress(OSError):
                (self._folder / relative).unlink(missing_ok=True)
        for folder in sorted(root.glob("*/*"), reverse=True):
            with contextlib.suppress(OSError):
                folder.rmdir()
        if gone:
            with self._meta.write() as writer:
                writer.executemany("delete from retired where path = ?", [(path,) for path in gone])
            fsync_dir(root)
        return len(gone) + len(stray)


def bury(con: sqlite3.Connection, tbl: str, keys: Sequence[tuple[str, str]], rev: int) -> None:
    """Note that stored rows with these keys are replaced by revision ``rev``."""
    con.executemany(
        "insert into dead_rows (tbl, trace_id, span_id, before_rev) values (?, ?, ?, ?) "
        "on conflict do update set before_rev = excluded.before_rev, copies = copies + 1",
        [(tbl, trace_id, span_id, rev) for trace_id, span_id in keys],
    )


def clear_inbox(con: sqlite3.Connection, seqs: Sequence[int]) -> None:
    """Remove drained writes from the inbox."""
    if not seqs:
        return
    rows = con.execute("select sum(rows) from inbox where seq between ? and ?", (min(seqs), max(seqs))).fetchone()[0]
    con.execute("delete from inbox where seq between ? and ?", (min(seqs), max(seqs)))
    con.execute("update counters set value = value - ? where name = 'inbox_rows'", (rows,))


def move_manifest(con: sqlite3.Connection) -> None:
    """Tell readers that segments or dead rows have changed."""
    con.execute("update counters set value = value + 1 where name = 'manifest'")
