"""How a row of a record is named, and the hash of what it holds."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from lmops.store.schema import schema

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence


def key_of(table: str) -> tuple[str, ...]:
    """Return the columns that name a row of a table."""
    return schema().tables[table].key


def key_text(key: Iterable[object]) -> str:
    """Return the key of a row as an event names it: a JSON list."""
    return _KEY.encode(list(key))


def row_hash(table: str, row: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what a row holds, types included."""
    moving = schema().tables[table].moving if row.get("status") == "running" else ()
    held = {name: value for name, value in row.items() if value is not None and name not in moving}
    text = _ROW.encode(held)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


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


#: ``json.dumps`` makes one for each call.
_KEY: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain)
_ROW: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_plain)
