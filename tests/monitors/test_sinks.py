"""Who is told: sinks are kept without secrets, changed in the audit chain, and shown as plain text."""

from __future__ import annotations

import json

import pytest

import lmops
from lmops.errors import NotFoundError, UsageError
from lmops.times import from_ns
from tests.monitors.listeners import Alert, Listener, happen
from tests.store.helpers import START, llm

HOOK = "https://hooks.house.example/lmops"


@pytest.fixture
def ws(tmp_path):
    with lmops.open(tmp_path / ".lmops", actor="ann") as opened:
        yield opened


def test_a_sink_is_kept_and_said(ws):
    """Saved once, it is one event; the same again is none; another is what it was and what it is."""
    for severity in ("ticket", "ticket", "page"):
        ws.monitors.sinks.save("ops", kind="webhook", url=HOOK, min_severity=severity, reason="on call")
    assert ws.monitors.sinks.get("ops").min_severity == "page"
    events = ws.audit.events()
    said = events[events["action"] == "sink.save"]
    assert [json.loads(one)["min_severity"] for one in said["after"]] == ["ticket", "page"]
    assert set(said["reason"]) == {"on call"}
    assert ws.audit.verify().ok


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "https://ann:pass@hooks.house.example/"}, "seems to hold a secret"),
        ({"url": "https://hooks.slack.com/services/T0/B0/abc"}, "seems to hold a secret"),
        ({"url": "https://house.example/hook/a1b2c3d4e5f6a7b8c9d0e1"}, "seems to hold a secret"),
        ({"url": "https://house.example/hook?token=abcdefgh"}, "seems to hold a secret"),
        ({"url": HOOK, "secret_env": "hunter2"}, "NAME of an environment variable"),
        ({"url": HOOK, "secret_env": "AKIA0123456789ABCDEF"}, "NAME of an environment variable"),
        ({"url_env": "https://hooks.slack.com/services/T0/B0/abc"}, "NAME of an environment variable"),
        ({"url": "ftp://house.example/"}, "begins with http"),
        ({"url": "http:///nowhere"}, "begins with http"),
        ({"url": HOOK + "\r\nHost: other"}, "begins with http"),
        ({}, "give url="),
        ({"url": HOOK, "url_env": "OPS_URL"}, "not both"),
        ({"url": HOOK, "min_severity": "huge"}, "note, ticket, urgent, page"),
        ({"url": HOOK, "kind": "fax"}, "webhook, slack"),
        ({"kind": "pagerduty"}, "routing key"),
        ({"kind": "email", "url": "smtps://mail.example", "sender": "a@b.c", "to": ["x\r\nBcc: y@z"]}, "no address"),
        ({"kind": "email", "url": "smtps://mail.example", "sender": "a@b.c", "to": []}, "no address"),
        ({"url": HOOK, "to": ["a@b.c"]}, "kind='email'"),
    ],
)
def test_what_cannot_be_or_may_be_a_secret_is_refused(ws, options, words):
    """It is said what would work; what may be a secret is neither stored nor repeated."""
    with pytest.raises(UsageError, match=words) as raised:
        ws.monitors.sinks.save("ops", **{"kind": "webhook", **options})
    secrets = ("pass@", "abcdefgh", "hunter2", "AKIA", "T0/B0", "a1b2c3")
    assert not any(one in str(raised.value) for one in secrets)
    assert ws.monitors.sinks.list().empty


def test_what_waits_goes_with_its_sink(ws):
    """A sink that is removed is told nothing more, and the chain says how many notices that were."""
    ws.monitors.sinks.save("ops", kind="webhook", url="http://127.0.0.1:9/")
    happen(ws.monitors, Alert())
    assert ws.monitors.sinks.list()["waiting"].tolist() == [1]
    ws.monitors.sinks.remove("ops", reason="moved")
    assert ws.store.sql("select status from alert_deliveries").fetchall() == [("dropped",)]
    assert json.loads(ws.audit.events()["after"].iloc[-1]) == {"dropped": 1}
    assert ws.monitors.deliver().waiting == 0
    with pytest.raises(NotFoundError, match="no sink named 'ops'"):
        ws.monitors.sinks.remove("ops")


def test_a_test_is_told_and_mends(ws):
    """A made-up alert reaches the sink, says so, and ends its time alone."""
    with Listener(500, 500, 200) as sink:
        ws.monitors.sinks.save("ops", kind="webhook", url=sink.url)
        happen(ws.monitors, Alert())
        assert (ws.monitors.deliver().sent, ws.monitors.deliver().sent) == (0, 0)
        assert ws.monitors.sinks.list()["failures"].tolist() == [1]
        assert ws.monitors.sinks.test("ops").failed == {"ops": "it answered 500"}
        assert ws.monitors.sinks.test("ops").exit_code == 0
        assert ws.monitors.sinks.list()["failures"].isna().all()
        assert ws.monitors.deliver().sent == 1
    assert sink.bodies[2]["alerts"][0]["labels"]["alertname"] == "lmops-test"


@pytest.mark.parametrize(
    "url",
    [
        "http://prometheus-alertmanager-2026.monitoring.svc:9093",
        "https://house.example/api/v2/hooks/lmops-production-2026",
        "https://house.example/a?team=ops&x=1",
    ],
)
def test_an_address_that_people_type_is_taken(ws, url):
    """Long names with a number in them are no secrets."""
    assert ws.monitors.sinks.save("ops", kind="webhook", url=url).url == url


@pytest.mark.parametrize("kind", ["alertmanager", "pagerduty"])
def test_a_test_does_not_stay_open(ws, kind, monkeypatch):
    """Where alerts are kept, the made-up one ends at once."""
    monkeypatch.setenv("PD_KEY", "routing")
    with Listener() as sink:
        ws.monitors.sinks.save("ops", kind=kind, url=sink.url, secret_env="PD_KEY")
        ws.monitors.sinks.test("ops")
    last = sink.bodies[-1]
    assert len(sink.got) == 2
    assert (last[0]["endsAt"] == last[0]["startsAt"]) if kind == "alertmanager" else last["event_action"] == "resolve"


def test_a_sink_shows_itself_without_secrets(ws):
    """As text and as HTML, whatever the address holds beside its host."""
    found = ws.monitors.sinks.save("ops", kind="webhook", url=HOOK + "?team=<b>")
    assert "https://hooks.house.example" in found.text
    for shown in (found.text, found._repr_html_(), ws.monitors.sinks.list().to_string()):
        assert "<b>&" not in shown
        assert "team" not in shown


def test_a_sink_that_was_altered_is_not_told(ws):
    """An address that was changed past the audit chain gets nothing, with a warning."""
    ws.monitors.sinks.save("ops", kind="webhook", url=HOOK)
    with ws.store.transaction() as con:
        con.execute("update alert_sinks set url = 'https://attacker.example/'")
    with pytest.warns(UserWarning, match="alert_sinks"):
        assert happen(ws.monitors, Alert()) == 0


def test_a_check_tells_what_it_finds(ws):
    """What fires, is acknowledged and is resolved is told with its numbers, in the order in which it happened."""
    rows = [
        llm(f"t{number}", "a", start=START + number * 60 * 10**9, status="error", session_id=f"s{number}")
        for number in range(300)
    ]
    ws.store.append_many({"spans": rows})
    at = START + 24 * 3600 * 10**9
    with Listener() as sink:
        ws.monitors.sinks.save("ops", kind="webhook", url=sink.url)
        ws.monitors.save("errors", metric="error_rate", method="threshold", limit=0.5, severity="urgent")
        assert ws.monitors.check(at=from_ns(at)).exit_code == 1
        (number,) = ws.monitors.alerts()["alert"]
        ws.monitors.ack(number, reason="looking")
        ws.monitors.deliver()
        ws.monitors.resolve(number)
        assert ws.monitors.deliver().sent == 1
    told = [body["alerts"][0]["lmops"] for body in sink.bodies]
    assert [one["transition"] for one in told] == ["firing", "acknowledged", "resolved"]
    assert (told[0]["monitor"], told[0]["estimate"], told[1]["reason"]) == ("errors", 1.0, "looking")
    assert {one["fingerprint"] for one in told} == {told[0]["fingerprint"]}
    assert told[0]["trace_ids"]


def test_a_check_says_who_could_not_be_told(ws):
    """The alert is there all the same, and the notice waits."""
    ws.monitors.sinks.save("ops", kind="webhook", url="http://127.0.0.1:9/")
    happen(ws.monitors, Alert())
    ws.monitors.save("errors", metric="error_rate", method="threshold", limit=0.5)
    report = ws.monitors.check()
    assert [note.partition(":")[0] for note in report.notes] == ["ops could not be told"]
