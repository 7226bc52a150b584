"""A database that is not the one of the segments is refused, and what no database lists is set aside, not removed."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from typing import TYPE_CHECKING

import pytest

from lmops.errors import DamagedStoreError, StoreError
from lmops.store import Store
from lmops.store._identity import segment_files, stamp_of
from lmops.store._journal import JOURNAL, head, read

from .helpers import DAY, START, count, llm, state, trace_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def lose(path: Path) -> None:
    """Remove the database."""
    (path / "meta.sqlite").unlink()


def empty(path: Path) -> None:
    """Leave nothing of the database."""
    (path / "meta.sqlite").write_bytes(b"")


def blank(path: Path) -> None:
    """Put a database without tables in its place."""
    lose(path)
    with contextlib.closing(sqlite3.connect(path / "meta.sqlite")) as con:
        con.execute("pragma journal_mode=wal")


def swap(path: Path) -> None:
    """Put another store's database in its place."""
    with Store.open(path.parent / "other") as other:
        other.load(trace_of("other"))
    shutil.copy(path.parent / "other" / "meta.sqlite", path / "meta.sqlite")


def turn_back(path: Path) -> None:
    """Put the database of one change ago in its place."""
    shutil.copy(path / "meta.sqlite", path.parent / "old")
    with Store.open(path) as store:
        store.load(trace_of("newest", start=START + 9 * DAY))
    shutil.copy(path.parent / "old", path / "meta.sqlite")


def turn_back_far(path: Path) -> None:
    """The same several changes ago, and without a journal."""
    turn_back(path)
    with contextlib.closing(sqlite3.connect(path / "meta.sqlite")) as con:
        con.execute("update counters set value = value - 2 where name = 'manifest'")
        con.execute("delete from segments where generation > 1")
        con.commit()
    (path / JOURNAL).unlink()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed store of three days."""
    with Store.open(tmp_path / ".lmops") as store:
        for day in range(3):
            store.load(trace_of(f"t{day}", start=START + day * DAY))
    return tmp_path / ".lmops"


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("harm", [lose, empty, blank, swap, turn_back, turn_back_far])
def test_a_database_that_is_not_this_stores_is_refused(
    path: Path, harm: Callable[[Path], None], *, read_only: bool
) -> None:
    """The error says what was found and what helps; nothing is changed."""
    harm(path)
    before = sorted(segment_files(path))
    with pytest.raises(DamagedStoreError, match="lmops store rescue --store"):
        Store.open(path, read_only=read_only)
    assert sorted(segment_files(path)) == before


def test_a_store_without_database_is_found_all_the_same(path: Path) -> None:
    """Whatever the folder is called: no empty store is made inside it."""
    lose(path)
    for folder in (path.rename(path.parent / "data"), path.parent):
        if folder == path.parent:
            (folder / "data").rename(path)
        with pytest.raises(DamagedStoreError, match=r"meta\.sqlite is missing"):
            Store.open(folder)


def test_what_a_killed_writer_left_does_not_matter(path: Path) -> None:
    """A file of the next generation that nobody lists is no reason to refuse; it is set aside, and check says so."""
    with Store.open(path) as store:
        stray = store._publisher.write_file("logs", _logs())
    with Store.open(path) as store:
        assert count(store) == 24
        store.compact(grace_s=0)
        assert not (path / stray.path).exists()
        assert (path / "quarantine" / stray.path).stat().st_size == stray.bytes
        report = store.check()
    assert report.ok
    assert stray.path in str(report.notes)


def test_files_say_whose_they_are_and_when(path: Path) -> None:
    """Footers carry the store's id and the generation; the journal says the same, line by line."""
    with Store.open(path) as store:
        listed = [one for files in store._engine.manifest().segments.values() for one in files]
        assert {stamp_of(path / one.path) for one in listed} == {(store.store_id, n) for n in (1, 2, 3)}
        assert all(stamp_of(path / one.path) == (store.store_id, one.generation) for one in listed)
        assert head(path) == (store.store_id, 3)
    told = read(path)
    assert told is not None
    assert told.is_whole
    assert told.files.keys() == {one.path for one in listed}


@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_a_damaged_journal_does_no_harm(path: Path, harm: str) -> None:
    """It only helps: a line that is not whole is passed over; after a missing end everything is written down again."""
    journal = path / JOURNAL
    content = bytearray(journal.read_bytes())
    if harm == "flip":
        content[len(content) // 2] ^= 1
    elif harm == "cut":
        content = content[:-40]
    journal.write_bytes(content)
    if harm == "remove":
        journal.unlink()
    with Store.open(path) as store:
        assert count(store) == 24
        store.load(trace_of("more"))
        store.load(trace_of("and more"))
        assert store.check().ok
    told = read(path)
    assert told is not None
    assert told.is_whole == (harm != "flip")
    assert told.files.keys() <= set(segment_files(path))
    assert len(told.files) == (8 if harm == "flip" else 10)


def test_only_what_was_replaced_is_removed(path: Path) -> None:
    """A file that the manifest lists is not removed, even when a damaged record says that it was replaced."""
    with contextlib.closing(sqlite3.connect(path / "meta.sqlite")) as con:
        con.execute("insert into retired select path, 0 from segments")
        con.commit()
    with Store.open(path) as store:
        store.compact(grace_s=0)
        assert count(store) == 24


def _logs():
    from lmops.store._segments import to_arrow

    return to_arrow("logs", [], rev=1)


def test_a_log_that_lost_its_end_is_completed_from_the_journal(path: Path, tmp_path: Path) -> None:
    """As after a power cut: the files of a load are listed again, and what it replaced is replaced."""
    copy = tmp_path / "copy"
    with Store.open(path) as store:
        store.load(trace_of("before"))
        kept = (path / "meta.sqlite-wal").stat().st_size
        store.load([*trace_of("after"), llm("t0", "late", "root")])
        expected = state(store)
        shutil.copytree(path, copy)
    with (copy / "meta.sqlite-wal").open("r+b") as log:
        log.truncate(kept)
    with pytest.raises(DamagedStoreError, match="older"):
        Store.open(copy, read_only=True)
    with Store.open(copy) as store:
        assert state(store) == expected
        assert store.check().ok
        assert store.sql("select action from audit").fetchall() == [("store.relist",)]
        store.load(trace_of("more"))
        assert count(store) == len(expected["spans"]) + 8


@pytest.mark.parametrize("gone", ["journal", "file"])
def test_what_the_journal_does_not_explain_is_refused(path: Path, tmp_path: Path, gone: str) -> None:
    """Nothing is listed when the journal has a gap, or when a file that it names is not there."""
    copy = tmp_path / "copy"
    with Store.open(path) as store:
        store.load(trace_of("before"))
        kept = (path / "meta.sqlite-wal").stat().st_size
        store.load(trace_of("after"))
        newest = max(store._engine.manifest().segments["spans"], key=lambda one: one.segment_id)
        shutil.copytree(path, copy)
    with (copy / "meta.sqlite-wal").open("r+b") as log:
        log.truncate(kept)
    if gone == "file":
        (copy / newest.path).unlink()
    else:
        content = (copy / JOURNAL).read_bytes()
        (copy / JOURNAL).write_bytes(content[:100] + b"x" + content[101:])
    with pytest.raises(DamagedStoreError, match="rescue"):
        Store.open(copy)


@pytest.mark.parametrize(
    "name", ["acknowledged", "segments.log", "segments/spans/2026-01-01/x.parquet", "spill/one/spans-1.json"]
)
def test_a_pipe_in_a_store_is_not_waited_for(tmp_path: Path, name: str) -> None:
    """Whoever hands over a store with one must not hold up who opens it: it is refused, or named by a check."""
    path = tmp_path / "store"
    with Store.open(path) as store:
        store.load(trace_of("t"))
    (path / name).unlink(missing_ok=True)
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    (path / name).with_name("lock").touch()
    os.mkfifo(path / name)
    if "/" not in name:
        with pytest.raises(StoreError, match="is no file"):
            Store.open(path)
    else:
        with Store.open(path) as store:
            report = store.check()
            assert any(name in words for words in (*report.problems, *report.notes))
