"""Images and sounds that a trace carries in itself; what lies elsewhere is never fetched."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.text import exact_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lmops.traces._trace import Span

#: What a page shows and a browser runs nothing of; SVG is a document and not among them.
KINDS: Final = {
    **dict.fromkeys(("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"), "image"),
    **dict.fromkeys(("audio/wav", "audio/mpeg", "audio/ogg", "audio/webm", "audio/flac", "audio/mp4"), "audio"),
}
_ALSO: Final = {
    "image/jpg": "image/jpeg",
    "audio/mp3": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
}
_ADDRESS: Final = re.compile(r"data:([\w/+.-]{3,60});base64,")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_TYPES: Final = ("media_type", "mime_type", "mimeType", "mediaType", "format")
_DATA: Final = ("data", "content", "base64", "bytes")
#: What an answer of a model is called in attributes.
_ANSWERS: Final = re.compile(r"output|completion|response|choice")
#: Of one case, and characters of one: Jupyter's server cuts off what sends more than a few megabytes at once.
MOST: Final = 12
LONGEST: Final = 1_400_000
_DEEPEST: Final = 12


@dataclass(frozen=True, slots=True)
class Medium:
    """One image or sound: its media type, its data as base64, and whether it is part of an answer."""

    mime: str
    data: str
    is_answer: bool

    @property
    def facts(self) -> dict[str, Any]:
        """What a page is told before it asks for the data."""
        return {
            "kind": KINDS[self.mime],
            "mime": self.mime,
            "bytes": len(self.data) * 3 // 4,
            "is_shown": len(self.data) <= LONGEST,
            "is_answer": self.is_answer,
        }

    @property
    def shown(self) -> dict[str, str]:
        """The media type and the data, for a page.

        Raises:
            UsageError: It is too large to be shown.
        """
        if len(self.data) > LONGEST:
            raise UsageError("this is too large to be shown here: ws.traces.get(id) has it")
        return {"mime": self.mime, "data": self.data}


def media_of(spans: Iterable[Span]) -> list[Medium]:
    """Return the images and sounds in the attributes of spans, each once, in their order."""
    found: dict[str, Medium] = {}
    for span in spans:
        for name, value in span.attributes.items():
            for said, data in _within(value, 0):
                mime = _ALSO.get(said, said)
                if mime in KINDS and len(found) < MOST and _BASE64.fullmatch(data):
                    found.setdefault(data, Medium(mime, data, bool(_ANSWERS.search(name))))
    return list(found.values())


def _within(value: object, depth: int) -> Iterator[tuple[str, str]]:
    """Yield media type and data of whatever holds some, in a value or in the JSON of a text."""
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        address = _ADDRESS.match(value)
        if address is not None:
            yield address[1].lower(), value[address.end() :]
        elif value[:1] in ("[", "{") and ("base64" in value or '"data"' in value or '"content"' in value):
            try:
                yield from _within(exact_json(value), depth + 1)
            except ValueError:
                return
    elif isinstance(value, dict):
        mime, data = (
            next((value[key] for key in keys if isinstance(value.get(key), str)), "") for keys in (_TYPES, _DATA)
        )
        if mime and data and not data.startswith("data:"):
            yield mime.lower() if "/" in mime else f"audio/{mime.lower()}", data
            return
        for one in value.values():
            yield from _within(one, depth + 1)
    elif isinstance(value, list):
        for one in value:
            yield from _within(one, depth + 1)
