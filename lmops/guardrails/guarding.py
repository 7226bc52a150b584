"""A policy at work: checks by themselves, around a function, and around a model."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import inspect
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast

from lmops.base.endings import Caught
from lmops.base.threads import Threads
from lmops.errors import ModelError, UsageError
from lmops.guardrails._spans import recorded
from lmops.guardrails.checking import LONG
from lmops.guardrails.exchange import Exchange, is_input, size_of
from lmops.models import Completion
from lmops.traces import trace

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Generator,
        Iterator,
        Mapping,
        Sequence,
    )

    from opentelemetry.trace import Span

    from lmops.guardrails._records import Decision
    from lmops.guardrails.asking import Asked
    from lmops.guardrails.checking import Checker
    from lmops.guardrails.contract import Stage

    Messages = Sequence[Mapping[str, Any]]
    Emit = Callable[[Any], object]

F = TypeVar("F", bound="Callable[..., Any]")
T = TypeVar("T")
_MAX_SHOWN: Final = 65_000
_threads = Threads("lmops-guard")


class Guard:
    """What checks by a policy, as it is at the moment of each check.

    Args:
        find: Returns the rails that are asked now.
        asked: The workspace that rails may ask.
    """

    def __init__(self, find: Callable[[], Checker], *, asked: Asked | None = None) -> None:
        self._find = find
        self.asked = asked

    def __repr__(self) -> str:
        return f"<Guard of {self._find().policy}>"

    @property
    def guard(self) -> Self:
        """Itself: ``ws.models.complete(..., guardrails=...)`` takes it as it takes a policy."""
        return self

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        """Leave nothing of it in a pickle or a copy: it belongs to the store of this process."""
        return type(None), ()

    def check(self, stage: Stage, text: str, *, context: Mapping[str, Any] | None = None) -> Decision:
        """Return what is decided on a text.

        Args:
            stage: Where it was met.
            text: The text.
            context: What rails may know beside it.

        Raises:
            UsageError: It is no text, or no stage.
        """
        return recorded(self._find(), stage, text, context=context)

    async def acheck(self, stage: Stage, text: str, *, context: Mapping[str, Any] | None = None) -> Decision:
        """Return what is decided on a text; rails that wait do not hold up the loop.

        Args:
            stage: Where it was met.
            text: The text.
            context: What rails may know beside it.

        Raises:
            UsageError: It is no text, or no stage.
        """
        checker = self._find()
        if not _holds_up(checker, (stage,), text):
            return recorded(checker, stage, text, context=context)
        return await _threads.run(functools.partial(recorded, checker, stage, text, context=context))

    def wrap(self, function: F) -> F:
        """Return a function that is asked only what passes, and whose answer passes before it is returned.

        Args:
            function: Its first argument that is a text, or a list of messages, is the input.

        Raises:
            UsageError: It is no function.
        """
        if not callable(function) or inspect.isclass(function):
            raise UsageError(f"wrap a function, not {function!r:.80}")
        around: Callable[[Any], Any] = self._around_function
        if inspect.isasyncgenfunction(function):
            around = self._around_async_generator
        elif inspect.iscoroutinefunction(function):
            around = self._around_coroutine
        elif inspect.isgeneratorfunction(function):
            around = self._around_generator
        # What is asked and answered may hold what a rail takes out: its checks say what was found, and where.
        name = f"guarded {getattr(function, '__name__', 'function')}"
        return cast("F", trace(name, capture_input=False, capture_output=False)(around(function)))

    # -- around a function -------------------------------------------------------------------------------------------

    def _around_function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def guarded(*args: Any, **options: Any) -> Any:
            exchange = Exchange(self._find())
            call = _Arguments(args, options)
            call.put(exchange.asked(call.given))
            if exchange.is_blocked:
                return exchange.blocked_text
            return exchange.answered(function(*call.args, **call.options))

        return guarded

    def _around_coroutine(self, function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @functools.wraps(function)
        async def guarded(*args: Any, **options: Any) -> Any:
            exchange = Exchange(self._find())
            call = _Arguments(args, options)
            call.put(await _asked(exchange, call.given))
            if exchange.is_blocked:
                return exchange.blocked_text
            return await _aside(
                exchange, ("output", "tool_call"), exchange.answered, await function(*call.args, **call.options)
            )

        return guarded

    def _around_generator(self, function: Callable[..., Generator[str]]) -> Callable[..., Iterator[str]]:
        @functools.wraps(function)
        def guarded(*args: Any, **options: Any) -> Iterator[str]:
            exchange = Exchange(self._find())
            call = _Arguments(args, options)
            call.put(exchange.asked(call.given))
            if exchange.is_blocked:
                yield exchange.blocked_text
                return
            reading = exchange.reading()
            with contextlib.closing(function(*call.args, **call.options)) as pieces:
                for piece in pieces:
                    if shown := reading.feed(_piece(piece)):
                        yield shown
                    if reading.is_over:
                        return
            if shown := reading.finish():
                yield shown

        return guarded

    def _around_async_generator(
        self, function: Callable[..., AsyncGenerator[str]]
    ) -> Callable[..., AsyncIterator[str]]:
        @functools.wraps(function)
        async def guarded(*args: Any, **options: Any) -> AsyncIterator[str]:
            exchange = Exchange(self._find())
            call = _Arguments(args, options)
            call.put(await _asked(exchange, call.given))
            if exchange.is_blocked:
                yield exchange.blocked_text
                return
            reading = exchange.reading()
            async with contextlib.aclosing(function(*call.args, **call.options)) as pieces:
                async for piece in pieces:
                    if shown := reading.feed(_piece(piece)):
                        yield shown
                    if reading.is_over:
                        return
            if shown := await _aside(exchange, ("output",), reading.finish):
                yield shown

        return guarded

    # -- around a model ----------------------------------------------------------------------------------------------

    async def complete(
        self,
        messages: Messages,
        ask: Callable[[Messages], Awaitable[Completion]],
        blocked: Callable[[], Completion],
    ) -> Completion:
        """Return the answer of a model as the user may have it; it is not asked what is blocked.

        Args:
            messages: What is asked.
            ask: Asks the model.
            blocked: Makes the completion of a model that was not asked.
        """
        exchange = Exchange(self._find())
        with trace("guarded chat", kind="chain") as span:
            passed = await _asked(exchange, messages)
            if exchange.is_blocked:
                return _shown(span, exchange, exchange.blocked(_placed(blocked(), span)))
            try:
                found = await ask(passed)
            except ModelError as error:
                await _aside(exchange, ("output", "tool_call"), _passed_error, exchange, error)
                raise
            return _shown(span, exchange, await _aside(exchange, ("output", "tool_call"), exchange.completed, found))

    async def stream(
        self,
        messages: Messages,
        ask: Callable[[Messages, Emit], Awaitable[None]],
        blocked: Callable[[], Completion],
        emit: Emit,
    ) -> None:
        """Emit the pieces of an answer as the user may have them, then its completion, or the error that ended it.

        Args:
            messages: What is asked.
            ask: Asks the model, and hands over its pieces, then its completion or what ended it.
            blocked: Makes the completion of a model that was not asked, or not to its end.
            emit: Takes them.
        """
        found: Completion | None = None
        with Caught(Exception) as caught:
            found = await self._streamed(messages, ask, blocked, emit)
        emit(caught.error or found)

    async def _streamed(
        self,
        messages: Messages,
        ask: Callable[[Messages, Emit], Awaitable[None]],
        blocked: Callable[[], Completion],
        emit: Emit,
    ) -> Completion:
        exchange = Exchange(self._find())
        with trace("guarded chat", kind="chain") as span:
            passed = await _asked(exchange, messages)
            if exchange.is_blocked:
                emit(exchange.blocked_text)
                return _shown(span, exchange, exchange.blocked(_placed(blocked(), span)))
            reading, ended = exchange.reading(), list[Any]()

            def taken(event: Any) -> None:
                if not isinstance(event, str):
                    ended.append(event)
                    return
                if shown := reading.feed(event):
                    emit(shown)
                if reading.is_over:
                    asking.cancel()

            asking = asyncio.ensure_future(ask(passed, taken))
            try:
                await asking
            except asyncio.CancelledError:
                if not reading.is_over:
                    asking.cancel()
                    raise
            if not reading.is_over and (shown := await _aside(exchange, ("output",), reading.finish)):
                emit(shown)
            last = ended[0] if ended else blocked()
            if isinstance(last, Exception):
                _say(exchange, last, reading.text or None)
                raise last
            if reading.is_over:
                return _shown(span, exchange, exchange.blocked(last))
            text = None if last.content is None else reading.text
            found = await _aside(exchange, ("tool_call",), functools.partial(exchange.completed, last, text=text))
            return _shown(span, exchange, found)


class _Arguments:
    """The arguments of a call, and which of them is the input.

    Raises:
        UsageError: None is a text or a list of messages.
    """

    def __init__(self, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        self.args, self.options = list(args), dict(options)
        known: list[tuple[Any, Any]] = [*enumerate(args), *options.items()]
        self._place = next((place for place, one in known if is_input(one)), None)
        if self._place is None:
            kinds = ", ".join(type(one).__name__ for _, one in known) or "nothing"
            raise UsageError(f"a guarded function needs a text or a list of messages to check; it was given {kinds}")
        self.given = dict(known)[self._place]

    def put(self, passed: Any) -> None:
        """Put in the place of the input what may go on."""
        if isinstance(self._place, int):
            self.args[self._place] = passed
        else:
            self.options[str(self._place)] = passed


async def _asked(exchange: Exchange, given: Any) -> Any:
    return await _aside(exchange, ("input", "tool_result"), exchange.asked, given)


async def _aside(exchange: Exchange, stages: Sequence[Stage], function: Callable[..., T], *args: Any) -> T:
    """Return what a function that checks returns; what may wait, or is long, does not hold up the loop."""
    if _holds_up(exchange.checker, stages, *args):
        return await _threads.run(function, *args)
    return function(*args)


def _holds_up(checker: Checker, stages: Sequence[Stage], *given: Any) -> bool:
    return any(map(checker.waits, stages)) or any(size_of(one) > LONG for one in given)


def _piece(piece: object) -> str:
    if not isinstance(piece, str):
        raise UsageError(f"a guarded generator yields texts; it yielded a {type(piece).__name__}")
    return piece


def _passed_error(exchange: Exchange, error: ModelError) -> None:
    """Let the text of an answer that could not be used pass as any other does."""
    _say(exchange, error, None if error.text is None else exchange.answered(error.text))


def _say(exchange: Exchange, error: Exception, text: str | None) -> None:
    """Leave of an answer that could not be used what passed; its message may quote the answer as well."""
    if not isinstance(error, ModelError):
        return
    said = exchange.part(str(error))
    error.args = ("the answer could not be used, and guardrails blocked it" if exchange.is_blocked else said,)
    error.text = text
    if isinstance(error.completion, Completion):
        error.completion = dataclasses.replace(error.completion, content=text, parsed=None, tool_calls=(), refusal=None)


def _placed(found: Completion, span: Span) -> Completion:
    """Return the completion of a model that was not asked, in the trace of the check."""
    context = span.get_span_context()
    if not context.is_valid:
        return found
    return dataclasses.replace(found, trace_id=f"{context.trace_id:032x}", span_id=f"{context.span_id:016x}")


def _shown(span: Span, exchange: Exchange, found: Completion) -> Completion:
    """Put on the span what was asked, without what rails found, and what was decided; return the completion."""
    if span.is_recording():
        last = next((one for one in reversed(exchange.decisions) if one.stage == "output"), None)
        said = exchange.blocked_text if exchange.is_blocked else last.text if last is not None else found.content
        span.set_attributes({"input.value": exchange.shown[:_MAX_SHOWN], "output.value": (said or "")[:_MAX_SHOWN]})
    return found
