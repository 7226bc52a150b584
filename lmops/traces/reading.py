"""What a person reads of a trace first: what was asked, which tools were used, what was answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lmops.traces._trace import Span, Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """One tool that was called; ``span`` is where it ran, or the model call that asked for it where nothing ran."""

    name: str
    arguments: str | None
    result: str | None
    span: Span

    @property
    def is_error(self) -> bool:
        """Whether it ran and failed."""
        return self.span.row["kind"] == "tool" and self.span.is_error


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A trace as its user saw it. A text is None where the trace does not hold it; its span is where it stands."""

    question: str | None
    question_span: Span | None
    answer: str | None
    answer_span: Span | None
    tools: tuple[ToolUse, ...]


def exchange(trace: Trace) -> Exchange:
    """Return what was asked last, the tools in their order, and the last words of the answer.

    A framework's own state as JSON is not what the user saw; where the root has only that, the model calls have it in
    words.
    """
    calls, root = trace.calls, trace.root
    question, question_span = _asked(root), root
    if calls and (question or "{").startswith(("{", "[")) and (found := _asked(calls[0])):
        question, question_span = found, calls[0]
    answer, answer_span = _answered(root), root
    if (answer or "{").startswith(("{", "[")):
        for call in reversed(calls):
            if found := _answered(call):
                answer, answer_span = found, call
                break
    return Exchange(
        question=question,
        question_span=question_span if question else None,
        answer=answer,
        answer_span=answer_span if answer else None,
        tools=tuple(_tools(trace)),
    )


def _asked(span: Span) -> str | None:
    return next((one.content for one in reversed(span.input_messages) if one.role == "user" and one.content), None)


def _answered(span: Span) -> str | None:
    return next((one.content for one in reversed(span.output_messages) if one.content), None)


def _tools(trace: Trace) -> Iterator[ToolUse]:
    """Yield the tools that ran; where none did, those that the models asked for."""
    ran = trace.tool_calls
    for span in ran:
        row = span.row
        name = str(row.get("tool_name") or row["name"])
        yield ToolUse(name=name, arguments=row.get("input"), result=row.get("output"), span=span)
    if not ran:
        for call in trace.calls:
            for message in call.output_messages:
                for one in message.tool_calls:
                    yield ToolUse(name=one.name, arguments=one.arguments, result=None, span=call)
