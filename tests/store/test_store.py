"""What goes into a store comes out of it: through the inbox, the drain, compaction, rewriting, backup and reopening."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmops.errors import ReadOnlyError, StoreError, UsageError
from lmops.store import Store
from lmops.store._handed import MOST_BYTES, Handed
from lmops.store._segments import Stamp, to_arrow, write_segment
from lmops.store._tables import LOG_COLUMNS, SPAN_COLUMNS

from .helpers import DAY, EMPTY, SPAN_NAMES, START, Row, bodies, count, llm, log_of, shown, span, state, trace_of

TEXT = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
INTEGER = st.none() | st.integers(-(2**63), 2**63 - 1)
FLOAT = st.none() | st.floats(allow_nan=False, allow_infinity=False)
BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "VARCHAR": TEXT,
    "BIGINT": INTEGER,
    "DOUBLE": FLOAT,
    "INTEGER": st.none() | st.integers(0, 2**31 - 1),
}
#: Nanoseconds that have a date.
TIMES = st.integers(0, 2**62)


def rows_of(columns: tuple[tuple[str, str, str], ...], **fixed: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Row]]:
    """Return lists of rows with any value in every column."""
    fields = {name: BY_TYPE[sql] for name, sql, _ in columns}
    ids = {"trace_id": st.text("abc", min_size=1, max_size=2), "span_id": st.text("abc", min_size=1, max_size=2)}
    row = st.fixed_dictionaries(fields | ids | fixed)
    key = [name for name in ("trace_id", "span_id", "time_ns") if name in fields]
    return st.lists(row, min_size=1, max_size=5, unique_by=lambda row: tuple(row[name] for name in key))


SPANS = rows_of(SPAN_COLUMNS, start_ns=TIMES, end_ns=st.none() | TIMES, documents=st.none(), kind=st.just("chain"))
LOGS = rows_of(LOG_COLUMNS, time_ns=TIMES, body=st.text("xyz", max_size=3))


def stored_spans(store: Store) -> list[Row]:
    """Return the columns of all spans as they were given."""
    rows: list[Row] = (
        store.sql(f"select {SPAN_NAMES} from spans order by trace_id, span_id").to_arrow_table().to_pylist()
    )
    return rows


@settings(max_examples=12, deadline=None)
@given(rows=SPANS, via_inbox=st.booleans())
def test_spans_come_back_as_they_went_in(rows: list[Row], via_inbox: bool) -> None:
    """Any value of any column survives every way it can take."""
    expected = sorted(rows, key=lambda row: (row["trace_id"], row["span_id"]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ".lmops"
        with Store.open(path) as store:
            if via_inbox:
                for row in rows:
                    store.append_many({"spans": [row]})
                assert stored_spans(store) == expected
                store.drain()
            else:
                for row in rows:
                    store.load([row])
            assert stored_spans(store) == expected
            store.compact(grace_s=0)
            assert stored_spans(store) == expected
            store.rewrite_spans(lambda row, _: {"scope": (row["scope"] or "") + "!"})
            expected = [row | {"scope": (row["scope"] or "") + "!"} for row in expected]
            assert stored_spans(store) == expected
            store.backup(Path(folder) / "copy")
            assert store.check().ok
        for place in (path, Path(folder) / "copy"):
            with Store.open(place, read_only=True) as again:
                assert stored_spans(again) == expected


@settings(max_examples=8, deadline=None)
@given(logs=LOGS)
def test_log_events_come_back_as_they_went_in(logs: list[Row]) -> None:
    """Log events reach the join unchanged, before and after drain and compaction."""
    seen: list[Row] = []

    def join(row: Row, events: list[Row]) -> Row:
        seen[:] = events
        return row

    with Store.open(":memory:", join_logs=join) as store:
        ids = {"trace_id": logs[0]["trace_id"], "span_id": logs[0]["span_id"]}
        mine = [log | ids for log in logs]
        for log in mine:
            store.append_many({"logs": [log]})
        store.drain()
        store.compact()
        store.append_many({"spans": [span("t", "s") | ids]})
        count(store)
    assert sorted(repr(sorted(log.items())) for log in seen) == sorted({repr(sorted(log.items())) for log in mine})


@pytest.mark.parametrize("way", ["append", "load"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_is_unknown(store: Store, way: str, bad: float) -> None:
    """NaN and infinity are stored as NULL, whichever way they came."""
    row = llm("t", "s", cost_usd=bad)
    if way == "append":
        store.append_many({"spans": [row]})
    else:
        store.load([row])
    assert store.sql("select cost_usd from spans").fetchall() == [(None,)]
    assert store.sql("select cost_usd, unpriced_calls from traces").fetchall() == [(None, 1)]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"input_tokens": 2**63}, "does not fit"),
        ({"input_tokens": "3"}, "str, not int"),
        ({"name": 3}, "int, not str"),
        ({"start_ns": None}, "start_ns"),
        ({"name": "\ud800"}, "cannot be stored"),
        ({"cost_usd": "1"}, "str, not float"),
    ],
)
@pytest.mark.parametrize("way", ["append", "load"])
def test_a_row_that_cannot_be_published_is_refused(store: Store, way: str, change: Row, says: str) -> None:
    """It is refused before it is acknowledged, so that it cannot block the drain; the store goes on."""
    rows = [span("t", "a"), span("t", "b") | change]
    with pytest.raises(UsageError, match=says):
        store.append_many({"spans": rows}) if way == "append" else store.load(rows)
    assert count(store) == 0
    store.append_many({"spans": trace_of("good")})
    assert store.drain() == 8


def test_a_row_without_a_column_is_refused(store: Store) -> None:
    """The message names the column."""
    with pytest.raises(UsageError, match="row 0 of spans has no column 'links'"):
        store.append_many({"spans": [{key: value for key, value in EMPTY.items() if key != "links"}]})
    with pytest.raises(UsageError, match="not 'metrics'"):
        store.append_many({"metrics": [EMPTY]})


def test_nothing_to_write_is_no_write(store: Store) -> None:
    """Empty batches leave no trace, in the inbox or in segments."""
    store.append_many({"spans": [], "logs": []})
    assert store.load([]).new == 0
    assert store.stats().segments == store.stats().inbox_rows == 0


def test_memory_vanishes() -> None:
    """A store in memory leaves no folder."""
    store = Store.open(":memory:")
    store.append_many({"spans": trace_of("t")})
    folder = store.path
    assert folder.is_dir()
    store.close()
    assert not folder.exists()


def test_the_store_is_found_upward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From any folder below, the nearest .lmops is the store; LMOPS_STORE goes before it."""
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    Store.open(tmp_path / ".lmops").close()
    monkeypatch.chdir(deep)
    with Store.open() as found:
        assert found.path == tmp_path / ".lmops"
    monkeypatch.setenv("LMOPS_STORE", str(tmp_path / "other" / ".lmops"))
    with Store.open() as found:
        assert found.path == tmp_path / "other" / ".lmops"


def test_a_project_folder_gets_a_store_inside(tmp_path: Path) -> None:
    """A folder with other files is a project: the store is its .lmops."""
    (tmp_path / "notes.txt").write_text("x")
    with Store.open(tmp_path) as store:
        assert store.path == tmp_path / ".lmops"


def test_read_only_creates_and_writes_nothing(tmp_path: Path) -> None:
    """Where there is no store none is made; every write is refused; questions are answered."""
    with pytest.raises(StoreError, match="no store"):
        Store.open(tmp_path / ".lmops", read_only=True)
    assert not (tmp_path / ".lmops").exists()
    with Store.open(tmp_path / ".lmops") as store:
        store.append_many({"spans": trace_of("t")})
    with Store.open(tmp_path / ".lmops", read_only=True) as store:
        writes = (
            lambda: store.append_many({"spans": trace_of("u")}),
            lambda: store.load(trace_of("u")),
            store.drain,
            store.compact,
            lambda: store.retain(days=1),
            lambda: store.check(repair=True),
            lambda: store.rewrite_spans(bodies),
        )
        for write in writes:
            with pytest.raises(ReadOnlyError):
                write()
        assert count(store) == 8
        assert store.check().ok


def test_stats(store: Store) -> None:
    """Counts and times are those of the whole store, undrained rows included."""
    store.load(trace_of("a", start=START))
    store.append_many({"spans": trace_of("b", start=START + DAY)})
    stats = store.stats()
    assert (stats.traces, stats.spans, stats.inbox_rows, stats.segments) == (2, 16, 8, 2)
    assert (stats.oldest_ns, stats.newest_ns) == (START, START + DAY)
    assert stats.segment_bytes > 0
    assert stats.meta_bytes > 0


def test_retain_removes_whole_traces(store: Store) -> None:
    """A trace that started before the limit goes with all its spans, late ones included; the rest stays exactly."""
    old = [span("old", "root", start=START), span("old", "late", "root", start=START + 9 * DAY)]
    young = trace_of("young", start=START + 6 * DAY)
    store.load([*old, *young], [log_of(old[0], "x"), log_of(young[0], "y", at=START + 6 * DAY)])
    before = [row for row in shown(store, "spans") if row["trace_id"] == young[0]["trace_id"]]
    removed = store.retain(days=5, now_ns=START + 10 * DAY, actor="tester")
    assert removed == {"spans": 2, "traces": 1, "logs": 1}
    assert shown(store, "spans") == before
    assert store.sql("select action, actor from audit").fetchall() == [("store.retain", "tester")]
    assert store.check().ok
    assert store.retain(days=5, now_ns=START + 10 * DAY)["spans"] == 0


@pytest.mark.parametrize("days", [0, -1, math.nan])
def test_retain_needs_a_positive_number_of_days(store: Store, days: float) -> None:
    """Nothing is removed by accident."""
    with pytest.raises(UsageError, match="positive"):
        store.retain(days=days)


@pytest.mark.parametrize("name", ["out.duckdb", "folder"])
def test_export_equals_the_views(store: Store, tmp_path: Path, name: str) -> None:
    """Every view is in the export, row for row."""
    import duckdb

    from lmops.store import view_names

    store.load(trace_of("a"))
    store.append_many({"spans": [llm("b", "it's", documents='[{"rank":1,"id":"d","content":"é"}]')]})
    target = store.export(tmp_path / name)
    with duckdb.connect(str(target) if name.endswith("duckdb") else ":memory:") as con:
        con.execute("set TimeZone='UTC'")
        for view in view_names():
            source = view if name.endswith("duckdb") else f"read_parquet('{target / view}.parquet')"
            shown = store.sql(f"select * from {view}").fetchall()
            if view == "audit":
                assert shown.pop()[3] == "store.export"  # written when all of it was
            assert sorted(con.sql(f"from {source}").fetchall(), key=repr) == sorted(shown, key=repr)
        if name.endswith("duckdb"):
            # The storage version stands behind the checksum and the magic word; 68 is what DuckDB 1.5 still reads.
            assert int.from_bytes(target.read_bytes()[12:20], "little") <= 68


def test_export_and_backup_overwrite_nothing(store: Store, tmp_path: Path) -> None:
    """A target that holds something is refused."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("mine")
    for call in (store.export, store.backup):
        with pytest.raises(UsageError, match="there already"):
            call(tmp_path / "full")


def test_compaction_merges_and_sweeps(store: Store) -> None:
    """Many small segments become one a table, replaced rows and files are gone, the answers are the same."""
    for number in range(6):
        store.load(trace_of(f"t{number}", spans=2))
        store.load([span(f"t{number}", "late", "root")])
    before = state(store)
    assert store.stats().replaced_rows > 0
    assert store.compact(grace_s=0) > 0
    assert state(store) == before
    stats = store.stats()
    assert (stats.segments, stats.replaced_rows) == (2, 0)
    assert len([path for path in (store.path / "segments").rglob("*") if path.is_file()]) == 2
    assert store.compact() == 0


def test_loads_keep_the_number_of_files_bounded(store: Store) -> None:
    """Small loads are merged on the way."""
    for number in range(40):
        store.load([span(f"t{number}", "s")])
    assert store.stats().segments < 40
    assert count(store, "traces") == 40


def test_rewriting_settles_traces_again(store: Store) -> None:
    """A change of spans is seen in their traces, and only matching spans are asked."""
    store.load([llm("a", "x", cost_usd=None), llm("b", "y", model="other")])
    asked: list[str] = []

    def price(row: Row, _: list[Row]) -> Row:
        asked.append(row["model"])
        return {"cost_usd": 2.0}

    assert store.rewrite_spans(price, where={"model": "m"}) == 1
    assert asked == ["m"]
    assert store.sql("select cost_usd, unpriced_calls from traces order by trace_id").fetchall() == [
        (2.0, 0),
        (0.001, 0),
    ]
    assert store.check().ok


def test_rows_with_long_texts_come_in_small_row_groups(tmp_path: Path) -> None:
    """What is copied and packed at a time while a file is written is bounded in bytes, not only in rows."""
    rows = [
        row | {"input": "x" * 20_000, "is_call": False, "duplicate_span_ids": None} for row in trace_of("t", spans=4000)
    ]
    written = write_segment(tmp_path, "spans", to_arrow("spans", rows, rev=1), Stamp(store_id="s", generation=1))
    about = pq.ParquetFile(tmp_path / written.path).metadata
    sizes = [about.row_group(place).num_rows for place in range(about.num_row_groups)]
    assert (sum(sizes), max(sizes)) == (4000, 1024)


def test_the_names_of_views_are_had_under_both_names():
    """As a function, and as the constant that they were."""
    from lmops import store

    assert store.view_names() == store.VIEW_NAMES
    with pytest.raises(AttributeError, match="VIEW_NAME'"):
        store.VIEW_NAME  # noqa: B018


def test_a_transaction_that_writes_nothing_costs_nothing(tmp_path: Path) -> None:
    """No page is written for it: a promotion to where the alias is, a text that was saved before."""
    with Store.open(tmp_path) as store:
        with store.transaction() as con:
            con.execute("insert into info values ('a', 'b')")
        files = [tmp_path / name for name in ("meta.sqlite", "meta.sqlite-wal", "acknowledged")]
        before = [file.read_bytes() for file in files]
        with store.transaction() as con:
            con.execute("insert or ignore into info values ('a', 'c')")
        assert [file.read_bytes() for file in files] == before
        with store.transaction() as con:
            con.execute("update info set value = 'c' where key = 'a'")
        assert [file.read_bytes() for file in files] != before


def test_rows_at_hand_are_those_of_the_inbox(store: Store) -> None:
    """Whoever wrote them need not decode them; what they become afterwards, here or in the inbox, is another matter."""
    rows = [llm("t", "a", cost_usd=0.1 + 0.2), span("t", "b", attributes='{"k":"\\u00e9"}')]
    store.append_many({"spans": rows, "logs": [log_of(rows[0], '"hi"')]})
    with Store.open(store.path) as other:
        decoded = other._engine.head(10).tail
    reader = store._engine._reader
    (seq,) = decoded
    assert reader.handed.rows(seq, 0) is None
    rows[0]["name"] = "changed by its owner"
    with store.reading() as con:
        sealed = con.execute("select checksum from inbox").fetchone()[0]
    assert reader.handed.rows(seq, sealed) == decoded[seq] == store._engine.head(10).tail[seq]
    assert reader.handed.rows(seq, sealed) is None  # a drain has taken it


def test_only_the_newest_writes_are_kept_at_hand() -> None:
    """So that what a process that never reads has in memory stays bounded."""
    handed = Handed()
    for seq in range(5):
        handed.keep(seq, 7, MOST_BYTES // 3, {"spans": [{"name": str(seq)}]})
    handed.keep(5, 7, MOST_BYTES + 1, {"spans": []})
    assert [seq for seq in range(6) if handed.rows(seq, 7) is not None] == [2, 3, 4]
