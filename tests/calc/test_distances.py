"""The distance of two mixes of kinds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lmops.calc.distances import cramers_v


def test_it_is_that_of_scipy_less_what_chance_makes_of_it():
    """Cramer's V of a table of two rows, and Bergsma's correction of it."""
    from scipy.stats.contingency import association

    table = np.array([[30, 20, 50], [10, 40, 50]])
    v, n = association(table), table.sum()
    expected = math.sqrt((v**2 - 2 / (n - 1)) / min(2 - 1 / (n - 1) - 1, 3 - 4 / (n - 1) - 1))
    assert cramers_v(*table) == pytest.approx(expected)


def test_its_ends():
    """The same mix is 0, two that share nothing are 1; kinds that are on no side do not count."""
    assert cramers_v([50, 50, 0], [50, 50, 0]) == 0
    assert cramers_v([100, 0], [0, 100]) == pytest.approx(1)


def test_of_many_kinds_chance_is_no_distance():
    """Fifty samples of one mix of nine kinds are hardly apart, in the mean."""
    rng = np.random.default_rng(0)
    found = [cramers_v(*rng.multinomial(60, [1 / 9] * 9, size=2)) for _ in range(50)]
    assert np.mean(found) < 0.1


@pytest.mark.parametrize(("before", "after"), [([0, 0], [1, 2]), ([3], [4])])
def test_of_nothing_it_cannot_be_said(before, after):
    """An empty period, and a single kind."""
    assert math.isnan(cramers_v(before, after))


def test_a_count_below_zero_is_refused():
    """In words."""
    with pytest.raises(ValueError, match="at least 0"):
        cramers_v([1, -1], [1, 1])
