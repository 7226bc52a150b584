"""What the pane of a trace asks: its spans, their texts and pictures, who called whom, what differs from another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.errors import NotFoundError
from lmops.traces.diffs import diff
from lmops.widgets.kit.protocol import integer, string
from lmops.widgets.traces import detail
from lmops.widgets.traces.trying import can_try, opened

if TYPE_CHECKING:
    from collections import OrderedDict
    from collections.abc import Callable

    from lmops.traces import Span, Trace, TraceDiff
    from lmops.traces.listing import TraceSource
    from lmops.widgets.kit.live import Live
    from lmops.widgets.kit.protocol import Message

MAX_TURNS: Final = 500
MAX_FOUND: Final = 2_000
_TRACES_KEPT: Final = 4


class ReadsTraces:
    """The messages of the pane, for a controller that has a source; the last few traces are kept."""

    _source: TraceSource
    _traces: OrderedDict[str, tuple[Trace, list[Span]]]
    _diff: TraceDiff | None = None
    _try_call: Callable[[Span], Live] | None

    def _on_trace(self, message: Message) -> Message:
        trace, tree = self._trace(trace_id_of(message))
        return {"kind": "trace", "head": detail.head(trace), "tree": detail.rows(tree, trace.start_ns, 0)}

    def _on_spans(self, message: Message) -> Message:
        trace, tree = self._trace(trace_id_of(message))
        start = integer(message, "start", 0, len(tree))
        return {"kind": "spans", "trace_id": trace.trace_id, "tree": detail.rows(tree, trace.start_ns, start)}

    def _on_span(self, message: Message) -> Message:
        trace, tree = self._trace(trace_id_of(message))
        index = integer(message, "index", 0, len(tree) - 1)
        found = {**detail.span(tree[index], index), "can_try": can_try(tree[index], self._try_call)}
        return {"kind": "span", "trace_id": trace.trace_id, "span": found}

    def _on_try(self, message: Message) -> Message:
        _, tree = self._trace(trace_id_of(message))
        span = tree[integer(message, "index", 0, len(tree) - 1)]
        return opened(span, self._try_call, is_shown=message.get("is_shown") is True)

    def _on_medium(self, message: Message) -> Message:
        _, tree = self._trace(trace_id_of(message))
        found = detail.media(tree[integer(message, "index", 0, len(tree) - 1)])
        return {"kind": "medium", **found[integer(message, "medium", 0, len(found) - 1)].shown}

    def _on_graph(self, message: Message) -> Message:
        trace, _ = self._trace(trace_id_of(message))
        return {"kind": "graph", "trace_id": trace.trace_id, **detail.graph(trace)}

    def _on_diff(self, message: Message) -> Message:
        return {"kind": "diff", **detail.difference(self._difference(message))}

    def _on_diff_words(self, message: Message) -> Message:
        pairs = self._difference(message).pairs
        return {"kind": "words", **detail.pair_words(pairs[integer(message, "index", 0, len(pairs) - 1)])}

    def _on_find(self, message: Message) -> Message:
        trace, tree = self._trace(trace_id_of(message))
        text = string(message, "text", 1_000)
        hits = {span.row["span_id"] for span in trace.find(text)} if text else set()
        found = [index for index, span in enumerate(tree) if span.row["span_id"] in hits]
        return {"kind": "found", "trace_id": trace.trace_id, "indexes": found[:MAX_FOUND], "total": len(found)}

    def _on_session(self, message: Message) -> Message:
        session_id = string(message, "session_id", 10_000)
        total, turns = self._source.session(session_id, MAX_TURNS)
        return {
            "kind": "session",
            "session_id": session_id,
            "total": total,
            "turns": [{**turn, "start_ms": turn["start_ns"] / 1e6} for turn in turns],
        }

    def _trace(self, trace_id: str) -> tuple[Trace, list[Span]]:
        if trace_id not in self._traces:
            trace = self._source.trace(trace_id)
            self._traces[trace_id] = (trace, trace.tree)
            if len(self._traces) > _TRACES_KEPT:
                self._traces.popitem(last=False)
        self._traces.move_to_end(trace_id)
        return self._traces[trace_id]

    def _difference(self, message: Message) -> TraceDiff:
        """Return what differs from one trace to another; the last one asked for is kept."""
        left, right = self._trace(trace_id_of(message, "left"))[0], self._trace(trace_id_of(message))[0]
        if self._diff is None or (self._diff.left, self._diff.right) != (left, right):
            self._diff = diff(left, right)
        return self._diff


def is_trace_id(value: object) -> bool:
    """Return whether a value can be the id of a trace."""
    return isinstance(value, str) and 0 < len(value) <= 64 and value.isascii() and value.isalnum()


def trace_id_of(message: Message, name: str = "trace_id") -> str:
    """Return the id of a trace that a message names."""
    value = message.get(name)
    if not is_trace_id(value):
        raise NotFoundError("a trace id is at most 64 letters and digits")
    return str(value)
