"""Protobuf files of any size: the nesting is walked by hand, single spans and log records are parsed by protobuf.

Message field numbers: TracesData.resource_spans = 1; ResourceSpans.resource = 1, .scope_spans = 2;
ScopeSpans.scope = 1, .spans = 2; logs and metrics have the same numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourcePb

from lmops.base.endings import Caught
from lmops.traces._attributes import ResourceSpans, Span
from lmops.traces._otlp import log_pb, logs_of, resource_pb, scope_text, span_pb, spans_of
from lmops.traces._raw import NO_RESOURCE, RawLog, RawSpan, Rejection, Resource, unreadable
from lmops.traces._stream import ByteStream

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A ResourceSpans message up to this size is parsed at once; above, it is walked.
_WHOLE_BYTES: Final = 2 * 1024 * 1024
#: A single span above this size is refused.
_RECORD_BYTES: Final = 64 * 1024 * 1024
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_METRICS: Final = "metrics are not stored: send traces or logs"


_CUT_OFF: Final = "the message is cut off"

Item = RawSpan | RawLog | Rejection


class _CutOffError(Exception):
    """The source ends inside a message, or is no protobuf from here on."""


def walk(stream: ByteStream) -> Iterator[Item]:
    """Yield spans and log records of a protobuf source of any size, and a rejection for what cannot be read.

    Also reads the form in which each message follows its length in four bytes (the Collector's file exporter).
    """
    try:
        while not stream.at_end:
            head = stream.peek(5)
            size = int.from_bytes(head[:4], "big")
            if head[0] == 0 and len(head) == 5 and head[4] == 0x0A and size:
                stream.take(4)
                yield from _messages(stream, stream.offset + size)
            else:
                yield from _messages(stream, None)
    except _CutOffError as error:
        yield Rejection(f"byte {stream.offset}", str(error))


def _messages(stream: ByteStream, end: int | None) -> Iterator[Item]:
    for field, wire in _fields(stream, end):
        if field != 1 or wire != _BYTES:
            _skip(stream, wire)
            continue
        size = _size(stream)
        if size > _WHOLE_BYTES:
            yield from _descend(stream, stream.offset + size)
            continue
        with stream.view(size) as data:
            parsed = _parsed(data) if len(data) == size else None
        if parsed is not None:
            stream.skip(size)
            yield from logs_of(parsed) if isinstance(parsed, ResourceLogs) else spans_of(parsed)
            continue
        whole = stream.take(size)
        is_cut = len(whole) < size
        # What can be read of it is kept; that the rest is missing is said once, with the place.
        yield from (item for item in _piecewise(whole) if not (is_cut and item == Rejection("", _CUT_OFF)))
        if is_cut:
            raise _CutOffError(_CUT_OFF)


def _fields(stream: ByteStream, end: int | None) -> Iterator[tuple[int, int]]:
    """Yield (field number, wire type) of one message; the caller consumes each value."""
    while (stream.offset < end) if end is not None else (not stream.at_end):
        tag = stream.varint()
        if tag is None or tag >> 3 == 0:
            raise _CutOffError("not an OTLP protobuf message" if tag is not None else _CUT_OFF)
        yield tag >> 3, tag & 7


def _size(stream: ByteStream) -> int:
    size = stream.varint()
    if size is None:
        raise _CutOffError(_CUT_OFF)
    return size


def _skip(stream: ByteStream, wire: int) -> None:
    if wire == _VARINT:
        done = stream.varint() is not None
    elif wire == _FIXED64:
        done = stream.skip(8)
    elif wire == _FIXED32:
        done = stream.skip(4)
    elif wire == _BYTES:
        done = stream.skip(_size(stream))
    else:
        raise _CutOffError("not an OTLP protobuf message")
    if not done:
        raise _CutOffError(_CUT_OFF)


def _parsed(data: memoryview) -> ResourceSpans | ResourceLogs | None:
    """Return one ResourceSpans or ResourceLogs message; None when it is neither or cannot be read at once."""
    signal = _signal(data)
    if signal == "metrics":
        return None
    try:
        return ResourceLogs.FromString(data) if signal == "logs" else ResourceSpans.FromString(data)
    except (DecodeError, ValueError):
        return None


def _piecewise(data: bytes) -> Iterator[Item]:
    """Yield the records of one resource message that cannot be parsed at once."""
    if _signal(data) == "metrics":
        yield Rejection("", _METRICS)
        return
    try:
        yield from _descend(ByteStream.over(data), len(data))
    except _CutOffError as error:
        yield Rejection("", str(error))


def _descend(stream: ByteStream, end: int) -> Iterator[Item]:
    """Yield the records of one resource message, reading one record at a time."""
    resource, seen = NO_RESOURCE, 0
    for field, wire in _fields(stream, end):
        if field == 1 and wire == _BYTES:
            resource, why = _resource(_take(stream))
            if seen and why is None:
                why = f"the resource came after its {seen} spans, which have no service therefore"
            if why is not None:
                yield Rejection("", why)
        elif field == 2 and wire == _BYTES:
            for item in _scope(stream, resource):
                seen += 1
                yield item
        else:
            _skip(stream, wire)


def _scope(stream: ByteStream, resource: Resource) -> Iterator[Item]:
    size = _size(stream)
    end = stream.offset + size
    scope = ""
    for field, wire in _fields(stream, end):
        if wire != _BYTES or field > 2:
            _skip(stream, wire)
            continue
        data = _take(stream)
        if field == 1:
            with _read() as caught:
                scope = scope_text(InstrumentationScope.FromString(data))
            if caught.error is not None:
                yield Rejection("", "the instrumentation scope cannot be read")
        else:
            yield _record(data, resource, scope)


def _record(data: bytes, resource: Resource, scope: str) -> Item:
    signal = record_signal(data)
    if signal == "metrics":
        return Rejection("", _METRICS)
    with _read() as caught:
        if signal == "logs":
            return log_pb(LogRecord.FromString(data))
        return span_pb(Span.FromString(data), resource, scope)
    assert caught.error is not None
    return unreadable("log record" if signal == "logs" else "span", caught.error)


def _resource(data: bytes) -> tuple[Resource, str | None]:
    with _read() as caught:
        return resource_pb(ResourcePb.FromString(data)), None
    return NO_RESOURCE, f"the resource cannot be read: {caught.error}"[:300]


def _read() -> Caught[Exception]:
    """What is read comes from outside: whatever it raises is said of it, and the rest goes on."""
    return Caught(Exception)


def _take(stream: ByteStream) -> bytes:
    size = _size(stream)
    if size > _RECORD_BYTES:
        stream.skip(size)
        return b""
    data = stream.take(size)
    if len(data) < size:
        raise _CutOffError(_CUT_OFF)
    return data


def _signal(data: bytes | memoryview) -> str:
    """Return traces, logs or metrics of one resource message, by its first record."""
    stream = ByteStream.over(data)
    try:
        for field, wire in _fields(stream, len(data)):
            if field != 2 or wire != _BYTES:
                _skip(stream, wire)
                continue
            end = _size(stream) + stream.offset
            for inner, inner_wire in _fields(stream, min(end, len(data))):
                if inner == 2 and inner_wire == _BYTES:
                    return record_signal(stream.take(min(_size(stream), 4096)))
                _skip(stream, inner_wire)
    except _CutOffError:
        pass
    return "traces"


def record_signal(data: bytes) -> str:
    """Return which signal one record belongs to, by the wire types of its fields.

    A span has its times in 7 and 8 as fixed64, a log record in 1 or 11; a metric has none, and a name in 1.
    """
    if data[:2] == b"\x0a\x10" and data[18:20] == b"\x12\x08" and not data[2:18].isascii():
        return "traces"  # 16 bytes that are no name, then 8: the ids of nearly every span
    stream = ByteStream.over(data)
    first, second = b"", 0
    try:
        for field, wire in _fields(stream, len(data)):
            if wire == _FIXED64 and field in (1, 11):
                return "logs"
            if wire == _FIXED64 and field in (7, 8):
                return "traces"
            if wire == _BYTES and field in (1, 2):
                size = _size(stream)
                first, second = (stream.take(size), second) if field == 1 else (first, size)
                if field == 2:
                    stream.skip(size)
            else:
                _skip(stream, wire)
    except _CutOffError:
        pass
    is_name = first.isascii() and first.decode("ascii", "replace").isprintable()
    return "metrics" if first and is_name and second != 8 else "traces"
