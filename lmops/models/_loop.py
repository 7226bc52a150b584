"""One event loop in one daemon thread of this process, where every request to an endpoint runs.

Connections, limits and retries live there, whoever calls: an application's loop, a notebook's, or no loop at all. So
one limit holds for the whole process, connections are reused by all of it, and a call without ``await`` works
inside a running loop. The caller's context variables go along, and with them the current span.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lmops.errors import UsageError

if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Awaitable, Callable, Coroutine

T = TypeVar("T")

_STOP_S: Final = 2.0


class Background:
    """The loop, started when it is first needed, and anew in a child process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._closers: list[Callable[[], Awaitable[object]]] = []

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The running loop."""
        if self._loop is None or self._pid != os.getpid():
            self._start()
        assert self._loop is not None  # noqa: S101 - just started
        return self._loop

    @property
    def is_here(self) -> bool:
        """Whether this code runs in the loop's thread."""
        return threading.current_thread() is self._thread

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run a coroutine on the loop and return its future."""
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for it here; an interrupt cancels it."""
        if self.is_here:
            work.close()
            raise UsageError("a call without await would wait for itself here: await acomplete(...) instead")
        future = self.submit(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

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
            self._thread = threading.Thread(target=self._loop.run_forever, name="lmops-models", daemon=True)
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


BACKGROUND: Final = Background()
atexit.register(BACKGROUND.stop)
if hasattr(os, "register_at_fork"):
    # The lock may be held by a thread that is not in the child.
    os.register_at_fork(after_in_child=lambda: setattr(BACKGROUND, "_lock", threading.Lock()))
