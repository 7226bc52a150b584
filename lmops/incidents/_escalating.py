"""Who is told when nobody acts: rules as data, and each told once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import UsageError, did_you_mean
from lmops.incidents import _life
from lmops.incidents._records import SEVERITIES, Escalated, Escalation
from lmops.records import check_words
from lmops.text import plain_line
from lmops.times import from_ns, to_ns
from lmops.traces import seconds

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from lmops.incidents._records import Incident
    from lmops.monitors import Monitors
    from lmops.records import Change, Project
    from lmops.store import Store

#: What ends a rule, and the time of an incident that says so.
_UNLESS: Final = {"acknowledged": "acknowledged_at", "mitigated": "mitigated_at", "resolved": "resolved_at"}
_KNOWN: Final = ("severity", "after", "who", "sink", "unless")
_NAME: Final = "default"
_WORDS: Final = {number: name for name, number in SEVERITIES.items()}


class Rule(NamedTuple):
    """Who is told of incidents at least so severe, after how long, unless something happened."""

    severity: int
    after: str
    who: str
    sink: str
    unless: str

    @property
    def step(self) -> str:
        """The rule in a sentence, which tells it apart."""
        return f"after {self.after} tell {self.who} by {self.sink}, unless {self.unless}"

    def due_ns(self, found: Incident) -> int | None:
        """Return when it is due of an incident; None: it is not for it, or it is over."""
        if found.severity > self.severity or getattr(found, _UNLESS[self.unless]) is not None:
            return None
        return to_ns(found.reopened_at or found.detected_at) + int(seconds(self.after) * 1e9)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notice:
    """An incident, as far as sinks are told of it: as of an alert with a negative number."""

    alert: int
    series: Mapping[str, Any]
    severity: str
    since_at: datetime
    opened_at: datetime
    words: str
    times_opened: int
    reason: str | None
    actor: str
    examples: tuple[str, ...] = ()
    monitor: str = "incident"
    version: int = 1
    metric: str = "incident"
    direction: None = None
    resolved_at: datetime | None = None
    n: None = None
    estimate: None = None
    low: None = None
    high: None = None
    baseline: None = None


def rules_of(given: Sequence[Mapping[str, Any]], sinks: Sequence[str]) -> list[Rule]:
    """Return the rules of a policy.

    Raises:
        UsageError: One of them is none.
    """
    found = []
    for number, one in enumerate(given, 1):
        unknown = [name for name in one if name not in _KNOWN]
        if unknown:
            raise UsageError(f"rule {number}: {did_you_mean('field', str(unknown[0]), _KNOWN)}")
        missing = [name for name in _KNOWN[:4] if one.get(name) in (None, "")]
        if missing:
            raise UsageError(
                f"rule {number} lacks {', '.join(missing)}: {{'severity': 1, 'after': '15m', 'who': 'mara', "
                "'sink': 'ops'} is one"
            )
        unless = one.get("unless", "acknowledged")
        if unless not in _UNLESS:
            raise UsageError(f"rule {number}: {did_you_mean('unless', str(unless), _UNLESS)}")
        if one["severity"] not in _WORDS or isinstance(one["severity"], bool):
            raise UsageError(f"rule {number}: severity={one['severity']!r}: give 1 (page) to 4 (note)")
        if one["sink"] not in sinks:
            raise UsageError(f"rule {number}: {did_you_mean('sink', str(one['sink']), sinks)}")
        seconds(one["after"])
        who = check_words(one["who"], "who", limit=200) or ""
        found.append(Rule(one["severity"], one["after"], who, one["sink"], unless))
    return found


def save(change: Change, rules: Sequence[Rule]) -> None:
    """Write the policy in the place of the one before; the same again changes nothing."""
    before = change.con.execute("select rules from escalation_policies where name = ?", (_NAME,)).fetchone()
    text = json.dumps([rule._asdict() for rule in rules])
    if before is not None and before[0] == text:
        return
    row = {"name": _NAME, "rules": text, "actor": change.actor, "saved_ns": change.at_ns}
    change.replace("escalation_policies", row)
    change.say("escalation.set", _NAME, before=None if before is None else json.loads(before[0]), after=row["rules"])


def policy(store: Store, con: sqlite3.Connection) -> list[Rule]:
    """Return the rules of the policy; none where nobody made one."""
    row = store.record(con, "escalation_policies", _NAME)
    return [] if row is None else [Rule(**one) for one in json.loads(row["rules"])]


def escalate(project: Project, monitors: Monitors, *, at_ns: int) -> Escalated:
    """Tell whoever is to be told as of a time, each once; see ``Incidents.escalate``."""
    told: list[Escalation] = []
    following: list[int] = []
    with project.reading() as con:
        is_needed = bool(policy(project.store, con)) and bool(_life.unresolved(project.store, con))
    if is_needed:
        with project.change() as change:
            con = change.con
            for found in _life.unresolved(project.store, con):
                for rule in policy(project.store, con):
                    due_ns = rule.due_ns(found)
                    key = (found.incident, found.times_opened, rule.step)
                    if due_ns is None or project.store.record(con, "incident_escalations", *key) is not None:
                        continue
                    if due_ns > at_ns:
                        following.append(due_ns)
                        continue
                    told.append(_tell(change, project, monitors, found, rule, due_ns=due_ns, at_ns=at_ns))
    failed = monitors.deliver().failed
    return Escalated(
        at=from_ns(at_ns),
        told=tuple(told),
        failed=failed,
        next_at=from_ns(min(following)) if following else None,
    )


def _tell(
    change: Change, project: Project, monitors: Monitors, found: Incident, rule: Rule, *, due_ns: int, at_ns: int
) -> Escalation:
    """Write down that somebody is told, and what, in one change."""
    minutes = (at_ns - to_ns(found.detected_at)) / 6e10
    owner = "nobody looks after it" if found.owner is None else f"{plain_line(found.owner, 80)} looks after it"
    words = (
        f"{rule.who}: incident {found.incident} is {found.status} for {minutes:,.0f} minutes, {owner}: {found.title}"
    )
    notice = _notice(found, words, change.actor)
    type(monitors)(project.inside(change)).sinks.tell(rule.sink, notice)
    row = {"incident": found.incident, "opened": found.times_opened, "step": rule.step, "who": rule.who}
    change.insert("incident_escalations", {**row, "sink": rule.sink, "due_ns": due_ns, "at_ns": at_ns})
    change.say("incident.escalate", str(found.incident), after={"who": rule.who, "sink": rule.sink})
    return Escalation(
        incident=found.incident,
        title=found.title,
        step=rule.step,
        who=rule.who,
        sink=rule.sink,
        due_at=from_ns(due_ns),
    )


def end(change: Change, project: Project, monitors: Monitors, found: Incident) -> None:
    """Tell those who were told of an incident that it is resolved; a sink that is no more is told nothing."""
    query = "select distinct sink from incident_escalations where incident = ? order by sink"
    sinks = type(monitors)(project.inside(change)).sinks
    known = [row[0] for row in change.con.execute("select name from alert_sinks").fetchall()]
    for (sink,) in change.con.execute(query, (found.incident,)).fetchall():
        if sink in known:
            notice = _notice(found, f"incident {found.incident} is resolved: {found.title}", change.actor)
            sinks.tell(sink, notice, transition="resolved")


def _notice(found: Incident, words: str, actor: str) -> _Notice:
    return _Notice(
        alert=-found.incident,
        series={"incident": found.incident},
        severity=_WORDS[found.severity],
        since_at=found.since_at,
        opened_at=found.opened_at,
        resolved_at=found.resolved_at,
        words=words,
        times_opened=found.times_opened,
        reason=found.reason,
        actor=actor,
    )
