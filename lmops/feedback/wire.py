"""What others send, as signals: rows of files, scores of Langfuse, evaluation results of OpenTelemetry, our own form.

Pure functions from rows and bodies to signals; whoever reads a file or a request calls them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError, did_you_mean
from lmops.feedback.signals import make_signal
from lmops.text import exact_json, plain_line
from lmops.times import from_ns

if TYPE_CHECKING:
    from datetime import datetime

    from lmops.feedback._records import Signal
    from lmops.redact import Redactor

Row = Mapping[str, Any]
#: What a row says of a signal, and the names that others have for it.
FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "trace_id": ("trace_id", "traceId", "trace"),
    "span_id": ("span_id", "spanId", "observation_id", "observationId"),
    "response_id": ("response_id", "responseId", "completion_id"),
    "session_id": ("session_id", "sessionId", "conversation_id", "conversationId", "thread_id"),
    "value": ("value", "score", "feedback", "thumb"),
    "text": ("string_value", "stringValue"),
    "name": ("name", "key"),
    "kind": ("kind", "data_type", "dataType"),
    "low": ("scale_low", "min_value", "minValue"),
    "high": ("scale_high", "max_value", "maxValue"),
    "scale": ("scale",),
    "comment": ("comment", "explanation"),
    "correction": ("correction",),
    "user": ("user", "user_id", "userId", "author_user_id", "authorUserId"),
    "source": ("source",),
    "at": ("at", "timestamp", "time", "created_at", "createdAt"),
    "key": ("id", "score_id", "scoreId"),
}
_KINDS: Final = {
    "numeric": "number",
    "categorical": "category",
    "boolean": "thumb",
    "text": "text",
    "correction": "correction",
}
#: How Langfuse says where a score came from.
_LANGFUSE: Final = {"api": "langfuse", "annotation": "langfuse-annotation", "eval": "langfuse-eval"}
#: Epochs: seconds, milliseconds, microseconds and nanoseconds of a present-day time differ in their digits.
_EPOCHS: Final = ((1e11, 10**9), (1e14, 10**6), (1e17, 10**3), (1e20, 1))
_EVENT: Final = "gen_ai.evaluation.result"
_WRAPPERS: Final = ("feedback", "signals", "scores", "data", "batch")
_SEPARATORS: Final = re.compile(r"[\s_.-]+")


def check_map(columns: Mapping[str, str] | None) -> dict[str, str]:
    """Return the columns by what they hold, as somebody named them.

    Raises:
        UsageError: There is no such field, or no such name of a column.
    """
    for name, column in (columns or {}).items():
        if name not in FIELDS:
            raise UsageError(did_you_mean("field of a signal", str(name), FIELDS, hint="map={field: column}"))
        if not isinstance(column, str) or not column.strip():
            raise UsageError(f"map: {name} needs the name of a column, such as {{'{name}': 'My column'}}")
    return dict(columns or {})


def signal_of(
    row: Row,
    *,
    columns: Mapping[str, str] | None = None,
    name: str | None = None,
    source: str | None = None,
    scale: tuple[float, float] | None = None,
) -> Signal:
    """Return the signal that a row holds, by its own names of columns or by the given ones.

    Args:
        row: Column -> value; empty ones are as if they were not there.
        columns: Field of ``FIELDS`` -> column.
        name: Of the signal, where the row has none.
        source: Where it came from, where the row says none.
        scale: Of numbers, where the row has none.

    Raises:
        UsageError: The row holds none; the message says why.
    """
    said = _fields(row, columns or {})
    value, kind = said.get("value"), said.get("kind")
    kind = None if kind is None else _KINDS.get(str(kind).strip().lower(), str(kind).strip().lower())
    if kind in ("category", "text") and "text" in said:
        value = said["text"]
    elif value is None:
        value = said.get("text")
    if value is None and "correction" in said:
        value, kind = said["correction"], "correction"
    own = said.get("name") or name or ("correction" if kind == "correction" else "thumb")
    if value is None and "comment" in said and "name" not in said:
        value, kind, own = said.pop("comment"), "text", "comment"
    return make_signal(
        **{
            one: said.get(one) for one in ("trace_id", "span_id", "response_id", "session_id", "comment", "user", "key")
        },
        value=value,
        name=own,
        kind=kind,
        scale=_scale(said, value, kind, own) or (scale if _is_number(value, kind, own) else None),
        source=_source(said, row) or source,
        at=_time(said.get("at")),
    )


def _fields(row: Row, columns: Mapping[str, str]) -> dict[str, Any]:
    """Return what a row says, by field; blanks are left out."""
    missing = [column for column in columns.values() if column not in row]
    if missing:
        raise UsageError(did_you_mean("column", missing[0], [str(name) for name in row]))
    plain = {_normal(name): name for name in reversed(list(row))}
    found: dict[str, Any] = {}
    for field, names in FIELDS.items():
        places = [columns[field]] if field in columns else [plain.get(_normal(name)) for name in names]
        for place in places:
            value = None if place is None else row.get(place)
            if not _is_missing(value):
                found[field] = value
                break
    return found


def _is_missing(value: object) -> bool:
    """Return whether there is nothing in a cell; a frame has NaN for it."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float) and math.isnan(value))


def _normal(name: object) -> str:
    return _SEPARATORS.sub("", str(name)).lower()


def _is_number(value: object, kind: str | None, name: str) -> bool:
    return make_signal(value=value, kind=kind, name=name, trace_id="0" * 32).kind == "number"


def _scale(said: Mapping[str, Any], value: object, kind: str | None, name: str) -> tuple[Any, Any] | None:
    scale = said.get("scale")
    if scale is None and not {"low", "high"} <= said.keys():
        return None
    if isinstance(scale, str):
        scale = [part for part in re.split(r"[,;:\s\[\]()]+|(?<=\d)-", scale) if part]
    pair = (said["low"], said["high"]) if scale is None else tuple(scale)
    return pair if _is_number(value, kind, name) else None


def _source(said: Mapping[str, Any], row: Row) -> str | None:
    source = said.get("source")
    is_score = any(name in row for name in ("dataType", "data_type", "observationId", "observation_id"))
    return _LANGFUSE.get(str(source).lower(), source) if is_score and source is not None else source


def _time(value: object) -> str | datetime | None:
    """Return a time out of text, a time of pandas or an epoch in seconds, milli-, micro- or nanoseconds."""
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if isinstance(text, str) and re.fullmatch(r"\d{9,20}(\.\d+)?", text.strip()):
        number = float(text)
        factor = next((factor for most, factor in _EPOCHS if number < most), 1)
        whole, _, part = text.strip().partition(".")
        return from_ns(int(whole) * factor + int(float(f"0.{part or 0}") * factor))
    return text  # type: ignore[return-value]  # whatever is no time is refused where it is read


def signals_of_body(body: bytes, *, source: str) -> Iterator[Signal | UsageError]:
    """Yield the signals of a JSON request: one object, a list, or a list under a name such as ``feedback``.

    That is the form of our own endpoint and that of Langfuse's scores. What is no signal is yielded as the error that
    says why, in its place.

    Args:
        body: The request.
        source: Where they came from, where they do not say it.

    Raises:
        UsageError: It is no JSON, or holds no objects.
    """
    found: Any = _json_of(body)
    if isinstance(found, dict):
        lists = [found[name] for name in _WRAPPERS if isinstance(found.get(name), list)]
        found = lists[0] if len(lists) == 1 else [found]
    if not isinstance(found, list):
        raise UsageError(f"the request holds a {type(found).__name__}: send an object, or a list of them")
    for row in found:
        if not isinstance(row, dict):
            yield UsageError(f"{plain_line(repr(row), 60)} is no object")
            continue
        # The ingestion interface of Langfuse wraps each score in an event.
        inner = row["body"] if isinstance(row.get("body"), dict) and "value" not in row else row
        try:
            yield signal_of(inner, source=source)
        except UsageError as error:
            yield error


def scores_of_batch(body: bytes) -> Iterator[tuple[str, Signal | UsageError]]:
    """Yield the scores of a batch of events, as Langfuse's clients send them, each with the id of its event.

    Args:
        body: The request: an object with the events as ``batch``.

    Raises:
        UsageError: It is no such request.
    """
    found = _json_of(body)
    events = found.get("batch") if isinstance(found, dict) else None
    if not isinstance(events, list) or not all(isinstance(one, dict) for one in events):
        raise UsageError("the request holds no batch: send an object with a list of events as batch")
    for event in events:
        name = str(event.get("id") or "")
        try:
            yield name, signal_of({"timestamp": event.get("timestamp"), **_score(event)}, source="langfuse")
        except UsageError as error:
            yield name, error


def _score(event: Row) -> Row:
    found = event.get("body")
    if event.get("type") != "score-create" or not isinstance(found, dict):
        raise UsageError(
            f"{plain_line(repr(event.get('type')), 60)}: of events only score-create is taken; traces are sent to "
            "/api/public/otel/v1/traces"
        )
    return found


def _json_of(body: bytes) -> object:
    try:
        return exact_json(body, long_as_text=True)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the request is no JSON: {plain_line(error, 200)}") from None


def signal_of_event(
    attributes: Mapping[str, Any], *, trace_id: str | None, span_id: str | None, at_ns: int | None
) -> Signal:
    """Return the signal of one event ``gen_ai.evaluation.result``, with the source "otel".

    Args:
        attributes: Of the event.
        trace_id: The trace that it belongs to.
        span_id: The span that it belongs to; it is what was judged.
        at_ns: When; None where the event does not say.

    Raises:
        UsageError: It has no name, or neither a score nor a label, or belongs to nothing.
    """
    name = attributes.get("gen_ai.evaluation.name")
    if name is None:
        raise UsageError(f"{_EVENT} has no gen_ai.evaluation.name")
    number, label = (attributes.get(f"gen_ai.evaluation.score.{part}") for part in ("value", "label"))
    if number is None and label is None:
        raise UsageError(f"{_EVENT} {plain_line(name, 60)!r} has neither score.value nor score.label")
    explanation = attributes.get("gen_ai.evaluation.explanation")
    said = [str(label)] if number is not None and label is not None else []
    said += [str(explanation)] if explanation is not None else []
    user = attributes.get("user.id") or attributes.get("enduser.id")
    response = attributes.get("gen_ai.response.id")
    is_placed = trace_id is not None and span_id is not None
    return make_signal(
        value=label if number is None else number,
        kind=None if number is None else "number",
        name=str(name),
        trace_id=trace_id,
        span_id=span_id if is_placed else None,
        response_id=None if is_placed or response is None else str(response),
        comment=": ".join(said) or None,
        user=None if user is None else str(user),
        source="otel",
        at=None if at_ns is None else from_ns(at_ns),
        # One result of one evaluation of a span, however often it is sent.
        key=None if user is not None or not is_placed else f"{name} {at_ns}",
    )


def is_result(name: object) -> bool:
    """Return whether an event of this name says what an evaluation found."""
    return name == _EVENT


def signals_of_rows(spans: Iterable[Row], logs: Iterable[Row]) -> Iterator[Signal | UsageError]:
    """Yield what evaluations said in rows of spans and of log events, as they are stored."""
    for row in spans:
        if _EVENT in (row.get("events") or ""):
            said: Any = exact_json(row["events"])
            yield from signals_of_events(said, trace_id=row["trace_id"], span_id=row["span_id"])
    for row in logs:
        if is_result(row.get("name")):
            said = exact_json(row.get("attributes") or "{}")
            event = {"name": row["name"], "time_ns": row["time_ns"], "attributes": said}
            yield from signals_of_events([event], trace_id=row["trace_id"], span_id=row["span_id"])


def masked(signal: Signal, redactor: Redactor | None) -> Signal:
    """Return a signal as it may be kept: what users wrote goes through ``redact=`` as the text of traces does."""
    if redactor is None:
        return signal
    comment = None if signal.comment is None else redactor.text(signal.comment)
    is_text = signal.kind in ("category", "text", "correction")
    return replace(signal, comment=comment, value=redactor.text(signal.value) if is_text else signal.value)


def signals_of_events(events: Iterable[Row], *, trace_id: str, span_id: str) -> Iterator[Signal | UsageError]:
    """Yield the signals among the events of one span, as ``spans.events`` has them; errors in the place of others."""
    for event in events:
        if is_result(event.get("name")):
            try:
                yield signal_of_event(
                    event.get("attributes") or {}, trace_id=trace_id, span_id=span_id, at_ns=event.get("time_ns")
                )
            except UsageError as error:
                yield error
