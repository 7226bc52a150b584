"""Which items to label next, with known probabilities, and the mean that stays unbiased however they were chosen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from lmops.calc.arrays import (
    Floats,
    check_level,
    check_open_unit,
    cluster_codes,
    cluster_df,
    is_binary,
    t_value,
    vector,
)
from lmops.calc.intervals import Interval, clustered_se

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray


def sampling_probabilities(expected_residual: ArrayLike, budget: float, *, floor: float = 0.2) -> Floats:
    """Return how likely each item should be labeled: in proportion to how wrong the judge is expected to be about it.

    ``min(1, c ((1 - floor) e_i / mean(e) + floor))`` with c such that they sum to the budget. The variance of the mean
    is least in proportion to the residuals' size; the floor holds it where a judge is sure and wrong. For a judge that
    says how likely a pass is, p, the size is ``sqrt(p (1 - p))``. Source: T. Zrnic, E. Candes, "Active statistical
    inference", arXiv 2403.03208 (2024).

    Args:
        expected_residual: size of |label - judge| that is expected of each item, not negative, in any unit.
        budget: labels to give, on average; at most one an item.
        floor: share of the budget that goes to all items alike, in (0, 1).

    Returns:
        Probabilities in (0, 1] that sum to the budget, or are all 1 where it is enough for every item.

    Raises:
        ValueError: a residual that is missing or negative, or a budget or a floor that is not positive.

    >>> sampling_probabilities([0.5, 0.5, 0.1, 0.1], 2, floor=0.5).round(3).tolist()
    [0.667, 0.667, 0.333, 0.333]
    """
    check_open_unit("floor", floor)
    size = vector(expected_residual, "expected_residual")
    if size.size and not bool((size >= 0).all()):
        raise ValueError("expected_residual must be known of every item and not negative")
    if not budget > 0:
        raise ValueError(f"budget must be positive, not {budget:g}")
    if budget >= size.size:
        return np.ones(size.size)
    mean = float(size.mean())
    weights = (1 - floor) * (size / mean if mean > 0 else np.ones(size.size)) + floor
    chances = np.zeros(size.size)
    free = np.ones(size.size, dtype=bool)
    # who would be labeled for sure leaves the rest of the budget to the others
    while True:
        chances[free] = weights[free] * (budget - float((~free).sum())) / float(weights[free].sum())
        over = free & (chances >= 1)
        if not over.any():
            return chances
        chances[over] = 1.0
        free &= ~over


def draw_items(probabilities: ArrayLike, *, seed: int | Sequence[int] = 0) -> NDArray[np.bool_]:
    """Return which items to label: each by itself with its probability, so that their number varies around the budget.

    Args:
        probabilities: one per item, in 0..1.
        seed: of the draw.
    """
    chances = vector(probabilities, "probabilities")
    return np.asarray(np.random.default_rng(seed).random(chances.size) < chances)


def sampled_mean(
    labels: ArrayLike,
    judged: ArrayLike,
    probabilities: ArrayLike,
    *,
    clusters: ArrayLike | Iterable[object] | None = None,
    level: float = 0.95,
) -> Interval:
    """Return the mean human score of all items, from those that were drawn with known probabilities.

    ``mean(f + [labeled] (y - f)/pi)``: unbiased whatever the judge is worth, because pi is known; the better the judge,
    the narrower. With f = 0 it is Horvitz and Thompson's. Error by items or whole clusters, Student's t by the labels.
    Sources: D. G. Horvitz, D. J. Thompson, JASA 47 (1952) 663-685; J. M. Robins et al., JASA 89 (1994) 846-866.
    Labels of 0 and 1 count one error more of each kind at the mean probability: few labels show too few of them.

    Args:
        labels: human scores, NaN where none was drawn (or the rater skipped it; that must not hang on the score).
        judged: the judge's score of every item, on the scale of the labels; zeros for no judge.
        probabilities: with which each item was drawn, in (0, 1].
        clusters: the cluster of each item; None for independent items.
        level: confidence level in (0, 1).

    Returns:
        An Interval over all items; ``n`` is that of the labels. NaN limits for fewer than two.

    Raises:
        ValueError: different numbers of items, a judge's score that is missing, or a probability outside (0, 1].
    """
    check_level(level)
    y, f, chances = vector(labels, "labels"), vector(judged, "judged"), vector(probabilities, "probabilities")
    if not y.size == f.size == chances.size:
        raise ValueError(
            f"labels, judged and probabilities must hold the same items: {y.size}, {f.size}, {chances.size}"
        )
    if bool(np.isnan(f).any()):
        raise ValueError("judged must be known of every item")
    if chances.size and not bool(((chances > 0) & (chances <= 1)).all()):
        raise ValueError("probabilities must be above 0 and at most 1")
    given = ~np.isnan(y)
    n, items = int(given.sum()), y.size
    values = f.copy()
    values[given] += (y[given] - f[given]) / chances[given]
    estimate = float(values.mean()) if items and n else math.nan
    codes = np.arange(items) if clusters is None else cluster_codes(clusters, items)
    se = clustered_se(values, codes) if items > 1 and n > 1 else math.nan
    is_rate = n > 1 and is_binary(y)
    if is_rate:
        se = math.hypot(se, math.sqrt(2 / float(chances[given].mean()) ** 2) / items)
    half = t_value(level, min(cluster_df(codes), n - 1.0)) * se
    low, high = estimate - half, estimate + half
    return Interval(
        estimate=min(1.0, max(0.0, estimate)) if is_rate else estimate,
        low=max(0.0, low) if is_rate else low,
        high=min(1.0, high) if is_rate else high,
        level=level,
        n=n,
        n_missing=items - n,
        se=se,
        n_clusters=None if clusters is None else int(np.unique(codes).size),
        method="doubly robust" + ("" if clusters is None else ", clustered"),
    )
