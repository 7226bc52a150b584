"""The verbs of what is allowed: policies, switches, and what waits for somebody's yes."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from lmops.errors import ConflictError, NotFoundError, RefusedError
from lmops.records import seen_at_once, switch_reason
from lmops.tools._quality_verbs import WithQuality
from lmops.tools.policies import ToolPolicies, asking
from lmops.tools.policies.joint import Joint
from lmops.tools.policies.live import SWITCHES, LiveSwitches, Settled
from lmops.tools.policies.provenance import SOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from lmops.tools.contract import Decider, ToolResult
    from lmops.tools.policies import Ask, ToolSwitch

_ASK_COLUMNS = ("ask", "tool", "version", "arguments", "status", "rule", "why", "role", "said_by", "policy", "run_id")
_ASK_TIMES = ("trace_id", "asked_at", "expires_at", "actor", "moved_at", "reason")


class WithPolicies(WithQuality):
    """Tools with the verbs of what may be called."""

    @functools.cached_property
    def policies(self) -> ToolPolicies:
        """The policies: save, list, get, versions, diff, promote, rollback, protect, sync, check."""
        return ToolPolicies(self._project)

    # -- switches ----------------------------------------------------------------------------------------------------

    @functools.cached_property
    def _live(self) -> LiveSwitches:
        return LiveSwitches(self._project)

    @seen_at_once
    def disable(self, name: str, *, reason: str, dry_run: bool = False) -> ToolSwitch:
        """Switch off a tool, in all its versions and in every process within a second; return the switch.

        A call of it is then answered with "disabled" and why, and the tool is not called.

        Args:
            name: Of the tool.
            reason: Why, for the audit chain and for the model.
            dry_run: Check everything and change nothing.

        Raises:
            NotFoundError: There is no such tool.
            UsageError: There is no reason.
        """
        return self._switch(name, is_off=True, reason=reason, dry_run=dry_run)

    @seen_at_once
    def enable(self, name: str, *, reason: str, dry_run: bool = False) -> ToolSwitch:
        """Switch on a tool that was switched off; return the switch.

        Args:
            name: Of the tool.
            reason: Why, for the audit chain.
            dry_run: Check everything and change nothing.

        Raises:
            NotFoundError: There is no such tool.
            UsageError: There is no reason.
        """
        return self._switch(name, is_off=False, reason=reason, dry_run=dry_run)

    def disabled(self) -> tuple[ToolSwitch, ...]:
        """Return the tools that are switched off, by name."""
        with self._project.reading() as con:
            found = [one for one in SWITCHES.read(self._store, con) if one.is_off]
        return tuple(sorted(found, key=lambda one: one.tool))

    def _switch(self, name: str, *, is_off: bool, reason: str, dry_run: bool) -> ToolSwitch:
        words = switch_reason(reason)
        self.KIND.check_name(name)
        with self._project.change(reason=words, dry_run=dry_run) as change:
            known = {one.tool for one in SWITCHES.read(self._store, change.con)}
            if name not in known:
                self._versions.resolve(change.con, self._versions.parse(name))
            return SWITCHES.turn(change, {"tool": name}, is_off=is_off, dry_run=dry_run)

    # -- what waits for a yes ------------------------------------------------------------------------------------------

    def asks(self, status: str | None = "waiting", *, limit: int = 200) -> pd.DataFrame:
        """Return the calls that wait for somebody's yes, newest first.

        Args:
            status: waiting, approved (and not made yet), denied, made, expired; None: all.
            limit: Most rows that are looked at, newest first.

        Returns:
            ask (its number), tool, version, arguments, status, rule, why, role (who calls), said_by (who said what
            stands in the arguments: user, system, retrieved, tool_result, model), policy, run_id, trace_id, asked_at,
            expires_at (UTC), actor, moved_at, reason (of the last step).
        """
        from lmops.base.frames import Frame

        found = [one for one in asking.listed(self._project, limit) if status in (None, one.status)]
        columns = [*_ASK_COLUMNS, *_ASK_TIMES]
        rows = [
            {name: getattr(one, name) for name in columns if name != "said_by"}
            | {"said_by": ", ".join(who for who in SOURCES if who in one.origins)}
            for one in found
        ]
        return Frame(rows, columns=columns)

    def newest_asks(self, limit: int = 200) -> tuple[Ask, ...]:
        """Return the newest asks as records, newest first, whatever became of them.

        Args:
            limit: Most of them.
        """
        return tuple(asking.listed(self._project, limit))

    def ask(self, ask: int) -> Ask:
        """Return one call that waits, or waited, for somebody's yes.

        Args:
            ask: Its number.

        Raises:
            NotFoundError: There is no such ask.
        """
        return asking.read(self._project, ask)

    def approve(self, ask: int, *, reason: str | None = None, seen: str | None = None, dry_run: bool = False) -> Ask:
        """Say yes to a call, for once and with exactly these arguments; return it.

        It is made when the agent asks for it again, or by :meth:`carry_out`; once, whoever is first.

        Args:
            ask: Its number.
            reason: Why, for the audit chain.
            seen: ``digest`` of the ask that was shown to who decides.
            dry_run: Check everything and change nothing.

        Raises:
            NotFoundError: There is no such ask.
            ConflictError: It is not the call that was shown; nothing was changed.
            UsageError: It expired, somebody said no, or it was made already.
        """
        return asking.settle(self._project, ask, to="approved", reason=reason, seen=seen, dry_run=dry_run)

    def deny(self, ask: int, *, reason: str | None = None, seen: str | None = None, dry_run: bool = False) -> Ask:
        """Say no to a call, also after a yes that was not used yet; return it.

        Args:
            ask: Its number.
            reason: Why, for the audit chain and for the agent.
            seen: ``digest`` of the ask that was shown to who decides.
            dry_run: Check everything and change nothing.

        Raises:
            NotFoundError: There is no such ask.
            ConflictError: It is not the call that was shown; nothing was changed.
            UsageError: It expired, or it was made already.
        """
        return asking.settle(self._project, ask, to="denied", reason=reason, seen=seen, dry_run=dry_run)

    def carry_out(self, ask: int) -> ToolResult:
        """Make a call that somebody said yes to, once, in this process; return what came of it.

        It is marked as made first: of two who do it one is refused, and what was killed in between is not made again.

        Args:
            ask: Its number.

        Raises:
            NotFoundError: There is no such ask, or no function is bound to the tool in this process.
            ConflictError: It was made already, or another version of the tool is bound here than was shown.
            RefusedError: The tool is switched off.
            UsageError: Nobody said yes, or it expired.
        """
        found = asking.read(self._project, ask)
        if asking.digest_of(found.tool, found.version, found.arguments) != found.digest:
            raise ConflictError(f"ask {ask}: its arguments are gone (somebody was erased); it cannot be made")
        bound = self._bound_version(found.tool)
        if bound is None:
            raise NotFoundError(f"ask {ask}: no function is bound to {found.tool} in this process: @ws.tools.tool")
        if bound != found.version:
            raise ConflictError(f"ask {ask} is for {found.tool}@{found.version}, and version {bound} is bound here")
        if (why := self._reason_off(found.tool)) is not None:
            raise RefusedError(f"ask {ask}: {found.tool} is {why}")
        made = asking.taken(self._project, ask)
        over: list[Decider] = [self.policies.decider(ref) for ref in found.policy.split(asking.POLICIES)]
        settled = Settled(found, functools.reduce(Joint, over))
        return self.call(made.tool, made.arguments, policy=settled, role=made.role)

    # -- what a call asks ----------------------------------------------------------------------------------------------

    def _reason_off(self, tool: str) -> str | None:
        """Return why a tool is switched off, None where it is not; nothing is read from the disk for it."""
        return self._live.reason_off(tool)

    def _decider(self, policy: str | Decider | None) -> Decider | None:
        """Return who decides by a reference such as "support@production", or what decides already; None: nobody."""
        return self.policies.decider(policy) if isinstance(policy, str) else policy

    def _bound_version(self, name: str) -> int | None:
        """Return the version of a tool that is bound to a function here, None where none is."""
        raise NotImplementedError

    def call(
        self,
        name: str,
        arguments: Mapping[str, Any] | str | None = None,
        *,
        policy: str | Decider | None = None,
        role: str | None = None,
    ) -> ToolResult:
        """Make a call; the noun says more."""
        raise NotImplementedError
