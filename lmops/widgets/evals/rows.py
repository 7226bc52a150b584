"""What the eval explorer tells its page of runs, scorers and comparisons, as plain rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lmops.evals.boards import STATES
from lmops.evals.summaries import interval_words
from lmops.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lmops.evals import Comparison, Difference
    from lmops.evals.boards import Board, ScorerFacts
    from lmops.evals.summaries import ScorerSummary
    from lmops.widgets.evals.view import Columns
    from lmops.widgets.kit.protocol import Message

_WORDS = 300


def run_rows(board: Board) -> list[Message]:
    """Return what stands over the columns."""
    return [
        {
            "run_id": run.run_id,
            "label": run.label,
            "short": run.short,
            "name": plain(run.name, 80),
            "dataset": run.dataset,
            "model": run.model,
            "repeats": run.repeats,
            "cases": run.cases,
            "planned": run.planned,
            "errors": run.errors,
            "cost_usd": run.cost_usd,
        }
        for run in board.runs
    ]


def scorer_row(board: Board, scorer: ScorerFacts, seen: Columns, pair: Sequence[int]) -> Message:
    """Return a scorer with the mean of each run and over how many examples it is; those of the pair are of the pairs.

    Args:
        board: The scores.
        scorer: The scorer.
        seen: The cases under it.
        pair: The run that is judged and the one that it is compared with; nothing for one run alone.
    """
    import numpy as np

    scores = board.scores[scorer.name]
    known = ~np.isnan(scores)
    if pair:
        known[:, pair] &= known[:, pair].all(axis=1, keepdims=True)
    new = seen.alone > 0
    counts = known.sum(axis=0).tolist()
    sums = np.where(known, scores, 0.0).sum(axis=0).tolist()
    return {
        "name": scorer.name,
        "higher_is_better": scorer.higher_is_better,
        "n": counts,
        "low": scorer.low,
        "high": scorer.high,
        "means": [total / n if n else None for total, n in zip(sums, counts, strict=True)],
        "alone": [int(new.sum()), int((new & (seen.passes_a == 0)).sum()), int((seen.alone < 0).sum())],
        "is_judged": bool((seen.passes_a >= 0).any()),
    }


def is_verdict(board: Board, scorer: str) -> bool:
    """Return whether all scores are 0 or 1, so that a word says more than a number."""
    import numpy as np

    if not scorer:
        return False
    values = board.scores[scorer]
    known = values[~np.isnan(values)]
    return bool(known.size) and bool(np.isin(known, (0.0, 1.0)).all())


def cells(board: Board, scorer: str, place: int, runs: Sequence[int]) -> list[Any]:
    """Return a cell per run: a number, or why there is none."""
    if not scorer:
        return [STATES[-1]] * len(runs)
    values = [float(board.scores[scorer][place, run]) for run in runs]
    states = [STATES[int(board.states[scorer][place, run])] for run in runs]
    return [state if math.isnan(value) else rounded(value) for value, state in zip(values, states, strict=True)]


def rounded(value: float) -> float | None:
    """Return a number with as many places as a reader needs; None for none."""
    return None if math.isnan(value) else float(f"{value:.6g}")


def difference_rows(comparison: Comparison | None) -> list[Message]:
    """Return what is said of each scorer: the difference, its interval, and the word one can act on."""
    return [
        {
            "name": one.name,
            "difference": one.difference,
            "low": one.low,
            "high": one.high,
            "n": one.n,
            "p": one.p_value if math.isnan(one.p_adjusted) else one.p_adjusted,
            "outcome": one.outcome.replace("_", "-"),
            "higher_is_better": one.higher_is_better,
            "reason": plain("exploratory: " * one.is_exploratory + one.reason, _WORDS),
            "judged": plain(_of_difference(one), _WORDS),
        }
        for one in (() if comparison is None else comparison.scorers)
    ]


def mean_rows(summary: Iterable[ScorerSummary]) -> list[Message]:
    """Return the mean of each scorer of a run alone, with its interval and coverage."""
    return [
        {
            "name": one.scorer,
            "mean": one.mean,
            "low": one.low,
            "high": one.high,
            "n": one.n,
            "coverage": one.coverage,
            "judged": plain(_of_mean(one), _WORDS),
        }
        for one in summary
    ]


def _of_difference(one: Difference) -> str:
    """Return what people would find where a judge scored, or why that is not known."""
    if not one.calibration:
        return ""
    if one.corrected_outcome:
        words = interval_words(one.corrected, one.corrected_low, one.corrected_high)
        return f"corrected {words}, {one.corrected_outcome.replace('_', '-')}, {one.correction}"
    return f"not corrected: {one.correction}"


def _of_mean(one: ScorerSummary) -> str:
    if not one.calibration:
        return ""
    by_errors = "not corrected: " if math.isnan(one.corrected) else f"corrected {one.corrected_words} "
    by_labels = "" if math.isnan(one.ppi) else f"; {one.ppi_words} by {one.ppi_note}"
    return f"{by_errors}{one.correction}{by_labels}"
