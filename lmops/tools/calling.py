"""One call of a tool, on one way.

The tool is found; it is not switched off; its arguments are read; a policy decides; the budget allows it; it is
executed, or what stands for it is; its result is checked.

Whatever happens on that way is an answer to the model and no error of the application.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import time
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import orjson

from lmops.base.endings import Caught
from lmops.base.loops import Beside, waited
from lmops.base.threads import Threads
from lmops.errors import NotFoundError, did_you_mean
from lmops.redact import mask_keys
from lmops.text import plain_line
from lmops.tools import _spans
from lmops.tools.contract import CallContext, Decision, EndedError, ToolResult
from lmops.tools.dialects import unstrict
from lmops.tools.results import kept
from lmops.tools.runs import AgentRun
from lmops.tools.validating import MisfitError, SchemaReading, parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lmops.base.threads import Started
    from lmops.tools.budgets import Budget
    from lmops.tools.contract import Decider, Executor, Outcome, ToolVersion
    from lmops.tools.validating import Read

_MAX_MESSAGE: Final = 2_000
#: So many calls of one tool may hang; then it is not called any more until one of them comes back.
MAX_HUNG: Final = 16
_WAIT_S: Final = 0.05
_RETRIED: Final = ("error", "timeout")
_threads = Threads("lmops-tool")


class Reading(Protocol):
    """Reads the arguments of a tool and checks its result."""

    def read(self, text: str | bytes) -> Read:
        """Return arguments out of JSON; MisfitError where they do not fit."""

    def check(self, value: Any) -> Any:
        """Return a result, checked; MisfitError where it does not fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool as this process can call it.

    Args:
        version: What it is.
        reading: Of its arguments and its result.
        function: Called with its arguments by name; None: nothing is bound to it here.
        is_async: It is a coroutine function.
    """

    version: ToolVersion
    reading: Reading
    function: Callable[..., Any] | None = None
    is_async: bool = field(init=False)

    def __post_init__(self) -> None:
        found = self.function is not None and _is_async(self.function)
        object.__setattr__(self, "is_async", found)

    @classmethod
    def calling(cls, version: ToolVersion, call: Callable[..., Any], *, called: str) -> Tool:
        """Return a tool that somebody else's function calls, by what it is called there."""
        reading = SchemaReading(version.parameters, version.returns)

        async def waits(**arguments: Any) -> Any:
            return await call(called, arguments)

        def works(**arguments: Any) -> Any:
            return call(called, arguments)

        return cls(version=version, reading=reading, function=waits if _is_async(call) else works)

    @classmethod
    def unbound(cls, version: ToolVersion) -> Tool:
        """Return a tool that is registered, and that something else must execute."""
        return cls(version=version, reading=SchemaReading(version.parameters, version.returns))


class Standing(NamedTuple):
    """What a call is part of; sub-agents have all of it from who called them, one step deeper.

    Args:
        run_id: The run.
        budget: What all of it may use.
        decider: Who decides; None: everything may be called.
        executor: What executes in place of the tools; None: the tools.
        role: Who calls.
        depth: 0 for the outer agent.
        messages: The conversation that led to the call.
        retries: How often a call that failed is tried again, of tools that are idempotent.
        cache: Answers of models come from the cache where it has them.
        more: What else the application says.
    """

    run_id: str
    budget: Budget
    decider: Decider | None = None
    executor: Executor | None = None
    role: str | None = None
    depth: int = 0
    messages: Sequence[Mapping[str, Any]] = ()
    retries: int = 1
    cache: bool = False
    more: Mapping[str, Any] = MappingProxyType({})


#: What the code of a tool is part of while it runs: a sub-agent goes on from there.
STANDING: Final[contextvars.ContextVar[Standing | None]] = contextvars.ContextVar("lmops_tool_standing", default=None)


class Wanted(NamedTuple):
    """A call as it was asked for.

    Args:
        name: Of the tool.
        given: Its arguments, or their JSON as a model wrote it.
        call_id: The model's name for the call.
        standing: What it is part of.
        offered: The only tools that may be called; None: all.
    """

    name: str
    given: Mapping[str, Any] | str
    standing: Standing
    call_id: str | None = None
    offered: frozenset[str] | None = None


@dataclass(slots=True, kw_only=True)
class _Way:
    """How far a call has come."""

    wanted: Wanted
    trace_id: str | None = None
    span_id: str | None = None
    tool: Tool | None = None
    written: dict[str, Any] | str = ""
    read: dict[str, Any] = field(default_factory=dict)
    shown: dict[str, Any] = field(default_factory=dict)
    context: CallContext | None = None
    decision: Decision | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    is_taken: bool = False

    @property
    def version(self) -> ToolVersion | None:
        return None if self.tool is None else self.tool.version

    def ended(
        self,
        outcome: Outcome,
        error: str | None = None,
        *,
        value: Any = None,
        attempts: int = 0,
        latency_ms: float = 0.0,
        is_replayed: bool = False,
        cost_usd: float | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> ToolResult:
        """Return what came of it."""
        decision, version, wanted = self.decision, self.version, self.wanted
        return ToolResult(
            tool=wanted.name,
            arguments=self.shown or self.written,
            outcome=outcome,
            value=value,
            error=None if error is None else mask_keys(error),
            version=None if version is None else version.version or None,
            call_id=wanted.call_id,
            decided_by=None if decision is None else f"{decision.action} {decision.rule or 'by default'}",
            attempts=attempts,
            latency_ms=latency_ms,
            is_replayed=is_replayed,
            cost_usd=cost_usd,
            trace_id=self.trace_id,
            span_id=self.span_id,
            detail={**self.detail, **detail} if detail else self.detail,
        )


class _Came(NamedTuple):
    """What came of one attempt."""

    outcome: Outcome
    value: Any = None
    error: str | None = None
    error_type: str | None = None


class _Real:
    """One call, as who executes it in place of the tool sees it."""

    def __init__(self, tool: Tool, way: _Way) -> None:
        self._tool = tool
        self._way = way

    @property
    def context(self) -> CallContext:
        """What is known of it."""
        assert self._way.context is not None
        return self._way.context

    def real(self) -> Any:
        """Call the tool itself."""
        function = self._tool.function
        if function is None:
            raise NotFoundError(_unbound(self._tool.version.name))
        found = function(**self._way.read)
        return waited(lambda: _awaited(found), name="lmops-tool") if inspect.isawaitable(found) else found


class Caller:
    """Calls tools.

    Args:
        find: Returns a tool by its name; None: there is none.
        names: The names of all tools, for messages.
        reason_off: Why a tool is switched off; None: it is not.
    """

    def __init__(
        self,
        find: Callable[[str], Tool | None],
        *,
        names: Callable[[], Sequence[str]],
        reason_off: Callable[[str], str | None],
    ) -> None:
        self._find = find
        self._names = names
        self._reason_off = reason_off
        self._out: dict[str, list[Callable[[], bool]]] = {}

    def call(self, wanted: Wanted) -> ToolResult:
        """Return what came of a call."""
        with _spans.executing(wanted.name) as span:
            way = _Way(wanted=wanted, **_spans.ids_of(span))
            found = self._prepared(way)
            if isinstance(found, Decision):
                asked = found
                found = self._decided(way, waited(lambda: _ask(way, asked), name="lmops-tool-ask"))
            result = found or self._repeated(way)
            return self._told(span, way, result)

    async def acall(self, wanted: Wanted) -> ToolResult:
        """Return what came of a call; cancelling it cancels the tool where that is possible, else leaves it behind."""
        with _spans.executing(wanted.name) as span:
            way = _Way(wanted=wanted, **_spans.ids_of(span))
            try:
                found = self._prepared(way)
                if isinstance(found, Decision):
                    found = self._decided(way, await _ask(way, found))
                result = found or await self._arepeated(way)
            except asyncio.CancelledError:
                self._told(span, way, way.ended("cancelled", "the call was cancelled"))
                raise
            return self._told(span, way, result)

    # -- before it is made -------------------------------------------------------------------------------------------

    def _prepared(self, way: _Way) -> ToolResult | Decision | None:
        """Return why a call is not made, or what is to be asked first; None: it may be made."""
        wanted = way.wanted
        way.written = wanted.given if isinstance(wanted.given, str) else dict(wanted.given)
        tool = None if wanted.offered is not None and wanted.name not in wanted.offered else self._find(wanted.name)
        if tool is None:
            known = sorted(self._names() if wanted.offered is None else wanted.offered)
            return way.ended("unknown_tool", did_you_mean("tool", plain_line(wanted.name, 100), known))
        way.tool = tool
        off = self._reason_off(tool.version.name)
        if off is not None:
            return way.ended("disabled", f"{tool.version.name} is switched off: {off}")
        if tool.function is None and wanted.standing.executor is None:
            return way.ended("unknown_tool", _unbound(tool.version.name))
        try:
            self._read(way, tool, wanted.given)
        except MisfitError as error:
            way.detail["problems"] = error.of_strict
            return way.ended("invalid_arguments", f"the arguments do not fit: {error}")
        return self._allowed(way, tool)

    def _read(self, way: _Way, tool: Tool, given: Mapping[str, Any] | str) -> None:
        written, text = parsed(given)
        way.written = written
        if None in written.values():  # as a model answers that was told of it in strict mode
            needed = unstrict(written, tool.version.parameters)
            text = text if len(needed) == len(written) else orjson.dumps(needed)
        read = tool.reading.read(text)
        way.read = read.arguments
        if read.arguments == written:
            way.shown = written
        else:  # as they were written, and then what the tool has by default
            shown = kept(read.arguments).value
            way.shown = {name: shown[name] for name in written if name in shown} | shown
        if read.lax:
            way.detail["lax"] = read.lax

    def _allowed(self, way: _Way, tool: Tool) -> ToolResult | Decision | None:
        standing, name = way.wanted.standing, tool.version.name
        number, before, calls_left, refusal = standing.budget.take_call(name)
        way.is_taken = refusal is None
        if standing.decider is None and standing.executor is None:  # nobody asks what is known of it
            return None if refusal is None else way.ended("budget", refusal)
        # A policy is asked what the budget does not allow as well: what was refused by both is said to be refused.
        way.context = CallContext(
            run_id=standing.run_id,
            role=standing.role,
            depth=standing.depth,
            call_id=way.wanted.call_id,
            number=number,
            calls=before,
            calls_left=calls_left,
            usd_left=standing.budget.usd_left,
            messages=standing.messages,
            more=standing.more,
            written=way.written if isinstance(way.written, dict) else {},
        )
        if standing.decider is not None:
            decision = standing.decider.decide(tool.version, way.shown, way.context)
            if decision.action == "ask" and refusal is None:
                return decision
            if decision.action != "ask" and (found := self._decided(way, decision)) is not None:
                return found
        if refusal is not None:
            return way.ended("budget", refusal)
        return None

    def _decided(self, way: _Way, decision: Decision) -> ToolResult | None:
        """Return why a call is not made after a decision; None: it may be made."""
        way.decision = decision
        tool = way.tool
        assert tool is not None
        why = f": {decision.reason}" if decision.reason else ""
        if decision.action == "deny":
            self._give_back(way)
            return way.ended("denied", f"the call of {tool.version.name} is not allowed{why}")
        if decision.action == "ask":
            self._give_back(way)
            detail = {"asked": decision.asked}
            return way.ended("asked", f"the call of {tool.version.name} waits for somebody's yes{why}", detail=detail)
        if decision.action == "rewrite" and decision.arguments is not None:
            written = way.written
            try:
                self._read(way, tool, decision.arguments)
            except MisfitError as error:
                self._give_back(way)
                return way.ended("denied", f"the policy changed the arguments, and they do not fit any more: {error}")
            way.written = written
        return None

    @staticmethod
    def _give_back(way: _Way) -> None:
        if way.is_taken and way.tool is not None:
            way.wanted.standing.budget.give_back(way.tool.version.name)
            way.is_taken = False

    # -- while it is made --------------------------------------------------------------------------------------------

    def _repeated(self, way: _Way) -> ToolResult:
        began, attempts = time.perf_counter(), 0
        while True:
            attempts += 1
            came = self._attempt(way)
            if not self._is_retried(way, came, attempts):
                return self._ended(way, came, attempts, began)
            time.sleep(_WAIT_S * 2 ** (attempts - 1))

    async def _arepeated(self, way: _Way) -> ToolResult:
        began, attempts = time.perf_counter(), 0
        while True:
            attempts += 1
            came = await self._aattempt(way)
            if not self._is_retried(way, came, attempts):
                return self._ended(way, came, attempts, began)
            await asyncio.sleep(_WAIT_S * 2 ** (attempts - 1))

    @staticmethod
    def _is_retried(way: _Way, came: _Came, attempts: int) -> bool:
        version, standing = way.version, way.wanted.standing
        if version is None or standing.executor is not None or came.outcome not in _RETRIED:
            return False
        left = standing.budget.seconds_left
        return version.is_idempotent and attempts <= standing.retries and (left is None or left > 0)

    def _attempt(self, way: _Way) -> _Came:
        limit = self._limit(way)
        if (refused := self._too_many(way)) is not None:
            return refused
        function, is_async = self._function(way)
        if is_async:
            beside = Beside(lambda: _caught_async(way, function), name="lmops-tool")
            beside.start()
            try:
                if beside.wait(limit):
                    return _came(*beside.result())
            except KeyboardInterrupt:
                beside.cancel()
                raise
            beside.cancel()
            self._left(way, lambda: beside.wait(0))
            return self._late(way, limit)
        done = _threads.start(_worked, way.wanted.standing, function, way.read)
        if done.wait(limit):
            return _came(done.value, done.error)
        self._left(way, done.done)
        return self._late(way, limit)

    async def _aattempt(self, way: _Way) -> _Came:
        limit = self._limit(way)
        if (refused := self._too_many(way)) is not None:
            return refused
        function, is_async = self._function(way)
        if is_async:
            work = asyncio.ensure_future(_caught_async(way, function))
            is_back = work.done
        else:
            done = _threads.start(_worked, way.wanted.standing, function, way.read)
            work, is_back = asyncio.ensure_future(_ended(done)), done.done
        try:
            finished, _ = await asyncio.wait({work}, timeout=limit)
        except asyncio.CancelledError:
            work.cancel()
            self._left(way, is_back)
            raise
        if finished:
            return _came(*work.result())
        work.cancel()
        self._left(way, is_back)
        return self._late(way, limit)

    @staticmethod
    def _limit(way: _Way) -> float:
        """Return most seconds of an attempt."""
        assert way.version is not None
        left = way.wanted.standing.budget.seconds_left
        return way.version.timeout_s if left is None else min(way.version.timeout_s, max(0.001, left))

    @staticmethod
    def _late(way: _Way, limit: float) -> _Came:
        """Return what came of an attempt that did not end in its seconds."""
        assert way.version is not None
        name, usual = way.version.name, way.version.timeout_s
        of = "the seconds that the budget had left" if limit < usual else f"{usual:g} seconds"
        return _Came("timeout", error=f"{name} took longer than {of}", error_type="timeout")

    def _function(self, way: _Way) -> tuple[Callable[..., Any], bool]:
        """Return what is called, and whether it is a coroutine function."""
        tool, executor = way.tool, way.wanted.standing.executor
        assert tool is not None
        if executor is not None:
            return (lambda **_arguments: executor.execute(tool.version, way.shown, _Real(tool, way))), False
        assert tool.function is not None
        return tool.function, tool.is_async

    def _too_many(self, way: _Way) -> _Came | None:
        """Return why a tool is not called any more while too many of its calls hang."""
        name = way.wanted.name
        out = self._out.get(name)
        if not out or len(out) < MAX_HUNG:
            return None
        out = self._out[name] = [is_back for is_back in out if not is_back()]
        if len(out) < MAX_HUNG:
            return None
        return _Came("timeout", error=f"{len(out)} earlier calls of {name} have not come back", error_type="hung")

    def _left(self, way: _Way, is_back: Callable[[], bool]) -> None:
        """Note a call that is left behind until it comes back."""
        self._out.setdefault(way.wanted.name, []).append(is_back)

    # -- after it was made -------------------------------------------------------------------------------------------

    def _ended(self, way: _Way, came: _Came, attempts: int, began: float) -> ToolResult:
        told: dict[str, Any] = {"attempts": attempts, "latency_ms": (time.perf_counter() - began) * 1000}
        told["is_replayed"] = way.wanted.standing.executor is not None
        if came.outcome != "ok":
            detail = {} if came.error_type is None else {"error_type": came.error_type}
            return way.ended(came.outcome, came.error, detail=detail, **told)
        value = came.value
        if isinstance(value, AgentRun):
            told |= {"cost_usd": value.cost_usd, "detail": {"run": value}}
            if not value.ok:
                return way.ended("budget" if value.ended == "budget" else "error", value.reason, **told)
            value = value.answer
        assert way.tool is not None
        try:
            found = kept(way.tool.reading.check(value))
        except MisfitError as error:
            return way.ended("invalid_result", f"the result does not fit: {error}", **told)
        if found.cut_chars is not None:
            told["detail"] = {**told.get("detail", {}), "cut_chars": found.cut_chars}
        return way.ended("ok", value=found.value, **told)

    @staticmethod
    def _told(span: Any, way: _Way, result: ToolResult) -> ToolResult:
        _spans.called(span, result, given=way.written, version=way.version, decision=way.decision)
        return result


def _ask(way: _Way, decision: Decision) -> Any:
    decider, tool = way.wanted.standing.decider, way.tool
    assert decider is not None
    assert tool is not None
    assert way.context is not None
    return decider.ask(tool.version, way.shown, way.context, decision)


def _unbound(name: str) -> str:
    return (
        f"{name} is registered, and nothing in this process is bound to it: decorate its function with @ws.tools.tool"
    )


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _worked(standing: Standing, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Return what a function returns; what it raises its thread keeps, which has nobody to raise it to."""
    STANDING.set(standing)
    return function(**arguments)


async def _caught_async(way: _Way, function: Callable[..., Any]) -> tuple[Any, BaseException | None]:
    STANDING.set(way.wanted.standing)
    value = None
    with Caught(BaseException) as caught:
        value = await function(**way.read)
    if isinstance(caught.error, asyncio.CancelledError):
        raise caught.error
    return value, caught.error


async def _ended(done: Started[Any]) -> tuple[Any, BaseException | None]:
    """Wait in a running loop for what works in a thread; the loop may be gone when that ends."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def tell(_done: object) -> None:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(ended.set)

    done.add_done_callback(tell)
    await ended.wait()
    return done.value, done.error


async def _awaited(found: Any) -> Any:
    return await found


def _came(value: Any, error: BaseException | None) -> _Came:
    """Return what came of an attempt.

    Raises:
        KeyboardInterrupt: The tool raised it: somebody wants an end.
    """
    if error is None:
        return _Came("ok", value)
    if isinstance(error, KeyboardInterrupt):
        raise error
    name = type(error).__name__
    said = plain_line(_message(error), _MAX_MESSAGE)
    if isinstance(error, EndedError):
        return _Came(error.outcome, error=said, error_type=error.outcome)
    if isinstance(error, TimeoutError):
        return _Came("timeout", error=f"{name}: {said}" if said else "it took too long", error_type=name)
    if isinstance(error, SystemExit):
        return _Came("error", error="the tool tried to end the program", error_type=name)
    return _Came("error", error=f"{name}: {said}" if said else name, error_type=name)


def _message(error: BaseException) -> str:
    with Caught(Exception):  # it is somebody else's
        return str(error)
    return ""
