"""``ws.traces`` end to end on the sample traffic and on hand-made requests."""

import gzip
import io
import json
from datetime import timedelta

import pytest

import lmops
from lmops.sample import data_dir

from .otlp_builders import request_json, span_json

T0 = 1_794_000_000_000_000_000


def span(trace=1, number=1, parent=None, start=0, ms=10, **attributes):
    """Return one OTLP/JSON span; ``kind`` is a gen_ai operation name."""
    pairs = [{"key": key.replace("__", "."), "value": value_of(value)} for key, value in attributes.items()]
    begun = T0 + start * 1_000_000
    found = {
        "traceId": f"{trace:032x}", "spanId": f"{number:016x}", "name": f"span {number}", "kind": 1,
        "startTimeUnixNano": str(begun), "endTimeUnixNano": str(begun + ms * 1_000_000), "attributes": pairs,
    }  # fmt: skip  # keys that belong together share a line
    return found | ({"parentSpanId": f"{parent:016x}"} if parent else {})


def value_of(value):
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}


def call(trace=1, number=1, parent=None, start=0, model="gpt-4o-mini", tokens=(1000, 200), **attributes):
    """Return a model call."""
    base = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": model,
        "gen_ai.usage.input_tokens": tokens[0],
        "gen_ai.usage.output_tokens": tokens[1],
    }
    return span(trace, number, parent, start, **base, **attributes)


def request(*spans):
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}).encode()


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    with lmops.open(tmp_path_factory.mktemp("sample") / "store") as ws:
        ws.traces.ingest(str(data_dir() / "traces" / "*.jsonl.gz"))
        yield ws


def test_the_same_file_twice_adds_nothing(ws, tmp_path):
    """A second ingest finds every span there and says so."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(request(span(number=1), call(number=2, parent=1)) + b"\n")
    assert (first := ws.traces.ingest(path)).spans == 2
    again = ws.traces.ingest(path)
    assert (first.duplicates, again.spans, again.traces, again.duplicates) == (0, 0, 0, 2)
    assert ws.sql("select span_count, call_count from traces").fetchall() == [(2, 1)]


def test_every_kind_of_source_reads(ws, tmp_path):
    """Bytes, gzip, file objects, lists and globs are sources."""
    (tmp_path / "one.json").write_bytes(request(span(trace=1)))
    (tmp_path / "two.json.gz").write_bytes(gzip.compress(request(span(trace=2))))
    assert ws.traces.ingest([tmp_path / "one.json", str(tmp_path / "*.gz")]).files == 2
    assert ws.traces.ingest(request(span(trace=3))).traces == 1
    assert ws.traces.ingest(io.BytesIO(request(span(trace=4)))).traces == 1
    assert ws.sql("select count(*) from traces").fetchall() == [(4,)]


def test_bad_sources_are_named(ws, tmp_path):
    """A missing file, a folder and a text file object say what would work."""
    with pytest.raises(lmops.NotFoundError, match=r"no file matches .*nothing"):
        ws.traces.ingest(tmp_path / "nothing*.json")
    with pytest.raises(lmops.UsageError, match=r"is a folder; .*\*\.jsonl\.gz"):
        ws.traces.ingest(tmp_path)
    with pytest.raises(lmops.UsageError, match=r"is a folder; .*\*\.jsonl\.gz"):
        ws.traces.ingest(f"{tmp_path}*")
    with pytest.raises(lmops.UsageError, match="binary mode"):
        ws.traces.ingest(io.StringIO("{}"))
    with pytest.raises(lmops.UsageError, match="no format 'csv'"):
        ws.traces.ingest(b"", format="csv")


def test_bad_records_are_rejected_with_their_place(ws, tmp_path):
    """What can be read is kept; the rest is listed with line and reason."""
    path = tmp_path / "mixed.jsonl"
    path.write_bytes(request(span(trace=1)) + b"\n{broken\n" + request(span(trace=2)) + b"\n")
    report = ws.traces.ingest(path)
    assert (report.spans, report.rejected_count) == (2, 1)
    assert report.rejected[0][0] == "mixed.jsonl:2"


def test_on_error_raise_keeps_nothing_of_the_file(ws, tmp_path):
    """One bad line stops its file before anything of it is stored."""
    path = tmp_path / "mixed.jsonl"
    path.write_bytes(request(span(trace=1)) + b"\n{broken\n")
    with pytest.raises(lmops.IngestError, match=r"mixed\.jsonl:2"):
        ws.traces.ingest(path, on_error="raise")
    assert ws.sql("select count(*) from spans").fetchall() == [(0,)]


def test_calls_are_counted_once(ws):
    """A model span above another model span is a wrapper; the same response in another trace is the same call."""
    twin = {"gen_ai.response.id": "resp-1"}
    ws.traces.ingest(request(call(1, 1), call(1, 2, parent=1, **twin), call(2, 1, start=1, **twin)))
    rows = ws.sql("select trace_id, span_id, duplicate_span_ids from llm_calls").fetchall()
    assert rows == [(f"{1:032x}", f"{2:016x}", [f"{2:032x}:{1:016x}"])]
    assert ws.sql("select sum(input_tokens), sum(call_count) from traces").fetchall() == [(1000, 1)]


def test_unknown_models_are_unpriced_until_a_price_is_set(ws):
    """Their cost is NULL and counted; set_price puts it on the calls stored before and into the audit chain."""
    ws.traces.ingest(request(call(1, 1, model="harbour-1"), call(2, 1, model="gpt-4o-mini")))
    query = "select cost_usd, unpriced_calls from traces order by trace_id"
    assert ws.sql(query).fetchall() == [(None, 1), (pytest.approx(0.00027), 0)]
    assert ws.models.set_price("harbour-1", input_usd_per_mtok=1, output_usd_per_mtok=2) == 1
    assert ws.sql(query).fetchall() == [(pytest.approx(0.0014), 0), (pytest.approx(0.00027), 0)]
    assert ws.audit.events().action.tolist() == ["price.set"]


def test_a_new_price_leaves_older_calls_alone(ws):
    """A price is dated; without a date a second one is refused."""
    ws.traces.ingest(request(call(1, 1, model="harbour-1"), call(2, 1, start=86_400_000, model="harbour-1")))
    ws.models.set_price("harbour-1", input_usd_per_mtok=1, output_usd_per_mtok=0)
    with pytest.raises(lmops.UsageError, match="needs valid_from"):
        ws.models.set_price("harbour-1", input_usd_per_mtok=9, output_usd_per_mtok=0)
    later = ws.sql("select max(start_at) from spans").fetchall()[0][0]
    assert ws.models.set_price("harbour-1", input_usd_per_mtok=9, output_usd_per_mtok=0, valid_from=later) == 1
    assert ws.sql("select cost_usd from traces order by start_at").fetchall() == [(0.001,), (0.009,)]


@pytest.mark.parametrize("price", [-1, float("nan"), "1"])
def test_a_price_that_is_none_is_refused(ws, price):
    """Negative, NaN and text are not prices."""
    with pytest.raises(lmops.UsageError, match="is not a price"):
        ws.models.set_price("m", input_usd_per_mtok=price, output_usd_per_mtok=1)


def test_renormalise_changes_nothing_when_the_table_is_the_same(sample):
    """Reading every stored span again gives the same rows."""
    query = "select count(*), sum(cost_usd), sum(input_tokens) from llm_calls"
    before = sample.sql(query).fetchall()[0]
    assert sample.traces.renormalise() == 0
    assert sample.sql(query).fetchall()[0] == pytest.approx(before)


def test_search_lists_traces(sample):
    """Conditions on traces and on spans, ranges, orders and limits."""
    latest = sample.traces.search(limit=7)
    assert len(latest) == 7
    assert latest.start_at.is_monotonic_decreasing
    failing = sample.traces.search("tool_name is not null and status = 'error'", limit=None)
    assert 0 < len(failing) < 40
    week = sample.traces.search(last="7d", limit=None)
    assert 0 < len(week) < 2000
    assert week.start_at.min() >= latest.start_at.max() - timedelta(days=7)
    dearest = sample.traces.search(order="cost_usd desc", limit=5)
    assert dearest.cost_usd.is_monotonic_decreasing
    assert dearest.cost_usd[0] == sample.sql("select max(cost_usd) from traces").fetchall()[0][0]


@pytest.mark.parametrize("where", [None, "status = 'error'", "kind = 'tool'", "attributes['lmops.none'] = 'x'"])
def test_the_newest_rows_first_gives_what_a_full_scan_gives(sample, where):
    """The windows of the default order change no answer."""
    limited = sample.traces.search(where, limit=25)
    everything = sample.traces.search(where, limit=None)
    assert limited.trace_id.tolist() == everything.trace_id.tolist()[:25]


def test_a_mistake_in_a_search_names_the_nearest(sample):
    """Columns, orders, durations and times that do not exist say what would."""
    with pytest.raises(lmops.QueryError, match="did you mean 'latency_ms'"):
        sample.traces.search("latencyms > 3")
    with pytest.raises(lmops.UsageError, match="did you mean 'cost_usd'"):
        sample.traces.search(order="cost desc")
    with pytest.raises(lmops.UsageError, match="not a duration"):
        sample.traces.search(last="7 days ago")
    with pytest.raises(lmops.UsageError, match="is not a time"):
        sample.traces.search(since="yesterday")
    with pytest.raises(lmops.UsageError, match="not both"):
        sample.traces.search(last="7d", since="2026-01-01")


def test_get_finds_a_trace_by_the_start_of_its_id(sample):
    """A whole id, an unambiguous start, and clear errors for none and for several."""
    trace_id = sample.traces.search(limit=1).trace_id[0]
    trace = sample.traces.get(trace_id[:20])
    assert trace.trace_id == trace_id
    assert (
        len(trace.spans) == sample.sql("select span_count from traces where trace_id = ?", [trace_id]).fetchall()[0][0]
    )
    with pytest.raises(lmops.NotFoundError, match="no trace whose id starts with"):
        sample.traces.get("zz")
    with pytest.raises(lmops.NotFoundError, match="more than 5 traces start"):
        sample.traces.get(trace_id[0])


def test_stats_add_up(sample):
    """Groups and intervals are parts of the same whole; intervals hold the rate."""
    whole = sample.traces.stats(every=None).iloc[0]
    assert whole.traces == 2000
    daily = sample.traces.stats(every="1d")
    assert len(daily) == 14
    assert daily.traces.sum() == 2000
    assert daily.cost_usd.sum() == pytest.approx(whole.cost_usd)
    models = sample.traces.stats(by="model", every=None)
    assert models.calls.sum() == whole.calls
    assert models.unpriced_calls.sum() == whole.unpriced_calls > 0
    assert ((models.error_rate_low <= models.error_rate) & (models.error_rate <= models.error_rate_high)).all()


def test_stats_refuse_what_they_cannot_group_by(sample):
    """An unknown grouping names the nearest; an interval must be whole."""
    with pytest.raises(lmops.UsageError, match="did you mean 'model'"):
        sample.traces.stats(by="models")
    with pytest.raises(lmops.UsageError, match=r"every='1\.5d'"):
        sample.traces.stats(every="1.5d")


def test_weeks_begin_on_monday_in_utc(ws):
    """Buckets are aligned to the calendar, not to the first trace."""
    ws.traces.ingest(request(span(trace=1)))
    assert ws.traces.stats(every="1w").bucket[0].weekday() == 0
    day = ws.traces.stats(every="1d").bucket[0]
    assert (day.hour, day.minute) == (0, 0)


def test_the_documented_columns_are_there(ws):
    """Users rely on these names."""
    wanted = {
        "spans": "trace_id span_id parent_span_id name kind start_at end_at latency_ms status error_type error_message "
        "service environment session_id user_id provider requested_model model prompt_name prompt_version input output "
        "input_tokens output_tokens cached_input_tokens cache_write_input_tokens reasoning_tokens cost_usd "
        "reported_cost_usd response_id finish_reason ttft_ms tool_name index_fingerprint attributes events resource "
        "dialect scope normaliser_version",
        "traces": "trace_id name start_at latency_ms status error_type error_message span_count call_count models "
        "prompt_refs input_tokens output_tokens cost_usd unpriced_calls session_id user_id service environment input "
        "output is_orphan",
        "llm_calls": "trace_id span_id model cost_usd cost_source duplicate_span_ids",
        "tool_calls": "trace_id span_id tool_name arguments result latency_ms status error_type",
        "retrieved_documents": "trace_id span_id rank document_id score content metadata index_fingerprint",
    }
    for view, names in wanted.items():
        assert set(names.split()) <= set(ws.sql(f"select * from {view}").columns), view


def test_a_cost_says_where_it_comes_from(ws):
    """Computed from a price, reported by the client, or not known."""
    reported = {"gen_ai.usage.cost": 0.25}
    ws.traces.ingest(
        request(
            call(1, 1, model="gpt-4o-mini"), call(2, 1, model="harbour-1", **reported), call(3, 1, model="harbour-1")
        )
    )
    found = ws.sql("select cost_source from llm_calls order by trace_id").fetchall()
    assert found == [("computed",), ("reported",), (None,)]


def test_a_failed_call_with_usage_may_have_cost_something(ws):
    """It is unpriced when its model is unknown; a failed call without usage is not."""
    failed = {"status": {"code": 2, "message": "cut off"}}
    bare = span(2, 1, **{"gen_ai.operation.name": "chat", "gen_ai.request.model": "harbour-1"}) | failed
    ws.traces.ingest(request(call(1, 1, model="harbour-1") | failed, bare))
    assert ws.sql("select unpriced_calls from traces order by trace_id").fetchall() == [(1,), (0,)]
    assert ws.traces.stats(by="model", every=None).unpriced_calls.tolist() == [1]


def test_a_log_without_times_has_no_latency(ws):
    """Made-up times keep the order of the turns; how long they took is unknown, and is shown as that."""
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "yes"},
        {"role": "tool", "content": "x"},
    ]
    ws.traces.ingest(json.dumps({"messages": turns}).encode(), format="chat-jsonl")
    assert ws.sql("select count(latency_ms), count(*) from traces").fetchall() == [(0, 1)]
    assert ws.sql("select count(latency_ms) from spans").fetchall() == [(0,)]
    trace = ws.traces.get(ws.traces.search()["trace_id"].iloc[0])
    assert "no times" in trace.text.splitlines()[0]
    assert " ms" not in trace.text
    assert trace.known_duration_ms is None
    assert {span.known_latency_ms for span in trace.spans} == {None}


def test_a_failed_call_that_two_instrumentations_saw_is_one(ws):
    """Its request id, which both say in what went wrong, tells it; two requests that failed alike are two."""
    said = "Error code: 529 - {{'type': 'error', 'request_id': '{}'}}"
    calls = [
        ("req_011CSHoEeqs5C35K2UUqR7Fy", "one"),
        ("req_011CSHoEeqs5C35K2UUqR7Fy", "other"),
        ("req_012CSHo1", "one"),
    ]
    for number, (request, scope) in enumerate(calls, 1):
        span = span_json(
            {"gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-sonnet-4-5"},
            number=number,
            traceId=f"{number:032x}",
            status={"code": 2, "message": said.format(request)},
        )
        ws.traces.ingest(json.dumps(request_json(span, scope=scope)).encode(), progress=False)

    assert ws.sql("select count(*) as n from llm_calls").df()["n"].tolist() == [2]
