"""Scorers: what an output is worth, as a value, as "unmeasured" with the reason, or as an error with the reason."""

from __future__ import annotations

from lmops.scorers._match import contains, contains_all, exact_match, json_schema, numeric, regex
from lmops.scorers._records import Complete, Embed, Score, ScoreInput
from lmops.scorers._registry import available, get, resolve, resolve_all
from lmops.scorers._scorer import PARAMETERS, Scorer, ScorerFactory, build, scorer, scorer_factory

__all__ = [
    "PARAMETERS",
    "Complete",
    "Embed",
    "Score",
    "ScoreInput",
    "Scorer",
    "ScorerFactory",
    "available",
    "build",
    "contains",
    "contains_all",
    "exact_match",
    "get",
    "json_schema",
    "numeric",
    "regex",
    "resolve",
    "resolve_all",
    "scorer",
    "scorer_factory",
]
