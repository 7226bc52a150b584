"""Parquet segments: rows to Arrow, Arrow to a file that is whole before it has its name, and the manifest's record."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import operator
import os
import sys
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.store._filesystem import fsync_dir
from lmops.store._tables import KEY_OF, SCHEMA_VERSION, SORT_ORDER, STORED, TIME_COLUMN, TIME_COLUMNS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from lmops.store._overlay import Overlay

SEGMENTS_DIR: Final = "segments"
#: Rows that are read together: few where single rows are looked up by the hundred, more where columns are scanned.
ROW_GROUP_ROWS: Final = {"spans": 16_384, "traces": 4_096, "logs": 16_384, "results": 16_384, "scores": 65_536}
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One file of the manifest."""

    segment_id: int
    tbl: str
    path: str
    rows: int
    bytes: int
    raw_bytes: int
    min_ns: int | None
    max_ns: int | None
    sha256: str
    schema_version: int

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Segment:
        """Return the segment of one row of the manifest."""
        return cls(**{name: row[name] for name in cls.__slots__})

    def overlaps(self, since_ns: int | None, until_ns: int | None) -> bool:
        """Return whether a row of this segment may lie in [since, until]; rows without a time lie nowhere."""
        if self.min_ns is None or self.max_ns is None:
            return since_ns is None and until_ns is None
        return (since_ns is None or self.max_ns >= since_ns) and (until_ns is None or self.min_ns <= until_ns)


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
class Written:
    """A complete Parquet file that the manifest does not list yet."""

    tbl: str
    path: str
    rows: int
    bytes: int
    raw_bytes: int
    min_ns: int | None
    max_ns: int | None
    sha256: str

    def insert(self, con: sqlite3.Connection) -> None:
        """List the file in the manifest, inside the caller's transaction."""
        con.execute(
            "insert into segments "
            "(tbl, path, rows, bytes, raw_bytes, min_ns, max_ns, sha256, schema_version, created_ns) "
            "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self.tbl, self.path, self.rows, self.bytes, self.raw_bytes, self.min_ns, self.max_ns,
                self.sha256, SCHEMA_VERSION, time.time_ns(),
            ),
        )  # fmt: skip


def write_segment(folder: Path, tbl: str, table: pa.Table) -> Written:
    """Write a table as one sorted Parquet file under ``segments/`` and return its manifest record.

    The file is written under a temporary name, synced and renamed, so that a listed file is always whole.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    order = pc.sort_indices(table, sort_keys=list(SORT_ORDER[tbl]))
    bounds: dict[str, Any] = pc.min_max(table[TIME_COLUMN[tbl]]).as_py()  # type: ignore[assignment]  # a struct
    day = _day(bounds["min"])
    relative = f"{SEGMENTS_DIR}/{tbl}/{day}/{uuid.uuid4().hex}.parquet"
    target = folder / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(".tmp")
    size_of_row = table.nbytes // max(table.num_rows, 1) + 1
    group_rows = min(ROW_GROUP_ROWS[tbl], max(1_024, ROW_GROUP_BYTES // size_of_row))
    try:
        bloom = {"trace_id": {"ndv": min(table.num_rows, group_rows), "fpp": 0.01}}
        with pq.ParquetWriter(
            temporary,
            table.schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=[  # type: ignore[arg-type]  # the stubs know only bool
                name for name in table.column_names if name in _DICTIONARY
            ],
            bloom_filter_options=bloom if table.num_rows else None,
            store_schema=False,
        ) as writer:
            # One row group at a time: a sorted copy of the whole table would double the memory of a merge.
            for start in range(0, table.num_rows, group_rows):
                rows = table.take(order.slice(start, group_rows))
                writer.write_table(rows, row_group_size=group_rows)
        size, digest = _sync_and_hash(temporary)
        temporary.rename(target)
        fsync_dir(target.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    return Written(
        tbl=tbl, path=relative, rows=table.num_rows, bytes=size, raw_bytes=table.nbytes,
        min_ns=bounds["min"], max_ns=bounds["max"], sha256=digest,
    )  # fmt: skip


def _sync_and_hash(path: Path) -> tuple[int, str]:
    """Push a file to the disk and return its size and SHA-256."""
    with path.open("r+b") as handle:
        os.fsync(handle.fileno())
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
        return handle.tell(), digest


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
