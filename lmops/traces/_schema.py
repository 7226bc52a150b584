"""The table of saved views of the trace browser, and the view over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.store.schema import TIME, Erased, Room, Table, View

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

COLUMNS: Final = (
    ("name", "VARCHAR", "unique"),
    ("filter", "VARCHAR", "a condition as for ws.traces.search; NULL shows all"),
    ("last", "VARCHAR", "range back from now, such as 7d"),
    ("since", "VARCHAR", "first start"),
    ("until", "VARCHAR", "start before this"),
    ("columns", "VARCHAR", "JSON list of what is shown"),
    ("sort", "VARCHAR", "a column and asc or desc"),
    ("grouped_by", "VARCHAR", "a column; NULL lists traces"),
    ("author", "VARCHAR", "who saved it last"),
    ("saved_at", TIME, "when"),
)
SQL: Final = (
    "select name, json_extract(body, '$.where'), json_extract(body, '$.last'), json_extract(body, '$.since'), "
    "json_extract(body, '$.until'), json_extract(body, '$.columns'), json_extract(body, '$.sort'), "
    "json_extract(body, '$.group'), author, saved_ns from trace_views order by name"
)
MADE: Final = """create table trace_views (
    name text primary key not null, body text not null, author text not null, saved_ns integer not null
) without rowid;"""


def names_of_views(_con: sqlite3.Connection, keys: Iterable[tuple[Any, ...]]) -> list[str]:
    """Return what saved views are called."""
    return [f"the saved view {key[0]}" for key in keys]


ROOM: Final = Room(
    (Table("trace_views", ("name",), erased=Erased("saved views", texts=("name", "body"), names=names_of_views)),),
    (View("trace_views", COLUMNS, SQL, ("trace_views",)),),
    migrations={17: MADE},
)
