"""Several answers to the same item: where the spread comes from, how often verdicts flip, pass@k and pass^k."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from lmops.calc.arrays import Floats, check_choice, check_level, is_binary, matrix, row_means, show
from lmops.calc.intervals import Interval, fraction_interval

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True, kw_only=True)
class VarianceSplit:
    """Variance of the scores, split in that between items and that between repeats of one item."""

    between: float  # of the items' true means, never below 0; NaN without repeats
    within: float  # between repeats of one item; NaN without repeats
    n: int  # items with a score
    repeats: float  # per item, on average
    mean: float  # of the item means
    se: float  # of that mean: the items are what was sampled

    @property
    def icc(self) -> float:
        """Share of the variance of a single answer that lies between items; NaN when nothing varies."""
        total = self.between + self.within
        return self.between / total if total > 0 else math.nan

    def se_with(self, *, n: float, repeats: float) -> float:
        """Return the standard error that n items with so many repeats each would have."""
        if n < 1 or repeats < 1:
            raise ValueError(f"n and repeats must be at least 1, not {n:g} and {repeats:g}")
        return math.sqrt((self.between + self.within / repeats) / n)

    def __repr__(self) -> str:
        return (
            f"VarianceSplit(items {show(self.between)}, repeats {show(self.within)}, "
            f"n={self.n} x {show(self.repeats)}, se {show(self.se)})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FlipRate:
    """How often the repeats of one item disagree."""

    pair_rate: float  # probability that two repeats of one item disagree
    item_rate: float  # share of the items whose repeats are not all alike; grows with the number of repeats
    n: int  # items with at least two repeats

    def __repr__(self) -> str:
        return f"FlipRate({show(self.pair_rate)} of pairs, {show(self.item_rate)} of {self.n} items)"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendAdvice:
    """Whether the next answers are better spent on more items or on more repeats."""

    se_now: float
    se_more_items: float  # twice the items, the same repeats
    se_more_repeats: float  # the same items, twice the repeats
    best_repeats: int | None  # repeats per item that give the least error for the money; None when unknown
    more: Literal["items", "repeats", "unknown"]
    reason: str

    def __repr__(self) -> str:
        return f"SpendAdvice(more {self.more}: {self.reason})"


def variance_split(scores: ArrayLike) -> VarianceSplit:
    """Return the variance between items and between repeats, by one-way analysis of variance.

    ``within = MSW``, ``between = max(0, (MSB - MSW)/K)``; with unequal numbers of repeats K is ``(N - sum k_i^2/N)/
    (n - 1)``. ``Var(mean) = [between + within/K]/n``; the error given is the plain one of the item means, which equals
    it for equal repeats. Source: P. E. Shrout, J. L. Fleiss, Psychological Bulletin 86 (1979) 420-428, case 1;
    E. Miller, arXiv 2411.00640 (2024), section 3.1.

    Args:
        scores: items x repeats; NaN for a missing repeat.

    Returns:
        A VarianceSplit in the squared unit of the scores. Without any second repeat ``between`` and ``within`` are NaN;
        n = 0: all NaN; n = 1: ``between`` and ``se`` NaN; all equal: zeros.
    """
    data = matrix(scores, "scores")
    known = ~np.isnan(data)
    counts = known.sum(axis=1)
    data, known, counts = data[counts > 0], known[counts > 0], counts[counts > 0]
    n, total = len(data), int(counts.sum())
    means = row_means(data)
    overall = float(means.mean()) if n else math.nan
    spread = 0.0 if n and bool((means == means[0]).all()) else float(means.std(ddof=1)) if n > 1 else math.nan
    between = within = math.nan
    if total > n:
        within = float(np.square(np.where(known, data - means[:, None], 0.0)).sum()) / (total - n)
        if n > 1:
            grand = float(np.where(known, data, 0.0).sum()) / total
            msb = float((counts * np.square(means - grand)).sum()) / (n - 1)
            k0 = (total - float(np.square(counts).sum()) / total) / (n - 1)
            between = max(0.0, (msb - within) / k0)
    return VarianceSplit(
        between=between,
        within=within,
        n=n,
        repeats=total / n if n else math.nan,
        mean=overall,
        se=spread / math.sqrt(n) if n > 1 else math.nan,
    )


def flip_rate(scores: ArrayLike) -> FlipRate:
    """Return how often two repeats of one item differ.

    ``pair_rate`` is the mean over items of the share of pairs of repeats that differ, 2 c (K - c)/(K (K - 1)) for c
    passes in K; it does not depend on the number of repeats. Items with one repeat say nothing and are left out.

    Args:
        scores: items x repeats, verdicts or labels as numbers; NaN for a missing repeat.

    Returns:
        A FlipRate of fractions in 0..1; NaN for no item with two repeats.
    """
    data = matrix(scores, "scores")
    known = ~np.isnan(data)
    counts = known.sum(axis=1)
    data, counts = data[counts > 1], counts[counts > 1]
    if not len(data):
        return FlipRate(pair_rate=math.nan, item_rate=math.nan, n=0)
    same = np.zeros(len(data))  # ordered pairs of repeats that are alike
    for i in range(1, data.shape[1]):
        same += 2 * (data[:, i:] == data[:, :-i]).sum(axis=1)
    pairs = counts * (counts - 1)
    differ = 1 - same / pairs
    return FlipRate(pair_rate=float(differ.mean()), item_rate=float((same < pairs).mean()), n=len(data))


def items_or_repeats(split: VarianceSplit, *, cost_per_item: float = 0.0, cost_per_answer: float = 1.0) -> SpendAdvice:
    """Return whether more items or more repeats lower the error of the mean more, for the same money.

    The error is ``sqrt((between + within/K)/n)``. With a cost c_item for each new item (writing, labeling it) and
    c_answer for each answer, the least error for the money has ``K = sqrt(within c_item / (between c_answer))``, at
    least 1. Without a cost of items one repeat is best: twice the items always beats twice the repeats. Source:
    W. G. Cochran, Sampling Techniques, 3rd ed. (1977), section 10.6 (two-stage sampling).

    Args:
        split: of :func:`variance_split`.
        cost_per_item: of one more item, without its answers, in any unit.
        cost_per_answer: of one answer, in the same unit, positive.

    Returns:
        A SpendAdvice; "unknown" without repeats or when nothing varies.

    Raises:
        ValueError: a negative cost, or answers that cost nothing.
    """
    if cost_per_item < 0 or cost_per_answer <= 0:
        raise ValueError("cost_per_item must not be negative, and cost_per_answer must be positive")
    if split.n < 2 or math.isnan(split.between + split.within) or split.between + split.within == 0:
        return SpendAdvice(
            se_now=split.se,
            se_more_items=math.nan,
            se_more_repeats=math.nan,
            best_repeats=None,
            more="unknown",
            reason="run at least two repeats of two items that vary",
        )
    n, k = split.n, split.repeats
    ratio = math.inf if split.between == 0 else split.within / split.between
    ideal = math.sqrt(ratio * cost_per_item / cost_per_answer) if cost_per_item else 1.0
    best = None if math.isinf(ideal) else max(1, round(ideal))
    more: Literal["items", "repeats"] = "repeats" if ideal > k else "items"
    share = split.within / k / (split.between + split.within / k)
    reason = f"repeats make {share:.0%} of the error's square at {k:.3g} repeats"
    return SpendAdvice(
        se_now=split.se_with(n=n, repeats=k),
        se_more_items=split.se_with(n=2 * n, repeats=k),
        se_more_repeats=split.se_with(n=n, repeats=2 * k),
        best_repeats=best,
        more=more,
        reason=reason,
    )


def pass_at_k(passed: ArrayLike, repeats: ArrayLike, k: int) -> Floats:
    """Return for each item the unbiased estimate of the probability that at least one of k answers passes.

    ``1 - C(n - c, k)/C(n, k)`` with c of n repeats passed. Source: M. Chen et al., "Evaluating large language models
    trained on code", arXiv 2107.03374 (2021).

    Args:
        passed: passes per item, in 0..repeats.
        repeats: answers per item.
        k: at least 1.

    Returns:
        Fractions in 0..1; NaN for an item with fewer than k answers, which cannot say.

    >>> pass_at_k([0, 1, 4], 4, 2).tolist()
    [0.0, 0.5, 1.0]
    """
    c, n = _counts(passed, repeats, k)
    return np.where(n >= k, 1 - _choose_ratio(n - c, n, k), np.nan)


def pass_hat_k(passed: ArrayLike, repeats: ArrayLike, k: int) -> Floats:
    """Return for each item the unbiased estimate of the probability that all of k answers pass (pass^k).

    ``C(c, k)/C(n, k)`` with c of n repeats passed. Source: S. Yao et al., "tau-bench", arXiv 2406.12045 (2024).

    Args:
        passed: passes per item, in 0..repeats.
        repeats: answers per item.
        k: at least 1.

    Returns:
        Fractions in 0..1; NaN for an item with fewer than k answers.

    >>> pass_hat_k([0, 3, 4], 4, 2).tolist()
    [0.0, 0.5, 1.0]
    """
    c, n = _counts(passed, repeats, k)
    return np.where(n >= k, _choose_ratio(c, n, k), np.nan)


def pass_k_interval(
    verdicts: ArrayLike,
    k: int,
    *,
    kind: Literal["any", "all"] = "any",
    clusters: ArrayLike | Iterable[object] | None = None,
    level: float = 0.95,
) -> Interval:
    """Return the mean pass@k (kind "any") or pass^k ("all") over items with its interval over items or clusters.

    That of :func:`lmops.calc.intervals.fraction_interval`, at the effective number of items: a bootstrap has no width
    where every item passes.

    Args:
        verdicts: items x repeats of 0 and 1; NaN for a missing repeat.
        k: at least 1.
        kind: "any": at least one of k answers passes; "all": every one of k does.
        clusters: the cluster of each item; None for independent items.
        level: confidence level in (0, 1).

    Returns:
        An Interval; items with fewer than k repeats are missing.

    Raises:
        ValueError: a verdict that is not 0 or 1, another kind, or k below 1.
    """
    check_level(level)
    check_choice("kind", kind, ("any", "all"))
    data = matrix(verdicts, "verdicts")
    known = ~np.isnan(data)
    if known.any() and not is_binary(data):
        raise ValueError("verdicts must be 0 or 1, or NaN for a missing repeat")
    estimate = {"any": pass_at_k, "all": pass_hat_k}[kind]
    per_item = estimate(np.where(known, data, 0.0).sum(axis=1), known.sum(axis=1), k)
    found = fraction_interval(per_item, clusters=clusters, level=level)
    return replace(found, method=f"{'pass@' if kind == 'any' else 'pass^'}{k}, {found.method}")


def _counts(passed: ArrayLike, repeats: ArrayLike, k: int) -> tuple[Floats, Floats]:
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    c, n = np.broadcast_arrays(np.asarray(passed, dtype=np.float64), np.asarray(repeats, dtype=np.float64))
    if bool((c < 0).any()) or bool((c > n).any()):
        raise ValueError("passed must be between 0 and the number of repeats")
    return c, n


def _choose_ratio(top: Floats, bottom: Floats, k: int) -> Floats:
    """Return C(top, k)/C(bottom, k) as a product, which cannot overflow; 0 where top < k."""
    ratio = np.ones(top.shape)
    for i in range(k):
        ratio *= np.maximum(top - i, 0) / np.maximum(bottom - i, 1)
    return ratio
