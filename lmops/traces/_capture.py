"""Turn arguments and results into text of a bounded size, without ever raising into the application.

The application's values are of any type and size: what is rendered is cut while it is walked, so that
a list of a million rows costs no more than the part of it that is kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import enum
import json
import math
import os
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from lmops.base.endings import Caught
from lmops.traces._json import text_of

TEXT: Final = "text/plain"
JSON: Final = "application/json"

#: Most characters of one input or output, roughly: keys and punctuation are not counted.
MAX_CHARS: Final = 65_536
_MAX_DEPTH: Final = 12
_INT_BITS: Final = 64
#: A longer integer is written in base 16.
_SHOWN_BITS: Final = 10_000
#: What an item costs beside its text, so that a million empty strings end too.
_ITEM_CHARS: Final = 4
_CUT: Final = "... (cut)"


def render(value: object) -> tuple[str, str]:
    """Return the text of one value and its mime type: a string as it is, anything else as JSON."""
    if isinstance(value, str):
        return text_of(value if len(value) <= MAX_CHARS else value[:MAX_CHARS] + _CUT), TEXT
    return to_json(value), JSON


def to_json(value: object) -> str:
    """Return compact JSON of one value, cut to about ``MAX_CHARS``, with ``repr`` of what JSON has no form for."""
    walked = _Walk(MAX_CHARS).plain(value, 0)
    return text_of(json.dumps(walked, ensure_ascii=False, separators=(",", ":")))


class Collected:
    """What a generator yielded: joined when it is all text, else a list; bounded like any output."""

    def __init__(self) -> None:
        self._items: list[object] = []
        self._is_text = True
        self._chars = 0
        self._cut = 0

    def add(self, item: object) -> None:
        """Keep one item, rendered now: the generator may change the object afterwards. Never raises."""
        with contextlib.suppress(Exception):
            self._add(item)

    def _add(self, item: object) -> None:
        if self._chars >= MAX_CHARS:
            self._cut += 1
            return
        if isinstance(item, str):
            kept: object = item[: MAX_CHARS - self._chars]
        else:
            self._is_text = False
            kept = _Walk(MAX_CHARS - self._chars).plain(item, 0)
        self._items.append(kept)
        self._chars += _ITEM_CHARS + (len(item) if isinstance(item, str) else len(to_json(kept)))

    def render(self) -> tuple[str, str] | None:
        """Return the text and its mime type, or None when nothing was yielded."""
        if not self._items:
            return None
        more = f"... ({self._cut} more)" if self._cut else ""
        if self._is_text:
            return text_of("".join(map(str, self._items)) + more), TEXT
        return to_json([*self._items, more] if more else self._items), JSON


class _Walk:
    """One pass over a value, with a budget of characters."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._inside: set[int] = set()

    def plain(self, value: object, depth: int) -> object:
        """Return the value made of what JSON knows."""
        self._budget -= _ITEM_CHARS
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._text(str(value))
        if isinstance(value, int):
            if value.bit_length() <= _INT_BITS:
                return int(value)
            # Its digits as text; str() of a huge integer raises (and is slow below that limit).
            digits = int.__str__(value) if value.bit_length() <= _SHOWN_BITS else hex(value)
            return self._text(digits[: self._budget + 20])
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else str(float(value))
        if id(value) in self._inside:
            return "... (cycle)"
        if depth >= _MAX_DEPTH or self._budget <= 0:
            return _CUT
        self._inside.add(id(value))
        try:
            # properties and iterators of any class run here
            with Caught(Exception) as caught:
                return self._compound(value, depth)
        finally:
            self._inside.discard(id(value))
        return f"<{type(value).__name__}: {type(caught.error).__name__} while it was read>"

    def _compound(self, value: object, depth: int) -> object:
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, bytes | bytearray | memoryview):
            return f"<{len(value)} bytes>"
        if isinstance(value, enum.Enum):
            return self.plain(value.value, depth + 1)
        if isinstance(value, dt.date | dt.time):
            return value.isoformat()
        if isinstance(value, os.PathLike):
            return self._text(str(value))
        if isinstance(value, Sequence | AbstractSet) and not isinstance(value, range):
            return self._items(value, depth)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = [field.name for field in dataclasses.fields(value)]
            return self._mapping({name: getattr(value, name, None) for name in names}, depth)
        if callable(dump := getattr(type(value), "model_dump", None)):
            return self.plain(dump(value), depth + 1)
        return self._text(repr(value))

    def _mapping(self, value: Mapping[object, object], depth: int) -> dict[str, object]:
        out: dict[str, object] = {}
        for key, item in value.items():
            if self._budget <= 0:
                out["..."] = f"({len(value) - len(out)} more)"
                break
            out[str(self._text(key if isinstance(key, str) else repr(key)))] = self.plain(item, depth + 1)
        return out

    def _items(self, value: Sequence[object] | AbstractSet[object], depth: int) -> list[object]:
        out: list[object] = []
        for item in value:
            if self._budget <= 0:
                out.append(f"... ({len(value) - len(out)} more)")
                break
            out.append(self.plain(item, depth + 1))
        return out

    def _text(self, text: str) -> str:
        budget = max(self._budget, 0)
        self._budget -= len(text)
        return text if len(text) <= budget else text[:budget] + _CUT
