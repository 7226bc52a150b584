"""The tables of routes: versions, switches, what a sync saw; and the views over them and over decisions."""

from __future__ import annotations

from typing import Final

from lmops.store.schema import TIME, Column, DerivedView, Room, Table, View

_VERSIONS: Final[tuple[Column, ...]] = (
    ("name", "VARCHAR", "route"),
    ("version", "BIGINT", "1, 2, 3, ..."),
    ("ref", "VARCHAR", "name@version"),
    ("arms", "VARCHAR", "JSON object: arm to its prompt, model, params, policy, weight, limits"),
    ("fallbacks", "VARCHAR", "JSON list of arms that are asked next, in order"),
    ("rules", "VARCHAR", "JSON list of other shares for contexts"),
    ("timeout_s", "DOUBLE", "seconds for one arm to answer"),
    ("canary", "VARCHAR", "JSON object: plan of a canary release"),
    ("hash", "VARCHAR", "of its content"),
    ("parent", "BIGINT", "the version it was made from"),
    ("note", "VARCHAR", "why"),
    ("author", "VARCHAR", "who"),
    ("created_at", TIME, "when"),
)
_VERSION_SQL: Final = (
    "select v.name, v.version, v.name || '@' || v.version, json_extract(v.body, '$.arms'), "
    "json_extract(v.body, '$.fallbacks'), json_extract(v.body, '$.when'), json_extract(v.body, '$.timeout_s'), "
    "json_extract(v.body, '$.canary'), v.hash, v.parent, v.note, v.author, v.created_ns from route_versions v"
)
#: Where the alias production points, else the newest version.
_LIVE: Final = (
    "coalesce((select a.version from aliases a where a.kind = 'route' and a.name = v.name and a.alias = "
    "'production'), (select max(n.version) from route_versions n where n.name = v.name))"
)
_SWITCHES: Final[tuple[Column, ...]] = (
    ("route", "VARCHAR", "name"),
    ("arm", "VARCHAR", "empty: the whole route"),
    ("is_killed", "BOOLEAN", "it is switched off"),
    ("actor", "VARCHAR", "who switched it last"),
    ("moved_at", TIME, "when"),
    ("reason", "VARCHAR", "why"),
)
#: A decision stands on a span; it cost what its attempts cost, on an application's own span what its trace cost.
_DECISIONS: Final = """
with said as (
  select trace_id, span_id, start_at, status, latency_ms, user_id, json_extract_string(attributes, [
    '/lmops.route.name', '/lmops.route.version', '/lmops.route.assigned', '/lmops.route.arm', '/lmops.route.reason',
    '/lmops.route.attempts', '/lmops.route.key_hash', '/lmops.route.by_rule']) as a
  from spans where contains(attributes, '"lmops.route.assigned"')
), spent as (
  select tried.trace_id, tried.parent_span_id as span_id, sum(call.cost_usd) as cost_usd
  from spans as tried join spans as call
    on call.is_call and call.trace_id = tried.trace_id and call.parent_span_id = tried.span_id
  where contains(tried.attributes, '"lmops.route.tried"') group by all
)
select said.trace_id, said.span_id, said.start_at, a[1] as route, try_cast(a[2] as bigint) as version,
  a[3] as assigned, a[4] as arm, a[5] as reason, try_cast(a[6] as bigint) as attempts, a[7] as key_hash,
  a[8] is not null as by_rule,
  coalesce(said.user_id, t.user_id) as user_id, said.status,
  case when a[6] is null then t.cost_usd else spent.cost_usd end as cost_usd, said.latency_ms
from said left join traces as t using (trace_id)
left join spent on spent.trace_id = said.trace_id and spent.span_id = said.span_id
"""
MADE: Final = """
create table route_versions (
    name text not null, version integer not null, hash text not null, body text not null, layout text not null,
    parent integer, note text, author text not null, created_ns integer not null, primary key (name, version)
) without rowid;
create table route_switches (
    route text not null, arm text not null, is_killed integer not null, actor text not null,
    moved_ns integer not null, reason text, primary key (route, arm)
) without rowid;
create table route_files (
    folder text not null, name text not null, hash text not null, primary key (folder, name)
) without rowid;
"""
ROOM: Final = Room(
    tables=(
        Table("route_versions", ("name", "version")),
        Table("route_switches", ("route", "arm")),
        Table(
            "route_files",
            ("folder", "name"),
            held_by="nothing: it is what the last sync saw; a wrong one makes the next ask",
        ),
    ),
    views=(
        View(
            "routes",
            _VERSIONS,
            f"{_VERSION_SQL} where v.version = {_LIVE} order by v.name",
            ("route_versions", "aliases"),
        ),
        View("route_versions", _VERSIONS, f"{_VERSION_SQL} order by v.name, v.version", ("route_versions",)),
        View(
            "route_switches",
            _SWITCHES,
            "select route, arm, is_killed, actor, moved_ns, reason from route_switches order by route, arm",
            ("route_switches",),
        ),
    ),
    migrations={21: MADE},
    derived=(
        DerivedView(
            "routing_decisions",
            ("spans", "traces"),
            _DECISIONS,
            says={
                "start_at": "when",
                "route": "name of the route",
                "version": "of the route",
                "assigned": "the arm that had the key",
                "arm": "the arm that answered, or was asked last",
                "reason": "assigned, condition, random, killed, fallback, limit",
                "attempts": "arms that were asked; NULL: the application asked by itself",
                "key_hash": "stands for the key; NULL: the arm was drawn",
                "by_rule": "a rule decided: the arm was not drawn by the shares of the route",
                "user_id": "the user of the span, else of its trace",
                "cost_usd": "of all that was asked; where the application asked by itself that of the trace",
            },
        ),
    ),
)
