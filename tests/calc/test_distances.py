"""The distance of two mixes of kinds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lmops.calc.distances import cramers_v, mix_p


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


def test_p_is_the_share_of_deals_that_are_as_far_apart():
    """Of three and three units that share nothing 2 of 20 deals are: this one, and the other way round."""
    counts = [[1, 0]] * 3 + [[0, 1]] * 3
    assert mix_p(counts, [0, 0, 0, 1, 1, 1], draws=4_000) == pytest.approx(0.1, abs=0.015)


def test_p_holds_its_promise_where_people_repeat_themselves():
    """Where each unit says one thing ten times, p is below .05 in about 5 % of 300 samples of one mix."""
    rng = np.random.default_rng(2)
    found = []
    for seed in range(300):
        counts = np.zeros((40, 4))
        counts[np.arange(40), rng.integers(4, size=40)] = 10
        found.append(mix_p(counts, np.arange(40) % 2, draws=199, seed=seed))
    assert 0.02 < np.mean(np.array(found) <= 0.05) < 0.085


def test_p_of_what_cannot_be_compared():
    """An empty period is NaN; what is no table is refused."""
    assert math.isnan(mix_p([[1, 0]], [0]))
    assert math.isnan(mix_p([[1, 0], [0, 0]], [0, 1]))
    assert mix_p([[1, 0], [1, 0]], [0, 1], draws=9) == 1
    with pytest.raises(ValueError, match="one period a unit"):
        mix_p([[1, 0]], [0, 1])
    with pytest.raises(ValueError, match="at least 0"):
        mix_p([[-1, 0], [1, 0]], [0, 1])
