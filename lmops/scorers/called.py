"""Calls of tools in one form, out of what tasks and examples say of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

Call = dict[str, Any]


def expected_calls(expected: Any, metadata: Any) -> list[Call] | None:
    """Return the calls that should have been made; None when nothing says so."""
    for place in (expected, metadata):
        if isinstance(place, dict):
            for key in ("expected_tool_calls", "tool_calls", "tool"):
                if key in place and (
                    place is expected or key != "tool_calls" or place.get("expected_tool_calls") is None
                ):
                    found = place[key]
                    return [] if found is None else calls(found if isinstance(found, list) else [found])
    if isinstance(expected, list) and all(isinstance(one, dict) and "name" in one for one in expected):
        return calls(expected)
    return None


def calls(given: Sequence[Any]) -> list[Call]:
    """Return tool calls as name and arguments, arguments that are JSON text parsed; OpenAI's nesting is undone."""
    found = []
    for one in given:
        if isinstance(one, str):
            found.append({"name": one, "arguments": {}})
            continue
        inner = one.get("function") if isinstance(one.get("function"), dict) else one
        arguments = inner.get("arguments", inner.get("args", {}))
        if isinstance(arguments, str):
            try:
                arguments = json.loads(arguments or "{}")
            except ValueError:
                arguments = {"(not JSON)": arguments}
        found.append({"name": inner.get("name"), "arguments": {} if arguments is None else arguments})
    return found
