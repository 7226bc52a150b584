"""What goes into a call of a model and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from lmops.base.chat import ToolCall, Usage
from lmops.base.shown import Shown
from lmops.base.units import duration, money

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: The vectors of some texts, the model that made them, and the usage.
Vectors = tuple[tuple[tuple[float, ...], ...], "str | None", "Usage"]
#: The same of scores of documents.
Scores = tuple[tuple[float | None, ...], "str | None", "Usage"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "other"]

#: How endpoints say why an answer ended -> our word.
_REASONS: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "tool_use": "tool_calls",
    "content_filter": "content_filter",
    "safety": "content_filter",
    "refusal": "content_filter",
}


def finish_reason(word: object) -> FinishReason:
    """Return why an answer ended, in one vocabulary.

    >>> finish_reason("end_turn"), finish_reason(None)
    ('stop', 'other')
    """
    return _REASONS.get(word.lower(), "other") if isinstance(word, str) else "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion(Shown):
    """One answer of a model.

    Attributes:
        content: The text; None when there is only a call of a tool.
        tool_calls: The calls of tools that it asks for.
        parsed: The object, when a response schema was given.
        finish_reason: stop, length, tool_calls, content_filter or other.
        model: The model that answered, as it names itself.
        requested_model: The model that was asked.
        provider: Who runs it, in OpenTelemetry's words.
        usage: Tokens; of an answer from the cache those of the call that filled it.
        cost_usd: What this call cost in US dollars; 0.0 from the cache, None when the price or the usage is unknown.
        latency_ms: From the request to the answer, with waits between attempts, in milliseconds, measured.
        response_id: The endpoint's id of the answer.
        system_fingerprint: The endpoint's id of the weights and settings behind the name.
        refusal: What the model said instead of an answer, where the endpoint tells refusals apart.
        is_cached: Whether it came from the response cache: nothing was sent and nothing was spent.
        retries: Attempts that failed before this answer.
        trace_id: The trace of its span; None without tracing.
        span_id: Its span; None without tracing.
        decisions: What guardrails decided on what was asked and answered, in order; () where none were asked for.
    """

    content: str | None
    tool_calls: tuple[ToolCall, ...] = ()
    parsed: Any = None
    finish_reason: FinishReason = "stop"
    model: str
    requested_model: str
    provider: str
    usage: Usage
    cost_usd: float | None = None
    latency_ms: float
    response_id: str | None = None
    system_fingerprint: str | None = None
    refusal: str | None = None
    is_cached: bool = False
    retries: int = 0
    trace_id: str | None = None
    span_id: str | None = None
    decisions: tuple[Any, ...] = field(default=(), repr=False, compare=False)

    @property
    def is_blocked(self) -> bool:
        """Whether guardrails blocked it: its content is then the words of their policy."""
        return self.finish_reason == "content_filter" and any(one.is_blocked for one in self.decisions)

    def __repr__(self) -> str:
        """Say what it is, in one line."""
        said = self.content if self.content is not None else ", ".join(call.name for call in self.tool_calls)
        shown = said if len(said) <= 60 else said[:57] + "..."
        cost = "unpriced" if self.cost_usd is None else money(self.cost_usd)
        cached = ", cached" if self.is_cached else ""
        return f"<Completion {self.model}: {shown!r} {self.finish_reason}, {duration(self.latency_ms)}, {cost}{cached}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Embeddings:
    """The vectors of some texts, in their order."""

    vectors: tuple[tuple[float, ...], ...]
    model: str
    requested_model: str
    provider: str
    usage: Usage
    cost_usd: float | None
    latency_ms: float

    def __len__(self) -> int:
        """Return how many vectors there are."""
        return len(self.vectors)

    def __repr__(self) -> str:
        """Say how many and how long."""
        width = len(self.vectors[0]) if self.vectors else 0
        return f"<Embeddings {self.model}: {len(self.vectors)} x {width}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a model answers; it knows the name of the variable that holds the key, never the key."""

    spec: str
    kind: Literal["openai", "standin", "litellm"]
    model: str
    provider: str
    base_url: str | None = None
    api_key_env: str | None = None
    needs_key: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    timeout_s: float = 120.0
    max_concurrency: int = 256
    revision: int = 1


@dataclass(slots=True, kw_only=True)
class Call:
    """One request, checked."""

    endpoint: Endpoint
    messages: Sequence[Mapping[str, Any]]
    params: Mapping[str, Any]
    tools: Sequence[Mapping[str, Any]] | None = None
    schema: Mapping[str, Any] | None = None
    can_repair: bool = False
    is_cacheable: bool = False
    repeat: int = 0
    prompt: tuple[str, str] | None = None
    timeout_s: float = 120.0
    max_wait_s: float = 60.0


@dataclass(slots=True, kw_only=True)
class Answer:
    """What an endpoint said."""

    content: str | None
    model: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: FinishReason = "stop"
    usage: Usage = field(default_factory=Usage)
    response_id: str | None = None
    system_fingerprint: str | None = None
    refusal: str | None = None
    #: of the span, beside the usual ones
    attributes: dict[str, Any] | None = None
