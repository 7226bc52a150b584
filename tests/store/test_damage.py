"""Damage is named, what is whole stays readable, and what is lost can be put back; a full disk loses nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from lmops.errors import DamagedStoreError, NotFoundError
from lmops.store import DamagedSegmentWarning, Store

from .helpers import DAY, START, count, run, span, state, trace_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def cut(path: Path) -> None:
    """Take the end of a file."""
    path.write_bytes(path.read_bytes()[:-200])


def flip(path: Path) -> None:
    """Change one byte in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


HARMS = [lambda path: path.unlink(), cut, lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"x" * 50)]


@pytest.fixture
def two_days(tmp_path: Path) -> tuple[Path, Path]:
    """A closed store of two days and the file with the spans of the first."""
    path = tmp_path / ".lmops"
    with Store.open(path) as store:
        store.load(trace_of("old"))
        store.load(trace_of("new", start=START + DAY))
        damaged = store._engine.manifest().segments["spans"][-1]
    return path, path / damaged.path


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_segment_is_named_and_the_rest_is_read(
    two_days: tuple[Path, Path], harm: Callable[[Path], None]
) -> None:
    """Every answer that lacks its rows says so; check() counts them; repair and a new ingest bring them back."""
    path, file = two_days
    harm(file)
    with Store.open(path) as store:
        for _ in range(2):
            with pytest.warns(DamagedSegmentWarning, match=f"{file.name}.*8 rows of spans"):
                assert store.sql("select count(distinct trace_id), count(input) from spans").fetchall()[0][0] == 1
        assert count(store, "traces") == 2
        report = store.check(repair=True)
        assert not report.ok
        assert report.lost_rows == {"spans": 8}
        assert file.name in repr(report)
        store.load(trace_of("old"))
        assert (count(store), count(store, "traces")) == (16, 2)
        assert store.check().ok


def test_a_flipped_byte_is_found_by_check(two_days: tuple[Path, Path]) -> None:
    """A change that still reads as Parquet differs from its SHA-256."""
    path, file = two_days
    flip(file)
    with Store.open(path) as store:
        assert "SHA-256" in store.check().problems[0]


def test_a_file_that_is_put_back_is_read_again(two_days: tuple[Path, Path]) -> None:
    """The same open store sees it without being opened again."""
    path, file = two_days
    shutil.move(file, path / "aside")
    with Store.open(path) as store:
        with pytest.warns(DamagedSegmentWarning):
            store.sql("select max(name) from spans")
        shutil.move(path / "aside", file)
        assert count(store) == 16


def test_damage_does_not_stop_the_drain(two_days: tuple[Path, Path]) -> None:
    """New rows are published although stored ones of the same trace cannot be read."""
    path, file = two_days
    file.write_bytes(b"")
    with Store.open(path) as store:
        store.append_many({"spans": [span("old", "late", "root"), *trace_of("third")]})
        assert store.drain() == 9
        with pytest.warns(DamagedSegmentWarning):
            assert count(store) >= 17


def test_a_damaged_database_is_said_so(tmp_path: Path) -> None:
    """A meta.sqlite that is no database is a DamagedStoreError that points at backups."""
    Store.open(tmp_path / ".lmops").close()
    (tmp_path / ".lmops" / "meta.sqlite").write_bytes(b"no database " * 1000)
    for read_only in (False, True):
        with pytest.raises(DamagedStoreError, match="backup"):
            Store.open(tmp_path / ".lmops", read_only=read_only)


def test_a_backup_restores(store: Store, tmp_path: Path) -> None:
    """A copy is a store of its own: whole, and not touched by what happens to the first."""
    store.load(trace_of("a"))
    store.append_many({"spans": trace_of("b")})
    expected = state(store)
    copy = store.backup(tmp_path / "copy")
    shutil.rmtree(store.path / "segments")
    with Store.open(copy) as again:
        assert state(again) == expected
        assert again.check().ok


def test_a_damaged_blob_is_found(store: Store) -> None:
    """A blob whose content changed is not returned; check() names it."""
    store.load([span("t", "s", input="x" * 300_000)])
    (blob,) = (store.path / "blobs").glob("*/*")
    with pytest.raises(NotFoundError):
        store.blobs.get("0" * 64)
    blob.write_bytes(b"other")
    with pytest.raises(DamagedStoreError):
        store.blobs.get(blob.name)
    assert blob.name in str(store.check().problems)
    blob.unlink()
    assert blob.name in str(store.check().problems)


# -- full disks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["append", "load"])
def test_a_limit_on_the_size_of_files(tmp_path: Path, way: str) -> None:
    """A write that does not fit raises StoreFullError; what was acknowledged is there, and it goes on afterwards."""
    path = tmp_path / ".lmops"
    acknowledged, seen = map(int, run("fill", path, way, 3_000_000).split())
    assert acknowledged == seen >= 2
    with Store.open(path) as store:
        assert count(store, "traces") == acknowledged
        store.append_many({"spans": trace_of("after")})
        store.compact(grace_s=0)
        assert count(store, "traces") == acknowledged + 1
        assert store.check().ok


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount 24 MB of memory as a disk."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting needs root; test_a_limit_on_the_size_of_files does without")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.skipif(os.name != "posix" or not shutil.which("mount"), reason="no mount here")
@pytest.mark.parametrize("way", ["append", "load"])
def test_a_full_disk(tmp_path: Path, way: str) -> None:
    """The same on a disk without space: intact, readable while it is full, and working again when there is space."""
    with small_disk(tmp_path / "disk") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * 6_000_000)
        acknowledged, seen = map(int, run("fill", disk / ".lmops", way, 0).split())
        assert acknowledged == seen >= 2
        with Store.open(disk / ".lmops", read_only=True) as store:
            assert count(store, "traces") == acknowledged
        ballast.unlink()
        with Store.open(disk / ".lmops") as store:
            store.append_many({"spans": trace_of("after")})
            assert count(store, "traces") == acknowledged + 1
            assert store.check().ok
