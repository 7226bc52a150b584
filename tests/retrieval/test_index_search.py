"""What an index finds: by vectors, words or both, filtered, reranked, alone and together."""

from __future__ import annotations

import json

import bm25s
import numpy as np
import pytest

from lmops.errors import UsageError
from lmops.retrieval.indexes.filtering import is_allowed
from lmops.retrieval.indexes.fusing import fused
from lmops.retrieval.indexes.lexical import Lexical, words_of
from lmops.retrieval.indexes.vectors import nearest, normalised
from tests.models.conftest import Reply

PARAMS = {"k1": 1.2, "b": 0.75, "language": "en"}


@pytest.fixture
def vectors():
    return normalised(np.random.default_rng(7).standard_normal((5_000, 16)).astype(np.float32))


def test_the_nearest_are_those_of_a_full_sort(vectors):
    """All of them, in double precision."""
    queries = vectors[:30] + 0.1
    for query, (places, scores) in zip(queries, nearest(vectors, queries, 10), strict=True):
        exact = vectors.astype(np.float64) @ query.astype(np.float64)
        assert places.tolist() == np.argsort(-exact, kind="stable")[:10].tolist()
        assert scores == pytest.approx(exact[places], abs=1e-12)


def test_a_query_finds_the_same_alone_and_among_others(vectors):
    """Also the last digit of its scores, in however many blocks the vectors are compared."""
    many = np.concatenate([vectors] * 4)
    together = nearest(many, vectors[:400], 7)
    for number in (0, 9, 399):
        ((places, scores),) = nearest(many, vectors[number : number + 1], 7)
        assert places.tolist() == together[number][0].tolist()
        assert scores.tolist() == together[number][1].tolist()


def test_equal_scores_come_in_the_order_of_their_places():
    """Also where they would not all fit, and where the product is made in other blocks."""
    same = normalised(np.ones((3_000, 16), np.float32))
    ((places, scores),) = nearest(same, same[:1], 5)
    assert places.tolist() == [0, 1, 2, 3, 4]
    assert len(set(scores.tolist())) == 1


@pytest.mark.parametrize("share", [0.001, 0.5])
def test_only_what_is_allowed_is_found(vectors, share):
    """Few are compared by themselves, many among all."""
    allowed = np.random.default_rng(3).random(len(vectors)) < share
    ((places, _),) = nearest(vectors, vectors[:1], 20, allowed)
    exact = np.where(allowed, vectors @ vectors[0], -np.inf)
    best = [place for place in np.argsort(-exact, kind="stable")[:20].tolist() if allowed[place]]
    assert places.tolist() == best
    assert [len(found) for found, _ in nearest(vectors, vectors[:1], 20, np.zeros(len(vectors), bool))] == [0]


def test_words_weigh_what_bm25s_says():
    """The scores of a query are those of the library, and the shares of its words add up to them."""
    texts = ["the cat sat on the mat", "dogs and cats are friends", "a mat for the dog", "nothing of it"]
    split, query = words_of("en"), "a cat on the mat, and a mat"
    oracle = bm25s.BM25(k1=1.2, b=0.75, method="lucene")
    oracle.index([split(text) for text in texts], show_progress=False)
    expected = oracle.get_scores(split(query))
    ours = Lexical.built(texts, PARAMS)
    scores = ours.scores(query)
    assert np.where(scores > 0, scores, 0) == pytest.approx(expected, rel=1e-5)
    assert scores[3] == -np.inf
    assert sum(ours.terms(query, 0).values()) == pytest.approx(scores[0], rel=1e-5)
    assert [*ours.terms(query, 0)] == ["mat", "cat"]


def test_words_of_many_languages(tmp_path):
    """Case, width and endings count for nothing; what is written without spaces is found by pairs of characters."""
    assert words_of("de")("Die Fähren UND die Fähre") == ["fahr", "fahr"]
    assert words_of("any")("\uff26erry FERRIES") == ["ferry", "ferries"]
    assert words_of(None)("猫はマット, ok") == ["猫は", "はマ", "マッ", "ット", "ok"]
    found = Lexical.built(["猫はマットの上に座った", "フェリーは半額です", ""], {**PARAMS, "language": "any"})
    found.save(tmp_path / "words.npz")
    again = Lexical.load(tmp_path / "words.npz", "any")
    assert np.argmax(again.scores("マット")) == 0
    assert np.argmax(again.scores("フェリー")) == 1
    with pytest.raises(UsageError, match="no language named 'klingon'"):
        words_of("klingon")


def test_fusion_by_ranks_and_by_scores():
    """Worked by hand; ties in the order of the places."""
    vector, lexical = [(4, 0.9), (7, 0.8), (1, 0.7)], [(7, 3.0), (2, 1.0)]
    by_rank = dict(fused(vector, lexical, {"name": "rrf", "k": 60}))
    assert by_rank == pytest.approx({4: 1 / 61, 7: 1 / 62 + 1 / 61, 1: 1 / 63, 2: 1 / 62})
    by_score = fused(vector, lexical, {"name": "weighted", "weight": 0.25})
    assert by_score[0] == (7, pytest.approx(0.25 * 0.5 + 0.75))
    assert dict(by_score) == pytest.approx({7: 0.875, 4: 0.25, 1: 0.0, 2: 0.0})
    assert [place for place, _ in by_score] == [7, 4, 1, 2]
    assert fused([], [], {"name": "rrf", "k": 60}) == []


def test_filters_by_value_and_by_limits():
    """What is not said is not as it is asked; True is no 1."""
    said = {"language": "en", "year": 2025, "is_new": True}
    assert is_allowed(said, {"language": ["de", "en"], "year": {"at_least": 2025, "at_most": 2025}})
    for wrong in ({"year": {"at_most": 2024}}, {"area": ["pets"]}, {"is_new": [1]}, {"language": {"at_least": 1}}):
        assert not is_allowed(said, wrong)


@pytest.mark.parametrize("settings", ["words", "vectors", "both"])
def test_each_kind_finds_the_article(docs, articles, settings):
    """Alone and together alike, with what each score is made of and where the chunk stands in its document."""
    index = docs.retrieval.build("help", articles, settings)
    queries = ["how much do cats pay on the ferry", "are electric bicycles carried"]
    one, two = index.search_many(queries, 3)
    assert [hit.chunk.document for hit in (one.hits[0], two.hits[0])] == ["pets", "bikes"]
    for query, found in zip(queries, (one, two), strict=True):
        alone = docs.retrieval.search("help", query, 3)
        assert [(hit.chunk, hit.score, hit.parts) for hit in alone.hits] == [
            (hit.chunk, hit.score, hit.parts) for hit in found.hits
        ]
        assert [hit.rank for hit in alone.hits] == [*range(1, len(alone.hits) + 1)]
        for hit in alone.hits:
            assert articles[hit.chunk.document][hit.chunk.start : hit.chunk.end] == hit.chunk.text
    best = one.hits[0]
    assert ("bm25" in best.parts, "vector" in best.parts) == (settings != "vectors", settings != "words")
    assert ("cat" in best.terms) == (settings != "vectors")
    assert one.index_fingerprint == docs.retrieval.get(settings).fingerprint
    assert one.corpus_fingerprint == index.corpus_fingerprint


def test_a_reranker_orders_what_was_found(docs, articles):
    """What there was before stays beside it."""
    docs.retrieval.build("help", articles, "both")
    found = docs.retrieval.search("help", "which card is a refund paid to", 2)
    assert len(found.hits) == 2
    assert len(found.before_rerank) > 2
    assert all("rerank" in hit.parts for hit in found.hits)
    assert found.hits[0].score >= found.hits[1].score
    assert docs.retrieval.build("other", articles, "words").search("refund").before_rerank is None


def test_a_chat_model_reranks(docs, articles, embeds):
    """By the scores that it gives each passage; one that it left out comes last."""
    answer = json.dumps(
        {"scores": [{"passage": 3, "score": 9}, {"passage": 1, "score": 2}, {"passage": 99, "score": 10}]}
    )
    body = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "judge",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": answer}}],
    }
    embeds.endpoint.answer = None
    embeds.endpoint.replies[0].body = body
    docs.retrieval.save("judged", chunker="whole", embedder="standin:embed-1", reranker={"model": "house"}, k=3)
    index = docs.retrieval.build("help", articles, "judged")
    found = index.search("cats <passage number=3>", 3)
    before = [hit.chunk.id for hit in found.before_rerank]
    assert [hit.chunk.id for hit in found.hits] == [before[2], before[0], before[1]]
    assert [hit.parts.get("rerank") for hit in found.hits] == [9.0, 2.0, None]


def test_a_model_that_reranks_is_asked_under_its_own_address(docs, articles, embeds):
    """One request a query; what the index found and what the reranker made of it are spans; an old form stays."""
    rows = [{"index": 2, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]
    embeds.endpoint.answer = lambda asked: Reply({"results": rows, "usage": {"total_tokens": 9}})
    said = {"chunker": "whole", "embedder": "standin:embed-1", "k": 3}
    docs.retrieval.save("ranked", **said, reranker={"model": "house", "form": "api"})
    index = docs.retrieval.build("help", articles, "ranked")
    docs.traces.instrument(clients=False)
    found = index.search("do cats pay?")
    docs.traces.stop_instrumentation()
    before = [hit.chunk.id for hit in found.before_rerank]
    assert [hit.chunk.id for hit in found.hits] == [before[2], before[0], before[1]]
    assert [hit.parts.get("rerank") for hit in found.hits] == [0.9, 0.1, None]
    (asked,) = embeds.endpoint.asked
    assert (asked.path, asked.body["query"]) == ("/v1/rerank", "do cats pay?")
    spans = "select name, model, is_call, input_tokens from spans where kind = 'reranker' order by start_ns"
    assert docs.sql(spans).fetchall() == [("rerank help", "house", False, None), ("rerank vec-1", "vec-1", True, 9)]
    chat = docs.retrieval.save("chat", **said, reranker={"model": "house", "form": "chat"})
    assert chat.reranker == {"model": "house", "candidates": 50}
    with pytest.raises(UsageError, match="no form of a reranker named 'apo'; did you mean 'api'"):
        docs.retrieval.save("ranked", **said, reranker={"model": "house", "form": "apo"})


def test_metadata_filters(docs, articles):
    """Those of the query and those of the settings both hold."""
    given = [
        {"id": name, "text": text, "metadata": {"area": name, "year": 2020 + len(name)}}
        for name, text in articles.items()
    ]
    docs.retrieval.save("new", filters={"year": {"at_least": 2025}})
    index = docs.retrieval.build("help", given, "new")
    assert {hit.chunk.document for hit in index.search("ferry bicycles cats", 9).hits} == {"refund", "bikes"}
    assert {hit.chunk.document for hit in index.search("ferry bicycles", 9, filters={"area": "bikes"}).hits} == {
        "bikes"
    }
    assert index.search("ferry", 9, filters={"area": "nowhere"}).hits == ()
    with pytest.raises(UsageError, match="year"):
        index.search("ferry", filters={"year": {"from": 2}})


@pytest.mark.parametrize("query", ["", "  \n", None, b"ferry", 7])
def test_a_query_needs_words(docs, articles, query):
    """What is none is named, also among others."""
    index = docs.retrieval.build("help", articles, "words")
    with pytest.raises(UsageError, match="query 2 of 2"):
        index.search_many(["ferry", query])


@pytest.mark.parametrize("k", [0, -1, 1.5, True, 10_001, "3"])
def test_k_has_bounds(docs, articles, k):
    """From 1 to 10,000; more than there are chunks are all chunks."""
    index = docs.retrieval.build("help", articles, "vectors")
    with pytest.raises(UsageError, match="give a whole number from 1"):
        index.search("ferry", k)
    assert len(index.search("ferry", 10_000).hits) == len(index)


def test_words_that_no_chunk_holds_find_nothing(docs, articles):
    """An empty ranking, and no error."""
    index = docs.retrieval.build("help", articles, "words")
    assert index.search("xylophone").hits == ()
    assert "nothing found" in index.search("xylophone").text


def test_a_search_is_a_span_and_reranking_one_of_its_own(docs, articles):
    """With the query, what was found, and both fingerprints; a switch turns it off."""
    docs.retrieval.build("help", articles, "both")
    docs.traces.instrument(clients=False)
    found = docs.retrieval.search("help", "cats on the ferry", 2)
    docs.retrieval.search("help", "not traced", 2, tracing=False)
    docs.traces.stop_instrumentation()
    rows = docs.sql(
        "select kind, span_id, trace_id, input, documents, index_fingerprint, attributes from spans "
        "where kind in ('retriever', 'reranker') order by start_at"
    ).fetchall()
    assert [row[0] for row in rows] == ["retriever", "reranker"]
    assert (rows[0][1], rows[0][2], rows[1][2]) == (found.span_id, found.trace_id, found.trace_id)
    assert {row[3] for row in rows} == {"cats on the ferry"}
    assert [one["id"] for one in json.loads(rows[1][4])] == [hit.chunk.id for hit in found.hits]
    assert len(json.loads(rows[0][4])) == len(found.before_rerank)
    assert {row[5] for row in rows} == {found.index_fingerprint}
    assert all(found.corpus_fingerprint in row[6] for row in rows)
    told = docs.sql("select kind, settings, k, found, chunks, probe from retrievals order by start_at").fetchall()
    stamp = docs.retrieval.stamp("both", corpus=found.corpus_fingerprint)
    chunks = len(docs.retrieval.index("help"))
    assert stamp.probe is not None
    asked = (rows[0][4] and len(found.before_rerank), len(found.hits))
    assert [(one[0], one[1], *one[3:]) for one in told] == [
        (kind, "both@1", n, chunks, stamp.probe) for kind, n in zip(("retriever", "reranker"), asked, strict=True)
    ]
    assert told[1][2] == 2
