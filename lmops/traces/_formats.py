"""Reading of every format, in bounded batches, with the place and reason of each record that cannot be read."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import zlib
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

from lmops.base.endings import Caught
from lmops.errors import IngestError, UsageError
from lmops.traces._batch import Batch
from lmops.traces._chat import chat_spans, is_chat
from lmops.traces._claude import call_of
from lmops.traces._json import dumps, loads
from lmops.traces._jsonstream import stream_items, stream_json
from lmops.traces._normalise import normalise
from lmops.traces._otlp import decode_json, decode_logs_pb, decode_traces_pb, problem
from lmops.traces._raw import RawLog, RawSpan, Rejection
from lmops.traces._stream import GZIP_MAGIC, ByteStream, GunzipReader, LineReader
from lmops.traces._wire import Item, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_log = logging.getLogger(__name__)

FORMATS: Final = ("otlp", "otlp-json", "jsonl", "chat-jsonl")

#: A line or a document above this size is read piece by piece instead of at once.
WHOLE_BYTES: Final = 8 * 1024 * 1024
#: A batch is handed over at this many characters of attributes, even with few rows.
_BATCH_CHARACTERS: Final = 8 * 1024 * 1024
_HEAD_BYTES: Final = 64 * 1024
_FIRST_LINES: Final = 5
_BOM: Final = b"\xef\xbb\xbf"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
_OTLP_WORDS: Final = (
    b'"resourceSpans"',
    b'"resourceLogs"',
    b'"resourceMetrics"',
    b'"resource_spans"',
    b'"resource_logs"',
)


def detect(head: bytes, name: str = "") -> str:
    """Return the format of a source by its first bytes; the name decides only where they do not.

    Args:
        head: the first bytes (64 KiB are enough), compressed or not.
        name: file name, for its ending.

    Returns:
        One of FORMATS.
    """
    if head[:2] == GZIP_MAGIC:
        with contextlib.suppress(zlib.error):
            head = zlib.decompressobj(wbits=31).decompress(head, _HEAD_BYTES)
    ending = name.lower().removesuffix(".gz").rpartition(".")[2]
    text = head.removeprefix(_BOM).lstrip()
    if not text:
        return {"json": "otlp-json", "pb": "otlp", "bin": "otlp", "otlp": "otlp"}.get(ending, "jsonl")
    if text[:1] not in (b"{", b"["):
        return "jsonl" if _is_text(head) else "otlp"
    if text[:1] == b"[":
        return "otlp-json" if any(word in text for word in _OTLP_WORDS) else "chat-jsonl"
    return _lines_or_document(text, ending)


def _lines_or_document(text: bytes, ending: str) -> str:
    """Return the format of a source that begins with an object: lines if one of the first lines is a whole record."""
    lines = text.split(b"\n")
    for line in lines[:_FIRST_LINES] if len(lines) > 1 else lines:
        with contextlib.suppress(ValueError):
            found = loads(line)
            if isinstance(found, dict) and is_chat(found):
                return "chat-jsonl"
            if isinstance(found, dict) and any(word.strip(b'"').decode() in found for word in _OTLP_WORDS):
                is_alone = not any(rest.strip() for rest in lines[1:])
                return "otlp-json" if is_alone and ending == "json" else "jsonl"
    if any(word in text for word in _OTLP_WORDS):
        return "otlp-json" if len(lines) > 1 or ending == "json" else "jsonl"
    return "chat-jsonl" if b'"messages"' in text or b'"history"' in text else "jsonl"


def _is_text(head: bytes) -> bool:
    """Return whether bytes are text rather than protobuf, which has control characters from the start."""
    return not any(byte < 9 or 13 < byte < 32 for byte in head[:512])


def read(
    source: BinaryIO,
    *,
    format: str | None = None,
    name: str = "",
    batch_size: int = 2000,
    fallback_time_ns: int | None = None,
) -> Iterator[Batch]:
    """Yield the rows of one source in batches; memory does not grow with the source.

    Args:
        source: bytes from where it stands, compressed with gzip or not.
        format: one of FORMATS, None to detect it.
        name: what rejections call the source, usually the file name.
        batch_size: rows in a batch, at most; fewer when rows are large.
        fallback_time_ns: when a chat record says no time (nanoseconds since 1970); None takes the file's.

    Raises:
        UsageError: the format is not one of FORMATS.
    """
    if format is not None and format not in FORMATS:
        raise UsageError(f"no format named {format!r}; known: {', '.join(FORMATS)}")
    broken: list[str] = []
    plain = ByteStream(source)
    stream = plain
    if plain.peek(2) == GZIP_MAGIC:
        stream = ByteStream(GunzipReader(plain, broken.append))
    head = stream.peek(_HEAD_BYTES)
    if b"\n" not in head[1:] and head.lstrip()[:1] in (b"{", b"["):
        head = stream.peek(WHOLE_BYTES)  # one long line: is there another?
    chosen = format or detect(head, name)
    fallback = _file_time(source) if fallback_time_ns is None else fallback_time_ns
    maker = _Maker(name, batch_size)
    if head[:2] in _UTF_16:
        yield from maker.run([Rejection("", "the file is UTF-16: save it as UTF-8 (in PowerShell: -Encoding utf8)")])
    elif chosen == "otlp":
        yield from maker.run(walk(stream))
    elif chosen == "otlp-json":
        yield from maker.run(_document(stream))
    else:
        place = _Place()
        yield from maker.run(_lines(stream, place, fallback), place)
    for why in broken:
        maker.batch.rejected.append((name or "source", why))
    if len(maker.batch) or maker.batch.ignored:
        yield maker.batch


def decode_request(body: bytes, *, content_type: str, signal: Literal["traces", "logs"]) -> Batch:
    """Return the rows of one export request, as a receiver gets it (already decompressed).

    A span that cannot be read is in ``rejected``; the rest of its request is kept.

    Args:
        body: the message.
        content_type: JSON if it says so, else protobuf.
        signal: which of the two requests it is.

    Raises:
        IngestError: the body is not a message of that signal and encoding; nothing of it is kept.
    """
    items: Iterable[Item]
    if "json" in content_type.lower():
        try:
            document = loads(body)
        except ValueError as error:
            raise IngestError(f"not JSON: {str(error)[:200]}") from None
        items = decode_json(document)
    else:
        items = _protobuf(body, signal)
    maker = _Maker("request", len(body) + 1, characters=len(body) * 100 + 1)  # above what one body can hold
    for batch in maker.run(items):
        maker.batch = batch
    return maker.batch


def _protobuf(body: bytes, signal: Literal["traces", "logs"]) -> Iterable[Item]:
    """Return the records of a request; when one string in it is not UTF-8, what can be read without that record."""
    try:
        return list(decode_traces_pb(body)) if signal == "traces" else list(decode_logs_pb(body))
    except IngestError:
        items = list(walk(ByteStream.over(body)))
        if not any(not isinstance(item, Rejection) for item in items):
            raise
        if any(isinstance(item, Rejection) and item.where for item in items):
            raise  # cut off or no protobuf from some byte on: the sender has to send it again
        return items


def _file_time(source: BinaryIO) -> int:
    """Return when the file was last written, 0 for something that is no file."""
    try:
        return os.fstat(source.fileno()).st_mtime_ns
    except (OSError, AttributeError, io.UnsupportedOperation):
        return 0


class _Place:
    """Where in a source of lines the reader stands."""

    __slots__ = ("line",)

    def __init__(self) -> None:
        self.line = 0


class _Maker:
    """Turns decoded records into batches of rows."""

    def __init__(self, name: str, batch_size: int, characters: int = _BATCH_CHARACTERS) -> None:
        self.name = name or "source"
        self.size = max(1, batch_size)
        self.characters = characters
        self.batch = Batch()
        self._caught = Caught(Exception)
        self.spans = 0
        self.logs = 0

    def run(self, items: Iterable[Item], place: _Place | None = None) -> Iterator[Batch]:
        """Yield full batches; the last, not yet full one stays in ``batch``."""
        rows, last, here = 0, 0, ""
        for item in items:
            if place is not None and place.line != last:  # a line: spans are counted within it
                last, here, self.spans, self.logs = place.line, f":{place.line}", 0, 0
            if isinstance(item, RawSpan):
                self._span(item, here)
            elif isinstance(item, RawLog):
                self._log_record(item, here)
            else:
                self.batch.rejected.append((self._where(here, item.where), item.why))
            rows += 1
            if rows >= self.size or self.batch.characters > self.characters:
                yield self.batch
                self.batch = Batch()
                rows = 0

    def _where(self, here: str, what: str) -> str:
        return f"{self.name}{here}: {what}" if what else f"{self.name}{here}"

    def _span(self, raw: RawSpan, here: str) -> None:
        self.spans += 1
        why = problem(raw)
        if why is None:
            # text from outside must never stop a file
            with self._caught:
                row = normalise(raw)
                self.batch.spans.append(row)
                # input and output were read from the attributes: this is how large the row is, near enough
                self.batch.characters += len(str(row["attributes"]))
                return
            error, self._caught.error = self._caught.error, None
            _log.debug("span cannot be normalised", exc_info=error)
            why = f"span cannot be normalised: {type(error).__name__}"
        self.batch.rejected.append((self._where(here, f"span {self.spans}"), why))

    def _log_record(self, raw: RawLog, here: str) -> None:
        self.logs += 1
        call = call_of(raw)
        if call is not None:
            self._span(call, here)
            return
        if not raw.name.startswith("gen_ai."):
            self.batch.ignored += 1
            return
        if len(raw.trace_id) != 32 or len(raw.span_id) != 16 or not 0 <= raw.time_ns < 2**63:
            why = f"log record {raw.name[:80]} has no span id, trace id or time to join it by"
            self.batch.rejected.append((self._where(here, f"log record {self.logs}"), why))
            return
        row = log_row(raw)
        self.batch.logs.append(row)
        self.batch.characters += len(str(row["body"])) + len(str(row["attributes"]))


def log_row(raw: RawLog) -> dict[str, object]:
    """Return the log row of one log record; every column of LOG_COLUMNS."""
    return {
        "trace_id": raw.trace_id,
        "span_id": raw.span_id,
        "time_ns": raw.time_ns,
        "name": raw.name,
        "body": None if raw.body is None else dumps(raw.body),
        "attributes": dumps(raw.attributes),
    }


def _document(stream: ByteStream) -> Iterator[Item]:
    """Yield the records of one JSON document: at once when it is small and whole, else piece by piece."""
    data = stream.peek(WHOLE_BYTES + 1)
    if len(data) <= WHOLE_BYTES:
        try:
            found = loads(data.removeprefix(_BOM))
        except ValueError:
            pass  # read piece by piece: what stands before the break is kept
        else:
            for document in found if isinstance(found, list) else [found]:
                try:
                    yield from decode_json(document)
                except IngestError as error:
                    yield Rejection("", str(error))
            return
    if data.startswith(_BOM):
        stream.take(len(_BOM))
    del data
    yield from stream_json(stream)


def _lines(stream: ByteStream, place: _Place, fallback: int) -> Iterator[Item]:
    """Yield the records of JSON lines: OTLP objects or chat records, one a line; or one list of chat records."""
    if stream.peek(3) == _BOM:
        stream.take(3)
    if _is_one_value(stream.peek(_HEAD_BYTES)):
        for found in stream_items(stream):
            place.line += 1
            yield from _object(found, place.line, fallback)
        return
    while not stream.at_end:
        place.line += 1
        line = stream.line(WHOLE_BYTES)
        if line is None:
            rest = LineReader(stream)
            yield from stream_json(rest)
            rest.finish()
        elif line and not line.isspace():
            yield from _line(line, place.line, fallback)


def _is_one_value(head: bytes) -> bool:
    """Return whether a source is one list, or one object written over several lines."""
    text = head.lstrip()
    first, newline, _ = text.partition(b"\n")
    return text[:1] == b"[" or (text[:1] == b"{" and bool(newline) and first.rstrip()[-1:] in (b"{", b"[", b","))


def _line(line: bytes, number: int, fallback: int) -> Iterator[Item]:
    try:
        found = loads(line)
    except ValueError as error:
        yield Rejection("", f"not JSON: {str(error)[:200]}")
        return
    yield from _object(found, number, fallback)


def _object(found: object, number: int, fallback: int) -> Iterator[Item]:
    if isinstance(found, Rejection):
        yield found
    elif isinstance(found, dict) and is_chat(found):
        yield from chat_spans(found, position=number, fallback_time_ns=fallback)
    else:
        try:
            yield from decode_json(found)
        except IngestError as error:
            yield Rejection("", str(error))
