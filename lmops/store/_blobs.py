"""Payloads too large for a row, kept once under the hash of their content."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import time
import uuid
from typing import TYPE_CHECKING, Final

from lmops.base.endings import Undone
from lmops.errors import DamagedStoreError, NotFoundError
from lmops.store._filesystem import fsync_dir, make_durable_dir, make_file, remove_file
from lmops.store._meta import in_words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

#: A blob is written before the row that names it; so long it may wait for that.
UNUSED_S: Final = 86_400.0
#: After so long a system has written a folder to its disk without being asked.
UNSYNCED_S: Final = 60.0
_HASH: Final = re.compile(r"[0-9a-f]{64}")
#: A blob, or one that a killed process did not finish.
_OWN: Final = re.compile(r"[0-9a-f]{64}|[0-9a-f]{32}\.tmp")


class Blobs:
    """Content-addressed files under ``blobs/``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, content: bytes) -> str:
        """Keep some bytes and return their SHA-256; the same content is kept once."""
        name = hashlib.sha256(content).hexdigest()
        target = self._path(name)
        if target.exists():
            with contextlib.suppress(OSError):
                if time.time() - target.stat().st_mtime < UNSYNCED_S:
                    # Whoever renamed it may not have come to this, and ends before they do.
                    make_durable_dir(target.parent, root=self._folder.parent)
                    fsync_dir(target.parent)
                # A blob that is used again is young again, so that it is not swept before its row is committed.
                os.utime(target)
            return name
        with in_words(self._folder):
            make_durable_dir(target.parent, root=self._folder.parent)
            temporary = target.with_name(f"{uuid.uuid4().hex}.tmp")
            make_file(temporary)
            with Undone(functools.partial(remove_file, temporary)):
                with temporary.open("wb") as handle:
                    handle.write(content)
                    handle.flush()
                    os.fsync(handle.fileno())
                temporary.rename(target)
                fsync_dir(target.parent)
        return name

    def get(self, name: str) -> bytes:
        """Return the bytes with this SHA-256.

        Raises:
            NotFoundError: There are none.
            DamagedStoreError: The file no longer has this hash.
        """
        path = self._path(name)
        if not path.is_file():  # a pipe would be waited for
            raise NotFoundError(f"no blob {name}")
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise NotFoundError(f"no blob {name}") from None
        if hashlib.sha256(content).hexdigest() != name:
            raise DamagedStoreError(f"the blob {path} has changed since it was written")
        return content

    def remove(self, name: str, *, untouched_since_ns: int) -> bool:
        """Remove one that no row uses; return False when it is not there or was used since a time."""
        path = self._path(name)
        with contextlib.suppress(OSError):
            if path.stat().st_mtime_ns < untouched_since_ns:
                path.unlink()
                fsync_dir(path.parent)
                return True
        return False

    def exists(self) -> bool:
        """Return whether there is any."""
        return self._folder.is_dir()

    def sweep(self, used: Collection[str]) -> int:
        """Remove those that no row uses and that nobody has touched for a day; return how many."""
        old = time.time() - UNUSED_S
        gone = 0
        for path in self._files():
            with contextlib.suppress(OSError):
                if path.name not in used and path.lstat().st_mtime < old:
                    path.unlink()
                    gone += 1
        return gone

    def _files(self) -> Iterator[Path]:
        """Yield the files that were made here: nothing behind a link, nothing of another name."""
        for folder in self._folder.glob("??") if not self._folder.is_symlink() else ():
            if not folder.is_symlink():
                yield from (path for path in folder.glob("*") if _OWN.fullmatch(path.name))

    def _path(self, name: str) -> Path:
        if not _HASH.fullmatch(name):
            raise NotFoundError(f"{name[:80]!r} is not the SHA-256 of a blob")
        return self._folder / name[:2] / name
