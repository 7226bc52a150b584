"""Whether the right tools were called, with the right arguments, in the right order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from lmops.errors import UsageError
from lmops.scorers._normalise import normalised
from lmops.scorers._records import Score
from lmops.scorers._registry import scorer_factory
from lmops.scorers.called import Call, calls, expected_calls

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Arguments = Literal["exact", "subset", "ignore"]
_MODES = ("exact", "ordered", "unordered", "subset", "superset")


@scorer_factory(range=(0, 1))
def tool_calls_match(*, arguments: Arguments = "exact", ignore_case: bool = True) -> Callable[..., Any]:
    """The F1 of the tool calls that were made against those expected, in any order.

    The expected calls are the expected value's or the metadata's ``tool_calls`` (or ``tool``): dicts with name and
    arguments. Expected none (an empty list) and made none is 1.

    Args:
        arguments: "exact", "subset" (those expected are there, others may be), or "ignore".
        ignore_case: Texts of arguments are compared without case and white space around.
    """
    same = _comparer(arguments, ignore_case=ignore_case)

    def score(tool_calls: Any = None, expected: Any = None, metadata: Any = None) -> Score:
        wanted = expected_calls(expected, metadata)
        if wanted is None:
            return Score.unmeasured(
                "no tool calls are expected or ruled out: `tool_calls` in the metadata or expected value"
            )
        made = calls(tool_calls or [])
        missing, extra = _matched(made, wanted, same)
        hits = len(wanted) - len(missing)
        total = len(made) + len(wanted)
        value = 1.0 if not total else 2 * hits / total
        return Score.of(value, rationale=_words(missing, extra), detail={"missing": missing, "extra": extra})

    return score


@scorer_factory()
def trajectory(
    mode: Literal["exact", "ordered", "unordered", "subset", "superset"] = "exact",
    *,
    arguments: Arguments = "exact",
    ignore_case: bool = True,
) -> Callable[..., Any]:
    """Whether the sequence of tool calls is the expected one.

    Args:
        mode: "exact" (the same calls in the same order), "ordered" (the expected ones in order, others between),
            "unordered" (the same calls in any order), "subset" (nothing beyond the expected), "superset" (all of the
            expected).
        arguments: As for :func:`tool_calls_match`.
        ignore_case: As for :func:`tool_calls_match`.
    """
    if mode not in _MODES:
        raise UsageError(f"trajectory({mode!r}): use one of {', '.join(_MODES)}")
    same = _comparer(arguments, ignore_case=ignore_case)

    def score(tool_calls: Any = None, expected: Any = None, metadata: Any = None) -> Score:
        wanted = expected_calls(expected, metadata)
        if wanted is None:
            return Score.unmeasured(
                "no tool calls are expected or ruled out: `tool_calls` in the metadata or expected value"
            )
        made = calls(tool_calls or [])
        missing, extra = _matched(made, wanted, same)
        in_order = _holds_in_order(made, wanted, same)
        is_right = {
            "exact": in_order and len(made) == len(wanted),
            "ordered": in_order,
            "unordered": not missing and not extra,
            "subset": not extra,
            "superset": not missing,
        }[mode]
        said = "as expected" if is_right else _words(missing, extra) if missing or extra else "in another order"
        return Score.of(is_right, rationale=said, detail={"missing": missing, "extra": extra})

    return score


@scorer_factory(higher_is_better=False)
def tool_errors() -> Callable[..., Any]:
    """The number of tool calls that failed."""

    def score(tool_calls: Any) -> Score:
        failed = [call for call in tool_calls if isinstance(call, dict) and call.get("error")]
        said = "; ".join(f"{call.get('name')}: {call['error']}" for call in failed[:3])
        return Score.of(float(len(failed)), rationale=said or "none failed")

    return score


def _comparer(arguments: str, *, ignore_case: bool) -> Callable[[Call, Call], bool]:
    if arguments not in ("exact", "subset", "ignore"):
        raise UsageError(f"arguments={arguments!r}: use 'exact', 'subset' or 'ignore'")

    def plain(value: Any) -> Any:
        if isinstance(value, str):
            return normalised(value, ignore_case=ignore_case)
        if isinstance(value, dict):
            return {key: plain(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [plain(one) for one in value]
        return value

    def same(made: Call, wanted: Call) -> bool:
        if made["name"] != wanted["name"]:
            return False
        if arguments == "ignore":
            return True
        one, other = plain(made["arguments"]), plain(wanted["arguments"])
        if arguments == "exact":
            return bool(one == other)
        return (
            isinstance(one, dict)
            and isinstance(other, dict)
            and all(key in one and one[key] == value for key, value in other.items())
        )

    return same


def _matched(made: list[Call], wanted: list[Call], same: Callable[[Call, Call], bool]) -> tuple[list[Call], list[Call]]:
    """Return (expected calls that were not made, calls made that were not expected), each call matched once."""
    extra, missing = list(made), []
    for call in wanted:
        place = next((at for at, one in enumerate(extra) if same(one, call)), None)
        if place is None:
            missing.append(call)
        else:
            del extra[place]
    return missing, extra


def _holds_in_order(made: list[Call], wanted: list[Call], same: Callable[[Call, Call], bool]) -> bool:
    left = iter(made)
    return all(any(same(one, call) for one in left) for call in wanted)


def _words(missing: list[Call], extra: list[Call]) -> str:
    parts = [f"not called: {_shown(missing)}"] if missing else []
    parts += [f"not expected: {_shown(extra)}"] if extra else []
    return "; ".join(parts) or "the expected calls"


def _shown(found: Sequence[Mapping[str, Any]]) -> str:
    texts = [f"{call['name']}({json.dumps(call['arguments'], ensure_ascii=False, default=str)})" for call in found]
    return ", ".join(texts)[:400]
