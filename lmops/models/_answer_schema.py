"""Structured output: the schema for the endpoint, and the check of what it sent."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from lmops.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_FENCE: Final = re.compile(r"\A\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)


def response_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``response_format`` of a JSON schema; strict where the schema meets what strict asks for."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", str(schema.get("title") or "answer"))[:64]
    return {
        "type": "json_schema",
        "json_schema": {"name": name, "schema": dict(schema), "strict": _is_strict(schema)},
    }


def _is_strict(schema: object) -> bool:
    """Return whether every object names all its properties as required and allows no others."""
    if isinstance(schema, list):
        return all(_is_strict(part) for part in schema)
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object" or "properties" in schema:
        properties = schema.get("properties", {})
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(properties):
            return False
    return all(_is_strict(part) for part in schema.values())


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raise where a schema is none."""
    if not isinstance(schema, dict):
        raise UsageError(f"response_schema is a JSON schema as a dict, not {type(schema).__name__}")
    try:
        text = orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise UsageError(f"response_schema is not JSON: {error}") from None
    _validator(text)


@functools.lru_cache(maxsize=256)
def _validator(text: bytes) -> Any:
    import jsonschema
    from referencing import Registry

    schema = orjson.loads(text)
    kind = jsonschema.validators.validator_for(schema)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise UsageError(f"response_schema is no valid JSON schema: {error.message[:200]}") from None
    # An empty registry: a $ref to an address is an error and not a download.
    return kind(schema, registry=Registry())


def parse(content: str | None, schema: Mapping[str, Any]) -> tuple[Any, str | None]:
    """Return the object that a text holds and None, or None and what is wrong with it.

    >>> parse('{"n": 1}', {"required": ["n"]}), parse('{}', {"required": ["n"]})[1]
    (({'n': 1}, None), "'n' is a required property (at $)")
    """
    from jsonschema.exceptions import best_match
    from referencing.exceptions import Unresolvable

    text = content or ""
    fenced = _FENCE.match(text)
    try:
        value = orjson.loads(fenced.group(1) if fenced else text)
    except orjson.JSONDecodeError as error:
        return None, f"it is not JSON ({error})"
    validator = _validator(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS))
    try:
        problem = best_match(validator.iter_errors(value))
    except Unresolvable as error:
        return None, f"the schema refers to something that is not in it: {error}"
    if problem is not None:
        return None, f"{problem.message[:200]} (at {problem.json_path})"
    return value, None
