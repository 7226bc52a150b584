"""Always-valid bounds: formulas, one null at a time, and the error under peeking, by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmops.calc.sequential import (
    bernstein_sequence,
    betting_sequence,
    betting_test,
    difference_sequence,
    mixture_rho,
    msprt,
    normal_mixture_boundary,
    normal_sequence,
)

UNIT = st.lists(st.floats(0, 1), min_size=1, max_size=60)


@given(UNIT)
@settings(max_examples=30, deadline=None)
def test_betting_limits_are_those_of_the_test(values):
    """A mean is inside exactly as long as the two bets against it have not won: the interval inverts the test."""
    found = betting_sequence(values, grid=100)
    low, high = found.last
    if math.isnan(low):
        return
    for mean in np.linspace(0, 1, 21):
        test = betting_test(values, float(mean))
        if low + 0.011 < mean < high - 0.011:
            assert test.p_value > 0.05 / 2
        if mean < low - 1e-9 or mean > high + 1e-9:
            assert test.p_value <= 0.05 * (1 + 1e-9)


@given(UNIT, st.sampled_from([betting_sequence, bernstein_sequence]))
@settings(max_examples=30, deadline=None)
def test_bounded_sequences_shrink_and_turn(values, function):
    """Limits never widen; counting fails instead of passes mirrors them; another scale goes through."""
    found = function(values)
    known = ~np.isnan(found.low)
    assert (np.diff(found.low[known]) >= -1e-12).all()
    assert (np.diff(found.high[known]) <= 1e-12).all()
    turned = function([1 - v for v in values])
    assert turned.low == pytest.approx(1 - found.high, nan_ok=True, abs=2e-3)
    scaled = function([10 * v - 5 for v in values], low=-5, high=5)
    assert scaled.low == pytest.approx(10 * found.low - 5, nan_ok=True, abs=2e-2)
    assert found.mean[-1] == pytest.approx(np.mean(values))


def test_bernstein_from_the_formula():
    """Waudby-Smith and Ramdas (2024), theorem 2, for two values by hand."""
    log = math.log(2 / 0.05)
    first = min(0.5, math.sqrt(2 * log / (0.25 * 1 * math.log(2))))
    guess = (0.5 + 1.0) / 2
    spread = (0.25 + (1.0 - guess) ** 2) / 2
    second = min(0.5, math.sqrt(2 * log / (spread * 2 * math.log(3))))
    cost = sum(4 * (x - m) ** 2 * (-math.log(1 - s) - s) / 4 for x, m, s in ((1.0, 0.5, first), (0.8, guess, second)))
    half = (log + cost) / (first + second)
    centre = (first * 1.0 + second * 0.8) / (first + second)
    assert bernstein_sequence([1.0, 0.8]).last == pytest.approx((max(0, centre - half), min(1, centre + half)))


def test_boundary_from_the_formula():
    """Howard et al. (2021), equation 14: at v = rho it is sqrt(2 rho ln(2/alpha^2)); rho is near the best choice."""
    assert float(normal_mixture_boundary(3.0, rho=3.0)) == pytest.approx(math.sqrt(6 * math.log(2 / 0.0025)))
    best = float(normal_mixture_boundary(500, rho=mixture_rho(500)))
    others = [float(normal_mixture_boundary(500, rho=r)) for r in np.geomspace(1, 5000, 200)]
    assert best <= min(others) * 1.01
    with pytest.raises(ValueError, match="rho must"):
        normal_mixture_boundary(1, rho=0)


def test_msprt_from_the_formula():
    """The form for n paired differences of known variance: sqrt(s2/(s2 + n t2)) exp(n2 t2 x2 / (2 s2 (s2 + n t2)))."""
    n, s2, t2, x = 50, 2.0, 0.3, 0.4
    expected = math.sqrt(s2 / (s2 + n * t2)) * math.exp(n**2 * t2 * x**2 / (2 * s2 * (s2 + n * t2)))
    found = msprt([x], [s2 / n], tau=math.sqrt(t2))
    assert found.e_values[0] == pytest.approx(expected)
    assert found.p_value == pytest.approx(min(1, 1 / expected))


def test_edges():
    """No values, missing values, values without one mean, refusals."""
    for function in (betting_sequence, bernstein_sequence, normal_sequence):
        assert function([]).n == 0
        assert math.isnan(function([]).last[0])
        assert function([0.5, math.nan]).n_missing == 1
        assert function([]).first_excluding(0.5) is None
    assert (betting_test([], 0.5).p_value, betting_test([], 0.5).n) == (1.0, 0)
    assert math.isnan(betting_sequence([0.0] * 300 + [1.0] * 3000).last[0])  # a drift
    assert math.isinf(normal_sequence([1.0, 2.0]).last[0])
    assert msprt([math.nan, 1.0], [0.0, 0.1], tau=1).e_values[0] == 1
    for call in (
        lambda: betting_sequence([2]),
        lambda: betting_test([1], 2),
        lambda: msprt([1], [1], tau=0),
        lambda: msprt([1], [1, 2], tau=1),
        lambda: betting_sequence([1], grid=2),
        lambda: normal_sequence([1], n_min=1),
        lambda: bernstein_sequence([1], low=1, high=0),
    ):
        with pytest.raises(ValueError, match=r"must|outside"):
            call()


@pytest.mark.parametrize("rate", [0.5, 0.9, 0.98])
def test_betting_keeps_its_error_under_peeking(rate):
    """A true rate, looked at after each of 1,000 values: rejected in at most 5 % of the streams, on any side."""
    rng = np.random.default_rng(1)
    stopped = {"two-sided": 0, "below": 0, "above": 0}
    for _ in range(400):
        x = rng.random(1000) < rate
        for side in stopped:
            stopped[side] += betting_test(x, rate, side=side).stopped_at is not None
    assert max(stopped.values()) / 400 <= 0.06


def test_sequences_hold_the_truth_at_all_times():
    """Beta-distributed scores: the whole path of each kind holds the mean in at least 95 % of streams."""
    rng = np.random.default_rng(2)
    left = {"betting": 0, "bernstein": 0, "normal": 0}
    for _ in range(200):
        x = rng.beta(4, 2, 500)
        left["betting"] += betting_sequence(x, grid=100).first_excluding(2 / 3) is not None
        left["bernstein"] += bernstein_sequence(x).first_excluding(2 / 3) is not None
        left["normal"] += normal_sequence(x).first_excluding(2 / 3) is not None
    assert max(left.values()) / 200 <= 0.06


def test_a_drop_is_found():
    """A rate that fell from .9 to .8 is found within a few hundred answers, and the limits close in on the mean."""
    rng = np.random.default_rng(3)
    stops = [betting_test(rng.random(1500) < 0.8, 0.9, side="below").stopped_at for _ in range(100)]
    assert None not in stops
    assert np.median(stops) < 300
    low, high = betting_sequence(rng.random(2000) < 0.8).last
    assert high - low < 0.1


def test_msprt_keeps_its_error_where_the_z_test_does_not():
    """Two groups, a look after each pair from 30 to 1,000: mSPRT at most 5 %, the plain z-test more than 25 %."""
    rng = np.random.default_rng(4)
    t = np.arange(1, 1001)
    wrong = naive = found = 0
    for _ in range(400):
        d = rng.normal(size=1000) - rng.normal(size=1000)
        for shift in (0.0, 0.4):
            mean = np.cumsum(d + shift) / t
            variance = (np.cumsum((d + shift) ** 2) / t - mean**2) / (t - 1 + 1e-300)
            test = msprt(mean[29:], variance[29:], tau=0.3)
            if shift:
                found += test.stopped_at is not None
            else:
                wrong += test.stopped_at is not None
                naive += bool((np.abs(mean[29:]) > 1.96 * np.sqrt(variance[29:])).any())
    assert wrong / 400 <= 0.06
    assert naive / 400 > 0.25
    assert found / 400 > 0.95


def test_boundary_holds_a_random_walk():
    """Gaussian sums over 2,000 steps leave the boundary in at most 5 % of the walks."""
    walks = np.cumsum(np.random.default_rng(5).normal(size=(1000, 2000)), axis=1)
    boundary = normal_mixture_boundary(np.arange(1, 2001), rho=mixture_rho(300))
    assert np.mean((np.abs(walks) > boundary).any(axis=1)) <= 0.055


def test_difference_sequence_inverts_msprt():
    """Two groups as they arrive: 0 leaves the interval at the value at which the test stops; missing ones are out."""
    rng = np.random.default_rng(6)
    values, in_a = rng.normal(size=400), rng.random(400) < 0.3
    values[in_a] += 0.6
    found = difference_sequence([*values, math.nan], [*in_a, True], tau=0.5)
    differences, variances = [], []
    for k in range(1, 401):
        a, b = values[:k][in_a[:k]], values[:k][~in_a[:k]]
        ready = min(a.size, b.size) >= 30
        differences.append(a.mean() - b.mean() if ready else math.nan)
        variances.append(a.var(ddof=1) / a.size + b.var(ddof=1) / b.size if ready else 0.0)
    assert found.first_excluding(0.0) == msprt(differences, variances, tau=0.5).stopped_at
    assert found.mean[-1] == pytest.approx(differences[-1])
    assert (found.n, found.n_missing) == (400, 1)
    assert difference_sequence([], [], tau=1).n == 0
    assert math.isinf(difference_sequence([1.0, 2.0], [True, True], tau=1).last[0])
    with pytest.raises(ValueError, match="one length"):
        difference_sequence([1.0], [True, False], tau=1)


def test_difference_sequence_keeps_its_error():
    """Two alike versions on one stream of verdicts, a look after each: 0 is left out in at most 5 % of the streams."""
    rng = np.random.default_rng(7)
    left = sum(
        difference_sequence(rng.random(1000) < 0.8, rng.random(1000) < 0.5, tau=0.1).first_excluding(0.0) is not None
        for _ in range(500)
    )
    assert left / 500 <= 0.06
