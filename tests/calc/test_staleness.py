"""Newer labels against a record: published tables, false alarms, what changed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import fisher_exact

from lmops.calc.corrected import Errors
from lmops.calc.staleness import fisher_p, staleness


@pytest.mark.parametrize("table", [(3, 4, 1, 4), (0, 7, 5, 6), (90, 100, 20, 40), (5, 5, 5, 5), (1, 300, 9, 30)])
def test_fisher_reference(table):
    """The lady tasting tea and others, as scipy has them."""
    a, n_a, b, n_b = table
    expected = fisher_exact([[a, n_a - a], [b, n_b - b]]).pvalue
    assert fisher_p(*table) == pytest.approx(expected)
    assert fisher_p(b, n_b, a, n_a) == pytest.approx(expected)


def test_fisher_edges():
    """An empty group is not known; impossible counts are refused."""
    assert math.isnan(fisher_p(0, 0, 1, 2))
    with pytest.raises(ValueError, match="successes must"):
        fisher_p(3, 2, 1, 2)


@pytest.mark.parametrize(("q1", "q0"), [(0.9, 0.8), (0.98, 0.6)])
def test_a_judge_that_did_not_change_is_seldom_called_stale(q1, q0):
    """In at most one of twenty cases."""
    rng = np.random.default_rng(4)
    alarms = 0
    for _ in range(400):
        labels = (rng.random(60) < 0.7).astype(float)
        verdicts = np.where(labels == 1, rng.random(60) < q1, rng.random(60) >= q0).astype(float)
        record = Errors(rng.binomial(120, q1) / 120, 120, rng.binomial(60, q0) / 60, 60)
        alarms += staleness(record, verdicts, labels).is_stale
    assert alarms <= 0.05 * 400


def test_what_changed_is_named():
    """The judge passes fails now; passes it judges as before."""
    found = staleness(Errors(0.9, 100, 0.9, 50), [1] * 18 + [0] * 2 + [1] * 12 + [0] * 8, [1] * 20 + [0] * 20)
    assert found.is_stale
    assert found.specificity_p < 0.01 < found.sensitivity_p
    assert (found.specificity, found.n_fail) == (0.4, 20)


def test_nothing_newer_is_no_sign():
    """No labels, missing ones, and bad ones."""
    found = staleness(Errors(0.9, 100, 0.9, 50), [1, math.nan], [math.nan, 1])
    assert (found.is_stale, found.n_pass) == (False, 0)
    assert math.isnan(found.sensitivity_p)
    with pytest.raises(ValueError, match="same items"):
        staleness(Errors(0.9, 100, 0.9, 50), [1], [1, 0])
    with pytest.raises(ValueError, match="0 or 1"):
        staleness(Errors(0.9, 100, 0.9, 50), [0.5], [1])
