"""Weighted rates: what was drawn unequally says what holds of all, with limits that hold the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lmops.calc.intervals import proportion_interval, weighted_interval

BAR = 0.913  # two standard errors below 94 % at 300 trials


def test_equal_weights_are_none():
    """The plain interval, by clusters too."""
    outcomes, clusters = [1, 0, 1, 1, 0, 0, 1, 1], [1, 1, 2, 2, 3, 3, 4, 4]
    assert weighted_interval(outcomes, [3.0] * 8) == proportion_interval(outcomes)
    assert weighted_interval(outcomes, [3.0] * 8, clusters=clusters) == proportion_interval(outcomes, clusters=clusters)


def test_an_estimate_as_by_hand():
    """Weights 2, 2, 1, 1: 4 of 6; residuals (2/3, -4/3, 2/3, -1/3) / 6 have the squared error 4/3 * 25/9 / 36."""
    found = weighted_interval([1, 0, 1, 0], [2, 2, 1, 1])
    assert found.estimate == pytest.approx(3 / 6)
    assert found.se**2 == pytest.approx(
        4 / 3 * sum((w / 6 * e) ** 2 for w, e in ((2, 0.5), (2, -0.5), (1, 0.5), (1, -0.5)))
    )
    assert found.low < 0.5 < found.high


def test_all_alike_has_a_width():
    """Kish's number of equal ones says how much is known."""
    found = weighted_interval([0, 0, 0, 0], [1, 1, 1, 5])
    assert (found.estimate, found.low) == (0, 0)
    assert found.n_effective == pytest.approx(64 / 28)
    assert found.high > weighted_interval([0, 0, 0, 0], [1, 1, 1, 1.1]).high


def test_what_cannot_be_is_refused_or_missing():
    """No weight of 0, no limits of one cluster, no figure of nothing."""
    for weights in ([1, 0], [1, -1], [1]):
        with pytest.raises(ValueError, match="positive"):
            weighted_interval([1, 0], weights)
    one = weighted_interval([1, 0, 1], [1, 2, 3], clusters=["a"] * 3)
    assert (one.estimate, math.isnan(one.low)) == (pytest.approx(4 / 6), True)
    assert math.isnan(weighted_interval([], []).estimate)
    assert weighted_interval([1, math.nan, 0], [1, 1, 3]).n_missing == 1


@pytest.mark.parametrize(("rates", "size"), [((0.4, 0.1), 1), ((0.3, 0.02), 1), ((0.3, 0.1), 3)])
def test_unequal_draws_cover_the_rate_of_all(rates, size):
    """A rare group drawn ten times as often as the rest, alone or in sessions; without weights few cover it."""
    random = np.random.default_rng(5)
    group = np.repeat([0, 1], [300, 2700])
    clusters = np.arange(3000) // size
    held = wrong = 0
    for _ in range(300):
        shared = np.repeat(random.random(3000 // size), size)
        outcomes = (shared < np.array(rates)[group]).astype(float)
        chances = np.where(group == 0, 0.3, 0.03)
        drawn = np.repeat(random.random(3000 // size), size) < chances
        found = weighted_interval(outcomes[drawn], 1 / chances[drawn], clusters=clusters[drawn] if size > 1 else None)
        plain = proportion_interval(outcomes[drawn])
        held += found.low <= outcomes.mean() <= found.high
        wrong += plain.low <= outcomes.mean() <= plain.high
    assert held / 300 >= BAR
    assert wrong / 300 < 0.7
