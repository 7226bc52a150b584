"""One trace as messages for the page: the tree in compact rows, then one span at a time with its texts."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

from lmops.traces.diffs import label, said
from lmops.traces.graphs import Place, place_of
from lmops.traces.media import Medium, media_of
from lmops.traces.reading import exchange

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lmops.calc.alignment import Piece
    from lmops.traces import Span, SpanPair, Trace, TraceDiff

#: spans of one message: Jupyter's server cuts off what sends more than a few megabytes at once
CHUNK: Final = 4_000
NAME: Final = 80
#: characters of one text, and of all texts of one span
TEXT: Final = 60_000
BUDGET: Final = 400_000
_ITEMS: Final = 200
_TOOLS: Final = 50
_PAIRS: Final = 2_000
_EDGES: Final = 1_000
#: characters of two texts in one
_PIECES: Final = 40_000
_MEASURES: Final = {
    "latency": "latency_ms",
    "tokens in": "input_tokens",
    "tokens out": "output_tokens",
    "cost": "cost_usd",
}


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
    order = _order(trace)
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
    """Return the span to show first: the root, which has the answer; where it failed when there is none."""
    failed = trace.error
    is_answered = trace.status != "error" and exchange(trace).answer is not None
    return order[(trace.root if failed is None or is_answered else failed).row["span_id"]]


def _order(trace: Trace) -> dict[str, int]:
    """Return the place of each span in the tree, by its id."""
    return {span.row["span_id"]: place for place, span in enumerate(trace.tree)}


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
        row, parent, name = span.row, span.parent, label(span)[:NAME]
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
    """Return one span with its conversation, documents and raw attributes; of the root what the trace came to."""
    cut = Cut()
    row = found.row
    came_to = _exchange(found.trace, cut) if found is found.trace.root else None
    # What is said of the whole trace is not sent twice.
    sent, given = ([], []) if came_to and not came_to["has_own"] else (found.input_messages, found.output_messages)
    answer: dict[str, Any] = {
        "index": index,
        "name": str(row["name"])[:500],
        "latency_ms": found.known_latency_ms,
        "start_ms": row["start_ns"] / 1e6,
        "error_type": row.get("error_type") if found.is_error else None,
        "error_message": cut.text(row.get("error_message")) if found.is_error else None,
        "facts": [[name, row[name]] for name in _FACTS if row.get(name) is not None],
        "exchange": came_to,
        "documents": [_document(document, cut) for document in found.documents[:_ITEMS]],
        "is_conversation": row["kind"] in ("llm", "agent"),
        "input": [message_of(message, cut) for message in sent[:_ITEMS]],
        "output": [message_of(message, cut) for message in given[:_ITEMS]],
        "media": [one.facts for one in media(found)],
        "more": max(0, len(sent) - _ITEMS) + max(0, len(found.documents) - _ITEMS),
    }
    answer["attributes"] = cut.text(pretty(found.attributes))
    answer["resource"] = cut.text(pretty(found.resource))
    answer["events"] = cut.text(pretty(found.events)) if found.events else None
    answer["omitted"] = cut.omitted
    return answer


def media(found: Span) -> list[Medium]:
    """Return the images and sounds of a span; of the root also those that the models were given and gave."""
    trace = found.trace
    return media_of([found, *trace.calls] if found is trace.root else [found])


def _exchange(trace: Trace, cut: Cut) -> dict[str, Any]:
    """Return what was asked, which tools were used, and what was answered."""
    seen, order, root = exchange(trace), _order(trace), trace.root
    own = [said(root, name) for name in ("input", "output")]
    return {
        "answer": cut.text(seen.answer),
        "question": cut.text(seen.question),
        "tools": [
            {
                "name": one.name[:200],
                "arguments": cut.text(one.arguments),
                "result": cut.text(one.result),
                "error": cut.text(one.span.row.get("error_type") or "error") if one.is_error else None,
                "latency_ms": one.span.known_latency_ms if one.span.row["kind"] == "tool" else None,
                "index": order[one.span.row["span_id"]],
            }
            for one in seen.tools[:_TOOLS]
        ],
        "more_tools": max(0, len(seen.tools) - _TOOLS),
        "has_own": own != [seen.question or "", seen.answer or ""] or bool(root.documents),
    }


def graph(trace: Trace) -> dict[str, Any]:
    """Return the graph of a trace: its root, and the edges with the place of the first span that each leads to."""
    order, root = _order(trace), trace.root
    frame = trace.graph().head(_EDGES)
    names = ("source_kind", "source", "target_kind", "target", "count", "errors", "latency_ms", "cost_usd")
    edges = [[_plain(one[name]) for name in names] + [order[one["span_id"]]] for one in frame.to_dict(orient="records")]
    at = place_of(root) or Place(str(root.row["kind"]), label(root))
    return {"root": {"kind": at.kind, "name": at.name[:200], "index": order[root.row["span_id"]]}, "edges": edges}


def _plain(value: Any) -> Any:
    """Return a cell of a frame as a message has it: short text, missing as None."""
    if isinstance(value, str):
        return value[:200]
    return None if isinstance(value, float) and math.isnan(value) else value


def difference(found: TraceDiff) -> dict[str, Any]:
    """Return what differs between two traces, row by row, without the words of the spans."""
    return {
        "summary": found.summary,
        "answer": pieces(found.answer),
        "measures": [[name, *found.measure(column)] for name, column in _MEASURES.items()],
        "total": len(found.pairs),
        "rows": [_pair_row(pair, place) for place, pair in enumerate(found.pairs[:_PAIRS])],
    }


def _pair_row(pair: SpanPair, place: int) -> dict[str, Any]:
    return {
        "place": place,
        "difference": pair.kind,
        "kind": str(pair.span.row["kind"]),
        "name": label(pair.span)[:NAME],
        "depth": pair.span.depth,
        "differs": [name.replace("error_type", "error") for name in pair.differs],
        "measures": [[name, *pair.measure(column)] for name, column in _MEASURES.items()],
    }


def pair_words(pair: SpanPair) -> dict[str, Any]:
    """Return the texts of a pair that differ as one each, and the facts of one word that do; of one side all of it."""
    names = [name for name in ("input", "output") if name in pair.differs or pair.kind in ("added", "removed")]
    facts = [name for name in pair.differs if name in ("model", "status", "error_type")]
    sides = (pair.left, pair.right)
    return {
        "texts": [[name, pieces(pair.words(name))] for name in names],
        "facts": [[name, *(one and one.row.get(name) for one in sides)] for name in facts],
    }


def pieces(found: Iterable[Piece]) -> list[list[str]]:
    """Return two texts as one, as far as there is room: [sign, text] of each piece."""
    kept: list[list[str]] = []
    room = _PIECES
    for sign, text in found:
        if room <= 0:
            break
        kept.append([sign, text[:room]])
        room -= len(text)
    return kept


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
