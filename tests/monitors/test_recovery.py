"""Whether what an alert found is over: by sessions after a time, at every look."""

from __future__ import annotations

import pytest

from lmops.errors import NotFoundError, UsageError
from tests.monitors.traffic import add, day, sessions


@pytest.fixture
def outage(ws):
    """Five good days, and an outage of half a day that a check has found; the number of the alert."""
    bad = lambda number: number % 2 == 0  # noqa: E731  # every other session
    add(ws, sessions(day(0), day(5)), sessions(day(5), day(5, 12), bad=bad, name="b"))
    ws.monitors.save("errors", metric="error_rate")
    (alert,) = ws.monitors.check(at=day(5, 12)).firing
    return alert.alert


def after(ws, alert, **given):
    return ws.monitors.recovered(alert, since=day(5, 12), until=day(9), **given)


def test_without_a_session_it_cannot_be_told(ws, outage):
    """And it says how many it takes where they are as before."""
    found = after(ws, outage)
    assert (found.state, found.n, found.rate, found.exit_code) == ("cannot tell", 0, None, 3)
    assert 100 < found.needed < 1000
    assert "no session yet" in found.text


def test_good_sessions_are_evidence_after_so_many(ws, outage):
    """A few are not enough, and the number that is said to be missing is."""
    add(ws, sessions(day(5, 12), day(6), name="c"))
    early = after(ws, outage)
    assert (early.state, early.n) == ("cannot tell", 72)
    assert early.needed == after(ws, outage, within=0).needed
    add(ws, sessions(day(6), day(6) + early.needed * (day(1) - day(0)) / 144, name="d"))
    found = after(ws, outage)
    assert (found.state, found.exit_code, found.rate) == ("recovered", 0, 0)
    assert found.p_recovered <= 0.05 < found.p_not_recovered
    assert found.n == 72 + early.needed


def test_what_goes_on_is_not_recovered(ws, outage):
    """The other bet stops."""
    add(ws, sessions(day(5, 12), day(6), bad=lambda number: number % 2 == 0, name="c"))
    found = after(ws, outage)
    assert (found.state, found.exit_code) == ("not recovered", 1)
    assert "beyond it" in found.text


def test_half_of_it_gone_takes_fewer_sessions(ws, outage):
    """The edge lies then between that of the monitor and what the alert found."""
    add(ws, sessions(day(5, 12), day(5, 18), name="c"))
    assert after(ws, outage).state == "cannot tell"
    found = after(ws, outage, within=0.5)
    assert (found.state, round(found.edge, 1)) == ("recovered", 0.3)


def test_a_threshold_is_held_against_its_limit(ws):
    """Its edge is what somebody set."""
    add(ws, sessions(day(0), day(1), bad=lambda number: number % 2 == 0))
    ws.monitors.save("errors", metric="error_rate", method="threshold", limit=0.1)
    (alert,) = ws.monitors.check(at=day(1)).firing
    add(ws, sessions(day(1), day(2), name="b"))
    found = ws.monitors.recovered(alert.alert, since=day(1), until=day(2))
    assert (found.state, found.edge, found.baseline) == ("recovered", 0.1, 0.1)


@pytest.fixture
def forbidden(ws):
    """A day on which half of the sessions are what none may be, by a threshold of 0; the number of the alert."""
    add(ws, sessions(day(0), day(1), bad=lambda number: number % 2 == 0))
    ws.monitors.save("errors", metric="error_rate", method="threshold", limit=0)
    (alert,) = ws.monitors.check(at=day(1)).firing
    return alert.alert


def test_of_what_must_never_happen_little_may_be_left(ws, forbidden):
    """That none does cannot be shown: a quarter of what there was is the edge, and it is said what that takes."""
    early = ws.monitors.recovered(forbidden, since=day(1), until=day(1))
    assert (early.state, early.edge) == ("cannot tell", 0.125)
    add(ws, sessions(day(1), day(1) + early.needed * (day(1) - day(0)) / 144, name="b"))
    found = ws.monitors.recovered(forbidden, since=day(1), until=day(2))
    assert (found.state, found.n) == ("recovered", early.needed)
    assert "edge 12.5 %, 25.0 % of the 50.0 % until then" in found.words


def test_of_what_must_never_happen_as_much_may_be_left_as_one_says(ws, forbidden):
    """Half of it takes fewer sessions; and what goes on is told."""
    half = ws.monitors.recovered(forbidden, since=day(1), until=day(1), within=0.5)
    assert (half.edge, half.needed) == (0.25, 18)
    add(ws, sessions(day(1), day(2), bad=lambda number: number % 2 == 0, name="b"))
    assert ws.monitors.recovered(forbidden, since=day(1), until=day(2)).state == "not recovered"


def test_what_has_no_share_cannot_be_tested(ws):
    """Single dear queries: it is said why."""
    add(ws, sessions(day(0), day(4), cost_usd=lambda number: 0.01), sessions(day(4), day(4, 1), name="b", cost_usd=9.0))
    ws.monitors.save("dear", metric="cost_per_query", method="anomaly")
    (alert,) = ws.monitors.check(at=day(4, 2)).firing
    found = ws.monitors.recovered(alert.alert, since=day(4, 2), until=day(5))
    assert found.state == "cannot tell"
    assert "single queries" in found.text


def test_the_traces_of_an_alert_are_those_that_failed(ws, outage):
    """As a query that anybody can run."""
    found = ws.monitors.traces_sql(outage, until=day(9))
    counted = ws.sql(f"select status, count(*) from traces where trace_id in ({found}) group by all").fetchall()
    assert counted == [("error", 36)]
    assert set(
        ws.sql(
            "select status from traces semi join found using (trace_id)".replace(
                "found", f"({ws.monitors.traces_sql(outage, until=day(9))})"
            )
        )
        .df()
        .status
    ) == {"error"}


def test_what_is_asked_wrongly_is_refused(ws, outage):
    """Of no alert, or of more than all."""
    with pytest.raises(NotFoundError, match="there is no alert 9"):
        after(ws, 9)
    with pytest.raises(UsageError, match="within="):
        after(ws, outage, within=1.5)


def test_an_alert_of_a_series_that_is_resolved_begins_anew(ws):
    """Also where the series is named by values."""
    bad = lambda number: number % 2 == 0  # noqa: E731  # every other session
    add(ws, sessions(day(0), day(5), model="m"), sessions(day(5), day(5, 12), bad=bad, name="b", model="m"))
    ws.monitors.save("errors", metric="model_error_rate", by="model")
    (alert,) = ws.monitors.check(at=day(5, 12)).firing
    ws.monitors.resolve(alert.alert)
    (row,) = ws.monitors.check(at=day(5, 13)).series
    assert row["status"] == "quiet"


@pytest.mark.parametrize(("model", "state"), [("small", "recovered"), ("large", "not recovered")])
def test_a_drift_is_over_when_the_part_that_grew_is_rare_again(ws, model, state):
    """The share of it is held against the edge that it went beyond."""
    mixed = lambda number: "large" if number % 5 == 0 else "small"  # noqa: E731  # one of five
    add(ws, sessions(day(0), day(4), model=mixed), sessions(day(4), day(5, 12), model="large", name="b"))
    ws.monitors.save("models", metric="model_mix", method="drift")
    (alert,) = ws.monitors.check(at=day(5, 12)).firing
    add(ws, sessions(day(5, 12), day(8), model=model, name="c"))
    found = after(ws, alert.alert)
    assert (found.state, found.rate, found.n) == (state, float(model == "large"), 360)
    assert found.baseline == pytest.approx(0.2, abs=0.01)
    assert "unwelcome" in found.text
