"""One value of a frame as a person reads it: units by name, ids cut to their start, a missing value as "-"."""

from __future__ import annotations

import json
import re
from datetime import datetime
from numbers import Number
from typing import TYPE_CHECKING, Final, NamedTuple

from lmops.base.sheet import cell_label, table_class
from lmops.base.units import duration, money, share
from lmops.text import attribute, escape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_MAX_TEXT: Final = 80
#: A longer text than this gets room in a table, or it would be broken into one word a line.
_LONG_TEXT: Final = 24
#: So many characters of a trace id tell it from all others in practice, and every call takes them.
_ID_SHOWN: Final = 12
_HEX_ID: Final = re.compile("[0-9a-f]{32}|[0-9a-f]{64}")
#: what in a name says that a column holds fractions of one
_RATES: Final = frozenset({"rate", "share", "coverage"})
#: units that a column ``unit`` says, as the ends of names say them
_UNITS: Final = ("ms", "usd", "rate")
#: columns that count in the unit of what they stand beside
_MEASURED: Final = frozenset(
    {f"{of}{end}" for of in ("corrected", "ppi", "difference") for end in ("", "_low", "_high")}
    | {"value", "mean", "estimate", "low", "high"}
)
_RIGHT: Final = 'style="text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap"'
_LEFT: Final = 'style="text-align:left"'
_WIDE: Final = 'style="text-align:left;min-width:14em"'
_ONE_LINE: Final = 'style="text-align:left;white-space:nowrap"'


class Cell(NamedTuple):
    """One value as text, and what a longer form of it says on hover."""

    text: str
    whole: str = ""


def cell(name: str, value: object) -> Cell:
    """Return one value as text, by the unit that its column's name says."""
    if isinstance(value, str):
        text = " ".join(value.split())
        if _HEX_ID.fullmatch(text):
            return Cell(text[:_ID_SHOWN], text)
        return Cell(text) if len(text) <= _MAX_TEXT else Cell(text[: _MAX_TEXT - 1] + "…")
    if isinstance(value, dict):
        return cell(name, json.dumps(value, ensure_ascii=False, default=str))
    if hasattr(value, "__iter__"):
        return cell(name, ", ".join(cell(name, item).text for item in value))
    # pandas' NA answers no question, not even whether it is itself
    if value is None or type(value).__name__ == "NAType" or value != value:  # noqa: PLR0124 - NaN, NaT are not themselves
        return Cell("-")
    if isinstance(value, datetime):
        return Cell(value.strftime("%Y-%m-%d %H:%M:%S").removesuffix(" 00:00:00"))
    is_number = isinstance(value, Number) and not isinstance(value, bool)
    return Cell(_number(name)(value) if is_number else cell(name, str(value)).text)


def row_cells(names: Sequence[str], values: Sequence[object]) -> list[Cell]:
    """Return the values of one row as text; the ends of an interval count in the unit of what they belong to.

    That is what a column ``unit`` says, or the rate that stands beside them.
    """
    said = values[names.index("unit")] if "unit" in names else None
    is_rate = "rate" in names or ("share" in names and "mean" not in names)
    measure = said if said in _UNITS else "rate" if is_rate else None
    return [
        cell(f"{name}_{measure}" if measure is not None and name in _MEASURED else name, value)
        for name, value in zip(names, values, strict=True)
    ]


def interval(name: str, row: Mapping[str, object]) -> Cell:
    """Return a value with the ends of its interval; that of a rate stays within 0 and 1."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if _is_rate(name) and isinstance(low, float) and isinstance(high, float):
        low, high = max(low, 0.0), min(high, 1.0)
    text, least, most = (cell(name, one).text for one in (row[name], low, high))
    return Cell(text if "-" in (least, most) else f"{text} ({least} to {most})")


def _is_rate(name: str) -> bool:
    return not _RATES.isdisjoint(name.split("_"))


def _number(name: str) -> Callable[[object], str]:
    if name.endswith("_usd"):
        return lambda value: money(_as_float(value))
    if name.endswith("_ms"):
        return lambda value: duration(_as_float(value))
    if name.endswith("_s"):
        return lambda value: duration(1_000 * _as_float(value))
    if _is_rate(name):
        return lambda value: share(_as_float(value), signed=name.startswith("difference"))
    return lambda value: f"{value:,}" if isinstance(value, int) or not hasattr(value, "is_integer") else _float(value)


def _as_float(value: object) -> float:
    return float(value)  # type: ignore[arg-type]  # it is a number


def _float(value: object) -> str:
    number = _as_float(value)
    return f"{number:,.0f}" if number.is_integer() else f"{number:,.4g}"


def table_html(names: list[str], rows: list[list[Cell]], is_number: list[bool], more: str) -> str:
    """Return a table of cells, numbers to the right and prose to the left."""
    columns = [[row[place].text for row in rows] for place in range(len(names))]
    styles = [
        _style(name, texts, is_number=right) for name, texts, right in zip(names, columns, is_number, strict=True)
    ]
    head = "".join(f"<th {style}>{escape(name)}</th>" for name, style in zip(names, styles, strict=True))
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{cell_label(name, len(names))} {style}{_title(cell)}>{escape(cell.text)}</td>"
            for name, cell, style in zip(names, row, styles, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    note = f"<p>{escape(more)}</p>" if more else ""
    return f'<table class="{table_class(len(names))}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}'


def _style(name: str, texts: list[str], *, is_number: bool) -> str:
    if is_number:
        return _RIGHT
    longest = max(map(len, texts), default=0)
    if name.endswith(("_at", "_id")) or name == "bucket" or longest <= _LONG_TEXT:
        return _ONE_LINE
    return _WIDE if longest > 2 * _LONG_TEXT else _LEFT


def _title(cell: Cell) -> str:
    return f' title="{attribute(cell.whole)}"' if cell.whole else ""
