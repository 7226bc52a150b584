"""What ``lmops collect`` takes beside traces: what users say, in our own form and as Langfuse's clients send scores."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import StoreError, StoreFullError, UsageError
from lmops.feedback._records import Signal
from lmops.feedback.importing import receive
from lmops.feedback.wire import masked, scores_of_batch, signals_of_body, signals_of_rows
from lmops.serve import JSON, Answer, Refusal, Request, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lmops.feedback._records import ImportReport
    from lmops.records import Project
    from lmops.redact import Redactor
    from lmops.traces import Batch

#: Where signals are posted to, and where they then are said to come from.
_PATHS: Final = {"/v1/feedback": "http", "/api/public/scores": "langfuse"}
#: Where Langfuse's clients post scores as events, many at once.
_EVENTS: Final = "/api/public/ingestion"
#: Most signals of one request; what is more is sent in several.
MAX_SIGNALS: Final = 10_000


def routes(project: Project, *, redactor: Redactor | None = None) -> list[Route]:
    """Return the routes that take signals.

    An answer says how many were new, changed something, were there already or came late, and names those that were
    rejected by their place in the request. When all were rejected its status is 400.

    Args:
        project: Where to.
        redactor: Masks what users wrote.
    """
    handlers = {path: _takes(project, source, redactor) for path, source in _PATHS.items()}
    handlers[_EVENTS] = _takes_events(project, redactor)
    return [
        Route(method="POST", path=path, handler=handler, content_types=(JSON,)) for path, handler in handlers.items()
    ]


def take_results(project: Project, batch: Batch) -> None:
    """Keep what evaluations said in spans and log events that just arrived."""
    found = list(signals_of_rows(batch.spans, batch.logs))
    if found:
        _written(project, found)


def _takes(project: Project, source: str, redactor: Redactor | None) -> Callable[[Request], Answer]:
    def answer(request: Request) -> Answer:
        try:
            found = list(signals_of_body(request.body, source=source))
        except UsageError as error:
            raise Refusal(400, str(error)) from None
        signals = _checked(found, redactor)
        report = _written(project, signals)
        is_refused = bool(found) and report.rejected_count == len(found)
        return Answer(body=json.dumps(_said(report, signals)).encode(), status=400 if is_refused else 200)

    return answer


def _takes_events(project: Project, redactor: Redactor | None) -> Callable[[Request], Answer]:
    """Return what takes scores as events; its answer says of each what became of it, as the clients read it."""

    def answer(request: Request) -> Answer:
        try:
            found = list(scores_of_batch(request.body))
        except UsageError as error:
            raise Refusal(400, str(error)) from None
        _written(project, _checked([one for _, one in found], redactor))
        taken = [{"id": name, "status": 201} for name, one in found if isinstance(one, Signal)]
        refused = [
            {"id": name, "status": 400, "message": str(one)} for name, one in found if not isinstance(one, Signal)
        ]
        return Answer(body=json.dumps({"successes": taken, "errors": refused}).encode(), status=207)

    return answer


def _checked(found: Sequence[Signal | UsageError], redactor: Redactor | None) -> list[Signal | UsageError]:
    """Return what came in a request as it may be kept."""
    if len(found) > MAX_SIGNALS:
        raise Refusal(413, f"the request holds more than {MAX_SIGNALS:,} signals; send them in several")
    return [masked(one, redactor) if isinstance(one, Signal) else one for one in found]


def _said(report: ImportReport, signals: Iterable[Signal | UsageError]) -> dict[str, Any]:
    """Return what is answered; the id of a single score, as Langfuse's clients read it."""
    counts = {name: getattr(report, name) for name in ("new", "changed", "same", "late")}
    ids = [one.key for one in signals if isinstance(one, Signal) and one.key]
    rejected = [{"where": where, "why": why} for where, why in report.rejected]
    message = {"message": report.rejected[0][1]} if report.rejected else {}
    return {**({"id": ids[0]} if len(ids) == 1 else {}), **counts, "rejected": rejected, **message}


def _written(project: Project, signals: Iterable[Signal | UsageError]) -> ImportReport:
    """Write signals; what cannot be stored now is refused so that clients send it again."""
    try:
        return receive(project, signals)
    except StoreFullError as error:
        raise Refusal(503, f"the store is full: {error}", retry_after_s=30) from None
    except StoreError as error:
        raise Refusal(503, f"the store could not be written: {error}", retry_after_s=5) from None
