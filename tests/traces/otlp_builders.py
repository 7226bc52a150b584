"""Small OTLP requests for the tests, as JSON objects and as protobuf bytes."""

from __future__ import annotations

import json
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
START_NS = 1_790_000_000_000_000_000

Json = dict[str, Any]


def value_json(value: Any) -> Json:
    """Return one AnyValue."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [value_json(item) for item in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": attributes_json(value)}}
    return {} if value is None else {"stringValue": value}


def attributes_json(attributes: Json) -> list[Json]:
    """Return a list of key values."""
    return [{"key": key, "value": value_json(value)} for key, value in attributes.items()]


def span_json(attributes: Json | None = None, *, number: int = 1, **fields: Any) -> Json:
    """Return one span."""
    return {
        "traceId": TRACE_ID,
        "spanId": f"{number:016x}",
        "name": "step",
        "startTimeUnixNano": str(START_NS),
        "endTimeUnixNano": str(START_NS + 250_000_000),
        "attributes": attributes_json(attributes or {}),
        **fields,
    }


def request_json(*spans: Json, resource: Json | None = None, scope: str = "tests") -> Json:
    """Return one TracesData."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": attributes_json({"service.name": "shop"} if resource is None else resource)},
                "scopeSpans": [{"scope": {"name": scope, "version": "1"}, "spans": list(spans)}],
            }
        ]
    }


def request_pb(*spans: Json, resource: Json | None = None) -> bytes:
    """Return one TracesData as protobuf, of spans written as JSON with valid ids."""
    data = TracesData()
    given = resource if resource is not None else {"service.name": "shop"}
    resource_spans = data.resource_spans.add()
    for pair in attributes_json(given):
        fill(resource_spans.resource.attributes.add(), pair)
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name, scope_spans.scope.version = "tests", "1"
    for span in spans:
        made = scope_spans.spans.add()
        made.trace_id = bytes.fromhex(span["traceId"])
        made.span_id = bytes.fromhex(span["spanId"])
        made.parent_span_id = bytes.fromhex(span.get("parentSpanId", ""))
        made.name = span["name"]
        made.start_time_unix_nano = int(span["startTimeUnixNano"])
        made.end_time_unix_nano = int(span["endTimeUnixNano"])
        for pair in span["attributes"]:
            fill(made.attributes.add(), pair)
    return data.SerializeToString()


def fill(target: Any, pair: Json) -> None:
    """Put one JSON key value into its protobuf message."""
    target.key = pair["key"]
    fill_value(target.value, pair["value"])


def fill_value(target: Any, value: Json) -> None:
    """Put one JSON AnyValue into its protobuf message."""
    for word, inner in value.items():
        if word == "arrayValue":
            target.array_value.SetInParent()
            for item in inner["values"]:
                fill_value(target.array_value.values.add(), item)
        elif word == "kvlistValue":
            target.kvlist_value.SetInParent()
            for pair in inner["values"]:
                fill(target.kvlist_value.values.add(), pair)
        elif word == "intValue":
            target.int_value = int(inner)
        else:
            setattr(target, {"boolValue": "bool_value", "doubleValue": "double_value"}.get(word, "string_value"), inner)


def lines(*objects: Json) -> bytes:
    """Return JSON lines."""
    return b"".join(json.dumps(item).encode() + b"\n" for item in objects)
