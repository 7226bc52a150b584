"""Who is told when nobody acts: by rules, each once, by a clock that is put forward."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lmops.errors import UsageError
from lmops.incidents import Incidents
from lmops.monitors import Monitors
from tests.monitors.listeners import Listener

RULES = (
    {"severity": 2, "after": "15m", "who": "mara", "sink": "ops"},
    {"severity": 1, "after": "1h", "who": "the head", "sink": "ops", "unless": "mitigated"},
)


@pytest.fixture
def sink(ws, clock):
    with Listener() as listener:
        Monitors(replace(ws.project, now=clock)).sinks.save("ops", kind="webhook", url=listener.url)
        yield listener


@pytest.fixture
def incidents(ws, clock, sink):
    made = Incidents(replace(ws.project, now=clock))
    made.set_policy(RULES, reason="we want to know")
    made.open("Answers cite no sources", severity=1)
    return made


def test_nobody_is_told_before_it_is_due(incidents, sink, clock):
    """And it is said when it is."""
    clock.advance(minutes=14)
    found = incidents.escalate()
    assert (found.told, found.exit_code, sink.got) == ((), 0, [])
    assert (found.next_at - clock.at).total_seconds() == 60
    assert "nobody is to be told" in found.text


def test_each_is_told_once(incidents, sink, clock, ws):
    """However often a scheduler asks."""
    clock.advance(minutes=15)
    assert [one.who for one in incidents.escalate().told] == ["mara"]
    assert incidents.escalate().told == ()
    clock.advance(minutes=50)
    assert [one.who for one in incidents.escalate().told] == ["the head"]
    assert len(sink.got) == 2
    assert "Answers cite no sources" in str(sink.got)
    assert ws.sql("select who from incident_escalations order by due_at").fetchall() == [("mara",), ("the head",)]
    assert ws.audit.verify().ok


def test_who_takes_it_on_ends_the_rule(incidents, sink, clock):
    """The one that waits until it is mitigated goes on."""
    incidents.own(1)
    clock.advance(hours=2)
    assert [one.who for one in incidents.escalate().told] == ["the head"]
    incidents.reopen(1, reason="x")
    incidents.mitigate(1, reason="rolled back")
    assert incidents.escalate().next_at is None


def test_a_less_severe_one_is_nobodys_night(incidents, sink, clock):
    """A ticket is below the rules."""
    incidents.grade(1, 3)
    clock.advance(days=1)
    assert incidents.escalate().told == ()


def test_a_sink_that_fails_is_told_later(incidents, sink, clock, ws):
    """It was escalated, and waits for the sink; exit code 1."""
    ws.monitors.sinks.save("ops", kind="webhook", url="http://127.0.0.1:9/")
    clock.advance(minutes=20)
    found = incidents.escalate()
    assert (len(found.told), found.exit_code, list(found.failed)) == (1, 1, ["ops"])
    assert "could not be told" in found.text


def test_who_was_told_is_told_that_it_is_over(incidents, sink, clock):
    """What pages is not left open."""
    clock.advance(minutes=20)
    incidents.escalate()
    incidents.resolve(1, force=True, reason="sources are back")
    incidents.escalate()
    assert json.loads(sink.got[-1][2])["status"] == "resolved"


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"severity": 1}, "lacks after, who, sink"),
        ({**RULES[0], "sink": "opps"}, "did you mean 'ops'"),
        ({**RULES[0], "severity": 7}, "severity=7"),
        ({**RULES[0], "after": "soon"}, "soon"),
        ({**RULES[0], "unless": "acked"}, "acknowledged"),
        ({**RULES[0], "whom": "x"}, "did you mean 'who'"),
    ],
)
def test_a_rule_that_is_none_is_refused(incidents, rule, text):
    """And the policy stays what it was."""
    with pytest.raises(UsageError, match=text):
        incidents.set_policy([rule])
    assert incidents.policy().who.tolist() == ["mara", "the head"]


def test_without_a_policy_nobody_is_told(incidents, clock):
    """It ended."""
    assert incidents.set_policy([]).empty
    clock.advance(days=1)
    assert incidents.escalate().told == ()
