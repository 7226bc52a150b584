"""Two policies over one call: the one of the run that called the tool, and the one that the tool brings itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lmops.tools.contract import Decision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lmops.tools.contract import CallContext, Decider, ToolVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked(Decision):
    """A question of one or both, about the call as it would be made."""

    of: tuple[tuple[Decider, Decision], ...]
    made: Mapping[str, Any]


class Joint:
    """Decides by two policies, and the stricter wins: no over a question, a question over yes.

    What one of them changes in the arguments the other decides on as well.

    Args:
        outer: Of what called the tool.
        inner: Of the call inside of it.
    """

    def __init__(self, outer: Decider, inner: Decider) -> None:
        self._outer = outer
        self._inner = inner

    def decide(self, tool: ToolVersion, arguments: Mapping[str, Any], context: CallContext) -> Decision:
        """Return what both together decide on a call."""
        outer = self._outer.decide(tool, arguments, context)
        if outer.action == "deny":
            return outer
        changed = _made(outer, arguments)
        inner = self._inner.decide(tool, changed, context)
        if inner.action == "deny":
            return inner
        if _made(inner, changed) != changed:
            changed = _made(inner, changed)
            outer = self._outer.decide(tool, changed, context)
            if outer.action == "deny":
                return outer
            if _made(outer, changed) != changed:
                words = f"{outer.policy} and {inner.policy} change the arguments against each other"
                return Decision(action="deny", rule=outer.rule, reason=words, policy=outer.policy)
        asking = [(who, said) for who, said in ((self._outer, outer), (self._inner, inner)) if said.action == "ask"]
        if asking:
            first = asking[0][1]
            return _Asked(
                action="ask", rule=first.rule, reason=first.reason, policy=first.policy, of=tuple(asking), made=changed
            )
        return _with(outer if outer.action == "rewrite" else inner, arguments, changed)

    async def ask(
        self, tool: ToolVersion, arguments: Mapping[str, Any], context: CallContext, decision: Decision
    ) -> Decision:
        """Let somebody be asked for each that asks, and return the first answer that is no yes."""
        assert isinstance(decision, _Asked)
        said, known = decision.of[0][1], set[str | None]()
        for who, one in decision.of:
            if one.policy is not None and one.policy in known:
                continue  # two names of one policy: one yes is enough, and counts once
            known.add(one.policy)
            said = await who.ask(tool, decision.made, context, one)
            if said.action not in ("allow", "rewrite"):
                return said
        return _with(said, arguments, decision.made)


def _made(said: Decision, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the arguments of a call as a decision lets it be made."""
    if isinstance(said, _Asked):
        return said.made
    return said.arguments if said.action == "rewrite" and said.arguments is not None else arguments


def _with(said: Decision, arguments: Mapping[str, Any], made: Mapping[str, Any]) -> Decision:
    """Return a yes to a call as it is to be made."""
    return said if made == arguments else replace(said, action="rewrite", arguments=made)
