"""OTLP protobuf to the store on one core, beside the floor: decoding the same bytes with protobuf alone.

Several kinds of traffic: one dialect with short texts; several dialects with texts of usual length, in traces of all
lengths, in short ones and in long ones; and, where there are any, requests captured from real clients.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import tempfile
import time
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

import lmops
from tests.bench._data import START_NS, WORDS, rss_mb, traces

CAPTURES = Path(__file__).parents[3] / "shared" / "traces" / "real"
#: columns of a row that are sent as attributes, by the current conventions
SENT = {
    "provider": "gen_ai.provider.name", "requested_model": "gen_ai.request.model", "model": "gen_ai.response.model",
    "response_id": "gen_ai.response.id", "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens", "session_id": "gen_ai.conversation.id", "user_id": "user.id",
    "prompt_name": "gen_ai.prompt.name", "prompt_version": "gen_ai.prompt.version", "tool_name": "gen_ai.tool.name",
}  # fmt: skip  # keys that belong together share a line
OPERATIONS = {"llm": "chat", "tool": "execute_tool", "retriever": "retrieval", "agent": "invoke_agent"}
EXTRA = {"app.tier": "gold", "app.region": "eu", "app.build": "2026.11.3", "http.status": 200, "retry.count": 1}


#: Spans as clients send them: (name, place of the parent, attributes). TEXT stands for a text of its own in each span,
#: ID for an identifier. Sizes and numbers of attributes are those of captured requests.
TEXT, ID = "TEXT " * 30, "ID"
ASKED = [{"role": "system", "content": TEXT}, {"role": "user", "content": TEXT}]
PARTS = [{"role": "user", "parts": [{"type": "text", "content": TEXT}]}]
ANSWER = {
    "id": f"chatcmpl-{ID}", "object": "chat.completion", "created": 1794000000, "model": "gpt-4o-mini-2024-07-18",
    "choices": [{"index": 0, "finish_reason": "stop", "logprobs": None,
                 "message": {"role": "assistant", "content": TEXT, "refusal": None, "annotations": []}}],
    "usage": {"prompt_tokens": 52, "completion_tokens": 31, "total_tokens": 83,
              "prompt_tokens_details": {"cached_tokens": 0}},
}  # fmt: skip  # keys that belong together share a line
Sent = tuple[str, int | None, dict[str, object]]
OPENINFERENCE: Sent = ("ChatCompletion", None, {
    "llm.provider": "openai", "llm.system": "openai", "input.mime_type": "application/json",
    "input.value": json.dumps({"messages": ASKED, "model": "gpt-4o-mini", "temperature": 0.2}),
    "llm.invocation_parameters": '{"model": "gpt-4o-mini", "temperature": 0.2}',
    "llm.input_messages.0.message.role": "system", "llm.input_messages.0.message.content": TEXT,
    "llm.input_messages.1.message.role": "user", "llm.input_messages.1.message.content": TEXT,
    "output.value": json.dumps(ANSWER), "output.mime_type": "application/json",
    "llm.output_messages.0.message.role": "assistant", "llm.output_messages.0.message.content": TEXT,
    "llm.model_name": "gpt-4o-mini-2024-07-18", "llm.token_count.prompt": 52, "llm.token_count.completion": 31,
    "llm.token_count.total": 83, "llm.token_count.prompt_details.cache_read": 0, "llm.finish_reason": "stop",
    "openinference.span.kind": "LLM", "session.id": f"s{ID}", "user.id": "u1",
})  # fmt: skip  # items that belong together share a line
CONVENTIONS: Sent = ("chat gpt-4o-mini", None, {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.request.temperature": 0.2, "gen_ai.request.max_tokens": 400, "server.address": "api.openai.com",
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18", "gen_ai.response.id": f"chatcmpl-{ID}",
    "gen_ai.response.finish_reasons": ["stop"], "gen_ai.usage.input_tokens": 52, "gen_ai.usage.output_tokens": 31,
    "gen_ai.usage.cache_read.input_tokens": 0, "gen_ai.conversation.id": f"s{ID}",
    "gen_ai.system_instructions": json.dumps([{"type": "text", "content": TEXT}]),
    "gen_ai.input.messages": json.dumps(PARTS * 3),
    "gen_ai.output.messages": json.dumps([{**PARTS[0], "role": "assistant", "finish_reason": "stop"}]),
})  # fmt: skip  # items that belong together share a line
TRACELOOP: Sent = ("openai.chat", None, {
    "llm.request.type": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o-mini",
    "llm.is_streaming": False, "gen_ai.openai.api_base": "https://api.openai.com/v1/", "llm.headers": "None",
    "gen_ai.prompt.0.role": "system", "gen_ai.prompt.0.content": TEXT * 2, "gen_ai.prompt.1.role": "user",
    "gen_ai.prompt.1.content": TEXT * 3, "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "gen_ai.response.id": f"chatcmpl-{ID}", "llm.usage.total_tokens": 83, "gen_ai.usage.input_tokens": 52,
    "gen_ai.usage.output_tokens": 31, "gen_ai.completion.0.finish_reason": "stop",
    "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": TEXT,
    "traceloop.association.properties.session_id": f"s{ID}",
})  # fmt: skip  # items that belong together share a line
LANGFUSE: Sent = ("answer", None, {
    "langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o-mini",
    "langfuse.observation.input": json.dumps(ASKED), "langfuse.observation.level": "DEFAULT",
    "langfuse.observation.output": json.dumps({"role": "assistant", "content": TEXT}),
    "langfuse.observation.usage_details": '{"prompt_tokens": 52, "completion_tokens": 31, "total_tokens": 83}',
    "langfuse.observation.model.parameters": '{"temperature": 0.2, "max_tokens": "Infinity", "top_p": 1}',
    "langfuse.observation.completion_start_time": '"2026-11-07T03:20:01.000000Z"', "session.id": f"s{ID}",
    "user.id": "u1", "langfuse.trace.tags": ["support", "beta"], "langfuse.environment": "production",
})  # fmt: skip  # items that belong together share a line
CHAIN: dict[str, object] = {
    "input.value": json.dumps({"question": TEXT, "history": [TEXT]}), "input.mime_type": "application/json",
    "output.value": json.dumps({"answer": TEXT, "sources": [TEXT]}), "output.mime_type": "application/json",
    "openinference.span.kind": "CHAIN", "session.id": f"s{ID}", "user.id": "u1", "tag.tags": ["support"],
    "metadata": '{"langgraph_step": 2, "langgraph_node": "agent", "thread_id": "t1"}',
}  # fmt: skip  # keys that belong together share a line
FOUND: dict[str, object] = {
    "input.value": TEXT, "openinference.span.kind": "RETRIEVER", "session.id": f"s{ID}",
    **{f"retrieval.documents.{place}.document.{key}": value for place in range(4)
       for key, value in (("id", f"d{place}"), ("content", TEXT), ("score", 0.71), ("metadata", '{"source": "faq"}'))},
}  # fmt: skip  # keys that belong together share a line
TOOL: dict[str, object] = {
    "openinference.span.kind": "TOOL", "tool.name": "lookup", "tool.description": "Looks a booking up.",
    "input.value": '{"order": "A-17"}', "input.mime_type": "application/json", "output.value": TEXT,
    "tool.parameters": '{"order": "A-17"}', "session.id": f"s{ID}",
}  # fmt: skip  # keys that belong together share a line


def _below(sent: Sent, parent: int) -> Sent:
    return sent[0], parent, sent[2]


#: Traces of one or three spans, as of a client alone, and of eight, as of a framework.
SHORT: tuple[tuple[Sent, ...], ...] = (
    (OPENINFERENCE,),
    (CONVENTIONS,),
    (TRACELOOP,),
    (LANGFUSE,),
    (("RunnableSequence", None, CHAIN), ("Retriever", 0, FOUND), _below(OPENINFERENCE, 0)),
    (("agent", None, CHAIN), _below(CONVENTIONS, 0), ("lookup", 0, TOOL)),
)
LONG: tuple[tuple[Sent, ...], ...] = (
    (("LangGraph", None, CHAIN), ("agent", 0, CHAIN), _below(OPENINFERENCE, 1), ("tools", 0, CHAIN),
     ("lookup", 3, TOOL), ("Retriever", 0, FOUND), ("agent", 0, CHAIN), _below(OPENINFERENCE, 6)),
    (("support", None, CHAIN), ("Retriever", 0, FOUND), ("agent", 0, CHAIN), _below(CONVENTIONS, 2),
     ("lookup", 2, TOOL), _below(CONVENTIONS, 2), _below(TRACELOOP, 0), _below(LANGFUSE, 0)),
)  # fmt: skip  # items that belong together share a line


def real_request(shapes: tuple[tuple[Sent, ...], ...], *, seed: int) -> bytes:
    """Return one export request of about 1,000 spans as clients send them, every span with texts and ids of its own."""
    rng = random.Random(seed)
    message = ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    for key, said in (("service.name", "support"), ("telemetry.sdk.language", "python")):
        _put(resource.resource.attributes, key, said)
    scope = resource.scope_spans.add()
    scope.scope.name, scope.scope.version = "openinference.instrumentation.openai", "0.1.66"
    while len(scope.spans) < 1000:
        trace_id, number = rng.randbytes(16), f"{rng.getrandbits(40):x}"
        began = START_NS + rng.randrange(10**15)
        ids: list[bytes] = []
        for name, parent, attributes in shapes[rng.randrange(len(shapes))]:
            ids.append(rng.randbytes(8))
            span = scope.spans.add()
            span.trace_id, span.span_id, span.name = trace_id, ids[-1], name
            span.parent_span_id = b"" if parent is None else ids[parent]
            span.start_time_unix_nano = began + len(ids) * 1_000_000
            span.end_time_unix_nano = span.start_time_unix_nano + rng.randrange(1, 3000) * 1_000_000
            text = " ".join(rng.choices(WORDS, k=22))
            for key, value in attributes.items():
                if isinstance(value, str):
                    value = value.replace(TEXT, text).replace(ID, number)  # noqa: PLW2901 - of this span
                _put(span.attributes, key, value)
    return bytes(message.SerializeToString())


#: Ids of answers, wherever they stand: no two calls share one.
ANSWER_ID = re.compile(r"\b(chatcmpl|resp|msg)[-_]\w+")


def captured(seed: int) -> bytes:
    """Return one export request of about 1,000 spans out of captured ones, each time with ids and times of its own."""
    rng = random.Random(seed)
    found = [TracesData.FromString(path.read_bytes()) for path in sorted(CAPTURES.glob("*.traces.*.pb"))]
    made, scopes = TracesData(), {}
    count = 0
    while count < 1000:
        ids: dict[bytes, bytes] = {}
        shift, number = rng.randrange(10**15), f"{rng.getrandbits(40):x}"
        for resource_spans in found[rng.randrange(len(found))].resource_spans:
            for scope_spans in resource_spans.scope_spans:
                key = resource_spans.resource.SerializeToString() + scope_spans.scope.SerializeToString()
                if key not in scopes:
                    within = made.resource_spans.add(resource=resource_spans.resource)
                    scopes[key] = within.scope_spans.add(scope=scope_spans.scope)
                for span in scope_spans.spans:
                    fresh = scopes[key].spans.add()
                    fresh.CopyFrom(span)
                    for name, size in (("trace_id", 16), ("span_id", 8), ("parent_span_id", 8)):
                        known = getattr(span, name)
                        if known:
                            setattr(fresh, name, ids.setdefault(known, rng.randbytes(size)))
                    fresh.start_time_unix_nano += shift
                    fresh.end_time_unix_nano += shift
                    for pair in fresh.attributes:
                        if pair.value.string_value:
                            pair.value.string_value = ANSWER_ID.sub(rf"\g<0>{number}", pair.value.string_value)
                    count += 1
    return bytes(made.SerializeToString())


def request(count: int, *, seed: int) -> bytes:
    """Return one export request of ``count`` traces of eight spans, about 13 attributes each."""
    message = ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    _put(resource.resource.attributes, "service.name", "support")
    scope = resource.scope_spans.add()
    scope.scope.name = "bench"
    for rows in traces(count, seed=seed):
        for row in rows:
            span = scope.spans.add()
            span.trace_id, span.span_id = bytes.fromhex(row["trace_id"]), bytes.fromhex(row["span_id"])
            span.parent_span_id = bytes.fromhex(row["parent_span_id"] or "")
            span.name, span.start_time_unix_nano, span.end_time_unix_nano = row["name"], row["start_ns"], row["end_ns"]
            for column, key in SENT.items():
                if row[column] is not None:
                    _put(span.attributes, key, row[column])
            for key, value in EXTRA.items():
                _put(span.attributes, key, value)
            if row["kind"] in OPERATIONS:
                _put(span.attributes, "gen_ai.operation.name", OPERATIONS[row["kind"]])
            messages = row["kind"] == "llm"
            for side in ("input", "output"):
                if row[side] is not None:
                    _put(span.attributes, f"gen_ai.{side}.messages" if messages else f"{side}.value", row[side])
    return bytes(message.SerializeToString())


def _put(attributes: object, key: str, value: object) -> None:
    pair = attributes.add()  # type: ignore[attr-defined]
    pair.key = key
    if isinstance(value, bool):
        pair.value.bool_value = value
    elif isinstance(value, int):
        pair.value.int_value = value
    elif isinstance(value, float):
        pair.value.double_value = value
    elif isinstance(value, list):
        for item in value:
            pair.value.array_value.values.add().string_value = item
    else:
        pair.value.string_value = value


def measure(name: str, parts: list[bytes]) -> None:
    """Print the rate of one kind of traffic beside its floor."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "traffic.pb"
        path.write_bytes(b"".join(parts))
        began = time.perf_counter()
        sent = [ExportTraceServiceRequest.FromString(part) for part in parts]
        parsing = time.perf_counter() - began
        scopes = [scope for part in sent for among in part.resource_spans for scope in among.scope_spans]
        spans = [span for scope in scopes for span in scope.spans]
        attributes = sum(len(span.attributes) for span in spans) / len(spans)
        in_traces = len(spans) / len({span.trace_id for span in spans})
        floor = len(spans) / parsing
        del sent, spans, scopes
        with lmops.open(Path(folder) / "warm") as ws:
            ws.traces.ingest(parts[0])
        rates, on_cpu = [], []
        for number in range(3):
            with lmops.open(Path(folder) / f"store{number}") as ws:
                used = time.process_time()
                report = ws.traces.ingest(path, progress=False)
                on_cpu.append(report.spans / (time.process_time() - used))
                rates.append(report.spans / report.duration_s)
        rates.sort()
    print(
        f"{name}: {sum(map(len, parts)) / report.spans:,.0f} bytes and {attributes:.1f} attributes a span, "
        f"{in_traces:.1f} spans a trace, {report.spans:,} spans, one core"
    )
    print(f"  protobuf -> store   {rates[1]:10,.0f} spans/s  (bar 20,000; min {rates[0]:,.0f}, max {rates[2]:,.0f})")
    # On a machine that does other work as well, the time that this process had the core is what can be compared.
    print(f"  the same, CPU time  {sorted(on_cpu)[1]:10,.0f} spans/s")
    print(f"  floor: parsing only {floor:10,.0f} spans/s  (ratio {floor / rates[1]:.1f})")


def main() -> None:
    """Print spans per second of each kind of traffic, the peak of memory, and the floors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=100_000)
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    count = max(options.spans // 1000, 1)
    measure("short texts", [request(125, seed=number) for number in range(count)])
    measure("real shapes", [real_request(SHORT + LONG, seed=number) for number in range(count)])
    measure("real shapes, short traces", [real_request(SHORT, seed=number) for number in range(count)])
    measure("real shapes, long traces", [real_request(LONG, seed=number) for number in range(count)])
    if CAPTURES.is_dir():
        measure("captured requests", [captured(number) for number in range(count)])
    print(f"resident memory     {rss_mb():10,.0f} MB")


if __name__ == "__main__":
    main()
