"""Numbers as people write them, read by one rule. Pure.

A sign counts only where no word or number ends: "5-10" and "GPT-4" hold no minus. Where two kinds of separators stand
in one number, the last one is the decimal mark ("1.234,50", "1,234.50"). One kind that parts groups of three, more than
once, groups ("1.234.567"). A single comma groups three digits ("1,234") and is a decimal mark before any other count
("12,5"); a single point is a decimal mark ("1.234"). White space, apostrophes and underscores group three digits.
"""

from __future__ import annotations

import math
import re
import unicodedata
from typing import TYPE_CHECKING, Any, Final, Literal

from lmops.scorers._normalise import as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

Decimal = Literal["auto", ".", ","]
DECIMALS: Final = ("auto", ".", ",")
_SPACES: Final = " \u00a0\u2009\u202f\u2007"
_CURRENCY: Final = "$\u20ac\u00a3\u00a5\u20b9"
_VULGAR: Final = "\u00bc-\u00be\u2150-\u215e"
_DIGITS: Final = rf"""(?:\d{{1,3}}(?:[{_SPACES}]\d{{3}})+(?![\d'\u2019_]) | \d{{1,3}}(?:['\u2019]\d{{3}})+(?!\d)
    | \d{{1,3}}(?:_\d{{3}})+(?!\d) | \d+)"""
_NUMBER: Final = re.compile(
    rf"""(?P<open>\((?=[{_CURRENCY}]))?
        (?P<sign>(?<![\w.)\]%])[-+\u2212\u2013](?=[{_CURRENCY}]?[{_SPACES}]?[.\d{_VULGAR}])
            (?![{_SPACES}]))?(?:[{_CURRENCY}][{_SPACES}]?)?
        (?:(?P<whole>\d+)[ ]?(?P<vulgar>[{_VULGAR}]) | (?P<alone>[{_VULGAR}])
          | (?:(?P<units>\d{{1,3}})[ ])?(?<![\d/])(?P<top>\d+)/(?P<bottom>\d+)(?![\d/]|[.,]\d)
          | (?P<digits>{_DIGITS}(?:[.,]\d+)*|(?<!\d)\.\d+)
            (?P<power>[eE][-+]?\d+(?!\w)|\s?[x\u00d7\u00b7*]\s?10(?:\^|\*\*)[-\u2212]?\d+)?)
        (?P<closed>[{_SPACES}]?\))?""",
    re.VERBOSE,
)


def numbers(value: Any, decimal: Decimal = "auto") -> list[float]:
    """Return the numbers of a value in order: itself, or those in its text; "3/4" is 0.75, "45 %" is 45.

    Args:
        value: A number, a text, or anything else as JSON.
        decimal: The decimal mark, or "auto" for the rule above; the other one of "." and "," groups.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [float(value)] if math.isfinite(value) else []
    text = as_text(value)
    return [
        number for found in _NUMBER.finditer(text) for number in _read(text, found, decimal) if math.isfinite(number)
    ]


def _read(text: str, found: re.Match[str], decimal: Decimal) -> Iterator[float]:
    """Yield what one match holds: a number, or several when its marks are no number's."""
    is_minus = (found["sign"] or "+") != "+" or bool(found["open"] and found["closed"])
    sign = -1.0 if is_minus else 1.0
    if found["vulgar"] or found["alone"]:
        yield sign * (int(found["whole"] or 0) + unicodedata.numeric(found["vulgar"] or found["alone"]))
    elif found["top"]:
        top, bottom = int(found["top"]), int(found["bottom"])
        if bottom:
            yield sign * (int(found["units"] or 0) + top / bottom)
        else:
            yield from (sign * top, 0.0)
    else:
        is_listed = text[found.start() - 1 : found.start()] in tuple("([{") and text[found.end() :][:1] in tuple(")]}")
        parts = plain(found["digits"], decimal, is_listed=is_listed)
        power = float("1" + _power(found["power"]))
        yield from (sign * float(part) * power for part in parts)


def _power(said: str | None) -> str:
    if not said:
        return "e0"
    return said if said[0] in "eE" else "e" + re.split(r"\^|\*\*", said)[1].replace("\u2212", "-")


def plain(digits: str, decimal: Decimal = "auto", *, is_listed: bool = False) -> list[str]:
    """Return a number without grouping and with a decimal point; its parts when the marks in it are no number's.

    Args:
        digits: Digits with marks between them.
        decimal: The decimal mark, or "auto".
        is_listed: Brackets stand around it: "[1,2]" is a list.
    """
    digits = re.sub(rf"[{_SPACES}'\u2019_]", "", digits)
    marks = re.findall("[.,]", digits)
    if not marks:
        return [digits]
    last = marks[-1] if decimal == "auto" else decimal
    if decimal == "auto" and len(set(marks)) == 1:
        groups = _is_grouped(digits, last) and (last == "," or len(marks) > 1)
        if is_listed and last == "," and not groups:
            return digits.split(",")
        if groups or len(marks) > 1:
            last = "." if last == "," else ","
    group = "," if last == "." else "."
    head, mark, tail = digits.rpartition(last) if last in marks else (digits, "", "")
    if last in head or group in tail or (group in head and not _is_grouped(head, group)):
        return [part for part in re.split("[.,]", digits) if part]
    return [f"{head.replace(group, '')}.{tail}" if mark else head.replace(group, "")]


def _is_grouped(digits: str, mark: str) -> bool:
    """Return whether a mark parts groups of three digits, or of two with three at the end, as in India."""
    mark = re.escape(mark)
    return (
        re.fullmatch(rf"[1-9]\d{{0,2}}(?:{mark}\d{{3}})+|[1-9]\d?(?:{mark}\d{{2}})+{mark}\d{{3}}", digits) is not None
    )
