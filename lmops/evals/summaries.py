"""What a run says: the mean of each scorer with its interval, coverage and errors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmops.base.units import share
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lmops.evals._matrix import Matrix, Measured


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
        calibration: Of a judge "fresh", "uncalibrated: ..." or "stale: ..."; empty for other scorers.
        corrected: The share of passes that people would give, by the errors that the calibration found; NaN where it
            cannot be computed.
        corrected_low: Lower limit of its interval.
        corrected_high: Upper limit.
        correction: By which calibration, or why there is none.
        ppi: The mean that people would give, by labels on some of these cases and the scores of all (PPI++; doubly
            robust where the chances of being labelled differ); NaN where it cannot be computed.
        ppi_low: Lower limit of its interval.
        ppi_high: Upper limit.
        ppi_labels: How many labels.
        ppi_note: Of which queue, or why there are none.
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
    calibration: str = ""
    corrected: float = math.nan
    corrected_low: float = math.nan
    corrected_high: float = math.nan
    correction: str = ""
    ppi: float = math.nan
    ppi_low: float = math.nan
    ppi_high: float = math.nan
    ppi_labels: int = 0
    ppi_note: str = ""

    def __repr__(self) -> str:
        judged = f", {plain_line(self.calibration, 60)}" if self.calibration else ""
        return (
            f"<{plain_line(self.scorer, 60)} {number(self.mean)} [{number(self.low)}, {number(self.high)}], "
            f"n={self.n}, coverage {share(self.coverage)}{judged}>"
        )

    @property
    def corrected_words(self) -> str:
        """The corrected rate with its limits; "-" where there is none."""
        return interval_words(self.corrected, self.corrected_low, self.corrected_high)

    @property
    def ppi_words(self) -> str:
        """The mean by labels with its limits; "-" where there is none."""
        return interval_words(self.ppi, self.ppi_low, self.ppi_high)


def summarise(
    found: Measured, scorers: Mapping[str, Mapping[str, Any]], *, cases: int, level: float = 0.95
) -> list[ScorerSummary]:
    """Return one record per scorer of a run, in the order in which they were given.

    Args:
        found: Its scores.
        scorers: Its scorers by name.
        cases: How many were planned.
        level: Confidence level in (0, 1).
    """
    from lmops.calc.arrays import is_binary
    from lmops.calc.bounds import mean_bounds
    from lmops.calc.intervals import score_interval
    from lmops.calc.repeats import flip_rate, variance_split

    made = []
    for name, scorer in scorers.items():
        matrix = found.scores.get(name)
        if matrix is None:
            continue
        means = row_means(matrix)
        low, high = scale(scorer["range"])
        if is_binary(matrix) and math.isinf(low) and math.isinf(high):
            low, high = 0.0, 1.0
        interval = score_interval(means, clusters=found.clusters, level=level)
        split, flips = variance_split(matrix), flip_rate(matrix)
        bounds = mean_bounds(matrix.ravel(), low=low, high=high, n_total=max(cases, matrix.size))
        made.append(ScorerSummary(
            scorer=name, mean=interval.estimate, low=max(interval.low, low), high=min(interval.high, high), level=level,
            method=interval.method, n=interval.n, n_clusters=interval.n_clusters, coverage=bounds.coverage,
            unmeasured=found.unmeasured[name], errors=found.errors[name], worst=bounds.low, best=bounds.high,
            within_sd=math.sqrt(split.within), between_sd=math.sqrt(split.between), flip_rate=flips.pair_rate,
        ))  # fmt: skip  # arguments that belong together share a line
    return made


def row_means(matrix: Matrix) -> Matrix:
    """Return the mean of each example over its repeats; NaN for one without a value."""
    from lmops.calc.arrays import matrix as as_matrix
    from lmops.calc.arrays import row_means as means

    return means(as_matrix(matrix))


def scale(ends: list[float | None] | None) -> tuple[float, float]:
    """Return the ends of a scorer's scale; infinite where it has none."""
    low, high = ends or (None, None)
    return (-math.inf if low is None else low), (math.inf if high is None else high)


def pass_mark(ends: tuple[float, float]) -> float | None:
    """Return from which score on a case passes when nobody says it: the middle of the scale; None where it has none."""
    low, high = ends
    return None if math.isinf(low) or math.isinf(high) else (low + high) / 2


def unit(name: str, ends: tuple[float, float]) -> str:
    """Return in which unit a scorer counts: its scale, or its own name where the scale is open."""
    return name if math.isinf(ends[0]) or math.isinf(ends[1]) else f"{ends[0]:g} to {ends[1]:g}"


def interval_words(value: float, low: float, high: float) -> str:
    """Return a figure with its limits as a person reads it; "-" where there is none."""
    if math.isnan(value):
        return "-"
    return number(value) if math.isnan(low) else f"{number(value)} [{number(low)}, {number(high)}]"


def number(value: float | None) -> str:
    """Return a number as a person reads it; "-" for none."""
    return "-" if value is None or math.isnan(value) else f"{value + 0.0:.4g}"  # no -0
