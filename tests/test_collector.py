"""The receiver: what it accepts, what it refuses, and that a 200 means committed."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from lmops.collector import Collector, Limits, serve
from lmops.collector._weight import weigh
from lmops.errors import IngestError, StoreError, StoreFullError, UsageError
from lmops.store import Store
from lmops.traces import join_logs
from tests.store.helpers import EMPTY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

PROTOBUF = "application/x-protobuf"
JSON = "application/json"


@dataclass
class FakeBatch:
    spans: list[dict[str, object]] = field(default_factory=list)
    logs: list[dict[str, object]] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)


class FakeStore:
    """Keeps rows; ``fail`` is raised instead, ``gate`` holds every commit until it is set."""

    def __init__(self) -> None:
        self.rows: list[object] = []
        self.sizes: list[int] = []
        self.fail: Callable[[list[object]], Exception | None] = lambda _: None
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.is_closed = False

    def append_many(self, rows: Mapping[str, list[dict[str, object]]]) -> None:
        self.entered.set()
        self.gate.wait(10)
        both = [row["body"] for row in [*rows["spans"], *rows["logs"]]]
        if error := self.fail(both):
            raise error
        self.rows += both
        self.sizes.append(len(both))

    def close(self) -> None:
        self.is_closed = True


def fake_decode(body: bytes, *, content_type: str, signal: str) -> FakeBatch:
    """One span per body; "bad..." cannot be read, "half..." has a record that is rejected."""
    if body.startswith(b"bad"):
        msg = "byte 0: not a message"
        raise IngestError(msg)
    rows: list[dict[str, object]] = [{**EMPTY, "body": body.decode("latin-1")}] if body else []
    rejected = [("span 1", "no trace id")] if body.startswith(b"half") else []
    return FakeBatch(spans=rows, rejected=rejected) if signal == "traces" else FakeBatch(logs=rows)


LIMITS = Limits(max_body_bytes=100_000, max_in_flight_bytes=200_000, request_timeout_s=5, stop_timeout_s=5)


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def collector(store: FakeStore) -> Iterator[Collector]:
    with Collector(store, port=0, decode=fake_decode, limits=LIMITS) as running:  # type: ignore[arg-type]
        yield running
        store.gate.set()


def post(
    collector: Collector,
    body: object,
    path: str = "/v1/traces",
    *,
    content_type: str = PROTOBUF,
    method: str = "POST",
    **headers: str,
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", collector.port, timeout=10)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"Content-Type": content_type, **named})  # type: ignore[arg-type]
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def raw(collector: Collector, data: bytes) -> bytes:
    """Send bytes as they are, and return what comes back until the receiver closes."""
    with socket.create_connection(("127.0.0.1", collector.port), timeout=10) as connection:
        connection.sendall(data)
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received


def test_a_200_is_sent_only_after_the_commit(collector: Collector, store: FakeStore) -> None:
    """While the commit is held up there is no answer; after it the row is there."""
    store.gate.clear()
    answers: list[int] = []
    sender = threading.Thread(target=lambda: answers.append(post(collector, b"one")[0].status))
    sender.start()
    assert store.entered.wait(5)
    assert answers == []
    store.gate.set()
    sender.join(5)
    assert (answers, store.rows) == ([200], ["one"])


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs", "/api/public/otel/v1/traces", "/v1/traces/?x=1"])
def test_every_path_stores(collector: Collector, store: FakeStore, path: str) -> None:
    """Traces, logs and Langfuse's path answer 200 with the empty response of the request's type."""
    response, body = post(collector, b"x", path, Authorization="Basic cGs6c2s=")
    assert (response.status, response.headers["Content-Type"], body) == (200, PROTOBUF, b"")
    response, body = post(collector, b"y", path, content_type="application/json; charset=utf-8")
    assert (response.status, response.headers["Content-Type"], body) == (200, JSON, b"{}")
    assert store.rows == ["x", "y"]


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("GZIP", lambda data: gzip.compress(data[:7]) + gzip.compress(data[7:])),
        ("deflate", zlib.compress),
        ("deflate", _raw_deflate),
        ("identity", bytes),
    ],
)
@pytest.mark.parametrize("is_chunked", [False, True])
def test_encodings(
    collector: Collector, store: FakeStore, encoding: str, pack: Callable[[bytes], bytes], is_chunked: bool
) -> None:
    """Compressed and chunked bodies arrive as they were."""
    sent = "payload " * 10_000
    packed = pack(sent.encode())
    body = (packed[at : at + 1000] for at in range(0, len(packed), 1000)) if is_chunked else packed
    response, _ = post(collector, body, Content_Encoding=encoding)
    assert response.status == 200
    assert store.rows == [sent]


def test_rejected_records_are_reported(collector: Collector, caplog: pytest.LogCaptureFixture) -> None:
    """partial_success carries the number and the reason, in both content types, and the log says it once."""
    _, body = post(collector, b"half 1")
    partial = ExportTraceServiceResponse.FromString(body).partial_success
    assert (partial.rejected_spans, partial.error_message) == (1, "span 1: no trace id")
    _, body = post(collector, b"half 2", content_type=JSON)
    expected = {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "span 1: no trace id"}}
    assert json.loads(body) == expected
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize(
    ("status", "request_of"),
    [
        (400, {"body": b"bad"}),
        (400, {"body": b"not gzip", "Content_Encoding": "gzip"}),
        (400, {"body": gzip.compress(b"cut off")[:-9], "Content_Encoding": "gzip"}),
        (404, {"body": b"x", "path": "/v1/other"}),
        (405, {"body": None, "method": "GET"}),
        (405, {"body": b"x", "method": "PUT"}),
        (405, {"body": b"x", "path": "/healthz"}),
        (415, {"body": b"x", "content_type": "text/plain"}),
        (415, {"body": b"x", "Content_Encoding": "zstd"}),
        (413, {"body": bytes(100_001)}),
        (413, {"body": gzip.compress(bytes(50_000_000), 1), "Content_Encoding": "gzip"}),
        (413, {"body": zlib.compress(bytes(50_000_000), 1), "Content_Encoding": "deflate"}),
        (413, {"body": (bytes(10_000) for _ in range(11))}),
        (403, {"body": b"x", "Origin": "http://attacker.example:4318"}),
    ],
)
def test_refusals(collector: Collector, store: FakeStore, status: int, request_of: dict[str, object]) -> None:
    """What cannot be taken is refused with the right status and a google.rpc.Status that says why."""
    response, body = post(collector, **request_of)  # type: ignore[arg-type]
    assert response.status == status
    if response.headers["Content-Type"] == PROTOBUF:
        message = Status.FromString(body).message
    else:
        message = json.loads(body)["message"]
    assert message
    assert store.rows == []
    assert response.headers["Allow"] == (None if status != 405 else "GET" if "path" in request_of else "POST")


def test_a_page_of_this_machine_may_post(collector: Collector) -> None:
    """Only origins elsewhere are refused."""
    response, _ = post(collector, b"x", Origin="http://localhost:8888")
    assert response.status == 200


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"Content-Length: -3\r\n\r\nabc",
        b"Content-Length: +3\r\n\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 100 + b"\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n" + b"3;" + b"x" * 5000 + b"\r\nabc\r\n0\r\n\r\n",
    ],
)
def test_ambiguous_framing_is_refused_and_ends_the_connection(
    collector: Collector, store: FakeStore, head: bytes
) -> None:
    """Where a body ends is never guessed, and nothing after it is read as a next request."""
    request = b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n" + head
    received = raw(collector, request)
    assert received.startswith(b"HTTP/1.1 400")
    assert received.count(b"HTTP/1.1") == 1
    assert store.rows == []


@pytest.mark.parametrize(("head", "status"), [(b"", 411), (b"Transfer-Encoding: gzip\r\n", 501)])
def test_a_body_needs_a_length(collector: Collector, head: bytes, status: int) -> None:
    """No length is 411, an unknown transfer coding 501."""
    request = b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
    assert raw(collector, request + head + b"\r\n").startswith(b"HTTP/1.1 %d" % status)


def test_nonsense_is_answered(collector: Collector) -> None:
    """A line that is not HTTP gets a 400 and a closed connection."""
    assert b"400" in raw(collector, b"\x16\x03\x01 tls hello\r\n\r\n").partition(b"\r\n")[0]


def test_expect_continue(collector: Collector, store: FakeStore) -> None:
    """A client that asks first is told to go on, or refused before it sends its body."""
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\nContent-Length: 2\r\n"
    head += b"Connection: close\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", collector.port), timeout=10) as connection:
        connection.sendall(head % b"/v1/traces")
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"ok")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    with socket.create_connection(("127.0.0.1", collector.port), timeout=10) as connection:
        connection.sendall(head % b"/v1/nothing")
        assert connection.recv(1000).startswith(b"HTTP/1.1 404")
    assert store.rows == ["ok"]


def test_one_connection_serves_many_requests(collector: Collector, store: FakeStore) -> None:
    """Connections are kept alive, also after a refusal of a body that was read."""
    connection = http.client.HTTPConnection("127.0.0.1", collector.port, timeout=10)
    statuses = []
    for body in (b"1", b"bad", b"2", b"3"):
        connection.request("POST", "/v1/traces", body, {"Content-Type": PROTOBUF})
        response = connection.getresponse()
        response.read()
        assert not response.will_close
        statuses.append(response.status)
    connection.close()
    assert (statuses, store.rows) == ([200, 400, 200, 200], ["1", "2", "3"])


def _busy() -> StoreError:
    locked = sqlite3.OperationalError("database is locked")
    locked.sqlite_errorcode = sqlite3.SQLITE_BUSY
    error = StoreError("the store is busy")
    error.__cause__ = locked
    return error


@pytest.mark.parametrize(
    ("error", "status", "has_retry"),
    [
        (_busy(), 429, True),
        (StoreFullError("no space left"), 503, True),
        (StoreError("broken"), 503, True),
        (TypeError("a row that no table takes"), 500, False),
    ],
)
def test_store_errors(collector: Collector, store: FakeStore, error: Exception, status: int, has_retry: bool) -> None:
    """What may succeed later is refused with a status that OTLP clients retry; the rest is not."""
    store.fail = lambda _: error
    response, _ = post(collector, b"x")
    assert (response.status, response.headers["Retry-After"] is not None) == (status, has_retry)
    store.fail = lambda _: None
    assert post(collector, b"x")[0].status == 200
    assert store.rows == ["x"]


def _in_parallel(collector: Collector, bodies: list[bytes]) -> list[int]:
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda sent=body: statuses.append(post(collector, sent)[0].status)) for body in bodies
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    return statuses


def _when_in_flight(collector: Collector, requests: int) -> None:
    """Wait until so many requests are inside."""
    pause = threading.Event()
    for _ in range(1000):
        if collector._server.admission._requests >= requests:
            return
        pause.wait(0.005)
    raise AssertionError


def test_requests_that_wait_together_share_a_commit(collector: Collector, store: FakeStore) -> None:
    """One transaction takes all that gathered behind the one before."""
    store.gate.clear()
    sender = threading.Thread(target=_in_parallel, args=(collector, [b"%d" % number for number in range(10)]))
    sender.start()
    assert store.entered.wait(5)
    _when_in_flight(collector, 10)
    store.gate.set()
    sender.join(10)
    assert sorted(store.rows) == sorted(str(number) for number in range(10))
    assert len(store.sizes) < 10


def test_a_poisonous_request_does_not_fail_its_company(collector: Collector, store: FakeStore) -> None:
    """When a shared transaction fails on a row, only the request of that row is refused."""
    store.fail = lambda rows: TypeError("poison") if "poison" in rows else None
    store.gate.clear()
    statuses: list[int] = []
    bodies = [b"a", b"poison", b"b", b"c"]
    sender = threading.Thread(target=lambda: statuses.extend(_in_parallel(collector, bodies)))
    sender.start()
    _when_in_flight(collector, 4)
    store.gate.set()
    sender.join(10)
    assert sorted(statuses) == [200, 200, 200, 500]
    assert sorted(map(str, store.rows)) == ["a", "b", "c"]


def test_overload_is_refused_with_429(store: FakeStore) -> None:
    """A bounded number of requests and bytes is in flight; the others are told to come back."""
    limits = Limits(max_requests=2, max_body_bytes=1000, max_in_flight_bytes=1500)
    with Collector(store, port=0, decode=fake_decode, limits=limits) as collector:  # type: ignore[arg-type]
        store.gate.clear()
        sender = threading.Thread(target=_in_parallel, args=(collector, [b"a" * 900]))
        sender.start()
        assert store.entered.wait(5)
        response, _ = post(collector, b"b" * 900)
        assert (response.status, response.headers["Retry-After"]) == (429, "1")
        second = threading.Thread(target=_in_parallel, args=(collector, [b"c"]))
        second.start()
        _when_in_flight(collector, 2)
        assert post(collector, b"d")[0].status == 429
        store.gate.set()
        sender.join(5)
        second.join(5)
        assert post(collector, b"e")[0].status == 200
    assert [str(row)[0] for row in store.rows] == ["a", "c", "e"]


def test_a_slow_client_is_cut_off(store: FakeStore) -> None:
    """A request has a fixed time to arrive, also when every byte of it arrives in time."""
    limits = Limits(request_timeout_s=0.3, idle_timeout_s=0.3)
    pause = threading.Event()
    head = b"POST /v1/traces HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    with Collector(store, port=0, decode=fake_decode, limits=limits) as collector:  # type: ignore[arg-type]
        assert raw(collector, head + b"1").startswith(b"HTTP/1.1 408")
        assert raw(collector, head[:30]) == b""
        assert raw(collector, b"") == b""
        with socket.create_connection(("127.0.0.1", collector.port), timeout=10) as connection:
            for byte in head:
                try:
                    connection.sendall(bytes([byte]))
                except ConnectionError:
                    break
                pause.wait(0.02)
            else:
                pytest.fail("the receiver waited for a slow head")
    assert store.rows == []


def test_connections_are_bounded(store: FakeStore) -> None:
    """The longest idle connection makes room; with none idle a new one is told to come back."""
    limits = Limits(max_connections=2)
    with (
        Collector(store, port=0, decode=fake_decode, limits=limits) as collector,  # type: ignore[arg-type]
        socket.create_connection(("127.0.0.1", collector.port), timeout=10) as idle,
    ):
        busy = [http.client.HTTPConnection("127.0.0.1", collector.port, timeout=10) for _ in range(2)]
        store.gate.clear()
        for number, connection in enumerate(busy):
            connection.request("POST", "/v1/traces", b"x", {"Content-Type": PROTOBUF})
            _when_in_flight(collector, number + 1)
        assert idle.recv(100) == b""
        assert post(collector, b"y")[0].status == 503
        store.gate.set()
        assert [connection.getresponse().status for connection in busy] == [200, 200]
        for connection in busy:
            connection.close()


def test_a_token_is_required_of_every_request(store: FakeStore) -> None:
    """Bearer, or Basic with the token as password, as Langfuse's SDK sends it."""
    with Collector(store, port=0, token="s3cret", decode=fake_decode) as collector:  # type: ignore[arg-type]
        for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic !"}):
            response, _ = post(collector, b"x", **header)
            assert (response.status, response.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert post(collector, b"a", Authorization="Bearer s3cret")[0].status == 200
        basic = "cGstbGYtMTpzM2NyZXQ="
        assert post(collector, b"b", "/api/public/otel/v1/traces", Authorization=f"Basic {basic}")[0].status == 200
        _, body = post(collector, None, "/healthz", method="GET")
        assert set(json.loads(body)) == {"status", "version"}
    assert store.rows == ["a", "b"]


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.0.2.1"])
def test_an_open_bind_without_a_token_is_refused(store: FakeStore, host: str) -> None:
    """Others could write to the store: the error says what to do."""
    with pytest.raises(UsageError, match="LMOPS_COLLECT_TOKEN"):
        Collector(store, host=host, port=0, decode=fake_decode)  # type: ignore[arg-type]


def test_an_open_bind_with_a_token_works(store: FakeStore) -> None:
    """With a token any address may be bound."""
    with Collector(store, host="0.0.0.0", port=0, token="t", decode=fake_decode) as collector:  # type: ignore[arg-type]
        assert post(collector, b"x", Authorization="Bearer t")[0].status == 200


def test_a_taken_port_is_a_usage_error(collector: Collector, store: FakeStore) -> None:
    """The message names the address."""
    with pytest.raises(UsageError, match=str(collector.port)):
        Collector(store, port=collector.port, decode=fake_decode)  # type: ignore[arg-type]


def test_health(collector: Collector) -> None:
    """Both health paths answer, with the counts."""
    post(collector, b"half")
    post(collector, b"bad")
    for path in ("/healthz", "/api/public/health"):
        response, body = post(collector, None, path, method="GET")
        health = json.loads(body)
        assert (response.status, health["status"]) == (200, "OK")
        assert (health["spans"], health["rejected"], health["refused"]) == (1, 1, 1)


def test_metrics_are_answered_and_not_stored(collector: Collector, store: FakeStore) -> None:
    """Every point is reported as rejected, in both content types."""
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    metric.sum.data_points.add(as_int=1)
    metric.sum.data_points.add(as_int=2)
    _, body = post(collector, request.SerializeToString(), "/v1/metrics")
    partial = ExportMetricsServiceResponse.FromString(body).partial_success
    assert (partial.rejected_data_points, partial.error_message) == (2, "lmops does not store metrics")
    data = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "m", "gauge": {"dataPoints": [{}]}}]}]}]}
    _, body = post(collector, json.dumps(data).encode(), "/v1/metrics", content_type=JSON)
    assert json.loads(body)["partialSuccess"]["rejectedDataPoints"] == "1"
    for broken in (b"[1]", b"{", b'{"resourceMetrics": 1}'):
        assert post(collector, broken, "/v1/metrics", content_type=JSON)[0].status == 400
    assert post(collector, b"\xff", "/v1/metrics")[0].status == 400
    assert store.rows == []


def test_stop_finishes_what_is_in_flight(store: FakeStore) -> None:
    """A request that is inside when the receiver stops is committed and answered; idle connections end."""
    collector = Collector(store, port=0, decode=fake_decode, limits=LIMITS).start()  # type: ignore[arg-type]
    idle = socket.create_connection(("127.0.0.1", collector.port), timeout=10)
    store.gate.clear()
    answers: list[int] = []
    sender = threading.Thread(target=lambda: answers.append(post(collector, b"last")[0].status))
    sender.start()
    assert store.entered.wait(5)
    stopper = threading.Thread(target=collector.stop)
    stopper.start()
    assert idle.recv(10) == b""
    idle.close()
    store.gate.set()
    stopper.join(10)
    sender.join(10)
    assert (answers, store.rows) == ([200], ["last"])
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", collector.port), timeout=1)
    collector.stop()


def test_serve_closes_the_store_when_it_is_stopped(store: FakeStore) -> None:
    """Outside the main thread there are no signals; stopping the receiver ends serve."""
    ready: list[Collector] = []
    is_ready = threading.Event()

    def on_ready(collector: Collector) -> None:
        ready.append(collector)
        is_ready.set()

    def run() -> None:
        serve(store, port=0, decode=fake_decode, on_ready=on_ready)  # type: ignore[arg-type]

    thread = threading.Thread(target=run)
    thread.start()
    assert is_ready.wait(5)
    assert post(ready[0], b"x")[0].status == 200
    ready[0].stop()
    thread.join(5)
    assert store.is_closed


TRACE_ID, SPAN_ID = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
_ATTRIBUTES = [
    {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
    {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-5-mini"}},
    {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "12"}},
]
_SPAN = {
    "traceId": TRACE_ID,
    "spanId": SPAN_ID,
    "name": "chat",
    "startTimeUnixNano": "1700000000000000000",
    "endTimeUnixNano": "1700000001000000000",
    "attributes": _ATTRIBUTES,
}


@pytest.fixture
def real_store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store", join_logs=join_logs) as opened:
        yield opened


def test_json_from_the_wire_to_sql(real_store: Store) -> None:
    """Spans and log events sent as OTLP/JSON are in the store when they are answered, once, however often sent."""
    nameless = {**_SPAN, "traceId": ""}
    traces = {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "app"}, "spans": [_SPAN, nameless]}]}]}
    record = {
        "traceId": TRACE_ID,
        "spanId": SPAN_ID,
        "timeUnixNano": "1700000000000000001",
        "eventName": "gen_ai.user.message",
        "body": {"kvlistValue": {"values": [{"key": "content", "value": {"stringValue": "When?"}}]}},
    }
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    with Collector(real_store, port=0) as collector:
        for _ in range(2):
            response, body = post(collector, json.dumps(traces).encode(), content_type=JSON)
            assert response.status == 200
            assert json.loads(body)["partialSuccess"]["rejectedSpans"] == "1"
            response, body = post(collector, json.dumps(logs).encode(), "/v1/logs", content_type=JSON)
            assert (response.status, body) == (200, b"{}")
        for path in ("/v1/traces", "/v1/logs"):
            for content_type in (JSON, PROTOBUF):
                assert post(collector, b"\xff{not otlp", path, content_type=content_type)[0].status == 400
        rows = real_store.sql("select span_id, kind, model, input_tokens, input from spans").fetchall()
    assert [row[:4] for row in rows] == [(SPAN_ID, "llm", "gpt-5-mini", 12)]
    assert json.loads(rows[0][4])[0]["content"] == "When?"


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip, Compression.Deflate])
def test_the_exporter_that_users_have(real_store: Store, compression: Compression) -> None:
    """OpenTelemetry's own OTLP/HTTP exporter, with and without compression, over one kept-alive connection."""
    with Collector(real_store, port=0) as collector:
        exporter = OTLPSpanExporter(endpoint=collector.url + "/v1/traces", compression=compression)
        provider = TracerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        tracer = provider.get_tracer("app")
        for number in range(5):
            tracer.start_span(f"span {number}").end()
        provider.shutdown()
        rows = real_store.sql("select name, service from spans order by name").fetchall()
    assert rows == [(f"span {number}", "shop") for number in range(5)]


_PROGRAM = """
import sys
from lmops.collector import serve

class Batch:
    def __init__(self, body): self.spans, self.logs, self.rejected = [], [{"body": body}], []

class Store:
    def append_many(self, rows): print("committed", len(rows["logs"]), flush=True)
    def close(self): print("closed", flush=True)

serve(Store(), port=0, decode=lambda body, *, content_type, signal: Batch(body),
      on_ready=lambda collector: print(collector.port, flush=True))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_cleanly(number: signal.Signals) -> None:
    """SIGTERM and SIGINT end the process with code 0, after the store is closed."""
    environment = {name: value for name, value in os.environ.items() if name != "LMOPS_COLLECT_TOKEN"}
    process = subprocess.Popen([sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", "/v1/traces", b"x", {"Content-Type": PROTOBUF})
        assert connection.getresponse().status == 200
        process.send_signal(number)
        output, _ = process.communicate(timeout=20)
        connection.close()
    finally:
        process.kill()
        process.wait()
    assert (output.split(), process.returncode) == (["committed", "1", "closed"], 0)


# -- what a body becomes -----------------------------------------------------------------------------------------------


def _nested(*fields: int, inner: bytes) -> bytes:
    """Wrap bytes as a message in a message."""
    for tag in fields:
        size, length = len(inner), b""
        while size > 0x7F:
            length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
        inner = bytes([tag << 3 | 2]) + length + bytes([size]) + inner
    return inner


def _json_spans(count: int, span: str) -> bytes:
    return f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{",".join([span] * count)}]}}]}}]}}'.encode()


BOMBS = {
    "empty spans": (PROTOBUF, _nested(2, 1, inner=b"\x12\x00" * 200)),
    "empty spans after a group": (PROTOBUF, b"\x7b\x7c" + _nested(2, 1, inner=b"\x12\x00" * 200)),
    "empty spans before a cut": (PROTOBUF, _nested(2, 1, inner=b"\x12\x00" * 200) + b"\x0a\x7f\x12\x7f"),
    "many scopes": (PROTOBUF, _nested(1, inner=_nested(2, inner=b"\x12\x00" * 4) * 50)),
    "attributes of one span": (PROTOBUF, _nested(2, 2, 1, inner=b"\x4a\x00" * 2000)),
    "a list in an attribute": (PROTOBUF, _nested(5, 2, 9, 2, 2, 1, inner=b"\x0a\x00" * 2000)),
    "empty spans, JSON": (JSON, _json_spans(2000, "{}")),
    "small spans, JSON": (JSON, _json_spans(200, '{"spanId":"a"}')),
    "lists in lists, JSON": (JSON, b'{"resourceSpans":' + b"[" * 2000 + b"]" * 2000 + b"}"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_body_that_grows_when_decoded_is_refused(store: FakeStore, name: str) -> None:
    """It is counted before anything is made of it: the decoder never sees it."""
    content_type, body = BOMBS[name]
    limits = Limits(max_records=100, max_values=1000)
    with Collector(store, port=0, decode=fake_decode, limits=limits) as collector:  # type: ignore[arg-type]
        response, answer = post(collector, body, content_type=content_type)
        assert response.status == 413
        assert b"send smaller batches" in answer
    assert store.rows == []


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_long_texts_are_not_values(content_type: str) -> None:
    """A text may be full of brackets and commas, as JSON in JSON is."""
    text = json.dumps({"a": [[1, 2], {"b": "c"}] * 5000})
    attribute = {"key": "k", "value": {"stringValue": text}}
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{"spanId": "a", "attributes": [attribute]}]}]}]})
    wire = _nested(1, 2, 9, 2, 2, 1, inner=text.encode())
    found = weigh(body.encode() if content_type == JSON else wire, content_type, "traces", max_records=9, max_values=50)
    assert found.records == 1
    assert found.values < 20


def test_memory_in_flight_counts_what_is_decoded(store: FakeStore) -> None:
    """A second body that has no room beside the first comes back later; one that never has room is refused."""
    span = _nested(2, inner=b"\x12\x00")
    body = _nested(1, inner=span * 10)
    limits = Limits(max_in_flight_bytes=30_000, max_records=20)
    with Collector(store, port=0, decode=fake_decode, limits=limits) as collector:  # type: ignore[arg-type]
        store.gate.clear()
        sender = threading.Thread(target=_in_parallel, args=(collector, [body]))
        sender.start()
        assert store.entered.wait(5)
        assert post(collector, body)[0].status == 429
        assert post(collector, _nested(1, inner=span * 20))[0].status == 413
        store.gate.set()
        sender.join(5)
        assert post(collector, body)[0].status == 200


# -- who else is there -------------------------------------------------------------------------------------------------


def _dribble(collector: Collector, data: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", collector.port), timeout=10)
    connection.sendall(data)
    return connection


@pytest.mark.parametrize("head", [b"POST /v1/tr", b"POST /v1/traces HTTP/1.1\r\nContent-Length: 9\r\n\r\nx"])
def test_slow_connections_make_room(store: FakeStore, head: bytes) -> None:
    """Connections whose requests never arrive whole hold no place that somebody else needs."""
    head = head.replace(b"\r\n\r\n", b"\r\nContent-Type: application/json\r\n\r\n")
    limits = Limits(max_connections=3, max_requests=2)
    with Collector(store, port=0, decode=fake_decode, limits=limits) as collector:  # type: ignore[arg-type]
        slow = [_dribble(collector, head) for _ in range(9)]
        for number in range(4):
            assert post(collector, str(number).encode())[0].status == 200
        for connection in slow:
            connection.close()
    assert store.rows == ["0", "1", "2", "3"]


def test_slow_bodies_give_their_memory_back(store: FakeStore) -> None:
    """When their bytes leave no room, the one that has been arriving for the longest is cut off."""
    limits = Limits(max_in_flight_bytes=1000)
    head = b"POST /v1/traces HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n"
    with Collector(store, port=0, decode=fake_decode, limits=limits) as collector:  # type: ignore[arg-type]
        slow = [_dribble(collector, head + b"x" * 900)]
        _when(lambda: collector._server.admission._bytes >= 900)
        assert post(collector, b"y" * 200)[0].status == 429
        _when(lambda: collector._server.admission._bytes == 0)
        assert post(collector, b"y" * 200)[0].status == 200
        slow[0].close()


def _when(holds: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(1000):
        if holds():
            return
        pause.wait(0.01)
    pytest.fail("it did not come to that")


@pytest.mark.parametrize(
    ("name", "status"),
    [("localhost", 200), ("LOCALHOST:9", 200), ("[::1]:4318", 200), ("evil.com", 403), ("localhost.evil.com", 403),
     ("[::1", 403), ("127.0.0.1@evil.com", 403)],
)  # fmt: skip  # cases that belong together share a line
def test_a_name_that_was_made_to_mean_this_machine_is_refused(collector: Collector, name: str, status: int) -> None:
    """Pages in a browser reach a receiver without a token neither by their own name nor by Origin."""
    assert post(collector, b"x", Host=name)[0].status == status
    assert post(collector, None, "/healthz", method="GET", Host=name)[0].status == status
    assert post(collector, b"x", Origin=f"http://{name}")[0].status == status


def test_with_a_token_any_name_is_served(store: FakeStore) -> None:
    """A receiver for others has names that it does not know; a page does not have the token."""
    with Collector(store, port=0, token="t", decode=fake_decode) as collector:  # type: ignore[arg-type]
        assert post(collector, b"x", Host="traces.example", Authorization="Bearer t")[0].status == 200


def test_a_token_comes_from_a_file(store: FakeStore, tmp_path: Path) -> None:
    """Its first line; an empty or missing file, or two tokens, are refused before anything listens."""
    (tmp_path / "token").write_text(" s3cret \nmore")

    def asks(collector: Collector) -> None:
        assert collector.token == "s3cret"
        collector.stop()

    serve(store, port=0, token_file=tmp_path / "token", decode=fake_decode, on_ready=asks)
    (tmp_path / "token").write_text("\n")
    for more in ({}, {"token": "t"}):
        with pytest.raises(UsageError):
            serve(store, port=0, token_file=tmp_path / "token", decode=fake_decode, **more)
    with pytest.raises(UsageError, match="No such file"):
        serve(store, port=0, token_file=tmp_path / "none", decode=fake_decode)
