"""A bound on what is in flight."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from lmops.serve._messages import overload

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class Admission:
    """A bound on what is in flight: requests that are worked on, and bytes of memory of all that have arrived.

    Nothing waits for a place. A client that is told to come back keeps its data; one that waits
    for longer than its own timeout sends it twice.
    """

    def __init__(self, *, max_requests: int, max_bytes: int) -> None:
        self._lock = threading.Lock()
        self._requests = 0
        self._bytes = 0
        self._max_requests = max_requests
        self._max_bytes = max_bytes

    def start(self) -> bool:
        """Return whether one more request may be worked on, and count it."""
        with self._lock:
            if self._requests >= self._max_requests:
                return False
            self._requests += 1
        return True

    def reserve(self, size: int) -> bool:
        """Return whether there is room for so many more bytes, and take it."""
        with self._lock:
            if self._bytes + size > self._max_bytes:
                return False
            self._bytes += size
        return True

    def leave(self, requests: int, size: int) -> None:
        """Give requests and their bytes back."""
        with self._lock:
            self._requests -= requests
            self._bytes -= size


class Ticket:
    """The share of one request in what is in flight, given back when the request is answered.

    A request that is still arriving holds its bytes only: who sends slowly keeps no place of those who are done.
    """

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._requests = 0
        self._held = 0

    def start(self) -> None:
        """Take a place among the requests that are worked on.

        Raises:
            Refusal: there is none now.
        """
        if not self._admission.start():
            raise overload("requests")
        self._requests += 1

    def reserve(self, size: int) -> None:
        """Take so many more bytes.

        Raises:
            Refusal: there is no room for them now.
        """
        if not self._admission.reserve(size):
            raise overload("bytes")
        self._held += size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._admission.leave(self._requests, self._held)
