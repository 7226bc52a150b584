"""From the inbox into segments: bounded batches, each one transaction, one drainer at a time."""

from __future__ import annotations

import contextlib
import errno
import logging
import sqlite3
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from lmops.base.endings import Logged, Undone
from lmops.errors import StoreError, of_system
from lmops.store._duck import refuse_a_recorder
from lmops.store._filesystem import fsync_dir, inside, make_file
from lmops.store._identity import segment_files
from lmops.store._journal import note
from lmops.store._manifest import LOCK, move_manifest
from lmops.store._meta import counter
from lmops.store._quarantine import QUARANTINE, set_aside
from lmops.store._segments import MANIFEST_COLUMNS, SEGMENTS_DIR, Stamp, overlay_tables, seal, to_arrow, write_segment
from lmops.store._spare import give_back
from lmops.store._verify import refuse_unread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import filelock
    import pyarrow as pa

    from lmops.store._membership import Membership
    from lmops.store._meta import Meta
    from lmops.store._overlay import Overlay
    from lmops.store._segments import Segment, Written
    from lmops.store._snapshot import Snapshot
    from lmops.store._verify import Verified

Row = dict[str, Any]
log = logging.getLogger(__name__)

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


class Facts(Protocol):
    """The state of the store, as far as writing it anew needs it."""

    @property
    def members(self) -> Membership:
        """Which file holds what."""

    @property
    def verified(self) -> Verified:
        """Which files are what was written."""

    def head(self, rows: int) -> Snapshot:
        """Return the present state with the oldest ``rows`` rows of the tail."""

    def manifest(self) -> Snapshot:
        """Return the present state without its tail."""

    def overlay(
        self, snapshot: Snapshot, spans: Iterable[Row], logs: Iterable[Row], *, to_write: bool = False
    ) -> Overlay:
        """Return what new rows change over the segments of a snapshot."""


class Publisher:
    """Writes overlays into segments. Its lock is a file lock that the kernel frees when a process dies."""

    def __init__(self, folder: Path, meta: Meta, engine: Facts) -> None:
        self._folder = folder
        self._meta = meta
        self._engine = engine
        #: set on close: a drain ends after its present batch
        self.is_stopping = False
        #: what the present holder of the lock takes out of the manifest
        self._retired: list[str] = []

    def waiting_rows(self) -> int:
        """Return how many rows wait in the inbox."""
        return counter(self._meta.connection(), "inbox_rows")

    def _new_lock(self) -> filelock.BaseFileLock:
        import filelock

        make_file(self._folder / LOCK)
        # A soft lock would outlive a killed process.
        return filelock.FileLock(self._folder / LOCK, fallback_to_soft=False, preserve_lock_file=True)

    @contextlib.contextmanager
    def locked(self, *, timeout_s: float = -1) -> Iterator[bool]:
        """Hold the drain lock; yields False when it could not be had in time (-1: wait for ever, 0: do not wait)."""
        refuse_a_recorder()
        import filelock

        try:
            lock = self._new_lock()
            lock.acquire(timeout=timeout_s)
        except filelock.Timeout:
            yield False
            return
        except StoreError:
            raise
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT):
                raise of_system(error, self._folder / LOCK) from error
            raise StoreError(
                f"the lock {self._folder / LOCK} cannot be taken ({error.strerror or error}), and without it nothing "
                "is drained, merged or copied: it must be a plain file that this user can write. Remove what stands "
                "there while nobody uses the store; the next writer makes it anew. What was acknowledged is safe"
            ) from error
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
        if moved:
            # The rows are moved: what fails from here on must not say otherwise.
            with (
                Logged(log, "%s keeps the space of what was drained", self._folder),
                self.locked(timeout_s=0) as mine,
            ):
                if mine:
                    give_back(self._meta)
        return moved

    def drain_batch(self) -> int:
        """Move one bounded batch, under the caller's lock; return its rows."""
        snapshot = self._engine.head(DRAIN_ROWS)
        if not snapshot.tail:
            return 0
        spans = [row for rows in snapshot.tail.values() for row in rows.get("spans", ())]
        logs = [row for rows in snapshot.tail.values() for row in rows.get("logs", ())]
        self.publish(self._engine.overlay(snapshot, spans, logs, to_write=True), list(snapshot.tail))
        return len(spans) + len(logs)

    def load(self, rows: Callable[[], Mapping[str, Sequence[Row]]]) -> LoadReport:
        """Publish rows at once, without the inbox: the way of large files; they are asked for under the lock."""
        with self.locked():
            found = rows()
            # What waits in the inbox comes first, so that a repeat of it is seen as one.
            while self.drain_batch():
                pass
            new = found.get("spans", ()), found.get("logs", ())
            over = self._engine.overlay(self._engine.manifest(), *new, to_write=True)
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
        rev = self._newest_rev() + 1
        with self.files() as written:
            tables = overlay_tables(over, rev=rev) | {"logs": to_arrow("logs", over.logs, rev=rev)}
            written += [self.write_file(tbl, table) for tbl, table in tables.items() if table.num_rows]
            # The files are on the disk: so must be the rows that list them, before anybody is told that they are safe.
            with self._meta.write(durable=True) as con:
                for file in written:
                    file.insert(con)
                bury(con, "spans", over.dead_spans, rev)
                bury(con, "traces", [(trace_id, "") for trace_id in over.dead_traces], rev)
                clear_inbox(con, seqs)
                con.execute("update counters set value = ? where name = 'rev'", (rev,))
                move_manifest(con)
        self._engine.members.learn(written, over)

    def is_damaged(self, segment: Segment) -> bool:
        """Return whether a segment is not what was written: its rows must not go into another one.

        Raises:
            StoreError: The disk or the rights keep it from being read; nothing is known of it.
        """
        broken = self._engine.verified.broken([segment])
        refuse_unread(broken)
        return bool(broken)

    def _newest_rev(self) -> int:
        """Return the highest revision that was given; the files know as well, should the counter be damaged."""
        con = self._meta.connection()
        highest = con.execute("select max(rev) from segments").fetchone()[0]
        return max(counter(con, "rev"), highest if isinstance(highest, int) else 0)

    def write_file(self, tbl: str, table: pa.Table) -> Written:
        """Write a table as a segment that says whose it is and that the next state of the manifest will list."""
        con = self._meta.connection()
        stamp = Stamp(store_id=self._meta.store_id, generation=counter(con, "manifest") + 1)
        file = write_segment(self._folder, tbl, table, stamp)
        self._engine.verified.trust(file)
        return file

    @contextlib.contextmanager
    def files(self) -> Iterator[list[Written]]:
        """Collect files that are about to be listed; on any error those that are not are removed again."""
        written: list[Written] = []
        self._retired = []
        since = counter(self._meta.connection(), "manifest")
        with Undone(lambda: self._remove_unlisted(written)):
            yield written
        self._note(written, since)

    def _remove_unlisted(self, written: Sequence[Written]) -> None:
        """Remove files that nobody lists; an interrupt may come right after the commit: then they are the store's."""
        with contextlib.suppress(sqlite3.Error, OSError):
            listed = {row[0] for row in self._meta.connection().execute("select path from segments")}
            for file in written:
                if file.path not in listed:
                    (self._folder / file.path).unlink(missing_ok=True)

    def _note(self, written: Sequence[Written], since: int) -> None:
        """Write the change that was committed into the journal; one that cannot be written is told by the next."""
        con = self._meta.connection()
        query = f"select {', '.join(MANIFEST_COLUMNS)} from segments"

        def listed(where: str = "", values: Sequence[str] = ()) -> list[dict[str, Any]]:
            return [dict(row) for row in con.execute(f"{query} {where}", list(values))]

        try:
            paths = [file.path for file in written]
            added = listed(f"where path in ({', '.join('?' * len(paths))})", paths)
            note(
                self._folder,
                self._meta.store_id,
                counter(con, "manifest"),
                since=since,
                added=added,
                dropped=self._retired,
                whole=listed,
            )
        except OSError:
            log.warning("the journal of the store %s could not be written", self._folder, exc_info=True)

    def retire(self, con: sqlite3.Connection, paths: Sequence[str]) -> None:
        """Take files out of the manifest; readers that hold an older snapshot still find them for a while."""
        now = time.time_ns()
        self.unlist(con, paths)
        own = [path for path in paths if inside(self._folder, path)]
        con.executemany("insert or replace into retired values (?, ?)", [(path, now) for path in own])

    def unlist(self, con: sqlite3.Connection, paths: Sequence[str]) -> None:
        """Take files out of the manifest without leave to remove them."""
        con.executemany("delete from segments where path = ?", [(path,) for path in paths])
        con.execute("update counters set value = value - ? where name = 'segments'", (len(paths),))
        self._retired += paths

    def sweep(self, *, grace_s: float) -> int:
        """Unlink files retired longer ago than ``grace_s``, set aside what nobody lists; return how many went.

        Only what this store itself replaced is unlinked: the manifest says so. What nobody lists was left by a killed
        process, or its record is lost: it goes to ``quarantine/``. Must run under the lock: then no other process has
        a file that is written but not yet listed.
        """
        con = self._meta.connection()
        listed = {row[0] for row in con.execute("select path from segments")}
        retired = dict(con.execute("select path, retired_ns from retired").fetchall())
        old = time.time_ns() - int(grace_s * 1e9)
        gone = [path for path, at_ns in retired.items() if at_ns <= old and path not in listed]
        root = self._folder / SEGMENTS_DIR
        for relative in gone:
            path = inside(self._folder, relative)
            with contextlib.suppress(OSError):
                if path is not None:
                    path.unlink(missing_ok=True)
        stray = [path for path in segment_files(self._folder) if path not in listed and path not in retired]
        for relative in stray:
            with contextlib.suppress(OSError):
                set_aside(self._folder, relative)
        if stray:
            message = "%d files under %s are not in the manifest (%s): they were moved to %s"
            log.warning(message, len(stray), root, ", ".join(stray[:3]), self._folder / QUARANTINE)
        for folder in () if root.is_symlink() else sorted(root.glob("*/*"), reverse=True):
            with contextlib.suppress(OSError):
                folder.rmdir()
        if gone:
            # Unlinking a file that is there no more is nothing: this may be lost and done again.
            with self._meta.write() as writer:
                writer.executemany("delete from retired where path = ?", [(path,) for path in gone])
            fsync_dir(root)
        return len(gone) + len(stray)


def bury(con: sqlite3.Connection, tbl: str, keys: Sequence[tuple[str, str]], rev: int) -> None:
    """Note that stored rows with these keys are replaced by revision ``rev``."""
    con.executemany(
        "insert into dead_rows (tbl, trace_id, span_id, before_rev, seal) values (?, ?, ?, ?, ?) "
        "on conflict do update set before_rev = excluded.before_rev, seal = excluded.seal, copies = copies + 1",
        [(tbl, trace_id, span_id, rev, seal(tbl, trace_id, span_id, rev)) for trace_id, span_id in keys],
    )


def clear_inbox(con: sqlite3.Connection, seqs: Sequence[int]) -> None:
    """Remove drained writes from the inbox."""
    if not seqs:
        return
    # One by one: a damaged write among them stays until somebody asks for its repair.
    con.executemany(
        "update counters set value = value - (select rows from inbox where seq = ?) where name = 'inbox_rows'",
        [(seq,) for seq in seqs],
    )
    con.executemany("delete from inbox where seq = ?", [(seq,) for seq in seqs])
