"""One trace as messages for the page: the tree in compact rows, then one span at a time with its texts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.traces import Span, Trace

#: spans of one message: Jupyter's server cuts off what sends more than a few megabytes at once
CHUNK: Final = 4_000
NAME: Final = 80
#: characters of one text, and of all texts of one span
TEXT: Final = 60_000
BUDGET: Final = 400_000
_ITEMS: Final = 200


class Cut:
    """Cuts texts to a budget and counts what it left out."""

    def __init__(self) -> None:
        self.left = BUDGET
        self.omitted = 0

    def text(self, value: object) -> str | None:
        """Return a value as text, as far as there is room; None for None."""
        if value is None:
            return None
        whole = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        kept = whole[: max(0, min(TEXT, self.left))]
        self.left -= len(kept)
        self.omitted += len(whole) - len(kept)
        return kept


def head(trace: Trace) -> dict[str, Any]:
    """Return what stands above the waterfall."""
    error = trace.error
    order = {span.row["span_id"]: index for index, span in enumerate(trace.tree)}
    return {
        "trace_id": trace.trace_id,
        "name": str(trace.name)[:200],
        "status": trace.status,
        "start_ms": trace.start_ns / 1e6,
        "duration_ms": trace.known_duration_ms,
        "span_count": len(trace),
        "call_count": len(trace.call_span_ids),
        "input_tokens": trace.input_tokens,
        "output_tokens": trace.output_tokens,
        "cost_usd": trace.cost_usd,
        "unpriced_calls": trace.unpriced_calls,
        "models": trace.models[:6],
        "session_id": trace.session_id,
        "user_id": trace.user_id,
        "is_orphan": trace.is_orphan,
        "errors": [order[span.row["span_id"]] for span in trace.errors[:100]],
        "error": None
        if error is None
        else {
            "index": order[error.row["span_id"]],
            "type": error.row["error_type"],
            "message": (error.row["error_message"] or "")[:2_000],
        },
        "first": _first_read(trace, order),
    }


def _first_read(trace: Trace, order: dict[str, int]) -> int:
    """Return the span to show first: where it failed, else the root."""
    return order[(trace.error or trace.root).row["span_id"]]


def rows(tree: Sequence[Span], start_ns: int, first: int) -> dict[str, Any]:
    """Return one chunk of the tree, from span ``first`` on, with names and kinds in dictionaries.

    A row is [index of the parent or -1, name, kind, start ms, duration ms, is error, input tokens, output tokens,
    cost, is call].
    """
    names: dict[str, int] = {}
    kinds: dict[str, int] = {}
    index = {id(span): place for place, span in enumerate(tree)}
    found = []
    for span in tree[first : first + CHUNK]:
        row, parent = span.row, span.parent
        name = str(row["name"])[:NAME]
        if row["kind"] == "tool" and row.get("tool_name"):
            name = str(row["tool_name"])[:NAME]
        found.append(
            [
                -1 if parent is None else index[id(parent)],
                names.setdefault(name, len(names)),
                kinds.setdefault(str(row["kind"]), len(kinds)),
                round((row["start_ns"] - start_ns) / 1e6, 3),
                None if span.known_latency_ms is None else round(span.known_latency_ms, 3),
                int(span.is_error),
                row.get("input_tokens"),
                row.get("output_tokens"),
                row.get("cost_usd"),
                int(span.is_call),
            ]
        )
    return {"start": first, "names": list(names), "kinds": list(kinds), "rows": found, "total": len(tree)}


_FACTS: Final = (
    "span_id", "kind", "status", "model", "requested_model", "provider", "prompt_name", "prompt_version",
    "finish_reason", "input_tokens", "output_tokens", "cached_input_tokens", "cache_write_input_tokens",
    "reasoning_tokens", "cost_usd", "reported_cost_usd", "ttft_ms", "tool_name", "index_fingerprint", "response_id",
    "service", "environment", "dialect", "scope",
)  # fmt: skip  # many words: packed, they are read at a glance


def span(found: Span, index: int) -> dict[str, Any]:
    """Return one span with its conversation, documents and raw attributes."""
    cut = Cut()
    row = found.row
    answer: dict[str, Any] = {
        "index": index,
        "name": str(row["name"])[:500],
        "latency_ms": found.known_latency_ms,
        "start_ms": row["start_ns"] / 1e6,
        "error_type": row.get("error_type") if found.is_error else None,
        "error_message": cut.text(row.get("error_message")) if found.is_error else None,
        "facts": [[name, row[name]] for name in _FACTS if row.get(name) is not None],
        "documents": [_document(document, cut) for document in found.documents[:_ITEMS]],
        "is_conversation": row["kind"] in ("llm", "agent"),
        "input": [message_of(message, cut) for message in found.input_messages[:_ITEMS]],
        "output": [message_of(message, cut) for message in found.output_messages[:_ITEMS]],
        "more": max(0, len(found.input_messages) - _ITEMS) + max(0, len(found.documents) - _ITEMS),
    }
    answer["attributes"] = cut.text(pretty(found.attributes))
    answer["resource"] = cut.text(pretty(found.resource))
    answer["events"] = cut.text(pretty(found.events)) if found.events else None
    answer["omitted"] = cut.omitted
    return answer


def _document(document: dict[str, Any], cut: Cut) -> dict[str, Any]:
    score = document.get("score")
    return {
        "rank": document.get("rank"),
        "id": cut.text(document.get("id")),
        "score": score if isinstance(score, int | float) else None,
        "content": cut.text(document.get("content")),
        "metadata": cut.text(document.get("metadata")),
    }


def message_of(message: Any, cut: Cut) -> dict[str, Any]:
    """Return one message of a conversation."""
    return {
        "role": str(message.role)[:40],
        "name": message.name,
        "content": cut.text(message.content),
        "reasoning": cut.text(message.reasoning),
        "tool_call_id": message.tool_call_id,
        "tool_calls": [
            {"id": call.id, "name": call.name, "arguments": cut.text(call.arguments)} for call in message.tool_calls
        ],
    }


def pretty(value: object) -> str:
    """Return a value as JSON to read."""
    return json.dumps(value, ensure_ascii=False, indent=1, default=str)
