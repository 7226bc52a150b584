"""What a room hands to the store: its tables and views, said once, in a file ``_schema.py`` of its own.

The store knows no room. When it is opened first it looks into the packages beside it for that file and takes the
``ROOM`` that each holds; a new room is a new file. Queries, exports, backups, the audit chain and the checks go through
what is declared here.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping

#: (name, SQL type, what it holds). Text in JSON form is VARCHAR.
Column = tuple[str, str, str]
#: The type of a column that is nanoseconds since 1970 in SQLite and a time, in UTC, in the view.
TIME: Final = "TIMESTAMP WITH TIME ZONE"
_FILE: Final = "_schema.py"


class Checking(Protocol):
    """One comparison of the records with the audit chain, as a table's own check sees it."""

    con: sqlite3.Connection
    covered: int

    def said(self, table: str, key: str) -> tuple[int | None, str | None]:
        """Return the event that names a row, and the hash that it names."""

    def differs(self, event: int | None, problem: str) -> None:
        """Note what is not as the chain has it, with the event that says so where one does."""

    def damaged(self, event: int | None, problem: str) -> None:
        """Note what is not what was once written, whether or not an event says so."""


class Table(NamedTuple):
    """A table of records in SQLite.

    Args:
        name: Its name.
        key: The columns by which events of the audit chain name a row.
        moving: Columns that change while the row's ``status`` is "running": its hash is made without them.
        held_by: What holds its rows to what was written, where no event names them; None when events do.
        check: Derives from ``held_by`` what must be there, and adds what is wrong to the check.
        is_remade: What is in it can be had again: it is made anew where a store has another form of it.
        files: Columns that name files of the store, which a backup takes along.
    """

    name: str
    key: tuple[str, ...]
    moving: frozenset[str] = frozenset()
    held_by: str | None = None
    check: Callable[[Checking], None] | None = None
    is_remade: bool = False
    files: tuple[str, ...] = ()


class View(NamedTuple):
    """A public view over tables of records.

    Args:
        name: Its name.
        columns: What it shows, in the order of ``sql``.
        sql: One SELECT of SQLite; columns of type ``TIME`` come as nanoseconds.
        behind: The tables that its rows are, or are found by: what is wrong with one is said with the answer.
        gone: What the ``status`` "running" becomes when the process is gone that works on the row. The last columns of
            ``sql``, which are not shown, then say who that is: pid, its start, host, heartbeat.
    """

    name: str
    columns: tuple[Column, ...]
    sql: str
    behind: tuple[str, ...]
    gone: str | None = None


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
    """

    table: str
    rows: PackedView
    parts: PackedView
    own: tuple[str, ...]
    owner: str
    old: str

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
        migrations: SQL that makes and changes its tables, by number: one count for the whole store, without gaps.
    """

    tables: tuple[Table, ...] = ()
    views: tuple[View, ...] = ()
    packed: Packed | None = None
    migrations: Mapping[int, str] = {}


class Schema(NamedTuple):
    """What all rooms declare, by name."""

    tables: dict[str, Table]
    views: dict[str, View]
    packed: Packed
    migrations: dict[int, str]

    @property
    def sealed(self) -> dict[str, Table]:
        """The tables whose rows are named by events, one by one."""
        return {name: table for name, table in self.tables.items() if table.held_by is None}


def rooms() -> dict[str, Room]:
    """Return what each package beside the store declares, by its name."""
    beside = Path(__file__).parent.parent
    return {path.parent.name: _module(path).ROOM for path in sorted(beside.glob(f"*/{_FILE}"))}


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
    return Schema(
        tables={table.name: table for room in found for table in room.tables},
        views={view.name: view for room in found for view in room.views},
        packed=packed,
        migrations={number: sql for room in found for number, sql in room.migrations.items()},
    )


def stored_name(column: Column) -> str:
    """Return the name that a column of a view has in SQLite."""
    name, sql, _ = column
    return f"{name.removesuffix('_at')}_ns" if sql == TIME else name


def checks(tables: Iterable[Table]) -> list[Callable[[Checking], None]]:
    """Return the checks of some tables, each once."""
    return list(dict.fromkeys(table.check for table in tables if table.check is not None))
