"""The mean that people would give, by labels on some of what was judged."""

from __future__ import annotations

import numpy as np

from lmops.feedback._by_labels import mean_by_labels
from lmops.feedback._people import Labels


def by_labels(human, scores, **more):
    cases = [(f"e{i}", 0) for i in range(len(scores))]
    said = Labels(numbers=dict(zip(cases, human, strict=False)), queue="q", schema="s@1")
    return mean_by_labels(said, cases, np.array(scores, dtype=float), clusters=None, **more)


def test_a_rate_stays_within_0_and_1():
    """Few labels, which contradict a judge that passes nearly everything."""
    made = by_labels([1, 1, 1, 0], [1] * 18 + [0] * 2, ends=(0.0, 1.0))
    assert 0.0 <= made.low < made.mean < made.high <= 1.0


def test_a_mean_stays_on_its_scale():
    """What was 5 with a limit of 7.4."""
    made = by_labels([5, 5, 4, 5], [4, 5, 3, 5] + [5] * 12, ends=(1.0, 5.0))
    assert made.high == 5.0
    assert 1.0 <= made.low < made.mean <= 5.0


def test_a_scale_without_ends_has_no_limits():
    """Nothing is cut of what may be any number."""
    assert by_labels([5, 5, 4, 5], [4, 5, 3, 5] + [5] * 12).high > 7


def test_what_is_unknown_stays_unknown():
    """One label has no error."""
    made = by_labels([1], [1, 0, 1, 1])
    assert np.isnan(made.low)
    assert made.n_labels == 1
