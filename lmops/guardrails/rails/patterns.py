"""Patterns of one's own: regular expressions by the kind of what they find."""

from __future__ import annotations

import functools
import math
import re
import time
from re import _parser  # type: ignore[attr-defined]  # what Python's own compiler reads; there is no public way
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.guardrails.contract import Finding, Given, rail
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LONGEST: Final = 500
#: A group that is repeated may read the same text in so many ways; hostile text has them all tried.
_MOST_WAYS: Final = math.log(10_000)
#: A text is read in steps of so many characters, each with as many behind it: Python's expressions may take the square
#: of what they read.
_STEP: Final = 500
_REACH: Final = 500
_MOST_S: Final = 1.0
_REPEATS: Final = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})


def check(rules: Mapping[str, str]) -> None:
    """Refuse what is no regular expression, and one that would take for ever on hostile text."""
    if not hasattr(rules, "items") or not rules:
        raise UsageError("patterns: rules is a mapping of kinds to regular expressions: {'order': r'\\bTL-\\d{6}\\b'}")
    for kind, pattern in rules.items():
        if not isinstance(pattern, str) or not 0 < len(pattern) <= _LONGEST:
            raise UsageError(f"patterns: {plain_line(kind, 40)!r}: give 1 to {_LONGEST} characters")
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise UsageError(f"patterns: {plain_line(kind, 40)!r} is no regular expression: {error}") from error
        if math.isinf(_ways(_parser.parse(pattern))):
            raise UsageError(
                f"patterns: {plain_line(kind, 40)!r} repeats a group that repeats or chooses, which may take for ever "
                f"on hostile text: write it without, as one of [...] or fewer times"
            )


@rail(check=check)
def patterns(given: Given, *, rules: Mapping[str, str]) -> Iterator[Finding]:
    """Whatever regular expressions of one's own find, in any case, up to 500 characters each.

    A text on which they take more than a second of the processor is an error, and not a pass.

    Args:
        given: What is read.
        rules: By the kind of what is found a regular expression, over the text as it is.
    """
    end = time.thread_time() + _MOST_S
    for kind, pattern in _compiled(tuple(rules.items())):
        for start, stop in _found(pattern, given.text, end):
            yield Finding(start, stop, kind)


def _found(pattern: re.Pattern[str], text: str, end: float) -> Iterator[tuple[int, int]]:
    """Return where a pattern is found, step by step."""
    last = 0
    for step in range(0, len(text) + 1, _STEP):
        if time.thread_time() > end:
            raise UsageError(f"its expressions took more than {_MOST_S:g} s")
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


@functools.lru_cache(maxsize=64)
def _compiled(rules: tuple[tuple[str, str], ...]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in rules)
