"""What is told of an alert, in the words of whoever is told."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from lmops.monitors import _payloads
from tests.monitors.listeners import NOON, Alert


def facts(transition="firing", **changed):
    return {**_payloads.facts_of(Alert(**changed), transition, at=NOON), "key": "k"}


def test_facts_are_plain_data():
    """JSON can hold them, what is not a number is missing, and times are UTC."""
    found = facts(estimate=float("nan"), baseline=None, since_at=None)
    assert json.loads(json.dumps(found)) == found
    assert (found["estimate"], found["baseline"], found["since_at"]) == (None, None, "2026-11-20T12:00:00.000Z")


def test_the_fingerprint_is_that_of_the_series():
    """The same for each version and each time, another for another series; the order of columns does not matter."""
    same = [facts()["fingerprint"], facts(version=9, alert=4, times_opened=3)["fingerprint"]]
    ordered = [_payloads.fingerprint("m", dict(pairs)) for pairs in ([("a", 1), ("b", 2)], [("b", 2), ("a", 1)])]
    assert (len(set(same)), len(set(ordered))) == (1, 1)
    assert facts(series={"model": "other"})["fingerprint"] != same[0]


def test_a_webhook_reads_as_an_alertmanagers():
    """Version 4: texts as labels, a time of its own for what still fires, our facts beside it."""
    body = _payloads.webhook([facts(), facts("resolved", alert=2, resolved_at=NOON)], "ops", {})
    assert (body["version"], body["status"], body["receiver"]) == ("4", "firing", "ops")
    first, second = body["alerts"]
    assert (first["status"], first["endsAt"]) == ("firing", "0001-01-01T00:00:00Z")
    assert (second["status"], second["endsAt"]) == ("resolved", "2026-11-20T12:00:00.000Z")
    assert first["labels"] == {
        "alertname": "latency",
        "severity": "error",
        "metric": "latency_p95",
        "series_model": "gpt-4.1",
    }
    assert body["commonLabels"] == first["labels"]
    assert all(isinstance(value, str) for value in (*first["labels"].values(), *first["annotations"].values()))
    assert (first["lmops"]["estimate"], first["lmops"]["key"]) == (912.5, "k")


@pytest.mark.parametrize(
    ("severity", "told"), [("page", "critical"), ("urgent", "error"), ("ticket", "warning"), ("note", "info")]
)
def test_severities_are_those_of_the_others(severity, told):
    """Ours by what they ask of people, theirs by habit."""
    one = facts(severity=severity)
    assert _payloads.webhook([one], "ops", {})["alerts"][0]["labels"]["severity"] == told
    assert _payloads.pagerduty(one, "r")["payload"]["severity"] == told


def test_an_alertmanager_is_told_until_when():
    """It forgets what it is not told again: what fires holds for long, what is resolved has ended."""
    until = _payloads.time_text(NOON + timedelta(days=30))
    fires, ended = _payloads.alertmanager([facts(), facts("resolved", resolved_at=NOON)], until)
    assert (fires["endsAt"], ended["endsAt"]) == (until, "2026-11-20T12:00:00.000Z")
    assert fires["labels"] == ended["labels"]


@pytest.mark.parametrize(
    ("transition", "action"), [("firing", "trigger"), ("acknowledged", "acknowledge"), ("resolved", "resolve")]
)
def test_pagerduty_follows_an_alert(transition, action):
    """One incident for one series, opened, acknowledged and resolved; its summary is short enough."""
    event = _payloads.pagerduty(facts(transition, words="w" * 5000), "routing")
    assert (event["event_action"], event["dedup_key"]) == (action, facts()["fingerprint"])
    assert len(event["payload"]["summary"]) <= 1024
    assert event["routing_key"] == "routing"


def test_slack_is_told_in_words():
    """How urgent, what, of which series, since when, how to go on."""
    text = _payloads.slack([facts()], {})["text"]
    assert text.startswith("*[urgent] firing: latency (model=gpt-4.1): latency is above its baseline*\n")
    assert "since 2026-11-20 11:00 UTC" in text
    assert "lmops monitor explain latency_p95 --since 2026-11-20T11:00" in text
    assert "a" * 32 in text


def test_no_text_speaks_to_a_channel():
    """What stands in a series is a text there as well, and ends no line."""
    text = _payloads.slack([facts(series={"model": "<!channel>\n*now* &"})], {})["text"]
    assert "<!" not in text
    assert "&lt;!channel&gt; now &amp;" in text


def test_a_mail_has_one_line_of_subject():
    """However many alerts it tells of, and whatever they hold."""
    subject, body = _payloads.mail([facts(words="a\r\nBcc: x@y.z"), facts(alert=2)], {})
    assert "\n" not in subject
    assert subject.endswith("(and 1 more)")
    assert body.count("[urgent] firing") == 2


def test_who_acknowledged_is_said():
    """With the reason."""
    lines = _payloads.slack([facts("acknowledged", actor="mara", reason="rolling back")], {})["text"]
    assert "acknowledged by mara: rolling back" in lines
