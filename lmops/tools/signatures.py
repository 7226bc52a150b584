"""What a model is told of a function: a JSON schema of its arguments and of its result, and how they are read.

Annotations and defaults are read as pydantic reads them; descriptions of arguments come from
``Annotated[..., Field(description=...)]``, else from the docstring.
"""

from __future__ import annotations

import contextlib
import inspect
import typing
import warnings
from typing import TYPE_CHECKING, Annotated, Any, Final

from lmops.errors import UsageError
from lmops.text import plain_line
from lmops.tools.docstrings import documented
from lmops.tools.validating import MisfitError, Read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import TypeAdapter, ValidationError

_OPEN: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_MAX_ERRORS: Final = 10


class Signature:
    """The arguments and the result of a function.

    Args:
        function: The function; a method is bound.
        name: Of the tool, for messages.

    Raises:
        UsageError: It takes any number of arguments, an annotation cannot be read, or JSON cannot say one.
    """

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        from pydantic import ValidationError

        self._name = name
        self._wrong = ValidationError
        said = documented(inspect.getdoc(function))
        parameters = _parameters(function, name)
        hints = _hints(function, name)
        self.description = said.summary or plain_line(name.replace("_", " "), 200)
        self._arguments = _reading(name, parameters, hints, said.arguments)
        self._result = _result(name, hints.get("return", inspect.Parameter.empty))
        self.parameters = _schema(self._arguments, f"the arguments of {name}")
        self.returns = None if self._result is None else _schema(self._result, f"the result of {name}", is_made=True)

    def read(self, text: str | bytes) -> Read:
        """Return arguments out of JSON, in their own types, the defaults among them.

        They are read strictly; where that fails "3" is 3, and ``lax`` says so.

        Raises:
            MisfitError: They do not fit; it says each that does not.
        """
        try:
            return Read(self._arguments.validate_json(text, strict=True), ())
        except self._wrong as error:
            strictly = _problems(error)
        try:
            return Read(self._arguments.validate_json(text, strict=False), strictly)
        except self._wrong as error:
            raise MisfitError(_problems(error), of_strict=strictly) from error

    def check(self, value: Any) -> Any:
        """Return a result, checked.

        Raises:
            MisfitError: It is not what the function says it returns.
        """
        if self._result is None:
            return value
        try:
            return self._result.validate_python(value)
        except self._wrong as error:
            raise MisfitError(_problems(error)) from error


def _parameters(function: Callable[..., Any], name: str) -> list[inspect.Parameter]:
    try:
        found = [*inspect.signature(function).parameters.values()]
    except (TypeError, ValueError) as error:
        raise UsageError(f"tool {name!r}: its signature cannot be read: {error}") from error
    qualified = getattr(function, "__qualname__", "").rpartition("<locals>.")[2]
    if "." in qualified and found and found[0].name in ("self", "cls") and not inspect.ismethod(function):
        raise UsageError(
            f"tool {name!r} is a method of no object: make a tool of a bound one: ws.tools.tool(shop.refund)"
        )
    for one in found:
        if one.kind in _OPEN:
            star = "*" if one.kind is one.VAR_POSITIONAL else "**"
            raise UsageError(
                f"tool {name!r} takes {star}{one.name}: a model must be told each argument; name them, or take one "
                f"list or mapping"
            )
    return found


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    inner: Any = inspect.unwrap(getattr(function, "__func__", function))
    if not inspect.isfunction(inner):
        inner = type(function).__call__
    if not inspect.isfunction(inner):
        raise UsageError(f"tool {name!r}: it is not written in Python; wrap it in a function with annotations")
    closed = _closed(inner)
    try:
        return typing.get_type_hints(inner, localns=closed or None, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise UsageError(
            f"tool {name!r}: an annotation cannot be read ({plain_line(str(error), 200)}); its types must be "
            "defined at the top of a module, not only for type checkers"
        ) from error


def _closed(function: Any) -> dict[str, Any]:
    """Return what a function has of the functions around it; what is not there yet, such as itself, is left out."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    found = {}
    for name, cell in cells:
        with contextlib.suppress(ValueError):  # it is empty
            found[name] = cell.cell_contents
    return found


def _reading(
    name: str, parameters: list[inspect.Parameter], hints: Mapping[str, Any], said: Mapping[str, str]
) -> TypeAdapter[dict[str, Any]]:
    """Return what reads the arguments: a function of the same parameters that returns what it is given."""
    from pydantic import Field, PydanticUserError, TypeAdapter

    def given(**arguments: Any) -> dict[str, Any]:
        return arguments

    taken = []
    for one in parameters:
        kind: Any = hints.get(one.name, Any)
        if one.name in said:
            kind = Annotated[kind, Field(description=said[one.name])] if not _describes(kind) else kind
        taken.append(one.replace(kind=one.KEYWORD_ONLY, annotation=kind))
    given.__signature__ = inspect.Signature(taken)  # type: ignore[attr-defined]  # where inspect looks first
    given.__annotations__ = {one.name: one.annotation for one in taken}
    given.__name__ = given.__qualname__ = name
    try:
        return TypeAdapter(given)  # type: ignore[arg-type]  # a function is read as a call of it
    except (PydanticUserError, TypeError) as error:
        raise UsageError(f"tool {name!r}: {plain_line(str(error), 300)}") from error


def _describes(kind: Any) -> bool:
    """Return whether an annotation says itself what an argument is."""
    return any(getattr(one, "description", None) for one in getattr(kind, "__metadata__", ()))


def _result(name: str, kind: Any) -> TypeAdapter[Any] | None:
    from pydantic import ConfigDict, PydanticUserError, TypeAdapter

    if kind in (inspect.Parameter.empty, Any, None, type(None), object):
        return None
    try:
        return TypeAdapter(kind)
    except PydanticUserError:
        # A class of somebody's own: that it is one can be checked, and no more.
        if not isinstance(kind, type):
            return None
        return TypeAdapter(kind, config=ConfigDict(arbitrary_types_allowed=True))
    except TypeError as error:
        raise UsageError(f"tool {name!r}: its result: {plain_line(str(error), 300)}") from error


def _schema(adapter: TypeAdapter[Any], what: str, *, is_made: bool = False) -> dict[str, Any]:
    from pydantic import PydanticUserError
    from pydantic.errors import PydanticInvalidForJsonSchema

    try:
        with warnings.catch_warnings():
            # A default that JSON cannot say is left out of the schema; the function has it all the same.
            warnings.simplefilter("ignore")
            found = adapter.json_schema(mode="serialization" if is_made else "validation")
    except (PydanticInvalidForJsonSchema, PydanticUserError) as error:
        if is_made:
            return {}
        raise UsageError(
            f"{what}: JSON cannot say them ({plain_line(str(error).splitlines()[0], 200)}); take texts, numbers, lists "
            "and mappings"
        ) from error
    plain: dict[str, Any] = _untitled(found)
    return plain


def _untitled(schema: Any) -> Any:
    """Return a schema without the titles that pydantic makes of names: they cost tokens and say nothing."""
    if isinstance(schema, list):
        return [_untitled(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {}
    for key, one in schema.items():
        if key == "title" and isinstance(one, str):
            continue
        if key in ("properties", "$defs", "patternProperties") and isinstance(one, dict):
            found[key] = {name: _untitled(part) for name, part in one.items()}
        else:
            found[key] = one if key in ("default", "enum", "const", "examples") else _untitled(one)
    return found


def _problems(error: ValidationError) -> tuple[str, ...]:
    """Return what does not fit, an argument each, in words that quote nothing of what was given."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    said = [f"{_place(one['loc'])}: {plain_line(one['msg'], 200)}" for one in found[:_MAX_ERRORS]]
    more = len(found) - _MAX_ERRORS
    return (*said, f"and {more} more") if more > 0 else (*said,)


def _place(loc: tuple[int | str, ...]) -> str:
    return plain_line(".".join(map(str, loc)) or "the arguments", 120)
