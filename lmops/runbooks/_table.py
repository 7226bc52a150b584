"""A frame as a table and numbers as tiles that a person reads: units by name, escaped, the same wherever archived."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from lmops.base.sheet import aligned
from lmops.base.units import duration, money, share
from lmops.errors import UsageError, did_you_mean
from lmops.runbooks._display import display_bundle
from lmops.text import escape, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

_MAX_TEXT: Final = 80
#: A longer text than this gets room in a table, or it would be broken into one word a line.
_LONG_TEXT: Final = 24
#: So many characters of a trace id tell it from all others in practice, and every call takes them.
_ID_SHOWN: Final = 12
_HEX_ID: Final = re.compile("[0-9a-f]{32}|[0-9a-f]{64}")
_RIGHT: Final = 'style="text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap"'
_LEFT: Final = 'style="text-align:left"'
_WIDE: Final = 'style="text-align:left;min-width:14em"'
_ONE_LINE: Final = 'style="text-align:left;white-space:nowrap"'
_TILES: Final = "display:flex;flex-wrap:wrap;gap:12px 32px;margin:8px 0"
_LABEL: Final = "font-size:0.85em;opacity:0.7"
_VALUE: Final = "font-size:1.6em;line-height:1.25;font-weight:600;font-variant-numeric:tabular-nums;white-space:nowrap"


class _Cell(NamedTuple):
    """One value as text, and what a longer form of it says on hover."""

    text: str
    whole: str = ""


def show_table(frame: pd.DataFrame, columns: Sequence[str] | None = None, *, limit: int = 50) -> None:
    """Display the first rows of a frame: money, milliseconds, rates and times in their units, a missing value as "-".

    Columns ``x``, ``x_low`` and ``x_high`` are one column: the value with its interval. Ids are cut to their start.

    Args:
        frame: Any frame; its index is not shown.
        columns: The columns to show, in this order; all of them when None.
        limit: The most rows; a line below says how many more there are.

    Raises:
        UsageError: The frame has no such column.
    """
    names = [str(name) for name in (frame.columns if columns is None else columns)]
    for name in names:
        if name not in frame.columns:
            raise UsageError(did_you_mean("column", name, [str(known) for known in frame.columns]))
    between = {name for name in names if {f"{name}_low", f"{name}_high"} <= set(names)}
    shown = [name for name in names if not (_stem(name) in between and name not in between)]
    rows = []
    for values in frame[names].head(limit).itertuples(index=False, name=None):
        row = dict(zip(names, values, strict=True))
        rows.append([_interval(name, row) if name in between else _cell(name, row[name]) for name in shown])
    is_number = [_is_number(frame, name) for name in shown]
    more = f"and {len(frame) - limit:,} more rows" if len(frame) > limit else "" if len(frame) else "no rows"
    display_bundle(
        {"text/html": _html(shown, rows, is_number, more), "text/plain": _text(shown, rows, is_number, more)}
    )


def show_numbers(numbers: Mapping[str, object], *, notes: Mapping[str, str] | None = None) -> None:
    """Display a few numbers as large tiles, in the units that their names say; a missing one is "-".

    Args:
        numbers: Name -> number, such as ``{"traces": 2000, "error_rate": 0.009, "cost_usd": 0.66}``.
        notes: Name -> a short line below the number, such as its interval.
    """
    said = notes or {}
    cells = [(_label(name), _cell(name, value).text, said.get(name, "")) for name, value in numbers.items()]
    tiles = "".join(
        f'<div><div style="{_LABEL}">{escape(label)}</div><div style="{_VALUE}">{escape(text)}</div>'
        f'<div style="{_LABEL}">{escape(note)}</div></div>'
        for label, text, note in cells
    )
    width = max((len(label) for label, _, _ in cells), default=0)
    lines = [f"{label.ljust(width)}  {text}  {note}".rstrip() for label, text, note in cells]
    display_bundle({"text/html": f'<div style="{_TILES}">{tiles}</div>', "text/plain": plain("\n".join(lines))})


def show_value(name: str, value: object) -> str:
    """Return one value as text, in the unit that its name says."""
    return _cell(name, value).text


def _label(name: str) -> str:
    return name.removesuffix("_usd").removesuffix("_ms").replace("_", " ")


def _stem(name: str) -> str:
    return name.removesuffix("_low").removesuffix("_high")


def _interval(name: str, row: Mapping[str, object]) -> _Cell:
    """Return a value with the ends of its interval."""
    text, low, high = (_cell(name, row[key]).text for key in (name, f"{name}_low", f"{name}_high"))
    return _Cell(text if "-" in (low, high) else f"{text} ({low} to {high})")


def _is_number(frame: pd.DataFrame, name: str) -> bool:
    return frame[name].dtype.kind in "iuf"


def _cell(name: str, value: object) -> _Cell:
    """Return one value as text, by the unit that its column's name says."""
    if isinstance(value, str):
        text = " ".join(value.split())
        if _HEX_ID.fullmatch(text):
            return _Cell(text[:_ID_SHOWN], text)
        return _Cell(text) if len(text) <= _MAX_TEXT else _Cell(text[: _MAX_TEXT - 1] + "…")
    if hasattr(value, "__iter__"):
        return _Cell(", ".join(_cell(name, item).text for item in value))
    # pandas' NA answers no question, not even whether it is itself
    if value is None or type(value).__name__ == "NAType" or value != value:  # noqa: PLR0124 - NaN, NaT are not themselves
        return _Cell("-")
    if isinstance(value, datetime):
        return _Cell(value.strftime("%Y-%m-%d %H:%M:%S").removesuffix(" 00:00:00"))
    return _Cell(str(value) if isinstance(value, bool) else _number(name)(value))


def _number(name: str) -> Callable[[object], str]:
    if name.endswith("_usd"):
        return lambda value: money(_as_float(value))
    if name.endswith("_ms"):
        return lambda value: duration(_as_float(value))
    if "rate" in name.split("_"):
        return lambda value: share(_as_float(value))
    return lambda value: f"{value:,}" if isinstance(value, int) or not hasattr(value, "is_integer") else _float(value)


def _as_float(value: object) -> float:
    return float(value)  # type: ignore[arg-type]  # it is a number


def _float(value: object) -> str:
    number = _as_float(value)
    return f"{number:,.0f}" if number.is_integer() else f"{number:,.4g}"


def _html(names: list[str], rows: list[list[_Cell]], is_number: list[bool], more: str) -> str:
    columns = [[row[place].text for row in rows] for place in range(len(names))]
    styles = [
        _style(name, texts, is_number=right) for name, texts, right in zip(names, columns, is_number, strict=True)
    ]
    head = "".join(f"<th {style}>{escape(name)}</th>" for name, style in zip(names, styles, strict=True))
    body = "".join(
        "<tr>"
        + "".join(
            f"<td {style}{_title(cell)}>{escape(cell.text)}</td>" for cell, style in zip(row, styles, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    note = f"<p>{escape(more)}</p>" if more else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}"


def _style(name: str, texts: list[str], *, is_number: bool) -> str:
    if is_number:
        return _RIGHT
    longest = max(map(len, texts), default=0)
    if name.endswith(("_at", "_id")) or name == "bucket" or longest <= _LONG_TEXT:
        return _ONE_LINE
    return _WIDE if longest > 2 * _LONG_TEXT else _LEFT


def _title(cell: _Cell) -> str:
    return f' title="{escape(cell.whole)}"' if cell.whole else ""


def _text(names: list[str], rows: list[list[_Cell]], is_number: list[bool], more: str) -> str:
    texts = [names, *([cell.text for cell in row] for row in rows)]
    lines = aligned(texts, numbers=[place for place, right in enumerate(is_number) if right])
    return plain("\n".join(lines + ([more] if more else [])))
