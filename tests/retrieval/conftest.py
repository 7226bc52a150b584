"""Help articles, settings to index them, and an endpoint that embeds."""

from __future__ import annotations

import pytest

from tests.models.conftest import Endpoint, Reply

ARTICLES = {
    "pets": "Cats pay half on the ferry. Dogs travel free of charge. A muzzle has to be at hand.",
    "refund": "A refund is paid within 14 days when the ferry is cancelled. It goes to the card that paid.",
    "bikes": "Bicycles are carried on the lower deck. Electric bicycles must be switched off.",
}


@pytest.fixture
def articles():
    """Three help articles by id."""
    return dict(ARTICLES)


@pytest.fixture
def docs(ws):
    """A workspace with settings for each kind of index that needs no network."""
    cut = {"name": "sentences", "size": 40}
    ws.retrieval.save("words", chunker=cut)
    ws.retrieval.save("vectors", chunker=cut, embedder="standin:embed-1")
    ws.retrieval.save("both", chunker=cut, embedder="standin:embed-1", kind="hybrid", reranker="standin:rerank")
    return ws


class Embeds:
    """An endpoint that makes vectors of four numbers, and fails when it is told."""

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.dim = 4
        self.fails_after = None
        self.turned = False
        endpoint.answer = self._answer

    @property
    def texts(self):
        """What was asked for."""
        return [text for asked in self.endpoint.asked for text in asked.body["input"]]

    def _answer(self, asked):
        if self.fails_after is not None and len(self.endpoint.asked) > self.fails_after:
            return Reply({"error": {"message": "out of order"}}, status=400)
        rows = [{"index": place, "embedding": self._vector(text)} for place, text in enumerate(asked.body["input"])]
        return Reply({"data": rows, "model": "vec-1", "usage": {"prompt_tokens": len(rows)}})

    def _vector(self, text):
        found = [1.0, float(len(text) % 7), float(text.count("e")), float(text.count("a"))]
        found = found[::-1] if self.turned else found
        return [*found, *[0.0] * self.dim][: self.dim]


@pytest.fixture
def embeds(ws):
    """The endpoint "house:vec-1", registered."""
    endpoint = Endpoint()
    ws.models.register("house", base_url=endpoint.url, model="vec-1")
    yield Embeds(endpoint)
    endpoint.close()
