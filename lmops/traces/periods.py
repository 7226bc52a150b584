"""A range of traces over time: what happened when, beside the range before it, and where prompts changed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from lmops.store import Bounds
from lmops.times import to_ns
from lmops.traces.rows import Found, time_edges

if TYPE_CHECKING:
    import numpy as np

    from lmops.store import Store

#: bars at most, and marks
_BARS: Final = 60
_MARKS: Final = 40
_FIGURES: Final = (
    "count(*) as traces, count(*) filter (status = 'error') as errors, quantile_cont(latency_ms, 0.5) as p50_ms, "
    "quantile_cont(latency_ms, 0.95) as p95_ms, sum(cost_usd) as cost_usd, "
    "sum(unpriced_calls)::BIGINT as unpriced_calls"
)


class Kept(Protocol):
    """What is asked of a list of traces."""

    def figures(self, figures: str) -> dict[str, Any]:
        """Return figures over all rows, given as the columns of a SELECT."""

    def starts(self) -> dict[str, np.ndarray]:
        """Return when each trace started, ``x`` in nanoseconds, and whether it ``failed``."""

    def first_seen(self) -> list[tuple[str, int]]:
        """Return (name@version, start of its first trace) of prompts."""


class Mark(NamedTuple):
    """Where a prompt changed: an alias was moved, or a version came into the traffic."""

    at_ns: int
    #: what stands at it, and what it means
    label: str
    words: str


def before(bounds: Bounds, newest_ns: int | None, *, is_archive: bool) -> Bounds | None:
    """Return the range of the same length that ends where this one begins; None for a range without a start.

    Args:
        bounds: The range.
        newest_ns: Start of the newest trace.
        is_archive: The range counts back from that one.
    """
    if bounds.since_ns is None:
        return None
    now = newest_ns if is_archive and newest_ns is not None else time.time_ns()
    until = bounds.until_ns if bounds.until_ns is not None else now
    return Bounds(2 * bounds.since_ns - until, bounds.since_ns) if until > bounds.since_ns else None


def over_time(
    store: Store, listing: Kept, where: str | None, bounds: Bounds, newest_ns: int | None, *, is_archive: bool
) -> dict[str, Any]:
    """Return the bars of a list, its figures, those of the range before it, and the marks in it.

    Args:
        store: Where the traces are.
        listing: What is shown.
        where: Its search.
        bounds: Its range.
        newest_ns: Start of the newest trace.
        is_archive: The range counts back from that one.

    Returns:
        bars (low and high in nanoseconds, count, errors), now and before (traces, errors, p50_ms, p95_ms, cost_usd,
        unpriced_calls; before is None where the range has no start), error_change (the limits of the difference of
        the two rates of errors, None where one has no trace), marks.
    """
    earlier = before(bounds, newest_ns, is_archive=is_archive)
    now = listing.figures(_FIGURES)
    then = None if earlier is None else _figures(store, where, earlier)
    bars = _bars(listing, bounds)
    ends = (bars[0]["low"], bars[-1]["high"]) if bars else (0, 0)
    marks = sorted([*_moves(store, *ends), *_versions(listing)])
    return {
        "bars": bars,
        "now": now,
        "before": then,
        "error_change": _change(now, then),
        "marks": [mark._asdict() for mark in marks[-_MARKS:]],
    }


def _figures(store: Store, where: str | None, bounds: Bounds) -> dict[str, Any]:
    found = Found(store, where, bounds)
    rows = store.sql(f"select {_FIGURES} from {found.source} where {found.condition}", bounds=found.bounds)
    return dict(rows.to_arrow_table().to_pylist()[0])


def _change(now: dict[str, Any], then: dict[str, Any] | None) -> list[float] | None:
    from lmops.calc.unpaired import newcombe

    if then is None or not now["traces"] or not then["traces"]:
        return None
    low, high = newcombe(now["errors"], now["traces"], then["errors"], then["traces"])
    return [float(low), float(high)]


def _bars(listing: Kept, bounds: Bounds) -> list[dict[str, Any]]:
    """Return the bars from the start of the range, or the first trace, to the last trace or the end of the range."""
    import numpy as np

    found = listing.starts()
    x, failed = found["x"], np.ma.filled(found["failed"], False).astype(bool)
    if not len(x):
        return []
    low = int(x.min()) if bounds.since_ns is None else bounds.since_ns
    high = int(x.max()) if bounds.until_ns is None else max(int(x.max()), bounds.until_ns - 1)
    edges = time_edges(low, high, _BARS)
    place = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, len(edges) - 2)
    counts = np.bincount(place, minlength=len(edges) - 1).tolist()
    errors = np.bincount(place[failed], minlength=len(edges) - 1).tolist()
    return [
        {"low": edges[i], "high": edges[i + 1], "count": counts[i], "errors": errors[i]} for i in range(len(edges) - 1)
    ]


def _moves(store: Store, low_ns: int, high_ns: int) -> list[Mark]:
    """Return the moves of aliases of prompts in a time range."""
    query = f'select "at", name, alias, to_version from prompt_history order by event_id desc limit {_MARKS}'
    rows = store.sql(query).fetchall()
    found = [
        Mark(to_ns(at), f"{name}@{alias} → {version}", f"{name}@{alias} became {version}")
        for at, name, alias, version in rows
    ]
    return [mark for mark in found if low_ns <= mark.at_ns < high_ns]


def _versions(listing: Kept) -> list[Mark]:
    """Return where another version of a prompt came into the traffic; the first one of each is none."""
    seen = listing.first_seen()
    first = {name: min(at for other, at in seen if _name(other) == name) for name in {_name(ref) for ref, _ in seen}}
    return [Mark(at, ref, f"{ref} first seen") for ref, at in seen if at > first[_name(ref)]]


def _name(ref: str) -> str:
    return ref.rpartition("@")[0] or ref
