"""What differs between two traces, span by span: words, model, status, latency, tokens, cost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

from lmops.base.shown import Shown
from lmops.base.units import counted
from lmops.calc.alignment import gaps, matches, pieces
from lmops.traces.reading import exchange

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from lmops.base.chat import Message
    from lmops.calc.alignment import Piece
    from lmops.traces._trace import Span, Trace

Kind = Literal["same", "changed", "added", "removed"]
#: What is compared as it is, besides the words.
_FACTS: Final = ("model", "status", "error_type")
_MEASURES: Final = ("latency_ms", "input_tokens", "output_tokens", "cost_usd")
_SIDES: Final = ("left", "right", "change")
#: Characters of a text that are compared word by word, and of what both have that is kept beside a change.
_LONGEST: Final = 40_000
_AROUND: Final = 80


@dataclass(frozen=True)
class SpanPair:
    """One span of both traces; one that only one of them has is None on the other side."""

    left: Span | None
    right: Span | None

    @property
    def span(self) -> Span:
        """The span of the right trace, else that of the left one."""
        found = self.right or self.left
        assert found is not None  # a pair of nothing is never made
        return found

    @cached_property
    def differs(self) -> tuple[str, ...]:
        """What is not the same, of input, output, documents, model, status and error_type; empty for one side alone."""
        left, right = self.left, self.right
        if left is None or right is None:
            return ()
        texts = [name for name in ("input", "output") if said(left, name) != said(right, name)]
        found = [name for name in ("documents",) if _documents(left) != _documents(right)]
        return (*texts, *found, *(name for name in _FACTS if left.row.get(name) != right.row.get(name)))

    @property
    def kind(self) -> Kind:
        """Whether the span is the same in both, changed, or only in one; time, tokens and cost do not count."""
        if self.left is None:
            return "added"
        if self.right is None:
            return "removed"
        return "changed" if self.differs else "same"

    def measure(self, name: str) -> tuple[Any, Any, Any]:
        """Return a number of both, and the right one minus the left one; None for what is not known.

        Args:
            name: "latency_ms", "input_tokens", "output_tokens" or "cost_usd".
        """
        left, right = (None if one is None else _measured(one, name) for one in (self.left, self.right))
        return left, right, None if left is None or right is None else right - left

    def words(self, name: str) -> list[Piece]:
        """Return "input" or "output" of both as one text with what each has alone; long common stretches are cut."""
        left, right = ("" if one is None else said(one, name)[:_LONGEST] for one in (self.left, self.right))
        return pieces(left, right, around=_AROUND)


@dataclass(frozen=True, kw_only=True, repr=False)
class TraceDiff(Shown):
    """What differs from one trace to another, span by span; in a notebook and in a terminal it shows itself.

    Spans belong together by their kind and name, in their order; what is left between two such by its kind alone.
    """

    left: Trace
    right: Trace

    @cached_property
    def pairs(self) -> tuple[SpanPair, ...]:
        """The spans of both in tree order."""
        return tuple(SpanPair(left, right) for left, right in _aligned(self.left.tree, self.right.tree))

    @cached_property
    def answer(self) -> list[Piece]:
        """The answers of both as one text with what each has alone; long common stretches are cut."""
        left, right = ((exchange(one).answer or "")[:_LONGEST] for one in (self.left, self.right))
        return pieces(left, right, around=_AROUND)

    @property
    def summary(self) -> str:
        """How many spans match and how many do not, in words."""
        kinds = [pair.kind for pair in self.pairs]
        parts = [f"{kinds.count(kind):,} {kind}" for kind in ("changed", "added", "removed") if kind in kinds]
        same = f"{counted(kinds.count('same'), 'span')} the same"
        return ", ".join([*parts, same]) if parts else f"the same words in all {counted(len(kinds), 'span')}"

    def measure(self, name: str) -> tuple[Any, Any, Any]:
        """Return a number of both traces, and the right one minus the left one; None for what is not known.

        Args:
            name: "latency_ms", "input_tokens", "output_tokens" or "cost_usd".
        """
        of = {"latency_ms": "known_duration_ms"}.get(name, name)
        left, right = getattr(self.left, of), getattr(self.right, of)
        return left, right, None if left is None or right is None else right - left

    def df(self) -> pd.DataFrame:
        """Return one row a span, in tree order.

        Returns:
            Columns difference (same, changed, added, removed), kind, name, depth, left_span_id, right_span_id, differs
            (a list of what is not the same), and for each of latency_ms, input_tokens, output_tokens and cost_usd the
            number with left_, right_ and change_ before it; what is not known is missing.
        """
        from lmops.base.frames import Frame

        frame = Frame([self._row(pair) for pair in self.pairs])
        kinds = {name: "Int64" if name.endswith("tokens") else "float64" for name in _MEASURES}
        return frame.astype({f"{side}_{name}": kind for side in _SIDES for name, kind in kinds.items()})

    def __repr__(self) -> str:
        return f"<TraceDiff {self.left.trace_id[:8]} → {self.right.trace_id[:8]}: {self.summary}>"

    def _row(self, pair: SpanPair) -> dict[str, Any]:
        ids = [None if one is None else one.row["span_id"] for one in (pair.left, pair.right)]
        row = {
            "difference": pair.kind,
            "kind": pair.span.row["kind"],
            "name": label(pair.span),
            "depth": pair.span.depth,
            "left_span_id": ids[0],
            "right_span_id": ids[1],
            "differs": list(pair.differs),
        }
        for name in _MEASURES:
            sides = zip(_SIDES, pair.measure(name), strict=True)
            row |= {f"{side}_{name}": value for side, value in sides}
        return row


def diff(left: Trace, right: Trace) -> TraceDiff:
    """Return what differs from one trace to another."""
    return TraceDiff(left=left, right=right)


def label(span: Span) -> str:
    """Return the name of a span; of a tool the name of the tool."""
    row = span.row
    return str(row["tool_name"] if row["kind"] == "tool" and row.get("tool_name") else row["name"])


def said(span: Span, name: str) -> str:
    """Return what went into a span, or came out of it, as words: of messages what they say and call.

    Args:
        span: The span.
        name: "input" or "output".
    """
    messages: list[Message] = span.input_messages if name == "input" else span.output_messages
    lines = []
    for one in messages:
        # The role tells the messages of a conversation apart; a single text has none.
        head = f"[{one.role}] " if len(messages) > 1 else ""
        lines += [f"{head}{one.content}"] if one.content or head else []
        lines += [f"→ {call.name}({call.arguments})" for call in one.tool_calls]
    return "\n".join(lines)


def _documents(span: Span) -> list[object]:
    return [one.get("id") or one.get("content") for one in span.documents]


def _measured(span: Span, name: str) -> Any:
    if name == "latency_ms":
        return span.known_latency_ms
    # Wrappers repeat what their calls used: only calls count, as in the sums of the trace.
    return span.row.get(name) if span.is_call else None


def _aligned(left: Sequence[Span], right: Sequence[Span]) -> Iterator[tuple[Span | None, Span | None]]:
    """Walk through both in tree order: the first belong together, then those of one kind and name, then of one kind."""
    yield left[0], right[0]
    left, right = left[1:], right[1:]
    same = matches([_key(one) for one in left], [_key(one) for one in right])
    for lefts, rights, match in gaps(same, len(left), len(right)):
        some, others = [left[i] for i in lefts], [right[j] for j in rights]
        alike = matches([one.row["kind"] for one in some], [one.row["kind"] for one in others], is_patient=False)
        for olds, news, pair in gaps(alike, len(some), len(others)):
            yield from ((some[i], None) for i in olds)
            yield from ((None, others[j]) for j in news)
            if pair is not None:
                yield some[pair[0]], others[pair[1]]
        if match is not None:
            yield left[match[0]], right[match[1]]


def _key(span: Span) -> tuple[str, str]:
    return str(span.row["kind"]), label(span)
