"""What the tables of a new store are, in one script, made of the migrations.

``python -m tests.newest`` writes it after a migration was added; until then a new store runs that one by itself.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from lmops.store import _shape

PATH = Path(_shape.__file__).with_name("newest.sql")

_MADE = "select sql from sqlite_master where sql is not null and name not like 'sqlite_%' order by rowid"


def migrated() -> sqlite3.Connection:
    """Return a database that all migrations have made."""
    con = sqlite3.connect(":memory:")
    for number, script in _shape.migrations():
        con.executescript(script)
        con.execute(f"pragma user_version={number}")
    return con


def content(con: sqlite3.Connection) -> tuple[list[tuple[str, ...]], list[tuple[str, tuple[object, ...]]]]:
    """Return what makes the tables, indexes and triggers of a database, and its rows."""
    entries = sorted((tuple(row) for row in con.execute("select type, name, sql from sqlite_master")), key=str)
    tables = [name for kind, name, _ in entries if kind == "table"]
    return entries, [(table, tuple(row)) for table in tables for row in con.execute(f"select * from {table}")]


def written() -> str:
    """Return the script that makes the same at once."""
    with contextlib.closing(migrated()) as con:
        version = con.execute("pragma user_version").fetchone()[0]
        made = [f"{sql};" for (sql,) in con.execute(_MADE)]
        _, rows = content(con)
    values = [f"insert into {table} values ({', '.join(_literal(value) for value in row)});" for table, row in rows]
    head = f"-- What the migrations up to {version} make, at once. python -m tests.newest writes it."
    return "\n".join([head, *made, *values, f"pragma user_version={version};"]) + "\n"


def _literal(value: object) -> str:
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


if __name__ == "__main__":
    PATH.write_text(written(), encoding="utf-8")
