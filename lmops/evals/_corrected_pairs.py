"""The difference of two runs that people would find where a judge scored, beside what the judge says."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from lmops.evals._calibrated import FRESH
from lmops.evals._corrected import ENOUGH, NO_VERDICTS, NOTHING, Judged, groups_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lmops.calc.corrected import CorrectedDifference, Errors
    from lmops.evals._calibrated import Trust
    from lmops.evals._differences import Difference, Sides
    from lmops.evals._matrix import Matrix


def corrected_differences(
    made: Sequence[Difference],
    found: Sides,
    judged: tuple[Judged, Judged],
    *,
    scales: Mapping[str, tuple[float, float]],
    is_same: Mapping[str, bool],
    rows: Any,
) -> list[Difference]:
    """Return differences of judges with what people would find beside what they say; the others as they are.

    Args:
        made: The differences.
        found: The two runs.
        judged: What is known of the judges of each.
        scales: By judge, the ends of its scale.
        is_same: By judge, whether it is the same version in both.
        rows: The examples that they are over; None for all.
    """
    trusts = [side.trust for side in judged]
    return [
        _corrected(
            one, _difference(one, found, judged, ends=scales[one.name], is_same=is_same[one.name], rows=rows), trusts
        )
        if one.kind == "scorer" and one.name in trusts[0] and one.name in trusts[1]
        else one
        for one in made
    ]


def _corrected(
    one: Difference, made_how: tuple[CorrectedDifference | None, str], trusts: Sequence[Mapping[str, Trust]]
) -> Difference:
    """Return a difference with what it is when the judge's errors are corrected, and how that was made."""
    made, how = made_how
    words = next((side[one.name].words for side in trusts if not side[one.name].is_fresh), FRESH)
    told = replace(one, calibration=words)
    if made is None or math.isnan(made.low):
        return replace(told, corrected=math.nan if made is None else made.difference, correction=how)
    outcome = _outcome(made.low, made.high, one.margin, higher=one.higher_is_better)
    return replace(
        told,
        corrected=made.difference,
        corrected_low=made.low,
        corrected_high=made.high,
        corrected_p=made.p_value,
        corrected_outcome=outcome,
        correction=how,
    )


def _difference(
    one: Difference,
    found: Sides,
    judged: tuple[Judged, Judged],
    *,
    ends: tuple[float, float],
    is_same: bool,
    rows: Any,
) -> tuple[CorrectedDifference | None, str]:
    """Return the corrected difference and how it was made; None and why there is none."""
    if not one.n:
        return None, NOTHING
    pairs = _Pairs.of(one.name, found, judged, rows, ends)
    trust = judged[0].trust[one.name]
    errors = trust.record.errors if trust.is_fresh and trust.record is not None and is_same else None
    for given, known in pairs.attempts(errors):
        made = _calculated(given, known, level=one.level)
        if made.basis == "own labels":
            return made, made.reason or f"by {made.n_labels_a:,} labels of a and {made.n_labels_b:,} of b"
        if known is not None and trust.record is not None:
            how = f"by calibration {trust.record.number}, as if the judge erred alike on both"
            return made, made.reason or how
        if is_same and made.n_labels_a + made.n_labels_b:
            how = f"by {made.n_labels_a + made.n_labels_b:,} labels, as if the judge erred alike on both"
            return made, made.reason or how
    if not pairs.is_verdict and pairs.why:
        return None, f"{NO_VERDICTS}, and {pairs.why}"
    words = next((side.trust[one.name].words for side in judged if not side.trust[one.name].is_fresh), "")
    return None, "the judge is not the same in both runs" if not is_same and not words else words


def _calculated(given: _Pairs, errors: Errors | None, *, level: float) -> CorrectedDifference:
    from lmops.calc.corrected import corrected_difference
    from lmops.calc.corrected_scores import corrected_score_difference

    (labels_a, labels_b), (chances_a, chances_b) = given.labels, given.chances
    told: dict[str, Any] = {
        "labels_a": labels_a,
        "labels_b": labels_b,
        "chances_a": chances_a,
        "chances_b": chances_b,
        "clusters": given.clusters,
        "level": level,
    }
    if given.is_verdict:
        return corrected_difference(given.a, given.b, errors=errors, **told)
    return corrected_score_difference(given.a, given.b, **told)


class _Pairs(NamedTuple):
    """Scores of two runs on the same cases, with what people say of each side."""

    a: Matrix
    b: Matrix
    labels: tuple[Matrix, Matrix]
    chances: tuple[Matrix | None, Matrix | None]
    clusters: list[str] | None
    is_verdict: bool
    why: str  # why nobody's labels count; empty where some do

    @classmethod
    def of(
        cls, judge: str, found: Sides, judged: tuple[Judged, Judged], rows: Any, ends: tuple[float, float]
    ) -> _Pairs:
        import numpy as np

        from lmops.calc.arrays import is_binary

        chosen = np.arange(len(found.ids)) if rows is None else rows
        sides = [
            side.scores[judge][at[chosen]] if judge in side.scores else np.full((len(chosen), 1), np.nan)
            for side, at in ((found.a, found.at_a), (found.b, found.at_b))
        ]
        repeats = min(side.shape[1] for side in sides)
        columns = [side[:, :repeats].ravel() for side in sides]
        is_verdict = is_binary(np.concatenate(columns))
        ids = [found.ids[row] for row in chosen]
        names = [(example_id, repeat) for example_id in ids for repeat in range(repeats)]
        said = [
            _said(side, judge, names, column, ends, is_verdict=is_verdict)
            for side, column in zip(judged, columns, strict=True)
        ]
        clusters = None if found.clusters is None else [found.clusters[row] for row in chosen]
        every = [row for row in range(len(ids)) for _ in range(repeats)]
        return cls(
            columns[0],
            columns[1],
            (said[0].labels, said[1].labels),
            (said[0].chances, said[1].chances),
            groups_of(clusters, ids, every, repeats),
            is_verdict,
            "; ".join(dict.fromkeys(one.why for one in said)) if all(one.why for one in said) else "",
        )

    def attempts(self, errors: Errors | None) -> Iterator[tuple[_Pairs, Errors | None]]:
        """Yield what to correct by: labels on both sides where they are many, a calibration, what labels there are."""
        import numpy as np

        counts = [int((~np.isnan(side)).sum()) for side in self.labels]
        if not self.is_verdict:
            if max(counts):
                yield self, None
            return
        nothing = np.full(self.a.size, np.nan)
        if min(counts) >= ENOUGH and self._is_told():
            yield self, None
        if errors is not None:
            yield self._replace(labels=(nothing, nothing), chances=(None, None)), errors
        if max(counts) and (self._is_told() or self.chances == (None, None)):
            yield self, None  # what the judge's errors are is not known from labels that were drawn by its verdicts

    def _is_told(self) -> bool:
        """Return whether on both sides people labelled of what the judge passes and of what it fails."""
        import numpy as np

        return all(
            not (verdicts == verdict).any() or bool((~np.isnan(labels[verdicts == verdict])).any())
            for verdicts, labels in zip((self.a, self.b), self.labels, strict=True)
            for verdict in (0.0, 1.0)
        )


class _Said(NamedTuple):
    """What people say of one side's cases."""

    labels: Matrix
    chances: Matrix | None = None  # that each case had of being labelled; None: alike
    why: str = ""  # why there are no labels


def _said(
    judged: Judged,
    judge: str,
    names: Sequence[tuple[str, int]],
    scores: Matrix,
    ends: tuple[float, float],
    *,
    is_verdict: bool,
) -> _Said:
    import numpy as np

    from lmops.feedback import OTHER_SCALE, on_scale

    nothing = np.full(len(names), np.nan)
    if judged.labels is None:
        return _Said(nothing, why="nobody labelled its cases")
    said = judged.labels.of(judge, [name for name, score in zip(names, scores, strict=True) if not math.isnan(score)])
    if said.reason is not None:
        return _Said(nothing, why=said.reason)
    human = np.array([said.numbers.get(name, np.nan) for name in names], dtype=np.float64)
    if not on_scale(human[~np.isnan(human)], ends, is_verdict=is_verdict):
        return _Said(nothing, why=OTHER_SCALE)
    if said.chances is None:
        return _Said(human)
    return _Said(human, np.array([said.chances.get(name, 1.0) for name in names], dtype=np.float64))


def _outcome(low: float, high: float, margin: float | None, *, higher: bool) -> str:
    """Return the word that limits carry, as :func:`lmops.calc.decide.decide` says it."""
    least, most = (low, high) if higher else (-high, -low)
    if math.isnan(least) or math.isnan(most):
        return "inconclusive"
    if least > 0:
        return "better"
    if margin is not None and least > -margin:
        return "non_inferior"
    return "worse" if most < 0 else "inconclusive"
