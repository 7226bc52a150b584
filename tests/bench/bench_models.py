"""What a call costs above the model itself: CPU per call over the stand-in, against the stand-in alone in this run."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

import lmops
from lmops.standin import ChatRequest, Message, chat_model, content

ROUNDS, CALLS = 9, 200
BAR_US = 60


def requests():
    """Return as many prompts as calls, as the sample application renders them."""
    system, _, template = content.prompt_text(2).partition("\n\n")
    sources = "[bikes#1] Bicycles\nA bicycle costs 9 euro. It is free for children."
    asked = [template.replace("{sources}", sources).replace("{question}", q.question) for q in content.questions()]
    pairs = [({"role": "system", "content": system}, {"role": "user", "content": user}) for user in asked]
    return [list(pairs[number % len(pairs)]) for number in range(CALLS)]


def alone(asked):
    """Return microseconds of CPU per call of the stand-in itself."""
    model, began = chat_model("standin:ferry-1"), time.process_time()
    for messages in asked:
        sent = tuple(Message(role=message["role"], content=message["content"]) for message in messages)
        model.complete(ChatRequest(model="ferry-1", messages=sent))
    return (time.process_time() - began) / len(asked) * 1e6


def through(ws, asked, **options):
    """Return microseconds of CPU per call through the workspace."""

    async def work():
        for messages in asked:
            await ws.models.acomplete("standin:ferry-1", messages, **options)

    began = time.process_time()
    asyncio.run(work())
    return (time.process_time() - began) / len(asked) * 1e6


def main() -> int:
    """Print the figures; return 1 when the bar is missed."""
    asked = requests()
    with lmops.open(":memory:") as ws:
        for warm_up in (alone, lambda all_: through(ws, all_), lambda all_: through(ws, all_, cache=True)):
            warm_up(asked)
        rounds = [(alone(asked), through(ws, asked), through(ws, asked, cache=True)) for _ in range(ROUNDS)]
        floor, plain, cached = (statistics.median(column) for column in zip(*rounds, strict=True))
        above = statistics.median(ours - own for own, ours, _ in rounds)
        ws.traces.instrument()
        through(ws, asked)
        traced = statistics.median(through(ws, asked) for _ in range(3)) - floor
    print(f"stand-in alone {floor:.0f} us, acomplete {plain:.0f} us: {above:.0f} us above (bar {BAR_US} us)")
    print(f"answer from the cache {cached:.0f} us; traced into the store {traced:.0f} us above the stand-in")
    return int(above > BAR_US)


if __name__ == "__main__":
    sys.exit(main())
