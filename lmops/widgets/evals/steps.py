"""Two runs of an agent step by step: their calls of tools, aligned, and what differs in the arguments."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from lmops.calc.trajectories import Called, align, canonical
from lmops.scorers.called import calls, expected_calls
from lmops.text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.calc.trajectories import Step

    Call = dict[str, Any]

#: steps of a case that are shown, arguments of a call, characters of one of them, and of what came back
SHOWN: Final = 200
_ARGUMENTS: Final = 40
_VALUE: Final = 600
_RESULT: Final = 2_000
_MARKS: Final = {"match": "=", "changed": "~", "missing": "-", "extra": "+", "call": ""}


def message(left: Sequence[Call] | None, right: Sequence[Call] | None) -> dict[str, Any] | None:
    """Return two runs of calls for the page, aligned; one alone where the other is unknown; None without calls.

    Args:
        left: Calls of the baseline, or those expected; None: unknown.
        right: Calls of the run that is judged; None: unknown.
    """
    if not left and not right:
        return None
    is_alone = left is None or right is None
    steps = _steps(left or [], right or [], is_alone=is_alone)
    rows = [
        {
            "kind": kind,
            "left": None if one is None else _call((left or [])[one], None if other is None else (right or [])[other]),
            "right": None if other is None else _call((right or [])[other], None if one is None else (left or [])[one]),
        }
        for kind, one, other in steps[:SHOWN]
    ]
    counts = Counter(kind for kind, _, _ in steps)
    return {"rows": rows, "counts": dict(counts), "left_out": max(len(steps) - SHOWN, 0), "is_alone": is_alone}


def words(left: Sequence[Call] | None, right: Sequence[Call] | None) -> str:
    """Return two runs of calls in a line: = the same, ~ other arguments, - only the first, + only the second."""
    if not left and not right:
        return ""
    steps = _steps(left or [], right or [], is_alone=left is None or right is None)
    names = [((right or [])[j] if j is not None else (left or [])[i or 0])["name"] for _, i, j in steps]
    told = [f"{_MARKS[kind]}{name}" for (kind, _, _), name in zip(steps, names, strict=True)]
    return plain(", ".join(told), 300)


def read(text: str | None) -> list[Call] | None:
    """Return the calls that the JSON of an answer says, with what came back; None where it says nothing."""
    try:
        found = None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list):
        return None
    told = []
    for one, given in zip(calls(found), found, strict=True):
        came = given if isinstance(given, dict) else {}
        told.append({**one, "result": came.get("result"), "error": came.get("error")})
    return told


def wanted(expected: object, metadata: object) -> list[Call] | None:
    """Return the calls that an example expects; None where it says nothing of them."""
    return expected_calls(expected, metadata)


def _steps(left: Sequence[Call], right: Sequence[Call], *, is_alone: bool) -> list[tuple[str, int | None, int | None]]:
    if is_alone:
        return [("call", at, None) for at in range(len(left))] + [("call", None, at) for at in range(len(right))]
    found: tuple[Step, ...] = align(_path(left), _path(right))
    return [(kind, one, other) for kind, one, other in found]


def _path(found: Sequence[Call]) -> list[Called]:
    return [Called(str(one["name"]), canonical(one["arguments"])) for one in found]


def _call(one: Call, other: Call | None) -> dict[str, Any]:
    arguments = one["arguments"] if isinstance(one["arguments"], dict) else {"": one["arguments"]}
    beside = other["arguments"] if other is not None and isinstance(other["arguments"], dict) else None
    return {
        "tool": plain(one["name"], 120),
        "args": [
            [plain(name, 80), _said(value, _VALUE), int(beside is not None and _differs(name, value, beside))]
            for name, value in list(arguments.items())[:_ARGUMENTS]
        ],
        "result": None if one.get("result") is None else _said(one["result"], _RESULT),
        "error": None if not one.get("error") else _said(one["error"], _RESULT),
    }


def _differs(name: object, value: object, beside: dict[Any, Any]) -> bool:
    return name not in beside or canonical([value]) != canonical([beside[name]])


def _said(value: object, most: int) -> str:
    return plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str), most)
