"""The tables of policies: versions, switches, runs under them, what a sync saw; and the views over them and checks."""

from __future__ import annotations

from typing import Final

from lmops.store.schema import TIME, Column, DerivedView, Room, Table, View

_VERSIONS: Final[tuple[Column, ...]] = (
    ("name", "VARCHAR", "policy"),
    ("version", "BIGINT", "1, 2, 3, ..."),
    ("ref", "VARCHAR", "name@version"),
    ("stages", "VARCHAR", "JSON object: stage to the list of its rails"),
    ("blocked_text", "VARCHAR", "what somebody reads whose text is blocked"),
    ("budget_ms", "DOUBLE", "most milliseconds for the checks of one request"),
    ("hash", "VARCHAR", "of its content"),
    ("parent", "BIGINT", "the version it was made from"),
    ("note", "VARCHAR", "why"),
    ("author", "VARCHAR", "who"),
    ("created_at", TIME, "when"),
)
_VERSION_SQL: Final = (
    "select v.name, v.version, v.name || '@' || v.version, json_extract(v.body, '$.stages'), "
    "json_extract(v.body, '$.blocked_text'), json_extract(v.body, '$.budget_ms'), v.hash, v.parent, v.note, v.author, "
    "v.created_ns from guardrail_versions v"
)
#: Where the alias production points, else the newest version.
_LIVE: Final = (
    "coalesce((select a.version from aliases a where a.kind = 'policy' and a.name = v.name and a.alias = "
    "'production'), (select max(n.version) from guardrail_versions n where n.name = v.name))"
)
_SWITCHES: Final[tuple[Column, ...]] = (
    ("policy", "VARCHAR", "name"),
    ("rail", "VARCHAR", "its name in the policy"),
    ("is_off", "BOOLEAN", "it is switched off"),
    ("actor", "VARCHAR", "who switched it last"),
    ("moved_at", TIME, "when"),
    ("reason", "VARCHAR", "why"),
)
_RUNS: Final[tuple[Column, ...]] = (
    ("run_id", "VARCHAR", "an evaluation run"),
    ("policy", "VARCHAR", "the policy that it ran under"),
    ("version", "BIGINT", "of the policy"),
    ("actor", "VARCHAR", "who noted it"),
    ("noted_at", TIME, "when"),
)
#: A check is a span; the verdicts of its rails stand on it together. One of an application's own is one verdict.
_CHECKS: Final = """
with said as (
  select trace_id, span_id, start_at, session_id, user_id, environment, latency_ms as took_ms,
    json_extract_string(attributes, [
    '/lmops.guardrail.policy', '/lmops.guardrail.version', '/lmops.guardrail.stage', '/lmops.guardrail.verdicts',
    '/lmops.guardrail.name', '/lmops.guardrail.action', '/lmops.guardrail.rule', '/lmops.guardrail.score']) as a
  from spans where kind = 'guardrail'
), told as (
  select *, unnest(case when a[4] is null then
    [{'rail': a[5], 'kind': null::varchar, 'action': a[6], 'rules': [a[7]], 'found': null::bigint,
      'score': try_cast(a[8] as double), 'latency_ms': took_ms, 'version': null::varchar, 'error': null::varchar,
      'spans': null::json}]
    else from_json(a[4], '[{"rail": "VARCHAR", "kind": "VARCHAR", "action": "VARCHAR", "rules": ["VARCHAR"],
      "found": "BIGINT", "score": "DOUBLE", "latency_ms": "DOUBLE", "version": "VARCHAR", "error": "VARCHAR",
      "spans": "JSON"}]') end) as v
  from said
)
select trace_id, span_id, start_at, a[1] as policy, try_cast(a[2] as bigint) as version, a[3] as stage,
  v.rail as rail, v.kind as kind, case v.action when 'pass' then 'allow' else v.action end as action,
  case a[6] when 'pass' then 'allow' else a[6] end as decision, v.rules[1] as rule, v.found as found,
  v.score as score, v.latency_ms as latency_ms, v.version as config_hash, v.error as error, v.spans as positions,
  session_id, user_id, environment
from told
"""
MADE: Final = """
create table guardrail_versions (
    name text not null, version integer not null, hash text not null, body text not null, parent integer, note text,
    author text not null, created_ns integer not null, primary key (name, version)
) without rowid;
create table guardrail_switches (
    policy text not null, rail text not null, is_off integer not null, actor text not null,
    moved_ns integer not null, reason text, primary key (policy, rail)
) without rowid;
create table guardrail_runs (
    run_id text not null primary key, policy text not null, version integer not null, actor text not null,
    noted_ns integer not null
) without rowid;
create table guardrail_files (
    folder text not null, name text not null, hash text not null, primary key (folder, name)
) without rowid;
"""
ROOM: Final = Room(
    tables=(
        Table("guardrail_versions", ("name", "version")),
        Table("guardrail_switches", ("policy", "rail")),
        Table("guardrail_runs", ("run_id",)),
        Table(
            "guardrail_files",
            ("folder", "name"),
            held_by="nothing: it is what the last sync saw; a wrong one makes the next ask",
        ),
    ),
    views=(
        View(
            "guardrails",
            _VERSIONS,
            f"{_VERSION_SQL} where v.version = {_LIVE} order by v.name",
            ("guardrail_versions", "aliases"),
        ),
        View("guardrail_versions", _VERSIONS, f"{_VERSION_SQL} order by v.name, v.version", ("guardrail_versions",)),
        View(
            "guardrail_switches",
            _SWITCHES,
            "select policy, rail, is_off, actor, moved_ns, reason from guardrail_switches order by policy, rail",
            ("guardrail_switches",),
        ),
        View(
            "guardrail_runs",
            _RUNS,
            "select run_id, policy, version, actor, noted_ns from guardrail_runs order by noted_ns",
            ("guardrail_runs",),
        ),
    ),
    migrations={25: MADE},
    derived=(
        DerivedView(
            "guardrail_checks",
            ("spans",),
            _CHECKS,
            says={
                "start_at": "when the text was checked",
                "policy": "name of the policy; NULL: rails by themselves, or an application's own check",
                "version": "of the policy",
                "stage": "input, retrieval, tool_call, tool_result, output; NULL: an application's own check",
                "rail": "which of its rails; each is a row",
                "kind": "the kind of rail",
                "action": "of the rail: allow, flag, redact, block",
                "decision": "of the whole check: the gravest of its rails",
                "rule": "kind of the first thing that it found",
                "found": "how many things it found",
                "score": "the highest of them, 0 to 1; NULL: it does not score",
                "latency_ms": "milliseconds that the rail took",
                "config_hash": "of the kind, its source and its options",
                "error": "why it could not decide; NULL: it did",
                "positions": "JSON list of [start, end] in the text; the text itself is nowhere",
                "environment": "such as production; evaluation: a red team or an evaluation made it check",
            },
        ),
    ),
)
