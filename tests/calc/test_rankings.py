"""How alike two rankings are: worked values, the infinite sum itself, lengths that differ, nothing found."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmops.calc.rankings import overlap_at_k, rbo

RANKED = st.lists(st.sampled_from("abcdefgh"), max_size=8, unique=True)


@pytest.mark.parametrize(
    ("a", "b", "k", "share"),
    [
        ("abc", "bax", 3, 2 / 3),
        ("abc", "bax", 1, 0.0),
        ("ab", "ba", 10, 1.0),
        ("aab", "ab", None, 1.0),
        ("a", "", 5, 0.0),
    ],
)
def test_overlap(a: str, b: str, k: int | None, share: float):
    """The order within the first k does not matter, nor that fewer than k were found."""
    assert overlap_at_k(a, b, k) == pytest.approx(share)


def test_rbo_is_the_weighted_mean_of_the_overlaps_at_all_depths():
    """Overlaps 1, 1/2, 1 of abc and acb and 1 below: .1 (1 + .45 + .81) + .9^3."""
    assert rbo("abc", "acb", p=0.9) == pytest.approx(0.1 * (1 + 0.9 * 0.5 + 0.81) + 0.729)


def test_rbo_of_lengths_that_differ():
    """Equation 32 by its own terms: X = 1, 2, 2, 3 of ab (s = 2) and abxy is 1, 2, 2, 2."""
    p, found, s = 0.9, [1, 2, 2, 2], 2
    seen = sum(found[d - 1] / d * p**d for d in range(1, 5))
    beyond = sum(found[s - 1] * (d - s) / (s * d) * p**d for d in range(s + 1, 5))
    last = ((found[3] - found[1]) / 4 + found[1] / s) * p**4
    assert rbo("ab", "abxy", p=p) == pytest.approx((1 - p) / p * (seen + beyond) + last)


@given(RANKED, RANKED, st.sampled_from([0.5, 0.9, 0.98]))
def test_both_ways_round_and_within_bounds(a: list[str], b: list[str], p: float):
    """Neither is the first; the same is 1, nothing in common is 0, two empty ones are not measured."""
    assert rbo(a, b, p=p) == pytest.approx(rbo(b, a, p=p), nan_ok=True)
    assert overlap_at_k(a, b, 3) == pytest.approx(overlap_at_k(b, a, 3), nan_ok=True)
    if a or b:
        assert 0 <= rbo(a, b, p=p) <= 1 + 1e-12
        assert (rbo(a, b, p=p) == 0) == (not set(a) & set(b))
    else:
        assert math.isnan(rbo(a, b, p=p))
        assert math.isnan(overlap_at_k(a, b))
    if a:
        assert rbo(a, a, p=p) == pytest.approx(1)


def test_what_comes_first_counts_most():
    """Two first places that are swapped weigh more than two last ones."""
    assert rbo("bacdefgh", "abcdefgh") < rbo("abcdefhg", "abcdefgh")


@pytest.mark.parametrize("p", [0.0, 1.0, math.nan])
def test_bad_options(p: float):
    """A patience outside (0, 1) has no weights, and there is no place 0."""
    with pytest.raises(ValueError, match="p must"):
        rbo("ab", "ab", p=p)
    with pytest.raises(ValueError, match="k must"):
        overlap_at_k("ab", "ab", 0)
