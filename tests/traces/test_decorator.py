"""``lmops.trace``: one span per call, whatever kind of function, and nothing else changes."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import dataclasses
import gc
import inspect
import json
from typing import TYPE_CHECKING

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from lmops.errors import UsageError
from lmops.traces._capture import MAX_CHARS
from lmops.traces._decorator import trace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What ended, in an SDK provider that only this test sees as the global one."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(otel_trace, "get_tracer_provider", lambda: provider)
    return exporter


def only(exporter: InMemorySpanExporter) -> ReadableSpan:
    (span,) = exporter.get_finished_spans()
    return span


def facts(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def named(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in exporter.get_finished_spans()}


def is_child(spans: dict[str, ReadableSpan], child: str, parent: str) -> bool:
    upper = spans[child].parent
    context = spans[parent].context
    return upper is not None and context is not None and upper.span_id == context.span_id


def is_outside() -> bool:
    """Whether no span is current here."""
    return not otel_trace.get_current_span().get_span_context().is_valid


def test_a_plain_decorator(exporter: InMemorySpanExporter) -> None:
    """The span has the function's name, its kind, one text argument and a text result as they are."""

    @trace
    def answer(question: str) -> str:
        """Answer."""
        return question.upper()

    assert answer("why?") == "WHY?"
    assert (answer.__name__, answer.__doc__) == ("answer", "Answer.")
    assert list(inspect.signature(answer).parameters) == ["question"]
    span = only(exporter)
    assert span.name == "answer"
    assert facts(span) == {
        "openinference.span.kind": "CHAIN",
        "input.value": "why?",
        "input.mime_type": "text/plain",
        "output.value": "WHY?",
        "output.mime_type": "text/plain",
    }
    assert span.status.status_code.name == "OK"
    assert is_outside()


def test_a_tool(exporter: InMemorySpanExporter) -> None:
    """A tool has its name, and its arguments are always JSON."""

    @trace("search", kind="tool")
    def find(query: str, *more: int, **options: object) -> list[str]:
        return [query, *map(str, more), *options]

    find("q")
    find("q", 1, 2, limit=None)
    first, second = exporter.get_finished_spans()
    assert facts(first) == {
        "openinference.span.kind": "TOOL",
        "tool.name": "search",
        "input.value": '{"query":"q"}',
        "input.mime_type": "application/json",
        "output.value": '["q"]',
        "output.mime_type": "application/json",
    }
    assert facts(second)["input.value"] == '{"query":"q","more":[1,2],"limit":null}'


def test_capture_can_be_switched_off(exporter: InMemorySpanExporter) -> None:
    """Without capture only the kind is on the span; no result is no output."""

    @trace(kind="agent", capture_input=False, capture_output=False)
    def secret(password: str) -> str:
        return password

    @trace
    def nothing() -> None:
        return None

    secret("x")
    nothing()
    assert [facts(span) for span in exporter.get_finished_spans()] == [
        {"openinference.span.kind": "AGENT"},
        {"openinference.span.kind": "CHAIN"},
    ]


def test_methods(exporter: InMemorySpanExporter) -> None:
    """Methods, class methods and static methods in either order; self and cls are not recorded."""

    class Bot:
        @trace
        def plain(self, x: int) -> int:
            return x

        @trace
        @classmethod
        def outer(cls, x: int) -> int:
            return x + 1

        @classmethod
        @trace
        def inner(cls, x: int) -> int:
            return x + 2

        @trace
        @staticmethod
        def static(x: int) -> int:
            return x + 3

    bot = Bot()
    assert [bot.plain(1), bot.outer(1), Bot.inner(1), Bot.static(1)] == [1, 2, 3, 4]
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["Bot.plain", "Bot.outer", "Bot.inner", "Bot.static"]
    assert {facts(span)["input.value"] for span in spans} == {'{"x":1}'}


def test_an_exception_is_recorded_and_raised_as_it_was(exporter: InMemorySpanExporter) -> None:
    """The very same exception object leaves; the span has status error and the exception event."""
    boom = ValueError("no such article")

    @trace
    def fail() -> None:
        raise boom

    with pytest.raises(ValueError, match="no such") as caught:
        fail()
    assert caught.value is boom
    span = only(exporter)
    assert (span.status.status_code.name, span.status.description) == ("ERROR", "ValueError: no such article")
    assert [event.name for event in span.events] == ["exception"]
    assert dict(span.events[0].attributes or {})["exception.type"] == "ValueError"


def test_hostile_values_never_raise(exporter: InMemorySpanExporter) -> None:
    """Whatever the arguments and exceptions are, the function runs and a span is made."""

    class Hostile:
        def __repr__(self) -> str:
            msg = "no repr"
            raise RuntimeError(msg)

    class HostileError(Exception):
        def __str__(self) -> str:
            msg = "no str"
            raise RuntimeError(msg)

    @trace
    def take(value: object, other: object = None) -> object:
        if isinstance(value, Exception):
            raise value
        return value

    cycle: list[object] = [1]
    cycle.append(cycle)
    deep: object = 1
    for _ in range(5000):
        deep = [deep]
    values = [Hostile(), cycle, deep, float("nan"), 10**5000, "\ud800", b"\xff", {("a", 1): {2}}, object, range(10**9)]
    for value in values:
        assert take(value, 1) is value
    with pytest.raises(HostileError):
        take(HostileError(), 1)
    spans = exporter.get_finished_spans()
    assert len(spans) == len(values) + 1
    for span in spans:
        str(facts(span)["input.value"]).encode()
    texts = [facts(span)["input.value"] for span in spans]
    assert texts[0] == '{"value":"<Hostile: RuntimeError while it was read>","other":1}'
    assert texts[1] == '{"value":[1,"... (cycle)"],"other":1}'
    assert texts[3] == '{"value":"nan","other":1}'
    assert texts[7] == '{"value":{"(\'a\', 1)":[2]},"other":1}'


def test_known_types_have_a_readable_form(exporter: InMemorySpanExporter) -> None:
    """Data classes and models are objects, tuples and sets lists."""

    @dataclasses.dataclass
    class Article:
        title: str
        tags: tuple[str, ...]

    class Model:
        def model_dump(self) -> dict[str, object]:
            return {"a": Article("t", ("x",))}

    @trace
    def take(a: object, b: object) -> None: ...

    take(Article("t", ("x",)), Model())
    article = {"title": "t", "tags": ["x"]}
    assert json.loads(str(facts(only(exporter))["input.value"])) == {"a": article, "b": {"a": article}}


@pytest.mark.parametrize(
    "value",
    ["x" * 10**6, ["x" * 100] * 10**5, [""] * 10**6, {str(n): n for n in range(10**5)}, [[[["x" * 10**6]]]]],
    ids=["text", "list", "empty", "dict", "nested"],
)
def test_large_values_are_cut(exporter: InMemorySpanExporter, value: object) -> None:
    """What is kept is bounded, and is still JSON."""

    @trace(capture_input=False)
    def give() -> object:
        return value

    assert give() is value
    text = str(facts(only(exporter))["output.value"])
    assert len(text) < 4 * MAX_CHARS
    if not isinstance(value, str):
        json.loads(text)


def test_coroutines(exporter: InMemorySpanExporter) -> None:
    """Concurrent calls each have their own span, and what they call is below it."""

    @trace(kind="tool")
    async def tool(n: int) -> int:
        await asyncio.sleep(0)
        return n

    @trace
    async def agent(n: int) -> int:
        await asyncio.sleep(0)
        return await tool(n)

    async def main() -> list[int]:
        return await asyncio.gather(*(agent(n) for n in range(5)))

    assert inspect.iscoroutinefunction(agent)
    assert asyncio.run(main()) == list(range(5))
    spans = exporter.get_finished_spans()
    agents = {span.context.span_id: span for span in spans if span.name == "agent" and span.context}
    tools = [span for span in spans if span.name == "tool"]
    assert (len(agents), len(tools)) == (5, 5)
    for span in tools:
        assert span.parent is not None
        assert facts(agents[span.parent.span_id])["output.value"] == facts(span)["output.value"]


def test_a_cancelled_coroutine_is_an_error(exporter: InMemorySpanExporter) -> None:
    """A call that was cancelled gave no result: its span says so, and the cancellation goes on."""

    @trace
    async def slow() -> None:
        await asyncio.sleep(60)

    async def main() -> None:
        async with asyncio.timeout(0.01):
            await slow()

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert (only(exporter).status.description or "").startswith("CancelledError")


def test_a_generator(exporter: InMemorySpanExporter) -> None:
    """The span is open until the generator is exhausted and is never current in the consumer."""

    @trace
    def leaf(n: int) -> int:
        return n

    @trace
    def stream(n: int) -> Iterator[str]:
        for i in range(n):
            yield str(leaf(i))

    @trace
    def consumer_call() -> None: ...

    assert inspect.isgeneratorfunction(stream)
    items = []
    for item in stream(3):
        assert is_outside()
        assert "stream" not in named(exporter)
        consumer_call()
        items.append(item)
    assert items == ["0", "1", "2"]
    spans = named(exporter)
    assert facts(spans["stream"])["output.value"] == "012"
    assert is_child(spans, "leaf", "stream")
    assert spans["consumer_call"].parent is None


def test_a_span_that_is_open_at_a_yield(exporter: InMemorySpanExporter) -> None:
    """A block around a yield is the parent in the body, and of nothing in the consumer."""

    @trace
    def stream() -> Iterator[int]:
        with trace("inner"):
            yield 1
            with trace("leaf"):
                yield 2
        with trace("after"):
            pass

    @trace
    def consumer() -> None:
        for _ in stream():
            with trace("consumed"):
                pass

    consumer()
    spans = named(exporter)
    assert is_child(spans, "stream", "consumer")
    assert is_child(spans, "inner", "stream")
    assert is_child(spans, "leaf", "inner")
    assert is_child(spans, "after", "stream")
    assert is_child(spans, "consumed", "consumer")
    assert is_outside()


def test_generators_keep_their_protocol(exporter: InMemorySpanExporter) -> None:
    """send, throw, close and the return value work as without the decorator."""
    closed = []

    @trace
    def echo() -> Iterator[object]:
        got: object = "start"
        try:
            while got != "stop":
                try:
                    got = yield got
                except KeyError as error:
                    got = f"caught {error.args[0]}"
        finally:
            closed.append(True)
        return "result"

    generator = echo()
    assert next(generator) == "start"
    assert generator.send(2) == 2  # type: ignore[attr-defined]
    assert generator.throw(KeyError("k")) == "caught k"  # type: ignore[attr-defined]
    with pytest.raises(StopIteration) as stop:
        generator.send("stop")  # type: ignore[attr-defined]
    assert stop.value.value == "result"
    other = echo()
    next(other)
    other.close()  # type: ignore[attr-defined]
    failing = echo()
    next(failing)
    with pytest.raises(OSError, match="x"):
        failing.throw(OSError("x"))  # type: ignore[attr-defined]
    assert closed == [True, True, True]
    assert [span.status.status_code.name for span in exporter.get_finished_spans()] == ["OK", "OK", "ERROR"]
    assert facts(exporter.get_finished_spans()[0])["output.value"] == '["start",2,"caught k"]'


def test_a_generator_that_is_dropped_ends_its_span(exporter: InMemorySpanExporter) -> None:
    """A consumer that stops early closes the span, with what was yielded; one never started has none."""

    @trace
    def stream() -> Iterator[dict[str, int]]:
        yield {"n": 1}
        yield {"n": 2}

    for _ in stream():
        break
    stream()
    gc.collect()
    span = only(exporter)
    assert (facts(span)["output.value"], span.status.status_code.name) == ('[{"n":1}]', "OK")


def test_an_async_generator(exporter: InMemorySpanExporter) -> None:
    """As for a generator: children inside, nothing in the consumer, output joined."""

    @trace
    async def leaf(n: int) -> int:
        await asyncio.sleep(0)
        return n

    @trace
    async def stream(n: int) -> AsyncIterator[str]:
        with trace("inner"):
            for i in range(n):
                yield str(await leaf(i))

    async def main() -> None:
        async for _ in stream(3):
            assert is_outside()
            with trace("consumed"):
                await asyncio.sleep(0)

    assert inspect.isasyncgenfunction(stream)
    asyncio.run(main())
    spans = named(exporter)
    assert facts(spans["stream"])["output.value"] == "012"
    assert is_child(spans, "inner", "stream")
    assert is_child(spans, "leaf", "inner")
    assert spans["consumed"].parent is None


def test_async_generators_keep_their_protocol(exporter: InMemorySpanExporter) -> None:
    """asend, athrow and aclose reach the body; an unexpected exception is recorded."""
    closed = []

    @trace
    async def echo() -> AsyncIterator[object]:
        got: object = "start"
        try:
            while True:
                try:
                    got = yield got
                except KeyError as error:
                    got = f"caught {error.args[0]}"
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    async def main() -> None:
        generator = echo()
        assert await anext(generator) == "start"
        assert await generator.asend(2) == 2  # type: ignore[attr-defined]
        assert await generator.athrow(KeyError("k")) == "caught k"  # type: ignore[attr-defined]
        await generator.aclose()  # type: ignore[attr-defined]
        failing = echo()
        await anext(failing)
        with pytest.raises(OSError, match="x"):
            await failing.athrow(OSError("x"))  # type: ignore[attr-defined]
        async for _ in echo():
            break
        gc.collect()
        for _ in range(10):
            # The event loop closes a dropped generator in a task of its own.
            await asyncio.sleep(0)

    asyncio.run(main())
    assert closed == [True, True, True]
    assert [span.status.status_code.name for span in exporter.get_finished_spans()] == ["OK", "ERROR", "OK"]


def test_an_async_generator_that_moves_between_tasks(
    exporter: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """Each step may run in another task, as web frameworks do; the context is put back in each."""

    @trace
    async def stream() -> AsyncIterator[int]:
        yield 1
        yield 2

    async def main() -> None:
        generator = stream()
        for _ in range(2):
            await asyncio.create_task(anext(generator))  # type: ignore[arg-type]
            assert is_outside()
        await asyncio.create_task(generator.aclose())  # type: ignore[attr-defined]

    asyncio.run(main())
    assert facts(only(exporter))["output.value"] == "[1,2]"
    assert caplog.records == []


def test_other_context_variables_are_left_alone(exporter: InMemorySpanExporter) -> None:
    """A generator's body still shares the consumer's own context variables."""
    variable = contextvars.ContextVar("variable", default=0)

    @trace
    def stream() -> Iterator[int]:
        while True:
            variable.set(variable.get() + 1)
            yield variable.get()

    generator = stream()
    assert next(generator) == 1
    variable.set(10)
    assert next(generator) == 11
    assert variable.get() == 11
    assert exporter.get_finished_spans() == ()


def test_a_block(exporter: InMemorySpanExporter) -> None:
    """``with lmops.trace(name)`` opens a span that takes attributes; exceptions are recorded."""

    def work() -> None:
        with trace("rerank", kind="reranker") as span:
            span.set_attribute("n", 3)
            raise LookupError

    with pytest.raises(LookupError):
        work()
    ended = only(exporter)
    assert facts(ended) == {"openinference.span.kind": "RERANKER", "n": 3}
    assert ended.status.status_code.name == "ERROR"


def test_one_decorator_object_serves_many_functions(exporter: InMemorySpanExporter) -> None:
    """What trace returns can decorate more than one function."""
    tool = trace(kind="tool")

    @tool
    def a() -> int:
        return 1

    @tool
    def b() -> int:
        return 2

    assert (a(), b()) == (1, 2)
    assert [span.name for span in exporter.get_finished_spans()] == ["a", "b"]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: trace(kind="tol"),
        lambda: trace(3),
        lambda: trace(dict),
        lambda: trace("x")(int),
        lambda: trace().__enter__(),
    ],
)
def test_wrong_uses_are_refused(wrong: Callable[[], object]) -> None:
    """An unknown kind, a class or a number, and a block without a name: at once, not at the first call."""
    with pytest.raises(UsageError):
        wrong()


def test_without_a_provider_nothing_happens() -> None:
    """Every kind of function works when no tracing is installed."""

    @trace
    def plain(x: int) -> int:
        return x

    @trace
    def stream(n: int) -> Iterator[int]:
        yield from range(n)

    @trace
    async def astream(n: int) -> AsyncIterator[int]:
        for i in range(n):
            yield i

    @trace
    async def main() -> list[int]:
        return [i async for i in astream(2)]

    with trace("block") as span:
        span.set_attribute("n", 1)
    assert (plain(1), list(stream(2)), asyncio.run(main())) == (1, [0, 1], [0, 1])


def test_what_is_sampled_out_stays_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that the sampler refuses makes no span, and neither do the calls below it."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(otel_trace, "get_tracer_provider", lambda: provider)

    @trace
    def outer() -> bool:
        return otel_trace.get_current_span().get_span_context().is_valid

    assert outer()
    assert exporter.get_finished_spans() == ()


def test_broken_tracing_does_not_break_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that raises is as good as none."""

    def broken() -> None:
        raise RuntimeError

    monkeypatch.setattr(otel_trace, "get_tracer_provider", broken)
    with contextlib.ExitStack() as stack:
        stack.enter_context(trace("block"))
        assert trace(abs)(-1) == 1
    assert otel_context.get_current() == {}
