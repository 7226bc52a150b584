"""Patterns of one's own: regular expressions by the kind of what they find."""

from __future__ import annotations

import functools
import re
import time
from typing import TYPE_CHECKING, Final

from lmops.base.expressions import check_expression, found_in
from lmops.errors import UsageError
from lmops.guardrails.contract import Finding, Given, rail
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MOST_S: Final = 1.0


def check(rules: Mapping[str, str]) -> None:
    """Refuse what is no regular expression, and one that would take for ever on hostile text."""
    if not hasattr(rules, "items") or not rules:
        raise UsageError("patterns: rules is a mapping of kinds to regular expressions: {'order': r'\\bTL-\\d{6}\\b'}")
    for kind, pattern in rules.items():
        try:
            check_expression(pattern)
        except UsageError as error:
            raise UsageError(f"patterns: {plain_line(kind, 40)!r} {error}") from error


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
        for start, stop in found_in(pattern, given.text, until=end):
            yield Finding(start, stop, kind)


@functools.lru_cache(maxsize=64)
def _compiled(rules: tuple[tuple[str, str], ...]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in rules)
