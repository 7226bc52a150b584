"""What a widget leaves behind where no kernel answers: tables that read in exported and untrusted notebooks.

JupyterLab's sanitiser removes ``<style>`` and every inline colour that is not plain, so the layout is inline, the
colours of text come from the page, and what matters is in words.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from lmops.text import escape, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: rows of a table that is archived
MAX_ROWS: Final = 50
_TEXT: Final = 120
_TITLE: Final = 400
_CELL: Final = "padding:1px 10px 1px 0;text-align:{side};white-space:nowrap;vertical-align:top"


def is_static() -> bool:
    """Return whether this process writes a notebook that is read later, without a kernel (``LMOPS_STATIC=1``)."""
    return os.environ.get("LMOPS_STATIC", "") not in ("", "0")


def table(
    title: str, heads: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Iterable[int] = (), note: str = ""
) -> str:
    """Return a table as HTML that needs neither script nor style sheet; every text is escaped and cut here.

    Args:
        title: One line above it.
        heads: Headings.
        rows: Cells as words, at most :data:`MAX_ROWS` rows of them.
        numbers: Places of the columns that are set to the right.
        note: One line below it.
    """
    sides = ["right" if place in set(numbers) else "left" for place in range(len(heads))]
    styles = [_CELL.format(side=side) for side in sides]
    head = "".join(
        f'<th style="{style};font-weight:600">{one_line(name, _TEXT)}</th>'
        for name, style in zip(heads, styles, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f'<td style="{style}">{one_line(cell, _TEXT)}</td>' for cell, style in zip(row, styles, strict=True))
        + "</tr>"
        for row in rows
    )
    foot = f'<p style="margin:4px 0 0">{escape(note, _TITLE)}</p>' if note else ""
    return (
        f'<div style="max-height:420px;overflow:auto"><p style="margin:0 0 4px"><b>{one_line(title, _TITLE)}</b></p>'
        f'<table style="border-collapse:collapse;font-size:12px"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>{foot}</div>"
    )
