"""The published rows of one snapshot: what a drain asks of what is stored already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from lmops.errors import raise_if_of_process
from lmops.store._limits import Asking
from lmops.store._overlay import FACT_COLUMNS, MODEL_KINDS_SQL, MOST_SHARED, Overlay
from lmops.store._planner import OPEN, Bounds
from lmops.store._tables import STORED
from lmops.store._verify import refuse_unread

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import duckdb

    from lmops.store._membership import Membership
    from lmops.store._segments import Segment
    from lmops.store._snapshot import Snapshot
    from lmops.store._verify import Verified

Row = dict[str, Any]
Key = tuple[str, str]


class Reading(Protocol):
    """What is needed to read segments: the query engine."""

    members: Membership
    verified: Verified

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a connection of its own."""

    def files(self, snapshot: Snapshot, tbl: str, bounds: Bounds, *, warn: bool = False) -> list[Segment]:
        """Return the readable segments that may hold rows within the bounds."""

    def explained(self, error: Exception) -> Exception:
        """Return an error of DuckDB as one of ours."""

    def set_aside(self, files: Iterable[Segment], *, warn: bool = True) -> bool:
        """Return whether one of these files turned out to be damaged; it is left out from now on."""

    def live(
        self, cursor: duckdb.DuckDBPyConnection, snapshot: Snapshot, tbl: str, files: Sequence[Segment], over: Overlay
    ) -> str:
        """Return "select {} from ..." over the rows of these files that no later revision replaced."""


class StoredRows:
    """The published rows of one snapshot, as :class:`lmops.store._overlay.Stored`."""

    def __init__(self, engine: Reading, snapshot: Snapshot, *, to_write: bool) -> None:
        self._engine = engine
        self._snapshot = snapshot
        self._to_write = to_write
        self._ranges: dict[frozenset[str], tuple[list[str], Bounds]] = {}

    def _files(self, tbl: str, bounds: Bounds) -> list[Segment]:
        """Return the readable segments within the bounds; raise when something is to be written over another one."""
        if self._to_write:
            listed = [one for one in self._snapshot.segments.get(tbl, ()) if one.overlaps(*bounds)]
            refuse_unread(self._engine.verified.broken(listed))
        return self._engine.files(self._snapshot, tbl, bounds)

    def _containing(self, tbl: str, ids: Collection[str]) -> tuple[list[Segment], list[str]]:
        """Return the segments that may hold one of these ids, and the ids that may be in one."""
        import pyarrow as pa

        while True:
            segments = self._files(tbl, OPEN)
            if not ids or not segments:
                return [], []
            try:
                return self._engine.members.containing(segments, ids)
            except (OSError, pa.ArrowException) as error:
                raise_if_of_process(error, "the store")
                if not self._engine.set_aside(segments, warn=False):
                    raise

    def _rows(
        self,
        tbl: str,
        columns: Sequence[str],
        files: Sequence[Segment],
        where: str,
        keys: dict[str, list[str]],
        *,
        few: str = "",
    ) -> list[Row]:
        """Return the live rows of these files that match keys registered as table ``asked``.

        ``few``: only distinct rows, and of each value of this column no more than tell that it is worn out.
        """
        import duckdb
        import pyarrow as pa

        if not files:
            return []
        cursor = self._engine.cursor()
        cursor.register("asked", pa.table({name: pa.array(values, pa.string()) for name, values in keys.items()}))
        shown = ", ".join(f'stored."{name}"' for name in columns)
        source = self._engine.live(cursor, self._snapshot, tbl, files, Overlay())
        joined = f"{source.format(shown)} {'and' if ' where ' in source else 'where'} {where}"
        if few:
            limit = f"row_number() over (partition by {few}) <= {MOST_SHARED + 1}"  # a column of our own
            joined = f"select * from (select distinct * from ({joined})) qualify {limit}"
        try:
            with Asking(cursor):
                rows: list[Row] = cursor.sql(joined).to_arrow_table().to_pylist()
        except duckdb.InterruptException:
            raise
        except duckdb.Error as error:
            # One damaged file must not stop every drain.
            if not self._engine.set_aside(files, warn=False):
                raise self._engine.explained(error) from error
            broken = self._engine.verified.broken(files)
            readable = [segment for segment in files if segment.path not in broken]
            return self._rows(tbl, columns, readable, where, keys, few=few)
        return rows

    def _range(self, trace_ids: Collection[str]) -> tuple[list[str], Bounds]:
        """Return which of these traces are stored and the times their spans lie in."""
        asked = frozenset(trace_ids)
        if asked not in self._ranges:
            self._ranges[asked] = self._read_range(asked)
        return self._ranges[asked]

    def _read_range(self, trace_ids: Collection[str]) -> tuple[list[str], Bounds]:
        files, ids = self._containing("traces", trace_ids)
        found = self._rows(
            "traces",
            ("trace_id", "start_ns", "end_ns"),
            files,
            "stored.trace_id in (select trace_id from asked)",
            {"trace_id": ids},
        )
        if not found:
            return [], OPEN
        bounds = Bounds(min(row["start_ns"] for row in found), max(row["end_ns"] for row in found))
        return [row["trace_id"] for row in found], bounds

    def traces_of(self, trace_ids: Collection[str]) -> list[str]:
        """Return which of these traces have a row."""
        return self._range(trace_ids)[0]

    def spans_of(self, trace_ids: Collection[str]) -> list[Row]:
        """Return ``FACT_COLUMNS`` of every live span of these traces."""
        ids, bounds = self._range(trace_ids)
        files = self._files("spans", bounds) if ids else []
        where = "stored.trace_id in (select trace_id from asked)"
        return self._rows("spans", FACT_COLUMNS, files, where, {"trace_id": ids})

    def whole_spans(self, keys: Collection[Key]) -> list[Row]:
        """Return all columns of these live spans."""
        _, bounds = self._range({key[0] for key in keys})
        files = self._files("spans", bounds) if keys else []
        columns = [name for name, _, _ in STORED["spans"]]
        where = "(stored.trace_id, stored.span_id) in (select (trace_id, span_id) from asked)"
        asked = {"trace_id": [key[0] for key in keys], "span_id": [key[1] for key in keys]}
        return self._rows("spans", columns, files, where, asked)

    def traces_with_responses(self, response_ids: Collection[str]) -> dict[str, set[str]]:
        """Return the traces that have a model span with one of these response ids, by response id; nine of many."""
        files, ids = self._containing("spans", response_ids)
        where = f"stored.response_id in (select response_id from asked) and stored.kind in {MODEL_KINDS_SQL}"
        rows = self._rows("spans", ("trace_id", "response_id"), files, where, {"response_id": ids}, few="response_id")
        found: dict[str, set[str]] = {}
        for row in rows:
            found.setdefault(row["response_id"], set()).add(row["trace_id"])
        return found

    def logs_of(self, trace_ids: Collection[str]) -> list[Row]:
        """Return the stored log events of these traces."""
        files, ids = self._containing("logs", trace_ids)
        columns = [name for name, _, _ in STORED["logs"] if name != "rev"]
        where = "stored.trace_id in (select trace_id from asked)"
        return self._rows("logs", columns, files, where, {"trace_id": ids})
