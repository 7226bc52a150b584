"""The two tools of the sample, over a booking system that is made up from the booking's number."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Final

from lmops.standin.chance import happens

PORTS: Final = ("Port Ellery", "Skarholm", "Innis Vane", "Hollin Bay", "Greyhythe")
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
BOOKING: Final = re.compile(r"\bTL-(\d{4})\b", re.ASCII)
TOOL_NAMES: Final = ("booking_status", "timetable")
_SKARHOLM: Final = ("07:40", "12:30", "17:45")
_DUNLIN: Final = ("08:20", "11:50", "15:10", "18:30")
_HOLLIN: Final = ("07:00", "08:30", "10:00", "11:30", "13:00", "14:30", "16:00", "17:30", "19:00")
_HOLLIN_BACK: Final = ("07:45", "09:15", "10:45", "12:15", "13:45", "15:15", "16:45", "18:15", "19:45")
#: (one end, other end) -> (ship, departures there, departures back)
_LINES: Final[dict[tuple[str, str], tuple[str, tuple[str, ...], tuple[str, ...]]]] = {
    ("Port Ellery", "Skarholm"): ("Curlew", _SKARHOLM, ("10:05", "15:00", "20:10")),
    ("Port Ellery", "Innis Vane"): ("Dunlin", _DUNLIN, ("09:30", "13:00", "16:20", "19:40")),
    ("Hollin Bay", "Innis Vane"): ("Sanderling", _HOLLIN, _HOLLIN_BACK),
    ("Port Ellery", "Greyhythe"): ("Storm Petrel", ("21:30",), ("20:45",)),
}
_STATUSES: Final = (*["confirmed"] * 4, "waiting for payment", "on the waiting list", "cancelled")


class ToolUnavailableError(ConnectionError):
    """The booking system does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A time in which the booking system is down; nanoseconds since 1970 UTC, the end excluded."""

    start_ns: int
    end_ns: int


class Toolbox:
    """The tools of the assistant, which fail during outages."""

    def __init__(self, outages: tuple[Outage, ...] = ()) -> None:
        self._outages = outages

    def run(self, name: str, arguments: dict[str, str], *, now_ns: int) -> dict[str, object]:
        """Return the result of one tool.

        Raises:
            ToolUnavailableError: the booking system is down at ``now_ns``.
        """
        if any(outage.start_ns <= now_ns < outage.end_ns for outage in self._outages):
            raise ToolUnavailableError(f"harbour-api: connection refused while calling {name}")
        if name == "booking_status":
            return booking_status(arguments["reference"])
        return timetable(arguments["origin"], arguments["destination"], arguments["day"])


def booking_status(reference: str) -> dict[str, object]:
    """Return one booking; every four-digit number from 1000 is one, and its content follows from the number."""
    if not BOOKING.fullmatch(reference) or reference < "TL-1000":
        return {"error": f"no booking {reference}"}
    random = Random(f"booking {reference}")
    (one, other), (ship, out, back) = random.choice(list(_LINES.items()))
    origin, destination, times = (one, other, out) if happens(random, 0.5) else (other, one, back)
    day = date(2026, 11, 3) + timedelta(days=random.randrange(40))
    return {
        "reference": reference,
        "status": random.choice(_STATUSES),
        "origin": origin,
        "destination": destination,
        "date": day.isoformat(),
        "departure": random.choice(times),
        "ship": ship,
        "passengers": random.choice((1, 1, 2, 2, 3, 4)),
    }


def timetable(origin: str, destination: str, day: str) -> dict[str, object]:
    """Return the departures of one line on one day of the week; an unknown line has none."""
    times: tuple[str, ...] = ()
    if (origin, destination) in _LINES:
        times = _LINES[origin, destination][1]
    elif (destination, origin) in _LINES:
        times = _LINES[destination, origin][2]
    if "Greyhythe" in {origin, destination} and day == "Tuesday":
        times = ()
    return {"origin": origin, "destination": destination, "day": day, "departures": list(times)}
