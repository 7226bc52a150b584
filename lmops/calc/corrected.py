"""What people would find, from a judge's verdicts on all items and labels on some: a pass rate, or a difference.

A judge that errs makes a difference of pass rates smaller, and one that errs otherwise on one version than on the other
makes up a difference, or turns it round. Verdicts and labels are 1 (pass) and 0 (fail); differences are a - b.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from lmops.calc._recovered import Square, away, ends
from lmops.calc.arrays import (
    Floats,
    Ints,
    check_level,
    cluster_codes,
    cluster_df,
    cluster_sums,
    effective_clusters,
    is_binary,
    show,
    t_two_sided_p,
    t_value,
    vector,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike

Basis = Literal["own labels", "shared errors"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedRate:
    """A pass rate corrected for the errors of the judge that measured it."""

    estimate: float
    low: float
    high: float
    level: float
    raw: float  # what the judge said
    n: float  # verdicts of the judge, or so many independent ones that they are worth
    n_pass: float  # human passes in the calibration, or so many independent ones as they are worth
    n_fail: float
    share_of_calibration: float  # of the squared error, that which more labels would lower; the rest: more verdicts
    reason: str | None = None  # why there is no rate, or no limit

    def __repr__(self) -> str:
        return (
            f"CorrectedRate({show(self.estimate)} [{show(self.low)}, {show(self.high)}], {self.level:g}, "
            f"raw {show(self.raw)}, n={self.n:g}, labels {self.n_pass:g} pass + {self.n_fail:g} fail)"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """How many more items of each human label the calibration should hold."""

    add_pass: int
    add_fail: int
    target_pass: float  # in all, with those that are there
    target_fail: float

    def __repr__(self) -> str:
        return f"Allocation(label {self.add_pass} more passes and {self.add_fail} more fails)"


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedDifference:
    """The difference a - b of two means without the judge's errors; NaN and a reason where none is known."""

    difference: float
    low: float
    high: float
    se: float
    p_value: float  # two-sided, of "no difference"
    level: float
    raw: float  # what the judge said
    n: int  # pairs with a verdict on both sides
    n_missing: int
    n_clusters: int | None
    n_labels_a: int
    n_labels_b: int
    share_of_labels: float  # of the squared error, that which more labels would lower; the rest: more items
    basis: Basis  # each side by its labels; or the judge errs alike on both
    reason: str | None = None  # why there is no difference, or no limit

    def __repr__(self) -> str:
        found = self.reason or f"{show(self.difference)} [{show(self.low)}, {show(self.high)}], {self.level:g}"
        return (
            f"CorrectedDifference({found}, {self.basis}, raw {show(self.raw)}, n={self.n}, "
            f"labels {self.n_labels_a} + {self.n_labels_b})"
        )


class Errors(NamedTuple):
    """What is known of a judge from other items: how often it passes human passes and fails human fails."""

    sensitivity: float
    n_pass: float  # human passes that it was measured on; of clusters, or drawn unequally, so many as they are worth
    specificity: float
    n_fail: float


def corrected_pass_rate(
    passes: float,
    n: float,
    *,
    sensitivity: float,
    n_pass: float,
    specificity: float,
    n_fail: float,
    level: float = 0.95,
) -> CorrectedRate:
    """Return the pass rate that people would give, from a judge's verdicts and its calibration.

    ``theta = (p + q0 - 1)/(q0 + q1 - 1)`` with p the judge's rate, q0 specificity, q1 sensitivity, cut to 0..1 (W. J.
    Rogan, B. Gladen, Am. J. Epidemiology 107 (1978) 71-76; C. Lee et al., "How to correctly report LLM-as-a-judge
    evaluations", arXiv 2511.21140 (2025)). The limits are the least and the greatest theta in 0..1 for which
    ``T = p + q0 - 1 - theta (q0 + q1 - 1)`` may be 0 (E. C. Fieller, JRSS B 16 (1954) 175-185). T is a sum of three
    rates, and what it may be off by is recovered from the limits of each, on the side that matters: above 0 it may be
    too large by the root of ``(p - l_p)^2 + (1-theta)^2 (q0 - l_0)^2 + theta^2 (u_1 - q1)^2``, below 0 too small by the
    same of the other ends (MOVER: G. Y. Zou, A. Donner, Statistics in Medicine 27 (2008) 1693-1702; of ratios R. G.
    Newcombe, Statistical Methods in Medical Research 25 (2016) 1774-1778). The limits of each rate are Jeffreys' (L. D.
    Brown et al., Statistical Science 16 (2001) 101-133), which lean as the rate of few errors does. Simulated with 50
    to 300 labels and judges of .6 to .95 they hold the truth in 94 to 97 %. It assumes that the judge errs on these
    items as it did in the calibration.

    Args:
        passes: verdicts "pass" among the n.
        n: verdicts of the judge on items without a label; where they are not independent (clusters, repeats), so many
            that they are worth, and passes at their rate.
        sensitivity: q1, a fraction.
        n_pass: human passes it was measured on (m1), or so many independent ones as they are worth.
        specificity: q0, a fraction.
        n_fail: human fails it was measured on (m0).
        level: confidence level in (0, 1).

    Returns:
        A CorrectedRate. NaN and a reason for no verdict, no label of one kind, or a judge no better than chance (q0 +
        q1 <= 1, also after smoothing): such a judge carries nothing to correct. Where so few labels do not tell it from
        chance the limits go as far as the scale, but for what the verdicts rule out.

    Raises:
        ValueError: a fraction outside 0..1, or more passes than verdicts.

    >>> corrected_pass_rate(400, 1000, sensitivity=0.9, n_pass=200, specificity=0.7, n_fail=200)
    CorrectedRate(0.1667 [0.05078, 0.2592], 0.95, raw 0.4, n=1000, labels 200 pass + 200 fail)
    """
    check_level(level)
    if not 0 <= passes <= n:
        raise ValueError(f"passes must be between 0 and n: {passes:g} of {n}")
    for name, value in (("sensitivity", sensitivity), ("specificity", specificity)):
        if value < 0 or value > 1:
            raise ValueError(f"{name} must be between 0 and 1, not {value:g}")
    errors = Errors(sensitivity, n_pass, specificity, n_fail)
    reason = "the judge has given no verdict" if not n else no_correction(errors)
    estimate = low = high = share = math.nan
    if reason is None:
        estimate = (passes / n + specificity - 1) / (sensitivity + specificity - 1)
        low, high = _limits(errors, passes / n, n, level)
        theta, (_, of_p) = _cut(estimate, 0.0), smoothed(passes / n, n)
        labels = (1 - theta) ** 2 * smoothed(specificity, n_fail)[1] + theta**2 * smoothed(sensitivity, n_pass)[1]
        share = labels / (of_p + labels)
    return CorrectedRate(
        estimate=_cut(estimate, 0.0),
        low=low,
        high=high,
        level=level,
        raw=passes / n if n else math.nan,
        n=n,
        n_pass=n_pass,
        n_fail=n_fail,
        share_of_calibration=share,
        reason=reason,
    )


def _limits(errors: Errors, p: float, n: float, level: float) -> tuple[float, float]:
    """Return the least and the greatest rate that the judge's rate p of n verdicts and its errors allow."""
    q1, n_pass, q0, n_fail = errors
    down, up = (part.tolist() for part in away([p, q0, q1], [n, n_fail, n_pass], level))

    def held(of_p: float, of_q0: float, of_q1: float) -> Square:
        seen, index = p + q0 - 1, q0 + q1 - 1
        return Square(index**2 - of_q0 - of_q1, seen * index - of_q0, seen**2 - of_p - of_q0)

    below, above = held(down[0], down[1], up[2]), held(up[0], up[1], down[2])
    return ends((p + q0 - 1) / (q0 + q1 - 1), below, above, 0.0)


def no_correction(errors: Errors) -> str | None:
    """Return why a judge with these errors has nothing to correct with; None where it has."""
    if not errors.n_pass:
        return "no label says pass: the judge's sensitivity is not known"
    if not errors.n_fail:
        return "no label says fail: the judge's specificity is not known"
    smooth = smoothed(*errors[:2])[0] + smoothed(*errors[2:])[0]
    if errors.sensitivity + errors.specificity > 1 and smooth > 1:
        return None
    return (
        f"sensitivity {show(errors.sensitivity)} and specificity {show(errors.specificity)} add up to no more than 1: "
        "a coin does as well"
    )


def smoothed(rate: float, size: float) -> tuple[float, float]:
    """Return a rate with half a label more of each outcome, which is Jeffreys' prior, and its variance."""
    smooth = (rate * size + 0.5) / (size + 1)
    return smooth, smooth * (1 - smooth) / (size + 1)


def allocate_labels(
    budget: int, *, rate: float, sensitivity: float, n_pass: float, specificity: float, n_fail: float
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
    add_pass = min(max(round(round(target) - n_pass), 0), budget)
    return Allocation(
        add_pass=add_pass,
        add_fail=budget - add_pass,
        target_pass=n_pass + add_pass,
        target_fail=n_fail + budget - add_pass,
    )


def corrected_difference(
    a: ArrayLike,
    b: ArrayLike,
    *,
    labels_a: ArrayLike | None = None,
    labels_b: ArrayLike | None = None,
    chances_a: ArrayLike | None = None,
    chances_b: ArrayLike | None = None,
    errors: Errors | None = None,
    clusters: ArrayLike | Iterable[object] | None = None,
    level: float = 0.95,
) -> CorrectedDifference:
    """Return the difference of two pass rates on the same items that people would find.

    "own labels", where both sides have labels of what the judge passes and of what it fails. With r_v labels of the N_v
    items of verdict v, of which a share m_v are passes, each item counts ``m_v + [labeled] (N_v/r_v) (y - m_v)``; the
    paired difference of these is the estimate, and its clustered error holds the pairing, the labels and the items.
    It assumes nothing of the judge, only that labels were drawn at random among items of one verdict, or with
    ``chances`` that are known: then each label counts by the inverse of its own. This is the efficient estimator for a
    verdict of two values: Chen et al., arXiv 2601.05420 (2026); PPI++, arXiv 2311.01453.
    What the labels of a verdict may be off by is recovered from Jeffreys' limits of m_v at the number of independent
    labels that they are worth, on either side by itself (MOVER: G. Y. Zou, A. Donner, Statistics in Medicine 27 (2008)
    1693-1702), less what both versions share; the items' part is Student's.

    "shared errors", otherwise: ``(p_a - p_b)/J`` with ``J = sensitivity + specificity - 1`` of all labels there are, or
    of ``errors``. Its limits are Fieller's (E. C. Fieller, JRSS B 16 (1954) 175-185): where the labels cannot tell J
    from 0 they go as far as the scale. It assumes that the judge errs alike on both versions, which it need not:
    J. Fiedler, arXiv 2605.06939 (2026), shows signs turned round. The correction: W. J. Rogan, B. Gladen, Am. J.
    Epidemiology 107 (1978).

    Args:
        a: the judge's verdicts of one version, 0 or 1 per item; NaN for a missing one.
        b: its verdicts of the other version on the same items in the same order.
        labels_a: people's labels of the first version's answers in that order, NaN where there is none; None for none.
        labels_b: the same of the other version; which items are labeled may differ.
        chances_a: how likely each item of the first version was to be labeled, in (0, 1], where that differs among
            items of one verdict; only those of labeled items are looked at. None: alike.
        chances_b: the same of the other version.
        errors: of the judge, from other items; used where these hold no labels at all.
        clusters: the cluster of each item; None for independent items.
        level: confidence level in (0, 1).

    Returns:
        A CorrectedDifference over the items with both verdicts.

    Raises:
        ValueError: different numbers of items, a value that is not 0 or 1, or a chance outside (0, 1].

    >>> both, one, none = [1] * 40, [1, 0] * 30, [0] * 20
    >>> judge = Errors(sensitivity=0.9, n_pass=200, specificity=0.7, n_fail=200)
    >>> corrected_difference(both + one, [*[1, 0] * 20, *none, *both], errors=judge)
    CorrectedDifference(0.1667 [-0.06615, 0.405], 0.95, shared errors, raw 0.1, n=100, labels 0 + 0)
    """
    pairs = _Pairs.of(
        {"a": a, "b": b}, {"labels_a": labels_a, "labels_b": labels_b}, (chances_a, chances_b), clusters, _column
    )
    check_level(level)
    found, basis = _of_own_labels(*pairs.sides, pairs.codes, level) if pairs.n else None, "own labels"
    if found is None:
        found, basis = _of_shared_errors(*pairs.sides, errors, pairs.codes, level), "shared errors"
    return pairs.made(found, basis, level)  # type: ignore[arg-type]  # mypy widens the two literals to str


class _Pairs(NamedTuple):
    """Scores of two versions on the same items, with what people say of some of them."""

    sides: tuple[_Side, _Side]
    codes: Ints  # of clusters
    n: int
    n_missing: int
    is_clustered: bool

    @classmethod
    def of(
        cls,
        scores: Mapping[str, ArrayLike],
        labels: Mapping[str, ArrayLike | None],
        chances: Sequence[ArrayLike | None],
        clusters: ArrayLike | Iterable[object] | None,
        read: Callable[[ArrayLike, str], Floats],
    ) -> _Pairs:
        columns = [read(given, name) for name, given in scores.items()]
        n = columns[0].size
        columns += [np.full(n, np.nan) if given is None else read(given, name) for name, given in labels.items()]
        columns += [
            np.ones(n) if given is None else _weights_of(given, of, name.replace("labels", "chances"))
            for name, given, of in zip(labels, chances, columns[2:], strict=True)
        ]
        if sizes := {column.size for column in columns} - {n}:
            raise ValueError(f"verdicts and labels must hold the same items: {n} and {sorted(sizes)}")
        known = ~np.isnan(columns[0] + columns[1])
        left, right, human_a, human_b, weights_a, weights_b = (column[known] for column in columns)
        codes = np.arange(n) if clusters is None else cluster_codes(clusters, n)
        codes = np.unique(codes[known], return_inverse=True)[1].astype(np.int64)
        sides = (_Side.of(left, human_a, weights_a), _Side.of(right, human_b, weights_b))
        return cls(sides, codes, int(left.size), n - int(left.size), clusters is not None)

    def made(self, found: _Found, basis: Basis, level: float) -> CorrectedDifference:
        a, b = self.sides
        return CorrectedDifference(
            difference=found.difference,
            low=found.low,
            high=found.high,
            se=found.se,
            p_value=found.p_value,
            level=level,
            raw=float((a.verdicts - b.verdicts).mean()) if self.n else math.nan,
            n=self.n,
            n_missing=self.n_missing,
            n_clusters=int(np.unique(self.codes).size) if self.is_clustered else None,
            n_labels_a=int(a.is_labeled.sum()),
            n_labels_b=int(b.is_labeled.sum()),
            share_of_labels=found.share,
            basis=basis,
            reason=found.reason,
        )


class _Side(NamedTuple):
    verdicts: Floats
    labels: Floats
    is_labeled: np.ndarray[tuple[int], np.dtype[np.bool_]]
    weights: Floats  # of labels: the inverse of the chance that each had

    @classmethod
    def of(cls, verdicts: Floats, labels: Floats, weights: Floats) -> _Side:
        return cls(verdicts, labels, ~np.isnan(labels), weights)


class _Found(NamedTuple):
    difference: float = math.nan
    low: float = math.nan
    high: float = math.nan
    se: float = math.nan
    p_value: float = math.nan
    share: float = math.nan
    reason: str | None = None


class _Expected(NamedTuple):
    """One side, item by item: what people would say given the verdict, and what the labels add to it."""

    mean: Floats
    rest: Floats
    down: float  # square of how far the labels may have the rate too high
    up: float


def _of_own_labels(a: _Side, b: _Side, codes: Ints, level: float) -> _Found | None:
    """Return the difference of what people would say of each side; None where a verdict has items and no label."""
    df = min(cluster_df(codes), float(a.is_labeled.sum()) - 1, float(b.is_labeled.sum()) - 1)
    quantile = t_value(level, df if df > 0 else math.inf)
    one, other = (_expected(side, codes, level, quantile) for side in (a, b))
    if one is None or other is None:
        return None
    explained, rest = one.mean - other.mean, one.rest - other.rest
    difference = float(explained.mean())
    if not df > 0:
        return _Found(difference=difference, reason="one item or one cluster has no error")
    # what pairs share of their labels is no part of the difference
    of_one, of_other, of_rest = (_variance(values, codes) for values in (one.rest, other.rest, rest))
    apart = 2 * math.sqrt(of_one * of_other)
    shared = min(1.0, max(-1.0, (of_one + of_other - of_rest) / apart)) if apart > 0 else 0.0
    of_items = quantile**2 * max(0.0, _variance(explained + rest, codes) - of_rest)
    below, above = (
        max(0.0, left + right - 2 * shared * math.sqrt(left * right))
        for left, right in ((one.down, other.up), (one.up, other.down))
    )
    down, up = math.sqrt(below + of_items), math.sqrt(above + of_items)
    return _Found(
        difference=difference,
        low=max(-1.0, difference - down),
        high=min(1.0, difference + up),
        se=(down + up) / 2 / quantile,
        p_value=t_two_sided_p(difference / (down if difference > 0 else up) * quantile, df),
        share=(below + above) / (below + above + 2 * of_items),
    )


def _expected(side: _Side, codes: Ints, level: float, quantile: float) -> _Expected | None:
    f, n = side.verdicts, side.verdicts.size
    mean, rest = np.zeros(n), np.zeros(n)
    found = []
    for verdict in (0.0, 1.0):
        of_verdict = f == verdict
        labeled = of_verdict & side.is_labeled
        size = int(of_verdict.sum())
        if not size:
            continue
        if not labeled.any():
            return None
        weights = side.weights[labeled]
        whole = float(weights.sum())
        r = whole**2 / float(np.square(weights).sum())  # so many labels of one weight would tell as much
        share = float((weights * side.labels[labeled]).sum()) / whole
        mean[of_verdict] = share
        rest[labeled] = size / whole * weights * (side.labels[labeled] - share)
        found.append((size / n, share, r))
    parts, shares, sizes = np.array(found).T
    # clusters, and weights that go with what people say, make the labels worth fewer, or more, than they seem
    plain, seen = float((parts**2 * shares * (1 - shares) / sizes).sum()), _variance(rest, codes)
    labeled = side.is_labeled
    worth = seen / plain if seen > 0 and plain > 0 else float(labeled.sum()) / effective_clusters(codes[labeled])
    down, up = (parts**2 @ squares for squares in away(shares, sizes / worth, level, quantile))
    return _Expected(mean, rest, float(down), float(up))


def _of_shared_errors(a: _Side, b: _Side, errors: Errors | None, codes: Ints, level: float) -> _Found:
    """Return the raw difference over what the judge sees of a true one."""
    n = a.verdicts.size
    if not n:
        return _Found(reason="no item has a verdict on both sides")
    judge = _judge(a, b, errors)
    if isinstance(judge, str):
        return _Found(reason=judge)
    raw = a.verdicts - b.verdicts
    seen, df = float(raw.mean()), cluster_df(codes)
    if not df > 0:
        return _Found(difference=seen / judge.youden, reason="one item or one cluster has no error")
    of_raw = _variance(raw, codes)
    # one pair each way, as in the interval of Bonett and Price: few pairs that differ say little of the others
    of_raw = max(of_raw, (2 / (n + 2)) / (n + 2))
    both = _covariance(raw, judge.influence, codes)
    of_index = _variance(judge.influence, codes) + judge.untold
    difference, quantile = seen / judge.youden, t_value(level, df)
    # |seen - d J|^2 <= t^2 (V_seen - 2 d C + d^2 V_J), solved for d
    square = judge.youden**2 - quantile**2 * of_index
    middle = seen * judge.youden - quantile**2 * both
    held = Square(square, middle, seen**2 - quantile**2 * of_raw)
    low, high = ends(difference, held, held, -1.0)
    of_labels = difference**2 * of_index
    total = max(of_raw - 2 * difference * both + of_labels, 1e-300)
    se = math.sqrt(total) / judge.youden
    p_value = t_two_sided_p(seen / math.sqrt(of_raw), df)
    share = min(1.0, of_labels / (of_raw + of_labels))
    return _Found(_cut(difference, -1.0), low, high, se, p_value, share)


class _Judge(NamedTuple):
    youden: float  # sensitivity + specificity - 1
    influence: Floats  # what each item of the comparison adds to it
    untold: float  # variance from other items, and that which too few labels do not show


def _judge(a: _Side, b: _Side, errors: Errors | None) -> _Judge | str:
    """Return the sensitivity and specificity that both sides share; a sentence where they are not known."""
    if errors is not None and not (a.is_labeled.any() or b.is_labeled.any()):
        untold = smoothed(*errors[:2])[1] + smoothed(*errors[2:])[1]
        index = errors.sensitivity + errors.specificity - 1
        return no_correction(errors) or _Judge(index, np.zeros(a.verdicts.size), untold)
    pass_rate, n_pass, of_pass, untold_pass = _rate_right(a, b, 1)
    fail_rate, n_fail, of_fail, untold_fail = _rate_right(a, b, 0)
    reason = no_correction(Errors(pass_rate, n_pass, fail_rate, n_fail))
    return reason or _Judge(pass_rate + fail_rate - 1, of_pass + of_fail, untold_pass + untold_fail)


def _rate_right(a: _Side, b: _Side, label: int) -> tuple[float, int, Floats, float]:
    """Return how often the judge says what people say, of how many, each item's part in that, and variance untold."""
    n = a.verdicts.size
    masks = [(side.verdicts, side.labels == label) for side in (a, b)]
    size = int(sum(int(mask.sum()) for _, mask in masks))
    influence = np.zeros(n)
    if not size:
        return math.nan, 0, influence, 0.0
    rate = float(sum(float((verdicts[mask] == label).sum()) for verdicts, mask in masks)) / size
    for verdicts, mask in masks:
        influence[mask] += n / size * ((verdicts[mask] == label) - rate)
    smooth, _ = smoothed(rate, size)
    return rate, size, influence, max(0.0, smooth * (1 - smooth) - rate * (1 - rate)) / size


def _column(values: ArrayLike, name: str) -> Floats:
    data = vector(values, name)
    if bool((~np.isnan(data)).any()) and not is_binary(data):
        raise ValueError(f"{name} must be 0 or 1, or NaN for a missing one")
    return data


def _weights_of(chances: ArrayLike, labels: Floats, name: str) -> Floats:
    """Return the inverse of each labeled item's chance."""
    given = vector(chances, name)
    if given.size != labels.size:
        return given  # refused with the sizes of the others
    is_labeled = ~np.isnan(labels)
    if not bool(((given[is_labeled] > 0) & (given[is_labeled] <= 1)).all()):
        raise ValueError(f"{name} must be above 0 and at most 1 for every labeled item")
    return 1 / np.where(is_labeled, given, 1.0)


def _variance(values: Floats, codes: Ints) -> float:
    """Return the squared error of a mean, over whole clusters."""
    return _covariance(values, values, codes)


def _covariance(x: Floats, y: Floats, codes: Ints) -> float:
    groups = int(codes.max()) + 1
    if groups < 2:
        return math.nan
    sums = cluster_sums(x - x.mean(), codes) * cluster_sums(y - y.mean(), codes)
    return float(sums.sum()) * groups / (groups - 1) / x.size**2


def _cut(value: float, least: float) -> float:
    """Return a value within least..1, NaN as it is."""
    return min(1.0, max(least, value)) if not math.isnan(value) else value
