"""What is said to a model and what it asks for: one message, one call of a tool, the tokens of one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call that a model asks for; ``arguments`` is JSON text as the model wrote it."""

    #: None where a trace does not say
    id: str | None
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message; ``content`` is always text, parts that are not text appear as "[image]" and the like."""

    role: str
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    reasoning: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one call, None where the endpoint does not say; input includes cached, output includes reasoning."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    reasoning_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    #: cost in US dollars as the endpoint reports it
    reported_cost_usd: float | None = None
    #: what else a price depends on: audio, searches, the tier; None for nothing, see :mod:`lmops.calc.usage`
    units: dict[str, Any] | None = None

    def __add__(self, other: Usage) -> Usage:
        """Return the sum; a count that one of them does not know is not known."""
        pairs = ((name, getattr(self, name), getattr(other, name)) for name in _COUNTS)
        sums = {name: None if a is None or b is None else a + b for name, a, b in pairs}
        units = dict(self.units or {})
        for name, said in (other.units or {}).items():
            known = units.get(name)
            units[name] = known + said if isinstance(known, int) and isinstance(said, int) else said
        return Usage(**sums, units=units or None)


_COUNTS: Final = (
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "reasoning_tokens",
    "cache_write_input_tokens",
    "reported_cost_usd",
)
