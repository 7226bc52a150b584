"""Rankings are measured, compared, gated, pooled and judged, as evaluations."""

from __future__ import annotations

import math

import pytest

from lmops.errors import NotFoundError, UsageError
from lmops.evals._records import resumed_by
from lmops.retrieval import Ranking
from lmops.retrieval.comparing import rankings_of
from tests.retrieval.asked import ASKED, TEXTS, Words, judged


@pytest.fixture
def asked(ws):
    """The queries as a data set."""
    return ws.retrieval.qrels("asked", judged())


def measured(ws, searchable, asked, **options):
    """A report, without progress."""
    return ws.retrieval.measure(searchable, asked, **{"k": 5, "progress": False, **options})


def test_a_report_says_every_measure_with_limits_and_what_was_judged(ws, asked):
    """Means are those of the queries, clustered by their document; the run is an evaluation."""
    found = measured(ws, Words("small", 80), asked)
    ndcg, judged_share = found["ndcg"], found["judged"]
    by_query = found.by_query()
    assert ndcg.value == pytest.approx(by_query["ndcg"].mean())
    assert ndcg.low < ndcg.value < ndcg.high
    assert (ndcg.n, ndcg.n_clusters) == (8, 4)
    assert ndcg.judged == pytest.approx(judged_share.value)
    assert [one.name for one in found.measures][:5] == ["ndcg", "recall", "precision", "mrr", "map"]
    assert ws.evals.get(found.run_id).is_complete
    assert "nDCG@5" in found.text
    assert ws.retrieval.report(found.run_id).values == found.values
    with pytest.raises(NotFoundError, match="ndcg"):
        found["ndgc"]


def test_judgements_of_spans_survive_another_cut(ws, asked):
    """The same judgements measure chunks of one sentence and of whole documents: all is there, all is found."""
    for size in (40, 80, 160, 10_000):
        found = measured(ws, Words(f"cut{size}", size), asked, k=20)
        assert found["recall"].value == found["coverage"].value == 1, size
        assert found["mrr"].value > 0.5, size


def test_what_was_not_found_counts_and_what_is_not_judged_does_not(ws):
    """Lacking and empty queries are 0, one without a relevant document is unmeasured; all of it is said."""
    asked = ws.retrieval.qrels(
        "few",
        [
            {"query_id": "q1", "query": "one?", "document": "a"},
            {"query_id": "q2", "query": "two?", "document": "a"},
            {"query_id": "q3", "query": "three?", "document": "a"},
            {"query_id": "q4", "query": "four?", "document": "a", "grade": 0},
        ],
    )
    found = measured(ws, {"q1": ["a", "a"], "q3": [], "q4": ["a"], "other": ["a"]}, asked)
    assert found["ndcg"].value == pytest.approx(1 / 3)
    assert (found["ndcg"].n, found.lacking, found.empty) == (3, ("q2",), 2)
    assert (found.without_relevant, found.unknown, found.repeated) == (1, 1, 1)
    for words in ("1 query not in the rankings: counted as 0", "1 query without a relevant document", "left out"):
        assert words in found.text


def test_an_index_is_searched_for_many_queries_at_once_and_finds_the_same(ws, embeds):
    """One request for all vectors; rankings, scores and values are those of one search after the other."""
    cut = {"name": "sentences", "size": 80}
    for name, kind in (("house", "exact"), ("both", "hybrid")):
        ws.retrieval.save(name, chunker=cut, kind=kind, embedder={"model": "house", "dim": 4})
    for name in ("house", "both"):
        index = ws.retrieval.build(name, TEXTS, name)
        asked = ws.retrieval.qrels(f"asked-{name}", judged())
        del embeds.endpoint.asked[:]
        together = measured(ws, name, asked)
        assert len(embeds.endpoint.asked) == 1
        alone = measured(ws, lambda query, k, index=index: index.search(query, k), asked)
        assert len(embeds.endpoint.asked) == 1 + len(ASKED)
        assert together.values == alone.values
        found, expected = (rankings_of(ws.store, one.run) for one in (together, alone))
        assert found == expected
        assert len(found) == len(ASKED)
    rows = [{"input": query, "metadata": {"relevant": ["pets"]}} for query in ("dogs", "  ", "cats")]
    bad = measured(ws, "house", ws.datasets.save("bad", rows), retries=0)
    assert (bad.failed, bad["ndcg"].n) == (1, 2)  # one that cannot be searched for takes no other with it


def test_a_search_that_fails_is_no_zero_and_is_asked_again(ws, asked):
    """It is unmeasured and said; resume asks what failed and nothing else; another index is refused."""
    words = Words("small", 80)
    down = Words("small", 80)
    down.search = lambda query, k=None: words.search(query, k) if "dogs" not in query else 1 / 0
    found = measured(ws, down, asked, retries=0)
    assert (found.failed, found["ndcg"].n) == (1, 7)
    assert "1 query failed" in found.text
    words.asked.clear()
    assert resumed_by(found.run.task) == "ws.retrieval.resume"
    again = ws.retrieval.resume(found, words, progress=False)
    assert (again.failed, again["ndcg"].n, words.asked) == (0, 8, ["May dogs come into the lounges?"])
    with pytest.raises(UsageError, match="built anew"):
        ws.retrieval.resume(found, Words("other", 80), progress=False)


def test_scores_that_are_no_numbers_cost_their_query(ws, asked):
    """A NaN orders nothing: the query fails by name."""
    words = Words("small", 80)

    def search(query, k=None):
        found = words.search(query, k)
        return found if "dogs" not in query else [{"id": "pets", "score": math.nan}]

    found = measured(ws, search, asked, retries=0)
    assert found.failed == 1
    assert "scores are finite" in found.run.failures()["error"][0]


def test_the_reranker_is_measured_apart(ws, asked):
    """What it moved, query by query, stands beside the measures of what came out."""
    found = measured(ws, Words("reranked", 80, weak=True, rerank=True), asked)
    plain = measured(ws, Words("plain", 80, weak=True), asked)
    moved = found.reranked[0]
    assert (moved.name, moved.n, moved.after) == ("ndcg", 8, found["ndcg"].value)
    assert moved.before == pytest.approx(plain["ndcg"].value)
    assert moved.low < moved.difference < moved.high
    assert "the reranker moved nDCG@5 from" in found.text
    assert plain.reranked == ()


def test_two_are_compared_query_by_query(ws, asked):
    """Differences are paired and clustered; wins, losses and their queries are there; what was judged is beside it."""
    found = ws.retrieval.compare(Words("weak", 160, weak=True), Words("small", 80), asked, k=5, progress=False)
    one = found["ndcg"]
    by_query = found.by_query()
    assert one.difference == pytest.approx(by_query["change"].mean())
    assert (one.wins, one.losses, one.ties) == (len(found.won), len(found.lost), 8 - len(found.won) - len(found.lost))
    assert found.lost[0] == by_query["example_id"][0]
    assert by_query["change"].is_monotonic_increasing
    assert found.won[0] == by_query["example_id"].iloc[-1]
    assert one.judged_a == pytest.approx(by_query["judged_a"].mean())
    assert {"top", "overlap", "rbo"} <= set(by_query.columns)
    again = ws.retrieval.compare(found.a, found.b.run_id)
    assert again["ndcg"] == one
    assert found["condensed"].n == 8


def test_a_difference_in_what_was_judged_is_said(ws, asked):
    """Where one system finds what nobody judged, the notes point at fairer measures and at the pool."""
    found = ws.retrieval.compare(
        {key: ["other#1", f"{document}#1"] for key, _, document, _, _ in ASKED},
        {key: [{"id": document, "start": 0, "end": 300}] for key, _, document, _, _ in ASKED},
        asked,
        progress=False,
    )
    assert any("nobody judged" in one for one in found.notes)


def test_the_gate_gives_a_verdict(ws, asked):
    """Losses against a baseline and least values are criteria of an evaluation; nothing asked is refused."""
    good, weak = (measured(ws, Words(name, 80, weak=name == "weak"), asked) for name in ("good", "weak"))
    assert ws.retrieval.gate(weak, good, max_loss=0.01).outcome in ("fail", "inconclusive")
    assert ws.retrieval.gate(good, min_recall=0.01).outcome == "pass"
    verdict = ws.retrieval.gate(weak, min_ndcg=0.99)
    assert verdict.outcome == "fail"
    assert ws.evals.verdict(verdict.verdict_id).run_id == weak.run_id
    with pytest.raises(UsageError, match="nothing is asked"):
        ws.retrieval.gate(good)


def test_what_nobody_judged_goes_into_a_queue_and_comes_back(ws, asked):
    """Raters see query and passage and nothing of the systems; labels become judgements of spans."""
    systems = (Words("weak", 160, weak=True), Words("small", 80))
    sides = [measured(ws, one, asked, k=3) for one in systems]
    pool = ws.retrieval.pool(*sides, queue="pool", k=3, progress=False)
    items = ws.feedback.queues.items("pool")
    shown = ws.evals.get(items["run_id"][0]).df()
    assert pool.chunks == len(items) > 8
    assert not any(name in "".join(shown["output"]) for name in ("weak", "small"))
    turn = ws.feedback.queues.next("pool", rater="ann")
    for rater, grade in (("ann", 3), ("bob", 0), ("cem", 2)):
        ws.feedback.queues.label("pool", turn.position, {"grade": grade}, rater=rater)
    made = ws.retrieval.judged("pool", "asked")
    pair = next(one for one in ws.datasets.get("pool-pool").examples if one.example_id == turn.example_id)
    changed = next(one for one in made.examples if one.example_id == pair.metadata["query_id"])
    about = {key: pair.metadata[key] for key in ("document", "start", "end")}
    assert {**about, "grade": 2} in changed.metadata["judgements"]
    assert made.version == 2
    with pytest.raises(UsageError, match="nothing new"):
        ws.retrieval.judged("pool", "asked")
    again = ws.retrieval.compare(*systems, "asked", k=3, progress=False)
    assert again["judged"].a + again["judged"].b > sum(side["judged"].value for side in sides)


def test_bad_input_is_refused_before_anything_runs(ws, asked):
    """What was asked, what was found, what would do."""
    words = Words("small", 80)
    for k in (0, -1, True, 2.5):
        with pytest.raises(UsageError, match="k="):
            measured(ws, words, asked, k=k)
    with pytest.raises(UsageError, match="ties='random'"):
        measured(ws, words, asked, ties="random")
    with pytest.raises(UsageError, match="none of them is in asked@1"):
        measured(ws, {"q99": ["pets"]}, asked)
    with pytest.raises(UsageError, match="cannot be searched"):
        measured(ws, 7, asked)
    ws.datasets.save("plain", [{"input": "a?"}])
    with pytest.raises(UsageError, match="no query with a relevant document"):
        measured(ws, words, "plain")
    with pytest.raises(UsageError, match="queries: give the data set"):
        ws.retrieval.compare(words, words)
    one, other = (measured(ws, words, asked, k=k) for k in (3, 5))
    with pytest.raises(UsageError, match=r"k=3.*k=5"):
        ws.retrieval.compare(one, other)
    run = ws.evals.run(lambda question: "x", "plain", name="other", progress=False)
    with pytest.raises(UsageError, match="no measurement"):
        ws.retrieval.report(run)
    assert len(words.asked) == 16


def test_a_function_and_a_ranking_without_hits(ws, asked):
    """A function of a query can be measured; one that finds nothing is 0 everywhere, and unjudged."""
    found = measured(ws, lambda query: [], asked)
    assert (found["ndcg"].value, found.empty) == (0, 8)
    assert "judged" not in found.values or not found.values["judged"]
    made = Ranking(query="x", hits=(), index_fingerprint="f")
    assert measured(ws, lambda query, k: made, asked)["recall"].value == 0
