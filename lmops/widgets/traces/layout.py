"""How the columns of the trace browser stand: their headings, widths, and which are shown at first."""

from __future__ import annotations

from typing import Final

#: Columns that are there when any user said anything.
OF_USERS: Final = frozenset({"thumb", "comments"})
#: of a scorer's column: its width, and how many of them are shown at first
SCORE_WIDTH: Final = 112
SCORES_SHOWN: Final = 2
#: name -> (heading, width in pixels, shown at first)
LAYOUT: Final[dict[str, tuple[str, int, bool]]] = {
    "status": ("status", 88, True),
    "start_at": ("started", 92, True),
    "name": ("name", 138, True),
    "input": ("input", 300, True),
    "latency_ms": ("latency", 84, True),
    "input_tokens": ("tokens in", 80, True),
    "output_tokens": ("tokens out", 88, True),
    "cost_usd": ("cost", 92, True),
    "models": ("models", 150, True),
    "output": ("output", 280, False),
    "prompt_refs": ("prompts", 140, False),
    "span_count": ("spans", 64, False),
    "call_count": ("calls", 60, False),
    "error_count": ("errors", 64, False),
    "unpriced_calls": ("unpriced", 70, False),
    "error_type": ("error", 120, False),
    "error_message": ("error message", 240, False),
    "session_id": ("session", 130, False),
    "user_id": ("user", 110, False),
    "service": ("service", 110, False),
    "environment": ("environment", 100, False),
    "is_orphan": ("orphan", 64, False),
    "thumb": ("thumb", 88, True),
    "comments": ("comments", 240, False),
    "trace_id": ("trace id", 250, False),
}
#: the same of groups
GROUP_LAYOUT: Final[dict[str, tuple[str, int, bool]]] = {
    "value": ("group", 300, True),
    "traces": ("traces", 72, True),
    "errors": ("failed", 66, True),
    "error_rate": ("failed %", 76, True),
    "p50_ms": ("p50", 76, True),
    "p95_ms": ("p95", 76, True),
    "cost_usd": ("cost", 92, True),
    "unpriced_calls": ("unpriced", 74, False),
    "input_tokens": ("tokens in", 80, True),
    "output_tokens": ("tokens out", 88, True),
    "first_at": ("first", 96, True),
    "last_at": ("last", 96, True),
}
