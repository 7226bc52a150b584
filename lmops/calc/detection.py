"""What a detector is worth on texts that people know: its rates, its curve, and a threshold for wanted false alarms.

A text holds something (1) or is ordinary (0); a detector gives it a score, and finds something where the score reaches
the threshold. Recall is the share of those that hold something in which it finds something, the false-positive rate
that of the ordinary ones, precision the share of what it found that was there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lmops.calc.arrays import Floats, check_level, check_open_unit, vector, z_value
from lmops.calc.intervals import Interval, proportion_interval, wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

#: So many points of a curve are kept; a page has not more.
CURVE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What was found, missed and wrongly found, with intervals; NaN where there is nothing to take a rate of."""

    true_positive: int
    false_negative: int
    false_positive: int
    true_negative: int
    precision: Interval
    recall: Interval
    fpr: Interval

    @property
    def n(self) -> int:
        """Texts that count."""
        return self.n_positive + self.n_negative

    @property
    def n_positive(self) -> int:
        """Texts that hold something."""
        return self.true_positive + self.false_negative

    @property
    def n_negative(self) -> int:
        """Ordinary texts."""
        return self.false_positive + self.true_negative


class CurvePoint(NamedTuple):
    """One threshold: what is found at it, with the limits of both rates."""

    threshold: float
    recall: float
    recall_low: float
    recall_high: float
    fpr: float
    fpr_low: float
    fpr_high: float
    precision: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A threshold for a wanted false-positive rate, and between which limits the rate on other texts is."""

    threshold: float
    wanted: float
    fpr: float  # expected on other texts of this kind
    low: float
    high: float
    level: float
    n: int  # ordinary texts that it was chosen on


def rates(
    found: ArrayLike, truth: ArrayLike, *, clusters: Sequence[object] | None = None, level: float = 0.95
) -> Rates:
    """Return the rates of a detector.

    Intervals are Wilson's, clustered where clusters are given (:func:`lmops.calc.intervals.proportion_interval`).

    Args:
        found: 1 where it found something, 0 where not; NaN where it failed, which is left out.
        truth: 1 where there was something, 0 where not; NaN where nobody knows, which is left out.
        clusters: what each text belongs to; None for independent ones.
        level: confidence level in (0, 1).

    Raises:
        ValueError: the columns are not of one length.

    >>> rates([1, 1, 0, 0], [1, 0, 0, 0]).fpr.estimate.__round__(3)
    0.333
    """
    said, is_there = vector(found, "found"), vector(truth, "truth")
    if said.shape != is_there.shape:
        raise ValueError(f"found has {said.size} values and truth {is_there.size}")
    known = ~(np.isnan(said) | np.isnan(is_there))
    groups = None if clusters is None else np.asarray([*map(str, clusters)], dtype=object)

    def rate(outcome: Floats, among: Floats) -> Interval:
        part = known & (among == 1)
        return proportion_interval(outcome[part], clusters=None if groups is None else groups[part], level=level)

    return Rates(
        true_positive=int((known & (said == 1) & (is_there == 1)).sum()),
        false_negative=int((known & (said == 0) & (is_there == 1)).sum()),
        false_positive=int((known & (said == 1) & (is_there == 0)).sum()),
        true_negative=int((known & (said == 0) & (is_there == 0)).sum()),
        precision=rate(is_there, said),
        recall=rate(said, is_there),
        fpr=rate(said, 1 - is_there),
    )


def curve(scores: ArrayLike, truth: ArrayLike, *, level: float = 0.95) -> list[CurvePoint]:
    """Return what is found at each threshold, from the highest to the lowest; the band of a ROC curve is in it.

    At a threshold the two rates come of different texts, so they are independent: with limits at the root of the level
    each, the rectangle of both holds the true point with the level. Its corners are the band. At most 100 thresholds
    are kept, evenly by rank, so that a curve of many texts stays small.

    Source: S. A. Macskassy, F. Provost, "Confidence bands for ROC curves", ROCAI (2004), section 4 (simultaneous joint
    confidence regions); E. B. Wilson, JASA 22 (1927) 209-212.

    Args:
        scores: one per text; NaN are left out.
        truth: 1 or 0 per text; NaN are left out.
        level: of each rectangle.

    Returns:
        Points with threshold, recall, fpr, their limits, and precision (NaN where nothing is found). Empty unless there
        are texts of both kinds.
    """
    check_level(level)
    given, is_there = vector(scores, "scores"), vector(truth, "truth")
    known = ~(np.isnan(given) | np.isnan(is_there))
    given, is_there = given[known], is_there[known]
    positives, negatives = float((is_there == 1).sum()), float((is_there == 0).sum())
    if not positives or not negatives:
        return []
    ends = np.unique(given)[::-1]
    if ends.size > CURVE:
        ends = ends[np.unique(np.linspace(0, ends.size - 1, CURVE).round().astype(int))]
    above = given[None, :] >= ends[:, None]
    hits = (above & (is_there == 1)[None, :]).sum(axis=1).astype(np.float64)
    alarms = (above & (is_there == 0)[None, :]).sum(axis=1).astype(np.float64)
    each = math.sqrt(level)
    recall_low, recall_high = wilson(hits, positives, each)
    fpr_low, fpr_high = wilson(alarms, negatives, each)
    precision = hits / np.where(hits + alarms > 0, hits + alarms, np.nan)
    recall, fpr = (hits / positives, recall_low, recall_high), (alarms / negatives, fpr_low, fpr_high)
    return [CurvePoint(*map(float, row)) for row in zip(ends, *recall, *fpr, precision, strict=True)]


def auroc(scores: ArrayLike, truth: ArrayLike, *, level: float = 0.95) -> Interval:
    """Return the chance that a text that holds something scores above an ordinary one, ties counting a half.

    The variance is DeLong's; the limits are taken on the logit, so that they stay within 0..1.

    Source: E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, Biometrics 44 (1988) 837-845; M. S. Pepe, The Statistical
    Evaluation of Medical Tests (2003), section 5.2.5 (logit).

    Args:
        scores: one per text; NaN are left out.
        truth: 1 or 0 per text; NaN are left out.
        level: confidence level in (0, 1).

    Returns:
        An Interval; NaN unless there are two texts of either kind, limits NaN where all are told apart.
    """
    check_level(level)
    given, is_there = vector(scores, "scores"), vector(truth, "truth")
    known = ~(np.isnan(given) | np.isnan(is_there))
    high, low = given[known & (is_there == 1)], given[known & (is_there == 0)]
    area, se, limits = math.nan, math.nan, (math.nan, math.nan)
    if high.size > 1 and low.size > 1:
        ordered_low, ordered_high = np.sort(low), np.sort(high)
        over = (ordered_low.searchsorted(high, "left") + ordered_low.searchsorted(high, "right")) / (2 * low.size)
        under = 1 - (ordered_high.searchsorted(low, "left") + ordered_high.searchsorted(low, "right")) / (2 * high.size)
        area = float(over.mean())
        se = math.sqrt(float(over.var(ddof=1)) / high.size + float(under.var(ddof=1)) / low.size)
        if 0 < area < 1:
            at, half = math.log(area / (1 - area)), z_value(level) * se / (area * (1 - area))
            limits = (1 / (1 + math.exp(half - at)), 1 / (1 + math.exp(-half - at)))
    return Interval(
        estimate=area, low=limits[0], high=limits[1], level=level, n=int(known.sum()), se=se, method="delong, logit"
    )


def threshold_for(ordinary: ArrayLike, wanted: float, *, level: float = 0.95) -> Threshold | None:
    """Return the lowest threshold at which a new ordinary text is taken for something at most so often.

    With n ordinary texts and the threshold right above their r-th smallest score, the share of new ones that reach it
    is Beta(n + 1 - r, r), whatever the scores are; r is the least with an expected share (n + 1 - r)/(n + 1) of at most
    what is wanted. So the limits hold although the threshold was chosen on the same texts. Ties only make them wider.

    Source: S. S. Wilks, "Determination of sample sizes for setting tolerance limits", Annals of Mathematical
    Statistics 12 (1941) 91-96; V. Vovk et al., Algorithmic Learning in a Random World (2005), chapter 4.

    Args:
        ordinary: scores of texts in which there is nothing; NaN are left out.
        wanted: false-positive rate in (0, 1).
        level: confidence level in (0, 1).

    Returns:
        The threshold with the expected rate and its limits; None for fewer texts than 1/wanted - 1, which cannot tell.

    Raises:
        ValueError: ``wanted`` or ``level`` outside (0, 1).

    >>> threshold_for([i / 100 for i in range(99)], 0.01).threshold
    0.980001
    """
    from scipy.special import betaincinv

    check_level(level)
    check_open_unit("wanted", wanted)
    given = vector(ordinary, "scores")
    data = np.sort(given[~np.isnan(given)])
    n = int(data.size)
    rank = math.ceil((n + 1) * (1 - wanted) - 1e-9)
    if rank > n:
        return None
    above = n + 1 - rank
    tail = (1 - level) / 2
    return Threshold(
        # right above the score, in a number that can be written down
        threshold=round((math.floor(float(data[rank - 1]) * 1e6 + 1e-6) + 1) / 1e6, 6),
        wanted=wanted,
        fpr=above / (n + 1),
        low=float(betaincinv(above, rank, tail)),
        high=float(betaincinv(above, rank, 1 - tail)),
        level=level,
        n=n,
    )
