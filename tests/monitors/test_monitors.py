"""Monitors as versions, alerts and what people do with them, backtests and simulations."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

import lmops
from lmops.errors import NotFoundError, ReadOnlyError, UsageError
from lmops.monitors import Monitors
from lmops.monitors.defaults import DEFAULTS
from tests.monitors.traffic import add, day, sessions


def watch(ws, **given):
    return ws.monitors.save("errors", **{"metric": "error_rate", **given})


@pytest.fixture
def firing(ws):
    """A workspace with one alert that fires, and an outage that goes on for a day."""
    add(ws, sessions(day(0), day(5)), sessions(day(5), day(6), bad=lambda n: n % 2 == 0, name="b"))
    watch(ws)
    ws.monitors.check(at=day(5, 2))
    return ws


def test_a_monitor_is_a_version_of_its_name(ws):
    """The same content is the same version; what changed is said line by line."""
    first, same = watch(ws, reason="new"), watch(ws)
    second = watch(ws, every=50_000, owner="ann")
    assert (first.ref, same.ref, second.ref, second.parent) == ("errors@1", "errors@1", "errors@2", 1)
    diff = ws.monitors.diff("errors", 1, second)
    assert "-every: 10000" in diff
    assert '+owner: "ann"' in diff
    assert ws.monitors.diff("errors", 2, 2) == ""
    assert ws.monitors.versions("errors").version.tolist() == [2, 1]
    assert ws.sql("select name, version, metric, is_on from monitors").fetchall() == [("errors", 2, "error_rate", True)]
    assert (ws.monitors.verify(), ws.audit.verify().ok) == ((), True)


def test_the_version_in_production_is_the_one_that_looks(firing):
    """A new version is looked at at once; the alias holds an older one in place. Alerts of another are resolved."""
    ws = firing
    ws.monitors.promote("errors", 1, to="production")
    watch(ws, on=False)
    assert ws.monitors.check(at=day(5, 3)).firing
    ws.monitors.promote("errors", 2, to="production")
    assert ws.monitors.check(at=day(5, 4)).alerts == ()
    assert ws.monitors.alerts().reason.tolist() == ["the monitor is switched off"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"metric": "eror_rate"}, "error_rate"),
        ({"method": "detektor"}, "detector"),
        ({"direction": "up"}, "above"),
        ({"severity": "high"}, "page"),
        ({"by": "servise"}, "servise"),
        ({"by": "a; drop"}, "names of columns"),
        ({"where": "latencyms > 1"}, "latencyms"),
        ({"metric": {"view": "tracez", "value": "1", "kind": "mean"}}, "tracez"),
        ({"window": "soon"}, "30m"),
        ({"baseline": "yesterday"}, "first 3d"),
        ({"baseline": "2026-03-02..2026-03-01"}, "two times"),
        ({"method": "threshold"}, "needs limit="),
        ({"limit": 0.5}, "margin="),
        ({"method": "burn", "limit": -1}, "may be spent"),
        ({"method": "burn", "limit": 1, "metric": "latency_p95"}, "no budget"),
        ({"every": 1}, "at least 100"),
        ({"margin": 2.0}, "at most 1"),
        ({"most": 1000}, "at most 100"),
        ({"on": "no"}, "True or False"),
    ],
)
def test_what_is_no_monitor_is_refused_with_what_would_be(ws, given, said):
    """The error names what was asked and what works; nothing is saved."""
    with pytest.raises(UsageError, match=said):
        watch(ws, **given)
    assert ws.monitors.names() == []


def test_an_alert_is_acknowledged_silenced_and_resolved_with_reasons(firing):
    """Each step is an event; a silence that ran out fires again."""
    ws = firing
    monitors = Monitors(ws.project)
    assert monitors.ack(1, reason="on it").status == "acknowledged"
    assert monitors.check(at=day(5, 3)).outcome == "quiet"
    silenced = monitors.silence(1, for_="2h", reason="known")
    assert monitors.silence(1, for_="4h").silenced_until_at - silenced.silenced_until_at > timedelta(hours=1)
    assert monitors.check(at=silenced.silenced_until_at + timedelta(days=1)).firing
    assert monitors.resolve(1, reason="rolled back").status == "resolved"
    actions = ws.sql("select action, reason from alert_history order by event_id").fetchall()
    assert [action for action, _ in actions] == [
        "open", "acknowledge", "silence", "silence", "unsilence", "resolve",
    ]  # fmt: skip  # a life reads in one line
    assert actions[1][1] == "on it"
    assert ws.audit.verify().ok


def test_what_cannot_be_done_with_an_alert_is_said(firing):
    """No such alert, no time, a time that has passed, a state that cannot follow."""
    monitors = firing.monitors
    with pytest.raises(NotFoundError, match="no alert 7"):
        monitors.ack(7)
    with pytest.raises(UsageError, match="for_='4h'"):
        monitors.silence(1)
    with pytest.raises(UsageError, match="has passed"):
        monitors.silence(1, until="2020-01-01")
    monitors.resolve(1)
    with pytest.raises(UsageError, match="firing may follow"):
        monitors.ack(1)
    with pytest.raises(UsageError, match="firing"):
        monitors.alerts(status="fireing")


def test_an_alert_that_comes_back_is_the_same(firing):
    """Resolved by hand while the outage goes on: new evidence opens it again and counts it."""
    ws = firing
    ws.monitors.resolve(1, reason="looks fine")
    later = ws.monitors.check(at=day(5, 8))
    (alert,) = later.firing
    assert (alert.alert, alert.times_opened) == (1, 2)
    assert "opened 2 times" in later.text


def test_an_erased_trace_is_gone_from_its_alert(firing):
    """The alert stays, the example goes."""
    ws = firing
    gone = json.loads(ws.sql("select examples from alerts").fetchall()[0][0])[0]
    ws.erase(trace_ids=[gone], reason="asked", dry_run=False)
    assert gone not in ws.sql("select examples from alerts").fetchall()[0][0]
    assert ws.audit.verify().ok


def test_a_changed_state_is_refused_and_found(firing):
    """Its checksum differs: the check names it and goes on with the others."""
    ws = firing
    with ws.store.transaction() as con:
        con.execute("update monitor_states set n = n + 1")
    assert "is not what was written" in ws.monitors.check(at=day(5, 3)).notes[0]
    assert not ws.audit.verify().ok


def test_a_backtest_says_when_it_would_have_fired_and_writes_nothing(firing):
    """Within two hours of the outage; before it never."""
    ws = firing
    ws.monitors.resolve(1)
    events = ws.sql("select count(*) from audit").fetchall()
    found = ws.monitors.backtest("errors", every="2h")
    (fired,) = found.fired
    assert day(5) < fired["fired_at"] <= day(5, 3)
    assert found.df().resolved_at.isna().all()
    assert ws.monitors.backtest("errors", until=day(5)).fired == ()
    assert ws.sql("select count(*) from audit").fetchall() == events
    with pytest.raises(UsageError, match=r"look [\d,]+ times"):
        ws.monitors.backtest("errors", every="1s")


def test_a_simulation_finds_larger_changes_sooner(ws):
    """And says what the edge is."""
    found = ws.monitors.simulate(0.05, 200)
    days = [row["days"] for row in found.rows]
    assert 0.05 < found.edge < 0.1
    assert days == sorted(days, reverse=True)
    assert "sessions until found" in found.text
    with pytest.raises(UsageError, match="rate"):
        ws.monitors.simulate(0, 200)


def test_the_default_set_is_saved_once(ws):
    """What has such a name already stays as it is."""
    watch(ws, every=500)
    listed = ws.monitors.save_defaults(owner="ann")
    assert set(listed.name) == set(DEFAULTS)
    assert ws.monitors.get("errors").every == 500
    assert ws.monitors.save_defaults().version.tolist() == [1] * len(DEFAULTS)


def test_a_store_for_reading_is_not_checked(firing):
    """It says so; a backtest works."""
    with lmops.open(firing.store.path, read_only=True) as ws:
        assert ws.monitors.backtest("errors", since=day(5), every="1d")
        with pytest.raises(ReadOnlyError):
            ws.monitors.check(at=day(5, 5))


def test_everything_shows_itself(firing):
    """As text and as HTML; what somebody wrote is escaped."""
    ws = firing
    saved = ws.monitors.save("own", metric="latency_p95", where="'<b>' = '<b>'", owner="<i>")
    alert = ws.monitors.unresolved()[0]
    for shown in (saved, alert, ws.monitors.show("errors"), ws.monitors.backtest("errors", every="1d")):
        assert shown.text
        assert "<b>'" not in shown._repr_html_()
    assert "&lt;i&gt;" in saved._repr_html_()
    assert ws.monitors.check(at=day(5, 3)).df().monitor.tolist() == ["errors", "own"]
