"""Thresholds, single queries, budgets and silence."""

from __future__ import annotations

import pytest

from lmops.monitors.methods import expected_sessions
from tests.monitors.traffic import HOUR, MINUTE, add, day, sessions

_HOUR_NS = 3600 * 10**9


def only(found):
    """Return the one series of a check."""
    (row,) = found.series
    return row


def test_a_threshold_fires_when_the_whole_interval_is_beyond_and_until_the_estimate_is_back(ws):
    """Half fail, and 20 % are too many; later none does."""
    add(ws, sessions(day(0), day(1), bad=lambda n: n % 2 == 0), sessions(day(1), day(3), name="b"))
    ws.monitors.save("errors", metric="error_rate", method="threshold", limit=0.2)
    (alert,) = ws.monitors.check(at=day(1)).firing
    assert (alert.baseline, alert.low > 0.2, alert.direction) == (0.2, True, "above")
    found = ws.monitors.check(at=day(2, 1))
    assert (found.outcome, found.resolved) == ("quiet", (1,))


def test_a_burst_between_two_looks_is_seen_whenever_one_looks(ws):
    """Of an hour, by a look a day later: it is told when its window was over, and that it is well again."""
    burst = sessions(day(1, 3), day(1, 4), bad=lambda n: True, name="b")
    add(ws, sessions(day(0), day(1, 3)), burst, sessions(day(1, 4), day(2), name="c"))
    ws.monitors.save("burst", metric="error_rate", method="threshold", window="1h", limit=0.1)
    ws.monitors.check(at=day(1))
    assert ws.monitors.check(at=day(2)).opened == (1,)
    alert = ws.monitors.alert(1)
    assert (alert.status, alert.since_at) == ("resolved", day(1, 3))
    assert day(1, 3) < alert.found_at <= day(1, 4) < alert.resolved_at <= day(1, 6)
    assert ws.monitors.check(at=day(3)).opened == ()


def test_a_dear_query_before_the_last_window_is_seen(ws):
    """By a look two days later, whose window begins after it."""
    dear = sessions(day(4, 12), day(4, 12.1), name="dear", cost_usd=0.03, every=6 * MINUTE)
    add(ws, sessions(day(0), day(7), cost_usd=lambda n: 0.001 * (1 + n % 5 / 5)), dear)
    ws.monitors.save("dear", metric="cost_per_query", method="anomaly", baseline="rolling 3d")
    ws.monitors.check(at=day(4))
    assert ws.monitors.check(at=day(6, 12)).opened == (1,)
    assert ws.monitors.alert(1).status == "resolved"


def test_a_threshold_is_quiet_near_its_limit_and_cannot_tell_of_few(ws):
    """An interval on both sides is no alarm; three queries are too few to say anything."""
    add(ws, sessions(day(0), day(1), bad=lambda n: n % 4 == 0), sessions(day(9), day(9, 0.5), bad=lambda n: n < 2))
    ws.monitors.save("errors", metric="error_rate", method="threshold", limit=0.25)
    assert only(ws.monitors.check(at=day(1)))["status"] == "quiet"
    row = only(ws.monitors.check(at=day(9, 1)))
    assert (row["status"], row["needed"]) == ("learning", 27)


def test_a_query_that_is_far_dearer_is_named_at_the_next_check(ws):
    """Twenty times what is usual of its model, among queries that vary; a dear model is usual for itself."""
    usual = lambda n: 0.001 * (1 + n % 5 / 5)  # noqa: E731  # costs vary
    add(
        ws,
        sessions(day(0), day(5), cost_usd=usual),
        sessions(day(0), day(5), name="big", model="big", cost_usd=lambda n: 20 * usual(n)),
        sessions(day(4, 12), day(4, 12.1), name="dear", cost_usd=0.03, every=6 * MINUTE),
    )
    ws.monitors.save("dear", metric="cost_per_query", method="anomaly", baseline="rolling 3d")
    found = ws.monitors.check(at=day(4, 13))
    (alert,) = found.firing
    (expected,) = ws.sql("select trace_id from traces where session_id like 'dear%'").fetchall()
    assert alert.examples == expected
    assert (alert.n, alert.estimate) == (1, 0.03)
    assert "times the usual" in alert.words
    assert ws.monitors.check(at=day(5, 14)).outcome == "quiet"


def test_a_second_dear_query_is_named_while_the_alert_of_the_first_is_open(ws):
    """At the next check and first of all; once, and whoever acknowledged it stays in charge."""
    add(
        ws,
        sessions(day(0), day(5), cost_usd=lambda n: 0.001 * (1 + n % 5 / 5)),
        *(sessions(day(4, at), day(4, at + 0.1), name=f"dear{at}", cost_usd=0.03, every=6 * MINUTE) for at in (8, 12)),
    )
    ws.monitors.save("dear", metric="cost_per_query", method="anomaly", baseline="rolling 3d")
    (first,) = ws.monitors.check(at=day(4, 9)).firing
    ws.monitors.ack(first.alert)
    (second,) = ws.monitors.check(at=day(4, 13)).alerts
    assert (second.alert, second.status, second.n) == (first.alert, "acknowledged", 2)
    assert second.examples[1:] == first.examples
    ws.monitors.check(at=day(4, 14))
    assert ws.sql("select count(*) from alert_history where action = 'more'").fetchall() == [(1,)]


def test_ordinary_costs_are_no_anomaly_and_few_are_not_judged(ws):
    """None of five days; and of one hour it is not known what is usual."""
    add(ws, sessions(day(0), day(5), cost_usd=lambda n: 0.001 * (1 + n % 7)))
    ws.monitors.save("dear", metric="cost_per_query", method="anomaly", baseline="rolling 3d")
    assert only(ws.monitors.check(at=day(0, 1)))["status"] == "learning"
    assert only(ws.monitors.check(at=day(5)))["status"] == "quiet"


def test_a_budget_that_is_spent_too_fast_fires(ws):
    """288 USD a day of 300 in 30 days: more than 14 times the pace, over an hour and still now."""
    add(ws, sessions(day(0), day(1), cost_usd=0.05), sessions(day(1), day(1, 2), name="b", cost_usd=2.0))
    ws.monitors.save("budget", metric="cost_per_query", method="burn", limit=300)
    assert only(ws.monitors.check(at=day(1)))["status"] == "quiet"
    (alert,) = ws.monitors.check(at=day(1, 2)).firing
    assert "times the pace" in alert.words


def test_three_failures_burn_no_error_budget(ws):
    """The least that is likely counts: of three queries that is little."""
    add(ws, sessions(day(0), day(0, 0.5), bad=lambda n: True))
    ws.monitors.save("slo", metric="error_rate", method="burn", limit=0.05)
    assert ws.monitors.check(at=day(0, 1)).alerts == ()
    add(ws, sessions(day(0, 1), day(0, 7), bad=lambda n: True, name="b"))
    assert len(ws.monitors.check(at=day(0, 7)).firing) == 1


def test_silence_fires_when_much_was_to_be_expected_and_ends_with_the_next_item(ws):
    """Six an hour came; two hours without any are twelve."""
    add(ws, sessions(day(0), day(3)))
    ws.monitors.save("silence", metric="error_rate", method="silence")
    assert ws.monitors.check(at=day(3, 1)).outcome == "quiet"
    (alert,) = ws.monitors.check(at=day(3, 2.5)).firing
    assert "sessions were to be expected" in alert.words
    add(ws, sessions(day(3, 3), day(3, 4), name="b"))
    assert ws.monitors.check(at=day(3, 4)).resolved == (1,)


def test_the_first_night_is_no_silence(ws):
    """What is usual at its hours is not known after one day."""
    add(ws, sessions(day(0, 8), day(0, 20)))
    ws.monitors.save("silence", metric="error_rate", method="silence")
    row = only(ws.monitors.check(at=day(1, 7)))
    assert (row["status"], row["words"].endswith("two days are needed")) == ("learning", True)


def test_a_quiet_night_is_no_silence():
    """Where nothing comes at night nothing is expected at night."""
    counts = {hour: 10 for hour in range(14 * 24) if 8 <= hour % 24 < 20}
    last = max(counts) * _HOUR_NS + _HOUR_NS
    assert expected_sessions(counts, last, last + 12 * _HOUR_NS) == pytest.approx(0)
    assert expected_sessions(counts, last, last + 14 * _HOUR_NS) == pytest.approx(20)


def test_an_anomaly_of_all_that_is_missing_is_no_data(ws):
    """Costs that are not known are no costs."""
    add(ws, sessions(day(0), day(1), cost_usd=None, every=HOUR))
    ws.monitors.save("dear", metric="cost_per_query", method="anomaly")
    ws.monitors.save("cost", metric="cost_per_query")
    assert {row["status"] for row in ws.monitors.check(at=day(1)).series} == {"learning", "no data"}
