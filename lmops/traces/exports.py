"""A list of traces as a file that other tools read: CSV or Parquet, written piece by piece."""

from __future__ import annotations

import functools
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lmops.base.endings import Undone
from lmops.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    import pyarrow as pa

    from lmops.records import Project
    from lmops.store import Store

#: what a list can be written as
FORMATS: Final = ("csv", "parquet")
_PIECE: Final = 10_000
#: A spreadsheet takes a text that begins so for a formula.
_FORMULA: Final = r"^[=+\-@\t\r]"


def write_rows(project: Project, sql: str, form: str, noun: str) -> tuple[Path, int]:
    """Write the rows of a query into a new file of the working directory; return where it is and how many there are.

    In CSV a list is its values with ", " between them, and a text that a spreadsheet would take for a formula has an
    apostrophe before it. The audit chain says that the file was written, so that whoever erases somebody is told of it.

    Args:
        project: Whose rows.
        sql: One SELECT.
        form: One of ``FORMATS``.
        noun: What a row is, which begins the name of the file.

    Raises:
        StoreError: The file cannot be written; nothing is left of it.
    """
    found = project.store.sql(_plain(project.store, sql) if form == "csv" else sql)
    moment = f"{project.now():%Y%m%dT%H%M%SZ}"
    path, handle = _new(Path.cwd(), f"{noun}s-{moment}", form)
    with Undone(functools.partial(path.unlink, missing_ok=True)), os.fdopen(handle, "wb") as file:
        try:
            rows = _written(found, form, file)
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror or error}; nothing is left of it") from error
        if not project.store.is_read_only:
            with project.change() as change:
                change.say("trace.export", f"{noun}s", after={"path": str(path), "rows": rows})
    return path, rows


def _new(folder: Path, name: str, ending: str) -> tuple[Path, int]:
    """Return a file that was not there before, and its open handle; only its owner can read it."""
    for number in itertools.count(1):
        path = folder / f"{name}{'' if number == 1 else f'-{number}'}.{ending}"
        try:
            return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror}; start the kernel elsewhere") from error
    raise AssertionError  # there is always another number


def _written(found: duckdb.DuckDBPyRelation, form: str, file: Any) -> int:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    reader = found.to_arrow_reader(_PIECE)
    writer = (
        pyarrow.csv.CSVWriter(file, reader.schema)
        if form == "csv"
        else pyarrow.parquet.ParquetWriter(file, reader.schema, compression="zstd")
    )
    rows = 0
    with writer:
        for piece in _pieces(reader):
            writer.write_table(pa.Table.from_batches([piece]))
            rows += piece.num_rows
    return rows


def _pieces(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    yield from reader


def _plain(store: Store, sql: str) -> str:
    """Return the query with lists as text, and no text that is a formula."""
    empty = store.sql(f"select * from ({sql}) limit 0")
    parts = []
    for name, kind in zip(empty.columns, map(str, empty.types), strict=True):
        column = '"' + name.replace('"', '""') + '"'
        text = f"array_to_string({column}, ', ')" if kind.endswith("[]") else column
        if kind == "VARCHAR" or kind.endswith("[]"):
            text = f"case when regexp_matches({text}, '{_FORMULA}') then '''' || {text} else {text} end"
        parts.append(f"{text} as {column}")
    return f"select {', '.join(parts)} from ({sql})"
