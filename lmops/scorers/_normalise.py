"""Text made comparable: words, numbers and texts in one form, by rules said in the docstrings."""

from __future__ import annotations

import json
import re
import unicodedata
from functools import lru_cache
from typing import Any, Final

_SPACE: Final = re.compile(r"\s+")
_ARTICLES: Final = re.compile(r"\b(?:a|an|the)\b")
_WORD: Final = re.compile(r"[^\W_]+(?:[.,:]\d+)*")


def as_text(value: Any) -> str:
    """Return what a value is as text: a text itself, anything else as JSON, None as nothing."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, dict) and isinstance(value.get("content"), str):
        return str(value["content"])  # a message
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    except (TypeError, ValueError, RecursionError):
        return str(value)


def normalised(
    text: str, *, ignore_case: bool = True, ignore_space: bool = True, ignore_punctuation: bool = False,
    ignore_articles: bool = False,
) -> str:  # fmt: skip
    """Return a text in NFKC without what is ignored.

    Args:
        text: The text.
        ignore_case: Casefold it.
        ignore_space: Strip it, and make every run of white space one space.
        ignore_punctuation: Drop every punctuation mark and symbol; the point within a number stays.
        ignore_articles: Drop a, an, the (after folding).
    """
    text = unicodedata.normalize("NFKC", text)
    if ignore_case:
        text = text.casefold()
    if ignore_punctuation:
        text = " ".join(_WORD.findall(text))
    if ignore_articles:
        text = _ARTICLES.sub(" ", text)
    return _SPACE.sub(" ", text).strip() if ignore_space else text


@lru_cache(maxsize=4096)
def words(text: str) -> tuple[str, ...]:
    """Return the words of a text, casefolded, in NFKC; a number keeps its decimals ("6.50", "07:40")."""
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))
