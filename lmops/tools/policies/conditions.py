"""Conditions on arguments by JSON path: true, false, or not known; what is not known never lets a call through.

Three-valued logic as in SQL (Kleene 1952): a value that is not there, or of another kind than what it is held against,
makes a condition neither true nor false. Rules that say no, or ask, hold then; rules that say yes do not.
"""

from __future__ import annotations

import functools
import math
import re
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from lmops.base.expressions import WHOLE, check_expression, found_in, reads_in_steps
from lmops.errors import UsageError, did_you_mean
from lmops.text import plain_line

#: True, False, or None: not known.
Truth = bool | None
Check = Callable[[Any], Truth]
#: Steps of a path: a member, an element, or every element (None).
Path = tuple[str | int | None, ...]

#: What stands for a value that is not there.
ABSENT: Final = object()
_STEP: Final = re.compile(r"\.([A-Za-z_][\w-]*)|\['([^'\\]{1,200})'\]|\[(\d{1,6})\]|\[(\*)\]")
_LONGEST_PATH: Final = 300
_MOST_VALUES: Final = 1_000
#: Texts that are longer cannot be decided by an expression.
_LONGEST_TEXT: Final = 100_000
_MOST_S: Final = 0.05
#: Of texts that are not longer the folded form is kept.
_KEPT_LENGTH: Final = 200
#: Texts that are not longer are read at once: no expression that is let pass takes long over them.
_SHORT: Final = 200
_KINDS: Final = {str: "string", int: "number", bool: "boolean", list: "array", dict: "object"}
OPERATORS: Final = ("=", "!=", "in", "not in", "<", "<=", ">", ">=", "matches", "exists")


def path_of(text: object) -> Path:
    """Return the steps of a path such as ``$.items[0].price``, ``$.to[*]`` or ``$['odd name']``.

    Raises:
        UsageError: It is none.
    """
    if isinstance(text, str) and text.startswith("$") and len(text) <= _LONGEST_PATH:
        steps: list[str | int | None] = []
        place = 1
        while (found := _STEP.match(text, place)) is not None:
            name, quoted, number, every = found.groups()
            steps.append(None if every else int(number) if number else name or quoted)
            place = found.end()
        if place == len(text) and steps:
            return tuple(steps)
    raise UsageError(
        f"{plain_line(repr(text), 80)} is no path: give '$.amount', '$.items[0].price', '$.to[*]' or \"$['a name']\""
    )


def values_at(arguments: Any, path: Path) -> list[Any]:
    """Return the values at a path: one, or one of each element; ``ABSENT`` for what is not there."""
    found = [arguments]
    for step in path:
        if step is None:
            found = [one for value in found for one in (value if isinstance(value, list) and value else (ABSENT,))]
            if len(found) > _MOST_VALUES:
                return [ABSENT]  # too many to look at: not known
        elif isinstance(step, str):
            found = [value.get(step, ABSENT) if isinstance(value, Mapping) else ABSENT for value in found]
        else:
            found = [value[step] if isinstance(value, list) and step < len(value) else ABSENT for value in found]
    return found


def checked_test(test: object) -> dict[str, Any]:
    """Return what is asked of a value as operators with what it is held against; a plain value is "=".

    Raises:
        UsageError: It cannot be asked.
    """
    said = dict(test) if isinstance(test, Mapping) else {"=": test}
    if not said:
        raise UsageError("say what is asked of it: {'>': 100}")
    for operator, against in said.items():
        if operator not in OPERATORS:
            raise UsageError(did_you_mean("operator", plain_line(operator, 40), OPERATORS))
        _refuse(operator, against)
    return said


def asked_of(said: Mapping[str, Any]) -> Check:
    """Return whether a value is as it is said: all operators together."""
    checks = [_CHECKS[operator](against) for operator, against in said.items()]
    if len(checks) == 1:
        return checks[0]
    return lambda value: both(check(value) for check in checks)


def both(truths: Any) -> Truth:
    """Return whether all are true: false where one is false, not known where one is not known."""
    found: Truth = True
    for truth in truths:
        if truth is False:
            return False
        if truth is None:
            found = None
    return found


def alike(truths: Sequence[Truth]) -> Truth:
    """Return what all say, of every element of a list; not known where they differ."""
    first = truths[0]
    return first if all(one is first for one in truths) else None


@functools.lru_cache(maxsize=1024)
def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text)
    return "".join(one for one in plain if unicodedata.category(one) not in ("Cf", "Mn", "Cc")).casefold()


def folded(text: str) -> str:
    """Return a text without what makes two texts that read alike differ: case, width, invisible characters."""
    if text.isascii():
        return text.lower()
    return _folded(text) if len(text) <= _KEPT_LENGTH else _folded.__wrapped__(text)


def kind_of(value: Any) -> str | None:
    """Return the kind of a value in JSON; None where it is none: absent, NaN, infinite."""
    if (known := _KINDS.get(type(value))) is not None:
        return known
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number" if not isinstance(value, float) or math.isfinite(value) else None
    if isinstance(value, str):
        return "string"
    if value is None:
        return "null"
    return "array" if isinstance(value, list) else "object" if isinstance(value, Mapping) else None


def _refuse(operator: str, against: Any) -> None:
    if operator in ("in", "not in"):
        if not isinstance(against, list | tuple) or not against:
            raise UsageError(f"{operator}: give a list of values: ['eu', 'us']")
        for one in against:
            _refuse("=", one)
    elif operator == "matches":
        try:
            check_expression(against)
        except UsageError as error:
            raise UsageError(f"matches: {plain_line(repr(against), 80)} {error}") from error
    elif operator == "exists":
        if not isinstance(against, bool):
            raise UsageError("exists: give true or false")
    elif operator in ("=", "!="):
        if kind_of(against) not in ("boolean", "number", "string", "null"):
            raise UsageError(f"{operator}: give a text, a finite number, true, false or null")
    elif kind_of(against) not in ("number", "string"):
        raise UsageError(f"{operator}: give a finite number or a text, not {plain_line(repr(against), 60)}")


def _same(value: Any, against: Any) -> Truth:
    """Return whether two values are the same; those of two kinds, or that only read alike, are not known to be."""
    if kind_of(value) != kind_of(against):
        return None
    if isinstance(value, str) and value != against:
        return None if folded(value) == folded(against) else False
    return bool(value == against)


def _not(truth: Truth) -> Truth:
    return None if truth is None else not truth


def _equal(against: Any) -> Check:
    return lambda value: _same(value, against)


def _among(against: Sequence[Any]) -> Check:
    exact = {one for one in against if isinstance(one, str)}

    def check(value: Any) -> Truth:
        if isinstance(value, str) and value in exact:
            return True
        found = [_same(value, one) for one in against if kind_of(one) == kind_of(value)]
        if True in found:
            return True
        return None if None in found or not found else False

    return check


def _ordered(compare: Callable[[Any, Any], bool], against: Any) -> Check:
    kind = kind_of(against)
    return lambda value: compare(value, against) if kind_of(value) == kind else None


def _matches(pattern: str) -> Check:
    compiled, is_stepped = re.compile(pattern, re.IGNORECASE), reads_in_steps(pattern)

    def check(value: Any) -> Truth:
        if not isinstance(value, str) or len(value) > (_LONGEST_TEXT if is_stepped else WHOLE):
            return None
        try:
            plain = _found(compiled, value)
            return plain if value.isascii() or _found(compiled, folded(value)) is plain else None
        except UsageError:  # it took too long
            return None

    return check


def _found(pattern: re.Pattern[str], text: str) -> bool:
    if len(text) <= _SHORT:
        return pattern.search(text) is not None
    return next(found_in(pattern, text, until=time.thread_time() + _MOST_S), None) is not None


def _exists(against: object) -> Check:
    return lambda value: (value is not ABSENT) is against


_CHECKS: Final[Mapping[str, Callable[[Any], Check]]] = {
    "=": _equal,
    "!=": lambda against: lambda value: _not(_same(value, against)),
    "in": _among,
    "not in": lambda against: lambda value: _not(_among(against)(value)),
    "<": functools.partial(_ordered, lambda a, b: a < b),
    "<=": functools.partial(_ordered, lambda a, b: a <= b),
    ">": functools.partial(_ordered, lambda a, b: a > b),
    ">=": functools.partial(_ordered, lambda a, b: a >= b),
    "matches": _matches,
    "exists": _exists,
}
