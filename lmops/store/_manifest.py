"""The manifest: which files there are and which of their rows are replaced, as every writer keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.store._segments import seal

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import duckdb

#: The file that whoever changes the manifest has locked.
LOCK: Final = "drain.lock"


def move_manifest(con: sqlite3.Connection) -> None:
    """Tell readers that segments or dead rows have changed."""
    con.execute("update counters set value = value + 1 where name = 'manifest'")


def replaced_rows(
    cursor: duckdb.DuckDBPyConnection, folder: Path, files: Iterable[tuple[str, str]]
) -> list[tuple[str, str, str, int, int]]:
    """Return what later revisions replaced in these files (table, path): table, keys, revision, copies."""
    found: list[tuple[str, str, str, int, int]] = []
    asked = list(files)
    for tbl, span in (("spans", "span_id"), ("traces", "''")):
        paths = [str(folder / path) for name, path in asked if name == tbl]
        query = (
            f"select trace_id, {span} as span_id, max(rev), count(*) - 1 from read_parquet(?) "
            "group by 1, 2 having count(*) > 1"
        )
        found += [(tbl, *row) for row in cursor.execute(query, [paths]).fetchall()] if paths else []
    return found


def write_dead(con: sqlite3.Connection, found: Sequence[tuple[str, str, str, int, int]]) -> None:
    """Write what ``replaced_rows`` found, inside the caller's transaction."""
    con.executemany(
        "insert or replace into dead_rows (tbl, trace_id, span_id, before_rev, copies, seal) values (?, ?, ?, ?, ?, ?)",
        [(*row, seal(*row[:4])) for row in found],
    )
