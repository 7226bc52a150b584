"""A board of monitors without a store."""

from __future__ import annotations

import math

from lmops.monitors.boards import AlertRow, Tile

START_MS = 1_793_000_000_000.0
HOUR_MS = 3_600_000.0


def points(middle, *, rise=0.0, missing=()):
    """Return a line of 28 points, some without a value."""
    return [
        (
            START_MS + i * 6 * HOUR_MS,
            40 + i,
            None if i in missing else middle * (1 + 0.1 * math.sin(i)) + (rise if i > 20 else 0),
        )
        for i in range(28)
    ]


def tile(name="errors", **given):
    """Return a tile that is quiet."""
    base = {
        "monitor": name, "version": 1, "series": {}, "title": "queries that failed", "unit": "share", "worse": "above",
        "severity": "ticket", "status": "quiet", "words": "0.9 %, as before", "now": (812, 0.009, 0.006, 0.014),
        "baseline": (0.008, 0.004, 0.013), "before": (790, 0.008), "points": points(0.009),
        "earlier": points(0.008), "as_of_ms": START_MS + 27 * 6 * HOUR_MS, "where": None,
    }  # fmt: skip  # keys that belong together share a line
    return Tile(**base | given)


def alert(number=1, **given):
    """Return an alert that fires."""
    base = {
        "alert": number, "monitor": "errors", "series": {}, "severity": "urgent", "status": "firing",
        "words": "6.2 % of queries failed since Oct 31 11:04, 0.9 % before", "since_ms": START_MS, "times": 1,
        "examples": ("a" * 32,),
    }  # fmt: skip  # keys that belong together share a line
    return AlertRow(**base | given)


class Shown:
    """What ``browse`` returns."""

    class widget:  # noqa: N801  # as an attribute of a view
        model_id = "model-1"


class Board:
    """Keeps what it was asked."""

    def __init__(self, tiles=None, alerts=None):
        self.found = [tile()] if tiles is None else tiles
        self.open = [alert()] if alerts is None else alerts
        self.asked = []

    def tiles(self, *, last, every):
        self.asked.append((last, every))
        return self.found

    def alerts(self):
        return self.open

    def move(self, number, what):
        self.asked.append((number, what))
        self.open = [one for one in self.open if one.alert != number]
        return f"alert {number}: {what}"

    def browse(self, *, where, last):
        self.asked.append((where, last))
        return Shown()


def full():
    """Return a board with every state."""
    return Board(
        tiles=[
            tile("errors", status="firing", now=(812, 0.062, 0.048, 0.081), points=points(0.009, rise=0.05)),
            tile(
                "latency",
                title="latency of a query, 95th percentile",
                unit="ms",
                now=(812, 4310.0, 4010.0, 4700.0),
                baseline=(4100.0, 3800.0, 4500.0),
                before=(790, 4200.0),
                points=points(4200),
                earlier=points(4100),
            ),
            tile(
                "cost",
                title="cost of a query",
                unit="usd",
                now=(812, 0.00033, 0.00031, 0.00035),
                series={"model": "gpt-5-mini"},
                baseline=(0.0003, 0.00028, 0.00033),
                before=(790, 0.0003),
                points=points(0.00033),
                earlier=points(0.0003),
            ),
            tile(
                "length",
                title="length of an answer, up to 1,000 characters",
                unit="characters",
                now=(812, 158.4, 150, 166),
                baseline=(150.0, 146.0, 155.0),
                before=(790, 151.0),
                points=points(150, missing=(3, 4, 9, 11)),
                earlier=[],
            ),
            tile(
                "thumbs",
                title="thumbs that are down",
                status="learning",
                words="12 more thumbs are needed",
                baseline=None,
                now=(18, 0.44, 0.24, 0.66),
            ),
            tile(
                "tools",
                title="calls of tools that failed",
                status="no data",
                now=(0, None, None, None),
                baseline=None,
                points=[],
                earlier=[],
                as_of_ms=None,
                before=(0, None),
                series={"tool_name": "<b>booking</b>"},
            ),
        ],
        alerts=[
            alert(),
            alert(2, severity="ticket", status="acknowledged", times=3, words="fewer documents", examples=()),
        ],
    )
