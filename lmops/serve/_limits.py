"""What one server takes at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MEGABYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one server takes at a time.

    Args:
        max_body_bytes: of one body, as sent and as decompressed; above it 413.
        max_in_flight_bytes: of memory, about, for all bodies that arrive or are worked on; above it 429, for one body
            that alone is above it 413.
        max_requests: being worked on; above it 429.
        max_connections: open; above it the longest idle one is closed, with none idle the one whose request has been
            arriving for the longest, and with none of these 503.
        request_timeout_s: for a request to arrive whole, however slowly it is sent; above it 408.
        idle_timeout_s: for a kept-alive connection to send its next request.
        stop_timeout_s: for the requests in flight to finish when the server stops.
    """

    max_body_bytes: int = 32 * MEGABYTE
    max_in_flight_bytes: int = 512 * MEGABYTE
    max_requests: int = 64
    max_connections: int = 256
    request_timeout_s: float = 30.0
    idle_timeout_s: float = 120.0
    stop_timeout_s: float = 20.0
