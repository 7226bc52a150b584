"""Stretches of failures: found where they are, and not made by chance."""

from __future__ import annotations

import numpy as np
import pytest

from lmops.calc.windows import failing_windows


def test_an_outage_is_found_with_its_ends():
    """One that is whole, one in part, two apart, one that is nearly everything."""
    assert [one[:4] for one in failing_windows([0] * 40 + [1] * 8 + [0] * 40)] == [(40, 47, 8, 8)]
    partly = [0] * 100 + [1, 0, 1, 1, 0, 1, 1, 1, 0, 1] + [0] * 100
    assert [one[:4] for one in failing_windows(partly)] == [(100, 109, 7, 10)]
    two = [0] * 60 + [1] * 6 + [0] * 10 + [1] * 6 + [0] * 60
    assert [one[:2] for one in failing_windows(two)] == [(60, 75 + 6)] or len(failing_windows(two)) == 2
    assert [one[:2] for one in failing_windows([0] * 60 + [1] * 40)] == [(60, 99)]


def test_single_failures_and_nothing_are_none():
    """n = 0, no failure, all failed, every other one."""
    for series in ([], [0] * 50, [1] * 50, [0, 1] * 50, [0] * 30 + [1] + [0] * 30):
        assert failing_windows(series) == ()


def test_missing_values_keep_their_places():
    """They are in no sum."""
    series = [0.0] * 40 + [1.0, np.nan] * 6 + [0.0] * 40
    assert [one[:4] for one in failing_windows(series)] == [(40, 50, 6, 6)]


def test_chance_makes_few():
    """At most one series in a hundred, at several usual rates."""
    rng = np.random.default_rng(3)
    for usual in (0.005, 0.03, 0.1):
        found = sum(bool(failing_windows((rng.random(400) < usual).astype(float))) for _ in range(200))
        assert found <= 6, usual


@pytest.mark.parametrize("asked", [{"rate": 1.0}, {"alpha": 0}, {"usual": 0.0}])
def test_what_is_no_rate_is_refused(asked):
    """It names the argument."""
    with pytest.raises(ValueError, match=next(iter(asked))):
        failing_windows([0, 1], **asked)
    with pytest.raises(ValueError, match="0 or 1"):
        failing_windows([0.5])
