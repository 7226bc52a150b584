import asyncio
import contextlib
import contextvars
import signal
import threading
import time

import pytest

from lmops.base.loops import Background, Beside, waited
from lmops.errors import UsageError

WORD = contextvars.ContextVar("WORD", default="nothing")


@pytest.fixture
def interrupt():
    """Ctrl+C in the main thread, also where a shell has SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def background():
    found = Background(name="test-loop", refusal="not in here")
    yield found
    found.stop()


async def said():
    await asyncio.sleep(0)
    return WORD.get()


async def failing():
    raise ValueError("no ferry")


async def held(seen, begun=lambda: None):
    """Stay until cancelled, and take a moment to put things in order."""
    try:
        begun()
        await asyncio.sleep(600)
    finally:
        await asyncio.sleep(0.01)
        seen.append("in order")


async def calling(call):
    return call()


def inside(call):
    """Call as a cell of a notebook does: without await, in a running loop that leaves Ctrl+C to the cell."""
    with contextlib.closing(asyncio.new_event_loop()) as loop:
        return loop.run_until_complete(calling(call))


@pytest.mark.parametrize("tick", [None, lambda: None])
def test_waited_works_with_and_without_a_running_loop(tick):
    """A script and a notebook get the same answer and the same error, with the caller's context variables."""
    WORD.set("Skarholm")
    assert waited(said, name="test", tick=tick) == "Skarholm"
    assert inside(lambda: waited(said, name="test", tick=tick)) == "Skarholm"
    with pytest.raises(ValueError, match="no ferry"):
        waited(failing, name="test", tick=tick)
    with pytest.raises(ValueError, match="no ferry"):
        inside(lambda: waited(failing, name="test", tick=tick))


def test_an_interrupt_cancels_what_is_waited_for(interrupt):
    """Ctrl+C in a script, in a notebook and between two ticks: what runs puts things in order before it goes on."""
    seen = []
    with pytest.raises(KeyboardInterrupt):
        waited(lambda: held(seen, interrupt), name="test")
    with pytest.raises(KeyboardInterrupt):
        inside(lambda: waited(lambda: held(seen, interrupt), name="test"))
    with pytest.raises(KeyboardInterrupt):
        waited(lambda: held(seen, interrupt), name="test", tick=lambda: None, every_s=0.01)
    assert seen == ["in order"] * 3


def test_it_ticks_in_the_thread_that_waits():
    """A notebook shows progress from its own thread only."""
    ticked, done = [], threading.Event()

    def tick():
        ticked.append(threading.current_thread())
        done.set()

    async def work():
        while not done.is_set():  # noqa: ASYNC110 - set in another thread
            await asyncio.sleep(0.001)

    waited(work, name="test", tick=tick, every_s=0.001)
    assert set(ticked) == {threading.current_thread()}


def test_work_beside_is_cancelled_from_another_thread():
    """It ends after it has put things in order, and its result is that it was cancelled."""
    seen, begun = [], threading.Event()
    work = Beside(lambda: held(seen, begun.set), name="test")
    work.start()
    assert begun.wait(60)
    assert not work.wait(0)
    work.cancel()
    assert work.wait(60)
    assert seen == ["in order"]
    with pytest.raises(asyncio.CancelledError):
        work.result()
    work.cancel()  # nothing is left of it


def test_work_that_is_cancelled_before_it_begins_does_not_go_on():
    """The order is kept until there is something to cancel."""
    seen = []
    work = Beside(lambda: held(seen), name="test")
    work.cancel()
    work.start()
    with pytest.raises(asyncio.CancelledError):
        work.result()
    assert seen == ["in order"]


def test_the_loop_of_the_process_serves_loops_and_none(background):
    """It answers a script, a notebook and who awaits it, and refuses who would wait for it inside of it."""
    WORD.set("Hollin Bay")
    assert background.run(said()) == "Hollin Bay"
    assert inside(lambda: background.run(said())) == "Hollin Bay"
    assert asyncio.run(background.hop(said())) == "Hollin Bay"
    with pytest.raises(UsageError, match="not in here"):
        background.run(calling(lambda: background.run(said())))


def test_an_interrupt_cancels_on_the_loop_of_the_process(background, interrupt):
    """Nothing is left running there, whether the caller was interrupted or cancelled."""
    seen = []
    with pytest.raises(KeyboardInterrupt):
        background.run(held(seen, interrupt))

    async def cancelled():
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()
        hopping = asyncio.ensure_future(background.hop(held(seen, lambda: loop.call_soon_threadsafe(begun.set))))
        await begun.wait()
        hopping.cancel()
        await hopping

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())

    async def left():
        while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - they are ending
            await asyncio.sleep(0.001)

    background.run(left())
    assert seen == ["in order"] * 2


def test_an_interrupt_before_there_is_a_future_cancels_too():
    """The loop may be at work before whoever asked has anything to cancel."""

    class Interrupted(Background):
        def submit(self, work):
            super().submit(work)
            raise KeyboardInterrupt

    seen = []
    found = Interrupted(name="test-loop", refusal="not in here")
    with pytest.raises(KeyboardInterrupt):
        found.run(held(seen))
    until = time.monotonic() + 30
    while not seen and time.monotonic() < until:
        time.sleep(0.01)
    assert seen == ["in order"]
    found.stop()
