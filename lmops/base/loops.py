"""The bridge between code that awaits and code that waits: a loop in a thread beside the caller.

:func:`waited` is for one piece of work, :class:`Beside` for one that goes on while the caller does something else, and
:class:`Background` for what shares connections and limits as long as the process lives.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import os
import threading
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from lmops.base.endings import Caught, Undone
from lmops.errors import UsageError

if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Awaitable, Callable, Coroutine

T = TypeVar("T")

#: So long is waited for what was interrupted twice; a third interrupt ends that too.
_PATIENCE_S: Final = 5.0
_STOP_S: Final = 2.0


class Beside(Generic[T]):
    """A coroutine at work in a loop and a daemon thread of its own; the caller's context variables are there.

    Args:
        make: Makes the coroutine.
        name: Of the thread.
    """

    def __init__(self, make: Callable[[], Coroutine[Any, Any, T]], *, name: str) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._begun = threading.Event()
        self._ended = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._is_cancelled = False
        self._found: list[T] = []
        self._error: BaseException | None = None
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._work,), name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def cancel(self) -> None:
        """Cancel the coroutine, from any thread, also before it has begun; it may take its time to put things right."""
        with self._lock:
            self._is_cancelled = True
            if self._loop is not None and self._task is not None:
                with contextlib.suppress(RuntimeError):  # it ended meanwhile
                    self._loop.call_soon_threadsafe(self._task.cancel)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for its end, at most so many seconds, and return whether it has come."""
        return self._ended.wait(timeout_s)

    def give_up(self) -> None:
        """Cancel it and wait for its end, whatever that takes; another interrupt meanwhile leaves it a few seconds."""
        with contextlib.suppress(KeyboardInterrupt):
            self.cancel()
            if self._begun.wait(_PATIENCE_S):
                self._ended.wait()
        self._ended.wait(_PATIENCE_S)

    def result(self) -> T:
        """Return what the coroutine returned, or raise what it raised, when it has ended."""
        self._ended.wait()
        if self._error is not None:
            raise self._error
        return self._found[0]

    def _work(self) -> None:
        self._begun.set()
        caught = Caught(BaseException)
        with caught:  # raised again in the thread that asks for the result
            self._found.append(asyncio.run(self._main()))
        self._error = caught.error
        self._ended.set()

    async def _main(self) -> T:
        with self._lock:
            self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
            if self._is_cancelled and self._task is not None:
                self._task.cancel()
        return await self._make()


def waited(
    make: Callable[[], Coroutine[Any, Any, T]],
    *,
    name: str,
    tick: Callable[[], None] | None = None,
    every_s: float = 0.2,
) -> T:
    """Return what a coroutine returns, from a loop of its own, also where a loop is running already.

    An interrupt reaches the coroutine as a cancellation, which may take its time to put things in order; then it goes
    on here.

    Args:
        make: Makes the coroutine.
        name: Of the thread, where one is needed: inside of a running loop, or to be able to tick.
        tick: Called in this thread now and then while it works: a notebook shows progress from here only.
        every_s: Seconds between two calls.
    """
    if tick is None and not _is_looping():
        return asyncio.run(make())
    work = Beside(make, name=name)
    try:
        work.start()
        while not work.wait(None if tick is None else every_s):
            if tick is not None:
                tick()
    except KeyboardInterrupt:
        work.give_up()
        raise
    return work.result()


def _is_looping() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class Background:
    """One loop for good, in one daemon thread of this process, started when it is first needed and anew in a child.

    What shares connections and limits runs there, whoever calls: an application's loop, a notebook's, or no loop at
    all. The caller's context variables go along, and with them the current span.

    Args:
        name: Of the thread.
        refusal: What is said to who would wait for the loop inside of it, for ever.
    """

    def __init__(self, *, name: str, refusal: str) -> None:
        self._name = name
        self._refusal = refusal
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._closers: list[Callable[[], Awaitable[object]]] = []
        atexit.register(self.stop)
        if hasattr(os, "register_at_fork"):
            # The lock may be held by a thread that is not in the child.
            os.register_at_fork(after_in_child=lambda: setattr(self, "_lock", threading.Lock()))

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The running loop."""
        if self._loop is None or self._pid != os.getpid():
            self._start()
        assert self._loop is not None
        return self._loop

    @property
    def is_here(self) -> bool:
        """Whether this code runs in the loop's thread."""
        return threading.current_thread() is self._thread

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run a coroutine on the loop and return its future."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for it here; an interrupt cancels it, whenever it comes."""
        if self.is_here:
            work.close()
            raise UsageError(self._refusal)
        tasks: list[asyncio.Task[T]] = []
        is_over = threading.Event()

        async def held() -> T:
            task: asyncio.Task[T] | None = asyncio.current_task()
            assert task is not None
            tasks.append(task)
            # it is held before this is asked, and the other way round below: one of the two sees the other
            if is_over.is_set():
                task.cancel()
            return await work

        def give_up() -> None:
            is_over.set()
            for task in tasks:
                self.loop.call_soon_threadsafe(task.cancel)

        # The interrupt may come before there is a future to cancel, when the loop is at work already.
        with Undone(give_up):
            return self.submit(held()).result()

    async def hop(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and await it from any loop; cancelling here cancels it there."""
        if self.is_here:
            return await work
        return await asyncio.wrap_future(self.submit(work))

    def on_exit(self, closer: Callable[[], Awaitable[object]]) -> None:
        """Await this on the loop before it stops."""
        self._closers.append(closer)

    def _start(self) -> None:
        with self._lock:
            if self._loop is not None and self._pid == os.getpid():
                return
            self._loop = asyncio.new_event_loop()
            self._pid = os.getpid()
            self._closers = []
            self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Cancel what runs, close the connections and end the thread."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or self._pid != os.getpid():
            return
        with contextlib.suppress(Exception):
            asyncio.run_coroutine_threadsafe(self._wind_up(), loop).result(_STOP_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_STOP_S)
        if not thread.is_alive():
            loop.close()
        self._loop = self._thread = None

    async def _wind_up(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(closer() for closer in self._closers), return_exceptions=True)
