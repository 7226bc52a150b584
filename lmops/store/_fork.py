"""A fork and a transaction keep apart.

SQLite notes within the process which of its connections holds which lock. A child that is forked while a thread of its
parent writes has that note for ever, without the thread that would take it back: its own first write would wait for
nobody. So a fork waits for the transactions that are open, and new ones wait for the fork.
"""

from __future__ import annotations

import os
import threading
from typing import Final, Self

#: A fork waits no longer than this: a transaction that somebody keeps open must not stop the process.
FORK_WAIT_S: Final = 5.0


class Gate:
    """Lets transactions through, and a fork when none is open but those of the thread that forks."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._mine = threading.local()
        self._open = 0
        self._is_forking = False

    @property
    def _depth(self) -> int:
        return getattr(self._mine, "depth", 0)

    def passing(self) -> Self:
        """Count as an open transaction inside of it; a thread that has one open may open another at once."""
        return self

    def __enter__(self) -> Self:
        """Wait while a fork is under way, then count one more."""
        with self._changed:
            depth = self._depth
            while self._is_forking and not depth:
                self._changed.wait()
            self._open += 1
            self._mine.depth = depth + 1
        return self

    def __exit__(self, *_: object) -> None:
        """Count one less; a fork may wait for it."""
        with self._changed:
            self._open -= 1
            self._mine.depth = self._depth - 1
            if self._is_forking:
                self._changed.notify_all()

    def before_fork(self) -> None:
        """Wait for the transactions of other threads, and keep new ones waiting."""
        self._changed.acquire()
        self._is_forking = True
        self._changed.wait_for(lambda: self._open <= self._depth, FORK_WAIT_S)

    def after_fork_in_parent(self) -> None:
        """Let the others go on."""
        self._is_forking = False
        self._changed.notify_all()
        self._changed.release()

    def after_fork_in_child(self) -> None:
        """Start with what the only thread that is left has open; the others and their waiting did not come along."""
        self._changed = threading.Condition(threading.RLock())
        self._open = self._depth
        self._is_forking = False


GATE: Final = Gate()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=GATE.before_fork,
        after_in_parent=GATE.after_fork_in_parent,
        after_in_child=GATE.after_fork_in_child,
    )
