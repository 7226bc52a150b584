"""What is live of a kind of thing, in memory; what anybody changes of it is there in well under a second.

A thread looks a few times a second whether what decides is another one than before. Whoever asks reads what it found,
and looks by himself only where it did not look for a while: in a process that was forked or stood still.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Concatenate, Final, Generic, ParamSpec, TypeVar

from lmops.base.endings import Caught, Logged

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from lmops.records.project import Project

_log = logging.getLogger(__name__)

EVERY_S: Final = 0.2
#: What was found longer ago is looked up again before it is used.
_OLD_S: Final = 0.8
L = TypeVar("L")
P = ParamSpec("P")
T = TypeVar("T")


class Live(Generic[L]):
    """What is live, by the name under which it is asked for.

    Args:
        project: Where it is.
        what: What one of it is called, for messages.
        stand: One SELECT whose rows are others whenever something else is live.
        make: Makes what is live under a name, in the transaction that read the stand.
    """

    def __init__(
        self, project: Project, *, what: str, stand: str, make: Callable[[sqlite3.Connection, str], L]
    ) -> None:
        self._project = project
        self._what = what
        self._query = stand
        self._make = make
        self._lock = threading.Lock()
        self._stand: list[tuple[Any, ...]] | None = None
        self._made: dict[str, L] = {}
        self._before: dict[str, L] = {}  # of what is damaged now
        self._looked = 0.0
        self._watching = 0  # the process of the thread
        self._pid = os.getpid()

    def get(self, name: str) -> L:
        """Return what is live under a name; once it was asked for nothing is read from the disk for it.

        Raises:
            NotFoundError: There is nothing of this name.
            DamagedStoreError: It is not what was saved.
        """
        if time.monotonic() - self._looked > _OLD_S:
            if self._pid != os.getpid():  # the thread that held the lock is not in a fork
                self._lock, self._pid = threading.Lock(), os.getpid()
            self.refresh()
            self._watch()
        found = self._made.get(name)
        return self._missing(name) if found is None else found

    def known(self, name: str) -> L | None:
        """Return what was last known to be live under a name; None where nothing ever was."""
        return self._made.get(name) or self._before.get(name)

    def refresh(self) -> None:
        """Look now."""
        began = time.monotonic()
        with self._lock, self._project.reading() as con:
            stand = [tuple(row) for row in con.execute(self._query)]
            if stand != self._stand:
                self._made = self._remade(con)
                self._stand = stand
            self._looked = began

    def look(self) -> bool:
        """Look once for the thread; return whether it goes on."""
        goes_on = not self._project.store.is_closed
        if goes_on:
            with Caught(Exception) as caught:  # full, locked: whoever asks next looks by himself and is told
                self.refresh()
            goes_on = caught.error is None
        if not goes_on:
            self._watching = 0
        return goes_on

    def _remade(self, con: sqlite3.Connection) -> dict[str, L]:
        found = {}
        self._before |= self._made
        for name in self._made:
            # One that is damaged is not used, and the others are; who asks for it is told.
            with Logged(_log, "%s %s cannot be read", self._what, name):
                found[name] = self._make(con, name)
        return found

    def _missing(self, name: str) -> L:
        """Return what is asked for the first time, or came this moment; else say what is wrong with it."""
        with self._lock, self._project.reading() as con:
            # What is newer than the stand is made once more with the next.
            found = self._made[name] = self._make(con, name)
        return found

    def _watch(self) -> None:
        """Let a thread look from now on, where none does."""
        with self._lock:
            if self._watching == os.getpid():
                return
            self._watching = os.getpid()
        threading.Thread(target=_look, args=(weakref.ref(self),), name=f"lmops-live-{self._what}", daemon=True).start()


def seen_at_once(verb: Callable[Concatenate[Any, P], T]) -> Callable[Concatenate[Any, P], T]:
    """Let what a verb of a noun with a ``_live`` changed count here when it returns; others see it within a second."""

    @functools.wraps(verb)
    def dressed(self: Any, /, *args: P.args, **options: P.kwargs) -> T:
        found = verb(self, *args, **options)
        self._live.refresh()
        return found

    return dressed


def _look(ref: weakref.ref[Live[Any]]) -> None:
    while (live := ref()) is not None and live.look():
        del live
        time.sleep(EVERY_S)
