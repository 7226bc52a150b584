"""How a row of a record is named, and the hash of what it holds."""

from __future__ import annotations

import functools
import hashlib
import json
import math
from typing import TYPE_CHECKING, Any, Final

from lmops.store.schema import schema

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence


def key_of(table: str) -> tuple[str, ...]:
    """Return the columns that name a row of a table."""
    return schema().tables[table].key


@functools.cache
def by_key(table: str) -> str:
    """Return the query of one row by its key."""
    return f"select * from {table} where {' and '.join(f'{name} = ?' for name in key_of(table))}"  # our own names


def key_text(key: Iterable[object]) -> str:
    """Return the key of a row as an event names it: a JSON list."""
    return list_text(key)


def list_text(values: Iterable[object]) -> str:
    """Return a JSON list without spaces."""
    return f"[{','.join(map(_json, values))}]"


def row_hash(table: str, row: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what a row holds, types included."""
    moving = schema().tables[table].moving if row.get("status") == "running" else ()
    held = [
        f"{_json(name)}:{_json(value)}"
        for name, value in sorted(row.items())
        if value is not None and name not in moving
    ]
    return hashlib.sha256(f"{{{','.join(held)}}}".encode("utf-8", "surrogatepass")).hexdigest()


def rows_of(con: sqlite3.Connection, query: str, values: Sequence[object] = ()) -> Iterator[dict[str, Any]]:
    """Yield rows as dicts."""
    cursor = con.cursor()
    cursor.row_factory = None
    cursor.execute(query, values)
    names = [column[0] for column in cursor.description]
    for row in cursor:
        yield dict(zip(names, row, strict=True))


def _plain(value: object) -> object:
    """Return bytes in a form that no text has."""
    return ["blob", value.hex()] if isinstance(value, bytes) else repr(value)


def json_by(encoder: json.JSONEncoder) -> Callable[[object], str]:
    """Return what writes values as an encoder does, which takes its time to begin: most are written without it."""
    text = json.encoder.encode_basestring_ascii if encoder.ensure_ascii else json.encoder.encode_basestring

    def written(value: object) -> str:
        kind = type(value)
        if kind is str:
            return text(value)  # type: ignore[arg-type]  # it is one
        if value is None:
            return "null"
        if kind is int or (kind is float and math.isfinite(value)):  # type: ignore[arg-type]  # it is one
            return repr(value)
        return encoder.encode(value)

    return written


_json: Final = json_by(json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_plain))
