"""Values of any origin (pandas, numpy, files) as plain JSON values, or refused in words."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import math
import pathlib
import uuid
from typing import Any, Final

from lmops.errors import UsageError
from lmops.text import plain_line

#: What pandas puts where there is nothing.
_MISSING: Final = frozenset({"NAType", "NaTType"})
_PLAIN: Final = frozenset({str, bool, type(None)})
_INT64: Final = 2**63
_DEEPEST: Final = 100


def cell(value: Any, row: int, column: str) -> Any:
    """Return one cell of a table as a plain JSON value; NaN, NaT and NA are None: there is nothing.

    Args:
        value: The cell.
        row: The number of its row, for an error.
        column: The name of its column.

    Raises:
        UsageError: It holds something that JSON cannot say (bytes, infinity, NaN within a list, ...).
    """
    kind = type(value)
    if kind in _PLAIN or (kind is int and -_INT64 <= value < _INT64):
        return value
    if is_missing(value):
        return None
    return plain(value, f"row {row}, {plain_line(column, 60)}")


def is_missing(value: Any) -> bool:
    """Return whether a cell is empty: None, NaN, NaT or NA."""
    if value is None or type(value).__name__ in _MISSING:
        return True
    return isinstance(value, float) and math.isnan(value)


def plain(value: Any, where: str, depth: int = 0) -> Any:
    """Return a value as what JSON has, with the same meaning, or refuse it."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if depth > _DEEPEST:
        raise UsageError(f"{where} is nested more than {_DEEPEST} deep, or contains itself")
    if kind is int:
        return _integer(value, where)
    if kind is float:
        return _number(value, where)
    if kind is dict:
        return _object(value, where, depth)
    if kind is list or kind is tuple:
        return [plain(item, where, depth + 1) for item in value]
    return _foreign(value, where, depth)


def _foreign(value: Any, where: str, depth: int) -> Any:  # one line for each kind
    if isinstance(value, enum.Enum):
        return plain(value.value, where, depth + 1)
    if isinstance(value, str):
        return str(value)
    if type(value).__name__ in _MISSING:
        return None
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, uuid.UUID | pathlib.PurePath):
        return str(value)
    if isinstance(value, decimal.Decimal):
        return _decimal(value, where)
    if isinstance(value, set | frozenset):
        items = [plain(item, where, depth + 1) for item in value]
        return sorted(items, key=lambda item: (type(item).__name__, str(item)))
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        return _array(value, where, depth)
    if isinstance(value, bytes | bytearray | memoryview):
        raise UsageError(f"{where} is bytes: decode it (.decode()) or keep the file and give its path")
    return _structured(value, where, depth)


def _structured(value: Any, where: str, depth: int) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name), where, depth + 1) for one in dataclasses.fields(value)}
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(mode="json"), where, depth + 1)
    if hasattr(value, "keys") and hasattr(value, "__getitem__"):
        return _object({key: value[key] for key in value.keys()}, where, depth)  # noqa: SIM118  # a mapping of any kind
    raise UsageError(
        f"{where} is a {type(value).__name__} ({plain_line(value, 60)}): give text, a number, a list or a dict"
    )


def _integer(value: int, where: str) -> int:
    if not -_INT64 <= value < 2 * _INT64:
        raise UsageError(f"{where} is {plain_line(value, 40)}, beyond 64 bits: give it as text")
    return value


def _number(value: float, where: str) -> float:
    if not math.isfinite(value):
        raise UsageError(f"{where} has {value} in it: give None where there is no value")
    return value


def _decimal(value: decimal.Decimal, where: str) -> int | float:
    if value.is_finite() and value == value.to_integral_value():
        return _integer(int(value), where)
    return _number(float(value), where)


def _array(value: Any, where: str, depth: int) -> Any:
    """Return a numpy scalar or array as Python has it."""
    if getattr(value.dtype, "kind", "") in "mM" and value.ndim == 0:
        text = str(value)
        return None if text == "NaT" else text
    found = value.tolist()
    if isinstance(found, float) and math.isnan(found) and value.ndim == 0:
        return None if depth == 0 else _number(found, where)
    return plain(found, where, depth + 1)


def _object(value: dict[Any, Any], where: str, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, item in value.items():
        name = key if type(key) is str else _key(key, where)
        if name in found:
            raise UsageError(f"{where} has the key {plain_line(name, 60)!r} twice, as text and as something else")
        found[name] = item if type(item) in _PLAIN else plain(item, f"{where}.{plain_line(name, 40)}", depth + 1)
    return found


def _key(key: Any, where: str) -> str:
    if isinstance(key, str | int | float) and not isinstance(key, bool):
        return str(key)
    found = key.item() if hasattr(key, "item") else None
    if isinstance(found, str | int | float):
        return str(found)
    raise UsageError(f"{where} has the key {plain_line(key, 60)!r}, a {type(key).__name__}: keys are texts")
