"""Repair: what is whole of a damaged file is kept, the file is set aside, and the audit chain says so.

Each thing is mended in a transaction of its own, with its event: a killed repair is repeated and finds the rest. A
file is moved after its rows are safe elsewhere; one that was not moved any more is a stray, which is set aside later.
"""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

from lmops.calc.rollup import rollup
from lmops.errors import DamagedStoreError
from lmops.store._chain import append_event
from lmops.store._filesystem import META, inside
from lmops.store._hashes import key_text
from lmops.store._identity import segment_files
from lmops.store._maintenance import drop_dead
from lmops.store._manifest import move_manifest, replaced_rows, write_dead
from lmops.store._overlay import FACT_COLUMNS, Overlay, trace_row
from lmops.store._planner import OPEN
from lmops.store._quarantine import QUARANTINE, keep, set_aside
from lmops.store._salvage import described, salvage
from lmops.store._seals import LOST_CASES, Named, note
from lmops.store._segments import Segment, any_text, file_sha256, seal
from lmops.store._tables import filed
from lmops.store._verify import refuse_unread
from lmops.store.schema import schema

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pyarrow as pa

    from lmops.store._drain import Publisher
    from lmops.store._engine import Engine
    from lmops.store._maintenance import Maintenance
    from lmops.store._meta import Meta
    from lmops.store._segments import Written
    from lmops.store._snapshot import Snapshot

Row = dict[str, Any]
#: Traces whose row does not count the spans that are there, on either side.
APART: Final = """
select coalesce(t.trace_id, s.trace_id) as trace_id, t.trace_id is not null as has_row, coalesce(s.spans, 0) as spans
from traces t full join (select trace_id, count(*) as spans from spans group by trace_id) s on s.trace_id = t.trace_id
where t.span_count is distinct from s.spans
"""


class Repair:
    """Mends one store."""

    def __init__(
        self, folder: Path, meta: Meta, engine: Engine, publisher: Publisher, maintenance: Maintenance, *, actor: str
    ) -> None:
        self._folder = folder
        self._meta = meta
        self._engine = engine
        self._publisher = publisher
        self._maintenance = maintenance
        self._actor = actor

    def run(self, broken: Iterable[tuple[Segment, str]]) -> Counter[str]:
        """Mend the inbox, the manifest and these segments; return the rows kept of the segments, by table."""
        kept: Counter[str] = Counter()
        with self._publisher.locked():
            self._settle_lost()
            self._mend_inbox()
            self._mend_spill()
            self._mend_manifest()
            self._mend_dead()
            lost: list[tuple[str, int]] = []
            for segment, problem in broken:
                whole = self._mend_segment(segment, problem)
                kept[segment.tbl] += whole
                lost.append((segment.tbl, segment.rows - whole))
            self._say_lost_cases([one for one in lost if one[0] in schema().packed.views])
            self._mend_counts()
            resettle(self._engine, self._publisher)
        return +kept

    def _event(self, con: sqlite3.Connection, subject: str, after: Row) -> None:
        append_event(con, actor=self._actor, action="store.repair", subject=subject, after=after)

    def _settle_lost(self) -> None:
        """Write down that acknowledged writes were lost; nothing brings them back from here."""
        if self._meta.lost is not None:
            problem = self._meta.lost
            with self._meta.write(durable=True) as con:
                self._event(con, META, {"problem": problem})
                self._meta.settle_lost(con)

    def _mend_inbox(self) -> None:
        """Move damaged writes of the inbox into ``quarantine/``."""
        for seq in self._engine.snapshot().damaged:
            with self._meta.read() as con:
                found = con.execute("select rows, payload from inbox where seq = ?", (seq,)).fetchone()
            content = found[1] if isinstance(found[1], bytes) else str(found[1]).encode()
            name = keep(self._folder, f"inbox-{seq}.json", content)
            with self._meta.write(durable=True) as con:
                con.execute("delete from inbox where seq = ?", (seq,))
                _count_inbox(con)
                self._event(con, f"inbox/{seq}", {"rows_lost": found[0], "kept_at": name})

    def _mend_spill(self) -> None:
        """Set aside what dead processes left on the disk and cannot be read."""
        for path, problem in list(self._meta.unread.items()):
            place = inside(self._folder, path)
            if place is None:
                continue  # a link; what it leads to was not written here
            if place.is_file():
                with self._meta.write(durable=True) as con:
                    self._event(con, path, {"problem": problem, "file": f"{QUARANTINE}/{path}"})
                set_aside(self._folder, path)
            del self._meta.unread[path]

    def _mend_manifest(self) -> None:
        """Write damaged records of the manifest anew, from the files that they listed."""
        with self._meta.read() as con, any_text(con):
            rows = [dict(row) for row in con.execute("select * from segments")]
            bad = [row for row in rows if not Segment.from_row(row).is_intact]  # type: ignore[arg-type]  # a mapping of columns
        listed = {row["path"] for row in rows if row not in bad}
        for row in bad:
            file = self._file_of(row, listed)
            with self._publisher.files(), self._meta.write(durable=True) as con:
                con.execute("delete from segments where segment_id = ?", (row["segment_id"],))
                con.execute("update counters set value = value - 1 where name = 'segments'")
                if file is not None:
                    file.insert(con)
                    listed.add(file.path)
                after = {"record": "rewritten from the file", "rows_lost": 0}
                if file is None:
                    after = {"record": "removed; no whole file belongs to it", "rows_lost": row["rows"]}
                self._event(con, file.path if file else str(row["path"]), after)
                move_manifest(con)

    def _file_of(self, row: Row, listed: set[str]) -> Written | None:
        """Return the record of the file that a damaged record meant."""
        strays = [path for path in segment_files(self._folder) if path.endswith(".parquet") and path not in listed]
        strays.sort(key=lambda path: path != row["path"])
        for path in strays:
            with contextlib.suppress(DamagedStoreError, OSError):
                if not (self._folder / path).is_file():
                    continue  # a pipe would be waited for
                if path == row["path"] or file_sha256(self._folder / path) == row["sha256"]:
                    return described(self._folder, path)
        return None

    def _mend_dead(self) -> None:
        """Drop damaged records of replaced rows, and find out anew from the files what was replaced."""
        with self._meta.read() as con, any_text(con):
            rows = con.execute("select tbl, trace_id, span_id, before_rev, seal from dead_rows").fetchall()
        if all(row["seal"] is None or row["seal"] == seal(*tuple(row)[:4]) for row in rows):
            return
        snapshot = self._engine.manifest()
        files = [segment for tbl in ("spans", "traces") for segment in snapshot.segments.get(tbl, ())]
        broken = self._engine.verified.broken(files)
        with contextlib.closing(self._engine.cursor()) as cursor:
            readable = [(one.tbl, one.path) for one in files if one.path not in broken]
            found = replaced_rows(cursor, self._folder, readable)
        with self._publisher.files(), self._meta.write(durable=True) as con:
            con.execute("delete from dead_rows")
            write_dead(con, found)
            self._event(con, f"{META}: dead_rows", {"records": len(found)})
            move_manifest(con)

    def _mend_segment(self, segment: Segment, problem: str) -> int:
        """Keep what is whole of a damaged segment and set the file aside; return the rows kept."""
        path = inside(self._folder, segment.path)
        is_there = path is not None and path.is_file()
        table = salvage(path, segment.tbl) if path is not None and is_there else None
        whole = 0 if table is None else table.num_rows
        buried: Counter[tuple[str, str]] = Counter()
        if table is not None and segment.tbl != "logs":
            if "rev" in table.column_names:
                table, gone = drop_dead(table, self._maintenance.dead(segment.tbl))
                buried.update(gone)
            table = self._without_known(segment.tbl, table)
        with self._publisher.files() as written:
            if table is not None and table.num_rows:
                written.append(self._publisher.write_file(segment.tbl, table))
            with self._meta.write(durable=True) as con:
                for file in written:
                    file.insert(con)
                self._publisher.unlist(con, [segment.path])
                con.executemany(
                    "update dead_rows set copies = copies - ? where tbl = ? and trace_id = ? and span_id = ?",
                    [(count, segment.tbl, *key) for key, count in buried.items()],
                )
                con.execute("delete from dead_rows where copies <= 0")
                after = {
                    "problem": problem, "table": segment.tbl, "rows_kept": whole, "rows_lost": segment.rows - whole,
                    "kept_in": [file.path for file in written], "file": f"{QUARANTINE}/{segment.path}",
                }  # fmt: skip  # columns that belong together share a line
                self._event(con, segment.path, after if is_there else after | {"file": None})
                move_manifest(con)
        if is_there:
            set_aside(self._folder, segment.path)
        return whole

    def _say_lost_cases(self, lost: Sequence[tuple[str, int]]) -> None:
        """Name the runs whose cases or scores were lost with files, with the hash of what is left of them.

        Args:
            lost: (table, rows) of each file of results that was mended.
        """
        # A file that lost nothing and is another one was written by somebody, who must not be covered up.
        if not lost or not all(rows for _, rows in lost):
            return
        packed = schema().packed
        owners, counted = packed.owners
        key = ", ".join(packed.rows.key)
        query = (
            f"select {packed.owner}, count(*) as cases, count(*) filter (({key}) not in "
            f"(select ({key}) from {packed.parts.name})) as bare from {packed.rows.name} group by all"  # our own names
        )
        there = {row[packed.owner]: row for row in self._engine.sql(query).to_arrow_table().to_pylist()}
        hashes = self._engine.results.hashes(self._engine.sql, None)
        with self._meta.write(durable=True) as con:
            named: Named = {}
            for event_id, said in con.execute("select event_id, records from audit where records is not null"):
                note(named, event_id, said)
            of_runs = named.get(packed.table, {})
            gone: dict[str, dict[str, int]] = {}
            for run in self._engine.records(con, owners)[0]:
                row = there.get(run[packed.owner], {"cases": 0, "bare": 0})
                missing = {"cases": run[counted] - row["cases"], "cases_without_scores": row["bare"]}
                digest = of_runs.get(key_text([run[packed.owner]]), (0, None))[1]
                if digest is not None and digest != hashes.get(run[packed.owner]) and any(missing.values()):
                    gone[run[packed.owner]] = missing
            # More than the files held was not lost with them.
            files_lost = sum(rows for tbl, rows in lost if tbl == packed.rows.name)
            if not gone or sum(one["cases"] for one in gone.values()) != files_lost:
                return
            left = {key_text([run_id]): hashes.get(run_id) for run_id in gone}
            append_event(
                con, actor=self._actor, action=LOST_CASES, subject=packed.table, after={"lost": gone},
                named={packed.table: left},
            )  # fmt: skip  # arguments that belong together share a line

    def _without_known(self, tbl: str, table: pa.Table) -> pa.Table:
        """Return the rows whose keys no other file has: they may have been read in again from their source."""
        import pyarrow as pa

        keys = filed()[tbl].key
        query = f"select {', '.join(keys)} from {tbl}"  # fixed names
        snapshot = self._engine.manifest()
        live = self._engine.run(snapshot, query, None, {tbl: OPEN}, warn=False).to_arrow_table()
        asked = table.select(list(keys)).append_column("at", pa.array(range(table.num_rows), pa.int64()))
        live = live.cast(asked.select(list(keys)).schema)
        fresh = asked.join(live, list(keys), join_type="left anti")["at"].combine_chunks().sort()
        return table.take(fresh)

    def _mend_counts(self) -> None:
        with self._meta.write(durable=True) as con:
            _count_inbox(con)
            con.execute("update counters set value = (select count(*) from segments) where name = 'segments'")


def _count_inbox(con: sqlite3.Connection) -> None:
    con.execute("update counters set value = (select coalesce(sum(rows), 0) from inbox) where name = 'inbox_rows'")


def resettle(engine: Engine, publisher: Publisher) -> None:
    """Put the rows of traces in step with the spans that are there, under the caller's lock."""
    snapshot: Snapshot = engine.manifest()
    listed = [segment for tbl in ("spans", "traces") for segment in snapshot.segments.get(tbl, ())]
    refuse_unread(engine.verified.broken(listed))
    apart = engine.rows(snapshot, APART, ("spans", "traces"))
    over = Overlay(dead_traces=[row["trace_id"] for row in apart if row["has_row"]])
    left = [row["trace_id"] for row in apart if row["spans"]]
    for start in range(0, len(left), 1000):
        columns = ", ".join(FACT_COLUMNS)
        query = f"select {columns} from spans where trace_id in (select unnest(?))"
        by_trace: dict[str, list[Row]] = defaultdict(list)
        for row in engine.rows(snapshot, query, ("spans",), [left[start : start + 1000]]):
            by_trace[row["trace_id"]].append(row)
        over.traces += [
            trace_row(rows, rollup(rows), [row for row in rows if row["is_call"]]) for rows in by_trace.values()
        ]
    if apart:
        publisher.publish(over, [])
