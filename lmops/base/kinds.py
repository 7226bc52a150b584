"""Arguments of another kind than their annotation says are refused: ``clustered="no"`` would be yes otherwise."""

from __future__ import annotations

import functools
import inspect
import numbers
from collections.abc import Iterable, Mapping
from types import FunctionType
from typing import Any, Final, NamedTuple, TypeVar

from lmops.errors import UsageError
from lmops.text import plain_line

#: Parameters that take what no other does: their annotation is of one of several values.
_UNNAMED: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
Class = TypeVar("Class", bound=type)


class _Kind(NamedTuple):
    types: tuple[type, ...]
    said: str
    #: what nearly every argument is that fits
    usual: tuple[type, ...]


#: What an annotation allows, by its name, and how that is said; a parameter with any other is left to its function.
_KINDS: Final = {
    "bool": _Kind((bool,), "True or False", (bool,)),
    "int": _Kind((numbers.Integral,), "a whole number", (int,)),
    "float": _Kind((numbers.Real,), "a number", (float, int)),
    "str": _Kind((str,), "a text", (str,)),
    "Mapping": _Kind((Mapping,), "a mapping", (dict,)),
    "Sequence": _Kind((Iterable,), "a list", (list, tuple)),
    "Columns": _Kind((str, list, tuple), "the name of a column, or a list of names", (str, list, tuple)),
}


def refuses_wrong_kinds(cls: Class) -> Class:
    """Return a class whose public methods look at the kinds of their arguments before anything else."""
    for name, method in list(vars(cls).items()):
        if isinstance(method, FunctionType) and not name.startswith("_") and not inspect.iscoroutinefunction(method):
            setattr(cls, name, _checked(method))
    return cls


def _checked(method: FunctionType) -> Any:
    signature = inspect.signature(method)
    named = [one for one in signature.parameters.values() if one.kind not in _UNNAMED]
    kinds = {one.name: found for one in named if (found := _kinds(one.annotation))}
    usual = {name: frozenset(type_ for kind in found for type_ in kind.usual) for name, found in kinds.items()}
    places = [one.name for one in named if one.kind is not one.KEYWORD_ONLY]

    @functools.wraps(method)
    def call(*args: Any, **options: Any) -> Any:
        # What is missing or too much the call itself says; binding would take longer than many a call.
        for name, value in (*zip(places, args, strict=False), *options.items()):
            if value is None or name not in kinds or type(value) in usual[name]:
                continue
            if not any(_is(value, kind) for kind in kinds[name]):
                wanted = " or ".join(kind.said for kind in kinds[name])
                raise UsageError(f"{name}={plain_line(repr(value), 60)}: give {wanted}")
        return method(*args, **options)

    return call


def _kinds(annotation: Any) -> list[_Kind]:
    parts = [part.strip().partition("[")[0] for part in annotation.split("|")] if isinstance(annotation, str) else []
    named = [part for part in parts if part != "None"]
    return [_KINDS[part] for part in named] if all(part in _KINDS for part in named) else []


def _is(value: Any, kind: _Kind) -> bool:
    is_truth = isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")
    return is_truth if kind.types == (bool,) else isinstance(value, kind.types) and not is_truth
