"""What is promised survives a power cut: here all that was not synced is cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lmops.store import Store, _filesystem, append_event

from .helpers import DAY, START, log_of, state, trace_of
from .power import Disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """A disk that notes what was synced to it."""
    (tmp_path / ".lmops").mkdir()
    return Disk(tmp_path / ".lmops", monkeypatch)


@pytest.fixture
def store(disk: Disk) -> Iterator[Store]:
    """A store on that disk."""
    with Store.open(disk.root) as opened:
        yield opened


def _load(store: Store) -> None:
    for day in range(3):
        rows = trace_of(f"t{day}", start=START + day * DAY)
        store.load(rows, [log_of(rows[1], "said")])


def _load_long(store: Store) -> None:
    store.load([row | {"output": f"{row['name']}" * 400_000} for row in trace_of("long", spans=2)])


def _drain(store: Store) -> None:
    store.append_many({"spans": trace_of("a")})
    store.drain()


def _compact(store: Store) -> None:
    _load(store)
    store.compact(grace_s=0)
    store.compact(grace_s=0)
    assert len(list(store.path.glob("segments/spans/*/*.parquet"))) == 1


def _retain(store: Store) -> None:
    _load(store)
    assert store.retain(days=2.5, now_ns=START + 3 * DAY)["traces"] == 1


def _rewrite(store: Store) -> None:
    _load(store)
    assert store.rewrite_spans(lambda row, _logs: row | {"cost_usd": 0.5}) == 24


def _record_after_facts(store: Store) -> None:
    store.append_many({"spans": trace_of("before the record")})
    with store.transaction() as con:
        append_event(con, actor="a", action="test.write", subject="s")


WRITES = (_load, _load_long, _drain, _compact, _retain, _rewrite, _record_after_facts)


@pytest.mark.parametrize("write", WRITES)
def test_what_was_acknowledged_is_there_after_a_power_cut(
    store: Store, disk: Disk, tmp_path: Path, write: Callable[[Store], None]
) -> None:
    """Files, the entries of their folders, and the rows that list them."""
    write(store)
    with Store.open(disk.cut(tmp_path / "after")) as after:
        assert state(after) == state(store)
        assert after.sql("select * from audit").fetchall() == store.sql("select * from audit").fetchall()
        assert after.check().ok


def test_a_store_is_there_from_its_first_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder, the database in it and its schema survive a power cut right after they were made."""
    above = Disk(tmp_path, monkeypatch)
    disk = Disk(tmp_path / ".lmops", monkeypatch)
    with Store.open(disk.root) as store:
        assert ".lmops" in above.entries[tmp_path.stat().st_ino] | disk.entries[tmp_path.stat().st_ino]
        with Store.open(disk.cut(tmp_path / "after")) as after:
            assert after.store_id == store.store_id


def test_facts_of_the_inbox_may_go_with_a_power_cut_but_nothing_else(store: Store, disk: Disk, tmp_path: Path) -> None:
    """Their commits are not synced, which is said in the documentation; what was synced before stays whole."""
    _load(store)
    before = state(store)
    store.append_many({"spans": trace_of("late")})
    with Store.open(disk.cut(tmp_path / "after")) as after:
        assert state(after) == before
        assert after.check().ok


def test_blobs_that_another_process_has_just_named(store: Store, disk: Disk, tmp_path: Path) -> None:
    """A blob that is there already, but whose folder nobody may have synced, is synced by whoever uses it."""
    name = store.blobs.put(b"x" * 100)
    _filesystem._DURABLE.clear()  # as in another process
    disk.entries = {inode: names - {"blobs", name[:2], name} for inode, names in disk.entries.items()}
    assert store.blobs.put(b"x" * 100) == name
    assert Store.open(disk.cut(tmp_path / "after")).blobs.get(name) == b"x" * 100


def test_a_bulk_load_ends_with_an_empty_log(store: Store, tmp_path: Path) -> None:
    """The database alone holds it then, for whoever copies it without its log; a reader is not waited for."""
    _load(store)
    log = store.path / "meta.sqlite-wal"
    with store.reading() as con:
        assert con.execute("select count(*) from segments").fetchone()[0] > 0
        with Store.open(store.path) as other:
            other.append_many({"spans": trace_of("more")})
            other.checkpoint()
            assert log.stat().st_size > 0
    store.checkpoint()
    assert log.stat().st_size == 0
    assert len(state(store)["spans"]) == 32
