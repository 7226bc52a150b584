"""How many more labels a corrected rate needs: as many as make its interval so narrow, and hardly fewer would do."""

from __future__ import annotations

import math

import pytest

from lmops.calc.corrected import corrected_pass_rate
from lmops.calc.needed import labels_needed


def width_with(n_pass: int, n_fail: int) -> float:
    """Return the width of the corrected interval after so many labels of each class."""
    found = corrected_pass_rate(60_000, 100_000, sensitivity=0.9, n_pass=n_pass, specificity=0.8, n_fail=n_fail)
    return found.high - found.low


def test_the_interval_is_as_narrow_as_asked_and_would_not_be_with_half():
    """The number is found to about a seventh of itself."""
    more = labels_needed(0.1, (0.9, 40, 0.8, 40), judge_rate=0.6)
    assert width_with(40, 40) > 0.1
    assert width_with(40 + more.add_pass, 40 + more.add_fail) <= 0.1
    assert width_with(40 + more.add_pass // 2, 40 + more.add_fail // 2) > 0.1


def test_what_is_narrow_enough_needs_none_and_what_cannot_be_corrected_has_no_number():
    """A judge no better than a coin tells nothing, however many labels there are."""
    enough = labels_needed(0.9, (0.9, 400, 0.8, 400), judge_rate=0.6)
    assert (enough.add_pass, enough.add_fail) == (0, 0)
    assert labels_needed(0.1, (0.5, 40, 0.5, 40), judge_rate=0.5) is None
    with pytest.raises(ValueError, match="above 0"):
        labels_needed(math.nan, (0.9, 40, 0.8, 40), judge_rate=0.6)
