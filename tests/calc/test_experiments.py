"""Arms by user: figures by hand, what phases and earlier means do, the split; errors under peeking, by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lmops.calc.corrected import Errors
from lmops.calc.experiments import (
    arm_difference,
    corrected_arms,
    half_width,
    judge_arms,
    pairs_needed,
    sample_ratio,
)
from lmops.calc.intervals import clustered_se


def _rates(rng, n, rate, *, share=0.5, items=1):
    """Return values, users and arms of n users with some items each."""
    users = np.repeat(np.arange(n), items)
    in_a = rng.random(n) < share
    return (rng.random(users.size) < np.broadcast_to(rate, n)[users]).astype(float), users, in_a


def _difference(values, users, in_a, **asked):
    return arm_difference(values, users, in_a[users], **asked)


def _two(a, b, **asked):
    """Return the difference of two arms whose every value is of another user."""
    values = np.concatenate((a, b))
    return arm_difference(values, range(values.size), np.arange(values.size) < len(a), **asked)


def test_the_error_is_that_of_clusters():
    """An arm's variance is the clustered one: what a user says often is one voice."""
    rng = np.random.default_rng(3)
    users = rng.integers(0, 40, 400)
    values = rng.normal(users % 5, 1.0)
    found = arm_difference(
        np.concatenate((values, np.zeros(100))), np.concatenate((users, np.arange(50, 150))), np.arange(500) < 400
    )
    assert found.difference == pytest.approx(values.mean())
    alone = clustered_se(values, users)
    assert found.se >= alone * 0.999
    assert found.n_a == len(set(users.tolist()))


def test_a_quantile_is_compared_as_one():
    """The difference of two medians is that of the medians, and its error about that of theory."""
    rng = np.random.default_rng(5)
    a, b = rng.normal(1.0, 1, 4000), rng.normal(0.0, 1, 4000)
    found = _two(a, b, quantile=0.5)
    assert found.difference == pytest.approx(np.median(a) - np.median(b))
    assert found.low > 0.8
    assert _two(a - 1, b, quantile=0.5).se == pytest.approx(math.sqrt(2 * math.pi / 2 / 4000), rel=0.25)


def test_phases_are_held_apart():
    """Shares and traffic that change together make no difference where there is none (Simpson)."""
    rng = np.random.default_rng(7)
    values, users, in_a, phases = [], [], [], []
    for phase, (share, rate) in enumerate(((0.1, 0.2), (0.9, 0.6))):
        value, user, member = _rates(rng, 4000, rate, share=share)
        values.append(value)
        users.append(user + 4000 * phase)
        in_a.append(member)
        phases.append(np.full(value.size, phase))
    values, users, in_a, phases = (np.concatenate(one) for one in (values, users, in_a, phases))
    naive, found = _difference(values, users, in_a), _difference(values, users, in_a, phases=phases)
    assert naive.low > 0.2
    assert found.low < 0 < found.high


def test_earlier_means_take_variance_away():
    """What users were like before explains a part; those without a past count as the mean; the difference stays."""
    rng = np.random.default_rng(9)
    n = 3000
    taste = rng.normal(0, 1, n)
    users, in_a = np.arange(n), rng.random(n) < 0.5
    values = taste + rng.normal(0, 0.5, n) + 0.3 * in_a
    before = np.where(rng.random(n) < 0.8, taste + rng.normal(0, 0.3, n), np.nan)
    plain, found = arm_difference(values, users, in_a), arm_difference(values, users, in_a, before=before)
    assert found.reduced > 0.4
    assert found.high - found.low < 0.8 * (plain.high - plain.low)
    assert found.low < 0.3 < found.high
    assert "earlier means" in found.method


def test_too_few_users_say_nothing():
    """Below 30 users of an arm there is no interval, long tails need more, and the reason says how many."""
    few = _two(np.ones(29), np.zeros(300))
    assert math.isnan(few.low)
    assert "below 30" in few.note
    rng = np.random.default_rng(2)
    tails = _two(*np.exp(rng.normal(0, 2, (2, 200))))
    assert "nothing is said below" in tails.note
    assert judge_arms(tails).outcome == "inconclusive"
    assert judge_arms(_two([], [])).outcome == "inconclusive"


def test_a_user_of_several_phases_is_one_user():
    """What the same users do in two phases is no second sample: the error is that of one."""
    rng = np.random.default_rng(8)
    users, in_a = np.arange(600), np.arange(600) % 2 == 0
    values = rng.normal(0, 1, 600)
    once = arm_difference(values, users, in_a)
    twice = [np.concatenate((one, one)) for one in (values, users, in_a)]
    found = arm_difference(*twice, phases=np.arange(1200) // 600)
    assert found.se == pytest.approx(once.se, rel=0.02)


def test_verdicts_have_three_values_and_the_users_needed():
    """A clear gain is better, a small margin is inconclusive with more users needed, a wide one is non-inferior."""
    rng = np.random.default_rng(11)
    alike = _difference(*_rates(rng, 4000, 0.5))
    values, users, in_a = _rates(rng, 4000, 0.5)
    gain = _difference(np.where(in_a[users], 1.0, values), users, in_a)
    assert judge_arms(gain).outcome == "better"
    assert judge_arms(gain, higher_is_better=False).outcome == "worse"
    assert judge_arms(alike, margin=0.2).outcome == "non_inferior"
    told = judge_arms(alike, margin=0.01)
    assert told.outcome == "inconclusive"
    assert told.n_needed is not None
    assert told.n_needed > 4000


def test_pairs_needed():
    """One look needs the textbook's number; any look more, and the limits are then as near as was asked."""
    assert pairs_needed(0.1, 0.25) == math.ceil((1.959964 + 0.841621) ** 2 * 25)
    found = pairs_needed(0.1, 0.25, tightest_at=250)
    assert pairs_needed(0.1, 0.25) < found < 3 * pairs_needed(0.1, 0.25)
    assert half_width(found, 0.25) + 0.841621 * 0.5 / math.sqrt(found) <= 0.1
    assert pairs_needed(0.0, 0.25) is None


def test_a_split_that_is_off_is_found():
    """52/48 at 50,000 users is a mismatch, 50.3/49.7 is none; by phases, and for an arm that should have nobody."""
    assert sample_ratio([[26_000, 24_000]], [[0.5, 0.5]]).is_mismatch
    assert not sample_ratio([[25_150, 24_850]], [[0.5, 0.5]]).is_mismatch
    assert sample_ratio([[950, 50], [2_000, 2_000]], [[0.95, 0.05], [0.5, 0.5]]).p_value > 0.5
    assert sample_ratio([[999, 1]], [[1.0, 0.0]]).p_value == 0
    assert sample_ratio([[0, 0]], [[0.5, 0.5]]).p_value == 1
    assert sample_ratio([[5_050, 4_870]], [[0.5, 0.5]]).chi2_p == pytest.approx(0.0707, abs=1e-3)
    with pytest.raises(ValueError, match="add up to 1"):
        sample_ratio([[1, 2]], [[0.5, 0.4]])


def test_the_split_may_be_looked_at_always():
    """Looked at after every user, a fair split is called off at most as often as alpha says."""
    rng = np.random.default_rng(4)
    wrong = 0
    for _ in range(60):
        seen = np.cumsum(rng.random(2000) < 0.5)
        looks = range(50, 2000, 50)
        wrong += any(
            sample_ratio([[int(seen[n]), n + 1 - int(seen[n])]], [[0.5, 0.5]], alpha=0.05).is_mismatch for n in looks
        )
    assert wrong <= 6


@pytest.mark.parametrize(("rate", "share"), [(0.5, 0.5), (0.05, 0.1)])
def test_peeking_keeps_the_error(rate, share):
    """Looked at again and again, an interval leaves the truth out in at most some 5 % of the streams."""
    rng = np.random.default_rng(6)
    missed = 0
    for _ in range(60):
        values, users, in_a = _rates(rng, 1500, rate, share=share, items=2)
        for n in (60, 120, 240, 400, 700, 1000, 1500):
            until = users < n
            found = _difference(values[until], users[until], in_a)
            if found.low > 0 or found.high < 0:
                missed += 1
                break
    assert missed <= 6


def test_a_difference_without_the_errors_of_a_judge_holds_what_people_would_find():
    """Judge and labels drawn anew: its limits hold the truth at least as often as they say."""
    rng, held = np.random.default_rng(11), 0
    for _ in range(200):
        passes = np.concatenate((rng.random(400) < 0.6, rng.random(400) < 0.8))
        verdicts = np.where(rng.random(800) < np.where(passes, 0.9, 0.25), 1.0, 0.0)
        labels = (rng.binomial(100, 0.9) / 100, 100, rng.binomial(100, 0.75) / 100, 100)
        found = corrected_arms(_two(verdicts[:400], verdicts[400:], level=0.95), Errors(*labels), level=0.9)
        held += found.low <= -0.2 <= found.high
    assert held >= 180


def test_a_judge_that_is_no_better_than_a_coin_corrects_no_difference():
    """By its rates, or by how few labels there are; and a perfect one leaves it as it is."""
    found = _two(np.tile([0.0, 1.0, 1.0], 100), np.tile([0.0, 1.0], 100), level=0.975)
    assert "a coin does as well" in corrected_arms(found, Errors(0.5, 100, 0.5, 100), level=0.95)
    assert "too few" in corrected_arms(found, Errors(0.8, 5, 0.6, 5), level=0.95)
    same = corrected_arms(found, Errors(1.0, 10**6, 1.0, 10**6), level=0.95)
    assert (same.difference, same.mean_a) == pytest.approx((found.difference, found.mean_a))
    assert (same.low, same.high) == pytest.approx((found.low, found.high), abs=1e-4)
