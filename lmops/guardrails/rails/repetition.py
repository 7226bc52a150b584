"""Repetition: a text that says the same again and again, as a model does that has lost its way."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from lmops.errors import UsageError
from lmops.guardrails.contract import Finding, Given, rail

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORD: Final = re.compile(r"\w+")
_SAME: Final = re.compile(r"([^\s=\-_*#.~+|])\1{63,}")
#: Of a longer text the first characters are looked at: who repeats himself does so there.
_MOST: Final = 200_000


def check(*, words: int = 8, share: float = 0.5, min_words: int = 60) -> None:
    """Refuse figures that say nothing."""
    if not (isinstance(words, int) and words >= 1 and isinstance(min_words, int) and min_words >= words):
        raise UsageError(f"repetition: words={words!r}, min_words={min_words!r}: give 1 <= words <= min_words")
    if not 0 < share <= 1:
        raise UsageError(f"repetition: share={share!r}: give more than 0 and at most 1")


@rail(action="flag", check=check)
def repetition(given: Given, *, words: int = 8, share: float = 0.5, min_words: int = 60) -> Iterator[Finding]:
    """Texts of which a large share repeats itself, and one character again and again.

    Args:
        given: What is read.
        words: Of a run of so many words it is asked whether it occurs again.
        share: Of all runs those that occurred before, from which on it counts.
        min_words: A shorter text is not asked.
    """
    text = given.folded.lower[:_MOST]
    if (same := _SAME.search(text)) is not None:
        yield Finding(*given.folded.span(*same.span()), "character")
    said = _WORD.findall(text)
    # each run that is new brings at most one new word
    if len(said) < min_words or len(set(said)) > (1 - share) * len(said) + words:
        return
    runs = Counter(tuple(said[at : at + words]) for at in range(len(said) - words + 1))
    count = sum(runs.values())
    again = count - len(runs)
    if again >= share * count:
        yield Finding(0, len(given.text), "words", note=f"{again / count:.0%} of its runs of {words} words came before")
