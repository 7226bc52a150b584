"""JSON as traces have it: strict and fast first, lenient when that fails, never with a surprise on the way out."""

from __future__ import annotations

import json
from typing import Final

import orjson

from lmops.text import exact_json

#: Values nested deeper than this are replaced by a word, so that no later step can run out of stack.
MAX_DEPTH: Final = 64
TOO_DEEP: Final = "[nested too deeply]"
#: The same for a whole document, whose own structure takes several levels for each level of a value.
_RAW_DEPTH: Final = 250


def loads(data: str | bytes) -> object:
    """Return the value of one JSON text; NaN and lone surrogates are tolerated, long integers keep their digits.

    Raises:
        ValueError: it is not JSON, or it is nested too deeply to be read.
    """
    try:
        return exact_json(data)
    except orjson.JSONDecodeError as error:
        first = error
    try:
        return clean(json.loads(data), limit=_RAW_DEPTH)
    except (ValueError, RecursionError):
        raise ValueError(str(first)) from None


def dumps(value: object) -> str:
    """Return compact JSON; what JSON cannot say (NaN, lone surrogates, integers beyond 64 bit) is made sayable."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(clean(value), ensure_ascii=False, separators=(",", ":"), default=str)


def clean(value: object, depth: int = 0, *, limit: int = MAX_DEPTH) -> object:
    """Return the same value with valid text only, None for NaN and infinity, and a bounded depth."""
    if isinstance(value, str):
        return text_of(value)
    if isinstance(value, float):
        return value if value - value == 0 else None
    if depth > limit and isinstance(value, (list, dict)):
        return TOO_DEEP
    if isinstance(value, list):
        return [clean(item, depth + 1, limit=limit) for item in value]
    if isinstance(value, dict):
        return {text_of(str(key)): clean(item, depth + 1, limit=limit) for key, item in value.items()}
    return value


def text_of(value: str) -> str:
    """Return text that can be encoded: halves of surrogate pairs are joined, lone ones replaced."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value


def structure(value: object) -> object:
    """Return the value behind JSON text, also when it was encoded twice; other text comes back as it is."""
    if not isinstance(value, str):
        return value
    for _ in range(3):
        if not isinstance(value, str) or not value:
            break
        head = value[0]
        if head not in '{["' and (not head.isspace() or value.lstrip()[:1] not in '{["'):
            break
        try:
            value = loads(value)
        except ValueError:
            break
    return value
