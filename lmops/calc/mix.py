"""Why did a mean move: more of a kind (mix), or worse in a kind (rate)? And which kinds account for how much?"""

from __future__ import annotations

import math
from dataclasses import dataclass
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
    check_level(level)
    first = _side(before, kinds_before, clusters_before, "before")
    second = _side(after, kinds_after, clusters_after, "after")
    kinds = list(dict.fromkeys((*first.kinds, *second.kinds)))
    places = {kind: i for i, kind in enumerate(kinds)}
    one, two = _table(first, places), _table(second, places)
    rate, mix = _split(one, two)
    away_rate, away_mix = _half(one, two, level)
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
        n_before=first.values.size,
        n_after=second.values.size,
        n_missing=first.n_missing + second.n_missing,
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
    """One period by kinds, and what each of its clusters moves: shares, means, and the overall mean."""

    counts: Floats
    shares: Floats
    means: Floats  # NaN for a kind that is not there
    mean: float
    of_shares: Floats  # clusters x kinds
    of_means: Floats  # likewise; 0 for a kind that is not there
    of_mean: Floats  # clusters


def _side(
    values: ArrayLike, kinds: Sequence[object], clusters: ArrayLike | Iterable[object] | None, name: str
) -> _Side:
    data = vector(values, name)
    if len(kinds) != data.size:
        raise ValueError(f"kinds_{name} must name one kind per value: {len(kinds)} kinds for {data.size} values")
    codes = np.arange(data.size) if clusters is None else cluster_codes(clusters, data.size)
    known = np.flatnonzero(~np.isnan(data)).tolist()
    if not known:
        raise ValueError(f"there is no value {name} the change: a mean of nothing cannot be compared")
    labels = [UNKNOWN if is_missing(kinds[i]) else kinds[i] for i in known]
    packed = np.unique(codes[known], return_inverse=True)[1].astype(np.int64)
    return _Side(data[known], labels, packed, data.size - len(known))


def _table(side: _Side, places: dict[object, int]) -> _Table:
    size, groups, n = len(places), int(side.clusters.max()) + 1, side.values.size
    cells = side.clusters * size + np.fromiter((places[label] for label in side.labels), dtype=np.int64, count=n)
    often = np.bincount(cells, minlength=groups * size).reshape(groups, size).astype(np.float64)
    sums = np.bincount(cells, weights=side.values, minlength=groups * size).reshape(groups, size)
    counts = often.sum(axis=0)
    shares = counts / n
    means = np.divide(sums.sum(axis=0), counts, out=np.full(size, np.nan), where=counts > 0)
    mean = float(side.values.mean())
    of_means = np.divide(sums - np.nan_to_num(means) * often, counts, out=np.zeros_like(sums), where=counts > 0)
    whole = often.sum(axis=1)
    return _Table(
        counts=counts,
        shares=shares,
        means=means,
        mean=mean,
        of_shares=(often - shares * whole[:, None]) / n,
        of_means=of_means,
        of_mean=(sums.sum(axis=1) - mean * whole) / n,
    )


def _both(one: _Table, two: _Table) -> tuple[Floats, Floats]:
    """Return the means of the kinds on either side, those that are on one side only with the same on the other."""
    missing = np.isnan(one.means), np.isnan(two.means)
    return np.where(missing[0], two.means, one.means), np.where(missing[1], one.means, two.means)


def _split(one: _Table, two: _Table) -> tuple[Floats, Floats]:
    """Return what each kind accounts for by rate, and by mix."""
    m0, m1 = _both(one, two)
    centre = (one.mean + two.mean) / 2
    return (one.shares + two.shares) / 2 * (m1 - m0), ((m0 + m1) / 2 - centre) * (two.shares - one.shares)


def _half(one: _Table, two: _Table, level: float) -> tuple[Floats, Floats]:
    """Return half the widths of the intervals of rate and mix: of each kind, and of the sum as the last one."""
    m0, m1 = _both(one, two)
    weight, moved = (one.shares + two.shares) / 2, two.shares - one.shares
    off = (m0 + m1) / 2 - (one.mean + two.mean) / 2
    is_new, is_gone = np.isnan(one.means), np.isnan(two.means)
    spreads = []
    for table, sign in ((one, -1.0), (two, 1.0)):
        # a kind that is on one side only moves both means with its own
        of_change = np.where(is_new | is_gone, 0.0, sign)
        of_middle = np.where(is_new | is_gone, 1.0, 0.5)
        rate = table.of_shares * ((m1 - m0) / 2) + table.of_means * (weight * of_change)
        mix = table.of_shares * (sign * off) + (table.of_means * of_middle - table.of_mean[:, None] / 2) * moved
        spreads.append([_spread(rate), _spread(mix)])
    degrees = min(len(one.of_mean), len(two.of_mean)) - 1
    quantile = t_value(level, degrees) if degrees > 0 else math.nan
    found = [quantile * np.sqrt(a + b) for a, b in zip(*spreads, strict=True)]
    return found[0], found[1]


def _spread(moves: Floats) -> Floats:
    """Return the variance of each column of what clusters move, and of their sum as the last one."""
    n = len(moves)
    columns = np.column_stack((moves, moves.sum(axis=1)))
    spread: Floats = (columns**2).sum(axis=0) * (n / max(1, n - 1))
    return spread
