"""Circuits: an arm that fails is left alone for a while, then one request tries whether it answers again."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lmops.routing._records import CircuitSettings, CircuitState


class Circuit:
    """The circuit of one arm; whoever uses it holds a lock and says what time it is, in seconds of any clock."""

    def __init__(self) -> None:
        self._calls: deque[tuple[float, bool]] = deque()
        self._opened: float | None = None
        self._is_tried = False

    def state(self, settings: CircuitSettings, now: float) -> CircuitState:
        """Return whether it is closed, open, or would let one request try."""
        if self._opened is None:
            return "closed"
        return "half_open" if now >= self._opened + settings.open_s else "open"

    def failures(self, settings: CircuitSettings, now: float) -> int:
        """Return how many of the calls that count failed."""
        while self._calls and (len(self._calls) > settings.of or self._calls[0][0] < now - settings.window_s):
            self._calls.popleft()
        return sum(not is_ok for _, is_ok in self._calls)

    def take(self, settings: CircuitSettings, now: float) -> bool:
        """Return whether a request may be sent; of an open one a single request after its time."""
        state = self.state(settings, now)
        if state == "half_open" and not self._is_tried:
            self._is_tried = True
            return True
        return state == "closed"

    def told(self, settings: CircuitSettings, now: float, *, is_ok: bool | None) -> None:
        """Take in how a request ended that was let through.

        Args:
            settings: Of the version that is live.
            now: The time.
            is_ok: None: it says nothing of the arm.
        """
        was_open = self._opened is not None
        self._is_tried = False if was_open else self._is_tried
        if is_ok is None:
            return
        if was_open:  # what was sent before it opened counts no more than what tries now
            if is_ok:
                self._calls.clear()
                self._opened = None
            elif self.state(settings, now) == "half_open":
                self._opened = now
            return
        self._calls.append((now, is_ok))
        if self.failures(settings, now) >= settings.failures:
            self._opened = now
