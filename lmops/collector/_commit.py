"""Group commit: requests that arrive together share one transaction, each is answered after it."""

from __future__ import annotations

import queue
import sqlite3
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final, Protocol

from lmops.base.endings import Caught
from lmops.errors import StoreError

if TYPE_CHECKING:
    from lmops.traces import Batch

#: Most records in one transaction: long enough to amortise it, short enough for other writers.
_GROUP_RECORDS: Final = 4096
_BUSY_CODES: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})

Row = dict[str, object]


class Appends(Protocol):
    """The part of a store that the receiver needs."""

    def append_many(self, rows: dict[str, list[Row]], /) -> object:
        """Commit the rows of several tables in one transaction."""


class Committer:
    """One thread that writes what the request threads decoded.

    It takes whatever waits, commits it in one transaction, and only then lets the requests answer.
    There is no delay to wait for company: while one transaction runs, the next group gathers.
    """

    def __init__(self, store: Appends) -> None:
        self._store = store
        self._waiting: queue.SimpleQueue[tuple[Batch, Future[None]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name="lmops-collector-commit", daemon=True)
        self._thread.start()

    def commit(self, batch: Batch) -> None:
        """Return when the batch is committed; raise what the store raised otherwise.

        Raises:
            StoreError: the receiver has stopped.
        """
        done: Future[None] = Future()
        with self._lock:
            if self._is_stopped:
                msg = "the receiver has stopped"
                raise StoreError(msg)
            self._waiting.put((batch, done))
        done.result()

    def stop(self) -> None:
        """Commit what waits, then end the thread."""
        with self._lock:
            self._is_stopped = True
            self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            group, records, is_last = [first], _size(first[0]), False
            while records < _GROUP_RECORDS:
                try:
                    entry = self._waiting.get_nowait()
                except queue.Empty:
                    break
                if entry is None:
                    is_last = True
                    break
                group.append(entry)
                records += _size(entry[0])
            self._write(group)
            del first, group
            if is_last:
                return

    def _write(self, group: list[tuple[Batch, Future[None]]]) -> None:
        rows: dict[str, list[Row]] = {"spans": [], "logs": []}
        for batch, _ in group:
            rows["spans"] += batch.spans
            rows["logs"] += batch.logs
        with Caught(Exception) as caught:
            self._store.append_many(rows)
        error = caught.error
        if error is not None and len(group) > 1 and not is_retryable(error):
            # One request that cannot be stored must not fail the others.
            for entry in group:
                self._write([entry])
            return
        for _, done in group:
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)


def _size(batch: Batch) -> int:
    return len(batch.spans) + len(batch.logs)


def is_retryable(error: Exception) -> bool:
    """Return whether the same rows may be stored later: the store is busy, full or broken, not the rows."""
    return isinstance(error, StoreError | OSError | sqlite3.OperationalError)


def is_busy(error: BaseException) -> bool:
    """Return whether another process held the store for too long."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, sqlite3.OperationalError):
            return getattr(cause, "sqlite_errorcode", 0) & 0xFF in _BUSY_CODES
        cause = cause.__cause__
    return False
