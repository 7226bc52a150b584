"""Regular expressions that somebody else wrote, over texts that somebody else wrote: refused where they may take long.

Python's expressions may take as long as the square of what they read, or for ever. One that repeats what repeats is
refused; the others read a text in steps, each with some characters behind it.
"""

from __future__ import annotations

import math
import re
import time
from re import _parser  # type: ignore[attr-defined]  # what Python's own compiler reads; there is no public way
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Most characters of an expression.
LONGEST: Final = 500
#: A group that is repeated may read the same text in so many ways; hostile text has them all tried.
_MOST_WAYS: Final = math.log(10_000)
#: A text is read in steps of so many characters, each with as many behind it.
_STEP: Final = 500
_REACH: Final = 500
#: In a text of so many characters everything is found.
WHOLE: Final = _STEP + _REACH
_REPEATS: Final = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})


def check_expression(pattern: object) -> None:
    """Refuse what is no regular expression, and one that would take for ever on hostile text.

    Raises:
        UsageError: Why it cannot be used; begins with a verb, so that the caller names the place.
    """
    if not isinstance(pattern, str) or not 0 < len(pattern) <= LONGEST:
        raise UsageError(f"give 1 to {LONGEST} characters")
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"is no regular expression: {error}") from error
    if math.isinf(_ways(_parser.parse(pattern))):
        raise UsageError(
            "repeats a group that repeats or chooses, which may take for ever on hostile text: write it without, as "
            "one of [...] or fewer times"
        )


def reads_in_steps(pattern: str) -> bool:
    """Return whether an expression finds the same in a long text that is read in steps as in all of it.

    Not so one that asks for the end or looks around, and one that may find more than 500 characters.
    """
    looks = "$" in pattern or "\\" in re.sub(r"\\[wdsWDS.@/+*?(){}\[\]|-]", "", pattern) or "(?" in pattern
    return not looks and int(_parser.parse(pattern).getwidth()[1]) <= _REACH


def found_in(pattern: re.Pattern[str], text: str, *, until: float) -> Iterator[tuple[int, int]]:
    """Return where a pattern is found, step by step; what is longer than 500 characters may be missed.

    Args:
        pattern: One that :func:`check_expression` lets pass.
        text: Any text.
        until: When it has to end, in seconds of the thread (``time.thread_time``).

    Raises:
        UsageError: It took longer.
    """
    last = 0
    for step in range(0, len(text) + 1, _STEP):
        if time.thread_time() > until:
            raise UsageError("its expressions took too long")
        for found in pattern.finditer(text, max(step, last), step + _STEP + _REACH):
            if found.start() >= step + _STEP:
                break
            last = found.end()
            yield found.start(), last


def _ways(parts: Any) -> float:
    """Return the logarithm of the ways in which an expression can read a text; infinite where repeats multiply them."""
    total = 0.0
    for operation, value in parts:
        found = [_ways(one) for one in _within(value)]
        inner = max(found, default=0.0)
        if str(operation) == "BRANCH":
            inner += math.log(len(found))
        elif str(operation) in _REPEATS:
            least, most = value[:2]
            if inner and most > 1 and inner * most > _MOST_WAYS:
                return math.inf
            inner = inner * min(most, _REACH) + math.log(min(most - least + 1, _REACH))
        total += inner
    return total


def _within(value: Any) -> Iterator[Any]:
    """Return the expressions that one operation holds."""
    if isinstance(value, _parser.SubPattern):
        yield value
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _within(one)
