"""One consistent state of the store: the manifest and the undrained tail, read in one SQLite transaction."""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lmops.store._filesystem import META
from lmops.store._handed import Handed
from lmops.store._intake import checksum
from lmops.store._meta import counter
from lmops.store._segments import any_text, manifest, seal

if TYPE_CHECKING:
    import sqlite3

    from lmops.store._meta import Meta
    from lmops.store._segments import Segment

Row = dict[str, Any]
Rows = dict[str, list[Row]]


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
    tail: dict[int, Rows]
    #: what is damaged in the manifest, and by sequence number the undrained writes that cannot be read
    problems: tuple[str, ...] = ()
    damaged: dict[int, str] = field(default_factory=dict)
    #: what is missing of the undrained writes
    missing: tuple[str, ...] = ()

    @property
    def harm(self) -> tuple[str, ...]:
        """Return all that is wrong, one sentence each."""
        return (*self.problems, *self.missing, *self.damaged.values())

    @property
    def key(self) -> tuple[int, tuple[int, ...]]:
        """Identify the state: equal keys mean equal content."""
        return self.manifest, tuple(self.tail)


class SnapshotReader:
    """Reads snapshots and keeps what has not changed since the last one."""

    def __init__(self, meta: Meta) -> None:
        self._meta = meta
        self.handed = Handed()
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
            return self._without_tail(con)

    def after_fork(self) -> None:
        """Replace the lock, which a thread of the parent may have held; called in the child."""
        self._lock = threading.Lock()
        self.handed.after_fork()

    def read_head(self, rows: int) -> Snapshot:
        """Return the present state with only the oldest part of the tail: the writes that hold about ``rows`` rows.

        For the drain: it must not decode a long backlog to move the start of it.
        """
        with self._lock, self._meta.read() as con:
            state = self._without_tail(con)
            tail: dict[int, Rows] = {}
            damaged: dict[int, str] = {}
            found = 0
            for row in con.execute("select seq, rows, written_ns, payload, checksum from inbox order by seq"):
                seq, count = int(row[0]), row[1]
                content = _content(row, damaged, self.handed)
                self.handed.forget(seq)  # should the drain fail, it is decoded next time
                if content is not None:
                    tail[seq] = content
                    found += count
                if found >= rows:
                    break
        return replace(state, tail=tail, damaged=damaged)

    def _read(self, last: Snapshot | None) -> Snapshot:
        with self._meta.read() as con:
            state = self._without_tail(con)
            waiting = con.execute("select seq, rows from inbox order by seq").fetchall()
            present = [int(row[0]) for row in waiting]
            known = last.tail if last is not None else {}
            damaged = {} if last is None else {seq: last.damaged[seq] for seq in present if seq in last.damaged}
            missing = [seq for seq in present if seq not in known and seq not in damaged]
            lacking = self._lacking(con, waiting, damaged)
            is_same = last is not None and last.manifest == state.manifest and last.missing == lacking and not missing
            if last is not None and is_same and len(present) == len(known) + len(last.damaged):
                return last
            query = "select seq, rows, written_ns, payload, checksum from inbox where seq >= ? order by seq"
            found = con.execute(query, (missing[0],)) if missing else ()
            fresh = {int(row[0]): _content(row, damaged, self.handed) for row in found if int(row[0]) not in known}
        tail = {seq: known.get(seq) or fresh.get(seq) for seq in present}
        whole = {seq: content for seq, content in tail.items() if content is not None}
        return replace(state, tail=whole, damaged=damaged, missing=lacking)

    def _lacking(self, con: sqlite3.Connection, waiting: list[sqlite3.Row], damaged: dict[int, str]) -> tuple[str, ...]:
        """Return what is known to be missing of the undrained writes."""
        known = [self._meta.lost] if self._meta.lost is not None else []
        rows = sum(row[1] for row in waiting if isinstance(row[1], int))
        if not damaged and rows != counter(con, "inbox_rows"):
            known.append(f"{META}: the inbox holds other rows than it should; written ones may be missing")
        # Somebody may have stored or set aside what was left on the disk.
        left = self._meta.unread.items()
        return (*known, *(problem for name, problem in left if (self._meta.folder / name).exists()))

    def _without_tail(self, con: sqlite3.Connection) -> Snapshot:
        """Return the manifest, read again only when it has changed."""
        version = counter(con, "manifest")
        last = self._last
        if last is not None and last.manifest == version:
            return replace(last, tail={}, damaged={}, missing=())
        found, problems = manifest(con)
        segments: dict[str, list[Segment]] = defaultdict(list)
        for segment in found:
            segments[segment.tbl].append(segment)
        dead, more = _dead(con)
        return Snapshot(version, {tbl: tuple(files) for tbl, files in segments.items()}, dead, {}, (*problems, *more))


def _dead(con: sqlite3.Connection) -> tuple[dict[str, Dead], list[str]]:
    """Return the keys of replaced rows by table, and what is wrong with their records."""
    keys: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    bad = 0
    with any_text(con):
        query = "select tbl, trace_id, span_id, before_rev, seal from dead_rows"
        for tbl, trace_id, span_id, rev, sealed in con.execute(query):
            if sealed is None or sealed == seal(tbl, trace_id, span_id, rev):
                keys[tbl].append((trace_id, span_id, rev))
            else:
                bad += 1
    problem = (
        f"{META}: {bad} records of replaced rows have changed since they were written; those rows may be shown beside "
        "the ones that replaced them (lmops store rescue puts it right from the segments)"
    )
    dead = {tbl: Dead(*(tuple(column) for column in zip(*rows, strict=True))) for tbl, rows in keys.items()}
    return dead, [problem] if bad else []


def _content(row: sqlite3.Row, damaged: dict[int, str], handed: Handed) -> Rows | None:
    """Return the rows of one write of the inbox; None, with a word in ``damaged``, when it is not what was written."""
    import orjson

    seq, rows, written_ns, payload, sealed = row
    try:
        # Writes of older stores have no checksum.
        if sealed is None or sealed == checksum(written_ns, rows, payload):
            found = handed.rows(int(seq), sealed) or orjson.loads(payload)
            if isinstance(found, dict):
                return found
    except (orjson.JSONDecodeError, TypeError):
        pass
    damaged[int(seq)] = (
        f"{META}: write {seq} of the inbox has changed since it was made; its {rows} rows cannot be read, the rest can "
        "(ws.store.check(repair=True) sets it aside)"
    )
    return None
