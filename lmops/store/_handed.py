"""Rows that this process put into the inbox itself: nobody decodes again what is at hand."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Row = dict[str, Any]
Rows = dict[str, list[Row]]

#: What is kept at most, as bytes of what the inbox holds: a few drains' worth.
MOST_BYTES: Final = 16_000_000


class _Write(NamedTuple):
    """One write of the inbox."""

    checksum: int
    size: int
    rows: Rows


class Handed:
    """The newest writes of this process, by their number; any thread may ask.

    A write is what it was only as long as the checksum says so that the inbox has for it.
    """

    def __init__(self) -> None:
        self.after_fork()

    def after_fork(self) -> None:
        """Start empty: a thread of the parent may have held the lock."""
        self._lock = threading.Lock()
        self._writes: dict[int, _Write] = {}
        self._bytes = 0

    def keep(self, seq: int, checksum: int, size: int, rows: Mapping[str, Sequence[Row]]) -> None:
        """Keep copies of the rows of a write, which took so many bytes; the oldest ones make room."""
        if size > MOST_BYTES:
            return
        write = _Write(checksum, size, {tbl: [row.copy() for row in found] for tbl, found in rows.items()})
        with self._lock:
            self._drop(seq)
            self._writes[seq] = write
            self._bytes += size
            while self._bytes > MOST_BYTES:
                self._drop(next(iter(self._writes)))

    def rows(self, seq: int, checksum: int | None) -> Rows | None:
        """Return the rows of a write, not to be changed; None when they are not at hand."""
        write = self._writes.get(seq)
        return write.rows if write is not None and write.checksum == checksum else None

    def forget(self, seq: int) -> None:
        """Drop a write that was drained."""
        with self._lock:
            self._drop(seq)

    def _drop(self, seq: int) -> None:
        write = self._writes.pop(seq, None)
        if write is not None:
            self._bytes -= write.size
