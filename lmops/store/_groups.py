"""Row groups of spans that were asked for twice in a row, decoded: the next trace beside one costs a copy of its rows.

They are kept up to ``KEPT_BYTES``; those asked for last stay. Others are left to DuckDB, which decodes less of them:
who asks for traces from all over a large store would have one decoded for every answer.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import pyarrow as pa

    from lmops.store._segments import Segment

#: Memory that decoded row groups may take.
KEPT_BYTES: Final = 24_000_000
#: Row groups that are remembered as asked for: those of the last few questions.
_ASKED: Final = 8


class _Group(NamedTuple):
    """Where the rows of a row group lie in time; None is unknown."""

    number: int
    min_ns: int | None
    max_ns: int | None

    def overlaps(self, since_ns: int, until_ns: int) -> bool:
        return self.min_ns is None or self.max_ns is None or (self.max_ns >= since_ns and self.min_ns <= until_ns)


class Groups:
    """The decoded row groups of one store in this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._files: dict[str, list[_Group]] = {}
        self._asked: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._kept: OrderedDict[tuple[str, int], pa.Table] = OrderedDict()
        self._bytes = 0

    def after_fork(self) -> None:
        """Replace the lock, which a thread of the parent may have held; called in the child."""
        self._lock = threading.RLock()

    def forget(self, live: Collection[str] = ()) -> None:
        """Drop what is known of all files but these."""
        with self._lock:
            self._files = {path: found for path, found in self._files.items() if path in live}
            self._asked = OrderedDict((key, None) for key in self._asked if key[0] in live)
            self._kept = OrderedDict((key, table) for key, table in self._kept.items() if key[0] in live)
            self._bytes = sum(table.nbytes for table in self._kept.values())

    def between(self, segments: Collection[Segment], since_ns: int, until_ns: int) -> list[pa.Table] | None:
        """Return the row groups of verified files that may hold rows of a time; None when one is asked for anew.

        Raises:
            OSError: A file cannot be read.
            pyarrow.ArrowException: A file is damaged.
        """
        with self._lock:
            keys = [
                (segment.path, group.number)
                for segment in segments
                for group in self._of(segment)
                if group.overlaps(since_ns, until_ns)
            ]
            is_fresh = any(key not in self._asked and key not in self._kept for key in keys)
            for key in keys:
                self._asked[key] = None
                self._asked.move_to_end(key)
            while len(self._asked) > _ASKED:
                self._asked.popitem(last=False)
            return None if is_fresh else list(map(self._decoded, keys))

    def _of(self, segment: Segment) -> list[_Group]:
        import pyarrow.parquet as pq

        if segment.path not in self._files:
            footer = pq.read_metadata(self._folder / segment.path)
            at = footer.schema.names.index("start_ns")
            said = [footer.row_group(number).column(at).statistics for number in range(footer.num_row_groups)]
            self._files[segment.path] = [
                _Group(number, one.min, one.max) if one is not None and one.has_min_max else _Group(number, None, None)
                for number, one in enumerate(said)
            ]
        return self._files[segment.path]

    def _decoded(self, key: tuple[str, int]) -> pa.Table:
        import pyarrow.parquet as pq

        table = self._kept.pop(key, None)
        if table is None:
            with pq.ParquetFile(self._folder / key[0]) as file:
                table = file.read_row_group(key[1])
            self._bytes += table.nbytes
        self._kept[key] = table
        while self._bytes > KEPT_BYTES and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return table
