"""A streamed answer as its reader has it, with and without ``await``."""

from __future__ import annotations

import asyncio
import queue
import threading
from typing import TYPE_CHECKING, Final, Self

from lmops.base.endings import Undone
from lmops.errors import UsageError
from lmops.models._loop import BACKGROUND
from lmops.models._records import Completion

if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Callable, Coroutine
    from types import TracebackType
    from typing import Any

    from lmops.models._calls import Event

    Pump = Callable[[Callable[[Event], object]], Coroutine[Any, Any, None]]


#: So long closing a stream waits for its request to be given up, in seconds.
CLOSE_S: Final = 2.0


class _Reading:
    """What both kinds of stream know."""

    def __init__(self, pump: Pump, spec: str) -> None:
        self._pump = pump
        self._spec = spec
        self._future: concurrent.futures.Future[None] | None = None
        self._pieces: list[str] = []
        self._completion: Completion | None = None
        self._is_over = False
        self._ended = threading.Event()

    def __repr__(self) -> str:
        state = "ended" if self._completion else "over" if self._is_over else "open"
        return f"<{type(self).__name__} {self._spec}: {len(self.text)} characters, {state}>"

    def __del__(self) -> None:
        self._stop()

    @property
    def text(self) -> str:
        """The text up to now."""
        return "".join(self._pieces)

    @property
    def completion(self) -> Completion:
        """The whole answer, with usage and cost, once the stream has ended.

        Raises:
            UsageError: The stream has not been read to its end.
        """
        if self._completion is None:
            raise UsageError(f"the stream of {self._spec!r} has not ended: read it to its end first")
        return self._completion

    def _start(self, emit: Callable[[Event], object]) -> None:
        self._future = BACKGROUND.submit(self._run(emit))

    async def _run(self, emit: Callable[[Event], object]) -> None:
        try:
            await self._pump(emit)
        finally:
            self._ended.set()

    def _stop(self) -> None:
        self._is_over = True
        future = getattr(self, "_future", None)
        if future is not None:
            future.cancel()

    def _take(self, event: Event) -> str | None:
        """Return a piece of text, or None at the end; raise what broke the stream."""
        if isinstance(event, str):
            self._pieces.append(event)
            return event
        self._is_over = True
        if isinstance(event, Completion):
            self._completion = event
            return None
        raise event


class Stream(_Reading):
    """Pieces of text in a ``for`` loop; ``completion`` at its end. Leaving a ``with`` block closes it early."""

    def __iter__(self) -> Self:
        """Return the stream itself."""
        return self

    def __next__(self) -> str:
        """Return the next piece of the text."""
        if self._is_over:
            raise StopIteration
        if self._future is None:
            if BACKGROUND.is_here:
                raise UsageError("a stream without await would wait for itself here: use astream(...) instead")
            self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
            self._start(self._events.put)
        with Undone(self._stop):  # an interrupt
            event = self._events.get()
        piece = self._take(event)
        if piece is None:
            raise StopIteration
        return piece

    def __enter__(self) -> Self:
        """Return the stream itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Stop the answer and wait until its request is given up; what was read stays in ``text``."""
        self._stop()
        if self._future is not None:
            self._ended.wait(CLOSE_S)


class AsyncStream(_Reading):
    """Pieces of text in an ``async for`` loop; ``completion`` at its end."""

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def __anext__(self) -> str:
        """Return the next piece of the text."""
        if self._is_over:
            raise StopAsyncIteration
        if self._future is None:
            loop = asyncio.get_running_loop()
            events: asyncio.Queue[Event] = asyncio.Queue()
            self._queue = events
            self._start(lambda event: loop.call_soon_threadsafe(events.put_nowait, event))
        try:
            event = await self._queue.get()
        except asyncio.CancelledError:
            self._stop()
            raise
        piece = self._take(event)
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def __aenter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.aclose()

    async def aclose(self) -> None:
        """Stop the answer and wait until its request is given up; what was read stays in ``text``."""
        self._stop()
        if self._future is not None and not self._ended.is_set():
            await asyncio.to_thread(self._ended.wait, CLOSE_S)
