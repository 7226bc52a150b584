"""How many spans a second the receiver takes over HTTP, and whether its memory stays flat.

Starts ``python -m lmops collect`` as users do, sends captured-like OTLP from one other process over kept-alive
connections, and prints the sustained rate beside a floor measured in the same run: the same requests
decoded and normalised in one thread without HTTP and store.

    python tests/bench/bench_collector.py [--seconds 20] [--clients 4] [--spans 512] [--gzip]
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import multiprocessing
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

WORDS = ("ferry", "harbour", "ticket", "refund", "luggage", "bicycle", "cabin", "delay", "timetable", "island")


@dataclass(frozen=True)
class Load:
    """What one run sends."""

    seconds: float
    clients: int
    spans: int
    is_gzip: bool


def request_of(spans: int, seed: int) -> ExportTraceServiceRequest:
    """Return a request whose spans have the size of captured ones: about 13 attributes and 1.5 kB each."""
    chance = random.Random(seed)
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "bench"
    scope = resource.scope_spans.add()
    scope.scope.name = "openinference.instrumentation.openai"
    now = time.time_ns()
    for number in range(spans):
        span = scope.spans.add(name="ChatCompletion", kind=1)
        span.trace_id = chance.randbytes(16)
        span.span_id = chance.randbytes(8)
        span.start_time_unix_nano = now + number
        span.end_time_unix_nano = now + number + 500_000_000
        texts = {
            "openinference.span.kind": "LLM",
            "llm.model_name": "gpt-5-mini",
            "llm.provider": "openai",
            "llm.input_messages.0.message.role": "system",
            "llm.input_messages.0.message.content": " ".join(chance.choices(WORDS, k=60)),
            "llm.input_messages.1.message.role": "user",
            "llm.input_messages.1.message.content": " ".join(chance.choices(WORDS, k=20)),
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.content": " ".join(chance.choices(WORDS, k=60)),
            "session.id": f"session-{number}",
        }
        for key, text in texts.items():
            span.attributes.add(key=key).value.string_value = text
        span.attributes.add(key="llm.token_count.prompt").value.int_value = 120
        span.attributes.add(key="llm.token_count.completion").value.int_value = 80
        span.status.code = 1
    return request


def send(port: int, load: Load, seed: int, results: multiprocessing.Queue[tuple[int, int, float]]) -> None:
    """Send for the given time over one connection; report (accepted spans, refusals, seconds)."""
    request = request_of(load.spans, seed)
    spans = request.resource_spans[0].scope_spans[0].spans
    chance = random.Random(seed)
    headers = {"Content-Type": "application/x-protobuf"}
    if load.is_gzip:
        headers["Content-Encoding"] = "gzip"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    accepted = refused = 0
    started = time.monotonic()
    while time.monotonic() - started < load.seconds:
        # New ids each time: an upsert of the same spans would be another measurement, and so would traces that never
        # end.
        ids: dict[bytes, bytes] = {}
        for span in spans:
            span.trace_id = ids.setdefault(span.trace_id, chance.randbytes(16))
            span.span_id = chance.randbytes(8)
        body = request.SerializeToString()
        connection.request("POST", "/v1/traces", gzip.compress(body, 1) if load.is_gzip else body, headers)
        response = connection.getresponse()
        response.read()
        if response.status == 200:
            accepted += load.spans
        else:
            refused += 1
            connection.close()
            time.sleep(float(response.headers.get("Retry-After", 1)))
    results.put((accepted, refused, time.monotonic() - started))


def floor(load: Load) -> float:
    """Return the spans per second of decoding and normalising alone, in this process."""
    from lmops.traces import decode

    body = request_of(load.spans, 0).SerializeToString()
    started, spans = time.perf_counter(), 0
    while time.perf_counter() - started < 2:
        spans += len(decode(body, content_type="application/x-protobuf", signal="traces").spans)
    return spans / (time.perf_counter() - started)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measure(load: Load) -> None:
    """Run the receiver and the clients, and print what was measured."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lmops", "collect", "--port", str(port), "--store", folder + "/store"]
        receiver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        try:
            accepted, refused, rate, memory = run(port, load, psutil.Process(receiver.pid))
        finally:
            receiver.send_signal(signal.SIGTERM)
            code = receiver.wait(60)
        stored = count(Path(folder) / "store")
    print(f"floor: decode and normalise alone {floor(load):10,.0f} spans/s on one core")
    print(f"over HTTP, committed              {rate:10,.0f} spans/s, {refused} requests told to come back")
    course = ", ".join(f"{megabytes:.0f}" for megabytes in memory[1:])
    print(f"memory of the receiver            {memory[0]:.0f} MB at start, then {course}")
    print(f"accepted {accepted:,}, in the store {stored:,}, exit code {code}, {os.cpu_count()} cores")


def run(port: int, load: Load, process: psutil.Process) -> tuple[int, int, float, list[float]]:
    """Return (accepted, refused, spans per second, memory in MB ten times along the way)."""
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except ConnectionRefusedError:
            time.sleep(0.05)
    memory = [process.memory_info().rss / 1e6]
    results: multiprocessing.Queue[tuple[int, int, float]] = multiprocessing.Queue()
    clients = [multiprocessing.Process(target=send, args=(port, load, seed, results)) for seed in range(load.clients)]
    is_done = threading.Event()

    def watch() -> None:
        while not is_done.wait(load.seconds / 10):
            memory.append(process.memory_info().rss / 1e6)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for client in clients:
        client.start()
    reports = [results.get() for _ in clients]
    is_done.set()
    watcher.join()
    for client in clients:
        client.join()
    accepted = sum(report[0] for report in reports)
    return accepted, sum(report[1] for report in reports), accepted / max(report[2] for report in reports), memory


def count(path: Path) -> int:
    """Return the number of spans in a store."""
    from lmops.store import Store

    with Store.open(path) as store:
        ((found,),) = store.sql("select count(*) from spans").fetchall()
    return int(found)


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--spans", type=int, default=512)
    parser.add_argument("--gzip", action="store_true")
    options = parser.parse_args()
    measure(Load(options.seconds, options.clients, options.spans, options.gzip))


if __name__ == "__main__":
    main()
