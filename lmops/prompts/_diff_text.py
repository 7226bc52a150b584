"""The difference of two versions where no widget is: plain text for terminals, HTML for archived notebooks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from lmops.text import escape, one_line, plain, plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lmops.prompts._align import Parts
    from lmops.prompts._diff import Change, MessageDiff, PromptDiff, Row

_AROUND: Final = 3
_VALUE: Final = 400
_MAX_ROWS: Final = 400
_MAX_LINE: Final = 2_000
_SIGNS: Final = {"same": " ", "changed": "~", "added": "+", "removed": "-"}
#: Names of colours: JupyterLab's sanitiser keeps only plain ones, and these read on white and on black.
_SIGN: Final = "padding:0 6px;font-family:monospace;vertical-align:top"
_LINE: Final = "padding:0 8px 0 0;white-space:pre-wrap;text-align:left;font-family:monospace;vertical-align:top"


def value_text(value: Any) -> str:
    """Return plain data as JSON in one line."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def change_text(change: Change) -> str:
    """Return one change beside the text, as words."""
    if change.kind == "added":
        return f"{change.path}: {value_text(change.after)}"
    if change.kind == "removed":
        return f"{change.path}: was {value_text(change.before)}"
    return f"{change.path}: {value_text(change.before)} -> {value_text(change.after)}"


def as_text(diff: PromptDiff) -> str:
    """Return the whole difference as plain text; long unchanged stretches are left out and counted."""
    lines = [f"{diff.title.replace('→', '->')}: {diff.summary}"]
    lines += [f"{_SIGNS[change.kind]} {plain_line(change_text(change), _VALUE * 3)}" for change in diff.changes]
    lines += [f"{_SIGNS[kind]} variable {plain(name)}" for name, kind in diff.variables if kind != "same"]
    for message in diff.messages:
        if message.kind != "same":
            lines += ["", f"{_SIGNS[message.kind]} [{message.title.replace('→', '->')}]", *_message_lines(message)]
    return "\n".join(lines)


def _message_lines(message: MessageDiff) -> Iterable[str]:
    width = max((len(str(number)) for row in message.rows for number in row[1:3] if number), default=1)
    for shown in stretches(message.rows, _AROUND):
        if isinstance(shown, int):
            yield f"  ... {shown:,} unchanged line{'' if shown == 1 else 's'}"
            continue
        for row in shown:
            numbers = (row.left_number, row.right_number)
            if row.kind == "same":
                yield _line(" ", numbers, width, row.left_text)
                continue
            if row.left is not None:
                yield _line("-", (row.left_number, None), width, row.left_text)
            if row.right is not None:
                yield _line("+", (None, row.right_number), width, row.right_text)


def _line(sign: str, numbers: tuple[int | None, int | None], width: int, text: str | None) -> str:
    left, right = (str(number or "").rjust(width) for number in numbers)
    return f"{sign} {left} {right}  {plain(text)}".rstrip()


def stretches(rows: Sequence[Row], around: int) -> list[list[Row] | int]:
    """Return what to show of many rows: lists of rows, and between them the number of unchanged rows left out.

    Args:
        rows: All rows of a message.
        around: Unchanged rows to keep at each side of a change.
    """
    changed = [place for place, row in enumerate(rows) if row.kind != "same"]
    near = {place + by for place in changed for by in range(-around, around + 1)}
    # The line that says that one line is left out would be no shorter.
    near |= {place for place in range(len(rows)) if place - 1 in near and place + 1 in near}
    found: list[list[Row] | int] = []
    for place, row in enumerate(rows):
        last = found[-1] if found else None
        if place not in near:
            if isinstance(last, int):
                found[-1] = last + 1
            else:
                found.append(1)
        elif isinstance(last, list):
            last.append(row)
        else:
            found.append([row])
    return found


# -- HTML --------------------------------------------------------------------------------------------------------------


def as_html(diff: PromptDiff) -> str:
    """Return the difference as HTML that needs neither script nor style sheet; every text is escaped."""
    parts = [f'<p style="margin:0 0 4px"><b>{one_line(diff.title, _VALUE)}</b>: {escape(diff.summary)}</p>']
    settings = "".join(
        f'<tr><td style="{_SIGN}">{_SIGNS[change.kind]}</td>'
        f'<td style="{_LINE}">{one_line(change_text(change), _VALUE)}</td></tr>'
        for change in diff.changes
    )
    settings += "".join(
        f'<tr><td style="{_SIGN}">{_SIGNS[kind]}</td><td style="{_LINE}">variable {escape(name)}</td></tr>'
        for name, kind in diff.variables
        if kind != "same"
    )
    if settings:
        parts.append(f'<table style="border-collapse:collapse;font-size:12px"><tbody>{settings}</tbody></table>')
    left = _MAX_ROWS
    for message in diff.messages:
        if message.kind == "same" or left <= 0:
            continue
        rows, used = _html_rows(message, left)
        left -= used
        parts.append(
            f'<p style="margin:6px 0 2px"><b>{_SIGNS[message.kind]} {escape(message.title)}</b></p>'
            f'<table style="border-collapse:collapse;font-size:12px"><tbody>{rows}</tbody></table>'
        )
    if left <= 0:
        parts.append('<p style="margin:4px 0 0">There is more: <code>.text</code> has all of it.</p>')
    return f'<div style="max-height:520px;overflow:auto">{"".join(parts)}</div>'


def _html_rows(message: MessageDiff, limit: int) -> tuple[str, int]:
    found: list[str] = []
    for shown in stretches(message.rows, _AROUND):
        if isinstance(shown, int):
            found.append(_html_row("", None, f"<i>{shown:,} unchanged line{'' if shown == 1 else 's'}</i>"))
            continue
        for row in shown:
            if row.kind == "same":
                found.append(_html_row("", row.right_number, _marked(row.right, "")))
                continue
            if row.left is not None:
                found.append(_html_row("-", row.left_number, _marked(row.left, "del")))
            if row.right is not None:
                found.append(_html_row("+", row.right_number, _marked(row.right, "ins")))
    return "".join(found[:limit]), len(found)


def _html_row(sign: str, number: int | None, text: str) -> str:
    return (
        f'<tr><td style="{_SIGN};text-align:right">{number or ""}</td><td style="{_SIGN}"><b>{sign}</b></td>'
        f'<td style="{_LINE}">{text}</td></tr>'
    )


def _marked(parts: Parts | None, tag: str) -> str:
    """Return a line with its changed words in a tag that strikes or underlines them, and template code in bold."""
    found = ""
    room = _MAX_LINE
    for part in parts or ():
        text = escape(part.text, max(room, 1))
        room -= len(part.text)
        text = f"<b>{text}</b>" if part.is_template else text
        found += f"<{tag}>{text}</{tag}>" if tag and part.is_changed and part.text.strip() else text
        if room <= 0:
            break
    return found
