"""Endpoints that never stop sending, or send what becomes a thousand times larger."""

import asyncio
import gzip
import json

import pytest

from lmops.errors import ModelError
from lmops.models._bounds import TooLargeError, new_transport

ASK = [{"role": "user", "content": "Hello?"}]


def fetch(endpoint, limit):
    async def ask():
        async with new_transport(limit) as client:
            return (await client.post(f"{endpoint.url}/chat/completions", json={"stream": False})).content

    return asyncio.run(ask())


def test_an_answer_ends_at_the_limit(endpoint, kit):
    """What is below it is read whole."""
    endpoint.reply(kit.reply(kit.completion("x" * 5000)))
    assert len(fetch(endpoint, 10_000)) > 5000
    with pytest.raises(TooLargeError, match="larger than 4,000 bytes"):
        fetch(endpoint, 4000)


@pytest.mark.parametrize("status", [200, 500])
def test_a_packed_answer_is_not_unpacked(ws, house, kit, status):
    """It was not asked for; it says so and is not tried again."""
    body = gzip.compress(json.dumps(kit.completion("x")).encode()).decode("latin-1")
    house.reply(kit.reply(body, status=status, headers={"Content-Encoding": "gzip"}))
    with pytest.raises(ModelError, match="packed with 'gzip'") as caught:
        ws.models.complete("house", ASK)
    assert (caught.value.kind, caught.value.is_retryable, len(house.asked)) == ("bad_response", False, 1)
    assert house.asked[0].headers["accept-encoding"] == "identity"


def test_a_stream_ends_at_the_limit(ws, house, kit, monkeypatch):
    """An error of ours in the middle, with the text so far."""
    from lmops.models import _openai

    monkeypatch.setattr(_openai, "_CLIENTS", _openai._Clients())
    monkeypatch.setattr(_openai, "new_transport", lambda: new_transport(3000))
    house.reply(kit.reply(pieces=[kit.chunk("word ") for _ in range(200)]))
    with pytest.raises(ModelError, match="larger than 3,000 bytes"):
        list(ws.models.stream("house", ASK))
