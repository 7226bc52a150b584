"""The query engine: DuckDB in memory over the files of the manifest and the undrained tail."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import threading
import warnings
import weakref
from typing import TYPE_CHECKING, Any, Final, cast

from lmops.errors import StoreError, StoreFullError, of_system
from lmops.store._answer import Answer
from lmops.store._arrow import dead_table, time_columns
from lmops.store._blobs import Blobs
from lmops.store._duck import in_memory, literal, refuse_a_recorder
from lmops.store._filesystem import remove_folder
from lmops.store._limits import Asking, Limits, checked_timeout
from lmops.store._meanings import described_sql, described_view
from lmops.store._membership import Membership
from lmops.store._overlay import Overlay, log_order, overlay
from lmops.store._planner import OPEN, Bounds, both, planner
from lmops.store._point import Points
from lmops.store._records import Records
from lmops.store._results import Results
from lmops.store._segments import SEGMENTS_DIR, scan
from lmops.store._snapshot import Snapshot, SnapshotReader
from lmops.store._stored import StoredRows
from lmops.store._tables import STORED
from lmops.store._tail import Tail
from lmops.store._verify import DamagedSegmentWarning, Verified, describe_damage
from lmops.store._views import (
    AROUND,
    AROUND_VIEW,
    FACT_VIEWS,
    derived_views,
    view_names,
)
from lmops.store._whole import WORD, note_of, teach
from lmops.store.schema import schema

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from lmops.store._meta import Meta
    from lmops.store._records import Altered
    from lmops.store._scratch import Scratch
    from lmops.store._segments import Segment

Row = dict[str, Any]
Key = tuple[str, str]
_SHOW_TABLES: Final = re.compile(r"\s*show\s+(all\s+)?tables\s*;?\s*", re.IGNORECASE)
_NO_SPACE: Final = re.compile(r"No space left|File too large|Disk quota")
#: A question whose files were merged away under it is asked again so often.
_ATTEMPTS: Final = 4

log = logging.getLogger(__name__)


class StaleSnapshotError(StoreError):
    """The files of a snapshot were replaced while it was read."""


class Engine:
    """Answers queries over one store, from any thread."""

    def __init__(
        self, folder: Path, meta: Meta, join_logs: Callable[[Row, list[Row]], Row], scratch: Scratch, limits: Limits
    ) -> None:
        self._folder = folder
        self._meta = meta
        self._scratch = scratch
        self.limits = limits
        self._join_logs = join_logs
        self._reader = SnapshotReader(meta)
        self.results = Results(folder, meta)
        self._lock = threading.RLock()
        self._pid = 0
        self._inherited: list[object] = []
        #: problems that the log has been told
        self._told: set[str] = set()
        self.verified = Verified(folder)
        self._tail = Tail(self.overlay)
        self._seals = Records(folder, keeps=not meta.read_only)
        self.members = Membership(folder)
        self.points = Points(folder, self)
        #: What the questions of this process had to leave out.
        self.left_out: set[str] = set()
        #: by thread: what the question that is being answered leaves out
        self._asked = threading.local()

    # -- connections -----------------------------------------------------------------------------------------------

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a new connection to this process's in-memory database; what it registers is its own."""
        with self._lock:
            if self._pid != os.getpid():
                self._connect()
            return self._con.cursor()

    def _connect(self) -> None:
        config: dict[str, str | bool | int | float | list[str]] = {
            "python_enable_replacements": "false", "memory_limit": f"{self.limits.memory_bytes}B",
        }  # fmt: skip  # settings that belong together share a line
        self._con = in_memory(config)
        self._con.execute("set global TimeZone='UTC'")  # cursors do not inherit a session's own
        self._con.execute("set global parquet_metadata_cache=true")
        spill = self._scratch.query_folder()
        self._let_go = weakref.finalize(self, _let_go, self._con, spill, os.getpid())
        self._con.execute(f"set temp_directory={literal(spill)}")
        allowed = [str(self._folder / SEGMENTS_DIR) + os.sep]
        self._con.execute(f"set allowed_directories=[{', '.join(map(literal, allowed))}]")
        self._con.execute("set enable_external_access=false")
        self._con.execute("set lock_configuration=true")
        self._is_taught = False
        self._pid = os.getpid()

    def _teach(self) -> None:
        """Make the functions for whole texts known to this process's database."""
        with self._lock:
            if not self._is_taught:
                teach(self._con, Blobs(self._folder / "blobs"))
                self._is_taught = True

    def close(self) -> None:
        """Drop the in-memory database and what was remembered of the files."""
        with self._lock:
            if self._pid == os.getpid():
                self._let_go()
            self._pid = 0
            self._tail.forget()
            self._seals.forget()
            self.members.forget()
            self.points.forget()

    def after_fork(self) -> None:
        """Start without the parent's database; called in the child.

        It is kept, unused: its threads did not come along, and closing it would wait for them.
        """
        self._lock = threading.RLock()
        self._reader.after_fork()
        self.members.after_fork()
        self.points.after_fork()
        self._seals.after_fork()
        self.results.after_fork()
        if self._pid:
            self._inherited += [self._con, self._let_go.detach()]
        self._pid = 0

    # -- queries ---------------------------------------------------------------------------------------------------

    def sql(
        self,
        query: str,
        params: Any = None,
        *,
        narrow: Bounds = OPEN,
        reads: Sequence[str] = (),
        timeout_s: float | None = None,
    ) -> duckdb.DuckDBPyRelation:
        """Run one read-only SELECT over the views and return its whole result as a relation.

        Args:
            query: One SELECT.
            params: Values for ``?`` or ``$name``.
            narrow: Bounds the caller knows to hold besides those in the query.
            reads: The base views that it reads whole, where the caller knows; otherwise it is planned.
            timeout_s: Longest time in seconds; that of the store by default.
        """
        refuse_a_recorder()
        if _SHOW_TABLES.fullmatch(query):
            # No view exists until a query names it.
            query = f"select unnest([{', '.join(repr(name) for name in sorted(view_names()))}]) as name"
        elif (view := described_view(query)) is not None:
            query = described_sql(view, planner().columns(view))
        timeout_s = self.limits.timeout_s if timeout_s is None else checked_timeout(timeout_s)
        heard: list[str] = []
        self._asked.heard = heard
        try:
            found = self._answered(query, params, narrow, reads, timeout_s, heard)
        finally:
            self._asked.heard = None
        if heard:
            self.left_out.update(heard)
            found.left_out = tuple(dict.fromkeys(heard))
        return cast("duckdb.DuckDBPyRelation", found)

    def _answered(
        self,
        query: str,
        params: Any,
        narrow: Bounds,
        reads: Sequence[str],
        timeout_s: float | None,
        heard: list[str],
    ) -> Answer:
        """Return the answer from the newest snapshot whose files are still there."""
        with Asking(timeout_s=timeout_s, is_for_somebody=True):
            views = dict.fromkeys(reads, OPEN) if reads else planner().plan(query, params).views
            bounds = {name: both(found, narrow) for name, found in views.items()}
            for attempt in range(1, _ATTEMPTS + 1):
                heard.clear()
                try:
                    found = self.run(self._reader.read(), query, params, bounds, timeout_s=timeout_s)
                except StaleSnapshotError:
                    if attempt == _ATTEMPTS:
                        raise
                else:
                    found.note = note_of(query, views)
                    return found
        raise AssertionError

    def run(
        self,
        snapshot: Snapshot,
        query: str,
        params: Any,
        views: dict[str, Bounds],
        *,
        warn: bool = True,
        timeout_s: float | None = None,
    ) -> Answer:
        """Run a query over the given views of a snapshot; ``warn`` of what is left out.

        The result is computed at once, into a table of a connection of its own: it stays what it was, however often
        it is read and whatever happens to the store meanwhile.

        Raises:
            StaleSnapshotError: Files of the snapshot were replaced meanwhile, and are gone.
        """
        import duckdb

        while True:
            cursor = self.cursor()
            if WORD in query:
                self._teach()
            files: list[Segment] = []
            try:
                with Asking(cursor):
                    for name, bounds in views.items():
                        self._make_view(cursor, snapshot, name, bounds, files, warn=warn)
                    _derive(
                        cursor, [one.name for one in derived_views().values() if set(one.bases) <= set(views)], query
                    )
                    cursor.execute(f"create temp table result as {query}", params)
                    return Answer(cursor.table("result"), cursor, timeout_s)
            except duckdb.InterruptException:
                raise
            except duckdb.Error as error:
                if isinstance(error, (duckdb.IOException, duckdb.InvalidInputException)) and self.set_aside(
                    files, warn=warn
                ):
                    continue
                raise self.explained(error) from error

    def explained(self, error: Exception) -> Exception:
        """Return an error of DuckDB as one of ours."""
        import duckdb

        if isinstance(error, duckdb.IOException) and _NO_SPACE.search(str(error)):
            return StoreFullError(f"no space left for what this question has to sort: {error}")
        if isinstance(error, duckdb.IOException) and os.strerror(errno.EMFILE) in str(error):
            return of_system(OSError(errno.EMFILE, os.strerror(errno.EMFILE)), f"the store {self._folder}")
        if isinstance(error, duckdb.OutOfMemoryException):
            return self.limits.too_large(error)
        return planner().explained(error)

    def spans_of(self, trace_id: str, bounds: Bounds | None = None) -> list[Row] | None:
        """Return the spans of a trace in the order of time; None where its times are not known and SQL has to look.

        Args:
            trace_id: 32 lower-case hexadecimal digits.
            bounds: The first and the last time of its row, where they are known.
        """
        refuse_a_recorder()
        bounds, rows = self.points.spans_of(trace_id, bounds)
        if rows is not None or bounds is None:
            return rows
        query = "select * from spans where trace_id = ? and start_ns between ? and ? order by start_ns, span_id"
        found: list[Row] = self.sql(query, [trace_id, *bounds], narrow=bounds).to_arrow_table().to_pylist()
        return found

    def rows(self, snapshot: Snapshot, query: str, views: Sequence[str], params: Any = None) -> list[Row]:
        """Return the rows of a query over whole views of a snapshot, for housekeeping: it warns nobody."""
        views_of = dict.fromkeys(views, OPEN)
        found: list[Row] = self.run(snapshot, query, params, views_of, warn=False).to_arrow_table().to_pylist()
        return found

    def _make_view(
        self,
        cursor: duckdb.DuckDBPyConnection,
        snapshot: Snapshot,
        name: str,
        bounds: Bounds,
        used: list[Segment],
        *,
        warn: bool = True,
    ) -> None:
        """Create one base view for a cursor; the files it reads are added to ``used``."""
        if name in schema().views:
            table, problems = self._record_table(name)
            for problem in problems:
                self._tell(problem, warn=warn)
            cursor.register(f"record_{name}", table)
            cursor.execute(f"create temp view {name} as select * from record_{name}")
            return
        if name in schema().packed.views:
            self._make_result_view(cursor, name, used, warn=warn)
            return
        over, tail = self.tail(snapshot)
        files = self.files(snapshot, name, bounds, warn=warn)
        used += files
        shown = ", ".join(f'"{column}"' for column, _, _ in FACT_VIEWS[name])
        source = self.live(cursor, snapshot, name, files, over)
        view = f"create temp view {name} as {source.format(shown)}"
        if tail[name].num_rows:
            # Without a tail there is no union: the optimiser then counts and cuts by the files' own statistics.
            cursor.register(f"tail_{name}", tail[name])
            view += f" union all select {shown} from tail_{name}"
        cursor.execute(view)

    def _make_result_view(
        self, cursor: duckdb.DuckDBPyConnection, name: str, used: list[Segment], *, warn: bool
    ) -> None:
        """Create a view of packed rows or their parts from one state of files and rows that is its own."""
        live = self.results.live()
        files = self.files(Snapshot(0, dict(live.files), {}, {}, live.problems), name, OPEN, warn=warn)
        used += files
        shown = ", ".join(f'"{column}"' for column, _, _ in schema().packed.views[name].columns)
        cursor.register(f"live_{name}", live.rows[name])
        view = f"create temp view {name} as select {shown} from live_{name}"
        if files:
            view += f" union all select {shown} from {scan(self._folder, files)}"
        cursor.execute(view)

    def files(self, snapshot: Snapshot, tbl: str, bounds: Bounds, *, warn: bool = False) -> list[Segment]:
        """Return the readable segments that may hold rows within the bounds; ``warn`` of the others, each time."""
        for problem in snapshot.harm:
            self._tell(problem, warn=warn)
        files = [segment for segment in snapshot.segments.get(tbl, ()) if segment.overlaps(*bounds)]
        broken = self.verified.broken(files)
        if not broken:
            return files
        self._name(files, broken, warn=warn)
        return [segment for segment in files if segment.path not in broken]

    def _name(self, files: Iterable[Segment], broken: dict[str, str], *, warn: bool) -> None:
        """Say what is left out of an answer; raise when files are gone because others took their place."""
        for segment in files:
            if segment.path in broken:
                self._raise_if_replaced(segment)
                self._tell(describe_damage(segment, broken[segment.path]), warn=warn)

    def is_whole(self, snapshot: Snapshot) -> bool:
        """Return whether nothing of a snapshot is missing or damaged."""
        files = [segment for found in snapshot.segments.values() for segment in found]
        return not snapshot.harm and not self.verified.broken(files)

    def _tell(self, problem: str, *, warn: bool) -> None:
        """Say what is left out: to whoever asks, each time; the drain, which nobody asked, tells the log, once."""
        if warn:
            heard: list[str] | None = getattr(self._asked, "heard", None)
            if heard is not None:
                heard.append(problem)
            warnings.warn(problem, DamagedSegmentWarning, stacklevel=6)
        elif problem not in self._told:
            self._told.add(problem)
            log.warning("%s", problem)

    def live(
        self, cursor: duckdb.DuckDBPyConnection, snapshot: Snapshot, tbl: str, files: Sequence[Segment], over: Overlay
    ) -> str:
        """Return "select {} from ..." over the rows of these files that no later revision replaced."""
        if not files:
            empty = ", ".join(f'null::{sql} as "{name}"' for name, sql, _ in (*STORED[tbl], *time_columns(tbl)))
            return f"select {{}} from (select {empty} limit 0)"  # names of our own schema
        paths = scan(self._folder, files).replace("{", "{{").replace("}", "}}")  # of folders that are called so
        source = f"select {{}} from {paths} as stored"
        dead = dead_table(tbl, snapshot.dead.get(tbl), over)
        if dead is None:
            return source
        cursor.register(f"dead_{tbl}", dead)
        same_span = "and dead.span_id = stored.span_id " if tbl == "spans" else ""
        return (
            f"{source} where not exists (select 1 from dead_{tbl} as dead where dead.trace_id = stored.trace_id "
            f"{same_span}and stored.rev < dead.before_rev)"
        )

    def set_aside(self, files: Iterable[Segment], *, warn: bool = True) -> bool:
        """Leave out the damaged ones of these files, say so, and return whether there were any.

        Args:
            files: The suspects.
            warn: Tell the caller of a question; the drain, which nobody asked, writes to the log.
        """
        suspects = list(files)
        self.verified.forget(suspects)
        broken = self.verified.broken(suspects)
        self._name(suspects, broken, warn=warn)
        return bool(broken)

    def _raise_if_replaced(self, segment: Segment) -> None:
        """Raise for a file that is gone because its rows are in another one by now: that is no damage."""
        with self._meta.read() as con:
            if con.execute("select 1 from segments where path = ?", (segment.path,)).fetchone() is None:
                raise StaleSnapshotError(
                    "files that this question reads were merged into others by somebody else while it ran, and again "
                    "each time it was repeated; ask again, or ask for less"
                )

    # -- records ---------------------------------------------------------------------------------------------------

    def _record_table(self, name: str) -> tuple[pa.Table, tuple[str, ...]]:
        """Return a record table as Arrow and what is wrong with it, read again only when the database has changed."""
        with self._lock, self._meta.read() as con:
            return self._seals.table(con, name)

    def record(self, con: sqlite3.Connection, table: str, key: Sequence[Any]) -> sqlite3.Row | None:
        """Return one row of a record table that is what was written, None for none, or raise."""
        return self._seals.record(con, table, key, self._meta.known_rows(con))

    def records(self, con: sqlite3.Connection, table: str) -> tuple[list[sqlite3.Row], list[Altered]]:
        """Return the rows of a record table that are what was written; warn of the others."""
        rows, altered = self._seals.intact(con, table)
        for problem in altered.values():
            self._tell(problem, warn=True)
        return rows, list(altered)

    def listed(self, con: sqlite3.Connection, table: str, rows: Iterable[Row]) -> list[Row]:
        """Return those of some rows of a record table that are what was written; warn of the others."""
        whole, altered = self._seals.listed(con, table, rows)
        for problem in altered.values():
            self._tell(problem, warn=True)
        return whole

    # -- the tail --------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Return the present state of the store."""
        return self._reader.read()

    def head(self, rows: int) -> Snapshot:
        """Return the present state with the oldest ``rows`` rows of the tail, for a drain."""
        return self._reader.read_head(rows)

    def hand_over(self, seq: int, checksum: int, size: int, rows: Mapping[str, Sequence[Row]]) -> None:
        """Keep the rows of a write of the inbox, so that whoever reads it here next need not decode them."""
        self._reader.handed.keep(seq, checksum, size, rows)

    def manifest(self) -> Snapshot:
        """Return the present state without its tail."""
        return self._reader.read_manifest()

    def fact_ranges(self, tbl: str) -> list[tuple[int | None, int | None, int]]:
        """Return (first time, last time, rows) of every segment of a table and of the tail, newest last time first."""
        refuse_a_recorder()
        snapshot = self.snapshot()
        ranges = [(s.min_ns, s.max_ns, s.rows) for s in snapshot.segments.get(tbl, ())]
        over, _ = self.tail(snapshot)
        tail = {"spans": over.spans, "traces": over.traces}[tbl]
        if tail:
            starts = [row["start_ns"] for row in tail]
            ranges.append((min(starts), max(starts), len(tail)))
        return sorted(ranges, key=lambda found: found[1] or 0, reverse=True)

    def tail(self, snapshot: Snapshot) -> tuple[Overlay, dict[str, pa.Table]]:
        """Return what the undrained writes of a snapshot change, and their rows as Arrow tables."""
        with self._lock:
            return self._tail.read(snapshot)

    def overlay(
        self, snapshot: Snapshot, spans: Iterable[Row], logs: Iterable[Row], *, to_write: bool = False
    ) -> Overlay:
        """Return what new rows change over the segments of a snapshot (its tail left out).

        Args:
            snapshot: The segments.
            spans: New spans.
            logs: New log events.
            to_write: It is to be published: not over a file that cannot be read now.
        """
        files = [segment.path for found in snapshot.segments.values() for segment in found]
        if len(self.members) > 2 * len(files) + 16:
            # Files come and go, here and in other processes; what is remembered of them must not only grow.
            self.members.forget(set(files))
        return overlay(StoredRows(self, snapshot, to_write=to_write), spans, logs, self._join_logs)

    def replacement(self, snapshot: Snapshot, spans: Iterable[Row]) -> Overlay:
        """Return what changes when these rows take the place of the stored ones with the same keys."""
        return overlay(StoredRows(self, snapshot, to_write=True), (), (), self._join_logs, replacing=spans)

    def logs_by_span(self, snapshot: Snapshot, trace_ids: Collection[str]) -> dict[Key, list[Row]]:
        """Return the stored log events of these traces, by span, in the order of time."""
        found: dict[Key, list[Row]] = {}
        if snapshot.segments.get("logs"):
            for row in sorted(StoredRows(self, snapshot, to_write=True).logs_of(trace_ids), key=log_order):
                found.setdefault((row["trace_id"], row["span_id"]), []).append(row)
        return found

    def problems(self) -> list[str]:
        """Return what cannot be read of the present state, one sentence each."""
        snapshot, live = self.snapshot(), self.results.live()
        segments = [one for files in (*snapshot.segments.values(), *live.files.values()) for one in files]
        broken = self.verified.broken(segments)
        damaged = [describe_damage(one, broken[one.path]) for one in segments if one.path in broken]
        return list(dict.fromkeys([*snapshot.harm, *live.problems, *damaged, *self.record_problems()]))

    def record_problems(self) -> list[str]:
        """Return what is wrong with the records and the cases of evaluations, one sentence each."""
        with self._meta.read() as con:
            found = [problem for name in schema().views for problem in self._seals.problems(con, name)]
        return list(dict.fromkeys([*found, *self.results.live().problems]))

    @contextlib.contextmanager
    def view_reader(self, snapshot: Snapshot, name: str) -> Iterator[pa.RecordBatchReader]:
        """Stream one public view of a snapshot as Arrow batches, whatever its size."""
        bases = derived_views()[name].bases if name in derived_views() else (name,)
        with contextlib.closing(self.cursor()) as cursor:
            for base in bases:
                self._make_view(cursor, snapshot, base, OPEN, [])
            if name not in bases:
                _derive(cursor, [name], name)
            yield cursor.sql(f"select * from {name}").to_arrow_reader(10_000)  # our own names


def _derive(cursor: duckdb.DuckDBPyConnection, names: Iterable[str], query: str) -> None:
    """Create those of the derived views that a query names."""
    named = [name for name in names if name in query.lower()]
    if any(AROUND in derived_views()[name].sql for name in named):
        cursor.execute(AROUND_VIEW)
    for name in named:
        cursor.execute(f"create temp view {name} as {derived_views()[name].sql}")


def _let_go(con: duckdb.DuckDBPyConnection, spill: Path, pid: int) -> None:
    """Close the database of a process and remove what it spilled; nothing in a fork of it."""
    if os.getpid() == pid:
        # One that knows functions of Python and is open when the interpreter ends prints pages about leaks.
        con.close()
        remove_folder(spill, pid)
