"""The tables that rooms share: aliases of whatever has versions, every move of them, protections; and their views.

Prompts came first and have tables of their own for the same: events of the audit chain name rows by their table, so
that rows which moved would be held by nothing.
"""

from __future__ import annotations

from typing import Final

from lmops.records.moves import moves_view
from lmops.store.schema import Room, Table, View

TABLES: Final = (
    Table("aliases", ("kind", "name", "alias")),
    Table("alias_moves", ("event_id",)),
    Table("alias_protections", ("kind", "name", "alias")),
)
VIEWS: Final = (
    View(
        "aliases",
        (
            ("kind", "VARCHAR", "of what, such as dataset; those of prompts are in prompts"),
            ("name", "VARCHAR", "of the thing; (kind, name, alias) is unique"),
            ("alias", "VARCHAR", "such as golden"),
            ("version", "BIGINT", "where it points"),
            ("event_id", "BIGINT", "the move that brought it there, in the audit chain"),
        ),
        "select kind, name, alias, version, event_id from aliases order by kind, name, alias",
        ("aliases",),
    ),
    moves_view(
        "alias_history",
        "alias_moves",
        ("kind", "VARCHAR", "of what, such as dataset; that of prompts is prompt_history"),
        ("name", "VARCHAR", "of the thing"),
        ("alias", "VARCHAR", "such as golden"),
    ),
)
MADE: Final = """
create table aliases (
    kind text not null,
    name text not null,
    alias text not null,
    version integer not null,
    earlier text not null,
    event_id integer not null,
    primary key (kind, name, alias)
) without rowid;
create table alias_moves (
    event_id integer primary key,
    kind text not null,
    name text not null,
    alias text not null,
    action text not null,
    from_version integer,
    to_version integer not null,
    at_ns integer not null,
    actor text not null,
    reason text,
    evidence text,
    is_forced integer not null
);
create index alias_moves_alias on alias_moves (kind, name, alias, event_id);
create table alias_protections (
    kind text not null,
    name text not null,
    alias text not null,
    event_id integer not null,
    primary key (kind, name, alias)
) without rowid;
"""
ROOM: Final = Room(TABLES, VIEWS, migrations={10: MADE})
