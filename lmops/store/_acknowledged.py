"""How many writes were acknowledged, in a file beside ``meta.sqlite``: a database that has fewer has lost some.

SQLite drops the end of its log when a checksum in it does not hold, or when the end is missing, and says nothing. The
count of commits is in the database (in the same transaction) and here (after it), so that the loss shows. One small
write, not synced: after a power cut the count may be old, and is never ahead of what was acknowledged.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from typing import TYPE_CHECKING, Final

from lmops.store._filesystem import NO_LINKS, make_file

if TYPE_CHECKING:
    from pathlib import Path

ACKNOWLEDGED: Final = "acknowledged"
#: the count, the store's id, and their CRC-32
_BODY: Final = struct.Struct("<Q32s")
_CRC: Final = struct.Struct("<I")


class Acknowledged:
    """The count of one store."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / ACKNOWLEDGED
        self._handle: int | None = None

    def write(self, store_id: str, commits: int) -> None:
        """Note that so many commits were made; a failure costs the note only."""
        body = _BODY.pack(commits, store_id.encode("ascii", "replace"))
        line = body + _CRC.pack(zlib.crc32(body))
        with contextlib.suppress(OSError):
            if self._handle is None:
                make_file(self._path)
                self._handle = os.open(self._path, os.O_WRONLY | getattr(os, "O_BINARY", 0) | NO_LINKS)
            if hasattr(os, "pwrite"):
                os.pwrite(self._handle, line, 0)
            else:
                os.lseek(self._handle, 0, os.SEEK_SET)
                os.write(self._handle, line)

    def read(self, store_id: str) -> int:
        """Return how many commits were acknowledged; 0 when it is not known."""
        with contextlib.suppress(OSError, struct.error):
            content = self._path.read_bytes()
            body, crc = content[: _BODY.size], content[_BODY.size :]
            if _CRC.unpack(crc)[0] == zlib.crc32(body):
                commits, owner = _BODY.unpack(body)
                return int(commits) if owner.rstrip(b"\0") == store_id.encode("ascii", "replace") else 0
        return 0

    def close(self) -> None:
        """Close the file."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                os.close(self._handle)
            self._handle = None
