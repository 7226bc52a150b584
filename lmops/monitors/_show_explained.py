"""How an explanation looks: in words, and as a card with bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.base.cards import card_html
from lmops.base.sheet import aligned
from lmops.base.shown import html_of, text_of
from lmops.base.units import amount, counted, duration
from lmops.monitors._explained import Explanation
from lmops.text import escape, plain_line

if TYPE_CHECKING:
    from datetime import datetime

    from lmops.monitors._explained import Account, Event, Period, Tie, Together

_HEADS: Final = ["accounts for", "of what", "what happened", "moved at", "items"]
_WORDS: Final = 160
#: What an application changes by, and where two of them are told apart.
_CALLS: Final = "run one dataset with each and compare: ws.evals.compare(run_a, run_b)"
# JupyterLab's sanitiser keeps plain colours only
_ROW: Final = "display:flex;margin:5px 0 0 0;opacity:{opacity}"
_SHARE: Final = "flex:none;width:52px;text-align:right;font-variant-numeric:tabular-nums"
_TRACK: Final = "flex:none;width:80px;margin:0 10px 0 8px"
_BAR: Final = "width:{width}px;height:9px;margin-top:5px;border-left:{width}px solid {colour};box-sizing:border-box"
_SAID: Final = "min-width:0;overflow-wrap:anywhere"
_QUIET: Final = "font-size:11px;opacity:0.75"
_LONGEST: Final = 80


@text_of.register(Explanation)
def _(found: Explanation) -> str:
    rows = [_row(one) for one in found.accounts]
    table = [f"  {line}" for line in aligned([_HEADS, *rows])] if rows else []
    return "\n".join([*_lead(found), *table, *_more(found)])


@html_of.register(Explanation)
def _(found: Explanation) -> str:
    facts = [
        (f"before, {_between(found.before)}", _side(found.before, found)),
        (f"after, {_between(found.after)}", _side(found.after, found)),
        ("change", _change(found)),
        ("moved at", _moved(found)),
    ]
    rows = "".join(_html_row(one) for one in found.accounts)
    words = "".join(f'<div style="margin:4px 0 0 0">{escape(line)}</div>' for line in _more(found))
    lead = f"<div>{escape(_verdict(found))}</div>"
    return card_html("what changed:", found.title, facts, lead=lead, more=rows + words)


def _html_row(one: Account) -> str:
    """Return what a dimension accounts for as a bar with its words; one that runs the other way has no bar."""
    width = round(_LONGEST * min(max(one.share, 0.0), 1.0))
    bar = _BAR.format(width=width, colour="steelblue" if one.is_clear else "gray")
    _, of, what, moved, items = _row(one)
    told = [f"limits {_limits(one)}", *([f"moved at {moved}"] if moved else []), f"{items} items"]
    look = _ROW.format(opacity="1" if one.is_clear else "0.7")
    words = f'<b>{escape(of)}</b> {escape(what)}<div style="{_QUIET}">{escape(", ".join(told))}</div>'
    return (
        f'<div style="{look}"><div style="{_SHARE}">{_percent(one.share)} %</div><div style="{_TRACK}">'
        f'<div style="{bar}"></div></div><div style="{_SAID}">{words}</div></div>'
    )


def _lead(found: Explanation) -> list[str]:
    """Return what changed, by how much, when."""
    moved = _moved(found)
    change = f"  change {_change(found)}" + (f", moved at {moved}" if moved else "")
    return [
        f"{plain_line(found.title, 120)}: {plain_line(_verdict(found), 400)}",
        f"  before {_between(found.before)}: {_side(found.before, found)}",
        f"  after  {_between(found.after)}: {_side(found.after, found)}",
        *([] if found.change is None else [change]),
    ]


def _verdict(found: Explanation) -> str:
    """Return the state in words."""
    if found.state == "cannot_tell":
        return f"cannot tell yet, {counted(found.needed or 1, 'more item')} needed"
    if found.state == "no_change":
        return f"no change to explain: {_change(found)}"
    if found.state == "unexplained":
        return "no dimension that is known accounts for it"
    first = found.accounts[0]
    return f"{first.title} accounts for {_percent(first.share)} % of the change: {first.words}"


def _between(period: Period) -> str:
    return f"{_time(period.since)} to {_time(period.until)}"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _side(period: Period, found: Explanation) -> str:
    limits = "" if period.low is None else f" [{_amount(period.low, found)}, {_amount(period.high, found)}]"
    return f"{_amount(period.estimate, found)}{limits} of {counted(period.n, 'item')}"


def _amount(value: float | None, found: Explanation, *, signed: bool = False) -> str:
    return amount(value, found.unit, signed=signed)


def _change(found: Explanation) -> str:
    if found.change is None:
        return ""
    limits = (_amount(one, found, signed=True) for one in (found.low, found.high))
    return f"{_amount(found.change, found, signed=True)} [{', '.join(limits)}]"


def _moved(found: Explanation) -> str:
    if found.at is None or found.at_low is None or found.at_high is None:
        return ""
    limits = f" [{_time(found.at_low)}, {_time(found.at_high)}]" if found.at_low < found.at_high else ""
    return f"{_time(found.at)}{limits}"


def _row(one: Account) -> list[str]:
    return [
        f"{_percent(one.share)} % [{_limits(one)}]",
        plain_line(", ".join((one.title, *one.also)), 80),
        plain_line(f"{'' if one.is_clear else 'not clear: '}{one.words}", _WORDS),
        "" if one.at is None else _time(one.at),
        f"{one.support:,}{' (few)' if one.is_few else ''}",
    ]


def _percent(value: float) -> str:
    return f"{100 * value:,.0f}"


def _limits(one: Account) -> str:
    return f"{_percent(one.share_low)} to {_percent(one.share_high)}"


def _more(found: Explanation) -> list[str]:
    """Return what cannot be told apart, what goes together, what happened near, and what else is to be known."""
    return [
        *(_tie(one) for one in found.ties),
        *(_together(one, found) for one in found.together),
        *(_event(one) for one in found.events),
        *(plain_line(note, 300) for note in found.notes),
    ]


def _tie(one: Tie) -> str:
    pairs = zip(one.titles, one.words, strict=True)
    first, second = (f"{plain_line(title, 40)} ({plain_line(words, 100)})" for title, words in pairs)
    if one.stays is None:
        apart = "" if one.gap_s is None else f" within {_long(one.gap_s)}"
        without = " and ".join(f"{count:,}" for count in one.only)
        return (
            f"{first} and {second} changed{apart}: traffic cannot tell them apart ({without} items have only the one "
            f"or the other); {_CALLS}"
        )
    kept, other = (first, second) if one.stays == 0 else (second, first)
    return f"{other} goes with {kept}: the {max(one.only):,} items in which they differ moved as the latter did"


def _together(one: Together, found: Explanation) -> str:
    pair = " with ".join(
        f"{plain_line(title, 40)} {plain_line(value, 60)}" for title, value in zip(one.titles, one.values, strict=True)
    )
    limits = f"[{_amount(one.low, found, signed=True)}, {_amount(one.high, found, signed=True)}]"
    return (
        f"together: {pair} accounts for {_percent(one.share)} % of the change, "
        f"{_amount(one.accounts, found, signed=True)} {limits}, {one.n_before:,} and {one.n_after:,} items"
    )


def _event(one: Event) -> str:
    reason = "" if not one.reason else f", {plain_line(one.reason, 120)!r}"
    side = "before" if one.gap_s < 0 else "after"
    return (
        f"{_time(one.at)} {plain_line(one.action, 40)} {plain_line(one.subject, 80)} by {plain_line(one.actor, 60)}"
        f"{reason}: {_long(one.gap_s)} {side} {plain_line(one.of, 40)} moved"
    )


def _long(seconds: float) -> str:
    """Return how long something is, whichever way."""
    length = abs(seconds)
    if length < 3600:
        return f"{counted(round(length / 60), 'minute')}"
    return duration(length * 1000) if length < 172_800 else f"{counted(round(length / 86_400), 'day')}"
