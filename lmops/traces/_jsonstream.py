"""One OTLP/JSON document of any size, read span by span."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from lmops.traces._otlp import log_json, resource_json, scope_json, span_json
from lmops.traces._raw import NO_RESOURCE, Rejection, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lmops.traces._stream import Readable
    from lmops.traces._wire import Item

Events = "Iterator[tuple[str, object]]"

_SPANS: Final = frozenset({"resourceSpans", "resource_spans"})
_LOGS: Final = frozenset({"resourceLogs", "resource_logs"})
_METRICS: Final = frozenset({"resourceMetrics", "resource_metrics"})
_SCOPES: Final = frozenset({"scopeSpans", "scope_spans", "scopeLogs", "scope_logs", "instrumentationLibrarySpans"})
_RECORDS: Final = frozenset({"spans", "logRecords", "log_records"})


def stream_json(source: Readable) -> Iterator[Item]:
    """Yield spans and log records of one document, several in a row, or a list of them; a rejection where it breaks."""
    import ijson

    events = ijson.basic_parse(source, multiple_values=True, buf_size=256 * 1024)
    try:
        for event, _ in events:
            if event == "start_map":
                yield from _document(events)
    except (ijson.JSONError, ValueError, RecursionError) as error:
        yield Rejection("", f"JSON is broken here: {str(error).splitlines()[0][:200]}")


def stream_items(source: Readable) -> Iterator[object]:
    """Yield the elements of one JSON list, or each of several values in a row; a rejection where it breaks."""
    import ijson

    events = ijson.basic_parse(source, multiple_values=True, buf_size=256 * 1024)
    try:
        for event, value in events:
            if event not in ("start_array", "end_array"):
                yield _build(events, event, value)
    except (ijson.JSONError, ValueError, RecursionError) as error:
        yield Rejection("", f"JSON is broken here: {str(error).splitlines()[0][:200]}")


def _document(events: Iterator[tuple[str, object]]) -> Iterator[Item]:
    unknown, is_known = "", False
    for key, event, _ in _pairs(events):
        if key in _SPANS and event == "start_array":
            is_known = True
            yield from _list(events, lambda: _resource(events, span_json))
        elif key in _LOGS and event == "start_array":
            is_known = True
            yield from _list(events, lambda: _resource(events, _log))
        elif key in _METRICS:
            is_known = True
            yield Rejection("", "metrics are not stored: send traces or logs")
            _pass(events, event)
        else:
            unknown = unknown or key
            _pass(events, event)
    if unknown and not is_known:
        yield Rejection("", f"neither resourceSpans nor resourceLogs in the object (it has {unknown[:80]!r})")


def _log(record: object, _resource: Resource, _scope: str) -> Item:
    return log_json(record)


def _resource(events: Iterator[tuple[str, object]], record: Callable[[object, Resource, str], Item]) -> Iterator[Item]:
    resource, seen = NO_RESOURCE, 0
    for key, event, value in _pairs(events):
        if key == "resource":
            resource = resource_json(_build(events, event, value))
            if seen:
                yield Rejection("", f"the resource came after its {seen} spans, which have no service therefore")
        elif key in _SCOPES and event == "start_array":
            current = resource
            for item in _list(events, lambda: _scope(events, current, record)):  # noqa: B023 - used up in this turn
                seen += 1
                yield item
        else:
            _pass(events, event)


def _scope(
    events: Iterator[tuple[str, object]], resource: Resource, record: Callable[[object, Resource, str], Item]
) -> Iterator[Item]:
    scope = ""
    for key, event, value in _pairs(events):
        if key in ("scope", "instrumentationLibrary"):
            scope = scope_json(_build(events, event, value))
        elif key in _RECORDS and event == "start_array":
            for inner, inner_value in events:
                if inner == "end_array":
                    break
                yield record(_build(events, inner, inner_value), resource, scope)
        else:
            _pass(events, event)


def _pairs(events: Iterator[tuple[str, object]]) -> Iterator[tuple[str, str, object]]:
    """Yield (key, first event of the value, its value) of the object that was just opened."""
    for event, key in events:
        if event == "end_map":
            return
        inner, value = next(events)
        yield str(key), inner, value


def _list(events: Iterator[tuple[str, object]], element: Callable[[], Iterator[Item]]) -> Iterator[Item]:
    """Yield from each object of the list that was just opened."""
    for event, _ in events:
        if event == "end_array":
            return
        if event == "start_map":
            yield from element()
        else:
            _pass(events, event)


def _pass(events: Iterator[tuple[str, object]], event: str) -> None:
    """Skip one value."""
    depth = int(event.startswith("start_"))
    while depth:
        event, _ = next(events)
        depth += event.startswith("start_") - event.startswith("end_")


def _build(events: Iterator[tuple[str, object]], event: str, value: object) -> object:
    """Return one value as Python objects."""
    if event not in ("start_map", "start_array"):
        return float(value) if type(value) is Decimal else value
    root: dict[str, object] | list[object] = {} if event == "start_map" else []
    here, key = root, ""
    outer: list[tuple[dict[str, object] | list[object], str]] = []
    for event, value in events:  # noqa: PLR1704 - the same variables on purpose: this is the hot loop
        if event == "map_key":
            key = value  # type: ignore[assignment]  # a key is always text
            continue
        if event in ("end_map", "end_array"):
            if not outer:
                return root
            here, key = outer.pop()
            continue
        made: object = float(value) if type(value) is Decimal else value
        if event == "start_map":
            made = {}
        elif event == "start_array":
            made = []
        if isinstance(here, dict):
            here[key] = made
        else:
            here.append(made)
        if event in ("start_map", "start_array"):
            outer.append((here, key))
            here = made  # type: ignore[assignment]  # a dict or a list, made just above
    return root
