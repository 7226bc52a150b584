"""What a run of an agent was: its steps, its answer, what it used and why it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from lmops.base.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lmops.base.chat import Usage
    from lmops.tools.contract import ToolResult

#: Why a run ended: with an answer; with nothing to say; after its last step; what it may use is used up; it went round
#: in a circle; guardrails blocked it; its model failed; it was cancelled, or interrupted.
Ended = Literal["answer", "empty", "max_steps", "budget", "loop", "blocked", "model_error", "cancelled"]
GOOD: Final = ("answer", "empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStep:
    """One answer of the model and the calls that it asked for.

    Args:
        content: What the model said; None where it called tools alone.
        results: What came of its calls, in the order in which it asked for them.
        usage: Tokens of the answer.
        cost_usd: Of the answer, US dollars; None: unknown.
        latency_ms: Milliseconds of the answer, without its calls.
    """

    content: str | None
    results: tuple[ToolResult, ...] = ()
    usage: Usage
    cost_usd: float | None
    latency_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRun(Shown):
    """One run of an agent.

    Args:
        agent: Its name.
        model: The model that was asked.
        answer: What it answered; None where it did not come to that.
        ended: Why it ended.
        reason: What is said of that; None where it answered.
        steps: Its steps, in order.
        messages: The whole conversation, as OpenAI has it: it can go on with these.
        usage: Tokens of its own model calls; a count that one of them does not say is None.
        cost_usd: US dollars of its own model calls and of its sub-agents, each once; None where one has no price.
        own_cost_usd: Of its own model calls alone.
        latency_ms: Milliseconds from its begin to its end.
        depth: 0 for the outer agent.
        run_id: Of the run; sub-agents have that of the outer agent.
        trace_id: Of its span.
        span_id: Of its span.
        used: What the budget that it shared had used when it ended.
    """

    agent: str
    model: str
    answer: str | None
    ended: Ended
    reason: str | None = None
    steps: tuple[AgentStep, ...]
    messages: tuple[Mapping[str, Any], ...] = field(repr=False)
    usage: Usage
    cost_usd: float | None
    own_cost_usd: float | None
    latency_ms: float
    depth: int = 0
    run_id: str
    trace_id: str | None = None
    span_id: str | None = None
    used: Any = field(default=None, repr=False)

    @property
    def ok(self) -> bool:
        """It came to its end by itself."""
        return self.ended in GOOD

    @property
    def results(self) -> tuple[ToolResult, ...]:
        """What came of all its calls of tools, in order; those of sub-agents are in their own runs."""
        return tuple(result for step in self.steps for result in step.results)
