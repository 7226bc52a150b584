"""What all connections of one server share."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lmops.serve._admission import Admission

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lmops.serve._access import Access
    from lmops.serve._limits import Limits
    from lmops.serve._messages import Answer, Refusal, Route


@dataclass(slots=True, kw_only=True)
class Service:
    """What one server serves, to whom, how much at a time, and how far it is.

    Args:
        name: of its threads and in its log.
        routes: what is at its paths.
        access: who may ask.
        limits: what it takes at a time.
        in_form: makes a refusal an answer, given the content type of the request.
    """

    name: str
    routes: Sequence[Route]
    access: Access
    limits: Limits
    in_form: Callable[[Refusal, str], Answer]
    is_stopping: bool = False
    refused: int = 0
    admission: Admission = field(init=False)
    log: logging.Logger = field(init=False)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.admission = Admission(max_requests=self.limits.max_requests, max_bytes=self.limits.max_in_flight_bytes)
        self.log = logging.getLogger(f"lmops.{self.name}")

    def refusal(self, refusal: Refusal, content_type: str) -> Answer:
        """Return a refusal in the form of the service, with the headers that it asks for, and count it."""
        with self._lock:
            self.refused += 1
        answer = self.in_form(refusal, content_type)
        return replace(answer, headers={**answer.headers, **refusal.headers})
