"""What a store does on its own: draining in the background, and merging when it is due."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from lmops.base.endings import Logged
from lmops.store._drain import DRAIN_ROWS
from lmops.store._duck import missing
from lmops.store._maintenance import SMALL_FILES
from lmops.store._segments import release_memory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lmops.store._drain import Publisher
    from lmops.store._engine import Engine
    from lmops.store._maintenance import Maintenance

#: A writer that finds so many rows waiting drains before it goes on.
BACKLOG_ROWS: Final = 10 * DRAIN_ROWS
#: A tail this old is drained even when it is short.
DRAIN_AGE_S: Final = 60.0

log = logging.getLogger(__name__)


class Housekeeping:
    """Drains and merges of one store in this process; at most one thread at a time works in the background."""

    def __init__(self, folder: Path, engine: Engine, publisher: Publisher, maintenance: Maintenance) -> None:
        self._folder = folder
        self._engine = engine
        self._publisher = publisher
        self._maintenance = maintenance
        #: held while a thread is started
        self.lock = threading.Lock()
        self._worker: threading.Thread | None = None
        self._last_drain = time.monotonic()

    def after_write(self, waiting: int, age_s: Callable[[], float]) -> None:
        """Do what is due after a write to the inbox.

        Args:
            waiting: Rows in the inbox.
            age_s: Returns the age of the oldest of them, in seconds; asked now and then only.
        """
        if missing() is not None:
            return  # an installation that only records: rows wait for a process that can drain
        if waiting >= BACKLOG_ROWS:
            # Whoever writes faster than the drain moves has to help: a backlog must not grow without bound.
            self._drain(leave=BACKLOG_ROWS)
        is_old = time.monotonic() - self._last_drain > DRAIN_AGE_S and age_s() > DRAIN_AGE_S
        if waiting >= DRAIN_ROWS or is_old:
            self._start()

    def after_load(self) -> None:
        """Merge when it is due after rows were published; what fails is tried again later."""
        # The rows are published: a merge that failed must not say otherwise.
        with Logged(log, "a compaction of the store %s failed and will be tried again", self._folder):
            self._compact_when_due()

    def stop(self) -> None:
        """Wait for the batch that is being drained."""
        self._publisher.is_stopping = True
        worker = self._worker
        if worker is not None and worker.is_alive() and worker is not threading.current_thread():
            worker.join(timeout=30)
        self._publisher.is_stopping = False

    def after_fork(self) -> None:
        """Start anew in a child process: the lock may be held by a thread that is not here."""
        self.lock = threading.Lock()
        self._worker = None

    def _start(self) -> None:
        """Start one drain in a thread of this process, unless one is running here or in another process."""
        with self.lock:
            if self._worker is not None and self._worker.is_alive():
                return
            self._worker = threading.Thread(target=self._work, name="lmops-drain", daemon=True)
            self._worker.start()

    def _work(self) -> None:
        self._last_drain = time.monotonic()
        self._drain(leave=DRAIN_ROWS if self._publisher.waiting_rows() >= DRAIN_ROWS else 0, compact=True)
        release_memory()

    def _drain(self, *, leave: int, compact: bool = False) -> None:
        # Nothing is lost: the rows stay in the inbox, and the next writer tries again.
        with Logged(log, "a drain of the store %s failed and will be tried again", self._folder):
            while True:
                # Merges must get their turn although rows come in as fast as they are drained.
                moved = self._publisher.drain(leave=leave, wait=False, batches=SMALL_FILES)
                if compact and not self._publisher.is_stopping:
                    self._compact_when_due(wait=False)
                if not moved or self._publisher.is_stopping or self._publisher.waiting_rows() < max(leave, 1):
                    return

    def _compact_when_due(self, *, wait: bool = True) -> None:
        if self._maintenance.is_due(self._engine.manifest()):
            self._maintenance.compact(wait=wait)
            release_memory()
