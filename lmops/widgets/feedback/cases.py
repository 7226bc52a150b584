"""What a rater reads of an item: the conversation as the user saw it, its sources, its tools; and what others think."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from lmops.errors import NotFoundError
from lmops.traces.media import Medium, media_of
from lmops.widgets.feedback.used import marked, stems
from lmops.widgets.traces.detail import Cut, message_of, pretty

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lmops.evals.boards import Case
    from lmops.feedback import Turn
    from lmops.traces import Span, Trace

_MOST: Final = 60
#: Turns of a conversation, and characters of a preview.
_TURNS: Final = 40
_PREVIEW: Final = 1_000


class Traces(Protocol):
    """What is asked of the traces."""

    def trace(self, trace_id: str) -> Trace:
        """Return one trace."""

    def session(self, session_id: str, limit: int) -> tuple[int, list[dict[str, Any]]]:
        """Return how many turns a conversation has, and the first of them."""


class Cases:
    """The items of queues as a page reads them.

    Args:
        traces: Where traces are read.
        answers: Returns a case of an evaluation by its run and example, where there are evaluations.
        signals: Returns what users and evaluations said of a trace: name, value, comment, source.
    """

    def __init__(
        self,
        traces: Traces,
        *,
        answers: Callable[[str, str], Case] | None = None,
        signals: Callable[[str], list[dict[str, Any]]] | None = None,
    ) -> None:
        self._traces = traces
        self._answers = answers
        self._signals = signals

    def read(self, turn: Turn) -> dict[str, Any]:
        """Return one item; what is no longer in the store says so in ``missing``."""
        try:
            found = {} if turn.trace_id is None else _of_trace(self._traces.trace(turn.trace_id), turn.span_id)
        except NotFoundError as error:
            found = {"missing": str(error)}
        if turn.run_id is None or turn.example_id is None or self._answers is None:
            return found or {"missing": "there is nothing to read of this item"}
        try:
            return _of_run(self._answers(turn.run_id, turn.example_id), turn, found)
        except NotFoundError as error:
            return found or {"missing": str(error)}

    def session(self, turn: Turn) -> dict[str, Any]:
        """Return the turns of the conversation that a trace is one of, in their order."""
        session_id = None if turn.trace_id is None else self._traces.trace(turn.trace_id).session_id
        total, rows = (0, []) if session_id is None else self._traces.session(session_id, _TURNS)
        turns = [
            {
                "is_this": row["trace_id"] == turn.trace_id,
                "start_ms": row["start_ns"] / 1e6,
                "input": (row["input"] or "")[:_PREVIEW],
                "output": (row["output"] or "")[:_PREVIEW],
                "error_type": row["error_type"],
            }
            for row in rows
        ]
        return {"total": total, "turns": turns}

    def raw(self, turn: Turn) -> list[dict[str, Any]]:
        """Return the spans of the trace with what they carry, cut to a budget; what judges said is left out."""
        cut = Cut()
        tree = [] if turn.trace_id is None else self._traces.trace(turn.trace_id).tree
        spans = [span for span in tree if span.row["kind"] != "evaluator"][:_MOST]
        return [
            {
                "name": str(span.row["name"])[:200],
                "kind": str(span.row["kind"]),
                "latency_ms": span.known_latency_ms,
                "input": cut.text(span.row.get("input")),
                "output": cut.text(span.row.get("output")),
                "attributes": cut.text(pretty(span.attributes)),
            }
            for span in spans
        ]

    def media(self, turn: Turn) -> list[Medium]:
        """Return the images and sounds of an item."""
        return [] if turn.trace_id is None else media_of(self._traces.trace(turn.trace_id))

    def opinions(self, turn: Turn) -> list[dict[str, Any]]:
        """Return what judges, scorers and users say of an item: for eyes that have decided."""
        found: list[dict[str, Any]] = []
        if turn.run_id is not None and turn.example_id is not None and self._answers is not None:
            for answer in self._answers(turn.run_id, turn.example_id).answers:
                if answer.repeat == (turn.repeat or 0):
                    found += [
                        {
                            "name": name,
                            "value": one["value"],
                            "why": one["rationale"] or one["reason"] or "",
                            "by": "scorer",
                        }
                        for name, one in answer.scores.items()
                    ]
        if turn.trace_id is not None and self._signals is not None:
            found += [
                {"name": one["name"], "value": one["value"], "why": one["comment"] or "", "by": one["source"] or "user"}
                for one in self._signals(turn.trace_id)
            ]
        return [{**one, "value": _short(one["value"]), "why": str(one["why"])[:4_000]} for one in found[:_MOST]]


def _short(value: object) -> str:
    return "" if value is None else (f"{value:.4g}" if isinstance(value, float) else str(value))[:400]


def _of_trace(trace: Trace, span_id: str | None) -> dict[str, Any]:
    """Return a trace as its user saw it, with what lay behind it."""
    root = trace.by_id.get(span_id or "") or trace.root
    calls = [span for span in trace.calls if span.output_messages]
    asked, answered = _speaking(root, calls)
    cut = Cut()
    output = next((one.content for one in reversed(answered.output_messages) if one.content), "")
    said = cut.text(output) or ""
    known = stems(said)
    heard = [one for one in asked.input_messages if one.role not in ("system", "developer")]
    behind = calls[-1].input_messages if calls and calls[-1] is not asked else asked.input_messages
    behind = behind if calls and calls[-1] is not asked else [one for one in behind if one not in heard]
    error = trace.error
    return {
        "trace_id": trace.trace_id,
        "name": trace.name[:200],
        "start_ms": trace.start_ns / 1e6,
        "duration_ms": trace.known_duration_ms,
        "models": trace.models[:6],
        "has_session": trace.session_id is not None,
        "conversation": [message_of(one, cut) for one in heard[-_MOST:]],
        "output": said,
        "error": None if error is None else [error.row["error_type"], cut.text(error.row["error_message"] or "")],
        "is_failed": error is not None and (trace.status == "error" or not said),
        "behind": [message_of(one, cut) for one in behind[-_MOST:]],
        "documents": [_document(one, known, said, cut) for one in _documents(trace)],
        "tools": [_tool(one, cut) for one in trace.tool_calls[:_MOST]],
        "media": [one.facts for one in media_of(trace)],
        "input": [],
        "expected": None,
        "omitted": cut.omitted,
    }


def _speaking(root: Span, calls: Sequence[Span]) -> tuple[Span, Span]:
    """Return the span that has what the user asked, and the one that has what the user got."""
    last = calls[-1] if calls else root
    return (root if root.input_messages else last), (root if root.output_messages else last)


def _documents(trace: Trace) -> list[dict[str, Any]]:
    """Return the retrieved documents, each once, as the last step had them; a reranker may leave the texts out."""
    found: dict[str, dict[str, Any]] = {}
    for one in trace.documents:
        key = str(one.get("id") or one.get("content"))
        before = found.pop(key, {})
        found[key] = one | {"content": one.get("content") or before.get("content")}
    last = trace.documents[-1]["span_id"] if found else None
    return sorted(found.values(), key=lambda one: one["span_id"] != last)[:_MOST]


def _document(one: dict[str, Any], answer: frozenset[str], said: str, cut: Cut) -> dict[str, Any]:
    name, score = one.get("id"), one.get("score")
    return {
        "id": cut.text(name),
        "score": score if isinstance(score, int | float) else None,
        "parts": marked(cut.text(one.get("content")) or "", answer),
        "is_cited": isinstance(name, str) and bool(name) and f"[{name}]" in said,
    }


def _tool(span: Span, cut: Cut) -> dict[str, Any]:
    return {
        "name": str(span.row.get("tool_name") or span.row["name"])[:200],
        "arguments": cut.text(span.row.get("input")),
        "result": cut.text(span.row.get("output")),
        "latency_ms": span.known_latency_ms,
        "error": cut.text(span.row.get("error_message") or span.row.get("error_type")) if span.is_error else None,
    }


def _of_run(case: Case, turn: Turn, traced: dict[str, Any]) -> dict[str, Any]:
    """Return a case of an evaluation: what was put in, what came out, and what was expected."""
    cut = Cut()
    answer = next((one for one in case.answers if one.repeat == (turn.repeat or 0)), None)
    given = case.input if isinstance(case.input, dict) else {"": case.input}
    output = None if answer is None else cut.text(answer.output)
    base = _BARE | {name: one for name, one in traced.items() if name != "missing"}
    if not base["conversation"]:
        base["input"] = [[name, cut.text(one)] for name, one in given.items()]
    if answer is not None:
        base |= {"duration_ms": answer.latency_ms, "models": [answer.model] if answer.model else base["models"]}
        base |= {"error": ["error", cut.text(answer.error)], "is_failed": True} if answer.error else {}
    expected = None if case.expected is None else cut.text(case.expected)
    return base | {"name": turn.example_id, "output": output or base["output"], "expected": expected}


#: What there is of a case that no trace was kept of.
_BARE: Final[dict[str, Any]] = {
    **dict.fromkeys(("conversation", "behind", "documents", "tools", "media", "input", "models"), ()),
    **dict.fromkeys(("error", "start_ms", "duration_ms", "trace_id", "expected")),
    **dict.fromkeys(("is_failed", "has_session"), False),
    "output": "",
    "omitted": 0,
}
