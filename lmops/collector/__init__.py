"""Receive OTLP over HTTP into a store: a 200 means that every accepted record is committed.

Paths: ``/v1/traces``, ``/v1/logs``, ``/v1/metrics`` (accepted and not stored, see ``Collector.take``),
``/api/public/otel/v1/traces`` (Langfuse's SDK), ``/healthz``. Protobuf or JSON; plain, gzip or deflate.
``/metrics`` says in OpenMetrics what was received and which model calls are among it, since this process began.

Nothing is dropped silently. A record that cannot be read is counted in ``partial_success``; a request
that cannot be stored now is refused with a status that OTLP clients retry (429 or 503, with
``Retry-After``), any other with one that they report. A repeated request adds nothing, because
the store keeps one span per (trace_id, span_id).
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import logging
import threading
import time
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from lmops.base.public import only
from lmops.collector._answer import Signal, failure
from lmops.collector._calls import Calls
from lmops.collector._commit import Appends, Committer
from lmops.collector._limits import Limits
from lmops.collector._openmetrics import Family, Sample, render
from lmops.collector._routes import routes
from lmops.errors import IngestError, UsageError
from lmops.serve import JSON, MEGABYTE, Server, stop_signals, token_from

if TYPE_CHECKING:
    import os
    import queue
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType
    from typing import Literal, Self

    from lmops.serve import Route
    from lmops.traces import Batch

__all__ = ["Collector", "Decode", "Limits", "serve"]
__dir__ = only(__all__)

_log = logging.getLogger(__name__)

_REASONS_SHOWN: Final = 5
_WARNING_SECONDS: Final = 60.0
_METRICS_MESSAGE: Final = "lmops does not store metrics"
_HINT: Final = ", who could then write to this store: give a token (token=, --token or LMOPS_COLLECT_TOKEN)"


class Decode(Protocol):
    """Reads one OTLP body; raises IngestError when it cannot be read at all."""

    def __call__(self, body: bytes, *, content_type: str, signal: Literal["traces", "logs"]) -> Batch:
        """Return the rows of a body."""


@runtime_checkable
class _Waits(Protocol):
    """A store that says how many rows wait in its inbox."""

    def waiting_rows(self) -> int:
        """Return how many rows were received and are not in a segment yet."""


class Store(Appends, Protocol):
    """A store that ``serve`` may close."""

    def close(self) -> None:
        """Release the store."""


class Collector:
    """An OTLP/HTTP receiver that runs in threads of this process.

    >>> collector = Collector(store, port=0)    # doctest: +SKIP
    >>> with collector:                         # doctest: +SKIP
    ...     print(collector.url)
    http://127.0.0.1:41873

    Args:
        store: what the rows are appended to; stays open.
        host: address to bind. Any but a loopback address needs a token.
        port: 0 takes a free one; ``port`` then tells which.
        token: required of every request as ``Authorization: Bearer TOKEN``; None requires nothing.
        limits: see ``Limits``.
        decode: reads a body into rows; the default reads OTLP with ``lmops.traces.decode``.
        more: what else is taken, beside records of OTLP.
        redacted: says how much of each kind was taken out before anything was kept.

    Raises:
        UsageError: the address is not a loopback address and there is no token, or it cannot be bound.
    """

    def __init__(
        self,
        store: Appends,
        *,
        host: str = "127.0.0.1",
        port: int = 4318,
        token: str | None = None,
        limits: Limits | None = None,
        decode: Decode | None = None,
        more: Sequence[Route] = (),
        redacted: Callable[[], Mapping[str, int]] | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.token = token
        self._redacted = redacted
        self._decode = decode or _default_decode()
        self._counts = {"requests": 0, "spans": 0, "logs": 0, "rejected": 0}
        self._counts_lock = threading.Lock()
        self._calls = Calls()
        self._store = store
        self._has_warned_of_metrics = False
        self._quiet_until = 0.0
        self._server = Server(
            "collector",
            [*routes(self), *more],
            host=host,
            port=port,
            token=token,
            limits=self.limits,
            in_form=failure,
            hint=_HINT,
        )
        self._committer = Committer(store)

    @property
    def port(self) -> int:
        """The port that is bound."""
        return self._server.port

    @property
    def url(self) -> str:
        """The address for ``OTEL_EXPORTER_OTLP_ENDPOINT``."""
        return self._server.url

    def start(self) -> Self:
        """Accept connections, in a thread, and return at once."""
        self._server.start()
        return self

    def stop(self) -> None:
        """Stop accepting, finish what is in flight, commit it, and return. The store stays open."""
        if not self._server.is_stopping:
            self._server.stop()
            self._committer.stop()

    def wait(self, received: queue.SimpleQueue[int]) -> None:
        """Return when a signal was received, or when somebody stopped it."""
        self._server.wait(received)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "stopped" if self._server.is_stopping else "open"
        return f"<Collector {self.url} {state}: {self._counts['spans']} spans>"

    def health(self) -> dict[str, object]:
        """Return ``status``, ``version`` and, where only this machine can ask, the counts since the start."""
        if self.token is not None:
            return {"status": "OK", "version": _version()}
        with self._counts_lock:
            counts = dict(self._counts)
        return {"status": "OK", "version": _version(), **counts, "refused": self._server.refused}

    def metrics(self) -> str:
        """Return what was counted since the start, in the text form of OpenMetrics; the store is not searched."""
        with self._counts_lock:
            counts = dict(self._counts)
        received = [
            ("spans", "spans", "Spans received and stored, those sent again included."),
            ("logs", "logs", "Log records received and stored."),
            ("rejected_records", "rejected", "Records that could not be read; their requests were taken without them."),
        ]
        families = [
            Family(f"lmops_collector_{name}", "counter", said, [Sample(counts[key], {}, "_total")])
            for name, key, said in received
        ]
        refused = [Sample(self._server.refused, {}, "_total")]
        families.append(
            Family("lmops_collector_refused_requests", "counter", "Requests answered with an error.", refused)
        )
        if self._redacted is not None:
            taken = [Sample(n, {"kind": kind}, "_total") for kind, n in sorted(self._redacted().items())]
            said = "What was taken out before anything was kept, by kind."
            families.append(Family("lmops_collector_redacted", "counter", said, taken))
        if isinstance(self._store, _Waits):
            waiting = [Sample(self._store.waiting_rows())]
            families.append(Family("lmops_inbox_rows", "gauge", "Rows that wait to be filed.", waiting))
        return render([*self._calls.families(), *families])

    def take(self, body: bytes, *, content_type: str, signal: Signal) -> tuple[int, str]:
        """Decode one body and return after its rows are committed.

        Metrics are answered like a success that rejected every point. An OpenTelemetry SDK that is
        configured for all signals sends them whatever the receiver is; a 404 would fill its log with
        errors once a minute and say nothing more.

        Returns:
            How many records were rejected and why; (0, "") when all were taken.

        Raises:
            IngestError: the body cannot be read.
            Exception: what the store raised; then nothing of the body is kept.
        """
        if signal == "metrics":
            points = _count_points(body, content_type)
            if points and not self._has_warned_of_metrics:
                self._has_warned_of_metrics = True
                _log.warning("received metrics; %s", _METRICS_MESSAGE)
            return points, _METRICS_MESSAGE if points else ""
        batch = self._decode(body, content_type=content_type, signal=signal)
        if batch.spans or batch.logs:
            self._committer.commit(batch)
            self._calls.add(batch.spans)
        reasons = _reasons(batch.rejected)
        with self._counts_lock:
            self._counts["requests"] += 1
            self._counts["spans"] += len(batch.spans)
            self._counts["logs"] += len(batch.logs)
            self._counts["rejected"] += len(batch.rejected)
            is_warning = bool(reasons) and time.monotonic() >= self._quiet_until
            if is_warning:
                self._quiet_until = time.monotonic() + _WARNING_SECONDS
        if is_warning:
            # Many clients ignore partial_success, so that the answer alone would tell nobody.
            _log.warning("rejected %d records of one request (%s)", len(batch.rejected), reasons)
        return len(batch.rejected), reasons


def serve(
    store: Store,
    *,
    host: str = "127.0.0.1",
    port: int = 4318,
    token: str | None = None,
    token_file: str | os.PathLike[str] | None = None,
    max_body_mb: float = 32.0,
    decode: Decode | None = None,
    more: Sequence[Route] = (),
    redacted: Callable[[], Mapping[str, int]] | None = None,
    on_ready: Callable[[Collector], None] | None = None,
) -> None:
    """Receive until SIGTERM or SIGINT, then finish what is in flight and close the store.

    Args:
        store: closed at the end, however it comes.
        host: address to bind. Any but a loopback address needs a token.
        port: 0 takes a free one.
        token: required of every request; default the environment's ``LMOPS_COLLECT_TOKEN``, if any.
        token_file: a file whose first line is the token, for secrets that are mounted as files.
        max_body_mb: largest body in MiB, as sent and as decompressed.
        decode: reads a body into rows; the default reads OTLP.
        more: what else is taken, beside records of OTLP.
        redacted: says how much of each kind was taken out before anything was kept.
        on_ready: called once with the receiver when it is listening.

    Raises:
        UsageError: the address is not a loopback address and there is no token, or it cannot be bound; the file holds
            no token, or there are two.
    """
    if not max_body_mb > 0:
        msg = f"max_body_mb is {max_body_mb}; it must be above 0"
        raise UsageError(msg)
    max_body_bytes = int(max_body_mb * MEGABYTE)
    limits = Limits(max_body_bytes=max_body_bytes, max_in_flight_bytes=max(8 * max_body_bytes, 512 * MEGABYTE))
    token = token_from(token, token_file, variable="LMOPS_COLLECT_TOKEN")
    with contextlib.closing(store), stop_signals() as received:
        receiver = Collector(
            store, host=host, port=port, token=token, limits=limits, decode=decode, more=more, redacted=redacted
        )
        with receiver as collector:
            if on_ready is not None:
                on_ready(collector)
            collector.wait(received)
        _log.info("stopped: %s", collector)


def _version() -> str:
    try:
        return importlib.metadata.version("lmops")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _default_decode() -> Decode:
    from lmops.traces import decode

    return decode


def _reasons(rejected: list[tuple[str, str]]) -> str:
    """Return the first reasons in one line."""
    shown = [f"{where}: {why}"[:300] for where, why in rejected[:_REASONS_SHOWN]]
    more = len(rejected) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")


def _count_points(body: bytes, content_type: str) -> int:
    """Return the number of data points in a metrics request."""
    return _count_points_json(body) if content_type == JSON else _count_points_protobuf(body)


def _count_points_protobuf(body: bytes) -> int:
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    try:
        request = ExportMetricsServiceRequest.FromString(body)
    except (DecodeError, ValueError) as error:
        msg = f"the body is not an OTLP metrics request: {error}"
        raise IngestError(msg) from None
    return sum(
        len(getattr(metric, metric.WhichOneof("data")).data_points)
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.WhichOneof("data")
    )


def _count_points_json(body: bytes) -> int:
    try:
        request = json.loads(body)
        return sum(
            len(data.get("dataPoints", ()))
            for resource in request.get("resourceMetrics", ())
            for scope in resource.get("scopeMetrics", ())
            for metric in scope.get("metrics", ())
            for data in metric.values()
            if isinstance(data, dict)
        )
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        msg = f"the body is not an OTLP metrics request in JSON: {error}"
        raise IngestError(msg) from None
