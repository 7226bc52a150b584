"""A store that came from elsewhere: paths that lead out of it, links, and the rights of what is made."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat

import pytest

import lmops
from lmops.errors import DamagedStoreError, StoreError
from lmops.store import DamagedSegmentWarning
from lmops.store._filesystem import inside

OUTSIDE = ["../../precious", "segments/../../../precious", "/{}/precious"]


@pytest.fixture
def precious(tmp_path):
    file = tmp_path / "precious"
    file.write_text("precious")
    return file


@pytest.fixture
def received(tmp_path):
    """Return a function that makes a store and changes its database as its sender did."""

    def make(statement, *values):
        folder = tmp_path / "project" / ".lmops"
        with lmops.open(folder) as ws:
            ws.prompts.save("p", "x")
        con = sqlite3.connect(folder / "meta.sqlite", isolation_level=None)
        con.execute(statement, values)
        con.execute("update counters set value = value + 1 where name = 'manifest'")
        con.close()
        return folder

    return make


def listed(received, path):
    folder = received(
        "insert into segments (tbl, path, rows, bytes, raw_bytes, min_ns, max_ns, sha256, schema_version, created_ns) "
        "values ('spans', ?, 1, 8, 8, 1, 1, 'x', 1, 1)",
        path,
    )
    with contextlib.closing(sqlite3.connect(folder / "meta.sqlite", isolation_level=None)) as con:
        con.execute("update counters set value = 1 where name = 'segments'")
    return folder


@pytest.mark.parametrize("path", OUTSIDE)
def test_what_lies_outside_is_never_removed(received, precious, path):
    """A file that the manifest calls retired is only removed within the store."""
    folder = received("insert into retired values (?, 0)", path.format(precious.parent))
    with lmops.open(folder) as ws:
        ws.store.compact()
        ws.store.retain(days=1)
    assert precious.exists()


@pytest.mark.parametrize("path", OUTSIDE)
def test_what_lies_outside_is_not_read(received, precious, path):
    """A question goes on without it and names it; so does check."""
    with lmops.open(listed(received, path.format(precious.parent))) as ws:
        with pytest.warns(DamagedSegmentWarning, match="leads out of the store"):
            assert ws.sql("select count(*) from spans").fetchall() == [(0,)]
        assert not ws.store.check().ok
        ws.store.check(repair=True)
        with ws.store.reading() as con:
            assert con.execute("select count(*) from retired").fetchone()[0] == 0
    assert precious.exists()


@pytest.mark.parametrize("path", OUTSIDE)
def test_what_lies_outside_is_not_copied(received, precious, tmp_path, path):
    """A backup of it would write outside of its own folder as well."""
    with lmops.open(listed(received, path.format(precious.parent))) as ws, pytest.raises(DamagedStoreError):
        ws.store.backup(tmp_path / "deep/er/backup")
    assert list(tmp_path.rglob("precious")) == [precious]


def test_folders_that_are_links_are_not_followed(tmp_path):
    """Nothing behind them is removed, and nothing is written there."""
    folder, target = tmp_path / ".lmops", tmp_path / "target"
    lmops.open(folder).close()
    target.mkdir()
    for name in ("keep.txt", "a" * 64):
        (target / name).write_text("x")
        os.utime(target / name, (0, 0))
    (folder / "segments").symlink_to(target)
    (folder / "blobs").mkdir()
    (folder / "blobs" / "aa").symlink_to(target)
    with lmops.open(folder) as ws:
        ws.store.compact()
        ws.store.retain(days=1)
        with pytest.raises(StoreError, match="is a link"):
            ws.store.load([], [_log()])
    assert sorted(path.name for path in target.iterdir()) == ["a" * 64, "keep.txt"]


def _log():
    from lmops.store._tables import LOG_COLUMNS

    row = dict.fromkeys(name for name, _, _ in LOG_COLUMNS)
    return row | {"trace_id": "a" * 32, "span_id": "b" * 16, "time_ns": 1, "name": "n", "attributes": "{}"}


@pytest.mark.parametrize("name", ["meta.sqlite", "meta.sqlite-wal", "drain.lock"])
def test_files_that_are_links_are_not_opened(tmp_path, name):
    """What SQLite or the lock would write through them is somebody's other file."""
    folder, other = tmp_path / ".lmops", tmp_path / "other"
    lmops.open(folder).close()
    other.write_text("x")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(other)
    with pytest.raises(StoreError, match="is a link"):
        lmops.open(folder)
    assert other.read_text() == "x"


@pytest.mark.parametrize(
    ("path", "is_inside"),
    [("segments/spans/2026-01-01/a.parquet", True), ("..", False), ("a//b", False), ("", False), ("a/\n", False)],
)
def test_which_paths_stay_inside(tmp_path, path, is_inside):
    """Plain words between slashes."""
    assert (inside(tmp_path, path) is not None) == is_inside


def modes(folder):
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}
    return {mode for path, mode in found.items() if path.is_dir()}, {m for p, m in found.items() if p.is_file()}


def fill(ws):
    from lmops.sample import data_dir

    ws.traces.ingest(str(data_dir() / "traces" / "2026-11-01.jsonl.gz"), progress=False)
    ws.store.blobs.put(b"x")
    ws.prompts.save("p", "x")


def test_a_store_and_its_backup_are_private(tmp_path):
    """Whatever the umask allows: only the owner reads what people asked."""
    before = os.umask(0o022)
    try:
        with lmops.open(tmp_path / ".lmops") as ws:
            fill(ws)
            ws.store.backup(tmp_path / "backup")
    finally:
        os.umask(before)
    for folder in (tmp_path / ".lmops", tmp_path / "backup"):
        assert modes(folder) == ({0o700}, {0o600})


def test_a_store_that_a_team_shares_stays_shared(tmp_path):
    """New files have the rights that the store's folder was given, less the umask."""
    lmops.open(tmp_path / ".lmops").close()
    (tmp_path / ".lmops").chmod(0o2770)
    before = os.umask(0o007)
    try:
        with lmops.open(tmp_path / ".lmops") as ws:
            fill(ws)
    finally:
        os.umask(before)
    segments = tmp_path / ".lmops" / "segments"
    assert modes(segments) == ({0o2770}, {0o660})


@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o022, 0o644)])
def test_files_beside_the_store_keep_the_umask(ws, tmp_path, umask, mode):
    """Prompt files are part of the project; an export of the audit chain is its owner's."""
    before = os.umask(umask)
    try:
        ws.prompts.save("p", "private")
        ws.prompts.sync(tmp_path / "prompts")
        ws.audit.export(tmp_path / "audit.jsonl")
    finally:
        os.umask(before)
    assert modes(tmp_path / "prompts")[1] == {mode}
    assert stat.S_IMODE((tmp_path / "audit.jsonl").stat().st_mode) == 0o600
