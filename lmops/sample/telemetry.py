"""OpenTelemetry for the sample: a simulated clock, seeded ids, and the JSON lines of a Collector's file exporter.

Only the simulation imports this module, and it needs the SDK in every line: hence the imports at its head.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind, Status, StatusCode, use_span

from lmops.errors import UsageError

SCOPE: Final = "lmops.sample.app"
SCOPE_VERSION: Final = "1.0"
_MS: Final = 1_000_000
#: sampled, and known to have a local parent; written out, because SDKs differ in the other bits
_FLAGS: Final = 0x101
AttributeValue = str | bool | int | float | Sequence[str]


class Clock:
    """A clock that moves only when told to; nanoseconds since 1970 UTC."""

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns

    def advance(self, milliseconds: float) -> None:
        """Move forward, in whole microseconds."""
        self.now_ns += round(milliseconds * 1000) * 1000


class SeededIds(IdGenerator):
    """Trace and span ids drawn from a seed, so that a rebuild gives the same ones."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)

    def generate_span_id(self) -> int:
        """Return the next span id."""
        return self._random.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        """Return the next trace id."""
        return self._random.getrandbits(128) or 1


class _Collect(SpanProcessor):
    """Keeps each span when it ends."""

    def __init__(self, spans: list[ReadableSpan]) -> None:
        self._spans = spans

    def on_end(self, span: ReadableSpan) -> None:
        self._spans.append(span)


class Telemetry:
    """A tracer of the SDK on a simulated clock; ended spans are kept in ``spans`` in the order of their ends.

    Args:
        environment: value of ``deployment.environment.name``.
        seed: what the ids follow from.
        clock: where start and end times come from.
    """

    def __init__(self, *, environment: str, seed: str, clock: Clock) -> None:
        self.clock = clock
        self.spans: list[ReadableSpan] = []
        unlimited = SpanLimits.UNSET
        # Everything that the SDK would otherwise read from the environment is given here.
        provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource(_resource(environment)),
            id_generator=SeededIds(seed),
            shutdown_on_exit=False,
            span_limits=SpanLimits(
                max_span_attributes=unlimited,
                max_span_attribute_length=unlimited,
                max_attributes=unlimited,
                max_attribute_length=unlimited,
                max_events=unlimited,
                max_links=unlimited,
            ),
        )
        provider.add_span_processor(_Collect(self.spans))
        self._tracer = provider.get_tracer(SCOPE, SCOPE_VERSION)

    @contextmanager
    def span(
        self,
        name: str,
        attributes: Mapping[str, AttributeValue],
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        root: bool = False,
    ) -> Iterator[Span]:
        """Open a span below the current one (or a new trace) and close it on the clock; an exception fails it.

        The root of a request that was answered says OK, as an application does that knows.
        """
        span = self._tracer.start_span(
            name, Context() if root else None, kind, attributes=dict(attributes), start_time=self.clock.now_ns
        )
        if not isinstance(span, Span):
            raise UsageError("OpenTelemetry is switched off by OTEL_SDK_DISABLED; unset it to build the sample")
        try:
            with use_span(span, record_exception=False, set_status_on_exception=False):
                yield span
        except Exception as error:  # the span says what ended it
            self.fail(span, error)
            raise
        else:
            if root and span.status.status_code is StatusCode.UNSET:
                span.set_status(Status(StatusCode.OK))
        finally:
            span.end(self.clock.now_ns)

    def fail(self, span: Span, error: Exception) -> None:
        """Mark a span as failed, with the exception but without a stack trace (its paths differ by machine)."""
        name = type(error).__name__
        span.set_attribute("error.type", str(getattr(error, "code", name)))
        span.add_event(
            "exception", {"exception.type": name, "exception.message": str(error)}, timestamp=self.clock.now_ns
        )
        span.set_status(Status(StatusCode.ERROR, str(error)))


def json_lines(spans: Sequence[ReadableSpan], *, window_s: int = 5, max_spans: int = 100) -> Iterator[tuple[int, str]]:
    """Yield (export time in ns, one line), batched as a batch processor would: by time of end, children first.

    Args:
        spans: ended spans of one resource, in any order.
        window_s: seconds between two exports.
        max_spans: most spans in one line.
    """
    ordered = sorted(enumerate(spans), key=lambda pair: (pair[1].end_time or 0, pair[0]))
    batch: list[ReadableSpan] = []
    window = -1
    for _, span in ordered:
        at = (span.end_time or 0) // (window_s * 1000 * _MS)
        if batch and (at != window or len(batch) >= max_spans):
            yield (window + 1) * window_s * 1000 * _MS, _line(batch)
            batch = []
        window = at
        batch.append(span)
    if batch:
        yield (window + 1) * window_s * 1000 * _MS, _line(batch)


def _resource(environment: str) -> dict[str, str | bool]:
    return {
        "service.name": "ferry-support",
        "service.version": "2.4.0",
        "deployment.environment.name": environment,
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "lmops.sample": True,
        "lmops.standin": True,
        "lmops.standin.model": "standin:ferry-1",
    }


def _line(batch: Sequence[ReadableSpan]) -> str:
    scope_spans = {"scope": {"name": SCOPE, "version": SCOPE_VERSION}, "spans": [_span(span) for span in batch]}
    resource = {"attributes": _attributes(batch[0].resource.attributes)}
    return compact({"resourceSpans": [{"resource": resource, "scopeSpans": [scope_spans]}]})


def _span(span: ReadableSpan) -> dict[str, object]:
    context = span.context
    if context is None or span.end_time is None:
        raise ValueError(f"span {span.name!r} has not ended")
    row: dict[str, object] = {"traceId": f"{context.trace_id:032x}", "spanId": f"{context.span_id:016x}"}
    if span.parent is not None:
        row["parentSpanId"] = f"{span.parent.span_id:016x}"
    row |= {
        "flags": _FLAGS,
        "name": span.name,
        "kind": span.kind.value + 1,
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": str(span.end_time),
        "attributes": _attributes(span.attributes or {}),
    }
    if span.events:
        row["events"] = [
            {
                "timeUnixNano": str(event.timestamp),
                "name": event.name,
                "attributes": _attributes(event.attributes or {}),
            }
            for event in span.events
        ]
    code = span.status.status_code
    row["status"] = {"message": span.status.description or "", "code": 2} if code is StatusCode.ERROR else {}
    if code is StatusCode.OK:
        row["status"] = {"code": 1}
    return row


def _attributes(attributes: Mapping[str, object]) -> list[dict[str, object]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: object) -> dict[str, object]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, Sequence):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    raise TypeError(f"no OTLP value for {type(value).__name__}")


def compact(value: object) -> str:
    """Return JSON without spaces, in the order of the keys given, with non-ASCII characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
