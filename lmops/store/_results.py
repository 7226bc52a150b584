"""Results of evaluations: rows in SQLite while they are few, Parquet segments when there are many.

A finished case is one row of the table that a room declares as packed. Rows with status ok never change again: when
there are many, they move into segments, in one transaction that lists the files and deletes the rows. Everything else
(errors, cases that were not run) stays, because a run that is resumed may replace it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import json
import math
import operator
import sqlite3
import threading
import time
import zlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.store._alive import Process, is_alive
from lmops.store._filesystem import META, inside
from lmops.store._manifest import move_manifest
from lmops.store._segments import any_text, manifest
from lmops.store.schema import TIME, schema, stored_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from lmops.store._drain import Publisher
    from lmops.store._meta import Meta
    from lmops.store._segments import Segment
    from lmops.store.schema import Packed, PackedView

#: So many finished rows are worth a segment.
PACK_ROWS: Final = 5_000
#: The most rows that one pack moves: its transaction must not hold up other writers for long.
BATCH_ROWS: Final = 50_000
#: So many damaged cases are named, the others counted.
_NAMED: Final = 5
#: Rows with the checksums that belong to them, by their hash: each is worked out once in a process.
_KNOWN: Final[set[int]] = set()
_KNOWN_ROWS: Final = 200_000


class Layout(NamedTuple):
    """The table as its statements name it."""

    packed: Packed
    select: str
    where: str
    #: where a row has columns that SQLite keeps as REAL: a whole number comes back as a fraction
    reals: tuple[int, ...]


@functools.cache
def layout() -> Layout:
    """Return the layout of the table whose rows move into files."""
    packed = schema().packed
    return Layout(
        packed=packed,
        select=f"select {', '.join(packed.stored)}, seal from {packed.table}",
        where=" and ".join(f"{name} = ?" for name in packed.rows.key),
        reals=tuple(at for at, (_, sql, _) in enumerate(packed.rows.columns) if sql == "DOUBLE"),
    )


class Live(NamedTuple):
    """What one SQLite snapshot holds of both tables: files of the manifest and the rows that are in none."""

    files: dict[str, tuple[Segment, ...]]
    rows: dict[str, pa.Table]
    #: what is damaged in the manifest
    problems: tuple[str, ...]


class Results:
    """The results of one store."""

    def __init__(self, folder: Path, meta: Meta) -> None:
        self._folder = folder
        self._meta = meta
        self._lock = threading.Lock()
        self._cached: tuple[object, Live] | None = None
        self._is_examined = False

    def after_fork(self) -> None:
        """Replace the lock, which a thread of the parent may have held; called in the child."""
        self._lock = threading.Lock()

    def live(self) -> Live:
        """Return the present state, read again only when the database has changed."""
        with self._lock, self._meta.read() as con:
            # The version is the connection's own count, and threads that end leave their numbers to new ones.
            state = (con, con.execute("pragma data_version").fetchone()[0], con.total_changes)
            if self._cached is None or self._cached[0] != state:
                files, problems = _files(con)
                rows, damaged = self._whole(con)
                self._cached = (state, Live(files, tables(rows), (*problems, *damaged)))
            return self._cached[1]

    def _whole(self, con: sqlite3.Connection) -> tuple[list[Any], list[str]]:
        """Return the rows that are what was written, and what is wrong with the others."""
        problems = [] if self._is_examined else misplaced(con, layout().packed.table)
        # A row that is gone from its page is found once in each process; what is in it, whenever it is read.
        self._is_examined = not problems
        rows = _rows(con, layout().select)
        whole = [row for row in rows if _is_sealed(row)]
        if len(whole) < len(rows):
            known = set(map(id, whole))
            lost = [f"{row[0]} {row[1]} {row[2]}" for row in rows if id(row) not in known]
            problems.append(
                f"{META}: {len(lost)} cases of evaluations have changed since they were written and are left out: "
                f"{', '.join(lost[:_NAMED])}{' ...' if len(lost) > _NAMED else ''} (resuming the run runs them again)"
            )
        return whole, problems

    # -- hashes ----------------------------------------------------------------------------------------------------

    def hashes(self, sql: Callable[..., duckdb.DuckDBPyRelation], run_id: str | None) -> dict[str, str]:
        """Return one SHA-256 over all cases and scores of a run, or of every run that has any, in a fixed order."""
        found: dict[str, Any] = {}
        for view in schema().packed.views.values():
            for batch in self._ordered(sql, view, run_id):
                rows = zip(*map(_values, batch.columns), strict=True)
                for one, held in itertools.groupby(rows, operator.itemgetter(0)):
                    digest = found.get(one) or found.setdefault(one, hashlib.sha256())
                    digest.update(_lines(list(held)))
        return {one: digest.hexdigest() for one, digest in found.items()}

    def _ordered(
        self, sql: Callable[..., duckdb.DuckDBPyRelation], view: PackedView, run_id: str | None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a run, or of every run, by their key; times as whole microseconds: what a segment keeps."""
        owner, live = schema().packed.owner, self.live()
        if run_id is not None and not live.problems and not any(live.files.values()):
            # They all lie here already, and are few.
            import pyarrow as pa
            import pyarrow.compute as pc

            table = live.rows[view.name]
            table = table.filter(pc.equal(table[owner], pa.scalar(run_id))).sort_by(
                [(name, "ascending") for name in view.key]
            )
            columns = [
                table[name].cast("int64") if sql_type == TIME else table[name] for name, sql_type, _ in view.columns
            ]
            yield from table.from_arrays(columns, [name for name, _, _ in view.columns]).to_batches(10_000)
            return
        shown = [f"epoch_us({name})" if sql_type == TIME else f'"{name}"' for name, sql_type, _ in view.columns]
        where = "" if run_id is None else f"where {owner} = ?"
        query = f"select {', '.join(shown)} from {view.name} {where} order by {', '.join(view.key)}"  # our own names
        yield from sql(query, None if run_id is None else [run_id], reads=[view.name]).to_arrow_reader(10_000)

    # -- packing ---------------------------------------------------------------------------------------------------

    def pack(self, publisher: Publisher, *, least: int = PACK_ROWS, wait: bool = False) -> int:
        """Move finished rows into segments when there are at least so many; return how many moved."""
        moved = 0
        while self._waiting() >= max(least, 1):
            # The lock keeps the sweep of stray files away from files that are not listed yet.
            with publisher.locked(timeout_s=-1 if wait else 0) as mine:
                batch = 0
                with contextlib.suppress(_ChangedError):
                    batch = self._pack_batch(publisher) if mine else 0
            moved += batch
            if batch < BATCH_ROWS:
                break
        return moved

    def _waiting(self) -> int:
        query = f"select count(*) from {layout().packed.table} where status = 'ok'"
        return int(self._meta.connection().execute(query).fetchone()[0])

    def _pack_batch(self, publisher: Publisher) -> int:
        with self._meta.read() as con:
            rows = _rows(con, f"{layout().select} where status = 'ok' limit ?", BATCH_ROWS)
        # One that is damaged stays where it is, and is named: a file would vouch for it.
        rows = [row for row in rows if _is_sealed(row)]
        if not rows:
            return 0
        with publisher.files() as written:
            for tbl, table in tables(rows).items():
                if table.num_rows:
                    written.append(publisher.write_file(tbl, table))
            with self._meta.write(durable=True) as con:
                for file in written:
                    file.insert(con)
                gone = con.executemany(
                    f"delete from {layout().packed.table} where {layout().where} and status = 'ok'",
                    [tuple(row[name] for name in layout().packed.rows.key) for row in rows],
                ).rowcount
                if gone != len(rows):
                    # Somebody deleted some of them meanwhile: the files must not bring them back.
                    raise _ChangedError
                move_manifest(con)
        return len(rows)

    # -- retention -------------------------------------------------------------------------------------------------

    def retain(
        self,
        publisher: Publisher,
        since_ns: int,
        before: Mapping[str, int],
        note: Callable[[sqlite3.Connection, Mapping[str, int]], None],
    ) -> dict[str, int]:
        """Remove the cases of runs that ended before a time, but of none that a verdict rests on.

        The runs themselves stay, with their totals.

        Args:
            publisher: Whose lock keeps others from moving them.
            since_ns: The time.
            before: Rows that are removed already, by table.
            note: Keeps what is removed so far, in the transaction that removes it.

        Returns:
            Rows removed by table, those of ``before`` included.
        """
        packed = layout().packed
        with publisher.locked():
            with self._meta.read() as con:
                old = old_runs(con, since_ns)
                files, _ = _files(con)
            removed = dict(before)
            with publisher.files() as written:
                retired = []
                for tbl, segments in files.items():
                    for segment in segments if old else ():
                        if publisher.is_damaged(segment):
                            continue
                        gone = self._without(segment, old, publisher, written)
                        if gone:
                            removed[tbl] = removed.get(tbl, 0) + gone
                            retired.append(segment.path)
                if not old:
                    return removed
                with self._meta.write(durable=True) as con:
                    for file in written:
                        file.insert(con)
                    publisher.retire(con, retired)
                    rows = con.executemany(
                        f"delete from {packed.table} where {packed.owner} = ?", [(one,) for one in old]
                    ).rowcount
                    if rows:
                        removed[packed.rows.name] = removed.get(packed.rows.name, 0) + rows
                    move_manifest(con)
                    note(con, removed)
        return removed

    def _without(self, segment: Segment, run_ids: Sequence[str], publisher: Publisher, written: list[Any]) -> int:
        """Write what is left of a segment without some runs; return the rows that go, 0 when it has none of them."""
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        path = inside(self._folder, segment.path)
        if path is None:
            return 0
        with contextlib.suppress(OSError):
            table = pq.read_table(path, partitioning=None)
            owners = table[layout().packed.owner]
            hit = pc.is_in(owners, value_set=pa.array(run_ids, owners.type))
            keep = table.filter(pc.invert(hit))
            if 0 < keep.num_rows < table.num_rows:
                written.append(publisher.write_file(segment.tbl, keep))
            return table.num_rows - keep.num_rows
        return 0


class _ChangedError(RuntimeError):
    """The rows changed while they were written to a file."""


def old_runs(con: sqlite3.Connection, since_ns: int) -> list[str]:
    """Return the runs that ended before a time, without those that a verdict rests on."""
    return [row[0] for row in con.execute(schema().packed.old, (since_ns,))]


def _values(column: pa.Array[Any]) -> list[Any]:
    """Return a column as a list: what Arrow makes value by value only where numpy would change it."""
    import pyarrow as pa

    if column.null_count == len(column):
        return [None] * len(column)
    if column.null_count and pa.types.is_primitive(column.type):
        return column.to_pylist()  # a missing number would become NaN
    found: list[Any] = column.to_numpy(zero_copy_only=False).tolist()
    return found


def _lines(rows: list[tuple[Any, ...]]) -> bytes:
    """Return rows as JSON lists, one after the other."""
    import orjson

    # One call for all of them takes a tenth of the time of a call for each.
    lists = orjson.dumps(rows)[1:-1].split(b"],[")
    if len(lists) > len(rows):  # a text holds what parts two lists
        return b"".join(map(orjson.dumps, rows))
    return b"][".join(lists)


def _files(con: sqlite3.Connection) -> tuple[dict[str, tuple[Segment, ...]], tuple[str, ...]]:
    segments, problems = manifest(con)
    segments.sort(key=lambda segment: segment.segment_id)
    return {name: tuple(one for one in segments if one.tbl == name) for name in schema().packed.views}, tuple(problems)


def case_seal(values: Sequence[Any]) -> int:
    """Return the checksum of a case: of its columns as SQLite gives them back, in the order of its row."""
    held = list(values)
    for at in layout().reals:
        if held[at] is not None:
            held[at] = None if math.isnan(held[at]) else float(held[at])
    kinds = [*map(type, held)]
    if bool in kinds:
        held = [int(value) if type(value) is bool else value for value in held]
        kinds = [int if kind is bool else kind for kind in kinds]
    seal = zlib.crc32(_ENCODER.encode(held).encode())
    if len(_KNOWN) >= _KNOWN_ROWS:
        _KNOWN.clear()
    _KNOWN.add(_content((*held, seal), (*kinds, int)))
    return seal


def _content(row: tuple[Any, ...], kinds: tuple[type, ...]) -> int:
    """Return the hash of a row with its types: 1 is not 1.0."""
    return hash((row, kinds))


_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), default=repr, check_circular=False)


def _rows(con: sqlite3.Connection, query: str, *values: object) -> list[Any]:
    """Return rows whatever their bytes are; the usual way is the faster one."""
    try:
        return con.execute(query, values).fetchall()
    except sqlite3.OperationalError:
        with any_text(con):
            return con.execute(query, values).fetchall()


def seal_case(con: sqlite3.Connection, *key: object) -> None:
    """Set the checksum of a case that was changed, in the transaction that changed it."""
    row = con.execute(f"{layout().select} where {layout().where}", key).fetchone()
    if row is not None:
        statement = f"update {layout().packed.table} set seal = ? where {layout().where}"
        con.execute(statement, (case_seal(tuple(row)[:-1]), *key))


def misplaced(con: sqlite3.Connection, table: str) -> list[str]:
    """Return what is wrong with the pages of one table of ours, its indexes included."""
    found = [row[0] for row in con.execute(f"pragma integrity_check({table})")]
    return [f"{META}: {table}: {one}" for one in found if one != "ok"]


def _is_sealed(row: Sequence[Any]) -> bool:
    """Return whether a row is what was written; one without a checksum passes."""
    row = tuple(row)
    try:
        if _content(row, tuple(map(type, row))) in _KNOWN:
            return True
        *values, seal = row
        return seal == case_seal(values) if seal is not None else isinstance(json.loads(values[-1]), list)
    except (TypeError, ValueError, OverflowError):
        return False


def tables(rows: Sequence[Sequence[Any]]) -> dict[str, pa.Table]:
    """Return rows of the table as the Arrow tables of both views."""
    import orjson

    packed = layout().packed
    columns: dict[str, Any] = dict(zip((*packed.stored, "seal"), zip(*rows, strict=True), strict=True)) if rows else {}
    held: dict[str, Any] = {name: columns.get(name, ()) for name in packed.stored}
    for name in (name for name, sql, _ in packed.rows.columns if sql == "BOOLEAN"):
        held[name] = [None if value is None else bool(value) for value in held[name]]
    at: list[int] = []
    parts: list[list[Any]] = []
    for position, text in enumerate(held[packed.parts.name]):
        found = orjson.loads(text)
        parts += found
        at += [position] * len(found)
    given: dict[str, Any] = dict(zip(packed.own, zip(*parts, strict=True), strict=True)) if parts else {}
    given = given or dict.fromkeys(packed.own, ())
    for name in (name for name in map(stored_name, packed.parts.columns) if name not in packed.own):
        given[name] = [held[name][position] for position in at]
    return {packed.rows.name: _arrow(packed.rows, held), packed.parts.name: _arrow(packed.parts, given)}


def _arrow(view: PackedView, columns: dict[str, Any]) -> pa.Table:
    """Return columns as a table with the columns of a view and the time by which segments are filed."""
    import pyarrow as pa

    kinds: dict[str, Any] = {
        "BIGINT": pa.int64(), "INTEGER": pa.int32(), "DOUBLE": pa.float64(), "VARCHAR": pa.string(),
        "BOOLEAN": pa.bool_(),
    }  # fmt: skip  # many words: packed, they are read at a glance
    made: dict[str, Any] = {}
    for column in view.columns:
        name, sql, _ = column
        if sql == TIME:
            micros = [None if ns is None else ns // 1000 for ns in columns[stored_name(column)]]
            made[name] = pa.array(micros, pa.timestamp("us", tz="UTC"))
        else:
            made[name] = pa.array(columns[name], kinds[sql])
    made[view.time] = pa.array(columns[view.time], pa.int64())
    return pa.table(made)


def with_liveness(rows: Sequence[Sequence[Any]], columns: Sequence[str], *, gone: str) -> list[list[Any]]:
    """Return rows in which work whose process is gone is ``gone`` rather than running.

    The last columns of a row, which no view shows, say who works on it: pid, its start, host, heartbeat.
    """
    at = columns.index("status")
    shown = []
    for row in rows:
        made = list(row[: len(columns)])
        pid, started, host, heartbeat = row[len(columns) :]
        if made[at] == "running":
            holder = Process(pid or 0, started, host or "")
            if pid is None or not is_alive(holder, heartbeat_ns=heartbeat, now_ns=time.time_ns()):
                made[at] = gone
        shown.append(made)
    return shown
