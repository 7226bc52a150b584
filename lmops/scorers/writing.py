"""The one writer of what many workers finish: whatever finished while the last batch was committed is the next batch.

A worker goes on when its row is on the disk. So a killed process repeats at most the calls that were in flight:
as many as there are workers.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Protocol

from lmops.base.endings import Caught
from lmops.base.threads import Threads
from lmops.store import BusyError

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, Any]
#: So many cases that end in one turn of the loop are committed while the others are still being scored: workers that
#: wait for each other end together the next time as well.
EARLY_ROWS: Final = 32
#: A run that finishes nothing says that often that it is alive.
HEARTBEAT_S: Final = 5.0


class Journal(Protocol):
    """Where rows are kept."""

    def write(self, rows: Sequence[Row], *, wait: bool = True) -> None:
        """Make a batch durable; an empty one says that somebody still works.

        Raises:
            BusyError: Somebody else writes, and it was not to wait.
        """


class Writer:
    """Commits rows in batches: at once where the loop belongs to the run, else in a thread beside it.

    A commit takes a millisecond, a thread often as long to wake up. While the store is busy it is left to the thread.

    Args:
        journal: Makes a batch durable; an empty one is a heartbeat.
        owns_loop: Whether nobody else is in the loop who must not be held up.
    """

    def __init__(self, journal: Journal, *, owns_loop: bool) -> None:
        self._journal = journal
        self._owns_loop = owns_loop
        self._threads = Threads()
        self._rows: list[Row] = []
        self._loop = asyncio.get_running_loop()
        self._waiting: list[asyncio.Future[None]] = []
        self._wake: asyncio.Future[None] | None = None
        self._is_closing = False
        self._error: BaseException | None = None
        self._task = asyncio.create_task(self._work())

    async def put(self, row: Row) -> None:
        """Return when the row is committed; raise what committing raised."""
        if self._error is not None:
            raise self._error
        self._rows.append(row)
        if len(self._rows) >= EARLY_ROWS and self._owns_loop and self._write_here():
            return
        # One for each: a worker that is cancelled must not cancel the batch for the others.
        done: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(done)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
        await done

    async def close(self) -> None:
        """Commit what is left and stop; raise what committing raised."""
        self._is_closing = True
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
        await self._task
        self._threads.close()
        if self._error is not None:
            raise self._error

    async def _work(self) -> None:
        while self._error is None:
            if not self._rows:
                if self._is_closing:
                    return
                self._wake = self._loop.create_future()
                with Caught(TimeoutError) as silent:
                    await asyncio.wait_for(self._wake, HEARTBEAT_S)
                self._wake = None
                # Whoever finished in this turn of the loop comes along.
                await asyncio.sleep(0)
                if not self._rows and (self._is_closing or silent.error is None):
                    continue  # who woke this has committed them itself
            if not self._owns_loop or not self._write_here():
                await self._write_beside()

    def _write_here(self) -> bool:
        """Commit now, unless somebody else writes at the moment; return whether it was done, or failed for good."""
        with Caught(Exception) as caught:
            self._journal.write(self._rows, wait=False)
        if isinstance(caught.error, BusyError):
            return False
        self._error = caught.error or self._error  # raised in every worker, and by close
        waiting, self._rows, self._waiting = self._waiting, [], []
        self._tell(waiting)
        if self._error is not None:
            raise self._error
        return True

    async def _write_beside(self) -> None:
        """Commit in the thread, which may wait."""
        rows, waiting, self._rows, self._waiting = self._rows, self._waiting, [], []
        with Caught(Exception) as caught:
            await self._threads.run(self._journal.write, rows)
        if caught.error is not None:
            self._error = caught.error  # raised in every worker, and by close
            waiting += self._waiting
        self._tell(waiting)

    def _tell(self, waiting: list[asyncio.Future[None]]) -> None:
        for done in waiting:
            if done.done():
                continue
            if self._error is None:
                done.set_result(None)
            else:
                done.set_exception(self._error)
                done.exception()  # known to be read, also when its worker was cancelled meanwhile
