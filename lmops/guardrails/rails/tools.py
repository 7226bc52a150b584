"""Calls of tools: only of those that are allowed, with arguments of the form that they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmops.errors import UsageError
from lmops.guardrails.contract import Finding, Given, rail
from lmops.guardrails.rails._valid import check_schema, parsed, problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def check(allow: Sequence[str], schemas: Mapping[str, Mapping[str, Any]] | None = None) -> None:
    """Refuse what is no list of tools, and a schema of a tool that is not allowed anyway."""
    if isinstance(allow, str) or not all(isinstance(one, str) for one in allow):
        raise UsageError(f"tools: allow={allow!r:.80}: give a list of names")
    for name, schema in (schemas or {}).items():
        if name not in allow:
            raise UsageError(
                f"tools: there is a schema of {name!r}, which is not allowed: {', '.join(allow) or 'none'}"
            )
        check_schema(f"tools: schemas[{name!r}]", schema)


@rail(stages=("tool_call",), action="block", check=check)
def tools(
    given: Given, *, allow: Sequence[str], schemas: Mapping[str, Mapping[str, Any]] | None = None
) -> Iterator[Finding]:
    """Calls of tools that are not allowed, or with arguments that are not of their form.

    The context says ``tool`` and ``arguments``, a dict or JSON; without arguments there the text is read as them.

    Args:
        given: What is read.
        allow: Names of tools.
        schemas: JSON schemas of arguments by the name of the tool; of others any arguments will do.
    """
    name = given.context.get("tool")
    if not isinstance(name, str):
        raise UsageError("tools: say which tool is called: context={'tool': ..., 'arguments': ...}")
    if name not in allow:
        yield Finding(0, len(given.text), "tool", note="it is not one of those that are allowed")
        return
    schema = (schemas or {}).get(name)
    if schema is None:
        return
    arguments: Any = given.context.get("arguments", given.text or "{}")
    try:
        value = parsed(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        yield Finding(0, len(given.text), "arguments", note="they are not JSON")
        return
    for problem in problems(value, schema):
        yield Finding(0, len(given.text), "arguments", note=problem)
