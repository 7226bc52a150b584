"""How the scores of production look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.base.sheet import aligned, framed
from lmops.base.shown import html_of, text_of
from lmops.base.units import counted, money, share
from lmops.monitors._score_records import Scored, ScoringReport, TraceScores
from lmops.text import escape, plain_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENDED: Final = {
    "finished": "{} of production scored",
    "over_budget": "{} of production scored until the budget was spent",
    "failed": "{} of production: stopped before the end",
    "planned": "{} of production would be scored",
}
_HEADS: Final = ("scorer", "traces", "scored before", "scored", "unmeasured", "failed", "left", "cost")
_NUMBERS: Final = range(1, 8)


def _title(report: ScoringReport) -> str:
    drawn = "" if report.drawn is None else f", {report.drawn:,} drawn for judges"
    return _ENDED[report.status].format(counted(report.traces, "trace")) + drawn


def _row(one: Scored) -> list[str]:
    counts = (one.wanted, one.known, one.values, one.unmeasured, one.failed, one.left)
    cost = one.cost_usd if one.expected_usd is None else one.expected_usd
    expected = "" if one.expected_usd is None else "about "
    return [
        plain_line(one.scorer, 60),
        *(f"{count:,}" for count in counts),
        "-" if cost is None else expected + money(cost),
    ]


def _said(report: ScoringReport) -> Iterator[str]:
    if report.error is not None:
        yield plain_line(report.error, 500)
    yield from report.notes


@text_of.register(ScoringReport)
def _(report: ScoringReport) -> str:
    rows = [_row(one) for one in report.scorers]
    return "\n".join([_title(report), *aligned([_HEADS, *rows], numbers=_NUMBERS), *_said(report)])


@html_of.register(ScoringReport)
def _(report: ScoringReport) -> str:
    rows = [_row(one) for one in report.scorers]
    notes = "".join(f"<p>{escape(note)}</p>" for note in _said(report))
    return framed(_title(report), _HEADS, rows, numbers=_NUMBERS) + notes


@text_of.register(TraceScores)
def _(found: TraceScores) -> str:
    heads, rows = _table(found)
    return "\n".join([_heading(found), *aligned([heads, *rows]), *found.notes])


@html_of.register(TraceScores)
def _(found: TraceScores) -> str:
    heads, rows = _table(found)
    return framed(_heading(found), heads, rows) + "".join(f"<p>{escape(note)}</p>" for note in found.notes)


def _heading(found: TraceScores) -> str:
    return "scores of production" + (f" by {', '.join(plain_line(one, 60) for one in found.by)}" if found.by else "")


def _table(found: TraceScores) -> tuple[list[str], list[list[str]]]:
    """Return the headings and the rows, an interval in one cell."""
    hidden = {"version", "kind", "is_rate", "low", "high", "corrected_low", "corrected_high", "unmeasured", "failed"}
    frame = found.frame.dropna(axis="columns", how="all") if len(found.frame) else found.frame
    names = [str(name) for name in frame.columns if name not in hidden]
    rows = found.frame.to_dict("records")
    return names, [[_cell(name, row) for name in names] for row in rows]


def _cell(name: str, row: dict[Any, Any]) -> str:
    import pandas as pd

    value = row[name]
    if pd.isna(value):
        return "-"
    if name == "bucket":
        return f"{value:%Y-%m-%d %H:%M}"
    if name in ("mean", "corrected"):
        ends = ("low", "high") if name == "mean" else ("corrected_low", "corrected_high")
        return _interval(value, *(row[end] for end in ends), is_rate=row["is_rate"])
    if name == "probability":
        return share(value)
    return f"{value:,}" if isinstance(value, int) else plain_line(value, 80)


def _interval(value: float, low: float, high: float, *, is_rate: bool) -> str:
    import pandas as pd

    def said(number: float) -> str:
        return share(number) if is_rate else f"{number:.4g}"

    return said(value) if pd.isna(low) else f"{said(value)} [{said(low)}, {said(high)}]"
