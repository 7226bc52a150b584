"""Text made comparable: words, numbers and texts in one form, by rules said in the docstrings."""

from __future__ import annotations

import json
import re
import unicodedata
from functools import lru_cache
from typing import Any, Final

_SPACE: Final = re.compile(r"\s+")
_ARTICLES: Final = re.compile(r"\b(?:a|an|the)\b")
_PLAIN_WORD: Final = re.compile(r"[^\W_]+(?:[.,:]\d+)*")
#: Latin, Greek, Cyrillic, punctuation, currencies: neither combining marks nor letters of scripts without spaces.
_NO_MARKS: Final = re.compile("[\\0-\u02ff\u0370-\u0482\u048a-\u052f\u2010-\u20cf]*")
_JOINERS: Final = (0x200C, 0x200D)
#: Scripts that put no spaces between words: Thai, Lao, Myanmar, Khmer, kana, Han.
SPACELESS: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)


@lru_cache(maxsize=1)
def marks() -> str:
    """Return the combining marks and joiners for a character class: vowel signs belong to their word."""
    planes = (*range(0x300, 0x1_F000), *range(0xE_0100, 0xE_01F0))
    found = (chr(code) for code in planes if code in _JOINERS or unicodedata.category(chr(code)).startswith("M"))
    return "".join(found)


def _words(text: str) -> list[str]:
    # Most texts need no table of marks, which makes the pattern slower.
    return (_PLAIN_WORD if text.isascii() or _NO_MARKS.fullmatch(text) else _word()).findall(text)


@lru_cache(maxsize=1)
def _word() -> re.Pattern[str]:
    """Return what a word is: letters, digits and their marks; in scripts without spaces one letter with its marks."""
    return re.compile(
        rf"(?=[^\W_])[{SPACELESS}][{marks()}]*|[^\W_{SPACELESS}](?:[^\W_{SPACELESS}]|[{marks()}])*(?:[.,:]\d+)*"
    )


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
    text: str,
    *,
    ignore_case: bool = True,
    ignore_space: bool = True,
    ignore_punctuation: bool = False,
    ignore_articles: bool = False,
) -> str:
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
        text = " ".join(_words(text))
    if ignore_articles:
        text = _ARTICLES.sub(" ", text)
    return _SPACE.sub(" ", text).strip() if ignore_space else text


@lru_cache(maxsize=4096)
def words(text: str) -> tuple[str, ...]:
    """Return the words of a text, casefolded, in NFKC; a number keeps its decimals ("6.50", "07:40").

    Vowel signs belong to their word; in scripts without spaces (Chinese, Japanese, Thai, ...) every letter is a word.
    """
    return tuple(_words(unicodedata.normalize("NFKC", text).casefold()))
