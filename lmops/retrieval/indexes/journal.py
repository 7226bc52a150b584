"""Vectors that were made and are in no index yet: work that is cut short goes on behind them, and asks nobody again.

A file of rows of one size, each with the hash of what was embedded and a checksum; what a killed process wrote of a row
is cut off.
"""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lmops.retrieval.indexes.vectors import Vectors


class Journal:
    """The vectors of one embedding space that wait for an index.

    Args:
        path: The file, made when it is not there.
        dim: Numbers in a vector.
    """

    def __init__(self, path: Path, dim: int) -> None:
        self._path = path
        self._row = np.dtype([("key", "V16"), ("vector", "<f4", (dim,)), ("checksum", "<u4")])
        self._places: dict[bytes, int] = {}
        if not path.exists():
            path.touch()
        whole = path.stat().st_size // self._row.itemsize
        rows = self._mapped(whole)
        for place, row in enumerate(rows):
            if _checksum(row["key"].tobytes(), row["vector"].tobytes()) != row["checksum"]:
                whole = place
                break
            self._places[row["key"].tobytes()] = place
        os.truncate(path, whole * self._row.itemsize)
        self._count = whole

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    def __len__(self) -> int:
        return len(self._places)

    def append(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        """Keep some vectors; they survive a power cut when this returns.

        Args:
            keys: Of each, 16 bytes.
            vectors: One a row.
        """
        rows = np.zeros(len(keys), self._row)
        rows["key"] = np.frombuffer(b"".join(keys), "V16")
        rows["vector"] = vectors
        rows["checksum"] = [_checksum(key, row.tobytes()) for key, row in zip(keys, rows["vector"], strict=True)]
        with self._path.open("ab") as file:
            file.write(rows.tobytes())
            file.flush()
            os.fsync(file.fileno())
        self._places.update((key, self._count + place) for place, key in enumerate(keys))
        self._count += len(keys)

    def vectors(self, keys: Sequence[bytes]) -> Vectors:
        """Return the vectors of some keys that are in it.

        Args:
            keys: Of each, 16 bytes.
        """
        rows = self._mapped(self._count)
        found: Vectors = np.ascontiguousarray(rows["vector"][[self._places[key] for key in keys]])
        return found

    def _mapped(self, count: int) -> np.ndarray:
        if not count:
            return np.empty(0, self._row)
        return np.memmap(self._path, self._row, mode="r", shape=(count,))


def _checksum(key: bytes, vector: bytes) -> int:
    return zlib.crc32(vector, zlib.crc32(key))
