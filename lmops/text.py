"""Text that may be hostile, made safe to show: in a terminal, in a line, in HTML.

Whatever comes from traces, labels, datasets or files is shown through these functions, and only so.
"""

from __future__ import annotations

import html
import re
from typing import Final

#: Controls, and the invisible characters that turn the direction of text around; tab and line feed are left alone.
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def plain(value: object, limit: int | None = None) -> str:
    """Return text that cannot act on a terminal: controls and bidi marks are spelled out, long text is cut with "…".

    Example:
        >>> plain("red" + chr(27) + "[31m", 40)
        'red[U+001B][31m'
    """
    text = as_text(value)
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    return _INVISIBLE.sub(lambda match: "" if match[0] == "\r" else f"[U+{ord(match[0]):04X}]", text)


def plain_line(value: object, limit: int) -> str:
    """Return plain text with every run of white space as one space, cut at ``limit`` characters."""
    return plain(" ".join(as_text(value)[: limit * 4].split()), limit)


def as_text(value: object) -> str:
    """Return any object as text, nothing for None; one that cannot say what it is, such as a broken error, by its type.

    Example:
        >>> as_text(ValueError("no such port"))
        'no such port'
    """
    if value is None:
        return ""
    try:
        return str(value)
    except Exception:  # noqa: BLE001  # the object is somebody else's
        return f"a {type(value).__name__} without a text"


def escape(value: object, limit: int | None = None) -> str:
    """Return text as HTML that shows it and does nothing else, in content and in quoted attributes.

    Example:
        >>> escape('<img src="x">')
        '&lt;img src=&quot;x&quot;&gt;'
    """
    return html.escape(plain(value, limit), quote=True)


def one_line(value: object, limit: int) -> str:
    """Return escaped text with every run of white space as one space, cut at ``limit`` characters."""
    return html.escape(plain_line(value, limit), quote=True)
