"""Two policies over one call: the one of the run that called the tool, and the one that the tool brings itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from lmops.tools.contract import Decision
from lmops.tools.policies.asking import Asked
from lmops.tools.policies.live import LiveDecider, ask_together

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lmops.tools.contract import CallContext, Decider, ToolVersion

_YES: Final = ("allow", "rewrite")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked(Decision):
    """A question of one or both, about the call as it would be made."""

    of: tuple[tuple[Decider, Decision], ...]
    made: Mapping[str, Any]

    def each(self) -> Iterator[tuple[Decider, Decision]]:
        """Yield who asks and what: of one that is joint itself each of its own."""
        for who, said in self.of:
            yield from said.each() if isinstance(said, _Asked) else [(who, said)]


class Under:
    """Decides as a decider does of a caller with another role; who asks is shown as he calls himself.

    Args:
        decider: Decides.
        role: In the place of that of the caller.
    """

    def __init__(self, decider: Decider, role: str | None) -> None:
        self._decider = decider
        self._role = role

    def decide(self, tool: ToolVersion, arguments: Mapping[str, Any], context: CallContext) -> Decision:
        """Return what is decided on a call."""
        found = self._decider.decide(tool, arguments, replace(context, role=self._role))
        if found.action == "ask" and not isinstance(found, _Asked):
            return _Asked(
                action="ask",
                rule=found.rule,
                reason=found.reason,
                policy=found.policy,
                of=((self._decider, found),),
                made=arguments,
            )
        return found

    async def ask(
        self, tool: ToolVersion, arguments: Mapping[str, Any], context: CallContext, decision: Decision
    ) -> Decision:
        """Let somebody be asked."""
        return await self._decider.ask(tool, arguments, context, decision)


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
            over = dict.fromkeys(one for said in (first, outer, inner) for one in (said.policy, *said.beside) if one)
            over.pop(first.policy or "", None)
            return _Asked(
                action="ask",
                rule=first.rule,
                reason=first.reason,
                policy=first.policy,
                beside=tuple(over),
                of=tuple(asking),
                made=changed,
            )
        return _with(outer if outer.action == "rewrite" else inner, arguments, changed)

    async def ask(
        self, tool: ToolVersion, arguments: Mapping[str, Any], context: CallContext, decision: Decision
    ) -> Decision:
        """Let somebody be asked for each that asks, and return the first answer that is no yes."""
        assert isinstance(decision, _Asked)
        said, known = decision.of[0][1], set[str | None]()
        kept = [(who, one) for who, one in decision.each() if isinstance(who, LiveDecider)]
        if kept:  # those of the store are one question: one yes is for all of them
            first = replace(kept[0][1], reason=_reasons(kept), beside=_others(decision, kept[0][1].policy))
            said = await ask_together([who for who, _ in kept], Asked(tool, decision.made, context, first))
            if said.action not in _YES:
                return said
        for who, one in decision.each():
            if isinstance(who, LiveDecider) or (one.policy is not None and one.policy in known):
                continue  # two names of one policy: one yes is enough, and counts once
            known.add(one.policy)
            said = await who.ask(tool, decision.made, context, one)
            if said.action not in _YES:
                return said
        return _with(said, arguments, decision.made)


def _reasons(asking: Sequence[tuple[Decider, Decision]]) -> str:
    return "; ".join(dict.fromkeys(one.reason for _, one in asking if one.reason))


def _others(decision: Decision, policy: str | None) -> tuple[str, ...]:
    """Return the policies over a call but one."""
    over = dict.fromkeys((*decision.beside, *([decision.policy] if decision.policy else [])))
    return tuple(one for one in over if one != policy)


def _made(said: Decision, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the arguments of a call as a decision lets it be made."""
    if isinstance(said, _Asked):
        return said.made
    return said.arguments if said.action == "rewrite" and said.arguments is not None else arguments


def _with(said: Decision, arguments: Mapping[str, Any], made: Mapping[str, Any]) -> Decision:
    """Return a yes to a call as it is to be made."""
    return said if made == arguments else replace(said, action="rewrite", arguments=made)
