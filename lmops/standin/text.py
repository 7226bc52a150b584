"""Words, sentences and tokens, by rules small enough to be explained in a sentence each."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+(?:[.:,]\d+)*", re.UNICODE)
_SHORTEST_STEM: Final = 3
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+")
_TOKEN: Final = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]|[^\W_\u3040-\u30ff\u4e00-\u9fff]{1,5}|[^\w\s]|_", re.UNICODE)
_STOP: Final = frozenset(
    """
    a about all am an and any are as at be been but by can could did do does for from get got had has have hello hi how
    i if in into is it its just kindly long many may me much must my need of off on one only or our out please she
    should so some thank thanks that the their them then there these they this to too until up us want was we were what
    when where which who why will with would yes no not you your another thing quick question dear team hey morning
    english
    """.split()  # noqa: SIM905 - a hundred words in a column would hide the code
)
_SYNONYMS: Final[dict[str, str]] = {
    "bike": "bicycle", "bikes": "bicycle", "camper": "motorhome", "price": "cost", "prices": "cost", "charge": "cost",
    "fee": "cost", "costs": "cost", "pay": "cost", "paid": "cost", "internet": "wireless", "surf": "wireless",
    "kids": "child", "children": "child", "bag": "luggage", "bags": "luggage", "baby": "infant", "infants": "infant",
    "motorbike": "motorcycle", "ship": "sail", "ships": "sail", "sailing": "sail", "discount": "reduction",
    "dogs": "dog", "hound": "dog", "lorries": "lorry", "largest": "longest", "rebook": "change", "move": "change",
    "switch": "change", "shift": "change", "postpone": "change", "typo": "spelling", "cot": "cot", "weekly": "week",
}  # fmt: skip  # the forms of one word stand together


def words(text: str) -> list[str]:
    """Return the words of a text in lower case; a number keeps its decimals ("6.50", "07:40")."""
    return [found.group().lower() for found in _WORD.finditer(text)]


def stem(word: str) -> str:
    """Return a crude stem: a synonym's head, else the word without a common English ending, cut to six letters."""
    word = _SYNONYMS.get(word, word)
    if word[0].isdigit():
        return word
    for ending in ("ations", "ation", "ings", "ing", "ies", "ied", "ed", "es", "s", "ly", "y", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            word = word[: -len(ending)]
            break
    return word[:6]


@lru_cache(maxsize=8192)
def terms(text: str) -> tuple[str, ...]:
    """Return the stems of the words that carry meaning, in order, repeats kept."""
    return tuple(stem(word) for word in words(text) if word not in _STOP)


def sentences(text: str) -> list[str]:
    """Return the sentences of a text; the end of a line also ends a sentence."""
    return [part.strip() for line in text.split("\n") for part in _SENTENCE_END.split(line) if part.strip()]


def count_tokens(text: str) -> int:
    """Return the number of tokens by the sample's rule, which is not that of any real model.

    Every started run of five letters or digits is a token, and so is every punctuation mark and every Japanese sign.

    >>> count_tokens("The ferry leaves at 07:40.")
    9
    """
    return sum(1 for _ in _TOKEN.finditer(text))


def has_fact(text: str, fact: str) -> bool:
    """Return whether a text contains a fact literally, apart from case and with no digit touching its ends.

    >>> has_fact("It costs 19 euro.", "9 euro"), has_fact("It costs 19 Euro.", "19 euro")
    (False, True)
    """
    before = r"(?<![\d])(?<!\d[.,:])" if fact[:1].isdigit() else ""
    after = r"(?!\d|[.,:]\d)" if fact[-1:].isdigit() else ""
    return re.search(before + re.escape(fact) + after, text, re.IGNORECASE) is not None
