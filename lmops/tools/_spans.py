"""A call of a tool is one span ``execute_tool NAME``, in OpenTelemetry's words.

What it was called with stands on it as the model wrote it.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

import orjson

from lmops.redact import mask_keys
from lmops.text import plain_line
from lmops.traces import trace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from opentelemetry.trace import Span

    from lmops.tools.contract import Decision, ToolResult, ToolVersion
    from lmops.tools.runs import AgentRun

#: Most characters of arguments or of a result on a span.
MAX_SHOWN: Final = 65_000
_MAX_NAME: Final = 200
_FAILED: Final = ("error", "timeout", "invalid_result", "invalid_arguments", "unknown_tool", "unseen", "budget")


@functools.lru_cache(maxsize=1024)
def _begun(tool: str) -> tuple[str, dict[str, str]]:
    """Return what the span of a call is called, and what stands on it from its begin."""
    name = plain_line(tool, 200)
    said = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name,
        "gen_ai.tool.type": "function",
        "tool.name": name,
    }
    return f"execute_tool {plain_line(tool, 100)}", said


def executing(tool: str) -> AbstractContextManager[Span]:
    """Return the span of a call, to be opened with ``with``; without tracing it records nothing."""
    # names that models make up at length are not kept
    name, said = _begun(tool) if len(tool) <= _MAX_NAME else _begun.__wrapped__(tool)
    return trace(name, kind="tool", capture_input=False, capture_output=False, attributes=said)


def invoking(agent: str) -> AbstractContextManager[Span]:
    """Return the span of an agent's run, to be opened with ``with``."""
    return trace(f"invoke_agent {plain_line(agent, 100)}", kind="agent", capture_input=False, capture_output=False)


def ids_of(span: Span) -> dict[str, Any]:
    """Return the trace and the span, None where nothing traces."""
    context = span.get_span_context()
    if not context.is_valid:
        return {"trace_id": None, "span_id": None}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def called(
    span: Span,
    found: ToolResult,
    *,
    given: Mapping[str, Any] | str,
    version: ToolVersion | None,
    decision: Decision | None,
) -> None:
    """Put on a span what was called and what came of it."""
    if not span.is_recording():
        return
    given_text, result = _text(given), _text(found.value) if found.ok else None
    both = f"{given_text}\n{result}"
    if mask_keys(both) is not both:  # a model or a tool may have put keys into it
        given_text, result = given_text and mask_keys(given_text), result and mask_keys(result)
    said: dict[str, Any] = {
        "gen_ai.tool.call.id": found.call_id,
        "gen_ai.tool.call.arguments": given_text,
        # the words of an error are masked already
        "gen_ai.tool.call.result": result if found.ok else found.error,
        "lmops.tool.outcome": found.outcome,
        "lmops.tool.version": found.version,
        "lmops.tool.hash": None if version is None else version.hash,
    }
    if found.attempts != 1:
        said["lmops.tool.attempts"] = found.attempts
    if found.is_replayed:
        said["lmops.tool.is_replayed"] = True
    if lax := found.detail.get("lax"):
        said["lmops.tool.lax"] = list(lax)
    if decision is not None:
        said |= {"lmops.tool.decision": decision.action, "lmops.tool.rule": decision.rule}
        said |= {"lmops.tool.policy": decision.policy, "lmops.tool.reason": mask_keys(decision.reason) or None}
        if decision.action == "rewrite":
            said["lmops.tool.arguments"] = mask_keys(_text(found.arguments) or "")
    span.set_attributes({name: one for name, one in said.items() if one is not None})
    if found.outcome in _FAILED:
        from opentelemetry.trace import Status, StatusCode

        span.set_attribute("error.type", str(found.detail.get("error_type") or found.outcome))
        span.set_status(Status(StatusCode.ERROR, (found.error or found.outcome)[:1000]))


def ran(span: Span, found: AgentRun, *, asked: str) -> None:
    """Put on a span what an agent was asked, what it answered and why it ended."""
    from opentelemetry.trace import Status, StatusCode

    if not span.is_recording():
        return
    said: dict[str, Any] = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": plain_line(found.agent, 200),
        "lmops.input": mask_keys(asked[:MAX_SHOWN]),
        "lmops.output": mask_keys((found.answer or "")[:MAX_SHOWN]) or None,
        "lmops.run.id": found.run_id,
        "lmops.agent.ended": found.ended,
        "lmops.agent.steps": len(found.steps),
        "lmops.agent.depth": found.depth,
    }
    span.set_attributes({name: one for name, one in said.items() if one is not None})
    if not found.ok:
        span.set_attribute("error.type", found.ended)
        span.set_status(Status(StatusCode.ERROR, mask_keys((found.reason or found.ended)[:1000])))


def _text(value: object) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else orjson.dumps(value, default=lambda one: type(one).__name__).decode()
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}... (cut)"
