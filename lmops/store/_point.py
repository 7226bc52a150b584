"""One trace, read from the rows it lies in: what a question of SQL would answer, without a question.

It answers only what it can answer exactly: where anything of the store is damaged, missing or in files of older
versions, and where an id is unknown, it says that it does not know, and SQL answers, with all that it says of damage.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from lmops.store._groups import Groups
from lmops.store._places import Places
from lmops.store._planner import OPEN, Bounds
from lmops.store._tables import SCHEMA_VERSION
from lmops.store._views import FACT_VIEWS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

    from lmops.store._overlay import Overlay
    from lmops.store._segments import Segment
    from lmops.store._snapshot import Snapshot
    from lmops.store._verify import Verified

Row = dict[str, Any]
#: The revisions before which rows of a trace are replaced, each with the span that it is about.
Replaced = list[tuple[str, int]]
_SHOWN: Final = [name for name, _, _ in FACT_VIEWS["spans"]]


class Reading(Protocol):
    """What is needed of the query engine."""

    verified: Verified

    def snapshot(self) -> Snapshot:
        """Return the present state of the store."""

    def tail(self, snapshot: Snapshot) -> tuple[Overlay, dict[str, pa.Table]]:
        """Return what the undrained writes of a snapshot change, and their rows as Arrow tables."""


class _State(NamedTuple):
    """One moment of the store."""

    snapshot: Snapshot
    over: Overlay
    tail: dict[str, pa.Table]

    def replaced(self, tbl: str, trace_id: str, dead: dict[str, Replaced]) -> Replaced:
        """Return what is replaced of a trace; the rows of the tail replace any stored one."""
        last = 2**63 - 1
        if tbl == "traces":
            return [*dead.get(trace_id, ()), *(("", last) for one in self.over.dead_traces if one == trace_id)]
        return [*dead.get(trace_id, ()), *((key[1], last) for key in self.over.dead_spans if key[0] == trace_id)]


class Points:
    """Reads single traces of one store."""

    def __init__(self, folder: Path, engine: Reading) -> None:
        self._engine = engine
        self._places = Places(folder)
        self._groups = Groups(folder)
        self._lock = threading.RLock()
        #: the manifest that the following holds for, and the replaced rows by table and trace
        self._manifest = -1
        self._dead: dict[str, dict[str, Replaced]] = {}

    def after_fork(self) -> None:
        """Replace the locks, which threads of the parent may have held; called in the child."""
        self._lock = threading.RLock()
        self._places.after_fork()
        self._groups.after_fork()

    def forget(self) -> None:
        """Drop what is kept."""
        with self._lock:
            self._manifest = -1
            self._places.forget()
            self._groups.forget()

    def spans_of(self, trace_id: str, bounds: Bounds | None) -> tuple[Bounds | None, list[Row] | None]:
        """Return the times of a trace and the rows of its spans, in the order of time; None for what SQL has to say.

        Args:
            trace_id: 32 lower-case hexadecimal digits.
            bounds: The times of its row, where they are known.
        """
        import pyarrow as pa

        snapshot = self._engine.snapshot()
        if snapshot.harm:
            return bounds, None
        state = _State(snapshot, *self._engine.tail(snapshot))
        self._follow(snapshot)
        try:
            bounds = bounds or self._bounds(state, trace_id)
            return bounds, self._rows(state, trace_id, bounds) if bounds else None
        except (OSError, pa.ArrowException):
            return bounds, None  # files that were merged meanwhile or are damaged: SQL finds out, and says it

    def _follow(self, snapshot: Snapshot) -> None:
        """Drop what is known of files that are no longer listed."""
        with self._lock:
            if self._manifest == snapshot.manifest:
                return
            live = {segment.path for files in snapshot.segments.values() for segment in files}
            self._places.forget(live)
            self._groups.forget(live)
            self._dead = {}
            for tbl, dead in snapshot.dead.items():
                found: dict[str, Replaced] = {}
                for trace_id, span_id, rev in zip(dead.trace_ids, dead.span_ids, dead.before_revs, strict=True):
                    found.setdefault(trace_id, []).append((span_id, rev))
                self._dead[tbl] = found
            self._manifest = snapshot.manifest

    def _files(self, snapshot: Snapshot, tbl: str, bounds: Bounds) -> list[Segment] | None:
        """Return the files of these times; None when one is damaged or of an older version."""
        files = [segment for segment in snapshot.segments.get(tbl, ()) if segment.overlaps(*bounds)]
        is_old = any(segment.schema_version != SCHEMA_VERSION for segment in files)
        return None if is_old or self._engine.verified.broken(files) else files

    def _bounds(self, state: _State, trace_id: str) -> Bounds | None:
        """Return the times of the one row of a trace."""
        files = self._files(state.snapshot, "traces", OPEN)
        places = None if files is None else self._places.find(files, trace_id)
        if places is None:
            return None
        replaced = state.replaced("traces", trace_id, self._dead.get("traces", {}))
        found = [Bounds(one.start_ns, one.end_ns) for one in places if all(one.rev >= rev for _, rev in replaced)]
        fresh = _of(state.tail["traces"], trace_id)
        found += map(Bounds, fresh["start_ns"].to_pylist(), fresh["end_ns"].to_pylist())
        return found[0] if len(found) == 1 and None not in found[0] else None

    def _rows(self, state: _State, trace_id: str, bounds: Bounds) -> list[Row] | None:
        """Return the live rows of a trace between the times of its row."""
        import pyarrow as pa

        files = self._files(state.snapshot, "spans", bounds)
        since, until = bounds
        assert since is not None
        assert until is not None
        tables = None if files is None else self._groups.between(files, since, until)
        if tables is None:
            return None
        replaced = state.replaced("spans", trace_id, self._dead.get("spans", {}))
        parts = [_live(_of(table, trace_id), replaced) for table in tables]
        parts.append(_of(state.tail["spans"], trace_id))
        rows: list[Row] = pa.concat_tables([part.select(_SHOWN) for part in parts]).to_pylist()
        inside = [row for row in rows if row["start_ns"] is not None and since <= row["start_ns"] <= until]
        return sorted(inside, key=lambda row: (row["start_ns"], row["span_id"]))


def _of(table: pa.Table, trace_id: str) -> pa.Table:
    """Return the rows of one trace."""
    import pyarrow as pa
    import pyarrow.compute as pc

    # Most often they lie together: a slice of them copies nothing.
    at = pc.indices_nonzero(pc.equal(table["trace_id"], pa.scalar(trace_id))).to_numpy()
    if not len(at):
        return table.slice(0, 0)
    return table.slice(int(at[0]), len(at)) if at[-1] - at[0] == len(at) - 1 else table.take(at)


def _live(rows: pa.Table, replaced: Sequence[tuple[str, int]]) -> pa.Table:
    """Return the rows that no later revision replaced."""
    if not replaced:
        return rows
    keys: Any = rows.select(["span_id", "rev"]).to_pylist()
    dead = [any(key["span_id"] == one and key["rev"] < before for one, before in replaced) for key in keys]
    return rows.filter([not one for one in dead])
