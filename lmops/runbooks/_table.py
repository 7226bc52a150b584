"""A frame as a table and numbers as tiles that a person reads: units by name, escaped, the same wherever archived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.base.cells import Cell, cell, interval, table_html
from lmops.base.sheet import aligned
from lmops.errors import UsageError, did_you_mean
from lmops.runbooks._display import display_bundle
from lmops.text import escape, plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

_TILES: Final = "display:flex;flex-wrap:wrap;gap:12px 32px;margin:8px 0"
_LABEL: Final = "font-size:0.85em;opacity:0.7"
_VALUE: Final = "font-size:1.6em;line-height:1.25;font-weight:600;font-variant-numeric:tabular-nums;white-space:nowrap"


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
        rows.append([interval(name, row) if name in between else cell(name, row[name]) for name in shown])
    is_number = [_is_number(frame, name) for name in shown]
    more = f"and {len(frame) - limit:,} more rows" if len(frame) > limit else "" if len(frame) else "no rows"
    display_bundle(
        {"text/html": table_html(shown, rows, is_number, more), "text/plain": _text(shown, rows, is_number, more)}
    )


def show_numbers(numbers: Mapping[str, object], *, notes: Mapping[str, str] | None = None) -> None:
    """Display a few numbers as large tiles, in the units that their names say; a missing one is "-".

    Args:
        numbers: Name -> number, such as ``{"traces": 2000, "error_rate": 0.009, "cost_usd": 0.66}``.
        notes: Name -> a short line below the number, such as its interval.
    """
    said = notes or {}
    cells = [(_label(name), cell(name, value).text, said.get(name, "")) for name, value in numbers.items()]
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
    return cell(name, value).text


def _label(name: str) -> str:
    return name.removesuffix("_usd").removesuffix("_ms").replace("_", " ")


def _stem(name: str) -> str:
    return name.removesuffix("_low").removesuffix("_high")


def _is_number(frame: pd.DataFrame, name: str) -> bool:
    return frame[name].dtype.kind in "iuf"


def _text(names: list[str], rows: list[list[Cell]], is_number: list[bool], more: str) -> str:
    texts = [names, *([cell.text for cell in row] for row in rows)]
    lines = aligned(texts, numbers=[place for place, right in enumerate(is_number) if right])
    return plain("\n".join(lines + ([more] if more else [])))
