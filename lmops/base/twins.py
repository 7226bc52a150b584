"""Verbs that take the same: one of them says its parameters, the others have them from it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

S = TypeVar("S")
T = TypeVar("T")
P = ParamSpec("P")


def takes_as(
    said: Callable[Concatenate[Any, P], Any],
) -> Callable[[Callable[Concatenate[S, ...], T]], Callable[Concatenate[S, P], T]]:
    """Give a method the parameters of another, for ``help``, editors and the type checker alike.

    Its name, docstring, ``self`` and what it returns stay its own.

    Args:
        said: The method that says the parameters, as written in its class.

    Example:
        >>> class Ferry:
        ...     def plan(self, port: str, *, cars: int = 0) -> dict: ...
        ...     @takes_as(plan)
        ...     def sail(self, *args, **options) -> str:
        ...         "Sail."
        >>> print(inspect.signature(Ferry.sail))
        (self, port: 'str', *, cars: 'int' = 0) -> 'str'
    """

    def dress(verb: Callable[Concatenate[S, ...], T]) -> Callable[Concatenate[S, P], T]:
        own = inspect.signature(verb)
        signature = inspect.signature(said).replace(return_annotation=own.return_annotation)
        verb.__signature__ = signature  # type: ignore[attr-defined]  # where inspect looks first
        return verb

    return dress
