"""What ``/metrics`` says: the calls that were stored, in OpenMetrics as its own parser reads it, to whom may ask."""

from __future__ import annotations

import http.client
import json

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from lmops.collector import Collector
from lmops.collector._calls import Calls
from lmops.collector._openmetrics import CONTENT_TYPE, render
from lmops.store import Store
from tests.store.helpers import llm, span
from tests.traces.otlp_builders import request_json, span_json

SENT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 30}


def samples(text):
    """Return what a text says: (name, model, bucket) to value."""
    return {
        (one.name, one.labels.get("gen_ai_response_model"), one.labels.get("le")): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def counted(calls, name="lmops_llm_calls_total", model="m"):
    return samples(render(calls.families())).get((name, model, None))


def ask(collector, method="GET", path="/metrics", body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", collector.port, timeout=10)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response, response.read().decode()
    finally:
        connection.close()


@pytest.fixture
def collector(tmp_path):
    with Store.open(tmp_path / ".lmops") as store, Collector(store, port=0) as running:
        yield running


def test_what_is_posted_is_counted(collector):
    """A call shows with its tokens, its duration, its labels and an exemplar; so does what waits to be filed."""
    body = json.dumps(request_json(span_json(SENT)))
    ask(collector, "POST", "/v1/traces", body, **{"Content-Type": "application/json"})
    response, text = ask(collector)
    found = samples(text)
    assert (response.status, response.headers["Content-Type"]) == (200, CONTENT_TYPE)
    assert found["gen_ai_client_inference_usage_input_tokens_total", "m", None] == 30
    assert found["gen_ai_client_inference_duration_seconds_bucket", "m", "0.16"] == 0
    assert found["gen_ai_client_inference_duration_seconds_bucket", "m", "0.32"] == 1
    assert found["lmops_llm_unpriced_calls_total", "m", None] == 1
    assert (found["lmops_collector_spans_total", None, None], found["lmops_inbox_rows", None, None]) == (1, 1)
    assert 'service_name="shop"' in text
    assert 'trace_id="0af7651916cd43dd8448eb211c80319c"' in text


def test_what_nobody_said_is_not_there(collector):
    """Output tokens and costs that no call reported are missing, not 0."""
    body = json.dumps(request_json(span_json(SENT)))
    ask(collector, "POST", "/v1/traces", body, **{"Content-Type": "application/json"})
    names = {name for name, _, _ in samples(ask(collector)[1])}
    assert not names & {"gen_ai_client_inference_usage_output_tokens_total", "lmops_llm_cost_usd_total"}


def test_no_label_names_a_person_or_a_trace():
    """Who asked and in which trace stands in no label."""
    calls = Calls()
    calls.add([llm("t", "a", user_id="mara", session_id="s")])
    families = text_string_to_metric_families(render(calls.families()))
    known = {"gen_ai_operation_name", "gen_ai_response_model", "le"}
    assert {name for family in families for one in family.samples for name in one.labels} == known


@pytest.mark.parametrize(("headers", "status"), [({}, 401), ({"Authorization": "Bearer s3cret"}, 200)])
def test_a_token_is_asked_here_as_well(tmp_path, headers, status):
    """What was received is for whoever may send."""
    with Store.open(tmp_path / ".lmops") as store, Collector(store, port=0, token="s3cret") as running:
        assert ask(running, **headers)[0].status == status


@pytest.mark.parametrize("headers", [{"Host": "attacker.example"}, {"Origin": "http://attacker.example"}])
def test_a_web_page_is_refused(collector, headers):
    """Without a token only this machine asks."""
    assert ask(collector, **headers)[0].status == 403


@pytest.mark.parametrize(("order", "is_together"), [((0, 1, 2), True), ((2, 1, 0), True), ((0, 1, 2), False)])
def test_a_wrapper_does_not_count_beside_its_call(order, is_together):
    """Whether they come in one request or in several; a call ends, and is sent, before what is around it."""
    rows = [llm("t", "call", "step"), span("t", "step", "wrapper"), llm("t", "wrapper")]
    calls = Calls()
    sent = [rows[place] for place in order]
    for piece in [sent] if is_together else [[row] for row in sent]:
        calls.add(piece)
    assert (counted(calls), counted(calls, "lmops_llm_cost_usd_total")) == (1, 0.001)


def test_what_is_sent_again_counts_once():
    """A client that had no answer repeats its request."""
    calls = Calls()
    for _ in range(3):
        calls.add([llm("t", "a"), llm("t", "b", status="error")])
    assert (counted(calls), counted(calls, "lmops_llm_errors_total")) == (2, 1)


def test_one_call_of_two_instrumentations_counts_once():
    """The same response, told twice."""
    calls = Calls()
    calls.add([llm("t", name, response_id="r", scope=name) for name in ("a", "b")])
    assert counted(calls) == 1


def test_sets_of_labels_are_bounded_and_nothing_is_lost():
    """What is beyond the bound counts under one more set, and a metric says how often."""
    calls = Calls(most=2)
    calls.add([llm("t", f"s{number}", model=f"model-{number}") for number in range(5)])
    found = samples(render(calls.families()))
    by_model = {model: value for (name, model, _), value in found.items() if name == "lmops_llm_calls_total"}
    assert sorted(by_model.values()) == [1, 1, 3]
    assert by_model["_overflow"] == found["lmops_llm_overflow_calls_total", None, None] == 3


def test_what_is_remembered_is_bounded():
    """A receiver that runs for months does not grow."""
    calls = Calls(remembered=10)
    for number in range(100):
        calls.add([llm("t", f"s{number}", "root")])
    assert len(calls._settled) == 10
    assert counted(calls) == 100


@pytest.mark.parametrize("model", ['a"b\\c\nd', "x" * 5000, "\ud800", "é\u202e", ""])
def test_hostile_names_stay_values_of_labels(model):
    """Quotes, ends of lines and broken text come back from the parser as they went in, cut to a bound."""
    calls = Calls()
    calls.add([llm("t", "a", model=model)])
    text = render(calls.families()).encode().decode()
    said = {one[1] for one in samples(text) if one[0] == "lmops_llm_calls_total"}
    assert said == {model[:120].replace("\ud800", "?")}


def test_odd_numbers_do_not_break_a_counter():
    """A counter never falls and is never NaN, whatever a client says."""
    calls = Calls()
    for number, amount in enumerate([float("nan"), -5, float("inf"), 2]):
        calls.add([llm("t", f"s{number}", input_tokens=amount, latency_ms=amount, cost_usd=amount)])
    assert counted(calls, "gen_ai_client_inference_usage_input_tokens_total") == 2
    assert counted(calls, "gen_ai_client_inference_duration_seconds_count") == 1


def test_the_same_is_counted_as_the_store_answers(tmp_path):
    """Over many traces, sent in pieces, the calls are those of ``llm_calls``."""
    rows = [
        row
        for number in range(30)
        for row in (
            llm(f"t{number}", "in", "mid"),
            span(f"t{number}", "mid", "out"),
            llm(f"t{number}", "out"),
            llm(f"t{number}", "other", "mid", response_id=f"r{number}"),
        )
    ]
    calls = Calls()
    with Store.open(tmp_path / ".lmops") as store:
        for at in range(0, len(rows), 7):
            store.append_many({"spans": rows[at : at + 7], "logs": []})
            calls.add(rows[at : at + 7])
        stored = store.sql("select count(*), sum(input_tokens) from llm_calls").fetchall()[0]
    assert (counted(calls), counted(calls, "gen_ai_client_inference_usage_input_tokens_total")) == stored


def test_the_time_to_the_first_token_is_counted_where_it_is_said():
    """In a histogram of its own, with its own buckets; a call that does not stream is in none."""
    calls = Calls()
    calls.add([llm("t1", "a", model="m", ttft_ms=300.0), llm("t2", "a", model="m"), llm("t3", "a", model="other")])
    text = render(calls.families())
    found = samples(text)
    name = "gen_ai_client_inference_time_to_first_token_seconds"
    assert (found[f"{name}_bucket", "m", "0.25"], found[f"{name}_bucket", "m", "0.5"]) == (0, 1)
    assert (found[f"{name}_count", "m", None], found[f"{name}_sum", "m", None]) == (1, 0.3)
    assert (f"{name}_count", "other", None) not in found
