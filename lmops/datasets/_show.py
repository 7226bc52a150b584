"""Datasets as text and as HTML that needs neither script nor style sheet; every text is made safe and cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.base.sheet import framed
from lmops.base.shown import html_of, text_of
from lmops.base.units import counted
from lmops.datasets._diff import DatasetDiff
from lmops.datasets._records import DatasetVersion
from lmops.text import plain_line, readable

if TYPE_CHECKING:
    from lmops.datasets._example import Example

_ROWS: Final = 20
_CHANGES: Final = 100
_NOTE: Final = 400
_SHOWN: Final = 50
_WIDTH: Final = 100


@html_of.register(DatasetVersion)
def version_html(version: DatasetVersion) -> str:
    """Return the head of a version and its first examples."""
    facts = f"{version.ref}: {counted(version.count, 'example')}"
    if version.selection:
        facts += f" ({version.selection})"
    examples = version.examples[:_ROWS]
    shown = [name for name in ("expected", "split", "cluster", "output") if any(getattr(one, name) for one in examples)]
    rows = (
        [one.example_id, readable(one.input), *(readable(getattr(one, name)) for name in shown)] for one in examples
    )
    rest = f"and {version.count - _ROWS:,} more: .df() has all" if version.count > _ROWS else ""
    note = plain_line(f"{version.note} {rest}".strip(), _NOTE)
    return framed(facts, ["id", "input", *shown], rows, note=note, wraps=True)


@text_of.register(DatasetDiff)
def diff_text(found: DatasetDiff) -> str:
    """Return the changes as text, at most 50 lines a kind, safe to print."""
    lines = [found.summary]
    for sign, examples in (("+", found.added), ("-", found.removed)):
        lines += [
            f"{sign} {plain_line(one.example_id, 60)}  {plain_line(readable(one.input), _WIDTH)}"
            for one in examples[:_SHOWN]
        ]
        lines += [f"{sign} ... and {len(examples) - _SHOWN:,} more"] if len(examples) > _SHOWN else []
    for change in found.changed[:_SHOWN]:
        lines.append(f"~ {plain_line(change.example_id, 60)}")
        for name in change.fields:
            lines.append(f"    {name} - {plain_line(_shown(change.before, name), _WIDTH)}")
            lines.append(f"    {' ' * len(name)} + {plain_line(_shown(change.after, name), _WIDTH)}")
    if len(found.changed) > _SHOWN:
        lines.append(f"~ ... and {len(found.changed) - _SHOWN:,} more")
    return "\n".join(lines)


def _shown(example: Example, name: str) -> str:
    value = getattr(example, name)
    return "(nothing)" if value is None else readable(value)


@html_of.register(DatasetDiff)
def diff_html(found: DatasetDiff) -> str:
    """Return the changes as a table."""
    changes = found.rows()
    heads = ["change", "example_id", "field", "before", "after"]
    rows = ([readable(row[name]) for name in heads] for row in changes[:_CHANGES])
    rest = f"and {len(changes) - _CHANGES:,} more: .df() has all" if len(changes) > _CHANGES else ""
    return framed(found.summary, ["change", "id", "field", "before", "after"], rows, note=rest, wraps=True)
