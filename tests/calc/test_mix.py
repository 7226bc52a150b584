"""Mix against rate: a published shape of it, sums, intervals, kinds that come and go."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lmops.calc.mix import UNKNOWN, Sums, decompose, decompose_sums


def test_simpson():
    """Both kinds are better and the whole is worse: it is all mix, and each kind has its share of it."""
    before = [1] * 76 + [0] * 4 + [1] * 12 + [0] * 8
    after = [1] * 29 + [0] * 1 + [1] * 44 + [0] * 26
    found = decompose(before, after, ["easy"] * 80 + ["hard"] * 20, ["easy"] * 30 + ["hard"] * 70)
    assert found.rate > 0 > found.mix_high
    assert found.rate + found.mix == pytest.approx(found.change)
    hard, easy = found.parts
    assert (hard.kind, easy.kind) == ("hard", "easy")
    assert (hard.mix, easy.mix) == (pytest.approx(-0.09536, abs=1e-5), pytest.approx(-0.07667, abs=1e-5))


def test_intervals_hold_the_truth():
    """Of rate and mix, in all and of one kind, also where sessions are alike."""
    rng = np.random.default_rng(0)
    w, m = np.array([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3]]), np.array([[0.9, 0.7, 0.5], [0.9, 0.6, 0.6]])
    centre = (w * m).sum() / 2
    rates, mixes = w.mean(axis=0) * (m[1] - m[0]), (m.mean(axis=0) - centre) * (w[1] - w[0])
    held = np.zeros(4)
    for _ in range(200):
        kinds = [rng.choice(3, 150, p=share).repeat(2) for share in w]
        values = [
            (rng.random(150) < mean[kind[::2]]).astype(float).repeat(2) for mean, kind in zip(m, kinds, strict=True)
        ]
        clusters = np.arange(150).repeat(2)
        found = decompose(*values, *map(list, kinds), clusters_before=clusters, clusters_after=clusters)
        part = next(one for one in found.parts if one.kind == 1)
        held += (
            found.rate_low <= rates.sum() <= found.rate_high,
            found.mix_low <= mixes.sum() <= found.mix_high,
            part.rate_low <= rates[1] <= part.rate_high,
            part.mix_low <= mixes[1] <= part.mix_high,
        )
    assert (held >= 0.95 * 200 - 3 * math.sqrt(200 * 0.05 * 0.95)).all()


def test_a_kind_that_comes_is_mix():
    """It has no change of its own mean; a missing kind is one."""
    found = decompose([1, 1, 0, 1], [1, 0, 0, 0], ["a"] * 4, ["a", "a", None, float("nan")])
    new = next(one for one in found.parts if one.kind == UNKNOWN)
    assert (new.rate, new.n_before, new.n_after) == (0, 0, 2)
    assert math.isnan(new.mean_before)
    assert found.rate + found.mix == pytest.approx(found.change)


def test_missing_values_are_counted():
    """And left out with their kind."""
    found = decompose([1, math.nan], [0], ["a", "b"], ["a"])
    assert (found.n_before, found.n_missing, len(found.parts)) == (1, 1, 1)


@pytest.mark.parametrize(
    ("before", "kinds", "words"), [([], [], "no value before"), ([1, 0], ["a"], "one kind per value")]
)
def test_what_cannot_be_compared_is_refused(before, kinds, words):
    """In words."""
    with pytest.raises(ValueError, match=words):
        decompose(before, [1], kinds, ["a"])


def _summed(table):
    """Return values summed by kind and cluster out of rows of (kind, cluster, count, sum)."""
    return Sums(*(np.array(column) for column in zip(*table, strict=True)))


def test_sums_say_what_their_values_say():
    """What is summed by kind and cluster decomposes as each value by itself, intervals too."""
    rng = np.random.default_rng(3)
    values, kinds, clusters = rng.random(400), rng.integers(0, 4, 400), rng.integers(0, 90, 400)
    sides = [slice(0, 180), slice(180, 400)]
    whole = decompose(
        *(values[one] for one in sides), *(list(kinds[one]) for one in sides),
        clusters_before=clusters[sides[0]], clusters_after=clusters[sides[1]],
    )  # fmt: skip  # two sides of each
    given = [Sums(kinds[one], clusters[one], np.ones(kinds[one].size), values[one]) for one in sides]
    summed = decompose_sums(range(4), *given)
    for one in whole.parts:
        other = next(part for part in summed.parts if part.kind == one.kind)
        assert [getattr(other, name) for name in one.__slots__] == pytest.approx(
            [getattr(one, name) for name in one.__slots__]
        )
    assert (summed.mix_low, summed.rate_high) == pytest.approx((whole.mix_low, whole.rate_high))


def test_chosen_hours_are_no_mix():
    """Three hours beside a whole day: their own mean of then is what they are held against."""
    before, after = _summed([(0, 0, 50, 5), (1, 1, 50, 5)]), _summed([(0, 2, 40, 36)])
    assert decompose_sums(["noon", "night"], before, after, weight=0).mix == pytest.approx(0)
    assert decompose_sums(["noon", "night"], before, after).mix == pytest.approx(0.2)
    with pytest.raises(ValueError, match="weight must be between 0 and 1"):
        decompose_sums(["noon"], after, after, weight=2)


def test_what_moves_as_all_others_do_is_not_apart():
    """A change of one kind only is that kind's; one that all share is nobody's."""
    same = decompose([0] * 60, [1, 0] * 30, ["a", "b", "c"] * 20, ["a", "a", "b", "b", "c", "c"] * 10)
    assert max(abs(part.apart) for part in same.parts) == pytest.approx(0)
    one = decompose([0] * 60, [1, 0, 0] * 20, ["a", "b", "c"] * 20, ["a", "b", "c"] * 20)
    found = {part.kind: part.apart for part in one.parts}
    assert found["a"] == pytest.approx(one.change)
    assert found["b"] < 0


def test_intervals_of_what_is_apart_hold_the_truth():
    """Of a kind that got worse by itself, where sessions are alike."""
    rng = np.random.default_rng(0)
    means, held = ((0.9, 0.7, 0.5), (0.9, 0.5, 0.5)), 0
    for _ in range(200):
        kinds = [rng.choice(3, 150, p=[0.5, 0.3, 0.2]).repeat(2) for _ in means]
        values = [
            (rng.random(150) < np.array(mean)[kind[::2]]).astype(float).repeat(2)
            for mean, kind in zip(means, kinds, strict=True)
        ]
        clusters = np.arange(150).repeat(2)
        found = decompose(*values, *map(list, kinds), clusters_before=clusters, clusters_after=clusters)
        part = next(one for one in found.parts if one.kind == 1)
        held += part.apart_low <= 0.3 * -0.2 <= part.apart_high
    assert held >= 0.95 * 200 - 3 * math.sqrt(200 * 0.05 * 0.95)
