"""Frozen records and closed sets of words that several layers share."""

from __future__ import annotations

from typing import Final, Literal

SpanKind = Literal[
    "llm", "embedding", "chain", "retriever", "reranker", "tool", "agent",
    "guardrail", "evaluator", "prompt", "decision", "unknown",
]  # fmt: skip
SPAN_KINDS: Final[tuple[str, ...]] = (
    "llm", "embedding", "chain", "retriever", "reranker", "tool", "agent",
    "guardrail", "evaluator", "prompt", "decision", "unknown",
)  # fmt: skip
STATUSES: Final[tuple[str, ...]] = ("ok", "error", "unset")
