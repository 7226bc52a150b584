"""One decision: the rules of a policy, read once, asked of each call. Deny wins over ask, ask over allow.

A no and a question read names and values folded and hold where something is not known; a yes holds only for what is
exactly as it says.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.tools.contract import Decision
from lmops.tools.policies.conditions import ABSENT, alike, asked_of, both, folded, path_of, values_at
from lmops.tools.policies.provenance import origins, sources_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lmops.tools.contract import CallContext, ToolVersion
    from lmops.tools.policies.conditions import Truth
    from lmops.tools.policies.provenance import Source
    from lmops.tools.policies.rules import ToolPolicy, ToolRule

#: Of so many names of tools the rules that are for them are kept.
_KEPT: Final = 2_000
_STRICT: Final = ("deny", "ask")


class Facts:
    """What rules may ask of one call; what takes long is found out when the first of them asks.

    Args:
        tool: Which.
        arguments: With what.
        context: What is known beside.
    """

    __slots__ = ("_origins", "_sources", "arguments", "context", "tool")

    def __init__(self, tool: ToolVersion, arguments: Mapping[str, Any], context: CallContext) -> None:
        self.tool = tool
        self.arguments = arguments
        self.context = context
        self._sources: dict[Source, list[str]] | None = None
        self._origins: dict[Source, list[str]] | None = None

    @property
    def sources(self) -> Mapping[Source, Sequence[str]]:
        """By who said them the texts of the conversation."""
        if self._sources is None:
            self._sources = sources_of(self.context.messages, self.context.more)
        return self._sources

    @property
    def origins(self) -> Mapping[Source, Sequence[str]]:
        """By who said them the stretches of the arguments."""
        if self._origins is None:
            self._origins = origins(self.arguments, self.sources)
        return self._origins


class Compiled:
    """A policy that decides.

    Args:
        policy: Its version.
    """

    def __init__(self, policy: ToolPolicy) -> None:
        self.policy = policy
        self._rules = [_Rule(one, policy.ref) for one in policy.rules]
        words = f"no rule of {policy.ref} lets this call pass"
        self._default = Decision(action=policy.default, reason=words, policy=policy.ref)
        self._of: dict[str, dict[str, tuple[_Rule, ...]]] = {}

    def decide(self, tool: ToolVersion, arguments: Mapping[str, Any], context: CallContext) -> Decision:
        """Return what is decided on a call; without waiting, and without the disk."""
        rules = self._of.get(tool.name) or self._for(tool.name)
        facts = Facts(tool, arguments, context)
        strict = self._stopped(rules, facts)
        if strict is not None:
            return strict
        for rule in rules["rewrite"]:
            if rule.holds(facts) is True:
                return self._rewritten(rule, rules, facts)
        for rule in rules["allow"]:
            if rule.holds(facts) is True:
                return rule.decision
        return self._default

    def _stopped(self, rules: Mapping[str, Sequence[_Rule]], facts: Facts) -> Decision | None:
        """Return the decision of the first rule that says no, else of the first that asks."""
        for action in _STRICT:
            for rule in rules[action]:
                holds = rule.holds(facts)
                if holds:
                    return rule.decision
                if holds is None:
                    return replace(rule.decision, reason=f"{rule.decision.reason} ({rule.unknown(facts)})")
        return None

    def _rewritten(self, rule: _Rule, rules: Mapping[str, Sequence[_Rule]], facts: Facts) -> Decision:
        """Return a rewrite, unless what comes of it is stopped itself."""
        try:
            made = rule.written(facts.arguments)
        except UsageError as error:
            return replace(rule.decision, action="deny", reason=str(error))
        stopped = self._stopped(rules, Facts(facts.tool, made, facts.context))
        return stopped or replace(rule.decision, arguments=made)

    def _for(self, name: str) -> dict[str, tuple[_Rule, ...]]:
        """Return the rules for a tool, by what they do."""
        found = {
            action: tuple(rule for rule in self._rules if rule.said.action == action and rule.is_for(name))
            for action in ("deny", "ask", "rewrite", "allow")
        }
        if len(self._of) < _KEPT:
            self._of[name] = found
        return found


class _Rule:
    """A rule that can be asked."""

    def __init__(self, said: ToolRule, ref: str) -> None:
        self.said = said
        words = said.reason or f"rule {said.name!r} of {ref}"
        self.decision = Decision(action=said.action, rule=said.name, reason=words, policy=ref)
        self._is_strict = said.action in _STRICT
        self._tools = [_pattern(self._read(one)) for one in said.tools]
        self._roles = [_pattern(self._read(one)) for one in said.role]
        self._tests = [(path, path_of(path), asked_of(test)) for path, test in said.when.items()]
        self._counts = [(_COUNTS[name], asked_of(test)) for name, test in said.counts.items()]
        self._known: dict[str, bool] = {}
        self._is_plain = not (said.role or said.said_by or said.after or said.counts)

    def is_for(self, tool: str) -> bool:
        """Return whether a tool is one of its own."""
        name = self._read(tool)
        return any(one(name) is not None for one in self._tools)

    def holds(self, facts: Facts) -> Truth:
        """Return whether it holds of a call: true, false, or not known."""
        found: Truth = True if self._is_plain else both(self._others(facts))
        if found is False:
            return False
        for _, steps, test in self._tests:
            values = _values(facts, steps)
            truth = test(values[0]) if len(values) == 1 else alike([test(value) for value in values])
            if truth is False:
                return False
            if truth is None:
                found = None
        return found

    def unknown(self, facts: Facts) -> str:
        """Return why it is not known whether it holds, in words."""
        for path, steps, test in self._tests:
            values = _values(facts, steps)
            if alike([test(value) for value in values]) is None:
                is_there = all(value is not ABSENT for value in values)
                return f"{path} {'cannot be held against it' if is_there else 'is not there'}"
        return "a number that it asks for is not known"

    def written(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return arguments with what the rule sets.

        Raises:
            UsageError: There is no such place in them.
        """
        made: dict[str, Any] = dict(arguments)
        for path, value in self.said.values.items():
            made = _with(made, path_of(path), value, path)
        return made

    def _others(self, facts: Facts) -> Iterator[Truth]:
        context, said = facts.context, self.said
        if said.role:
            # who does not say who he is may be anybody
            yield None if context.role is None else self._is_role(context.role)
        for read, test in self._counts:
            yield test(read(facts))
        if said.after:
            yield any(facts.sources.get(who) for who in said.after)
        if said.said_by:
            yield any(who in facts.origins for who in said.said_by)

    def _is_role(self, role: str) -> bool:
        known = self._known.get(role)
        if known is None:
            known = any(one(self._read(role)) is not None for one in self._roles)
            if len(self._known) < _KEPT:
                self._known[role] = known
        return known

    def _read(self, name: str) -> str:
        return folded(name) if self._is_strict else name


def _pattern(glob: str) -> Callable[[str], object]:
    return re.compile(fnmatch.translate(glob)).match


def _values(facts: Facts, steps: Sequence[str | int | None]) -> list[Any]:
    """Return the values at a path; of one that is left out what its schema says is meant then."""
    step = steps[0]
    if len(steps) == 1 and isinstance(step, str):
        value = facts.arguments.get(step, ABSENT)
        return [_usual(facts, step) if value is ABSENT else value]
    return values_at(facts.arguments, tuple(steps))


def _usual(facts: Facts, name: str) -> Any:
    properties = facts.tool.parameters.get("properties")
    schema = properties.get(name) if isinstance(properties, dict) else None
    return schema.get("default", ABSENT) if isinstance(schema, dict) else ABSENT


def _with(value: Any, steps: Sequence[str | int | None], new: Any, path: str) -> Any:
    if not steps:
        return new
    step, rest = steps[0], steps[1:]
    if isinstance(step, str) and isinstance(value, dict) and (step in value or not rest):
        return {**value, step: _with(value.get(step), rest, new, path)}
    if isinstance(step, int) and isinstance(value, list) and step < len(value):
        return [*value[:step], _with(value[step], rest, new, path), *value[step + 1 :]]
    raise UsageError(f"the arguments have no place {path} that could be set")


def _calls(facts: Facts) -> int:
    return facts.context.calls.get(facts.tool.name, 0)


def _run_calls(facts: Facts) -> int:
    return sum(facts.context.calls.values())


_COUNTS: Final[Mapping[str, Callable[[Facts], Any]]] = {
    "calls": _calls,
    "run_calls": _run_calls,
    # without a limit there is always more than anybody asks for
    "calls_left": lambda facts: _left(facts.context.calls_left),
    "usd_left": lambda facts: _left(facts.context.usd_left),
}
_MUCH: Final = 10.0**300


def _left(given: float | None) -> float:
    return _MUCH if given is None else given
