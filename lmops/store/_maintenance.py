"""Housekeeping: compaction, retention, rewriting, checking, backup and export."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lmops.calc.rollup import rollup
from lmops.errors import NotFoundError, StoreError, UsageError
from lmops.store._drain import move_manifest
from lmops.store._engine import OPEN, damage, describe_damage
from lmops.store._filesystem import META
from lmops.store._long import KEY, LONG_COLUMNS, references, resolve, shorten
from lmops.store._overlay import FACT_COLUMNS, Overlay, trace_row
from lmops.store._segments import write_segment
from lmops.store._tables import STORED, TIME_COLUMN
from lmops.store._views import VIEW_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from lmops.store._blobs import Blobs
    from lmops.store._drain import Publisher
    from lmops.store._engine import Engine
    from lmops.store._meta import Meta
    from lmops.store._segments import Segment, Written
    from lmops.store._snapshot import Snapshot

Row = dict[str, Any]

if TYPE_CHECKING:
    #: (stored span row, its log events) -> the row as it should be
    Change = Callable[[Row, list[Row]], Row]

#: A segment is full at either of these; a merge reads about this much into memory at a time.
FULL_ROWS: Final = 262_144
FULL_BYTES: Final = 48_000_000
#: So many small segments of a table are worth a merge.
SMALL_FILES: Final = 16
#: An open reader keeps its snapshot for this long after a file was replaced.
GRACE_S: Final = 60.0


#: What there may be once only.
_UNIQUE: Final = {
    "spans": "trace_id, span_id",
    "traces": "trace_id",
    "results": "run_id, example_id, repeat",
    "scores": "run_id, example_id, repeat, scorer",
}
#: Traces whose row does not count the spans that are there, on either side.
_APART: Final = """
select coalesce(t.trace_id, s.trace_id) as trace_id, t.trace_id is not null as has_row, coalesce(s.spans, 0) as spans
from traces t full join (select trace_id, count(*) as spans from spans group by trace_id) s on s.trace_id = t.trace_id
where t.span_count is distinct from s.spans
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What a check found."""

    segments: int
    rows: int
    problems: tuple[str, ...]
    lost_rows: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Return whether nothing is wrong."""
        return not self.problems

    def __repr__(self) -> str:
        """Say it in one line, and name every problem below."""
        head = f"<CheckReport {'ok' if self.ok else 'DAMAGED'}: {self.segments} segments, {self.rows} rows"
        lost = ", ".join(f"{rows} {tbl}" for tbl, rows in sorted(self.lost_rows.items()))
        return "\n  ".join([f"{head}{f'; lost: {lost}' if lost else ''}>", *self.problems])


class Maintenance:
    """Work on whole segments; every step holds the drain lock and commits in one transaction."""

    def __init__(self, folder: Path, meta: Meta, engine: Engine, publisher: Publisher, blobs: Blobs) -> None:
        self._folder = folder
        self._meta = meta
        self._engine = engine
        self._publisher = publisher
        self._blobs = blobs

    # -- compaction ------------------------------------------------------------------------------------------------

    def is_due(self, snapshot: Snapshot) -> bool:
        """Return whether some table has enough small segments to merge."""
        return any(sum(map(_is_small, snapshot.segments.get(tbl, ()))) >= SMALL_FILES for tbl in STORED)

    def compact(self, *, wait: bool = True, grace_s: float = GRACE_S) -> int:
        """Merge small segments into sorted full ones without replaced rows; return how many were merged."""
        merged = 0
        for tbl in STORED:
            while True:
                with self._publisher.locked(timeout_s=-1 if wait else 0) as mine:
                    group = self._next_group(tbl) if mine else []
                    if not group:
                        break
                    self._merge(tbl, group)
                    merged += len(group)
                if self._publisher.is_stopping:
                    return merged
        with self._publisher.locked(timeout_s=-1 if wait else 0) as mine:
            if mine:
                self._publisher.sweep(grace_s=grace_s)
        return merged

    def _next_group(self, tbl: str) -> list[Segment]:
        """Return the next small segments, adjacent in time, that together fill one segment."""
        snapshot = self._engine.manifest()
        small = [segment for segment in snapshot.segments.get(tbl, ()) if _is_small(segment)]
        group: list[Segment] = []
        rows = size = 0
        for segment in small:
            if group and (rows + segment.rows > FULL_ROWS or size + segment.raw_bytes > FULL_BYTES):
                if len(group) > 1:
                    break
                group, rows, size = [], 0, 0
            if damage_quickly(self._folder, segment):
                continue
            group.append(segment)
            rows += segment.rows
            size += segment.raw_bytes
        return group if len(group) > 1 else []

    def _merge(self, tbl: str, group: Sequence[Segment]) -> None:
        import pyarrow as pa

        dead = self._dead(tbl)
        buried: Counter[tuple[str, str]] = Counter()
        tables = []
        for segment in group:
            table, removed = drop_dead(self._read(segment), dead)
            tables.append(table)
            buried.update(removed)
        whole = pa.concat_tables(tables)
        with self._publisher.files() as written:
            if whole.num_rows:
                written.append(write_segment(self._folder, tbl, whole))
            self._swap(group, written, {tbl: buried})
        self._forget()

    def _read(self, segment: Segment) -> pa.Table:
        import pyarrow.parquet as pq

        return pq.read_table(self._folder / segment.path, partitioning=None)

    def _dead(self, tbl: str) -> dict[tuple[str, str], int]:
        rows = self._meta.connection().execute(
            "select trace_id, span_id, before_rev from dead_rows where tbl = ?", (tbl,)
        )
        return {(row[0], row[1]): row[2] for row in rows}

    def _swap(
        self, old: Sequence[Segment], written: Sequence[Written], buried: Mapping[str, Counter[tuple[str, str]]]
    ) -> None:
        """Swap segments for new ones in one transaction; ``buried``: replaced rows that are really gone now."""
        with self._meta.write() as con:
            for file in written:
                file.insert(con)
            self._publisher.retire(con, [segment.path for segment in old])
            con.executemany(
                "update dead_rows set copies = copies - ? where tbl = ? and trace_id = ? and span_id = ?",
                [(count, tbl, *key) for tbl, keys in buried.items() for key, count in keys.items()],
            )
            con.execute("delete from dead_rows where copies <= 0")
            move_manifest(con)

    def _forget(self) -> None:
        live = {segment.path for files in self._engine.manifest().segments.values() for segment in files}
        self._engine.members.forget(live)

    # -- retention -------------------------------------------------------------------------------------------------

    def retain(self, since_ns: int) -> dict[str, int]:
        """Remove every trace that started before a time, with all its spans and logs, and the cases of old runs.

        Returns:
            The rows removed, by table.
        """
        self._publisher.drain()
        removed = dict.fromkeys(STORED, 0)
        buried: dict[str, Counter[tuple[str, str]]] = {tbl: Counter() for tbl in STORED}
        with self._publisher.locked():
            snapshot = self._engine.manifest()
            views = {"traces": OPEN}
            query = "select trace_id from traces where start_ns < ?"
            old = self._engine.run(snapshot, query, [since_ns], views).to_arrow_table()["trace_id"].combine_chunks()
            # The spans of an old trace may be young, and in any segment; a young trace has no old span.
            with self._publisher.files() as written:
                replaced = []
                for tbl in STORED:
                    dead = self._dead(tbl)
                    for segment in snapshot.segments.get(tbl, ()):
                        if damage_quickly(self._folder, segment) or not self._has_any(segment, old):
                            continue
                        live, keep = self._part(segment, old, dead, buried[tbl])
                        removed[tbl] += live
                        replaced.append(segment)
                        if keep.num_rows:
                            written.append(write_segment(self._folder, tbl, keep))
                if replaced:
                    self._swap(replaced, written, buried)
            self._forget()
            self._publisher.sweep(grace_s=GRACE_S)
            if replaced and self._blobs.exists():
                self._blobs.sweep(self._blobs_in_use(self._engine.snapshot()))
        return removed | self._engine.results.retain(self._publisher, since_ns)

    def _has_any(self, segment: Segment, trace_ids: pa.Array[Any]) -> bool:
        """Return whether a segment has a row of these traces, from one column of it."""
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        ids = pq.read_table(self._folder / segment.path, columns=["trace_id"], partitioning=None)["trace_id"]
        return bool(pc.any(pc.is_in(ids, value_set=trace_ids.cast(ids.type))).as_py())

    def _part(
        self,
        segment: Segment,
        trace_ids: pa.Array[Any],
        dead: dict[tuple[str, str], int],
        buried: Counter[tuple[str, str]],
    ) -> tuple[int, pa.Table]:
        """Return how many live rows of a segment are of these traces, and the live rows of all others."""
        import pyarrow.compute as pc

        table, gone = drop_dead(self._read(segment), dead)
        buried.update(gone)
        hit = pc.is_in(table["trace_id"], value_set=trace_ids.cast(table["trace_id"].type))
        keep = table.filter(pc.invert(hit))
        return table.num_rows - keep.num_rows, keep

    def _blobs_in_use(self, snapshot: Snapshot) -> set[str]:
        """Return the names of the blobs that rows of a snapshot refer to."""
        columns = ", ".join(LONG_COLUMNS)
        marked = " or ".join(f"contains({column}, '{KEY}')" for column in LONG_COLUMNS)
        query = f"select {columns} from spans where {marked}"
        return {name for row in self._run(snapshot, query, ("spans",)) for _, name in references(row)}

    # -- rewriting -------------------------------------------------------------------------------------------------

    def rewrite_spans(
        self, change: Change, *, where: Mapping[str, str] | None, on_segment: Callable[[int, int], None]
    ) -> int:
        """Pass every stored span through ``change`` and settle the traces of those that came out different.

        Works segment by segment, so that memory stays bounded and a killed process has rewritten whole segments only.

        Args:
            change: Returns the row as it should be (the same row when nothing changes), and gets its log events.
            where: Only spans where one of these columns has this value; None for all.
            on_segment: Called with (segments done, segments in all).

        Returns:
            How many spans changed.
        """
        self._publisher.drain()
        changed = 0
        segments = self._engine.manifest().segments.get("spans", ())
        for done, segment in enumerate(segments):
            with self._publisher.locked():
                changed += self._rewrite(segment.path, change, where)
            on_segment(done + 1, len(segments))
        return changed

    def _rewrite(self, path: str, change: Change, where: Mapping[str, str] | None) -> int:
        import pyarrow as pa
        import pyarrow.compute as pc

        snapshot = self._engine.manifest()
        segment = next((found for found in snapshot.segments.get("spans", ()) if found.path == path), None)
        if segment is None or damage_quickly(self._folder, segment):
            return 0
        table, _ = drop_dead(self._read(segment), self._dead("spans"))
        if where:
            matches: Any = pa.nulls(table.num_rows, pa.bool_())
            for column, value in where.items():
                matches = pc.or_kleene(matches, pc.equal(table[column], pa.scalar(value)))
            table = table.filter(matches)
        fresh = []
        for start in range(0, table.num_rows, 8192):
            rows = [resolve(row, self._blobs) for row in table.slice(start, 8192).to_pylist()]
            events = self._engine.logs_by_span(snapshot, {row["trace_id"] for row in rows})
            for row in rows:
                new = change(row, events.get((row["trace_id"], row["span_id"]), []))
                if any(new[name] != row[name] for name in new.keys() & row.keys()):
                    fresh.append(shorten({**row, **new}, self._blobs))
        for start in range(0, len(fresh), 20_000):
            self._publisher.publish(
                self._engine.replacement(self._engine.manifest(), fresh[start : start + 20_000]), []
            )
        return len(fresh)

    # -- looking after ---------------------------------------------------------------------------------------------

    def check(self, *, repair: bool = False) -> CheckReport:
        """Verify the database, every listed file (size, SHA-256, row count, times) and the keys across files."""
        problems: list[str] = []
        with self._meta.read() as con:
            verdict = con.execute("pragma integrity_check").fetchone()[0]
        if verdict != "ok":
            problems.append(f"{META}: {verdict}")
        snapshot = self._engine.snapshot()
        segments = [segment for files in snapshot.segments.values() for segment in files]
        lost: Counter[str] = Counter()
        broken = []
        for segment in segments:
            problem = damage(self._folder, segment) or self._disagreement(segment)
            if problem:
                problems.append(describe_damage(segment, problem))
                lost[segment.tbl] += segment.rows
                broken.append(segment)
        if not broken:
            problems += self._doubled(snapshot)
            apart = len(self._run(snapshot, _APART, ("spans", "traces")))
            problems += [f"traces: {apart} rows disagree with the spans of their trace"] if apart else []
            problems += self._lost_blobs(snapshot)
        if broken and repair:
            with self._publisher.locked():
                with self._meta.write(durable=True) as writer:
                    self._publisher.retire(writer, [segment.path for segment in broken])
                    move_manifest(writer)
                self._resettle()
        rows = sum(segment.rows for segment in segments)
        return CheckReport(segments=len(segments), rows=rows, problems=tuple(problems), lost_rows=dict(lost))

    def _disagreement(self, segment: Segment) -> str | None:
        """Return how a file that is whole differs from its manifest record, or None."""
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        key = TIME_COLUMN[segment.tbl]
        times = pq.read_table(self._folder / segment.path, columns=[key], partitioning=None)[key]
        if len(times) != segment.rows:
            return f"{len(times)} rows instead of {segment.rows}"
        bounds: Any = pc.min_max(times).as_py()
        if (bounds["min"], bounds["max"]) != (segment.min_ns, segment.max_ns):
            return "its times differ from the manifest"
        return None

    def _run(self, snapshot: Snapshot, query: str, views: Sequence[str], params: Any = None) -> list[Row]:
        bounds = dict.fromkeys(views, OPEN)
        rows: list[Row] = self._engine.run(snapshot, query, params, bounds).to_arrow_table().to_pylist()
        return rows

    def _resettle(self) -> None:
        """Put the rows of traces in step with the spans that are left, under the caller's lock."""
        snapshot = self._engine.manifest()
        apart = self._run(snapshot, _APART, ("spans", "traces"))
        over = Overlay(dead_traces=[row["trace_id"] for row in apart if row["has_row"]])
        left = [row["trace_id"] for row in apart if row["spans"]]
        for start in range(0, len(left), 1000):
            columns = ", ".join(FACT_COLUMNS)
            query = f"select {columns} from spans where trace_id in (select unnest(?))"
            by_trace: dict[str, list[Row]] = defaultdict(list)
            for row in self._run(snapshot, query, ("spans",), [left[start : start + 1000]]):
                by_trace[row["trace_id"]].append(row)
            over.traces += [
                trace_row(rows, rollup(rows), [row for row in rows if row["is_call"]]) for rows in by_trace.values()
            ]
        if apart:
            self._publisher.publish(over, [])

    def _lost_blobs(self, snapshot: Snapshot) -> list[str]:
        """Return a problem for every blob that a row refers to and that cannot be read."""
        problems = []
        for name in sorted(self._blobs_in_use(snapshot) if self._blobs.exists() else ()):
            try:
                self._blobs.get(name)
            except StoreError as error:
                problems.append(str(error))
            except NotFoundError:
                # Anyone can write a text that looks like the name of a blob.
                problems.append(
                    f"blobs/{name}: missing, or a text that only looks like its name; rows keep its beginning"
                )
        return problems

    def _doubled(self, snapshot: Snapshot) -> list[str]:
        """Return a problem for every table with a key that is there twice."""
        found = []
        for tbl, key in _UNIQUE.items():
            query = f"select count(*), count(distinct ({key})) from {tbl}"  # fixed tables
            total, distinct = self._engine.run(snapshot, query, None, {tbl: OPEN}).fetchall()[0]
            if total != distinct:
                found.append(f"{tbl}: {total - distinct} rows have a key that is there twice")
        return found

    def backup(self, target: Path) -> Path:
        """Copy the store as it is at one moment into a new folder, while others go on writing."""
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise UsageError(f"{target} is there already; name a new or empty folder for the backup")
        target.mkdir(parents=True, exist_ok=True)
        # The lock keeps every file of the copied manifest in its place until it is copied.
        with self._publisher.locked(), contextlib.closing(sqlite3.connect(target / META)) as copy:
            self._meta.connection().backup(copy)
            paths = [row[0] for row in copy.execute("select path from segments")]
            copy.execute("delete from retired")
            copy.commit()
            for relative in paths:
                if (self._folder / relative).is_file():
                    _copy(self._folder / relative, target / relative)
            for blob in (self._folder / "blobs").glob("*/*"):
                if not blob.name.endswith(".tmp"):
                    _copy(blob, target / blob.relative_to(self._folder))
        return target

    def export(self, target: Path) -> Path:
        """Write every public view into one DuckDB file (``*.duckdb``) or into a folder of Parquet files."""
        import duckdb

        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            raise UsageError(f"{target} is there already; name a new file or an empty folder for the export")
        snapshot = self._engine.snapshot()
        as_file = target.suffix == ".duckdb"
        if as_file:
            target.parent.mkdir(parents=True, exist_ok=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(duckdb.connect(":memory:")) as out:
            out.execute("set TimeZone='UTC'")
            if as_file:
                # The oldest DuckDB that is supported must be able to read it.
                out.execute(
                    f"attach '{str(target).replace(chr(39), chr(39) * 2)}' as target (storage_version 'v1.5.0')"
                )
            for name in VIEW_NAMES:
                with self._engine.view_reader(snapshot, name) as reader:
                    out.register("source", reader)
                    if as_file:
                        out.execute(f"create table target.{name} as select * from source")
                    else:
                        file = str(target / f"{name}.parquet").replace("'", "''")
                        out.execute(f"copy (select * from source) to '{file}' (format parquet, compression zstd)")
                    out.unregister("source")
            if as_file:
                out.execute("detach target")
        return target


def _is_small(segment: Segment) -> bool:
    return segment.rows < FULL_ROWS // 2 and segment.raw_bytes < FULL_BYTES // 2


def damage_quickly(folder: Path, segment: Segment) -> bool:
    """Return whether a file is missing or has the wrong size, without reading it."""
    try:
        return (folder / segment.path).stat().st_size != segment.bytes
    except OSError:
        return True


def drop_dead(table: pa.Table, dead: dict[tuple[str, str], int]) -> tuple[pa.Table, list[tuple[str, str]]]:
    """Return a stored table without its replaced rows, and the keys of those."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not dead:
        return table, []
    suspects = pa.array({key[0] for key in dead}, table["trace_id"].type)
    at: list[Any] = pc.indices_nonzero(pc.is_in(table["trace_id"], value_set=suspects)).to_pylist()
    if not at:
        return table, []
    few = table.take(at)
    traces: list[Any] = few["trace_id"].to_pylist()
    revs: list[Any] = few["rev"].to_pylist()
    spans: list[Any] = few["span_id"].to_pylist() if "root_span_id" not in table.column_names else [""] * len(at)
    gone = {
        position: (trace, span)
        for position, trace, span, rev in zip(at, traces, spans, revs, strict=True)
        if rev < dead.get((trace, span), 0)
    }
    if not gone:
        return table, []
    mask = [position not in gone for position in range(table.num_rows)]
    return table.filter(pa.array(mask)), list(gone.values())


def _copy(source: Path, target: Path) -> None:
    """Copy a file, making its folder; no link, so that damage to one does not reach the other."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
