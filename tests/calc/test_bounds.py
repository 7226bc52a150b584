"""Coverage and the worst and best case of missing scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmops.calc.bounds import difference_bounds, mean_bounds

GAPPY = st.lists(st.one_of(st.just(math.nan), st.floats(0, 1)), max_size=20)


def test_mean_bounds():
    """Eight of ten measured, six passed: between 0.6 and 0.8, whether the missing are there as NaN or not at all."""
    for found in (mean_bounds([1] * 6 + [0] * 2 + [math.nan] * 2), mean_bounds([1] * 6 + [0] * 2, n_total=10)):
        assert (found.mean, found.low, found.high, found.coverage) == (0.75, 0.6, 0.8, 0.8)
        assert (found.n, found.n_missing, found.is_complete) == (8, 2, False)


def test_edges():
    """No item, nothing measured, a scale without an end, refusals."""
    assert math.isnan(mean_bounds([]).coverage)
    nothing = mean_bounds([math.nan, None], low=1, high=5)
    assert math.isnan(nothing.mean)
    assert (nothing.low, nothing.high, nothing.coverage) == (1, 5, 0)
    assert math.isnan(mean_bounds([3, math.nan], low=0, high=math.inf).high)
    assert mean_bounds([3.0, 5.0], low=0, high=math.inf).high == 4
    with pytest.raises(ValueError, match="outside the scale"):
        mean_bounds([2])
    with pytest.raises(ValueError, match="n_total is 1"):
        mean_bounds([1, 0], n_total=1)
    with pytest.raises(ValueError, match="above high"):
        mean_bounds([], low=1, high=0)
    with pytest.raises(ValueError, match="same items"):
        difference_bounds([1], [])


@given(GAPPY, st.integers(0, 2**31))
def test_any_filling_lies_within(values, seed):
    """Whatever the missing values are, the mean of all stays within the bounds."""
    found = mean_bounds(values)
    filled = np.where(np.isnan(values), np.random.default_rng(seed).random(len(values)), values) if values else None
    if values:
        assert found.low - 1e-9 <= filled.mean() <= found.high + 1e-9
    if found.is_complete and values:
        assert found.low == found.mean == found.high


@given(
    st.lists(st.tuples(*[st.one_of(st.just(math.nan), st.floats(0, 1))] * 2), min_size=1, max_size=20),
    st.integers(0, 2**31),
)
def test_any_filled_difference_lies_within(pairs, seed):
    """The same for paired differences; swapping the two mirrors the bounds."""
    a, b = np.array(pairs, dtype=float).T
    found, swapped = difference_bounds(a, b), difference_bounds(b, a)
    noise = np.random.default_rng(seed).random((2, len(a)))
    filled = np.where(np.isnan(a), noise[0], a) - np.where(np.isnan(b), noise[1], b)
    assert found.low - 1e-9 <= filled.mean() <= found.high + 1e-9
    assert (swapped.low, swapped.high) == pytest.approx((-found.high, -found.low))
    assert found.n + found.n_missing == len(pairs)
