"""A database in a folder that this process cannot write: all of it is read, or none.

SQLite keeps an index of its write-ahead log in a file beside it. Where it cannot make that file it would read the
database without the log, and so without the newest writes. So what the log still holds is read from a copy.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from lmops.errors import StoreError
from lmops.store._filesystem import remove_folder

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable


#: What belongs to a database, by the endings of the names.
_PARTS: Final = ("", "-wal", "-journal")
#: File times move in steps of some milliseconds: a file that is older than this would show that it was written.
_QUIET_S: Final = 0.05
_ATTEMPTS: Final = 20

State = tuple[tuple[int, int, int] | None, ...]


class Opened(NamedTuple):
    """A connection to a database at rest, and the state of its files that it shows."""

    con: sqlite3.Connection
    state: State
    #: it reads the very files, so that whoever writes them spoils what is read
    is_in_place: bool


class AtRest:
    """Opens one database whose folder cannot be written."""

    def __init__(self, path: Path, connect: Callable[[str], sqlite3.Connection]) -> None:
        self._path = path
        self._connect = connect
        self._lock = threading.Lock()
        self._copied: tuple[State, Path] | None = None
        self._remove: weakref.finalize[..., AtRest] | None = None

    def state(self) -> State:
        """Return what changes whenever somebody writes the database."""
        return tuple(map(_stat, self._parts(self._path)))

    def open(self) -> Opened:
        """Return a connection to all that is written.

        Raises:
            StoreError: Somebody writes all the time, so that no whole copy can be had.
        """
        with self._lock:
            for _ in range(_ATTEMPTS):
                state = self._quiet()
                if not any(part is not None and part[0] for part in state[1:]):
                    return Opened(self._connect(f"file:{quoted(self._path)}?mode=ro&immutable=1"), state, True)
                if self._copied is None or self._copied[0] != state:
                    copy = self._copy()
                    if self.state() != state:
                        continue
                    self._copied = (state, copy)
                con = self._connect(f"file:{quoted(self._copied[1] / self._path.name)}")
                con.execute("pragma query_only=on")
                return Opened(con, state, False)
        raise StoreError(
            f"the store {self._path.parent} cannot be written by this user, and somebody else writes it all the time: "
            "no whole state of it can be read; try again, or open it as its owner"
        )

    def _quiet(self) -> State:
        """Return the state once nothing was written for a moment, so that a later write shows."""
        for _ in range(_ATTEMPTS):
            state = self.state()
            newest = max((part[1] for part in state if part is not None), default=0)
            if 0 <= time.time_ns() - newest < _QUIET_S * 1e9:
                time.sleep(_QUIET_S)
            else:
                break
        return state

    def _copy(self) -> Path:
        self.close()
        folder = Path(tempfile.mkdtemp(prefix="lmops-read-"))
        self._remove = weakref.finalize(self, remove_folder, folder, os.getpid())
        for source, target in zip(self._parts(self._path), self._parts(folder / self._path.name), strict=True):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(source, target)
        return folder

    @staticmethod
    def _parts(path: Path) -> list[Path]:
        return [path.with_name(path.name + ending) for ending in _PARTS]

    def close(self) -> None:
        """Remove the copy; a connection that reads it goes on."""
        if self._remove is not None:
            self._remove()
        self._copied = self._remove = None


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def quoted(path: Path) -> str:
    """Return a path for a ``file:`` URI."""
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
