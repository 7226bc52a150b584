"""JSON held against a schema; what is wrong is said by the schema's words and never by those of the text."""

from __future__ import annotations

import functools
import json
import re
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping

_FENCE: Final = re.compile(r"\s*```[\w-]*\s*\n(.*?)\n?\s*```\s*", re.DOTALL)
_MOST: Final = 5


def check_schema(where: str, schema: Any) -> None:
    """Refuse what is no JSON schema.

    Args:
        where: Whose it is, for the message.
        schema: As it was given.

    Raises:
        UsageError: It is none.
    """
    if not isinstance(schema, dict):
        raise UsageError(f"{where}: a JSON schema is a dict, not {type(schema).__name__}")
    try:
        _validator(json.dumps(schema, sort_keys=True))
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where}: this is no JSON schema: {plain_line(error, 200)}") from error


def parsed(text: str) -> Any:
    """Return the JSON that a text is, or that stands in its one fence of code.

    Raises:
        ValueError: It is none, or nested too deeply.
    """
    fenced = _FENCE.fullmatch(text) if "```" in text else None
    try:
        return json.loads(fenced[1] if fenced else text, parse_constant=_refused)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def problems(value: Any, schema: Mapping[str, Any]) -> list[str]:
    """Return what of a schema a value does not keep, at most five: "properties/amount/maximum"."""
    from referencing.exceptions import Unresolvable

    found: list[str] = []
    try:
        for error in _validator(json.dumps(schema, sort_keys=True)).iter_errors(value):
            found.append(plain_line("/".join(map(str, error.absolute_schema_path)), 120))
            if len(found) == _MOST:
                break
    except RecursionError:
        found.append("it is nested too deeply")
    except Unresolvable:
        raise UsageError("the schema refers to something that is not in it") from None
    return sorted(found)


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


@functools.lru_cache(maxsize=128)
def _validator(text: str) -> Any:
    from jsonschema import exceptions, validators
    from referencing import Registry

    schema = json.loads(text)
    kind = validators.validator_for(schema, default=validators.Draft202012Validator)
    try:
        kind.check_schema(schema)
    except exceptions.SchemaError as error:
        raise ValueError(error.message) from None
    # nothing outside of the schema: a reference to an address is an error and no download
    return kind(schema, registry=Registry())
