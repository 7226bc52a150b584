"""Decoding of OTLP, protobuf and JSON, into spans and log records as they were sent.

Protobuf messages are walked as they are; turning them into dicts first costs more than everything else together.
Both forms of one request give equal spans.
"""

from __future__ import annotations

import base64
import binascii
import math
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData

from lmops.errors import IngestError
from lmops.traces._attributes import TracesData, any_value, attributes_of, span_attributes
from lmops.traces._json import MAX_DEPTH, TOO_DEEP, text_of
from lmops.traces._raw import NO_RESOURCE, RawLog, RawSpan, Rejection, Resource, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource as ResourcePb
    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

_ZERO_TRACE: Final = "0" * 32
_ZERO_SPAN: Final = "0" * 16
_TIME_MAX: Final = 2**63 - 1
_HEX: Final = "0123456789abcdef"


def problem(raw: RawSpan) -> str | None:
    """Return why a span cannot be stored, or None; puts right what can be.

    A span without an end, or one that ends before it starts, is kept. One without a start takes its end.
    """
    if len(raw.trace_id) != 32 or raw.trace_id == _ZERO_TRACE:
        return f"trace id is not 16 bytes: {raw.trace_id[:40]!r}"
    if len(raw.span_id) != 16 or raw.span_id == _ZERO_SPAN:
        return f"span id is not 8 bytes: {raw.span_id[:40]!r}"
    if not 0 <= raw.start_ns <= _TIME_MAX or not 0 <= raw.end_ns <= _TIME_MAX:
        return "time is beyond the year 2262 or negative"
    if raw.start_ns == 0:
        if raw.end_ns == 0:
            return "span has no time"
        raw.start_ns = raw.end_ns
        raw.end_ns = 0
    parent = raw.parent_span_id
    if parent is not None and (len(parent) != 16 or parent == _ZERO_SPAN):
        raw.parent_span_id = None
    return None


# Protobuf


def decode_traces_pb(body: bytes) -> Iterator[RawSpan]:
    """Yield the spans of one TracesData or ExportTraceServiceRequest message.

    Raises:
        IngestError: the bytes are not such a message.
    """
    try:
        data = TracesData.FromString(body)
    except (DecodeError, ValueError) as error:
        raise IngestError(f"not an OTLP trace message: {error}") from None
    for resource_spans in data.resource_spans:
        for span in spans_of(resource_spans):
            if isinstance(span, Rejection):
                raise IngestError(f"not an OTLP trace message: {span.why}")
            yield span


def spans_of(resource_spans: ResourceSpans) -> Iterator[RawSpan | Rejection]:
    """Yield the spans of one ResourceSpans message; for one that cannot be read, a rejection."""
    resource = resource_pb(resource_spans.resource)
    for scope_spans in resource_spans.scope_spans:
        scope = scope_text(scope_spans.scope)
        for span in scope_spans.spans:
            try:
                yield span_pb(span, resource, scope)
            except ValueError as error:
                yield unreadable("span", error)


def resource_pb(resource: ResourcePb) -> Resource:
    """Return the resource of a protobuf message."""
    return Resource(attributes_of(resource.attributes))


def span_pb(span: Span, resource: Resource, scope: str) -> RawSpan:
    """Return one protobuf span.

    Raises:
        ValueError: an attribute cannot be read.
    """
    attributes = span_attributes(span.attributes)
    status = span.status
    parent = span.parent_span_id
    return RawSpan(
        span.trace_id.hex(),
        span.span_id.hex(),
        parent.hex() if parent else None,
        span.name,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        status.code,
        status.message,
        attributes,
        [
            {"name": event.name, "time_ns": event.time_unix_nano, "attributes": attributes_of(event.attributes)}
            for event in span.events
        ]
        if span.events
        else [],
        [
            {
                "trace_id": link.trace_id.hex(),
                "span_id": link.span_id.hex(),
                "attributes": attributes_of(link.attributes),
            }
            for link in span.links
        ]
        if span.links
        else [],
        resource,
        scope,
    )


def scope_text(scope: InstrumentationScope) -> str:
    """Return "name version" of an instrumentation scope."""
    return f"{scope.name} {scope.version}".strip()


def decode_logs_pb(body: bytes) -> Iterator[RawLog]:
    """Yield the log records of one LogsData or ExportLogsServiceRequest message.

    Raises:
        IngestError: the bytes are not such a message.
    """
    try:
        data = LogsData.FromString(body)
    except (DecodeError, ValueError) as error:
        raise IngestError(f"not an OTLP log message: {error}") from None
    for resource_logs in data.resource_logs:
        yield from logs_of(resource_logs)


def logs_of(resource_logs: ResourceLogs) -> Iterator[RawLog]:
    """Yield the log records of one ResourceLogs message."""
    for scope_logs in resource_logs.scope_logs:
        for record in scope_logs.log_records:
            yield log_pb(record)


def log_pb(record: LogRecord) -> RawLog:
    """Return one protobuf log record."""
    attributes = attributes_of(record.attributes)
    return RawLog(
        record.trace_id.hex(),
        record.span_id.hex(),
        record.time_unix_nano or record.observed_time_unix_nano,
        record.event_name or _event_name(attributes),
        any_value(record.body) if record.HasField("body") else None,
        attributes,
    )


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


# JSON


def decode_json(document: object) -> Iterator[RawSpan | RawLog]:
    """Yield spans and log records of one OTLP/JSON object: TracesData, LogsData, or an export request.

    Raises:
        IngestError: the object is neither, or it holds metrics.
    """
    if not isinstance(document, dict):
        raise IngestError(f"not an OTLP object but {type(document).__name__}")
    found = False
    for resource_spans in _items(document, "resourceSpans", "resource_spans"):
        found = True
        if isinstance(resource_spans, dict):
            yield from spans_of_json(resource_spans)
    for resource_logs in _items(document, "resourceLogs", "resource_logs"):
        found = True
        if isinstance(resource_logs, dict):
            yield from logs_of_json(resource_logs)
    if not found:
        reason = why_not(document)
        if reason is not None:
            raise IngestError(reason)


def why_not(document: dict[str, object]) -> str | None:
    """Return why an object without spans and logs is refused; an empty request is fine."""
    if "resourceMetrics" in document or "resource_metrics" in document:
        return "metrics are not stored: send traces or logs"
    known = ("resourceSpans", "resource_spans", "resourceLogs", "resource_logs")
    for key in known:
        if document.get(key) is not None and not isinstance(document[key], list):
            return f"{key} is no list but {type(document[key]).__name__}"
    if not document or any(key in document for key in known):
        return None
    keys = ", ".join(sorted(map(str, document))[:6])
    return f"neither resourceSpans nor resourceLogs in the object (its keys: {text_of(keys)[:200]})"


def spans_of_json(resource_spans: dict[str, object]) -> Iterator[RawSpan]:
    """Yield the spans of one ResourceSpans object."""
    resource = resource_json(resource_spans.get("resource"))
    for scope_spans in _items(resource_spans, "scopeSpans", "scope_spans", "instrumentationLibrarySpans"):
        if isinstance(scope_spans, dict):
            scope = scope_json(scope_spans.get("scope", scope_spans.get("instrumentationLibrary")))
            for span in _items(scope_spans, "spans"):
                yield span_json(span, resource, scope)


def logs_of_json(resource_logs: dict[str, object]) -> Iterator[RawLog]:
    """Yield the log records of one ResourceLogs object."""
    for scope_logs in _items(resource_logs, "scopeLogs", "scope_logs"):
        if isinstance(scope_logs, dict):
            for record in _items(scope_logs, "logRecords", "log_records"):
                yield log_json(record)


def resource_json(resource: object) -> Resource:
    """Return the resource of a JSON request."""
    if not isinstance(resource, dict):
        return NO_RESOURCE
    return Resource(_attributes_json(resource.get("attributes")))


def scope_json(scope: object) -> str:
    """Return "name version" of a JSON scope."""
    if not isinstance(scope, dict):
        return ""
    return f"{scope.get('name') or ''} {scope.get('version') or ''}".strip()


def span_json(span: object, resource: Resource, scope: str) -> RawSpan:
    """Return one JSON span; ids that cannot be read become "", which ``problem`` names.

    Ids are hex; base64, which generic protobuf tools write, is understood too.
    """
    given: dict[str, object] = span if isinstance(span, dict) else {}
    if "trace_id" in given:  # written with the names of the proto file
        given = {_camel(key): value for key, value in given.items()}
    status = given.get("status")
    status = status if isinstance(status, dict) else {}
    message = status.get("message")
    name = given.get("name")
    return RawSpan(
        identity(given.get("traceId"), 16),
        identity(given.get("spanId"), 8),
        identity(given.get("parentSpanId"), 8) or None,
        name if isinstance(name, str) else "" if name is None else str(name)[:1000],
        whole(given.get("startTimeUnixNano")),
        whole(given.get("endTimeUnixNano")),
        _code(status.get("code")),
        message if isinstance(message, str) else "",
        _attributes_json(given.get("attributes")),
        [_event_json(event) for event in _items(given, "events") if isinstance(event, dict)]
        if "events" in given
        else [],
        [_link_json(link) for link in _items(given, "links") if isinstance(link, dict)] if "links" in given else [],
        resource,
        scope,
    )


def _event_json(event: dict[str, object]) -> dict[str, object]:
    name = event.get("name")
    return {
        "name": name if isinstance(name, str) else "",
        "time_ns": whole(event.get("timeUnixNano", event.get("time_unix_nano"))),
        "attributes": _attributes_json(event.get("attributes")),
    }


def _link_json(link: dict[str, object]) -> dict[str, object]:
    return {
        "trace_id": identity(link.get("traceId", link.get("trace_id")), 16),
        "span_id": identity(link.get("spanId", link.get("span_id")), 8),
        "attributes": _attributes_json(link.get("attributes")),
    }


def log_json(record: object) -> RawLog:
    """Return one JSON log record."""
    given: dict[str, object] = record if isinstance(record, dict) else {}
    if "trace_id" in given or "time_unix_nano" in given:
        given = {_camel(key): value for key, value in given.items()}
    attributes = _attributes_json(given.get("attributes"))
    name = given.get("eventName")
    return RawLog(
        identity(given.get("traceId"), 16),
        identity(given.get("spanId"), 8),
        whole(given.get("timeUnixNano")) or whole(given.get("observedTimeUnixNano")),
        name if isinstance(name, str) and name else _event_name(attributes),
        _any_json(given["body"], 0) if "body" in given else None,
        attributes,
    )


def _event_name(attributes: dict[str, object]) -> str:
    name = attributes.get("event.name")
    return name if isinstance(name, str) else ""


def _camel(key: str) -> str:
    head, *rest = key.split("_")
    return head + "".join(word.title() for word in rest)


def _items(holder: dict[str, object], *keys: str) -> list[object]:
    for key in keys:
        value = holder.get(key)
        if isinstance(value, list):
            return value
    return []


def _attributes_json(pairs: object) -> dict[str, object]:
    result: dict[str, object] = {}
    if isinstance(pairs, list):
        for pair in pairs:
            if type(pair) is dict:
                key, value = pair.get("key"), pair.get("value")
                if type(value) is dict and len(value) == 1:  # most are texts, and most others are whole numbers
                    said = value.get("stringValue")
                    if type(said) is not str:
                        said = _int64(value["intValue"]) if "intValue" in value else _any_json(value, 0)
                else:
                    said = _any_json(value, 0)
                result[key if type(key) is str else str(key or "")] = said
    return result


def _any_json(value: object, depth: int) -> object:
    if not isinstance(value, dict):
        return value if isinstance(value, (str, bool, int, float)) else None
    for key, inner in value.items():
        word = key.replace("_v", "V") if "_" in key else key
        read = _SCALARS.get(word)
        if read is not None:
            return read(inner)
        if word in ("arrayValue", "kvlistValue"):
            return TOO_DEEP if depth >= MAX_DEPTH else _compound(word, inner, depth)
    return None


def _compound(word: str, inner: object, depth: int) -> object:
    values = inner.get("values") if isinstance(inner, dict) else None
    items = values if isinstance(values, list) else []
    if word == "arrayValue":
        return [_any_json(item, depth + 1) for item in items]
    return {
        str(pair.get("key") or ""): _any_json(pair.get("value"), depth + 1) for pair in items if isinstance(pair, dict)
    }


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None if value is None else str(value)[:100_000]


def _bool_or_bytes(value: object) -> bool | str | None:
    return value if isinstance(value, (bool, str)) else None


def _int64(value: object) -> int | str | None:
    """Return a 64-bit integer; one that does not fit stays as text."""
    if type(value) is str and len(value) < 19 and value.isdecimal():  # as most are
        return int(value)
    if type(value) is int and -(2**63) <= value < 2**63:
        return value
    if isinstance(value, str):
        try:
            value = int(value) if len(value) <= 40 else value
        except ValueError:
            return None
    if isinstance(value, float):
        value = int(value) if math.isfinite(value) else None
    if isinstance(value, dict):
        found = _of_halves(value)
        value = found - 2**64 if found >= 2**63 else found if "low" in value and "high" in value else None
    if isinstance(value, bool) or not isinstance(value, int):
        return value if isinstance(value, str) else None
    return value if -(2**63) <= value < 2**63 else str(value)


def _double(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return _finite(float(value)) if isinstance(value, (str, int, float)) else None
    except (ValueError, OverflowError):
        return None


_SCALARS: Final[dict[str, Callable[[object], object]]] = {
    "stringValue": _string,
    "intValue": _int64,
    "doubleValue": _double,
    "boolValue": _bool_or_bytes,
    "bytesValue": _bool_or_bytes,
}


def whole(value: object) -> int:
    """Return a 64-bit number given as text or number; 0 when there is none, -1 when it is not one."""
    if type(value) is str and value.isdecimal() and len(value) <= 20:  # as most are
        return int(value)
    if isinstance(value, dict):
        value = _of_halves(value)
    if isinstance(value, bool):
        return -1
    if isinstance(value, int):
        return value
    if value is None or value == "":
        return 0
    try:
        if isinstance(value, str):
            return int(float(value))
        return int(value) if isinstance(value, float) else -1
    except (ValueError, OverflowError):
        return -1


def _of_halves(value: dict[str, object]) -> int:
    """Return the number of {"low", "high"}, two signed halves of 32 bits, as JavaScript has no whole 64; else -1."""
    low, high = value.get("low"), value.get("high")
    if type(low) is not int or type(high) is not int:
        return -1
    return ((high & 0xFFFFFFFF) << 32) | (low & 0xFFFFFFFF)


_CODES: Final[dict[object, int]] = {
    "STATUS_CODE_UNSET": 0,
    "STATUS_CODE_OK": 1,
    "STATUS_CODE_ERROR": 2,
    "UNSET": 0,
    "OK": 1,
    "ERROR": 2,
    "0": 0,
    "1": 1,
    "2": 2,
}


def _code(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return _CODES.get(value.upper(), 0) if isinstance(value, str) else 0


def identity(value: object, size: int) -> str:
    """Return an id of ``size`` bytes as lower-case hex, "" when there is none, other text when it is bad."""
    if not isinstance(value, str):
        return "" if value is None else _bad_id(str(value), size)
    if len(value) == 2 * size:
        if not value.strip(_HEX):
            return value
        lower = value.lower()
        if not lower.strip(_HEX):
            return lower
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return _bad_id(value, size)
    return data.hex() if len(data) == size else _bad_id(value, size)


def _bad_id(value: str, size: int) -> str:
    shown = value[:80]
    return shown + "?" if len(shown) == 2 * size else shown
