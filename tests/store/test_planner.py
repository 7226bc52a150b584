"""Questions: what is refused, what is answered, and which files are opened for it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmops.errors import QueryError
from lmops.store import DamagedSegmentWarning, Store, view_names
from lmops.store._planner import planner

from .helpers import DAY, START, count, llm, shown, span, trace_of

if TYPE_CHECKING:
    from pathlib import Path

REFUSED = [
    "insert into traces values (1)", "update traces set name = ''", "delete from traces", "drop view traces",
    "create table x as select 1", "copy traces to '{out}'", "copy (select 1) to '{out}'", "attach '{out}'",
    "install httpfs", "load httpfs", "pragma database_list", "set threads = 1", "reset threads", "vacuum",
    "select 1; select 2", "select 1; drop table traces", "", "-- nothing", "begin", "checkpoint", "use memory",
    "call pragma_version()",
    "export database '{out}'", "prepare x as select 1", "explain analyze select 1", "select 1 where",
    "with t as (insert into x values (1) returning *) select * from t",
]  # fmt: skip  # many words: packed, they are read at a glance
OUTSIDE = [
    "read_csv('{secret}')", "read_text('{secret}')", "read_blob('{secret}')", "read_json('{secret}')", "'{secret}'",
    "glob('{folder}/*')", "read_parquet('{secret}')", "parquet_metadata('{secret}')", "sniff_csv('{secret}')",
    "read_parquet('http://127.0.0.1:9/x')", "'{store}/meta.sqlite'", "read_blob('{store}/meta.sqlite')",
    "read_blob('{store}/segments/../meta.sqlite')", "sqlite_scan('{store}/meta.sqlite', 'audit')",
    "query('select * from read_text(''{secret}'')')", "duckdb_secrets()", "enable_logging()",
]  # fmt: skip  # many words: packed, they are read at a glance


@pytest.mark.parametrize("query", REFUSED)
def test_only_one_select_is_run(store: Store, tmp_path: Path, query: str) -> None:
    """Writes, statements about the engine and more than one statement are refused, and nothing is written."""
    out = tmp_path / "out"
    with pytest.raises(QueryError):
        store.sql(query.format(out=out))
    assert not out.exists()


@pytest.mark.parametrize("source", OUTSIDE)
def test_nothing_outside_the_store_is_read(store: Store, tmp_path: Path, source: str) -> None:
    """Other files, networks, secrets and the store's own database are out of reach."""
    secret = tmp_path / "secret"
    secret.write_text("a,b\n1,2\n")
    with pytest.raises(QueryError):
        store.sql("select * from " + source.format(secret=secret, folder=tmp_path, store=store.path)).fetchall()


def test_python_variables_are_not_tables(store: Store) -> None:
    """A frame of the caller is not found by its name."""
    import pyarrow as pa

    frame = pa.table({"x": [1]})
    with pytest.raises(QueryError, match="no view named 'frame'"):
        store.sql("select * from frame")
    assert len(frame) == 1


@pytest.mark.parametrize(
    ("query", "nearest"),
    [
        ("select * from span", "'spans'"),
        ("select latncy_ms from traces", "'latency_ms'"),
        ("select t.latncy_ms from traces t", "'latency_ms'"),
        ("select * from lm_calls", "'llm_calls'"),
    ],
)
def test_unknown_names_get_the_nearest(store: Store, query: str, nearest: str) -> None:
    """An error names what was probably meant."""
    with pytest.raises(QueryError, match=nearest):
        store.sql(query)


@pytest.mark.parametrize(
    "query",
    [
        "select * from traces where false",
        "select * from traces limit 0",
        "select * from LLM_CALLS where 1 = 0",
        "select * from traces where start_at > '2026-01-02' and start_at < '2026-01-01'",
        "from Traces where null;",
        "select * from tool_calls -- why not",
        "with unused as (from spans) select * from traces where false",
    ],
)
def test_questions_without_an_answer_have_no_rows(store: Store, query: str) -> None:
    """What the optimiser proves to be empty is empty, not an error."""
    store.load(trace_of("t"))
    assert store.sql(query).fetchall() == []


@pytest.mark.parametrize("view", view_names())
def test_every_view_can_be_described_and_read(store: Store, view: str) -> None:
    """``describe`` gives the columns that ``select *`` has, for an empty store and for one with rows."""
    for _ in range(2):
        columns = [row[0] for row in store.sql(f"describe {view}").fetchall()]
        assert store.sql(f"select * from {view}").columns == columns
        store.append_many({"spans": trace_of("t")})
        store.drain()


def test_parameters(store: Store) -> None:
    """A list fills ``?``, a dict fills ``$name``; values are never SQL."""
    store.load([*trace_of("a"), llm("b", "it's; drop")])
    assert store.sql("select count(*) from spans where kind = ?", ["llm"]).fetchall() == [(8,)]
    query = "select name from spans where name = $name and start_at >= $since"
    given = {"name": "it's; drop", "since": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)}
    assert store.sql(query, given).fetchall() == [("it's; drop",)]
    with pytest.raises(QueryError):
        store.sql("select ?", [])


def test_a_result_stays_what_it_was(store: Store) -> None:
    """An answer does not change with the store, and can be read more than once."""
    store.append_many({"spans": trace_of("a")})
    answer = store.sql("select count(*) from spans")
    store.append_many({"spans": trace_of("b")})
    store.compact(grace_s=0)
    assert answer.fetchall() == [(8,)]
    assert answer.df().iloc[0, 0] == 8


def test_documents_and_tools(store: Store) -> None:
    """The derived views show one row per document and per tool call."""
    documents = '[{"rank":1,"id":"d1","score":0.5,"content":"c","metadata":{"k":1}},{"rank":2,"id":"d2"}]'
    store.load([span("t", "r", kind="retriever", documents=documents), span("t", "x", kind="tool", tool_name="refund")])
    query = "select rank, document_id, score, content, metadata from retrieved_documents order by rank"
    assert store.sql(query).fetchall() == [(1, "d1", 0.5, "c", '{"k":1}'), (2, "d2", None, None, None)]
    assert store.sql("select tool_name from tool_calls").fetchall() == [("refund",)]


# -- pruning -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def ten_days(store: Store) -> Store:
    """A store of ten days, one file each, in which only the last day's files can be read."""
    for day in range(10):
        store.load(trace_of(f"t{day}", start=START + day * DAY))
    newest = max(range_[1] or 0 for range_ in store.fact_ranges("spans"))
    for tbl in ("spans", "traces"):
        for segment in store._engine.manifest().segments[tbl]:
            if (segment.max_ns or 0) < newest - DAY // 2:
                (store.path / segment.path).write_bytes(b"")
    return store


def at(ns: int) -> dt.datetime:
    """Return nanoseconds as a time."""
    return dt.datetime.fromtimestamp(ns / 1e9, dt.UTC)


SINCE = at(START + 9 * DAY - DAY // 4)
UNTIL = at(START + 10 * DAY)


@pytest.mark.parametrize(
    ("query", "params"),
    [
        (f"select * from spans where start_at >= '{SINCE.isoformat()}'", None),
        (f"select * from spans where start_at >= timestamptz '{SINCE.isoformat()}' and status = 'ok'", None),
        ("select * from spans where start_at > ?", [SINCE]),
        ("select * from spans where start_at > $since and start_at < $until", {"since": SINCE, "until": UNTIL}),
        ("select * from spans where start_at > now() - interval '{ago} seconds'", None),
        (f"select * from spans where start_at between '{SINCE.isoformat()}' and '{UNTIL.isoformat()}'", None),
        ("select s.* from spans s join traces t using (trace_id) where t.start_at > $1 and s.start_at > $1", [SINCE]),
        ("select * from llm_calls where start_at > ? union all from llm_calls where start_at > ?", [SINCE, UNTIL]),
        ("with x as (select * from spans where start_at > ?) select * from x where kind = 'llm'", [SINCE]),
        ("from traces where trace_id in (from spans select trace_id where start_at > $1) and start_at > $1", [SINCE]),
    ],
)
def test_files_outside_the_bounds_are_not_opened(ten_days: Store, query: str, params: Any) -> None:
    """Times in the question pick files by the manifest: damage elsewhere is not met."""
    ago = int((dt.datetime.now(dt.UTC) - SINCE).total_seconds())
    assert ten_days.sql(query.replace("{ago}", str(ago)), params).fetchall()


@pytest.mark.parametrize(
    "condition",
    [
        "true", "start_at >= '2000-01-01'", "(start_at > '{}') is not true", "(start_at > '{}') = false",
        "coalesce(start_at > '{}', true) = false", "(start_at > '{}')::int = 0",
        "case when start_at > '{}' then false else true end", "not (start_at > '{}' and status = 'ok')",
        "start_at > '{}' or name = 'root'", "start_at is distinct from '{}'", "greatest(start_at, '{}') = '{}'",
        "name <> 'AND start_at > ''{}''::TIMESTAMP WITH TIME ZONE AND '",
    ],
)  # fmt: skip  # cases that belong together share a line
def test_what_is_not_a_bound_prunes_nothing(ten_days: Store, condition: str) -> None:
    """A comparison that is turned round, or one of several, must not hide a file: its damage is met."""
    with pytest.warns(DamagedSegmentWarning):
        ten_days.sql("select * from spans where " + condition.replace("{}", SINCE.isoformat()))


MICRO = st.integers(-3, 3).map(lambda step: START + step * 1000)
NANOS = st.builds(lambda base, extra: base + extra, MICRO, st.integers(0, 999))
COMPARISON = st.sampled_from([">", ">=", "<", "<=", "="])


@pytest.fixture(scope="module")
def many_files(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Spans around one microsecond, a file each."""
    store = Store.open(tmp_path_factory.mktemp("many") / ".lmops")
    for place, ns in enumerate(range(START - 3500, START + 3500, 333)):
        store.load([span(f"t{place}", "s", start=ns)])
        if place == 12:
            store.compact(grace_s=0)
    return store


@settings(max_examples=60, deadline=None)
@given(one=NANOS, how=COMPARISON, other=NANOS, how_other=COMPARISON, joint=st.sampled_from(["and", "or"]))
def test_bounds_cut_no_row(many_files: Store, one: int, how: str, other: int, how_other: str, joint: str) -> None:
    """With files picked by time the answer is the answer over all files, down to the nanosecond."""
    condition = f"start_at {how} make_timestamptz($1) {joint} start_at {how_other} make_timestamptz($2)"
    micros = [one // 1000, other // 1000]
    pruned = many_files.sql(f"select span_id, trace_id from spans where {condition}", micros).fetchall()
    hidden = condition.replace("start_at", "(start_at + to_microseconds(0))")
    whole = many_files.sql(f"select span_id, trace_id from spans where {hidden}", micros).fetchall()
    assert sorted(pruned) == sorted(whole)
    exact = {row["trace_id"] for row in shown(many_files, "spans") if row["start_ns"] >= one}
    by_ns = many_files.sql("select trace_id from spans where start_ns >= ?", [one]).fetchall()
    assert {row[0] for row in by_ns} == exact


def test_the_tail_is_part_of_every_answer(store: Store) -> None:
    """Undrained rows are filtered like stored ones."""
    store.load(trace_of("old", start=START))
    store.append_many({"spans": trace_of("new", start=START + DAY)})
    assert store.sql("select count(*) from spans where start_at > ?", [at(START + DAY // 2)]).fetchall() == [(8,)]
    assert count(store) == 16


def test_show_tables_lists_the_views(store: Store) -> None:
    """Views are made when a query names them, yet the list of them is whole."""
    for query in ("show tables", " SHOW ALL TABLES;\n"):
        assert sorted(view_names()) == [row[0] for row in store.sql(query).fetchall()]


def test_a_pivot_needs_its_values(store: Store) -> None:
    """Without them it is several statements; the error says how to write it, and that works."""
    with pytest.raises(QueryError, match="pivot traces on status in") as caught:
        store.sql("pivot traces on status using count(*)")
    assert store.sql(str(caught.value).partition("name them: ")[2]).fetchall() == []


def test_a_plan_is_kept_only_where_it_bounds_nothing() -> None:
    """A question that is asked again with other times reads other files; one without times is planned once."""
    plan = planner().plan
    query = "select count(*) as traces from spans where start_at > ?"
    assert plan(query, [SINCE]).views["spans"] != plan(query, [UNTIL]).views["spans"]
    assert plan("select count(*) as traces from spans") is plan("select count(*) as traces from spans")
    assert set(plan("select count(*) as traces from spans").views) == {"spans"}


def test_a_column_that_is_called_as_a_view_makes_nobody_read_that_view() -> None:
    """What a query reads are the tables that it names, with a function's text too, and not the names of columns."""
    plan = planner().plan
    assert set(plan("select documents, tool_calls from results").views) == {"results"}
    assert set(plan("select * from results where exists (from spans) and false").views) >= {"spans"}
    assert "spans" in plan("select * from query_table('spans') where false").views
