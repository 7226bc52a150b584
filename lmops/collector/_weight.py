"""What a body becomes when it is decoded, found out before: two bytes on the wire can be two hundred in memory."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.serve import JSON

if TYPE_CHECKING:
    from lmops.collector._answer import Signal

#: What one field of a message, one value of a JSON document and one row of a span or log take, in bytes: measured on
#: decoding batches of OpenTelemetry's SDK, and rounded up.
_FIELD_BYTES: Final = 64
_VALUE_BYTES: Final = 192
_RECORD_BYTES: Final = 2048
#: A message so small is not looked into: it is an attribute with its key and its value.
_SMALL_BYTES: Final = 64
_SMALL_FIELDS: Final = 3
#: A text, which may hold anything, or what opens or divides values.
_JSON_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|([{\[,])', re.DOTALL)
#: The first bytes of fields that have a length, whatever their number.
_LENGTH: Final = 2
_TAGS: Final = bytes(byte for byte in range(256) if byte & 7 == _LENGTH)
#: Bytes of fields of fixed size, by kind; groups have none of their own.
_FIXED: Final = {1: 8, 5: 4}
_MORE: Final = 0x80
#: A span with its ids, times and a name takes so many bytes on the wire.
_SPAN_BYTES: Final = 64
_RECORDS: Final = frozenset({"Span", "LogRecord"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """What a body holds; the counts stop a little above the limits that they were counted for."""

    records: int
    values: int
    bytes: int


def weigh(body: bytes, content_type: str, signal: Signal, *, max_records: int, max_values: int) -> Weight:
    """Return how many spans or log records, and how many values, a body holds, and about what they take in memory.

    Where the limits cannot be passed, the counts are not exact.

    A body that cannot be read weighs what was counted before that was found; the decoder says what is wrong.
    """
    if content_type == JSON:
        records, values = _count_json(body, max_values)
        each = _VALUE_BYTES
    else:
        # Every field with a length begins with such a byte: where there are few, no limit can be passed.
        most = len(body) - len(body.translate(None, delete=_TAGS))
        if most <= min(max_records, max_values):
            records, values = min(most, len(body) // _SPAN_BYTES), most
        else:
            records, values = _count_protobuf(body, _node(_request(signal)), max_records, max_values)
        each = _FIELD_BYTES
    return Weight(records=records, values=values, bytes=records * _RECORD_BYTES + values * each)


def _count_json(body: bytes, max_values: int) -> tuple[int, int]:
    """Return spans and values: what opens one or divides two, first counted in all bytes, then outside of texts."""
    records = body.count(b'"spanId"')
    values = body.count(b"{") + body.count(b"[") + body.count(b",")
    if values <= max_values:
        return records, values
    values = 0
    for token in _JSON_TOKEN.finditer(body):
        if token.lastindex:
            values += 1
            if values > max_values:
                break
    return records, values


@dataclass(slots=True, eq=False)
class _Node:
    """A type of message: its fields that are messages, by tag, and whether it is, or can hold, a record."""

    children: dict[int, _Node]
    is_record: bool
    holds_records: bool


def _count_protobuf(body: bytes, root: _Node, max_records: int, max_values: int) -> tuple[int, int]:
    """Walk the messages of a body without making objects of them; stop above a limit."""
    records = values = 0
    todo = [(0, len(body), root)]
    while todo:
        at, end, node = todo.pop()
        children = node.children
        try:
            while at < end:
                tag = body[at]
                at += 1
                if tag >= _MORE:
                    tag, at = _varint(body, at - 1)
                kind = tag & 7
                if kind == _LENGTH:
                    size = body[at]
                    at += 1
                    if size >= _MORE:
                        size, at = _varint(body, at - 1)
                    values += 1
                    child = children.get(tag >> 3)
                    if child is not None:
                        records += child.is_record
                        if size > _SMALL_BYTES or child.holds_records:
                            todo.append((at, min(at + size, end), child))
                        elif size:
                            values += _SMALL_FIELDS - 1
                    at += size
                    if values > max_values or records > max_records:
                        return records, values
                elif kind == 0:
                    _, at = _varint(body, at)
                else:
                    at += _FIXED.get(kind, 0)
        except IndexError:  # cut off here; what lies beside it is decoded first, and counts
            continue
    return records, values


def _varint(body: bytes, at: int) -> tuple[int, int]:
    byte = body[at]
    if byte < 0x80:
        return byte, at + 1
    number, shift = byte & 0x7F, 7
    while shift < 70:
        at += 1
        byte = body[at]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at + 1
        shift += 7
    raise IndexError  # longer than a number can be


def _request(signal: Signal) -> Any:
    """Return the descriptor of a request's message."""
    if signal == "traces":
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        return ExportTraceServiceRequest.DESCRIPTOR
    if signal == "logs":
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

        return ExportLogsServiceRequest.DESCRIPTOR
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    return ExportMetricsServiceRequest.DESCRIPTOR


@functools.cache
def _node(request: Any) -> _Node:
    """Return the tree of message types below a request; a value that holds values leads back to itself."""
    known: dict[str, _Node] = {}

    def make(descriptor: Any) -> _Node:
        if descriptor.full_name in known:
            return known[descriptor.full_name]
        node = known[descriptor.full_name] = _Node({}, descriptor.name in _RECORDS, holds_records=False)
        for field in descriptor.fields:
            if field.message_type is not None:
                child = node.children[field.number] = make(field.message_type)
                node.holds_records |= child.is_record or child.holds_records
        return node

    return make(request)
