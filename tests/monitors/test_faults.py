"""What goes wrong around a check: processes that are killed, clocks that are wrong, data that is hardly there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from lmops.errors import UsageError
from lmops.monitors._source import Sources
from lmops.monitors.checking import traffic_of
from lmops.monitors.detecting import edges
from lmops.monitors.reading import seen
from lmops.times import to_ns
from tests.forked import Program
from tests.monitors.traffic import HOUR, add, day, sessions

#: A check that says that its transaction has begun, and stays in it.
_HANGS = """
import sys, time
from dataclasses import replace
import lmops
from lmops.monitors import Monitors

def now():
    print("in", flush=True)
    time.sleep(600)

with lmops.open(sys.argv[1], actor="killed") as ws:
    Monitors(replace(ws.project, now=now)).check(at=sys.argv[2])
"""
_CHECKS = """
import sys
import lmops

with lmops.open(sys.argv[1], actor=sys.argv[3]) as ws:
    print(ws.monitors.check(at=sys.argv[2]).outcome)
"""


@pytest.fixture
def outage(ws):
    """A workspace with five good days and half a bad one, and a monitor that sees it."""
    bad = sessions(day(5), day(5, 12), bad=lambda n: n % 2 == 0, name="b")
    add(ws, sessions(day(0), day(5)), bad)
    ws.monitors.save("errors", metric="error_rate")
    return ws


def one_answer(ws):
    """Hold that there is one alert, written once, in a chain that is whole."""
    assert (len(ws.monitors.alerts()), ws.audit.verify().ok) == (1, True)
    assert ws.sql("select max(seq), count(*) from monitor_series").fetchall() == [(1, 1)]
    assert ws.sql("select count(*) from alert_history where action = 'open'").fetchall() == [(1,)]


def test_a_check_that_is_killed_leaves_nothing_and_the_next_does_it(outage):
    """Killed with its transaction open."""
    at = day(5, 4).isoformat()
    process = Program(_HANGS, outage.store.path, at)
    assert process.stdout.readline() == "in\n"
    process.kill()
    process.wait(60)
    assert outage.sql("select count(*) from monitor_series").fetchall() == [(0,)]
    assert outage.monitors.check(at=at).outcome == "firing"
    one_answer(outage)


def test_two_processes_that_check_at_once_say_the_same_once(outage):
    """Each says what is so; what is written is written by one."""
    at = day(5, 4).isoformat()
    processes = [Program(_CHECKS, outage.store.path, at, actor) for actor in ("ann", "bob")]
    assert [process.communicate() for process in processes] == [("firing\n", "")] * 2
    one_answer(outage)


def test_spans_of_the_future_wait_for_their_time(ws):
    """A client whose clock is a day ahead makes no alert now, and its traces count when it is that time."""
    add(ws, sessions(day(0), day(5)), sessions(day(6), day(6, 4), bad=lambda _: True, name="ahead"))
    ws.monitors.save("errors", metric="error_rate")
    found = ws.monitors.check(at=day(5))
    assert (found.outcome, found.series[0]["n"]) == ("quiet", 144)
    assert ws.monitors.check(at=day(6, 4)).outcome == "firing"


@pytest.mark.parametrize("method", ["detector", "threshold", "anomaly", "silence"])
@pytest.mark.parametrize("rows", [[], sessions(day(0), day(0, 0.1), every=HOUR / 10)])
def test_of_nothing_and_of_one_trace_nothing_can_be_told(ws, method, rows):
    """Every method says so, and none fires."""
    if rows:
        add(ws, rows)
    limit = {"threshold": 0.1}.get(method)
    ws.monitors.save("one", metric="cost_per_query", method=method, limit=limit)
    found = ws.monitors.check(at=day(1))
    assert (found.outcome, found.notes, found.alerts) == ("cannot tell", (), ())


@pytest.mark.parametrize("method", ["detector", "threshold"])
def test_what_is_always_missing_is_no_zero(ws, method):
    """A thousand queries whose cost nobody knows."""
    add(ws, sessions(day(0), day(5), cost_usd=None))
    ws.monitors.save("cost", metric="cost_per_query", method=method, limit={"threshold": 0.1}.get(method))
    (row,) = ws.monitors.check(at=day(5)).series or [{}]
    assert (row["status"], row["estimate"], row["baseline"]) == ("no data", None, None)


def test_a_column_that_is_not_there_is_named(ws):
    """When it is saved; and where a monitor of an older store names it, by the check, beside what the others say."""
    own = {"view": "traces", "value": "nosuch > 1", "kind": "rate"}
    with pytest.raises(UsageError, match="nosuch"):
        ws.monitors.save("own", metric=own)
    with pytest.raises(UsageError, match="nosuch"):
        ws.monitors.save("errors", metric="error_rate", by="nosuch")


def test_an_hour_of_the_week_is_one_of_utc_whatever_the_clocks_do():
    """Where a time zone puts its clocks back, an hour there is two of ours, and each is held against its own."""
    zone = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 2, 30, tzinfo=zone)
    again = first.replace(fold=1)
    at = [to_ns(one.astimezone(UTC)) for one in (first, again)]
    assert at[1] - at[0] == 3600 * 10**9
    weeks = [ns + week * 7 * 24 * 3600 * 10**9 for ns in at for week in range(-40, 0)]
    bad = np.array([1.0] * 40 + [0.0] * 40)
    limits = edges(np.array(weeks), bad, 0.2, hours=True)
    hours = [ns // (3600 * 10**9) % 168 for ns in at]
    assert [limits[hour] > 0.9 for hour in hours] == [True, False]


def test_the_times_of_a_time_zone_mean_the_same_check(outage):
    """In the night in which the clocks change."""
    berlin = day(5, 4).astimezone(ZoneInfo("Europe/Berlin"))
    first = outage.monitors.check(at=berlin)
    assert outage.monitors.check(at=day(5, 4)).opened == ()
    assert len(first.opened) == 1


def test_the_alert_of_a_dear_query_keeps_it_when_another_comes(ws):
    """The first has left the window when the alert comes back within a day."""
    usual = lambda n: 0.001 * (1 + n % 5 / 5)  # noqa: E731  # costs vary
    add(ws, sessions(day(0), day(6), cost_usd=usual))
    for name, at in (("one", day(4)), ("two", day(5, 12))):
        add(ws, sessions(at, at + timedelta(minutes=10), cost_usd=0.03, name=name))
    ws.monitors.save("dear", metric="cost_per_query", method="anomaly", baseline="rolling 3d", window="1d")
    (first,) = ws.monitors.check(at=day(4, 1)).firing
    assert ws.monitors.check(at=day(5, 3)).resolved == (first.alert,)
    (again,) = ws.monitors.check(at=day(5, 13)).firing
    assert (again.alert, again.times_opened, len(again.examples)) == (first.alert, 2, 2)
    assert again.examples[1] == first.examples[0]


def test_monitors_of_one_view_are_read_together(ws):
    """However many they are, the store is asked twice: when anything was, and what it is."""
    add(ws, sessions(day(0), day(5)))
    for name in ("error_rate", "latency_p50", "latency_p95"):
        ws.monitors.save(name, metric=name, by="service")
    asked = []

    class Counted:
        def __getattr__(self, name):
            return getattr(ws.store, name)

        def sql(self, query, *given, **more):
            asked.append(query)
            return ws.store.sql(query, *given, **more)

    monitors = ws.monitors.current()
    with Sources(Counted(), monitors, to_ns(day(5))) as sources:
        for one in monitors:
            with traffic_of(Counted(), one, to_ns(day(5)), sources) as traffic:
                assert traffic.ends(to_ns(day(5))) is not None
                assert sum(found.n for found in seen(traffic, 0, to_ns(day(5))).values()) == 720
    assert len(asked) == 2
