"""Files are verified before they are read, once each: an answer never rests on a flipped bit."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from lmops.errors import StoreError, raise_if_of_process
from lmops.store._filesystem import META, inside
from lmops.store._segments import file_sha256
from lmops.times import from_ns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from lmops.store._segments import Segment, Written

#: Hashing leaves the interpreter alone, so that a few threads share it; more than the disk feeds gain nothing.
_THREADS: Final = min(4, os.cpu_count() or 1)
State = tuple[int, int, int]
#: What is said of a file that the system does not give: nothing is known of what is in it.
_UNREAD: Final = "cannot be read"


class DamagedSegmentWarning(UserWarning):
    """Something was left out of an answer because it is missing or corrupt: a segment, a write of the inbox, a blob."""


class Verified:
    """What is known of the files of one store in this process; the same file is not hashed twice."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        #: by path: the file (size, time of change, inode) with the hash it should have, and what is wrong with it
        self._known: dict[str, tuple[tuple[State, str], str | None]] = {}

    def trust(self, file: Written) -> None:
        """Take a file as verified that this process has just written and hashed."""
        state = _state(self._folder / file.path)
        if state is not None:
            self._known[file.path] = ((state, file.sha256), None)

    def broken(self, segments: Sequence[Segment]) -> dict[str, str]:
        """Return what is wrong with those of these segments that cannot be read, by path."""
        found: dict[str, str] = {}
        fresh: list[tuple[Segment, State]] = []
        for segment in segments:
            # A link that takes the place of a file that is known changes this; where it leads is looked at then.
            state = _state(self._folder / segment.path)
            if state is None or not segment.is_intact:
                found[segment.path] = damage(self._folder, segment) or "could not be opened"
                continue
            known = self._known.get(segment.path)
            if known is None or known[0] != (state, segment.sha256):
                fresh.append((segment, state))
            elif known[1] is not None:
                found[segment.path] = known[1]
        for (segment, state), problem in zip(fresh, self._examined([one for one, _ in fresh]), strict=True):
            if problem is None or not is_unread(problem):
                self._known[segment.path] = ((state, segment.sha256), problem)
            if problem is not None:
                found[segment.path] = problem
        if len(self._known) > 2 * len(segments) + 10_000:
            # Files come and go; what is remembered of them must not only grow.
            self._known = {}
        return found

    def forget(self, segments: Iterable[Segment]) -> None:
        """Look at these files again when they are asked for."""
        for segment in segments:
            self._known.pop(segment.path, None)

    def _examined(self, segments: Sequence[Segment]) -> list[str | None]:
        if len(segments) < 2:
            return [damage(self._folder, segment) for segment in segments]
        with ThreadPoolExecutor(_THREADS) as pool:
            return list(pool.map(lambda segment: damage(self._folder, segment), segments))


def _state(path: Path) -> State | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def damage(folder: Path, segment: Segment) -> str | None:
    """Return what is wrong with a segment's file or with its record, or None.

    Raises:
        StoreError: This process may open no more files, which says nothing of this one.
    """
    if not segment.is_intact:
        return f"its record in {META} has changed since it was written"
    path = inside(folder, segment.path)
    if path is None:
        return "its path leads out of the store, and is not followed"
    try:
        size = path.stat().st_size
        if size != segment.bytes:
            return f"{size} bytes instead of {segment.bytes}"
        return "changed since it was written (SHA-256 differs)" if file_sha256(path) != segment.sha256 else None
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        raise_if_of_process(error, path)
        return f"{_UNREAD} ({error.strerror})"


def is_unread(problem: str) -> bool:
    """Return whether a problem of a file lies in the disk or in rights: it may be read later, as it was written."""
    return problem.startswith(_UNREAD)


def refuse_unread(broken: Mapping[str, str]) -> None:
    """Raise when one of these files cannot be read now: what would be written over it would be there twice, or gone.

    Args:
        broken: What is wrong with files, by path.
    """
    for path, problem in broken.items():
        if is_unread(problem):
            raise StoreError(
                f"{path}: {problem}, which says nothing of what is in it: nothing was changed. Mend the disk or the "
                "rights and repeat it; or put the file back from a backup, or move it away, and repair the store"
            )


def describe_damage(segment: Segment, problem: str) -> str:
    """Return one sentence on a damaged segment and what is lost with it."""
    times = ""
    if segment.is_intact and segment.min_ns is not None and segment.max_ns is not None:
        times = f" from {from_ns(segment.min_ns):%Y-%m-%d %H:%M:%S} to {from_ns(segment.max_ns):%Y-%m-%d %H:%M:%S} UTC"
    return (
        f"{segment.path}: {problem}; {segment.rows} rows of {segment.tbl}{times} cannot be read, the rest can "
        "(ws.store.check() lists all that is lost; put the file back from a backup, or let check(repair=True) keep "
        "what is whole of it and ingest its source again)"
    )
