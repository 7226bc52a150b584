"""The query engine: DuckDB in memory over the files of the manifest and the undrained tail."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import tempfile
import threading
import warnings
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import DamagedStoreError, QueryError, StoreFullError
from lmops.store._filesystem import remove_folder
from lmops.store._membership import Membership
from lmops.store._overlay import FACT_COLUMNS, MODEL_KINDS_SQL, MOST_SHARED, Overlay, log_order, overlay
from lmops.store._planner import Bounds, Planner
from lmops.store._results import Results, with_liveness
from lmops.store._segments import INT64_MAX, SEGMENTS_DIR, file_sha256
from lmops.store._snapshot import Dead, Snapshot, SnapshotReader
from lmops.store._tables import STORED
from lmops.store._tail import Tail
from lmops.store._views import DERIVED_VIEWS, FACT_VIEWS, RECORD_TIMES, RECORD_VIEWS, RESULT_VIEWS, VIEW_NAMES
from lmops.times import from_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    import duckdb
    import pyarrow as pa

    from lmops.store._meta import Meta
    from lmops.store._segments import Segment

Row = dict[str, Any]
Key = tuple[str, str]
OPEN: Final = Bounds(None, None)
_SHOW_TABLES: Final = re.compile(r"\s*show\s+(all\s+)?tables\s*;?\s*", re.IGNORECASE)
_LIST_OF_VIEWS: Final = f"select unnest([{', '.join(repr(name) for name in sorted(VIEW_NAMES))}]) as name"
_NO_SPACE: Final = re.compile(r"No space left|File too large|Disk quota")


log = logging.getLogger(__name__)


class DamagedSegmentWarning(UserWarning):
    """A segment was left out of an answer because its file is missing or corrupt."""


class Engine:
    """Answers queries over one store, from any thread."""

    def __init__(self, folder: Path, meta: Meta, join_logs: Callable[[Row, list[Row]], Row]) -> None:
        self._folder = folder
        self._meta = meta
        self._join_logs = join_logs
        self._reader = SnapshotReader(meta)
        self.results = Results(folder, meta)
        self._lock = threading.RLock()
        self._pid = 0
        self._inherited: list[object] = []
        self._damaged: set[str] = set()
        self._tail = Tail(self.overlay)
        self._records: tuple[object, dict[str, pa.Table]] = (None, {})
        self.members = Membership(folder)

    # -- connections -----------------------------------------------------------------------------------------------

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a new connection to this process's in-memory database; what it registers is its own."""
        with self._lock:
            if self._pid != os.getpid():
                self._connect()
            return self._con.cursor()

    def _connect(self) -> None:
        import duckdb

        self._con = duckdb.connect(":memory:", config={"python_enable_replacements": "false"})
        self._con.execute("set TimeZone='UTC'")
        self._con.execute("set enable_progress_bar=false")
        self._con.execute("set parquet_metadata_cache=true")
        spill = tempfile.mkdtemp(prefix="lmops-spill-")
        self._unspill = weakref.finalize(self, remove_folder, Path(spill), os.getpid())
        self._con.execute(f"set temp_directory={_literal(spill)}")
        allowed = [str(self._folder / SEGMENTS_DIR) + os.sep]
        self._con.execute(f"set allowed_directories=[{', '.join(map(_literal, allowed))}]")
        self._con.execute("set enable_external_access=false")
        self._con.execute("set lock_configuration=true")
        self._planner = Planner()
        self._pid = os.getpid()

    @property
    def planner(self) -> Planner:
        """Return the planner of this process."""
        with self._lock:
            if self._pid != os.getpid():
                self._connect()
            return self._planner

    def close(self) -> None:
        """Drop the in-memory database and what was remembered of the files."""
        with self._lock:
            if self._pid == os.getpid():
                self._con.close()
                self._planner.close()
                self._unspill()
            self._pid = 0
            self._tail.forget()
            self._records = (None, {})
            self.members.forget()

    def after_fork(self) -> None:
        """Start without the parent's database; called in the child.

        It is kept, unused: its threads did not come along, and closing it would wait for them.
        """
        self._lock = threading.RLock()
        self._reader.after_fork()
        self.members.after_fork()
        self.results.after_fork()
        if self._pid:
            self._inherited += [self._con, self._planner, self._unspill.detach()]
        self._pid = 0

    # -- queries ---------------------------------------------------------------------------------------------------

    def sql(self, query: str, params: Any = None, *, narrow: Bounds = OPEN) -> duckdb.DuckDBPyRelation:
        """Run one read-only SELECT over the views and return its whole result as a relation.

        Args:
            query: One SELECT.
            params: Values for ``?`` or ``$name``.
            narrow: Bounds the caller knows to hold besides those in the query.
        """
        if _SHOW_TABLES.fullmatch(query):
            query = _LIST_OF_VIEWS  # no view exists until a query names it
        plan = self.planner.plan(query, params)
        bounds = {name: _both(found, narrow) for name, found in plan.views.items()}
        return self.run(self._reader.read(), query, params, bounds)

    def run(self, snapshot: Snapshot, query: str, params: Any, views: dict[str, Bounds]) -> duckdb.DuckDBPyRelation:
        """Run a query over the given views of a snapshot.

        The result is computed at once, into a table of a connection of its own: it stays what it was, however often
        it is read and whatever happens to the store meanwhile.
        """
        import duckdb

        while True:
            cursor = self.cursor()
            files: list[Segment] = []
            try:
                for name, bounds in views.items():
                    self._make_view(cursor, snapshot, name, bounds, files)
                for name, derived in DERIVED_VIEWS.items():
                    if derived.base in views and name in query.lower():
                        cursor.execute(f"create temp view {name} as {derived.sql}")
                cursor.execute(f"create temp table result as {query}", params)
                return cursor.table("result")
            except duckdb.Error as error:
                if isinstance(error, (duckdb.IOException, duckdb.InvalidInputException)) and self._set_aside(files):
                    continue
                if isinstance(error, duckdb.IOException) and _NO_SPACE.search(str(error)):
                    raise StoreFullError(f"no space left for what this question has to sort: {error}") from error
                if isinstance(error, duckdb.OutOfMemoryException):
                    raise QueryError(f"the result does not fit: {error}; select fewer rows or columns") from error
                raise self.planner.explained(error) from error

    def _make_view(
        self, cursor: duckdb.DuckDBPyConnection, snapshot: Snapshot, name: str, bounds: Bounds, used: list[Segment]
    ) -> None:
        """Create one base view for a cursor; the files it reads are added to ``used``."""
        if name in RECORD_VIEWS:
            cursor.register(f"record_{name}", self._record_table(name))
            cursor.execute(f"create temp view {name} as select * from record_{name}")
            return
        if name in RESULT_VIEWS:
            self._make_result_view(cursor, name, used)
            return
        over, tail = self.tail(snapshot)
        files = self._files(snapshot, name, bounds, warn=True)
        used += files
        shown = ", ".join(f'"{column}"' for column, _, _ in FACT_VIEWS[name])
        source = self._live(cursor, snapshot, name, files, over)
        view = f"create temp view {name} as {source.format(shown)}"
        if tail[name].num_rows:
            # Without a tail there is no union: the optimiser then counts and cuts by the files' own statistics.
            cursor.register(f"tail_{name}", tail[name])
            view += f" union all select {shown} from tail_{name}"
        cursor.execute(view)

    def _make_result_view(self, cursor: duckdb.DuckDBPyConnection, name: str, used: list[Segment]) -> None:
        """Create the view of ``results`` or ``scores`` from one state of files and rows that is its own."""
        live = self.results.live()
        files = self._files(Snapshot(0, dict(live.files), {}, {}), name, OPEN, warn=True)
        used += files
        shown = ", ".join(f'"{column}"' for column, _, _ in RESULT_VIEWS[name])
        cursor.register(f"live_{name}", live.rows[name])
        view = f"create temp view {name} as select {shown} from live_{name}"
        if files:
            listed = ", ".join(_literal(str(self._folder / segment.path)) for segment in files)
            view += f" union all select {shown} from read_parquet([{listed}])"
        cursor.execute(view)

    def _files(self, snapshot: Snapshot, tbl: str, bounds: Bounds, *, warn: bool = False) -> list[Segment]:
        """Return the readable segments that may hold rows within the bounds; ``warn`` of the others, each time."""
        files = [segment for segment in snapshot.segments.get(tbl, ()) if segment.overlaps(*bounds)]
        if not self._damaged:
            return files
        suspects = [segment for segment in files if segment.path in self._damaged]
        # A file may have been put back from a backup.
        self._damaged.difference_update(segment.path for segment in suspects)
        self._set_aside(suspects, warn=warn)
        return [segment for segment in files if segment.path not in self._damaged]

    def _live(
        self, cursor: duckdb.DuckDBPyConnection, snapshot: Snapshot, tbl: str, files: Sequence[Segment], over: Overlay
    ) -> str:
        """Return "select {} from ..." over the rows of these files that no later revision replaced."""
        if not files:
            empty = ", ".join(f'null::{sql} as "{name}"' for name, sql, _ in (*STORED[tbl], *_times(tbl)))
            return f"select {{}} from (select {empty} limit 0)"  # names of our own schema
        listed = ", ".join(_literal(str(self._folder / segment.path)) for segment in files)
        source = f"select {{}} from read_parquet([{listed}]) as stored"  # paths of the manifest
        dead = _dead_table(tbl, snapshot.dead.get(tbl), over)
        if dead is None:
            return source
        cursor.register(f"dead_{tbl}", dead)
        same_span = "and dead.span_id = stored.span_id " if tbl == "spans" else ""
        return (
            f"{source} where not exists (select 1 from dead_{tbl} as dead where dead.trace_id = stored.trace_id "
            f"{same_span}and stored.rev < dead.before_rev)"
        )

    def _set_aside(self, files: Iterable[Segment], *, warn: bool = True) -> bool:
        """Leave out the damaged ones of these files, say so, and return whether there were any.

        Args:
            files: The suspects.
            warn: Tell the caller of a question; the drain, which nobody asked, writes to the log.
        """
        found = False
        for segment in files:
            problem = damage(self._folder, segment)
            if problem:
                self._damaged.add(segment.path)
                found = True
                if warn:
                    warnings.warn(describe_damage(segment, problem), DamagedSegmentWarning, stacklevel=5)
                else:
                    log.warning("%s", describe_damage(segment, problem))
        return found

    # -- records ---------------------------------------------------------------------------------------------------

    def _record_table(self, name: str) -> pa.Table:
        """Return a record table as Arrow, read again only when the database has changed."""
        with self._lock, self._meta.read() as con:
            # The version is the connection's own count, and threads that end leave their numbers to new ones.
            state = (con, con.execute("pragma data_version").fetchone()[0], con.total_changes)
            if self._records[0] != state:
                self._records = (state, {})
            tables = self._records[1]
            if name not in tables:
                rows = con.execute(RECORD_VIEWS[name].sql).fetchall()
                if name == "runs":
                    # A process that dies changes nothing here: whether one is alive is asked every time.
                    columns = [column for column, _, _ in RECORD_VIEWS[name].columns]
                    return _record_arrow(name, with_liveness(rows, columns))
                tables[name] = _record_arrow(name, rows)
            return tables[name]

    # -- the tail --------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Return the present state of the store."""
        return self._reader.read()

    def head(self, rows: int) -> Snapshot:
        """Return the present state with the oldest ``rows`` rows of the tail, for a drain."""
        return self._reader.read_head(rows)

    def manifest(self) -> Snapshot:
        """Return the present state without its tail."""
        return self._reader.read_manifest()

    def tail(self, snapshot: Snapshot) -> tuple[Overlay, dict[str, pa.Table]]:
        """Return what the undrained writes of a snapshot change, and their rows as Arrow tables."""
        with self._lock:
            return self._tail.read(snapshot)

    def overlay(self, snapshot: Snapshot, spans: Iterable[Row], logs: Iterable[Row]) -> Overlay:
        """Return what new rows change over the segments of a snapshot (its tail left out)."""
        files = [segment.path for found in snapshot.segments.values() for segment in found]
        if len(self.members) > 2 * len(files) + 16:
            # Files come and go, here and in other processes; what is remembered of them must not only grow.
            self.members.forget(set(files))
        return overlay(StoredRows(self, snapshot), spans, logs, self._join_logs)

    def replacement(self, snapshot: Snapshot, spans: Iterable[Row]) -> Overlay:
        """Return what changes when these rows take the place of the stored ones with the same keys."""
        return overlay(StoredRows(self, snapshot), (), (), self._join_logs, replacing=spans)

    def logs_by_span(self, snapshot: Snapshot, trace_ids: Collection[str]) -> dict[Key, list[Row]]:
        """Return the stored log events of these traces, by span, in the order of time."""
        found: dict[Key, list[Row]] = {}
        if snapshot.segments.get("logs"):
            for row in sorted(StoredRows(self, snapshot).logs_of(trace_ids), key=log_order):
                found.setdefault((row["trace_id"], row["span_id"]), []).append(row)
        return found

    @contextlib.contextmanager
    def view_reader(self, snapshot: Snapshot, name: str) -> Iterator[pa.RecordBatchReader]:
        """Stream one public view of a snapshot as Arrow batches, whatever its size."""
        base = DERIVED_VIEWS[name].base if name in DERIVED_VIEWS else name
        with contextlib.closing(self.cursor()) as cursor:
            self._make_view(cursor, snapshot, base, OPEN, [])
            if name != base:
                cursor.execute(f"create temp view {name} as {DERIVED_VIEWS[name].sql}")
            yield cursor.sql(f"select * from {name}").to_arrow_reader(10_000)  # our own names


class StoredRows:
    """The published rows of one snapshot, as :class:`lmops.store._overlay.Stored`."""

    def __init__(self, engine: Engine, snapshot: Snapshot) -> None:
        self._engine = engine
        self._snapshot = snapshot
        self._ranges: dict[frozenset[str], tuple[list[str], Bounds]] = {}

    def _containing(self, tbl: str, ids: Collection[str]) -> tuple[list[Segment], list[str]]:
        """Return the segments that may hold one of these ids, and the ids that may be in one."""
        import pyarrow as pa

        while True:
            segments = self._engine._files(self._snapshot, tbl, OPEN)  # noqa: SLF001  # the engine's own half
            if not ids or not segments:
                return [], []
            try:
                return self._engine.members.containing(segments, ids)
            except (OSError, pa.ArrowException):
                if not self._engine._set_aside(segments, warn=False):  # noqa: SLF001
                    raise

    def _rows(
        self,
        tbl: str,
        columns: Sequence[str],
        files: Sequence[Segment],
        where: str,
        keys: dict[str, list[str]],
        *,
        few: str = "",
    ) -> list[Row]:
        """Return the live rows of these files that match keys registered as table ``asked``.

        ``few``: only distinct rows, and of each value of this column no more than tell that it is worn out.
        """
        import duckdb
        import pyarrow as pa

        if not files:
            return []
        cursor = self._engine.cursor()
        cursor.register("asked", pa.table({name: pa.array(values, pa.string()) for name, values in keys.items()}))
        shown = ", ".join(f'stored."{name}"' for name in columns)
        source = self._engine._live(cursor, self._snapshot, tbl, files, Overlay())  # noqa: SLF001
        joined = f"{source.format(shown)} {'and' if ' where ' in source else 'where'} {where}"
        if few:
            limit = f"row_number() over (partition by {few}) <= {MOST_SHARED + 1}"  # a column of our own
            joined = f"select * from (select distinct * from ({joined})) qualify {limit}"
        try:
            rows: list[Row] = cursor.sql(joined).to_arrow_table().to_pylist()
        except duckdb.Error:
            # One damaged file must not stop every drain.
            if not self._engine._set_aside(files, warn=False):  # noqa: SLF001
                raise
            readable = [segment for segment in files if segment.path not in self._engine._damaged]  # noqa: SLF001
            return self._rows(tbl, columns, readable, where, keys, few=few)
        return rows

    def _range(self, trace_ids: Collection[str]) -> tuple[list[str], Bounds]:
        """Return which of these traces are stored and the times their spans lie in."""
        asked = frozenset(trace_ids)
        if asked not in self._ranges:
            self._ranges[asked] = self._read_range(asked)
        return self._ranges[asked]

    def _read_range(self, trace_ids: Collection[str]) -> tuple[list[str], Bounds]:
        files, ids = self._containing("traces", trace_ids)
        found = self._rows(
            "traces", ("trace_id", "start_ns", "end_ns"), files,
            "stored.trace_id in (select trace_id from asked)", {"trace_id": ids},
        )  # fmt: skip
        if not found:
            return [], OPEN
        bounds = Bounds(min(row["start_ns"] for row in found), max(row["end_ns"] for row in found))
        return [row["trace_id"] for row in found], bounds

    def traces_of(self, trace_ids: Collection[str]) -> list[str]:
        """Return which of these traces have a row."""
        return self._range(trace_ids)[0]

    def spans_of(self, trace_ids: Collection[str]) -> list[Row]:
        """Return ``FACT_COLUMNS`` of every live span of these traces."""
        ids, bounds = self._range(trace_ids)
        files = self._engine._files(self._snapshot, "spans", bounds) if ids else []  # noqa: SLF001
        where = "stored.trace_id in (select trace_id from asked)"
        return self._rows("spans", FACT_COLUMNS, files, where, {"trace_id": ids})

    def whole_spans(self, keys: Collection[Key]) -> list[Row]:
        """Return all columns of these live spans."""
        _, bounds = self._range({key[0] for key in keys})
        files = self._engine._files(self._snapshot, "spans", bounds) if keys else []  # noqa: SLF001
        columns = [name for name, _, _ in STORED["spans"]]
        where = "(stored.trace_id, stored.span_id) in (select (trace_id, span_id) from asked)"
        asked = {"trace_id": [key[0] for key in keys], "span_id": [key[1] for key in keys]}
        return self._rows("spans", columns, files, where, asked)

    def traces_with_responses(self, response_ids: Collection[str]) -> dict[str, set[str]]:
        """Return the traces that have a model span with one of these response ids, by response id; nine of many."""
        files, ids = self._containing("spans", response_ids)
        where = f"stored.response_id in (select response_id from asked) and stored.kind in {MODEL_KINDS_SQL}"
        rows = self._rows("spans", ("trace_id", "response_id"), files, where, {"response_id": ids}, few="response_id")
        found: dict[str, set[str]] = {}
        for row in rows:
            found.setdefault(row["response_id"], set()).add(row["trace_id"])
        return found

    def logs_of(self, trace_ids: Collection[str]) -> list[Row]:
        """Return the stored log events of these traces."""
        files, ids = self._containing("logs", trace_ids)
        columns = [name for name, _, _ in STORED["logs"] if name != "rev"]
        where = "stored.trace_id in (select trace_id from asked)"
        return self._rows("logs", columns, files, where, {"trace_id": ids})


def damage(folder: Path, segment: Segment) -> str | None:
    """Return what is wrong with a segment's file, or None."""
    path = folder / segment.path
    if not path.is_file():
        return "missing"
    size = path.stat().st_size
    if size != segment.bytes:
        return f"{size} bytes instead of {segment.bytes}"
    return "changed since it was written (SHA-256 differs)" if file_sha256(path) != segment.sha256 else None


def describe_damage(segment: Segment, problem: str) -> str:
    """Return one sentence on a damaged segment and what is lost with it."""
    times = ""
    if segment.min_ns is not None and segment.max_ns is not None:
        times = f" from {from_ns(segment.min_ns):%Y-%m-%d %H:%M:%S} to {from_ns(segment.max_ns):%Y-%m-%d %H:%M:%S} UTC"
    return (
        f"{segment.path}: {problem}; {segment.rows} rows of {segment.tbl}{times} cannot be read, the rest can "
        "(ws.store.check() lists all that is lost; put the file back from a backup, or let check(repair=True) drop it "
        "and ingest its source again)"
    )


def raise_if_damaged(folder: Path, segments: Iterable[Segment]) -> None:
    """Raise for the first damaged one of these segments."""
    for segment in segments:
        problem = damage(folder, segment)
        if problem:
            raise DamagedStoreError(describe_damage(segment, problem))


def _times(tbl: str) -> list[tuple[str, str, str]]:
    from lmops.store._tables import TIME_COLUMNS

    return [(name, "TIMESTAMP WITH TIME ZONE", "") for name, _ in TIME_COLUMNS[tbl]]


def _dead_table(tbl: str, dead: Dead | None, over: Overlay) -> pa.Table | None:
    """Return the keys of replaced rows with the revision that replaced them; None when there are none."""
    import pyarrow as pa

    replaced: list[Key] = over.dead_spans if tbl == "spans" else [(trace, "") for trace in over.dead_traces]
    if tbl == "logs":
        replaced = []
    if dead is None and not replaced:
        return None
    stored = dead or Dead((), (), ())
    return pa.table(
        {
            "trace_id": [*stored.trace_ids, *(key[0] for key in replaced)],
            "span_id": [*stored.span_ids, *(key[1] for key in replaced)],
            "before_rev": pa.array([*stored.before_revs, *([INT64_MAX] * len(replaced))], pa.int64()),
        }
    )


def _record_arrow(name: str, rows: Sequence[Sequence[Any]]) -> pa.Table:
    import pyarrow as pa

    kinds: dict[str, Any] = {
        "BIGINT": pa.int64(),
        "DOUBLE": pa.float64(),
        "VARCHAR": pa.string(),
        "BOOLEAN": pa.bool_(),
    }
    columns: dict[str, Any] = {}
    for position, (column, sql, _) in enumerate(RECORD_VIEWS[name].columns):
        found = [row[position] for row in rows]
        if sql == "BOOLEAN":
            found = [None if value is None else bool(value) for value in found]
        values = pa.array(found, kinds[sql])
        if column in RECORD_TIMES:
            micros = pa.array([None if row[position] is None else row[position] // 1000 for row in rows], pa.int64())
            values = micros.cast(pa.timestamp("us", tz="UTC"))
        columns[RECORD_TIMES.get(column, column)] = values
    return pa.table(columns)


def _both(one: Bounds, other: Bounds) -> Bounds:
    """Return the bounds that satisfy both."""
    since = max((ns for ns in (one.since_ns, other.since_ns) if ns is not None), default=None)
    until = min((ns for ns in (one.until_ns, other.until_ns) if ns is not None), default=None)
    return Bounds(since, until)


def _literal(text: str) -> str:
    """Return an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"
