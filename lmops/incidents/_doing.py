"""Actions: what stands is read, held against what somebody saw, changed and written down in one transaction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lmops.errors import ConflictError
from lmops.incidents import _life
from lmops.incidents._records import Act
from lmops.incidents.actions import ACTIONS
from lmops.times import from_ns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from lmops.incidents.actions import Action, Params
    from lmops.records import Change, Project
    from lmops.store import Store


def planned(project: Project, number: int, name: str, params: Mapping[str, Any]) -> Act:
    """Return what an action would do; nothing is written.

    Raises:
        NotFoundError: There is no such incident, no such action, or not what it is about.
        UsageError: An argument is missing or not known.
        RefusedError: It cannot be done.
    """
    action = ACTIONS.get(name)
    given = action.checked(params)
    with project.reading() as con:
        _life.read(project.store, con, number)
        done = _done(project.store, con, number, name, given)
    now = action.stand(project, given)
    if done is not None and json.loads(done["stands"]) == json.loads(_text(now.stands)):
        return _of_row(done, now.seen)
    plan = action.plan(project, given)
    return Act(
        incident=number,
        action=name,
        params=given,
        state="planned",
        stands=now.stands,
        then=plan.then,
        words=plan.words,
        seen=now.seen,
        at=project.now(),
        actor=project.actor,
    )


def act(change: Change, project: Project, number: int, name: str, params: Mapping[str, Any], seen: str | None) -> Act:
    """Do it as a part of a change, and write down what stood and what stands; what stands already is left alone.

    Args:
        change: What it is part of.
        project: Of the change.
        number: Of the incident.
        name: Of the action.
        params: Its arguments.
        seen: The state that somebody decided on.

    Raises:
        ConflictError: What it is about is not as it was then; nothing was changed.
    """
    action = ACTIONS.get(name)
    given = action.checked(params)
    incident = _life.STATES.row(change, number)
    inside = project.inside(change)
    done, now = _done(change.store, change.con, number, name, given), action.stand(inside, given)
    if done is not None and json.loads(done["stands"]) == json.loads(_text(now.stands)):
        return _of_row(done, now.seen)
    if seen is not None and seen != now.seen:
        raise ConflictError(
            f"{name} of incident {number}: {_text(now.stands)} stands now, which is not what it was when you decided "
            f"({seen}). Nothing was changed; look at act({number}, {name!r}, ...) again, and decide anew"
        )
    made = _carried_out(change, inside, action, given, number)
    if incident["status"] == "open":
        told = {"mitigated_ns": change.at_ns, "acknowledged_ns": incident["acknowledged_ns"] or change.at_ns}
        _life.STATES.move(change, number, to="mitigated", action="mitigate", row=told)
    return made


def _carried_out(change: Change, inside: Project, action: Action, given: Params, number: int) -> Act:
    now, plan, first = action.stand(inside, given), action.plan(inside, given), _newest(change.con) + 1
    action.do(inside, given, change.reason or f"incident {number}")
    after = action.stand(inside, given)
    events = list(range(first, _newest(change.con) + 1))
    told = {
        "action": action.name,
        "params": _text(given),
        "stood": _text(now.stands),
        "stands": _text(after.stands),
        "words": plan.words,
        "events": json.dumps(events),
        "reason": change.reason,
    }
    said = {"action": action.name, "words": plan.words, "events": events}
    place = _life.add(change, "incident_actions", number, told, said="act", after=said)
    return Act(
        incident=number,
        action=action.name,
        params=given,
        state="done",
        stands=now.stands,
        then=after.stands,
        words=plan.words,
        seen=after.seen,
        number=place,
        events=tuple(events),
        at=change.at,
        actor=change.actor,
    )


def acts(store: Store, con: sqlite3.Connection, number: int) -> list[Act]:
    """Return what was done about an incident, in the order in which it was done."""
    return [_of_row(row, "", state="done") for row in _life.rows_of(store, con, "incident_actions", number)]


def _done(store: Store, con: sqlite3.Connection, number: int, name: str, given: Params) -> dict[str, Any] | None:
    """Return the last time that the same was done."""
    rows = _life.rows_of(store, con, "incident_actions", number)
    same = [row for row in rows if (row["action"], row["params"]) == (name, _text(given))]
    return same[-1] if same else None


def _of_row(row: Mapping[str, Any], seen: str, *, state: Any = "already done") -> Act:
    return Act(
        incident=row["incident"],
        action=row["action"],
        params=_data(row["params"]),
        state=state,
        stands=_data(row["stood"]),
        then=_data(row["stands"]),
        words=row["words"],
        seen=seen,
        number=row["number"],
        events=tuple(json.loads(row["events"])),
        at=from_ns(row["at_ns"]),
        actor=row["actor"],
    )


def _data(text: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except ValueError:  # somebody was erased from it
        return {}


def _text(data: Mapping[str, Any]) -> str:
    return json.dumps(dict(data), sort_keys=True, ensure_ascii=False, default=str)


def _newest(con: sqlite3.Connection) -> int:
    return int(con.execute("select coalesce(max(event_id), 0) from audit").fetchone()[0])
