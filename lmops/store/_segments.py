"""Parquet segments: rows to Arrow, Arrow to a file that is whole before it has its name, and the manifest's record."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import json
import operator
import os
import sys
import time
import uuid
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from lmops.base.endings import Undone
from lmops.store._duck import literal
from lmops.store._filesystem import META, fsync_dir, make_durable_dir, make_file, remove_file
from lmops.store._tables import KEY_OF, SCHEMA_VERSION, STORED, TIME_COLUMNS, filed
from lmops.store.schema import schema, stored_name

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from lmops.store._overlay import Overlay

SEGMENTS_DIR: Final = "segments"
#: Rows with long texts come in smaller row groups: one is copied and packed in memory at a time.
ROW_GROUP_BYTES: Final = 16_000_000
#: Repeated values: a dictionary makes them small and lets filters skip. Free text gains nothing from one.
_DICTIONARY: Final = frozenset(
    [
        "name",
        "kind",
        "status",
        "error_type",
        "service",
        "environment",
        "provider",
        "requested_model",
        "model",
        "prompt_name",
        "prompt_version",
        "finish_reason",
        "tool_name",
        "index_fingerprint",
        "resource",
        "dialect",
        "scope",
        "normaliser_version",
        "is_call",
        "rev",
        "session_id",
        "user_id",
        "is_orphan",
        "run_id",
        "scorer",
        "system_fingerprint",
        "cluster",
    ]
)
_ARROW: Final = {"VARCHAR": "string", "BIGINT": "int64", "INTEGER": "int32", "DOUBLE": "float64", "BOOLEAN": "bool_"}
INT64_MAX: Final = 2**63 - 1
_INDEXED_SINCE: Final = 2


#: Keys of a footer: whose file it is, when it was published, and where each row group lies with its CRC-32.
FOOTER_STORE: Final = "lmops.store"
FOOTER_GENERATION: Final = "lmops.generation"
FOOTER_TABLE: Final = "lmops.table"
FOOTER_GROUPS: Final = "lmops.groups"
FOOTER_SCHEMA: Final = "lmops.schema"
_SEALED: Final = (
    "tbl", "path", "rows", "bytes", "raw_bytes", "min_ns", "max_ns", "sha256", "schema_version", "generation", "rev",
)  # fmt: skip  # many words: packed, they are read at a glance


_BUFFER_BYTES: Final = 1_000_000
#: What the manifest keeps of a file, and the journal with it.
MANIFEST_COLUMNS: Final = (*_SEALED, "created_ns", "seal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Whose file it is, and the generation of the manifest that first lists it."""

    store_id: str
    generation: int


def seal(*values: object) -> int:
    """Return the checksum of a row of ``meta.sqlite``, which has none of its own: a flipped bit shows."""
    return zlib.crc32(repr(values).encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Described:
    """What is said of a file of facts."""

    tbl: str
    path: str
    rows: int
    bytes: int
    raw_bytes: int
    min_ns: int | None
    max_ns: int | None
    sha256: str
    schema_version: int
    #: of the manifest that first listed it; None for files of stores that had none yet
    generation: int | None = None
    #: the highest revision of its rows
    rev: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment(_Described):
    """One file of the manifest."""

    segment_id: int
    #: the row of the manifest is what was written
    is_intact: bool = True

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Segment:
        """Return the segment of one row of the manifest."""
        values = {name: row[name] for name in ("segment_id", *_SEALED)}
        # Rows of older stores have neither generation nor seal.
        is_old = row["seal"] is None and row["generation"] is None
        return cls(**values, is_intact=is_old or row["seal"] == seal(*(values[name] for name in _SEALED)))

    def overlaps(self, since_ns: int | None, until_ns: int | None) -> bool:
        """Return whether a row of this segment may lie in [since, until]; rows without a time lie nowhere."""
        if self.min_ns is None or self.max_ns is None:
            return since_ns is None and until_ns is None
        return (since_ns is None or self.max_ns >= since_ns) and (until_ns is None or self.min_ns <= until_ns)


def records(con: sqlite3.Connection) -> list[Segment]:
    """Return the records of the manifest, newest last time first, those that have changed since as well."""
    with any_text(con):
        rows = con.execute("select * from segments order by max_ns desc, segment_id").fetchall()
    return [Segment.from_row(row) for row in rows]


def manifest(con: sqlite3.Connection) -> tuple[list[Segment], list[str]]:
    """Return the files that the manifest lists, newest last time first, and what is wrong with its records."""
    listed_files = records(con)
    good = [segment for segment in listed_files if segment.is_intact]
    problems = [
        f"{META}: the record of the segment {segment.path!r} has changed since it was written; its rows "
        "cannot be read, the rest can (ws.store.check(repair=True) puts it right from the file)"
        for segment in listed_files
        if not segment.is_intact
    ]
    count = len(listed_files)
    listed = con.execute("select value from counters where name = 'segments'").fetchone()
    if listed is not None and listed[0] != count:
        problems.append(
            f"{META}: the manifest lists {count} segments instead of {listed[0]}; rows may be missing "
            "(lmops store rescue builds it again from the files)"
        )
    return good, problems


@contextlib.contextmanager
def any_text(con: sqlite3.Connection) -> Iterator[None]:
    """Read text whose bytes are no UTF-8, as a flipped bit leaves it, instead of failing."""
    con.text_factory = lambda content: content.decode("utf-8", "backslashreplace")
    try:
        yield
    finally:
        con.text_factory = str


def arrow_schema(tbl: str) -> pa.Schema:
    """Return the physical schema of a fact table."""
    import pyarrow as pa

    fields = [pa.field(name, _arrow_type(sql)) for name, sql, _ in STORED[tbl]]
    fields += [pa.field(name, pa.timestamp("us", tz="UTC")) for name, _ in TIME_COLUMNS[tbl]]
    return pa.schema(fields)


def _arrow_type(sql: str) -> pa.DataType:
    import pyarrow as pa

    if sql.endswith("[]"):
        return pa.list_(_arrow_type(sql[:-2]))
    kind: pa.DataType = getattr(pa, _ARROW[sql])()
    return kind


def overlay_tables(over: Overlay, *, rev: int) -> dict[str, pa.Table]:
    """Return the spans and traces that an overlay adds, as Arrow tables by name."""
    calls = list(map(over.calls.get, map(KEY_OF, over.spans)))
    flags: dict[str, list[Any]] = {
        "is_call": [others is not None for others in calls],
        "duplicate_span_ids": [others or None for others in calls],
    }
    return {
        "spans": to_arrow("spans", over.spans, rev=rev, beside=flags),
        "traces": to_arrow("traces", over.traces, rev=rev),
    }


def to_arrow(
    tbl: str, rows: Sequence[Mapping[str, Any]], *, rev: int, beside: Mapping[str, Sequence[Any]] | None = None
) -> pa.Table:
    """Return fact rows as an Arrow table with the physical schema; every row gets revision ``rev``.

    ``beside``: columns that are not in the rows.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    schema = arrow_schema(tbl)
    beside = beside or {}
    names = [name for name, _, _ in STORED[tbl] if name != "rev" and name not in beside]
    try:
        values = list(zip(*map(operator.itemgetter(*names), rows), strict=True)) or [()] * len(names)
    except KeyError:
        values = [tuple(row.get(name) for row in rows) for name in names]
    made = {name: pa.array(column, schema.field(name).type) for name, column in zip(names, values, strict=True)}
    made |= {name: pa.array(column, schema.field(name).type) for name, column in beside.items()}
    made["rev"] = pa.repeat(pa.scalar(rev, pa.int64()), len(rows))
    for name, source in TIME_COLUMNS[tbl]:
        made[name] = pc.divide(made[source], 1000).cast(schema.field(name).type)
    return pa.Table.from_arrays([made[field.name] for field in schema], schema=schema)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written(_Described):
    """A complete Parquet file that the manifest does not list yet."""

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Written:
        """Return the file of a manifest record that was kept elsewhere."""
        return cls(**{name: record[name] for name in _SEALED})

    def insert(self, con: sqlite3.Connection) -> None:
        """List the file in the manifest, inside the caller's transaction."""
        values = {name: getattr(self, name) for name in _SEALED}
        values["seal"] = seal(*(values[name] for name in _SEALED))
        values["created_ns"] = time.time_ns()
        con.execute(
            f"insert into segments ({', '.join(values)}) values ({', '.join('?' * len(values))})",
            list(values.values()),
        )
        con.execute("update counters set value = value + 1 where name = 'segments'")


class _Sink:
    """A file that is hashed while it is written, whole and piece by piece."""

    def __init__(self, path: Path) -> None:
        self._handle = path.open("wb")
        self._sha = hashlib.sha256()
        self._piece = (0, 0)
        self._has_failed = False
        self.size = 0
        self.closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # of a file that is given up; a whole one has been synced
            self._handle.close()

    def write(self, content: bytes) -> int:
        """Write and hash some bytes."""
        if self._has_failed:
            return len(content)  # the file is given up, and Arrow would complain of the same again
        start, crc = self._piece
        self._sha.update(content)
        self._piece = (start, zlib.crc32(content, crc))
        with self._giving_up():
            self._handle.write(content)
        self.size += len(content)
        return len(content)

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self.size

    def flush(self) -> None:
        """Hand what is buffered to the system."""
        if not self._has_failed:
            with self._giving_up():
                self._handle.flush()

    @contextlib.contextmanager
    def _giving_up(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            self._has_failed = True
            raise

    def cut(self) -> tuple[int, int, int]:
        """Return (start, end, CRC-32) of what was written since the last cut."""
        start, crc = self._piece
        self._piece = (self.size, 0)
        return start, self.size, crc

    def sync(self) -> str:
        """Push the file to the disk and return its SHA-256."""
        self._handle.flush()
        os.fsync(self._handle.fileno())
        return self._sha.hexdigest()

    def close(self) -> None:
        """Take no more; the file itself stays open until it is synced."""
        self.closed = True


def write_segment(folder: Path, tbl: str, table: pa.Table, stamp: Stamp) -> Written:
    """Write a table as one sorted Parquet file under ``segments/`` and return its manifest record.

    The file is written under a temporary name, synced and renamed, so that a listed file is always whole. Its footer
    says whose it is, and has a checksum of each row group: what is whole of a damaged file can be told.
    """
    import pyarrow.compute as pc

    bounds: dict[str, Any] = pc.min_max(table[filed()[tbl].time]).as_py()  # type: ignore[assignment]  # a struct
    relative = f"{SEGMENTS_DIR}/{tbl}/{_day(bounds['min'])}/{uuid.uuid4().hex}.parquet"
    target = folder / relative
    make_durable_dir(target.parent, root=folder)
    temporary = target.with_suffix(".tmp")
    make_file(temporary)
    with Undone(functools.partial(remove_file, temporary)):
        with _Sink(temporary) as sink:
            _write_groups(sink, tbl, table, stamp)
            digest = sink.sync()
        temporary.rename(target)
        fsync_dir(target.parent)
    return Written(
        tbl=tbl,
        path=relative,
        rows=table.num_rows,
        bytes=sink.size,
        raw_bytes=table.nbytes,
        min_ns=bounds["min"],
        max_ns=bounds["max"],
        sha256=digest,
        schema_version=SCHEMA_VERSION,
        generation=stamp.generation,
        rev=pc.max(table["rev"]).as_py() if "rev" in table.column_names else None,
    )


def _write_groups(sink: _Sink, tbl: str, table: pa.Table, stamp: Stamp) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    # Arrow writes page by page: what goes through Python goes in larger pieces.
    stream = pa.output_stream(sink, buffer_size=_BUFFER_BYTES)  # type: ignore[arg-type]  # the stubs know only io
    order = pc.sort_indices(table, sort_keys=list(filed()[tbl].sort))
    size_of_row = table.nbytes // max(table.num_rows, 1) + 1
    group_rows = min(filed()[tbl].group_rows, max(1_024, ROW_GROUP_BYTES // size_of_row))
    bloom = {"trace_id": {"ndv": min(table.num_rows, group_rows), "fpp": 0.01}}
    groups = []
    with pq.ParquetWriter(
        stream,
        table.schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=[  # type: ignore[arg-type]  # the stubs know only bool
            name for name in table.column_names if name in _DICTIONARY
        ],
        bloom_filter_options=bloom if table.num_rows else None,
        write_page_index=True,  # see ``scan``
        store_schema=False,
    ) as writer:
        # One row group at a time: a sorted copy of the whole table would double the memory of a merge.
        for start in range(0, table.num_rows, group_rows):
            rows = table.take(order.slice(start, group_rows))
            writer.write_table(rows, row_group_size=group_rows)
            stream.flush()
            groups.append(sink.cut())
        writer.add_key_value_metadata(
            {
                FOOTER_STORE: stamp.store_id,
                FOOTER_GENERATION: str(stamp.generation),
                FOOTER_TABLE: tbl,
                FOOTER_GROUPS: json.dumps(groups),
                FOOTER_SCHEMA: str(SCHEMA_VERSION),
            }
        )
    stream.close()


def scan(folder: Path, segments: Sequence[Segment]) -> str:
    """Return what a FROM clause takes: the rows of segments of one table.

    DuckDB 2.0 decides "x is null" by the statistics of a row group: where all texts of a column are the same one and
    some are missing, it takes every row. A page index makes it look, and so does a dictionary. Segments from before
    have neither in some columns: there these stand behind a function, so that no condition on them reaches the file.
    """
    files: dict[bool, list[str]] = {}
    for segment in segments:
        files.setdefault(segment.schema_version >= _INDEXED_SINCE, []).append(literal(folder / segment.path))
    read = {is_indexed: f"read_parquet([{', '.join(paths)}])" for is_indexed, paths in files.items()}
    if False not in read:
        return read[True]
    hidden = ", ".join(f'ltrim("{name}", \'\') as "{name}"' for name in _unindexed(segments[0].tbl))
    parts = [f"select * replace ({hidden}) from {read[False]}"]
    parts += [f"select * from {read[True]}"] if True in read else []
    return f"({' union all by name '.join(parts)})"


@functools.cache
def _unindexed(tbl: str) -> list[str]:
    """Return the columns of texts that may be missing, and that files keep without a dictionary."""
    columns = STORED[tbl] if tbl in STORED else schema().packed.views[tbl].columns
    apart = _DICTIONARY.union(filed()[tbl].key)
    return [stored_name(column) for column in columns if column[1] == "VARCHAR" and column[0] not in apart]


def release_memory() -> None:
    """Give back what Arrow and the C library keep for a next table: a merge takes a lot now and then, briefly."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _day(ns: int | None) -> str:
    """Return the UTC day of a time as a folder name."""
    if ns is None:
        return "undated"
    try:
        return time.strftime("%Y-%m-%d", time.gmtime(ns // 1_000_000_000))
    except (OverflowError, ValueError, OSError):
        return "undated"
