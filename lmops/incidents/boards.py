"""What the view of an incident shows of it: its record, the metric over time with the moments on it, what was done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lmops.errors import NotFoundError
from lmops.incidents._show import affected_text, facts
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lmops.incidents import Incidents
    from lmops.incidents._records import Act, Incident
    from lmops.monitors import Monitors
    from lmops.monitors.boards import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something that happened; a row of the timeline."""

    at: datetime
    source: str
    what: str
    who: str
    why: str
    evidence: str
    behind_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentBoard:
    """An incident as its view shows it.

    Args:
        incident: The record.
        facts: What it is, as names and words.
        affected: Who is affected, in a sentence.
        line: The metric of its first alert; None where it has none, or nothing is known of it.
        moments: What happened, in the order of time.
        acts: What was done by actions.
        actions: What can be done: the name of each action, what it does.
        check: What the last verification said: its state and words; None without one.
    """

    incident: Incident
    facts: Sequence[tuple[str, str]]
    affected: str
    line: Line | None
    moments: Sequence[Moment]
    acts: Sequence[Act]
    actions: dict[str, str]
    check: tuple[str, str] | None


def board(incidents: Incidents, monitors: Monitors, number: int, *, now: datetime) -> IncidentBoard:
    """Return an incident as its view shows it.

    Args:
        incidents: Where it is.
        monitors: That watch its metric.
        number: Of the incident.
        now: Up to when its metric is shown, where it is not over.

    Raises:
        NotFoundError: There is no such incident.
    """
    found = incidents.get(number)
    frame = incidents.timeline(number)
    shown = frame.astype("object").where(frame.notna(), None)
    moments = [_moment(*row) for row in shown.itertuples(index=False)]
    return IncidentBoard(
        incident=found,
        facts=facts(found),
        affected=affected_text(incidents.affected(number)).partition(": ")[2],
        line=_line(monitors, found, now),
        moments=moments,
        acts=incidents.acts(number),
        actions=incidents.actions(),
        check=incidents.checked(number),
    )


def _line(monitors: Monitors, found: Incident, now: datetime) -> Line | None:
    """Return the metric from a while before it began to a while after it was over."""
    if not found.alerts:
        return None
    end = found.resolved_at or now
    lead = max(min((end - found.since_at) / 3, timedelta(days=3)), timedelta(hours=6))
    try:
        return monitors.line(found.alerts[0], since=found.since_at - lead, until=end)
    except NotFoundError:  # its monitor is gone
        return None


def _moment(at: Any, source: str, what: str, who: Any, why: Any, evidence: Any, behind: Any) -> Moment:
    said = [plain_line("" if one is None else one, 400) for one in (what, who, why, evidence)]
    return Moment(at=at, source=source, what=said[0], who=said[1], why=said[2], evidence=said[3], behind_s=behind)
