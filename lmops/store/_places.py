"""Where one trace lies: the times of every stored trace by its id, so that a look-up reads nothing of other traces.

``_membership`` says of thousands of ids that they are in no file; this says of one id in which rows it is.
"""

from __future__ import annotations

import binascii
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from lmops.store._segments import Segment

    Numbers = npt.NDArray[np.int64]

#: Rows that one question reads for those after it; as long as files are not known, SQL answers.
LEARN_ROWS: Final = 250_000
_COLUMNS: Final = ("start_ns", "end_ns", "rev")
_DIGITS: Final = 32


class Place(NamedTuple):
    """What a file says of a trace."""

    start_ns: int
    end_ns: int
    rev: int


class _Index(NamedTuple):
    """The traces of one file in the order of their ids, 40 bytes each."""

    #: first and second half of the id
    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]
    values: tuple[Numbers, ...]

    def find(self, high: int, low: int) -> list[Place]:
        import numpy as np

        first, last = (int(np.searchsorted(self.high, np.uint64(high), side)) for side in ("left", "right"))
        rows = [row for row in range(first, last) if int(self.low[row]) == low]
        return [Place(*(int(column[row]) for column in self.values)) for row in rows]


class Places:
    """The times of the traces of each file, read once a process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        #: by path; None for a file whose ids are none, or whose times are missing
        self._known: dict[str, _Index | None] = {}

    def after_fork(self) -> None:
        """Replace the lock, which a thread of the parent may have held; called in the child."""
        self._lock = threading.RLock()

    def forget(self, live: Collection[str] = ()) -> None:
        """Drop what is known of all files but these."""
        with self._lock:
            self._known = {path: found for path, found in self._known.items() if path in live}

    def find(self, segments: Sequence[Segment], trace_id: str) -> list[Place] | None:
        """Return what these files of traces say of one, replaced rows included; None where they are not all known.

        A question makes more of them known, at most about ``LEARN_ROWS`` rows.

        Args:
            segments: Files that were verified.
            trace_id: 32 lower-case hexadecimal digits.

        Raises:
            OSError: A file cannot be read.
            pyarrow.ArrowException: A file is damaged.
        """
        with self._lock:
            room = LEARN_ROWS
            for segment in segments:
                if segment.path not in self._known and room > 0:
                    self._known[segment.path] = self._read(segment)
                    room -= segment.rows
            indexes = [self._known.get(segment.path) for segment in segments]
        whole = [index for index in indexes if index is not None]
        if len(whole) < len(indexes):
            return None
        high, low = int(trace_id[:16], 16), int(trace_id[16:], 16)
        return [place for index in whole for place in index.find(high, low)]

    def _read(self, segment: Segment) -> _Index | None:
        import pyarrow.parquet as pq

        columns = ["trace_id", *_COLUMNS]
        table = pq.read_table(self._folder / segment.path, columns=columns, partitioning=None).combine_chunks()
        return _index(table) if table.num_rows else None


def _index(table: pa.Table) -> _Index | None:
    """Return the index of a table; None where an id is not of 32 lower-case hexadecimal digits, or a value missing."""
    import numpy as np

    if any(table[name].null_count for name in table.column_names):
        return None
    ids: Any = table["trace_id"].to_pylist()
    text = "".join(ids)
    if len(text) != _DIGITS * len(ids) or set(map(len, ids)) != {_DIGITS}:
        return None
    try:
        raw = binascii.unhexlify(text)
    except (binascii.Error, ValueError):
        return None
    if raw.hex() != text:
        return None
    halves = np.frombuffer(raw, ">u8").astype(np.uint64).reshape(-1, 2)
    order = np.argsort(halves[:, 0], kind="stable")
    values = tuple(table[name].to_numpy()[order] for name in _COLUMNS)
    return _Index(np.ascontiguousarray(halves[order, 0]), np.ascontiguousarray(halves[order, 1]), values)
