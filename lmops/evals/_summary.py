"""What a run says: the mean of each scorer with its interval, coverage and errors, as records, text and HTML."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lmops.base.units import money, share
from lmops.text import escape, plain_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from lmops.evals._matrix import Matrix
    from lmops.evals._runs import Run

_SIDE_BY_SIDE: Final = (
    "run_id", "label", "scorer", "mean", "low", "high", "n", "coverage", "cost_per_case_usd", "p50_ms",
)  # fmt: skip
_HEAD: Final = ("scorer", "mean", "95 % interval", "coverage", "unmeasured", "errors", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorerSummary:
    """The scores of one scorer over a run.

    Args:
        scorer: Its name.
        mean: Over the examples, each the mean of its repeats; NaN when nothing was measured.
        low: Lower limit of its interval, clustered when the examples have clusters.
        high: Upper limit.
        level: Confidence level.
        method: How the interval was made.
        n: Examples with a value.
        n_clusters: Clusters they are in; None without clusters.
        coverage: Share of the cases that have a value.
        unmeasured: Cases without a value for which there was nothing to measure, or whose task failed.
        errors: Cases whose scoring failed.
        worst: The mean if every missing value were at the lower end of the scale; NaN when the scale has none.
        best: The mean if every one were at the upper end.
        within_sd: Spread between repeats of one example; NaN without repeats.
        between_sd: Spread between examples; NaN without repeats.
        flip_rate: Probability that two repeats of one example differ; NaN without repeats.
    """

    scorer: str
    mean: float
    low: float
    high: float
    level: float
    method: str
    n: int
    n_clusters: int | None
    coverage: float
    unmeasured: int
    errors: int
    worst: float
    best: float
    within_sd: float
    between_sd: float
    flip_rate: float

    def __repr__(self) -> str:
        return (
            f"<{plain_line(self.scorer, 60)} {number(self.mean)} [{number(self.low)}, {number(self.high)}], "
            f"n={self.n}, coverage {share(self.coverage)}>"
        )


def summarise(run: Run, *, level: float = 0.95) -> list[ScorerSummary]:
    """Return one record per scorer of a run, in the order in which they were given."""
    from lmops.calc._arrays import is_binary
    from lmops.calc.bounds import mean_bounds
    from lmops.calc.intervals import score_interval
    from lmops.calc.repeats import flip_rate, variance_split

    found = run.measured()
    cases = run.totals.planned
    made = []
    for name, scorer in run.scorers.items():
        matrix = found.scores.get(name)
        if matrix is None:
            continue
        means = row_means(matrix)
        interval = score_interval(means, clusters=found.clusters, level=level)
        split, flips = variance_split(matrix), flip_rate(matrix)
        low, high = scale(scorer["range"])
        if is_binary(matrix) and math.isinf(low) and math.isinf(high):
            low, high = 0.0, 1.0
        bounds = mean_bounds(matrix.ravel(), low=low, high=high, n_total=max(cases, matrix.size))
        made.append(ScorerSummary(
            scorer=name, mean=interval.estimate, low=interval.low, high=interval.high, level=level,
            method=interval.method, n=interval.n, n_clusters=interval.n_clusters, coverage=bounds.coverage,
            unmeasured=found.unmeasured[name], errors=found.errors[name], worst=bounds.low, best=bounds.high,
            within_sd=math.sqrt(split.within), between_sd=math.sqrt(split.between), flip_rate=flips.pair_rate,
        ))  # fmt: skip
    return made


def side_by_side(runs: Sequence[Run], *, level: float) -> pd.DataFrame:
    """Return one row per run and scorer, with the mean cost of a case and the median latency of the run."""
    import numpy as np
    import pandas as pd

    labels = [plain_line(run.prompt_ref or run.name, 60) for run in runs]
    made = []
    for run, label in zip(runs, labels, strict=True):
        shown = label if labels.count(label) == 1 else f"{label} ({run.run_id[-6:]})"
        measures = run.measured().measures
        cost, latency = (
            float(measure(values)) if (values := matrix[~np.isnan(matrix)]).size else math.nan
            for measure, matrix in ((np.mean, measures["cost_usd"]), (np.median, measures["latency_ms"]))
        )
        made += [
            (run.run_id, shown, one.scorer, one.mean, one.low, one.high, one.n, one.coverage, cost, latency)
            for one in run.summary(level=level)
        ]
    return pd.DataFrame(made, columns=list(_SIDE_BY_SIDE))


def row_means(matrix: Matrix) -> Matrix:
    """Return the mean of each example over its repeats; NaN for one without a value."""
    from lmops.calc._arrays import matrix as as_matrix
    from lmops.calc._arrays import row_means as means

    return means(as_matrix(matrix))


def scale(ends: list[float | None] | None) -> tuple[float, float]:
    """Return the ends of a scorer's scale; infinite where it has none."""
    low, high = ends or (None, None)
    return (-math.inf if low is None else low), (math.inf if high is None else high)


def number(value: float | None) -> str:
    """Return a number as a person reads it; "-" for none."""
    return "-" if value is None or math.isnan(value) else f"{value:.4g}"


def rows(run: Run) -> list[tuple[str, ...]]:
    """Return the summary of a run as rows of text."""
    from lmops.calc.intervals import small_n_advice

    made: list[tuple[str, ...]] = []
    for one in run.summary():
        note = small_n_advice(one.n, n_clusters=one.n_clusters) or ""
        if not math.isnan(one.flip_rate):
            note = f"repeats differ in {share(one.flip_rate)} of pairs. {note}".strip()
        made.append((
            plain_line(one.scorer, 60), number(one.mean), f"{number(one.low)} to {number(one.high)}",
            share(one.coverage), f"{one.unmeasured:,}", f"{one.errors:,}", note,
        ))  # fmt: skip
    return made


def facts(run: Run) -> list[tuple[str, str]]:
    """Return what ran and what it took, in words."""
    totals, record = run.totals, run.record
    repeats = f" x {run.repeats} repeats" if run.repeats > 1 else ""
    cost = "-" if totals.cost_usd is None else money(totals.cost_usd)
    judges = "" if totals.scoring_cost_usd is None else f", judges {money(totals.scoring_cost_usd)}"
    unpriced = f" ({totals.unpriced:,} cases of unknown cost)" if totals.unpriced else ""
    found = [
        ("task", plain_line(record["task"], 120)),
        ("dataset", f"{run.dataset} ({record['examples']:,} examples{repeats})"),
        ("model", run.model or "-"),
        ("cases", f"{totals.cases:,} of {totals.planned:,}, {totals.errors:,} failed"),
        ("cost", f"{cost}{judges}{unpriced}"),
        ("time", f"{totals.duration_s:,.1f} s" + (f" in {totals.sessions} sessions" if totals.sessions > 1 else "")),
    ]
    error = run.error
    return [*found, ("stopped", plain_line(error, 300))] if error else found


def run_text(run: Run) -> str:
    """Return a run as text."""
    lines = [repr(run), *(f"  {name:8} {value}" for name, value in facts(run))]
    table = rows(run)
    if table:
        lines += ["", *aligned([_HEAD, *table])]
    return "\n".join(lines)


def run_html(run: Run) -> str:
    """Return a run as static HTML."""
    head = " · ".join(f"{escape(name)}: {escape(value)}" for name, value in facts(run))
    return f"<div><b>{escape(repr(run)[1:-1])}</b><div>{head}</div>{html_table(_HEAD, rows(run))}</div>"


def aligned(table: list[tuple[str, ...]]) -> list[str]:
    """Return rows as lines with columns that line up."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def html_table(head: tuple[str, ...], body: list[tuple[str, ...]]) -> str:
    """Return rows of text as a table that shows them and does nothing else."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in body)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"
