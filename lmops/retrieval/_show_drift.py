"""How what changed in retrieval looks: in words, and as a card with the days as bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.base.cards import card_html
from lmops.base.sheet import aligned, framed
from lmops.base.shown import html_of, text_of
from lmops.base.units import amount, counted, share
from lmops.retrieval._drift_records import RetrievalDrift
from lmops.text import attribute, escape, plain_line

if TYPE_CHECKING:
    from datetime import datetime

    from lmops.retrieval._drift_records import Figure, Mark, Rankings

_HEADS: Final = ("of", "before", "after", "change", "n")
_STOOD: Final = ("what", "of", "value", "before", "after", "first seen")
_NUMBERS: Final = (1, 2, 3, 4)
_MOST: Final = 8
_HIGH: Final = 44
# JupyterLab's sanitiser keeps plain colours only
_DAYS: Final = "display:flex;align-items:flex-end;margin:8px 0 0 0;height:{high}px"
_BAR: Final = (
    "flex:none;width:14px;margin-right:3px;height:{height}px;border-bottom:{height}px solid {colour};"
    "box-sizing:border-box;opacity:{opacity}"
)
_LINE: Final = f"flex:none;width:0;margin:0 4px 0 1px;height:{_HIGH}px;border-left:2px dashed red"
_QUIET: Final = "font-size:11px;opacity:0.75"
_COLOURS: Final = ("steelblue", "darkorange", "seagreen", "orchid")


@text_of.register(RetrievalDrift)
def _(found: RetrievalDrift) -> str:
    lines = [
        plain_line(found.conclusion, 2_000),
        f"  before {_period(found.before_since, found.before_until)}: {counted(found.n_before, 'retrieval')}",
        f"  after  {_period(found.since, found.until)}: {counted(found.n_after, 'retrieval')}",
        "",
        *(f"  {line}" for line in aligned([_HEADS, *map(_row, found.figures)], numbers=_NUMBERS)),
    ]
    if found.marks:
        stood = [tuple(plain_line(cell, 80) for cell in _stood(one)) for one in found.marks[: 3 * _MOST]]
        lines += ["", *(f"  {line}" for line in aligned([_STOOD, *stood], numbers=(3, 4)))]
    said = [f"{plain_line(query, 100)}: lost {plain_line(names, 120)}" for query, names in _lost(found)]
    return "\n".join([*lines, "", *(f"  {plain_line(one, 600)}" for one in [*_more(found), *said])])


@html_of.register(RetrievalDrift)
def _(found: RetrievalDrift) -> str:
    facts = [
        (f"before, {_period(found.before_since, found.before_until)}", counted(found.n_before, "retrieval")),
        (f"after, {_period(found.since, found.until)}", counted(found.n_after, "retrieval")),
    ]
    tables = framed("Measured", _HEADS, map(_row, found.figures), numbers=_NUMBERS)
    lost = _lost(found)
    if lost:
        tables += framed("Lost documents", ("query", "relevant documents that are found no more"), lost)
    if found.marks:
        tables += framed("On the spans", _STOOD, map(_stood, found.marks[: 3 * _MOST]), numbers=(3, 4))
    said = "".join(f'<div style="margin:3px 0 0 0">{escape(one, 600)}</div>' for one in _more(found))
    lead = f"<div>{escape(found.conclusion, 2_000)}</div>{_days(found)}"
    return card_html("retrieval:", found.outcome, facts, lead=lead, more=tables + said)


def _days(found: RetrievalDrift) -> str:
    """Return the days as bars, one colour for each settings, with a line where something changed."""
    shown = found.days[-60:]
    colours: dict[object, str] = {}
    for one in shown:
        colours.setdefault(one["fingerprint"], _COLOURS[len(colours) % len(_COLOURS)])
    causes = sorted((one.at, one.kind) for one in found.causes if one.at is not None)
    bars = ""
    for place, one in enumerate(shown):
        later = shown[place + 1]["bucket"] if place + 1 < len(shown) else None
        value = one["estimate"]
        height = 1 if value is None else max(1, round(_HIGH * value))
        says = f"{one['bucket']:%Y-%m-%d %H:%M}: {'not measured' if value is None else share(value)}, n = {one['n']}"
        look = _BAR.format(height=height, colour=colours[one["fingerprint"]], opacity="0.25" if value is None else "1")
        for at, kind in causes:
            if at >= one["bucket"] and (later is None or at < later):
                bars += f'<div title="{attribute(f"{kind} changed {at:%Y-%m-%d %H:%M}")}" style="{_LINE}"></div>'
        bars += f'<div title="{attribute(says)}" style="{look}"></div>'
    if not bars:
        return ""
    under = f'<div style="{_QUIET}">{escape(found.drawn)}, 0 to 100 %</div>'
    return f'<div style="{_DAYS.format(high=_HIGH)}">{bars}</div>{under}'


def _row(one: Figure) -> tuple[str, ...]:
    limits = (
        "" if one.low is None else f" [{_amount(one.low, one, signed=True)}, {_amount(one.high, one, signed=True)}]"
    )
    n = f"{one.n:,} questions" if one.n else f"{one.n_before:,} / {one.n_after:,}"
    change = "" if one.change is None else f"{_amount(one.change, one, signed=True)}{limits}"
    return one.title, _amount(one.before, one), _amount(one.after, one), change, n


def _amount(value: float | None, one: Figure, *, signed: bool = False) -> str:
    if value is None or one.unit == "share":
        return amount(value, one.unit, signed=signed)
    return f"{value:{'+' if signed else ''}.2f}"


def _stood(one: Mark) -> tuple[str, ...]:
    return one.kind, one.of, one.name, f"{one.n_before:,}", f"{one.n_after:,}", f"{one.first_at:%Y-%m-%d %H:%M}"


def _more(found: RetrievalDrift) -> list[str]:
    """Return how rankings differ, which documents one period alone found, which words moved, and the notes."""
    said = [_rankings(one) for one in (found.rankings, found.replay) if one is not None]
    for is_after, n, words in ((False, found.only_before, "are found no more"), (True, found.only_after, "are new")):
        names = [
            f"{one.document} ({one.n:,})" for one in found.documents if one.is_after == is_after and one.chance < 0.01
        ]
        sure = f"; not by chance: {plain_line(', '.join(names[:_MOST]), 300)}" if names else ""
        if n:
            said.append(f"documents: {n:,} {words}{sure}")
    if found.score_distance is not None:
        said.append(f"scores of the first documents are apart by Cramer's V {found.score_distance:.2f}")
    return [*said, *(plain_line(one, 400) for one in found.notes)]


def _lost(found: RetrievalDrift) -> list[tuple[str, str]]:
    """Return the golden queries that lost a relevant document, the worst first."""
    ones = (found.replay or found.rankings).differing
    return [(one.query, ", ".join(one.gold)) for one in ones if one.gold][:_MOST]


def _rankings(one: Rankings) -> str:
    whose = "queries of both periods" if one.of == "production" else "canary queries asked again"
    if not one.queries:
        return f"rankings: no {whose}"
    lost = f", {one.gold_lost:,} of {one.gold:,} golden ones lost a relevant document" if one.gold else ""
    return (
        f"rankings of {one.queries:,} {whose}: overlap of the first {one.k} {amount(one.overlap, 'share')} "
        f"[{amount(one.overlap_low, 'share')}, {amount(one.overlap_high, 'share')}], rank-biased overlap "
        f"{one.rbo:.2f}, another first document for {amount(one.top1_changed, 'share')} "
        f"[{amount(one.top1_low, 'share')}, {amount(one.top1_high, 'share')}]{lost}"
    )


def _period(since: datetime, until: datetime) -> str:
    return f"{since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M}"
