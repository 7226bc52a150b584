"""Retrieval metrics: worked examples, an oracle by brute force, duplicates, nothing relevant."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmops.calc.retrieval import (
    average_precision,
    hit_at_k,
    ndcg_at_k,
    precision_at_k,
    recall_at_k,
    reciprocal_rank,
    retrieval_scores,
)

DOCUMENTS = st.lists(st.sampled_from("abcdefgh"), max_size=8, unique=True)
GAINS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 3), min_size=1, max_size=5)


def test_average_precision_published():
    """Manning et al. (2008), figure 8.2's method: hits at 1, 3, 6, 9, 10 of five: (1 + 2/3 + 3/6 + 4/9 + 5/10)/5."""
    ranked = ["r1", "n", "r2", "n2", "n3", "r3", "n4", "n5", "r4", "r5"]
    assert average_precision(ranked, {"r1", "r2", "r3", "r4", "r5"}) == pytest.approx(0.6222, abs=5e-5)


def test_ndcg_published():
    """Gains 3, 2, 3, 0, 1, 2 (the example of Wikipedia's article): DCG 6.861; with two more documents nDCG .785."""
    gains = {"d1": 3, "d2": 2, "d3": 3, "d5": 1, "d6": 2, "d7": 3, "d8": 2}
    ranked = ["d1", "d2", "d3", "d4", "d5", "d6"]
    assert ndcg_at_k(ranked, gains, 6) == pytest.approx(0.785, abs=5e-4)
    dcg = sum(gains.get(d, 0) / math.log2(i + 2) for i, d in enumerate(ranked))
    assert dcg == pytest.approx(6.861, abs=5e-4)


def test_by_hand():
    """Places, cut-offs and empty places."""
    ranked, relevant = ["x", "a", "y", "b"], {"a", "b", "c"}
    assert retrieval_scores(ranked, relevant, 2) == {
        "recall": pytest.approx(1 / 3),
        "precision": 0.5,
        "hit": 1.0,
        "reciprocal_rank": 0.5,
        "average_precision": pytest.approx(0.5 / 2),
        "ndcg": pytest.approx(0.6309 / 1.6309, abs=1e-4),
    }
    assert precision_at_k(ranked, relevant, 8) == 0.25
    assert precision_at_k(ranked, relevant) == 0.5
    assert reciprocal_rank(ranked, {"q"}) == 0.0
    assert hit_at_k([], {"a"}) == 0.0
    assert ndcg_at_k(["a", "b"], {"a": 1, "b": 3}, gain="exponential") == pytest.approx(
        (1 + 7 / math.log2(3)) / (7 + 1 / math.log2(3))
    )


def test_nothing_relevant_is_unmeasured():
    """No relevant document: NaN everywhere; gains of 0 are not relevant; nothing retrieved is 0."""
    assert all(math.isnan(value) for value in retrieval_scores(["a"], {}).values())
    assert math.isnan(recall_at_k(["a"], {"a": 0}))
    assert recall_at_k([], {"a"}, 3) == 0.0
    assert math.isnan(precision_at_k([], {"a"}))


def test_a_document_counts_once():
    """The same document again is a wasted place, not a second hit."""
    assert recall_at_k(["a", "a", "a"], {"a", "b"}) == 0.5
    assert precision_at_k(["a", "a"], {"a"}) == 0.5
    assert ndcg_at_k(["a", "a"], {"a": 1, "b": 1}) == pytest.approx(1 / (1 + 1 / math.log2(3)))
    assert average_precision(["a", "a"], {"a"}) == 1.0


@pytest.mark.parametrize("call", [lambda: recall_at_k(["a"], {"a"}, 0), lambda: ndcg_at_k(["a"], {"a": -1})])
def test_refusals(call):
    """k below 1 and negative gains are errors."""
    with pytest.raises(ValueError, match="must"):
        call()


@given(DOCUMENTS, GAINS, st.integers(1, 8))
def test_bounds_and_the_best_order(ranked, gains, k):
    """All within 0..1; the best order has nDCG 1; recall grows with k; no order beats the best."""
    scores = retrieval_scores(ranked, gains, k)
    assert all(0 <= value <= 1 + 1e-12 for value in scores.values())
    best = sorted(gains, key=lambda name: -gains[name])
    assert ndcg_at_k(best, gains, k) == pytest.approx(1)
    assert average_precision(best, gains, k) == pytest.approx(1)
    assert recall_at_k(ranked, gains, k) <= recall_at_k(ranked, gains)
    for order in itertools.islice(itertools.permutations(best), 24):
        assert ndcg_at_k(order, gains, k) <= 1 + 1e-12
