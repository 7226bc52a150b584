"""What a tool returned, as JSON can say it and of a bounded size."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import orjson

from lmops.base.endings import Caught
from lmops.text import plain_line
from lmops.tools.validating import MisfitError

#: Most characters of the JSON of a result that is kept whole.
MAX_RESULT: Final = 1_000_000
#: So many characters of a longer one are kept.
KEPT: Final = 60_000
#: A mapping of so few plain values is looked at by itself: its JSON need not be made and read for that.
_FEW: Final = 12
_EXACT: Final = 2**53
_PLAIN: Final = (str, int, float, bool, type(None))


class Kept(NamedTuple):
    """A result that can be kept.

    Args:
        value: Plain data.
        cut_chars: How many characters it had, where it was cut; None where it was not.
    """

    value: Any
    cut_chars: int | None = None


def kept(value: Any) -> Kept:
    """Return a result as plain data, cut where it is very long.

    A text keeps its beginning; of anything else the beginning of its JSON is kept, as a text.

    Raises:
        MisfitError: JSON cannot say it.
    """
    if isinstance(value, str):
        text = value if value.isascii() else value.encode("utf-8", "replace").decode()
        return Kept(text) if len(text) <= MAX_RESULT else Kept(_cut(text), len(text))
    if isinstance(value, bytes | bytearray | memoryview):
        raise MisfitError(["it returned bytes, which JSON cannot say"])
    if type(value) in _PLAIN and not isinstance(value, float):
        return Kept(value)
    if type(value) is dict and _is_flat(value):
        return Kept({**value})
    data = _json(value)
    if len(data) > MAX_RESULT:
        text = data[: KEPT * 4].decode("utf-8", "ignore")
        return Kept(_cut(text, whole=len(data)), len(data))
    return Kept(orjson.loads(data))


def _is_flat(value: dict[Any, Any]) -> bool:
    """Return whether a small mapping is what its JSON would say, as most results are."""
    if len(value) > _FEW:
        return False
    for name, one in value.items():
        if type(name) is not str or not name.isascii():
            return False
        kind = type(one)
        if kind is str:
            is_plain = len(one) <= KEPT and one.isascii()
        elif kind is int or kind is float:
            is_plain = -_EXACT < one < _EXACT
        else:
            is_plain = one is None or kind is bool
        if not is_plain:
            return False
    return True


def _json(value: Any) -> bytes:
    with Caught(Exception) as quickly:  # what orjson does not know, pydantic may
        return orjson.dumps(value)
    from pydantic_core import to_json

    with Caught(Exception) as caught:  # it runs code of whoever made the value
        return to_json(value, inf_nan_mode="null")
    del quickly
    assert caught.error is not None
    said = plain_line(str(caught.error), 200)
    raise MisfitError([f"it returned a {type(value).__name__}, which JSON cannot say ({said})"]) from caught.error


def _cut(text: str, *, whole: int | None = None) -> str:
    return f"{text[:KEPT]}... (cut: {whole or len(text):,} characters, of which these are the first {KEPT:,})"
