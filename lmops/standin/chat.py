"""The chat interface of the sample, in the words of the OpenAI-compatible endpoints, and the way to a model by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from lmops.errors import UsageError

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call that the model asks for; ``arguments`` is JSON text, as endpoints send it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a conversation."""

    role: Role
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One request; ``tools`` names the tools on offer."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[str, ...] = ()
    temperature: float = 0.2
    max_tokens: int = 600
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one call; input includes the cached ones, output the ones spent on reasoning."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """What a stand-in knows about its own answer; a real endpoint leaves it empty. Never written to a trace."""

    invented: tuple[str, ...] = ()
    is_number_altered: bool = False
    is_order_obeyed: bool = False
    is_refusal: bool = False
    is_call_wrong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One answer of a model; ``latency_ms`` is measured, or simulated by a stand-in."""

    id: str
    model: str
    content: str
    finish_reason: str
    usage: Usage
    latency_ms: float
    tool_calls: tuple[ToolCall, ...] = ()
    system_fingerprint: str | None = None
    notes: Notes = field(default_factory=Notes)


class ChatModel(Protocol):
    """Whatever completes a chat."""

    def complete(self, request: ChatRequest) -> Completion:
        """Return the answer to one request."""
        ...


def chat_model(spec: str, *, revision: int = 1) -> ChatModel:
    """Return the model of a name such as "standin:ferry-1".

    Args:
        spec: provider and model. Only the provider "standin" is built in: "ferry-1" answers, "rewrite-1" rewrites.
        revision: the weights behind the name; 2 is the base model after its update.

    Raises:
        UsageError: the name is not that of a stand-in.

    >>> chat_model("standin:ferry-1")
    StandIn('ferry-1', revision=1)
    """
    from lmops.standin.model import Rewriter, StandIn

    if spec == "standin:ferry-1":
        return StandIn(revision=revision)
    if spec == "standin:rewrite-1":
        return Rewriter()
    raise UsageError(f"no stand-in named {spec!r}; known: 'standin:ferry-1', 'standin:rewrite-1'")
