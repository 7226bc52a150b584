"""What rooms declare of their tables and views is true, and the store knows it by itself."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lmops.store._shape import migrations
from lmops.store.schema import TIME, rooms, schema

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def con() -> Iterator[sqlite3.Connection]:
    """A database that the migrations made."""
    made = sqlite3.connect(":memory:")
    for _, script in migrations():
        made.executescript(script)
    yield made
    made.close()


def test_a_room_is_found_by_its_file() -> None:
    """No list of rooms has to be kept."""
    assert list(rooms()) == [
        "datasets",
        "evals",
        "feedback",
        "feedback_signals",
        "guardrails",
        "guardrails_cards",
        "incidents",
        "judges",
        "models",
        "monitors",
        "monitors_anchors",
        "monitors_sinks",
        "prompts",
        "records",
        "retrieval",
        "retrieval_indexes",
        "routing",
        "runbooks",
        "store",
        "tools",
        "tools_policies",
        "traces",
    ]


def test_a_store_opens_without_its_rooms(tmp_path: Path) -> None:
    """What a room declares needs nothing of the room, in whatever order they are loaded."""
    code = "import sys; from lmops.store import Store; Store.open(sys.argv[1]).close(); print(*sys.modules)"
    command = [sys.executable, "-c", code, str(tmp_path / ".lmops")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {"lmops.monitors", "lmops.feedback", "lmops.judges"} & {*done.stdout.split()} == set()


def test_nothing_is_declared_twice() -> None:
    """A table, a view and a migration belong to one room; migrations are counted without gaps."""
    found = rooms().values()
    for names in ([table.name for room in found for table in room.tables], [v.name for r in found for v in r.views]):
        assert len(names) == len(set(names))
    assert [number for number, _ in migrations()] == list(range(1, len(migrations()) + 1))


@pytest.mark.parametrize("name", schema().views)
def test_a_view_shows_the_columns_that_it_declares(con: sqlite3.Connection, name: str) -> None:
    """Its SQL gives one value for each, and its tables are declared ones; each column says what it holds."""
    view = schema().views[name]
    shown = len(con.execute(view.sql).description) - (4 if view.gone else 0)
    assert shown == len(view.columns)
    assert all(what for _, _, what in view.columns)
    assert set(view.behind) <= set(schema().tables)
    assert all(name.endswith("_at") or name == "at" for name, sql, _ in view.columns if sql == TIME)


@pytest.mark.parametrize("name", schema().tables)
def test_a_table_has_the_columns_that_it_names(con: sqlite3.Connection, name: str) -> None:
    """Its key, what moves, and what names files."""
    table = schema().tables[name]
    columns = {row[1] for row in con.execute(f"pragma table_info({name})")}
    assert {*table.key, *table.moving, *table.files} <= columns


def test_the_store_names_no_room_where_it_opens_reads_and_seals() -> None:
    """Opening, migrating, querying, sealing, exporting and planning go through what is declared."""
    from importlib import resources

    names = [name for room, one in rooms().items() if room != "store" for name in (*schema_names(one),)]
    word = re.compile(rf"\b({'|'.join(names)})\b")
    modules = (
        "_arrow", "_backup", "_chain", "_check", "_engine", "_export", "_hashes", "_meta", "_planner", "_records",
        "_rescue", "_results", "_salvage", "_seals", "_segments", "_shape", "_tables", "_views", "schema",
    )  # fmt: skip  # many words: packed, they are read at a glance
    texts = {module: resources.files("lmops.store").joinpath(f"{module}.py").read_text() for module in modules}
    assert {module: word.findall(text) for module, text in texts.items() if word.findall(text)} == {}


def test_a_packed_row_is_said_once(con: sqlite3.Connection) -> None:
    """The table has the columns of its view, its parts and its checksum; a part is its own columns and its row's."""
    packed = schema().packed
    columns = {row[1] for row in con.execute(f"pragma table_info({packed.table})")}
    assert columns == {*packed.stored, "seal"}
    rest = {name for name, _, _ in packed.parts.columns} - set(packed.own)
    assert rest <= {name for name, _, _ in packed.rows.columns}
    assert set(packed.rows.key) <= rest
    con.execute(packed.old, (0,))


def schema_names(room: object) -> list[str]:
    """Return the names of the tables of a room."""
    return [table.name for table in room.tables if "_" in table.name]  # type: ignore[attr-defined]
