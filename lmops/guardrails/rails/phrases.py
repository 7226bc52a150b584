"""Phrases that must not be said, and phrases that must."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final, Literal

from lmops.errors import UsageError
from lmops.guardrails.contract import Finding, Given, rail
from lmops.guardrails.normal import fold
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LONGEST: Final = 200
_LETTER: Final = re.compile(r"\w")


def check(phrases: Sequence[str], *, whole_words: bool = True, need: str = "all") -> None:
    """Refuse what is no list of phrases."""
    del whole_words
    if isinstance(phrases, str) or not phrases or not all(isinstance(one, str) for one in phrases):
        raise UsageError(f"phrases={plain_line(repr(phrases), 80)}: give a list of texts")
    for one in phrases:
        if not fold(one).strip() or len(one) > _LONGEST:
            raise UsageError(f"phrases: {plain_line(one, 60)!r}: give 1 to {_LONGEST} characters that can be seen")
    if need not in ("all", "any"):
        raise UsageError(f"required: need={need!r}: use 'all' or 'any'")


@rail(action="block", window=256, check=check)
def denied(given: Given, *, phrases: Sequence[str], whole_words: bool = True) -> Iterator[Finding]:
    """Phrases that must not be said, in any case, with any white space, marks and look-alike letters.

    Args:
        given: What is read.
        phrases: What is looked for.
        whole_words: Only where no letter or digit touches its ends; else inside of words as well.
    """
    lower = given.folded.lower
    for first, pattern in _patterns(tuple(phrases), whole_words=whole_words):
        if first in lower:
            for found in pattern.finditer(lower):
                yield Finding(*given.folded.span(*found.span()), "phrase")


@rail(stages=("output",), action="flag", check=check)
def required(given: Given, *, phrases: Sequence[str], need: Literal["all", "any"] = "all") -> Iterator[Finding]:
    """Texts that lack a phrase which must be said.

    Args:
        given: What is read.
        phrases: What is looked for.
        need: Whether all of them must be there, or any of them.
    """
    lower = given.folded.lower
    is_there = [pattern.search(lower) is not None for _, pattern in _patterns(tuple(phrases), whole_words=True)]
    if not (all(is_there) if need == "all" else any(is_there)):
        yield Finding(0, 0, "missing", note=f"{is_there.count(False)} of {len(is_there)} are not there")


@functools.lru_cache(maxsize=64)
def _patterns(phrases: tuple[str, ...], *, whole_words: bool) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return of each phrase its longest word, which is quick to look for, and what finds it."""
    made = []
    for phrase in dict.fromkeys(fold(one) for one in phrases):
        words = phrase.split()
        body = r"\s{1,16}".join(map(re.escape, words))
        before = r"(?<!\w)" if whole_words and _LETTER.match(words[0]) else ""
        after = r"(?!\w)" if whole_words and _LETTER.match(words[-1][-1]) else ""
        made.append((max(words, key=len), re.compile(before + body + after)))
    return tuple(made)
