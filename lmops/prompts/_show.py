"""Differences and comparisons where no widget is: plain text for terminals, HTML for archives; all text is escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.base.sheet import html_table
from lmops.base.shown import html_of, text_of
from lmops.base.units import duration, money, share
from lmops.prompts.comparisons import PromptComparison
from lmops.prompts.diffs import PromptDiff, value_text
from lmops.text import escape, one_line, plain, plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lmops.calc.alignment import Parts
    from lmops.prompts.comparisons import Measure, Value
    from lmops.prompts.diffs import Change, MessageDiff, Row

_AROUND: Final = 3
_VALUE: Final = 400
_MAX_ROWS: Final = 400
_MAX_LINE: Final = 2_000
_SIGNS: Final = {"same": " ", "changed": "~", "added": "+", "removed": "-"}
#: Names of colours: JupyterLab's sanitiser keeps only plain ones, and these read on white and on black.
_SIGN: Final = "padding:0 6px;font-family:monospace;vertical-align:top"
_LINE: Final = "padding:0 8px 0 0;white-space:pre-wrap;text-align:left;font-family:monospace;vertical-align:top"
_OUTPUTS: Final = 5
_HOW: Final = "95 % intervals, those of means and rates over sessions"
_TABLE: Final = '<table style="border-collapse:collapse;font-size:12px">'
_CELL: Final = "padding:1px 14px 1px 0;text-align:{};white-space:nowrap;vertical-align:top"


def change_text(change: Change) -> str:
    """Return one change beside the text, as words."""
    if change.kind == "added":
        return f"{change.path}: {value_text(change.after)}"
    if change.kind == "removed":
        return f"{change.path}: was {value_text(change.before)}"
    return f"{change.path}: {value_text(change.before)} -> {value_text(change.after)}"


@text_of.register(PromptDiff)
def diff_text(diff: PromptDiff) -> str:
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


# -- a difference as HTML ----------------------------------------------------------------------------------------------


@html_of.register(PromptDiff)
def diff_html(diff: PromptDiff) -> str:
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


# -- a comparison ------------------------------------------------------------------------------------------------------


def number(amount: float | None, unit: str, *, sign: bool = False) -> str:
    """Return a number with its unit, as a person reads it; "-" for none."""
    if amount is None:
        return "-"
    plus = "+" if sign else ""
    if unit == "rate":
        return share(amount, signed=sign)
    said = {"usd": money, "ms": duration}.get(unit, "{:,.0f}".format)(abs(amount))
    return f"{'-' if amount < 0 else plus}{said}"


def interval(value: Value, unit: str, *, sign: bool = False) -> str:
    """Return a value with its interval."""
    if value.estimate is None:
        return "not measured"
    low, high = number(value.low, unit, sign=sign), number(value.high, unit, sign=sign)
    return f"{number(value.estimate, unit, sign=sign)} [{low}, {high}]"


def cells(measure: Measure, place: int) -> tuple[str, str, str]:
    """Return what is shown of one version: the value with its interval, n, and the difference from the first."""
    value, gap = measure.values[place], measure.differences[place]
    counted = f"n={value.n:,}" + (f" ({value.missing:,} missing)" if value.missing else "")
    return interval(value, measure.unit), counted, "" if gap is None else interval(gap, measure.unit, sign=True)


def is_clear(value: Value | None) -> bool:
    """Return whether an interval of a difference lies on one side of zero."""
    return value is not None and value.low is not None and value.high is not None and (value.low > 0 or value.high < 0)


@text_of.register(PromptComparison)
def comparison_text(found: PromptComparison) -> str:
    """Return the whole comparison as plain text."""
    lines = [f"{found.name}: {' vs '.join(found.refs)} ({plain_line(found.scope, 200)}; {_HOW})"]
    lines += [f"  {_coverage(found, place)}" for place in range(len(found.refs))]
    for measure in found.measures:
        lines += ["", measure.label]
        for place, ref in enumerate(found.refs):
            value, counted, gap = cells(measure, place)
            mark = "  *" if is_clear(measure.differences[place]) else ""
            lines.append(f"  {ref}  {value}  {counted}" + (f"  difference {gap}{mark}" if gap else ""))
    if any(is_clear(gap) for measure in found.measures for gap in measure.differences):
        lines += ["", "* the interval of the difference does not hold zero"]
    lines += ["", *(f"! {plain_line(caveat, 600)}" for caveat in found.caveats)] if found.caveats else []
    outputs = found.outputs
    if outputs is not None:
        lines += ["", f"{_asked(found)}; the first {_OUTPUTS}:", *(f"  {one}" for one in _runs(found))]
        for row in outputs.head(_OUTPUTS).to_dict("records"):
            lines.append(f"  {plain_line(row['example_id'], 40)}: {plain_line(row['input'], 160)}")
            lines += [f"    {ref}  {_answer(row[ref], plain_line, 200)}" for ref in found.refs]
    return "\n".join(lines)


def _asked(found: PromptComparison) -> str:
    """Return how many inputs all versions were asked, and how many of them each left without an answer."""
    if found.answers is None:
        return ""
    said = [f"{ref} gave no answer to {n:,}" for ref, n in zip(found.refs, found.answers.silent, strict=True) if n]
    return "; ".join([f"{len(found.answers.outputs):,} inputs of {found.answers.dataset} were asked of all", *said])


def _runs(found: PromptComparison) -> list[str]:
    """Return which run each version answered in, and on which model."""
    of = found.answers
    if of is None:
        return []
    return [
        f"{ref}: {run} on {plain_line(asked, 200)}"
        for ref, run, asked in zip(found.refs, of.runs, of.asked, strict=True)
    ]


def _answer(text: object, show: Callable[[str, int], str], limit: int) -> str:
    return show(text, limit) if isinstance(text, str) else "(no answer)"


def _coverage(found: PromptComparison, place: int) -> str:
    first, last = found.first_at[place], found.last_at[place]
    when = "" if first is None or last is None else f", {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
    return f"{found.refs[place]}: {found.traces[place]:,} traces in {found.sessions[place]:,} sessions{when}"


@html_of.register(PromptComparison)
def comparison_html(found: PromptComparison) -> str:
    """Return the comparison as HTML that needs neither script nor style sheet."""
    left, right = _CELL.format("left"), _CELL.format("right")
    heads = "".join(f'<th style="{left};font-weight:600">{escape(ref)}</th>' for ref in found.refs)
    body = ""
    for measure in found.measures:
        columns = ""
        for place in range(len(found.refs)):
            value, counted, gap = cells(measure, place)
            gap = f"<b>{escape(gap)}</b>" if is_clear(measure.differences[place]) else escape(gap)
            columns += (
                f'<td style="{left}">{escape(value)}<br>{escape(counted)}' + (f"<br>{gap}" if gap else "") + "</td>"
            )
        body += f'<tr><td style="{left}">{escape(measure.label)}</td>{columns}</tr>'
    covered = "".join(f"<li>{escape(_coverage(found, place))}</li>" for place in range(len(found.refs)))
    caveats = "".join(f"<li>{one_line(caveat, 600)}</li>" for caveat in found.caveats)
    caveats = f'<p style="margin:6px 0 0"><b>Mind:</b></p><ul style="margin:0">{caveats}</ul>' if caveats else ""
    return (
        f'<div style="overflow:auto"><p style="margin:0"><b>{escape(found.name)}</b>, {one_line(found.scope, 200)}; '
        f"{_HOW}; bold: the difference's interval does not hold zero</p>"
        f'<ul style="margin:0 0 6px">{covered}</ul>'
        f'{_TABLE}<thead><tr><th style="{right}"></th>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table>{_outputs(found)}{caveats}</div>"
    )


def _outputs(found: PromptComparison) -> str:
    outputs = found.outputs
    if outputs is None:
        return ""
    style = "padding:2px 14px 2px 0;text-align:left;vertical-align:top;white-space:pre-wrap"
    heads = ("input", *found.refs)
    rows = ([row[name] for name in heads] for row in outputs.head(_OUTPUTS).to_dict("records"))
    styles = [style] * len(heads)

    def show(text: object) -> str:
        return _answer(text, one_line, 400)

    table = html_table(heads, rows, show=show, styles=styles, heads=styles, compact=True)
    runs = "".join(f"<li>{escape(one)}</li>" for one in _runs(found))
    return (
        f'<p style="margin:8px 0 2px">{escape(_asked(found))}; the first {_OUTPUTS}:</p>'
        f'<ul style="margin:0 0 4px">{runs}</ul>{table}'
    )
