"""A comparison where no widget is: plain text for terminals, HTML for archived notebooks; every text is escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.base.units import duration, money, share
from lmops.text import escape, one_line, plain_line

if TYPE_CHECKING:
    from lmops.prompts._compare import Measure, PromptComparison, Value

_OUTPUTS: Final = 5
_HOW: Final = "95 % intervals, those of means and rates over sessions"
_TABLE: Final = '<table style="border-collapse:collapse;font-size:12px">'
_CELL: Final = "padding:1px 14px 1px 0;text-align:{};white-space:nowrap;vertical-align:top"


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


def as_text(found: PromptComparison) -> str:
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
        lines += ["", f"{len(outputs):,} inputs were answered by all in an evaluation; the first {_OUTPUTS}:"]
        for row in outputs.head(_OUTPUTS).to_dict("records"):
            lines.append(f"  {plain_line(row['example_id'], 40)}: {plain_line(row['input'], 160)}")
            lines += [f"    {ref}  {plain_line(row[ref], 200)}" for ref in found.refs]
    return "\n".join(lines)


def _coverage(found: PromptComparison, place: int) -> str:
    first, last = found.first_at[place], found.last_at[place]
    when = "" if first is None or last is None else f", {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"
    return f"{found.refs[place]}: {found.traces[place]:,} traces in {found.sessions[place]:,} sessions{when}"


def as_html(found: PromptComparison) -> str:
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
    heads = "".join(f'<th style="{style}">{escape(name)}</th>' for name in ("input", *found.refs))
    rows = "".join(
        "<tr>"
        + "".join(f'<td style="{style}">{one_line(row[name], 400)}</td>' for name in ("input", *found.refs))
        + "</tr>"
        for row in outputs.head(_OUTPUTS).to_dict("records")
    )
    return (
        f'<p style="margin:8px 0 2px">{len(outputs):,} inputs answered in an evaluation; the first {_OUTPUTS}:</p>'
        f"{_TABLE}<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )
