"""Texts too long for a row: the row keeps the beginning and the name of the blob that has the whole.

Each shortened value stays what it was: a JSON object an object, a list of messages or documents a list whose texts are
cut, plain text a text. So filters, views and previews work on it as on any other.
"""

from __future__ import annotations

import json
import re
import warnings
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import DamagedStoreError, NotFoundError
from lmops.store._verify import DamagedSegmentWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lmops.store._blobs import Blobs

Row = dict[str, Any]

#: A longer text goes into a blob.
MAX_CHARS: Final = 262_144
#: What the row keeps of it (of each message or document).
KEPT_CHARS: Final = 4_000
#: A list keeps at most so many of its entries.
KEPT_ENTRIES: Final = 50
LONG_COLUMNS: Final = ("input", "output", "attributes", "events", "documents")
KEY: Final = "lmops.blob"
_IN_JSON: Final = re.compile(r'"lmops\.blob":"([0-9a-f]{64})","bytes":\d+')
_SIZE: Final = re.compile(r'lmops\.blob(?:":"| )[0-9a-f]{64}(?:","bytes":|, )(\d{1,18})(?!\d)')
_IN_TEXT: Final = re.compile(r"\n\[lmops\.blob ([0-9a-f]{64}), \d+ bytes\]\Z")


def shorten(row: Row, blobs: Blobs) -> Row:
    """Return a span row whose long texts are in blobs; ``resolve`` is the way back."""
    short = dict(row)
    for column in LONG_COLUMNS:
        text = row[column]
        if text is not None and len(text) > MAX_CHARS:
            content = text.encode("utf-8")
            short[column] = _shortened(column, text, blobs.put(content), len(content))
    return short


def resolve(row: Row, blobs: Blobs) -> Row:
    """Return a span row with its long texts whole; one whose blob is missing or damaged stays short, with a warning."""
    whole = row
    for column, name in references(row):
        try:
            text = blobs.get(name).decode("utf-8")
        except (NotFoundError, DamagedStoreError, UnicodeDecodeError) as error:
            if isinstance(error, DamagedStoreError) or _is_likely(row[column]):
                message = f"{column} of the span {row.get('span_id')} stays short: {error}"
                warnings.warn(message, DamagedSegmentWarning, stacklevel=3)
            continue
        # Anyone can write a text that looks like a marker: it must be what this text is shortened to.
        if len(text) > MAX_CHARS and _shortened(column, text, name, len(text.encode("utf-8"))) == row[column]:
            whole = {**whole, column: text}
    return whole


def references(row: Row) -> Iterator[tuple[str, str]]:
    """Yield (column, name of the blob) of every shortened text of a span row."""
    for column in LONG_COLUMNS:
        text = row.get(column)
        if text is not None and KEY in text:
            found = _IN_TEXT.search(text) or _IN_JSON.search(text)
            if found:
                yield column, found[1]


def _is_likely(text: str) -> bool:
    """Return whether a text has the form of a shortened one; a blob that it names and that is missing is then told."""
    found = _SIZE.search(text)
    plain = _IN_TEXT.search(text)
    return found is not None and int(found[1]) > MAX_CHARS and (plain is None or plain.start() == KEPT_CHARS)


def _shortened(column: str, text: str, name: str, size: int) -> str:
    marker = {KEY: name, "bytes": size}
    if column == "attributes":
        return _compact(marker)
    if column in ("events", "documents"):
        return _entries(text, marker) or _compact([marker])
    if text.startswith('[{"role":'):
        messages = _entries(text, marker)
        if messages is not None:
            return messages
    return f"{text[:KEPT_CHARS]}\n[{KEY} {name}, {size} bytes]"


def _entries(text: str, marker: dict[str, object]) -> str | None:
    """Return a JSON list of objects with its texts cut and the marker on its last entry; None when it is none."""
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        return None
    if len(entries) > KEPT_ENTRIES:
        # The first say what it is about, the last what was asked and answered.
        entries = [*entries[: KEPT_ENTRIES // 2], *entries[-KEPT_ENTRIES // 2 :]]
    short = [{key: _cut(value) for key, value in entry.items()} for entry in entries]
    short[-1] |= marker
    made = _compact(short)
    return made if len(made) <= MAX_CHARS else None


def _cut(value: object) -> object:
    if isinstance(value, str):
        return value[:KEPT_CHARS]
    return None if isinstance(value, (dict, list)) and len(_compact(value)) > KEPT_CHARS else value


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
