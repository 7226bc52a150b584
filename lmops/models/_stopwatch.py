"""What of the time of some work is no latency: our own imports, and answers that were looked up."""

from __future__ import annotations

import contextlib
import contextvars
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_RUNNING: contextvars.ContextVar[Stopwatch | None] = contextvars.ContextVar("lmops_stopwatch", default=None)


class Stopwatch:
    """The time of some work, less what it waited for our imports; it goes on in whatever runs in the same context."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._paused_s = 0.0
        self.is_looked_up = False

    @property
    def ms(self) -> float:
        """Milliseconds up to now."""
        return (time.perf_counter() - self._began - self._paused_s) * 1000

    def pause(self, seconds: float) -> None:
        """Leave so many seconds out."""
        self._paused_s += seconds


@contextlib.contextmanager
def timed() -> Iterator[Stopwatch]:
    """Return a stopwatch that calls of models inside know of."""
    watch = Stopwatch()
    token = _RUNNING.set(watch)
    try:
        yield watch
    finally:
        _RUNNING.reset(token)


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
