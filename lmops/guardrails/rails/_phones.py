"""Telephone numbers: what is written as one, or stands behind a word for one.

Numbers are told by how they are written and by the words around, and not by whether somebody was given them: one with a
typing error in it still points to a person, and tables of what is in use are out of date when they are read.
"""

from __future__ import annotations

import re
from typing import Final

#: Calling codes of countries (ITU-T E.164), of one, two and three digits.
_CODES: Final = re.compile(
    r"1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|2[1-69]\d|3[578]\d|42\d|5[09]\d|6[789]\d|8[0578]\d"
    r"|9[679]\d"
)
_EXTENSION: Final = r"(?: ?(?:x|ext\.?|extension|#) ?\d{1,6})?"
_START: Final = r"(?<![\w.+])(?<!\d,)(?<![A-Za-z0-9][-/#_=])"
_STOP: Final = r"(?!\w)(?![.,:/\-]\d)"
#: +44 20 7946 0958, +1 (415) 555-2671, 0044 ...
_INTERNATIONAL: Final = re.compile(
    r"(?<![\w+])(?:\+|00(?=[1-9][\d ().\-/]{8}))\(?([1-9]\d{0,14}(?:[ ().\-/]{1,3}\d{1,12}){0,7})"
    + _EXTENSION
    + r"(?!\w)"
)
#: (415) 555-2671, 415-555-2671, 1-415-555-2671, 001-415-555-2671x12
_AMERICAN: Final = re.compile(
    _START
    + r"(?:(?:\+?1|001)[-. ])?(?:\(\d{3}\) ?|\d{3}-)\d{3}[-. ]\d{4}"
    + _EXTENSION
    + _STOP
    + r"|"
    + _START
    + r"(?:(?:\+?1|001)[. ])?[2-9]\d{2}([. ])[2-9]\d{2}\1\d{4}"
    + _EXTENSION
    + _STOP
)
#: 020 7946 0958, 06-24312407, 01 23 45 67 89, (0)30 901820, (11) 4706-6184
_NATIONAL: Final = re.compile(
    _START
    + r"(?:\(0[1-9]\d{0,3}\)|0[1-9]\d{0,3})(?:[ \-/]{1,3}\d{2,8}){1,5}+"
    + _EXTENSION
    + _STOP
    + r"(?! \d)"
    + r"|"
    + _START
    + r"\(\d{2,4}\) ?\d{3,5}[- ]\d{3,5}"
    + _EXTENSION
    + _STOP
)
#: Any digits: behind a word for a number only.
_ANY: Final = re.compile(_START + r"\(?\d{1,5}\)?(?:[ .\-/]{0,2}\(?\d{1,8}\)?){0,6}" + _EXTENSION + _STOP)
_WORDS: Final = re.compile(
    r"(?<![a-z])(?:(?:(?:tele)?phones?|tel|mobile|cell(?:phone)?|fax|whats ?app|signal|sms|hotline|landline|contact|"
    r"telefon\w{0,7}|handy\w{0,7}|rufnummer|mobil\w{0,5}|durchwahl|telephone|portable|telefono|movil|celular|cellulare"
    r"|telemovel|"
    r"telefoon|gsm|puhelin|numer)[ .]?(?:number|num|no|nr|nummer|numero|line)?|"
    r"(?:call|calling|called|dial|ring|text|reach|answering|appele[zr]|llam\w{1,4}|chiama\w{0,3}|ligue|bel|zadzwon"
    r"|anrufen)"
    r"(?: (?:me|us|him|her|them|you|back|now|directly|today|at any time|al|pod|au|il))?)"
    r"(?:[ .:=#(>-]{1,3}(?:is|was|at|on|under|to|ist|lautet|est|es|number)?){0,3}$"
)
#: Directly behind a number: "555 0100 office".
_WORDS_BEHIND: Final = re.compile(r"[\s\-,(]{1,3}(?:office|fax|mobile|cell|home|work|phone|tel)(?![a-z])")
#: Numbers of things, and numbers of which nobody knows.
_ORDERS: Final = (
    r"(?:order|invoice|ticket|case|booking|reservation|reference|ref|tracking|serial|part|sku|isbn|issn|doi|version"
    r"|confirmation|"
    r"article|item|model|batch|flight|rechnung|bestell\w{0,6}|commande|pedido"
)
_BEHIND_WORD: Final = r"(?: (?:number|no|nr|id|code))?[\s.:#=]{0,3}(?:is )?[a-z]{0,3}[-#]?$"
_OF_ORDER: Final = re.compile(_ORDERS + ")" + _BEHIND_WORD)
_OTHER: Final = re.compile(_ORDERS + r"|account|acct|customer|policy|contract|id|no|nr|code|page|room)" + _BEHIND_WORD)
_DATE: Final = re.compile(
    r"(?:(?:19|20)\d{2}[-/. ]\d{1,2}[-/. ]\d{1,2}|\d{1,2}[-/. ]\d{1,2}[-/. ](?:19|20)\d{2})(?!\d)"
)
_BEFORE: Final = 40
#: Digits of a number with that of its region.
_FULL: Final = 9
_BEHIND: Final = 10


def phones(text: str, lower: str, start: int, end: int, digits: int) -> list[tuple[int, int]]:
    """Return where numbers stand in a stretch of digits.

    Args:
        text: The folded text.
        lower: It in small letters.
        start: Where the stretch begins.
        end: Where it ends.
        digits: How many it has.
    """
    found: list[tuple[int, int]] = []
    if text.find("+", start, end) >= 0 or text.find("00", start, end) >= 0:
        found += [span for span in _spans(_INTERNATIONAL, text, start, end) if _is_international(text[slice(*span)])]
    loose: list[tuple[int, int]] = []
    if digits > _FULL:
        loose += _spans(_AMERICAN, text, start, end)
    if digits >= _FULL and (text.find("0", start, end) >= 0 or text.find("(", start, end) >= 0):
        loose += [span for span in _spans(_NATIONAL, text, start, end) if _FULL <= _count(text, *span) <= _FULL + 2]
    any_digits = [span for span in _spans(_ANY, text, start, end) if 6 <= _count(text, *span) <= 15]
    if not (found or loose or any_digits):
        return []
    before = lower[max(0, start - _BEFORE) : start]
    if _OTHER.search(before.rstrip()) is not None:
        # the number of an order may begin as that of a country does, but for its plus
        return [span for span in found if text[span[0]] == "+"]
    if any_digits and (_WORDS.search(before) is not None or _WORDS_BEHIND.match(lower, end) is not None):
        loose += any_digits
    return [span for span in found + loose if not _DATE.match(text, span[0])]


def is_of_order(lower: str, start: int) -> bool:
    """Return whether a word for an order, an invoice or the like stands before a place.

    Args:
        lower: The folded text in small letters.
        start: The place.
    """
    return _OF_ORDER.search(lower[max(0, start - _BEFORE) : start].rstrip()) is not None


def _spans(pattern: re.Pattern[str], text: str, start: int, end: int) -> list[tuple[int, int]]:
    # what follows the stretch decides with it
    return [found.span() for found in pattern.finditer(text, start, min(len(text), end + _BEHIND))]


def _is_international(said: str) -> bool:
    digits = re.sub(r"\D", "", re.split(r"(?i)x|e|#", said)[0]).removeprefix("00")
    return 8 <= len(digits) <= 15 and _CODES.match(digits) is not None


def _count(text: str, start: int, end: int) -> int:
    return sum(map(str.isdigit, re.split(r"(?i)x|e|#", text[start:end])[0]))
