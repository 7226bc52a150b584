"""How arguments and results are read: JSON text into a mapping, by a JSON schema, and what of it does not fit."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from lmops.base.endings import Caught
from lmops.errors import UsageError
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Most characters of the arguments of one call.
MAX_ARGUMENTS: Final = 1_000_000
_MAX_ERRORS: Final = 10


class Read(NamedTuple):
    """Arguments that fit.

    Args:
        arguments: In the types of the function.
        lax: What was read in another type than the schema says, an argument each.
    """

    arguments: dict[str, Any]
    lax: tuple[str, ...]


class MisfitError(Exception):
    """Arguments or a result that do not fit.

    Args:
        problems: What does not, one each.
        of_strict: What did not fit when it was read strictly.
    """

    def __init__(self, problems: Sequence[str], *, of_strict: Sequence[str] = ()) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)
        self.of_strict = tuple(of_strict or problems)


def parsed(given: Mapping[str, Any] | str) -> tuple[dict[str, Any], bytes]:
    """Return arguments as a mapping and as JSON.

    Args:
        given: A mapping, or JSON as a model wrote it; "" is no arguments.

    Raises:
        MisfitError: It is no JSON object, says a key twice, holds what JSON cannot say, or is too long.
        UsageError: It is neither a mapping nor a text.
    """
    if isinstance(given, Mapping):
        try:
            text = orjson.dumps(dict(given))
        except (TypeError, ValueError, RecursionError) as error:
            raise MisfitError([f"the arguments are no JSON: {plain_line(str(error), 200)}"]) from error
        if len(text) > MAX_ARGUMENTS:
            raise MisfitError([f"the arguments are {len(text):,} characters long; {MAX_ARGUMENTS:,} is the most"])
        return orjson.loads(text), text
    if not isinstance(given, str):
        raise UsageError(f"arguments={plain_line(repr(given), 80)}: give a mapping, or its JSON")
    return _loaded(given)


def _loaded(text: str) -> tuple[dict[str, Any], bytes]:
    if len(text) > MAX_ARGUMENTS:
        raise MisfitError([f"the arguments are {len(text):,} characters long; {MAX_ARGUMENTS:,} is the most"])
    if not text.strip():
        return {}, b"{}"
    try:
        found = _DECODER.decode(text)
        kept = orjson.dumps(found)
    except (ValueError, TypeError, RecursionError) as error:
        raise MisfitError([f"the arguments are no JSON: {plain_line(str(error), 200)}"]) from error
    if not isinstance(found, dict):
        raise MisfitError([f'the arguments are a {type(found).__name__}, not an object such as {{"name": "value"}}'])
    return found, kept


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; one that says a key twice means different things to different readers."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{plain_line(repr(twice), 80)} is said twice")
    return found


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")


#: Made once: ``json.loads`` makes one for each call that has a hook.
_DECODER: Final = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number)


class SchemaReading:
    """Reads arguments and results by JSON schemas, where there is no function.

    Args:
        parameters: Of the arguments.
        returns: Of the result; None: anything.
    """

    def __init__(self, parameters: Mapping[str, Any], returns: Mapping[str, Any] | None) -> None:
        self._parameters = parameters
        self._returns = returns

    @functools.cached_property
    def _arguments(self) -> Any:
        return _validator(self._parameters)

    @functools.cached_property
    def _result(self) -> Any:
        return None if self._returns is None else _validator(self._returns)

    def read(self, text: str | bytes) -> Read:
        """Return arguments out of JSON.

        Raises:
            MisfitError: They do not fit.
        """
        found = orjson.loads(text)
        _refuse(self._arguments, found)
        return Read(found, ())

    def check(self, value: Any) -> Any:
        """Return a result, checked.

        Raises:
            MisfitError: It does not fit.
        """
        if self._result is not None:
            _refuse(self._result, value)
        return value


def check_schema(schema: object, what: str) -> dict[str, Any]:
    """Return a JSON schema of an object that arguments can be checked against.

    Args:
        schema: What was given.
        what: What it is of, for the message.

    Raises:
        UsageError: It is none, or refers to what is not in it.
    """
    if not isinstance(schema, Mapping):
        raise UsageError(f"{what}: a schema is a mapping, not a {type(schema).__name__}")
    found = dict(schema)
    if found.get("type", "object") != "object":
        raise UsageError(f"{what}: a schema of arguments has the type 'object', not {plain_line(found['type'], 40)!r}")
    found = {"type": "object", **found} if "type" not in found else found
    found.setdefault("properties", {})
    # Whatever a hostile schema makes of what checks it is said as what it is.
    with Caught(Exception) as caught:
        orjson.dumps(found)
        _validator_class().check_schema(found)
    if caught.error is not None:
        said = getattr(caught.error, "message", None) or str(caught.error)
        raise UsageError(f"{what}: it is no JSON schema: {plain_line(str(said), 200)}") from caught.error
    return found


def _validator_class() -> Any:
    import jsonschema

    return jsonschema.Draft202012Validator


def _validator(schema: Mapping[str, Any]) -> Any:
    """Return what checks values against a schema; nothing outside of it is ever fetched."""
    import referencing

    return _validator_class()(schema, registry=referencing.Registry())


def _refuse(validator: Any, value: Any) -> None:
    found: list[Any] = []
    # Too deep, a reference that leads nowhere, a pattern that is none: the schema is not ours.
    with Caught(Exception) as caught:
        found = sorted(validator.iter_errors(value), key=lambda one: [*map(str, one.absolute_path)])
    if isinstance(caught.error, RecursionError):
        raise MisfitError(["it is nested too deeply"]) from caught.error
    if caught.error is not None:
        raise MisfitError([f"the schema cannot be used: {plain_line(str(caught.error), 200)}"]) from caught.error
    if found:
        said = [f"{_place(one)}: {_words(one)}" for one in found[:_MAX_ERRORS]]
        more = len(found) - _MAX_ERRORS
        raise MisfitError([*said, f"and {more} more"] if more > 0 else said)


def _place(error: Any) -> str:
    return plain_line(".".join(map(str, error.absolute_path)) or "the arguments", 120)


def _words(error: Any) -> str:
    """Return what does not fit; of a wrong value not the value, which may be long."""
    if error.validator in ("required", "additionalProperties"):
        return plain_line(error.message, 200)
    return f"it does not fit {error.validator}: {plain_line(repr(error.validator_value), 120)}"
