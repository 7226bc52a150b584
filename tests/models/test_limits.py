"""How many requests an endpoint gets at once."""

import asyncio
from random import Random

import pytest

from lmops.errors import ModelError
from lmops.models._limits import Limiter
from lmops.models._retry import with_retries

ASK = "Hello?"


def run(work):
    return asyncio.run(asyncio.wait_for(work, 10))


def test_a_limiter_lets_in_as_many_as_it_says():
    """The others wait their turn, first come first served."""

    async def work():
        found, order = Limiter(maximum=2), []

        async def one(number):
            cuts = await found.acquire()
            order.append(number)
            assert found.in_flight <= 2
            await asyncio.sleep(0)
            found.release(cuts, "ok")

        await asyncio.gather(*(one(number) for number in range(20)))
        assert order == list(range(20))
        assert (found.in_flight, found.waiting, found.successes) == (0, 0, 20)

    run(work())


def test_an_overload_halves_once_for_each_round_trip():
    """Forty requests that were out together are told the same thing, which is one thing to learn."""

    async def work():
        found = Limiter(maximum=64, start=40)
        out = [await found.acquire() for _ in range(40)]
        for cuts in out:
            found.release(cuts, "overload")
        assert (found.limit, found.cuts) == (20, 1)
        found.release(await found.acquire(), "overload")
        assert (found.limit, found.cuts) == (1, 2)  # one was out: half of what was in use, at least 1

    run(work())


def test_a_window_of_successes_adds_one_when_the_limit_binds():
    """An endpoint that is hardly used teaches nothing about how much it would bear."""

    async def work():
        found = Limiter(maximum=5, start=4)
        for _ in range(20):
            found.release(await found.acquire(), "ok")
        assert found.limit == 4
        for expected in (5, 5, 5):
            out = [await found.acquire() for _ in range(found.limit)]
            # The first to come back finds the limit used up, and so on for a whole window.
            for cuts in out:
                found.release(cuts, "ok")
                if found.in_flight < found.limit:
                    await found.acquire()
            assert found.limit <= expected
            found.in_flight = 0
        assert found.limit == 5

    run(work())


def test_a_pause_holds_back_everybody():
    """Nobody enters until it is over, and then no more than the limit."""

    async def work():
        found, loop = Limiter(maximum=3), asyncio.get_running_loop()
        found.pause(0.05)
        began, entered = loop.time(), []

        async def one():
            await found.acquire()
            entered.append(loop.time() - began)

        tasks = [asyncio.create_task(one()) for _ in range(6)]
        await asyncio.wait(tasks, timeout=0.3)
        assert len(entered) == found.in_flight == 3
        assert min(entered) >= 0.049
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert found.waiting == 0

    run(work())


@pytest.mark.parametrize("is_let_in", [False, True])
def test_a_cancelled_call_gives_its_place_to_the_next(is_let_in):
    """Whether it still waited or had just been let in."""

    async def work():
        found = Limiter(maximum=1)
        cuts = await found.acquire()
        first, second = (asyncio.create_task(found.acquire()) for _ in range(2))
        await asyncio.sleep(0)
        if is_let_in:
            found.release(cuts, "ok")
            first.cancel()
        else:
            first.cancel()
            await asyncio.sleep(0)
            found.release(cuts, "ok")
        await second
        assert (found.in_flight, found.waiting) == (1, 0)

    run(work())


def test_the_limit_settles_around_what_is_borne():
    """Two hundred calls where eight are borne: few are turned away, and in the end about eight are out."""
    found, out, turned_away, seen = Limiter(maximum=256), [0], [0], []

    async def attempt():
        out[0] += 1
        seen.append(found.limit)
        is_too_much = out[0] > 8
        await asyncio.sleep(0.005)
        out[0] -= 1
        if is_too_much:
            turned_away[0] += 1
            raise ModelError("slow down", kind="rate_limit", is_retryable=True, status=429, retry_after_s=0.01)

    async def one():
        return await with_retries(attempt, limiter=found, max_wait_s=60, random=Random(1), on_retry=lambda *_: None)

    async def work():
        return await asyncio.gather(*(one() for _ in range(200)))

    assert len(run(work())) == found.successes == 200
    assert max(seen[-100:]) <= 9
    assert turned_away[0] < 150


def test_a_hundred_calls_settle_to_what_the_endpoint_bears(ws, house, kit):
    """It turns away more than eight at once; the limit falls to about that, and every call succeeds."""

    def answer(asked):
        if house.in_flight > 8:
            return kit.reply({"error": {"message": "slow down"}}, status=429, headers={"retry-after-ms": "60"})
        return kit.reply(kit.completion(), delay_s=0.1)

    house.answer = answer

    async def work():
        return await asyncio.gather(*(ws.models.acomplete("house", ASK) for _ in range(100)))

    found = run(work())
    assert [one.content for one in found] == ["Hello."] * 100
    limits = ws.models.limits().set_index("endpoint").loc[house.url]
    assert 1 <= limits.limit < 48
    assert (limits.in_flight, limits.waiting, limits.successes) == (0, 0, 100)
    assert limits.cuts >= 1
    assert house.most <= 64


def test_a_registered_limit_is_kept(ws, house, kit):
    """Two threads and two workspaces cannot get around it: it is that of the process."""
    import lmops

    ws.models.register("house", base_url=house.url, model="house-1", api_key_env="HOUSE_KEY", max_concurrency=3)
    house.reply(kit.reply(kit.completion(), delay_s=0.02))

    async def work(models):
        await asyncio.gather(*(models.acomplete("house", ASK) for _ in range(10)))

    with lmops.open(ws.store.path) as other:

        async def both():
            await asyncio.gather(work(ws.models), asyncio.to_thread(asyncio.run, work(other.models)))

        run(both())
    assert len(house.asked) == 20
    assert house.most <= 3
