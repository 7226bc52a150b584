"""How many requests an endpoint gets at once: additive increase, multiplicative decrease (Chiu and Jain, 1989).

The limit grows by one for every window of successes while it is what holds calls back, and halves when the endpoint
says that it is overloaded; once for each round trip, because requests sent before the cut know nothing of it.
A ``Retry-After`` holds back the whole endpoint, not only the request that was told. Limiters live on the background
loop and are shared by everything in the process.
"""

from __future__ import annotations

import asyncio
import collections
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from lmops.models._records import Endpoint

START: Final = 64

Outcome = Literal["ok", "overload", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The state of one limiter."""

    endpoint: str
    model: str
    limit: int
    max_concurrency: int
    in_flight: int
    waiting: int
    paused_s: float
    cuts: int
    successes: int


class Limiter:
    """The slots of one endpoint.

    Args:
        maximum: Most requests at once.
        start: How many at the beginning.
    """

    def __init__(self, *, maximum: int, start: int = START) -> None:
        self.maximum = maximum
        self.limit = min(start, maximum)
        self.in_flight = 0
        self.cuts = 0
        self.successes = 0
        self.paused_until = 0.0
        self._window = 0
        self._waiting: collections.deque[asyncio.Future[None]] = collections.deque()

    @property
    def waiting(self) -> int:
        """How many calls wait for a slot."""
        return len(self._waiting)

    async def acquire(self) -> int:
        """Wait for a slot and return the number of cuts so far, which goes back to :meth:`release`."""
        loop = asyncio.get_running_loop()
        if self._waiting or self.in_flight >= self.limit or loop.time() < self.paused_until:
            slot = loop.create_future()
            self._waiting.append(slot)
            self._wake()
            try:
                await slot
            except asyncio.CancelledError:
                if slot.done() and not slot.cancelled():
                    self.in_flight -= 1
                    self._wake()
                else:
                    self._waiting.remove(slot)
                raise
        else:
            self.in_flight += 1
        return self.cuts

    def release(self, cuts: int, outcome: Outcome) -> None:
        """Give a slot back and learn from how the request ended."""
        was_full = bool(self._waiting) or self.in_flight >= self.limit
        if outcome == "overload" and cuts == self.cuts:
            self.limit = max(1, min(self.limit, self.in_flight) // 2)
            self.cuts += 1
            self._window = 0
        self.in_flight -= 1
        if outcome == "ok":
            self.successes += 1
            # Successes of requests from before a cut say nothing about the new limit.
            if was_full and cuts == self.cuts:
                self._window += 1
                if self._window >= self.limit and self.limit < self.maximum:
                    self.limit += 1
                    self._window = 0
        self._wake()

    def pause(self, seconds: float) -> None:
        """Let nobody in for so many seconds."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        if until > self.paused_until:
            self.paused_until = until
            loop.call_at(until, self._resume, until)

    def _resume(self, until: float) -> None:
        # Told, not asked: a timer may fire a clock tick early.
        if until == self.paused_until:
            self.paused_until = 0.0
            self._wake()

    def _wake(self) -> None:
        if not self._waiting or asyncio.get_running_loop().time() < self.paused_until:
            return
        while self._waiting and self.in_flight < self.limit:
            slot = self._waiting.popleft()
            if not slot.done():
                self.in_flight += 1
                slot.set_result(None)


_LIMITERS: Final[dict[tuple[object, ...], Limiter]] = {}


def limiter(endpoint: Endpoint) -> Limiter:
    """Return the limiter of an endpoint: one for each address, model and key in this process."""
    key = (os.getpid(), endpoint.kind, endpoint.base_url or endpoint.kind, endpoint.model, endpoint.api_key_env)
    found = _LIMITERS.get(key)
    if found is None:
        found = _LIMITERS[key] = Limiter(maximum=endpoint.max_concurrency)
    elif found.maximum != endpoint.max_concurrency:
        found.maximum = endpoint.max_concurrency
        found.limit = min(found.limit, found.maximum)
    return found


def limits(now: float) -> list[Limit]:
    """Return the state of every limiter of this process; ``now`` is the time of the background loop."""
    return [
        Limit(
            endpoint=str(key[2]),
            model=str(key[3]),
            limit=found.limit,
            max_concurrency=found.maximum,
            in_flight=found.in_flight,
            waiting=found.waiting,
            paused_s=max(0.0, found.paused_until - now),
            cuts=found.cuts,
            successes=found.successes,
        )
        for key, found in list(_LIMITERS.items())
        if key[0] == os.getpid()
    ]
