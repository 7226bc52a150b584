"""Rows that never change, such as what users said: read from the database once, then only those that came since.

Many of them are kept in a file, so that a new process does not read them one by one. The file bears the hash of its
content in its name; it is made of the table, and whoever finds that the two differ makes it anew. What is erased from
the table is gone from the file as well: the eraser removes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import sqlite3
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.base.endings import Logged
from lmops.store._arrow import record_table
from lmops.store._filesystem import make_store_folder
from lmops.store._segments import any_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

    from lmops.store.schema import View

KEPT_DIR: Final = "kept"
#: So many rows that are in no file are put into one.
KEEP_ROWS: Final = 50_000
_NAME: Final = re.compile(r"(\w+)-([0-9a-f]{32})\.arrow")
#: A table that grew in more pieces is put together.
_PIECES: Final = 64

log = logging.getLogger(__name__)


class Rows(NamedTuple):
    """The rows of a view as far as they are known, the number of the last and how many of them are in a file."""

    table: pa.Table
    last: int
    in_file: int


class Grown:
    """The views of one store that only grow.

    Args:
        folder: The store's.
        keeps: Whether they may be put into files.
    """

    def __init__(self, folder: Path, *, keeps: bool) -> None:
        self._folder = folder / KEPT_DIR
        self._keeps = keeps
        self._known: dict[str, Rows] = {}

    def forget(self) -> None:
        """Drop what is kept in memory."""
        self._known = {}

    def read(self, con: sqlite3.Connection, view: View) -> tuple[pa.Table, int | None]:
        """Return the rows of a view, and up to which number they were checked where they are not those of before.

        Args:
            con: Inside the caller's read transaction.
            view: With the column that numbers its rows first.
        """
        known, checked = self._known.get(view.name), None
        if known is None or not _is_of(con, view, known):
            known = self._from_file(con, view) or Rows(record_table(view, ()), 0, 0)
            checked = known.last
        found = read_rows(con, f"{_select(view)} > ? order by {view.grows_by}", (known.last,))
        if found:
            table = _joined(known.table, record_table(view, found))
            known = Rows(table, found[-1][0], known.in_file)
        self._known[view.name] = known
        return known.table, checked

    def keep(self, view: View) -> None:
        """Put the rows of a view into a file when many of them are in none; they were checked and are whole."""
        known = self._known.get(view.name)
        if not self._keeps or known is None or known.table.num_rows - known.in_file < KEEP_ROWS:
            return
        # It is a copy: where it cannot be written, the next process reads the table.
        with Logged(log, "the rows of %s are not kept in a file", view.name):
            self._write(view.name, known.table)
            self._known[view.name] = known._replace(in_file=known.table.num_rows)

    def _write(self, name: str, table: pa.Table) -> None:
        import pyarrow as pa

        sink = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.ipc.new_file(sink, table.schema, options=options) as writer:
            writer.write_table(table)
        content = sink.getvalue()
        make_store_folder(self._folder)
        path = self._folder / f"{name}-{hashlib.sha256(content).hexdigest()[:32]}.arrow"
        unfinished = path.with_suffix(f".{os.getpid()}")
        try:
            unfinished.write_bytes(content)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        for other in self._files(name):
            if other != path:
                other.unlink(missing_ok=True)

    def _files(self, name: str) -> list[Path]:
        return [path for path in sorted(self._folder.glob(f"{name}-*")) if path.is_file()]

    def _from_file(self, con: sqlite3.Connection, view: View) -> Rows | None:
        """Return the rows that a file has of a view; None where none is whole and says what the table says."""
        import pyarrow as pa

        for path in self._files(view.name):
            named = _NAME.fullmatch(path.name)
            with contextlib.suppress(OSError, pa.ArrowInvalid):
                content = path.read_bytes()
                if named is None or hashlib.sha256(content).hexdigest()[:32] != named[2]:
                    continue
                table = pa.ipc.open_file(content).read_all()
                if table.num_rows and table.schema == record_table(view, ()).schema:
                    known = Rows(table, table.column(0)[-1].as_py(), table.num_rows)
                    if _is_of(con, view, known):
                        return known
                if self._keeps:
                    path.unlink()  # of a table that is another one by now: some of it may have been erased
        return None


def remove_kept(folder: Path) -> None:
    """Remove the files of a store that copy rows of tables: what was erased there must not stay in them."""
    for path in (folder / KEPT_DIR).glob("*"):
        path.unlink(missing_ok=True)


def _select(view: View) -> str:
    return f"select * from ({view.sql}) where {view.grows_by}"  # our own names


def _is_of(con: sqlite3.Connection, view: View, known: Rows) -> bool:
    """Return whether the rows that are known are those of the table up to the last of them."""
    if not known.last:
        return False
    count = con.execute(f"select count(*) from {view.behind[0]} where {view.grows_by} <= ?", (known.last,))
    if count.fetchone()[0] != known.table.num_rows:
        return False  # some were erased
    last = record_table(view, read_rows(con, f"{_select(view)} = ?", (known.last,)))
    return bool(last.equals(known.table.slice(known.table.num_rows - 1).combine_chunks()))


def read_rows(con: sqlite3.Connection, query: str, params: Sequence[Any] = ()) -> list[Any]:
    """Return the rows of a query, bytes where a text is none."""
    try:
        return con.execute(query, params).fetchall()
    except sqlite3.OperationalError:
        with any_text(con):  # bytes that are no text; the other way is twice as fast
            return con.execute(query, params).fetchall()


def _joined(table: pa.Table, more: pa.Table) -> pa.Table:
    """Return a table with more rows; its columns are in few pieces, however often it grew."""
    import pyarrow as pa

    longer = pa.concat_tables([table, more])
    return longer.combine_chunks() if longer.column(0).num_chunks > _PIECES else longer
