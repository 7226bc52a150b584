"""Stores of earlier schemas: all that is in them is there after opening, or they are refused in words and left alone.

``fixtures/`` holds a small store of every state of the schema, written by the code of its time: number 1, the states
that bore number 5 one after the other before the first release, and 9, the last without shared tables of aliases. Each
has three traces.
"""

from __future__ import annotations

import contextlib
import sqlite3
import zipfile
from pathlib import Path

import pytest

import lmops
from lmops.errors import RefusedError, StoreError
from lmops.store import view_names
from lmops.store._shape import migrations, shape_of

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("*.zip"))


def unpacked(fixture, folder):
    with zipfile.ZipFile(fixture) as packed:
        packed.extractall(folder)
    return folder


def database(folder):
    return contextlib.closing(sqlite3.connect(folder / "meta.sqlite", isolation_level=None))


def use(ws):
    """Do a little of everything that is written to the database."""
    assert ws.sql("select count(*) from spans").fetchall() == [(3,)]
    assert ws.audit.verify().ok
    assert ws.store.check().ok
    ws.prompts.save("new", "{{ x }}")
    ws.prompts.promote("new", 1, to="production", reason="r")
    assert ws.prompts.sync(ws.store.path.parent / "prompts").ok
    ws.datasets.save("new", [{"input": "a", "expected": "a"}])
    assert ws.evals.run(lambda q: q, "new", ["exact_match"], progress=False).status == "finished"
    ws.models.complete("standin:ferry-1", "hi", cache=True)
    for name in view_names():
        ws.sql(f"select count(*) from {name}").fetchall()


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.stem)
def test_a_store_of_every_state_is_migrated(fixture, tmp_path):
    """Nothing in it is lost, everything works, and it is then like a new one."""
    folder = unpacked(fixture, tmp_path / ".lmops")
    with lmops.open(folder) as ws:
        use(ws)
    with lmops.open(tmp_path / "new") as new, new.store.reading() as con:
        wanted = shape_of(con)
    with database(folder) as con:
        found = shape_of(con)
        assert con.execute("pragma user_version").fetchone()[0] == migrations()[-1][0]
    assert found.columns.keys() == wanted.columns.keys()
    assert found.statements.keys() == wanted.statements.keys()
    assert {t: set(c) for t, c in found.columns.items()} == {t: set(c) for t, c in wanted.columns.items()}


def test_what_was_saved_is_kept(tmp_path):
    """Records of the last state before the first release are read as they were written."""
    with lmops.open(unpacked(FIXTURES[-1], tmp_path / ".lmops")) as ws:
        assert ws.prompts.get("p").template == "old {{ x }}"
        assert ws.sql("select count(*) from examples where dataset = 'd' and expected like '%b%'").fetchall() == [(1,)]
        assert ws.evals.list()["name"].tolist() == ["old"]
        assert ws.sql("select count(*) from audit where subject = 'old'").fetchall() == [(1,)]


def test_aliases_of_prompts_are_kept_as_they_were(tmp_path):
    """Where they point, the way back, the protection: rows, events and hashes are those of the old store."""
    with lmops.open(unpacked(FIXTURES[-1], tmp_path / ".lmops")) as ws:
        assert ws.prompts.aliases("q") == {"production": 1, "staging": 3}
        assert ws.prompts.history("q")["action"].tolist() == ["promote", "promote", "rollback", "promote"]
        with pytest.raises(RefusedError, match="is protected"):
            ws.prompts.promote("q", 3, to="production")
        assert (ws.prompts.verify(), ws.datasets.verify(), ws.audit.verify().ok) == ((), (), True)
        assert ws.datasets.promote("e", 2, to="golden").to_version == 2
        assert [ws.datasets.get(f"e{which}").version for which in ("", "@golden")] == [1, 2]


def test_a_migration_that_is_interrupted_leaves_the_old_state(tmp_path):
    """All of it is one transaction: number, tables and rows are those of before, and the next opening migrates."""
    folder = unpacked(FIXTURES[-1], tmp_path / ".lmops")
    with database(folder) as con:
        # Where the migration would make this index, there is something in the way.
        con.execute("create view alias_moves_alias as select 1")
        before = list(con.iterdump())
    with pytest.raises(StoreError):
        lmops.open(folder)
    with database(folder) as con:
        assert (list(con.iterdump()), con.execute("pragma user_version").fetchone()) == (before, (9,))
        con.execute("drop view alias_moves_alias")
    with lmops.open(folder) as ws:
        use(ws)


@pytest.mark.parametrize("version", range(2, max(number for number, _ in migrations())))
def test_a_store_of_every_number_is_migrated(version, tmp_path):
    """A store that was migrated no further than to some number is migrated from there."""
    folder = unpacked(FIXTURES[0], tmp_path / ".lmops")
    with database(folder) as con:
        for number, script in migrations():
            if 1 < number <= version:
                con.executescript(script)
        con.execute(f"pragma user_version={version}")
    with lmops.open(folder) as ws:
        use(ws)


REFUSED = {
    "another program's": ("drop table runbook_runs", 3, "no table runbook_runs"),
    "another program's, without a number": (None, 0, "not the database of a store"),
    "a number below all": ("", -1, "not the database of a store"),
    "a column that its rows need": ("alter table prices drop column actor", 1, "lacks the column actor"),
    "a column that new rows would need": (
        "drop table prices; create table prices (price_id integer primary key, x text not null)",
        1,
        "price",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_number_that_stands_for_something_else_is_refused(name, tmp_path):
    """The message says what was found and what helps; the database stays as it is."""
    script, version, words = REFUSED[name]
    folder = unpacked(FIXTURES[0], tmp_path / ".lmops")
    if script is None:
        for file in (*folder.glob("segments/*/*/*"), folder / "meta.sqlite"):
            file.unlink()
        script = "create table t (a); insert into t values (1)"
    with database(folder) as con:
        con.executescript(script)
        con.execute(f"pragma user_version={version}")
        before = list(con.iterdump())
    with pytest.raises(StoreError, match=words):
        lmops.open(folder)
    with database(folder) as con:
        assert list(con.iterdump()) == before
