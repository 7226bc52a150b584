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


#: What each write asks of every row, worked out once: (its values, the type and the limit of each, what it needs).
_RULES: Final[
    dict[
        str,
        tuple[Callable[[Row], tuple[Any, ...]], tuple[tuple[type[str | int | float], int], ...], Callable[[Row], Any]],
    ]
] = {
    tbl: (
        operator.itemgetter(*(name for name, _, _ in columns)),
        tuple((_TYPES[sql], _LIMITS.get(sql, 0)) for _, sql, _ in columns),
        operator.itemgetter(*_REQUIRED[tbl]),
    )
    for tbl, columns in COLUMNS.items()
}


def checksum(written_ns: int, rows: int, payload: bytes) -> int:
    """Return the checksum of one row of the inbox, of all that it holds."""
    return zlib.crc32(payload, zlib.crc32(b"%d:%d" % (written_ns, rows)))


def payload_of(rows: Mapping[str, Sequence[Row]], blobs: Blobs) -> bytes:
    """Return the rows as the inbox keeps them.

    Raises:
        UsageError: A value that is no JSON, or text that is no Unicode.
    """
    import orjson

    try:
        return orjson.dumps(prepared(rows, blobs))
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
        values_of, limits, required = _RULES[tbl]
        for number, row in enumerate(found):
            try:
                values = values_of(row)
            except KeyError as error:
                raise UsageError(f"row {number} of {tbl} has no column {error}; a missing value is None") from None
            for value, (kind, limit) in zip(values, limits, strict=True):
                if value is not None and (type(value) is not kind or (limit and not -limit <= int(value) < limit)):
                    _check(tbl, number, row)
                    break
            if None in required(row):
                raise UsageError(f"row {number} of {tbl} needs {', '.join(_REQUIRED[tbl])}")


def _check(tbl: str, number: int, row: Row) -> None:
    """Raise for the first value of a row that does not fit its column."""
    for name, sql, _ in COLUMNS[tbl]:
        value, kind = row[name], _TYPES[sql]
        if value is None:
            continue
        allowed: tuple[type, ...] = (int, float) if kind is float else (kind,)
        if type(value) not in allowed:
            raise UsageError(f"row {number} of {tbl}: {name} is {type(value).__name__}, not {kind.__name__}")
        if sql in _LIMITS and not -_LIMITS[sql] <= int(value) < _LIMITS[sql]:
            raise UsageError(f"row {number} of {tbl}: {name} = {value} does not fit {sql}")
