"""The routes of a store that are live: which version decides, and what is switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.records import Live, Ref, Switches
from lmops.routing._records import RouteVersion, Switch
from lmops.routing.choosing import Chooser
from lmops.times import from_ns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from lmops.records import Project, Versions

_PRODUCTION: Final = "production"
_STAND: Final = """
select 0, name, version, event_id from aliases where kind = 'route' and alias = 'production'
union all select 1, name, max(version), 0 from route_versions group by name
union all select 2, route || '/' || arm, is_killed, moved_ns from route_switches
"""


def _switch(row: Mapping[str, Any]) -> Switch:
    return Switch(
        route=row["route"],
        arm=row["arm"] or None,
        is_killed=bool(row["is_killed"]),
        actor=row["actor"],
        at=from_ns(row["moved_ns"]),
        reason=row["reason"],
    )


SWITCHES: Final = Switches(
    things="routes", table="route_switches", flag="is_killed", off="route.kill", on="route.revive", made=_switch
)


def live_routes(project: Project, versions: Versions[RouteVersion]) -> Live[Chooser]:
    """Return the routes that are live.

    Args:
        project: Where they are.
        versions: The versions of routes.
    """

    def made(con: sqlite3.Connection, name: str) -> Chooser:
        versions.kind.check_name(name)
        version = versions.load(con, name, live_number(versions, con, name))
        off = [one for one in SWITCHES.read(project.store, con) if one.route == name and one.is_killed]
        killed = [one.arm for one in off if one.arm is not None]
        return Chooser(version, killed, next((one for one in off if one.arm is None), None))

    return Live(project, what="route", stand=_STAND, make=made)


def live_number(versions: Versions[RouteVersion], con: sqlite3.Connection, name: str) -> int:
    """Return the number of the version that is live: where the alias production points, else the newest.

    Raises:
        NotFoundError: There is no such route.
        DamagedStoreError: The alias is not where it was put.
    """
    is_released = _PRODUCTION in versions.aliases.names(con, name)
    return versions.resolve(con, Ref(name, alias=_PRODUCTION if is_released else None))
