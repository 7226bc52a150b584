"""The one writer of a run: whatever finished while the last batch was committed is the next batch.

A worker goes on when its case is on the disk. So a killed process repeats at most the calls that were in flight:
as many as there are workers.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

from lmops.evals._threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: A run that finishes nothing says that often that it is alive.
HEARTBEAT_S: Final = 5.0

Case = list[Any]


class Writer:
    """Commits cases in batches, in a thread beside the loop.

    Args:
        commit: Makes a batch durable; called with an empty one as a heartbeat.
    """

    def __init__(self, commit: Callable[[Sequence[Case]], None]) -> None:
        self._commit = commit
        self._threads = Threads()
        self._rows: list[Case] = []
        self._loop = asyncio.get_running_loop()
        self._waiting: list[asyncio.Future[None]] = []
        self._wake: asyncio.Future[None] | None = None
        self._is_closing = False
        self._error: BaseException | None = None
        self._task = asyncio.create_task(self._work())

    async def put(self, row: Case) -> None:
        """Return when the case is committed; raise what committing raised."""
        if self._error is not None:
            raise self._error
        # One for each: a worker that is cancelled must not cancel the batch for the others.
        done: asyncio.Future[None] = self._loop.create_future()
        self._rows.append(row)
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
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake, HEARTBEAT_S)
                self._wake = None
                # Whoever finished in this turn of the loop comes along.
                await asyncio.sleep(0)
            await self._write()

    async def _write(self) -> None:
        rows, waiting = self._rows, self._waiting
        self._rows, self._waiting = [], []
        if not rows and self._is_closing:
            return
        try:
            await self._threads.run(self._commit, rows)
        except Exception as error:  # noqa: BLE001  # raised in every worker, and by close
            self._error = error
        for done in (*waiting, *(self._waiting if self._error is not None else ())):
            if done.done():
                continue
            if self._error is None:
                done.set_result(None)
            else:
                done.set_exception(self._error)
                done.exception()  # known to be read, also when its worker was cancelled meanwhile
