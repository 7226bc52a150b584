"""What the receiver serves: a path for each kind of record, its health, and what Prometheus asks."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Final, Protocol

from lmops.collector._answer import PROTOBUF, Signal, success
from lmops.collector._commit import is_busy, is_retryable
from lmops.collector._openmetrics import CONTENT_TYPE
from lmops.collector._weight import weigh
from lmops.errors import IngestError, StoreFullError
from lmops.serve import JSON, Answer, Refusal, Request, Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from lmops.collector._limits import Limits

_log = logging.getLogger("lmops.collector")

_PATHS: Final[dict[str, Signal]] = {
    "/v1/traces": "traces",
    "/v1/logs": "logs",
    "/v1/metrics": "metrics",
    # Where Langfuse's SDK posts OTLP; its user points LANGFUSE_HOST here and changes nothing else.
    "/api/public/otel/v1/traces": "traces",
}
_HEALTH_PATHS: Final = ("/healthz", "/api/public/health")
_METRICS_PATH: Final = "/metrics"


class Receiver(Protocol):
    """What the requests are for: what it takes, and what becomes of a body."""

    limits: Limits

    def health(self) -> dict[str, object]:
        """Return ``status``, ``version`` and counts."""

    def metrics(self) -> str:
        """Return what was counted, in the text form of OpenMetrics."""

    def take(self, body: bytes, *, content_type: str, signal: Signal) -> tuple[int, str]:
        """Decode one body and return after its rows are committed: how many were rejected, and why."""


def routes(receiver: Receiver) -> list[Route]:
    """Return the routes of a receiver."""
    kinds = (PROTOBUF, JSON)
    return [
        *(Route(method="POST", path=path, handler=_takes(receiver, signal), content_types=kinds)
          for path, signal in _PATHS.items()),
        *(Route(method="GET", path=path, handler=_says_health(receiver), is_open=True) for path in _HEALTH_PATHS),
        Route(method="GET", path=_METRICS_PATH, handler=_says_metrics(receiver)),
    ]  # fmt: skip  # one line for each route


def _says_health(receiver: Receiver) -> Callable[[Request], Answer]:
    def answer(_request: Request) -> Answer:
        return Answer(body=json.dumps(receiver.health()).encode())

    return answer


def _says_metrics(receiver: Receiver) -> Callable[[Request], Answer]:
    def answer(_request: Request) -> Answer:
        return Answer(body=receiver.metrics().encode(), content_type=CONTENT_TYPE)

    return answer


def _takes(receiver: Receiver, signal: Signal) -> Callable[[Request], Answer]:
    def answer(request: Request) -> Answer:
        _weigh(request, signal, receiver.limits)
        try:
            rejected, message = receiver.take(request.body, content_type=request.content_type, signal=signal)
        except Exception as error:  # noqa: BLE001 - answered; kept as a value it would keep the body in memory
            raise _refusal_of(error, signal) from None
        body = success(signal, request.content_type, rejected=rejected, message=message)
        return Answer(body=body, content_type=request.content_type)

    return answer


def _weigh(request: Request, signal: Signal, limits: Limits) -> None:
    """Refuse a body that becomes too much when it is decoded, or has no room beside the others now."""
    body, content_type = request.body, request.content_type
    found = weigh(body, content_type, signal, max_records=limits.max_records, max_values=limits.max_values)
    if found.records > limits.max_records:
        raise Refusal(413, f"the body holds more than {limits.max_records:,} records; send smaller batches")
    if found.values > limits.max_values:
        raise Refusal(413, f"the body holds more than {limits.max_values:,} values; send smaller batches")
    if len(body) + found.bytes > limits.max_in_flight_bytes:
        raise Refusal(413, f"the body takes about {found.bytes:,} bytes when decoded; send smaller batches")
    request.reserve(found.bytes)


def _refusal_of(error: Exception, signal: Signal) -> Refusal:
    """Return what is answered where a body was not stored; what is a fault of ours goes on."""
    if isinstance(error, IngestError):
        return Refusal(400, str(error))
    if isinstance(error, StoreFullError):
        # 507 would say it better, but OTLP clients retry only 429, 502, 503 and 504 and drop the rest.
        _log.error("refused %s: %s", signal, error)
        return Refusal(503, f"the store is full: {error}", retry_after_s=30)
    if is_busy(error):
        return Refusal(429, "the store is busy", retry_after_s=1)
    if not is_retryable(error):
        raise error
    _log.error("refused %s: the store could not be written", signal, exc_info=error)
    return Refusal(503, f"the store could not be written: {error}", retry_after_s=5)
