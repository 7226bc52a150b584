"""Many requests against an arm that dies at half way and comes back: none lost, none doubled, all in the trace."""

from __future__ import annotations

import asyncio

from tests.models.conftest import Reply, completion

REQUESTS = 240  # a thousand are in the bench
ROUTE = {
    "arms": {"main": {"model": "first", "weight": 1}, "spare": {"model": "second"}},
    "fallbacks": ["spare"],
    "timeout_s": 20,
    "circuit": {"failures": 5, "of": 10, "window_s": 60, "open_s": 0.05},
}


async def stormed(ws, numbers):
    """Send requests, 16 at a time, and return what came of each."""
    places = asyncio.Semaphore(16)

    async def one(number):
        async with places:
            return await ws.routing.acall("support", f"question {number}", key=str(number))

    return await asyncio.gather(*map(one, numbers))


def test_a_storm_loses_and_doubles_nothing(ws, endpoints):
    """The circuit opens and closes; every attempt is a span, and every answer has its cost."""
    handle = ws.traces.instrument(block_ms=10_000)
    ws.routing.set("support", ROUTE)
    main, spare = endpoints
    main.answer = lambda _asked: Reply(completion()) if len(main.asked) <= REQUESTS // 2 else Reply("down", status=500)
    found = asyncio.run(stormed(ws, range(REQUESTS)))
    assert ws.routing.status("support").arms[0].circuit != "closed"
    main.answer = None
    asyncio.run(asyncio.sleep(0.1))
    found += asyncio.run(stormed(ws, range(REQUESTS, REQUESTS + 50)))
    assert ws.routing.status("support").arms[0].circuit == "closed"
    handle.flush()
    answered = [asked.body["messages"][0]["content"] for asked in (*main.asked[: REQUESTS // 2], *spare.asked)]
    answered += [one.body["messages"][0]["content"] for one in main.asked[REQUESTS // 2 :] if said_ok(found, one)]
    assert sorted(answered) == sorted(f"question {number}" for number in range(REQUESTS + 50))
    sent = len(main.asked) + len(spare.asked)
    query = "select count(*), sum(attempts)::int, count(cost_usd) from routing_decisions"
    assert ws.sql(query).fetchall() == [(REQUESTS + 50, sent, REQUESTS + 50)]
    assert ws.sql("select count(*), count(cost_usd) from llm_calls").fetchall() == [(sent, REQUESTS + 50)]
    assert len(main.asked) < REQUESTS  # it was left alone for a while


def said_ok(found, asked):
    """Return whether a request was answered by the arm that it was sent to first."""
    number = int(asked.body["messages"][0]["content"].split()[1])
    return found[number].choice.arm == "main"
