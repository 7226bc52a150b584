"""Production traces, and a judge that answers at once and costs what it costs."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from lmops.errors import ModelError
from lmops.monitors import Monitors
from lmops.scorers import build
from tests.store.helpers import START, llm

MINUTE = 60_000_000_000


def trace_id(number):
    return f"t{number:05}".encode().hex().rjust(32, "0")


def traces_of(numbers, **columns):
    """Return the spans of traces that ask how it is; each has a conversation of its own."""
    return [
        llm(
            f"t{one:05}",
            f"s{one:05}",
            start=START + one * MINUTE,
            input=f"q{one}",
            output="bad" if one % 4 == 0 else "good",
            session_id=f"c{one}",
            **columns,
        )
        for one in numbers
    ]


class Model:
    """Says what the answer is, for a cent; counts what it was asked."""

    def __init__(self, cost_usd=0.01, *, outage=False):
        self.asked = []
        self.cost_usd = cost_usd
        self.outage = outage

    async def acomplete(self, _model, messages, **_options):
        self.asked.append(messages[0]["content"])
        await asyncio.sleep(0)
        if self.outage:
            raise ModelError("it is gone", kind="connection")
        return SimpleNamespace(content=messages[0]["content"], cost_usd=self.cost_usd)


async def polite(output, complete):
    """Whether the answer is polite, as the model has it."""
    return (await complete("m", [{"role": "user", "content": output}])).content == "good"


POLITE = build(polite, name="polite", kind="judge", range=(0, 1))


@pytest.fixture
def model():
    return Model()


@pytest.fixture
def monitors(ws, model):
    """The monitors of a workspace with 200 traces, of which every fourth is bad."""
    ws.store.append_many({"spans": traces_of(range(200))})
    return Monitors(ws.project, models=lambda: model)


@pytest.fixture
def score(monitors):
    """Score without progress."""

    def run(scorers=POLITE, **given):
        return monitors.score(scorers, progress=False, **given)

    return run
