"""A lost database is built again from the segments and the newest backup; what cannot be had is listed."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import shutil
import sqlite3
import tempfile
import warnings
from pathlib import Path

import pytest

import lmops
from lmops.errors import DamagedStoreError, NotFoundError, UsageError
from lmops.store import DamagedSegmentWarning, Store, append_event, rescue, unsealed
from lmops.store._export import records_of
from lmops.store._journal import JOURNAL
from tests import forked

from .helpers import DAY, START, bodies, count, llm, log_of, run, state, trace_of


def build(path: Path, which: str = "one") -> dict[str, list[dict[str, object]]]:
    """Copy a store with merged files, replaced rows that are still there, logs and a record; return what it shows."""
    template, shown = _built(which)
    shutil.copytree(template / "store", path)
    return shown


@functools.cache
def _built(_which: str) -> tuple[Path, dict[str, list[dict[str, object]]]]:
    template = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, template)
    with Store.open(template / "store", join_logs=bodies) as store:
        for day in range(17):
            rows = trace_of(f"t{day}", start=START + day * DAY)
            store.load(rows, [log_of(rows[0], f"said {day}")])
        store.compact(grace_s=3600)
        store.load([llm("t1", "late", "root"), llm("t2", "late", "root")])
        store.retain(days=15, now_ns=START + 16 * DAY + 1)
        return template, state(store)


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
    build(tmp_path / "b", "another")
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


@pytest.mark.parametrize(("action", "step"), [("rescue", 97), ("repair", 29)])
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


@pytest.mark.parametrize("name", ["export", "export.duckdb"])
@pytest.mark.parametrize("is_named", [True, False])
def test_records_come_from_an_export(tmp_path: Path, name: str, *, is_named: bool) -> None:
    """All of them, as they were when it was written; it is found beside the store, or named."""
    path = tmp_path / "project" / ".lmops"
    target = (tmp_path / "elsewhere" if is_named else tmp_path / "project") / name
    build(path)
    with lmops.open(path) as ws:
        ws.prompts.save("p", "hello")
        ws.prompts.promote("p", 1, to="production")
        ws.prompts.protect("p")
        ws.datasets.save("d", [{"input": "a"}])
        ws.datasets.save("d", [{"input": "b"}])
        before = state(ws.store)
        ws.store.export(target)
        ws.datasets.save("d", [{"input": "c"}])
    lose(path)
    report = rescue(path, records=target if is_named else None)
    assert report.records_from == str(records_of(target))
    assert f"newer than {records_of(target)}" in str(report.lost)
    with lmops.open(path) as ws:
        assert state(ws.store) == before
        assert ws.prompts.get("p@production").version == 1
        assert [ws.datasets.get(f"d@{number}")[0].input for number in (1, 2)] == ["a", "b"]
        assert (ws.audit.verify().ok, ws.store.check().ok) == (True, True)


@pytest.mark.parametrize("newer", ["backup", "export"])
def test_of_a_backup_and_an_export_the_newer_one_is_taken(tmp_path: Path, newer: str) -> None:
    """Whichever it is."""
    path = tmp_path / "project" / ".lmops"
    build(path)
    with Store.open(path) as store:
        copies = {"backup": store.backup, "export": store.export}
        for name in sorted(copies, key=lambda one: one == newer):
            copies[name](tmp_path / "project" / name)
    lose(path)
    file = {"backup": "meta.sqlite", "export": "records.sqlite"}[newer]
    assert rescue(path).records_from == str(tmp_path / "project" / newer / file)


def test_an_export_of_another_store_or_of_an_older_release_is_refused(tmp_path: Path) -> None:
    """In words that say what would do."""
    path = tmp_path / "project" / ".lmops"
    build(path)
    with Store.open(tmp_path / "other") as store:
        store.load(trace_of("x"))
        store.export(tmp_path / "of_other")
    with Store.open(path) as store:
        store.export(tmp_path / "of_old")
    (tmp_path / "of_old" / "records.sqlite").unlink()
    lose(path)
    for name in ("of_other", "of_old"):
        with pytest.raises(NotFoundError, match="a backup or an export"):
            rescue(path, records=tmp_path / name)


def spoil(path: Path, table: str, text: bytes) -> None:
    """Wipe the page of a table that holds a text, in the database of a closed store."""
    with contextlib.closing(sqlite3.connect(path / "meta.sqlite")) as con:
        con.execute("pragma wal_checkpoint(truncate)")
        size = con.execute("pragma page_size").fetchone()[0]
        pages = [row[0] for row in con.execute("select pageno from dbstat where name = ? and ncell > 0", (table,))]
    content = bytearray((path / "meta.sqlite").read_bytes())
    (page,) = (one for one in pages if text in content[(one - 1) * size : one * size])
    content[(page - 1) * size : page * size] = b"\xff" * size
    (path / "meta.sqlite").write_bytes(content)


@pytest.fixture
def half_readable(tmp_path: Path) -> Path:
    """A store whose chain has lost events of its middle: one prompt was made, another one moved, by them."""
    with lmops.open(tmp_path / ".lmops") as ws:
        ws.prompts.save("old", "Hello")
        ws.prompts.promote("old", 1, to="live", reason="first")
        ws.prompts.save("old", "Hello again")
        for number in range(12):
            ws.audit.append(action="note", subject=str(number), reason="long " * 200)
        ws.prompts.promote("old", 2, to="live", reason="wiped with its page")
        ws.prompts.save("new", "Hi")
        for number in range(12):
            ws.audit.append(action="note", subject=str(number), reason="long " * 200)
        ws.prompts.save("last", "Bye")
        ws.prompts.promote("last", 1, to="live", reason="after them")
    spoil(tmp_path / ".lmops", "audit", b"wiped with its page")
    return tmp_path / ".lmops"


def test_records_whose_events_are_lost_can_be_used_and_covered(half_readable: Path) -> None:
    """They are named as not covered, handed out as they are, and held by the chain from the cover on."""
    report = rescue(half_readable)
    assert "audit cover" in report.lost[-1]
    assert '"last"' not in report.lost[-1]
    with lmops.open(half_readable) as ws:
        assert [ws.prompts.get(ref).template for ref in ("old@live", "new", "last")] == ["Hello again", "Hi", "Bye"]
        with ws.store.reading() as con:
            waiting = unsealed(con)
        assert ("prompt_aliases", ["old", "live"]) in waiting
        assert ws.audit.cover(reason="looked at") == len(waiting)
        with ws.store.reading() as con:
            assert unsealed(con) == []
        assert ws.prompts.get("old@live").template == "Hello again"
        with ws.store.transaction() as con:
            con.execute("update prompt_aliases set version = 1")
        with pytest.raises(DamagedStoreError):
            ws.prompts.get("old@live")


def test_what_an_event_that_is_left_says_is_held_against_a_record(half_readable: Path) -> None:
    """A record that was written after the lost events is refused as before when it is another one."""
    with contextlib.closing(sqlite3.connect(half_readable / "meta.sqlite")) as con:
        con.execute("update prompt_aliases set event_id = 1 where name = 'last'")
        con.commit()
    rescue(half_readable)
    with lmops.open(half_readable) as ws, pytest.raises(DamagedStoreError):
        ws.prompts.get("last@live")


@pytest.fixture
def half_evaluated(tmp_path: Path) -> Path:
    """A store with two runs: the events of the first, and what was said after it, are lost with their page."""
    with lmops.open(tmp_path / ".lmops") as ws:
        ws.datasets.save("d", [{"id": text, "input": text, "expected": text} for text in "ab"])
        for number in range(12):
            ws.audit.append(action="note", subject=str(number), reason="long " * 200)
        ws.evals.run(str.upper, "d", ["exact_match"], progress=False, name="wiped with its page")
        for number in range(12):
            ws.audit.append(action="note", subject=str(number), reason="long " * 200)
        ws.evals.run(str.upper, "d", ["exact_match"], progress=False, name="kept")
        for number in range(12):
            ws.audit.append(action="note", subject=str(number), reason="long " * 200)
    spoil(tmp_path / ".lmops", "audit", b"wiped with its page")
    return tmp_path / ".lmops"


@pytest.mark.filterwarnings("ignore:.*is not what its hash says:lmops.store.DamagedSegmentWarning")
def test_cases_whose_event_is_lost_can_be_used_and_covered(half_evaluated: Path) -> None:
    """Run and cases are named as not covered and are as they were; a cover names them with their hash."""
    report = rescue(half_evaluated)
    with lmops.open(half_evaluated) as ws:
        runs = dict(ws.sql("select name, run_id from runs").fetchall())
        lost = runs["wiped with its page"]
        with ws.store.reading() as con:
            waiting = unsealed(con)
        assert {table for table, key in waiting if key == [lost]} == {"eval_runs", "eval_results"}
        assert [key for _, key in waiting if key == [runs["kept"]]] == []
        assert "not covered until lmops audit cover takes them for right" in report.lost[-1]
        assert ws.sql("select count(*) from results where output in ('A', 'B')").fetchall() == [(4,)]
        assert ws.audit.cover(reason="looked at") == len(waiting)
        with ws.store.reading() as con:
            assert unsealed(con) == []
            said = con.execute("select records from audit order by event_id desc limit 1").fetchone()
        assert json.loads(said[0])["eval_results"] == {f'["{lost}"]': ws.store.result_hashes(lost)[lost]}


def test_records_of_a_neighbour_are_not_taken(tmp_path: Path) -> None:
    """A damaged store without segments is built again from itself, whatever whole store lies beside it."""
    with lmops.open(tmp_path / "a" / ".lmops") as ws:
        ws.prompts.save("mine", "Hello")
    with lmops.open(tmp_path / "b" / ".lmops") as ws:
        ws.prompts.save("yours", "Hello")
    spoil(tmp_path / "a" / ".lmops", "audit", b"prompt.save")
    rescue(tmp_path / "a" / ".lmops")
    with lmops.open(tmp_path / "a" / ".lmops") as ws:
        assert ws.prompts.get("mine").template == "Hello"


def test_of_many_databases_beside_the_store_only_the_newest_copy_is_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of other stores and older copies are left where they are; a newer one that is damaged is passed over."""
    path = tmp_path / "project" / ".lmops"
    build(path)
    for name in ("old", "new", "spoilt"):
        with lmops.open(path) as ws:
            ws.prompts.save(name, "Hello")
            ws.store.backup(tmp_path / name)
    spoil(tmp_path / "spoilt", "prompt_versions", b"Hello")
    for number in range(5):
        with lmops.open(tmp_path / f"other-{number}" / ".lmops") as ws:
            ws.prompts.save("theirs", "Hello")
    lose(path)
    copied: list[str] = []
    copy = shutil.copyfile
    monkeypatch.setattr(shutil, "copyfile", lambda *paths: copied.append(str(paths[0])) or copy(*paths))
    assert rescue(path).records_from == str(tmp_path / "new" / "meta.sqlite")
    assert copied == [str(tmp_path / name / "meta.sqlite") for name in ("spoilt", "new")]


def test_a_rescue_that_was_killed_before_its_last_step_is_finished(tmp_path: Path) -> None:
    """The rows of traces whose spans are lost go when somebody opens the store next."""
    path = tmp_path / ".lmops"
    with Store.open(path) as store:
        store.load(trace_of("a"))
        store.load(trace_of("b"))
    lose(path)
    min(path.glob("segments/spans/*/*.parquet")).unlink()
    killed = "import os, sys; from lmops.store import Store, rescue; Store.end_rescue = lambda _: os._exit(9)"
    code = f"{killed}; rescue(sys.argv[1])"
    assert forked.run(code, path).returncode == 9
    with Store.open(path) as store:
        assert [one.kind for one in store.pending] == ["rescue"]
        assert count(store, "traces") == 2
    with lmops.open(path) as ws:
        assert ws.store.pending == ()
        assert (count(ws.store, "traces"), count(ws.store)) == (1, 8)


@pytest.mark.parametrize("is_damaged", [False, True])
def test_a_merge_that_was_cut_short_doubles_nothing(tmp_path: Path, *, is_damaged: bool) -> None:
    """Its file is there, and those that it was to replace are still the store's; damaged ones are not read for it."""
    path = tmp_path / ".lmops"
    with Store.open(path) as store:
        store.load(trace_of("a"))
        store.load(trace_of("b"))
        before = (path / JOURNAL).read_bytes()
        assert store.compact(grace_s=3600)
    lose(path)
    (path / JOURNAL).write_bytes(before)
    if is_damaged:
        for file in path.glob("segments/traces/*/*.parquet"):
            if file.relative_to(path).as_posix().encode() in before:
                file.write_bytes(b"damaged")
                break
    rescue(path)
    with lmops.open(path) as ws, warnings.catch_warnings():
        warnings.simplefilter("ignore", DamagedSegmentWarning)
        assert (count(ws.store, "traces"), count(ws.store)) == (2, 16)


def test_what_a_killed_process_did_not_write_into_the_journal_is_not_forgotten_by_the_next(tmp_path: Path) -> None:
    """It was killed after its commit; the next one changes no file, and the files of both come back."""
    path = tmp_path / "project" / ".lmops"
    with Store.open(path) as store:
        store.load(trace_of("first"))
        before = (path / JOURNAL).read_bytes()
        store.load(trace_of("second", start=START + DAY))
        shown = state(store)
    (path / JOURNAL).write_bytes(before)
    with Store.open(path) as store, store._publisher.locked(), store._publisher.files():
        pass
    lose(path)
    rescue(path)
    with Store.open(path) as store:
        assert state(store) == shown
