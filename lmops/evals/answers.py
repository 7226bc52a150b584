"""What a task gives back as one record, whatever it returned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lmops.evals._checked import checked, scalar
from lmops.evals._records import TaskResult


def as_result(found: Any) -> TaskResult:
    """Return what a task returned as a TaskResult.

    Raises:
        TypeError: It is nothing that a task may return.
        ValueError: One of its numbers is none.
    """
    if isinstance(found, TaskResult):
        return checked(found)
    found = scalar(found)
    if isinstance(found, str | dict | list | int | float):
        return TaskResult(found)
    if found is None:
        raise TypeError("the task returned nothing; return the answer, or TaskResult(None) when there is none")
    if _is_completion(found):
        return _of_completion(found)
    if isinstance(found, tuple):
        return TaskResult(list(found))
    raise TypeError(
        f"the task returned {type(found).__name__}; return a text, plain JSON, a Completion or "
        "lmops.evals.TaskResult(output, ...)"
    )


def _is_completion(found: Any) -> bool:
    return hasattr(found, "usage") and hasattr(found, "requested_model")


def without_answer(error: Exception) -> TaskResult:
    """Return what is known of an attempt that failed: an answer that could not be used has cost something as well."""
    found = getattr(error, "completion", None)
    return replace(_of_completion(found), output=None) if _is_completion(found) else TaskResult(None)


def _of_completion(found: Any) -> TaskResult:
    usage = found.usage
    return TaskResult(
        found.content if found.parsed is None else found.parsed,
        tool_calls=[{"name": one.name, "arguments": parsed(one.arguments)} for one in found.tool_calls] or None,
        input_tokens=usage.input_tokens if usage else None,
        output_tokens=usage.output_tokens if usage else None,
        cached_input_tokens=usage.cached_input_tokens if usage else None,
        reasoning_tokens=usage.reasoning_tokens if usage else None,
        cost_usd=found.cost_usd,
        latency_ms=None if found.is_cached else found.latency_ms,
        model=found.model,
        system_fingerprint=found.system_fingerprint,
        finish_reason=found.finish_reason,
        is_cached=found.is_cached,
        trace_id=found.trace_id,
    )


def parsed(arguments: str) -> Any:
    """Return what a text of JSON says; the text itself where it is none."""
    import orjson

    try:
        return orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments
