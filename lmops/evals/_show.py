"""A run as text and as HTML: what ran, what it took, the mean of each scorer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from lmops.base.sheet import aligned, html_table
from lmops.base.shown import html_of, text_of
from lmops.base.units import money, share
from lmops.evals._runs import Run
from lmops.evals.summaries import number
from lmops.text import escape, plain_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.evals._recorded import Progress
    from lmops.evals._runs import RunState
    from lmops.evals.summaries import ScorerSummary

_HEAD: Final = ("scorer", "mean", "95 % interval", "coverage", "unmeasured", "errors", "note")


def _rows(run: Run, found: Sequence[ScorerSummary]) -> list[tuple[str, ...]]:
    """Return the summary of a run as rows of text."""
    from lmops.calc.intervals import small_n_advice

    doubted = run.uncalibrated()
    made: list[tuple[str, ...]] = []
    for one in found:
        note = small_n_advice(one.n, n_clusters=one.n_clusters) or ""
        if not math.isnan(one.flip_rate):
            note = f"repeats differ in {share(one.flip_rate)} of pairs. {note}".strip()
        if one.scorer in doubted:
            note = f"{plain_line(doubted[one.scorer], 200)}. {note}".strip()
        made.append(
            (
                plain_line(one.scorer, 60),
                number(one.mean),
                f"{number(one.low)} to {number(one.high)}",
                share(one.coverage),
                f"{one.unmeasured:,}",
                f"{one.errors:,}",
                note,
            )
        )
    return made


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
    table = _rows(run, found)
    if table:
        lines += ["", *aligned([_HEAD, *table])]
    return "\n".join(lines)


@html_of.register(Run)
def run_html(run: Run) -> str:
    """Return a run as static HTML."""
    state = run.state()
    found = state.summary()
    head = " · ".join(f"{escape(name)}: {escape(value)}" for name, value in _facts(run, state.progress))
    line = escape(_line(run, state, found)[1:-1])
    return f"<div><b>{line}</b><div>{head}</div>{html_table(_HEAD, _rows(run, found))}</div>"


def _line(run: Run, state: RunState, found: Sequence[ScorerSummary]) -> str:
    """Return a run in one line; why there is nothing to see is only asked where there may be nothing."""
    totals = state.totals
    return run.line(state.progress, is_silent=totals.errors == totals.cases or not all(one.n for one in found))
