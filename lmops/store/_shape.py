"""Which tables a schema version has, and what is done with a database whose number once stood for another state.

Between releases a number was used for tables that changed later. What is missing in such a store is put in when it is
opened to be migrated; where that would not be right, the store is refused in words and left as it is.
"""

from __future__ import annotations

import contextlib
import functools
import re
import sqlite3
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Final

from lmops.errors import NewerStoreError, StoreError
from lmops.store.schema import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A count that a store lacks is begun; one that it has goes on.
_COUNTERS: Final = "counters"
_INSERT: Final = re.compile(r"\s*insert into (\w+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column as SQLite describes it."""

    type: str
    is_required: bool
    default: str | None
    is_key: bool

    @property
    def can_be_missing(self) -> bool:
        """Return whether rows that lack it have a value for it."""
        return not self.is_key and not (self.is_required and self.default is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The tables of a database with their columns, and the statement that made each table, index and trigger."""

    columns: dict[str, dict[str, Column]]
    statements: dict[str, str]


@functools.cache
def migrations() -> tuple[tuple[int, str], ...]:
    """Return the migrations of this code in order, as (version, SQL)."""
    found = list(schema().migrations.items())
    for entry in resources.files("lmops.store").joinpath("migrations").iterdir():
        match = re.fullmatch(r"(\d{4})_\w+\.sql", entry.name)
        if match:
            found.append((int(match[1]), entry.read_text(encoding="utf-8")))
    return tuple(sorted(found))


def make_tables(con: sqlite3.Connection) -> int:
    """Make the tables of a new store at once, inside the caller's transaction; return the version that they are of.

    Migrations are for stores that there are: one after the other they take twice as long to make the same.
    """
    script = resources.files("lmops.store").joinpath("newest.sql").read_text(encoding="utf-8")
    for statement in statements(script):
        con.execute(statement)
    return int(con.execute("pragma user_version").fetchone()[0])


def statements(script: str) -> Iterator[str]:
    """Split an SQL script into whole statements (triggers included), so that they run inside one transaction."""
    buffer = ""
    for line in script.splitlines(keepends=True):
        if not buffer and (not line.strip() or line.lstrip().startswith("--")):
            continue
        buffer += line
        if sqlite3.complete_statement(buffer):
            yield buffer
            buffer = ""
    if buffer.strip():
        yield buffer


def shape_of(con: sqlite3.Connection) -> Shape:
    """Return the shape of a database."""
    made = con.execute("select type, name, sql from sqlite_master where sql is not null and name not like 'sqlite_%'")
    statements_of, columns = {}, {}
    for kind, name, sql in made.fetchall():
        statements_of[name] = sql
        if kind == "table":
            described = con.execute('select name, type, "notnull", dflt_value, pk from pragma_table_info(?)', (name,))
            columns[name] = {
                column: Column(type=type_, is_required=bool(required), default=default, is_key=bool(key))
                for column, type_, required, default, key in described
            }
    return Shape(columns=columns, statements=statements_of)


@functools.cache
def _expected(version: int) -> Shape:
    """Return the shape that the migrations up to a version make."""
    with contextlib.closing(sqlite3.connect(":memory:")) as con:
        for number, script in migrations():
            if number <= version:
                con.executescript(script)
        return shape_of(con)


def put_right(con: sqlite3.Connection, version: int, where: object) -> None:
    """Give a database what its schema version has and it lacks, inside the caller's transaction.

    Args:
        con: The database.
        version: Its schema version, at most the newest that is known.
        where: Its path, for messages.

    Raises:
        StoreError: It is not a store's database, or a table of it cannot be put right without touching what is in it.
    """
    have = shape_of(con)
    if version < 1:
        if have.columns or version < 0:
            raise StoreError(f"{where} is not the database of a store: {_named(have)}. Name another folder")
        return
    missing = sorted(_expected(1).columns.keys() - have.columns.keys())
    if missing:
        raise StoreError(
            f"{where} says that it has schema {version} and has no table {', '.join(missing)}: {_named(have)}. "
            "It is another program's or damaged; lmops store rescue builds it again from the segments and a backup"
        )
    want = _expected(version)
    made = {table for table in want.columns if table not in have.columns}
    for table, columns in want.columns.items():
        if table not in made and _adapt(con, table, have.columns[table], columns, version, where):
            made.add(table)
    have_now = shape_of(con).statements  # a table that was removed took its indexes along
    for name, statement in want.statements.items():
        if name not in have_now:
            con.execute(statement)
    for number, script in migrations():
        for statement in statements(script) if number <= version else ():
            match = _INSERT.match(statement)
            if match and match[1] in made:
                con.execute(statement)
            elif match and match[1] == _COUNTERS:
                con.execute(f"insert or ignore {statement.lstrip()[len('insert ') :]}")


def refuse_unknown(con: sqlite3.Connection, newest: int, where: object) -> int:
    """Return the version of a database, or raise for one of a newer release that has not all that this one reads.

    Raises:
        NewerStoreError: A table or a column is not there any more.
    """
    version = int(con.execute("pragma user_version").fetchone()[0])
    if version <= newest:
        return version
    have = shape_of(con).columns
    lacks = [
        f"no table {table}" if table not in have else f"no column {column} in its table {table}"
        for table, columns in sorted(_expected(newest).columns.items())
        for column in columns
        if column not in have.get(table, {})
    ]
    if lacks:
        raise NewerStoreError(
            f"{where} has schema {version} and {lacks[0]}, which this lmops, knowing schema {newest}, reads: it was "
            "written by a newer release. pip install -U lmops reads it; nothing was changed"
        )
    return version


def _adapt(
    con: sqlite3.Connection, table: str, have: dict[str, Column], want: dict[str, Column], version: int, where: object
) -> bool:
    """Add the columns that a table lacks; return whether it was removed, to be made anew."""
    lacks = {name: column for name, column in want.items() if name not in have}
    more = {name: column for name, column in have.items() if name not in want}
    known = schema().tables
    if (lacks or more) and table in known and known[table].is_remade:
        con.execute(f"drop table {table}")
        return True
    wrong = [name for name, column in (lacks | more).items() if not column.can_be_missing]
    if wrong:
        kind = "lacks" if wrong[0] in lacks else "needs"
        raise StoreError(
            f"{where} says that it has schema {version}, and its table {table} {kind} the column {wrong[0]}: it was "
            "written by a state of lmops between two releases. Export it with the lmops that wrote it (lmops store "
            "export), or ask lmops store rescue for the facts; nothing was changed"
        )
    for name, column in lacks.items():
        required = f" not null default {column.default}" if column.is_required else ""
        con.execute(f"alter table {table} add column {name} {column.type}{required}")
    return False


def _named(shape: Shape) -> str:
    names = sorted(shape.columns)
    return f"its tables are {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}" if names else "it has no tables"
