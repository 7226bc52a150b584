"""Our measures against trec_eval's own code on 1,000 random runs with ties, duplicates and queries that are missing."""

from __future__ import annotations

import math
import random

import pytest
import pytrec_eval

from lmops.calc.judgements import bpref, condensed, judged_at_k, trec_order
from lmops.calc.retrieval import average_precision, ndcg_at_k, precision_at_k, recall_at_k, reciprocal_rank

NAMES = {"ndcg_cut_10", "ndcg", "recip_rank", "recall_5", "P_5", "map", "bpref"}
DOCUMENTS = [f"d{number}" for number in range(25)]


def drawn(seed):
    """A run and its judgements: few different scores, documents twice, queries that one side lacks."""
    random_ = random.Random(seed)
    queries = [f"q{number}" for number in range(4)]
    qrels = {
        query: {one: random_.choice([0, 0, 1, 2, 3]) for one in random_.sample(DOCUMENTS, random_.randint(1, 12))}
        for query in queries
        if random_.random() > 0.2
    }
    run = {
        query: [(random_.choice(DOCUMENTS), random_.choice([0.1, 0.25, 0.5, 1.0])) for _ in range(15)]
        for query in queries
        if random_.random() > 0.2
    }
    return qrels, run


def ours(listed, judged):
    """All measures of one query; where a document is there twice, it counts as it stands first."""
    places = trec_order(listed)
    ranked = list(dict.fromkeys(listed[place][0] for place in places))
    return {
        "ndcg_cut_10": ndcg_at_k(ranked, judged, 10),
        "ndcg": ndcg_at_k(ranked, judged),
        "recip_rank": reciprocal_rank(ranked, judged),
        "recall_5": recall_at_k(ranked, judged, 5),
        "P_5": precision_at_k(ranked, judged, 5),
        "map": average_precision(ranked, judged),
        "bpref": bpref(ranked, judged),
    }


def test_equal_to_trec_eval_on_1000_random_runs():
    """Every measure of every query of both; what it leaves out in silence is counted here."""
    left_out = compared = 0
    for seed in range(1_000):
        qrels, run = drawn(seed)
        highest = {query: {} for query in run}
        for query, listed in run.items():
            for document, score in listed:
                highest[query][document] = max(score, highest[query].get(document, score))
        theirs = pytrec_eval.RelevanceEvaluator(qrels, NAMES).evaluate(highest) if qrels and run else {}
        left_out += len(set(qrels) ^ set(theirs))
        assert set(theirs) == set(qrels) & set(run)
        for query, values in theirs.items():
            found = ours(run[query], qrels[query])
            compared += 1
            for name, value in found.items():
                if math.isnan(value):  # nothing is relevant: unmeasured to us, 0 to them
                    assert values[name] == 0
                else:
                    assert value == pytest.approx(values[name], abs=1e-6), (seed, query, name)
    assert compared > 2_000
    assert left_out > 400


def test_equal_scores_stand_by_falling_document_id():
    """Of a, b and c with one score trec_eval puts c first; single precision makes near ones equal."""
    assert trec_order([("a", 1.0), ("b", 1.0), ("c", 1.0)]) == [2, 1, 0]
    assert trec_order([("a", 1.0 + 1e-9), ("b", 1.0)]) == [1, 0]


def test_what_nobody_judged():
    """It is counted, left out of condensed lists, and plays no part in bpref."""
    ranked, judged = ["x", "a", "n", "y", "b"], {"a": 1, "b": 1, "n": 0}
    assert judged_at_k(ranked, judged, 2) == 0.5
    assert judged_at_k(["a"], judged, 10) == 1
    assert math.isnan(judged_at_k([], judged, 10))
    assert condensed(ranked, judged) == ["a", "n", "b"]
    assert bpref(ranked, judged) == bpref(["a", "n", "b"], judged) == 0.5
    assert math.isnan(bpref(ranked, {"n": 0}))
    with pytest.raises(ValueError, match="k must"):
        judged_at_k(ranked, judged, 0)
