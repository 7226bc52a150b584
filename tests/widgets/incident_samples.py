"""An incident without a store."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from lmops.incidents import Act, Incident
from lmops.incidents.boards import IncidentBoard, Moment
from lmops.monitors.boards import Line

NOON = datetime(2026, 10, 30, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def incident(**given):
    """Return an incident that is open since this morning."""
    base = {
        "incident": 3,
        "title": "answer-length: answers are half as long again as they were",
        "severity": 2,
        "status": "mitigated",
        "owner": "mara",
        "cause": "answer-length {} above",
        "explained": "prompt version: support-answer@2 → support-answer@3",
        "where": None,
        "alerts": (7,),
        "since_at": NOON - 6 * HOUR,
        "detected_at": NOON - 4 * HOUR,
        "acknowledged_at": NOON - 3.8 * HOUR,
        "mitigated_at": NOON - 2 * HOUR,
        "resolved_at": None,
        "closed_at": None,
        "is_verified": None,
        "times_opened": 1,
        "reopened_at": None,
        "opened_at": NOON - 4 * HOUR,
        "opened_by": "mara",
        "actor": "mara",
        "moved_at": NOON - 2 * HOUR,
        "reason": "the warm voice is too long",
    }  # keys that belong together share a line
    return Incident(**base | given)


def act(state="done", **given):
    """Return a rollback."""
    base = {
        "incident": 3,
        "action": "roll_back",
        "params": {"prompt": "support-answer"},
        "state": state,
        "stands": {"support-answer@production": 3},
        "then": {"support-answer@production": 2},
        "words": "support-answer@production goes from 3 back to 2",
        "seen": "a1b2c3",
        "number": 1,
        "events": (41,),
        "at": NOON - 2 * HOUR,
        "actor": "mara",
    }
    return Act(**base | ({"number": None, "events": ()} if state == "planned" else {}) | given)


def moment(hours, source, what, **given):
    """Return something that happened so many hours before noon."""
    base = {"who": "", "why": "", "evidence": "event 40", "behind_s": None}
    return Moment(at=NOON - hours * HOUR, source=source, what=what, **base | given)


MOMENTS = (
    moment(
        6.1, "prompt", "support-answer@production: 2 -> 3 (promote)", who="jonas", why="friendlier, as marketing asked"
    ),
    moment(6, "change", "answer-length: 612 characters of an answer, above its baseline of 401", evidence="alert 7"),
    moment(5.9, "release", "first trace with support-answer@3", evidence="a" * 32),
    moment(4, "alert", "alert 7 (answer-length): firing", who="scheduler"),
    moment(4, "incident", "open", who="mara"),
    moment(3.8, "incident", "in charge: mara", who="mara"),
    moment(3, "runbook", "daily_monitor: ok", who="scheduler", evidence="run-20261030-0900"),
    moment(2, "incident", "roll_back: support-answer@production goes from 3 back to 2", who="mara", behind_s=12.0),
)


def points():
    """Return a line that rises six hours before noon and falls two hours before."""
    found = []
    for place in range(72):
        at = NOON - 18 * HOUR + place * HOUR / 4
        high = NOON - 6 * HOUR <= at < NOON - 2 * HOUR
        value = None if place in {20, 21} else 400 + 25 * math.sin(place) + (210 if high else 0)
        found.append((at.timestamp() * 1e3, 40, value))
    return found


class Board:
    """Keeps what it was asked."""

    def __init__(self, found=None, **given):
        self.asked = []
        self.found = found or incident()
        line = Line(title="length of an answer", unit="characters", baseline=401.0, points=points())
        self.given = {
            "line": line,
            "moments": MOMENTS,
            "acts": [act()],
            "check": ("cannot tell", "72 sessions, about 90 more"),
        }
        self.given |= given

    def board(self):
        facts = [("owner", "mara"), ("since", "2026-10-30 06:00 UTC"), ("to detect", "2.0 h"), ("to mitigate", "2.0 h")]
        actions = {
            "kill_arm": "switch off an arm of a route",
            "roll_back": "point the alias of a prompt to what was before",
        }
        affected = "214 traces, 96 users, $0.31, between 2026-10-30 06:02 and 2026-10-30 09:58 UTC"
        return IncidentBoard(incident=self.found, facts=facts, affected=affected, actions=actions, **self.given)

    def act(self, action, params, *, dry_run, seen, reason):
        self.asked.append((action, params, dry_run, seen, reason))
        return act("planned" if dry_run else "done")

    def verify(self):
        self.asked.append("verify")
        return "recovered: 140 sessions"

    def note(self, text):
        self.asked.append(text)
        return "noted"

    def own(self):
        self.asked.append("own")
        return "mara looks after it"
