"""Incidents: opened once for a cause, moved by people, resolved when a test says that it is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lmops.errors import NotFoundError, QueryError, RefusedError, UsageError
from lmops.monitors import Monitors
from tests.incidents.conftest import BAD
from tests.monitors.traffic import HOUR, add, day, sessions


def test_an_alert_opens_an_incident_that_says_what_is_known(opened):
    """Since when, how severe, what accounts for it, and how long it took to detect it."""
    assert (opened.incident, opened.status, opened.severity, opened.alerts) == (1, "open", 1, (1,))
    assert opened.explained == "prompt version: answer@1 → answer@2"
    assert (opened.since_at, opened.detected_at, opened.opened_at) == (day(5), day(5, 12), day(5, 12))
    assert opened.times == {
        "to_detect_s": 43200,
        "to_acknowledge_s": None,
        "to_mitigate_s": None,
        "to_resolve_s": None,
    }
    assert opened.owner is None
    assert "to detect" in opened.text


def test_what_came_back_is_detected_when_it_was_found_again(incidents, broken_ws):
    """An alert that is open again says since when anew: it was not detected before it began."""
    alert = Monitors(broken_ws.project).alert(1)
    again = replace(alert, since_at=day(7), found_at=day(7, 6), times_opened=2)
    assert incidents.open(again, explain=False).times["to_detect_s"] == 6 * 3600


def test_the_same_alert_is_the_same_incident(incidents, opened, broken_ws):
    """Whoever opens it, and however often; the audit chain says so once."""
    assert incidents.open("1") == incidents.open(Monitors(broken_ws.project).alert(1)) == opened
    assert len(incidents.list()) == 1
    assert broken_ws.audit.verify().ok


def test_another_alert_of_the_same_cause_belongs_to_it(incidents, opened, broken_ws, clock):
    """Another monitor moved, and the same prompt accounts for it."""
    monitors = Monitors(replace(broken_ws.project, now=clock))
    monitors.save("calls", metric="model_error_rate")
    assert monitors.check(["calls"], at=day(5, 12)).opened == (2,)
    found = incidents.open(2)
    assert (found.incident, found.alerts) == (1, (1, 2))


def test_how_a_cause_came_about_tells_no_incidents_apart(incidents, opened, broken_ws, clock):
    """For one alert a version took the place of another, for the other there is more of it, as staff had tried it."""
    tried = {"prompt_name": "answer", "prompt_version": "2"}
    add(broken_ws, sessions(day(2), day(5), every=HOUR, bad=BAD, name="staff", **tried))
    monitors = Monitors(replace(broken_ws.project, now=clock))
    monitors.save("calls", metric="model_error_rate")
    monitors.check(["calls"], at=day(5, 12))
    assert monitors.explain(2).accounts[0].words == "more of answer@2"
    found = incidents.open(2)
    assert (found.incident, found.cause, found.explained) == (1, "prompt: answer@2", opened.explained)


def test_one_of_another_cause_is_another_incident(incidents, opened, broken_ws, clock):
    """Nothing is known to account for it."""
    monitors = Monitors(replace(broken_ws.project, now=clock))
    monitors.save("calls", metric="model_error_rate")
    monitors.check(["calls"], at=day(5, 12))
    assert incidents.open(2, explain=False, title="the provider is down").incident == 2


def followed(monitors, ws):
    """Let what alert 1 found be over, and half of the calls fail again two days later by another version; its alert."""
    third = {"prompt_name": "answer", "prompt_version": "3"}
    add(ws, sessions(day(5, 12), day(8), name="c", prompt_name="answer", prompt_version="1"))
    add(ws, sessions(day(8), day(8, 12), bad=BAD, name="d", **third))
    assert monitors.check(at=day(8)).resolved == (1,)
    assert monitors.check(at=day(8, 12)).opened == (2,)
    return 2


def test_another_cause_of_the_same_series_is_another_incident(incidents, opened, broken_ws, clock):
    """A version accounts for each of them."""
    clock.at = day(8, 12)
    second = followed(Monitors(replace(broken_ws.project, now=clock)), broken_ws)
    found = incidents.open(second)
    assert (found.incident, found.cause) == (2, "prompt: answer@3")


def test_what_another_cause_did_since_says_nothing_of_an_incident(incidents, rolled_back, broken_ws, clock):
    """Its alert was over, and what fails now is another one's: neither is it tested, nor are its traces affected."""
    clock.at = day(8, 12)
    before = incidents.affected(1, until=day(8)).traces
    second = followed(Monitors(replace(broken_ws.project, now=clock)), broken_ws)
    found = incidents.verify(1)
    assert (found.state, found.found) == ("cannot tell", ())
    assert f"alert 1 was over, what there is since then is alert {second}" in found.words
    assert incidents.affected(1, until=day(9)).traces == before


def test_by_hand_the_title_is_the_cause(incidents):
    """Until it is closed; then it is another one."""
    first = incidents.open("Answers cite  no sources", severity=2, owner="ann")
    assert first == incidents.open("answers cite no sources")
    assert (first.title, first.owner, first.acknowledged_at) == ("Answers cite no sources", "ann", day(5, 12))
    incidents.resolve(1, force=True, reason="a false alarm")
    incidents.close(1)
    assert incidents.open("Answers cite no sources").incident == 2


@pytest.mark.parametrize(
    ("what", "given", "words"),
    [
        ("  ", {}, "1 to 300 characters"),
        ("x" * 301, {}, "this one has 301"),
        ("broken", {"severity": 5}, "severity=5"),
        ("broken", {"where": "colour = 1"}, "colour"),
    ],
)
def test_what_cannot_be_opened_is_refused(incidents, what, given, words):
    """Without a title, with a severity or a condition that is none."""
    with pytest.raises((UsageError, QueryError), match=words):
        incidents.open(what, **given)
    assert incidents.list().empty


def test_what_is_not_there_is_said(incidents):
    """No such alert, no such incident."""
    with pytest.raises(NotFoundError, match="no alert 7"):
        incidents.open(7)
    for call in (incidents.get, incidents.own, incidents.close, incidents.verify, incidents.affected):
        with pytest.raises(NotFoundError, match="no incident 7"):
            call(7)
    with pytest.raises(UsageError, match="did you mean 'unresolved'"):
        incidents.list(status="unresolve")


def test_affected_are_the_traces_that_failed(incidents, opened, broken_ws):
    """Their number, their users and cost, as a query that can be asked again."""
    found = incidents.affected(1)
    assert (found.traces, found.users, found.anonymous) == (36, 1, 0)
    assert found.cost_usd == pytest.approx(0.036)
    assert len(broken_ws.sql(found.sql).fetchall()) == 36
    assert "36 traces, 1 user" in found.text


def test_affected_are_those_of_a_condition_where_there_is_one(incidents):
    """Since it began; without a trace nothing is known of users and cost."""
    incidents.open("answers of version 2", where="prompt_version = '2'", since=day(5, 6))
    assert incidents.affected(1, until=day(6)).traces == 36
    found = incidents.affected(1, until=day(5))
    assert (found.traces, found.users, found.cost_usd) == (0, None, None)
    assert "no trace is affected" in found.text


def test_an_owner_acknowledges_it_once(incidents, opened, clock):
    """It may be given to somebody else; the time stays."""
    clock.advance(minutes=5)
    assert incidents.own(1).owner == "mara"
    clock.advance(minutes=5)
    found = incidents.own(1, "jonas", reason="she sleeps")
    assert (found.owner, found.times["to_acknowledge_s"]) == ("jonas", 300)
    assert incidents.own(1, "jonas") == found


def test_notes_are_kept_once(incidents, opened):
    """The same words of the same person are the same note."""
    incidents.note(1, "the new prompt?")
    incidents.note(1, "the new prompt?")
    assert (incidents.timeline(1).what == "note: the new prompt?").sum() == 1
    with pytest.raises(UsageError, match="empty"):
        incidents.note(1, " ")


def test_what_is_not_verified_is_not_resolved(incidents, rolled_back, broken_ws):
    """Without traffic it cannot be verified yet, with good traffic it is; then it may be resolved."""
    with pytest.raises(RefusedError, match="nothing was verified"):
        incidents.resolve(1)
    early = incidents.verify(1, until=day(5, 13))
    assert (early.state, early.exit_code, early.number) == ("cannot tell", 3, 1)
    assert early.needed > 100
    with pytest.raises(RefusedError, match="cannot verify yet"):
        incidents.resolve(1)
    add(broken_ws, sessions(day(5, 12), day(8), name="c"))
    late = incidents.verify(1, until=day(8))
    assert (late.state, late.exit_code, late.needed) == ("recovered", 0, None)
    assert incidents.verify(1, until=day(8)).number == late.number == 2
    found = incidents.resolve(1)
    assert (found.status, found.is_verified) == ("resolved", True)
    assert broken_ws.audit.verify().ok


def test_traffic_that_still_fails_is_not_recovered(incidents, rolled_back, broken_ws):
    """And is no ground to resolve it."""
    add(broken_ws, sessions(day(5, 12), day(6), bad=lambda number: number % 2 == 0, name="c"))
    assert incidents.verify(1, until=day(6)).exit_code == 1
    with pytest.raises(RefusedError, match="beyond it"):
        incidents.resolve(1)


def test_force_needs_a_reason_that_is_kept(incidents, opened):
    """What was not verified says so for good."""
    with pytest.raises(UsageError, match="force=True needs a reason"):
        incidents.resolve(1, force=True)
    found = incidents.resolve(1, force=True, reason="not verified: the test was switched off")
    assert (found.status, found.is_verified, found.reason) == (
        "resolved",
        False,
        "not verified: the test was switched off",
    )
    assert incidents.resolve(1) == found


def test_without_a_time_after_something_was_done_nothing_is_verified(incidents, opened):
    """Unless somebody says since when."""
    with pytest.raises(UsageError, match="nothing was done about incident 1 yet"):
        incidents.verify(1)
    assert incidents.verify(1, since=day(5, 6), until=day(5, 12)).state == "not recovered"


def test_one_by_hand_has_nothing_that_could_be_tested(incidents):
    """It is said why."""
    incidents.open("answers are rude")
    incidents.mitigate(1, reason="the model was told to be polite")
    found = incidents.verify(1)
    assert (found.state, found.found) == ("cannot tell", ())
    assert "no alert" in found.text


def test_what_came_back_is_to_be_verified_anew(incidents, rolled_back, broken_ws, clock):
    """What was verified before counts no more, and the times of the first time are gone."""
    add(broken_ws, sessions(day(5, 12), day(8), name="c"))
    incidents.verify(1, until=day(8))
    clock.at = day(9)
    found = incidents.reopen(1, reason="users still complain")
    assert (found.status, found.times_opened, found.mitigated_at) == ("open", 2, None)
    with pytest.raises(RefusedError):
        incidents.resolve(1)
    with pytest.raises(UsageError, match="nothing was done"):
        incidents.verify(1)


def test_states_follow_each_other(incidents, opened):
    """What is open is not closed, and what is closed is not mitigated."""
    with pytest.raises(UsageError, match="cannot become closed"):
        incidents.close(1)
    incidents.resolve(1, force=True, reason="a test")
    incidents.close(1)
    with pytest.raises(UsageError, match="cannot become mitigated"):
        incidents.mitigate(1, reason="late")


def test_a_resolved_one_is_open_again_when_its_cause_fires(incidents, opened, broken_ws, clock):
    """Another alert of the same series."""
    incidents.resolve(1, force=True, reason="we think")
    with broken_ws.project.change() as change:
        row = dict(change.con.execute("select * from alerts where alert = 1").fetchone())
        change.insert("alerts", {**row, "alert": 2})
        change.say("alert.open", "2", after={"status": "firing"})
    found = incidents.open(2)
    assert (found.incident, found.status, found.times_opened, found.alerts) == (1, "open", 2, (1, 2))


def test_who_is_erased_is_erased_from_incidents(incidents, opened, broken_ws):
    """Words go, the incident stays."""
    incidents.note(1, "user-4711 wrote to us")
    broken_ws.erase(words="user-4711", reason="asked to", dry_run=False)
    assert "[erased]" in incidents.timeline(1).what.str.cat()
