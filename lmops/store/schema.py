"""What a room hands to the store: its tables and views, said once, in a file ``_schema.py`` of its own.

The store knows no room. When it is opened first it looks into the packages beside it for that file and takes the
``ROOM`` that each holds; a new room is a new file. What belongs to a large room and stands apart in it has a file
``_schema_NAME.py`` beside that; neither imports anything of the room. Queries, exports, backups, the audit chain and
the checks go through what is declared here.
"""

from __future__ import annotations

import enum
import functools
import importlib.util
import sys
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection

#: (name, SQL type, what it holds). Text in JSON form is VARCHAR.
Column = tuple[str, str, str]
#: The type of a column that is nanoseconds since 1970 in SQLite and a time, in UTC, in the view.
TIME: Final = "TIMESTAMP WITH TIME ZONE"
_FILES: Final = "_schema*.py"


class Checking(Protocol):
    """One comparison of the records with the audit chain, as a table's own check sees it."""

    con: sqlite3.Connection
    covered: int

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return rows of the database, bytes where a text is none."""

    def said(self, table: str, key: str) -> tuple[int | None, str | None]:
        """Return the event that names a row, and the hash that it names."""

    def named(self, table: str) -> Mapping[str, tuple[int | None, str | None]]:
        """Return all that events say of the rows of a table, by their keys, as of one in :meth:`said`."""

    def seen(self, table: str) -> set[int]:
        """Return the hashes of rows that were compared before in this process, to be added to; none in a full check."""

    def since(self, table: str) -> int:
        """Return the number up to which the rows of a growing table were checked before; 0 for none."""

    def checked(self, table: str, last: int) -> None:
        """Note the number up to which the rows of a growing table are checked now."""

    def differs(self, event: int | None, problem: str) -> None:
        """Note what is not as the chain has it, with the event that says so where one does."""

    def damaged(self, event: int | None, problem: str) -> None:
        """Note what is not what was once written, whether or not an event says so."""


class Becomes(enum.Enum):
    """What a column of an erased row becomes where something was: nothing stays nothing."""

    #: words that say so
    ERASED = "[erased]"
    #: a word that is the same for the same value, and tells nothing of it
    WORD = "erased-"


#: Rows by table, each by the values of its key.
Keys = Mapping[str, Iterable[tuple[Any, ...]]]


class Erased(NamedTuple):
    """How somebody is erased from a table. A row goes when it is made of an erased trace, or shows something of it.

    Args:
        called: How reports count its rows, in the plural.
        left: What columns become; None: the row goes.
        traces: Columns with the id of the trace that a row is made of.
        texts: Columns in which somebody may be shown: by an id, or with a stretch of their texts.
        kin: Returns the rows that belong to erased rows of other tables, by their keys or by how these begin.
        spreads: The traces that its rows name hold the same words, and go along.
        names: Returns what rows are called. A row that only has a stretch of text in common is then no one's in
            particular: it is listed under this name and stays, unless it is asked for.
    """

    called: str
    left: Mapping[str, Becomes | str | int | None] | None = None
    traces: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    kin: Callable[[sqlite3.Connection, Keys], Iterable[tuple[Any, ...]]] | None = None
    spreads: bool = False
    names: Callable[[sqlite3.Connection, Iterable[tuple[Any, ...]]], list[str]] | None = None


class Outlives(NamedTuple):
    """What becomes of rows that stay when old traces are removed.

    Args:
        traces: SELECT of the ids of traces that are still needed.
        told: Is given, inside the transaction of the event that says what was removed, those that are not there.
    """

    traces: str
    told: Callable[[sqlite3.Connection, Collection[str]], None]


class Table(NamedTuple):
    """A table of records in SQLite.

    Args:
        name: Its name.
        key: The columns by which events of the audit chain name a row.
        moving: Columns that change while the row's ``status`` is "running": its hash is made without them.
        held_by: What holds its rows to what was written, where no event names them; None when events do.
        check: Derives from ``held_by`` what must be there, and adds what is wrong to the check.
        is_remade: What is in it can be had again: it is made anew where a store has another form of it.
        files: Columns that name files of the store, or folders of them (``store.bundles``), which a backup takes along.
            The first is searched when somebody is erased, and all go with an erased row.
        check_files: Returns what is wrong with these files, one sentence each, given the folder of the store.
        erased: How somebody is erased from it; None where nobody can be in it.
        outlives: What becomes of its rows when the traces that they need are removed; None where that is nothing.
    """

    name: str
    key: tuple[str, ...]
    moving: frozenset[str] = frozenset()
    held_by: str | None = None
    check: Callable[[Checking], None] | None = None
    is_remade: bool = False
    files: tuple[str, ...] = ()
    check_files: Callable[[sqlite3.Connection, Path], list[str]] | None = None
    erased: Erased | None = None
    outlives: Outlives | None = None


class View(NamedTuple):
    """A public view over tables of records.

    Args:
        name: Its name.
        columns: What it shows, in the order of ``sql``.
        sql: One SELECT of SQLite; columns of type ``TIME`` come as nanoseconds.
        behind: The tables that its rows are, or are found by: what is wrong with one is said with the answer.
        gone: What the ``status`` "running" becomes when the process is gone that works on the row. The last columns of
            ``sql``, which are not shown, then say who that is: pid, its start, host, heartbeat.
        grows_by: The column that numbers rows which never change and are never numbered anew: only those that came
            since are read again. It is the first column, and there is one table behind.
    """

    name: str
    columns: tuple[Column, ...]
    sql: str
    behind: tuple[str, ...]
    gone: str | None = None
    grows_by: str | None = None


class DerivedView(NamedTuple):
    """A public view over other views.

    Args:
        name: Its name.
        bases: The views over facts and over tables of records that it is made of.
        sql: One SELECT of DuckDB over them.
        says: What its columns are, where it is not what those of the bases are.
    """

    name: str
    bases: tuple[str, ...]
    sql: str
    says: Mapping[str, str] = {}


class PackedView(NamedTuple):
    """A view whose rows are in SQLite while they are few, and in files when there are many.

    Args:
        name: Its name.
        columns: What it shows; ``x_at`` of type ``TIME`` is ``x_ns`` in SQLite. The first time says where rows lie.
        key: The columns that tell its rows apart.
        sort: The order of its rows in a file.
        group_rows: So many rows of a file are read together.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    sort: tuple[str, ...]
    group_rows: int

    @property
    def time(self) -> str:
        """The column that says when, in nanoseconds."""
        return next(stored_name(column) for column in self.columns if column[1] == TIME)


class Packed(NamedTuple):
    """A table whose finished rows (``status`` ok) never change and move into files when there are many.

    Args:
        table: Its name; its columns are those of ``rows``, one for its parts under the name of that view, and ``seal``.
        rows: The view with a row for each of its rows.
        parts: The view with a row for each of the lists that the JSON of a row's parts holds.
        own: The columns of a part in the order of its list; the others are those of its row.
        owner: The column whose value names many rows together, as events of the audit chain do.
        old: SELECT of the owners that ended before a time (``?``) and that nothing rests on.
        owners: The table of the owners, and its column that counts their rows.
        part_left: What the columns of a part become when its row is erased, as in :class:`Erased`.
    """

    table: str
    rows: PackedView
    parts: PackedView
    own: tuple[str, ...]
    owner: str
    old: str
    owners: tuple[str, str]
    part_left: Mapping[str, Becomes | str | int | None]

    @property
    def views(self) -> dict[str, PackedView]:
        """Both views by name."""
        return {self.rows.name: self.rows, self.parts.name: self.parts}

    @property
    def stored(self) -> tuple[str, ...]:
        """The columns of the table without its checksum, the parts last."""
        return (*map(stored_name, self.rows.columns), self.parts.name)


class Room(NamedTuple):
    """All that one room keeps in the store.

    Args:
        tables: Its tables.
        views: Its views.
        packed: Its table whose rows move into files; there is one in the whole store.
        migrations: SQL that makes and changes its tables, by number: one count for the whole store, without gaps. Rooms
            that change together share a number.
        derived: Its views over other views.
    """

    tables: tuple[Table, ...] = ()
    views: tuple[View, ...] = ()
    packed: Packed | None = None
    migrations: Mapping[int, str] = {}
    derived: tuple[DerivedView, ...] = ()


class Schema(NamedTuple):
    """What all rooms declare, by name."""

    tables: dict[str, Table]
    views: dict[str, View]
    packed: Packed
    migrations: dict[int, str]
    derived: dict[str, DerivedView]

    @property
    def erased(self) -> dict[str, Erased]:
        """The tables that somebody can be erased from."""
        return {name: table.erased for name, table in self.tables.items() if table.erased is not None}

    @property
    def sealed(self) -> dict[str, Table]:
        """The tables whose rows are named by events, one by one."""
        return {name: table for name, table in self.tables.items() if table.held_by is None}


def rooms() -> dict[str, Room]:
    """Return what each package beside the store declares, by its name and that of a part of it."""
    beside = sorted(Path(__file__).parent.parent.glob(f"*/{_FILES}"))
    return {f"{path.parent.name}{path.stem.removeprefix('_schema')}": _module(path).ROOM for path in beside}


def _module(path: Path) -> Any:
    """Return the module of one file, and not its package: a store is opened without the rooms."""
    name = f"{__name__.partition('.')[0]}.{path.parent.name}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if name not in sys.modules and spec is not None and spec.loader is not None:
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@functools.cache
def schema() -> Schema:
    """Return what all rooms declare."""
    found = list(rooms().values())
    (packed,) = (room.packed for room in found if room.packed is not None)
    migrations: dict[int, str] = {}
    for room in found:
        for number, sql in room.migrations.items():
            migrations[number] = migrations.get(number, "") + sql
    return Schema(
        tables={table.name: table for room in found for table in room.tables},
        views={view.name: view for room in found for view in room.views},
        packed=packed,
        migrations=migrations,
        derived={view.name: view for room in found for view in room.derived},
    )


def stored_name(column: Column) -> str:
    """Return the name that a column of a view has in SQLite."""
    name, sql, _ = column
    return f"{name.removesuffix('_at')}_ns" if sql == TIME else name


def checks(tables: Iterable[Table]) -> list[Callable[[Checking], None]]:
    """Return the checks of some tables, each once."""
    return list(dict.fromkeys(table.check for table in tables if table.check is not None))


def checksum(values: Iterable[Any]) -> int:
    """Return the checksum of a row: of its values in the order of its columns."""
    return zlib.crc32(repr(tuple(values)).encode("utf-8", "surrogatepass"))


def compares(table: str, stored: tuple[str, ...], *, grows: bool) -> Callable[[Checking], None]:
    """Return the check that compares the rows of a table with the checksums in them.

    Args:
        table: Its name; it has a column ``checksum`` beside these.
        stored: Its columns, the checksum aside, the one that names a row first.
        grows: Whether that numbers rows which never change: those that were checked before are not checked again.
    """

    def check(check: Checking) -> None:
        last = check.since(table) if grows else -1
        query = f"select {', '.join(stored)}, checksum from {table} where {stored[0]} > {last} order by {stored[0]}"
        for *values, digest in map(tuple, check.con.execute(query)):
            last = values[0]
            if checksum(values) != digest:
                check.damaged(None, f"{table} [{last}] is not what was written")
        if grows:
            check.checked(table, last)

    return check


def of_same_key(table: str) -> Callable[[sqlite3.Connection, Keys], Iterable[tuple[Any, ...]]]:
    """Return what finds rows that go with erased rows of a table, as ``kin`` of :class:`Erased`: of the same key."""

    def found(_con: sqlite3.Connection, keys: Keys) -> Iterable[tuple[Any, ...]]:
        return [tuple(key) for key in keys.get(table, ())]

    return found
