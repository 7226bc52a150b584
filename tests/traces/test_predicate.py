"""The search language: what each expression finds, and what is refused."""

from __future__ import annotations

import json

import duckdb
import pytest

from lmops.errors import QueryError
from lmops.store._whole import MACROS
from lmops.traces._predicate import compile_predicate

TRACE_COLUMNS = {
    "trace_id": "VARCHAR", "name": "VARCHAR", "start_at": "TIMESTAMPTZ", "latency_ms": "DOUBLE", "status": "VARCHAR",
    "error_type": "VARCHAR", "models": "VARCHAR[]", "cost_usd": "DOUBLE", "input": "VARCHAR", "is_orphan": "BOOLEAN",
}  # fmt: skip  # keys that belong together share a line
SPAN_COLUMNS = {
    "trace_id": "VARCHAR", "span_id": "VARCHAR", "name": "VARCHAR", "kind": "VARCHAR", "status": "VARCHAR",
    "latency_ms": "DOUBLE", "model": "VARCHAR", "tool_name": "VARCHAR", "input": "VARCHAR", "attributes": "VARCHAR",
    "resource": "VARCHAR", "start_ns": "BIGINT",
}  # fmt: skip  # keys that belong together share a line

TRACES = [
    ("t1", "ask", "2026-01-01 00:00:00+00", 100.0, "ok", None, ["gpt-5-mini"], 0.01, "refund please", False),
    ("t2", "ask", "2026-01-02 00:00:00+00", 3000.0, "error", "Timeout", ["gpt-5"], None, "it's late", False),
    ("t3", "job", "2026-01-03 00:00:00+00", 500.0, "ok", None, ["gpt-5", "claude"], 0.5, None, True),
    ("t4", "job", "2026-01-04 00:00:00+00", 50.0, "ok", None, [], None, "", False),
]
SPANS = [
    ("t1", "a", "ask", "chain", "ok", 100.0, None, None, "x", {}, {"k8s.pod": "p1"}, 1),
    ("t1", "b", "call", "llm", "ok", 80.0, "gpt-5-mini", None, "x", {"retry.count": 2, "env": "prod"}, {}, 2),
    ("t2", "a", "ask", "chain", "error", 3000.0, None, None, "x", {"retry.count": 5, "flag": True, "empty": ""}, {}, 3),
    ("t2", "b", "look", "tool", "error", 2500.0, None, "lookup", "x", {"retry.count": "7"}, {}, 4),
    ("t3", "a", "job", "tool", "ok", 400.0, None, "search", "x", {"we\"ird/k~y's": "1", "env": "test"}, {}, 5),
    ("t3", "b", "job", "llm", "error", 1.0, "claude", None, None, {"n": {"m": "deep"}}, {}, 6),
    ("t4", "a", "job", "chain", "ok", 50.0, None, None, None, {"retry.count": "many"}, {}, 7),
]


@pytest.fixture(scope="module")
def connection():
    con = duckdb.connect()
    con.execute("set TimeZone = 'UTC'")
    for macro in MACROS:
        con.execute(macro)
    for name, columns, rows in (("traces", TRACE_COLUMNS, TRACES), ("spans", SPAN_COLUMNS, SPANS)):
        con.execute(f"create table {name} ({', '.join(f'{k} {v}' for k, v in columns.items())})")
        marks = ", ".join("?" * len(columns))
        for row in rows:
            values = [json.dumps(v) if isinstance(v, dict) else v for v in row]
            con.execute(f"insert into {name} values ({marks})", values)
    yield con
    con.close()


def compiled(where, **options):
    return compile_predicate(where, trace_columns=TRACE_COLUMNS, span_columns=SPAN_COLUMNS, **options)


def found(con, where, **options):
    sql = compiled(where, **options).sql
    return " ".join(row[0] for row in con.execute(f"select trace_id from traces t where {sql} order by 1").fetchall())


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        (None, "t1 t2 t3 t4"),
        ("  ", "t1 t2 t3 t4"),
        # columns of the trace
        ("status = 'error' and latency_ms > 2000", "t2"),
        ("status = 'error' or cost_usd >= 0.5", "t2 t3"),
        ("STATUS = 'ok' and not is_orphan", "t1 t4"),
        ("latency_ms between 100 and 500", "t1 t3"),
        ("latency_ms not between 100 and 500", "t2 t4"),
        ("cost_usd is null", "t2 t4"),
        ("error_type is not null", "t2"),
        ("name in ('ask', 'x')", "t1 t2"),
        ("name not in ('ask', 'x')", "t3 t4"),
        ("input like '%it''s%' or input ilike 'REFUND%'", "t1 t2"),
        ("input not like 'r%'", "t2 t4"),
        ("input = ''", "t4"),
        ("start_at >= '2026-01-03'", "t3 t4"),
        ("start_at < timestamptz '2026-01-02 00:00:00+00' + interval 1 day", "t1 t2"),
        ("latency_ms / 1000 > 2 -- slow", "t2"),
        ("length(input) > 9 and lower(name) = 'ask'", "t1"),
        ("-latency_ms < -400", "t2 t3"),
        ("case when status = 'error' then 0 else latency_ms end > 400", "t3"),
        ("cost_usd > 1e-3 and cost_usd < 2.5e-1", "t1"),
        ("is_orphan = true", "t3"),
        ("true", "t1 t2 t3 t4"),
        ("trace.status = 'ok' and trace.latency_ms < 60", "t4"),
        # models
        ("model = 'gpt-5'", "t2 t3"),
        ("model like 'gpt%'", "t1 t2 t3"),
        ("model in ('claude', 'gpt-5-mini')", "t1 t3"),
        ("not model = 'gpt-5'", "t1 t4"),
        ("not attributes['retry.count'] > 3", "t1 t3 t4"),
        ("model != 'gpt-5'", "t1 t3"),
        ("model is null", "t4"),
        ("'claude' in models", "t3"),
        ("'claude' not in models", "t1 t2 t4"),
        ("models[1] = 'gpt-5' and len(models) = 2", "t3"),
        ("list_has_any(models, ['claude', 'x'])", "t3"),
        # spans
        ("kind = 'tool'", "t2 t3"),
        ("not kind = 'tool'", "t1 t4"),
        ("tool_name is null", "t1 t4"),
        ("tool_name is not null and latency_ms < 1000", "t3"),
        ("tool_name not in ('lookup')", "t1 t3 t4"),
        ("kind = 'tool' or name = 'job'", "t2 t3 t4"),
        ("any_span.kind = 'tool' and any_span.status = 'error'", "t2 t3"),
        ("span.kind = 'tool' and span.status = 'error'", "t2"),
        ("span.kind = 'tool' and not span.status = 'error'", "t3"),
        ("span.kind = 'llm' and status = 'ok' and span.status = 'ok'", "t1"),
        ("not span.status = 'error'", "t1 t4"),
        ("span.kind = 'llm' and (span.status = 'error' or span.latency_ms > 1000)", "t3"),
        ("span.latency_ms > 0.8 * latency_ms and span.kind = 'tool'", "t2"),
        ("span.latency_ms >= 0.8 * latency_ms", "t1 t2 t3 t4"),
        ("span.name = 'look'", "t2"),
        # attributes
        ("attributes['retry.count'] > 3", "t2"),
        ("attributes['retry.count'] = 7", "t2"),
        ("attributes['retry.count'] = '5'", "t2"),
        ("attributes['retry.count'] between 1 and 3", "t1"),
        ("attributes['retry.count'] in (2, 5)", "t1 t2"),
        ("attributes['retry.count'] + 1 = 3", "t1"),
        ("abs(attributes['retry.count']) = 2", "t1"),
        ("cast(attributes['retry.count'] as bigint) = 2", "t1"),
        ("attributes['retry.count']::int = 2", "t1"),
        ("attributes['retry.count'] is null", "t3"),
        ("attributes['retry.count'] is not null", "t1 t2 t4"),
        ("attributes['env'] = 'prod'", "t1"),
        ("attributes['env'] != 'prod'", "t3"),
        ("not attributes['env'] = 'prod'", "t2 t3 t4"),
        ("attributes['env'] like 'p%' or attributes['env'] ilike 'TE%'", "t1 t3"),
        ("attributes['env'] = ''", ""),
        ("attributes['empty'] = ''", "t2"),
        ("attributes['flag'] = true", "t2"),
        ("attributes['missing'] = attributes['missing']", ""),
        ("attributes.retry.count > 3", "t2"),
        ("attributes->>'env' = 'prod'", "t1"),
        ("attributes['we\"ird/k~y''s'] = '1'", "t3"),
        ("attributes['n']['m'] = 'deep'", "t3"),
        ("resource['k8s.pod'] = 'p1'", "t1"),
        ("attributes like '%retry%'", "t1 t2 t4"),
        ("coalesce(attributes['env'], 'none') = 'none'", "t1 t2 t3 t4"),
        ("span.attributes['retry.count'] > 3 and span.kind = 'chain'", "t2"),
        ("span.attributes['retry.count'] > 6 and span.kind = 'chain'", ""),
        ("attributes['retry.count'] > 3 or model = 'claude' or status = 'x'", "t2 t3"),
        ("(kind = 'tool' and not (attributes['env'] = 'test' or status = 'x'))", "t2"),
    ],
)
def test_finds(connection, where, ids):
    """The expression finds these traces."""
    assert found(connection, where) == ids


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("statu = 'error'", "no column of traces or spans named 'statu'; did you mean 'status'"),
        ("status = error", "text goes in single quotes"),
        ("span.tol_name = 'x'", "no column of span named 'tol_name'; did you mean 'tool_name'"),
        ("trace.kind = 'x'", "no column of trace named 'kind'"),
        ("sapn.kind = 'x'", "did you mean 'span.'"),
        ("rowid = 1", "no column"),
        ("status = 'x' limit 1", "cannot read the search"),
        ("status = 'x' group by 1", "cannot read the search"),
        ("1=1) or (1=1 --", "cannot read the search"),
        ("1=1) or (1=1 /*", "cannot read the search"),
        ("true); drop table traces; --", "cannot read the search"),
        ("true; drop table traces", "cannot read the search"),
        ("true union select 1", "cannot read the search"),
        ("status = 'it's'", "cannot read the search"),
        ("status = ", "cannot read the search"),
        ("status = 'x', 1", "cannot read the search"),
        ("trace_id in (select trace_id from spans)", "a subquery is not allowed"),
        ("exists (select 1)", "a subquery is not allowed"),
        ("'a' = any(models)", "a subquery is not allowed"),
        ("status = ?", "a parameter"),
        ("status = $1", "a parameter"),
        ("sum(latency_ms) > 1", "no function named 'sum'"),
        ("count(*) > 1", "no function named 'count_star'"),
        ("sum(latency_ms) over () > 1", "a window function is not allowed"),
        ("read_text('/etc/passwd') = 'x'", "no function named 'read_text'"),
        ("getenv('HOME') = 'x'", "no function named 'getenv'"),
        ("lowr(name) = 'x'", "did you mean 'lower'"),
        ("list_filter(models, lambda m: true) = models", "not"),
        ("cast(status as json) = 'x'", "type for a cast"),
        ("status", "stands alone"),
        ("latency_ms and true", "stands alone"),
        ("attributes['x']", "a value stands alone"),
        ("not attributes['x']", "a value stands alone"),
        ("5", "stands alone"),
        ("latency_ms > 'slow'", "latency_ms is a number; 'slow' is not"),
        ("status['k'] = 1", "takes the name of an attribute"),
        ("attributes[1] = 1", "takes the name of an attribute"),
        ("model = kind", "write span.model"),
        ("status collate nocase = 'x'", "collate is not allowed"),
        ("not " * 70 + "true", "nested more than 60"),
        ("true or " * 4000 + "true", "at most 20,000"),
        ("status = 'a\0b'", "NUL"),
    ],
)
def test_refuses(where, message):
    """What is not one safe condition is refused, with the reason."""
    with pytest.raises(QueryError) as caught:
        compiled(where)
    assert message in str(caught.value)


def test_constants_stay_text(connection):
    """A hostile constant is only ever a constant."""
    hostile = "x'') or true --\\"
    assert found(connection, f"name = '{hostile}'") == ""
    assert found(connection, f"attributes['{hostile}'] = '{hostile}'") == ""


def test_span_bounds_reach_every_question_about_spans(connection):
    """The caller's time range is added inside the subqueries, also the correlated one."""
    bounds = {"span_bounds_sql": "s.start_ns < 4"}
    assert found(connection, "kind = 'tool'", **bounds) == ""
    assert found(connection, "kind = 'chain' and not tool_name = 'search'", **bounds) == "t1 t2"
    assert found(connection, "span.latency_ms > 0.8 * latency_ms and span.kind = 'tool'", **bounds) == ""
    assert compiled("status = 'ok'", **bounds).sql == "(t.\"status\" = 'ok')"


def test_columns_used():
    """The compiled predicate says which columns it reads."""
    predicate = compiled("status = 'x' or attributes['k'] = 1 or span.latency_ms > 2")
    assert predicate.trace_columns == {"status"}
    assert predicate.span_columns == {"attributes", "latency_ms"}
    assert predicate.touches_spans
    assert not compiled("model = 'x'").touches_spans
