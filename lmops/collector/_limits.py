"""What one receiver takes at a time."""

from __future__ import annotations

from dataclasses import dataclass

from lmops.serve import Limits as Served


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(Served):
    """What one receiver takes at a time.

    Args:
        max_body_bytes: of one body, as sent and as decompressed; above it 413.
        max_records: spans or log records of one body; above it 413.
        max_values: of one body, attributes and what is in them; above it 413.
        max_in_flight_bytes: of memory, about, for all bodies that arrive or are decoded or committed; above it 429, for
            one body that alone is above it 413.
        max_requests: being decoded or committed; above it 429.
        max_connections: open; above it the longest idle one is closed, with none idle the one whose request has been
            arriving for the longest, and with none of these 503.
        request_timeout_s: for a request to arrive whole, however slowly it is sent; above it 408.
        idle_timeout_s: for a kept-alive connection to send its next request.
        stop_timeout_s: for the requests in flight to finish when the receiver stops.
    """

    max_records: int = 50_000
    max_values: int = 1_000_000
