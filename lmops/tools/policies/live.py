"""The policies and switches that are live: what a reference means now, and which tools are off."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import StoreError
from lmops.records import Live, Switches
from lmops.text import plain_line
from lmops.times import from_ns
from lmops.tools.contract import Decision
from lmops.tools.policies import asking
from lmops.tools.policies._records import Ask, ToolSwitch
from lmops.tools.policies.deciding import Compiled

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from lmops.records import Project, Versions
    from lmops.tools.contract import CallContext, Decider, ToolVersion
    from lmops.tools.policies.rules import ToolPolicy

_log = logging.getLogger(__name__)
_STAND: Final = """
select 0, name, alias, version, event_id from aliases where kind = 'tool_policy'
union all select 1, name, '', max(version), 0 from tool_policy_versions group by name
"""
_SWITCHED: Final = "select tool, is_off, moved_ns from tool_switches"
#: Under this name the switches of all tools are live together.
_ALL: Final = "all"


def _switch(row: Mapping[str, Any]) -> ToolSwitch:
    return ToolSwitch(
        tool=row["tool"],
        is_off=bool(row["is_off"]),
        actor=row["actor"],
        at=from_ns(row["moved_ns"]),
        reason=row["reason"],
    )


SWITCHES: Final = Switches(
    things="tools", table="tool_switches", flag="is_off", off="tool.disable", on="tool.enable", made=_switch
)


def live_policies(project: Project, versions: Versions[ToolPolicy]) -> Live[Compiled]:
    """Return what decides by each reference that is asked for.

    Args:
        project: Where they are.
        versions: The versions of policies.
    """

    def made(con: sqlite3.Connection, ref: str) -> Compiled:
        found = versions.parse(ref)
        return Compiled(versions.load(con, found.name, versions.resolve(con, found)))

    return Live(project, what="tool policy", stand=_STAND, make=made)


class LiveSwitches:
    """What is switched off, now.

    Args:
        project: Where it is said.
    """

    def __init__(self, project: Project) -> None:
        def made(con: sqlite3.Connection, _name: str) -> dict[str, str]:
            return {one.tool: _why(one) for one in SWITCHES.read(project.store, con) if one.is_off}

        self._live: Live[dict[str, str]] = Live(project, what="switches of", stand=_SWITCHED, make=made)

    def reason_off(self, tool: str) -> str | None:
        """Return why a tool is switched off, None where it is not; nothing is read from the disk for it.

        Raises:
            StoreError: Nobody knows: the store was never read.
        """
        try:
            return self._live.get(_ALL).get(tool)
        except StoreError:
            known = self._live.known(_ALL)
            if known is None:
                raise
            _log.warning("the store cannot be read: the tools are off that were", exc_info=True)
            return known.get(tool)

    def refresh(self) -> None:
        """Look now."""
        self._live.refresh()


def _why(one: ToolSwitch) -> str:
    return f"switched off since {one.at:%Y-%m-%d %H:%M} UTC: {plain_line(one.reason or 'no reason', 300)}"


class LiveDecider:
    """Decides by what a reference means at each call.

    Args:
        project: Where asks are kept.
        live: The policies that are live.
        ref: Which.
    """

    def __init__(self, project: Project, live: Live[Compiled], ref: str) -> None:
        self._project = project
        self._live = live
        self.ref = ref

    def decide(self, tool: ToolVersion, arguments: Mapping[str, Any], context: CallContext) -> Decision:
        """Return what is decided on a call; while the store cannot be read, by the policy that was live before."""
        return self._compiled().decide(tool, arguments, context)

    async def ask(
        self, tool: ToolVersion, arguments: Mapping[str, Any], context: CallContext, decision: Decision
    ) -> Decision:
        """Let somebody be asked, and return what he said; "ask" with the id of what waits where nobody has answered."""
        return await ask_together([self], asking.Asked(tool, arguments, context, decision))

    @property
    def project(self) -> Project:
        """Where asks are kept."""
        return self._project

    @property
    def policy(self) -> ToolPolicy:
        """The version that decides now."""
        return self._compiled().policy

    def _compiled(self) -> Compiled:
        try:
            return self._live.get(self.ref)
        except StoreError:
            known = self._live.known(self.ref)
            if known is None:
                raise
            _log.warning("the store cannot be read: %s decides as it did before", known.policy.ref, exc_info=True)
            return known


async def ask_together(deciders: Sequence[LiveDecider], asked: asking.Asked) -> Decision:
    """Let somebody be asked once for several policies; it waits, and can be answered, as long as each of them allows.

    Args:
        deciders: The policies.
        asked: The call, and what is asked of it.
    """
    policies = [one.policy for one in deciders]
    waits, expires = min(one.ask_timeout_s for one in policies), min(one.ask_expires_s for one in policies)
    policy = replace(policies[0], ask_timeout_s=waits, ask_expires_s=expires)
    return await asking.answered(deciders[0].project, policy, asked)


class Settled:
    """Lets pass the one call that somebody said yes to, once; what else it leads to is decided by the policy.

    Args:
        ask: The call.
        rest: Decides on all others.
    """

    def __init__(self, ask: Ask, rest: Decider) -> None:
        self._ask: Ask | None = ask
        self._rest = rest

    def decide(self, tool: ToolVersion, arguments: Mapping[str, Any], context: CallContext) -> Decision:
        """Return what is decided on a call."""
        ask = self._ask
        decision = self._rest.decide(tool, arguments, context)
        if (
            decision.action == "deny"
            or ask is None
            or asking.Asked(tool, arguments, context, decision).digest != ask.digest
        ):
            return decision
        self._ask = None
        words = f"{plain_line(ask.actor, 60)} said yes to it (number {ask.ask})"
        return Decision(action="allow", rule=ask.rule, reason=words, policy=ask.policy, asked=str(ask.ask))

    async def ask(
        self, tool: ToolVersion, arguments: Mapping[str, Any], context: CallContext, decision: Decision
    ) -> Decision:
        """Let somebody be asked about another call."""
        return await self._rest.ask(tool, arguments, context, decision)
