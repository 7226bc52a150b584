"""The table of tools in versions, and the view over it."""

from __future__ import annotations

from typing import Final

from lmops.store.schema import TIME, Column, Room, Table, View

_VERSIONS: Final[tuple[Column, ...]] = (
    ("name", "VARCHAR", "what models call it"),
    ("version", "BIGINT", "1, 2, 3, ...; tool_calls says which one a call was of"),
    ("ref", "VARCHAR", "name@version"),
    ("description", "VARCHAR", "what it does, for models"),
    ("parameters", "VARCHAR", "JSON schema of its arguments"),
    ("returns", "VARCHAR", "JSON schema of its result; NULL: anything"),
    ("is_read_only", "BOOLEAN", "it changes nothing outside"),
    ("is_idempotent", "BOOLEAN", "calling it twice does no more than once"),
    ("timeout_s", "DOUBLE", "most seconds for one attempt"),
    ("source", "VARCHAR", "where it comes from: python, mcp, openapi, agent"),
    ("hash", "VARCHAR", "of its content"),
    ("parent", "BIGINT", "the version it was made from"),
    ("note", "VARCHAR", "why"),
    ("author", "VARCHAR", "who"),
    ("created_at", TIME, "when"),
)
_SQL: Final = (
    "select name, version, name || '@' || version, json_extract(body, '$.description'), "
    "json_extract(body, '$.parameters'), json_extract(body, '$.returns'), json_extract(body, '$.is_read_only'), "
    "json_extract(body, '$.is_idempotent'), json_extract(body, '$.timeout_s'), json_extract(body, '$.source'), hash, "
    "parent, note, author, created_ns from tool_versions order by name, version"
)
MADE: Final = """
create table tool_versions (
    name text not null, version integer not null, hash text not null, body text not null, parent integer, note text,
    author text not null, created_ns integer not null, primary key (name, version)
) without rowid;
create table tool_files (
    folder text not null, name text not null, hash text not null, primary key (folder, name)
) without rowid;
"""
ROOM: Final = Room(
    tables=(
        Table("tool_versions", ("name", "version")),
        Table(
            "tool_files",
            ("folder", "name"),
            held_by="nothing: it is what the last sync saw; a wrong one makes the next ask",
        ),
    ),
    views=(View("tool_versions", _VERSIONS, _SQL, ("tool_versions",)),),
    migrations={28: MADE},
)
