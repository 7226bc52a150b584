"""One request through a route: its arm is asked, and when that does not answer the next one, until one does.

Each arm that is asked is a span below the span of the route. Nothing is sent twice to an arm, and nothing is sent any
more once an arm has answered.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import ModelError, NotFoundError, UsageError
from lmops.models import Completion
from lmops.routing._records import Attempt, RoutedCompletion
from lmops.routing.limits import CALLER, gate
from lmops.text import plain_line
from lmops.traces import trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.trace import Span

    from lmops.models import Models
    from lmops.prompts import Prompts, PromptVersion
    from lmops.records import Project
    from lmops.routing._records import Arm, Choice, Reason, RouteVersion
    from lmops.routing.choosing import Chooser
    from lmops.routing.limits import Gate

#: Outcomes that keep an arm from being asked.
_LIMITS: Final = frozenset({"budget", "rate", "concurrency"})
#: Errors that say something of the request, and not that its arm is ill.
_OF_REQUEST: Final = frozenset({"bad_request", "not_found"})


class Asked(NamedTuple):
    """What a request is.

    Args:
        messages: As they are sent; None where each arm renders its prompt.
        inputs: Variables of the prompt.
        context: What rules look at.
    """

    messages: str | Sequence[Mapping[str, Any]] | None
    inputs: Mapping[str, Any] | None
    context: Mapping[str, Any] | None


class Ways(NamedTuple):
    """What a request needs."""

    project: Project
    models: Models
    prompts: Prompts


async def called(ways: Ways, chooser: Chooser, choice: Choice, asked: Asked) -> RoutedCompletion:
    """Return the answer of the first arm that answers.

    Raises:
        ModelError: None did; the message has what each of them said.
        UsageError: The prompt of an arm needs other inputs.
    """
    if (asked.messages is None) == (asked.inputs is None):
        raise UsageError(f"call({choice.route!r}, ...): give messages=[...] or inputs={{...}}, one of the two")
    attempts: list[Attempt] = []
    with trace(f"route {choice.route}") as span:
        arms = [choice.arm, *chooser.after(choice.arm)]
        span.set_attributes({**choice.attributes, **_context(asked)})
        if not any(chooser.version.arms[name].policy for name in arms):
            span.set_attribute("input.value", _input(asked))
        for place, name in enumerate(arms):
            final = choice._replace(
                arm=name, reason=_reason(choice.reason, attempts), settings=chooser.version.arms[name]
            )
            try:
                answer = await _attempted(ways, chooser.version, final, asked, attempts, is_last=place == len(arms) - 1)
            finally:
                span.set_attributes({**final.attributes, "lmops.route.attempts": sum(one.is_sent for one in attempts)})
            _note_skipped(span, attempts[-1])
            if answer is not None:
                span.set_attributes(_said(asked, answer))
                shown = {one.name: getattr(answer, one.name) for one in fields(Completion)}
                return RoutedCompletion(**shown, choice=final, attempts=tuple(attempts))
        raise _failed(chooser.version, attempts)


async def _attempted(
    ways: Ways, version: RouteVersion, choice: Choice, asked: Asked, attempts: list[Attempt], *, is_last: bool
) -> Completion | None:
    """Return the answer of one arm, None when it has none; what it did is added to the attempts."""
    arm, store = choice.settings, ways.project.store
    its_gate = gate(store, version.name, arm.name)
    if arm.limits.usd_per_day is not None:
        await asyncio.to_thread(its_gate.read, store, ways.project.now())
    refusal = its_gate.take(arm, version.circuit)
    if refusal is not None:
        attempts.append(Attempt(arm.name, refusal))
        return None
    began, is_ok, cost = time.perf_counter(), None, None
    try:
        answer = await _asked(ways, version, choice, asked, its_gate, number=len(attempts) + 1, is_last=is_last)
    except (ModelError, NotFoundError) as error:
        kind = error.kind if isinstance(error, ModelError) else "not_found"
        is_ok = None if kind in _OF_REQUEST else False
        cost = getattr(getattr(error, "completion", None), "cost_usd", None)
        spent_ms = (time.perf_counter() - began) * 1000
        attempts.append(Attempt(arm.name, kind, cost, spent_ms, plain_line(str(error), 500)))
        return None
    else:
        is_ok, cost = None if answer.is_blocked else True, answer.cost_usd  # of what is blocked no model is ill
        attempts.append(Attempt(arm.name, "blocked" if answer.is_blocked else "ok", cost, answer.latency_ms))
        return answer
    finally:
        its_gate.give(version.circuit, is_ok=is_ok, cost_usd=cost)


async def _asked(
    ways: Ways, version: RouteVersion, choice: Choice, asked: Asked, its_gate: Gate, *, number: int, is_last: bool
) -> Completion:
    """Ask one arm."""
    arm = choice.settings
    with trace(f"attempt {arm.name}") as span:
        span.set_attributes(
            {
                "lmops.route.name": version.name,
                "lmops.route.tried": arm.name,
                "lmops.route.attempt": number,
                CALLER: its_gate.caller,
            }
        )
        prompt = None if arm.prompt is None else ways.prompts.get(arm.prompt)
        model = arm.model or (prompt.model if prompt is not None else None)
        if model is None:
            raise NotFoundError(f"arm {arm.name!r} of {version.ref}: neither it nor {arm.prompt} says a model")
        if asked.messages is not None:
            messages: str | Sequence[Mapping[str, Any]] = asked.messages
            options: dict[str, Any] = {"params": dict(arm.params) or None}
        elif prompt is not None:
            messages = prompt.render(asked.inputs)
            options = _of_prompt(prompt, arm)
        else:
            raise UsageError(f"arm {arm.name!r} of {version.ref} has no prompt to render: give messages=[...]")
        await ways.models.awarm(model)
        try:
            async with asyncio.timeout(version.timeout_s):
                return await ways.models.acomplete(
                    model,
                    messages,
                    timeout_s=version.timeout_s,
                    max_wait_s=version.timeout_s if is_last else 0.0,
                    guardrails=arm.policy,
                    **options,
                )
        except TimeoutError as error:
            said = f"arm {arm.name!r} of {version.ref} did not answer within {version.timeout_s:g} s"
            raise ModelError(said, kind="timeout", is_retryable=True) from error


def _of_prompt(prompt: PromptVersion, arm: Arm) -> dict[str, Any]:
    return {
        "params": {**prompt.params, **arm.params} or None,
        "tools": [one for one in prompt.tools or () if isinstance(one, Mapping)] or None,
        "response_schema": prompt.response_schema,
        "prompt": prompt,
    }


def _reason(reason: Reason, attempts: Sequence[Attempt]) -> Reason:
    """Return why an arm has a request, after what others did with it."""
    if not attempts:
        return reason
    return "limit" if all(one.outcome in _LIMITS for one in attempts) else "fallback"


def _context(asked: Asked) -> dict[str, str]:
    """Return what the span of a request says of what rules look at."""
    if not asked.context:
        return {}
    return {"lmops.route.context": json.dumps(dict(asked.context), default=str, sort_keys=True)}


def _input(asked: Asked) -> str:
    return (
        asked.messages if isinstance(asked.messages, str) else json.dumps(asked.messages or asked.inputs, default=str)
    )


def _said(asked: Asked, answer: Completion) -> dict[str, str | bool]:
    """Return what was asked and answered, as the span of a request says it: as it went on from the policy of the arm.

    What a rail took out is put back for the user alone.
    """
    if not answer.decisions:
        return {"input.value": _input(asked), "output.value": answer.content or ""}
    passed = {one.stage: one.text for one in answer.decisions}
    found = {"input.value": passed.get("input", ""), "output.value": passed.get("output", answer.content or "")}
    if answer.is_blocked:
        return found | {"output.value": answer.content or "", "lmops.route.blocked": True}
    return dict(found)


def _note_skipped(span: Span, attempt: Attempt) -> None:
    """Say on the span that an arm was not asked, and why."""
    if not attempt.is_sent and attempt.said is None:
        span.add_event("lmops.route.skipped", {"lmops.route.tried": attempt.arm, "lmops.route.why": attempt.outcome})


def _failed(version: RouteVersion, attempts: Sequence[Attempt]) -> ModelError:
    listed = "; ".join(f"{one.arm}: {one.said or _KEPT[one.outcome]}" for one in attempts)
    sent = [one for one in attempts if one.is_sent]
    kind = sent[-1].outcome if sent else "budget" if attempts[-1].outcome == "budget" else "rate_limit"
    found = ModelError(
        f"no arm of route {version.ref} answered ({listed})",
        kind="bad_request" if kind == "not_found" else kind,
        is_retryable=any(one.outcome not in (*_OF_REQUEST, "budget", "auth") for one in attempts),
    )
    found.attempts = len(sent)
    return found


#: What keeps an arm from being asked, in words.
_KEPT: Final = {
    "open": "it is left alone after failures (its circuit is open)",
    "budget": "what it may spend a day is spent",
    "rate": "it has its requests of this minute",
    "concurrency": "it has as many requests as it may have at a time",
}
