"""Adjusted p-values: oracles, order, missing ones, and the error of a family."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from lmops.calc.multiple import adjust, benjamini_hochberg, holm

PS = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(PS)
@settings(max_examples=25, deadline=None)
def test_the_same_as_statsmodels_and_scipy(p):
    """Holm and Benjamini-Hochberg, ties included."""
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])
    assert benjamini_hochberg(p) == pytest.approx(scipy_stats.false_discovery_control(p))


def test_benjamini_hochberg_published():
    """Benjamini and Hochberg (1995), section 4.1: of 15 tests Holm's level rejects three, theirs four."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
         0.7590, 1.0]  # fmt: skip  # many words: packed, they are read at a glance
    assert (holm(p) <= 0.05).sum() == 3
    assert (benjamini_hochberg(p) <= 0.05).sum() == 4


@given(PS, st.randoms())
@settings(max_examples=60, deadline=None)
def test_order_missing_and_bounds(p, shuffler):
    """Each p-value keeps its adjusted one in any order; NaN stays and does not count; never below the raw one."""
    places = list(range(len(p)))
    shuffler.shuffle(places)
    for function in (holm, benjamini_hochberg):
        plain = function(p)
        assert function([p[i] for i in places]).tolist() == plain[places].tolist()
        assert (plain >= np.array(p)).all()
        assert (plain <= 1).all()
        with_gap = function([math.nan, *p])
        assert math.isnan(with_gap[0])
        assert with_gap[1:].tolist() == plain.tolist()
    assert (holm(p) >= benjamini_hochberg(p) - 1e-15).all()


def test_edges():
    """None, one, only missing; by name; refusals."""
    assert holm([]).size == 0
    assert adjust([0.2], "bh").tolist() == [0.2]
    assert adjust([0.2, 0.1], "none").tolist() == [0.2, 0.1]
    assert adjust([0.01, 0.04], "holm").tolist() == [0.02, 0.04]
    assert np.isnan(holm([math.nan, math.nan])).all()
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([1.5])
    with pytest.raises(ValueError, match="holm, bh, none"):
        adjust([0.1], "bonferroni")


def test_families_keep_their_error():
    """Ten tests, seven of them nulls: Holm errs in at most 5 % of families, BH in at most 5 % of its finds."""
    rng = np.random.default_rng(1)
    wrong, share = 0, []
    for _ in range(2000):
        p = 2 * scipy_stats.norm.sf(np.abs(rng.normal(size=10) + np.repeat([0, 3], [7, 3])))
        wrong += bool((holm(p)[:7] <= 0.05).any())
        found = benjamini_hochberg(p) <= 0.05
        share.append(found[:7].sum() / max(1, found.sum()))
    assert wrong / 2000 < 0.06
    assert np.mean(share) < 0.045
