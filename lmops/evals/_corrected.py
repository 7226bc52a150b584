"""What people would find of a run where a judge scored, beside what the judge says.

By its calibration (how often it errs, measured on other items) and by labels on the very cases. Where there is none of
either, the words say why.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from lmops.evals._calibrated import Trust, trust_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lmops.evals._matrix import Matrix, Measured
    from lmops.evals._recorded import Recorded
    from lmops.evals.summaries import ScorerSummary
    from lmops.feedback import CaseLabels
    from lmops.store import Store

#: So many labels of its own cases correct a run by themselves; with fewer a calibration is asked first.
ENOUGH: Final = 20
NO_VERDICTS: Final = "its scores are no verdicts"
NOTHING: Final = "it scored nothing"
_NAN: Final = (math.nan, math.nan, math.nan)


class Judged(NamedTuple):
    """What is known of the judges of a run.

    Args:
        trust: By judge, whether its calibration holds.
        labels: What people say of the cases; None where no judge scored.
    """

    trust: Mapping[str, Trust]
    labels: CaseLabels | None = None


def judged_of(store: Store, runs: Sequence[Recorded]) -> list[Judged]:
    """Return what is known of the judges of each run; where none has any, nothing is read."""
    trust = [trust_in(store, run.scorers) for run in runs]
    if not any(trust):
        return [Judged({}) for _ in runs]
    from lmops.feedback import labels_of_cases

    ids = [run.run_id for run, known in zip(runs, trust, strict=True) if known]
    labels = labels_of_cases(store, ids)
    return [Judged(known, labels.get(run.run_id)) for run, known in zip(runs, trust, strict=True)]


def with_correction(
    one: ScorerSummary, found: Measured, judged: Judged, ends: tuple[float, float], level: float
) -> ScorerSummary:
    """Return a summary with what people would find beside what a judge says; that of no judge as it is."""
    trust = judged.trust.get(one.scorer)
    if trust is None or judged.labels is None:
        return one
    matrix = found.scores[one.scorer]
    corrected, how = _by_calibration(found, matrix, trust, level)
    ppi, count, why = _by_labels(found, matrix, judged.labels, one.scorer, ends, level)
    return replace(
        one,
        calibration=trust.words,
        corrected=corrected[0],
        corrected_low=corrected[1],
        corrected_high=corrected[2],
        correction=how,
        ppi=ppi[0],
        ppi_low=ppi[1],
        ppi_high=ppi[2],
        ppi_labels=count,
        ppi_note=why,
    )


def _by_calibration(
    found: Measured, matrix: Matrix, trust: Trust, level: float
) -> tuple[tuple[float, float, float], str]:
    """Return the rate without the errors that the calibration found, and by which, or why there is none."""
    import numpy as np

    from lmops.calc.arrays import cluster_codes, cluster_df, is_binary, row_means, t_value, z_value
    from lmops.calc.intervals import proportion_interval

    if trust.record is None or not trust.is_fresh:
        return _NAN, trust.words
    means = row_means(matrix)
    if np.isnan(means).all():
        return _NAN, NOTHING
    if not is_binary(matrix):
        return _NAN, f"{NO_VERDICTS}: only a pass or a fail can be wrong"
    rate = proportion_interval(means, clusters=found.clusters, level=level)
    worth = rate.n_effective
    if found.clusters is not None:
        codes = cluster_codes(found.clusters, means.size)
        worth *= (z_value(level) / t_value(level, cluster_df(codes))) ** 2  # few clusters know their spread less well
    if math.isnan(worth):
        return _NAN, "one cluster has no error"
    made = trust.record.corrected(rate.estimate * worth, worth, level=level)
    return (made.estimate, made.low, made.high), made.reason or f"by calibration {trust.record.number}"


def _by_labels(
    found: Measured, matrix: Matrix, labels: CaseLabels, judge: str, ends: tuple[float, float], level: float
) -> tuple[tuple[float, float, float], int, str]:
    """Return the mean that the labels on these cases and the scores of all of them give, how many, and why none."""
    from lmops.feedback import mean_by_labels

    cases = _Cases.of(found, matrix)
    said = labels.of(judge, cases.names)
    made = mean_by_labels(said, cases.names, cases.scores, clusters=cases.clusters, ends=ends, level=level)
    return made[:3], made.n_labels, made.words


class _Cases(NamedTuple):
    """The cases that have a score, one row each."""

    names: list[tuple[str, int]]
    scores: Matrix
    clusters: list[str] | None  # None: every case is of its own

    @classmethod
    def of(cls, found: Measured, matrix: Matrix) -> _Cases:
        import numpy as np

        rows, repeats = (~np.isnan(matrix)).nonzero()
        names = [(found.ids[row], repeat) for row, repeat in zip(rows.tolist(), repeats.tolist(), strict=True)]
        return cls(names, matrix[rows, repeats], groups_of(found.clusters, found.ids, rows.tolist(), matrix.shape[1]))


def groups_of(
    clusters: Sequence[str | None] | None, ids: Sequence[str], rows: Sequence[int], repeats: int
) -> list[str] | None:
    """Return what each case is alike with: its cluster, or the repeats of its example; None for independent cases."""
    if clusters is None:
        return [f"example {ids[row]}" for row in rows] if repeats > 1 else None
    named = [f"example {ids[row]}" if clusters[row] is None else f"cluster {clusters[row]}" for row in range(len(ids))]
    return [named[row] for row in rows]
