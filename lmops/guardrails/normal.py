"""A text as rules read it, with the way back: what hides words is out, look-alikes are the letters they look like.

Each character is folded by itself, so that a text may be cut anywhere: compatibility forms are plain (NFKC); marks over
letters, invisible, bidirectional and tag characters are out; letters of other scripts that look Latin are Latin. What
is found in the folded text is brought back to the text as it came.
"""

# ruff: noqa: RUF001 - the look-alikes themselves
from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from typing import Final

#: As many characters are walked one by one for a place that is asked for; from block to block the way is counted.
_BLOCK: Final = 2048
#: Of so many characters the folded form is kept; a text that holds more of them is folded as well.
_KEPT: Final = 1 << 16
#: Most characters that one is folded to.
_MOST: Final = 4

_SPACES: Final = "\t\n\r"
_NEW_LINES: Final = "\x0b\x0c\x85\u2028\u2029"
#: Shown as nothing.
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
#: Marks that stand over or under letters, piled up or not; those of scripts that need theirs stay.
_MARKS: Final = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")
_ALIKE: Final[dict[str, str]] = {
    **dict(
        zip(
            "абвгеікмнорстухѕԁһԛԝӏјАВЕІКМНОРСТУХЅԌԚԜЈ" + "αβγειηκνορτυχωΑΒΕΖΗΙΚΜΝΟΡΤΥΧ" + "ıɡɑɩʟʀɪᴀʙᴄᴅᴇɢʜᴊᴋᴍɴᴏᴘᴛᴜᴠᴡʏᴢꜱ",
            "a6breikmhopctyxsdhqwljABEIKMHOPCTYXSGQWJ" + "abyeinkvoptuxwABEZHIKMNOPTYX" + "igaiLRIABCDEGHJKMNOPTUVWYZS",
            strict=True,
        )
    ),
    **dict(zip("‘’‚‛ʼ′“”„‟″«»", "'" * 6 + '"' * 7, strict=True)),
    **dict.fromkeys("‐‑‒–—―−﹣－", "-"),
    **dict.fromkeys("⁄∕", "/"),
    "։": ":",
    "ꓸ": ".",
    "․": ".",
    "。": ".",
    # letters in circles, in squares and in flags
    **{chr(first + n): chr(65 + n) for first in (0x1F150, 0x1F170, 0x1F1E6) for n in range(26)},
}

_ODD: Final = re.compile(r"[^\t\n\r\x20-\x7e]")


class _Folds(dict[int, str | int]):
    """Code point -> what it is folded to, found out when it is first met."""

    def __missing__(self, code: int) -> str | int:
        folded = _fold(chr(code))
        if len(self) < _KEPT:
            self[code] = folded
        return folded


def _fold(one: str) -> str | int:
    if one in _NEW_LINES:
        return "\n"
    if one in _SPACES or 0x20 <= ord(one) < 0x7F:
        return ord(one)
    if _INVISIBLE.match(one) or unicodedata.category(one) == "Cc":
        return ""
    if one in _ALIKE:
        return _ALIKE[one]
    parts = unicodedata.normalize("NFKD", one)
    plain = "".join(_ALIKE.get(part, part) for part in _MARKS.sub("", parts))
    # a sign that stands for a sentence would make a text eighteen times as long
    return unicodedata.normalize("NFC", plain) if len(plain) <= _MOST else ord(one)


_FOLDS: Final = _Folds()


class Folded:
    """A text as rules read it.

    Args:
        source: The text as it came; lone surrogates and NUL are fine.
    """

    __slots__ = ("_lower", "_offsets", "_starts", "source", "text")

    def __init__(self, source: str) -> None:
        self.source = source
        self.text = source.translate(_FOLDS) if _ODD.search(source) else source
        self._lower: str | None = None
        #: Of each block: where it begins in the folded text, and once asked for, where its characters came from.
        self._starts: list[int] | None = None
        self._offsets: dict[int, list[int]] = {}

    @property
    def lower(self) -> str:
        """The folded text in small letters, place by place the same."""
        if self._lower is None:
            self._lower = self.text.lower()
        return self._lower

    def span(self, start: int, end: int) -> tuple[int, int]:
        r"""Return where a span of the folded text stands in the text as it came.

        Example:
            >>> Folded("p\u200ba\u0455s").span(1, 3)
            (2, 4)
        """
        if self.text is self.source:
            return start, end
        first = self._origin(start)
        return first, max(first, self._origin(end - 1) + 1) if end > start else first

    def _origin(self, at: int) -> int:
        if at >= len(self.text):
            return len(self.source)
        if self._starts is None:
            self._starts, count = [], 0
            for place in range(0, len(self.source), _BLOCK):
                self._starts.append(count)
                count += len(self.source[place : place + _BLOCK].translate(_FOLDS))
        block = bisect_right(self._starts, at) - 1
        if block not in self._offsets:
            first = block * _BLOCK
            self._offsets[block] = [
                place
                for place, one in enumerate(self.source[first : first + _BLOCK], first)
                for _ in one.translate(_FOLDS)
            ]
        return self._offsets[block][at - self._starts[block]]


def fold(text: str) -> str:
    r"""Return a text as rules read it, in small letters; phrases to look for are folded likewise.

    Example:
        >>> fold("\uff29gn\u043ere\u200b the \u211dules")
        'ignore the rules'
    """
    return Folded(text).lower
