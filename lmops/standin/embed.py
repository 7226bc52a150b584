"""Vectors for texts, by hashing their words: texts that share stems lie close, and nothing is understood."""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache
from typing import Final

from lmops.standin.text import terms

WIDTH: Final = 256


def embedding(text: str) -> tuple[float, ...]:
    """Return a vector of ``WIDTH`` numbers and length 1 (all 0 for a text without words that carry meaning).

    >>> a, b, c = map(embedding, ("A ferry to the island.", "ferries and islands", "refund of a ticket"))
    >>> sum(x * y for x, y in zip(a, b)) > sum(x * y for x, y in zip(a, c))
    True
    """
    vector = [0.0] * WIDTH
    for term in terms(text):
        place, sign = _place(term)
        vector[place] += sign
    length = math.sqrt(math.fsum(number * number for number in vector))
    return tuple(number / length for number in vector) if length else tuple(vector)


@lru_cache(maxsize=8192)
def _place(term: str) -> tuple[int, float]:
    digest = hashlib.sha256(term.encode()).digest()
    return int.from_bytes(digest[:2], "big") % WIDTH, 1.0 if digest[2] & 1 else -1.0
