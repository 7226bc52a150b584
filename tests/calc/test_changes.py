"""When a mean moved: the place, how often its interval holds the truth, and that no change is none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lmops.calc.changes import change_point


@pytest.mark.parametrize(("n", "rates"), [((150, 100), (0.9, 0.7)), ((200, 50), (0.9, 0.6)), ((60, 60), (0.9, 0.5))])
def test_the_interval_holds_the_change(n, rates):
    """In about 95 % of series."""
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(300):
        series = np.concatenate([(rng.random(k) < rate).astype(float) for k, rate in zip(n, rates, strict=True)])
        found = change_point(series, draws=2)
        held += found.low <= n[0] <= found.high
    assert 0.92 <= held / 300 <= 0.99


def test_no_change_has_no_small_p():
    """In at most about one of twenty series."""
    rng = np.random.default_rng(4)
    small = sum(change_point((rng.random(100) < 0.8).astype(float), draws=99).p_value <= 0.05 for _ in range(200))
    assert small <= 0.05 * 200 + 2 * math.sqrt(200 * 0.05 * 0.95)


def test_places_are_those_of_the_series():
    """Missing values keep theirs; the means are those of the two sides."""
    found = change_point([math.nan, 1, 1, 1, 1, math.nan, 5, 5, 5, 5])
    assert (found.at, found.low, found.high, found.before, found.after) == (6, 6, 6, 1, 5)
    assert found.p_value < 0.05


@pytest.mark.parametrize("values", [[], [1, 2, 3], [2, 2, 2, 2, 2]])
def test_what_cannot_be_dated_is_not(values):
    """Too few values, or nothing but one value."""
    found = change_point(values)
    assert found.at is None
    assert math.isnan(found.p_value)
