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


#: Bits of a sieve for each id: one id in sixteen that is in no file gets through it.
_BITS_PER_ID: Final = 16


class _Sieve:
    """Bits by hash over all files of a table: most ids are in none, and need not be looked for in each."""

    def __init__(self, hashes: Sequence[Hashes]) -> None:
        """Set the bits of these hashes, with room for as many again."""
        import numpy as np

        self._count = 0
        self._room = max(2 * sum(map(len, hashes)), 1 << 16)
        self._mask = (1 << (self._room * _BITS_PER_ID - 1).bit_length()) - 1
        self._bits = np.zeros((self._mask + 1) // 8, np.uint8)
        for found in hashes:
            self.add(found)

    @property
    def is_full(self) -> bool:
        """Return whether too much gets through."""
        return self._count > self._room

    def add(self, hashes: Hashes) -> None:
        """Set the bits of more hashes."""
        import numpy as np

        places = hashes & self._mask
        np.bitwise_or.at(self._bits, places >> 3, (1 << (places & 7)).astype(np.uint8))
        self._count += len(hashes)

    def may_hold(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Return which of these hashes may be in a file."""
        places = hashes & self._mask
        held: npt.NDArray[np.bool_] = (self._bits[places >> 3] >> (places & 7)) & 1 == 1
        return held


class Membership:
    """Sorted 64-bit hashes of the ids in each file: read once a process, 10 bytes an id."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._hashes: dict[str, dict[str, Hashes]] = {tbl: {} for tbl in COLUMNS}
        self._sieves: dict[str, _Sieve] = {}

    def __len__(self) -> int:
        """Return how many files are remembered."""
        return sum(map(len, self._hashes.values()))

    def after_fork(self) -> None:
        """Replace the lock, which a thread of the parent may have held; called in the child."""
        self._lock = threading.RLock()

    def forget(self, live: Collection[str] = ()) -> None:
        """Drop what is remembered of all files but these."""
        with self._lock:
            for tbl, files in self._hashes.items():
                self._hashes[tbl] = {path: found for path, found in files.items() if path in live}
            self._sieves = {}

    def learn(self, written: Iterable[Written], over: Overlay) -> None:
        """Remember the ids of files that were written with the rows of an overlay: they need not be read for it."""
        for file in written:
            rows = {"traces": over.traces, "logs": over.logs}.get(file.tbl)
            ids = over.responses if rows is None else {row[COLUMNS[file.tbl]] for row in rows}
            self._remember(file.tbl, file.path, _hashes(ids))

    def containing(self, segments: Sequence[Segment], ids: Collection[str]) -> tuple[list[Segment], list[str]]:
        """Return which of these segments of one table may hold one of these ids, and the ids that may be in one.

        Raises:
            OSError: A file cannot be read.
            pyarrow.ArrowException: A file is damaged.
        """
        import numpy as np

        if not segments:
            return [], []
        names = list(ids)
        asked = np.fromiter(map(hash, names), np.int64, len(names))
        with self._lock:
            indexes = [self._of(segment) for segment in segments]
            maybe = np.flatnonzero(self._sieve(segments[0].tbl).may_hold(asked))
        asked = asked[maybe]
        hits = np.zeros(len(asked), dtype=bool)
        found = []
        for segment, index in zip(segments, indexes, strict=True) if len(asked) else ():
            if len(index):
                here = index[np.minimum(np.searchsorted(index, asked), len(index) - 1)] == asked
                if here.any():
                    found.append(segment)
                    hits |= here
        return found, [names[place] for place in maybe[hits]]

    def _sieve(self, tbl: str) -> _Sieve:
        if tbl not in self._sieves or self._sieves[tbl].is_full:
            self._sieves[tbl] = _Sieve(list(self._hashes[tbl].values()))
        return self._sieves[tbl]

    def _remember(self, tbl: str, path: str, hashes: Hashes) -> Hashes:
        with self._lock:
            self._hashes[tbl][path] = hashes
            if tbl in self._sieves:
                self._sieves[tbl].add(hashes)
        return hashes

    def _of(self, segment: Segment) -> Hashes:
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        known = self._hashes[segment.tbl].get(segment.path)
        if known is not None:
            return known
        column = COLUMNS[segment.tbl]
        kinds = ["kind"] if segment.tbl == "spans" else []
        table = pq.read_table(self._folder / segment.path, columns=[column, *kinds], partitioning=None)
        for kind in kinds:
            table = table.filter(pc.is_in(table[kind], value_set=pa.array(sorted(MODEL_KINDS), pa.string())))
        return self._remember(segment.tbl, segment.path, _hashes(set(table[column].drop_null().to_numpy())))


def _hashes(ids: Collection[str]) -> Hashes:
    import numpy as np

    # The salt of Python's hash is the process's own, as these are, and most ids have theirs worked out already.
    return np.sort(np.fromiter(map(hash, ids), np.int64, len(ids)))
