"""When did a mean move? The likeliest place of one change in a series, and an interval of places."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lmops.calc.arrays import Floats, check_draws, check_level, show, vector

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_LEAST: Final = 2  # values on either side


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePoint:
    """Where a series has most likely changed its mean; NaN and None where it cannot be said."""

    at: int | None  # place of the first value after the change
    low: int | None
    high: int | None
    before: float  # means
    after: float
    p_value: float  # of there being no change, by shuffling
    level: float
    n: int

    def __repr__(self) -> str:
        place = "nowhere" if self.at is None else f"at {self.at} [{self.low}, {self.high}]"
        means = f"{show(self.before)} -> {show(self.after)}"
        return f"ChangePoint({place}, {means}, p={show(self.p_value)}, {self.level:g}, n={self.n})"


def change_point(values: ArrayLike, *, level: float = 0.95, draws: int = 999, seed: int = 0) -> ChangePoint:
    """Return the one place that splits a series best into two means.

    The place is that of the largest standardised CUSUM. Its interval holds the places that are hardly worse, by the
    limit of the likelihood ratio with the mean of the variances of the two sides. The p-value is that of a split as
    good in a series in random order. A detector says that there was a change; this dates it, and p is not for looking
    at again and again. Sources: D. V. Hinkley, Biometrika 57 (1970) 1-17; B. E. Hansen, Econometrica 68 (2000) 575-603.

    Args:
        values: in the order of arrival; counts or means of equal stretches of time do as well. NaN are left out and
            keep their place.
        level: of the interval.
        draws: of series in random order.
        seed: of them.

    Raises:
        ValueError: a level outside (0, 1) or fewer than two draws.

    >>> change_point([1, 1, 0, 1, 1, 1, 1, 0, 1, 1] * 4 + [0, 1, 0, 0, 1] * 6)
    ChangePoint(at 40 [26, 52], 0.8 -> 0.4, p=0.013, 0.95, n=70)
    """
    check_level(level)
    check_draws(draws)
    data = vector(values)
    places = np.flatnonzero(~np.isnan(data))
    x = data[places]
    if x.size < 2 * _LEAST or np.ptp(x) == 0:
        mean = float(x.mean()) if x.size else math.nan
        return ChangePoint(
            at=None, low=None, high=None, before=mean, after=mean, p_value=math.nan, level=level, n=int(x.size)
        )
    gains = _gains(x[None, :])[0]
    k = int(np.argmax(gains)) + _LEAST
    limit = -2 * math.log1p(-math.sqrt(level)) * (x[:k].var(ddof=1) + x[k:].var(ddof=1)) / 2
    near = np.flatnonzero(gains >= gains.max() - limit) + _LEAST
    shuffled = np.random.default_rng(seed).permuted(np.broadcast_to(x, (draws, x.size)), axis=1)
    as_good = int((_gains(shuffled).max(axis=1) >= gains.max() * (1 - 1e-9)).sum())
    return ChangePoint(
        at=int(places[k]),
        low=int(places[near[0]]),
        high=int(places[near[-1]]),
        before=float(x[:k].mean()),
        after=float(x[k:].mean()),
        p_value=(as_good + 1) / (draws + 1),
        level=level,
        n=int(x.size),
    )


def _gains(series: Floats) -> Floats:
    """Return of each row what a split at each place takes off the sum of squares."""
    n = series.shape[1]
    k = np.arange(_LEAST, n - _LEAST + 1)
    sums = np.cumsum(series, axis=1)
    away = sums[:, k - 1] - sums[:, -1:] * (k / n)
    gains: Floats = away**2 * (n / (k * (n - k)))
    return gains
