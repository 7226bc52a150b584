"""The queue between the application's threads and the store.

The SDK's own batch processor drops from a full queue at once, flushes every five seconds and
gives up a batch on the first failure. This one flushes every 100 ms, keeps a batch until the store takes it, and puts
on the disk what the queue cannot hold: whoever finds it full puts its own span in the place of the oldest ones, and
writes those down. Only when the disk takes nothing it waits briefly, and counts what it could not keep.

Spans keep their order: what is on the disk is older than what is in the queue, and is written first.
"""

from __future__ import annotations

import collections
import logging
import os
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Final, Protocol

from opentelemetry import context as otel_context
from opentelemetry.sdk.trace import SpanProcessor

from lmops.base.endings import Caught, Logged
from lmops.errors import NewerStoreError, ReadOnlyError, StoreError
from lmops.types import EVAL_RUN_ID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

    from lmops.traces._batch import Row

_log = logging.getLogger(__name__)

_MAX_BATCH: Final = 512
_FLUSH_SECONDS: Final = 0.1
_RETRY_SECONDS: Final = (0.05, 0.1, 0.2, 0.5)
_WARNING_SECONDS: Final = 60.0
#: So long a disk that took nothing is not tried again, and nobody waits for room: the application goes on.
_SATURATED_SECONDS: Final = 1.0
#: Longest wait at the end for spans that other threads are putting on the disk.
_SPILL_SECONDS: Final = 5.0


class Spilled(Protocol):
    """Rows on the disk."""

    @property
    def rows(self) -> int:
        """How many."""

    def read(self) -> dict[str, list[Row]]:
        """Return them by table."""

    def remove(self) -> None:
        """Forget them, when they are in the store."""


class Writes(Protocol):
    """What the processor hands batches to."""

    @property
    def can_spill(self) -> bool:
        """Whether spans can wait on the disk."""

    def spill(self, rows: list[Row]) -> Spilled:
        """Put rows on the disk; raise what the store raises."""

    @property
    def store(self) -> object:
        """Where the rows go."""

    def rows(self, spans: Sequence[ReadableSpan]) -> list[Row]:
        """Return one row for each span."""

    def write(self, rows: list[Row]) -> None:
        """Commit rows; raise what the store raises."""


class StoreProcessor(SpanProcessor):
    """Takes ended spans from any thread and commits them in batches, in one daemon thread."""

    def __init__(self, exporter: Writes, *, max_queue: int, block_ms: float) -> None:
        self._exporter = exporter
        self._max_queue = max_queue
        self._block_s = block_ms / 1000
        self._stop_at: float | None = None
        self._reset()
        if hasattr(os, "register_at_fork"):
            reset = weakref.WeakMethod(self._reset)
            os.register_at_fork(after_in_child=lambda: (found := reset()) and found())

    def _reset(self) -> None:
        """Start empty: after a fork the spans that wait are the parent's to write, and the lock may be held."""
        self._changed = threading.Condition()
        self._queue: collections.deque[ReadableSpan] = collections.deque()
        self._on_disk: collections.deque[Spilled] = collections.deque()
        #: spans on their way to the disk
        self._spilling = 0
        #: spans that a worker is writing
        self._writing: list[ReadableSpan] = []
        self._worker: threading.Thread | None = None
        self._accepted = self._finished = self._exported = self._dropped = 0
        self._flushes = 0
        self._saturated_until = 0.0
        self._reported = 0
        self._quiet_until = 0.0
        self._reason = ""

    # -- for the handle --------------------------------------------------------------------------

    @property
    def store(self) -> object:
        """Where the spans go."""
        return self._exporter.store

    @property
    def exported(self) -> int:
        """Spans that were committed."""
        return self._exported

    @property
    def dropped(self) -> int:
        """Spans that were lost."""
        return self._dropped

    @property
    def pending(self) -> int:
        """Spans that wait or are being written."""
        return self._accepted - self._finished

    @property
    def spilled(self) -> int:
        """Spans on the disk."""
        return sum(batch.rows for batch in list(self._on_disk))

    @property
    def is_stopped(self) -> bool:
        """Whether spans are no longer taken."""
        return self._stop_at is not None

    def restart(self, exporter: Writes, *, max_queue: int, block_ms: float) -> None:
        """Use another exporter from the next batch on, and take spans again after a shutdown."""
        with self._changed:
            self._exporter, self._max_queue, self._block_s = exporter, max_queue, block_ms / 1000
            if self._stop_at is not None:
                self._accepted += self.spilled
                self._stop_at = None
                self._start_worker()

    # -- for the SDK -----------------------------------------------------------------------------

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Name the run on a span of an evaluation, which says so in its context; it is taken when it ends."""
        run_id = otel_context.get_value(EVAL_RUN_ID, parent_context)
        if isinstance(run_id, str):
            span.set_attribute(EVAL_RUN_ID, run_id)

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a span; never raises."""
        with Logged(_log, "a span was not queued", level=logging.DEBUG):
            if span.context is not None and span.context.trace_flags.sampled:
                self._put(span)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Return whether every span that ended before this call was handled within the time."""
        with self._changed:
            self._start_worker()
            expected = self._accepted
            self._flushes += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(
                    lambda: self._finished >= expected and not self._spilling, timeout_millis / 1000
                )
            finally:
                self._flushes -= 1

    def shutdown(self, timeout_s: float = 10.0) -> None:
        """Write what waits, for at most so many seconds, put the rest on the disk, and take no more spans."""
        with self._changed:
            if self._stop_at is not None:
                return
            self._stop_at = time.monotonic() + timeout_s
            self._start_worker()
            worker = self._worker
            self._changed.notify_all()
        if worker is not None:
            worker.join(timeout_s + 1)
        elif self._queue or self._on_disk:
            # No thread can be started while the interpreter ends.
            self._run()
        self._leave_on_disk()
        self._report(is_final=True)

    def _leave_on_disk(self) -> None:
        """Put on the disk what could not be written in time, for the next process that opens the store."""
        with self._changed:
            self._changed.wait_for(lambda: not self._spilling, _SPILL_SECONDS)
            # Perhaps the store takes the batch that a worker still tries to write: twice is once.
            left = [*self._writing, *self._queue]
            self._queue.clear()
            self._writing = []
        for start in range(0, len(left), _MAX_BATCH):
            self._spill(left[start : start + _MAX_BATCH])
        with self._changed:
            self._dropped += self.pending - self.spilled
            self._finished = self._accepted
        if self._on_disk:
            _log.warning(
                "%d spans of %r wait on the disk (%s): whoever opens the store next stores them",
                self.spilled,
                self.store,
                self._reason or "the store could not be written",
            )

    # -- the application's threads ---------------------------------------------------------------

    def _put(self, span: ReadableSpan) -> None:
        with self._changed:
            if self._stop_at is not None or threading.current_thread() is self._worker:
                # The second: a span that the store's own driver made while a batch was written.
                return
            overflow = self._overflow()
            if self._has_room():
                self._append(span)
            else:
                self._lose(1)
        if overflow:
            is_kept = self._spill(overflow)
            with self._changed:
                self._spilling -= len(overflow)
                if not is_kept:
                    self._take_back(overflow)
                self._changed.notify_all()
        if self._dropped > self._reported:
            self._report()

    def _append(self, span: ReadableSpan) -> None:
        """Queue a span; under the lock."""
        self._queue.append(span)
        self._accepted += 1
        if len(self._queue) in {1, _MAX_BATCH}:
            self._changed.notify_all()
        self._start_worker()

    def _lose(self, count: int) -> None:
        """Count spans as dropped; under the lock."""
        self._dropped += count
        self._reason = self._reason or "the queue was full"

    def _settle(self, count: int) -> bool:
        """Count spans as handled; not after a shutdown that timed out: what lies on the disk is not waited for."""
        if self._finished + count > self._accepted:
            return False
        self._finished += count
        return True

    def _overflow(self) -> list[ReadableSpan]:
        """Take out of a full queue what is to go to the disk: its oldest spans; under the lock."""
        if len(self._queue) < self._max_queue or not self._exporter.can_spill or self._is_saturated:
            return []
        taken = [self._queue.popleft() for _ in range(min(len(self._queue), _MAX_BATCH))]
        self._spilling += len(taken)
        return taken

    def _take_back(self, batch: list[ReadableSpan]) -> None:
        """Queue again what the disk did not take; where there is no room in time, the newest spans are lost."""
        self._queue.extendleft(reversed(batch))
        self._start_worker()
        if not self._has_room(beyond=1):
            too_many = len(self._queue) - self._max_queue
            for _ in range(too_many):
                self._queue.pop()
            self._settle(too_many)
            self._lose(too_many)

    def _spill(self, batch: list[ReadableSpan]) -> bool:
        """Put spans on the disk; return whether that was possible. Those that no store could keep are lost."""
        spilled: Spilled | None = None
        rows: list[Row] = []
        # this is the application's thread: what cannot be put on the disk stays in the queue
        with Caught(Exception) as caught:
            if self._exporter.can_spill:
                rows = self._rows(batch)
                spilled = self._exporter.spill(rows)
        self._note(caught.error)
        with self._changed:
            if spilled is not None:
                self._on_disk.append(spilled)
                self._settle(len(batch) - len(rows))
                self._dropped += len(batch) - len(rows)
            self._changed.notify_all()
        return spilled is not None

    def _rows(self, batch: Sequence[ReadableSpan]) -> list[Row]:
        """Return the rows of spans, without those that cannot be stored: they must not cost the others."""
        with Caught(Exception) as caught:
            return self._exporter.rows(batch)
        self._note(caught.error)
        return [row for span in batch for row in self._rows([span])] if len(batch) > 1 else []

    @property
    def _is_saturated(self) -> bool:
        return time.monotonic() < self._saturated_until

    def _has_room(self, beyond: int = 0) -> bool:
        """Wait for room for one more span. Once that was in vain nobody waits for a while: the application goes on."""
        limit = self._max_queue + beyond
        if len(self._queue) < limit:
            return True
        if self._is_saturated:
            return False
        if self._changed.wait_for(lambda: len(self._queue) < limit, self._block_s):
            return True
        self._saturated_until = time.monotonic() + _SATURATED_SECONDS
        return False

    def _start_worker(self) -> None:
        if self._worker is not None and self._worker.is_alive():
            return
        if not self._queue and not self._on_disk:
            self._worker = None
            return
        worker = threading.Thread(target=self._run, name="lmops-spans", daemon=True)
        try:
            worker.start()
        except RuntimeError:
            self._worker = None
            return
        self._worker = worker
        self._flush_at_end_of_child()

    def _flush_at_end_of_child(self) -> None:
        """In a process of multiprocessing, which ends without atexit, flush where it does end."""
        processes = sys.modules.get("multiprocessing.util")
        if processes is not None and sys.modules["multiprocessing.process"].parent_process() is not None:
            processes.Finalize(self, self.shutdown, exitpriority=100)

    def _report(self, *, is_final: bool = False) -> None:
        """Log what was dropped, at most once a minute."""
        with self._changed:
            new, now = self._dropped - self._reported, time.monotonic()
            if not new or (now < self._quiet_until and not is_final):
                return
            self._reported, self._quiet_until = self._dropped, now + _WARNING_SECONDS
            reason, self._reason = self._reason or "the store could not be written", ""
        _log.warning("dropped %d spans (%d in all) of %r: %s", new, self._dropped, self.store, reason)

    # -- the thread that writes ------------------------------------------------------------------

    def _run(self) -> None:
        while batch := self._next_batch():
            count = len(batch) if isinstance(batch, list) else batch.rows
            written = self._commit(self._rows(batch)) if isinstance(batch, list) else self._write_from_disk(batch)
            with self._changed:
                if written is None and self._stop_at is not None:
                    return
                if written is None or (isinstance(batch, list) and batch is not self._writing):
                    # A shutdown that timed out has put it on the disk, from where it is counted.
                    continue
                self._writing = []
                if self._settle(count):
                    self._exported += written
                    self._dropped += count - written
                self._saturated_until = 0.0 if written else self._saturated_until
                self._changed.notify_all()

    def _next_batch(self) -> list[ReadableSpan] | Spilled | None:
        """Return the next spans, 100 ms after the first of them at the latest; none when stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._on_disk or self._stop_at is not None)
            if len(self._queue) < _MAX_BATCH and not self._on_disk:
                self._changed.wait_for(self._is_due, _FLUSH_SECONDS)
            if self._on_disk:
                return self._on_disk[0]
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), _MAX_BATCH))]
            if not batch:
                # Under the lock: whoever queues a span from now on must start another thread.
                self._worker = None
            self._writing = batch
            self._changed.notify_all()
            return batch

    def _is_due(self) -> bool:
        return len(self._queue) >= _MAX_BATCH or self._flushes > 0 or self._stop_at is not None or bool(self._on_disk)

    def _write_from_disk(self, batch: Spilled) -> int | None:
        """Return how many spans of the batch were committed; None when they have to stay where they are."""
        try:
            written = self._commit(batch.read()["spans"])
        except FileNotFoundError:
            written = batch.rows  # the store was closed in between, and somebody else has stored them
        except (OSError, ValueError, KeyError) as error:
            self._reason, written = f"{type(error).__name__}: {error}", 0
        if written is None:
            return None
        with self._changed:
            if self._on_disk and self._on_disk[0] is batch:
                self._on_disk.popleft()
        if written or not batch.rows:
            batch.remove()
        return written

    def _commit(self, rows: list[Row]) -> int | None:
        """Return how many rows were committed; None when the store takes none now and the disk may."""
        with Caught(Exception) as caught:
            self._write_all(rows)
        error = caught.error
        if error is None:
            return len(rows)
        self._note(error)
        if isinstance(error, StoreError | OSError):
            return None if self._exporter.can_spill and not _is_lasting(error) else 0
        return _sum([self._commit([row]) for row in rows] if len(rows) > 1 else [0])

    def _note(self, error: Exception | None) -> None:
        """Keep why spans could not be written, for the report."""
        if error is not None:
            self._reason = f"{type(error).__name__}: {error}"

    def _write_all(self, rows: list[Row]) -> None:
        """Commit rows, again and again while the store is busy or full; raise when that is hopeless."""
        attempt = 0
        while True:
            try:
                self._exporter.write(rows)
            except (StoreError, OSError) as error:
                delay = _RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)]
                stop_at = self._stop_at
                if _is_lasting(error) or (stop_at is not None and time.monotonic() + delay > stop_at):
                    raise
                if attempt == len(_RETRY_SECONDS):
                    _log.warning("spans wait: %s", error)
                attempt += 1
                time.sleep(delay)
            else:
                return


def _is_lasting(error: Exception) -> bool:
    """Return whether the store will not take these rows later either."""
    return isinstance(error, ReadOnlyError | NewerStoreError)


def _sum(found: list[int | None]) -> int | None:
    """Return how many were committed of all parts; None when one has to wait."""
    return None if None in found else sum(filter(None, found))
