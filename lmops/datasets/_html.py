"""Datasets as HTML that needs neither script nor style sheet; every text in it is escaped and cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lmops.datasets._diff import DatasetDiff
    from lmops.datasets._records import DatasetVersion

_ROWS: Final = 20
_CHANGES: Final = 100
_CELL: Final = 120
_STYLE: Final = "padding:1px 10px 1px 0;text-align:left;vertical-align:top"


def version_html(version: DatasetVersion) -> str:
    """Return the head of a version and its first examples."""
    facts = f"{version.ref}: {version.count:,} examples"
    if version.selection:
        facts += f" ({version.selection})"
    examples = version.examples[:_ROWS]
    shown = [name for name in ("expected", "split", "cluster", "output") if any(getattr(one, name) for one in examples)]
    rows = ([one.example_id, one.input, *(getattr(one, name) for name in shown)] for one in examples)
    rest = f"and {version.count - _ROWS:,} more: .df() has all" if version.count > _ROWS else ""
    return _table(facts, ["id", "input", *shown], rows, f"{version.note} {rest}".strip())


def diff_html(found: DatasetDiff) -> str:
    """Return the changes as a table."""
    changes = found.rows()
    rows = ([row["change"], row["example_id"], row["field"], row["before"], row["after"]] for row in changes[:_CHANGES])
    rest = f"and {len(changes) - _CHANGES:,} more: .df() has all" if len(changes) > _CHANGES else ""
    return _table(found.summary, ["change", "id", "field", "before", "after"], rows, rest)


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[Any]], note: str) -> str:
    head = "".join(f'<th style="{_STYLE};font-weight:600">{one_line(name, _CELL)}</th>' for name in heads)
    body = "".join(
        "<tr>" + "".join(f'<td style="{_STYLE}">{one_line(cell, _CELL)}</td>' for cell in row) + "</tr>" for row in rows
    )
    foot = f'<p style="margin:4px 0 0">{one_line(note, 400)}</p>' if note else ""
    return (
        f'<div style="max-height:420px;overflow:auto"><p style="margin:0 0 4px"><b>{one_line(title, 400)}</b></p>'
        f'<table style="border-collapse:collapse;font-size:12px"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>{foot}</div>"
    )
