"""Which sentences of a source an answer draws on, by the words that both have: a help to the eye and no measure."""

from __future__ import annotations

import re
from typing import Final

#: Sentences end with a mark and a space, or with a line.
_SENTENCE: Final = re.compile(r"[^\n]*?(?:[.!?…](?=\s)|\n|$)\s*", re.DOTALL)
_WORD: Final = re.compile(r"\w+")
#: Shorter words are in every sentence; longer ones are told apart by their first letters, whatever their ending.
_LEAST: Final = 4
_STEM: Final = 6
#: So many words, and this share of a sentence's words, have to be in the answer.
_FEWEST: Final = 2
_SHARE: Final = 0.5


def stems(text: str) -> frozenset[str]:
    """Return the words of a text that mean something: long ones by their beginning, and all numbers."""
    words = _WORD.findall(text.casefold())
    return frozenset(word[:_STEM] for word in words if len(word) >= _LEAST or word[0].isdigit())


def marked(source: str, answer: frozenset[str]) -> list[list[object]]:
    """Return a source as [text, whether the answer uses it], neighbours of one kind together; joined it is the source.

    Args:
        source: The text of a document.
        answer: The stems of the answer.
    """
    parts: list[list[object]] = []
    for found in _SENTENCE.finditer(source):
        sentence = found[0]
        if not sentence:
            continue
        own = stems(sentence)
        shared = len(own & answer)
        is_used = shared >= _FEWEST and shared >= _SHARE * len(own)
        if parts and parts[-1][1] == is_used:
            parts[-1][0] = f"{parts[-1][0]}{sentence}"
        else:
            parts.append([sentence, is_used])
    return parts
