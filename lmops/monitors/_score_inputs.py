"""What a scorer is given of a production trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.datasets import recorded
from lmops.scorers import ScoreInput
from lmops.traces import found_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.datasets import Example
    from lmops.store import Bounds, Store

_SEEN: Final = (
    "select trace_id, start_ns, session_id, span_count, latency_ms, case when unpriced_calls = 0 then cost_usd end, "
    "input_tokens, output_tokens from traces where trace_id in ({}) order by start_ns, trace_id"
)


class Seen(NamedTuple):
    """A trace that may be scored, and its figures."""

    trace_id: str
    start_ns: int
    session_id: str | None
    span_count: int
    latency_ms: float | None
    cost_usd: float | None
    input_tokens: int | None
    output_tokens: int | None


def seen(store: Store, where: str | None, bounds: Bounds) -> list[Seen]:
    """Return the traces of production that a condition finds, the first first.

    Raises:
        QueryError: It cannot be read or names something unknown.
    """
    rows = store.sql(_SEEN.format(found_sql(where, bounds, evaluations=False))).fetchall()
    return [Seen(*row) for row in rows]


def examples_of(store: Store, traces: Sequence[Seen]) -> dict[str, Example | None]:
    """Return what was asked and answered in traces, by their ids; those that are gone are left out."""
    return dict(recorded(store, [trace.trace_id for trace in traces]))


def given(trace: Seen, example: Example, calls: dict[str, Any]) -> ScoreInput:
    """Return what a scorer is given of a trace.

    Args:
        trace: The trace.
        example: What was asked and answered in it.
        calls: ``complete`` and ``embed``, where it may ask models.
    """
    return ScoreInput(
        output=example.output,
        example=example.as_dict(),
        documents=None if example.documents is None else list(example.documents),
        tool_calls=example.metadata.get("tool_calls"),
        latency_ms=trace.latency_ms,
        cost_usd=trace.cost_usd,
        input_tokens=trace.input_tokens,
        output_tokens=trace.output_tokens,
        trace_id=trace.trace_id,
        **calls,
    )
