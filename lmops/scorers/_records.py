"""What a scorer is given and what it gives back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Status = Literal["value", "unmeasured", "error"]


class Complete(Protocol):
    """Calls a language model on behalf of a judge, within the limits, the budget and the traces of the run."""

    async def __call__(
        self,
        model: str,
        messages: list[dict[str, Any]],
        *,
        params: Mapping[str, Any] | None = None,
        response_schema: Mapping[str, Any] | None = None,
        repeat: int = 0,
    ) -> Any:
        """Return something with ``.content`` and, where known, ``.parsed``, ``.usage``, ``.cost_usd``."""


class Embed(Protocol):
    """Calls an embedding model, within the limits of the run."""

    async def __call__(self, model: str, texts: Sequence[str]) -> Any:
        """Return one vector per text, or something with ``.vectors``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What one scorer says of one output: a value, or why there is none. Never NaN, never a silent 0.

    Args:
        name: The scorer.
        value: A number or a yes or no; None unless ``status`` is "value".
        status: "value", "unmeasured" (nothing to measure: no reference, no documents, ...) or "error" (it should have
            been measured and could not be).
        reason: Why there is no value.
        rationale: Why the value is what it is, for a reader.
        detail: What the value was made of; plain JSON.
    """

    name: str = ""
    value: float | bool | None = None
    status: Status = "value"
    reason: str | None = None
    rationale: str | None = None
    detail: dict[str, Any] | None = None

    @classmethod
    def of(
        cls,
        value: float | bool,  # noqa: FBT001  # a yes or no is a value
        *,
        rationale: str | None = None,
        detail: dict[str, Any] | None = None,
        name: str = "",
    ) -> Self:
        """Return a value; one that is no finite number becomes an error."""
        if not isinstance(value, bool) and not math.isfinite(value):
            return cls.failed(f"the value is {value}", detail=detail, name=name)
        return cls(name=name, value=value, rationale=rationale, detail=detail)

    @classmethod
    def unmeasured(cls, reason: str, *, detail: dict[str, Any] | None = None, name: str = "") -> Self:
        """Return that there is nothing to measure, and why."""
        return cls(name=name, status="unmeasured", reason=reason, detail=detail)

    @classmethod
    def failed(cls, reason: str, *, detail: dict[str, Any] | None = None, name: str = "") -> Self:
        """Return that measuring failed, and why."""
        return cls(name=name, status="error", reason=reason, detail=detail)

    @property
    def is_value(self) -> bool:
        """Whether there is a value."""
        return self.status == "value"

    @property
    def number(self) -> float | None:
        """The value as a number (yes is 1, no is 0); None when there is none."""
        return None if self.value is None else float(self.value)

    def named(self, name: str) -> Score:
        """Return it under another name."""
        return replace(self, name=name)

    def __repr__(self) -> str:
        if self.status == "value":
            shown = str(self.value) if isinstance(self.value, bool) else f"{self.value:.4g}"
            return f"<Score {self.name}={shown}>"
        return f"<Score {self.name} {self.status}: {plain_line(self.reason, 120)}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreInput:
    """Everything a scorer may ask for about one output.

    Args:
        output: What the task returned.
        expected: The reference of the example.
        example: The example's fields by name: ``input``, ``metadata``, ``example_id``, ...
        documents: Retrieved or source documents: dicts with id, content, score.
        tool_calls: Dicts with name, arguments (an object), result, error.
        latency_ms: How long the task took.
        cost_usd: What its model calls cost; None when unknown.
        input_tokens: Tokens of its model calls.
        output_tokens: Tokens of its model calls.
        trace_id: Its trace.
        complete: Calls a language model; what judges use.
        embed: Calls an embedding model.
        repeat: Which repetition of the example this is, so that judges are asked anew.
    """

    output: Any = None
    expected: Any = None
    example: Mapping[str, Any] = field(default_factory=dict)
    documents: list[dict[str, Any]] | None = None
    tool_calls: list[dict[str, Any]] | None = None
    latency_ms: float | None = None
    cost_usd: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    trace_id: str | None = None
    complete: Complete | None = None
    embed: Embed | None = None
    repeat: int = 0
