"""What a rule of a policy can say, and the policy as a record: ordered rules, and what happens where none holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from lmops.errors import UsageError, did_you_mean
from lmops.records import Version, check_words
from lmops.text import plain_line
from lmops.tools.contract import Action
from lmops.tools.policies.conditions import checked_test, kind_of, path_of
from lmops.tools.policies.provenance import SOURCES, Source

ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
DEFAULTS: Final = ("deny", "ask", "allow")

COUNTS: Final = ("calls", "run_calls", "calls_left", "usd_left")
#: What a rule may say beside its action.
PARTS: Final = ("name", "role", "when", "from", "after", *COUNTS, "set", "reason")
#: What a policy may say.
SAID: Final = ("rules", "default", "ask_timeout_s", "ask_expires_s")
_ORDERS: Final = ("=", "!=", "<", "<=", ">", ">=")
ASK_EXPIRES_S: Final = 86_400.0
_MOST_RULES: Final = 500
_MOST_WAIT_S: Final = 600.0
_MOST_EXPIRES_S: Final = 90 * 86_400.0
_EXAMPLE: Final = "{'deny': 'refund', 'when': {'$.amount': {'>': 100}}, 'name': 'big refunds'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRule:
    """One rule: what happens to which calls.

    Args:
        name: In its policy.
        action: deny, ask, allow, or rewrite.
        tools: Names, or patterns of names such as ``search_*``.
        role: Of these callers; empty: of all.
        when: By JSON path what the argument there is asked.
        said_by: Only where a stretch of the arguments was said by one of them.
        after: Only once the conversation holds anything of one of them.
        counts: By calls (of the tool), run_calls, calls_left or usd_left what the number is asked.
        values: Of rewrite the arguments that are set, by JSON path.
        reason: Why, for the model.
    """

    name: str
    action: Action
    tools: tuple[str, ...]
    role: tuple[str, ...] = ()
    when: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    said_by: tuple[Source, ...] = ()
    after: tuple[Source, ...] = ()
    counts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None

    def said(self) -> dict[str, Any]:
        """Return the rule as somebody says it, in Python and in files."""
        tools: Any = self.tools[0] if len(self.tools) == 1 else list(self.tools)
        told = {
            "role": list(self.role),
            "when": {path: _short(test) for path, test in self.when.items()},
            "from": list(self.said_by),
            "after": list(self.after),
            **{name: dict(test) for name, test in self.counts.items()},
            "set": dict(self.values),
            "reason": self.reason,
        }
        return {self.action: tools, "name": self.name, **{name: one for name, one in told.items() if one}}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolPolicy(Version):
    """One version of a policy of tools: deny wins over ask, ask over allow, whatever their order.

    Args:
        rules: The first of each action that holds names the decision.
        default: What happens where none holds.
        ask_timeout_s: Seconds that a call waits for somebody's yes before the agent is told that it needs one.
        ask_expires_s: Seconds after which nobody can say yes any more.
    """

    rules: tuple[ToolRule, ...]
    default: Action = "deny"
    ask_timeout_s: float = 0.0
    ask_expires_s: float = ASK_EXPIRES_S


def body_of(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a policy out of what somebody said, each part checked by itself.

    Args:
        said: rules, default, ask_timeout_s, ask_expires_s.

    Raises:
        UsageError: A part cannot be used; the message names the rule.
    """
    for name in said:
        if name not in SAID:
            raise UsageError(did_you_mean("part of a policy", plain_line(name, 60), SAID))
    given = said.get("rules") or ()
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence):
        raise UsageError(f"rules: give a list of rules: [{_EXAMPLE}]")
    if len(given) > _MOST_RULES:
        raise UsageError(f"rules: {len(given):,} are given; the most is {_MOST_RULES}")
    rules: list[dict[str, Any]] = []
    for place, one in enumerate(given):
        try:
            rule = rule_of(one)
        except UsageError as error:
            raise UsageError(f"rules[{place}]: {error}") from error
        if rule.name in {other["name"] for other in rules}:
            raise UsageError(
                f"rules[{place}]: two rules are called {rule.name!r}: give one of them another name=; decisions say it"
            )
        rules.append(rule.said())
    default = said.get("default") or "deny"
    if default not in DEFAULTS:
        raise UsageError(f"default: {did_you_mean('action', plain_line(default, 60), DEFAULTS)}")
    return {
        "rules": rules,
        "default": default,
        "ask_timeout_s": _seconds(said.get("ask_timeout_s"), "ask_timeout_s", least=0.0, most=_MOST_WAIT_S, usual=0.0),
        "ask_expires_s": _seconds(
            said.get("ask_expires_s"), "ask_expires_s", least=1.0, most=_MOST_EXPIRES_S, usual=ASK_EXPIRES_S
        ),
    }


def rule_of(said: object) -> ToolRule:
    """Return a rule out of what somebody said.

    Raises:
        UsageError: It is none.
    """
    if not isinstance(said, Mapping):
        raise UsageError(f"a rule is a mapping: {_EXAMPLE}, not {plain_line(repr(said), 80)}")
    actions = [name for name in ACTIONS if name in said]
    if len(actions) != 1:
        raise UsageError(f"say one of {', '.join(ACTIONS)} with the tools that it is for: {_EXAMPLE}")
    action = actions[0]
    for name in said:
        if name not in (action, *PARTS):
            raise UsageError(did_you_mean("part of a rule", plain_line(name, 60), (*ACTIONS, *PARTS)))
    tools = _names(said[action], action)
    values = said.get("set") or {}
    if bool(values) != (action == "rewrite"):
        raise UsageError("rewrite needs set={'$.amount': 100}, and no other action has it")
    return ToolRule(
        name=_name(said.get("name"), f"{action} {', '.join(tools)}"[:200]),
        action=action,
        tools=tools,
        role=_names(said["role"], "role") if said.get("role") else (),
        when=_when(said.get("when") or {}),
        said_by=_sources(said.get("from"), "from"),
        after=_sources(said.get("after"), "after"),
        counts={name: _count(said[name], name) for name in COUNTS if said.get(name) is not None},
        values=_values(values),
        reason=check_words(said.get("reason"), "reason", limit=1_000),
    )


def _short(test: Mapping[str, Any]) -> Any:
    return test["="] if list(test) == ["="] else dict(test)


def _name(given: object, usual: str) -> str:
    name = usual if given is None else check_words(given, "name of a rule", limit=200)
    if not name or plain_line(name, 200) != name:
        raise UsageError(f"{plain_line(repr(given), 80)} is no name of a rule: give a short line of words")
    return name


def _names(given: object, what: str) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, list | tuple) else ()
    if not names or not all(isinstance(one, str) and 0 < len(one) <= 200 and one == one.strip() for one in names):
        raise UsageError(f"{what}: give a name, or a list of names, not {plain_line(repr(given), 80)}")
    return names


def _when(given: object) -> dict[str, dict[str, Any]]:
    if not isinstance(given, Mapping):
        raise UsageError("when: give a mapping of paths: {'$.amount': {'>': 100}}")
    found = {}
    for path, test in given.items():
        path_of(path)
        try:
            found[str(path)] = checked_test(test)
        except UsageError as error:
            raise UsageError(f"when: {plain_line(path, 80)}: {error}") from error
    return found


def _sources(given: object, what: str) -> tuple[Source, ...]:
    found = []
    for one in _names(given, what) if given else ():
        if one not in SOURCES:
            raise UsageError(f"{what}: {did_you_mean('source', plain_line(one, 60), SOURCES)}")
        found.append(one)
    return tuple(found)


def _count(given: object, what: str) -> dict[str, Any]:
    test = checked_test(given)
    for operator, against in test.items():
        if operator not in _ORDERS or kind_of(against) != "number":
            raise UsageError(f"{what}: give a comparison with a number: {{'>=': 3}}")
    return test


def _values(given: object) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise UsageError("set: give a mapping of paths to values: {'$.amount': 100}")
    for path in given:
        if None in path_of(path):
            raise UsageError(f"set: {plain_line(path, 80)}: name one place, not [*]")
    return {str(path): value for path, value in given.items()}


def _seconds(given: object, what: str, *, least: float, most: float, usual: float) -> float:
    if given is None:
        return usual
    if isinstance(given, bool) or not isinstance(given, int | float) or not least <= given <= most:
        raise UsageError(f"{what}={plain_line(repr(given), 60)}: give {least:g} to {most:g} seconds")
    return float(given)
