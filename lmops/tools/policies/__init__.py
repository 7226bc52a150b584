"""Policies of tools: which calls are made, refused, changed, or wait for somebody's yes; in versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from lmops.base.kinds import refuses_wrong_kinds
from lmops.base.public import only
from lmops.records import Filed, Kind, Versioned, seen_at_once
from lmops.tools.contract import CallContext, Decision, ToolVersion
from lmops.tools.policies import _show as _show
from lmops.tools.policies._records import Ask, ToolSwitch
from lmops.tools.policies._versions import KIND, ToolPolicyFiling
from lmops.tools.policies.live import LiveDecider, live_policies
from lmops.tools.policies.rules import ToolPolicy, ToolRule, body_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lmops.records import Project

__all__ = ["Ask", "ToolPolicies", "ToolPolicy", "ToolRule", "ToolSwitch"]
__dir__ = only(__all__)


@refuses_wrong_kinds
class ToolPolicies(Filed[ToolPolicy]):
    """The policies of tools of a workspace: ``ws.tools.policies``."""

    KIND: ClassVar[Kind[ToolPolicy]] = KIND

    def __init__(self, project: Project) -> None:
        super().__init__(project)
        self._live = live_policies(project, self._versions)

    def save(
        self,
        name: str,
        rules: Sequence[Mapping[str, Any]] = (),
        *,
        default: Literal["deny", "ask", "allow"] = "deny",
        ask_timeout_s: float | None = None,
        ask_expires_s: float | None = None,
        reason: str | None = None,
        dry_run: bool = False,
    ) -> ToolPolicy:
        """Save a policy as a version of its name and return it; the same content again is the same version.

        Deny wins over ask, ask over rewrite, rewrite over allow, whatever their order; of one action the first rule
        that holds names the decision. What a rule asks for and cannot be known (an argument that is left out, another
        kind of value, a caller without a role) holds for deny and ask and does not for the others.

        Args:
            name: Of the policy.
            rules: Mappings such as {"deny": "refund", "when": {"$.amount": {">": 100}}, "role": "agent", "name": "big
                refunds"}: deny, ask, allow or rewrite with a tool, a pattern such as "search_*", or a list of them;
                role; when, by JSON path =, !=, in, not in, <, <=, >, >=, matches, exists; from and after, lists of
                user, system, retrieved, tool_result, model (who said a stretch of the arguments; what the conversation
                holds); calls (of the tool before, in the run), run_calls, calls_left, usd_left; set (of rewrite);
                reason (for the model); name.
            default: What happens where no rule holds.
            ask_timeout_s: Seconds that a call waits for somebody's yes before the agent is told that it needs one; 0.
            ask_expires_s: Seconds after which nobody can say yes any more; a day.
            reason: Why, for the audit chain.
            dry_run: Check everything and change nothing; the version that is returned is not kept.

        Raises:
            UsageError: A part cannot be used; the message names the rule.
        """
        said = {
            "rules": rules,
            "default": default,
            "ask_timeout_s": ask_timeout_s,
            "ask_expires_s": ask_expires_s,
        }
        return self.save_content(name, said, reason=reason, dry_run=dry_run)

    @seen_at_once
    def save_content(
        self, name: str, content: Mapping[str, Any], *, reason: str | None = None, dry_run: bool = False
    ) -> ToolPolicy:
        """Save a policy out of one mapping, as its file says it; see :meth:`save`.

        Args:
            name: Of the policy.
            content: rules, default, ask_timeout_s, ask_expires_s.
            reason: Why, for the audit chain.
            dry_run: Check everything and change nothing; the version that is returned is not kept.

        Raises:
            UsageError: A part cannot be used; the message names the rule.
        """
        self.KIND.check_name(name)
        return self._put(name, body_of(content), reason=reason, dry_run=dry_run)

    def _filing(self) -> ToolPolicyFiling:
        return ToolPolicyFiling(self._versions)

    promote = seen_at_once(Versioned.promote)
    rollback = seen_at_once(Versioned.rollback)
    sync = seen_at_once(Filed.sync)

    def decider(self, ref: str) -> LiveDecider:
        """Return what decides by a policy, as it is at the moment of each call: ``ws.tools.run(policy=)`` asks for it.

        Args:
            ref: "support@production", "support" (the newest), "support@3".

        Raises:
            NotFoundError: There is no such policy.
        """
        self._live.get(ref)
        return LiveDecider(self._project, self._live, ref)

    def check(
        self,
        ref: str,
        tool: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        role: str | None = None,
        messages: Sequence[Mapping[str, Any]] = (),
        calls: Mapping[str, int] | None = None,
        schema: Mapping[str, Any] | None = None,
    ) -> Decision:
        """Return what a policy decides on a call, without making it or asking anybody.

        Args:
            ref: As for :meth:`decider`.
            tool: Name of the tool, registered or not.
            arguments: Of the call.
            role: Who calls.
            messages: The conversation that led to it, as OpenAI has it.
            calls: How many calls of each tool the run made before.
            schema: JSON schema of its arguments, whose defaults stand for what is left out.

        Raises:
            NotFoundError: There is no such policy.
        """
        asked = ToolVersion(
            name=tool,
            version=0,
            hash="",
            author="",
            created_at=self._project.now(),
            description="",
            parameters=dict(schema or {}),
        )
        context = CallContext(run_id="", role=role, messages=messages, calls=calls or {})
        return self._live.get(ref).decide(asked, arguments or {}, context)
