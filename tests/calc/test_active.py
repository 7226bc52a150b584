"""Labels drawn with known probabilities: what is drawn, an example by hand, coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmops.calc.active import draw_items, sampled_mean, sampling_probabilities
from tests.bench import bench_calc as simulate


@given(st.lists(st.floats(0, 10), min_size=2, max_size=40), st.floats(0.5, 50), st.floats(0.01, 0.99))
def test_probabilities_spend_the_budget(sizes, budget, floor):
    """None above 1 or below its floor; a larger residual is never drawn less often."""
    chances = sampling_probabilities(sizes, budget, floor=floor)
    n = len(sizes)
    assert chances.sum() == pytest.approx(min(budget, n))
    assert chances.max() <= 1
    assert chances.min() >= min(1, floor * budget / n) * (1 - 1e-9)
    assert (np.diff(chances[np.argsort(sizes, kind="stable")]) >= -1e-12).all()


def test_probabilities_of_bad_input():
    """A residual below 0 or missing, a budget of nothing."""
    with pytest.raises(ValueError, match="not negative"):
        sampling_probabilities([0.1, -1], 1)
    with pytest.raises(ValueError, match="not negative"):
        sampling_probabilities([0.1, math.nan], 1)
    with pytest.raises(ValueError, match="budget must"):
        sampling_probabilities([0.1, 0.2], 0)


def test_draw_is_repeatable():
    """By its seed; about as many as the budget."""
    chances = np.full(2000, 0.25)
    assert (draw_items(chances, seed=3) == draw_items(chances, seed=3)).all()
    assert 420 <= draw_items(chances, seed=3).sum() <= 580


def test_sampled_mean_by_hand():
    """Each labeled item stands for 1/probability of them; without a judge it is Horvitz and Thompson's."""
    labels = [4.0, math.nan, 2.5, math.nan]
    found = sampled_mean(labels, [3.0, 2.0, 2.0, 1.0], [0.5, 0.5, 0.25, 0.25])
    assert found.estimate == pytest.approx((3 + 1 / 0.5 + 2 + 2 + 0.5 / 0.25 + 1) / 4)
    assert (found.n, found.n_missing) == (2, 2)
    assert sampled_mean(labels, [0.0] * 4, [0.5, 0.5, 0.25, 0.25]).estimate == pytest.approx((8 + 10) / 4)


def test_sampled_mean_of_bad_input():
    """Nothing labeled; a probability of 0, a judge without a score, other items."""
    assert math.isnan(sampled_mean([math.nan], [1], [0.5]).estimate)
    with pytest.raises(ValueError, match="above 0"):
        sampled_mean([1], [1], [0])
    with pytest.raises(ValueError, match="known of every item"):
        sampled_mean([1], [math.nan], [1])
    with pytest.raises(ValueError, match="same items"):
        sampled_mean([1], [1, 0], [1])


@pytest.mark.parametrize("good", [True, False])
@pytest.mark.parametrize("rate", [0.5, 0.95])
def test_sampled_means_are_covered(rate, good):
    """Labels drawn where the judge is unsure are no sample of all: their own rate is wrong near the end."""
    held, plain = simulate.sampled_coverage(rate, 100, trials=200, good=good)
    assert held >= 0.913
    assert plain < 0.5 or not good or rate == 0.5
