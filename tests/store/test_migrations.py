"""Opening: new stores, newer ones, interrupted ones, folders that cannot be written, and disks of other machines."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
from pathlib import Path

import pytest

from lmops.errors import NewerStoreError, ReadOnlyError, StoreError
from lmops.store import Store
from lmops.store._filesystem import filesystem_type, is_network
from lmops.store._shape import make_tables, migrations, statements
from tests import newest
from tests.rights import unwritable

from .helpers import count, run, start, state, trace_of


def test_migrations_are_numbered_without_gaps() -> None:
    """1, 2, 3, ..., each of whole statements."""
    numbers = [number for number, _ in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))
    for _, script in migrations():
        assert all(sqlite3.complete_statement(statement) for statement in statements(script))


def test_a_new_store_is_what_the_migrations_make() -> None:
    """The script of a new store, and the migrations that came after it, make the same tables, indexes and rows."""
    with contextlib.closing(newest.migrated()) as migrated, contextlib.closing(sqlite3.connect(":memory:")) as made:
        version = make_tables(made)
        for number, script in migrations():
            if number > version:
                made.executescript(script)
        assert newest.content(made) == newest.content(migrated)
        assert version >= 20


def test_opening_at_once_makes_one_store(tmp_path: Path) -> None:
    """Six processes open a new store at the same time: one store, and every write is in it."""
    processes = [start("identify", tmp_path / ".lmops") for _ in range(6)]
    answers = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0] * 6, answers
    assert len({out for out, _ in answers}) == 1
    with Store.open(tmp_path / ".lmops") as store:
        assert count(store, "traces") == 6


def set_version(path: Path, version: int) -> None:
    """Write the schema version of a closed store."""
    with contextlib.closing(sqlite3.connect(path / "meta.sqlite")) as con:
        con.execute(f"pragma user_version={version}")


def test_a_newer_store_can_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It says so, answers, and refuses every write with the way out."""
    path = tmp_path / ".lmops"
    with Store.open(path) as store:
        store.append_many({"spans": trace_of("t")})
    set_version(path, 99)
    with caplog.at_level(logging.WARNING), Store.open(path) as store:
        assert "pip install -U lmops" in caplog.text
        assert store.is_read_only
        assert count(store) == 8
        for write in (lambda: store.append_many({"spans": trace_of("u")}), store.compact, lambda: store.retain(days=1)):
            with pytest.raises(NewerStoreError, match="pip install"):
                write()


def test_an_older_store_is_not_migrated_read_only(tmp_path: Path) -> None:
    """Reading must not write; the message says how to migrate."""
    Store.open(tmp_path / ".lmops").close()
    set_version(tmp_path / ".lmops", 0)
    with pytest.raises(StoreError, match="open it once"):
        Store.open(tmp_path / ".lmops", read_only=True)


def crashed(template: Path, action: str, step: int) -> list[tuple[Path, bool]]:
    """Return the copies of a store in which an action was killed after ever more steps, and whether it was."""
    lines = [line.rsplit(" ", 1) for line in run("crash", template, action, step).splitlines()]
    return [(Path(path), killed == "True") for path, killed in lines]


def test_an_interrupted_migration_leaves_the_old_state(tmp_path: Path) -> None:
    """Killed at any statement, the store is either not there yet or whole; opening again completes it."""
    copies = crashed(tmp_path / "none", "migrate", 2)
    assert sum(killed for _, killed in copies) > 5
    for path, _ in copies:
        with contextlib.closing(sqlite3.connect(path / "meta.sqlite")) as con:
            version = con.execute("pragma user_version").fetchone()[0]
            tables = con.execute("select count(*) from sqlite_master where type = 'table'").fetchone()[0]
        assert (version == 0) == (tables == 0)
        with Store.open(path) as store:
            assert count(store) == 0
            assert len(store.store_id) == 32


@pytest.mark.parametrize(("action", "step"), [("load", 9), ("drain", 9), ("compact", 25), ("retain", 15)])
def test_a_killed_step_leaves_the_old_or_the_new_state(tmp_path: Path, action: str, step: int) -> None:
    """Killed at any statement, the store shows what it showed before or what it shows after; leftovers are swept."""
    template = tmp_path / "store"
    with Store.open(template) as store:
        for day in range(4):
            store.load(trace_of(f"t{day}", start=1_790_000_000_000_000_000 + 2 * day * 86_400_000_000_000))
            store.load(trace_of("t0", spans=10)[8:])
        store.append_many({"spans": trace_of("tail")})
        before = state(store)
    copies = crashed(template, action, step)
    with Store.open(copies[-1][0]) as store:
        after = state(store)
    assert sum(killed for _, killed in copies) >= 3
    for path, _ in copies:
        with Store.open(path) as store:
            assert state(store) in (before, after)
            store.resume({})
            assert state(store) in (before, after)
            assert store.check().ok
            shown = state(store)
            store.compact(grace_s=0)
            assert state(store) == shown
            files = {str(file.relative_to(path)) for file in (path / "segments").rglob("*") if file.is_file()}
            assert files == {s.path for tbl in store._engine.manifest().segments.values() for s in tbl}
        shutil.rmtree(path)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Read-only it is read, even without a place for the log; otherwise the error says what to do."""
    path = tmp_path / ".lmops"
    with Store.open(path) as store:
        store.load(trace_of("t"))
    with unwritable(path):
        with Store.open(path, read_only=True) as store:
            assert count(store) == 8
            assert store.check().ok
        with pytest.raises((ReadOnlyError, StoreError), match=r"written|read-only|permission|open"):
            Store.open(path)


def test_on_a_network_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One warning, a rollback journal instead of a log, and two processes get on."""
    path = tmp_path / ".lmops"
    with caplog.at_level(logging.WARNING), Store.open(path, network=True) as store:
        store.append_many({"spans": trace_of("mine")})
        run("append", path, "other", "network")
        assert count(store, "traces") == 2
        assert store._meta.connection().execute("pragma journal_mode").fetchone()[0] == "delete"
        store.compact()
        assert store.check().ok
    assert len([record for record in caplog.records if "network file system" in record.message]) == 1
    assert not list(path.glob("*-wal"))


def test_network_disks_are_known_by_the_mount_table(tmp_path: Path) -> None:
    """The longest mount point that holds the path decides; spaces in it are escaped."""
    (tmp_path / "a b" / "c").mkdir(parents=True)
    escaped = str(tmp_path / "a b").replace(" ", "\\040")
    mounts = f"/dev/sda / ext4 rw 0 0\nserver:/x {escaped} nfs4 rw 0 0\n"
    assert filesystem_type(tmp_path / "a b" / "c", mounts) == "nfs4"
    assert filesystem_type(tmp_path, mounts) == "ext4"
    assert is_network("nfs4")
    assert not is_network("ext4")


@pytest.mark.parametrize("statement", ["drop table verdicts", "alter table prices rename column provider to vendor"])
@pytest.mark.parametrize("read_only", [True, False])
def test_a_newer_store_without_what_this_one_reads_is_refused(
    tmp_path: Path, statement: str, *, read_only: bool
) -> None:
    """In words that name what is not there and the way out; nothing is changed."""
    path = tmp_path / ".lmops"
    Store.open(path).close()
    set_version(path, 99)
    with contextlib.closing(sqlite3.connect(path / "meta.sqlite")) as con:
        con.execute(statement)
    with pytest.raises(NewerStoreError, match=r"schema 99 and no (table verdicts|column provider).*pip install -U"):
        Store.open(path, read_only=read_only)
