"""What was planted in the sample, and how alerts stand up to it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from lmops.metrics import METRICS
from lmops.sample import data_dir
from lmops.sample.planted import Firing, Planted, judged, planted

HOUR = timedelta(hours=1)
DAY = datetime(2026, 10, 19, tzinfo=UTC)


def firing(alert, hour, *, began, low=None, high=None, metric="error_rate"):
    """An alert that was seen at an hour, of what began at another one."""
    low, high = (None if one is None else DAY + one * HOUR for one in (low, high))
    return Firing(alert, "errors", metric, DAY + hour * HOUR, DAY + began * HOUR, low, high)


def outage(name, hour, *, hours=5, metrics=("error_rate",)):
    """What was planted at an hour."""
    return Planted(name, DAY + hour * HOUR, DAY + (hour + hours) * HOUR, 5, metrics)


def of(alert, *known):
    """The names of what an alert is of."""
    return [one.name for one in judged([alert], known).alerts[0][1]]


def test_what_was_planted_is_that_of_the_plan():
    """With the traces that it harmed; an order that nobody obeyed is none, and what is not in the truth is left out."""
    found = {one.name: one for one in planted(data_dir() / "truth.jsonl")}
    assert next(iter(found)) == "tool-outage"
    assert len(found) == 6
    assert found["model-errors"].until - found["model-errors"].since == HOUR
    assert (found["tool-outage"].traces, found["injection"].traces) == (14, 15)
    assert {name for one in found.values() for name in one.metrics if "." not in name} <= set(METRICS)


def test_a_truth_without_an_incident_tells_of_none(tmp_path):
    """Nothing is planted where no trace came to it."""
    row = {"start_at": "2026-10-23T10:00Z", "incidents": ["tool-outage"], "injection_succeeded": False}
    path = tmp_path / "truth.jsonl"
    path.write_text(json.dumps(row), encoding="utf-8")
    assert [(one.name, one.traces) for one in planted(path)] == [("tool-outage", 1)]


def test_an_alert_is_of_what_moves_its_metric():
    """However near something else began."""
    known = [outage("errors", 10), outage("prices", 11, metrics=("cost_per_query",))]
    assert of(firing(1, 20, began=11), *known) == ["errors"]
    assert of(firing(1, 20, began=11, metric="cost_per_query"), *known) == ["prices"]
    assert of(firing(1, 20, began=11, metric="latency_p95"), *known) == []


def test_limits_may_be_wrong_by_a_day():
    """Of all that began within them, and not of what began after the alert."""
    known = [outage("first", 10), outage("second", 14), outage("late", 70)]
    assert of(firing(1, 20, began=12, low=11, high=12), *known) == ["first", "second"]
    assert of(firing(1, 12, began=12, low=11, high=12), *known) == ["first"]
    assert of(firing(1, 69, began=60, low=59, high=61), *known) == []


def test_what_lasts_may_be_found_again():
    """An alert that began in the middle of an incident is of it, where nothing began near it."""
    lasting = outage("lasting", 10, hours=300)
    assert of(firing(1, 200, began=150), lasting) == ["lasting"]
    assert of(firing(1, 200, began=150), lasting, outage("new", 149)) == ["new"]


def test_what_was_missed_counts_against_recall():
    """And an alert of nothing against precision; the first alert of all says how long it took."""
    known = [outage("found", 10), outage("missed", 190)]
    told = judged([firing(1, 12, began=10), firing(2, 30, began=11), firing(3, 60, began=55)], known)
    assert (told.precision, told.recall) == (2 / 3, 1 / 2)
    assert told.delays_h == {"found": 2.0, "missed": None}


def test_without_alerts_there_is_no_precision():
    """What cannot be known is None, not 0."""
    assert (judged([], []).precision, judged([], [outage("a", 1)]).recall) == (None, 0.0)
