"""Checks: what a detector finds and what it does not, however often somebody looks."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

import lmops
from lmops.calc.anytime import anytime_rate
from lmops.calc.intervals import proportion_interval
from lmops.errors import NotFoundError
from lmops.monitors import Monitors
from tests.monitors.traffic import HOUR, add, day, sessions

BROKEN = lambda number: number % 2 == 0  # noqa: E731  # every other session of an outage


def outage(ws, *, begin=None, end=None):
    """Write five good days, an outage of half a day, and two good days."""
    begin, end = begin or day(5), end or day(5, 12)
    add(ws, sessions(day(0), begin), sessions(begin, end, bad=BROKEN, name="b"), sessions(end, day(8), name="c"))


def watch(ws, **given):
    return ws.monitors.save("errors", metric="error_rate", **given)


def alerts_of(ws):
    """Return what alerts say, whenever they were opened."""
    rows = ws.monitors.alerts()
    return rows[["series", "status", "since_at", "found_at", "words", "times_opened"]].to_dict("records")


def test_an_outage_is_found_dated_and_resolved_by_itself(ws):
    """Within an hour and a half; the change point is where it began; two good days are evidence."""
    outage(ws)
    watch(ws)
    found = ws.monitors.check(at=day(5, 2))
    (alert,) = found.firing
    assert (found.outcome, found.exit_code) == ("firing", 1)
    assert alert.since_low_at <= alert.since_at <= alert.since_high_at <= day(5, 1)
    assert abs(alert.since_at - day(5)) < HOUR
    assert alert.found_at <= day(5, 1.5)
    assert alert.baseline == 0
    assert 2 <= len(alert.examples) <= 5
    later = ws.monitors.check(at=day(8))
    assert (later.outcome, later.resolved) == ("quiet", (alert.alert,))
    assert "no longer above" in ws.monitors.alerts().reason[0]


def test_nothing_is_found_where_nothing_changed(ws):
    """One in ten fails all along."""
    add(ws, sessions(day(0), day(9), bad=lambda number: number % 10 == 0))
    watch(ws)
    found = ws.monitors.check(at=day(9))
    assert (found.outcome, found.alerts) == ("quiet", ())
    (row,) = found.series
    assert row["estimate"] == pytest.approx(0.1, abs=0.01)
    assert row["low"] < 0.1 < row["high"]


@pytest.mark.parametrize("method", ["detector", "threshold", "drift"])
def test_the_limits_that_are_shown_hold_at_every_look(ws, method):
    """They are those of a confidence sequence of the sessions of the window, wider than an interval for one look."""
    add(ws, sessions(day(0), day(9), bad=lambda number: number % 10 == 0, model=lambda n: "ab"[n % 10 == 0]))
    metric = "model_mix" if method == "drift" else "error_rate"
    ws.monitors.save("m", metric=metric, method=method, limit={"threshold": 0.5}.get(method))
    (row,) = ws.monitors.check(at=day(9)).series
    bad = round(row["estimate"] * row["n"])
    outcomes = np.repeat([1.0, 0.0], [bad, row["n"] - bad])
    found, once = anytime_rate(outcomes, clusters=range(row["n"])), proportion_interval(outcomes)
    assert (row["low"], row["high"]) == pytest.approx((found.low, found.high), abs=0.002)
    assert row["high"] - row["low"] > 1.4 * (once.high - once.low)


def test_a_percentile_of_one_session_has_no_limits(ws):
    """Some minutes of one session are watched as the first of many: an estimate, no limits, and no fault."""
    add(ws, sessions(day(0), day(0, 0.1), every=HOUR / 10))
    ws.monitors.save("slow", metric="latency_p95")
    found = ws.monitors.check(at=day(1))
    (row,) = found.series
    assert (row["n"], row["low"], row["high"], found.notes) == (1, None, None, ())


def test_it_does_not_matter_how_often_somebody_looks(ws, tmp_path):
    """The same alerts from one look at the end as from one every three hours."""
    outage(ws)
    watch(ws)
    ws.monitors.check(at=day(8))
    with lmops.open(tmp_path / "other" / ".lmops") as other:
        outage(other)
        watch(other)
        for hours in range(0, 8 * 24 + 1, 3):
            other.monitors.check(at=day(0, hours))
        assert alerts_of(other) == alerts_of(ws)
        assert len(alerts_of(ws)) == 1


def test_a_second_check_of_the_same_changes_nothing(ws):
    """No event, no row."""
    outage(ws)
    watch(ws)
    first = ws.monitors.check(at=day(5, 4))
    events = ws.sql("select count(*) from audit").fetchall()
    again = ws.monitors.check(at=day(5, 4))
    assert (again.series, again.alerts, again.opened) == (first.series, first.alerts, ())
    assert ws.sql("select count(*) from audit").fetchall() == events


def test_too_little_is_said_with_how_much_is_needed(ws):
    """Of 50 sessions 20 are there."""
    add(ws, sessions(day(0), day(0, 10), every=HOUR / 2))
    watch(ws)
    found = ws.monitors.check(at=day(1))
    assert (found.outcome, found.exit_code) == ("cannot tell", 3)
    assert (found.series[0]["status"], found.series[0]["needed"]) == ("learning", 30)
    assert "30 more sessions" in found.text


def test_nothing_at_all_is_no_data(ws):
    """A store without a trace, and one without a monitor."""
    assert ws.monitors.check().outcome == "cannot tell"
    watch(ws)
    found = ws.monitors.check()
    assert found.series[0]["status"] == "no data"
    assert "nothing was ever there" in found.text


def test_late_spans_are_noticed_and_looked_at_again(ws):
    """What failed in an hour that was looked at arrives later: the report says so, and the alert is opened."""
    add(ws, sessions(day(0), day(6)))
    watch(ws)
    assert ws.monitors.check(at=day(6)).outcome == "quiet"
    add(ws, sessions(day(5, 3), day(5, 6), bad=lambda _: True, name="late"))
    found = ws.monitors.check(at=day(6, 1))
    assert "late data" in found.notes[0]
    assert ws.monitors.alerts().found_at[0] < day(5, 6)


def test_an_alarm_that_late_spans_take_back_is_resolved(ws):
    """Half of an outage's traces were good ones whose spans came late."""
    broken = sessions(day(5), day(5, 1), bad=lambda _: True, name="b")
    add(ws, sessions(day(0), day(5)), broken)
    watch(ws)
    assert ws.monitors.check(at=day(5, 2)).outcome == "firing"
    add(ws, sessions(day(5), day(5, 1), every=HOUR / 2000, name="late"))
    found = ws.monitors.check(at=day(5, 3))
    assert (found.outcome, len(found.resolved)) == ("quiet", 1)


def test_a_series_is_watched_by_itself(ws):
    """One service fails, the other does not; the words name it."""
    add(
        ws,
        sessions(day(0), day(6), service="web"),
        sessions(day(0), day(5), name="b", service="<app>"),
        sessions(day(5), day(6), name="c", service="<app>", bad=BROKEN),
    )
    watch(ws, by="service")
    found = ws.monitors.check(at=day(6))
    (alert,) = found.firing
    assert alert.series == {"service": "<app>"}
    assert "&lt;app&gt;" in found._repr_html_()
    assert {row["status"] for row in found.series} == {"quiet", "firing"}


def test_series_that_are_too_many_are_said(ws):
    """Those with the most items are watched."""
    rows = [sessions(day(0), day(4), every=HOUR * (1 + n), name=f"n{n}-", service=f"s{n}") for n in range(3)]
    add(ws, *rows)
    watch(ws, by="service", most=2)
    found = ws.monitors.check(at=day(4))
    assert [row["series"] for row in found.series] == ['{"service":"s0"}', '{"service":"s1"}']
    assert "1 more series" in found.notes[0]


def test_a_mean_that_moves_is_found(ws):
    """Answers become half as long again; both directions are watched."""
    short = lambda number: "x" * (100 + number % 10)  # noqa: E731  # the length of answers varies
    longer = lambda number: "x" * (150 + number % 10)  # noqa: E731  # likewise
    add(ws, sessions(day(0), day(5), output=short), sessions(day(5), day(6), name="b", output=longer))
    ws.monitors.save("length", metric="answer_length", direction="both")
    ws.monitors.save("shorter", metric="answer_length", direction="below")
    found = ws.monitors.check(at=day(6))
    (alert,) = found.firing
    assert (alert.monitor, alert.direction) == ("length", "above")
    assert abs(alert.since_at - day(5)) < HOUR
    assert 130 < alert.estimate < 160


@pytest.mark.parametrize("baseline", ["rolling 3d", "same hour of the week", f"{day(1):%F}..{day(4):%F}"])
def test_every_baseline_finds_an_outage_and_is_quiet_before(ws, baseline):
    """A rolling one, one of the hour, one that is pinned."""
    outage(ws)
    watch(ws, baseline=baseline)
    assert ws.monitors.check(at=day(5)).outcome == "quiet"
    assert ws.monitors.check(at=day(5, 12)).outcome == "firing"


def test_what_is_usual_at_an_hour_is_not_alarming(ws):
    """Each night all sessions of two hours fail: the hours of the day are held against their own."""
    nightly = lambda number: number % 144 < 12  # noqa: E731  # ten minutes apart: two hours a day
    add(ws, sessions(day(0), day(14), bad=nightly))
    watch(ws, baseline="same hour of the week")
    ws.monitors.save("plain", metric="error_rate")
    ws.monitors.check(at=day(14))
    assert set(ws.monitors.alerts().monitor) == {"plain"}


def test_evaluations_do_not_count(ws):
    """Their environment says what they are."""
    add(ws, sessions(day(0), day(5)), sessions(day(5), day(6), name="e", bad=BROKEN, environment="evaluation"))
    watch(ws)
    assert ws.monitors.check(at=day(6)).alerts == ()


def test_an_interrupted_check_leaves_nothing_behind(ws):
    """The transaction of a monitor is whole or not there; the next check does it."""
    outage(ws)
    watch(ws)

    def killed():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Monitors(replace(ws.project, now=killed)).check(at=day(5, 4))
    assert ws.sql("select count(*) from monitor_series").fetchall() == [(0,)]
    assert len(ws.monitors.check(at=day(5, 4)).opened) == 1


def test_two_checks_at_once_open_one_alert(ws):
    """Each has a connection of its own."""
    outage(ws)
    watch(ws)
    folder = ws.store.path

    def run():
        with lmops.open(folder, actor="other") as other:
            other.monitors.check(at=day(5, 4))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert (len(ws.monitors.alerts()), ws.audit.verify().ok) == (1, True)
    assert ws.sql("select max(seq) from monitor_series").fetchall() == [(1,)]


def test_a_monitor_that_cannot_be_asked_hides_no_other(ws):
    """Its division fails on what came in; the others are looked at."""
    outage(ws)
    watch(ws)
    ws.monitors.save("own", metric={"view": "traces", "value": "error('no')::DOUBLE", "kind": "mean"})
    found = ws.monitors.check(at=day(5, 4))
    assert len(found.firing) == 1
    assert found.notes[0].startswith("own cannot be asked")


def test_some_monitors_are_checked_and_the_alerts_of_others_stay(ws):
    """A check of one monitor resolves nothing of another."""
    outage(ws)
    watch(ws)
    ws.monitors.save("cost", metric="cost_per_query")
    ws.monitors.check(at=day(5, 4))
    found = ws.monitors.check(["cost"], at=day(5, 5))
    assert (found.alerts, found.resolved) == ((), ())
    assert ws.monitors.alerts().status[0] == "firing"
    with pytest.raises(NotFoundError, match="costs"):
        ws.monitors.check(["costs"])
