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

Class = TypeVar("Class", bound=type)


class _Kind(NamedTuple):
    types: tuple[type, ...]
    said: str


#: What an annotation allows, by its name, and how that is said; a parameter with any other is left to its function.
_KINDS: Final = {
    "bool": _Kind((bool,), "True or False"),
    "int": _Kind((numbers.Integral,), "a whole number"),
    "float": _Kind((numbers.Real,), "a number"),
    "str": _Kind((str,), "a text"),
    "Mapping": _Kind((Mapping,), "a mapping"),
    "Sequence": _Kind((Iterable,), "a list"),
    "Columns": _Kind((str, list, tuple), "the name of a column, or a list of names"),
}


def refuses_wrong_kinds(cls: Class) -> Class:
    """Return a class whose public methods look at the kinds of their arguments before anything else."""
    for name, method in list(vars(cls).items()):
        if isinstance(method, FunctionType) and not name.startswith("_") and not inspect.iscoroutinefunction(method):
            setattr(cls, name, _checked(method))
    return cls


def _checked(method: FunctionType) -> Any:
    signature = inspect.signature(method)
    kinds = {name: found for name, one in signature.parameters.items() if (found := _kinds(one.annotation))}

    @functools.wraps(method)
    def call(*args: Any, **options: Any) -> Any:
        try:
            given = signature.bind(*args, **options).arguments
        except TypeError:  # the call itself says better what is missing
            return method(*args, **options)
        for name, value in given.items():
            if name in kinds and value is not None and not any(_is(value, kind) for kind in kinds[name]):
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
