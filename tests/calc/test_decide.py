"""Verdicts: the four words at their borders, directions, items needed, and their error rates."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmops.calc.decide import decide
from lmops.calc.paired import paired_difference

BASE = paired_difference(np.arange(100) / 100, np.arange(100) / 100 + np.resize([0.1, -0.1], 100))


def between(low, high, n=100):
    middle = (low + high) / 2
    return replace(BASE, difference=middle, low=low, high=high, se=(high - low) / 2 / 1.96, n=n)


@pytest.mark.parametrize(
    ("low", "high", "margin", "outcome"),
    [
        (0.01, 0.05, None, "better"),
        (0.01, 0.05, 0.02, "better"),
        (-0.05, -0.01, None, "worse"),
        (-0.05, -0.01, 0.02, "worse"),
        (-0.015, -0.005, 0.02, "non_inferior"),
        (-0.015, 0.03, 0.02, "non_inferior"),
        (-0.02, 0.03, 0.02, "inconclusive"),
        (-0.05, 0.05, 0.02, "inconclusive"),
        (-0.05, 0.05, None, "inconclusive"),
        (0.0, 0.05, None, "inconclusive"),
        (math.nan, math.nan, 0.02, "inconclusive"),
    ],
)
def test_outcomes(low, high, margin, outcome):
    """Where the interval lies decides; a border that is touched is not passed. Lower is better: mirrored."""
    assert decide(between(low, high), margin=margin).outcome == outcome
    assert decide(between(-high, -low), margin=margin, higher_is_better=False).outcome == outcome


def test_passes():
    """The gate: yes, no, or cannot tell."""
    assert decide(between(-0.01, 0.03), margin=0.02).passes is True
    assert decide(between(-0.05, -0.03), margin=0.02).passes is False
    assert decide(between(-0.05, 0.03), margin=0.02).passes is None


def test_items_needed():
    """Twice the precision needs four times the items; decided comparisons need none."""
    verdict = decide(between(-0.04, 0.04), margin=0.02)
    assert verdict.n_needed == pytest.approx(100 * ((1.96 + 0.8416) / 1.96 * 2) ** 2, abs=2)
    assert decide(between(-0.01, 0.04), margin=0.02).n_needed is None
    assert verdict.minimum_detectable_effect == pytest.approx(0.04 / 1.96 * 2.8016, rel=1e-3)
    found = decide(between(-0.01, 0.05))
    assert found.n_needed == pytest.approx(100 * (0.03 / 1.96 * 2.8016 / 0.02) ** 2, abs=2)
    assert decide(between(-0.01, 0.05), effect=0.01).n_needed > found.n_needed


def test_items_needed_are_more_than_there_are():
    """Enough items for "alike", yet a loss was seen: planned with that loss; a loss at the margin: none would do."""
    verdict = decide(between(-0.022, -0.002 + 0.004), margin=0.02)
    assert verdict.outcome == "inconclusive"
    assert verdict.n_needed > 100
    hopeless = decide(between(-0.06, 0.01), margin=0.02)
    assert hopeless.n_needed is not None  # planned for two that are alike
    lost = decide(between(-0.0252, 0.0002, n=1000), margin=0.02)
    assert lost.n_needed is None or lost.n_needed > 1000
    big = decide(between(-0.01, 0.01), effect=0.5)
    assert big.n_needed is None
    assert "hardly" in big.reason


def test_pairs_that_never_differ_do_not_say_how_many_are_needed():
    """The reason names both ends: no pair ever differs, and as many as the rule of three leaves possible."""
    same = [1.0] * 18 + [0.0] * 2
    found = decide(paired_difference(same, same), margin=0.02)
    assert (found.outcome, found.n_needed) == ("inconclusive", None)
    assert found.reason.endswith(
        "no pair of 20 differs, which does not say how many are needed: 137 if none ever does, 2,950 if 15 % do (rule "
        "of three)"
    )
    outcomes = [decide(paired_difference([1.0] * n, [1.0] * n), margin=0.02).outcome for n in (136, 137)]
    assert outcomes == ["inconclusive", "non_inferior"]
    clustered = decide(paired_difference(same * 2, same * 2, clusters=[*range(20)] * 2), margin=0.02)
    assert "274 if none" in clustered.reason


def test_too_few():
    """Nothing and one pair are inconclusive with a reason; five equal pairs show no non-inferiority."""
    assert "no interval" in decide(paired_difference([], []), margin=0.1).reason
    assert decide(paired_difference([1], [1]), margin=0.1).n_needed is None
    few = decide(paired_difference([1] * 5, [1] * 5), margin=0.05)
    assert few.outcome == "inconclusive"
    assert few.n_needed is None
    assert "no pair of 5 differs" in few.reason
    assert decide(paired_difference([1] * 300, [1] * 300), margin=0.05).outcome == "non_inferior"
    assert "1 cluster" in decide(paired_difference([1, 0], [0, 1], clusters=["a", "a"])).reason


@pytest.mark.parametrize("options", [{"margin": -0.1}, {"effect": -0.1}, {"margin": math.nan}])
def test_refusals(options):
    """A negative margin or effect is an error."""
    with pytest.raises(ValueError, match="must not be negative"):
        decide(BASE, **options)


@given(st.floats(-1, 1), st.floats(0.001, 1), st.floats(0, 0.5))
def test_exactly_one_word(low, width, margin):
    """Any interval: one outcome, mirrored with the direction; a wider margin never turns a pass into a fail."""
    verdict = decide(between(low, low + width), margin=margin)
    mirrored = decide(between(-low - width, -low), margin=margin, higher_is_better=False)
    assert (verdict.outcome, verdict.n_needed) == (mirrored.outcome, mirrored.n_needed)
    if verdict.passes:
        assert decide(between(low, low + width), margin=margin + 0.1).passes
    if verdict.outcome != "inconclusive":
        assert verdict.n_needed is None
    elif verdict.n_needed is not None:
        assert verdict.n_needed > verdict.n


@given(
    st.lists(st.tuples(*[st.sampled_from([0.0, 0.3, 0.5, 0.51, 1.0, math.nan])] * 2), max_size=8),
    st.sampled_from([None, 0.0, 0.05]),
    st.sampled_from([None, 0.1]),
)
@settings(deadline=None)
def test_a_handful_of_pairs(pairs, margin, effect):
    """However few and alike: the difference lies in its interval, and the items needed are more than there are."""
    a, b = np.array(pairs, dtype=float).reshape(-1, 2).T
    found = paired_difference(a, b)
    verdict = decide(found, margin=margin, effect=effect)
    assert verdict.n_needed is None or verdict.n_needed > found.n
    if not math.isnan(found.low):
        assert found.low <= found.difference <= found.high
    if found.n < 2:
        assert (verdict.outcome, verdict.n_needed) == ("inconclusive", None)


def test_error_rates():
    """A loss of just the margin passes in at most 2.5 %; two that are alike are hardly ever called worse or better."""
    rng = np.random.default_rng(1)
    passed = called = 0
    for _ in range(1500):
        b = rng.normal(size=60)
        passed += decide(paired_difference(b + rng.normal(-0.3, 1, 60), b), margin=0.3).passes is True
        called += decide(paired_difference(b + rng.normal(0, 1, 60), b)).outcome != "inconclusive"
    assert passed / 1500 < 0.035
    assert 0.035 < called / 1500 < 0.065


def test_repr():
    """One line: outcome, effect, interval, n."""
    assert repr(decide(between(0.01, 0.05))) == "Decision(better: 0.03 [0.01, 0.05], n=100)"
