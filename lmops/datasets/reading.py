"""Rows out of whatever a user has: lists, frames, and JSONL, JSON, CSV or Parquet files."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import os
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lmops.datasets._content import JSON_FIELDS
from lmops.datasets._example import Example
from lmops.datasets._export import MARK
from lmops.datasets._mapping import DEFAULTS, normal
from lmops.datasets._records import DatasetVersion
from lmops.errors import NotFoundError, UsageError
from lmops.text import exact_json, plain_line

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = Mapping[str, Any]
_LINES: Final = (".jsonl", ".ndjson")
_SUFFIXES: Final = (*_LINES, ".json", ".csv", ".tsv", ".parquet")
#: Cells of text that hold JSON when they look like it.
_JSON_CELLS: Final = frozenset(name for field in JSON_FIELDS for name in DEFAULTS[field])
#: Lists of rows inside an object, as the interfaces of other tools answer.
_WRAPPERS: Final = ("examples", "items", "rows", "data")
_DELIMITERS: Final = (",", ";", "\t", "|")
#: A cell of a CSV file may be this long; Python's own limit is 131,072.
_LONGEST_CELL: Final = 50_000_000

#: Text becomes a few dozen times larger when it is unpacked; beyond this it is a bomb.
_BOMB_RATIO: Final = 250
_BOMB_BYTES: Final = 64 * 1024 * 1024


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
    rows = []
    for place, row in each_of(data):
        if isinstance(row, UsageError):
            raise UsageError(f"{place}: {row}") from row
        rows.append(row)
    return rows


def each_of(data: Any) -> Iterator[tuple[str, Row | UsageError]]:
    """Yield the rows of some data, each with its place; a line of a text file that cannot be read is an error instead.

    Args:
        data: As of :func:`rows_of`.

    Raises:
        NotFoundError: There is no such file.
        UsageError: It is none of these, or cannot be read as a whole.
    """
    if isinstance(data, str | os.PathLike):
        yield from _file(Path(data))
        return
    for number, row in enumerate(_given(data), start=1):
        yield f"row {number}", row


def _given(data: Any) -> list[Row]:
    """Return the rows of what is no file."""
    if isinstance(data, DatasetVersion):
        return [example.as_dict() for example in data.examples]
    if hasattr(data, "to_pylist"):
        return _arrow(data, "the table")
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


def _file(path: Path) -> Iterable[tuple[str, Row | UsageError]]:
    if path.is_dir():
        raise UsageError(f"{path} is a folder: give a file in it ({', '.join(_SUFFIXES)})")
    kind = path.suffix.lower()
    is_packed = kind == ".gz"
    if is_packed:
        kind = Path(path.stem).suffix.lower()
    if kind not in _SUFFIXES or (is_packed and kind == ".parquet"):
        raise UsageError(f"{path.name}: rows are read from {', '.join(_SUFFIXES)} (text also as .gz)")
    if not path.is_file():
        raise NotFoundError(f"there is no file {path}")
    if kind == ".parquet":
        return _numbered(_parquet(path), path.name)
    try:
        body = _unpacked(path) if is_packed else path.read_bytes()
        encoding = "utf-16" if body[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
        if kind in _LINES and encoding == "utf-8-sig":
            return _jsonl(body.removeprefix(codecs.BOM_UTF8).split(b"\n"), path.name)
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        said = "UTF-16" if encoding == "utf-16" else "UTF-8"
        raise UsageError(f"{path.name} is not {said} (byte {error.start:,}): convert it first") from error
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise UsageError(f"{path.name} is not a whole gzip file: {error}") from error
    if kind in (".csv", ".tsv"):
        return _csv(text, path.name, "\t" if kind == ".tsv" else None)
    return _numbered(_json(text, path.name), path.name) if kind == ".json" else _jsonl(text.split("\n"), path.name)


def _numbered(rows: Iterable[Row], name: str) -> Iterator[tuple[str, Row]]:
    for number, row in enumerate(rows, start=1):
        yield f"{name}, row {number}", row


def _unpacked(path: Path) -> bytes:
    """Return the bytes of a gzip file; one that becomes far larger than text can is refused."""
    limit = max(_BOMB_BYTES, _BOMB_RATIO * path.stat().st_size)
    with gzip.open(path) as file:
        body = file.read(limit + 1)
    if len(body) > limit:
        raise UsageError(
            f"{path.name} becomes larger than {limit:,} bytes when it is unpacked: unpack it yourself first"
        )
    return body


def _parquet(path: Path) -> list[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"{path.name} is not a Parquet file that can be read: {plain_line(error, 200)}") from error
    rows = _arrow(table, path.name)
    if MARK in (table.schema.metadata or {}):
        held = [{name: row[name] for name in JSON_FIELDS if row.get(name) is not None} for row in rows]
        values = [{name: exact_json(text, long_as_text=True) for name, text in one.items()} for one in held]
        return [{**row, **value} for row, value in zip(rows, values, strict=True)]
    return [{name: _text_cell(name, value) for name, value in row.items()} for row in rows]


def _arrow(table: Any, name: str) -> list[Row]:
    """Return the rows of an Arrow table; a map is an object."""
    try:
        rows: list[Row] = table.to_pylist(maps_as_pydicts="strict")
    except TypeError:  # something else that has to_pylist
        rows = table.to_pylist()
    except (KeyError, ValueError) as error:
        raise UsageError(f"{name}: a map that cannot be an object: {plain_line(error, 200)}") from error
    return rows


def _json(text: str, name: str) -> list[Row]:
    try:
        found = exact_json(text, long_as_text=True)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name}: not JSON: {plain_line(error, 200)}") from error
    if isinstance(found, dict):
        lists = [found[key] for key in _WRAPPERS if isinstance(found.get(key), list)]
        found = lists[0] if len(lists) == 1 else found
    if not isinstance(found, list):
        raise UsageError(f"{name} holds a {type(found).__name__}, not a list of objects")
    return [_row(row, number) for number, row in enumerate(found, start=1)]


def _jsonl(lines: Iterable[str | bytes], name: str) -> Iterator[tuple[str, Row | UsageError]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        yield f"{name}, line {number}", row_of_line(line)


def row_of_line(line: str | bytes) -> Row | UsageError:
    """Return the object on a line of JSON, or why it is none."""
    try:
        found = exact_json(line, long_as_text=True)
    except (ValueError, RecursionError) as error:
        try:
            _ = line if isinstance(line, str) else line.decode()
        except UnicodeDecodeError as undecoded:
            return UsageError(f"not UTF-8 (byte {undecoded.start:,} of the line): convert it first")
        return UsageError(f"not JSON: {plain_line(error, 200)}")
    return found if isinstance(found, dict) else UsageError(f"a {type(found).__name__}, not an object")


def _csv(text: str, name: str, delimiter: str | None) -> Iterator[tuple[str, Row | UsageError]]:
    """Yield the rows of a CSV file: every cell is text ("007" stays "007"), an empty one is missing.

    Without a delimiter it is the one that makes most columns of the header: a comma, a semicolon, a tab or a bar.
    """
    if text[:4].lower() == "sep=":  # a spreadsheet's own line
        delimiter, text = text[4:5], text.partition("\n")[2]
    if "\n" not in text:  # lines end as on old machines
        text = text.replace("\r", "\n")
    head = text.partition("\n")[0]
    if delimiter is None:
        delimiter = max(_DELIMITERS, key=lambda one: len(next(csv.reader([head], delimiter=one), [])))
    # Blanks after every delimiter of the header are no part of the names, nor of the cells.
    is_padded = head.count(delimiter) == head.count(delimiter + " ") > 0
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        source = io.StringIO(text, newline="")
        reader = csv.reader(source, delimiter=delimiter, strict=True, skipinitialspace=is_padded)
        heads = next(reader, None)
        if heads is None:
            return
        if len(set(heads)) != len(heads):
            raise UsageError(f"{name}: two columns have the same name: {', '.join(heads)}")
        for cells in reader:
            if not cells:
                continue
            place = f"{name}, line {reader.line_num}"
            if len(cells) != len(heads):
                yield place, UsageError(f"{len(cells)} cells, the header has {len(heads)}")
                continue
            yield (
                place,
                {head: _text_cell(head, value) if value else None for head, value in zip(heads, cells, strict=True)},
            )
    except csv.Error as error:
        raise UsageError(f"{name}, line {reader.line_num}: {error}") from error
    finally:
        csv.field_size_limit(before)


def _text_cell(head: str, value: Any) -> Any:
    """Return the value of a cell: the JSON in a text, where the column may hold some and it is whole."""
    if not isinstance(value, str):
        return value
    if value and value[0] in "{[" and normal(head) in _JSON_CELLS:
        try:
            return exact_json(value, long_as_text=True)
        except (ValueError, RecursionError):
            return value
    return value
