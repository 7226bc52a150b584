"""What an arm takes of this process: requests under way and of the last minute, what they cost, and its circuit.

All routes of a process that are of one store share it. A budget is of all processes: what others spent today is read
from their spans now and then, what this one spent is known here at once.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from lmops.routing._records import ArmStatus
from lmops.routing.circuits import Circuit

if TYPE_CHECKING:
    from lmops.routing._records import Arm, CircuitSettings
    from lmops.store import Store

Refusal = Literal["open", "budget", "rate", "concurrency"]

#: Names this process on the spans of its attempts, so that it does not count twice what it spent.
CALLER: Final = "lmops.route.caller"
_AGAIN_S: Final = 5.0
_MINUTE_S: Final = 60.0
_SPENT: Final = """
select coalesce(sum(call.cost_usd), 0.0) from spans as tried
join llm_calls as call on call.trace_id = tried.trace_id and call.parent_span_id = tried.span_id
where tried.start_at >= $since and contains(tried.attributes, '"lmops.route.tried"')
  and call.start_at >= $since
  and json_extract_string(tried.attributes, '/lmops.route.name') = $route
  and json_extract_string(tried.attributes, '/lmops.route.tried') = $arm
  and json_extract_string(tried.attributes, '/lmops.route.caller') is distinct from $caller
"""


class Gate:
    """What one arm of one route takes.

    Args:
        route: Name of the route.
        arm: Name of the arm.
    """

    def __init__(self, route: str, arm: str) -> None:
        self.caller = uuid.uuid4().hex[:16]
        self._route = route
        self._arm = arm
        self._lock = threading.Lock()
        self._circuit = Circuit()
        self._in_flight = 0
        self._calls: deque[float] = deque()
        self._day: datetime | None = None
        self._own_usd = 0.0
        self._others_usd = 0.0
        self._asked: float | None = None

    def read(self, store: Store, now: datetime) -> None:
        """Read what others spent today, where that was not done just now; asks the store."""
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        with self._lock:
            if self._day != midnight:
                self._day, self._own_usd, self._others_usd, self._asked = midnight, 0.0, 0.0, None
            if self._asked is not None and time.monotonic() - self._asked < _AGAIN_S:
                return
            self._asked = time.monotonic()
        params = {"since": midnight, "route": self._route, "arm": self._arm, "caller": self.caller}
        ((found,),) = store.sql(_SPENT, params).fetchall()
        with self._lock:
            self._others_usd = found

    def take(self, arm: Arm, circuit: CircuitSettings) -> Refusal | None:
        """Take a place for one request; return what keeps it from being sent, None when it may be."""
        now, limits = time.monotonic(), arm.limits
        with self._lock:
            if limits.usd_per_day is not None and self._own_usd + self._others_usd >= limits.usd_per_day:
                return "budget"
            if limits.concurrency is not None and self._in_flight >= limits.concurrency:
                return "concurrency"
            if limits.per_minute is not None and self._last_minute(now) >= limits.per_minute:
                return "rate"
            if not self._circuit.take(circuit, now):
                return "open"
            self._in_flight += 1
            self._calls.append(now)
            self._last_minute(now)
        return None

    def give(self, circuit: CircuitSettings, *, is_ok: bool | None, cost_usd: float | None) -> None:
        """Give the place back.

        Args:
            circuit: Of the version that is live.
            is_ok: Whether the arm answered; None where the end says nothing of it.
            cost_usd: What it cost, as far as that is known.
        """
        with self._lock:
            self._in_flight -= 1
            self._own_usd += cost_usd or 0.0
            self._circuit.told(circuit, time.monotonic(), is_ok=is_ok)

    def status(self, arm: Arm, circuit: CircuitSettings, *, is_killed: bool) -> ArmStatus:
        """Return how it stands."""
        now = time.monotonic()
        with self._lock:
            return ArmStatus(
                arm=arm.name,
                weight=arm.weight,
                is_killed=is_killed,
                circuit=self._circuit.state(circuit, now),
                failures=self._circuit.failures(circuit, now),
                in_flight=self._in_flight,
                last_minute=self._last_minute(now),
                spent_usd=None if arm.limits.usd_per_day is None else self._own_usd + self._others_usd,
                limits=arm.limits,
            )

    def _last_minute(self, now: float) -> int:
        while self._calls and self._calls[0] <= now - _MINUTE_S:
            self._calls.popleft()
        return len(self._calls)


_GATES: Final[dict[tuple[int, str, str, str], Gate]] = {}


def gate(store: Store, route: str, arm: str) -> Gate:
    """Return the gate of an arm: one for each store, route and arm in this process."""
    key = (os.getpid(), str(store.path), route, arm)
    found = _GATES.get(key)
    return found if found is not None else _GATES.setdefault(key, Gate(route, arm))
