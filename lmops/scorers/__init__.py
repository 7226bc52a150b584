"""Scorers: what an output is worth, as a value, as "unmeasured" with the reason, or as an error with the reason."""

from __future__ import annotations

from lmops.base.public import only
from lmops.scorers._grounding import citation, source_support
from lmops.scorers._judge import compare_pair, judge, judge_from, pairwise, panel, with_examples
from lmops.scorers._match import contains, contains_all, exact_match, json_schema, numeric, regex
from lmops.scorers._operational import cost, language, latency, length, refusal
from lmops.scorers._overlap import edit_similarity, rouge_l, token_f1
from lmops.scorers._records import Complete, Embed, Score, ScoreInput
from lmops.scorers._registry import available, get, scorer, scorer_factory
from lmops.scorers._resolve import resolve, resolve_all
from lmops.scorers._retrieval import retrieval
from lmops.scorers._scorer import PARAMETERS, Scorer, ScorerFactory, build, checked_name
from lmops.scorers._semantic import semantic_similarity
from lmops.scorers._summary import ScoreSummary, summarise
from lmops.scorers._tool_quality import (
    no_forbidden_tool,
    tool_args,
    tool_cost,
    tool_loops,
    tool_selection,
    tool_state,
    tool_steps,
)
from lmops.scorers._tools import tool_calls_match, tool_errors, trajectory

__all__ = [
    "PARAMETERS",
    "Complete",
    "Embed",
    "Score",
    "ScoreInput",
    "ScoreSummary",
    "Scorer",
    "ScorerFactory",
    "available",
    "build",
    "checked_name",
    "citation",
    "compare_pair",
    "contains",
    "contains_all",
    "cost",
    "edit_similarity",
    "exact_match",
    "get",
    "json_schema",
    "judge",
    "judge_from",
    "language",
    "latency",
    "length",
    "no_forbidden_tool",
    "numeric",
    "pairwise",
    "panel",
    "refusal",
    "regex",
    "resolve",
    "resolve_all",
    "retrieval",
    "rouge_l",
    "scorer",
    "scorer_factory",
    "semantic_similarity",
    "source_support",
    "summarise",
    "token_f1",
    "tool_args",
    "tool_calls_match",
    "tool_cost",
    "tool_errors",
    "tool_loops",
    "tool_selection",
    "tool_state",
    "tool_steps",
    "trajectory",
    "with_examples",
]
__dir__ = only(__all__)
