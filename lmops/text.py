"""Text that may be hostile, made safe to show: in a terminal, in a line, in HTML.

Whatever comes from traces, labels, datasets or files is shown through these functions, and only so.
"""

from __future__ import annotations

import html
import json
import re
from typing import Final, Literal

#: Controls, and the invisible characters that turn the direction of text around; tab and line feed are left alone.
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


#: Twenty digits in a row show three in a row among every sixth character, which is quick to look for.
_DIGITS: Final = bytes(48 <= byte < 58 for byte in range(256))
_LONG_NUMBER: Final = 20 * b"\1"
#: What a notebook's page would take for TeX; an element around the sign keeps it from finding the end of a formula.
_MATHS: Final = re.compile(r"\$|\\(?=[(\[]|begin|(?:eq)?ref)")
_GUARDED: Final = re.compile(r"<(t?span)>(\$|\\)</\1>")


def exact_json(data: str | bytes, *, long_as_text: bool = False) -> object:
    """Return the value of a JSON text; an integer of more than 64 bits keeps its digits.

    Args:
        data: The JSON text.
        long_as_text: Return such an integer as the text of its digits; as an integer by default.

    Raises:
        ValueError: It is not JSON.

    Example:
        >>> exact_json('{"account": 12345678901234567890123}')
        {'account': 12345678901234567890123}
    """
    import orjson

    value = orjson.loads(data)
    # orjson makes a float of such an integer, which loses all digits but the first 17.
    # Documents are full of times and ids: there, looking at a part first would be in vain.
    if isinstance(data, str) and b"\1\1\1" not in data[::6].encode().translate(_DIGITS):
        return value
    whole = data.encode() if isinstance(data, str) else data
    if _LONG_NUMBER not in whole.translate(_DIGITS):  # ten times as quick as a pattern
        return value
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    try:
        return json.loads(text, parse_int=_long_text if long_as_text else None)
    except (ValueError, RecursionError):  # thousands of digits are no number to anybody
        return value


def _long_text(digits: str) -> int | str:
    number = int(digits)
    return number if -(2**63) <= number < 2**64 else digits


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


def readable(value: object) -> str:
    """Return a value as a reader sees it: a text as it is, what has parts as JSON, nothing for None.

    Example:
        >>> readable({"question": "Why?"})
        '{"question": "Why?"}'
    """
    if not isinstance(value, (dict, list)):
        return as_text(value)
    try:
        return json.dumps(value, ensure_ascii=False, default=as_text)
    except (TypeError, ValueError, RecursionError):  # keys that are no texts, or something that holds itself
        return as_text(value)


def escape(value: object, limit: int | None = None) -> str:
    """Return text as the content of an HTML element, which shows it and does nothing else: "$" begins no formula.

    Example:
        >>> escape('<img src="x">')
        '&lt;img src=&quot;x&quot;&gt;'
        >>> escape("$5")
        '<span>$</span>5'
    """
    return no_maths(attribute(value, limit))


def no_maths(html: str, element: Literal["span", "tspan"] = "span") -> str:
    """Return HTML that others made, without "$" in its tags, so that no text of it begins a formula.

    Args:
        html: What is shown.
        element: That stands around each sign: "tspan" where the text is of an SVG.

    Example:
        >>> no_maths("<td>$5</td>")
        '<td><span>$</span>5</td>'
    """
    return _MATHS.sub(rf"<{element}>\g<0></{element}>", html)


def one_line(value: object, limit: int) -> str:
    """Return escaped text with every run of white space as one space, cut at ``limit`` characters."""
    return escape(plain_line(value, limit))


def attribute(value: object, limit: int | None = None) -> str:
    """Return text for a quoted attribute of HTML, and for a title, in which no element can stand.

    Example:
        >>> attribute('" onclick="x')
        '&quot; onclick=&quot;x'
    """
    return html.escape(plain(value, limit), quote=True)


def unescape(markup: str) -> str:
    """Return HTML with the texts that :func:`escape` and :func:`no_maths` wrote as they were.

    Example:
        >>> unescape(escape("a < $5"))
        'a < $5'
    """
    return html.unescape(_GUARDED.sub(r"\2", markup))
