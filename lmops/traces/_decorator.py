"""``lmops.trace``: one span per call of a function, or per ``with`` block.

Only the OpenTelemetry API is used: the spans go to whatever tracer provider the application has
installed, and nowhere, at almost no cost, when it has installed none.

The attributes are OpenInference's (``openinference.span.kind``, ``input.value``, ``output.value``,
``tool.name``) because they are the only ones in use that name every kind and carry an input and an
output for each of them; every OpenTelemetry backend stores them, and several show them.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, overload

# The API alone: a few small modules, which every package that is instrumented imports as well.
from opentelemetry import context as otel_context
from opentelemetry import trace as otel_trace
from opentelemetry.trace import Span, Status, StatusCode

from lmops.base.endings import Logged
from lmops.errors import UsageError, did_you_mean
from lmops.traces._capture import JSON, Collected, render, to_json
from lmops.traces._json import text_of
from lmops.types import SPAN_KINDS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Mapping
    from types import TracebackType

    from opentelemetry.context import Context
    from opentelemetry.util.types import AttributeValue

    from lmops.types import SpanKind

_log = logging.getLogger(__name__)

_SCOPE: Final = "lmops"
_MAX_MESSAGE_CHARS: Final = 4096
_UNSET: Final = Status(StatusCode.UNSET)
_OK: Final = Status(StatusCode.OK)

F = TypeVar("F", bound="Callable[..., object]")
T = TypeVar("T")


@overload
def trace(func: F, /) -> F: ...


@overload
def trace(
    name: str | None = None,
    /,
    *,
    kind: SpanKind = "chain",
    capture_input: bool = True,
    capture_output: bool = True,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Tracing: ...


def trace(
    target: F | str | None = None,
    /,
    *,
    kind: SpanKind = "chain",
    capture_input: bool = True,
    capture_output: bool = True,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> F | Tracing:
    """Return the function traced, or what traces a function or a ``with`` block.

    >>> @trace
    ... def answer(question: str) -> str:
    ...     return question.upper()
    >>> @trace("search", kind="tool", capture_output=False)
    ... def find(query: str, limit: int = 5) -> list[str]:
    ...     return [query] * limit
    >>> with trace("rerank", kind="reranker") as span:
    ...     span.set_attribute("candidates", 20)
    >>> answer("why?")
    'WHY?'

    Functions, coroutines, generators and async generators, methods, class and static methods. A
    generator's span is open from its first item until it is exhausted or closed; it is current while
    the generator runs and not while its consumer does. Exceptions are recorded and raised as they were; a span
    without one has the status ok.

    Args:
        target: the function, or the name of the span; default the function's own name.
        kind: what the span is; a tool is also named as one.
        capture_input: record the arguments, as JSON of at most about 65,000 characters; a single text
            argument as it is, except for a tool.
        capture_output: record the result, or what a generator yielded, in the same way.
        attributes: what stands on the span from its begin, where samplers see it.

    Raises:
        UsageError: an unknown kind, or a target that is no function.
    """
    if kind not in SPAN_KINDS:
        raise UsageError(did_you_mean("kind of span", str(kind), SPAN_KINDS))
    said = attributes or {}
    if target is None or isinstance(target, str):
        return Tracing(target, said, kind=kind, capture_input=capture_input, capture_output=capture_output)
    return Tracing(None, said, kind=kind, capture_input=capture_input, capture_output=capture_output)(target)


class Tracing:
    """What ``trace("name", kind=...)`` returns: decorates a function, or opens one span with ``with``."""

    def __init__(
        self,
        name: str | None,
        attributes: Mapping[str, AttributeValue],
        *,
        kind: SpanKind,
        capture_input: bool,
        capture_output: bool,
    ) -> None:
        self._name = name
        self._attributes = attributes
        self._kind = kind
        self._capture_input = capture_input
        self._capture_output = capture_output
        self._blocks: list[tuple[Span | None, Any]] = []

    def __repr__(self) -> str:
        return f"<trace {self._name or '(name of the function)'} kind={self._kind}>"

    def __enter__(self) -> Span:
        if self._name is None:
            msg = "a with block needs a name: with lmops.trace('name', kind='chain') as span"
            raise UsageError(msg)
        span = _start(self._name, self._kind, self._attributes)
        token = None if span is None else otel_context.attach(otel_trace.set_span_in_context(span))
        self._blocks.append((span, token))
        return otel_trace.INVALID_SPAN if span is None else span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        span, token = self._blocks.pop()
        if span is not None:
            try:
                _record_end(span, error)
            finally:
                otel_context.detach(token)
                span.end()

    def __call__(self, func: F, /) -> F:
        """Return the function traced; its signature, names and kind of function stay.

        Raises:
            UsageError: the target is no function.
        """
        if isinstance(func, classmethod | staticmethod):
            return cast("F", type(func)(self(func.__func__)))
        if inspect.isclass(func) or not callable(func):
            msg = f"lmops.trace decorates functions, not {func!r:.80}; decorate the methods of a class"
            raise UsageError(msg)
        recorder = _Recorder(
            func,
            self._name,
            self._kind,
            self._attributes,
            capture_input=self._capture_input,
            capture_output=self._capture_output,
        )
        if inspect.isasyncgenfunction(func):
            return cast("F", _traced_async_generator(func, recorder))
        if inspect.iscoroutinefunction(func):
            return cast("F", _traced_coroutine(func, recorder))
        if inspect.isgeneratorfunction(func):
            return cast("F", _traced_generator(func, recorder))
        return cast("F", _traced_function(func, recorder))


# -- the four kinds of function ------------------------------------------------------------------


def _traced_function(func: Callable[..., T], recorder: _Recorder) -> Callable[..., T]:
    @functools.wraps(func)
    def wrapper(*args: object, **kwargs: object) -> T:
        span = recorder.start(args, kwargs)
        if span is None:
            return func(*args, **kwargs)
        token = otel_context.attach(otel_trace.set_span_in_context(span))
        try:
            with _Recorded(span):
                result = func(*args, **kwargs)
                recorder.record_output(span, result)
            return result
        finally:
            otel_context.detach(token)
            span.end()

    return wrapper


def _traced_coroutine(func: Callable[..., object], recorder: _Recorder) -> Callable[..., object]:
    @functools.wraps(func)
    async def wrapper(*args: object, **kwargs: object) -> object:
        span = recorder.start(args, kwargs)
        if span is None:
            return await func(*args, **kwargs)  # type: ignore[misc]  # checked by iscoroutinefunction
        token = otel_context.attach(otel_trace.set_span_in_context(span))
        try:
            with _Recorded(span):
                result: object = await func(*args, **kwargs)  # type: ignore[misc]  # checked by iscoroutinefunction
                recorder.record_output(span, result)
            return result
        finally:
            otel_context.detach(token)
            span.end()

    return wrapper


class _Recorded:
    """Says on a span how a body ended: by itself, or by an exception, which goes on.

    Args:
        span: The span; None records nothing.
        usual: Exceptions that are the usual end: a consumer that had enough of a stream is no error.
    """

    __slots__ = ("_span", "_usual")

    def __init__(self, span: Span | None, *usual: type[BaseException]) -> None:
        self._span = span
        self._usual = usual

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        _record_end(self._span, None if isinstance(error, self._usual) else error)


class _Resumed:
    """The context of a generator's body, attached while the body runs and put back at every yield.

    A generator shares the context variables of whoever iterates it: a span that stays attached over a
    yield would become the parent of what the consumer does. A span that the body itself opened
    is kept for the body, because the context is read again before it is put back.
    """

    def __init__(self, span: Span) -> None:
        self._context: Context = otel_trace.set_span_in_context(span)

    def __enter__(self) -> None:
        self._token = otel_context.attach(self._context)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._context = otel_context.get_current()
        otel_context.detach(self._token)


def _traced_generator(func: Callable[..., object], recorder: _Recorder) -> Callable[..., object]:
    @functools.wraps(func)
    def wrapper(*args: object, **kwargs: object) -> Generator[object, object, object]:
        generator = cast("Generator[object, object, object]", func(*args, **kwargs))
        span = recorder.start(args, kwargs)
        if span is None:
            return (yield from generator)
        collected = Collected()
        try:
            with _Recorded(span, GeneratorExit):
                return (yield from _stepped(generator, _Resumed(span), collected))
        finally:
            recorder.record_collected(span, collected)
            span.end()

    return wrapper


def _stepped(
    generator: Generator[object, object, object], resumed: _Resumed, collected: Collected
) -> Generator[object, object, object]:
    """Delegate like ``yield from``, with the body's context around every step of the body."""
    try:
        with resumed:
            item = next(generator)
        while True:
            collected.add(item)
            try:
                sent = yield item
            except GeneratorExit:
                with resumed:
                    generator.close()
                raise
            except BaseException as error:  # thrown in by the consumer, meant for the body
                with resumed:
                    item = generator.throw(error)
            else:
                with resumed:
                    item = generator.send(sent)
    except StopIteration as stop:
        return stop.value


def _traced_async_generator(func: Callable[..., object], recorder: _Recorder) -> Callable[..., object]:
    @functools.wraps(func)
    async def wrapper(*args: object, **kwargs: object) -> AsyncGenerator[object, object]:
        generator = cast("AsyncGenerator[object, object]", func(*args, **kwargs))
        span = recorder.start(args, kwargs)
        resumed = contextlib.nullcontext() if span is None else _Resumed(span)
        collected = Collected()
        step = generator.asend(None)
        try:
            with _Recorded(span, GeneratorExit, StopAsyncIteration):
                while True:
                    with resumed:
                        item = await step
                    if span is not None:
                        collected.add(item)
                    try:
                        step = generator.asend((yield item))
                    except GeneratorExit:
                        with resumed:
                            await generator.aclose()
                        raise
                    except BaseException as error:  # thrown in by the consumer, meant for the body
                        step = generator.athrow(error)
        except StopAsyncIteration:
            return
        finally:
            if span is not None:
                recorder.record_collected(span, collected)
                span.end()

    return wrapper


# -- spans ---------------------------------------------------------------------------------------


class _Recorder:
    """Opens the spans of one function and puts its arguments and results on them; never raises."""

    def __init__(
        self,
        func: Callable[..., object],
        name: str | None,
        kind: SpanKind,
        attributes: Mapping[str, AttributeValue],
        *,
        capture_input: bool,
        capture_output: bool,
    ) -> None:
        qualified = getattr(func, "__qualname__", type(func).__name__).rpartition("<locals>.")[2]
        self._name = name or qualified
        self._kind = kind
        self._attributes = attributes
        self._capture_input = capture_input
        self._capture_output = capture_output
        self._positional, self._variable = _parameters(func)
        # Whether the function is a method can only be told from its names: it is decorated before it is bound.
        is_method = "." in qualified and self._positional[:1] in (["self"], ["cls"], ["mcs"])
        self._skipped = 1 if is_method else 0

    def start(self, args: tuple[object, ...], kwargs: dict[str, object]) -> Span | None:
        """Return an open span with the input on it, or None when nothing traces."""
        span = _start(self._name, self._kind, self._attributes)
        if span is not None and self._capture_input and span.is_recording():
            with contextlib.suppress(Exception):
                self._record_input(span, args, kwargs)
        return span

    def record_output(self, span: Span, result: object) -> None:
        """Put the result on the span; None is no output."""
        if not self._capture_output or result is None or not span.is_recording():
            return
        with contextlib.suppress(Exception):
            _set_value(span, "output", render(result))

    def record_collected(self, span: Span, collected: Collected) -> None:
        """Put what was yielded on the span."""
        if not self._capture_output or not span.is_recording():
            return
        with contextlib.suppress(Exception):
            if (rendered := collected.render()) is not None:
                _set_value(span, "output", rendered)

    def _record_input(self, span: Span, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        arguments = dict(zip(self._positional[self._skipped :], args[self._skipped :], strict=False))
        if len(args) > len(self._positional):
            arguments[self._variable] = args[len(self._positional) :]
        arguments.update(kwargs)
        if not arguments:
            return
        only = next(iter(arguments.values())) if len(arguments) == 1 else None
        if isinstance(only, str) and self._kind != "tool":
            _set_value(span, "input", render(only))
        else:
            _set_value(span, "input", (to_json(arguments), JSON))


def _parameters(func: Callable[..., object]) -> tuple[list[str], str]:
    """Return the names of the positional parameters, and the name of what takes the others."""
    try:
        parameters = inspect.signature(func).parameters.values()
    except (ValueError, TypeError):
        # Some functions of C extensions have no signature.
        return [], "args"
    positional = [p.name for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
    variable = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "args")
    return positional, variable


def _set_value(span: Span, which: str, rendered: tuple[str, str]) -> None:
    text, mime_type = rendered
    span.set_attribute(f"{which}.value", text)
    span.set_attribute(f"{which}.mime_type", mime_type)


#: The tracer and the provider it came from: getting a tracer costs more than starting a span.
_tracer: tuple[object, otel_trace.Tracer] | None = None


def _start(name: str, kind: SpanKind, attributes: Mapping[str, AttributeValue]) -> Span | None:
    """Return an open span, or None when the application has no tracing or it is broken."""
    global _tracer  # noqa: PLW0603 - a cache that any thread may refill
    # Broken tracing must not break the application.
    with Logged(_log, "no span for %s", name, level=logging.DEBUG):
        provider = otel_trace.get_tracer_provider()
        if isinstance(provider, otel_trace.ProxyTracerProvider):
            # What stands there until the application installs one.
            return None
        cached = _tracer
        if cached is None or cached[0] is not provider:
            cached = _tracer = (provider, provider.get_tracer(_SCOPE))
        said: dict[str, AttributeValue] = {"openinference.span.kind": kind.upper()}
        if kind == "tool":
            said["tool.name"] = name
        said.update(attributes)
        span = cached[1].start_span(name, attributes=said)
        return span if span.get_span_context().is_valid else None
    return None


def _record_end(span: Span | None, error: BaseException | None) -> None:
    """Say how a body ended."""
    if error is None:
        _record_success(span)
    else:
        _record_error(span, error)


def _record_success(span: Span | None) -> None:
    """Say that nothing failed, unless the body said otherwise of its span."""
    if span is not None and span.is_recording() and getattr(span, "status", _UNSET).is_unset:
        span.set_status(_OK)


def _record_error(span: Span | None, error: BaseException) -> None:
    """Put an exception on the span: its event, and status error with its type and message."""
    if span is None or not span.is_recording():
        return
    with contextlib.suppress(Exception):
        message = text_of(str(error))
        if len(message) > _MAX_MESSAGE_CHARS:
            message = message[:_MAX_MESSAGE_CHARS] + "..."
        span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {message}"))
        span.record_exception(error, attributes={"exception.message": message})
