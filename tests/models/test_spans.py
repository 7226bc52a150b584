"""Every call is one span, with its usage and its cost once."""

import asyncio
import json
import subprocess
import sys

import pytest
from opentelemetry import trace as otel_trace

from lmops.errors import ModelError
from lmops.models import _spans

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
ASK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Hello?"}, PICTURE]},
]


@pytest.fixture
def traced(ws, monkeypatch):
    """The workspace takes in the spans of this process; afterwards nothing traces again."""
    handle = ws.traces.instrument(set_global=False)
    monkeypatch.setattr(otel_trace, "_TRACER_PROVIDER", handle.provider)
    monkeypatch.setattr(_spans, "_tracer", None)

    def rows(columns, where="true", view="spans"):
        handle.flush()
        return ws.sql(f"select {columns} from {view} where {where} order by start_at, span_id").fetchall()

    return rows


def test_a_call_is_one_span_that_says_everything(ws, house, traced):
    """The columns that users ask by, the price, and the ids that the answer carries."""
    ws.models.set_price("house-1-0315", input_usd_per_mtok=1, output_usd_per_mtok=2)
    params = {"temperature": 0.5, "max_tokens": 9, "stop": "END", "seed": 3}
    found = ws.models.complete("house", ASK, params=params, prompt=("support-answer", 7))
    columns = (
        "name, kind, status, provider, requested_model, model, prompt_name, prompt_version, input_tokens, "
        "output_tokens, cached_input_tokens, reasoning_tokens, cost_usd, response_id, finish_reason, trace_id, span_id"
    )
    cost = (100 + 2 * 20) / 1e6
    assert traced(columns, view="llm_calls") == [(
        "chat house-1", "llm", "unset", "house", "house-1", "house-1-0315", "support-answer", "7", 100, 20, 64, 5,
        pytest.approx(cost), "chatcmpl-1", "stop", found.trace_id, found.span_id,
    )]  # fmt: skip  # what is expected is read at a glance
    assert found.cost_usd == pytest.approx(cost)
    ((said, answered, attributes),) = traced("input, output, attributes")
    assert [message["content"] for message in json.loads(said)] == ["Be brief.", "Hello?\n[image]"]
    assert "AAAA" not in said
    assert "Hello." in answered
    kept = json.loads(attributes)
    assert kept["gen_ai.request.temperature"] == 0.5
    assert kept["gen_ai.request.stop_sequences"] == ["END"]
    assert kept["openai.response.system_fingerprint"] == "fp_7"
    assert kept["server.port"] == int(house.url.split(":")[2].split("/")[0])


def test_a_call_hangs_below_the_span_around_it(ws, house, traced):
    """From any loop and from none, although the request runs in another thread."""
    import lmops

    with lmops.trace("outer"):
        ws.models.complete("house", ASK)
        asyncio.run(ws.models.acomplete("house", ASK))
        list(ws.models.stream("standin:ferry-1", "Hello?"))
    ((outer,),) = traced("span_id", "name = 'outer'")
    assert [row[0] for row in traced("parent_span_id", "kind = 'llm'")] == [outer] * 3


def test_attempts_that_failed_are_events_of_the_one_span(ws, house, kit, traced):
    """Three requests, one call, one cost."""
    busy = kit.reply({"error": {"message": "busy"}}, status=429, headers={"retry-after-ms": "5"})
    house.reply(busy, busy, kit.reply(kit.completion()))
    ws.models.complete("house", ASK)
    ((status, events),) = traced("status, events")
    assert status == "unset"
    events = json.loads(events)
    assert [event["name"] for event in events] == ["gen_ai.retry"] * 2
    assert events[0]["attributes"]["http.response.status_code"] == 429


def test_a_failed_call_is_an_error(ws, house, kit, traced):
    """Its type is our kind; what was wrong with the answer is in the message, and the answer beside it."""
    house.reply(kit.reply(kit.completion("four")))
    with pytest.raises(ModelError):
        ws.models.complete("house", ASK, response_schema={"type": "object"})
    ((status, kind, message, output, tokens),) = traced("status, error_type, error_message, output, input_tokens")
    assert (status, kind, tokens) == ("error", "bad_response", 100)
    assert "does not fit response_schema" in message
    assert "four" in output


def test_a_stream_says_when_its_first_piece_came(ws, house, kit, traced):
    """And what it used."""
    usage = {"prompt_tokens": 9, "completion_tokens": 3}
    house.reply(kit.reply(pieces=[kit.chunk("Hi."), kit.chunk(finish="stop"), kit.chunk(usage=usage)]))
    list(ws.models.stream("house", ASK))
    ((ttft, tokens),) = traced("ttft_ms, output_tokens")
    assert ttft > 0
    assert tokens == 3


def test_a_broken_stream_keeps_its_text_on_the_span_and_a_closed_one_is_no_error(ws, house, kit, traced):
    """The first is an error, the second was the reader's wish."""
    house.reply(kit.reply(pieces=[kit.chunk("Half")], is_cut=True))
    with pytest.raises(ModelError):
        list(ws.models.stream("house", ASK))
    house.reply(kit.reply(pieces=[kit.chunk("a")] * 20, piece_delay_s=0.05))
    with ws.models.stream("house", ASK) as stream:
        next(stream)
    rows = traced("status, error_type, output")
    assert [row[:2] for row in rows] == [("error", "connection"), ("unset", None)]
    assert "Half" in rows[0][2]


def test_an_answer_from_the_cache_is_no_call(ws, house, traced):
    """It is a span to be seen, and costs nothing: the sum over the calls is what was spent."""
    ws.models.set_price("house-1-0315", input_usd_per_mtok=1, output_usd_per_mtok=1)
    for _ in range(3):
        found = ws.models.complete("house", ASK, cache=True, prompt=("p", 1))
    assert traced("kind, prompt_name, is_call, cost_usd is null") == [
        ("llm", "p", True, False),
        ("chain", "p", False, True),
        ("chain", "p", False, True),
    ]
    assert found.span_id in {row[0] for row in traced("span_id")}
    assert ws.traces.stats(every=None).cost_usd.sum() == pytest.approx(120e-6)


def test_embeddings_are_calls_too(ws, house, kit, traced):
    """One span for each request."""
    house.reply(kit.reply({"data": [{"index": 0, "embedding": [1.0]}], "model": "v", "usage": {"prompt_tokens": 3}}))
    ws.models.embed("house", ["ab", "cd"], batch_size=1)
    rows = traced("kind, name, input, input_tokens, model, is_call")
    assert {row[2] for row in rows} == {"ab", "cd"}
    assert {(row[0], row[1], row[3], row[4], row[5]) for row in rows} == {
        ("embedding", "embeddings house-1", 3, "v", True)
    }


def test_the_stand_in_says_what_it_would_have_taken(ws, traced):
    """The latency of the record is measured; the simulated one is an attribute."""
    found = ws.models.complete("standin:ferry-1", "Hello?")
    ((provider, attributes),) = traced("provider, attributes")
    assert provider == "standin"
    assert json.loads(attributes)["lmops.standin.simulated_latency_ms"] > 280
    assert found.latency_ms != json.loads(attributes)["lmops.standin.simulated_latency_ms"]


def test_an_instrumentor_below_does_not_double_the_call(ws, house, kit, traced):
    """With OpenInference's instrumentor on the client, a call that was sent twice is still one call with one cost."""
    from openinference.instrumentation.openai import OpenAIInstrumentor

    ws.models.set_price("house-1-0315", input_usd_per_mtok=1, output_usd_per_mtok=1)
    house.reply(kit.reply({}, status=500, headers={"retry-after-ms": "5"}), kit.reply(kit.completion()))
    instrumentor = OpenAIInstrumentor()
    instrumentor.instrument(tracer_provider=otel_trace.get_tracer_provider())
    try:
        ws.models.complete("house", ASK, prompt=("p", 1))
    finally:
        instrumentor.uninstrument()
    assert traced("prompt_name, input_tokens, cost_usd", view="llm_calls") == [("p", 100, pytest.approx(120e-6))]
    assert ws.sql("select call_count, cost_usd from traces").fetchall() == [(1, pytest.approx(120e-6))]


def test_a_model_span_below_ours_is_the_one_call(ws, house, traced):
    """An instrumentor that does not look at the context: one call, told by the nesting and by the response's id."""
    from lmops.base.chat import Usage
    from lmops.models._records import Answer

    endpoint = ws.models._endpoints.resolve("house")
    used = Usage(input_tokens=10, output_tokens=5)
    with _spans.start("chat", endpoint) as outer:
        tracer = otel_trace.get_tracer_provider().get_tracer("other")
        with tracer.start_as_current_span("ChatCompletion") as inner:
            inner.set_attributes({
                "openinference.span.kind": "LLM", "llm.model_name": "house-1-0315", "llm.token_count.prompt": 10,
                "llm.token_count.completion": 5, "output.value": '{"id": "r1"}',
            })  # fmt: skip  # arguments that belong together share a line
        outer.answer(Answer(content="x", response_id="r1", model="house-1-0315", usage=used))
    assert traced("name, input_tokens", view="llm_calls") == [("ChatCompletion", 10)]


def test_without_tracing_there_are_no_spans():
    """In a process that installs nothing, the span of a call is None."""
    code = (
        "import lmops\n"
        "from lmops.models import _spans\n"
        "with lmops.open(':memory:') as ws:\n"
        "    found = ws.models.complete('standin:ferry-1', 'Hello?')\n"
        "    print(found.trace_id, _spans.start('chat', ws.models._endpoints.resolve('standin:ferry-1')))\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("None None", "")
