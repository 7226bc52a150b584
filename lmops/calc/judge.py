"""A judge is an instrument with errors: how large they are, what they do to a pass rate, and what corrects for them.

Verdicts and human labels are 1 (pass) and 0 (fail). Sensitivity is the share of human passes that the judge passes,
specificity the share of human fails that it fails.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

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
from lmops.calc.intervals import Interval, _wilson, clustered_se, proportion_interval

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
class CorrectedRate:
    """A pass rate corrected for the errors of the judge that measured it."""

    estimate: float
    low: float
    high: float
    level: float
    raw: float  # what the judge said
    n: int  # verdicts of the judge
    n_pass: int  # human passes in the calibration
    n_fail: int
    share_of_calibration: float  # of the squared error, that which more labels would lower; the rest: more verdicts

    def __repr__(self) -> str:
        return (
            f"CorrectedRate({show(self.estimate)} [{show(self.low)}, {show(self.high)}], {self.level:g}, "
            f"raw {show(self.raw)}, n={self.n}, labels {self.n_pass} pass + {self.n_fail} fail)"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """How many more items of each human label the calibration should hold."""

    add_pass: int
    add_fail: int
    target_pass: int  # in all, with those that are there
    target_fail: int

    def __repr__(self) -> str:
        return f"Allocation(label {self.add_pass} more passes and {self.add_fail} more fails)"


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
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Calibration:
    """Return sensitivity, specificity (Wilson), kappa, AC1 (bootstrap) and base rates of a judge against people.

    Args:
        verdicts: the judge's, 0 or 1 per item; NaN are left out with their label.
        labels: people's, 0 or 1 per item in the same order.
        clusters: the cluster of each item (a session, an annotator's batch); None for independent items.
        level: confidence level in (0, 1).
        draws: resamples for kappa and AC1.
        seed: of the resampling.

    Returns:
        A Calibration; a rate over no item (no human fail, say) is NaN.

    Raises:
        ValueError: different numbers of items, or a value that is not 0 or 1.
    """
    judge, human = _verdicts(verdicts, "verdicts"), _verdicts(labels, "labels")
    if judge.size != human.size:
        raise ValueError(f"verdicts and labels must hold the same items: {judge.size} and {human.size}")
    known = ~np.isnan(judge) & ~np.isnan(human)
    codes = None if clusters is None else cluster_codes(clusters, known.size)[known]
    judge, human = judge[known], human[known]
    n = int(judge.size)
    both = np.column_stack((judge, human))
    options: dict[str, Any] = {"categories": (0.0, 1.0), "level": level, "draws": draws, "seed": seed}

    def rate(outcomes: Floats, part: Any) -> Interval:
        return proportion_interval(outcomes[part], clusters=None if codes is None else codes[part], level=level)

    return Calibration(
        sensitivity=rate(judge, human == 1),
        specificity=rate(1 - judge, human == 0),
        raw_agreement=rate((judge == human).astype(np.float64), slice(None)),
        kappa=cohen_kappa(judge, human, clusters=codes, **options),
        ac1=gwet_ac1(both, clusters=codes, **options),
        base_rate=float(human.mean()) if n else math.nan,
        judge_rate=float(judge.mean()) if n else math.nan,
        true_pass=int(((judge == 1) & (human == 1)).sum()),
        false_pass=int(((judge == 1) & (human == 0)).sum()),
        true_fail=int(((judge == 0) & (human == 0)).sum()),
        false_fail=int(((judge == 0) & (human == 1)).sum()),
        n=n,
        n_missing=int(known.size) - n,
    )


def corrected_pass_rate(
    passes: float,
    n: int,
    *,
    sensitivity: float,
    n_pass: int,
    specificity: float,
    n_fail: int,
    level: float = 0.95,
) -> CorrectedRate:
    """Return the pass rate that people would give, from a judge's verdicts and its calibration.

    ``theta = (p + q0 - 1)/(q0 + q1 - 1)`` with p the judge's rate, q0 specificity, q1 sensitivity, cut to 0..1 (W. J.
    Rogan, B. Gladen, Am. J. Epidemiology 107 (1978) 71-76). The interval takes the error of q0 and q1 in: counts
    smoothed (z^2/2 to p, one to each outcome of q0 and q1), delta method, and a shift of the centre
    ``2 z^2 (theta q1(1-q1)/m1 - (1-theta) q0(1-q0)/m0)``. Source: C. Lee et al., "How to correctly report
    LLM-as-a-judge evaluations", arXiv 2511.21140 (2025). It assumes that the judge errs on these items as it did in the
    calibration.

    Args:
        passes: verdicts "pass" among the n.
        n: verdicts of the judge on items without a label.
        sensitivity: q1, a fraction.
        n_pass: human passes it was measured on (m1).
        specificity: q0, a fraction.
        n_fail: human fails it was measured on (m0).
        level: confidence level in (0, 1).

    Returns:
        A CorrectedRate. NaN for no verdict, no label of one kind, or a judge no better than chance (q0 + q1 <= 1, also
        after smoothing): such a judge carries nothing to correct.

    Raises:
        ValueError: a fraction outside 0..1, or more passes than verdicts.

    >>> corrected_pass_rate(400, 1000, sensitivity=0.9, n_pass=200, specificity=0.7, n_fail=200)
    CorrectedRate(0.1667 [0.05635, 0.2627], 0.95, raw 0.4, n=1000, labels 200 pass + 200 fail)
    """
    check_level(level)
    if not 0 <= passes <= n:
        raise ValueError(f"passes must be between 0 and n: {passes:g} of {n}")
    for name, value in (("sensitivity", sensitivity), ("specificity", specificity)):
        if value < 0 or value > 1:
            raise ValueError(f"{name} must be between 0 and 1, not {value:g}")
    raw = passes / n if n else math.nan
    q0, m0 = (specificity * n_fail + 1) / (n_fail + 2), n_fail + 2
    q1, m1 = (sensitivity * n_pass + 1) / (n_pass + 2), n_pass + 2
    known = n > 0 and n_pass > 0 and n_fail > 0 and sensitivity + specificity > 1 and q0 + q1 > 1
    if not known:
        return CorrectedRate(
            estimate=math.nan,
            low=math.nan,
            high=math.nan,
            level=level,
            raw=raw,
            n=n,
            n_pass=n_pass,
            n_fail=n_fail,
            share_of_calibration=math.nan,
        )
    estimate = (raw + specificity - 1) / (sensitivity + specificity - 1)
    z = z_value(level)
    p, size = (passes + z * z / 2) / (n + z * z), n + z * z
    theta = (p + q0 - 1) / (q0 + q1 - 1)
    from_fails, from_passes = q0 * (1 - q0) / m0, q1 * (1 - q1) / m1
    shift = 2 * z * z * (theta * from_passes - (1 - theta) * from_fails)
    labels = (1 - theta) ** 2 * from_fails + theta**2 * from_passes
    total = p * (1 - p) / size + labels
    half = z * math.sqrt(total) / (q0 + q1 - 1)
    centre = theta + shift
    return CorrectedRate(
        estimate=_unit(estimate),
        low=_unit(centre - half),
        high=_unit(centre + half),
        level=level,
        raw=raw,
        n=n,
        n_pass=n_pass,
        n_fail=n_fail,
        share_of_calibration=labels / total,
    )


def allocate_labels(
    budget: int, *, rate: float, sensitivity: float, n_pass: int, specificity: float, n_fail: int
) -> Allocation:
    """Return how many of the next labels should go to human passes and how many to fails.

    The calibration's part of the error is ``(1-theta)^2 q0(1-q0)/m0 + theta^2 q1(1-q1)/m1``; for a given number of
    labels it is least at ``m1/m0 = theta sqrt(q1(1-q1)) / ((1-theta) sqrt(q0(1-q0)))`` (J. Neyman 1934, as used by Lee
    et al., arXiv 2511.21140, section 4). Rates are smoothed by one in each outcome. Whether an item is a pass is known
    only after labeling: sample from the judge's passes and fails.

    Args:
        budget: labels still to give, not negative.
        rate: pass rate theta that is expected, in 0..1 (a corrected one).
        sensitivity: q1 so far, a fraction; NaN before the first label.
        n_pass: human passes so far.
        specificity: q0 so far; NaN before the first label.
        n_fail: human fails so far.

    Returns:
        An Allocation that sums to the budget. Without any labels it is the split for an even judge.
    """
    if budget < 0:
        raise ValueError(f"budget must not be negative, not {budget}")
    q1 = ((0.0 if n_pass == 0 else sensitivity * n_pass) + 1) / (n_pass + 2)
    q0 = ((0.0 if n_fail == 0 else specificity * n_fail) + 1) / (n_fail + 2)
    weight_pass = rate * math.sqrt(q1 * (1 - q1))
    weight_fail = (1 - rate) * math.sqrt(q0 * (1 - q0))
    total = budget + n_pass + n_fail
    target = total * weight_pass / (weight_pass + weight_fail)
    add_pass = min(max(round(target) - n_pass, 0), budget)
    return Allocation(
        add_pass=add_pass,
        add_fail=budget - add_pass,
        target_pass=n_pass + add_pass,
        target_fail=n_fail + budget - add_pass,
    )


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

    Labels that are all 0 or 1 get Wilson's interval at their effective number, ``m(1-m)/se^2``: near the ends of the
    scale the normal one is too narrow. A good judge errs so seldom that few labels show too few errors: ``se^2`` counts
    1 + 20/n of them more, ``w (1 + 20/n)/n^2``. Simulated at rates .5 to .99 with 20 to 1,000 labels.

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
    y, f, extra = vector(labels, "labels"), vector(judged, "judged"), vector(unlabeled, "unlabeled")
    if y.size != f.size:
        raise ValueError(f"labels and judged must hold the same items: {y.size} and {f.size}")
    if weight is not None and not 0 <= weight <= 1:
        raise ValueError(f"weight must be between 0 and 1, not {weight:g}")
    if folds is not None and folds < 1:
        raise ValueError(f"folds must be at least 1, not {folds}")
    known = ~np.isnan(y) & ~np.isnan(f)
    given, is_there = extra.size, ~np.isnan(extra)
    y, f, extra = y[known], f[known], extra[is_there]
    n, others = int(y.size), int(extra.size)
    if n == 0:
        return PpiMean(
            estimate=math.nan,
            low=math.nan,
            high=math.nan,
            level=level,
            se=math.nan,
            weight=math.nan,
            n=0,
            n_unlabeled=others,
            n_effective=math.nan,
        )
    codes = None if clusters is None else cluster_codes(clusters, known.size)[known]
    others_codes = None if unlabeled_clusters is None else cluster_codes(unlabeled_clusters, given)[is_there]
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
        single = _error(rest, None) ** 2
        design = max(1.0, _error(rest, codes) ** 2 / single) if single > 0 else _copies(codes, n)
        low, high = _near_ends(estimate, variance + design * w * (1 + 20 / n) / n**2, n / design, quantile)
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


def _copies(codes: Ints | None, n: int) -> float:
    """Return how many items of one cluster know no more than one, if they are all alike."""
    return 1.0 if codes is None else n / effective_clusters(codes)


def _error(values: Floats, codes: Ints | None) -> float:
    """Return the standard error of a mean, clustered where there are clusters; NaN for one value."""
    if codes is not None:
        return clustered_se(values, codes)
    return float(values.std(ddof=1)) / math.sqrt(values.size) if values.size > 1 else math.nan


def _near_ends(estimate: float, variance: float, n: float, quantile: float) -> tuple[float, float]:
    """Return Wilson's limits of a rate at its effective number; as many as there are where the rate is 0 or 1."""
    rate = _unit(estimate)
    spread = rate * (1 - rate)
    effective = spread / variance if spread > 0 and variance > 0 else n
    low, high = _wilson(np.float64(rate * effective), np.float64(effective), quantile)  # type: ignore[arg-type]
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
