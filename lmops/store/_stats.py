"""How large a store is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import duckdb

    from lmops.store._meta import Meta


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


def measured(folder: Path, sql: Callable[[str], duckdb.DuckDBPyRelation], meta: Meta) -> StoreStats:
    """Return counts and sizes."""
    found = sql("select count(*), min(start_ns), max(start_ns) from traces").fetchall()[0]
    spans = sql("select count(*) from spans").fetchall()[0]
    with meta.read() as con:
        segments = con.execute("select count(*), coalesce(sum(bytes), 0) from segments").fetchone()
        inbox = con.execute("select value from counters where name = 'inbox_rows'").fetchone()[0]
        replaced = con.execute("select coalesce(sum(copies), 0) from dead_rows").fetchone()[0]
    sizes = [file.stat().st_size for file in folder.glob("meta.sqlite*") if file.is_file()]
    return StoreStats(
        path=str(folder),
        traces=found[0],
        spans=spans[0],
        inbox_rows=inbox,
        segments=segments[0],
        segment_bytes=segments[1],
        meta_bytes=sum(sizes),
        replaced_rows=replaced,
        oldest_ns=found[1],
        newest_ns=found[2],
    )
