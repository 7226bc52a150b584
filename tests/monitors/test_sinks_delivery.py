"""What is told of alerts arrives: at least once, the newest only, in few messages, whatever a sink does."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import threading
from datetime import timedelta

import pytest

import lmops
from lmops.monitors._outbox import GROUP, PER_MINUTE, enqueue, take
from tests.forked import Program
from tests.monitors.listeners import Alert, Clock, Listener, dripping, eventually, happen, monitors_of
from tests.store.helpers import span


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ws(tmp_path):
    with lmops.open(tmp_path / ".lmops", actor="ann") as opened:
        yield opened


@pytest.fixture
def monitors(ws, clock):
    return monitors_of(ws, clock)


def rows(ws, what="status"):
    return [row[0] for row in ws.store.sql(f"select {what} from alert_deliveries order by number").fetchall()]


def test_a_sink_is_told_once(ws, monitors):
    """What was taken is sent, said in the audit chain, and not told again."""
    with Listener() as sink:
        monitors.sinks.save("ops", kind="webhook", url=sink.url)
        assert happen(monitors, Alert()) == 1
        assert (monitors.deliver().sent, monitors.deliver().sent) == (1, 0)
    ((path, headers, _),) = sink.got
    (key,) = rows(ws, "idempotency_key")
    assert (path, headers["idempotency-key"], rows(ws)) == ("/hook", key, ["sent"])
    (after,) = ws.store.sql("select after from audit where action = 'sink.deliver'").fetchall()[0]
    assert json.loads(after) == {"alerts": [1], "idempotency_keys": [key]}


def test_what_did_not_happen_is_not_told(ws, monitors):
    """A notice is written with what happened: a change that fails leaves neither."""
    monitors.sinks.save("ops", kind="webhook", url="http://127.0.0.1:9/")
    with contextlib.suppress(RuntimeError), monitors._project.change() as change:
        assert enqueue(change, Alert(), "firing") == 1
        raise RuntimeError
    assert rows(ws) == []


@pytest.mark.parametrize(
    ("options", "transition", "told"),
    [
        ({}, "firing", 1),
        ({"min_severity": "urgent"}, "firing", 1),
        ({"min_severity": "page"}, "firing", 0),
        ({"monitors": ["cost"]}, "firing", 0),
        ({"monitors": ["cost", "latency"]}, "silenced", 1),
        ({"kind": "alertmanager"}, "acknowledged", 0),
    ],
)
def test_a_sink_says_what_it_is_told(monitors, options, transition, told):
    """By urgency, by monitor, and by what is of use there."""
    monitors.sinks.save("ops", **{"kind": "webhook", "url": "http://127.0.0.1:9/", **options})
    assert happen(monitors, Alert(), transition) == told


@pytest.mark.parametrize("status", [500, 503, 404, 401, 302, 0, -1])
def test_a_sink_that_fails_is_told_later(ws, monitors, clock, status, monkeypatch):
    """An error, a redirection, no answer: the notice waits, and arrives with its key when the sink is back."""
    monkeypatch.setattr("lmops.monitors._sending.TIMEOUT_S", 0.3)
    with Listener(status, 200, headers={"Location": "/elsewhere"}) as sink:
        monitors.sinks.save("ops", kind="webhook", url=sink.url)
        happen(monitors, Alert())
        first = monitors.deliver()
        assert (first.sent, first.waiting, list(first.failed), len(sink.got)) == (0, 1, ["ops"], 1)
        assert monitors.deliver().sent == 0  # it is left alone for a while
        assert len(sink.got) == 1
        clock.later(minutes=5)
        assert monitors.deliver().sent == 1
    assert {headers["idempotency-key"] for _, headers, _ in sink.got} == {*rows(ws, "idempotency_key")}
    assert monitors.deliver().failed == {}


def test_a_slow_answer_has_a_deadline(monitors, monkeypatch):
    """A byte now and then does not hold the check up."""
    monkeypatch.setattr("lmops.monitors._sending.TIMEOUT_S", 0.3)
    with dripping() as url:
        monitors.sinks.save("ops", kind="webhook", url=url)
        happen(monitors, Alert())
        assert monitors.deliver().failed == {"ops": "no answer within 0.3 s"}


def test_of_a_large_answer_the_beginning_is_read(ws, monitors):
    """It was taken all the same, and what is kept of it is short."""
    with Listener(body=b"x" * 50_000_000) as sink:
        monitors.sinks.save("ops", kind="webhook", url=sink.url)
        happen(monitors, Alert())
        assert monitors.deliver().sent == 1
    assert len(rows(ws, "said")[0]) <= 200


def test_a_sink_that_asks_for_time_gets_it(monitors, clock):
    """Retry-After is kept, up to an hour."""
    with Listener(429, 200, headers={"Retry-After": "1200"}) as sink:
        monitors.sinks.save("ops", kind="webhook", url=sink.url)
        happen(monitors, Alert())
        for minutes, sent in ((0, 0), (15, 0), (6, 1)):
            clock.later(minutes=minutes)
            assert monitors.deliver().sent == sent


def test_a_day_without_the_sink_ends_without_a_storm(ws, monitors, clock):
    """It is asked every few minutes; then each alert is told once, as it is now, many in one message."""
    with Listener(500) as sink:
        monitors.sinks.save("ops", kind="webhook", url=sink.url)
        for hour in range(24):
            with monitors._project.change() as change:
                for number in range(25):
                    enqueue(change, Alert(alert=number), "firing" if hour % 2 == 0 else "resolved")
            for _ in range(6):
                monitors.deliver()
                clock.later(minutes=10)
        assert 24 <= len(sink.got) <= 24 * 6
        sink.got.clear()
        sink.statuses = [200]
        back = monitors.deliver()
    assert (back.sent, back.waiting, len(sink.got)) == (25, 0, 2)
    told = [one["lmops"] for body in sink.bodies for one in body["alerts"]]
    assert sorted(one["alert"] for one in told) == list(range(25))
    assert {one["transition"] for one in told} == {"resolved"}
    assert (rows(ws).count("sent"), rows(ws).count("superseded"), len(rows(ws))) == (25, 23 * 25, 24 * 25)


def test_so_many_messages_a_minute(monitors, clock):
    """What is more waits for the next minute; the most urgent goes first."""
    with Listener() as sink:
        monitors.sinks.save("pd", kind="pagerduty", url=sink.url, secret_env="PD_KEY", min_severity="note")
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("PD_KEY", "routing")
            for number in range(PER_MINUTE + 5):
                happen(monitors, Alert(alert=number, severity="note" if number else "ticket"))
            assert (monitors.deliver().sent, monitors.deliver().sent) == (PER_MINUTE, 0)
            clock.later(minutes=2)
            assert monitors.deliver().sent == 5
    assert sink.bodies[0]["payload"]["severity"] == "warning"


def test_a_notice_that_is_refused_does_not_hold_up_others(ws, monitors, clock):
    """What a sink takes no exception to is told; the other is tried alone, and waits."""

    with Listener(400, 200) as sink:
        monitors.sinks.save("ops", kind="webhook", url=sink.url)
        happen(monitors, Alert(alert=1))
        assert monitors.deliver().failed == {"ops": "it answered 400"}
        happen(monitors, Alert(alert=2))
        assert monitors.deliver().sent == 1
        clock.later(minutes=1)
        assert monitors.deliver().sent == 1
    assert rows(ws) == ["sent", "sent"]


def test_what_cannot_be_written_down_does_not_hold_up_others(ws, monitors, clock):
    """A notice that is damaged waits alone."""
    with Listener() as sink:
        monitors.sinks.save("ops", kind="webhook", url=sink.url)
        happen(monitors, Alert(alert=1))
        with ws.store.transaction() as con:
            con.execute("update alert_outbox set facts = '{}'")
        happen(monitors, Alert(alert=2))
        assert monitors.deliver().sent == 0
        clock.later(minutes=1)
        assert (monitors.deliver().sent, rows(ws)) == (1, ["waiting", "sent"])


def test_alerts_go_together(monitors):
    """Many in one message, up to a bound."""
    with Listener() as sink:
        monitors.sinks.save("ops", kind="slack", url=sink.url)
        for number in range(GROUP + 1):
            happen(monitors, Alert(alert=number))
        monitors.deliver()
    assert [len(body["text"].split("\n\n")) for body in sink.bodies] == [GROUP, 1]


def test_a_webhook_is_signed(monitors, monkeypatch):
    """HMAC-SHA256 over timestamp and body by the secret that the environment has."""
    monkeypatch.setenv("OPS_SECRET", "s3cret")
    with Listener() as sink:
        monitors.sinks.save("ops", kind="webhook", url=sink.url, secret_env="OPS_SECRET")
        happen(monitors, Alert())
        monitors.deliver()
    ((_, headers, body),) = sink.got
    message = headers["lmops-timestamp"].encode() + b"." + body
    assert headers["lmops-signature"] == "v1=" + hmac.new(b"s3cret", message, hashlib.sha256).hexdigest()


def test_without_its_secret_a_sink_waits(ws, monitors, monkeypatch):
    """Nothing is sent unsigned, and the variable is named."""
    monkeypatch.delenv("OPS_SECRET", raising=False)
    with Listener() as sink:
        monitors.sinks.save("ops", kind="webhook", url=sink.url, secret_env="OPS_SECRET")
        happen(monitors, Alert())
        assert monitors.deliver().failed == {"ops": "OPS_SECRET is not set in the environment"}
    assert (sink.got, rows(ws)) == ([], ["waiting"])


def test_no_secret_comes_back(ws, monitors, monkeypatch):
    """What a sink echoes is kept without the secret."""
    monkeypatch.setenv("OPS_SECRET", "s3cret-and-long-0815")
    with Listener(body=b"got s3cret-and-long-0815") as sink:
        monitors.sinks.save("ops", kind="webhook", url=sink.url, secret_env="OPS_SECRET")
        happen(monitors, Alert())
        monitors.deliver()
    assert rows(ws, "said") == ["got [key]"]


def test_texts_of_traces_are_told_to_whom_may_have_them(ws, monitors):
    """Nobody is told by default; where it is allowed, keys are masked."""
    row = span("t", "root", input="my key is ghp_" + "a1" * 18, output="thanks")
    ws.store.append_many({"spans": [row], "logs": []})
    with Listener() as quiet, Listener() as open_:
        monitors.sinks.save("quiet", kind="webhook", url=quiet.url)
        monitors.sinks.save("open", kind="webhook", url=open_.url, with_text=True)
        happen(monitors, Alert(examples=(row["trace_id"], "f" * 32)))
        monitors.deliver()
    assert b"thanks" not in quiet.got[0][2]
    (told,) = open_.bodies[0]["alerts"][0]["lmops"]["examples"]
    assert told == {"trace_id": row["trace_id"], "question": "my key is [key]", "answer": "thanks"}


_DELIVER = """
import sys, lmops
with lmops.open(sys.argv[1], actor="ann") as ws:
    ws.monitors.deliver()
"""


def test_who_is_killed_while_telling_loses_nothing(ws, monitors, clock):
    """What was on its way is told again when its time is over, with the same key, and not before."""
    with Listener(-1, 200) as sink:
        monitors.sinks.save("ops", kind="webhook", url=sink.url)
        happen(monitors, Alert())
        with Program(_DELIVER, str(ws.store.path)) as teller:
            eventually(sink.arrived.is_set)
            teller.kill()
            teller.wait(30)
        sink.release.set()
        (next_at,) = ws.store.sql("select next_at from alert_deliveries").fetchall()[0]
        clock.now = next_at - timedelta(seconds=5)
        assert (monitors.deliver().sent, rows(ws)) == (0, ["waiting"])
        clock.later(seconds=10)
        assert (monitors.deliver().sent, rows(ws)) == (1, ["sent"])
    assert len({headers["idempotency-key"] for _, headers, _ in sink.got}) == 1


def test_two_at_once_tell_it_once(ws, monitors):
    """What one process is sending, another leaves."""
    with Listener() as sink:
        monitors.sinks.save("ops", kind="webhook", url=sink.url)
        for number in range(60):
            happen(monitors, Alert(alert=number))
        threads = [threading.Thread(target=monitors.deliver) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        told = [one["lmops"]["alert"] for body in sink.bodies for one in body["alerts"]]
    assert sorted(told) == list(range(60))
    assert set(rows(ws)) == {"sent"}


def test_what_is_newer_waits_for_what_is_on_its_way(ws, monitors, clock):
    """An end is never told before its beginning."""
    with Listener() as sink:
        monitors.sinks.save("ops", kind="webhook", url=sink.url)
        happen(monitors, Alert())
        with monitors._project.change() as change:
            assert len(take(change, monitors.sinks.get("ops"))) == 1
        happen(monitors, Alert(resolved_at=clock.now), "resolved")
        assert (monitors.deliver().sent, sink.got) == (0, [])
        clock.later(minutes=2)
        assert monitors.deliver().sent == 1
    assert (rows(ws), sink.bodies[0]["status"]) == (["superseded", "sent"], "resolved")


def test_who_is_erased_is_not_told_of(ws, monitors):
    """A notice that names an erased trace goes with it."""
    row = span("t", "root", user_id="mara", input="what is it", output="it is this and nothing else at all")
    ws.store.append_many({"spans": [row], "logs": []})
    monitors.sinks.save("ops", kind="webhook", url="http://127.0.0.1:9/")
    happen(monitors, Alert(examples=(row["trace_id"],)))
    ws.erase(user_id="mara", reason="asked", dry_run=False)
    assert rows(ws) == []


def test_nothing_to_tell_is_no_work(tmp_path):
    """No change is made, so that a check every minute leaves no trace."""
    with lmops.open(tmp_path / "s", actor="ann") as ws:
        before = ws.audit.head()
        assert ws.monitors.deliver().sent == 0
        assert ws.audit.head() == before


def test_what_was_told_long_ago_is_taken_out(ws, monitors, clock):
    """After 90 days; of each alert the newest notice stays."""
    with Listener() as sink:
        monitors.sinks.save("ops", kind="webhook", url=sink.url)
        for transition in ("firing", "acknowledged", "resolved"):
            happen(monitors, Alert(), transition)
            monitors.deliver()
        clock.later(minutes=91 * 24 * 60)
        happen(monitors, Alert(alert=2))
        monitors.deliver()
    assert rows(ws, "alert || ' ' || transition") == ["1 resolved", "2 firing"]
