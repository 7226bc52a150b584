"""Who wins in pairwise comparisons: Bradley-Terry strengths with intervals, ties and a bonus for the first place."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lmops.calc.arrays import Floats, Ints, check_draws, check_level, cluster_codes, show, vector
from lmops.calc.bootstrap import resampled_sums

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike

_STEPS = 5000
_CLOSE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """One competitor: its log strength (0 is the average), interval, rank, and what it won."""

    name: object
    strength: float
    low: float
    high: float
    rank: int  # 1 + the number of competitors that are surely stronger: their interval of the difference lies above 0
    wins: float  # ties count half
    n: int  # comparisons it took part in


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Competitors from the strongest down, and the advantage of the first place."""

    competitors: tuple[Ranked, ...]
    position: float  # log odds added by standing first; 0: no bias, NaN: not estimated
    position_low: float
    position_high: float
    level: float
    n: int
    n_ties: int
    is_connected: bool  # each competitor beats each other directly or through others: strengths exist without a prior

    def win_probability(self, a: object, b: object) -> float:
        """Return the probability that a beats b, position aside (ties count half)."""
        strength = {one.name: one.strength for one in self.competitors}
        return 1 / (1 + math.exp(strength[b] - strength[a]))

    def __repr__(self) -> str:
        order = " > ".join(f"{one.name} {show(one.strength)}" for one in self.competitors[:5])
        more = f" and {len(self.competitors) - 5} more" if len(self.competitors) > 5 else ""
        return f"Ranking({order}{more}, n={self.n})"


def bradley_terry(
    first: Sequence[object],
    second: Sequence[object],
    outcomes: ArrayLike,
    *,
    items: ArrayLike | Iterable[object] | None = None,
    position: bool = True,
    prior: float = 0.5,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> Ranking:
    """Return Bradley-Terry strengths: P(first wins) = 1/(1 + exp(s_second - s_first - position)).

    Maximum likelihood by minorisation-maximisation; a tie is half a win for each. Intervals are percentiles of a
    bootstrap over items, because the comparisons of one item hang together (NaN when more than 5 % of the resamples
    have no maximum, which takes prior=0). Sources: R. A. Bradley, M. E. Terry,
    Biometrika 39 (1952); A. Agresti, Categorical Data Analysis, 2nd ed. (2002), section 10.6 (order effect);
    D. R. Hunter, Annals of Statistics 32 (2004) 384-406 (the algorithm).

    Args:
        first: the competitor shown first, per comparison.
        second: the competitor shown second.
        outcomes: 1 the first won, 0 the second, 0.5 a tie; NaN are left out.
        items: the item of each comparison; None: each stands alone.
        position: estimate the advantage of the first place; False fixes it at 0.
        prior: virtual ties between each two competitors, half in each order. It keeps the strength of one that never
            lost finite; 0 gives plain maximum likelihood, NaN where that does not exist.
        level: confidence level in (0, 1).
        draws: resamples of items.
        seed: of the resampling.

    Returns:
        A Ranking. No comparison: no competitors. One item only: strengths without intervals.

    Raises:
        ValueError: unequal lengths, an outcome outside 0..1, a competitor against itself, or a negative prior.
    """
    check_level(level)
    check_draws(draws)
    result = vector(outcomes, "outcomes") if len(first) else np.zeros(0)
    _check(first, second, result, prior)
    known = ~np.isnan(result)
    names = list(dict.fromkeys(name for pair in zip(first, second, strict=True) for name in pair))
    n = int(known.sum())
    if n == 0:
        return _ranking((), (math.nan,) * 3, level=level)
    place = {name: k for k, name in enumerate(names)}
    size = len(names)
    cells = np.array([place[a] * size + place[b] for a, b in zip(first, second, strict=True)], dtype=np.int64)[known]
    codes = None if items is None else cluster_codes(items, known.size)[known]
    rows, times = _rows(cells, result[known], size, codes)
    total = (times @ rows)[None, :]
    strengths, bonus = (fitted[0] for fitted in _fit(total, size, prior, position=position))
    sums = resampled_sums(rows, counts=times, draws=draws if times.sum() > 1 else 0, seed=seed)
    limits, bonus_limits, beaten = _limits(*_fit(sums, size, prior, position=position), level)
    first_wins, second_wins = total[0].reshape(2, size, size)
    wins = first_wins.sum(axis=1) + second_wins.sum(axis=0)
    games = (first_wins + second_wins).sum(axis=1) + (first_wins + second_wins).sum(axis=0)
    ranked = tuple(
        Ranked(
            name=names[k],
            strength=float(strengths[k]),
            low=float(limits[0, k]),
            high=float(limits[1, k]),
            rank=1 + int(beaten[k]),
            wins=float(wins[k]),
            n=int(games[k]),
        )
        for k in np.argsort(-strengths, kind="stable")
    )
    advantage = (float(bonus), *map(float, bonus_limits)) if position else (math.nan,) * 3
    ties = int((result[known] == 0.5).sum())
    return _ranking(ranked, advantage, level, n, ties, is_connected=_is_connected(first_wins + second_wins.T))


def _ranking(
    ranked: tuple[Ranked, ...],
    advantage: tuple[float, ...],
    level: float,
    n: int = 0,
    n_ties: int = 0,
    *,
    is_connected: bool = False,
) -> Ranking:
    position, low, high = advantage
    return Ranking(
        competitors=ranked,
        position=position,
        position_low=low,
        position_high=high,
        level=level,
        n=n,
        n_ties=n_ties,
        is_connected=is_connected,
    )


def _rows(cells: Ints, result: Floats, size: int, codes: Ints | None) -> tuple[Floats, Floats]:
    """Return the wins of each item as a row, and how many items have that row.

    A row is [wins of the first | wins of the second], each as a table first x second. Without items each comparison is
    one, and equal ones are put together.
    """
    width = 2 * size * size
    if codes is None:
        kinds, counts = np.unique(np.column_stack((cells, result)), axis=0, return_counts=True)
        cells, result = kinds[:, 0].astype(np.int64), np.asarray(kinds[:, 1], dtype=np.float64)
        codes, times = np.arange(len(kinds)), counts.astype(np.float64)
    else:
        codes = np.unique(codes, return_inverse=True)[1].astype(np.int64)
        times = np.ones(int(codes.max()) + 1)
    at = np.concatenate((codes * width + cells, codes * width + size * size + cells))
    wins = np.bincount(at, weights=np.concatenate((result, 1 - result)), minlength=len(times) * width)
    return wins.astype(np.float64).reshape(len(times), width), times


def _fit(sums: Floats, size: int, prior: float, *, position: bool) -> tuple[Floats, Floats]:
    """Return log strengths and log position bonus of each table of wins; NaN where there is no maximum."""
    tables = sums.reshape(len(sums), 2, size, size) + prior / 4 * (1 - np.eye(size))
    ahead, behind = tables[:, 0], tables[:, 1]
    games = ahead + behind
    wins = ahead.sum(axis=2) + behind.sum(axis=1)
    home = ahead.sum(axis=(1, 2))
    p, bonus = np.ones((len(sums), size)), np.ones(len(sums))
    exists = np.ones(len(sums), dtype=bool)
    if prior == 0:
        linked = (_is_connected(a + b.swapaxes(0, 1)) for a, b in zip(ahead, behind, strict=True))
        exists = np.fromiter(linked, dtype=bool)
        exists &= (home > 0) & (behind.sum(axis=(1, 2)) > 0) if position else True
    with np.errstate(divide="ignore", invalid="ignore"):
        for _ in range(_STEPS):
            shared = games / (bonus[:, None, None] * p[:, :, None] + p[:, None, :])
            new = wins / (bonus[:, None] * shared.sum(axis=2) + shared.sum(axis=1))
            new /= np.exp(np.log(new).mean(axis=1, keepdims=True))
            before = bonus
            if position:
                shared = games / (bonus[:, None, None] * new[:, :, None] + new[:, None, :])
                bonus = home / (shared * new[:, :, None]).sum(axis=(1, 2))
            moved = np.maximum(np.abs(np.log(new / p)).max(axis=1), np.abs(np.log(bonus / before)))[exists]
            p = new
            if not moved.size or float(moved.max()) < _CLOSE:
                break
    return np.where(exists[:, None], np.log(p), np.nan), np.where(exists, np.log(bonus), np.nan)


def _limits(strengths: Floats, bonuses: Floats, level: float) -> tuple[Floats, Floats, Ints]:
    """Return limits of the strengths and of the bonus, and by how many each is beaten, from resamples of them.

    Where more than 5 % of them, or all, have no maximum, the limits are NaN and nobody is beaten.
    """
    size, tails = strengths.shape[1], ((1 - level) / 2, (1 + level) / 2)
    fitted = ~np.isnan(strengths[:, 0])
    if not fitted.size or fitted.mean() < 0.95:
        return np.full((2, size), np.nan), np.full(2, np.nan), np.zeros(size, dtype=np.int64)
    kept, differences = strengths[fitted], strengths[fitted][:, :, None] - strengths[fitted][:, None, :]
    beaten = (np.quantile(differences, tails[0], axis=0) > 0).sum(axis=0)
    return np.quantile(kept, tails, axis=0), np.quantile(bonuses[fitted], tails), beaten


def _is_connected(beats: Floats) -> bool:
    """Return whether the graph "has beaten" is strongly connected (L. R. Ford, Am. Math. Monthly 64, 1957)."""
    reach = (beats > 0) | np.eye(len(beats), dtype=bool)
    for _ in range(max(1, math.ceil(math.log2(max(2, len(beats)))))):
        reach = (reach.astype(np.float64) @ reach.astype(np.float64)) > 0
    return bool(reach.all())


def _check(first: Sequence[object], second: Sequence[object], outcomes: Floats, prior: float) -> None:
    if not len(first) == len(second) == outcomes.size:
        raise ValueError(
            f"first, second and outcomes must be of one length: {len(first)}, {len(second)} and {outcomes.size}"
        )
    if prior < 0:
        raise ValueError(f"prior must not be negative, not {prior:g}")
    known = outcomes[~np.isnan(outcomes)]
    if known.size and (known.min() < 0 or known.max() > 1):
        raise ValueError("an outcome is 1 (the first won), 0 (the second won) or 0.5 (a tie)")
    if same := [name for name, other in zip(first, second, strict=True) if name == other]:
        raise ValueError(f"{same[0]!r} is compared with itself")
