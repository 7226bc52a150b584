"""What a task may return, and what a run is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Sequence

RunStatus = Literal["running", "finished", "interrupted", "over_budget", "failed", "crashed"]

#: One finished case: what its row holds, by column.
Case = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """What is known of an answer besides itself; None where it is not."""

    documents: Sequence[dict[str, Any]] | None = None
    tool_calls: Sequence[dict[str, Any]] | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    latency_ms: float | None = None
    model: str | None = None
    system_fingerprint: str | None = None
    finish_reason: str | None = None
    is_cached: bool | None = None
    trace_id: str | None = None


@dataclass(frozen=True, slots=True)
class TaskResult(_Measured):
    """What a task returns when an answer alone says too little.

    Args:
        output: The answer: a text, or plain JSON.
        documents: What was retrieved: dicts with id, content, score.
        tool_calls: The tools called: dicts with name, arguments, result, error.
        input_tokens: Tokens in, cached ones included.
        output_tokens: Tokens out, reasoning included.
        cached_input_tokens: Tokens read from a cache.
        reasoning_tokens: Output tokens spent on reasoning.
        cost_usd: What the answer cost.
        latency_ms: How long it took; measured by the runner by default.
        model: The model that answered.
        system_fingerprint: Of the model that answered.
        finish_reason: Why the model stopped.
        is_cached: Whether it came from a cache.
        trace_id: The trace of the answer.
    """

    output: Any

    def __repr__(self) -> str:
        return f"<TaskResult {plain_line(self.output, 60)!r}>"


#: Rooms whose runs have a resume of their own.
_ROOMS: Final = ("redteam", "retrieval")


def resumed_by(task: str) -> str:
    """Return the call that goes on with a run: what a room of its own asks is asked again by that room.

    Args:
        task: The name of its task.
    """
    room = task.partition(":")[0]
    return f"ws.{room if room in _ROOMS else 'evals'}.resume"


class Totals(NamedTuple):
    """Sums over the finished cases of a run, however many sessions it took."""

    cases: int
    planned: int
    errors: int
    not_run: int
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    scoring_cost_usd: float | None
    unpriced: int
    duration_s: float
    sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What exactly runs: written down before the first case starts."""

    name: str
    task_kind: Literal["function", "prompt", "recorded"]
    task: str
    dataset: str
    dataset_hash: str
    prompt_ref: str | None = None
    prompt_hash: str | None = None
    model: str | None = None
    params: dict[str, Any] | None = None
    scorers: list[dict[str, Any]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    examples: int = 0
    repeats: int = 1
    seed: int | None = None
