"""One consistent state of the store: the manifest and the undrained tail, read in one SQLite transaction."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmops.store._segments import Segment

if TYPE_CHECKING:
    from lmops.store._meta import Meta

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dead:
    """Keys of stored rows that later revisions replaced."""

    trace_ids: tuple[str, ...]
    span_ids: tuple[str, ...]
    before_revs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the store held at one moment."""

    manifest: int
    segments: dict[str, tuple[Segment, ...]]
    dead: dict[str, Dead]
    #: undrained writes by sequence number: rows by table
    tail: dict[int, dict[str, list[Row]]]

    @property
    def key(self) -> tuple[int, tuple[int, ...]]:
        """Identify the state: equal keys mean equal content."""
        return self.manifest, tuple(self.tail)


class SnapshotReader:
    """Reads snapshots and keeps what has not changed since the last one."""

    def __init__(self, meta: Meta) -> None:
        self._meta = meta
        self._lock = threading.Lock()
        self._last: Snapshot | None = None

    def read(self) -> Snapshot:
        """Return the present state."""
        with self._lock:
            self._last = self._read(self._last)
            return self._last

    def read_manifest(self) -> Snapshot:
        """Return the present state without its tail: for housekeeping, which looks at segments only."""
        with self._lock, self._meta.read() as con:
            manifest = _manifest_version(con)
            if self._last is not None and self._last.manifest == manifest:
                return Snapshot(manifest, self._last.segments, self._last.dead, {})
            segments, dead = self._manifest(con)
            return Snapshot(manifest, segments, dead, {})

    def after_fork(self) -> None:
        """Replace the lock, which a thread of the parent may have held; called in the child."""
        self._lock = threading.Lock()

    def read_head(self, rows: int) -> Snapshot:
        """Return the present state with only the oldest part of the tail: the writes that hold about ``rows`` rows.

        For the drain: it must not decode a long backlog to move the start of it.
        """
        import orjson

        with self._lock, self._meta.read() as con:
            manifest = _manifest_version(con)
            last = self._last
            if last is not None and last.manifest == manifest:
                segments, dead = last.segments, last.dead
            else:
                segments, dead = self._manifest(con)
            tail: dict[int, dict[str, list[Row]]] = {}
            found = 0
            for seq, count, payload in con.execute("select seq, rows, payload from inbox order by seq"):
                tail[int(seq)] = orjson.loads(payload)
                found += count
                if found >= rows:
                    break
        return Snapshot(manifest, segments, dead, tail)

    def _read(self, last: Snapshot | None) -> Snapshot:
        import orjson

        with self._meta.read() as con:
            manifest = _manifest_version(con)
            present = [int(row[0]) for row in con.execute("select seq from inbox order by seq")]
            known = last.tail if last is not None else {}
            missing = [seq for seq in present if seq not in known]
            payloads: dict[int, bytes] = {}
            if missing:
                found = con.execute("select seq, payload from inbox where seq >= ? order by seq", (missing[0],))
                payloads = {int(seq): payload for seq, payload in found}
            if last is not None and last.manifest == manifest:
                segments, dead = last.segments, last.dead
                if not missing and len(present) == len(known):
                    return last
            else:
                segments, dead = self._manifest(con)
        tail = {seq: known[seq] if seq in known else orjson.loads(payloads[seq]) for seq in present}
        return Snapshot(manifest, segments, dead, tail)

    @staticmethod
    def _manifest(con: Any) -> tuple[dict[str, tuple[Segment, ...]], dict[str, Dead]]:  # connection
        segments: dict[str, list[Segment]] = defaultdict(list)
        for row in con.execute("select * from segments order by max_ns desc"):
            segments[row["tbl"]].append(Segment.from_row(row))
        keys: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
        for tbl, trace_id, span_id, rev in con.execute("select tbl, trace_id, span_id, before_rev from dead_rows"):
            keys[tbl].append((trace_id, span_id, rev))
        dead = {tbl: Dead(*(tuple(column) for column in zip(*rows, strict=True))) for tbl, rows in keys.items()}
        return {tbl: tuple(found) for tbl, found in segments.items()}, dead


def _manifest_version(con: Any) -> int:
    return int(con.execute("select value from counters where name = 'manifest'").fetchone()[0])
