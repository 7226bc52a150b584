"""Which file holds which ids: asked with every write, for thousands of ids that mostly are in none."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from lmops.calc.rollup import MODEL_KINDS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from lmops.store._overlay import Overlay
    from lmops.store._segments import Segment, Written

    Hashes = npt.NDArray[np.int64]

#: The columns that ids are looked for in, by table.
COLUMNS: Final = {"traces": "trace_id", "spans": "response_id", "logs": "trace_id"}


class Membership:
    """Sorted 64-bit hashes of the ids in each file: read once a process, 8 bytes an id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._hashes: dict[str, Hashes] = {}

    def __len__(self) -> int:
        """Return how many files are remembered."""
        return len(self._hashes)

    def after_fork(self) -> None:
        """Replace the lock, which a thread of the parent may have held; called in the child."""
        self._lock = threading.RLock()

    def forget(self, live: Collection[str] = ()) -> None:
        """Drop what is remembered of all files but these."""
        with self._lock:
            self._hashes = {path: found for path, found in self._hashes.items() if path in live}

    def learn(self, written: Iterable[Written], over: Overlay) -> None:
        """Remember the ids of files that were written with the rows of an overlay: they need not be read for it."""
        for file in written:
            rows = {"traces": over.traces, "logs": over.logs}.get(file.tbl)
            ids = over.responses if rows is None else {row[COLUMNS[file.tbl]] for row in rows}
            with self._lock:
                self._hashes[file.path] = _hashes(ids)

    def containing(self, segments: Sequence[Segment], ids: Collection[str]) -> tuple[list[Segment], list[str]]:
        """Return which of these segments of one table may hold one of these ids, and the ids that may be in one.

        Raises:
            OSError: A file cannot be read.
            pyarrow.ArrowException: A file is damaged.
        """
        import numpy as np

        names = list(ids)
        asked = np.fromiter(map(hash, names), np.int64, len(names))
        hits = np.zeros(len(names), dtype=bool)
        found = []
        for segment in segments:
            index = self._of(segment)
            if len(index):
                here = index[np.minimum(np.searchsorted(index, asked), len(index) - 1)] == asked
                if here.any():
                    found.append(segment)
                    hits |= here
        return found, [names[place] for place in np.flatnonzero(hits)]

    def _of(self, segment: Segment) -> Hashes:
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        with self._lock:
            if segment.path not in self._hashes:
                column = COLUMNS[segment.tbl]
                kinds = ["kind"] if segment.tbl == "spans" else []
                table = pq.read_table(self._folder / segment.path, columns=[column, *kinds], partitioning=None)
                for kind in kinds:
                    table = table.filter(pc.is_in(table[kind], value_set=pa.array(sorted(MODEL_KINDS), pa.string())))
                self._hashes[segment.path] = _hashes(set(table[column].drop_null().to_numpy()))
            return self._hashes[segment.path]


def _hashes(ids: Collection[str]) -> Hashes:
    import numpy as np

    # The salt of Python's hash is the process's own, as these are, and most ids have theirs worked out already.
    return np.sort(np.fromiter(map(hash, ids), np.int64, len(ids)))
