"""Times as the store keeps them: whole nanoseconds since 1970 in UTC; people and programs see aware datetimes.

The conversions are exact. A float holds a present-day time in seconds only to about 0.2 microseconds, so none is used.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from lmops.errors import UsageError
from lmops.text import plain_line

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def utc_now() -> datetime:
    """Return the time now, in UTC."""
    return datetime.now(UTC)


def to_ns(moment: str | datetime) -> int:
    """Return a time as nanoseconds since 1970 UTC; without a zone it is UTC.

    Args:
        moment: ISO 8601 text or a datetime.

    Raises:
        UsageError: It is not an ISO 8601 time.

    Example:
        >>> to_ns("2026-01-31T14:30:00.000001+01:00")
        1769866200000001000
    """
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment.strip())
        except ValueError:
            message = f"{plain_line(moment, 60)!r} is not a time; write it as 2026-01-31 or 2026-01-31T14:30:00Z"
            raise UsageError(message) from None
    if not isinstance(moment, datetime):
        raise UsageError(f"{plain_line(moment, 60)!r} is no time: give ISO text such as 2026-01-31, or a datetime")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(microseconds=1) * 1000


def from_ns(ns: int) -> datetime:
    """Return nanoseconds since 1970 as an aware time in UTC, cut to microseconds.

    Example:
        >>> from_ns(1769866200000001999).isoformat()
        '2026-01-31T13:30:00.000001+00:00'
    """
    return EPOCH + timedelta(microseconds=ns // 1000)
