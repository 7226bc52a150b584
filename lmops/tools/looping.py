"""The loop: a model is asked, what it calls is called, and it is told what came of it, until it answers.

Whatever bounds a run is shared with the agents that it calls: they have its budget, its policy and what executes its
calls, one step deeper.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from lmops.base.chat import Usage
from lmops.base.endings import Caught, Undone
from lmops.base.loops import waited
from lmops.calc.trajectories import Called, canonical, find_loop
from lmops.errors import ModelError, UsageError, interrupted
from lmops.text import plain_line
from lmops.times import to_ns, utc_now
from lmops.tools import _spans
from lmops.tools.calling import Wanted
from lmops.tools.contract import ToolResult
from lmops.tools.runs import AgentRun, AgentStep

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from lmops.models import Completion, Models, ToolCall
    from lmops.tools.budgets import Held
    from lmops.tools.calling import Caller, Standing
    from lmops.tools.runs import Ended

#: Tokens that an answer may have where neither the parameters nor the budget say.
_MOST_OUT: Final = 4096
#: Most calls that one answer of a model may ask for; more are refused, and it is told.
MAX_CALLS: Final = 128
#: Bytes of a request for each token, so that what goes in is rather over- than underestimated.
_BYTES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """What works in a loop.

    Args:
        name: Who it is, on spans and for policies.
        model: The model, as ``ws.models.complete`` names it.
        tools: What it may call, as the model is told of it.
        max_steps: Most answers of the model.
        concurrency: Most calls side by side.
        params: Parameters of the model.
        prompt: The prompt behind its messages, for spans.
        guardrails: The policy of rails that its messages, its calls and its answers pass.
        stops_loops: A run that goes round in a circle ends.
    """

    name: str
    model: str
    tools: Sequence[Mapping[str, Any]]
    max_steps: int = 10
    concurrency: int = 8
    params: Mapping[str, Any] = field(default_factory=dict)
    prompt: Any = None
    guardrails: Any = None
    stops_loops: bool = True


class Loop:
    """One run of an agent.

    Args:
        agent: What works.
        models: Answers.
        caller: Calls.
        standing: What the run is part of.
    """

    def __init__(self, agent: Agent, *, models: Models, caller: Caller, standing: Standing) -> None:
        self._agent = agent
        self._models = models
        self._caller = caller
        self._standing = standing
        self._offered = frozenset(one["function"]["name"] for one in agent.tools)
        self._messages: list[Mapping[str, Any]] = []
        self._steps: list[AgentStep] = []
        self._called: list[Called] = []
        self._costs: list[float | None] = []

    async def run(self, messages: Sequence[Mapping[str, Any]]) -> AgentRun:
        """Return the run that begins with some messages; cancelled, the error has the run so far as ``run``.

        Raises:
            NotFoundError: There is no such model, or no such policy of rails.
            UsageError: A parameter that cannot be used.
        """
        self._messages = [*messages]
        began = time.perf_counter()
        with _spans.invoking(self._agent.name) as span:

            def told(ended: Ended, reason: str | None, answer: str | None) -> AgentRun:
                found = self._told(ended, reason, answer, (time.perf_counter() - began) * 1000)
                _spans.ran(span, found, asked=_asked_text(messages))
                return replace(found, **_spans.ids_of(span))

            try:
                return told(*await self._go())
            except asyncio.CancelledError as error:
                # What was done up to now is on the span, and goes with who cancelled it.
                error.run = told("cancelled", "the run was cancelled", None)  # type: ignore[attr-defined]  # its own
                raise

    async def _go(self) -> tuple[Ended, str | None, str | None]:
        """Go step by step; return why it ended, what is said of that, and the answer."""
        for _ in range(self._agent.max_steps):
            held = self._held()
            if isinstance(held, str):
                return "budget", held, None
            found: Completion | None = None
            with Undone(held.give_back), Caught(ModelError) as caught:  # what a failed call cost is settled below
                found = await self._ask(held)
            if (error := caught.error) is not None:
                _settle_failed(held, error)
                return ("budget" if error.kind == "budget" else "model_error"), str(error), None
            assert found is not None
            held.settle(_tokens(found.usage), found.cost_usd)
            self._costs.append(found.cost_usd)
            if found.is_blocked:
                self._note(found, ())
                return "blocked", "guardrails blocked what was asked or answered", found.content
            if not found.tool_calls:
                self._note(found, ())
                return ("answer" if found.content else "empty"), None, found.content
            await self._step(_named(found, len(self._steps)))
            loop = find_loop(self._called) if self._agent.stops_loops else None
            if loop is not None:
                return "loop", f"the run goes round in a circle: {loop.text}", None
        return "max_steps", f"it did not come to an answer in {self._agent.max_steps} steps", None

    # -- the model -----------------------------------------------------------------------------------------------------

    def _held(self) -> Held | str:
        budget, params = self._standing.budget, self._agent.params
        most_out = params.get("max_completion_tokens") or params.get("max_tokens") or _MOST_OUT
        size = len(orjson.dumps([self._messages, self._agent.tools], default=str)) if budget.is_counted else 0
        return budget.take_tokens(size // _BYTES + 8, int(most_out), self._price)

    def _price(self, tokens_in: int, tokens_out: int) -> float | None:
        endpoint = self._models.endpoint(self._agent.model)
        row = {
            "kind": "llm",
            "provider": endpoint.provider,
            "model": endpoint.model,
            "requested_model": endpoint.model,
            "start_ns": to_ns(utc_now()),
            "input_tokens": tokens_in,
            "output_tokens": tokens_out,
            "cached_input_tokens": None,
            "cache_write_input_tokens": None,
            "reasoning_tokens": None,
            "reported_cost_usd": None,
        }
        return self._models.pricer().cost(row)

    async def _ask(self, held: Held) -> Completion:
        params, budget = dict(self._agent.params), self._standing.budget
        if budget.is_counted:
            params["max_completion_tokens" if "max_completion_tokens" in params else "max_tokens"] = held.most_out
        left = budget.seconds_left
        calls_left = budget.calls_left
        work = self._models.acomplete(
            self._agent.model,
            self._messages,
            params=params,
            # With nothing left to call with, the model is to answer with what it has.
            tools=self._agent.tools or None if calls_left is None or calls_left > 0 else None,
            prompt=self._agent.prompt,
            guardrails=self._agent.guardrails,
            cache=self._standing.cache,
            max_wait_s=60.0 if left is None else max(0.001, min(60.0, left)),
        )
        if left is None:
            return await work
        try:
            return await asyncio.wait_for(work, max(0.001, left))
        except TimeoutError:
            raise ModelError(
                f"the model took longer than the {left:.3g} seconds that were left", kind="budget"
            ) from None

    def _note(self, found: Completion, results: tuple[ToolResult, ...]) -> None:
        told: dict[str, Any] = {"role": "assistant", "content": found.content}
        if found.tool_calls:
            told["tool_calls"] = [_as_message(call) for call in found.tool_calls]
        self._messages.append(told)
        self._messages.extend(one.message for one in results)
        self._steps.append(
            AgentStep(
                content=found.content,
                results=results,
                usage=found.usage,
                cost_usd=found.cost_usd,
                latency_ms=found.latency_ms,
            )
        )

    # -- the tools -----------------------------------------------------------------------------------------------------

    async def _step(self, found: Completion) -> None:
        """Call what the model asks for, and note what came of it in the order in which it asked."""
        standing = self._standing._replace(messages=(*self._standing.messages, *self._messages))
        # What stands in place of the tools answers in the order of the calls, so that a run repeats exactly.
        gate = asyncio.Semaphore(1 if standing.executor is not None else self._agent.concurrency)

        async def one(call: ToolCall, place: int) -> ToolResult:
            wanted = Wanted(
                name=call.name,
                given=call.arguments,
                call_id=call.id,
                standing=standing,
                offered=self._offered,
            )
            if place >= MAX_CALLS:
                said = f"one answer may ask for {MAX_CALLS} calls; this one asked for {len(found.tool_calls):,}"
                return ToolResult(
                    tool=call.name,
                    arguments=call.arguments,
                    outcome="budget",
                    error=said,
                    call_id=wanted.call_id,
                    attempts=0,
                )
            async with gate:
                return await self._caller.acall(wanted)

        tasks = [asyncio.ensure_future(one(call, place)) for place, call in enumerate(found.tool_calls)]
        try:
            await asyncio.gather(*tasks)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            raise
        finally:
            calls = zip(tasks, found.tool_calls, strict=True)
            self._called_all(found, tuple(_result(task, call) for task, call in calls))

    def _called_all(self, found: Completion, results: tuple[ToolResult, ...]) -> None:
        """Note what came of the calls of an answer."""
        self._note(found, results)
        for each in results:
            said = orjson.dumps(each.value).decode() if each.ok else f"{each.outcome}: {each.error}"
            self._called.append(Called(each.tool, canonical(each.arguments), said))
            if "run" in each.detail:
                self._costs.append(each.cost_usd)

    # -- the end -------------------------------------------------------------------------------------------------------

    def _told(self, ended: Ended, reason: str | None, answer: str | None, latency_ms: float) -> AgentRun:
        usage = Usage(input_tokens=0, output_tokens=0) if not self._steps else self._steps[0].usage
        for step in self._steps[1:]:
            usage += step.usage
        return AgentRun(
            agent=self._agent.name,
            model=self._agent.model,
            answer=answer,
            ended=ended,
            reason=reason,
            steps=tuple(self._steps),
            messages=tuple(self._messages),
            usage=usage,
            cost_usd=_sum(self._costs),
            own_cost_usd=_sum([step.cost_usd for step in self._steps]),
            latency_ms=latency_ms,
            depth=self._standing.depth,
            run_id=self._standing.run_id,
            used=self._standing.budget.used,
        )


def interruptible(make: Callable[[], Coroutine[Any, Any, AgentRun]]) -> AgentRun:
    """Return a run from a loop of its own; an interrupt has the run so far as ``run``.

    Raises:
        KeyboardInterrupt: Somebody interrupted it.
    """
    cut: list[AgentRun] = []

    async def kept() -> AgentRun:
        try:
            return await make()
        except asyncio.CancelledError as error:
            cut.extend([error.run] if hasattr(error, "run") else [])
            raise

    try:
        return waited(kept, name="lmops-agent")
    except KeyboardInterrupt as error:
        if not cut:
            raise
        done = sum(one.attempts > 0 for one in cut[0].results)
        said = f"the run was interrupted after {len(cut[0].steps)} answers and {done} calls: error.run has them"
        stopped = interrupted(said)
        stopped.run = cut[0]  # type: ignore[attr-defined]  # its own
        raise stopped from error


def _result(task: asyncio.Future[ToolResult], call: ToolCall) -> ToolResult:
    """Return what came of a call, also where it was cancelled: it may have been made, and nobody waited for it."""
    if task.done() and not task.cancelled() and task.exception() is None:
        return task.result()
    words = "nobody waited for its end: the run was cancelled"
    return ToolResult(
        tool=call.name, arguments=call.arguments, outcome="cancelled", error=words, call_id=call.id, attempts=0
    )


def _settle_failed(held: Held, error: ModelError) -> None:
    found: Any = error.completion
    if found is None:
        held.give_back()
    else:
        held.settle(_tokens(found.usage), found.cost_usd)


def _tokens(usage: Usage) -> int | None:
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    return usage.input_tokens + usage.output_tokens


def _sum(costs: Sequence[float | None]) -> float | None:
    known = [one for one in costs if one is not None]
    return sum(known) if len(known) == len(costs) else None


def _named(found: Completion, step: int) -> Completion:
    """Return an answer whose calls all have an id of their own: results are told by it."""
    ids = [call.id for call in found.tool_calls]
    if all(ids) and len({*ids}) == len(ids):
        return found
    calls = tuple(replace(call, id=f"call_{step}_{place}") for place, call in enumerate(found.tool_calls))
    return replace(found, tool_calls=calls)


def _as_message(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _asked_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return what was asked: the last words of the user."""
    said = next((one.get("content") for one in reversed(messages) if one.get("role") == "user"), "")
    return said if isinstance(said, str) else json.dumps(said, ensure_ascii=False, default=str)


def asked(task: str) -> None:
    """Say what an agent is asked: its arguments as a tool.

    Args:
        task: What is to be done, with all that must be known for it.
    """
    del task


def conversation(messages: object) -> list[dict[str, Any]]:
    """Return messages as OpenAI has them; a text is one of the user.

    Raises:
        UsageError: They are none.
    """
    if isinstance(messages, str) and messages.strip():
        return [{"role": "user", "content": messages}]
    if (
        isinstance(messages, list | tuple)
        and messages
        and all(isinstance(one, dict) and "role" in one for one in messages)
    ):
        return [*messages]
    raise UsageError("messages is a text or a list such as [{'role': 'user', 'content': '...'}], and not empty")


def whole(given: object, name: str, most: int = 1000) -> int:
    """Return a whole number from 1.

    Raises:
        UsageError: It is none.
    """
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= most:
        raise UsageError(f"{name}={plain_line(repr(given), 40)}: give a whole number from 1 to {most:,}")
    return given
