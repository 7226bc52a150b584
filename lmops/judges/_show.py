"""How versions of judges and their differences look."""

from __future__ import annotations

from typing import Final

from lmops.base.shown import html_of, text_of
from lmops.judges._records import JudgeDiff, JudgeVersion
from lmops.text import escape, plain, plain_line

_SIGNS: Final = {"same": " ", "added": "+", "removed": "-"}
_REWORDED: Final = "this release words or reads it otherwise than the one that saved it: calibrate it again"
_PRE: Final = '<pre style="max-height:420px;overflow:auto;margin:4px 0;white-space:pre-wrap;word-break:normal">{}</pre>'


@text_of.register(JudgeVersion)
def version_text(found: JudgeVersion) -> str:
    """Return a version with all that it is sent as plain text."""
    notes = [f"note: {plain_line(found.note, 300)}"] if found.note else []
    notes += [_REWORDED] if found.is_reworded else []
    return "\n".join([_title(found), *notes, *map(plain, found.lines())])


@html_of.register(JudgeVersion)
def _(found: JudgeVersion) -> str:
    body = version_text(found).partition("\n")[2]
    return f"<p><b>{escape(_title(found))}</b></p>{_PRE.format(escape(body, len(body)))}"


def _title(found: JudgeVersion) -> str:
    made = f", made from {found.parent}" if found.parent else ""
    return (
        f"judge {plain_line(found.ref, 120)} (version {found.judge_version}{made}, by {plain_line(found.author, 60)})"
    )


@text_of.register(JudgeDiff)
def diff_text(found: JudgeDiff) -> str:
    """Return a difference as plain text."""
    lines = [f"{_SIGNS[line.kind]} {plain(line.text)}" for line in found.lines]
    return "\n".join([_changed(found), *lines])


@html_of.register(JudgeDiff)
def _(found: JudgeDiff) -> str:
    lines = "".join(f"<{tag}>{escape(text, len(text))}</{tag}>\n" for tag, text in map(_marked, found.lines))
    return f"<p><b>{escape(_changed(found))}</b></p>{_PRE.format(lines)}"


def _marked(line: tuple[str, str]) -> tuple[str, str]:
    kind, text = line
    return {"same": "span", "added": "b", "removed": "s"}[kind], f"{_SIGNS[kind]} {plain(text)}"


def _changed(found: JudgeDiff) -> str:
    counts = [sum(line.kind == kind for line in found.lines) for kind in ("added", "removed")]
    said = "nothing changed" if found.is_same else f"{counts[0]:,} lines more, {counts[1]:,} less"
    return f"{plain_line(found.a, 120)} -> {plain_line(found.b, 120)}: {said}"
