"""What of the time of some work is no latency: our own imports, and answers that were looked up."""

from __future__ import annotations

import contextlib
import contextvars
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

_RUNNING: contextvars.ContextVar[Stopwatch | None] = contextvars.ContextVar("lmops_stopwatch", default=None)


class Stopwatch:
    """The time of some work, less what it waited for our imports; it goes on in whatever runs in the same context."""

    __slots__ = ("_before", "_began", "_paused_s", "is_looked_up")

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._paused_s = 0.0
        self.is_looked_up = False

    def __enter__(self) -> Self:
        """Let calls of models inside know of it."""
        self._before = _RUNNING.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Let the one know of them again that they had before."""
        _RUNNING.reset(self._before)

    @property
    def ms(self) -> float:
        """Milliseconds up to now."""
        return (time.perf_counter() - self._began - self._paused_s) * 1000

    def pause(self, seconds: float) -> None:
        """Leave so many seconds out."""
        self._paused_s += seconds


def timed() -> Stopwatch:
    """Return a stopwatch that calls of models inside know of."""
    return Stopwatch()


@contextlib.contextmanager
def preparing() -> Iterator[None]:
    """Let the time inside count as no latency of whoever measures."""
    began = time.perf_counter()
    try:
        yield
    finally:
        watch = _RUNNING.get()
        if watch is not None:
            watch.pause(time.perf_counter() - began)


def note_lookup() -> None:
    """Say that an answer was looked up: the work has no latency to judge."""
    watch = _RUNNING.get()
    if watch is not None:
        watch.is_looked_up = True
