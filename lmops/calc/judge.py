"""A judge is an instrument with errors: how large they are. What corrects for them is in :mod:`lmops.calc.corrected`.

Verdicts and human labels are 1 (pass) and 0 (fail). Sensitivity is the share of human passes that the judge passes,
specificity the share of human fails that it fails.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lmops.calc._recovered import away
from lmops.calc.agreement import Agreement, cohen_kappa, gwet_ac1
from lmops.calc.arrays import (
    Floats,
    Ints,
    check_level,
    check_open_unit,
    cluster_codes,
    cluster_df,
    effective_clusters,
    is_binary,
    show,
    t_two_sided_p,
    t_value,
    vector,
    z_value,
)
from lmops.calc.intervals import Interval, _wilson, clustered_se, proportion_interval, weighted_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What a judge's verdicts are worth, measured on items that people labeled as well."""

    sensitivity: Interval
    specificity: Interval
    raw_agreement: Interval
    kappa: Agreement
    ac1: Agreement
    base_rate: float  # share of passes among the human labels
    judge_rate: float  # share of passes among the judge's verdicts on the same items
    true_pass: int  # both pass
    false_pass: int  # the judge passes what people fail
    true_fail: int
    false_fail: int
    n: int
    n_missing: int

    @property
    def is_better_than_chance(self) -> bool:
        """Whether sensitivity + specificity is above 1; without that nothing can be corrected."""
        return self.sensitivity.estimate + self.specificity.estimate > 1

    def __repr__(self) -> str:
        return (
            f"Calibration(sensitivity {show(self.sensitivity.estimate)}, specificity "
            f"{show(self.specificity.estimate)}, kappa {show(self.kappa.value)}, base rate {show(self.base_rate)}, "
            f"n={self.n})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PpiMean:
    """A mean from few human scores and many scores of a judge."""

    estimate: float
    low: float
    high: float
    level: float
    se: float
    weight: float  # lambda: 0 ignores the judge, 1 trusts it fully
    n: int  # items with a human score
    n_unlabeled: int
    n_effective: float  # human scores alone that would be worth as much

    def __repr__(self) -> str:
        return (
            f"PpiMean({show(self.estimate)} [{show(self.low)}, {show(self.high)}], {self.level:g}, "
            f"lambda {show(self.weight)}, n={self.n} + {self.n_unlabeled} unlabeled)"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionBias:
    """Pairwise verdicts asked in both orders: how many survive the swap, and where the others go."""

    consistency: Interval  # share of pairs with the same winner in both orders
    first_rate: float  # among the inconsistent pairs, the share that went to whatever stood first; 0.5: no bias
    p_value: float  # sign test of "no preference for a position" among them
    n: int
    n_missing: int

    def __repr__(self) -> str:
        return f"PositionBias(consistent {self.consistency!r}, first {show(self.first_rate)}, p={show(self.p_value)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """A least-squares slope with a heteroscedasticity-proof error."""

    slope: float
    low: float
    high: float
    level: float
    se: float
    p_value: float
    n: int

    def __repr__(self) -> str:
        return f"Slope({show(self.slope)} [{show(self.low)}, {show(self.high)}], p={show(self.p_value)}, n={self.n})"


def calibrate(
    verdicts: ArrayLike,
    labels: ArrayLike,
    *,
    clusters: ArrayLike | Iterable[object] | None = None,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Calibration:
    """Return sensitivity, specificity (Wilson), kappa, AC1 (bootstrap) and base rates of a judge against people.

    Where items were drawn unequally, as more of what the judge fails, rates of the items as they are say something of
    the draw: with ``weights`` sensitivity, specificity, agreement and base rates are those of what they were drawn
    from (C. B. Begg, R. A. Greenes, Biometrics 39 (1983) 207-215). Kappa and AC1 are those of the items.

    Args:
        verdicts: the judge's, 0 or 1 per item; NaN are left out with their label.
        labels: people's, 0 or 1 per item in the same order.
        clusters: the cluster of each item (a session, an annotator's batch); None for independent items.
        weights: of each item, 1 over the chance that it was drawn with; None: alike.
        level: confidence level in (0, 1).
        draws: resamples for kappa and AC1.
        seed: of the resampling.

    Returns:
        A Calibration; a rate over no item (no human fail, say) is NaN.

    Raises:
        ValueError: different numbers of items, a value that is not 0 or 1, or a weight that is not positive.
    """
    judge, human = _verdicts(verdicts, "verdicts"), _verdicts(labels, "labels")
    weight = np.ones(human.size) if weights is None else vector(weights, "weights")
    if not judge.size == human.size == weight.size:
        raise ValueError(
            f"verdicts, labels and weights must hold the same items: {judge.size}, {human.size} and {weight.size}"
        )
    known = ~np.isnan(judge) & ~np.isnan(human)
    codes = None if clusters is None else cluster_codes(clusters, known.size)[known]
    judge, human, weight = judge[known], human[known], weight[known]
    n = int(judge.size)
    both = np.column_stack((judge, human))
    heaviest = float(weight.max()) if n else math.nan
    options: dict[str, Any] = {"categories": (0.0, 1.0), "level": level, "draws": draws, "seed": seed}

    def rate(outcomes: Floats, part: Any) -> Interval:
        groups = None if codes is None else codes[part]
        return drawn_rate(outcomes[part], weight[part], heaviest=heaviest, clusters=groups, level=level)

    return Calibration(
        sensitivity=rate(judge, human == 1),
        specificity=rate(1 - judge, human == 0),
        raw_agreement=rate((judge == human).astype(np.float64), slice(None)),
        kappa=cohen_kappa(judge, human, clusters=codes, **options),
        ac1=gwet_ac1(both, clusters=codes, **options),
        base_rate=float(np.average(human, weights=weight)) if n else math.nan,
        judge_rate=float(np.average(judge, weights=weight)) if n else math.nan,
        true_pass=int(((judge == 1) & (human == 1)).sum()),
        false_pass=int(((judge == 1) & (human == 0)).sum()),
        true_fail=int(((judge == 0) & (human == 0)).sum()),
        false_fail=int(((judge == 0) & (human == 1)).sum()),
        n=n,
        n_missing=int(known.size) - n,
    )


def drawn_rate(
    outcomes: Floats, weights: Floats, *, heaviest: float, clusters: Ints | None = None, level: float = 0.95
) -> Interval:
    """Return the rate of some items of a weighted sample, on no more items than the heaviest of it allow for.

    What a judge rarely gets wrong may be what was rarely drawn: none of these in the sample says little. So the items
    are worth at most ``sum(weights)/heaviest``, so many of the heaviest weight.

    Args:
        outcomes: 0 or 1 per item.
        weights: of these items.
        heaviest: weight of any item of the whole sample.
        clusters: of these items, as codes; None for independent items.
        level: confidence level in (0, 1).
    """
    found = weighted_interval(outcomes, weights, clusters=clusters, level=level)
    worth = float(weights.sum()) / heaviest if outcomes.size else 0.0
    if not found.n_effective > worth * (1 + 1e-9):
        return found
    df = cluster_df(np.arange(outcomes.size) if clusters is None else np.unique(clusters, return_inverse=True)[1])
    # an effective number need not be whole
    low, high = _wilson(np.float64(found.estimate * worth), np.float64(worth), t_value(level, df))  # type: ignore[arg-type]
    return replace(found, low=float(low), high=float(high), n_effective=worth, method="wilson, weighted")


def ppi_mean(
    labels: ArrayLike,
    judged: ArrayLike,
    unlabeled: ArrayLike,
    *,
    weight: float | None = None,
    folds: int | None = None,
    clusters: ArrayLike | Iterable[object] | None = None,
    unlabeled_clusters: ArrayLike | Iterable[object] | None = None,
    level: float = 0.95,
) -> PpiMean:
    """Return the mean human score, helped by a judge's scores on many items without one (PPI++).

    ``mean(Y) + w (mean(F_unlabeled) - mean(F_labeled))`` with ``w = Cov(Y, F)/((1 + n/N) Var F)`` cut to 0..1 and
    ``se^2 = w^2 Var(F)/N + Var(Y - w F)/n``. It is unbiased whatever the judge is worth, and w = 0 is the plain mean.
    Source: A. Angelopoulos et al., Science 382 (2023), arXiv 2301.09633; PPI++, arXiv 2311.01453. A w from the same few
    labels makes the interval too narrow: below 200 labels it is taken from the other folds of a split (cross-fit), and
    Student's t with n - 1 degrees of freedom is used (L. Mani et al., "No free lunch", arXiv 2505.20178).

    Where labels and the judge's scores are all 0 or 1, the mean is ``s m_1 + (1-s) m_0`` with s the judge's rate and m
    the share of human passes in each verdict; what the labels of a verdict may be off by is recovered from Jeffreys'
    limits of m, on either side by itself (MOVER: G. Y. Zou, A. Donner, Statistics in Medicine 27 (2008) 1693-1702), and
    the rest is Student's. Simulated with 50 to 300 labels and judges of .6 to .95 they hold the truth in 94 to 97 %, up
    to 99 % where 50 labels show next to no error. Counts allow little else there: at a rate of .1, sensitivity and
    specificity .95, 50 labels show no pass that the judge failed in 78 % of draws and at most one in 97 %, and limits
    that go by this number hold the truth at one or do not.

    Other labels of 0 or 1 get Wilson's interval at their effective number, ``m(1-m)/se^2``: near the ends of the scale
    the normal one is too narrow; ``se^2`` counts errors that few labels do not show, ``w (1 + 20/n)/n^2``. Simulated at
    rates .5 to .99 with 20 to 1,000 labels.

    Args:
        labels: human scores, one per labeled item; NaN are left out with their partner.
        judged: the judge's scores of the same items, on any scale that goes with them.
        unlabeled: the judge's scores of the other items, drawn from the same population.
        weight: w in 0..1 when it is given; None: chosen as above.
        folds: of the cross-fit; 1 for none; None: 10 below 200 labels, otherwise 1.
        clusters: the cluster of each labeled item; errors and the folds then go by clusters. None: independent items.
        unlabeled_clusters: the same of the other items.
        level: confidence level in (0, 1).

    Returns:
        A PpiMean in the unit of the labels. n < 2: no interval; no unlabeled items, or a judge that never varies: the
        plain mean with weight 0.

    Raises:
        ValueError: different numbers of labels and judged scores, a weight outside 0..1, or folds below 1.
    """
    check_level(level)
    if weight is not None and not 0 <= weight <= 1:
        raise ValueError(f"weight must be between 0 and 1, not {weight:g}")
    if folds is not None and folds < 1:
        raise ValueError(f"folds must be at least 1, not {folds}")
    (y, f), codes = _known(clusters, labels=labels, judged=judged)
    (extra,), others_codes = _known(unlabeled_clusters, unlabeled=unlabeled)
    n, others = int(y.size), int(extra.size)
    if n == 0:
        nothing = dict.fromkeys(("estimate", "low", "high", "se", "weight", "n_effective"), math.nan)
        return PpiMean(**nothing, level=level, n=0, n_unlabeled=others)
    split = folds if folds is not None else (10 if n < 200 else 1)
    weights = np.full(n, weight) if weight is not None else _weights(y, f, extra, min(split, n), codes)
    w = float(weights.mean())
    rest = y - weights * f
    estimate = float(rest.mean()) + (w * float(extra.mean()) if others else 0.0)
    variance = _error(rest, codes) ** 2 + (w * _error(extra, others_codes)) ** 2 if others else _error(rest, codes) ** 2
    df = n - 1.0 if codes is None else cluster_df(codes)
    plain = float(y.var(ddof=1)) if n > 1 else math.nan
    se, quantile = math.sqrt(variance), t_value(level, df)
    low, high = estimate - quantile * se, estimate + quantile * se
    if n > 1 and is_binary(y):
        told = _Told(estimate, variance, level, quantile)
        is_verdict = weight is None and others > 0 and is_binary(np.concatenate((f, extra)))
        found = _by_verdict(y, f, extra, codes, told) if is_verdict else None
        estimate, low, high = found or (estimate, *_near_ends(told, y - weights * f, codes, w))
    return PpiMean(
        estimate=estimate,
        low=low,
        high=high,
        level=level,
        se=se,
        weight=w,
        n=n,
        n_unlabeled=others,
        n_effective=plain / se**2 if se > 0 else math.nan,
    )


def _known(clusters: ArrayLike | Iterable[object] | None, **given: ArrayLike) -> tuple[list[Floats], Ints | None]:
    """Return the scores of the items that have all of them, and the clusters of these items."""
    columns = [vector(values, name) for name, values in given.items()]
    sizes = [column.size for column in columns]
    if len(set(sizes)) > 1:
        raise ValueError(f"{' and '.join(given)} must hold the same items: {' and '.join(map(str, sizes))}")
    known = ~np.isnan(columns).any(axis=0)
    codes = None if clusters is None else cluster_codes(clusters, known.size)[known]
    return [column[known] for column in columns], codes


def _copies(codes: Ints | None, n: int) -> float:
    """Return how many items of one cluster know no more than one, if they are all alike."""
    return 1.0 if codes is None else n / effective_clusters(codes)


def _error(values: Floats, codes: Ints | None) -> float:
    """Return the standard error of a mean, clustered where there are clusters; NaN for one value."""
    if codes is not None:
        return clustered_se(values, codes)
    return float(values.std(ddof=1)) / math.sqrt(values.size) if values.size > 1 else math.nan


class _Told(NamedTuple):
    """A rate with the square of its error, and the level of its limits with Student's quantile."""

    estimate: float
    variance: float
    level: float
    quantile: float


def _by_verdict(
    y: Floats, f: Floats, extra: Floats, codes: Ints | None, told: _Told
) -> tuple[float, float, float] | None:
    """Return a rate and its limits out of the share of passes in each verdict; None where one has no label."""
    is_of = [f == 0, f == 1]
    sizes = np.array([int(mask.sum()) for mask in is_of])
    if not sizes.all():
        return None
    shares = np.array([float(y[mask].mean()) for mask in is_of])
    rest, passed = y - shares[f.astype(int)], float(np.concatenate((f, extra)).mean())
    quantile = None if codes is None else told.quantile
    down, up = (part.tolist() for part in away(shares, sizes / _design(rest, codes), told.level, quantile))
    of_items = told.quantile**2 * max(0.0, told.variance - _error(rest, codes) ** 2)
    below, above = ((1 - passed) ** 2 * of[0] + passed**2 * of[1] + of_items for of in (down, up))
    rate = float((1 - passed) * shares[0] + passed * shares[1])
    return rate, _unit(rate - math.sqrt(below)), _unit(rate + math.sqrt(above))


def _design(rest: Floats, codes: Ints | None) -> float:
    """Return how many items of one cluster know no more than one."""
    single = _error(rest, None) ** 2
    return max(1.0, _error(rest, codes) ** 2 / single) if single > 0 else _copies(codes, rest.size)


def _near_ends(told: _Told, rest: Floats, codes: Ints | None, weight: float) -> tuple[float, float]:
    """Return Wilson's limits of a rate at its effective number; as many as there are where the rate is 0 or 1.

    A good judge errs so seldom that few labels show too few errors: the squared error counts 1 + 20/n of them more.
    """
    n, design = rest.size, _design(rest, codes)
    variance = told.variance + design * weight * (1 + 20 / n) / n**2
    rate = _unit(told.estimate)
    spread = rate * (1 - rate)
    effective = spread / variance if spread > 0 and variance > 0 else n / design
    # an effective number need not be whole
    low, high = _wilson(np.float64(rate * effective), np.float64(effective), told.quantile)  # type: ignore[arg-type]
    return float(low), float(high)


def _weights(y: Floats, f: Floats, extra: Floats, folds: int, codes: Ints | None) -> Floats:
    """Return the weight of each labeled item, from the items of the other folds (all of them when there is one)."""
    n, others = y.size, extra.size
    if n < 3 or others == 0:
        return np.zeros(n)
    fold = (np.arange(n) if codes is None else np.unique(codes, return_inverse=True)[1]) % folds
    weights = np.zeros(n)
    for k in range(folds):
        use = fold != k if folds > 1 else np.ones(n, dtype=bool)
        if use.sum() < 2:
            continue
        spread = float(np.concatenate((f[use], extra)).var(ddof=1))
        together = float(np.mean((y[use] - y[use].mean()) * (f[use] - f[use].mean())))
        weights[fold == k] = _unit(together / ((1 + n / others) * spread)) if spread > 0 else 0.0
    return weights


def position_bias(first_order: Sequence[object], swapped: Sequence[object], *, level: float = 0.95) -> PositionBias:
    """Return how many pairwise verdicts survive a swap of the two answers, and whether the first place is preferred.

    Each verdict names the winner: "a", "b" or "tie", where a stands first in the first order and second in the other.
    A pair that says "a" then "b" follows the first place, one that says "b" then "a" the second; changes to or from a
    tie are inconsistent without a direction. The p-value is the exact sign test of the two counts, mid-p. Source:
    L. Zheng et al., "Judging LLM-as-a-judge", arXiv 2306.05685 (2023), section 3.3.

    Args:
        first_order: winner per pair with a in front; None for a missing verdict.
        swapped: winner per pair with b in front.
        level: confidence level in (0, 1).

    Raises:
        ValueError: different numbers of pairs, or a verdict that is not "a", "b" or "tie".
    """
    from lmops.calc.paired import mcnemar_p

    if len(first_order) != len(swapped):
        raise ValueError(f"both orders must hold the same pairs: {len(first_order)} and {len(swapped)}")
    allowed = {"a", "b", "tie", None}
    if unknown := {verdict for verdict in (*first_order, *swapped) if verdict not in allowed}:
        raise ValueError(f"a verdict is 'a', 'b', 'tie' or None; found {sorted(map(repr, unknown))[:5]}")
    pairs = [pair for pair in zip(first_order, swapped, strict=True) if None not in pair]
    first, second = pairs.count(("a", "b")), pairs.count(("b", "a"))
    return PositionBias(
        consistency=proportion_interval([one == other for one, other in pairs], level=level),
        first_rate=first / (first + second) if first + second else math.nan,
        p_value=float(mcnemar_p(first, second)) if pairs else math.nan,
        n=len(pairs),
        n_missing=len(first_order) - len(pairs),
    )


def verbosity_slope(scores: ArrayLike, length_differences: ArrayLike, *, level: float = 0.95) -> Slope:
    """Return how much a verdict rises per unit of extra length: the least-squares slope with HC3 errors.

    For pairs: scores 1, 0.5, 0 for a wins, tie, b wins against ``length(a) - length(b)``; for single answers: judge
    minus human score against the length. ``Var = sum((x - m)^2 e^2/(1 - h)^2) / Sxx^2``. Source: J. S. Long,
    L. H. Ervin, The American Statistician 54 (2000) 217-224; the bias: Zheng et al., arXiv 2306.05685 (2023).

    Args:
        scores: one per pair or answer; NaN are left out with their partner.
        length_differences: one each, in any unit (hundreds of words, say); the slope is per that unit.
        level: confidence level in (0, 1).

    Returns:
        A Slope; NaN for fewer than three points or lengths that are all equal.
    """
    check_level(level)
    y, x = vector(scores, "scores"), vector(length_differences, "length_differences")
    if y.size != x.size:
        raise ValueError(f"scores and length_differences must hold the same items: {y.size} and {x.size}")
    known = ~np.isnan(y) & ~np.isnan(x)
    y, x = y[known], x[known]
    n = int(y.size)
    centred = x - x.mean() if n else x
    spread = float(np.square(centred).sum())
    if n < 3 or spread <= 1e-24 * max(1.0, float(np.square(x).sum())):
        return Slope(slope=math.nan, low=math.nan, high=math.nan, level=level, se=math.nan, p_value=math.nan, n=n)
    slope = float((centred * y).sum()) / spread
    errors = y - y.mean() - slope * centred
    room = np.maximum(1 - (1 / n + np.square(centred) / spread), 1e-12)  # a point of leverage 1 has no error of its own
    se = math.sqrt(float(np.square(centred * errors / room).sum())) / spread
    half = t_value(level, n - 2) * se
    p_value = t_two_sided_p(slope / se, n - 2) if se > 0 else math.nan
    return Slope(slope=slope, low=slope - half, high=slope + half, level=level, se=se, p_value=p_value, n=n)


def self_preference(judged: ArrayLike, labels: ArrayLike, is_own_family: ArrayLike, *, level: float = 0.95) -> Slope:
    """Return how much more a judge adds to people's scores for answers of its own model family.

    The slope of ``judged - labels`` on the indicator of the family, which is the difference of the two mean excesses,
    with HC3 errors. Source: A. Panickssery et al., arXiv 2404.13076 (2024).

    Args:
        judged: the judge's scores.
        labels: people's scores of the same answers.
        is_own_family: whether the answer is by a model of the judge's family.
        level: confidence level in (0, 1).

    Returns:
        A Slope in the unit of the scores; NaN when all answers are of one kind.
    """
    return verbosity_slope(vector(judged, "judged") - vector(labels, "labels"), is_own_family, level=level)


def labels_for_width(half_width: float, *, rate: float, level: float = 0.95) -> int:
    """Return the labels of one kind that pin sensitivity or specificity down to a half-width: ``z^2 q(1-q)/w^2``."""
    check_open_unit("half_width", half_width)
    return math.ceil(z_value(level) ** 2 * max(rate * (1 - rate), 1e-12) / half_width**2)


def _verdicts(values: ArrayLike, name: str) -> Floats:
    data = vector(values, name)
    if bool((~np.isnan(data)).any()) and not is_binary(data):
        raise ValueError(f"{name} must be 0 or 1, or NaN for a missing one")
    return data


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))
