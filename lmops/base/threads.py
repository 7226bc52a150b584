"""Threads beside who asks, for functions that block."""

from __future__ import annotations

import asyncio
import contextvars
import os
import queue
import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from lmops.base.endings import Caught

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Started(Generic[T]):
    """A function at work in a thread: what of a future is needed here, at a part of what one costs."""

    __slots__ = ("_ended", "_then", "error", "value")

    def __init__(self) -> None:
        self._ended = threading.Lock()
        self._ended.acquire()
        self._then: list[Callable[[Started[T]], object]] = []
        #: what it returned, when it has ended
        self.value: T | None = None
        #: what it raised, whatever that is
        self.error: BaseException | None = None

    def done(self) -> bool:
        """Return whether it has ended."""
        return not self._ended.locked()

    def wait(self, timeout_s: float) -> bool:
        """Wait at most so many seconds for its end, and return whether it has come."""
        if not self._ended.acquire(timeout=timeout_s):
            return False
        self._ended.release()
        return True

    def result(self, timeout_s: float) -> T:
        """Return what it returned, or raise what it raised.

        Raises:
            TimeoutError: It has not ended in so many seconds.
        """
        if not self.wait(timeout_s):
            raise TimeoutError
        if self.error is not None:
            raise self.error
        return cast("T", self.value)

    def add_done_callback(self, call: Callable[[Started[T]], object]) -> None:
        """Call something, once, when it has ended: in its thread, or here where it has."""
        self._then.append(call)
        if self.done():
            self._tell()

    def end(self, value: Any, error: BaseException | None) -> None:
        """Say how it ended; once, by its thread."""
        self.value, self.error = value, error
        self._ended.release()
        self._tell()

    def _tell(self) -> None:
        # Whoever takes one calls it: the thread that ended, or the one that came too late for it.
        while self._then:
            try:
                call = self._then.pop()
            except IndexError:
                return
            call(self)


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

    def start(self, function: Callable[..., T], *args: Any) -> Started[T]:
        """Begin a function and return what tells of its end; the caller's context variables are there.

        Who no longer waits leaves it alone: its thread is used again when it has ended.
        """
        found: Started[T] = Started()
        work = self._taken()

        def tell(result: Any, error: BaseException | None) -> bool:
            self._idle.append(work)
            found.end(result, error)
            return True

        work.put((contextvars.copy_context(), function, args, tell))
        return found

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
