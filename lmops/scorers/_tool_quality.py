"""How good an agent's calls of tools were: which, with which arguments, in circles, and what they left behind."""

from __future__ import annotations

import json
from collections import Counter
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, Literal

from lmops.base.units import money
from lmops.calc.trajectories import Called, canonical, kept_in_order
from lmops.calc.trajectories import loops as loops_of
from lmops.errors import UsageError
from lmops.scorers._normalise import normalised
from lmops.scorers._records import Score
from lmops.scorers._registry import scorer_factory
from lmops.scorers.called import Call, calls, expected_calls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

How = Literal["exact", "normalised", "ignored"]
_HOWS: Final = ("exact", "normalised", "ignored")
_NOTHING: Final = "no tool calls are expected or ruled out: `tool_calls` in the metadata or expected value"


@scorer_factory(range=(0, 1))
def tool_selection(*, order: bool = False, read_only: Sequence[str] = ()) -> Callable[..., Any]:
    """The F1 of the tools that were called against those expected, arguments aside.

    Detail: precision, recall, missing, extra, look_ups. Expected none (an empty list) and called none is 1.

    Args:
        order: They have to come in the expected order: what counts is the longest common subsequence.
        read_only: Names or patterns ("get_*") of tools that change nothing: calls of them beyond the expected are cost
            and no error.
    """

    def score(tool_calls: Any = None, expected: Any = None, metadata: Any = None) -> Score:
        wanted = expected_calls(expected, metadata)
        if wanted is None:
            return Score.unmeasured(_NOTHING)
        names, needed = _names(calls(tool_calls or [])), _names(wanted)
        hits = kept_in_order(names, needed) if order else (Counter(names) & Counter(needed)).total()
        extra = Counter(names) - Counter(needed)
        look_ups = {name: n for name, n in extra.items() if _is_any(name, read_only)}
        counted = len(names) - sum(look_ups.values())
        missing = Counter(needed) - Counter(names)
        wrong = {name: n for name, n in extra.items() if name not in look_ups}
        value = 1.0 if not counted + len(needed) else 2 * hits / (counted + len(needed))
        return Score.of(
            value,
            rationale=_said(("not called", missing), ("not expected", wrong), ("looked up besides", look_ups))
            or ("as expected" if value >= 1 else "in another order"),
            detail={
                "precision": hits / counted if counted else None,
                "recall": hits / len(needed) if needed else None,
                "missing": dict(missing),
                "extra": wrong,
                "look_ups": look_ups,
            },
        )

    return score


@scorer_factory(range=(0, 1))
def tool_args(*, how: How = "exact", rules: Mapping[str, Any] | None = None) -> Callable[..., Any]:
    """The share of the expected arguments that are right, over the expected calls whose tool was called.

    A call is compared with the one of the same tool whose arguments fit best; each is used once. Detail: arguments,
    wrong (with what was expected and what was given). Unmeasured where no expected tool was called: that is
    ``tool_selection``'s.

    Args:
        how: How arguments are compared that no rule names: "exact" (2 and 2.0 are equal, "2" is not), "normalised"
            (numbers by value, texts without case and white space around), "ignored".
        rules: By "tool.argument" or "argument": one of these, or a list of the values that are right.
    """
    named = dict(rules or {})
    for name, rule in (("how", how), *named.items()):
        if not isinstance(rule, list | tuple) and rule not in _HOWS:
            raise UsageError(f"tool_args({name}={rule!r}): give one of {', '.join(_HOWS)}, or a list of right values")

    def score(tool_calls: Any = None, expected: Any = None, metadata: Any = None) -> Score:
        wanted = expected_calls(expected, metadata)
        if wanted is None:
            return Score.unmeasured(_NOTHING)
        made = calls(tool_calls or [])
        told = [one for pair in _paired(made, wanted, how, named) for one in pair]
        if not told:
            return Score.unmeasured("no expected tool with arguments to compare was called")
        wrong = [one for one in told if not one["is_right"]]
        words = [f"{one['argument']}: {_short(one['given'])} for {_short(one['expected'])}" for one in wrong[:5]]
        return Score.of(
            1 - len(wrong) / len(told),
            rationale="; ".join(words) or "every argument is right",
            detail={"arguments": len(told), "wrong": [{k: one[k] for k in _SHOWN} for one in wrong]},
        )

    return score


_SHOWN: Final = ("argument", "expected", "given")


@scorer_factory()
def tool_state(*, ignore: Sequence[str] = (), partial: bool = False) -> Callable[..., Any]:
    """Whether the run left the world as it should: the state after it, compared as JSON.

    The state is the output's ``state``; the expected one the expected value's or the metadata's ``state``. Unmeasured
    where either is missing.

    Args:
        ignore: Paths that do not matter, such as "orders.*.updated_at".
        partial: What is expected has to be there; other things may be.
    """

    def score(output: Any = None, expected: Any = None, metadata: Any = None) -> Score:
        wanted = _state(expected, metadata)
        if wanted is None:
            return Score.unmeasured("no state is expected: `state` in the expected value or the metadata")
        found = _state(output)
        if found is None:
            return Score.unmeasured("the output has no `state`: the task returns {'answer': ..., 'state': ...}")
        left, right = (dict(_leaves(one, ignore)) for one in (wanted, found))
        names = left if partial else {**left, **right}
        differ = [name for name in names if left.get(name) != right.get(name)]
        words = [f"{name or 'state'}: {right.get(name, 'nothing')} for {left.get(name, 'nothing')}" for name in differ]
        return Score.of(
            not differ, rationale="; ".join(words[:5])[:600] or "as it should be", detail={"differ": differ[:50]}
        )

    return score


@scorer_factory()
def no_forbidden_tool(*, tools: Sequence[str] = ()) -> Callable[..., Any]:
    """Whether no tool was called, or tried to be, that must not be.

    Args:
        tools: Names or patterns ("delete_*") of what is forbidden; the metadata's ``forbidden_tools`` are beside them.
    """

    def score(tool_calls: Any, metadata: Any = None) -> Score:
        more = (metadata or {}).get("forbidden_tools") if isinstance(metadata, dict) else None
        forbidden = [*tools, *([more] if isinstance(more, str) else more or [])]
        if not forbidden:
            return Score.unmeasured("nothing is forbidden: tools=[...], or `forbidden_tools` in the metadata")
        found = Counter(name for name in _names(calls(tool_calls)) if _is_any(name, forbidden))
        return Score.of(not found, rationale=_said(("called", found)) or "none was called", detail={"called": found})

    return score


@scorer_factory(higher_is_better=False)
def tool_loops(*, same: int = 3, cycle: int = 4, stale: int = 5) -> Callable[..., Any]:
    """The number of circles in which calls of tools went; 0: the run got on.

    Args:
        same: The same call so often is one; 0: do not look.
        cycle: Up to so many calls that come twice in a row are one; 0: do not look.
        stale: So many calls in a row without a new result are one; 0: do not look.
    """
    loops_of((), same=same, cycle=cycle, stale=stale)

    def score(tool_calls: Any) -> Score:
        found = loops_of(_path(tool_calls), same=same, cycle=cycle, stale=stale)
        return Score.of(
            float(len(found)),
            rationale="; ".join(one.text for one in found) or "none",
            detail={"loops": [one.text for one in found]},
        )

    return score


@scorer_factory(higher_is_better=False, range=(0, None))
def tool_steps() -> Callable[..., Any]:
    """How many calls of tools were made for each of the shortest known way; 1: no more than it needs.

    The shortest is the metadata's ``shortest_calls`` (a number), else the number of expected calls.
    """

    def score(tool_calls: Any, expected: Any = None, metadata: Any = None) -> Score:
        known = metadata.get("shortest_calls") if isinstance(metadata, dict) else None
        wanted = expected_calls(expected, metadata)
        least = known if isinstance(known, int) and not isinstance(known, bool) else wanted and len(wanted)
        if not least or least < 1:
            return Score.unmeasured("no way is known: `shortest_calls` in the metadata, or expected tool calls")
        made = len(calls(tool_calls))
        return Score.of(made / least, rationale=f"{made} calls, {least} would do", detail={"calls": made})

    return score


@scorer_factory(higher_is_better=False, range=(0, None))
def tool_cost() -> Callable[..., Any]:
    """What was spent for each dollar of the cheapest known way; 1: no more than it needs.

    The cheapest is the metadata's ``cheapest_usd``; unmeasured where that, or what was spent, is not known.
    """

    def score(cost_usd: Any, metadata: Any = None) -> Score:
        known = metadata.get("cheapest_usd") if isinstance(metadata, dict) else None
        if not isinstance(known, int | float) or isinstance(known, bool) or not known > 0:
            return Score.unmeasured("no way is known: `cheapest_usd` in the metadata, US dollars above 0")
        return Score.of(float(cost_usd) / known, rationale=f"{money(cost_usd)}, {money(known)} would do")

    return score


def _path(tool_calls: Any) -> list[Called]:
    """Return calls with what came back, as far as it is known."""
    found = []
    for one, given in zip(calls(tool_calls), tool_calls, strict=True):
        came = given.get("error") or given.get("result") if isinstance(given, dict) else None
        found.append(Called(str(one["name"]), canonical(one["arguments"]), None if came is None else canonical(came)))
    return found


def _names(found: Iterable[Call]) -> list[str]:
    return [str(one["name"]) for one in found]


def _is_any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name.casefold(), str(pattern).casefold()) for pattern in patterns)


def _said(*parts: tuple[str, Mapping[str, int]]) -> str:
    told = [
        f"{what}: {', '.join(name if n == 1 else f'{name} x{n}' for name, n in counted.items())}"
        for what, counted in parts
        if counted
    ]
    return "; ".join(told)[:600]


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)[:80]


def _state(*places: Any) -> Any:
    return next((place["state"] for place in places if isinstance(place, dict) and "state" in place), None)


def _leaves(value: Any, ignore: Sequence[str], path: str = "") -> Iterable[tuple[str, str]]:
    """Yield (path, canonical text) of what a state is made of, an empty object or list as itself."""
    if path and _is_any(path, ignore):
        return
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from _leaves(one, ignore, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for at, one in enumerate(value):
            yield from _leaves(one, ignore, f"{path}.{at}" if path else str(at))
    else:
        yield path, _short(value) if isinstance(value, str) else canonical(value)


def _paired(
    made: Sequence[Call], wanted: Sequence[Call], how: str, rules: Mapping[str, Any]
) -> Iterable[list[dict[str, Any]]]:
    """Yield how the arguments of each expected call compare, with the best call of its tool that is left."""
    left = list(made)
    for call in wanted:
        compared = [(one, _compared(one, call, how, rules)) for one in left if one["name"] == call["name"]]
        if compared:
            best, told = max(compared, key=lambda pair: sum(one["is_right"] for one in pair[1]) - len(pair[1]))
            left = [one for one in left if one is not best]
            yield told


def _compared(made: Call, wanted: Call, how: str, rules: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = made["arguments"] if isinstance(made["arguments"], dict) else {}
    needed = wanted["arguments"] if isinstance(wanted["arguments"], dict) else {}
    told = []
    for name in {**needed, **given}:
        rule = rules.get(f"{wanted['name']}.{name}", rules.get(name, how))
        if rule == "ignored":
            continue
        here, there = given.get(name, _ABSENT), needed.get(name, _ABSENT)
        if isinstance(rule, list | tuple):
            is_right = here is not _ABSENT and any(_is_equal(here, one, "normalised") for one in rule)
        else:
            is_right = _is_equal(here, there, rule)
        shown = {"expected": None if there is _ABSENT else there, "given": None if here is _ABSENT else here}
        told.append({"argument": f"{wanted['name']}.{name}", "is_right": is_right, **shown})
    return told


_ABSENT: Final = object()


def _is_equal(one: Any, other: Any, how: str) -> bool:
    if one is _ABSENT or other is _ABSENT:
        return one is other
    if how == "normalised":
        return canonical([_plain(one)]) == canonical([_plain(other)])
    return canonical([one]) == canonical([other])


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        text = normalised(value)
        try:
            return float(text) if text.replace(".", "", 1).lstrip("-").isdigit() else text
        except ValueError:
            return text
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
