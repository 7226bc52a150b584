"""Sentences of a text, as far as rails need them: where the one stands that something was found in."""

from __future__ import annotations

import re
from typing import Final

#: Where a sentence ends: a mark with space or nothing behind it, a line, or the marks of scripts without spaces.
_END: Final = re.compile(r"[.!?]['\")\]]{0,3}(?=\s|$)|\n|[\u3002\uff01\uff1f]")
#: A sentence of more characters is cut around what was found in it.
_LONGEST: Final = 600


def sentence_around(text: str, start: int, end: int) -> tuple[int, int]:
    """Return where the sentence begins and ends that holds a span.

    Example:
        >>> sentence_around("One. Two three. Four.", 9, 14)
        (5, 15)
    """
    first = max(0, start - _LONGEST)
    for found in _END.finditer(text, first, start):
        first = found.end()
    last = _END.search(text, end, min(len(text), end + _LONGEST))
    while first < start and text[first].isspace():
        first += 1
    return first, last.end() if last is not None else min(len(text), end + _LONGEST)
