"""What comes in: rows are checked before they are acknowledged, and texts too long for a row go into blobs.

A row that could not be published must not be acknowledged: it would block the drain, and every question after it.
"""

from __future__ import annotations

import math
import operator
import zlib
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.store._long import LONG_COLUMNS, MAX_CHARS, shorten
from lmops.store._tables import LOG_COLUMNS, SPAN_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lmops.store._blobs import Blobs
    from lmops.store.schema import Column

Row = dict[str, Any]

COLUMNS: Final[dict[str, tuple[Column, ...]]] = {"spans": SPAN_COLUMNS, "logs": LOG_COLUMNS}
_REQUIRED: Final = {"spans": ("trace_id", "span_id", "start_ns"), "logs": ("trace_id", "span_id", "time_ns")}
_TYPES: Final[dict[str, type[str | int | float]]] = {
    "VARCHAR": str,
    "BIGINT": int,
    "INTEGER": int,
    "DOUBLE": float,
}
_LIMITS: Final[dict[str, int]] = {"BIGINT": 2**63, "INTEGER": 2**31}
_DOUBLES: Final = tuple(name for name, sql, _ in SPAN_COLUMNS if sql == "DOUBLE")
_checked = operator.itemgetter(*_DOUBLES, *LONG_COLUMNS)


#: What each write asks of its rows, worked out once: (the values of a row, of each the types and the limit).
_RULES: Final[dict[str, tuple[Callable[[Row], tuple[Any, ...]], tuple[tuple[frozenset[type], int], ...]]]] = {
    tbl: (
        operator.itemgetter(*(name for name, _, _ in columns)),
        tuple(
            (frozenset({_TYPES[sql]} if name in _REQUIRED[tbl] else {_TYPES[sql], type(None)}), _LIMITS.get(sql, 0))
            for name, sql, _ in columns
        ),
    )
    for tbl, columns in COLUMNS.items()
}


def checksum(written_ns: int, rows: int, payload: bytes) -> int:
    """Return the checksum of one row of the inbox, of all that it holds."""
    return zlib.crc32(payload, zlib.crc32(b"%d:%d" % (written_ns, rows)))


def payload_of(rows: Mapping[str, Sequence[Row]]) -> bytes:
    """Return rows that are :func:`prepared` as the inbox keeps them.

    Raises:
        UsageError: A value that is no JSON, or text that is no Unicode.
    """
    import orjson

    try:
        return orjson.dumps(rows)
    except (orjson.JSONEncodeError, UnicodeEncodeError) as error:
        raise UsageError(f"these rows cannot be stored: {error}") from error


def prepared(rows: Mapping[str, Sequence[Row]], blobs: Blobs) -> dict[str, list[Row]]:
    """Return the rows as they are stored: finite numbers, long texts in blobs."""
    made = {tbl: list(found) for tbl, found in rows.items() if found}
    if "spans" in made and not _all_storable(made["spans"]):
        made["spans"] = [_storable(row, blobs) for row in made["spans"]]
    return made


def _all_storable(rows: Sequence[Row]) -> bool:
    """Return whether all rows are as they are stored, which nearly always they are: asked of whole columns."""
    columns = list(zip(*map(_checked, rows), strict=True))
    doubles, texts = columns[: len(_DOUBLES)], columns[len(_DOUBLES) :]
    return all(math.isfinite(sum(filter(None, values))) for values in doubles) and all(
        max(map(len, filter(None, values)), default=0) <= MAX_CHARS for values in texts
    )


def _storable(row: Row, blobs: Blobs) -> Row:
    # What is not a number is unknown, in JSON as in Parquet.
    unknown = {name: None for name in _DOUBLES if row[name] is not None and not math.isfinite(row[name])}
    row = {**row, **unknown} if unknown else row
    return shorten(row, blobs) if any(len(row[name] or "") > MAX_CHARS for name in LONG_COLUMNS) else row


def refuse_bad(rows: Mapping[str, Sequence[Row]]) -> None:
    """Raise for a row that could not be published.

    Raises:
        UsageError: A column is missing or its value does not fit; the message names row and column.
    """
    for tbl, found in rows.items():
        if tbl not in COLUMNS:
            raise UsageError(f"facts go into {' and '.join(COLUMNS)}, not {tbl!r}")
        if not _all_fit(tbl, found):
            for number, row in enumerate(found):
                _check(tbl, number, row)


def _all_fit(tbl: str, rows: Sequence[Row]) -> bool:
    """Return whether all rows can be published, which nearly always they can: asked of whole columns."""
    values_of, rules = _RULES[tbl]
    try:
        columns = list(zip(*map(values_of, rows), strict=True))
    except KeyError:
        return False
    for values, (allowed, limit) in zip(columns, rules, strict=bool(rows)):
        if not allowed.issuperset(map(type, values)):
            return False
        if limit and (max(filter(None, values), default=0) >= limit or min(filter(None, values), default=0) < -limit):
            return False
    return True


def _check(tbl: str, number: int, row: Row) -> None:
    """Raise for the first value of a row that does not fit its column, or is missing."""
    for name, sql, _ in COLUMNS[tbl]:
        if name not in row:
            raise UsageError(f"row {number} of {tbl} has no column {name!r}; a missing value is None")
        value, kind = row[name], _TYPES[sql]
        if value is None:
            continue
        allowed: tuple[type, ...] = (int, float) if kind is float else (kind,)
        if type(value) not in allowed:
            raise UsageError(f"row {number} of {tbl}: {name} is {type(value).__name__}, not {kind.__name__}")
        if sql in _LIMITS and not -_LIMITS[sql] <= int(value) < _LIMITS[sql]:
            raise UsageError(f"row {number} of {tbl}: {name} = {value} does not fit {sql}")
    if None in map(row.get, _REQUIRED[tbl]):
        raise UsageError(f"row {number} of {tbl} needs {', '.join(_REQUIRED[tbl])}")
