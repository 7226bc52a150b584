"""The mean that people would give of all that a judge judged, from its scores and their labels on some of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lmops.feedback._people import Case, Labels

    Floats = NDArray[np.float64]

OTHER_SCALE: Final = "the labels are on another scale than the scores"


class ByLabels(NamedTuple):
    """A mean by labels with its limits, NaN where there is none; of how many labels, and of which, or why none."""

    mean: float = math.nan
    low: float = math.nan
    high: float = math.nan
    n_labels: int = 0
    words: str = ""


def mean_by_labels(
    said: Labels,
    cases: Sequence[Case],
    scores: Floats,
    *,
    clusters: Sequence[str] | None,
    ends: tuple[float, float] = (-math.inf, math.inf),
    level: float = 0.95,
) -> ByLabels:
    """Return the mean over all cases that the labels on some of them give: PPI++, or by the chances that they had.

    Args:
        said: What people say of the cases.
        cases: What the judge judged.
        scores: Its score of each.
        clusters: What each case is alike with; None for independent cases.
        ends: Of the judge's scale; the mean and its limits stay within them.
        level: Confidence level in (0, 1).
    """
    import numpy as np

    from lmops.calc.active import sampled_mean
    from lmops.calc.arrays import is_binary
    from lmops.calc.judge import ppi_mean

    if said.reason is not None:
        return ByLabels(words=said.reason)
    human = np.array([said.numbers.get(case, np.nan) for case in cases], dtype=np.float64)
    known = ~np.isnan(human)
    count = int(known.sum())
    if not on_scale(human[known], ends, is_verdict=is_binary(scores)):
        return ByLabels(n_labels=count, words=OTHER_SCALE)
    if said.chances is None:
        others = None if clusters is None else [one for one, is_in in zip(clusters, known, strict=True) if not is_in]
        groups = None if clusters is None else [one for one, is_in in zip(clusters, known, strict=True) if is_in]
        made: Any = ppi_mean(
            human[known],
            scores[known],
            scores[~known],
            clusters=groups,
            unlabeled_clusters=others or None,
            level=level,
        )
    else:
        chances = np.array([said.chances.get(case, 1.0) for case in cases], dtype=np.float64)
        made = sampled_mean(human, scores, chances, clusters=clusters, level=level)
    mean, low, high = np.clip((made.estimate, made.low, made.high), *ends).tolist()  # what is unknown stays NaN
    return ByLabels(mean, low, high, count, f"{count:,} labels of queue {said.queue} under {said.schema}")


def on_scale(labels: Floats, ends: tuple[float, float], *, is_verdict: bool) -> bool:
    """Return whether labels are on the scale of the scores: verdicts, or numbers within its ends."""
    from lmops.calc.arrays import is_binary

    if is_verdict or is_binary(labels):
        return is_verdict == is_binary(labels)
    return bool((labels >= ends[0]).all() and (labels <= ends[1]).all())
