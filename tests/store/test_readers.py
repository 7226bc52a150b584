"""A reader gets all of one state or an error: from a folder it cannot write, and while others replace its files."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import sqlite3
import time
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

import lmops
from lmops.cli import main
from lmops.errors import ReadOnlyError, StoreError
from lmops.store import Bounds, DamagedSegmentWarning, Store
from lmops.store._at_rest import _ATTEMPTS, AtRest
from lmops.store._engine import StaleSnapshotError
from lmops.store._filesystem import META
from tests.rights import somebody_else, unwritable

from .helpers import count, start, trace_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def _parts(store: Store) -> None:
    for number in range(10):
        store.load(trace_of(f"t{number}"))


def test_a_snapshot_whose_files_were_merged_is_no_damage(store: Store) -> None:
    """It is told apart from a file that is lost, and without a warning."""
    _parts(store)
    engine = store._engine
    old = engine.snapshot()
    assert store.compact(grace_s=0)
    store.compact(grace_s=0)
    with pytest.raises(StaleSnapshotError, match="ask again"):
        engine.run(old, "select count(*) from spans", None, {"spans": Bounds(None, None)})
    assert count(store) == 80


def test_a_reader_that_was_stopped_while_others_merged(store: Store) -> None:
    """It answers from the present state: all rows, and no word of damage."""
    _parts(store)
    readers = []
    for number in range(3):
        readers.append(reader := start("read_slowly", store.path))
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        time.sleep(0.05 + 0.1 * number)
        reader.send_signal(signal.SIGSTOP)
    store.compact(grace_s=0)
    store.compact(grace_s=0)
    assert len(list(store.path.glob("segments/spans/*/*.parquet"))) == 1
    for reader in readers:
        reader.send_signal(signal.SIGCONT)
        with reader:
            assert reader.stdout is not None
            assert reader.stderr is not None
            # Not communicate(), which passes over what came together with the first line.
            assert (reader.stdout.read(), reader.stderr.read(), reader.wait(60)) == ("80\n", "", 0)


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Path]:
    """The files of a store that somebody was killed over: a part of it stands in the log alone."""
    with Store.open(tmp_path / "first") as store:
        store.load(trace_of("a"))
        store._meta.connection().execute("pragma wal_checkpoint(truncate)")
        store.append_many({"spans": trace_of("b")})
        shutil.copytree(store.path, tmp_path / "copy")
    (tmp_path / "copy" / f"{META}-shm").unlink()
    with unwritable(tmp_path / "copy"):
        yield tmp_path / "copy"


def test_a_log_without_its_index_is_read_whole(written: Path) -> None:
    """In a folder that cannot be written as well: the facts in the log are there."""
    with Store.open(written, read_only=True) as store:
        assert count(store) == 16
        assert store.check().ok
    assert not (written / f"{META}-shm").exists()


def test_opening_to_write_says_how_to_read(written: Path) -> None:
    """The error names read_only=True."""
    with pytest.raises(ReadOnlyError, match="read_only=True"):
        Store.open(written)


def test_what_somebody_else_writes_is_seen(tmp_path: Path, written: Path) -> None:
    """The copy is not older than the files."""
    with Store.open(written, read_only=True) as store:
        assert count(store) == 16
        os.seteuid(os.getuid())
        with Store.open(tmp_path / "first") as first:
            first.append_many({"spans": trace_of("c")})
        (written / META).chmod(0o644)
        (written / f"{META}-wal").unlink()
        shutil.copyfile(tmp_path / "first" / META, written / META)
        assert count(store) == 24


def test_files_that_never_rest_are_refused(tmp_path: Path) -> None:
    """No mixture of two states is read."""
    path = tmp_path / META
    with sqlite3.connect(path) as con:
        con.execute("create table t (a)")
    con.close()
    log = tmp_path / f"{META}-wal"
    log.write_bytes(b"x")
    asked = itertools.count()

    class Moving(AtRest):
        def state(self) -> tuple[tuple[int, int, int] | None, ...]:
            log.write_bytes(log.read_bytes() + b"x")
            if next(asked) > _ATTEMPTS:  # waited for once; from then on only its size says that it moves
                os.utime(log, (0, 0))
            return super().state()

    with pytest.raises(StoreError, match="writes it all the time"):
        Moving(path, sqlite3.connect).open()


def test_a_hot_journal_is_rolled_back_in_the_copy(tmp_path: Path) -> None:
    """Half of a transaction in the database is not read."""
    path = tmp_path / META
    con = sqlite3.connect(path, isolation_level=None)
    con.execute("create table t (a)")
    con.executemany("insert into t values (?)", [("x" * 500,)] * 2000)
    con.execute("pragma cache_size=1")
    con.execute("begin")
    con.execute("update t set a = 'torn'")
    copy = tmp_path / "copy"
    copy.mkdir()
    for part in (META, f"{META}-journal"):
        shutil.copyfile(tmp_path / part, copy / part)
    con.execute("rollback")
    con.close()
    at_rest = AtRest(copy / META, lambda uri: sqlite3.connect(uri, uri=True))
    with contextlib.closing(at_rest.open().con) as found:
        assert found.execute("select count(*) from t where a = 'torn'").fetchone()[0] == 0


def test_a_store_that_is_closed_to_this_user(tmp_path: Path) -> None:
    """The error is ours and says whose leave is missing; no new store takes its place."""
    with Store.open(tmp_path / "first" / ".lmops") as store:
        store.load(trace_of("a"))
    with unwritable(tmp_path / "first"):
        pass
    (tmp_path / "first" / ".lmops").chmod(0)
    try:
        with somebody_else(tmp_path / "first" / ".lmops"):
            _refused(tmp_path)
    finally:
        (tmp_path / "first" / ".lmops").chmod(0o700)


def _refused(folder: Path) -> None:
    for read_only in (True, False):
        with pytest.raises(StoreError, match="closed to this user"):
            Store.open(folder / "first" / ".lmops", read_only=read_only)


#: What may be wrong with a store.
HARM: dict[str, Callable[[Path], object]] = {
    "nothing": lambda _: None,
    "a segment": lambda path: next(path.glob("segments/spans/*/*.parquet")).write_bytes(b"x"),
    "no segment": lambda path: next(path.glob("segments/spans/*/*.parquet")).unlink(),
    "a stray": lambda path: (path / "segments/spans/stray.parquet").write_bytes(b"x"),
    "the inbox": lambda path: edit(path, "update inbox set rows = rows + 1"),
    "the manifest": lambda path: edit(path, "update segments set rows = 9 where tbl = 'spans'"),
    "a record": lambda path: edit(path, "update prices set actor = 'eve'"),
    "the spill": lambda path: next(path.glob("spill/*/spans-*")).write_bytes(b"x"),
    "no journal": lambda path: (path / "segments.log").unlink(),
    "a change": lambda path: edit(
        path,
        "insert into pending_changes (kind, subject, arguments, progress, actor, started_ns) "
        "values ('other', 's', '{}', '{}', 'ann', 1)",
    ),
}


def edit(path: Path, statement: str) -> None:
    """Change the database of a store behind its back."""
    with contextlib.closing(sqlite3.connect(path / META)) as con, con:
        con.execute(statement)


@pytest.mark.parametrize("what", HARM)
def test_a_check_says_the_same_where_nothing_can_be_written(tmp_path: Path, what: str) -> None:
    """As a command in a folder that cannot be written: the report and the exit code of the same store elsewhere."""
    path = tmp_path / "first"
    with lmops.open(path) as ws:
        ws.models.set_price("m", input_usd_per_mtok=1, output_usd_per_mtok=1)
        ws.store.load(trace_of("a"))
        ws.store.append_many({"spans": trace_of("b")})
        if what == "the spill":
            ws.store.spill({"spans": trace_of("c")})
    HARM[what](path)
    shutil.copytree(path, tmp_path / "copy")
    command = ["store", "check", "--store"]
    here = CliRunner().invoke(main, [*command, str(path)])
    with unwritable(tmp_path / "copy"):
        there = CliRunner().invoke(main, [*command, str(tmp_path / "copy")])
    assert (there.output, there.exit_code) == (here.output, here.exit_code)
    assert (here.exit_code == 0) == (what in ("nothing", "a stray", "no journal"))


def test_what_a_dead_process_left_on_the_disk_is_missed(tmp_path: Path) -> None:
    """A store that is only read cannot store it: it says so on each answer, until somebody does."""
    with Store.open(tmp_path / "first") as store:
        store.load(trace_of("a"))
        store.spill({"spans": trace_of("b")})
    reader = Store.open(tmp_path / "first", read_only=True)
    with pytest.warns(DamagedSegmentWarning, match="holds 8 rows of a process that is gone"):
        assert count(reader) == 8
    assert not reader.check().ok
    with Store.open(tmp_path / "first"):
        assert count(reader) == 16
    assert reader.check().ok
    reader.close()
