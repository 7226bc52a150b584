"""Bradley-Terry: the textbook's league, an oracle, ties, position, what has no maximum, coverage."""

from __future__ import annotations

import math

import choix
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmops.calc.ranking import bradley_terry

TEAMS = ["Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore"]
# Agresti (2002), table 10.10: home wins and losses of the American League 1987, home team by visitor
LEAGUE = [
    [None, (4, 3), (4, 2), (4, 3), (6, 1), (4, 2), (6, 0)],
    [(3, 3), None, (4, 2), (4, 3), (6, 0), (6, 1), (4, 3)],
    [(2, 5), (4, 3), None, (2, 4), (4, 3), (4, 2), (6, 0)],
    [(3, 3), (5, 1), (2, 5), None, (4, 3), (4, 2), (6, 1)],
    [(5, 1), (2, 5), (3, 3), (4, 2), None, (5, 2), (6, 0)],
    [(2, 5), (3, 3), (3, 4), (4, 3), (4, 2), None, (2, 4)],
    [(2, 5), (1, 5), (1, 6), (2, 4), (1, 6), (3, 4), None],
]
FEW = {"draws": 20}


def league():
    games = [
        (TEAMS[i], TEAMS[j], outcome)
        for i, row in enumerate(LEAGUE)
        for j, cell in enumerate(row)
        if cell
        for outcome, count in zip((1, 0), cell, strict=True)
        for _ in range(count)
    ]
    return list(zip(*games, strict=True))


@pytest.mark.parametrize(
    ("position", "published"),
    [
        (False, [1.581, 1.436, 1.294, 1.248, 1.108, 0.684]),
        (True, [1.620, 1.475, 1.327, 1.281, 1.144, 0.705]),
    ],
)
def test_agrestis_league(position, published):
    """Agresti (2002), section 10.6: strengths against Baltimore, and a home advantage of .302."""
    found = bradley_terry(*league(), position=position, prior=0, **FEW)
    strength = {one.name: one.strength for one in found.competitors}
    assert [strength[team] - strength["Baltimore"] for team in TEAMS[:-1]] == pytest.approx(published, abs=6e-4)
    assert found.position == pytest.approx(0.302 if position else math.nan, abs=6e-4, nan_ok=True)
    assert [one.name for one in found.competitors][:2] == ["Milwaukee", "Detroit"]
    assert found.is_connected
    assert sum(one.wins for one in found.competitors) == found.n == 273


@given(st.integers(0, 2**31))
@settings(max_examples=15, deadline=None)
def test_the_same_as_choix(seed):
    """The maximum likelihood of choix, without a position."""
    rng = np.random.default_rng(seed)
    i = rng.integers(0, 4, 120)
    j = (i + rng.integers(1, 4, 120)) % 4
    won = rng.random(120) < 0.5
    expected = choix.mm_pairwise(4, [(a, b) if w else (b, a) for a, b, w in zip(i, j, won, strict=True)])
    found = bradley_terry(i.tolist(), j.tolist(), won, position=False, prior=0, **FEW)
    strength = {one.name: one.strength for one in found.competitors}
    assert [strength[k] for k in range(4)] == pytest.approx(expected, abs=1e-5)


def test_ties_are_half_wins():
    """A tie is a win of each in half a comparison; all ties are no difference."""
    found = bradley_terry(["a", "b", "a"], ["b", "a", "b"], [0.5, 0.5, 0.5], **FEW)
    assert [one.strength for one in found.competitors] == pytest.approx([0, 0], abs=1e-9)
    assert found.n_ties == 3
    halves = bradley_terry(["a"] * 4, ["b"] * 4, [0.5, 0.5, 1, 1], position=False, prior=0, **FEW)
    whole = bradley_terry(["a"] * 4, ["b"] * 4, [0, 1, 1, 1], position=False, prior=0, **FEW)
    assert halves.competitors[0].strength == pytest.approx(whole.competitors[0].strength)
    assert halves.win_probability("a", "b") == pytest.approx(0.75)


def test_position_is_told_from_strength():
    """Two equal ones where the first place wins 70 %: all of it is position, none strength."""
    found = bradley_terry(["a", "b"] * 100, ["b", "a"] * 100, [1] * 140 + [0] * 60, prior=0)
    assert found.position == pytest.approx(math.log(0.7 / 0.3), abs=1e-6)
    assert found.position_low > 0.4
    assert found.competitors[0].strength == pytest.approx(0, abs=1e-6)
    assert {one.rank for one in found.competitors} == {1}


def test_who_never_lost():
    """Without a prior there is no maximum: NaN, and it is told; with one the strength is finite."""
    plain = bradley_terry(["a"] * 5, ["b"] * 5, [1] * 5, prior=0, **FEW)
    assert not plain.is_connected
    assert all(math.isnan(one.strength) for one in plain.competitors)
    kept = bradley_terry(["a"] * 5, ["b"] * 5, [1] * 5, **FEW)
    assert kept.competitors[0].name == "a"
    assert 0 < kept.competitors[0].strength < 3


def test_edges():
    """No comparison, missing outcomes, one item only."""
    assert bradley_terry([], [], []).competitors == ()
    assert bradley_terry(["a", "a"], ["b", "b"], [math.nan, 1], **FEW).n == 1
    one = bradley_terry(["a", "b"], ["b", "a"], [1, 1], items=["i", "i"], **FEW)
    assert math.isnan(one.competitors[0].low)
    for first, second, outcomes, prior in (
        (["a"], ["a"], [1], 0),
        (["a"], ["b"], [2], 0),
        (["a"], ["b"], [1, 1], 0),
        (["a"], ["b"], [1], -1),
    ):
        with pytest.raises(ValueError, match=r"itself|outcome|length|prior"):
            bradley_terry(first, second, outcomes, prior=prior)


def test_intervals_cover_over_items():
    """Ten verdicts per item that hang together: intervals over items hold, over single verdicts they do not."""
    rng = np.random.default_rng(1)
    held = {True: 0, False: 0}
    for trial in range(150):
        leaning = rng.normal(0.4, 1, 60)
        p = 1 / (1 + np.exp(-leaning))
        won = rng.random((60, 10)) < p[:, None]
        items = np.repeat(np.arange(60), 10)
        for by_item in held:
            found = bradley_terry(
                ["a"] * 600,
                ["b"] * 600,
                won.ravel(),
                items=items if by_item else None,
                position=False,
                draws=200,
                seed=trial,
            )
            a = next(one for one in found.competitors if one.name == "a")
            held[by_item] += a.low <= TRUTH / 2 <= a.high
    assert held[True] >= 0.91 * 150
    assert held[False] < 0.85 * 150


_P = 1 / (1 + np.exp(-np.random.default_rng(0).normal(0.4, 1, 1_000_000)))
TRUTH = math.log(_P.mean() / (1 - _P.mean()))  # the log odds of a win of the mean item
