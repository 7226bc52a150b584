"""Threads beside who asks, for functions that block."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import os
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

    Args:
        name: Of the threads.
    """

    def __init__(self, name: str = "lmops-eval-task") -> None:
        self._name = name
        self._idle: list[queue.SimpleQueue[Any]] = []
        self._pid = os.getpid()

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Return what the function returns; the caller's context variables are there."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        work = self._taken()

        def tell(result: Any, error: BaseException | None) -> bool:
            try:
                loop.call_soon_threadsafe(_finish, done, result, error)
            except RuntimeError:
                return False  # the loop is gone, and so is whoever waited
            return not done.cancelled()

        work.put((contextvars.copy_context(), function, args, tell))
        try:
            return await done
        finally:
            if not done.cancelled():  # otherwise the thread is still busy: it ends by itself and is not used again
                self._idle.append(work)

    def start(self, function: Callable[..., T], *args: Any) -> concurrent.futures.Future[T]:
        """Begin a function and return what tells of its end; the caller's context variables are there.

        Who no longer waits leaves it alone: its thread is used again when it has ended.
        """
        done: concurrent.futures.Future[T] = concurrent.futures.Future()
        done.set_running_or_notify_cancel()  # from now on: who gives up must not take it for ended
        work = self._taken()

        def tell(result: Any, error: BaseException | None) -> bool:
            self._idle.append(work)
            if error is None:
                done.set_result(result)
            else:
                done.set_exception(error)
            return True

        work.put((contextvars.copy_context(), function, args, tell))
        return done

    def close(self) -> None:
        """Let the threads that wait end."""
        while self._idle:
            self._idle.pop().put(None)

    def _taken(self) -> queue.SimpleQueue[Any]:
        if self._pid != os.getpid():  # the threads are not in a fork
            self._idle, self._pid = [], os.getpid()
        try:
            return self._idle.pop()
        except IndexError:
            work: queue.SimpleQueue[Any] = queue.SimpleQueue()
            threading.Thread(target=_serve, args=(work,), name=self._name, daemon=True).start()
            return work


def _serve(work: queue.SimpleQueue[Any]) -> None:
    while True:
        item = work.get()
        if item is None:
            return
        context, function, args, tell = item
        result = None
        with Caught(BaseException) as caught:
            result = context.run(function, *args)
        if not tell(result, caught.error):
            return
        del item, context, function, args, tell, result, caught


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
