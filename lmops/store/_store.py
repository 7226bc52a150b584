"""The store as one object: what is written, asked, looked after, and finished when it was cut short."""

from __future__ import annotations

import contextlib
import copy
import functools
import logging
import os
import tempfile
import time
import weakref
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from lmops.base.endings import Logged
from lmops.errors import UsageError
from lmops.owners import refuse_stranger
from lmops.store._backup import backup
from lmops.store._blobs import Blobs
from lmops.store._bundles import Bundles
from lmops.store._chain import append_event, default_actor
from lmops.store._check import Check, CheckReport
from lmops.store._drain import LoadReport, Publisher
from lmops.store._engine import Engine
from lmops.store._erase import Eraser
from lmops.store._export import export
from lmops.store._filesystem import META, keep_out_of_git, remove_folder, resolve
from lmops.store._housekeeping import Housekeeping
from lmops.store._intake import checksum, payload_of, prepared, refuse_bad
from lmops.store._intent import RESCUE, Changes, PendingChange
from lmops.store._limits import Limits, hear_when_idle
from lmops.store._long import resolve as resolve_long
from lmops.store._maintenance import GRACE_S, Maintenance
from lmops.store._meta import Meta, in_words
from lmops.store._open_stores import OPEN_STORES
from lmops.store._planner import OPEN, Bounds
from lmops.store._priced import Reprice, priced, unchanged
from lmops.store._repair import resettle
from lmops.store._results import PACK_ROWS
from lmops.store._retain import KIND as RETAIN
from lmops.store._retain import Retention
from lmops.store._scratch import Scratch, Spilled, not_stored, take_back
from lmops.store._segments import SEGMENTS_DIR
from lmops.store._stats import StoreStats, measured

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    import duckdb

    from lmops.store._records import Altered

log = logging.getLogger(__name__)

Row = dict[str, Any]
MEMORY: Final = ":memory:"


def _no_join(row: Row, _: list[Row]) -> Row:
    return row


class Store:
    """One store, safe to use from many threads and processes at once."""

    def __init__(
        self,
        folder: Path,
        *,
        read_only: bool = False,
        join_logs: Callable[[Row, list[Row]], Row] = _no_join,
        reprice: Reprice = unchanged,
        network: bool | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.path = folder
        #: Who acts and why, for the audit chain, where a method is not told.
        self.actor = default_actor()
        self.reason: str | None = None
        self._reprice = reprice
        self._ways: dict[str, Callable[[Any, PendingChange], object]] = {}
        refuse_stranger(folder, folder / META, folder / SEGMENTS_DIR, what="the store")
        self._vanish: weakref.finalize[..., Store] | None = None
        self._origin: Store | None = None
        self._meta = Meta(folder, read_only=read_only, network=network)
        if self._meta.is_network:
            log.warning(
                "the store %s is on a network file system: writes go through a rollback journal and are slower, and "
                "file locks may not hold between machines. Use it from one machine at a time; a team's shared store "
                "belongs on PostgreSQL",
                folder,
            )
        self.blobs = Blobs(folder / "blobs")
        #: Folders of files that records name.
        self.bundles = Bundles(folder, self._meta.refuse_read_only)
        self._scratch = Scratch(folder, read_only=self._meta.read_only)
        self._engine = Engine(folder, self._meta, join_logs, self._scratch, limits or Limits.of())
        self._publisher = Publisher(folder, self._meta, self._engine)
        self._maintenance = Maintenance(folder, self._meta, self._engine, self._publisher, self.blobs)
        #: Changes that take long, and how they are noted and finished.
        self.changes = Changes(self._meta)
        self._check = Check(folder, self._meta, self._engine, self._publisher, self.blobs, self._maintenance)
        #: Removes traces and everything that was made of them.
        self.eraser = Eraser(
            folder, self._meta, self._engine, self._publisher, self.blobs, self._maintenance, self.changes
        )
        self._retention = Retention(folder, self._meta, self._maintenance, self.changes)
        self._housekeeping = Housekeeping(folder, self._engine, self._publisher, self._maintenance)
        OPEN_STORES.add(self)
        if self._meta.read_only:
            self._meta.unread = not_stored(self._scratch)
        else:
            keep_out_of_git(folder)
            self._take_back()

    def _take_back(self) -> None:
        """Store what processes that were killed had put on the disk."""
        # What cannot be stored stays on the disk, and the next one to open the store tries again.
        with Logged(log, "facts in %s wait for the next opening of the store", self.path):
            self._meta.unread = take_back(self._scratch, self.append_many)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        read_only: bool = False,
        join_logs: Callable[[Row, list[Row]], Row] = _no_join,
        reprice: Reprice = unchanged,
        network: bool | None = None,
        timeout_s: float | None = None,
        memory_limit: str | None = None,
    ) -> Self:
        """Open a store, creating it when there is none.

        Args:
            path: A folder; ``":memory:"`` for one that vanishes on close; None for ``LMOPS_STORE``, else the nearest
                ``.lmops`` upward, else a new one here.
            read_only: Refuse every write, and create nothing.
            join_logs: Puts the content of log events into a span row.
            reprice: Puts the present prices on span rows that were priced before the newest was set.
            network: Whether the folder is on a network file system; found out by default.
            timeout_s: Longest time of a question in seconds; ``LMOPS_TIMEOUT_S`` or none by default.
            memory_limit: Memory that questions of this process may take, such as "2GB"; ``LMOPS_MEMORY_LIMIT`` or a
                quarter of the machine's (or its container's) by default. What does not fit goes to the disk.
        """
        hear_when_idle()
        limits = Limits.of(timeout_s, memory_limit)
        if path == MEMORY:
            folder = Path(tempfile.mkdtemp(prefix="lmops-"))
            store = cls(folder, join_logs=join_logs, reprice=reprice, network=network, limits=limits)
            store._vanish = weakref.finalize(store, remove_folder, folder, os.getpid())
            return store
        return cls(
            resolve(path), read_only=read_only, join_logs=join_logs, reprice=reprice, network=network, limits=limits
        )

    def acting_as(self, actor: str, *, reason: str | None = None) -> Self:
        """Return this store with somebody else acting, and why, for the audit chain; closing one closes both."""
        other = copy.copy(self)
        # A store in memory lives as long as either.
        vars(other).update(actor=actor, reason=reason, _origin=self)
        return other

    @property
    def is_read_only(self) -> bool:
        """Return whether writes are refused."""
        return self._meta.read_only

    @property
    def is_closed(self) -> bool:
        """Return whether it was closed: nothing should look into it by itself any more."""
        return self._meta.is_closed

    @property
    def store_id(self) -> str:
        """Return the random id that the store got when it was made."""
        return self._meta.store_id

    def __repr__(self) -> str:
        """Say where it is and how it is open."""
        return f"<Store {self.path}{' read-only' if self.is_read_only else ''}>"

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Finish the batch that is being drained and release the connections; what was acknowledged is safe anyway."""
        self._housekeeping.stop()
        self._engine.close()
        self._scratch.close()
        self._meta.close()
        if self._vanish is not None:
            self._vanish()

    # -- facts in --------------------------------------------------------------------------------------------------

    def append_many(self, rows: Mapping[str, Sequence[Row]]) -> None:
        """Write facts in one transaction; on return they are visible to every process.

        Args:
            rows: Rows by table: "spans" and "logs", with the columns of ``SPAN_COLUMNS`` and ``LOG_COLUMNS``.

        Raises:
            UsageError: A column is missing or a value does not fit its column; nothing was written.
            StoreFullError: There is no space left; nothing of these rows was written.
        """
        count = sum(len(found) for found in rows.values())
        if not count:
            return
        self._refuse_read_only()
        refuse_bad(rows)
        made = prepared(rows, self.blobs)
        payload = payload_of(made)
        with self._meta.write(rows=count) as con:
            spans = rows.get("spans", ())
            now_priced = priced(self, con, spans, self._reprice)
            if now_priced is not spans:
                made = prepared({**rows, "spans": now_priced}, self.blobs)
                payload = payload_of(made)
            now = time.time_ns()
            sealed = checksum(now, count, payload)
            seq = con.execute(
                "insert into inbox (written_ns, rows, payload, checksum) values (?, ?, ?, ?)",
                (now, count, payload, sealed),
            ).lastrowid
        if seq is not None:
            self._engine.hand_over(seq, sealed, len(payload), made)
        self._housekeeping.after_write(self._meta.waiting_rows(), self._meta.oldest_s)

    def load(self, spans: Sequence[Row], logs: Sequence[Row] = ()) -> LoadReport:
        """Write many facts straight into segments, in one transaction; the way for files.

        Args:
            spans: Rows with the columns of ``SPAN_COLUMNS``.
            logs: Rows with the columns of ``LOG_COLUMNS``.

        Raises:
            UsageError: A column is missing or a value does not fit its column; nothing was written.
            StoreFullError: There is no space left; nothing of these rows was written.
        """
        self._refuse_read_only()
        rows = {"spans": spans, "logs": logs}

        def stored() -> dict[str, list[Row]]:
            return prepared({"spans": self._priced(spans), "logs": logs}, self.blobs)

        try:
            with in_words(self.path):
                report = self._publisher.load(stored)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            # Arrow checks them on the way, many times faster; what it found is said in words.
            refuse_bad(rows)
            if isinstance(error, UnicodeEncodeError):
                raise UsageError(f"these rows cannot be stored: {error}") from error
            raise
        self._housekeeping.after_load()
        return report

    def _priced(self, spans: Sequence[Row]) -> Sequence[Row]:
        with self.reading() as con:
            return priced(self, con, spans, self._reprice)

    def checkpoint(self) -> None:
        """Fold the log of recent commits into ``meta.sqlite``, unless somebody is using it; the end of a bulk load."""
        self._meta.checkpoint()

    def drain(self) -> int:
        """Move everything that waits in the inbox into segments now; return the rows moved."""
        self._refuse_read_only()
        with in_words(self.path):
            return self._publisher.drain()

    # -- questions -------------------------------------------------------------------------------------------------

    def spill(self, rows: Mapping[str, Sequence[Row]]) -> Spilled:
        """Put facts on the disk beside the store, without waiting for whoever writes to it.

        They outlive this process: ``append_many`` of what is read back stores them, and whoever opens the store finds
        those of a process that was killed.

        Args:
            rows: As for :meth:`append_many`.

        Raises:
            StoreFullError: There is no space left; nothing is kept of these rows.
        """
        self._refuse_read_only()
        return self._scratch.spill(rows)

    def sql(
        self, query: str, params: Any = None, *, bounds: Bounds | None = None, timeout_s: float | None = None
    ) -> duckdb.DuckDBPyRelation:
        """Run one read-only SELECT over the public views and return its result (``.df()``, ``.arrow()``, ...).

        Args:
            query: One SELECT over ``view_names()``.
            params: A list for ``?`` or a dict for ``$name``.
            bounds: Times of ``start_ns`` that the caller knows to hold, to read fewer files.
            timeout_s: Longest time in seconds; that of the store by default.

        Raises:
            QueryError: It is not one SELECT, or it names something unknown, or reads outside the store; or it took
                longer or more memory than it may.
        """
        return self._engine.sql(query, params, narrow=bounds or OPEN, timeout_s=timeout_s)

    def spans_of(self, trace_id: str, bounds: Bounds | None = None) -> list[Row] | None:
        """Return the spans of a trace, whole and in the order of time; None where it takes a question to find it.

        Args:
            trace_id: 32 lower-case hexadecimal digits.
            bounds: The first and the last time of its row in ``traces``, where they are known: it is never None then.
        """
        found = self._engine.spans_of(trace_id, bounds)
        return None if found is None else self.whole(found)

    @property
    def left_out(self) -> tuple[str, ...]:
        """What the questions asked of this object had to leave out, because it is missing or damaged."""
        return tuple(sorted(self._engine.left_out))

    def whole(self, rows: Sequence[Row]) -> list[Row]:
        """Return span rows with the texts that are kept in blobs put back; the other rows as they are."""
        return [resolve_long(row, self.blobs) for row in rows]

    def fact_ranges(self, tbl: str) -> list[tuple[int | None, int | None, int]]:
        """Return (first time, last time, rows) of every segment of a table and of the tail, newest last time first."""
        return self._engine.fact_ranges(tbl)

    # -- records ---------------------------------------------------------------------------------------------------

    def transaction(self, *, durable: bool = True, wait: bool = True) -> AbstractContextManager[sqlite3.Connection]:
        """Run one write transaction over the record tables.

        Args:
            durable: Survive a power cut, not only a killed process.
            wait: Wait for whoever writes at the moment; otherwise raise BusyError.
        """
        return self._meta.write(durable=durable, wait=wait)

    @contextlib.contextmanager
    def while_nobody_publishes(self) -> Iterator[None]:
        """Keep others from putting rows into segments meanwhile."""
        self._refuse_read_only()
        with in_words(self.path), self._publisher.locked():
            yield

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """Run one read transaction over the record tables."""
        return self._meta.read()

    def record(self, con: sqlite3.Connection, table: str, *key: object) -> sqlite3.Row | None:
        """Return one record by its key as it is in a transaction of :meth:`reading`, None when there is none.

        Raises:
            DamagedStoreError: It is not what the audit chain says was written.
        """
        return self._engine.record(con, table, key)

    def records(self, con: sqlite3.Connection, table: str) -> tuple[list[sqlite3.Row], list[Altered]]:
        """Return the records of a table that are what was written; warn of the others, and return key and event."""
        return self._engine.records(con, table)

    def listed(self, con: sqlite3.Connection, table: str, rows: Iterable[Row]) -> list[Row]:
        """Return those of some rows that are what the audit chain says was written, for a list; warn of the others.

        Args:
            con: A transaction of :meth:`reading`.
            table: Whose rows they are.
            rows: All columns of each, and perhaps others.
        """
        return self._engine.listed(con, table, rows)

    def pack_results(self, *, least: int = PACK_ROWS, wait: bool = False) -> int:
        """Move finished results of evaluations into segments when there are many of them; return how many moved.

        Args:
            least: Leave them when there are fewer.
            wait: Wait for a drain or compaction that is going on; otherwise leave them.
        """
        self._refuse_read_only()
        with in_words(self.path):
            return self._engine.results.pack(self._publisher, least=least, wait=wait)

    def result_hashes(self, run_id: str | None = None) -> dict[str, str]:
        """Return one SHA-256 over all cases and scores of a run that has any, wherever they lie; None for all runs."""
        return self._engine.results.hashes(self._engine.sql, run_id)

    def waiting_rows(self) -> int:
        """Return how many rows wait in the inbox to be put into segments; queries answer from them all the same."""
        return self._publisher.waiting_rows()

    # -- looking after ---------------------------------------------------------------------------------------------

    def stats(self) -> StoreStats:
        """Return counts and sizes."""
        return measured(self.path, self.sql, self._meta)

    def compact(self, *, grace_s: float = GRACE_S) -> int:
        """Drain, merge small segments and drop replaced rows; return how many segments were merged.

        Args:
            grace_s: Keep replaced files at least this long for readers of an older snapshot.
        """
        self._refuse_read_only()
        with in_words(self.path):
            self._publisher.drain()
            return self._maintenance.compact(grace_s=grace_s)

    def retain(
        self, *, days: float, now_ns: int | None = None, actor: str | None = None, dry_run: bool = False
    ) -> dict[str, int]:
        """Remove every trace that started more than ``days`` days ago, with all its spans; return rows removed.

        The cases of evaluation runs that ended before go as well, unless a verdict rests on them; the runs stay.

        Args:
            days: Age to keep, in days of 24 hours before ``now_ns``.
            now_ns: The present by default.
            actor: Who asks, for the audit chain; whoever opened the store by default.
            dry_run: Only say how many traces, spans and cases would go.
        """
        if dry_run:
            return self._retention.planned(days=days, now_ns=now_ns)
        self._refuse_read_only()
        change = self._retention.begin(days=days, now_ns=now_ns, actor=actor or self.actor)
        return self.changes.carry_out(change, self._retain)

    def _retain(self, change: PendingChange) -> dict[str, int]:
        return self._retention.carry_out(change, self.reason)

    @property
    def pending(self) -> tuple[PendingChange, ...]:
        """The changes that are not finished: at work in a living process, cut short, or waiting for a repair."""
        return self.changes.pending()

    def resume(self, ways: Mapping[str, Callable[[Any, PendingChange], object]]) -> list[PendingChange]:
        """Finish the changes that were cut short; return those that were finished.

        What cannot be finished now stays noted, and the log says so. A store that is open read-only only says it.

        Args:
            ways: The work of each kind of change beside those of the store itself: of (store, change). It is kept, for
                what a repair brings back.
        """
        self._ways = {**self._ways, **ways}
        if self.is_read_only:
            for change in self.pending:
                log.warning("the %s is not finished: it %s; opening the store to write finishes it", change, change.why)
            return []
        own = {RETAIN: self._retain, "erase": self.eraser.resume, RESCUE: self._settle_rescued}
        others = {kind: functools.partial(work, self) for kind, work in self._ways.items()}
        return self.changes.resume({**own, **others}, waits=lambda one: self._maintenance.has_to_wait(one.passed))

    def rewrite_spans(
        self,
        change: Callable[[Row, list[Row]], Row],
        *,
        where: Mapping[str, str] | None = None,
        before_segment: Callable[[], None] = lambda: None,
        on_segment: Callable[[int, int], None] = lambda _done, _all: None,
        pending: PendingChange | None = None,
    ) -> int:
        """Pass stored spans through ``change`` and put their traces together again; return how many changed.

        Args:
            change: Gets a span row and its log events, returns the columns as they should be.
            where: Only spans where one of these columns has this value; None for all.
            before_segment: Called before each segment, while nobody else can publish rows.
            on_segment: Called with (segments done, segments in all).
            pending: The noted change that this is the work of: it goes on where it was cut short.
        """
        self._refuse_read_only()
        before = pending.progress if pending is not None else {}
        changed_before: int = before.get("changed", 0)

        def finished(done: Collection[int], total: int, changed: int) -> None:
            if pending is not None:
                with self.transaction(durable=False) as con:
                    self.changes.move(con, pending, {"done": sorted(done), "changed": changed_before + changed})
            on_segment(min(len(done), total), total)

        with in_words(self.path):
            changed, passed = self._maintenance.rewrite_spans(
                change, where=where, before_segment=before_segment, on_segment=finished, done=before.get("done", ()),
                passed=() if pending is None else pending.passed,
            )  # fmt: skip  # arguments that belong together share a line
            if pending is not None:
                with self.transaction() as con:
                    self.changes.leave_passed(con, pending, passed)
        return changed_before + changed

    def check(self, *, repair: bool = False, actor: str | None = None) -> CheckReport:
        """Verify the database, every file of the manifest and the keys.

        Args:
            repair: Keep what is whole of a damaged file (row group by row group), move the file to ``quarantine/``,
                set damaged writes of the inbox aside, and say each in the audit chain.
            actor: Who asks for a repair, for the audit chain; whoever opened the store by default.
        """
        if repair:
            self._refuse_read_only()
        with in_words(self.path):
            report = self._check.run(repair=repair, actor=actor or self.actor)
            if repair:
                self.resume({})
        cut = [one for one in self.pending if not one.is_running]
        said = (f"the {one} {one.why}; {'--repair' if one.passed else 'lmops.open'} finishes it" for one in cut)
        return replace(report, problems=(*report.problems, *said))

    def end_rescue(self) -> None:
        """Do the last step of a rescue: :meth:`settle`; noted, so that it is done although somebody is killed.

        Then what had waited for files that can be read again.
        """
        for change in self.pending:
            if change.kind == RESCUE:
                self.changes.carry_out(change, self._settle_rescued)
        self.resume({})

    def _settle_rescued(self, _change: PendingChange) -> None:
        self.settle()

    def settle(self) -> None:
        """Put the rows of traces in step with their spans, and set aside files that nobody lists."""
        self._refuse_read_only()
        with in_words(self.path), self._publisher.locked():
            resettle(self._engine, self._publisher)
            self._publisher.sweep(grace_s=GRACE_S)

    def backup(self, path: str | os.PathLike[str]) -> Path:
        """Copy the store, as it is at one moment, into a new folder while others write; return that folder.

        With segments, blobs and the executed notebooks of runs; all of it is read again before the backup is one.
        ``lmops.store.described(path)`` says what is in it, :func:`restore` makes a store of it.

        Args:
            path: A new or empty folder.

        Raises:
            UsageError: There is something at ``path``.
            DamagedStoreError: A file of the store is missing or damaged; nothing is left at ``path``.
        """
        with in_words(path):
            made = backup(self.path, self._meta, self._publisher, Path(path).expanduser().absolute())
        for words in made.notes:
            log.warning("backup %s: %s", made.path, words)
        self._note_copy("backup", made.path, {name: getattr(made, name) for name in ("files", "bytes", "rows", "head")})
        return Path(path)

    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write all public views to ``NAME.duckdb`` or, for any other name, to a folder of Parquet files.

        Beside them is ``records.sqlite``, which :func:`rescue` takes records from. The audit chain says that, where to
        and how many rows, unless the store is open read-only.
        """
        with in_words(path):
            return export(self._engine, self.blobs, self._meta, Path(path), self._note_copy)

    def _note_copy(self, kind: str, path: Path, found: Mapping[str, Any]) -> None:
        """Append the event of a copy that leaves the store."""
        if not self.is_read_only:
            where, why = str(path.absolute()), self.reason
            with self.transaction() as con:
                append_event(con, actor=self.actor, action=f"store.{kind}", subject=where, reason=why, after=found)

    def after_fork(self) -> None:
        """Start anew in a child process: locks may be held by threads that are not here."""
        self._housekeeping.after_fork()
        self._meta.after_fork()
        self._scratch.after_fork()
        self._engine.after_fork()

    def _refuse_read_only(self) -> None:
        self._meta.refuse_read_only()
