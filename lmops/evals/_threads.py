"""Threads beside an event loop: functions that block, and a loop for callers that have one running already."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import queue
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

#: So long is waited for a run that was interrupted twice; a third interrupt ends that too.
_PATIENCE_S: Final = 5.0


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
        try:
            result, error = context.run(function, *args), None
        except BaseException as raised:  # noqa: BLE001  # handed to whoever waits
            result, error = None, raised
        try:
            loop.call_soon_threadsafe(_finish, done, result, error)
        except RuntimeError:
            return  # the loop is gone, and so is whoever waited
        if done.cancelled():
            return
        del item, context, function, args, result, error, done


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


def run_blocking(make: Callable[[], Coroutine[Any, Any, T]], *, tick: Callable[[], None], every_s: float = 0.2) -> T:
    """Return what a coroutine returns, from a loop of its own, also where a loop is running already.

    An interrupt reaches the coroutine as a cancellation, which may take its time to put things in order.

    Args:
        make: Makes the coroutine.
        tick: Called in this thread now and then while it works: a notebook shows progress from here only.
        every_s: Seconds between two calls.
    """
    started: queue.SimpleQueue[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]] | None] = queue.SimpleQueue()
    ended: list[tuple[T | None, BaseException | None]] = []
    finished = threading.Event()

    async def main() -> T:
        task = asyncio.ensure_future(make())
        started.put((asyncio.get_running_loop(), task))
        return await task

    def work() -> None:
        try:
            ended.append((asyncio.run(main()), None))
        except BaseException as error:  # noqa: BLE001  # raised again in the caller's thread
            ended.append((None, error))
        finally:
            started.put(None)
            finished.set()

    context = contextvars.copy_context()
    thread = threading.Thread(target=lambda: context.run(work), name="lmops-eval", daemon=True)
    try:
        thread.start()
        while not finished.wait(every_s):
            tick()
    except KeyboardInterrupt:
        # A second one comes from somebody impatient: the end is being written, unless a task does not let go.
        with contextlib.suppress(KeyboardInterrupt, queue.Empty):
            found = started.get(timeout=_PATIENCE_S)
            if found is not None:
                loop, task = found
                with contextlib.suppress(RuntimeError):  # it ended meanwhile
                    loop.call_soon_threadsafe(task.cancel)
            finished.wait()
        finished.wait(_PATIENCE_S)
        raise
    result, error = ended[0]
    if error is not None:
        raise error
    return result  # type: ignore[return-value]  # what the coroutine returned
