"""What was planted in the sample, and how alerts stand up to it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from lmops.sample.planted import Firing, Planted, judged, planted

HOUR = timedelta(hours=1)
DAY = datetime(2026, 10, 19, tzinfo=UTC)


def firing(alert, hour, *, began, low=None, high=None):
    """An alert that was seen at an hour, of what began at another one."""
    low, high = (None if one is None else DAY + one * HOUR for one in (low, high))
    return Firing(alert, "errors", DAY + hour * HOUR, DAY + began * HOUR, low, high)


def outage(name, hour):
    """What was planted at an hour."""
    return Planted(name, DAY + hour * HOUR, DAY + (hour + 5) * HOUR, 5)


def test_an_incident_is_the_stretch_that_is_least_like_chance(tmp_path):
    """Single errors before it, staging and orders that nobody obeyed are none of it."""
    rows = [
        {
            "start_at": (DAY + hour * HOUR).isoformat(),
            "environment": "staging" if hour == 2 else "production",
            "incidents": (["burst"] if hour in (2, 5, *range(40, 46)) else []) + ["injection"],
            "injection_succeeded": False,
        }
        for hour in range(100)
    ]
    path = tmp_path / "truth.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in reversed(rows)), encoding="utf-8")
    assert planted(path) == [Planted("burst", DAY + 40 * HOUR, DAY + 45 * HOUR, 6)]


def test_an_alert_is_of_what_began_within_its_limits():
    """Of all of it; where there is nothing, of the nearest within a day that began before it."""
    known = [outage("first", 10), outage("second", 14), outage("late", 70)]
    alerts = [
        firing(1, 20, began=12, low=9, high=15),
        firing(2, 20, began=13),
        firing(3, 12, began=14, low=13, high=15),
        firing(4, 65, began=60),
    ]
    of = [[one.name for one in found] for _, found in judged(alerts, known).alerts]
    assert of == [["first", "second"], ["second"], ["first"], []]


def test_what_was_missed_counts_against_recall():
    """And an alert of nothing against precision; the first alert of all says how long it took."""
    known = [outage("found", 10), outage("missed", 90)]
    told = judged([firing(1, 12, began=10), firing(2, 30, began=11), firing(3, 60, began=55)], known)
    assert (told.precision, told.recall) == (2 / 3, 1 / 2)
    assert told.delays_h == {"found": 2.0, "missed": None}


def test_without_alerts_there_is_no_precision():
    """What cannot be known is None, not 0."""
    assert (judged([], []).precision, judged([], [outage("a", 1)]).recall) == (None, 0.0)
