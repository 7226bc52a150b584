"""Outputs that have to be JSON of a certain form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmops.guardrails.contract import Finding, Given, rail
from lmops.guardrails.rails._valid import check_schema, parsed, problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def check(schema: Mapping[str, Any]) -> None:
    """Refuse what is no JSON schema."""
    check_schema("json_schema", schema)


@rail(stages=("output", "tool_result"), action="block", check=check)
def json_schema(given: Given, *, schema: Mapping[str, Any]) -> Iterator[Finding]:
    """Texts that are not JSON, or not of the form that a schema says; one fence of code around it is fine.

    Args:
        given: What is read.
        schema: The JSON schema.
    """
    try:
        value = parsed(given.text)
    except ValueError:
        yield Finding(0, len(given.text), "json", note="it is not JSON")
        return
    for problem in problems(value, schema):
        yield Finding(0, len(given.text), "schema", note=problem)
