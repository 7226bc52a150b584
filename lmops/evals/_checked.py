"""What a task returned, made plain: numbers of any library are numbers, and what cannot be kept is an error by name.

One wrong value in the store would be in the way of every question about every run; here it costs one case.
"""

from __future__ import annotations

import decimal
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lmops.text import plain_line

if TYPE_CHECKING:
    from lmops.evals._records import TaskResult

COUNTS: Final = ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens")
_AMOUNTS: Final = ("cost_usd", "latency_ms")
_WORDS: Final = ("model", "system_fingerprint", "finish_reason", "trace_id")
_LISTS: Final = ("documents", "tool_calls")
#: Of tokens of one case, so that their sum over any run is a number that the store can hold.
_MOST: Final = 10**12


def readable(name: str, value: Any) -> Any:
    """Return the value of a field as a dataset has it, where numbers may be texts; None when it is something else."""
    numeric = name in COUNTS or name in _AMOUNTS
    try:
        given = float(value) if numeric and isinstance(value, str) else value
        return None if given is None else _MAKERS[name](name, given)
    except (TypeError, ValueError):
        return None


def checked(found: TaskResult) -> TaskResult:
    """Return a result whose fields are what they are said to be; what is NaN is not known.

    Raises:
        TypeError: A field is of another kind.
        ValueError: A number is negative, infinite or too large.
    """
    changed: dict[str, Any] = {}
    for name, make in _MAKERS.items():
        value: Any = getattr(found, name)
        if value is None:
            continue
        made = make(name, value)
        if made is not value:
            changed[name] = made
    is_cached: Any = found.is_cached
    if is_cached is not None and type(is_cached) is not bool:
        changed["is_cached"] = _yes_or_no(is_cached)
    output = scalar(found.output)
    if output is not found.output:
        changed["output"] = output
    return replace(found, **changed) if changed else found


def scalar(value: Any) -> Any:
    """Return a number of another library, such as a numpy.float64, as Python's own; everything else as it is."""
    if type(value) in (str, dict, list) or not hasattr(type(value), "item") or getattr(value, "ndim", None) != 0:
        return value
    return value.item()


def _count(name: str, value: Any) -> int | None:
    if type(value) is int and 0 <= value <= _MOST:
        return value
    number = _amount(name, value)
    if number is None:
        return None
    if not number.is_integer() or number > _MOST:
        raise ValueError(f"TaskResult.{name} is {number:g}; give a whole number of tokens")
    return int(number)


def _amount(name: str, value: Any) -> float | None:
    given = scalar(value)
    if isinstance(given, bool) or not isinstance(given, numbers.Real | decimal.Decimal):
        raise _wrong(name, value, "a number, or None when it is not known")
    try:
        number = float(given)
    except OverflowError:
        number = math.inf
    if math.isnan(number):
        return None
    if not 0 <= number < math.inf:
        raise ValueError(f"TaskResult.{name} is {number:g}; give a number from 0 up, or None when it is not known")
    return number


def _word(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(name, value, "a text")
    return value if type(value) is str else str(value)


def _list(name: str, value: Any) -> list[dict[str, Any]]:
    """Return a list of objects; a document may be its text alone."""
    items: list[Any] = list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
    if name == "documents":
        items = [{"id": str(at), "content": one} if isinstance(one, str) else one for at, one in enumerate(items, 1)]
    if isinstance(value, str | Mapping) or not all(isinstance(one, Mapping) for one in items):
        raise _wrong(name, value, "a list of objects")
    return items


def _yes_or_no(value: Any) -> bool:
    given = scalar(value)
    if not isinstance(given, bool):
        raise _wrong("is_cached", value, "True, False or None")
    return given


def _wrong(name: str, value: Any, wanted: str) -> TypeError:
    return TypeError(f"TaskResult.{name} is {type(value).__name__} {plain_line(value, 60)!r}; give {wanted}")


_MAKERS: Final[dict[str, Callable[[str, Any], Any]]] = {
    **dict.fromkeys(COUNTS, _count),
    **dict.fromkeys(_AMOUNTS, _amount),
    **dict.fromkeys(_WORDS, _word),
    **dict.fromkeys(_LISTS, _list),
}
