"""The tables of tool policies: versions, switches, what somebody is asked; and the views over them and decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.store.schema import TIME, Becomes, Column, DerivedView, Erased, Room, Table, View

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

_VERSIONS: Final[tuple[Column, ...]] = (
    ("name", "VARCHAR", "policy"),
    ("version", "BIGINT", "1, 2, 3, ..."),
    ("ref", "VARCHAR", "name@version"),
    ("rules", "VARCHAR", "JSON list of its rules"),
    ("default_action", "VARCHAR", "what happens where no rule holds: deny, ask, allow"),
    ("hash", "VARCHAR", "of its content"),
    ("parent", "BIGINT", "the version it was made from"),
    ("note", "VARCHAR", "why"),
    ("author", "VARCHAR", "who"),
    ("created_at", TIME, "when"),
)
_VERSION_SQL: Final = (
    "select name, version, name || '@' || version, json_extract(body, '$.rules'), json_extract(body, '$.default'), "
    "hash, parent, note, author, created_ns from tool_policy_versions order by name, version"
)
_SWITCHES: Final[tuple[Column, ...]] = (
    ("tool", "VARCHAR", "name"),
    ("is_off", "BOOLEAN", "it is switched off"),
    ("actor", "VARCHAR", "who switched it last"),
    ("moved_at", TIME, "when"),
    ("reason", "VARCHAR", "why"),
)
_ASKS: Final[tuple[Column, ...]] = (
    ("ask", "BIGINT", "its number"),
    ("tool", "VARCHAR", "which tool"),
    ("version", "BIGINT", "of the tool"),
    ("arguments", "VARCHAR", "JSON object: with what it is called if somebody says yes"),
    ("digest", "VARCHAR", "hash of tool, version and arguments: what the yes is bound to"),
    ("policy", "VARCHAR", "which policy asked, name@version"),
    ("rule", "VARCHAR", "the rule that asked; NULL: none, the default of the policy"),
    ("why", "VARCHAR", "why, in its words"),
    ("role", "VARCHAR", "who calls"),
    ("run_id", "VARCHAR", "the run that it is part of"),
    ("trace_id", "VARCHAR", "that led to it; NULL: it was not traced"),
    ("origins", "VARCHAR", "JSON object: by who said them the stretches of its arguments"),
    ("asked_at", TIME, "when"),
    ("expires_at", TIME, "when nobody can say yes any more"),
    ("status", "VARCHAR", "waiting, approved, denied, made; one past expires_at stays what it was"),
    ("actor", "VARCHAR", "who made the last step"),
    ("moved_at", TIME, "when"),
    ("reason", "VARCHAR", "why"),
)
_ASKS_SQL: Final = (
    "select ask, tool, version, arguments, digest, policy, rule, why, role, run_id, trace_id, origins, asked_ns, "
    "expires_ns, status, actor, moved_ns, reason from tool_asks order by ask"
)
#: A decision stands on the span of its call.
_DECISIONS: Final = """
with said as (
  select trace_id, span_id, start_at, session_id, user_id, json_extract_string(attributes, [
    '/gen_ai.tool.name', '/lmops.tool.version', '/lmops.tool.decision', '/lmops.tool.rule', '/lmops.tool.policy',
    '/lmops.tool.outcome', '/lmops.tool.reason']) as a
  from spans where contains(attributes, '"lmops.tool.decision"')
)
select trace_id, span_id, start_at, a[1] as tool, try_cast(a[2] as bigint) as tool_version, a[3] as decision,
  a[4] as rule, split_part(a[5], '@', 1) as policy, try_cast(nullif(split_part(a[5], '@', 2), '') as bigint) as version,
  a[6] as outcome, a[7] as reason, session_id, user_id
from said
"""
MADE: Final = """
create table tool_policy_versions (
    name text not null, version integer not null, hash text not null, body text not null, parent integer, note text,
    author text not null, created_ns integer not null, primary key (name, version)
) without rowid;
create table tool_policy_files (
    folder text not null, name text not null, hash text not null, primary key (folder, name)
) without rowid;
create table tool_switches (
    tool text not null primary key, is_off integer not null, actor text not null, moved_ns integer not null,
    reason text
) without rowid;
create table tool_asks (
    ask integer primary key, tool text not null, version integer not null, arguments text not null,
    digest text not null, policy text not null, rule text, why text not null, role text, run_id text not null,
    trace_id text, origins text not null, asked_ns integer not null, expires_ns integer not null, status text not null,
    owner text, until_ns integer, actor text not null, moved_ns integer not null, reason text
);
create index tool_asks_of on tool_asks (digest, status);
"""


def names_of_asks(_con: sqlite3.Connection, keys: Iterable[tuple[Any, ...]]) -> list[str]:
    """Return what asks are called."""
    return [f"ask {number}" for (number,) in sorted(keys)]


ROOM: Final = Room(
    tables=(
        Table("tool_policy_versions", ("name", "version")),
        Table(
            "tool_policy_files",
            ("folder", "name"),
            held_by="nothing: it is what the last sync saw; a wrong one makes the next ask",
        ),
        Table("tool_switches", ("tool",)),
        Table(
            "tool_asks",
            ("ask",),
            erased=Erased(
                "calls that somebody was asked about",
                traces=("trace_id",),
                texts=("arguments", "origins", "role"),
                left={"arguments": Becomes.ERASED, "origins": Becomes.ERASED, "role": Becomes.WORD, "trace_id": None},
                names=names_of_asks,
            ),
        ),
    ),
    views=(
        View("tool_policy_versions", _VERSIONS, _VERSION_SQL, ("tool_policy_versions",)),
        View(
            "tool_switches",
            _SWITCHES,
            "select tool, is_off, actor, moved_ns, reason from tool_switches order by tool",
            ("tool_switches",),
        ),
        View("tool_asks", _ASKS, _ASKS_SQL, ("tool_asks",)),
    ),
    migrations={29: MADE},
    derived=(
        DerivedView(
            "tool_decisions",
            ("spans",),
            _DECISIONS,
            says={
                "start_at": "when the tool was called",
                "tool": "name of the tool",
                "tool_version": "of the tool; NULL: it is not registered",
                "decision": "allow, deny, ask, rewrite",
                "rule": "the rule that decided; NULL: none, the default of the policy",
                "policy": "name of the policy",
                "version": "of the policy",
                "outcome": "what came of the call",
                "reason": "why, in words",
            },
        ),
    ),
)
