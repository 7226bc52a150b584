"""Why did a mean move: more of a kind (mix), or worse in a kind (rate)? And which kinds account for how much?"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lmops.calc.arrays import Floats, Ints, check_level, cluster_codes, is_missing, show, t_value, vector

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike

#: What a missing kind is called: it is a kind of its own.
UNKNOWN: Final = "(none)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one kind has to do with a change; NaN where it has no mean on one side."""

    kind: object
    n_before: int
    n_after: int
    share_before: float
    share_after: float
    mean_before: float
    mean_after: float
    rate: float  # of the change, since values of this kind are others now
    rate_low: float
    rate_high: float
    mix: float  # of the change, since there are more or fewer of this kind
    mix_low: float
    mix_high: float
    apart: float  # of the change, since its mean moved otherwise than that of all other kinds on both sides
    apart_low: float
    apart_high: float

    @property
    def total(self) -> float:
        """What the kind accounts for of the change, by rate and mix together."""
        return self.rate + self.mix


@dataclass(frozen=True, slots=True, kw_only=True)
class Decomposition:
    """A change of a mean, as the sum of what kinds account for by rate and by mix."""

    change: float
    before: float
    after: float
    rate: float
    rate_low: float
    rate_high: float
    mix: float
    mix_low: float
    mix_high: float
    parts: tuple[Part, ...]  # what accounts for most comes first
    level: float
    n_before: int
    n_after: int
    n_missing: int

    def __repr__(self) -> str:
        return (
            f"Decomposition({show(self.before)} -> {show(self.after)}: "
            f"rate {show(self.rate)} [{show(self.rate_low)}, {show(self.rate_high)}], "
            f"mix {show(self.mix)} [{show(self.mix_low)}, {show(self.mix_high)}], "
            f"{len(self.parts)} kinds, n={self.n_before} + {self.n_after})"
        )


def decompose(
    before: ArrayLike,
    after: ArrayLike,
    kinds_before: Sequence[object],
    kinds_after: Sequence[object],
    *,
    clusters_before: ArrayLike | Iterable[object] | None = None,
    clusters_after: ArrayLike | Iterable[object] | None = None,
    level: float = 0.95,
) -> Decomposition:
    """Return what of the change of a mean is mix and what is rate, for each kind and in all.

    With shares w and means m of the kinds, the change is the sum of (w0+w1)/2 (m1-m0), the rate, and of
    ((m0+m1)/2 - M) (w1-w0), the mix, where M is the mean of both overall means: taken off, so that a kind that there is
    more of counts by how it differs from the others. A kind that is there on one side only has no change of its mean:
    all that it does is mix. Source: E. M. Kitagawa, J. of the American Statistical Association 50 (1955) 1168-1194.
    Intervals are by the delta method with the variance between clusters; with few values of a kind they are too narrow,
    and its n says so. They name no causes: what changed together cannot be told apart.

    Args:
        before: values of the first period; NaN are left out and counted.
        after: values of the second.
        kinds_before: the kind of each value; a missing one is a kind of its own.
        kinds_after: likewise.
        clusters_before: the cluster of each value (its session, say). None: each is one of its own.
        clusters_after: likewise.
        level: of the intervals.

    Raises:
        ValueError: not one kind or cluster for each value, no value on one side, or a level outside (0, 1).

    >>> decompose([1] * 76 + [0] * 4 + [1] * 12 + [0] * 8, [1] * 29 + [0] * 1 + [1] * 44 + [0] * 26,
    ...           ["easy"] * 80 + ["hard"] * 20, ["easy"] * 30 + ["hard"] * 70)
    Decomposition(0.88 -> 0.73: rate 0.02202 [-0.0978, 0.1418], mix -0.172 [-0.2493, -0.09477], 2 kinds, n=100 + 100)
    """
    first = _side(before, kinds_before, clusters_before, "before")
    second = _side(after, kinds_after, clusters_after, "after")
    kinds = list(dict.fromkeys((*first.kinds, *second.kinds)))
    places = {kind: i for i, kind in enumerate(kinds)}
    found = decompose_sums(kinds, _sums(first, places), _sums(second, places), level=level)
    return replace(found, n_missing=first.n_missing + second.n_missing)


class Sums(NamedTuple):
    """The values of one period, summed: a row for each kind and cluster that has any."""

    kinds: Ints  # places in a list of kinds
    clusters: Ints
    counts: Floats
    sums: Floats


def decompose_sums(
    kinds: Sequence[object], before: Sums, after: Sums, *, weight: float = 0.5, level: float = 0.95
) -> Decomposition:
    """Return what of the change of a mean is mix and what is rate, as :func:`decompose`, of values that are summed.

    Args:
        kinds: what the places in the sums mean.
        before: the first period.
        after: the second.
        weight: in 0..1, of the shares of the first period in what is rate, and of the means of the second in what is
            mix. At 0.5 both periods count alike, which is Kitagawa's. At 0 mix is what the shares of now would have
            done with the means of then: right where somebody chose the shares, as who compares three hours with a day.
        level: of the intervals.

    Raises:
        ValueError: no value on one side, a level outside (0, 1) or a weight outside [0, 1].

    >>> hours = decompose_sums(["noon", "night"], Sums([0, 1], [0, 1], [50, 50], [5, 5]), Sums([0], [2], [40], [36]),
    ...                        weight=0)
    >>> round(hours.rate, 9), round(hours.mix, 9)
    (0.8, 0.0)
    """
    check_level(level)
    if not 0 <= weight <= 1:
        raise ValueError(f"weight must be between 0 and 1, not {weight!r}")
    one, two = (_table(side, len(kinds), name) for side, name in ((before, "before"), (after, "after")))
    rate, mix = _split(one, two, weight)
    away_rate, away_mix = _half(one, two, weight, level)
    apart, away_apart = _apart(one, two, weight, level)
    parts = [
        Part(
            kind=kind,
            n_before=int(one.counts[i]),
            n_after=int(two.counts[i]),
            share_before=float(one.shares[i]),
            share_after=float(two.shares[i]),
            mean_before=float(one.means[i]),
            mean_after=float(two.means[i]),
            rate=float(rate[i]),
            rate_low=float(rate[i] - away_rate[i]),
            rate_high=float(rate[i] + away_rate[i]),
            mix=float(mix[i]),
            mix_low=float(mix[i] - away_mix[i]),
            mix_high=float(mix[i] + away_mix[i]),
            apart=float(apart[i]),
            apart_low=float(apart[i] - away_apart[i]),
            apart_high=float(apart[i] + away_apart[i]),
        )
        for i, kind in enumerate(kinds)
    ]
    return Decomposition(
        change=two.mean - one.mean,
        before=one.mean,
        after=two.mean,
        rate=float(rate.sum()),
        rate_low=float(rate.sum() - away_rate[-1]),
        rate_high=float(rate.sum() + away_rate[-1]),
        mix=float(mix.sum()),
        mix_low=float(mix.sum() - away_mix[-1]),
        mix_high=float(mix.sum() + away_mix[-1]),
        parts=tuple(sorted(parts, key=lambda part: -abs(part.total))),
        level=level,
        n_before=int(one.counts.sum()),
        n_after=int(two.counts.sum()),
        n_missing=0,
    )


class _Side(NamedTuple):
    """The values of one period that are there."""

    values: Floats
    labels: list[object]
    clusters: Ints
    n_missing: int

    @property
    def kinds(self) -> list[object]:
        return list(dict.fromkeys(self.labels))


class _Table(NamedTuple):
    """One period by kinds, and the values of each kind and cluster that has any."""

    counts: Floats
    shares: Floats
    means: Floats  # NaN for a kind that is not there
    mean: float
    kinds: Ints
    clusters: Ints  # from 0 without gaps
    often: Floats
    sums: Floats


def _side(
    values: ArrayLike, kinds: Sequence[object], clusters: ArrayLike | Iterable[object] | None, name: str
) -> _Side:
    data = vector(values, name)
    if len(kinds) != data.size:
        raise ValueError(f"kinds_{name} must name one kind per value: {len(kinds)} kinds for {data.size} values")
    codes = np.arange(data.size) if clusters is None else cluster_codes(clusters, data.size)
    known = np.flatnonzero(~np.isnan(data)).tolist()
    labels = [UNKNOWN if is_missing(kinds[i]) else kinds[i] for i in known]
    return _Side(data[known], labels, codes[known].astype(np.int64), data.size - len(known))


def _sums(side: _Side, places: dict[object, int]) -> Sums:
    kinds = np.fromiter((places[label] for label in side.labels), dtype=np.int64, count=side.values.size)
    return Sums(kinds, side.clusters, np.ones(side.values.size), side.values)


def _table(given: Sums, size: int, name: str) -> _Table:
    kinds, often, sums = (np.asarray(given[0], np.int64), *(np.asarray(one, np.float64) for one in given[2:]))
    n = often.sum()
    if not n:
        raise ValueError(f"there is no value {name} the change: a mean of nothing cannot be compared")
    clusters = np.unique(given.clusters, return_inverse=True)[1].astype(np.int64)
    cells, places = np.unique(clusters * size + kinds, return_inverse=True)
    counts, total = _sum(kinds, often, size), _sum(kinds, sums, size)
    return _Table(
        counts=counts,
        shares=counts / n,
        means=np.divide(total, counts, out=np.full(size, np.nan), where=counts > 0),
        mean=float(sums.sum() / n),
        kinds=cells % size,
        clusters=cells // size,
        often=_sum(places, often),
        sums=_sum(places, sums),
    )


def _both(one: _Table, two: _Table) -> tuple[Floats, Floats]:
    """Return the means of the kinds on either side, those that are on one side only with the same on the other.

    A kind that is on none accounts for nothing, whatever its mean.
    """
    missing = np.isnan(one.means), np.isnan(two.means)
    first, second = np.where(missing[0], two.means, one.means), np.where(missing[1], one.means, two.means)
    return np.nan_to_num(first), np.nan_to_num(second)


def _split(one: _Table, two: _Table, weight: float) -> tuple[Floats, Floats]:
    """Return what each kind accounts for by rate, and by mix."""
    m0, m1 = _both(one, two)
    away = (1 - weight) * (m0 - one.mean) + weight * (m1 - two.mean)
    return (weight * one.shares + (1 - weight) * two.shares) * (m1 - m0), away * (two.shares - one.shares)


def _half(one: _Table, two: _Table, weight: float, level: float) -> tuple[Floats, Floats]:
    """Return half the widths of the intervals of rate and mix: of each kind, and of the sum as the last one."""
    m0, m1 = _both(one, two)
    middle, moved = weight * one.shares + (1 - weight) * two.shares, two.shares - one.shares
    away = (1 - weight) * (m0 - one.mean) + weight * (m1 - two.mean)
    is_new, is_gone = np.isnan(one.means), np.isnan(two.means)
    spreads = []
    for table, sign, own in ((one, -1.0, 1 - weight), (two, 1.0, weight)):
        # a kind that is on one side only moves both means with its own
        of_change = np.where(is_new | is_gone, 0.0, sign)
        of_mean = np.where(is_new | is_gone, 1.0, own)
        rate = _spread(table, shares=(1 - own) * (m1 - m0), means=middle * of_change, mean=0 * moved)
        mix = _spread(table, shares=sign * away, means=of_mean * moved, mean=-own * moved)
        spreads.append((rate, mix))
    quantile = _quantile(one, two, level)
    found = [quantile * np.sqrt(a + b) for a, b in zip(*spreads, strict=True)]
    return found[0], found[1]


def _apart(one: _Table, two: _Table, weight: float, level: float) -> tuple[Floats, Floats]:
    """Return what each kind accounts for by moving otherwise than the others do together, and half the intervals."""
    is_both = (one.counts > 0) & (two.counts > 0)
    if is_both.sum() < 2:
        return np.zeros(is_both.size), np.zeros(is_both.size)
    middle = weight * one.shares + (1 - weight) * two.shares
    moved, spread = np.zeros(is_both.size), np.zeros(is_both.size)
    for table, sign in ((one, -1.0), (two, 1.0)):
        kept = is_both[table.kinds]
        kinds, clusters = table.kinds[kept], table.clusters[kept]
        often, sums = table.often[kept], table.sums[kept]
        counts, total = np.where(is_both, table.counts, 0.0), np.where(is_both, table.counts * table.means, 0.0)
        others = np.where(is_both, counts.sum() - counts, np.nan)
        mean = (total.sum() - total) / others
        moved += sign * (table.means - mean)
        # the others are all but the kind: what a cluster has of all, and less what it has of the kind
        own = (sums - table.means[kinds] * often) / counts[kinds] + (sums - mean[kinds] * often) / others[kinds]
        cells = _Cells(kinds, clusters, own, _sum(clusters, often), _sum(clusters, sums))
        spread += _squares(cells, mean / others, -1 / others)[:-1]
    half = _quantile(one, two, level) * np.sqrt(spread)
    return np.where(is_both, middle * moved, 0.0), np.where(is_both, middle * half, 0.0)


def _quantile(one: _Table, two: _Table, level: float) -> float:
    degrees = min(int(table.clusters.max()) for table in (one, two))
    return t_value(level, degrees) if degrees > 0 else math.nan


def _sum(places: Ints, values: Floats, size: int = 0) -> Floats:
    """Return the sum of the values of each place."""
    return np.bincount(places, weights=values, minlength=size).astype(np.float64)


class _Cells(NamedTuple):
    """What clusters move of the figures of kinds that they have values of, and two sums of each cluster."""

    kinds: Ints
    clusters: Ints
    own: Floats
    first: Floats  # of a cluster
    second: Floats


def _spread(table: _Table, *, shares: Floats, means: Floats, mean: Floats) -> Floats:
    """Return the variance of a figure of each kind, and of their sum as the last one, by what each cluster moves.

    Args:
        table: The period.
        shares: How the figure of each kind follows the share of the kind.
        means: How it follows the mean of the kind.
        mean: How it follows the mean of all.
    """
    n, size = table.counts.sum(), table.counts.size
    kinds, clusters, often = table.kinds, table.clusters, table.often
    whole = _sum(clusters, often)
    off = (_sum(clusters, table.sums) - table.mean * whole) / n
    scale = np.divide(means, table.counts, out=np.zeros(size), where=table.counts > 0)
    own = often * shares[kinds] / n + (table.sums - np.nan_to_num(table.means)[kinds] * often) * scale[kinds]
    return _squares(_Cells(kinds, clusters, own, whole, off), -shares * table.shares / n, mean)


def _squares(cells: _Cells, first: Floats, second: Floats) -> Floats:
    """Return the sum over clusters of the squares of what each moves, for each kind and for their sum as the last one.

    A cluster moves a figure by something of its own where it has values of the kind, and always by `first` and `second`
    times its two sums: with the squares taken apart, no table of clusters and kinds is needed.
    """
    kinds, clusters, own, whole, off = cells
    size = first.size
    squares = _sum(kinds, own**2, size)
    squares += 2 * first * _sum(kinds, own * whole[clusters], size)
    squares += 2 * second * _sum(kinds, own * off[clusters], size)
    squares += first**2 * (whole**2).sum() + 2 * first * second * (whole * off).sum() + second**2 * (off**2).sum()
    moves = _sum(clusters, own, whole.size) + first.sum() * whole + second.sum() * off
    groups = whole.size
    found: Floats = np.maximum(np.append(squares, (moves**2).sum()), 0.0) * (groups / max(1, groups - 1))
    return found
