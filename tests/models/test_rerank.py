"""How relevant documents are to a query, asked of an endpoint that says nothing else."""

import pytest

from lmops.errors import ModelError, UsageError


def test_documents_are_asked_in_one_request_and_scored_in_their_order(ws, house, kit):
    """Under /rerank, as Cohere, Jina and vLLM have it; what was left out has no score; what it took is known."""
    rows = [{"index": 2, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.2}]
    body = {"id": "r-1", "results": rows, "meta": {"billed_units": {"search_units": 1}}}
    house.reply(kit.reply({"error": {"message": "busy"}}, status=503), kit.reply(body))
    ws.traces.instrument(clients=False)
    found = ws.models.rerank("house", "do dogs pay?", ["fares", "bikes", "pets"], params={"top_n": 2})
    ws.traces.stop_instrumentation()
    assert found.scores == (0.2, None, 0.9)
    assert found.usage.units == {"rerank_searches": 1}
    assert repr(found) == "<Reranking house-1: 2 of 3 scored>"
    asked = house.asked[-1]
    assert asked.path.endswith("/v1/rerank")
    assert asked.headers["authorization"] == f"Bearer {kit.key}"
    assert asked.body == {
        "model": "house-1", "query": "do dogs pay?", "documents": ["fares", "bikes", "pets"], "top_n": 2,
    }  # fmt: skip  # as it is sent
    assert ws.sql("select kind, is_call, model, provider from spans").fetchall() == [
        ("reranker", True, "house-1", "house")
    ]


def test_other_forms_of_an_answer(ws, endpoint, kit):
    """Voyage has data and tokens; Text Embeddings Inference a list, and another word for documents."""
    ws.models.register("voyage", base_url=endpoint.url, model="rerank-2")
    ws.models.register("tei", base_url=endpoint.url, model="bge", provider="tei")
    endpoint.reply(
        kit.reply({"data": [{"index": 0, "relevance_score": 1}], "model": "r", "usage": {"total_tokens": 7}}),
        kit.reply([{"index": 1, "score": -2.5}, {"index": 0, "score": 3}]),
    )
    found = ws.models.rerank("voyage", "q", ["a"])
    assert (found.scores, found.model, found.usage.input_tokens) == ((1.0,), "r", 7)
    assert ws.models.rerank("tei", "q", ["a", "b"]).scores == (3.0, -2.5)
    assert endpoint.asked[-1].body["texts"] == ["a", "b"]


@pytest.mark.parametrize(
    "rows",
    [
        None,
        [],
        ["a"],
        [{"index": 2, "relevance_score": 1}],
        [{"index": True, "relevance_score": 1}],
        [{"index": 0}],
        [{"index": 0, "relevance_score": "1"}],
        [{"index": 0, "relevance_score": 1}, {"index": 0, "relevance_score": 2}],
    ],
)
def test_what_is_no_score_is_an_error(ws, house, kit, rows):
    """Nothing is ordered by what an endpoint made up."""
    house.reply(kit.reply({"results": rows}))
    with pytest.raises(ModelError) as caught:
        ws.models.rerank("house", "q", ["a", "b"])
    assert caught.value.kind == "bad_response"


def test_who_cannot_rerank_is_said_before_anything_is_sent(ws, house):
    """And a document that is none, and none at all."""
    for model, documents in (("standin:ferry-1", ["a"]), ("house", [])):
        with pytest.raises(UsageError, match="answers under /rerank"):
            ws.models.rerank(model, "q", documents)
    with pytest.raises(UsageError, match="item 2 is a NoneType"):
        ws.models.rerank("house", "q", ["a", None])
    assert house.asked == []
