"""Limits of one figure that hold at every look."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lmops.calc.anytime import anytime_mean, anytime_quantile, anytime_rate, wider
from lmops.calc.intervals import mean_interval, proportion_interval, quantile_interval, wilson

LOOKS = (10, 20, 40, 80, 150, 250, 400)
TRIED = 150
#: 5 %, and two standard errors of so many trials.
HELD, FIXED = 0.085 * TRIED, 0.12 * TRIED


def sessions(rng: np.random.Generator, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Return outcomes and their sessions: one to nine each, half of the sessions of one kind throughout."""
    groups = np.repeat(np.arange(LOOKS[-1]), rng.integers(1, 10, LOOKS[-1]))
    common = (rng.random(LOOKS[-1]) < rate)[groups]
    is_alike = (rng.random(LOOKS[-1]) < 0.5)[groups]
    return np.where(is_alike, common, rng.random(groups.size) < rate).astype(float), groups


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
def test_a_rate_is_held_at_all_looks_together(rate: float) -> None:
    """Looked at again and again, by session, limits miss the true rate in some 5 %; those of one look in many more."""
    rng = np.random.default_rng(3)
    missed = {anytime_rate: 0, proportion_interval: 0}
    for _ in range(TRIED):
        outcomes, groups = sessions(rng, rate)
        for limits in missed:
            looks = [limits(outcomes[groups < n], clusters=groups[groups < n]) for n in LOOKS]
            missed[limits] += any(not one.low <= rate <= one.high for one in looks)
    assert missed[anytime_rate] <= HELD
    assert missed[proportion_interval] > FIXED


def test_a_mean_with_a_long_tail_is_held_at_all_looks_together() -> None:
    """Limits of a mean of exponential values miss it in some 5 % of series that are looked at again and again."""
    rng = np.random.default_rng(4)
    missed = {anytime_mean: 0, mean_interval: 0}
    for _ in range(TRIED):
        values = rng.exponential(2.0, LOOKS[-1])
        for limits in missed:
            looks = [limits(values[:n]) for n in LOOKS]
            missed[limits] += any(not one.low <= 2 <= one.high for one in looks)
    assert missed[anytime_mean] <= HELD
    assert missed[mean_interval] > FIXED


@pytest.mark.parametrize("q", [0.5, 0.95])
def test_a_percentile_is_held_at_all_looks_together(q: float) -> None:
    """Limits of a percentile miss it in some 5 % of series that are looked at again and again."""
    rng, truth = np.random.default_rng(5), -math.log(1 - q)
    missed = 0
    for _ in range(TRIED):
        values = rng.exponential(1.0, LOOKS[-1])
        looks = [anytime_quantile(values[:n], q, clusters=np.arange(n)) for n in LOOKS]
        missed += any(low > truth or high < truth for low, high in looks)
    assert missed <= HELD


def test_limits_are_as_much_wider_as_they_say() -> None:
    """Those of a rate are Wilson's of fewer outcomes; at 100 clusters 1.55 times as wide as one look's, at 10 more."""
    assert wider(100) == pytest.approx(1.55, abs=0.01)
    assert wider(10) > wider(30) > wider(100) < wider(10_000)
    found = anytime_rate([1.0] * 30 + [0.0] * 70)
    assert (found.low, found.high) == pytest.approx(
        [float(one) for one in wilson(30 / wider(100) ** 2, 100 / wider(100) ** 2)]
    )
    assert "at every look" in found.method


def test_few_say_little_and_none_nothing() -> None:
    """One case above none has a lower limit above 0; a percentile of few has no upper limit; nothing has no limits."""
    assert 0 < anytime_rate([1.0, 0.0, 0.0], clusters=[1, 2, 3]).low < 0.1
    assert anytime_rate([0.0, 0.0], clusters=[1, 2]).low == 0
    assert math.isnan(anytime_rate([1.0, 1.0], clusters=[1, 1]).low)
    values = list(range(100))
    assert math.isnan(anytime_quantile(values, 0.95)[1])
    assert quantile_interval(values, 0.95)[1] == 99
    empty = (anytime_rate([]).low, anytime_mean([]).high, *anytime_quantile([], 0.5), wider(0))
    assert all(map(math.isnan, empty))


@pytest.mark.parametrize("q", [0.5, 0.95])
def test_a_percentile_of_a_few_sessions_has_no_limits(q: float) -> None:
    """One session of many values, of one each up to five: no upper limit, of one session no lower one either."""
    assert all(map(math.isnan, anytime_quantile(np.arange(200.0), q, clusters=[1] * 200)))
    for count in range(1, 6):
        assert math.isnan(anytime_quantile(np.arange(float(count)), q, clusters=np.arange(count))[1])
