"""Has a rate moved? A watch that may be looked at after every value, and a stated run between its false alarms.

A confidence sequence that was started once keeps what it saw before a change, and may never find it. A detector starts
anew at every value, and pays for it with false alarms: one in so many values, which is what is promised.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np

from lmops.calc.arrays import Floats, check_choice, check_draws, cluster_codes, cluster_sums, show, vector
from lmops.calc.intervals import Interval

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike

Direction = Literal["below", "above"]
#: What is bet on: that the odds of what is alarming are so many times those of the edge; and how much on each. Small
#: changes are found by the first, an outage by the last; that the odds have doubled is to be found soonest.
_TIMES: Final = np.array([1.5, 2.0, 3.0, 6.0, 12.0, 24.0])
_SHARES: Final = np.log(np.array([4.0, 12.0, 6.0, 2.0, 1.0, 1.0]) / 26.0)
#: Values at once: few after an alarm, as the next may be near; then more and more, up to some megabytes.
_FIRST: Final = 256
_CHUNK: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What a detector knows between two looks: the evidence of each bet since the last alarm, and of how many values.

    Begin with ``Watch()``; keep the one that ``detect`` returns.
    """

    evidence: tuple[float, ...] = (-math.inf,) * len(_TIMES)  # natural logarithms
    n: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What a detector saw in some values."""

    alarms: tuple[int, ...]  # places of the values at which it fired; it starts anew after each
    evidence: float  # after the last value, as a share of what fires: below 1
    watch: Watch  # to go on with
    n: int
    n_missing: int
    every: float

    def __repr__(self) -> str:
        fired = f"fired at {', '.join(map(str, self.alarms))}" if self.alarms else "silent"
        return f"Detection({fired}, evidence {show(self.evidence)}, one false alarm in {self.every:,.0f}, n={self.n})"


def detect(
    values: ArrayLike,
    edge: ArrayLike,
    *,
    direction: Direction = "below",
    every: float = 10_000,
    watch: Watch | None = None,
) -> Detection:
    """Return where the mean of values in [0, 1] went below (or above) an edge, as a Shiryaev-Roberts e-detector says.

    While each value's expectation, given those before it, is on the right side of the edge, it takes at least ``every``
    values on average until it fires, however often one looks and whatever the values are like. Values in clusters are
    not of that kind: give ``first_of_clusters``. Watch both directions with twice the ``every``, and k series with
    k times. Source: J. Shin, A. Ramdas, A. Rinaldo, E-detectors, New England J. of Statistics in Data Science 2 (2023).

    Args:
        values: in the order of arrival, in [0, 1]; NaN are left out and counted. For latency or cost: whether it is
            above a percentile of the baseline.
        edge: what the mean must not go beyond, in (0, 1): one, or one for each value (the hour of the week, say). A
            little beyond the baseline, for this is known from few values only.
        direction: which side of the edge is alarming.
        every: values between two false alarms, at least 1.
        watch: of the values before these; None at the beginning.

    Raises:
        ValueError: a value outside [0, 1], an edge outside (0, 1) or not one for each value, or ``every`` below 1.

    >>> detect([1, 1, 1, 0] * 100 + [0, 1, 0, 0] * 10, 0.7)
    Detection(fired at 420, evidence 0.2619, one false alarm in 10,000, n=440)
    """
    check_choice("direction", direction, get_args(Direction))
    if not 1 <= every < math.inf:
        raise ValueError(f"every must be at least 1 value, not {every}")
    data = vector(values)
    bound = np.broadcast_to(vector(edge, "edge"), data.shape) if np.size(edge) == 1 else vector(edge, "edge")
    if bound.shape != data.shape:
        raise ValueError(f"edge must be one, or one for each value: {bound.size} for {data.size} values")
    known = ~np.isnan(data)
    x, m, places = data[known], bound[known], np.flatnonzero(known)
    if x.size and not (x.min() >= 0 and x.max() <= 1):
        raise ValueError(f"values must be in [0, 1], and are in [{x.min():g}, {x.max():g}]")
    if m.size and not (m.min() > 0 and m.max() < 1):
        raise ValueError(f"edge must be in (0, 1), and is in [{m.min():g}, {m.max():g}]")
    if direction == "below":
        x, m = 1 - x, 1 - m
    alarms, state = _alarms(x, m, math.log(every), Watch() if watch is None else watch)
    return Detection(
        alarms=tuple(int(places[i]) for i in alarms),
        evidence=math.exp(_of_all(np.array(state.evidence)) - math.log(every)),
        watch=state,
        n=int(x.size),
        n_missing=int(data.size - x.size),
        every=every,
    )


def _alarms(x: Floats, m: Floats, bar: float, watch: Watch) -> tuple[list[int], Watch]:
    """Return where the evidence of all bets reached the bar, and what is known after the last value.

    Args:
        x: what is alarming of each value.
        m: what its mean must not go above.
        bar: the logarithm of what fires.
        watch: of the values before.
    """
    alarms: list[int] = []
    held, n, start, size = np.array(watch.evidence), watch.n, 0, _FIRST
    while start < x.size:
        part = slice(start, start + size)
        more = _TIMES[:, None] - 1
        evidence = _evidence(np.log1p(more * x[part]) - np.log1p(more * m[part]), held)
        fires = _of_all(evidence) >= bar
        if bool(fires.any()):
            first = int(np.argmax(fires))
            alarms.append(start + first)
            held, n, start, size = np.full(len(_TIMES), -np.inf), 0, start + first + 1, _FIRST
        else:
            held, n, start = evidence[:, -1], n + evidence.shape[1], start + evidence.shape[1]
            size = min(2 * size, _CHUNK)
    return alarms, Watch(evidence=tuple(map(float, held)), n=n)


def _evidence(gains: Floats, held: Floats) -> Floats:
    """Return the logarithm of M[t] = (M[t-1] + 1) * gain[t] at each value, one row for each bet.

    Written out it is the product of all gains so far, times what was held and the sum of one over each product before.
    """
    products = np.cumsum(gains, axis=1)
    before = np.concatenate((np.zeros((len(gains), 1)), products[:, :-1]), axis=1)
    starts = np.logaddexp.accumulate(np.concatenate((held[:, None], -before), axis=1), axis=1)[:, 1:]
    result: Floats = products + starts
    return result


def _of_all(evidence: Floats) -> Floats:
    """Return the logarithm of what all bets together have gained."""
    result: Floats = np.logaddexp.reduce((evidence.T + _SHARES).T, axis=0)
    return result


def first_of_clusters(
    values: ArrayLike, clusters: ArrayLike | Iterable[object], *, known: Iterable[object] = ()
) -> tuple[Floats, tuple[int, ...]]:
    """Return one value for each cluster, the mean of its values, in the order in which the clusters came.

    What people do in one session is alike: 200 turns of one session say as much as a few of several. A detector over
    the turns would fire more often than promised; over sessions it keeps its word.

    Args:
        values: in the order of arrival; NaN are left out, and a cluster without any other is none.
        clusters: the cluster of each; an item whose cluster is missing is one of its own.
        known: clusters that were seen before; what else comes of them is left out.

    Returns:
        The means; and of each the place of its first value.

    Raises:
        ValueError: not one cluster for each value.
    """
    data, labels = vector(values), list(clusters)  # type: ignore[arg-type]  # arrays are iterable too
    seen = set(known)
    if len(labels) != data.size:
        raise ValueError(f"clusters must name one cluster per item: {len(labels)} clusters for {data.size} items")
    places = np.flatnonzero([not math.isnan(x) and label not in seen for x, label in zip(data, labels, strict=True)])
    codes = cluster_codes([labels[i] for i in places], len(places))
    counts = np.bincount(codes)
    means = cluster_sums(data[places], codes) / counts if counts.size else np.zeros(0)
    _, firsts = np.unique(codes, return_index=True)
    return means, tuple(int(places[i]) for i in firsts)


def values_until_found(
    rate: float,
    edge: float,
    *,
    before: float,
    direction: Direction = "below",
    every: float = 10_000,
    most: int = 20_000,
    draws: int = 200,
    seed: int = 0,
) -> Interval:
    """Return how many values it takes to find that a rate has moved: the median of simulated series, and 80 % of them.

    Each has ``every / 5`` values before the change. A limit is infinite where so many series have not been found.

    Args:
        rate: of passes after the change, in [0, 1].
        edge: as for ``detect``.
        before: the rate before the change, in [0, 1].
        direction: as for ``detect``.
        every: likewise.
        most: after so many values a series has not been found.
        draws: series.
        seed: of the series.

    Raises:
        ValueError: a rate outside [0, 1], or what ``detect`` refuses.

    >>> values_until_found(0.7, 0.88, before=0.9)
    Interval(52 [23, 96], 0.8, simulated, n=200)
    """
    check_draws(draws)
    if not (0 <= rate <= 1 and 0 <= before <= 1):
        raise ValueError(f"rates must be in [0, 1], not {before} and {rate}")
    rng = np.random.default_rng(seed)
    found = np.full(draws, np.inf)
    for i in range(draws):
        lead = (rng.random(int(every / 5)) < before).astype(float)
        watch, n = detect(lead, edge, direction=direction, every=every).watch, 0
        while n < most:
            part = (rng.random(min(_FIRST, most - n)) < rate).astype(float)
            seen = detect(part, edge, direction=direction, every=every, watch=watch)
            if seen.alarms:
                found[i] = n + seen.alarms[0] + 1
                break
            watch, n = seen.watch, n + part.size
    low, middle, high = np.quantile(found, (0.1, 0.5, 0.9), method="inverted_cdf")
    return Interval(
        estimate=float(middle), low=float(low), high=float(high), level=0.8, method="simulated", n=draws, n_missing=0
    )
