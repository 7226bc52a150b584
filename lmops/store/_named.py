"""Whom a file names that is not listed, or not any more: what was set aside, what waits to be stored."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import DamagedStoreError
from lmops.store._salvage import opened
from lmops.store.schema import schema

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow.parquet as pq

#: The columns that name traces and persons.
PERSONS: Final = ("user_id", "session_id")
_COLUMNS: Final = ("trace_id", *PERSONS)
_ID: Final = re.compile("[0-9a-f]{32}")
_PERSON: Final = re.compile(rf'"({"|".join(PERSONS)})":\s*("(?:[^"\\]|\\.)*")')
_MAGIC: Final = b"PAR1"


class Named(NamedTuple):
    """What a file names, as far as it can be read.

    Attributes:
        ids: Ids of traces.
        persons: (column, value) of users and sessions.
        packed: Keys of packed rows.
        text: What it says, when it is no Parquet file.
        is_whole: Whether all of it could be read.
    """

    ids: set[str]
    persons: set[tuple[str, str]]
    packed: set[tuple[Any, ...]]
    text: str
    is_whole: bool


def named_in(path: Path) -> Named:
    """Return what a file names: the columns of a Parquet file, also of a damaged one, or what its bytes look like."""
    with path.open("rb") as handle:
        is_parquet = handle.read(len(_MAGIC)) == _MAGIC or ".parquet" in path.name
    if is_parquet:
        try:
            with opened(path).file as file:
                return _of_columns(file)
        except DamagedStoreError:
            return Named(set(), set(), set(), "", is_whole=False)
    text = path.read_bytes().decode("utf-8", errors="replace")
    persons: set[tuple[str, str]] = set()
    for column, value in _PERSON.findall(text):
        with contextlib.suppress(ValueError):
            persons.add((column, json.loads(value)))
    return Named(set(_ID.findall(text)), persons, set(), text, is_whole=True)


def _of_columns(file: pq.ParquetFile) -> Named:
    """Read what names somebody, each row group and column by itself: damage in one says nothing of the others."""
    is_whole = True
    key = schema().packed.rows.key
    values: dict[str, set[Any]] = {name: set() for name in _COLUMNS}
    packed: set[tuple[Any, ...]] = set()
    there = set(file.schema_arrow.names)
    for place in range(file.num_row_groups):
        for names in ((name,) for name in _COLUMNS if name in there):
            found = _column(file, place, names)
            is_whole = is_whole and found is not None
            values[names[0]].update(one for (one,) in found or () if one is not None)
        if there.issuperset(key):
            rows = _column(file, place, key)
            is_whole = is_whole and rows is not None
            packed.update(rows or ())
    persons = {(name, one) for name in PERSONS for one in values[name]}
    return Named(values["trace_id"], persons, packed, "", is_whole=is_whole)


def _column(file: pq.ParquetFile, place: int, names: tuple[str, ...]) -> list[tuple[Any, ...]] | None:
    """Return the rows of some columns of a row group; None when they cannot be read."""
    import pyarrow as pa

    try:
        table = file.read_row_group(place, columns=list(names))
        table.validate(full=True)
    except (OSError, ValueError, pa.ArrowException):
        return None
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))
