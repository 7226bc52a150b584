"""Spans of this process in the store: the same rows as from the wire, each once, none lost silently."""

from __future__ import annotations

import http.server
import json
import math
import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags

from lmops.errors import ReadOnlyError, StoreError, UsageError
from lmops.store import Store
from lmops.traces._exporter import Instrumentation, StoreExporter, instrument
from lmops.traces._normalise import normalise
from lmops.traces._otlp import decode_traces_pb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class FakeStore:
    """Keeps rows; ``fail`` is raised instead, ``gate`` holds every commit until it is set."""

    def __init__(self) -> None:
        self.rows: list[dict[str, object]] = []
        self.batches: list[int] = []
        self.fail: Exception | None = None
        self.poison: str | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def append_many(self, rows: Mapping[str, list[dict[str, object]]]) -> None:
        self.entered.set()
        self.gate.wait(10)
        if self.fail is not None:
            raise self.fail
        if self.poison in [row["name"] for row in rows["spans"]]:
            msg = "poison"
            raise TypeError(msg)
        self.rows += rows["spans"]
        self.batches.append(len(rows["spans"]))

    @property
    def names(self) -> list[object]:
        return [row["name"] for row in self.rows]


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def real_store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store") as opened:
        yield opened


def private(store: object, **options: object) -> Instrumentation:
    return instrument(store, set_global=False, **options)  # type: ignore[arg-type]


def make(handle: Instrumentation, *names: str) -> None:
    tracer = handle.get_tracer("test")
    for name in names:
        tracer.start_span(name).end()


def in_a_program(code: str, **environment: str) -> str:
    """Run code in a fresh interpreter, whose global tracer provider nobody has set; return what it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def _varied_spans() -> tuple[ReadableSpan, ...]:
    memory = InMemorySpanExporter()
    resource = Resource({"service.name": "shop", "deployment.environment.name": "test", "n": 1, "list": ["a", "b"]})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("openinference.instrumentation.openai", "0.1.2")
    linked = SpanContext(trace_id=2**127 + 5, span_id=7, is_remote=True, trace_flags=TraceFlags(1))
    with tracer.start_as_current_span("chain", attributes={"openinference.span.kind": "CHAIN"}) as chain:
        chain.set_attributes(
            {"input.value": "grüße 🚢", "empty": "", "t": True, "i": -5, "f": 1.5, "nan": math.nan, "inf": math.inf}
        )
        chain.set_attributes({"texts": ["a", ""], "ints": [1, 2], "floats": (0.5,), "bools": [True, False], "none": []})
        chain.add_event("seen", {"score": 0.5, "tags": ("x", "y")}, timestamp=1_700_000_000_000_000_123)
        with tracer.start_as_current_span("llm", links=[Link(linked, {"why": "retry"})]) as llm:
            llm.set_attributes(
                {
                    "openinference.span.kind": "LLM",
                    "llm.model_name": "gpt-5-mini",
                    "llm.input_messages.0.message.role": "user",
                    "llm.input_messages.0.message.content": "why?",
                    "llm.output_messages.0.message.role": "assistant",
                    "llm.output_messages.0.message.content": "because",
                    "llm.token_count.prompt": 12,
                    "llm.token_count.completion": 3,
                    "session.id": "s1",
                }
            )
            llm.record_exception(ValueError("bad"))
            llm.set_status(Status(StatusCode.ERROR, "ValueError: bad"))
    unscoped = provider.get_tracer("plain")
    unscoped.start_span("root", start_time=1_700_000_000_000_000_001).end(1_700_000_000_000_000_009)
    return memory.get_finished_spans()


def test_rows_are_those_of_the_wire() -> None:
    """The direct way and the encoded way give identical rows."""
    spans = _varied_spans()
    direct = {row["span_id"]: row for row in StoreExporter(FakeStore()).rows(spans)}
    body = encode_spans(spans).SerializeToString()
    wire = {row["span_id"]: row for row in map(normalise, decode_traces_pb(body))}
    assert direct == wire
    assert len(direct) == 3
    (llm,) = (row for row in direct.values() if row["name"] == "llm")
    assert (llm["kind"], llm["model"], llm["input_tokens"], llm["status"]) == ("llm", "gpt-5-mini", 12, "error")


def test_values_that_the_wire_refuses_are_kept() -> None:
    """A lone surrogate or a huge integer costs neither its span nor the batch."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    span = provider.get_tracer("t").start_span("s", attributes={"text": "a\ud800b", "huge": 2**80, "bytes": b"\xff"})
    span.end()
    (row,) = StoreExporter(FakeStore()).rows(memory.get_finished_spans())
    attributes = json.loads(str(row["attributes"]))
    assert attributes == {"text": "a\ufffdb", "huge": str(2**80), "bytes": "/w=="}


def test_spans_land_in_the_store(real_store: Store) -> None:
    """Ended spans are in the store after a flush, with the resource that was asked for, each once."""
    handle = private(real_store, service="shop", environment="test", resource_attributes={"team": "a"})
    tracer = handle.get_tracer("t")
    with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner"):
        pass
    assert handle.flush()
    rows = real_store.sql(
        "select name, service, environment, parent_span_id is null, resource::json->>'team' from spans order by 1"
    ).fetchall()
    assert rows == [("inner", "shop", "test", False, "a"), ("outer", "shop", "test", True, "a")]
    assert (handle.exported, handle.pending, handle.dropped) == (2, 0, 0)
    assert "2 exported, 0 pending, 0 dropped" in repr(handle)
    handle.shutdown()
    assert "stopped" in repr(handle)


def test_spans_arrive_without_a_flush(store: FakeStore) -> None:
    """The first span is written soon after it ended, whatever follows."""
    handle = private(store)
    make(handle, "a")
    assert store.entered.wait(5)
    handle.shutdown()
    assert store.names == ["a"]


def test_batches(store: FakeStore) -> None:
    """Spans are written in batches of at most 512, in order."""
    handle = private(store)
    names = [str(number) for number in range(1500)]
    make(handle, *names)
    assert handle.flush()
    assert store.names == names
    assert max(store.batches) <= 512
    assert len(store.batches) < 20
    handle.shutdown()


def test_many_threads(store: FakeStore) -> None:
    """Spans of many threads all arrive, once."""
    handle = private(store)
    threads = [
        threading.Thread(target=make, args=(handle, *(f"{thread}.{number}" for number in range(200))))
        for thread in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    handle.shutdown()
    assert len(store.names) == len(set(store.names)) == 1600


def test_sampled_out_spans_are_not_stored(store: FakeStore) -> None:
    """What the sampler refuses is no loss."""
    handle = private(store)
    handle.provider.sampler = ALWAYS_OFF  # type: ignore[attr-defined]
    make(handle, "a")
    handle.shutdown()
    assert (store.rows, handle.dropped) == ([], 0)


def test_a_full_queue_drops_and_reports(store: FakeStore, caplog: pytest.LogCaptureFixture) -> None:
    """The application goes on after a short wait; what was lost is counted and reported; later spans arrive."""
    handle = private(store, max_queue=10, block_ms=1)
    store.gate.clear()
    make(handle, "first")
    assert store.entered.wait(5)
    make(handle, *(f"kept {number}" for number in range(10)))
    make(handle, *(f"lost {number}" for number in range(50)))
    assert (handle.dropped, handle.pending) == (50, 11)
    assert "50 dropped" in repr(handle)
    assert len(caplog.records) == 1
    assert "the queue was full" in caplog.text
    store.gate.set()
    assert handle.flush()
    make(handle, "after")
    handle.shutdown()
    assert store.names == ["first", *(f"kept {number}" for number in range(10)), "after"]
    assert [record.getMessage().partition(" spans")[0] for record in caplog.records] == ["dropped 1", "dropped 49"]


def test_a_full_queue_waits_for_room(store: FakeStore) -> None:
    """When room comes within the wait nothing is lost."""
    handle = private(store, max_queue=1, block_ms=10_000)
    store.gate.clear()
    threading.Timer(0.05, store.gate.set).start()
    make(handle, "a", "b", "c", "d")
    handle.shutdown()
    assert (store.names, handle.dropped) == (["a", "b", "c", "d"], 0)


def test_a_busy_store_is_tried_again(store: FakeStore) -> None:
    """Spans wait for a store that is locked or full, and arrive once."""
    handle = private(store)
    store.fail = StoreError("locked")
    make(handle, "a")
    assert store.entered.wait(5)
    store.fail = None
    assert handle.flush()
    assert (store.names, handle.dropped) == (["a"], 0)
    handle.shutdown()


@pytest.mark.parametrize("error", [StoreError("locked for good"), ReadOnlyError("read-only")])
def test_a_store_that_stays_broken_does_not_hold_the_exit(
    store: FakeStore, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """Shutdown ends in its time; what could not be written is counted and reported with the reason."""
    handle = private(store)
    store.fail = error
    make(handle, "a", "b")
    handle.shutdown(timeout_s=0.2)
    assert (handle.dropped, handle.exported, handle.pending) == (2, 0, 0)
    assert "dropped 2 spans" in caplog.text
    assert str(error) in caplog.text


def test_one_bad_span_does_not_cost_the_others(store: FakeStore, caplog: pytest.LogCaptureFixture) -> None:
    """When a batch fails on a row, the other rows are written one by one."""
    handle = private(store)
    store.poison = "bad"
    make(handle, "a", "bad", "b")
    handle.shutdown()
    assert (store.names, handle.dropped, handle.exported) == (["a", "b"], 1, 2)
    assert "TypeError: poison" in caplog.text


def test_after_a_shutdown_spans_are_not_stored_until_instrument_is_called_again(store: FakeStore) -> None:
    """The handle of a provider can be shut down and taken up again."""
    provider = TracerProvider(shutdown_on_exit=False)
    handle = _on(provider, store)
    make(handle, "a")
    handle.shutdown()
    handle.shutdown()
    make(handle, "ignored")
    assert _on(provider, store) is handle
    make(handle, "b")
    handle.shutdown()
    assert (store.names, handle.dropped) == (["a", "b"], 0)


def _on(provider: TracerProvider, store: object, **options: object) -> Instrumentation:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("opentelemetry.trace.get_tracer_provider", lambda: provider)
        return instrument(store, **options)  # type: ignore[arg-type]


def test_calling_twice_doubles_nothing(real_store: Store) -> None:
    """A notebook's cell that runs again gives the same handle, also with a new store object of the same path."""
    provider = TracerProvider(shutdown_on_exit=False)
    first = _on(provider, real_store)
    make(first, "a")
    with Store.open(real_store.path) as reopened:
        second = _on(provider, reopened, service="renamed")
        assert second is first
        make(second, "b")
        second.shutdown()
    rows = real_store.sql("select name, service = 'renamed' from spans order by 1").fetchall()
    assert [name for name, _ in rows] == ["a", "b"]
    assert rows[1][1]


def test_two_stores_each_get_every_span(store: FakeStore) -> None:
    """Instrumenting a second store adds it."""
    other = FakeStore()
    provider = TracerProvider(shutdown_on_exit=False)
    handles = [_on(provider, store), _on(provider, other)]
    make(handles[0], "a")
    for handle in handles:
        handle.shutdown()
    assert store.names == other.names == ["a"]


def test_an_existing_provider_is_kept(store: FakeStore) -> None:
    """What the application already exports to goes on getting its spans."""
    theirs = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(theirs))
    handle = _on(provider, store)
    assert handle.provider is provider
    make(handle, "a")
    handle.shutdown()
    make(handle, "b")
    assert [span.name for span in theirs.get_finished_spans()] == ["a", "b"]
    assert store.names == ["a"]


def test_a_provider_that_replaces_its_processor_is_asked_not_to(store: FakeStore) -> None:
    """Phoenix's provider drops its own processor when one is added, unless told otherwise."""

    class Phoenix(TracerProvider):
        def add_span_processor(self, span_processor: object, replace_default_processor: bool = True) -> None:
            assert not replace_default_processor
            super().add_span_processor(span_processor)  # type: ignore[arg-type]

    handle = _on(Phoenix(shutdown_on_exit=False), store)
    make(handle, "a")
    handle.shutdown()
    assert store.names == ["a"]


def test_a_provider_without_processors_is_refused(store: FakeStore) -> None:
    """The error says how to go on."""
    with pytest.raises(UsageError, match="set_global=False"):
        _on(object(), store)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"max_queue": 0}, {"block_ms": -1}])
def test_options_out_of_range_are_refused(store: FakeStore, options: dict[str, int]) -> None:
    """At once, not at the first span."""
    with pytest.raises(UsageError):
        private(store, **options)


def test_long_conversations_are_kept_whole(store: FakeStore) -> None:
    """A span keeps more attributes than the SDK's default of 128."""
    handle = private(store)
    attributes = {f"llm.input_messages.{number}.message.content": "x" for number in range(2000)}
    handle.get_tracer("t").start_span("s", attributes=attributes).end()
    handle.shutdown()
    assert len(json.loads(str(store.rows[0]["attributes"]))) == 2000


def test_costs_are_put_on(store: FakeStore) -> None:
    """The workspace's pricing sees the rows before they are written."""

    def price(rows: list[dict[str, object]]) -> None:
        for row in rows:
            row["cost_usd"] = 0.5

    handle = private(store, price_rows=price)
    make(handle, "a")
    handle.shutdown()
    assert store.rows[0]["cost_usd"] == 0.5


def test_a_plain_exporter(store: FakeStore, caplog: pytest.LogCaptureFixture) -> None:
    """StoreExporter works behind a processor of the user's, and never raises."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(StoreExporter(store)))
    provider.get_tracer("t").start_span("a").end()
    store.fail = StoreError("gone")
    provider.get_tracer("t").start_span("b").end()
    assert store.names == ["a"]
    assert "gone" in caplog.text
    provider.shutdown()


def test_the_global_provider_and_the_exit(tmp_path: Path) -> None:
    """With no provider set, instrument sets one; at exit everything is in the store, without any call."""
    program = """
        import sys
        from opentelemetry import trace
        from lmops.store import Store
        from lmops.traces._exporter import instrument

        tracer = trace.get_tracer("before")  # taken before the provider is set, as instrumentors do
        store = Store.open(sys.argv[1] if len(sys.argv) > 1 else PATH)
        handle = instrument(store, service="shop")
        assert instrument(store) is handle
        for number in range(1000):
            tracer.start_span(str(number)).end()
    """.replace("PATH", repr(str(tmp_path / "store")))
    in_a_program(program)
    with Store.open(tmp_path / "store") as store:
        assert store.sql("select count(*), count(distinct span_id) from spans").fetchall() == [(1000, 1000)]


def test_an_unhandled_exception_loses_nothing(tmp_path: Path) -> None:
    """The span of the call that killed the program is in the store, as an error."""
    program = f"""
        from lmops.store import Store
        from lmops.traces._decorator import trace
        from lmops.traces._exporter import instrument

        instrument(Store.open({str(tmp_path / "store")!r}))

        @trace
        def fail():
            raise SystemExit(0)

        fail()
    """
    in_a_program(program)
    with Store.open(tmp_path / "store") as store:
        rows = store.sql("select name, status, error_type from spans").fetchall()
    assert rows == [("fail", "error", "SystemExit")]


def _child(handle: Instrumentation, name: str) -> None:
    make(handle, name)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_forked_processes_each_write_their_own_spans(real_store: Store) -> None:
    """A child neither writes the spans that waited in its parent again nor loses its own."""
    handle = private(real_store)
    make(handle, "before")
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_child, args=(handle, f"child {number}")) for number in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(20)
        assert child.exitcode == 0
    make(handle, "after")
    handle.shutdown()
    rows = real_store.sql("select name from spans order by start_ns").fetchall()
    assert sorted(name for (name,) in rows) == ["after", "before", "child 0", "child 1", "child 2"]


class _ChatApi(http.server.BaseHTTPRequestHandler):
    """Answers like a chat completions API."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": "gpt-5-mini-2025-08-07",
            "choices": [
                {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "At nine."}},
            ],
            "usage": {
                "prompt_tokens": 21,
                "completion_tokens": 4,
                "total_tokens": 25,
                "prompt_tokens_details": {"cached_tokens": 16},
            },
        }
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def chat_url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _ChatApi) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


def test_a_third_party_instrumentor(real_store: Store, chat_url: str) -> None:
    """OpenInference's instrumentor and the real client: the call is in the store once, inside the traced function."""
    import openai
    from openinference.instrumentation.openai import OpenAIInstrumentor

    handle = private(real_store, service="shop")
    instrumentor = OpenAIInstrumentor()
    instrumentor.instrument(tracer_provider=handle.provider)
    try:
        with (
            openai.OpenAI(base_url=chat_url, api_key="none", max_retries=0) as client,
            handle.get_tracer("shop").start_as_current_span("answer"),
        ):
            question = {"role": "user", "content": "When does the ferry leave?"}
            client.chat.completions.create(model="gpt-5-mini", messages=[question])  # type: ignore[list-item]
    finally:
        instrumentor.uninstrument()
    handle.shutdown()
    calls = real_store.sql(
        "select model, requested_model, input_tokens, output_tokens, cached_input_tokens, input, output, service, "
        "response_id, status, parent_span_id = (select span_id from spans where name = 'answer') from llm_calls"
    ).fetchall()
    assert len(calls) == 1
    model, requested, *tokens, asked, answered, service, response_id, status, is_inside = calls[0]
    assert (model, requested, tokens) == ("gpt-5-mini-2025-08-07", "gpt-5-mini", [21, 4, 16])
    assert json.loads(asked)[0]["content"] == "When does the ferry leave?"
    assert json.loads(answered)[0]["content"] == "At nine."
    assert (service, response_id, status, is_inside) == ("shop", "chatcmpl-1", "ok", True)
    assert real_store.sql("select count(*) from spans").fetchall() == [(2,)]
