"""``spill/``: what does not fit into memory, in a folder of each process's own that the next one clears away.

spill/
  <id>/lock           held (flock) as long as the process lives
  <id>/query/         what DuckDB sorts on the disk
  <id>/spans-*.json   facts that wait for the store: whoever finds them without their process stores them
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import logging
import os
import shutil
import stat
import tempfile
import threading
import time
import uuid
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lmops.base.endings import Undone
from lmops.errors import UsageError
from lmops.store._filesystem import remove_file
from lmops.store._meta import in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

log = logging.getLogger(__name__)

SPILL_DIR: Final = "spill"
_LOCK: Final = "lock"
_QUERY: Final = "query"
#: A folder in the making has this ending, and is done in a moment.
_NEW: Final = ".new"
_MAKING_S: Final = 3600.0


class Spilled:
    """Facts on the disk that are not in the store yet."""

    def __init__(self, path: Path, rows: int) -> None:
        self.path = path
        self.rows = rows

    def read(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows by table."""
        import orjson

        # What a link leads to was not written here, and a pipe would be waited for.
        handle = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise ValueError("it is no file")
            content = file.read()
        if not content.startswith(b"{"):  # an older release wrote no checksum
            said, _, content = content.partition(b"\n")
            if said != _checksum(content):
                raise ValueError("it has changed since it was written")
        found: dict[str, list[dict[str, Any]]] = orjson.loads(content)
        return found

    def remove(self) -> None:
        """Forget them: they are in the store."""
        self.path.unlink(missing_ok=True)


class Scratch:
    """This process's part of a store's ``spill/``, made when it is first needed."""

    def __init__(self, store: Path, *, read_only: bool) -> None:
        self._root = store / SPILL_DIR
        self._read_only = read_only
        self._lock = threading.Lock()
        self._own: Path | None = None
        self._handle = -1
        self._pid = 0
        self._spilled = 0

    def _folder(self) -> Path:
        """Return the folder of this process, which nobody else may enter."""
        with self._lock:
            if self._own is None or self._pid != os.getpid():
                self._own = self._make()
                self._pid = os.getpid()
            return self._own

    def _make(self) -> Path:
        self._root.mkdir(mode=0o700, exist_ok=True)
        name = uuid.uuid4().hex
        making, own = self._root / f"{name}{_NEW}", self._root / name
        making.mkdir(mode=0o700)
        try:
            self._handle = os.open(making / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Before it has its name it is held: nobody takes it for that of a dead process.
            return making.rename(own)
        except OSError:
            shutil.rmtree(making, ignore_errors=True)
            raise

    def query_folder(self) -> Path:
        """Return a new folder for what a database in memory puts on the disk; not in a store that is only read."""
        if not self._read_only:
            with contextlib.suppress(OSError):
                folder = self._folder() / f"{_QUERY}-{uuid.uuid4().hex}"
                folder.mkdir(mode=0o700)
                return folder
        return Path(tempfile.mkdtemp(prefix="lmops-spill-"))

    def spill(self, rows: Mapping[str, Sequence[dict[str, Any]]]) -> Spilled:
        """Write facts to the disk; they outlive this process, though perhaps no power cut.

        Raises:
            StoreFullError: There is no space left; nothing is kept of them.
        """
        import orjson

        payload = orjson.dumps(rows)
        with in_words(self._root.parent):
            folder = self._folder()
            with self._lock:
                self._spilled += 1
                path = folder / f"spans-{self._spilled:012}.json"
            making = path.with_suffix(_NEW)
            with Undone(functools.partial(remove_file, making)):
                handle = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                with os.fdopen(handle, "wb") as file:
                    file.write(_checksum(payload) + b"\n" + payload)
                making.rename(path)
        return Spilled(path, sum(map(len, rows.values())))

    def close(self) -> None:
        """Remove what is this process's own, but for facts that are not in the store yet."""
        with self._lock:
            if self._own is not None and self._pid == os.getpid():
                _clear(self._own)
                os.close(self._handle)
            self._own = None

    def after_fork(self) -> None:
        """Leave the parent's folder to the parent; called in the child."""
        self._lock = threading.Lock()
        if self._own is not None:
            # The lock would otherwise be held as long as either of them lives.
            with contextlib.suppress(OSError):
                os.close(self._handle)
        self._own = None

    def abandoned(self) -> Iterator[Spilled]:
        """Yield the facts that dead processes left, oldest first; a store that is written loses what else they left."""
        try:
            found = sorted(self._root.iterdir(), key=lambda path: path.name)
        except OSError:
            return
        for folder in found:
            if folder != self._own:
                yield from _inherited(folder, read_only=self._read_only)


def _checksum(payload: bytes) -> bytes:
    return b"%08x" % zlib.crc32(payload)


def _inherited(folder: Path, *, read_only: bool) -> Iterator[Spilled]:
    """Yield the facts in the folder of a process that is no more; who may write removes it when none is left."""
    try:
        handle = os.open(folder / _LOCK, (os.O_RDONLY if read_only else os.O_RDWR) | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if read_only else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        if folder.suffix != _NEW or time.time() - folder.stat().st_mtime > _MAKING_S:
            for path in sorted(folder.glob("spans-*.json")):
                yield Spilled(path, 0)
            if not read_only:
                _clear(folder)
    except OSError:
        return  # somebody lives there, or has taken it
    finally:
        os.close(handle)


def _clear(folder: Path) -> None:
    """Remove a process's folder, but for facts that are not in the store yet."""
    for path in folder.glob(f"{_QUERY}-*"):
        shutil.rmtree(path, ignore_errors=True)
    for path in folder.glob(f"spans-*{_NEW}"):
        path.unlink(missing_ok=True)
    if not any(folder.glob("spans-*")):
        shutil.rmtree(folder, ignore_errors=True)


def _read(scratch: Scratch, problems: dict[str, str]) -> Iterator[tuple[Spilled, dict[str, list[dict[str, Any]]]]]:
    """Yield what dead processes left with its rows, and note what is wrong with what cannot be read, by name."""
    for spilled in scratch.abandoned():
        try:
            yield spilled, spilled.read()
        except FileNotFoundError:
            continue  # its owner has come to storing it meanwhile
        except (OSError, ValueError) as error:
            name = _name(spilled)
            problems[name] = f"{name} cannot be read: {error}"
            log.warning("%s; it stays where it is, and the facts in it are missing", problems[name])


def _name(spilled: Spilled) -> str:
    return f"{SPILL_DIR}/{spilled.path.parent.name}/{spilled.path.name}"


def not_stored(scratch: Scratch) -> dict[str, str]:
    """Return what a store that is only read lacks of the facts that dead processes left on the disk, by file."""
    problems: dict[str, str] = {}
    for spilled, rows in _read(scratch, problems):
        count = sum(map(len, rows.values()))
        problems[_name(spilled)] = (
            f"{_name(spilled)} holds {count:,} rows of a process that is gone: they are missing here until the store "
            "is opened to write"
        )
    return problems


def take_back(scratch: Scratch, store: Callable[[Mapping[str, Sequence[dict[str, Any]]]], object]) -> dict[str, str]:
    """Store the facts that dead processes left on the disk; return what is wrong with those that cannot be read.

    Storing twice adds nothing: a process that is killed between the two leaves them to the next one.
    """
    problems: dict[str, str] = {}
    for spilled, rows in _read(scratch, problems):
        try:
            store(rows)
        except UsageError:
            # One that the store refuses must not cost the others.
            for tbl, found in rows.items():
                for row in found:
                    try:
                        store({tbl: [row]})
                    except UsageError as error:
                        log.warning("a row of %s in %s is left out: %s", tbl, spilled.path, error)
        spilled.remove()
    return problems
