"""OTLP protobuf to the store on one core, beside the floor: decoding the same bytes with protobuf alone."""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import lmops
from tests.bench._data import rss_mb, traces

#: columns of a row that are sent as attributes, by the current conventions
SENT = {
    "provider": "gen_ai.provider.name", "requested_model": "gen_ai.request.model", "model": "gen_ai.response.model",
    "response_id": "gen_ai.response.id", "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens", "session_id": "gen_ai.conversation.id", "user_id": "user.id",
    "prompt_name": "gen_ai.prompt.name", "prompt_version": "gen_ai.prompt.version", "tool_name": "gen_ai.tool.name",
}  # fmt: skip
OPERATIONS = {"llm": "chat", "tool": "execute_tool", "retriever": "retrieval", "agent": "invoke_agent"}
EXTRA = {"app.tier": "gold", "app.region": "eu", "app.build": "2026.11.3", "http.status": 200, "retry.count": 1}


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
    return message.SerializeToString()


def _put(attributes: object, key: str, value: str | int) -> None:
    pair = attributes.add()  # type: ignore[attr-defined]
    pair.key = key
    if isinstance(value, int):
        pair.value.int_value = value
    else:
        pair.value.string_value = value


def main() -> None:
    """Print spans per second, the peak of memory, and the floor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=100_000)
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    random.seed(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "traffic.pb"
        parts = [request(125, seed=number) for number in range(options.spans // 1000)]
        path.write_bytes(b"".join(parts))
        began = time.perf_counter()
        for part in parts:
            ExportTraceServiceRequest().ParseFromString(part)
        floor = options.spans / (time.perf_counter() - began)
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
    print(f"{path.name}: {sum(map(len, parts)) / options.spans:.0f} bytes a span, one core, {options.spans:,} spans")
    print(f"protobuf -> store   {rates[1]:10,.0f} spans/s  (bar 20,000; min {rates[0]:,.0f}, max {rates[2]:,.0f})")
    # On a machine that does other work as well, the time that this process had the core is what can be compared.
    print(f"the same, CPU time  {sorted(on_cpu)[1]:10,.0f} spans/s")
    print(f"floor: parsing only {floor:10,.0f} spans/s  (ratio {floor / rates[1]:.1f})")
    print(f"resident memory     {rss_mb():10,.0f} MB")


if __name__ == "__main__":
    main()
