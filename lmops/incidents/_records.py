"""What an incident is, what is affected by it, what an action would do, what a verification said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from lmops.base.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from lmops.monitors import Recovery

Status = Literal["open", "mitigated", "resolved", "closed"]
#: What the severity of an alert is as that of an incident.
SEVERITIES: Final = {"page": 1, "urgent": 2, "ticket": 3, "note": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident(Shown):
    """Something that went wrong, and what became of it; a row of the view ``incidents`` with its alerts.

    Args:
        incident: Its number.
        title: What is wrong, in a sentence.
        severity: 1 (page) to 4 (note).
        status: "open", "mitigated", "resolved" or "closed".
        owner: Who looks after it.
        cause: What tells it apart: what accounts for it, else a series of a monitor; of one by hand its title.
        explained: What accounted for most of the change when it was opened.
        where: Which traces are affected, as for a search; None: those of its alerts.
        alerts: Numbers of its alerts.
        since_at: The likeliest time at which it began.
        detected_at: When an alert, or somebody, said so.
        acknowledged_at: When somebody took it on.
        mitigated_at: When something was done that stopped it.
        resolved_at: When it was resolved.
        closed_at: When it was closed.
        is_verified: Whether a test said that it is over when it was resolved; None: it was not resolved.
        times_opened: More than 1: it came back.
        reopened_at: When it came back last.
        opened_at: When it was opened.
        opened_by: By whom.
        actor: Who moved it last.
        moved_at: When.
        reason: Why.
    """

    incident: int
    title: str
    severity: int
    status: Status
    owner: str | None
    cause: str
    explained: str | None
    where: str | None
    alerts: tuple[int, ...]
    since_at: datetime
    detected_at: datetime
    acknowledged_at: datetime | None
    mitigated_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    is_verified: bool | None
    times_opened: int
    reopened_at: datetime | None
    opened_at: datetime
    opened_by: str
    actor: str
    moved_at: datetime
    reason: str | None

    @property
    def times(self) -> dict[str, float | None]:
        """Seconds to detect it (since it began), and from then on to acknowledge, mitigate and resolve; None: not yet.

        A time before the one that it is counted from is negative: clocks differ, or something was done before it was
        known.
        """
        ends = {
            "to_acknowledge_s": self.acknowledged_at,
            "to_mitigate_s": self.mitigated_at,
            "to_resolve_s": self.resolved_at,
        }
        found = {name: None if at is None else (at - self.detected_at).total_seconds() for name, at in ends.items()}
        return {"to_detect_s": (self.detected_at - self.since_at).total_seconds(), **found}


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected(Shown):
    """The traces of an incident, as a query that can be asked again.

    Args:
        incident: Its number.
        traces: How many.
        users: How many users they are of; None: no trace says of whom it is.
        anonymous: Traces that do not say of whom they are.
        cost_usd: What they cost as far as it is known; None: not known of any.
        first_at: The first; None without any.
        last_at: The last.
        sql: The query of their ids, for ``ws.sql``.
    """

    incident: int
    traces: int
    users: int | None
    anonymous: int
    cost_usd: float | None
    first_at: datetime | None
    last_at: datetime | None
    sql: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act(Shown):
    """What an action would do, or did.

    Args:
        incident: Of which incident.
        action: Name of the action.
        params: What it was given.
        state: "planned" (a dry run), "done", or "already done" (nothing was changed this time).
        stands: What stands now, or stood before it was done.
        then: What would stand, or stands, after it.
        words: The same in a sentence.
        seen: A short name of the state that it rests on: a real run with it is refused where that has moved.
        number: Of what was done, within the incident; None of a dry run.
        events: The events of the audit chain that say what was done.
        at: When.
        actor: Who.
    """

    incident: int
    action: str
    params: Mapping[str, Any]
    state: Literal["planned", "done", "already done"]
    stands: Mapping[str, Any]
    then: Mapping[str, Any]
    words: str
    seen: str
    number: int | None = None
    events: tuple[int, ...] = ()
    at: datetime
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified(Shown):
    """Whether an incident is over, by the tests of its alerts on sessions after what was done.

    Args:
        incident: Its number.
        number: Of the check, within the incident.
        state: "recovered" (all alerts are), "not recovered" (one is not) or "cannot tell".
        since: Sessions from then on counted.
        until: Up to then.
        needed: So many more sessions are needed at most, where that can be said.
        found: What the test of each alert said.
        words: The same in a sentence.
    """

    incident: int
    number: int
    state: Literal["recovered", "not recovered", "cannot tell"]
    since: datetime
    until: datetime
    needed: int | None
    found: tuple[Recovery, ...]
    words: str

    @property
    def exit_code(self) -> int:
        """0 recovered, 1 not recovered, 3 cannot tell."""
        return {"recovered": 0, "not recovered": 1, "cannot tell": 3}[self.state]


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """Somebody who was told that an incident waits.

    Args:
        incident: Its number.
        title: What is wrong.
        step: The rule.
        who: Who is told.
        sink: By which sink.
        due_at: Since when it was due.
    """

    incident: int
    title: str
    step: str
    who: str
    sink: str
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalated(Shown):
    """What a look at all incidents escalated.

    Args:
        at: The time as of which it looked.
        told: Who was told.
        failed: Sinks that could not be told yet, by why; they are tried again.
        next_at: When the next one is due, if nobody acts; None: nothing waits.
    """

    at: datetime
    told: tuple[Escalation, ...]
    failed: Mapping[str, str]
    next_at: datetime | None

    @property
    def exit_code(self) -> int:
        """0; 1 when a sink could not be told."""
        return 1 if self.failed else 0
