"""Monitors that nearly every application wants, so that there is something to check at once."""

from __future__ import annotations

from typing import Any, Final

#: By name what ``save`` is given.
DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "errors": {"metric": "error_rate", "severity": "urgent"},
    "error-burst": {
        "metric": "error_rate",
        "method": "threshold",
        "window": "1h",
        "limit": 0.1,
        "severity": "page",
    },
    "rate-limits": {
        "metric": "rate_limited_rate",
        "method": "threshold",
        "window": "1h",
        "limit": 0.001,
        "severity": "urgent",
    },
    "latency": {"metric": "latency_p95"},
    "cost": {"metric": "cost_per_query"},
    "dear-queries": {"metric": "cost_per_query", "method": "anomaly", "severity": "note"},
    "answer-length": {"metric": "answer_length", "direction": "both"},
    "model-errors": {"metric": "model_error_rate"},
    "orders-obeyed": {
        "metric": "dictated_rate",
        "method": "threshold",
        "window": "7d",
        "limit": 0.0,
        "severity": "urgent",
    },
    "support": {"metric": "score.source_support"},
    "tool-failures": {"metric": "tool_failure_rate", "severity": "urgent"},
    "guardrail-blocks": {"metric": "guardrail_block_rate"},
    "documents-found": {"metric": "documents_found"},
    "retrieval": {"metric": "retrieval_score"},
    "thumbs-down": {"metric": "thumbs_down_rate"},
    "silence": {"metric": "error_rate", "method": "silence", "severity": "urgent"},
}
