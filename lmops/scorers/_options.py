"""Options of scorers held against what their factories say they take: a text is no switch, NaN no limit. Pure."""

from __future__ import annotations

import math
import numbers
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.text import plain_line

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable, Mapping

_KINDS: Final[Mapping[str, tuple[str, Callable[[Any], bool]]]] = {
    "bool": ("True or False", lambda value: isinstance(value, bool) or type(value).__name__ == "bool"),
    "int": ("a whole number", lambda value: not isinstance(value, bool) and isinstance(value, numbers.Integral)),
    "float": (
        "a number",
        lambda value: not isinstance(value, bool) and isinstance(value, numbers.Real) and not math.isnan(value),
    ),
    "str": ("a text", lambda value: isinstance(value, str)),
    "Sequence[str]": (
        "a list of texts",
        lambda value: isinstance(value, list | tuple) and all(isinstance(one, str) for one in value),
    ),
    "None": ("None", lambda value: value is None),
}


def check_options(name: str, signature: inspect.Signature, given: Mapping[str, Any]) -> None:
    """Refuse a value that is not of the plain kind that its option is written down as.

    Args:
        name: The scorer's.
        signature: Of its factory; options of other kinds are the factory's own business.
        given: The options.

    Raises:
        UsageError: The first that does not fit, with what would.
    """
    for option, value in given.items():
        said = signature.parameters[option].annotation
        kinds = [part.strip() for part in (said if isinstance(said, str) else getattr(said, "__name__", "")).split("|")]
        if all(kind in _KINDS for kind in kinds) and not any(_KINDS[kind][1](value) for kind in kinds):
            wanted = " or ".join(_KINDS[kind][0] for kind in kinds)
            raise UsageError(f"{name}: {option}={plain_line(value, 80)!r}: give {wanted}")
