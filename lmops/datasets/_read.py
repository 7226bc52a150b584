"""Rows out of whatever a user has: lists, frames, and JSONL, JSON, CSV or Parquet files."""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lmops.datasets._content import JSON_FIELDS
from lmops.datasets._export import MARK
from lmops.datasets._records import DatasetVersion, Example
from lmops.errors import NotFoundError, UsageError
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = Mapping[str, Any]
_SUFFIXES: Final = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
#: Cells of a text file that hold JSON when they look like it.
_JSON_CELLS: Final = frozenset({"metadata", "documents", "labels", "tags", "input", "expected", "output"})
#: A cell of a CSV file may be this long; Python's own limit is 131,072.
_LONGEST_CELL: Final = 50_000_000


def rows_of(data: Any) -> list[Row]:
    """Return the rows of some data, each as a mapping.

    Args:
        data: A list of dicts or :class:`Example`, a DataFrame (pandas, or anything with ``to_pandas``), an Arrow
            table, a dataset version, or the path of a file: .jsonl, .json (a list), .csv, .tsv, .parquet, each of the
            text forms also as .gz.

    Raises:
        NotFoundError: There is no such file.
        UsageError: It is none of these, or a row of it cannot be read; the message names its place.
    """
    if isinstance(data, str | os.PathLike):
        return _file(Path(data))
    if isinstance(data, DatasetVersion):
        return [example.as_dict() for example in data.examples]
    if hasattr(data, "to_pylist"):
        found: list[Row] = data.to_pylist()
        return found
    if hasattr(data, "to_pandas") and not hasattr(data, "iloc"):
        data = data.to_pandas()
    if hasattr(data, "iloc") and hasattr(data, "columns"):
        return _frame(data)
    if isinstance(data, Mapping | bytes) or not isinstance(data, Iterable):
        raise UsageError(
            f"a dataset is made of rows (a list of dicts), a DataFrame or the path of a file; this is a "
            f"{type(data).__name__}"
        )
    return [_row(row, number) for number, row in enumerate(data, start=1)]


def _row(row: Any, number: int) -> Row:
    if isinstance(row, Example):
        return row.as_dict()
    if isinstance(row, Mapping):
        return row
    raise UsageError(
        f"row {number} is a {type(row).__name__} {plain_line(row, 60)!r}: give dicts, such as "
        "{'input': 'a question', 'expected': 'its answer'}"
    )


def _frame(frame: Any) -> list[Row]:
    aside = [name for name in frame.index.names if name is not None and name not in frame.columns]
    if aside:
        # An index with a name is a column that somebody put aside, such as the ids.
        frame = frame.reset_index(aside)
    names = [str(name) for name in frame.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"the frame has two columns named {twice[0]!r}: rename one")
    columns = [frame.iloc[:, place].tolist() for place in range(len(names))]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _file(path: Path) -> list[Row]:
    kind = path.suffix.lower()
    is_packed = kind == ".gz"
    if is_packed:
        kind = Path(path.stem).suffix.lower()
    if kind not in _SUFFIXES or (is_packed and kind == ".parquet"):
        raise UsageError(f"{path.name}: a dataset is read from {', '.join(_SUFFIXES)} (text also as .gz)")
    if not path.is_file():
        raise NotFoundError(f"there is no file {path}")
    if kind == ".parquet":
        return _parquet(path)
    try:
        body = gzip.decompress(path.read_bytes()) if is_packed else path.read_bytes()
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path.name} is not UTF-8 (byte {error.start:,}): convert it first") from error
    except (gzip.BadGzipFile, EOFError) as error:
        raise UsageError(f"{path.name} is not a whole gzip file: {error}") from error
    if kind in (".csv", ".tsv"):
        return list(_csv(text, path.name, "\t" if kind == ".tsv" else ","))
    return _json(text, path.name) if kind == ".json" else _jsonl(text, path.name)


def _parquet(path: Path) -> list[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        rows: list[dict[str, Any]] = table.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"{path.name} is not a Parquet file that can be read: {plain_line(error, 200)}") from error
    if MARK in (table.schema.metadata or {}):
        import orjson

        for row in rows:
            row.update((name, orjson.loads(row[name])) for name in JSON_FIELDS if row.get(name) is not None)
    return list(rows)


def _json(text: str, name: str) -> list[Row]:
    import orjson

    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"{name}: not JSON: {error}") from error
    if not isinstance(found, list):
        raise UsageError(f"{name} holds a {type(found).__name__}, not a list of objects")
    return [_row(row, number) for number, row in enumerate(found, start=1)]


def _jsonl(text: str, name: str) -> list[Row]:
    import orjson

    rows: list[Row] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise UsageError(f"{name}, line {number}: not JSON: {error}") from error
        if not isinstance(row, dict):
            raise UsageError(f"{name}, line {number}: a {type(row).__name__}, not an object")
        rows.append(row)
    return rows


def _csv(text: str, name: str, delimiter: str) -> Iterator[Row]:
    """Yield the rows of a CSV file: every cell is text ("007" stays "007"), an empty one is missing."""
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        heads = next(reader, None)
        if heads is None:
            return
        if len(set(heads)) != len(heads):
            raise UsageError(f"{name}: two columns have the same name: {', '.join(heads)}")
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(heads):
                raise UsageError(f"{name}, line {reader.line_num}: {len(cells)} cells, the header has {len(heads)}")
            yield {head: _text_cell(head, value) for head, value in zip(heads, cells, strict=True)}
    except csv.Error as error:
        raise UsageError(f"{name}, line {reader.line_num}: {error}") from error
    finally:
        csv.field_size_limit(before)


def _text_cell(head: str, value: str) -> Any:
    if not value:
        return None
    if head in _JSON_CELLS and value[0] in "{[":
        import orjson

        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value
