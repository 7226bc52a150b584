"""Who is let in when: a machine opens a few pages at once, whoever comes meanwhile waits for a turn."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class Line:
    """Visitors in the order in which they came, of whom a few at once are on their way in.

    Args:
        places: How many may be on their way in.
        patience_s: After how many seconds a place is given on, though whoever has it is not there yet.
    """

    def __init__(self, places: int, *, patience_s: float) -> None:
        self._free = places
        self._patience_s = patience_s
        self._waiting: deque[asyncio.Event] = deque()
        self._entering = 0
        self._sent: set[str] = set()
        self._expected: dict[str, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def count(self, there: Iterable[str]) -> int:
        """Return how many visitors there are: who waits, who is being let in, and who was and is still there.

        Args:
            there: The ids of all who are there; who is being let in may be among them already.
        """
        self._sent.intersection_update(there)
        return len(self._waiting) + self._entering + len(self._sent)

    async def turn(self, told: Callable[[int], None]) -> None:
        """Wait for a place and take it.

        Args:
            told: Called with how many are before this one, now and whenever that changes.
        """
        moved = asyncio.Event()
        self._waiting.append(moved)
        try:
            while self._waiting[0] is not moved or not self._free:
                told(self._waiting.index(moved))
                moved.clear()
                await moved.wait()
            self._free -= 1
            self._entering += 1
        finally:
            self._waiting.remove(moved)
            self._move()

    @contextmanager
    def place(self) -> Iterator[Callable[[str], None]]:
        """Hold the place that was taken; it is free again at the end, or once who is expected then is there.

        Yields:
            What to call with the id of who is expected.
        """
        expected: list[str] = []
        try:
            yield expected.append
        finally:
            self._entering -= 1
            self._sent.update(expected)
            if expected:
                loop = asyncio.get_running_loop()
                self._expected[expected[0]] = loop.call_later(self._patience_s, self.arrived, expected[0])
            else:
                self._leave()

    def arrived(self, who: str) -> None:
        """Give the place on of somebody who is there, or will not come."""
        timer = self._expected.pop(who, None)
        if timer is not None:
            timer.cancel()
            self._leave()

    def _leave(self) -> None:
        self._free += 1
        self._move()

    def _move(self) -> None:
        for one in self._waiting:
            one.set()
