"""A lost database is built again from the segments and the newest backup; what cannot be had is listed."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

import pytest

from lmops.errors import DamagedStoreError, NotFoundError, UsageError
from lmops.store import Store, append_event, rescue
from lmops.store._journal import JOURNAL

from .helpers import DAY, START, bodies, count, llm, log_of, run, state, trace_of

if TYPE_CHECKING:
    from pathlib import Path


def build(path: Path) -> dict[str, list[dict[str, object]]]:
    """Make a store with merged files, replaced rows that are still there, logs and a record; return what it shows."""
    with Store.open(path, join_logs=bodies) as store:
        for day in range(17):
            rows = trace_of(f"t{day}", start=START + day * DAY)
            store.load(rows, [log_of(rows[0], f"said {day}")])
        store.compact(grace_s=3600)
        store.load([llm("t1", "late", "root"), llm("t2", "late", "root")])
        store.retain(days=15, now_ns=START + 16 * DAY + 1)
        return state(store)


def lose(path: Path) -> None:
    """Remove the database."""
    for file in path.glob("meta.sqlite*"):
        file.unlink()


@pytest.mark.parametrize("has_journal", [True, False])
def test_facts_come_back_from_the_segments(tmp_path: Path, *, has_journal: bool) -> None:
    """Every row once, replaced rows not at all; with the journal nothing that was removed either."""
    path = tmp_path / "project" / ".lmops"
    before = build(path)
    lose(path)
    if not has_journal:
        (path / JOURNAL).unlink()
    report = rescue(path, actor="me")
    assert report.records_from is None
    assert "records" in str(report.lost)
    with Store.open(path, join_logs=bodies) as store:
        after = state(store)
        assert store.check().ok
        assert store.sql("select action, actor from audit").fetchall() == [("store.rescue", "me")]
    if has_journal:
        assert after == before
    else:
        assert "removed" in str(report.lost)
        assert all(row in after["spans"] for row in before["spans"])


def test_records_come_from_the_newest_backup(tmp_path: Path) -> None:
    """Found beside the store, or named; the report says what is newer than it."""
    path = tmp_path / "project" / ".lmops"
    before = build(path)
    with Store.open(path) as store:
        store.backup(tmp_path / "project" / "older")
        with store.transaction() as con:
            append_event(con, actor="me", action="test", subject="x")
        store.backup(tmp_path / "project" / "newer")
    lose(path)
    report = rescue(path)
    assert report.records_from == str(tmp_path / "project" / "newer" / "meta.sqlite")
    assert "newer than" in str(report.lost)
    with Store.open(path, join_logs=bodies) as store:
        assert state(store) == before
        actions = [row[0] for row in store.sql("select action from audit order by event_id").fetchall()]
        assert actions == ["store.retain", "store.backup", "test", "store.rescue"]
        assert store.check().ok


def test_an_older_database_keeps_its_records(tmp_path: Path) -> None:
    """It is set aside whole, its records are used, and the segments written after it are listed again."""
    path = tmp_path / ".lmops"
    with Store.open(path) as store:
        store.load(trace_of("one"))
    shutil.copy(path / "meta.sqlite", tmp_path / "old")
    with Store.open(path) as store:
        store.load(trace_of("two"))
    shutil.copy(tmp_path / "old", path / "meta.sqlite")
    report = rescue(path)
    assert report.records_from == str(path / "meta.sqlite")
    assert (report.segments, "older" in report.reason) == (4, True)
    (aside,) = (path / "quarantine").glob("meta-*/meta.sqlite")
    assert aside.read_bytes() == (tmp_path / "old").read_bytes()
    with Store.open(path) as store:
        assert (count(store), store.check().ok) == (16, True)


def test_another_stores_backup_is_not_used(tmp_path: Path) -> None:
    """What lies beside the store and is not its own is passed over; named, it is refused."""
    path = tmp_path / ".lmops"
    build(path)
    with Store.open(tmp_path / "other") as other:
        other.load(trace_of("other"))
    lose(path)
    with pytest.raises(NotFoundError, match="backup"):
        rescue(path, records=tmp_path / "other")
    assert rescue(path).records_from is None


def test_damage_is_listed_and_what_is_whole_is_kept(tmp_path: Path) -> None:
    """A damaged file and a missing one are named; the rest is there."""
    path = tmp_path / ".lmops"
    with Store.open(path) as store:
        for day in range(3):
            store.load(trace_of(f"t{day}", start=START + day * DAY))
        damaged, missing, _ = (one.path for one in store._engine.manifest().segments["spans"])
    lose(path)
    content = bytearray((path / damaged).read_bytes())
    content[100] ^= 1
    (path / damaged).write_bytes(content)
    (path / missing).unlink()
    report = rescue(path)
    assert all(name in str(report.lost) for name in (damaged, missing, "8 rows of spans"))
    with Store.open(path) as store:
        store.check(repair=True)
        assert (count(store), count(store, "traces"), store.check().ok) == (8, 1, True)


def test_only_what_cannot_be_opened_is_rescued(tmp_path: Path) -> None:
    """A whole store is refused, and so is a folder that holds none."""
    build(tmp_path / ".lmops")
    with pytest.raises(UsageError, match="store check"):
        rescue(tmp_path / ".lmops")
    with pytest.raises(NotFoundError):
        rescue(tmp_path / "none")


def test_segments_of_another_store_are_not_put_under_these_records(tmp_path: Path) -> None:
    """The database stays as it is, so that the right segments can be put back."""
    build(tmp_path / "a")
    build(tmp_path / "b")
    with Store.open(tmp_path / "a") as store:
        before = state(store)
    (tmp_path / "a" / "segments").rename(tmp_path / "right")
    shutil.copytree(tmp_path / "b" / "segments", tmp_path / "a" / "segments")
    with pytest.raises(DamagedStoreError, match="put the right segments/ back"):
        rescue(tmp_path / "a")
    shutil.rmtree(tmp_path / "a" / "segments")
    (tmp_path / "right").rename(tmp_path / "a" / "segments")
    with Store.open(tmp_path / "a") as store:
        assert state(store) == before
        assert store.check().ok


def test_the_command(tmp_path: Path) -> None:
    """lmops store rescue prints what came of it; before it, every other command says that it helps."""
    from click.testing import CliRunner

    from lmops.cli import main

    build(tmp_path / ".lmops")
    lose(tmp_path / ".lmops")
    for words in (["store", "stats"], ["store", "compact"], ["sql", "select 1"]):
        refused = CliRunner().invoke(main, [*words, "--store", str(tmp_path / ".lmops")])
        assert (refused.exit_code, "lmops store rescue" in refused.output) == (1, True)
    done = CliRunner().invoke(main, ["store", "rescue", "--store", str(tmp_path / ".lmops")])
    assert (done.exit_code, "RescueReport" in done.output) == (0, True)


@pytest.mark.parametrize(("action", "step"), [("rescue", 29), ("repair", 29)])
def test_killed_at_any_point_it_is_repeated(tmp_path: Path, action: str, step: int) -> None:
    """Killed at any statement, the same again completes it: nothing is lost, nothing there twice."""
    template = tmp_path / "store"
    with Store.open(template) as store:
        for day in range(3):
            store.load(trace_of(f"t{day}", start=START + day * DAY))
        store.load(trace_of("t0", spans=10)[8:])
        before = state(store)
        store.load(trace_of("t9"))
        lost = [one.path for one in store._engine.manifest().segments["spans"] if one.generation == 5]
    if action == "rescue":
        lose(template)
        before = None
    else:
        (template / lost[0]).write_bytes(b"")
    lines = [line.rsplit(" ", 1) for line in run("crash", template, action, step, timeout_s=240).splitlines()]
    assert sum(killed == "True" for _, killed in lines) >= 3
    for name, _ in lines:
        copy = tmp_path / name
        if action == "rescue":
            with contextlib.suppress(UsageError):  # it was done before the kill
                rescue(copy)
        with Store.open(copy) as store:
            if action == "repair":
                store.check(repair=True)
            assert store.check().ok
            assert state(store) == before if before else (count(store), count(store, "traces")) == (34, 4)
        shutil.rmtree(copy)
