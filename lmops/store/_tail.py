"""What the undrained writes change, kept between questions: only what is new since the last one is worked out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.store._overlay import Overlay, named
from lmops.store._segments import INT64_MAX, overlay_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pyarrow as pa

    from lmops.store._snapshot import Snapshot

Row = dict[str, Any]
Tables = dict[str, "pa.Table"]
#: Tables in more pieces than this are put into one: a scan pays for each.
_PIECES: Final = 64


class _Known(NamedTuple):
    """A tail that was worked out."""

    manifest: int
    writes: tuple[int, ...]
    over: Overlay
    tables: Tables
    #: traces that the tail holds or changes
    traces: set[str]


class Tail:
    """The rows of the undrained writes; not for several threads at once."""

    def __init__(self, overlay_of: Callable[[Snapshot, Iterable[Row], Iterable[Row]], Overlay]) -> None:
        self._overlay_of = overlay_of
        self._known: _Known | None = None

    def forget(self) -> None:
        """Drop what is kept."""
        self._known = None

    def read(self, snapshot: Snapshot) -> tuple[Overlay, Tables]:
        """Return what the tail of a snapshot changes, and its rows as Arrow tables."""
        manifest, writes = snapshot.key
        known = self._known
        if known is None or (known.manifest, known.writes) != (manifest, writes):
            grown = None
            if known is not None and known.manifest == manifest and writes[: len(known.writes)] == known.writes:
                grown = self._grown(known, snapshot)
            self._known = known = grown or self._whole(snapshot)
        return known.over, known.tables

    def _whole(self, snapshot: Snapshot) -> _Known:
        spans, logs = _rows(snapshot, snapshot.key[1])
        over = self._overlay_of(snapshot, spans, logs)
        return _Known(*snapshot.key, over, overlay_tables(over, rev=INT64_MAX), _traces(over, spans, logs))

    def _grown(self, known: _Known, snapshot: Snapshot) -> _Known | None:
        """Return what is known and the writes since; None when they concern traces or calls that are known."""
        spans, logs = _rows(snapshot, snapshot.key[1][len(known.writes) :])
        traces, responses = {row["trace_id"] for row in (*spans, *logs)}, {row["response_id"] for row in named(spans)}
        if not (known.traces.isdisjoint(traces) and known.over.responses.isdisjoint(responses)):
            return None
        over = self._overlay_of(snapshot, spans, logs)
        traces = _traces(over, spans, logs)
        if not (known.traces.isdisjoint(traces) and known.over.responses.isdisjoint(over.responses)):
            return None
        known.traces.update(traces)
        tables = {
            name: _joined(known.tables[name], table) for name, table in overlay_tables(over, rev=INT64_MAX).items()
        }
        return _Known(*snapshot.key, _sum(known.over, over), tables, known.traces)


def _rows(snapshot: Snapshot, writes: Sequence[int]) -> tuple[list[Row], list[Row]]:
    """Return the spans and the log events of some writes."""
    found = [snapshot.tail[write] for write in writes]
    return [row for rows in found for row in rows.get("spans", ())], [
        row for rows in found for row in rows.get("logs", ())
    ]


def _traces(over: Overlay, spans: Sequence[Row], logs: Sequence[Row]) -> set[str]:
    return {row["trace_id"] for rows in (spans, logs, over.spans, over.traces) for row in rows}


def _joined(one: pa.Table, other: pa.Table) -> pa.Table:
    import pyarrow as pa

    if not other.num_rows:
        return one
    both = pa.concat_tables([one, other])
    return both.combine_chunks() if both.column(0).num_chunks > _PIECES else both


def _sum(one: Overlay, other: Overlay) -> Overlay:
    return Overlay(
        spans=one.spans + other.spans,
        calls=one.calls | other.calls,
        traces=one.traces + other.traces,
        logs=one.logs + other.logs,
        dead_spans=one.dead_spans + other.dead_spans,
        dead_traces=one.dead_traces + other.dead_traces,
        responses=one.responses | other.responses,
        new_spans=one.new_spans + other.new_spans,
        duplicates=one.duplicates + other.duplicates,
    )
