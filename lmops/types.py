"""Frozen records and closed sets of words that several layers share."""

from __future__ import annotations

from typing import Final, Literal, get_args

SpanKind = Literal[
    "llm",
    "embedding",
    "chain",
    "retriever",
    "reranker",
    "tool",
    "agent",
    "guardrail",
    "evaluator",
    "prompt",
    "decision",
    "unknown",
]
SPAN_KINDS: Final[tuple[str, ...]] = get_args(SpanKind)
#: The attribute by which the spans of an evaluation name its run, and the environment that they are in.
EVAL_RUN_ID: Final = "lmops.eval.run_id"
EVALUATION: Final = "evaluation"
