"""Traffic for monitors: sessions at even distances, of which some are bad."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lmops.times import to_ns
from tests.store.helpers import llm

FIRST = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def day(number, hour=0):
    """Return a time of a day of the traffic."""
    return FIRST + number * DAY + hour * HOUR


def sessions(begin, end, *, every=10 * MINUTE, bad=lambda number: False, name="a", **columns):
    """Return a model call each for sessions at even distances; bad ones fail."""
    rows = []
    count = (end - begin) // every
    for number in range(count):
        at = begin + number * every
        rows.append(
            llm(
                f"{name}{to_ns(at) // 10**9}", f"{name}{number}", start=to_ns(at), session_id=f"{name}-{to_ns(at)}",
                status="error" if bad(number) else "ok",
                **{key: value(number) if callable(value) else value for key, value in columns.items()},
            )
        )  # fmt: skip  # one call of many arguments
    return rows


def add(ws, *parts):
    """Write traffic into a store."""
    for rows in parts:
        ws.store.append_many({"spans": rows})
