"""Housekeeping: compaction, retention, rewriting and checking."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lmops.store._long import KEY, LONG_COLUMNS, references, resolve, shorten
from lmops.store._manifest import move_manifest
from lmops.store._planner import OPEN
from lmops.store._results import old_runs
from lmops.store._segments import records
from lmops.store._tables import STORED, filed
from lmops.store._verify import refuse_unread

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Mapping, Sequence
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
            if self._publisher.is_damaged(segment):
                continue
            group.append(segment)
            rows += segment.rows
            size += segment.raw_bytes
        return group if len(group) > 1 else []

    def _merge(self, tbl: str, group: Sequence[Segment]) -> None:
        import pyarrow as pa

        dead = self.dead(tbl)
        buried: Counter[tuple[str, str]] = Counter()
        tables = []
        for segment in group:
            table, removed = drop_dead(self._read(segment), dead)
            tables.append(table)
            buried.update(removed)
        whole = pa.concat_tables(tables)
        with self._publisher.files() as written:
            if whole.num_rows:
                written.append(self._publisher.write_file(tbl, whole))
            self._swap(group, written, {tbl: buried})
        self._forget()

    def _read(self, segment: Segment) -> pa.Table:
        import pyarrow.parquet as pq

        return pq.read_table(self._folder / segment.path, partitioning=None)

    def dead(self, tbl: str) -> dict[tuple[str, str], int]:
        rows = self._meta.connection().execute(
            "select trace_id, span_id, before_rev from dead_rows where tbl = ?", (tbl,)
        )
        return {(row[0], row[1]): row[2] for row in rows}

    def _swap(
        self,
        old: Sequence[Segment],
        written: Sequence[Written],
        buried: Mapping[str, Counter[tuple[str, str]]],
        note: Callable[[sqlite3.Connection], None] = lambda _: None,
    ) -> None:
        """Swap segments for new ones in one transaction.

        Args:
            old: What goes.
            written: What comes.
            buried: Replaced rows that are really gone now.
            note: Keeps, in the same transaction, that it was done.
        """
        # The old files are unlinked later, which a power cut must not outlive without this.
        with self._meta.write(durable=True) as con:
            for file in written:
                file.insert(con)
            self._publisher.retire(con, [segment.path for segment in old])
            con.executemany(
                "update dead_rows set copies = copies - ? where tbl = ? and trace_id = ? and span_id = ?",
                [(count, tbl, *key) for tbl, keys in buried.items() for key, count in keys.items()],
            )
            con.execute("delete from dead_rows where copies <= 0")
            move_manifest(con)
            note(con)

    def _forget(self) -> None:
        live = {segment.path for files in self._engine.manifest().segments.values() for segment in files}
        self._engine.members.forget(live)

    # -- retention -------------------------------------------------------------------------------------------------

    def retain(
        self, since_ns: int, *, before: Mapping[str, int], note: Callable[[sqlite3.Connection, Mapping[str, int]], None]
    ) -> dict[str, int]:
        """Remove every trace that started before a time, with all its spans and logs, and the cases of old runs.

        Args:
            since_ns: The time.
            before: What an earlier attempt, which was cut short, has removed.
            note: Keeps what is removed so far, in the transaction that removes it.

        Returns:
            The rows removed, by table, those of earlier attempts included.
        """
        self._publisher.drain()
        removed = dict.fromkeys(STORED, 0) | dict(before)
        with self._publisher.locked():
            snapshot = self._engine.manifest()
            views = {"traces": OPEN}
            query = "select trace_id from traces where start_ns < ?"
            old = self._engine.run(snapshot, query, [since_ns], views).to_arrow_table()["trace_id"].combine_chunks()
            self._remove(snapshot, old, removed, note)
            self._forget()
            self._publisher.sweep(grace_s=GRACE_S)
            left = self._engine.snapshot()
            # Rows that cannot be read at the moment may need theirs.
            if any(removed.values()) and self._blobs.exists() and self._engine.is_whole(left):
                self._blobs.sweep(self.blobs_in_use(left))
        return self._engine.results.retain(self._publisher, since_ns, removed, note)

    def old(self, since_ns: int) -> dict[str, int]:
        """Return how many traces started before a time, how many spans these have, and how many cases old runs."""
        query = (
            "select (select count(*) from traces where start_ns < $since) as traces, (select count(*) from spans "
            "where trace_id in (select trace_id from traces where start_ns < $since)) as spans"
        )
        (found,) = self._engine.rows(self._engine.snapshot(), query, ("traces", "spans"), {"since": since_ns})
        with self._meta.read() as con:
            runs = old_runs(con, since_ns)
        cases = self._engine.sql("select count(*) from results where run_id in (select unnest($1))", [runs])
        return {**found, "cases": cases.fetchall()[0][0]}

    def known(self, trace_ids: Collection[str]) -> set[str]:
        """Return those of some traces that are in the store."""
        if not trace_ids:
            return set()
        query = "select trace_id from traces where trace_id in (select unnest(?))"
        snapshot = self._engine.snapshot()
        found = self._engine.run(snapshot, query, [[*trace_ids]], {"traces": OPEN}).fetchall()
        return {row[0] for row in found}

    def _remove(
        self,
        snapshot: Snapshot,
        trace_ids: pa.Array[Any],
        removed: dict[str, int],
        note: Callable[[sqlite3.Connection, Mapping[str, int]], None],
    ) -> None:
        """Write the segments that hold rows of traces again without them.

        The spans of an old trace may be young, and in any segment.
        """
        buried: dict[str, Counter[tuple[str, str]]] = {tbl: Counter() for tbl in STORED}
        replaced = []
        with self._publisher.files() as written:
            for tbl in STORED:
                dead = self.dead(tbl)
                for segment in snapshot.segments.get(tbl, ()):
                    if self._publisher.is_damaged(segment) or not self._has_any(segment, trace_ids):
                        continue
                    live, keep = self._part(segment, trace_ids, dead, buried[tbl])
                    removed[tbl] += live
                    replaced.append(segment)
                    if keep.num_rows:
                        written.append(self._publisher.write_file(tbl, keep))
            if replaced:
                self._swap(replaced, written, buried, lambda con: note(con, removed))

    def erase_traces(self, trace_ids: Sequence[str]) -> None:
        """Remove traces with every copy of their rows from all segments that can be read, at once.

        Replaced files go now, and not after the usual while: a reader that has not opened them yet no longer can.
        """
        import pyarrow as pa

        self._publisher.drain()
        with self._publisher.locked():
            snapshot = self._engine.manifest()
            ids = pa.array(trace_ids, pa.string())
            self._remove(snapshot, ids, dict.fromkeys(STORED, 0), lambda _con, _removed: None)
            self._forget()
            self._publisher.sweep(grace_s=0)

    def unreadable(self) -> list[dict[str, Any]]:
        """Return the places of all that is not what was written: path, and where the rows lie in time.

        Segments, also missing ones, and writes of the inbox, which a repair sets aside.

        Raises:
            StoreError: The disk or the rights keep one from being read; nothing is known of it.
        """
        files = self._listed(filed())
        broken = self._engine.verified.broken(files)
        refuse_unread(broken)
        writes = [{"path": path, "min_ns": None, "max_ns": None} for path in self._damaged_writes()]
        return [*(_place(one) for one in files if one.path in broken), *writes]

    def _damaged_writes(self) -> list[str]:
        """Return the names of the writes of the inbox that are not what was written."""
        return [f"inbox/{seq}" for seq in self._engine.snapshot().damaged]

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

    def blobs_in_use(self, snapshot: Snapshot) -> set[str]:
        """Return the names of the blobs that rows of a snapshot refer to."""
        columns = ", ".join(LONG_COLUMNS)
        marked = " or ".join(f"contains({column}, '{KEY}')" for column in LONG_COLUMNS)
        query = f"select {columns} from spans where {marked}"
        return {name for row in self._engine.rows(snapshot, query, ("spans",)) for _, name in references(row)}

    # -- rewriting -------------------------------------------------------------------------------------------------

    def rewrite_spans(
        self,
        change: Change,
        *,
        where: Mapping[str, str] | None,
        on_segment: Callable[[Collection[int], int, int], None],
        before_segment: Callable[[], None] = lambda: None,
        done: Collection[int] = (),
        passed: Sequence[Mapping[str, Any]] = (),
    ) -> tuple[int, list[dict[str, Any]]]:
        """Pass every stored span through ``change`` and settle the traces of those that came out different.

        Works segment by segment, so that memory stays bounded and a killed process has rewritten whole segments only.
        Segments that others make meanwhile (a drain, a compaction) get their turn as well.

        Args:
            change: Returns the row as it should be (the same row when nothing changes), and gets its log events.
            where: Only spans where one of these columns has this value; None for all.
            before_segment: Called before each segment, while nobody else can publish rows.
            on_segment: Called after each with (ids of the segments done, how many there are, spans changed).
            done: Ids of segments that were done before.
            passed: What an earlier rewriting has passed over: only what lies where it lay. Empty for all.

        Returns:
            How many spans changed, and what was passed over because it cannot be read: its path, and where its rows
            lie in time, whatever file they are in when they are there again.
        """
        self._publisher.drain()
        changed = 0
        seen = set(done)
        unread: dict[int, Segment] = {}
        while True:
            with self._publisher.locked():
                segments = [one for one in self._spans() if not passed or _lies_in(one, passed)]
                segment = next((one for one in segments if one.segment_id not in seen | unread.keys()), None)
                if segment is None:
                    left = [unread[one.segment_id] for one in segments if one.segment_id in unread]
                    return changed, list(map(_place, left))
                if self._publisher.is_damaged(segment):
                    unread[segment.segment_id] = segment
                    continue
                before_segment()
                changed += self._rewrite(segment, change, where, seen)
            on_segment(seen, len(segments), changed)

    def has_to_wait(self, passed: Sequence[Mapping[str, Any]]) -> bool:
        """Return whether all that was passed over is still what cannot be read."""
        paths = {one["path"] for one in passed}
        there = [one for one in self._listed(filed()) if one.path in paths]
        broken = paths.intersection([*self._engine.verified.broken(there), *self._damaged_writes()])
        return bool(paths) and broken == paths

    def _spans(self) -> list[Segment]:
        """Return the files of spans, and those that may be."""
        return self._listed(("spans",))

    def _listed(self, tables: Collection[str]) -> list[Segment]:
        """Return the files of some tables, and all whose record is damaged: it may be one, of any time."""
        with self._meta.read() as con:
            listed = records(con)
        return [
            one if one.is_intact else replace(one, min_ns=None, max_ns=None)
            for one in listed
            if one.tbl in tables or not one.is_intact
        ]

    def _rewrite(self, segment: Segment, change: Change, where: Mapping[str, str] | None, seen: set[int]) -> int:
        """Rewrite what changes of one segment; it, and the segments that hold nothing but such rows, are ``seen``."""
        import pyarrow as pa
        import pyarrow.compute as pc

        seen.add(segment.segment_id)
        snapshot = self._engine.manifest()
        table, _ = drop_dead(self._read(segment), self.dead("spans"))
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
            batch = fresh[start : start + 20_000]
            known = {one.segment_id for one in self._spans()}
            over = self._engine.replacement(self._engine.manifest(), batch)
            self._publisher.publish(over, [])
            if len(over.spans) == len(batch):
                # With them came none of the others of their traces, which may lie in a segment that waits for its turn.
                seen.update(one.segment_id for one in self._spans() if one.segment_id not in known)
        return len(fresh)


def _place(segment: Segment) -> dict[str, Any]:
    """Return where the rows of a segment lie, whatever file they are in when they are there again."""
    return {"path": segment.path, "min_ns": segment.min_ns, "max_ns": segment.max_ns}


def _lies_in(segment: Segment, places: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether rows of a segment may lie in one of these places; what has no time may lie anywhere."""
    return segment.min_ns is None or any(
        place["min_ns"] is None or segment.overlaps(place["min_ns"], place["max_ns"]) for place in places
    )


def _is_small(segment: Segment) -> bool:
    return segment.rows < FULL_ROWS // 2 and segment.raw_bytes < FULL_BYTES // 2


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
