"""What passes between the trace browser and its page: values in its units, clicks and words as parts of the filter."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.times import from_ns
from lmops.traces.rows import column_of
from lmops.widgets.kit.protocol import finite, string
from lmops.widgets.traces.predicates import as_words, bin_predicate, value_predicate

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from lmops.widgets.kit.protocol import Message


def clean(where: str | None) -> str | None:
    """Return a search without the space around it; None for one that shows all."""
    if where is not None and not isinstance(where, str):
        raise UsageError(f"where={where!r}: give a search as text, or None for all traces")
    return (where or "").strip() or None


def clicked(message: Message) -> str:
    """Return the search for what was clicked in a summary."""
    column = string(message, "column", 120)
    kind = column_of(column).kind
    if "low" in message:
        low, high = finite(message, "low"), finite(message, "high")
        # The page has times in milliseconds, as JavaScript has.
        scale = 1_000_000 if kind == "time" else 1
        return bin_predicate(column, low * scale, high * scale)
    value = message.get("value")
    if value is not None and not isinstance(value, str | bool):
        raise UsageError("filter: the value is a text, true, false or null")
    return value_predicate(column, value)


def chip(part: str) -> Message:
    """Return what a part of the filter says: the words that were typed, or SQL."""
    words = as_words(part)
    return {"text": part if words is None else words, "is_words": words is not None}


def toggled(parts: list[str], part: str) -> list[str]:
    """Return the parts of a filter with one more; without it where it was there."""
    return [one for one in parts if one != part] if part in parts else [*parts, part]


def in_ms(summary: Message) -> Message:
    """Return the summary of a time as the page has times: in milliseconds."""
    bins = [{**one, "low": one["low"] / 1e6, "high": one["high"] / 1e6} for one in summary.get("bins", ())]
    return {**summary, "bins": bins, **{k: summary[k] / 1e6 for k in ("min", "max", "p50", "p95") if k in summary}}


def _same(value: Any) -> Any:
    return value


def _number(value: Any) -> Any:
    if value is None or isinstance(value, int):
        return value
    return float(f"{value:.5g}") if math.isfinite(value) else None


def _milliseconds(value: Any) -> Any:
    return None if value is None else value // 1_000_000


_ENCODERS: Final[dict[str, Callable[[Any], Any]]] = {"number": _number, "time": _milliseconds}


def over_time_in_ms(found: Message) -> Message:
    """Return what a list has over time, with the times of bars and marks in milliseconds."""
    bars = [{**bar, "low": bar["low"] / 1e6, "high": bar["high"] / 1e6} for bar in found["bars"]]
    return {**found, "bars": bars, "marks": [{**mark, "at": mark["at_ns"] / 1e6} for mark in found["marks"]]}


def moment_words(ns: int) -> str:
    """Return a time to the minute, for a reader."""
    return f"{from_ns(ns):%d %b %Y %H:%M} UTC"


def iso(value: str | date | None) -> str | None:
    """Return a time as text."""
    return value if isinstance(value, str) or value is None else value.isoformat()


def encoded(kind: str) -> Callable[[Any], Any]:
    """Return how values of a kind of column go to the page."""
    return _ENCODERS.get(kind, _same)
