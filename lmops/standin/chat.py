"""The chat interface of the sample, in the words of the OpenAI-compatible endpoints."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from lmops.base.chat import Message, ToolCall, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One request; ``tools`` names the tools on offer, ``definitions`` says what they are, as OpenAI has them."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[str, ...] = ()
    temperature: float = 0.2
    max_tokens: int = 600
    seed: int = 0
    definitions: tuple[dict[str, Any], ...] = ()


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
