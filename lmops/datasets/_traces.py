"""Examples made of traces: what was asked, what production answered, and what it had found."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lmops.datasets._mapping import to_examples
from lmops.datasets._places import Places
from lmops.datasets.values import is_missing
from lmops.errors import NotFoundError, UsageError
from lmops.store import Bounds
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lmops.datasets._example import Example
    from lmops.store import Store

    Evaluated = Callable[[Mapping[str, Any]], "Example | None"]

Row = dict[str, Any]
_COLUMNS: Final = (
    "trace_id",
    "span_id",
    "kind",
    "name",
    "start_ns",
    "input",
    "output",
    "status",
    "error_message",
    "tool_name",
    "documents",
    "session_id",
    "user_id",
    "attributes",
    "is_call",
)
_TRACES_AT_ONCE: Final = 1000
_NO_TRACE: Final = "there is no trace to add"
_TAKES: Final = "add_traces takes trace ids, a frame of ws.traces.search() or traces; this is a "
#: Columns of a frame that go into the example beside what the trace has.
_TAKEN: Final = ("expected", "split", "tags", "cluster", "labels", "feedback")


def wanted_traces(given: Any) -> tuple[list[str], dict[str, Row], list[Any], list[tuple[str, str]]]:
    """Return (trace ids in order, what came with each id, traces that were given whole, rows without a trace).

    Args:
        given: Trace ids, a frame with a column trace_id, traces, or one of either.

    Raises:
        UsageError: It is something else.
    """
    if isinstance(given, str) or hasattr(given, "spans"):
        given = [given]
    if hasattr(given, "to_dict") and hasattr(given, "columns"):
        if "trace_id" not in list(given.columns):
            raise UsageError(f"the frame has no column trace_id: {', '.join(map(str, given.columns))[:200]}")
        rows = [dict(zip(map(str, given.columns), values, strict=True)) for values in given.itertuples(index=False)]
        extra: dict[str, Row] = {
            str(row["trace_id"]): {str(key): row[key] for key in _TAKEN if key in row}
            for row in rows
            if not is_missing(row["trace_id"])
        }
        lost = [
            (str(row.get("example_id", at)), "has no trace: cases of a run have one with tracing=True")
            for at, row in enumerate(rows, start=1)
            if is_missing(row["trace_id"])
        ]
        return list(extra), extra, [], lost
    if not isinstance(given, Iterable):
        raise UsageError(_TAKES + type(given).__name__)
    ids: list[str] = []
    whole: list[Any] = []
    for one in given:
        if hasattr(one, "spans") and hasattr(one, "trace_id"):
            whole.append(one)
        elif isinstance(one, str):
            ids.append(one.strip().lower())
        else:
            raise UsageError(_TAKES + type(one).__name__)
    return list(dict.fromkeys(ids)), {}, whole, []


def examples_of(
    store: Store,
    given: Any,
    labels: Mapping[str, Mapping[str, Any]] | None,
    fields: Mapping[str, str] | None,
    evaluated: Evaluated,
) -> tuple[list[Example], list[tuple[str, str]]]:
    """Return an example for each trace, and the traces that make none, with the reason.

    Args:
        store: Where the traces are.
        given: What :func:`wanted_traces` takes.
        labels: What people said, by trace id.
        fields: Places in the trace by what they become; see :mod:`lmops.datasets._places`.
        evaluated: Returns the example that a trace of an evaluation ran, by the attributes of its root.

    Raises:
        NotFoundError: A trace is not in the store.
        UsageError: No trace makes an example, or a place is in none of them.
    """
    ids, extra, whole, skipped = wanted_traces(given)
    examples = []
    places = Places(fields) if fields else None
    for trace_id, root_id, spans in (*_stored(store, ids), *_given(whole)):
        root = next((span for span in spans if span["span_id"] == root_id), None)
        taken = extra.get(trace_id, {})
        said = {**_labels(taken.get("labels"), "labels"), **_labels(taken.get("feedback"), "feedback")}
        said |= (labels or {}).get(trace_id) or {}
        original = evaluated(_json((root or {}).get("attributes")) or {})
        if original is not None:
            expected = original.expected if is_missing(taken.get("expected")) else taken["expected"]
            examples.append(replace(original, expected=expected, labels={**(original.labels or {}), **said} or None))
            continue
        found = _example(trace_id, root, spans, taken, said, places)
        if found is None:
            skipped.append((trace_id, "no span of it has an input"))
        else:
            examples.append(found)
    if places is not None:
        places.refuse_absent()
    if not examples:
        reasons = "; ".join(f"{plain_line(one, 60)}: {why}" for one, why in skipped[:3])
        raise UsageError(f"none of these {len(skipped)} traces makes an example: {reasons}" if reasons else _NO_TRACE)
    return examples, skipped


def merged(before: Example, after: Example) -> Example:
    """Return the example of a trace that is there already: as it was, with what the new one adds.

    An expected answer that a label gave goes with that label.
    """
    old, new = before.labels or {}, after.labels or {}
    is_withdrawn = any(new[name] is None and old.get(name) == before.expected for name in new)
    is_kept = after.expected is None and not is_withdrawn
    return replace(
        before,
        expected=before.expected if is_kept else after.expected,
        split=after.split or before.split,
        tags=tuple(sorted({*before.tags, *after.tags})),
        labels={**(before.labels or {}), **(after.labels or {})} or None,
    )


def recorded(store: Store, ids: Sequence[str]) -> Iterator[tuple[str, Example | None]]:
    """Yield traces as the examples that they make, with what was answered; None where no span has an input.

    Args:
        store: Where the traces are; those that are not there (any more) are left out.
        ids: Of the traces.
    """
    for trace_id, root_id, spans in _stored(store, ids, refuses=False):
        root = next((span for span in spans if span["span_id"] == root_id), None)
        yield trace_id, _example(trace_id, root, spans, {}, {}, None)


def _stored(store: Store, ids: Sequence[str], *, refuses: bool = True) -> Iterator[tuple[str, str, list[Row]]]:
    """Yield (trace id, its root span, its spans); refuse traces that are not there, or leave them out."""
    for at in range(0, len(ids), _TRACES_AT_ONCE):
        asked = list(ids[at : at + _TRACES_AT_ONCE])
        yield from _batch(store, asked, refuses=refuses)


def _batch(store: Store, asked: list[str], *, refuses: bool) -> Iterator[tuple[str, str, list[Row]]]:
    query = (
        "select trace_id, root_span_id, start_ns, end_ns from traces where trace_id in (select unnest(?::VARCHAR[]))"
    )
    found = {row[0]: row for row in store.sql(query, [asked]).fetchall()}
    missing = [trace_id for trace_id in asked if trace_id not in found]
    if missing and refuses:
        raise NotFoundError(
            f"{len(missing)} of {len(asked)} traces are not in the store: {plain_line(', '.join(missing[:3]), 120)}; "
            "ws.traces.search() lists traces"
        )
    if not found:
        return
    bounds = Bounds(min(row[2] for row in found.values()), max(row[3] for row in found.values()))
    query = (
        f"select {', '.join(_COLUMNS)} from spans where trace_id in (select unnest(?::VARCHAR[])) "
        f"and start_ns between {int(bounds.since_ns or 0)} and {int(bounds.until_ns or 0)} order by start_ns, span_id"
    )
    spans: dict[str, list[Row]] = defaultdict(list)
    for row in store.whole(store.sql(query, [asked], bounds=bounds).to_arrow_table().to_pylist()):
        spans[row["trace_id"]].append(row)
    for trace_id in filter(found.__contains__, asked):
        yield trace_id, found[trace_id][1], spans[trace_id]


def _given(whole: Iterable[Any]) -> Iterator[tuple[str, str, list[Row]]]:
    for trace in whole:
        yield trace.trace_id, trace.root.span_id, [dict(span.row) for span in trace.spans]


def _example(
    trace_id: str, root: Row | None, spans: Sequence[Row], extra: Mapping[str, Any], labels: Row, places: Places | None
) -> Example | None:
    calls = [span for span in spans if span.get("is_call")]
    asked = _first(*([root] if root else []), *calls[:1], column="input")
    answered = _first(*([root] if root else []), *calls[-1:], column="output")
    tools = tool_calls(spans)
    row: Row = {
        "example_id": trace_id,
        "trace_id": trace_id,
        "input": None if asked is None else _asked(asked),
        "output": None if answered is None else _said(answered),
        "documents": documents(spans),
        "cluster": extra.get("cluster") or next((span["session_id"] for span in spans if span.get("session_id")), None),
        "labels": labels or None,
        "metadata": {"tool_calls": tools} if tools else {},
        **{key: extra.get(key) for key in ("expected", "split", "tags")},
    }
    if places is not None:
        first = root or (spans[0] if spans else {})
        source = {
            "input": _parsed(asked),
            "output": _parsed(answered),
            "attributes": _json(first.get("attributes")) or {},
            "tool_calls": tools,
            **{name: first.get(name) for name in ("name", "session_id", "user_id")},
        }
        places.put(row, source)
    return to_examples([row], {}).examples[0] if row["input"] is not None else None


def documents(spans: Sequence[Row]) -> list[Row] | None:
    """Return the retrieved documents, best first, each once; ``is_kept`` says which ones a reranker left.

    A retriever that found nothing gives an empty list, no retriever at all None.
    """
    if not any(span["kind"] == "retriever" or span.get("documents") for span in spans):
        return None
    found: dict[str, Row] = {}
    kept: set[str] | None = None
    for span in spans:
        listed = [item for item in _json(span.get("documents")) or () if isinstance(item, dict)]
        if span["kind"] == "reranker" and listed:
            kept = (kept or set()) | {str(item.get("id")) for item in listed}
        for item in listed:
            name = str(item.get("id") or item.get("content"))
            known = found.setdefault(name, {key: value for key, value in item.items() if value is not None})
            if known.get("content") is None and item.get("content") is not None:
                known["content"] = item["content"]
    if kept is not None:
        for name, item in found.items():
            item["is_kept"] = name in kept
    return list(found.values())


def tool_calls(spans: Sequence[Row]) -> list[Row]:
    """Return the executed tools in order: name, arguments, result, error."""
    return [
        {
            "name": span.get("tool_name") or span["name"],
            "arguments": _parsed(span.get("input")),
            "result": _parsed(span.get("output")),
            "error": (span.get("error_message") or "error") if span.get("status") == "error" else None,
        }
        for span in spans
        if span["kind"] == "tool"
    ]


def _first(*spans: Row, column: str) -> str | None:
    return next((span[column] for span in spans if span.get(column) is not None), None)


def _messages(text: str) -> list[Row] | None:
    found = _json(text) if text.startswith('[{"') else None
    if isinstance(found, list) and found and all(isinstance(item, dict) and "role" in item for item in found):
        return found
    return None


def _asked(text: str) -> Any:
    """Return an input: text as it is, a conversation as its messages, a lone message of the user as its text."""
    messages = _messages(text)
    if messages is None:
        return text
    if len(messages) == 1 and isinstance(messages[0].get("content"), str):
        return messages[0]["content"]
    return {"messages": messages}


def _said(text: str) -> Any:
    """Return an output: text as it is, of messages what the assistant said last."""
    messages = _messages(text)
    if messages is None:
        return text
    said = [
        message["content"] for message in messages if isinstance(message.get("content"), str) and message["content"]
    ]
    return said[-1] if said else messages


def _labels(value: Any, name: str) -> Row:
    if isinstance(value, dict):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return {}
    return {name: value}


def _parsed(text: str | None) -> Any:
    found = _json(text)
    return text if found is None else found


def _json(text: str | None) -> Any:
    if not text:
        return None
    import orjson

    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
