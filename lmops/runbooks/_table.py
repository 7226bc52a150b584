"""A frame as a table that a person reads: units by column name, escaped, the same everywhere it is archived."""

from __future__ import annotations

import html
from datetime import datetime
from typing import TYPE_CHECKING, Final

from lmops.errors import UsageError, did_you_mean
from lmops.runbooks._result import display_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

_MAX_TEXT: Final = 80
_RIGHT: Final = 'style="text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap"'
_LEFT: Final = 'style="text-align:left"'
_TIME: Final = 'style="text-align:left;white-space:nowrap"'


def show_table(frame: pd.DataFrame, columns: Sequence[str] | None = None, *, limit: int = 50) -> None:
    """Display the first rows of a frame: money, milliseconds, rates and times in their units, a missing value as "-".

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
    rows = [
        [_cell(name, value) for name, value in zip(names, row, strict=True)]
        for row in frame[names].head(limit).itertuples(index=False, name=None)
    ]
    is_number = [_is_number(frame, name) for name in names]
    more = f"and {len(frame) - limit:,} more rows" if len(frame) > limit else "" if len(frame) else "no rows"
    display_bundle(
        {"text/html": _html(names, rows, is_number, more), "text/plain": _text(names, rows, is_number, more)}
    )


def _is_number(frame: pd.DataFrame, name: str) -> bool:
    return frame[name].dtype.kind in "iuf"


def _cell(name: str, value: object) -> str:
    """Return one value as text, by the unit that its column's name says."""
    if isinstance(value, str):
        text = " ".join(value.split())
        return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"
    if hasattr(value, "__iter__"):
        return ", ".join(str(item) for item in value)
    if value is None or value != value:  # noqa: PLR0124 - NaN and NaT are not themselves
        return "-"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S").removesuffix(" 00:00:00")
    return str(value) if isinstance(value, bool) else _number(name)(value)


def _number(name: str) -> Callable[[object], str]:
    if name.endswith("_usd"):
        return "${:,.4f}".format
    if name.endswith("_ms"):
        return "{:,.0f}".format
    if "rate" in name.split("_"):
        return "{:.1%}".format
    return lambda value: f"{value:,}" if isinstance(value, int) or not hasattr(value, "is_integer") else _float(value)


def _float(value: object) -> str:
    number = float(value)  # type: ignore[arg-type]  # it has is_integer
    return f"{number:,.0f}" if number.is_integer() else f"{number:,.4g}"


def _html(names: list[str], rows: list[list[str]], is_number: list[bool], more: str) -> str:
    styles = [
        _RIGHT if right else _TIME if name.endswith("_at") or name == "bucket" else _LEFT
        for name, right in zip(names, is_number, strict=True)
    ]
    head = "".join(f"<th {style}>{html.escape(name)}</th>" for name, style in zip(names, styles, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f"<td {style}>{html.escape(text)}</td>" for text, style in zip(row, styles, strict=True))
        + "</tr>"
        for row in rows
    )
    note = f"<p>{html.escape(more)}</p>" if more else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}"


def _text(names: list[str], rows: list[list[str]], is_number: list[bool], more: str) -> str:
    widths = [max(len(text) for text in column) for column in zip(names, *rows, strict=True)]
    lines = [
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, is_number, strict=True)
        ).rstrip()
        for line in [names, *rows]
    ]
    return "\n".join(lines + ([more] if more else []))
