"""Masking rows before they are kept: what ``redact=`` does to spans and log events.

Most rows hold no key, and looking must cost little: of a batch the texts are joined, every three bytes of them are
looked up in tables at once, and a row is read closer only where the beginning of a key stands.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from lmops.store import SPAN_COLUMNS
from lmops.traces._json import dumps, loads
from lmops.traces._normalise import renormalise

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from lmops.redact import Redactor
    from lmops.traces._batch import Batch

    Row = dict[str, Any]

#: What a span was made of: every other column is read from these.
_SOURCES: Final = ("attributes", "events", "resource", "links")
_SOURCE_TEXTS: Final = ("name", "error_message", "scope")
#: The same, by whether many rows have the same text.
_LONG: Final = ("attributes", "events", "links", "error_message")
_REPEATED: Final = ("name", "scope", "resource")
_IDS: Final = frozenset({"trace_id", "span_id", "parent_span_id"})
_TEXTS: Final = tuple(name for name, kind, _ in SPAN_COLUMNS if kind == "VARCHAR" and name not in _IDS)
_CHUNK: Final = 1_000_000


def redact_batch(batch: Batch, redactor: Redactor | None) -> None:
    """Mask the rows of a batch, and what is said of its rejected records, in place."""
    if redactor is None:
        return
    batch.spans = redact_spans(batch.spans, redactor)
    redact_logs(batch.logs, redactor)
    batch.rejected = [(where, redactor.text(why)) for where, why in batch.rejected]


def redact_spans(rows: list[Row], redactor: Redactor) -> list[Row]:
    """Return span rows as they may be kept."""
    if redactor.functions:
        return [_rewritten(row, redactor) for row in rows]
    windows = redactor.windows
    places: set[int] = set()
    for name in _LONG:
        texts = [row[name] or "" for row in rows]
        if any(texts):
            places.update(_suspects(texts, windows))
    for name in _REPEATED:
        values = list({row[name] for row in rows if row[name]})
        if found := {values[at] for at in _suspects(values, windows) if redactor.keys(values[at]) != values[at]}:
            places.update(place for place, row in enumerate(rows) if row[name] in found)
    for place in places:
        row = rows[place]
        row.update({name: redactor.keys(row[name]) for name in _TEXTS if isinstance(row[name], str)})
    return rows


def redact_logs(rows: list[Row], redactor: Redactor) -> None:
    """Mask log rows in place."""
    for row in rows:
        row["name"] = redactor.keys(row["name"]) if row["name"] else row["name"]
        for name in ("body", "attributes"):
            if isinstance(row[name], str):
                row[name] = _json(row[name], redactor) if redactor.functions else redactor.keys(row[name])


def _rewritten(row: Row, redactor: Redactor) -> Row:
    """Return the row that its masked sources make: columns that were read from them follow."""
    source = dict(row)
    for name in _SOURCES:
        if source[name]:
            source[name] = _json(source[name], redactor)
    for name in _SOURCE_TEXTS:
        if source[name]:
            source[name] = redactor.text(source[name])
    return {**renormalise(source), "cost_usd": row["cost_usd"]}


def _json(text: str, redactor: Redactor) -> str:
    return dumps(redactor.value(loads(text)))


def _suspects(texts: Sequence[str], windows: tuple[str, ...]) -> list[int]:
    """Return the places of the texts in which the beginning of a key may stand."""
    found: list[int] = []
    at = 0
    while at < len(texts):
        size, end = 0, at
        while end < len(texts) and (size < _CHUNK or end == at):
            size += len(texts[end])
            end += 1
        found += (at + place for place in _suspects_of(texts[at:end], windows))
        at = end
    return found


def _suspects_of(texts: Sequence[str], windows: tuple[str, ...]) -> list[int]:
    import numpy as np

    joined = "\n".join(texts)
    if joined.isascii():
        content, sizes = joined.encode(), [len(text) + 1 for text in texts]
    else:
        coded = [text.encode("utf-8", "surrogatepass") for text in texts]
        content, sizes = b"\n".join(coded), [len(one) + 1 for one in coded]
    if len(content) < 3:
        return []
    tables, known = _tables(windows)
    first, second, third = (np.frombuffer(content.translate(table), np.uint8) for table in tables)
    hits = np.flatnonzero((first[:-2] & second[1:-1] & third[2:]) != 0)
    if not len(hits):
        return []
    plain = np.frombuffer(content, np.uint8)
    one, two, three = (plain[hits + ahead].astype(np.uint32) for ahead in range(3))
    hits = hits[np.isin((one << 16) | (two << 8) | three, known)]
    return [int(place) for place in np.unique(np.searchsorted(np.cumsum(sizes), hits, side="right"))]


@functools.lru_cache(maxsize=16)
def _tables(windows: tuple[str, ...]) -> tuple[list[bytes], np.ndarray[Any, Any]]:
    """Return for the first, second and third byte of a window which ones it may be, and the windows as numbers.

    Windows share eight groups, one bit each, by how they end: three bytes with a bit in common may be one of its group.
    """
    import numpy as np

    coded = [window.encode("utf-8", "surrogatepass")[:3] for window in windows]
    groups = {byte: 1 << place % 8 for place, byte in enumerate(sorted({three[2] for three in coded}))}
    tables = [bytearray(256) for _ in range(3)]
    for three in coded:
        for table, byte in zip(tables, three, strict=True):
            table[byte] |= groups[three[2]]
    return [bytes(table) for table in tables], np.array([int.from_bytes(three) for three in coded], np.uint32)
