"""Do raters agree, beyond what chance alone would give? Coefficients with bootstrap intervals over items.

Every coefficient stands beside raw agreement and base rates: with skewed labels kappa and alpha are low although
raters hardly ever differ (the kappa paradox); Gwet's AC1 is not. All are 1 for perfect agreement and 0 for chance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lmops.calc._ratings import Rated, Ratings, Table, is_numeric, pair_share, table_of
from lmops.calc.arrays import (
    Floats,
    Ints,
    check_choice,
    check_draws,
    check_level,
    cluster_codes,
    show,
)
from lmops.calc.bootstrap import bootstrap_limits, distinct_rows, sum_by_cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike

Scale = Literal["nominal", "ordinal", "interval", "ratio"]
Weights = Literal["linear", "quadratic"]
_SCALES = ("nominal", "ordinal", "interval", "ratio")
_WEIGHTS = ("linear", "quadratic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """One coefficient of agreement with its interval, and the raw numbers that must stand beside it."""

    name: str
    value: float  # NaN where it is undefined: nothing to compare, or no variation at all
    low: float
    high: float
    level: float
    raw: float  # share of pairs of ratings of one item that are the same
    base_rates: Mapping[object, float]  # share of each label among the ratings that were compared
    n: int  # items with at least two ratings
    n_raters: int
    se: float = math.nan  # of the coefficient: by linearisation where the docstring says so, else of the bootstrap
    n_clusters: int | None = None

    def __repr__(self) -> str:
        return (
            f"Agreement({self.name} {show(self.value)} [{show(self.low)}, {show(self.high)}], raw {show(self.raw)}, "
            f"n={self.n}, {self.n_raters} raters)"
        )


def agreement_report(
    ratings: Ratings,
    *,
    scale: Scale = "nominal",
    categories: Sequence[object] | None = None,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> dict[str, Agreement]:
    """Return the usual coefficients that the table allows, by name, with Krippendorff's alpha and Gwet's AC1 always.

    Two raters add Cohen's kappa; when every item has the same number of ratings Fleiss' kappa is added.

    Args:
        ratings: items x raters; None or NaN for a missing rating.
        scale: of the labels, for alpha.
        categories: all possible labels in their order; None: those that were used, sorted.
        level: confidence level in (0, 1).
        draws: resamples of items.
        seed: of the resampling.
    """
    table = table_of(ratings, categories)
    options: Any = {"categories": categories, "level": level, "draws": draws, "seed": seed}
    report = {
        "krippendorff_alpha": krippendorff_alpha(table, scale=scale, **options),
        "gwet_ac1": gwet_ac1(table, **options),
    }
    if table.codes.shape[1] == 2:
        report["cohen_kappa"] = _cohen(table, None, level, draws, seed)
    per_item = table.counts.sum(axis=1)
    if per_item.size and per_item[0] > 1 and bool((per_item == per_item[0]).all()):
        report["fleiss_kappa"] = fleiss_kappa(table, **options)
    return report


def cohen_kappa(
    a: ArrayLike | Sequence[object],
    b: ArrayLike | Sequence[object],
    *,
    weights: Weights | None = None,
    categories: Sequence[object] | None = None,
    clusters: ArrayLike | Iterable[object] | None = None,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Agreement:
    """Return Cohen's kappa of two raters, weighted when asked.

    ``1 - sum(w o)/sum(w e)`` with o the table of both ratings, e that of independent raters with the same base rates,
    and w the disagreement: 0 or 1, or |i - j| (linear), (i - j)^2 (quadratic) of the categories in their order. Source:
    J. Cohen, Educ. Psychol. Meas. 20 (1960) 37-46; Psychological Bulletin 70 (1968) 213-220 (weighted).

    Args:
        a: the labels of one rater, one per item.
        b: those of the other, in the same order; items that either left out do not count.
        weights: None for labels without order.
        categories: all possible labels in their order; None: those that were used, sorted.
        clusters: the cluster of each item, which is resampled as a whole; None for independent items.
        level: confidence level in (0, 1).
        draws: resamples of items.
        seed: of the resampling.

    Returns:
        An Agreement. NaN for no item, or when both raters give one and the same label throughout.

    Raises:
        ValueError: other weights, a and b hold different numbers of items, or a label is not among the categories.
    """
    if weights is not None:
        check_choice("weights", weights, _WEIGHTS)
    if is_numeric(a) and is_numeric(b) and len(a) == len(b):  # type: ignore[arg-type]  # arrays of numbers have a length
        pairs: Ratings = np.column_stack((np.asarray(a), np.asarray(b)))
    else:
        left, right = list(a), list(b)  # type: ignore[arg-type]  # labels of either kind
        if len(left) != len(right):
            raise ValueError(f"a and b must hold the same items: {len(left)} and {len(right)} labels")
        pairs = list(zip(left, right, strict=True))
    return _cohen(table_of(pairs, categories), weights, level, draws, seed, clusters)


def _cohen(
    table: Table,
    weights: Weights | None,
    level: float,
    draws: int,
    seed: int,
    clusters: ArrayLike | Iterable[object] | None = None,
) -> Agreement:
    rated: np.ndarray[Any, Any] = np.asarray((table.codes >= 0).all(axis=1))
    both = table.codes[rated].reshape(-1, 2)  # no items: no columns either
    size = table.few_labels("cohen_kappa")
    cells = both[:, 0] * size + both[:, 1]
    groups = None if clusters is None else cluster_codes(clusters, len(rated))[rated]
    counts = None
    if groups is None:
        cells, counts = np.unique(cells, return_counts=True)
    rows = (cells[:, None] == np.arange(size * size)).astype(np.float64)
    step = np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(np.float64)
    cost = (step > 0).astype(np.float64) if weights is None else step if weights == "linear" else step**2

    def kappa(sums: Floats) -> Floats:
        both = (sums / sums.sum(axis=1, keepdims=True)).reshape(len(sums), size, size)
        seen = (both * cost).sum(axis=(1, 2))
        expected = np.einsum("di,ij,dj->d", both.sum(axis=2), cost, both.sum(axis=1), optimize=True)
        return _one_minus(seen, expected)

    name = "cohen kappa" if weights is None else f"cohen kappa, {weights}"
    times = None if counts is None else counts.astype(np.float64)
    return _finish(name, rows, kappa, table, level, draws, seed, counts=times, codes=groups)


def fleiss_kappa(
    ratings: Ratings,
    *,
    categories: Sequence[object] | None = None,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Agreement:
    """Return Fleiss' kappa of several raters, who need not be the same for each item.

    ``(P - P_e)/(1 - P_e)``: P the mean over items of the share of agreeing pairs, P_e the sum of the squared base
    rates. Items with fewer than two ratings are left out; unequal numbers of ratings weigh each item alike. Source:
    J. L. Fleiss, Psychological Bulletin 76 (1971) 378-382.

    Args:
        ratings: items x raters; None or NaN for a missing rating.
        categories: all possible labels; None: those that were used.
        level: confidence level in (0, 1).
        draws: resamples of items.
        seed: of the resampling.

    Returns:
        An Agreement; NaN for no item, or when only one label was ever used.
    """
    table = table_of(ratings, categories)
    counts = table.compared()
    per_item = counts.sum(axis=1, keepdims=True)
    rows = np.column_stack((pair_share(counts), np.ones(len(counts)), counts / np.maximum(per_item, 1)))

    def kappa(sums: Floats) -> Floats:
        n = sums[:, 1]
        return _beyond(sums[:, 0] / n, np.square(sums[:, 2:] / n[:, None]).sum(axis=1))

    return _finish("fleiss kappa", rows, kappa, table, level, draws, seed)


def gwet_ac1(
    ratings: Ratings,
    *,
    categories: Sequence[object] | None = None,
    clusters: ArrayLike | Iterable[object] | None = None,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Agreement:
    """Return Gwet's AC1 of two or more raters, which stays meaningful when one label is rare.

    ``(P - P_e)/(1 - P_e)`` with P as in :func:`fleiss_kappa` and ``P_e = sum_c pi_c (1 - pi_c)/(q - 1)`` over the q
    categories; pi_c is the mean over items of the share of ratings in c. Items with one rating count for pi only.
    ``se`` is Gwet's, by linearisation, for items drawn from very many. Source: K. L. Gwet, British J. of Mathematical
    and Statistical Psychology 61 (2008) 29-48.

    Args:
        ratings: items x raters; None or NaN for a missing rating.
        categories: all possible labels; None: those that were used, but at least two.
        clusters: the cluster of each item, which is resampled as a whole; None for independent items.
        level: confidence level in (0, 1).
        draws: resamples of items.
        seed: of the resampling.

    Returns:
        An Agreement; NaN for no item with two ratings; 1 when only one label was ever used.
    """
    table = table_of(ratings, categories)
    rated = table.rated()
    given = rated.counts / rated.counts.sum(axis=1, keepdims=True)
    q = max(2, len(table.labels))

    def ac1(sums: Floats) -> Floats:
        pi: Floats = sums[:, 3:] / sums[:, 2:3]
        return _beyond(sums[:, 0] / sums[:, 1], (pi * (1 - pi)).sum(axis=1) / (q - 1))

    rows = np.column_stack((rated.share, rated.is_compared, np.ones(len(given)), given))
    codes = None if clusters is None else cluster_codes(clusters, len(rated.chosen))[rated.chosen]
    found = _finish("gwet ac1", rows, ac1, table, level, draws, seed, codes=codes)
    if codes is not None or not len(rows):
        return found
    return replace(found, se=_linearised(rated, given @ (1 - given.mean(axis=0)) / (q - 1), 2.0))


def brennan_prediger(
    ratings: Ratings,
    *,
    categories: Sequence[object] | None = None,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Agreement:
    """Return the coefficient of Brennan and Prediger: chance is one in q, whatever the base rates.

    ``(P - 1/q)/(1 - 1/q)`` with P as in :func:`fleiss_kappa` over q categories; for two labels ``2 P - 1``. ``se`` is
    by linearisation. Source: R. L. Brennan, D. J. Prediger, Educ. Psychol. Meas. 41 (1981) 687-699; K. L. Gwet,
    Handbook of Inter-Rater Reliability, 4th ed. (2014), chapter 4.

    Args:
        ratings: items x raters; None or NaN for a missing rating.
        categories: all possible labels; None: those that were used, but at least two.
        level: confidence level in (0, 1).
        draws: resamples of items.
        seed: of the resampling.

    Returns:
        An Agreement; NaN for no item with two ratings.
    """
    table = table_of(ratings, categories)
    rated = table.rated()
    chance = 1 / max(2, len(table.labels))

    def coefficient(sums: Floats) -> Floats:
        return _beyond(sums[:, 0] / sums[:, 1], np.full(sums.shape[:1], chance))

    rows: Floats = np.column_stack((rated.share, rated.is_compared))
    found = _finish("brennan-prediger", rows, coefficient, table, level, draws, seed)
    return replace(found, se=_linearised(rated, np.full(rated.share.shape, chance), 0.0))


def conger_kappa(
    ratings: Ratings,
    *,
    categories: Sequence[object] | None = None,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Agreement:
    """Return Conger's kappa: Cohen's for two or more raters who are the same for each item.

    ``(P - P_e)/(1 - P_e)`` with P as in :func:`fleiss_kappa` and ``P_e = sum_c (mean_g p_gc^2 - var_g p_gc / R)``, p_gc
    the share of c among the ratings of rater g of R. Source: A. J. Conger, Psychological Bulletin 88 (1980) 322-328.

    Args:
        ratings: items x raters, one column per rater; None or NaN for a missing rating.
        categories: all possible labels; None: those that were used.
        level: confidence level in (0, 1).
        draws: resamples of items.
        seed: of the resampling.

    Returns:
        An Agreement; NaN for no item with two ratings, or when only one label was ever used.
    """
    table = table_of(ratings, categories)
    rated = table.rated()
    codes = table.codes[rated.chosen]
    raters, size = codes.shape[1], max(1, len(table.labels))
    given = (codes[:, :, None] == np.arange(size)).astype(np.float64).reshape(len(codes), raters * size)
    rows = np.column_stack((rated.share, rated.is_compared, given))

    def kappa(sums: Floats) -> Floats:
        by_rater = sums[:, 2:].reshape(len(sums), raters, size)
        share = by_rater / by_rater.sum(axis=2, keepdims=True)
        spread = share.var(axis=1, ddof=1) if raters > 1 else np.zeros(share[:, 0].shape)
        expected = (np.square(share.mean(axis=1)) - spread / raters).sum(axis=1)
        return _beyond(sums[:, 0] / sums[:, 1], expected)

    return _finish("conger kappa", rows, kappa, table, level, draws, seed)


def _linearised(rated: Rated, expected: Floats, pull: float) -> float:
    """Return Gwet's standard error of ``(P - E)/(1 - E)``: the spread of what each item adds to the coefficient.

    Args:
        rated: the items with a rating.
        expected: what each item adds to the agreement by chance.
        pull: how strongly chance follows the ratings: 2 for a square of the base rates, 0 for a constant.
    """
    share, several = rated.share, rated.is_compared
    n, compared = share.size, int(several.sum())
    if n < 2 or not compared:
        return math.nan
    chance, raw = float(expected.mean()), float(share[several].mean())
    if chance >= 1:
        return math.nan
    value = (raw - chance) / (1 - chance)
    each = n / compared * (share - chance * several) / (1 - chance)
    each = each - pull * (1 - value) * (expected - chance) / (1 - chance)
    return math.sqrt(float(np.square(each - value).sum()) / (n * (n - 1)))


def krippendorff_alpha(
    ratings: Ratings,
    *,
    scale: Scale = "nominal",
    categories: Sequence[object] | None = None,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Agreement:
    """Return Krippendorff's alpha: any number of raters, missing ratings, labels with or without order.

    ``1 - D_o/D_e`` from the coincidence matrix: each pair of ratings of an item with m ratings counts 1/(m - 1);
    disagreement is 0 or 1 (nominal), ``(sum of n_g from c to k - (n_c + n_k)/2)^2`` (ordinal), the squared difference
    of the values (interval) or ``((c - k)/(c + k))^2`` (ratio). Source: K. Krippendorff, "Computing Krippendorff's
    alpha-reliability" (2011).

    Args:
        ratings: items x raters; None or NaN for a missing rating.
        scale: "interval" needs numbers, "ratio" numbers that are not negative; "ordinal" takes the order of
            ``categories`` (sorted, when None).
        categories: all possible labels in their order; None: those that were used, sorted.
        level: confidence level in (0, 1).
        draws: resamples of items.
        seed: of the resampling.

    Returns:
        An Agreement; NaN for no item with two ratings, or when only one label was ever used.

    Raises:
        ValueError: another scale, more than 100 categories on an ordinal or ratio scale, or labels that are not numbers
            on an interval or ratio scale.
    """
    check_choice("scale", scale, _SCALES)
    table = table_of(ratings, categories)
    counts = table.compared()
    m = counts.sum(axis=1)
    if scale == "nominal":
        rows = np.column_stack((m * pair_share(counts), counts))
        return _finish("krippendorff alpha", rows, _alpha_nominal, table, level, draws, seed)
    if scale == "interval":
        x = table.numbers()
        total, squares = counts @ x, counts @ (x * x)
        rows = np.column_stack((2 * (m * squares - total**2) / np.maximum(m - 1, 1), m, total, squares))
        return _finish("krippendorff alpha, interval", rows, _alpha_interval, table, level, draws, seed)
    size = table.few_labels(f"krippendorff_alpha on the scale {scale!r}")
    fixed = _ratio_cost(table.numbers("ratio")) if scale == "ratio" else None
    counts, times = distinct_rows(counts)
    pairs = counts[:, :, None] * counts[:, None, :]
    pairs[:, np.arange(size), np.arange(size)] -= counts
    rows = (pairs / np.maximum(counts.sum(axis=1) - 1, 1)[:, None, None]).reshape(len(counts), size * size)

    def alpha(sums: Floats) -> Floats:
        cells = sums.reshape(len(sums), size, size)
        margin = cells.sum(axis=2)
        n = margin.sum(axis=1)
        middle = np.cumsum(margin, axis=1) - margin / 2
        cost = np.square(middle[:, :, None] - middle[:, None, :]) if fixed is None else fixed
        seen = (cells * cost).sum(axis=(1, 2)) / n
        expected = (margin[:, :, None] * margin[:, None, :] * cost).sum(axis=(1, 2)) / (n * (n - 1))
        return _one_minus(seen, expected)

    return _finish(f"krippendorff alpha, {scale}", rows, alpha, table, level, draws, seed, counts=times)


def _ratio_cost(x: Floats) -> Floats:
    if x.size and x.min() < 0:
        raise ValueError(f"scale='ratio' needs labels that are not negative, found {x.min():g}")
    both = np.add.outer(x, x)
    return np.square(np.divide(np.subtract.outer(x, x), both, out=np.zeros(both.shape), where=both > 0))


def _alpha_nominal(sums: Floats) -> Floats:
    margin = sums[:, 1:]
    n = margin.sum(axis=1)
    same: Floats = (margin * (margin - 1)).sum(axis=1) / (n * (n - 1))
    return _beyond(sums[:, 0] / n, same)


def _alpha_interval(sums: Floats) -> Floats:
    seen, n, total, squares = sums.T
    spread = 2 * (n * squares - total**2)
    # the difference of two large sums; what is left of equal values is rounding
    spread = np.where(spread > 1e-12 * n * squares, spread, 0.0)
    return _one_minus(seen / n, spread / (n * (n - 1)))


def _beyond(agreed: Floats, chance: Floats) -> Floats:
    """Return how much of the agreement that chance leaves open there is; NaN where it leaves none."""
    return _one_minus(1 - agreed, 1 - chance)


def _one_minus(seen: Floats, expected: Floats) -> Floats:
    """Return 1 - seen/expected; NaN where no disagreement is to be expected."""
    known = expected > 1e-15
    ratio = np.divide(seen, expected, out=np.full(seen.shape, np.nan), where=known)
    rest: Floats = np.subtract(1.0, ratio)
    return rest


def _finish(
    name: str,
    rows: Floats,
    statistic: Callable[[Floats], Floats],
    table: Table,
    level: float,
    draws: int,
    seed: int,
    *,
    counts: Floats | None = None,
    codes: Ints | None = None,
) -> Agreement:
    check_level(level)
    check_draws(draws)
    compared = table.compared()
    n = len(compared)
    value = low = high = raw = se = math.nan
    if codes is not None:
        rows = sum_by_cluster(rows, codes)
    if n:
        with np.errstate(divide="ignore", invalid="ignore"):
            total = rows.sum(axis=0) if counts is None else counts @ rows
            value = float(statistic(total[None, :])[0])
        low, high, se = bootstrap_limits(rows, statistic, level=level, draws=draws, seed=seed, counts=counts)
        raw = float(pair_share(compared).mean())
    used = compared.sum(axis=0)
    rates = used / used.sum() if n else np.full(used.shape, np.nan)
    return Agreement(
        name=name,
        value=value,
        low=low,
        high=high,
        level=level,
        raw=raw,
        se=se,
        n_clusters=None if codes is None else len(rows),
        base_rates={label: float(rates[i]) for i, label in enumerate(table.labels)},
        n=n,
        n_raters=int((table.codes >= 0).any(axis=0).sum()),
    )
