"""The policies of a store that are live: what a reference means now, and which rails are switched off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.base.shown import Shown
from lmops.records import Live, Switches
from lmops.times import from_ns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from datetime import datetime

    from lmops.guardrails.asking import Asked
    from lmops.guardrails.checking import Checker
    from lmops.guardrails.policy import Policy
    from lmops.records import Project, Versions

_STAND: Final = """
select 0, name, alias, version, event_id from aliases where kind = 'policy'
union all select 1, name, '', max(version), 0 from guardrail_versions group by name
union all select 2, policy, rail, is_off, moved_ns from guardrail_switches
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RailSwitch(Shown):
    """Whether a rail of a policy is switched off.

    Args:
        policy: Name of the policy.
        rail: Name of the rail, in each of its stages.
        is_off: It is off.
        actor: Who switched it last.
        at: When, UTC.
        reason: Why.
    """

    policy: str
    rail: str
    is_off: bool
    actor: str
    at: datetime
    reason: str | None = None


def _switch(row: Mapping[str, Any]) -> RailSwitch:
    return RailSwitch(
        policy=row["policy"],
        rail=row["rail"],
        is_off=bool(row["is_off"]),
        actor=row["actor"],
        at=from_ns(row["moved_ns"]),
        reason=row["reason"],
    )


SWITCHES: Final = Switches(
    things="rails",
    table="guardrail_switches",
    flag="is_off",
    off="policy.switch_off",
    on="policy.switch_on",
    made=_switch,
)


def live_policies(project: Project, versions: Versions[Policy], asked: Asked | None = None) -> Live[Checker]:
    """Return what checks by each reference that is asked for.

    Args:
        project: Where they are.
        versions: The versions of policies.
        asked: The workspace that rails may ask.
    """

    def made(con: sqlite3.Connection, ref: str) -> Checker:
        found = versions.parse(ref)
        version = versions.load(con, found.name, versions.resolve(con, found))
        named = {spec.name for specs in version.stages.values() for spec in specs}
        off = {one.rail for one in switches_of(project, con, found.name) if one.is_off}
        return version.checker(off=off & named, asked=asked)

    return Live(project, what="policy", stand=_STAND, make=made)


def switches_of(project: Project, con: sqlite3.Connection, policy: str) -> list[RailSwitch]:
    """Return the switches of a policy, on or off.

    Raises:
        DamagedStoreError: One is not what was written.
    """
    return [one for one in SWITCHES.read(project.store, con) if one.policy == policy]
