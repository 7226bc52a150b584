"""A workspace with two versions of a prompt, and models that answer as a test says."""

from __future__ import annotations

import pytest

from lmops.routing import Routing
from tests.models.conftest import Endpoint


@pytest.fixture
def routed(ws):
    """A workspace with the prompts answer@1, answer@2 and answer@3, and the policy "strict"."""
    ws.guardrails.save("strict", input=["secrets"])
    for number in (1, 2, 3):
        ws.prompts.save("answer", f"{number}: {{{{ question }}}}", model="standin:ferry-1")
    return ws


@pytest.fixture
def endpoints(ws, monkeypatch):
    """Two loopback endpoints under the names "first" and "second", whose tokens have a price."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    found = [Endpoint(), Endpoint()]
    for name, one in zip(("first", "second"), found, strict=True):
        ws.models.register(name, base_url=one.url, model="house-1", provider="house")
    ws.models.set_price("house-1-0315", provider="house", input_usd_per_mtok=1.0, output_usd_per_mtok=10.0)
    yield found
    for one in found:
        one.close()


@pytest.fixture
def scripted(ws):
    """Routes whose models answer by a function of the name of the model; ``asked`` are the names."""

    class Scripted:
        def __init__(self):
            self.asked = []
            self.answer = lambda _model: "Hello."
            self.routing = Routing(ws.project, models=lambda: self)

        def endpoint(self, model):
            return model

        async def awarm(self, model):
            pass

        async def acomplete(self, model, _messages, **_options):
            self.asked.append(model)
            said = self.answer(model)
            return await said if hasattr(said, "__await__") else said

    return Scripted()
