"""What people would find, from a judge's scores on a scale and people's on some: the difference of two versions.

The same for verdicts, which know sensitivity and specificity besides, is in :mod:`lmops.calc.corrected`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lmops.calc.arrays import Floats, Ints, check_level, cluster_df, t_two_sided_p, t_value, vector
from lmops.calc.corrected import CorrectedDifference, _covariance, _Found, _Pairs, _Side, _variance

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike

_LEAST = 3  # labels that a line through them needs, so that something is left over


def corrected_score_difference(
    a: ArrayLike,
    b: ArrayLike,
    *,
    labels_a: ArrayLike | None = None,
    labels_b: ArrayLike | None = None,
    chances_a: ArrayLike | None = None,
    chances_b: ArrayLike | None = None,
    clusters: ArrayLike | Iterable[object] | None = None,
    level: float = 0.95,
) -> CorrectedDifference:
    """Return the difference of two mean scores on the same items that people would give.

    "own labels", where both sides have three or more: each item counts ``m + w (f - mean F) + [labeled] (N/r) (y - m -
    w (f - mean F))`` with m the mean of the r labels of a side, F the judge's scores of the same and
    ``w = Cov(Y, F)/Var F`` cut to 0..1. The paired difference of these is the estimate, and its clustered error holds
    the pairing, the labels and the items. It assumes nothing of the judge, only that labels were drawn at random, or
    with ``chances`` that are known: then each counts by the inverse of its own. This is PPI++ (arXiv 2311.01453) on
    pairs. What is left over of few labels is multiplied by ``r/(r - 2)``, as of any line that is fitted.

    "shared errors", otherwise: ``(mean f_a - mean f_b)/J`` with ``J = Cov(Y, F)/Var Y`` of all labels there are: by so
    much the judge's score rises with people's, which of verdicts is sensitivity + specificity - 1. Its limits are
    Fieller's (JRSS B 16 (1954) 175-185). It assumes that the judge errs alike on both versions.

    Args:
        a: the judge's scores of one version per item; NaN for a missing one.
        b: its scores of the other version on the same items in the same order.
        labels_a: people's scores of the first version's answers in that order, NaN where there is none; None for none.
        labels_b: the same of the other version; which items are labeled may differ.
        chances_a: how likely each item of the first version was to be labeled, in (0, 1]; None: alike.
        chances_b: the same of the other version.
        clusters: the cluster of each item; None for independent items.
        level: confidence level in (0, 1).

    Returns:
        A CorrectedDifference over the items with both scores, in the unit of the labels. NaN and a reason for fewer
        than three labels, or where these do not tell that the judge's score rises with people's.

    Raises:
        ValueError: different numbers of items, or a chance outside (0, 1].

    >>> judge, people = [4, 3, 5, 2, 4, 5, 1, 3], [4, 2, 5, 2, 3, 5, math.nan, math.nan]
    >>> corrected_score_difference(judge, [3] * 8, labels_a=people, labels_b=[2, 3, 3, 2, 3, 2, 3, 2])
    CorrectedDifference(0.5417 [-1.393, 2.477], 0.95, own labels, raw 0.375, n=8, labels 6 + 8)
    """
    check_level(level)
    pairs = _Pairs.of(
        {"a": a, "b": b}, {"labels_a": labels_a, "labels_b": labels_b}, (chances_a, chances_b), clusters, vector
    )
    one, other = pairs.sides
    if not pairs.n:
        return pairs.made(_Found(reason="no item has a score on both sides"), "shared errors", level)
    if min(int(side.is_labeled.sum()) for side in pairs.sides) >= _LEAST:
        return pairs.made(_of_own_labels(one, other, pairs.codes, level), "own labels", level)
    return pairs.made(_of_shared_errors(one, other, pairs.codes, level), "shared errors", level)


class _Line(NamedTuple):
    """How one kind of scores goes with the other, over what both the judge and people scored."""

    x: Floats
    y: Floats
    weights: Floats  # sum to 1
    slope: float  # of y; NaN where all x are one
    spread: float  # variance of x

    @classmethod
    def of(cls, x: Floats, y: Floats, weights: Floats) -> _Line:
        weights = weights / weights.sum()
        away = x - (weights * x).sum()
        spread = float((weights * np.square(away)).sum())
        return cls(x, y, weights, float((weights * away * y).sum()) / spread if spread > 0 else math.nan, spread)

    def at(self, x: Floats, slope: float) -> Floats:
        """Return the y to expect at x."""
        expected: Floats = (self.weights * self.y).sum() + slope * (x - (self.weights * self.x).sum())
        return expected

    def left_over(self, slope: float) -> Floats:
        """Return what the line leaves over of each y, as if it had not been fitted to them."""
        return (self.y - self.at(self.x, slope)) * math.sqrt(self.y.size / (self.y.size - 2))


def _of_own_labels(a: _Side, b: _Side, codes: Ints, level: float) -> _Found:
    """Return the difference of what people would give of each side."""
    expected, rest = np.zeros(codes.size), np.zeros(codes.size)
    sizes = []
    for side, sign in ((a, 1), (b, -1)):
        of = side.is_labeled
        line = _Line.of(side.verdicts[of], side.labels[of], side.weights[of])
        slope = 0.0 if math.isnan(line.slope) else min(1.0, max(0.0, line.slope))
        expected += sign * line.at(side.verdicts, slope)
        rest[of] += sign * codes.size * line.weights * line.left_over(slope)
        sizes.append(line.y.size)
    total, df = _variance(expected + rest, codes), min(cluster_df(codes), min(sizes) - 2.0)
    difference = float(expected.mean())
    if not (total > 0 and df > 0):
        return _Found(difference=difference, reason="one item, one cluster or equal scores have no error")
    se = math.sqrt(total)
    half, p_value = t_value(level, df) * se, t_two_sided_p(difference / se, df)
    share = min(1.0, _variance(rest, codes) / total)
    return _Found(difference, difference - half, difference + half, se, p_value, share)


def _of_shared_errors(a: _Side, b: _Side, codes: Ints, level: float) -> _Found:
    """Return the judge's difference over what its score rises with people's."""
    sides = (a, b)
    labels, scores, weights = (
        np.concatenate([column[side.is_labeled] for side, column in zip(sides, columns, strict=True)])
        for columns in ((a.labels, b.labels), (a.verdicts, b.verdicts), (a.weights, b.weights))
    )
    if labels.size < _LEAST:
        return _Found(reason=f"{labels.size} labels are too few: how the judge's score goes with people's is not known")
    line = _Line.of(labels, scores, weights)
    if not line.slope > 0:
        return _Found(reason="the judge's score does not rise with people's")
    each = codes.size * line.weights * (labels - (line.weights * labels).sum()) * line.left_over(line.slope)
    of_slope = np.zeros(codes.size)
    for side, part in zip(sides, np.split(each / line.spread, [int(a.is_labeled.sum())]), strict=True):
        of_slope[side.is_labeled] += part
    raw = a.verdicts - b.verdicts
    seen, df = float(raw.mean()), min(cluster_df(codes), line.y.size - 2.0)
    of_raw = _variance(raw, codes)
    if not (of_raw > 0 and df > 0):
        return _Found(difference=seen / line.slope, reason="one item, one cluster or equal scores have no error")
    both, of_index, t = _covariance(raw, of_slope, codes), _variance(of_slope, codes), t_value(level, df)
    difference = seen / line.slope
    se = math.sqrt(max(of_raw - 2 * difference * both + difference**2 * of_index, 0.0)) / line.slope
    share = min(1.0, difference**2 * of_index / (of_raw + difference**2 * of_index))
    told = _Found(difference, se=se, p_value=t_two_sided_p(seen / math.sqrt(of_raw), df), share=share)
    square, middle = line.slope**2 - t**2 * of_index, seen * line.slope - t**2 * both
    if square <= 0:
        return told._replace(reason="so few labels do not tell that the judge's score rises with people's")
    half = math.sqrt(max(0.0, middle**2 - square * (seen**2 - t**2 * of_raw)))
    return told._replace(low=(middle - half) / square, high=(middle + half) / square)
