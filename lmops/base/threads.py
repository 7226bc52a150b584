"""Threads beside an event loop, for functions that block."""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from lmops.base.endings import Caught

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Threads:
    """Runs functions in daemon threads; one that hangs is left behind and costs nobody anything.

    An executor would wait for it when the interpreter ends, and lose one of its threads to it until then.
    """

    def __init__(self) -> None:
        self._idle: list[queue.SimpleQueue[Any]] = []

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Return what the function returns; the caller's context variables are there."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        work = self._idle.pop() if self._idle else self._start()
        context = contextvars.copy_context()
        work.put((context, function, args, loop, done))
        try:
            return await done
        finally:
            if not done.cancelled():  # otherwise the thread is still busy: it ends by itself and is not used again
                self._idle.append(work)

    def close(self) -> None:
        """Let the threads that wait end."""
        while self._idle:
            self._idle.pop().put(None)

    @staticmethod
    def _start() -> queue.SimpleQueue[Any]:
        work: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=_serve, args=(work,), name="lmops-eval-task", daemon=True).start()
        return work


def _serve(work: queue.SimpleQueue[Any]) -> None:
    while True:
        item = work.get()
        if item is None:
            return
        context, function, args, loop, done = item
        result = None
        with Caught(BaseException) as caught:
            result = context.run(function, *args)
        try:
            loop.call_soon_threadsafe(_finish, done, result, caught.error)
        except RuntimeError:
            return  # the loop is gone, and so is whoever waited
        if done.cancelled():
            return
        del item, context, function, args, result, caught, done


def _finish(done: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(result)
    elif isinstance(error, Exception) and not isinstance(error, StopIteration):
        done.set_exception(error)
    else:
        # SystemExit in a task must not end the loop; a future cannot hold StopIteration.
        done.set_exception(RuntimeError(f"the task raised {type(error).__name__}: {error}"))
