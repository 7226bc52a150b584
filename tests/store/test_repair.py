"""A repair keeps what is whole, sets the rest aside, says so in the audit chain, and leaves no wrong answer."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

import lmops
from lmops.store import DamagedSegmentWarning, Store, rescue
from lmops.store._meta import migrations, statements
from lmops.store._salvage import opened
from lmops.store._segments import Stamp, file_sha256, write_segment

from .helpers import DAY, START, count, llm, span, state, trace_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def database(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the database of a closed store."""
    with contextlib.closing(sqlite3.connect(path / "meta.sqlite")) as con:
        yield con
        con.commit()


def flip(path: Path, at: int) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def events(store: Store) -> list[dict[str, object]]:
    """Return what the audit chain says of repairs."""
    rows = store.sql("select subject, after from audit where action = 'store.repair' order by event_id").fetchall()
    return [{"subject": subject, **json.loads(after)} for subject, after in rows]


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """What makes a segment of three row groups."""
    return [row for number in range(40_000 // 8) for row in trace_of(f"t{number}", start=START + number)]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> Path:
    """A closed store with a segment of three row groups, to be copied."""
    path = tmp_path_factory.mktemp("large") / ".lmops"
    with Store.open(path) as store:
        store.load(rows)
    return path


@pytest.fixture
def large(tmp_path: Path, template: Path) -> Path:
    """A copy of that store."""
    return Path(shutil.copytree(template, tmp_path / ".lmops"))


def test_the_row_groups_that_are_whole_are_kept(large: Path) -> None:
    """One bit costs one row group: the file is set aside as it was, and the event says what was kept and lost."""
    with Store.open(large) as store:
        (segment,) = store._engine.manifest().segments["spans"]
        groups = opened(large / segment.path).groups
        assert groups is not None
        assert len(groups) == 3
        flip(large / segment.path, (groups[1][0] + groups[1][1]) // 2)
        content = (large / segment.path).read_bytes()
        report = store.check(repair=True, actor="me")
        assert (report.kept_rows, report.lost_rows) == ({"spans": 23_616}, {"spans": 16_384})
        assert count(store) == 23_616
        assert store.check().ok
        assert (large / "quarantine" / segment.path).read_bytes() == content
        (event,) = events(store)
        assert (event["subject"], event["rows_kept"], event["rows_lost"]) == (segment.path, 23_616, 16_384)


def test_traces_are_what_is_left_of_them(large: Path, rows: list[dict[str, Any]]) -> None:
    """The rows of traces are put in step, and the source read in again brings all back, nothing twice."""
    with Store.open(large) as store:
        before = state(store)
        (segment,) = store._engine.manifest().segments["spans"]
        flip(large / segment.path, 5000)
        store.check(repair=True)
        spans = dict(store.sql("select trace_id, count(*) from spans group by all").fetchall())
        assert dict(store.sql("select trace_id, span_count from traces").fetchall()) == spans
        store.load(rows)
        assert state(store) == before


def test_what_was_read_in_again_meanwhile_is_not_there_twice(tmp_path: Path) -> None:
    """A damaged file that can be salvaged gives only the rows that no other file has."""
    path = tmp_path / ".lmops"
    with Store.open(path) as store:
        store.load(trace_of("a") + trace_of("b"))
        (segment,) = store._engine.manifest().segments["spans"]
        flip(path / segment.path, (path / segment.path).read_bytes().index(b"parquet-cpp"))  # all rows are whole
        with pytest.warns(DamagedSegmentWarning, match="16 rows of spans"):
            assert count(store) == 0
        store.load(trace_of("a"))
        store.check(repair=True)
        assert (count(store), count(store, "traces"), store.check().ok) == (16, 2, True)


@pytest.mark.parametrize("column", ["path", "rows", "tbl", "sha256", "min_ns"])
def test_a_damaged_record_of_the_manifest_is_named_and_mended(tmp_path: Path, column: str) -> None:
    """Its rows are missing with a word; repair writes the record anew from the file, also when a sweep moved it."""
    path = tmp_path / ".lmops"
    with Store.open(path) as store:
        for day in range(2):
            store.load(trace_of(f"t{day}", start=START + day * DAY))
        before = state(store)
    with database(path) as con:
        value = con.execute(f"select {column} from segments where segment_id = 1").fetchone()[0]
        changed = value ^ 4 if isinstance(value, int) else chr(ord(value[0]) ^ 1) + value[1:]
        con.execute(f"update segments set {column} = ? where segment_id = 1", (changed,))
    with Store.open(path) as store:
        with pytest.warns(DamagedSegmentWarning, match="the record of the segment"):
            assert count(store) == 8
        assert "the record of the segment" in str(store.check().problems)
        store.check(repair=True)
        assert state(store) == before
        assert store.check().ok
        assert len(events(store)) == 1


def test_a_record_that_is_gone_is_missed(tmp_path: Path) -> None:
    """The manifest knows how many files it lists; rescue lists the one that is not there again."""
    path = tmp_path / ".lmops"
    with Store.open(path) as store:
        for day in range(2):
            store.load(trace_of(f"t{day}", start=START + day * DAY))
        before = state(store)
    with database(path) as con:
        con.execute("delete from segments where segment_id = 1")
    with Store.open(path) as store, pytest.warns(DamagedSegmentWarning, match="3 segments instead of 4"):
        count(store)
    rescue(path)
    with Store.open(path) as store:
        assert state(store) == before
        assert store.check().ok


def test_a_damaged_record_of_replaced_rows_is_named_and_mended(tmp_path: Path) -> None:
    """What was replaced is found out anew from the files."""
    path = tmp_path / ".lmops"
    with Store.open(path) as store:
        store.load(trace_of("a"))
        store.load([llm("a", "late", "root")])
        before = state(store)
    with database(path) as con:
        con.execute("update dead_rows set before_rev = 0")
    with Store.open(path) as store:
        with pytest.warns(DamagedSegmentWarning, match="records of replaced rows"):
            assert count(store, "traces") == 2
        store.check(repair=True)
        assert state(store) == before
        assert store.check().ok


def test_a_damaged_write_of_the_inbox_stays_until_it_is_repaired(tmp_path: Path) -> None:
    """Reads and drains go on without it, each read says so; a repair keeps its bytes in quarantine."""
    path = tmp_path / ".lmops"
    with Store.open(path) as store:
        for name in ("a", "b", "c"):
            store.append_many({"spans": trace_of(name)})
    with database(path) as con:
        payload = con.execute("select payload from inbox where seq = 2").fetchone()[0].replace(b'"ok"', b'"oj"', 1)
        con.execute("update inbox set payload = ? where seq = 2", (payload,))
    with Store.open(path) as store:
        for _ in range(2):
            with pytest.warns(DamagedSegmentWarning, match="write 2 of the inbox .* its 8 rows"):
                assert count(store) == 16
            store.drain()
        assert not store.check().ok
        store.check(repair=True)
        assert store.check().ok
        assert (count(store), store.stats().inbox_rows) == (16, 0)
        assert (path / "quarantine" / "inbox-2.json").read_bytes() == payload
        assert events(store)[0]["rows_lost"] == 8


def test_a_damaged_segment_is_not_merged(tmp_path: Path) -> None:
    """Compaction and retention leave it alone: its rows would get a new checksum."""
    path = tmp_path / ".lmops"
    with Store.open(path) as store:
        for day in range(12):
            store.load(trace_of(f"t{day}", start=START + day * DAY))
        segment = store._engine.manifest().segments["spans"][8]
    flip(path / segment.path, segment.bytes // 3)
    with Store.open(path) as store:
        store.compact(grace_s=0)
        store.retain(days=5, now_ns=START + 12 * DAY)
        assert segment.path in {one.path for one in store._engine.manifest().segments["spans"]}
        assert segment.path in str(store.check().problems)


def test_blobs_of_rows_that_cannot_be_read_stay(tmp_path: Path) -> None:
    """Retention removes no blob while a segment is damaged: its rows may need it."""
    import os

    path = tmp_path / ".lmops"
    with Store.open(path) as store:
        store.load([span("old", "s", start=START)])
        store.load([span("kept", "s", start=START + 9 * DAY, input="long " * 60_000)])
        segment = store._engine.manifest().segments["spans"][0]
        (blob,) = (path / "blobs").glob("*/*")
        os.utime(blob, (0, 0))
        flip(path / segment.path, 20)
        store.retain(days=5, now_ns=START + 10 * DAY)
        assert blob.exists()


def make_old(path: Path) -> None:
    """Turn a store into one of schema 5: files without footers of ours, rows without checksums."""
    (path / "meta.sqlite").rename(path.parent / "new")
    with database(path) as con:
        for number, script in migrations():
            for statement in statements(script) if number <= 5 else ():
                con.execute(statement)
        con.execute("pragma user_version=5")
        con.execute("attach ? as new", (str(path.parent / "new"),))
        for table in ("inbox", "segments", "dead_rows", "retired", "info", "counters"):
            names = ", ".join(row[1] for row in con.execute(f"pragma main.table_info({table})"))
            con.execute(f"insert or replace into main.{table} ({names}) select {names} from new.{table}")
        con.execute("delete from counters where name not in ('rev', 'manifest', 'inbox_rows')")
        for (name,) in con.execute("select path from main.segments").fetchall():
            table = pq.read_table(path / name, partitioning=None).replace_schema_metadata(None)
            pq.write_table(table, path / name, compression="zstd", store_schema=False)
            size, digest = (path / name).stat().st_size, file_sha256(path / name)
            con.execute("update main.segments set bytes = ?, sha256 = ? where path = ?", (size, digest, name))
    for name in ("segments.log", "acknowledged"):
        (path / name).unlink()


@pytest.fixture
def old(tmp_path: Path) -> tuple[Path, dict[str, list[dict[str, object]]]]:
    """A store of an older version and what it shows."""
    path = tmp_path / ".lmops"
    with Store.open(path) as store:
        for day in range(2):
            store.load(trace_of(f"t{day}", start=START + day * DAY))
        store.load([llm("t0", "late", "root")])
        store.append_many({"spans": trace_of("waiting")})
        before = state(store)
    make_old(path)
    return path, before


def test_an_older_store_goes_on(old: tuple[Path, dict[str, list[dict[str, object]]]]) -> None:
    """It is opened, read, drained, merged and repaired; what it writes from now on has checksums."""
    path, before = old
    with Store.open(path) as store:
        assert state(store) == before
        store.drain()
        assert state(store) == before
        segment = next(one for one in store._engine.manifest().segments["traces"] if one.generation is None)
        flip(path / segment.path, 20)
        store.check(repair=True)
        assert store.check().ok
        store.compact(grace_s=0)
        assert state(store) == before
        assert all(one.generation for one in store._engine.manifest().segments["spans"])


def test_an_older_store_is_rescued(old: tuple[Path, dict[str, list[dict[str, object]]]]) -> None:
    """Its files say nothing of themselves, and are taken by what is in them."""
    path, before = old
    (path / "meta.sqlite").unlink()
    rescue(path)
    with Store.open(path) as store:
        waiting = trace_of("waiting")[0]["trace_id"]
        assert state(store)["spans"] == [row for row in before["spans"] if row["trace_id"] != waiting]
        assert store.check().ok


def test_a_damaged_spill_file_is_set_aside(tmp_path: Path) -> None:
    """By a repair, with an event that names it; from then on nothing is said of it."""
    path = tmp_path / "store"
    with Store.open(path) as store:
        spilled = store.spill({"spans": trace_of("a")})
    content = spilled.path.read_bytes().replace(b"root", b"roof", 1)
    spilled.path.write_bytes(content)
    name = spilled.path.relative_to(path).as_posix()
    with Store.open(path) as store:
        assert not store.check(repair=True).ok
        report = store.check()
        assert (report.ok, f"quarantine/{name}" in str(report.notes)) == (True, True)
        assert store.sql("select count(*) from spans").fetchall() == [(0,)]
        assert store.sql("select subject from audit where action = 'store.repair'").fetchall() == [(name,)]
    assert (path / "quarantine" / name).read_bytes() == content
    with Store.open(path) as store:
        assert store.check().ok


@pytest.fixture
def evaluated(tmp_path: Path) -> Path:
    """A closed store with two runs over data sets of their own, their cases in segments of their own."""
    with lmops.open(tmp_path / ".lmops") as ws:
        for name in ("one", "two"):
            ws.datasets.save(name, [{"input": text, "expected": text.upper()} for text in "abc"])
            ws.evals.run(str.upper, name, ["exact_match"], progress=False, name=name)
            assert ws.store.pack_results(least=1, wait=True) == 3
        assert ws.audit.verify().ok
    return tmp_path / ".lmops"


def segments_of(path: Path, tbl: str) -> list[Path]:
    """Return the segments of a table, oldest first."""
    with database(path) as con:
        return [
            path / row[0] for row in con.execute("select path from segments where tbl = ? order by segment_id", (tbl,))
        ]


@pytest.mark.parametrize("tbl", ["results", "scores"])
def test_lost_cases_are_said_once_and_the_chain_holds(evaluated: Path, tbl: str) -> None:
    """By an event that names the run and what is left of it, which is not covered; a later edit of it is found."""
    segments_of(evaluated, tbl)[0].unlink()
    with lmops.open(evaluated) as ws:
        with pytest.warns(DamagedSegmentWarning, match="missing"):
            assert not ws.audit.verify().ok
        ws.store.check(repair=True)
        found = ws.audit.verify()
        run_id = ws.sql("select run_id from runs where name = 'one'").fetchall()[0][0]
        (event,) = ws.sql("select event_id, after from audit where action = 'store.lost_cases'").fetchall()
        assert found.ok
        assert json.loads(event[1])["lost"][run_id]["cases"] == (3 if tbl == "results" else 0)
        if tbl == "scores":
            assert (found.not_covered, found.lost) == (
                {"eval_results": 1},
                (f'cases of ["{run_id}"] (event {event[0]})',),
            )
            assert "lost, and said so" in found.text
        with ws.store.transaction() as con:
            con.execute(
                "insert into eval_results (run_id, example_id, repeat, status) values (?, 'new', 0, 'ok')", (run_id,)
            )
        assert not ws.audit.verify().ok


def test_an_edit_is_not_covered_by_a_repair(evaluated: Path) -> None:
    """A file that somebody wrote anew loses nothing; beside a lost one it is still found."""
    first, second = segments_of(evaluated, "results")
    first.unlink()
    table = pq.read_table(second, partitioning=None)
    place = table.schema.get_field_index("output")
    edited = table.set_column(place, table.schema.field(place), [["x"] * table.num_rows])
    file = write_segment(evaluated, "results", edited, Stamp(store_id="me", generation=1))
    (evaluated / file.path).replace(second)
    with lmops.open(evaluated) as ws:
        ws.store.check(repair=True)
        found = ws.audit.verify()
        assert (found.ok, len(found.altered)) == (False, 2)
        assert all("eval_results" in one for one in found.altered)
