"""Corrected differences of scores on a scale: worked examples, what cannot be computed and why, coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lmops.calc.corrected import Errors, corrected_difference
from lmops.calc.corrected_scores import corrected_score_difference

SOME = math.nan
GAP = 0.4


def graded(rng, n, labels, *, sides, clusters=None, bias=0.0):
    """Return scores and labels of two versions, of which people would find the first better by about ``GAP``.

    The judge says less than people of what is good, more of what is bad, and adds a bias to the second version.
    """
    codes = np.arange(n) if clusters is None else np.arange(n) % clusters
    hard = 0.7 * rng.normal(size=n)[codes] + 0.7 * rng.normal(size=n)
    people = [3 + gap + hard + 0.6 * rng.normal(size=n) for gap in (GAP, 0)]
    judged = [1 + 0.7 * one + more + 0.6 * rng.normal(size=n) for one, more in zip(people, (0, bias), strict=True)]
    first = rng.permutation(n) < labels
    asked = {"both": (first, first), "apart": (first, rng.permutation(n) < labels), "one": (first, first & False)}
    seen = [np.where(where, one, np.nan) for where, one in zip(asked[sides], people, strict=True)]
    return judged, {"labels_a": seen[0], "labels_b": seen[1], "clusters": None if clusters is None else codes}


@pytest.mark.parametrize("labels", [10, 100])
@pytest.mark.parametrize(
    ("sides", "options"),
    [("both", {}), ("apart", {}), ("both", {"bias": 0.5}), ("both", {"clusters": 60}), ("one", {})],
)
def test_differences_are_covered(sides, options, labels):
    """Whichever side people labelled; with labels on both the judge may even be for one of the versions."""
    rng, held, raw = np.random.default_rng(4), 0, []
    for _ in range(150):
        judged, told = graded(rng, 300, labels, sides=sides, **options)
        found = corrected_score_difference(*judged, **told)
        held += bool(math.isnan(found.low) or found.low <= GAP <= found.high)
        raw.append(found.raw)
    assert held / 150 >= 0.9
    assert abs(np.mean(raw) - GAP) > 0.1


def test_a_worked_example():
    """Each side moves by its own labels, as far as the judge goes with them."""
    a, b = [4.0, 3, 5, 2, 4, 5, 1, 3], [3.0] * 8
    people = [4.0, 2, 5, 2, 3, 5, SOME, SOME]
    found = corrected_score_difference(a, b, labels_a=people, labels_b=[2.0, 3, 3, 2, 3, 2, 3, 2])
    slope = min(1.0, np.cov(a[:6], people[:6], bias=True)[0, 1] / np.var(a[:6]))
    wanted = np.mean(people[:6]) + slope * (np.mean(a) - np.mean(a[:6])) - 2.5
    assert found.difference == pytest.approx(wanted)
    assert (found.basis, found.n_labels_a, found.n_labels_b, found.reason) == ("own labels", 6, 8, None)


def test_labels_on_one_side_are_those_of_verdicts():
    """Where scores are 0 and 1, what the judge's rises with people's is sensitivity + specificity - 1."""
    rng = np.random.default_rng(2)
    human = (rng.random(400) < 0.6).astype(float)
    a = np.where(human == 1, rng.random(400) < 0.9, rng.random(400) < 0.3).astype(float)
    b = (rng.random(400) < 0.5).astype(float)
    labels = np.where(np.arange(400) < 200, human, np.nan)
    found = corrected_score_difference(a, b, labels_a=labels)
    other = corrected_difference(a, b, labels_a=labels)
    assert found.difference == pytest.approx(other.difference)
    assert (found.low, found.high) == pytest.approx((other.low, other.high), abs=0.02)
    assert found.basis == other.basis == "shared errors"


def test_unequal_chances_count():
    """A label that was half as likely counts for two."""
    a, people = [1.0, 2, 3, 4, 5, 1], [1.0, 2, 4, 4, SOME, SOME]
    found = corrected_score_difference(
        a, [3.0] * 6, labels_a=people, labels_b=[3.0, 2, 3, 2, 3, 2], chances_a=[0.5, 1, 1, 1, 1, 1]
    )
    mean = np.average([1, 2, 4, 4], weights=[2, 1, 1, 1])
    shift = np.mean(a) - np.average([1, 2, 3, 4], weights=[2, 1, 1, 1])
    assert found.difference == pytest.approx(mean + shift - 2.5)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({}, "0 labels are too few"),
        ({"labels_a": [1.0, 2, *[SOME] * 4]}, "2 labels are too few"),
        ({"labels_a": [5.0, 4, 3, 2, 1, 0]}, "does not rise"),
        ({"labels_a": [3.0] * 6}, "does not rise"),
        ({"labels_a": [1.0, 2, 1.5, *[SOME] * 3]}, "so few labels"),
    ],
)
def test_what_cannot_be_says_why(told, reason):
    """No limits, and a sentence."""
    found = corrected_score_difference([1.0, 2, 3, 4, 5, 6], [2.0, 2, 2, 3, 1, 2], **told)
    assert reason in found.reason
    assert math.isnan(found.low)


def test_bad_input():
    """Other items, nothing at all, what is missing; verdicts have a function of their own."""
    with pytest.raises(ValueError, match="same items"):
        corrected_score_difference([1.0, 2], [1.0])
    assert corrected_score_difference([], []).reason == "no item has a score on both sides"
    assert corrected_score_difference([1.0, SOME], [1.0, 2]).n_missing == 1
    assert corrected_difference([1, 0], [0, 1], errors=Errors(0.9, 50, 0.9, 50)).basis == "shared errors"
