"""Small tables that a person reads: columns below each other in a terminal, cells that only show in HTML."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lmops.text import attribute, escape, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

#: Colours of what is bad and of what is good: those of the page where it has some, else some that read on white.
BAD: Final = "color:var(--jp-error-color1,#b42318);font-weight:600"
GOOD: Final = "color:var(--jp-success-color1,#1a7f37);font-weight:600"
#: What begins as a number does and is not long, such as "0.01 to 0.2"; what is not there is no prose either.
_NUMBER: Final = re.compile(r"([-+\u2212<~$]*[\d.].{0,23}|-|nan)?")
#: Up to so many columns fit on a telephone; with more than so many, none of the pages that people print.
_FEW_COLUMNS: Final = 3
_MANY_COLUMNS: Final = 8
_TITLE: Final = 400
_CELL: Final = "padding:1px 10px 1px 0;text-align:{side};{wrap}vertical-align:top"
#: A number is not broken before its unit; the heading above it may be.
_WHOLE: Final = ";white-space:nowrap"
_COMPACT: Final = ' style="border-collapse:collapse;font-size:12px"'


def aligned(table: Sequence[Sequence[str]], *, numbers: Iterable[int] = ()) -> list[str]:
    """Return rows of cells as lines in which the columns stand below each other.

    Args:
        table: The rows, the one of the headings first.
        numbers: Places of the columns that are set to the right.

    Example:
        >>> aligned([("scorer", "mean"), ("exact", "0.9")])
        ['scorer  mean', 'exact   0.9']
        >>> aligned([("scorer", "mean"), ("exact", "0.9")], numbers=[1])
        ['scorer  mean', 'exact    0.9']
    """
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    right = set(numbers)
    sides = [str.rjust if place in right else str.ljust for place in range(len(widths))]
    return [
        "  ".join(side(cell, width) for side, cell, width in zip(sides, row, widths, strict=True)).rstrip()
        for row in table
    ]


def html_table(
    head: Sequence[str],
    body: Iterable[Sequence[object]],
    *,
    show: Callable[[object], str] = escape,
    styles: Sequence[str] = (),
    heads: Sequence[str] = (),
    compact: bool = False,
) -> str:
    """Return rows of cells as an HTML table that shows them and does nothing else.

    Args:
        head: Headings.
        body: Cells.
        show: Makes a cell safe.
        styles: The inline style of each column; by default numbers stand to the right and prose to the left.
        heads: The inline style of each heading; by default that of its column.
        compact: Small, and without space between the cells.
    """
    body = list(body)
    styles = styles or [_side([row[place] for row in body]) for place in range(len(head))]
    heads = heads or [style.removesuffix(_WHOLE) for style in styles]
    top = _cells("th", head, heads, show)
    lines = "".join(f"<tr>{_cells('td', row, styles, show, names=head)}</tr>" for row in body)
    look = f' class="{table_class(len(head))}"{_COMPACT if compact else ""}'
    return f"<table{look}><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"


def _side(column: Iterable[object]) -> str:
    """Return the style of a column: JupyterLab's own would set prose to the right as well."""
    is_number = all(_NUMBER.fullmatch(str(cell)) for cell in column)
    return f"text-align:right{_WHOLE}" if is_number else "text-align:left"


def table_class(columns: int) -> str:
    """Return how a table of so many columns is called, so that a narrow page can lay out its rows as blocks.

    A cell then brings the name of its column along (:func:`cell_label`): in a block that is what stands before it.
    """
    return "lm-table" + " lm-blocks" * (columns > _FEW_COLUMNS) + " lm-wide" * (columns > _MANY_COLUMNS)


def framed(
    title: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    numbers: Iterable[int] = (),
    note: str = "",
    cell: int = 120,
    wraps: bool = False,
) -> str:
    """Return a table that scrolls, as HTML that needs neither script nor style sheet; texts are escaped and cut here.

    JupyterLab's sanitiser removes ``<style>`` and every inline colour that is not plain, so the layout is inline.

    Args:
        title: One line above it.
        heads: Headings.
        rows: Cells.
        numbers: Places of the columns that are set to the right.
        note: One line below it.
        cell: The most characters of a cell.
        wraps: Whether a long cell takes several lines.
    """
    right = set(numbers)
    wrap = "" if wraps else "white-space:nowrap;"
    sides = ["right" if place in right else "left" for place in range(len(heads))]
    styles = [_CELL.format(side=side, wrap=wrap) for side in sides]
    table = html_table(
        heads,
        rows,
        show=lambda text: one_line(text, cell),
        styles=styles,
        heads=[f"{style};font-weight:600" for style in styles],
        compact=True,
    )
    foot = f'<p style="margin:4px 0 0">{escape(note, _TITLE)}</p>' if note else ""
    return (
        f'<div style="max-height:420px;overflow:auto"><p style="margin:0 0 4px"><b>{one_line(title, _TITLE)}</b></p>'
        f"{table}{foot}</div>"
    )


def cell_label(name: str, columns: int) -> str:
    """Return the attribute that names the column of a cell, in a table whose rows may become blocks."""
    return f' data-label="{attribute(name)}"' if columns > _FEW_COLUMNS else ""


def _cells(
    tag: str, cells: Sequence[object], styles: Sequence[str], show: Callable[[object], str], names: Sequence[str] = ()
) -> str:
    looks = [f' style="{one}"' for one in styles] or [""] * len(cells)
    labels = [cell_label(name, len(names)) for name in names] or [""] * len(cells)
    rows = zip(cells, looks, labels, strict=True)
    return "".join(f"<{tag}{label}{look}>{show(cell)}</{tag}>" for cell, look, label in rows)
