"""The routes of a store that are live, in memory; what anybody changes of them is there in well under a second.

A thread looks a few times a second whether an alias, a version or a switch is another one. Whoever chooses reads what
it found, and looks by himself only where it did not look for a while: in a process that was forked or stood still.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Final

from lmops.base.endings import Caught, Logged
from lmops.errors import DamagedStoreError
from lmops.records import Ref
from lmops.routing._records import RouteVersion, Switch
from lmops.routing.choosing import Chooser
from lmops.times import from_ns

if TYPE_CHECKING:
    import sqlite3

    from lmops.records import Project, Versions

_log = logging.getLogger(__name__)

EVERY_S: Final = 0.2
#: What was found longer ago is looked up again before it is used.
_OLD_S: Final = 0.8
_PRODUCTION: Final = "production"
_STAND: Final = """
select 0, name, version, event_id from aliases where kind = 'route' and alias = 'production'
union all select 1, name, max(version), 0 from route_versions group by name
union all select 2, route || '/' || arm, is_killed, moved_ns from route_switches
"""


class Live:
    """What is live of the routes of one store.

    Args:
        project: Where they are.
        versions: The versions of routes.
    """

    def __init__(self, project: Project, versions: Versions[RouteVersion]) -> None:
        self._project = project
        self._versions = versions
        self._lock = threading.Lock()
        self._stand: list[tuple[Any, ...]] | None = None
        self._choosers: dict[str, Chooser] = {}
        self._looked = 0.0
        self._watching = 0  # the process of the thread
        self._pid = os.getpid()

    def chooser(self, name: str) -> Chooser:
        """Return a route that is live.

        Raises:
            NotFoundError: There is no such route.
            DamagedStoreError: It is not what was saved.
        """
        if time.monotonic() - self._looked > _OLD_S:
            if self._pid != os.getpid():  # the thread that held the lock is not in a fork
                self._lock, self._pid = threading.Lock(), os.getpid()
            self.refresh()
            self._watch()
        found = self._choosers.get(name)
        if found is None:
            found = self._missing(name)
        return found

    def refresh(self) -> None:
        """Look now."""
        began = time.monotonic()
        with self._lock, self._project.reading() as con:
            stand = [tuple(row) for row in con.execute(_STAND)]
            if stand != self._stand:
                self._choosers = self._read(con)
                self._stand = stand
            self._looked = began

    def _read(self, con: sqlite3.Connection) -> dict[str, Chooser]:
        found = {}
        switches = switches_of(self._project, con)
        for name in self._versions.names(con):
            # One that is damaged is not used, and the others are; who asks for it is told.
            with Logged(_log, "route %s cannot be read", name):
                found[name] = self._made(con, name, switches)
        return found

    def _made(self, con: sqlite3.Connection, name: str, switches: list[Switch]) -> Chooser:
        version = self._versions.load(con, name, live_number(self._versions, con, name))
        off = [one for one in switches if one.route == name and one.is_killed]
        killed = [one.arm for one in off if one.arm is not None]
        return Chooser(version, killed, next((one for one in off if one.arm is None), None))

    def _missing(self, name: str) -> Chooser:
        """Return a route that came this moment; else say that there is none, or what is wrong with it."""
        self._versions.kind.check_name(name)
        self.refresh()
        if name in self._choosers:
            return self._choosers[name]
        with self._project.reading() as con:
            return self._made(con, name, switches_of(self._project, con))

    def _watch(self) -> None:
        """Let a thread look from now on, where none does."""
        with self._lock:
            if self._watching == os.getpid():
                return
            self._watching = os.getpid()
        threading.Thread(target=_look, args=(weakref.ref(self),), name="lmops-routes", daemon=True).start()

    def look(self) -> bool:
        """Look once for the thread; return whether it goes on."""
        with Caught(Exception) as caught:  # closed, full, locked: whoever chooses next looks by himself and is told
            self.refresh()
        if caught.error is not None:
            self._watching = 0
        return caught.error is None


def _look(ref: weakref.ref[Live]) -> None:
    while (live := ref()) is not None and live.look():
        del live
        time.sleep(EVERY_S)


def live_number(versions: Versions[RouteVersion], con: sqlite3.Connection, name: str) -> int:
    """Return the number of the version that is live: where the alias production points, else the newest.

    Raises:
        NotFoundError: There is no such route.
        DamagedStoreError: The alias is not where it was put.
    """
    is_released = _PRODUCTION in versions.aliases.names(con, name)
    return versions.resolve(con, Ref(name, alias=_PRODUCTION if is_released else None))


def switches_of(project: Project, con: sqlite3.Connection) -> list[Switch]:
    """Return all switches, on or off.

    Raises:
        DamagedStoreError: One is not what was written: a route that was switched off must not be on again by that.
    """
    rows, altered = project.store.records(con, "route_switches")
    if altered:
        raise DamagedStoreError("what says which routes are switched off is not what was written; lmops store check")
    return [
        Switch(
            route=row["route"],
            arm=row["arm"] or None,
            is_killed=bool(row["is_killed"]),
            actor=row["actor"],
            at=from_ns(row["moved_ns"]),
            reason=row["reason"],
        )
        for row in rows
    ]
