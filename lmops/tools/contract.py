"""What the rooms of tools share: a tool in versions, one call of it and what came of it, who decides, who executes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import orjson

from lmops.base.shown import Shown
from lmops.errors import LmopsError
from lmops.records import Version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: What came of a call: it returned; its arguments did not fit; a policy said no; it needs somebody's yes; it is
#: switched off; it raised; it took too long; its result did not fit; a budget was used up; it was cancelled; nobody
#: has recorded such a call; there is no such tool.
Outcome = Literal[
    "ok",
    "invalid_arguments",
    "denied",
    "asked",
    "disabled",
    "error",
    "timeout",
    "invalid_result",
    "budget",
    "cancelled",
    "unseen",
    "unknown_tool",
]
#: Most characters of a result that a model is told.
MAX_CONTENT: Final = 100_000
#: What a policy says of a call: it may be made; it must not; somebody is asked first; it may be made with other
#: arguments.
Action = Literal["allow", "deny", "ask", "rewrite"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolVersion(Version):
    """One version of what a model is told of a tool.

    Args:
        description: What it does, for the model.
        parameters: JSON schema of its arguments, an object.
        returns: JSON schema of its result; None: anything.
        is_idempotent: Calling it twice does no more than once: it may be tried again.
        is_read_only: It changes nothing outside.
        timeout_s: Most seconds for one call.
        source: Where it comes from: "python", "mcp", "openapi", "agent".
        origin: What else makes it what it is: of an agent its model, prompt and tools, of an operation its method and
            path, of what was renamed its name there.
    """

    description: str
    parameters: Mapping[str, Any]
    returns: Mapping[str, Any] | None = None
    is_idempotent: bool = False
    is_read_only: bool = False
    timeout_s: float = 30.0
    source: str = "python"
    origin: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult(Shown):
    """What came of one call of a tool.

    Args:
        tool: Its name.
        arguments: What it was called with, as it was checked; as it was written where it could not be read.
        outcome: What came of it.
        value: What it returned, as JSON can say it; None where it did not return.
        error: What went wrong, for the model; None: nothing.
        version: Version of the tool; None: it is not registered.
        call_id: The model's name for the call.
        decided_by: What a policy said, as "allow", "deny", "ask" with the rule's name; None without a policy.
        attempts: How often it was tried; 0: it was not called.
        latency_ms: Milliseconds of all attempts.
        is_replayed: It was not called: what came is a recording, or simulated.
        cost_usd: What it cost itself, US dollars; None: unknown.
        trace_id: Of its span.
        span_id: Of its span.
        detail: What else is known: ``lax``, what had to be read in another type than the schema says ("3" as 3);
            ``cut_chars``, how long a result was that was cut; ``asked``, the id under which it waits for a yes.
    """

    tool: str
    arguments: Mapping[str, Any] | str
    outcome: Outcome
    value: Any = None
    error: str | None = None
    version: int | None = None
    call_id: str | None = None
    decided_by: str | None = None
    attempts: int = 1
    latency_ms: float = 0.0
    is_replayed: bool = False
    cost_usd: float | None = None
    trace_id: str | None = None
    span_id: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """It was called and returned what fits."""
        return self.outcome == "ok"

    @property
    def content(self) -> str:
        """What the model is told: a text as it is, anything else as JSON; of what failed what went wrong."""
        if not self.ok:
            return orjson.dumps({"error": self.outcome, "message": self.error or self.outcome}).decode()
        if isinstance(self.value, str):
            return self.value if len(self.value) <= MAX_CONTENT else f"{self.value[:MAX_CONTENT]}... (cut)"
        text = orjson.dumps(self.value).decode()
        return text if len(text) <= MAX_CONTENT else f"{text[:MAX_CONTENT]}... (cut)"

    @property
    def message(self) -> dict[str, Any]:
        """The message that tells the model, as OpenAI has it."""
        return {"role": "tool", "tool_call_id": self.call_id, "name": self.tool, "content": self.content}


@dataclass(frozen=True, slots=True, kw_only=True)
class CallContext:
    """What is known of a call beside its tool and its arguments.

    Args:
        run_id: The run that it is part of; sub-agents have that of the agent that called them.
        role: Who calls: the name of an agent, or a role that the application gave.
        depth: 0 for the outer agent, 1 for its sub-agents, ...
        call_id: The model's name for the call.
        number: Which call of the run it is, from 0, in the order in which they were asked for.
        calls: How many calls of each tool the run made before this one and at its side, sub-agents included; those
            that a policy refused are not counted.
        calls_left: Calls that the budget still allows, this one included; None: as many as anybody likes.
        usd_left: US dollars that the budget still allows; None: as many as anybody likes.
        messages: The conversation that led to the call, as OpenAI has it; () where there is none.
        written: The arguments as the model wrote them: without what the tool has by default.
        more: What else the application says: ``ws.tools.call(context=...)``.
    """

    run_id: str
    role: str | None = None
    depth: int = 0
    call_id: str | None = None
    number: int = 0
    calls: Mapping[str, int] = field(default_factory=dict)
    calls_left: int | None = None
    usd_left: float | None = None
    messages: Sequence[Mapping[str, Any]] = ()
    written: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(Shown):
    """What a policy says of one call.

    Args:
        action: What may happen.
        rule: The name of the rule that decided; None: no rule did, so the policy's default.
        reason: Why, in words for the model and for who reads the trace.
        arguments: What the tool is called with instead, of "rewrite".
        policy: Which policy decided, such as "support@3".
        asked: Of "ask" the id under which the call waits for somebody's yes.
        beside: Other policies over the same call, of a call inside of a tool: a yes is one under all of them.
    """

    action: Action
    rule: str | None = None
    reason: str = ""
    arguments: Mapping[str, Any] | None = None
    policy: str | None = None
    asked: str | None = None
    beside: tuple[str, ...] = ()


class Decider(Protocol):
    """Decides whether a call may be made: a policy."""

    def decide(self, tool: ToolVersion, arguments: Mapping[str, Any], context: CallContext) -> Decision:
        """Return what is decided on a call whose arguments fit; it must not wait for anything."""

    async def ask(
        self, tool: ToolVersion, arguments: Mapping[str, Any], context: CallContext, decision: Decision
    ) -> Decision:
        """Let somebody be asked, and return what he said; "ask" with the id of what waits where nobody has answered."""


class Switch(Protocol):
    """Knows what is switched off."""

    def reason_off(self, tool: str) -> str | None:
        """Return why a tool is switched off, None where it is not; nothing is read from the disk for it."""


class Call(Protocol):
    """One call that is about to be made, as who executes it in place of the tool sees it."""

    @property
    def context(self) -> CallContext:
        """What is known of it."""

    def real(self) -> Any:
        """Call the tool itself and return what it returns.

        Raises:
            NotFoundError: No function is bound to it in this process.
        """


class Executor(Protocol):
    """Executes calls in place of the tools: from recordings, by a plan of failures.

    It runs where the tool would: beside the caller, within the timeout, and what it raises is an answer. Calls of one
    step go to it one after another, in the order in which the model asked for them.
    """

    def execute(self, tool: ToolVersion, arguments: Mapping[str, Any], call: Call) -> Any:
        """Return what the tool would return.

        Raises:
            UnseenError: Nobody has recorded such a call.
            EndedError: It ends in another way than by returning.
        """


class EndedError(LmopsError):
    """How a call ends that does not return; an executor raises it.

    Args:
        outcome: What came of it, such as "timeout" or "error".
        message: What went wrong, for the model.
    """

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


class UnseenError(EndedError):
    """Nobody has recorded such a call.

    Args:
        message: What was asked for, and what is nearest to it.
    """

    def __init__(self, message: str) -> None:
        super().__init__("unseen", message)
