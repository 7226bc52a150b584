"""Spans of this process into the store: ``instrument`` and the exporter behind it.

This module imports the OpenTelemetry SDK, so that ``lmops.traces`` imports it inside a function.

A span takes the same way as one from the wire (RawSpan, then normalise), without being encoded: the
row is the same, which a test holds, and neither an encoder nor its cost is needed.
"""

from __future__ import annotations

import atexit
import base64
import inspect
import logging
import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from lmops.base.endings import Logged
from lmops.errors import UsageError
from lmops.traces._instrumentors import Clients
from lmops.traces._json import MAX_DEPTH, TOO_DEEP, text_of
from lmops.traces._normalise import normalise
from lmops.traces._otlp import problem
from lmops.traces._processor import Spilled, StoreProcessor
from lmops.traces._raw import RawSpan, Resource
from lmops.traces._redact import redact_spans

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.resources import Resource as SdkResource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Tracer

    from lmops.redact import Redactor
    from lmops.traces._batch import Row

_log = logging.getLogger(__name__)

#: The SDK keeps 128 attributes a span; a conversation in indexed attributes has thousands.
_MAX_ATTRIBUTES: Final = 10_000
_MAX_EVENTS: Final = 1_000
_LIMIT_VARIABLES: Final = (
    "OTEL_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
)
#: Where a provider keeps what was installed on it: it outlives a reload of this module in a notebook.
_INSTALLED: Final = "_lmops_instrumentations"
_CACHED_RESOURCES: Final = 64


class Store(Protocol):
    """The part of a store that spans are written to."""

    def append_many(self, rows: dict[str, list[Row]], /) -> object:
        """Commit the rows of several tables in one transaction."""


@runtime_checkable
class Spills(Protocol):
    """What a store has besides when spans can wait beside it on the disk."""

    @property
    def is_read_only(self) -> bool:
        """Whether it takes no spans at all."""

    def spill(self, rows: dict[str, list[Row]], /) -> Spilled:
        """Put rows on the disk, where they outlive this process."""


class StoreExporter(SpanExporter):
    """Writes ended spans to a store; for ``instrument``, or for a span processor of your own.

    Args:
        store: what the rows are appended to; stays open.
        resource_attributes: put over the attributes of each span's resource.
        price_rows: puts the cost on rows that were just normalised.
        redactor: masks rows before they are kept or wait anywhere.
    """

    def __init__(
        self,
        store: Store,
        *,
        resource_attributes: Mapping[str, object] | None = None,
        price_rows: Callable[[list[Row]], object] | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        self._redactor = redactor
        self.store = store
        self._over = {key: plain(value) for key, value in (resource_attributes or {}).items()}
        self._price_rows = price_rows
        self._resources: dict[int, tuple[SdkResource, Resource]] = {}

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Commit the spans; FAILURE, with the reason logged, when that was not possible. Never raises."""
        with Logged(_log, "%d spans could not be written to %r", len(spans), self.store, level=logging.ERROR):
            self.write(self.rows(spans))
            return SpanExportResult.SUCCESS
        return SpanExportResult.FAILURE

    def rows(self, spans: Sequence[ReadableSpan]) -> list[Row]:
        """Return one span row for each span."""
        rows = [normalise(self._raw(span)) for span in spans]
        if self._redactor is not None:
            rows = redact_spans(rows, self._redactor)
        if self._price_rows is not None:
            self._price_rows(rows)
        return rows

    def write(self, rows: list[Row]) -> None:
        """Commit rows; raise what the store raises."""
        if rows:
            self.store.append_many({"spans": rows})

    @property
    def can_spill(self) -> bool:
        """Whether spans can wait on the disk."""
        return isinstance(self.store, Spills) and not self.store.is_read_only

    def spill(self, rows: list[Row]) -> Spilled:
        """Put rows on the disk beside the store; raise what the store raises."""
        if not isinstance(self.store, Spills):
            msg = f"{self.store!r} keeps nothing on the disk"
            raise UsageError(msg)
        return self.store.spill({"spans": rows})

    def shutdown(self) -> None:
        """Do nothing: the store belongs to the caller."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - the signature of the SDK
        """Return True: every export is committed when it returns."""
        return True

    def _raw(self, span: ReadableSpan) -> RawSpan:
        context, parent, scope = span.context, span.parent, span.instrumentation_scope
        if context is None:
            msg = f"the span {span.name!r} has no ids"
            raise ValueError(msg)
        raw = RawSpan(
            trace_id=f"{context.trace_id:032x}",
            span_id=f"{context.span_id:016x}",
            parent_span_id=f"{parent.span_id:016x}" if parent is not None else None,
            name=text_of(span.name),
            start_ns=span.start_time or 0,
            end_ns=span.end_time or 0,
            status_code=span.status.status_code.value,
            status_message=text_of(span.status.description or ""),
            attributes=_attributes(span.attributes),
            events=[
                {"name": text_of(event.name), "time_ns": event.timestamp, "attributes": _attributes(event.attributes)}
                for event in span.events
            ],
            links=[
                {
                    "trace_id": f"{link.context.trace_id:032x}",
                    "span_id": f"{link.context.span_id:016x}",
                    "attributes": _attributes(link.attributes),
                }
                for link in span.links
            ],
            resource=self._resource(span.resource),
            scope=text_of(f"{scope.name} {scope.version or ''}".strip()) if scope is not None else "",
        )
        if (why := problem(raw)) is not None:
            raise ValueError(why)
        return raw

    def _resource(self, resource: SdkResource) -> Resource:
        # By identity: hashing an SDK resource renders it as JSON each time. The entry keeps the
        # resource alive, so that its id is not used again.
        known = self._resources.get(id(resource))
        if known is None:
            if len(self._resources) >= _CACHED_RESOURCES:
                self._resources.clear()
            known = (resource, Resource({**_attributes(resource.attributes), **self._over}))
            self._resources[id(resource)] = known
        return known[1]


def _attributes(attributes: Mapping[str, object] | None) -> dict[str, object]:
    return {text_of(key): plain(value) for key, value in (attributes or {}).items()}


def plain(value: object, depth: int = 0) -> object:
    """Return an attribute's value as it is read from the wire."""
    if isinstance(value, str):
        return text_of(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)[:100]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if depth >= MAX_DEPTH:
        return TOO_DEEP
    if isinstance(value, Mapping):
        return {text_of(str(key)): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [plain(item, depth + 1) for item in value]
    return text_of(str(value))


class Instrumentation:
    """What ``instrument`` returns: the provider to take tracers from, and the state of the queue.

    Attributes:
        provider: the tracer provider whose spans are stored.
        processor: the span processor that was added to it.
        clients: which clients are traced (``on``), and what to install for others that are imported (``missing``).
    """

    def __init__(self, provider: otel_trace.TracerProvider, processor: StoreProcessor) -> None:
        self.provider = provider
        self.processor = processor
        self.clients = Clients()

    @property
    def exported(self) -> int:
        """Spans that were committed."""
        return self.processor.exported

    @property
    def dropped(self) -> int:
        """Spans that were lost: neither the store nor the disk beside it could be written."""
        return self.processor.dropped

    @property
    def pending(self) -> int:
        """Spans that ended and are not committed yet."""
        return self.processor.pending

    @property
    def spilled(self) -> int:
        """Spans that wait on the disk, those of a process that has stopped for the next one that opens the store."""
        return self.processor.spilled

    def get_tracer(self, name: str, version: str | None = None) -> Tracer:
        """Return a tracer whose spans are stored."""
        return self.provider.get_tracer(name, version)

    def flush(self, timeout_s: float = 30.0) -> bool:
        """Return whether every span that ended before this call was handled within the time."""
        return self.processor.force_flush(int(timeout_s * 1000))

    def shutdown(self, timeout_s: float = 10.0) -> None:
        """Write what waits and stop; later spans are not stored until ``instrument`` is called again."""
        self.processor.shutdown(timeout_s)
        others = self.provider.__dict__.get(_INSTALLED, {}).values()
        if all(other.processor.is_stopped for other in others):
            for other in (self, *others):
                other.clients.switch_off()

    def __repr__(self) -> str:
        state = "stopped" if self.processor.is_stopped else "open"
        waiting = f", {self.spilled} on the disk" if self.spilled else ""
        return (
            f"<Instrumentation of {self.processor.store!r} {state}: "
            f"{self.exported} exported, {self.pending} pending{waiting}, {self.dropped} dropped; {self.clients!r}>"
        )


def instrument(
    store: Store,
    *,
    service: str | None = None,
    environment: str | None = None,
    resource_attributes: Mapping[str, object] | None = None,
    set_global: bool = True,
    max_queue: int = 8192,
    block_ms: float = 100.0,
    price_rows: Callable[[list[Row]], object] | None = None,
    clients: bool = True,
    redactor: Redactor | None = None,
) -> Instrumentation:
    """Store the spans that this process makes, and return the handle.

    A provider that the application has already set stays, and what else it exports to; otherwise an
    OpenTelemetry SDK provider becomes the global one. A second call for the same store returns the
    same handle, with the new settings from then on: running a notebook's cell again doubles nothing.
    Two stores each get every span. Spans are committed at most 100 ms after they end, and at exit.

    Nothing is raised into the application, and nothing is dropped at any rate: what the queue cannot hold waits on the
    disk, in the store's folder, and is there again after a crash. Only when the disk takes nothing either, a call waits
    for room, at most ``block_ms``; if in vain, what finds no room in the second after is counted as dropped, reported
    once a minute in the log and in the handle's repr. Then the disk is tried again.

    Args:
        store: an open store.
        service: name of the service; default what the provider's resource says.
        environment: deployment environment, such as "production"; likewise.
        resource_attributes: further attributes of the resource.
        set_global: False makes a new provider that only ``handle.get_tracer`` and
            instrumentors given ``handle.provider`` use.
        max_queue: spans that may wait in memory, above 0.
        block_ms: longest wait of the application when neither memory nor disk has room, 0 or more.
        price_rows: puts the cost on rows; given by the workspace.
        clients: switch on the installed instrumentors of other libraries; those of a private provider
            are the caller's.
        redactor: masks rows before they are kept; likewise.

    Raises:
        UsageError: an argument out of range, or a global provider that takes no processors.
    """
    if max_queue < 1 or block_ms < 0:
        msg = f"max_queue is {max_queue} and block_ms {block_ms}; they must be above 0, and 0 or more"
        raise UsageError(msg)
    over: dict[str, object] = dict(resource_attributes or {})
    over |= {"service.name": service} if service is not None else {}
    over |= {"deployment.environment.name": environment} if environment is not None else {}
    exporter = StoreExporter(store, resource_attributes=over, price_rows=price_rows, redactor=redactor)
    provider = _global_provider() if set_global else _new_provider()
    installed: dict[str, Instrumentation] = provider.__dict__.setdefault(_INSTALLED, {})
    key = str(getattr(store, "path", id(store)))
    handle = installed.get(key)
    if handle is None:
        processor = StoreProcessor(exporter, max_queue=max_queue, block_ms=block_ms)
        handle = Instrumentation(provider, processor)
        _add_processor(provider, processor)
        installed[key] = handle
        atexit.register(handle.shutdown)
    else:
        handle.processor.restart(exporter, max_queue=max_queue, block_ms=block_ms)
    if clients and set_global:
        handle.clients.switch_on(provider)
    return handle


def _new_provider() -> TracerProvider:
    limits = SpanLimits()
    if not any(variable in os.environ for variable in _LIMIT_VARIABLES):
        limits = SpanLimits(
            max_span_attributes=_MAX_ATTRIBUTES, max_event_attributes=_MAX_ATTRIBUTES, max_events=_MAX_EVENTS
        )
    return TracerProvider(span_limits=limits)


def _global_provider() -> otel_trace.TracerProvider:
    """Return the application's provider, or a new one that is now the application's."""
    current = otel_trace.get_tracer_provider()
    if isinstance(current, otel_trace.ProxyTracerProvider):
        otel_trace.set_tracer_provider(_new_provider())
        # Asked again, because another thread may have been first.
        current = otel_trace.get_tracer_provider()
    if not hasattr(current, "add_span_processor"):
        msg = (
            f"the global tracer provider {type(current).__module__}.{type(current).__qualname__} takes no span "
            "processors; call instrument(..., set_global=False) and give handle.provider to your instrumentors"
        )
        raise UsageError(msg)
    return current


def _add_processor(provider: otel_trace.TracerProvider, processor: StoreProcessor) -> None:
    add = provider.add_span_processor  # type: ignore[attr-defined]  # the SDK's, or one that wraps it
    if "replace_default_processor" in inspect.signature(add).parameters:
        # Phoenix's provider would otherwise stop exporting to Phoenix.
        add(processor, replace_default_processor=False)
    else:
        add(processor)
