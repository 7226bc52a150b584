"""What happened around an incident, put together from what was written of it elsewhere; nothing is copied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.text import plain_line
from lmops.times import from_ns, to_ns

if TYPE_CHECKING:
    import pandas as pd

    from lmops.incidents._records import Incident
    from lmops.store import Store

COLUMNS: Final = ("at", "source", "what", "who", "why", "evidence", "behind_s")
#: Events of the audit chain that change what an application does. Moves of aliases have their own sentence, and what
#: was done to the incident itself as well.
_CHANGES: Final = ("prompt", "judge", "route", "guardrail", "policy", "tool", "model", "price", "monitor")
_MOVES: Final = ("promote", "rollback")
#: A clock that is so much behind an earlier event is wrong.
_SKEW_S: Final = 1.0
_ALERTS: Final = """
select a.since_at, 'change', a.monitor || ': ' || a.words, NULL, case when a.since_low_at is not null then
  'between ' || strftime(a.since_low_at at time zone 'UTC', '%Y-%m-%d %H:%M') || ' and '
  || strftime(a.since_high_at at time zone 'UTC', '%Y-%m-%d %H:%M') || ' UTC' end, 'alert ' || a.alert, NULL
from alerts as a where a.alert in (select unnest($alerts::BIGINT[])) and a.since_at is not null"""
_ALERT_HISTORY: Final = """
select h."at", 'alert', 'alert ' || h.alert || ' (' || a.monitor || '): ' || coalesce(h.status, h.action), h.actor,
  h.reason, 'event ' || h.event_id, h.event_id
from alert_history as h join alerts as a on a.alert = h.alert
where h.alert in (select unnest($alerts::BIGINT[])) and h."at" >= $since and h."at" <= $until"""
_MOVED: Final = """
select "at", {kind}, name || '@' || alias || ': ' || coalesce(from_version::VARCHAR, 'nothing') || ' -> '
  || to_version || ' (' || action || case when is_forced then ', forced' else '' end || ')', actor, reason,
  'event ' || event_id, event_id
from {view} where "at" >= $since and "at" <= $until"""
_CHANGED: Final = """
select "at", split_part(action, '.', 1), action || ' ' || subject, actor, reason, 'event ' || event_id, event_id
from audit where "at" >= $since and "at" <= $until and split_part(action, '.', 1) in (select unnest($changes))
  and split_part(action, '.', 2) not in (select unnest($moves))"""
_OWN: Final = """
select h."at", 'incident', case
  when h.action = 'note' then 'note: ' || coalesce((select n.text from incident_notes as n where n.incident = h.incident
    and n.at = h.at and n.actor = h.actor and n.kind = 'note' limit 1), '')
  when h.action = 'act' then json_extract_string(e.after, '$.action') || ': ' || json_extract_string(e.after, '$.words')
  when h.action = 'verify' then 'verified: ' || json_extract_string(e.after, '$.words')
  when h.action = 'follow_up' then 'follow-up: ' || json_extract_string(e.after, '$.words')
  when h.action = 'own' then 'in charge: ' || coalesce(json_extract_string(e.after, '$.in_charge'), 'nobody')
  when h.action = 'escalate' then 'told ' || json_extract_string(e.after, '$.who') || ' by '
    || json_extract_string(e.after, '$.sink')
  when h.action = 'link' then 'alert ' || json_extract_string(e.after, '$.alert') || ' belongs to it'
  else coalesce(h.status, h.action) end, h.actor, h.reason, 'event ' || h.event_id, h.event_id
from incident_history as h join audit as e on e.event_id = h.event_id where h.incident = $incident"""
_RUNS: Final = """
select started_at, 'runbook', name || ': ' || status, actor, json_extract_string(result, '$.decision'), run_id, NULL
from runbook_runs where started_at >= $since and started_at <= $until"""
_VERSIONS: Final = """
select min(start_at), 'release', 'first trace with ' || ref, NULL, NULL, arg_min(trace_id, start_at), NULL
from (select trace_id, start_at, unnest(prompt_refs) as ref from traces where start_at <= $until) group by ref
having min(start_at) >= $since"""


def timeline(store: Store, found: Incident, *, since_ns: int, until_ns: int) -> pd.DataFrame:
    """Return what happened around an incident, in the order of its clocks; see ``Incidents.timeline``."""
    from lmops.base.frames import Frame

    params: dict[str, Any] = {"since": from_ns(since_ns), "until": from_ns(until_ns)}
    asked = [
        (_ALERTS, {"alerts": list(found.alerts)}),
        (_ALERT_HISTORY, {"alerts": list(found.alerts), **params}),
        (_MOVED.format(kind="'prompt'", view="prompt_history"), params),
        (_MOVED.format(kind="kind", view="alias_history"), params),
        (_CHANGED, {**params, "changes": list(_CHANGES), "moves": list(_MOVES)}),
        (_OWN, {"incident": found.incident}),
        (_RUNS, params),
        (_VERSIONS, params),
    ]
    rows = [row for query, given in asked for row in store.sql(query, given).fetchall()]
    behind = _behind(rows)
    rows.sort(key=lambda row: (row[0], row[6] or 0))
    shown = [
        (at, plain_line(source, 40), plain_line(what, 600), who, why, evidence, behind.get(event))
        for at, source, what, who, why, evidence, event in rows
    ]
    frame = Frame(shown, columns=list(COLUMNS))
    texts = ["source", "what", "who", "why", "evidence"]
    return frame.astype({**dict.fromkeys(texts, "string"), "behind_s": "Float64"})


def _behind(rows: list[Any]) -> dict[int, float]:
    """Return by how much the clock of an event was behind that of an event before it in the chain, in seconds."""
    events = sorted({(row[6], row[0]) for row in rows if row[6] is not None})
    newest, found = None, {}
    for event, at in events:
        if newest is not None and (newest - at).total_seconds() > _SKEW_S:
            found[event] = (newest - at).total_seconds()
        newest = at if newest is None else max(newest, at)
    return found


def window(found: Incident, *, lead_s: float, now_ns: int) -> tuple[int, int]:
    """Return from when to when the timeline of an incident goes."""
    end = found.closed_at or found.resolved_at
    until_ns = now_ns if end is None else to_ns(end)
    return to_ns(found.since_at) - int(lead_s * 1e9), max(until_ns, to_ns(found.moved_at))
