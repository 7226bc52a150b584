"""Who called whom in one trace: agents, tools, models and searches, with how often and how well. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: What is a place of the graph; of other spans only those at the top, the rest is seen through.
_PLACES: Final = frozenset({"agent", "tool", "llm", "embedding", "retriever", "reranker", "guardrail", "evaluator"})
_MODELS: Final = frozenset({"llm", "embedding"})
_ENDS: Final = ("source_kind", "source", "target_kind", "target")
#: The columns of an edge that are sums over what went along it.
_SUMS: Final = ("latency_ms", "input_tokens", "output_tokens", "cost_usd")


class Step(Protocol):
    """What the graph asks of a span."""

    @property
    def row(self) -> Mapping[str, Any]:
        """Its columns."""

    @property
    def parent(self) -> Self | None:
        """The span above it."""

    @property
    def is_call(self) -> bool:
        """Whether it is a billable call."""

    @property
    def is_error(self) -> bool:
        """Whether it failed."""

    @property
    def known_latency_ms(self) -> float | None:
        """How long it took."""


@dataclass(frozen=True, slots=True)
class Place:
    """One agent, tool, model or search; the same name twice is the same place."""

    kind: str
    name: str


def place_of(span: Step) -> Place | None:
    """Return where a span stands in the graph; None for one that is seen through, or repeats a call."""
    row = span.row
    kind = str(row["kind"])
    if kind in _MODELS and not span.is_call:
        return None
    if kind in _PLACES:
        names = {"tool": ("tool_name",), "llm": ("model", "requested_model"), "embedding": ("model",)}.get(kind, ())
        return Place(kind, str(next((row[name] for name in names if row.get(name)), row["name"])))
    return Place(kind, str(row["name"])) if span.parent is None else None


def edges(tree: Iterable[Step]) -> list[dict[str, Any]]:
    """Return the edges in the order of their first call, each a dict of the columns of ``trace.graph()``.

    Args:
        tree: The spans, parents before their children.
    """
    above: dict[str, Place] = {}
    found: dict[tuple[Place, Place], dict[str, Any]] = {}
    for span in tree:
        row, parent = span.row, span.parent
        source = None if parent is None else above.get(parent.row["span_id"])
        target = place_of(span)
        at = target or source
        if at is not None:
            above[row["span_id"]] = at
        if source is None or target is None:
            continue
        edge = found.get((source, target))
        if edge is None:
            edge = found[source, target] = _edge(source, target, span)
        edge["count"] += 1
        edge["errors"] += span.is_error
        for name in _SUMS:
            amount = span.known_latency_ms if name == "latency_ms" else row.get(name)
            if amount is not None and (name == "latency_ms" or span.is_call):
                edge[name] = (edge[name] or 0) + amount
    return list(found.values())


def _edge(source: Place, target: Place, span: Step) -> dict[str, Any]:
    ends = (source.kind, source.name, target.kind, target.name)
    return {
        **dict(zip(_ENDS, ends, strict=True)),
        "count": 0,
        "errors": 0,
        **dict.fromkeys(_SUMS),
        "span_id": span.row["span_id"],
    }


#: The columns of ``trace.graph()``, also where there is no edge.
COLUMNS: Final = (*_ENDS, "count", "errors", *_SUMS, "span_id")
