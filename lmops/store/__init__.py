"""The store: SQLite keeps it safe, Parquet keeps it small, DuckDB makes it fast.

    .lmops/
      meta.sqlite    records, the audit chain, the inbox of facts, the manifest of segments
      segments/      immutable Parquet; a file that is not in the manifest does not exist
      blobs/         payloads too large for a row, under the hash of their content
      drain.lock     one drainer or compactor at a time

What it promises: an acknowledged write is visible to every process at once and is there exactly once; a reader sees
one consistent snapshot; a killed process loses nothing that was acknowledged.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import tempfile
import threading
import time
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from lmops.errors import UsageError
from lmops.store._blobs import Blobs
from lmops.store._chain import GENESIS, append_event, default_actor, event_hash
from lmops.store._drain import DRAIN_ROWS, LoadReport, Publisher
from lmops.store._engine import DamagedSegmentWarning, Engine
from lmops.store._filesystem import find_store, has_store, remove_folder, resolve
from lmops.store._intake import prepared, refuse_bad
from lmops.store._long import resolve as resolve_long
from lmops.store._maintenance import GRACE_S, SMALL_FILES, CheckReport, Maintenance
from lmops.store._meta import BusyError, Meta, in_words
from lmops.store._planner import Bounds
from lmops.store._results import PACK_ROWS
from lmops.store._segments import release_memory
from lmops.store._tables import SPAN_COLUMNS
from lmops.store._views import FACT_VIEWS, RECORD_VIEWS, VIEW_NAMES

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

    import duckdb

__all__ = [
    "FACT_VIEWS",
    "GENESIS",
    "SPAN_COLUMNS",
    "VIEW_NAMES",
    "Bounds",
    "BusyError",
    "CheckReport",
    "DamagedSegmentWarning",
    "LoadReport",
    "Store",
    "StoreStats",
    "append_event",
    "default_actor",
    "event_hash",
    "find_store",
    "has_store",
]  # fmt: skip

log = logging.getLogger(__name__)

Row = dict[str, Any]
MEMORY: Final = ":memory:"
#: A writer that finds so many rows waiting drains before it goes on.
BACKLOG_ROWS: Final = 10 * DRAIN_ROWS
#: A tail this old is drained even when it is short.
DRAIN_AGE_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStats:
    """How large a store is."""

    path: str
    traces: int
    spans: int
    inbox_rows: int
    segments: int
    segment_bytes: int
    meta_bytes: int
    replaced_rows: int
    oldest_ns: int | None
    newest_ns: int | None


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
        network: bool | None = None,
    ) -> None:
        self.path = folder
        #: Who acts, for the audit chain, where a method is not told.
        self.actor = default_actor()
        self._vanish: weakref.finalize[..., Store] | None = None
        self._meta = Meta(folder, read_only=read_only, network=network)
        if self._meta.is_network:
            log.warning(
                "the store %s is on a network file system: writes go through a rollback journal and are slower, and "
                "file locks may not hold between machines. Use it from one machine at a time; a team's shared store "
                "belongs on PostgreSQL",
                folder,
            )
        self.blobs = Blobs(folder / "blobs")
        self._engine = Engine(folder, self._meta, join_logs)
        self._publisher = Publisher(folder, self._meta, self._engine)
        self._maintenance = Maintenance(folder, self._meta, self._engine, self._publisher, self.blobs)
        self._background = threading.Lock()
        self._worker: threading.Thread | None = None
        self._last_drain = time.monotonic()
        _STORES.add(self)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        read_only: bool = False,
        join_logs: Callable[[Row, list[Row]], Row] = _no_join,
        network: bool | None = None,
    ) -> Self:
        """Open a store, creating it when there is none.

        Args:
            path: A folder; ``":memory:"`` for one that vanishes on close; None for ``LMOPS_STORE``, else the nearest
                ``.lmops`` upward, else a new one here.
            read_only: Refuse every write, and create nothing.
            join_logs: Puts the content of log events into a span row.
            network: Whether the folder is on a network file system; found out by default.
        """
        if path == MEMORY:
            folder = Path(tempfile.mkdtemp(prefix="lmops-"))
            store = cls(folder, join_logs=join_logs, network=network)
            store._vanish = weakref.finalize(store, remove_folder, folder, os.getpid())
            return store
        return cls(resolve(path), read_only=read_only, join_logs=join_logs, network=network)

    @property
    def is_read_only(self) -> bool:
        """Return whether writes are refused."""
        return self._meta.read_only

    @property
    def store_id(self) -> str:
        """Return the random id that the store got when it was made."""
        with self._meta.read() as con:
            return str(con.execute("select value from info where key = 'store_id'").fetchone()[0])

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
        self._publisher.is_stopping = True
        worker = self._worker
        if worker is not None and worker.is_alive() and worker is not threading.current_thread():
            worker.join(timeout=30)
        self._publisher.is_stopping = False
        self._engine.close()
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
        import orjson

        count = sum(len(found) for found in rows.values())
        if not count:
            return
        self._refuse_read_only()
        refuse_bad(rows)
        try:
            payload = orjson.dumps(prepared(rows, self.blobs))
        except (orjson.JSONEncodeError, UnicodeEncodeError) as error:
            raise UsageError(f"these rows cannot be stored: {error}") from error
        with self._meta.write() as con:
            now = time.time_ns()
            con.execute("insert into inbox (written_ns, rows, payload) values (?, ?, ?)", (now, count, payload))
            con.execute("update counters set value = value + ? where name = 'inbox_rows'", (count,))
            waiting = con.execute("select value from counters where name = 'inbox_rows'").fetchone()[0]
            oldest = con.execute("select written_ns from inbox order by seq limit 1").fetchone()[0]
        if waiting >= BACKLOG_ROWS:
            # Whoever writes faster than the drain moves has to help: a backlog must not grow without bound.
            self._drain_quietly(leave=BACKLOG_ROWS)
        is_old = now - oldest > DRAIN_AGE_S * 1e9 and time.monotonic() - self._last_drain > DRAIN_AGE_S
        if waiting >= DRAIN_ROWS or is_old:
            self._drain_in_background()

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
        try:
            stored = prepared(rows, self.blobs)
            with in_words(self.path):
                report = self._publisher.load(stored.get("spans", []), stored.get("logs", []))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            # Arrow checks them on the way, many times faster; what it found is said in words.
            refuse_bad(rows)
            if isinstance(error, UnicodeEncodeError):
                raise UsageError(f"these rows cannot be stored: {error}") from error
            raise
        try:
            self._compact_when_due()
        except Exception:  # the rows are published: a merge that failed must not say otherwise
            log.warning("a compaction of the store %s failed and will be tried again", self.path, exc_info=True)
        return report

    def _drain_in_background(self) -> None:
        """Start one drain in a thread of this process, unless one is running here or in another process."""
        with self._background:
            if self._worker is not None and self._worker.is_alive():
                return
            self._worker = threading.Thread(target=self._work, name="lmops-drain", daemon=True)
            self._worker.start()

    def _work(self) -> None:
        self._last_drain = time.monotonic()
        self._drain_quietly(leave=DRAIN_ROWS if self._publisher.waiting_rows() >= DRAIN_ROWS else 0, compact=True)
        release_memory()

    def _drain_quietly(self, *, leave: int, compact: bool = False) -> None:
        try:
            while True:
                # Merges must get their turn although rows come in as fast as they are drained.
                moved = self._publisher.drain(leave=leave, wait=False, batches=SMALL_FILES)
                if compact and not self._publisher.is_stopping:
                    self._compact_when_due(wait=False)
                if not moved or self._publisher.is_stopping or self._publisher.waiting_rows() < max(leave, 1):
                    return
        except Exception:  # nothing is lost: the rows stay in the inbox, and the next writer tries again
            log.warning("a drain of the store %s failed and will be tried again", self.path, exc_info=True)

    def _compact_when_due(self, *, wait: bool = True) -> None:
        if self._maintenance.is_due(self._engine.manifest()):
            self._maintenance.compact(wait=wait)
            release_memory()

    def drain(self) -> int:
        """Move everything that waits in the inbox into segments now; return the rows moved."""
        self._refuse_read_only()
        with in_words(self.path):
            return self._publisher.drain()

    # -- questions -------------------------------------------------------------------------------------------------

    def sql(self, query: str, params: Any = None, *, bounds: Bounds | None = None) -> duckdb.DuckDBPyRelation:
        """Run one read-only SELECT over the public views and return its result (``.df()``, ``.arrow()``, ...).

        Args:
            query: One SELECT over ``VIEW_NAMES``.
            params: A list for ``?`` or a dict for ``$name``.
            bounds: Times of ``start_ns`` that the caller knows to hold, to read fewer files.

        Raises:
            QueryError: It is not one SELECT, or it names something unknown, or reads outside the store.
        """
        if bounds is None:
            return self._engine.sql(query, params)
        return self._engine.sql(query, params, narrow=bounds)

    def whole(self, rows: Sequence[Row]) -> list[Row]:
        """Return span rows with the texts that are kept in blobs put back; the other rows as they are."""
        return [resolve_long(row, self.blobs) for row in rows]

    def fact_ranges(self, tbl: str) -> list[tuple[int | None, int | None, int]]:
        """Return (first time, last time, rows) of every segment of a table and of the tail, newest last time first."""
        snapshot = self._engine.snapshot()
        ranges = [(s.min_ns, s.max_ns, s.rows) for s in snapshot.segments.get(tbl, ())]
        over, _ = self._engine.tail(snapshot)
        tail = {"spans": over.spans, "traces": over.traces}[tbl]
        if tail:
            starts = [row["start_ns"] for row in tail]
            ranges.append((min(starts), max(starts), len(tail)))
        return sorted(ranges, key=lambda found: found[1] or 0, reverse=True)

    # -- records ---------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def transaction(self, *, durable: bool = True, wait: bool = True) -> Iterator[sqlite3.Connection]:
        """Run one write transaction over the record tables.

        Args:
            durable: Survive a power cut, not only a killed process.
            wait: Wait for whoever writes at the moment; otherwise raise BusyError.
        """
        with self._meta.write(durable=durable, wait=wait) as con:
            yield con

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Run one read transaction over the record tables."""
        with self._meta.read() as con:
            yield con

    def insert_run(self, record: Mapping[str, object]) -> None:
        """Keep one run of a runbook: the columns of ``runbook_runs``."""
        columns = [name for name, _, _ in RECORD_VIEWS["runbook_runs"].columns]
        with self.transaction() as con:
            con.execute(
                f"insert into runbook_runs ({', '.join(columns)}) values ({', '.join('?' * len(columns))})",
                [record.get(name) for name in columns],
            )

    def runs(self, limit: int = 50) -> list[dict[str, object]]:
        """Return the newest runs of runbooks as they were inserted."""
        with self.reading() as con:
            rows = con.execute("select * from runbook_runs order by started_ns desc limit ?", (limit,)).fetchall()
        return [dict(row) for row in rows]

    def pack_results(self, *, least: int = PACK_ROWS, wait: bool = False) -> int:
        """Move finished results of evaluations into segments when there are many of them; return how many moved.

        Args:
            least: Leave them when there are fewer.
            wait: Wait for a drain or compaction that is going on; otherwise leave them.
        """
        self._refuse_read_only()
        with in_words(self.path):
            return self._engine.results.pack(self._publisher, least=least, wait=wait)

    # -- looking after ---------------------------------------------------------------------------------------------

    def stats(self) -> StoreStats:
        """Return counts and sizes."""
        found = self.sql("select count(*), min(start_ns), max(start_ns) from traces").fetchall()[0]
        spans = self.sql("select count(*) from spans").fetchall()[0]
        with self._meta.read() as con:
            segments = con.execute("select count(*), coalesce(sum(bytes), 0) from segments").fetchone()
            inbox = con.execute("select value from counters where name = 'inbox_rows'").fetchone()[0]
            replaced = con.execute("select coalesce(sum(copies), 0) from dead_rows").fetchone()[0]
        sizes = [file.stat().st_size for file in self.path.glob("meta.sqlite*") if file.is_file()]
        return StoreStats(
            path=str(self.path), traces=found[0], spans=spans[0], inbox_rows=inbox, segments=segments[0],
            segment_bytes=segments[1], meta_bytes=sum(sizes), replaced_rows=replaced,
            oldest_ns=found[1], newest_ns=found[2],
        )  # fmt: skip

    def compact(self, *, grace_s: float = GRACE_S) -> int:
        """Drain, merge small segments and drop replaced rows; return how many segments were merged.

        Args:
            grace_s: Keep replaced files at least this long for readers of an older snapshot.
        """
        self._refuse_read_only()
        with in_words(self.path):
            self._publisher.drain()
            return self._maintenance.compact(grace_s=grace_s)

    def retain(self, *, days: float, now_ns: int | None = None, actor: str | None = None) -> dict[str, int]:
        """Remove every trace that started more than ``days`` days ago, with all its spans; return rows removed.

        The cases of evaluation runs that ended before go as well, unless a verdict rests on them; the runs stay.

        Args:
            days: Age to keep, in days of 24 hours before ``now_ns``.
            now_ns: The present by default.
            actor: Who asks, for the audit chain; whoever opened the store by default.
        """
        self._refuse_read_only()
        if not days > 0:
            raise UsageError(f"retain(days={days!r}): give a positive number of days to keep, such as days=90")
        since = (time.time_ns() if now_ns is None else now_ns) - int(days * 86_400e9)
        with in_words(self.path):
            removed = self._maintenance.retain(since)
        with self.transaction() as con:
            append_event(
                con, actor=actor or self.actor, action="store.retain", subject="store",
                after={"days": days, "removed": removed},
            )  # fmt: skip
        return removed

    def rewrite_spans(
        self,
        change: Callable[[Row, list[Row]], Row],
        *,
        where: Mapping[str, str] | None = None,
        on_segment: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> int:
        """Pass stored spans through ``change`` and put their traces together again; return how many changed.

        Args:
            change: Gets a span row and its log events, returns the columns as they should be.
            where: Only spans where one of these columns has this value; None for all.
            on_segment: Called with (segments done, segments in all).
        """
        self._refuse_read_only()
        with in_words(self.path):
            return self._maintenance.rewrite_spans(change, where=where, on_segment=on_segment)

    def check(self, *, repair: bool = False) -> CheckReport:
        """Verify the database, every file of the manifest and the keys; ``repair`` drops what cannot be read."""
        if repair:
            self._refuse_read_only()
        with in_words(self.path):
            return self._maintenance.check(repair=repair)

    def backup(self, path: str | os.PathLike[str]) -> Path:
        """Copy the store, as it is at one moment, into a new folder while others write; return that folder."""
        with in_words(path):
            return self._maintenance.backup(Path(path))

    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write all public views to ``NAME.duckdb`` or, for any other name, to a folder of Parquet files."""
        with in_words(path):
            return self._maintenance.export(Path(path))

    def _after_fork(self) -> None:
        """Start anew in a child process: locks may be held by threads that are not here."""
        self._background = threading.Lock()
        self._worker = None
        self._meta.after_fork()
        self._engine.after_fork()

    def _refuse_read_only(self) -> None:
        self._meta.refuse_read_only()


#: The stores of this process, for what must happen when it forks and when it ends.
_STORES: weakref.WeakSet[Store] = weakref.WeakSet()


def _start_anew() -> None:
    for store in list(_STORES):
        store._after_fork()  # noqa: SLF001  # the other half of the class


def _close_all() -> None:
    """Close what nobody closed, while DuckDB can still be taken down in order."""
    for store in list(_STORES):
        with contextlib.suppress(Exception):
            store.close()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
