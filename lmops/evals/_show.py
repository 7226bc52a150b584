"""A run as text and as HTML: what ran, what it took, the mean of each scorer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from lmops.base.cards import card_html
from lmops.base.sheet import aligned, html_table
from lmops.base.shown import html_of, text_of
from lmops.base.units import money, share
from lmops.evals._calibrated import FRESH
from lmops.evals._runs import Run
from lmops.evals.summaries import number
from lmops.text import escape, plain_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.evals._recorded import Progress
    from lmops.evals._runs import RunState
    from lmops.evals.summaries import ScorerSummary

_OF_JUDGES: Final = ("corrected", "by labels (PPI++)")
_HEAD: Final = ("scorer", "mean", "95 % interval", "coverage", "unmeasured", "errors")


def _rows(found: Sequence[ScorerSummary]) -> list[tuple[str, ...]]:
    """Return the summary of a run as rows of text."""
    has_judge = _has_judge(found)
    return [
        (
            plain_line(one.scorer, 60),
            number(one.mean),
            f"{number(one.low)} to {number(one.high)}",
            *((one.corrected_words, one.ppi_words) if has_judge else ()),
            share(one.coverage),
            f"{one.unmeasured:,}",
            f"{one.errors:,}",
        )
        for one in found
    ]


def _notes(found: Sequence[ScorerSummary]) -> list[str]:
    """Return what is to be known of the figures: once, with the scorers that it is about unless it is about all."""
    from lmops.calc.intervals import small_n_advice

    about: dict[str, list[str]] = {}
    for one in found:
        flips = "" if math.isnan(one.flip_rate) else f"repeats differ in {share(one.flip_rate)} of pairs."
        judged = f"{_judged(one)}." if one.calibration else ""
        for note in (judged, flips, small_n_advice(one.n, n_clusters=one.n_clusters)):
            if note:
                about.setdefault(note, []).append(plain_line(one.scorer, 60))
    return [note if len(names) == len(found) else f"{', '.join(names)}: {note}" for note, names in about.items()]


def _head(found: Sequence[ScorerSummary]) -> tuple[str, ...]:
    """Return the headings; what people would find has its columns where a judge scored."""
    return (*_HEAD[:3], *_OF_JUDGES, *_HEAD[3:]) if _has_judge(found) else _HEAD


def _has_judge(found: Sequence[ScorerSummary]) -> bool:
    return any(one.calibration for one in found)


def _judged(one: ScorerSummary) -> str:
    """Return what is known of a judge, and why something is not corrected."""
    parts = [one.calibration] if one.calibration != FRESH else []
    if one.correction not in parts:
        parts.append(one.correction if one.correction.startswith("by ") else f"not corrected: {one.correction}")
    parts.append(f"by labels: {one.ppi_note}" if one.ppi_labels else one.ppi_note)
    return plain_line("; ".join(parts), 300)


def _facts(run: Run, progress: Progress) -> list[tuple[str, str]]:
    """Return what ran and what it took, in words."""
    totals = progress.totals
    repeats = f" x {run.repeats} repeats" if run.repeats > 1 else ""
    cost = "-" if totals.cost_usd is None else money(totals.cost_usd)
    judges = "" if totals.scoring_cost_usd is None else f", judges {money(totals.scoring_cost_usd)}"
    unpriced = f" ({totals.unpriced:,} cases of unknown cost)" if totals.unpriced else ""
    found = [
        ("task", plain_line(run.task, 120)),
        ("dataset", f"{run.dataset} ({run.examples:,} examples{repeats})"),
        ("model", run.model or "-"),
        ("cases", f"{totals.cases:,} of {totals.planned:,}, {totals.errors:,} failed"),
        ("cost", f"{cost}{judges}{unpriced}"),
        ("time", f"{totals.duration_s:,.1f} s" + (f" in {totals.sessions} sessions" if totals.sessions > 1 else "")),
    ]
    error = progress.error
    return [*found, ("stopped", plain_line(error, 300))] if error else found


@text_of.register(Run)
def run_text(run: Run) -> str:
    """Return a run as text."""
    state = run.state()
    found = state.summary()
    lines = [_line(run, state, found), *(f"  {name:8} {value}" for name, value in _facts(run, state.progress))]
    table = _rows(found)
    if table:
        lines += ["", *aligned([_head(found), *table]), *_notes(found)]
    return "\n".join(lines)


@html_of.register(Run)
def run_html(run: Run) -> str:
    """Return a run as static HTML."""
    state = run.state()
    found = state.summary()
    line = _line(run, state, found)[1:-1].removeprefix("Run ")
    table = html_table(_head(found), _rows(found)) if found else ""
    table += "".join(f"<p>{escape(note)}</p>" for note in _notes(found))
    return f"<div>{card_html('run', line, _facts(run, state.progress))}{table}</div>"


def _line(run: Run, state: RunState, found: Sequence[ScorerSummary]) -> str:
    """Return a run in one line; why there is nothing to see is only asked where there may be nothing."""
    totals = state.totals
    return run.line(state.progress, is_silent=totals.errors == totals.cases or not all(one.n for one in found))
