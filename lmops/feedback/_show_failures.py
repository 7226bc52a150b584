"""How failure modes, suggestions, their pivot and the board of a queue look where no kernel answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.base.sheet import aligned, framed
from lmops.base.shown import html_of, text_of
from lmops.base.units import share
from lmops.feedback._failure_records import FailureMode, FailurePivot, Suggestions
from lmops.feedback.themes import Themes
from lmops.text import escape, plain, plain_line

if TYPE_CHECKING:
    import pandas as pd

#: Notes that are shown of a mode where all cannot be.
_SHOWN: Final = 3
_MOST_OPEN: Final = 50
_HEADS: Final = ["mode", "name", "notes", "items", "such as"]


@text_of.register(FailureMode)
def _(mode: FailureMode) -> str:
    told = f"\n  {plain(mode.criteria)}" if mode.criteria else ""
    counted = f"{_many(mode.notes, 'note')} on {_many(mode.items, 'item')}"
    return f"mode {mode.number} of {mode.queue}, {plain_line(mode.name, 100)}: {counted}{told}"


@text_of.register(Suggestions)
def _(found: Suggestions) -> str:
    rows = [[plain_line(one.name, 60), f"{len(one.notes):,}", plain_line(one.words[0], 80)] for one in found.modes]
    return "\n".join([_suggested(found), *(aligned([["name", "notes", "such as"], *rows]) if rows else [])])


@html_of.register(Suggestions)
def _(found: Suggestions) -> str:
    rows = [[one.name, f"{len(one.notes):,}", " / ".join(one.words)] for one in found.modes]
    return framed(_suggested(found), ["name", "notes", "such as"], rows, numbers=(1,), cell=300, wraps=True)


def _many(count: int, one: str) -> str:
    return f"{count:,} {one}{'' if count == 1 else 's'}"


def _suggested(found: Suggestions) -> str:
    if not found.modes and not found.left:
        return f"no notes of {found.queue} are in no mode"
    apart = "" if found.silhouette is None else f", silhouette {found.silhouette:.2f}"
    left = f"; {_many(found.left, 'note')} like no other" if found.left else ""
    omitted = f"; {found.omitted:,} more notes than can be compared at once" if found.omitted else ""
    many = _many(len(found.modes), "suggested mode")
    return f"{many} of {found.queue} by {plain_line(found.by, 100)}{apart}{left}{omitted}"


@text_of.register(FailurePivot)
def _(found: FailurePivot) -> str:
    heads, rows = _table(found)
    return "\n".join([plain_line(found.title, 300), *(aligned([heads, *rows]) if rows else []), *found.notes])


@html_of.register(FailurePivot)
def _(found: FailurePivot) -> str:
    heads, rows = _table(found)
    notes = "".join(f"<p>{escape(note)}</p>" for note in found.notes)
    return framed(found.title, heads, rows) + notes


def _table(found: FailurePivot) -> tuple[list[str], list[list[str]]]:
    """Return the headings and the rows, an interval in one cell."""
    import pandas as pd

    heads = [*found.by, "failure mode", "share", "count", "items", "of"]
    rows = []
    for row in found.frame.to_dict("records"):
        limits = "" if pd.isna(row["low"]) else f" ({share(row['low'])} to {share(row['high'])})"
        told = ["-" if pd.isna(row[name]) else plain_line(row[name], 60) for name in (*found.by, "failure_mode")]
        rows.append([*told, f"{share(row['share'])}{limits}", f"{row['count']:,}", f"{row['items']:,}", row["of"]])
    return heads, rows


@text_of.register(Themes)
def _(themes: Themes) -> str:
    notes = themes.df()
    modes, open_notes = _rows(themes, notes), notes[notes["mode"].isna()]
    lines = [_head(themes, notes), *(aligned([_HEADS, *modes]) if modes else [])]
    lines += [f"  {plain_line(one['note'], 60)}: {plain_line(one['words'], 100)}" for one in _open(open_notes)]
    return "\n".join(lines)


@html_of.register(Themes)
def _(themes: Themes) -> str:
    notes = themes.df()
    open_notes = notes[notes["mode"].isna()]
    rows = [[one["note"], one["words"], one["version"] or "-", one["model"] or "-"] for one in _open(open_notes)]
    tables = framed(_head(themes, notes), _HEADS, _rows(themes, notes), numbers=(0, 2, 3), cell=400, wraps=True)
    if not rows:
        return tables
    more = len(open_notes) - len(rows)
    told = f"The first {len(rows):,} of {len(open_notes):,}." if more else ""
    heads = ["note", "words", "version", "model"]
    return tables + framed("Notes in no mode", heads, rows, cell=400, wraps=True, note=told)


def _head(themes: Themes, notes: pd.DataFrame) -> str:
    left = int(notes["mode"].isna().sum())
    return f"failure modes of {themes.queue}: {_many(len(notes), 'note')}, {left:,} in no mode"


def _open(notes: pd.DataFrame) -> list[dict[Any, Any]]:
    return notes.head(_MOST_OPEN).to_dict("records")


def _rows(themes: Themes, notes: pd.DataFrame) -> list[list[str]]:
    found = []
    for one in themes.modes().to_dict("records"):
        words = notes[notes["mode"] == one["mode"]]["words"].head(_SHOWN).tolist()
        such = " / ".join(plain_line(text, 80) for text in words)
        found.append([str(one["mode"]), plain_line(one["name"], 100), f"{one['notes']:,}", f"{one['items']:,}", such])
    return found
