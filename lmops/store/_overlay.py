"""What new spans and log events mean for the traces they belong to, stored ones included.

One function serves both sides: the drain writes its result into segments, a reader lays it over the segments in
memory. So an undrained write looks exactly as it will after the drain, whatever the order of arrival.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from lmops.calc.rollup import MODEL_KINDS, TraceFacts, is_unpriced, pick_duplicates, rollup

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

Row = dict[str, Any]
Key = tuple[str, str]

PREVIEW_CHARS: Final = 1000
#: One call is reported by a few instrumentors at most. An id that more traces share is no identity: stand-in models
#: answer with the same one every time.
MOST_SHARED: Final = 8
#: ``MODEL_KINDS`` in SQL.
MODEL_KINDS_SQL: Final = "(" + ", ".join(f"'{kind}'" for kind in sorted(MODEL_KINDS)) + ")"
#: What is needed of a stored span to put its trace together again.
FACT_COLUMNS: Final = (
    "trace_id", "span_id", "parent_span_id", "name", "kind", "start_ns", "end_ns", "latency_ms", "status", "error_type",
    "error_message", "service", "environment", "session_id", "user_id", "requested_model", "model", "prompt_name",
    "prompt_version", "input", "output", "input_tokens", "output_tokens", "cost_usd", "response_id", "scope", "is_call",
    "duplicate_span_ids",
)  # fmt: skip


class Stored(Protocol):
    """What is published already, as one snapshot."""

    def spans_of(self, trace_ids: Collection[str]) -> list[Row]:
        """Return ``FACT_COLUMNS`` of every live span of these traces."""

    def traces_of(self, trace_ids: Collection[str]) -> Collection[str]:
        """Return which of these traces have a row."""

    def whole_spans(self, keys: Collection[Key]) -> list[Row]:
        """Return all columns of these live spans."""

    def traces_with_responses(self, response_ids: Collection[str]) -> dict[str, set[str]]:
        """Return the traces that have a model span with one of these response ids, by response id."""

    def logs_of(self, trace_ids: Collection[str]) -> list[Row]:
        """Return the stored log events of these traces."""


@dataclass(slots=True)
class Overlay:
    """The rows to add and the stored rows that they replace."""

    spans: list[Row] = field(default_factory=list)
    traces: list[Row] = field(default_factory=list)
    logs: list[Row] = field(default_factory=list)
    dead_spans: list[Key] = field(default_factory=list)
    dead_traces: list[str] = field(default_factory=list)
    new_spans: int = 0
    duplicates: int = 0


def overlay(
    stored: Stored,
    spans: Iterable[Row],
    logs: Iterable[Row],
    join_logs: Callable[[Row, list[Row]], Row],
    *,
    replacing: Iterable[Row] = (),
) -> Overlay:
    """Return what adding these spans and log events changes.

    Args:
        stored: What is published.
        spans: New span rows; repeats of each other and of stored spans add nothing.
        logs: New log rows, likewise.
        join_logs: Returns a span row with the content of all its log events.
        replacing: Whole rows that take the place of stored ones with the same keys.
    """
    result = Overlay()
    fresh: dict[Key, Row] = {}
    for row in spans:
        key = row["trace_id"], row["span_id"]
        if key in fresh:
            result.duplicates += 1
        else:
            fresh[key] = row
    new_logs = {_log_key(row): row for row in logs}
    replaced = {(row["trace_id"], row["span_id"]): row for row in replacing}
    ids = {key[0] for key in (*fresh, *replaced)} | {row["trace_id"] for row in new_logs.values()}
    known = {(row["trace_id"], row["span_id"]): row for row in stored.spans_of(ids)}
    if known:
        for key in [key for key in fresh if key in known]:
            del fresh[key]
            result.duplicates += 1
    result.new_spans = len(fresh)
    patched = _join(stored, fresh, known, new_logs, ids, result, join_logs)
    patched.update((key, row) for key, row in replaced.items() if key in known)
    known.update(patched)
    _settle(stored, fresh, known, patched, ids, result)
    return result


def _log_key(row: Row) -> tuple[Any, ...]:
    return row["trace_id"], row["span_id"], row["time_ns"], row["name"], row["body"], row["attributes"]


def log_order(row: Row) -> tuple[int, str, str, str]:
    """Return the key that puts log events of a span in the order they happened, whatever the order of arrival."""
    return row["time_ns"] or 0, row["name"] or "", row["body"] or "", row["attributes"] or ""


def _join(
    stored: Stored,
    fresh: dict[Key, Row],
    known: dict[Key, Row],
    new_logs: dict[tuple[Any, ...], Row],
    ids: set[str],
    result: Overlay,
    join_logs: Callable[[Row, list[Row]], Row],
) -> dict[Key, Row]:
    """Put the content of log events into their spans; return the stored spans that this changes, whole."""
    old_logs = {_log_key(row): row for row in stored.logs_of(ids)}
    result.logs = [row for key, row in new_logs.items() if key not in old_logs]
    by_span: dict[Key, list[Row]] = defaultdict(list)
    for row in (*old_logs.values(), *result.logs):
        by_span[row["trace_id"], row["span_id"]].append(row)
    if not by_span:
        return {}
    for events in by_span.values():
        events.sort(key=log_order)
    for key in by_span.keys() & fresh.keys():
        fresh[key] = join_logs(fresh[key], by_span[key])
    touched = {(row["trace_id"], row["span_id"]) for row in result.logs} & known.keys()
    patched = {}
    for row in stored.whole_spans(touched) if touched else ():
        key = row["trace_id"], row["span_id"]
        patched[key] = join_logs(row, by_span[key])
        known[key] = patched[key]
    return patched


def _settle(
    stored: Stored,
    fresh: dict[Key, Row],
    known: dict[Key, Row],
    patched: dict[Key, Row],
    ids: set[str],
    result: Overlay,
) -> None:
    """Decide which spans are calls, write the rows of all touched traces, and name the stored rows they replace."""
    responses = {
        row["response_id"]
        for row in (*fresh.values(), *known.values())
        if row["response_id"] and row["kind"] in MODEL_KINDS
    }
    sharing = stored.traces_with_responses(responses) if responses else {}
    worn = {response_id for response_id, found in sharing.items() if len(found) > MOST_SHARED}
    relatives = {trace_id for name, found in sharing.items() if name not in worn for trace_id in found} - ids
    if relatives:
        known.update({(row["trace_id"], row["span_id"]): row for row in stored.spans_of(relatives)})
    if not fresh and not patched:
        return
    traces: dict[str, list[Row]] = defaultdict(list)
    for (trace_id, _), row in (*known.items(), *fresh.items()):
        traces[trace_id].append(row)
    facts = {trace_id: rollup(rows) for trace_id, rows in traces.items()}
    worn |= _worn_out(traces, responses)
    flags = _flags(traces, facts, responses, relatives, worn)
    changed_traces = {key[0] for key in (*fresh, *patched)}
    whole = dict(patched)
    stale = [key for key, row in known.items() if _differs(row, flags.get(key))]
    if stale:
        whole.update(
            ((row["trace_id"], row["span_id"]), row) for row in stored.whole_spans([k for k in stale if k not in whole])
        )
        changed_traces |= {key[0] for key in stale}
    result.dead_spans = list(whole)
    for key, row in (*fresh.items(), *whole.items()):
        row["is_call"], row["duplicate_span_ids"] = (True, flags[key] or None) if key in flags else (False, None)
        result.spans.append(row)
    for key in stale:
        known[key]["is_call"] = key in flags
    # Not the traces of the known spans: spans may be lost with a damaged file, and the row must be there once.
    stored_traces = set(stored.traces_of(ids | relatives))
    for trace_id in changed_traces:
        counting = facts[trace_id].call_span_ids
        calls = (
            [row for row in traces[trace_id] if row["span_id"] in counting and (trace_id, row["span_id"]) in flags]
            if counting
            else []
        )
        result.traces.append(trace_row(traces[trace_id], facts[trace_id], calls))
        if trace_id in stored_traces:
            result.dead_traces.append(trace_id)


def _worn_out(traces: dict[str, list[Row]], responses: set[str]) -> set[str]:
    """Return the response ids that too many traces have to name one response."""
    sharing: dict[str, set[str]] = defaultdict(set)
    for trace_id, rows in traces.items():
        for row in rows:
            if row["response_id"] in responses and row["kind"] in MODEL_KINDS:
                sharing[row["response_id"]].add(trace_id)
    return {response_id for response_id, found in sharing.items() if len(found) > MOST_SHARED}


def _flags(
    traces: dict[str, list[Row]],
    facts: dict[str, TraceFacts],
    responses: set[str],
    relatives: set[str],
    worn: set[str],
) -> dict[Key, list[str]]:
    """Return the calls that count, each with the other spans of the same call as ``trace_id:span_id``."""
    candidates: list[Row] = []
    flags: dict[Key, list[str]] = {}
    for trace_id, rows in traces.items():
        fact = facts[trace_id]
        for row in rows:
            if row["span_id"] not in fact.call_span_ids:
                continue
            # Of a trace that is here only as a relative, the other calls were settled before and stay as they are.
            if trace_id in relatives and row["response_id"] not in responses:
                if row["is_call"]:
                    flags[trace_id, row["span_id"]] = list(row["duplicate_span_ids"] or ())
                continue
            candidates.append(row)
            flags[trace_id, row["span_id"]] = [
                f"{trace_id}:{other}" for other in fact.duplicates.get(row["span_id"], ())
            ]
    told = [row for row in candidates if row["response_id"] not in worn] if worn else candidates
    for winner, losers in pick_duplicates(told).items():
        for loser in losers:
            flags[winner].append(f"{loser[0]}:{loser[1]}")
            flags[winner].extend(flags.pop(loser))
    return flags


def _differs(row: Row, flag: list[str] | None) -> bool:
    """Return whether a stored span's call flags are not what they should be now."""
    return bool(row["is_call"]) != (flag is not None) or list(row["duplicate_span_ids"] or ()) != list(flag or ())


def trace_row(spans: Sequence[Row], facts: TraceFacts, calls: Sequence[Row]) -> Row:
    """Return the one row of a trace: ``TRACE_COLUMNS`` without ``rev``.

    Args:
        spans: All its spans.
        facts: What :func:`lmops.calc.rollup.rollup` says of them.
        calls: Its billable calls; tokens and cost are sums over them, NULL when none reports any.
    """
    by_id = {row["span_id"]: row for row in spans}
    root = by_id[facts.root_span_id or ""]
    failing = by_id[facts.error_span_id] if facts.error_span_id else {}
    start = min([row["start_ns"] for row in spans])
    # A clock that ran backwards must not put a span outside its trace: spans are looked up by the trace's range.
    end = max(start, *[row["start_ns"] for row in spans], *[row["end_ns"] or 0 for row in spans])
    if len(calls) > 1:
        calls = sorted(calls, key=lambda row: (row["start_ns"], row["span_id"]))
    status = root["status"]
    if facts.is_orphan and failing:
        status = "error"
    prompts = [row for row in spans if row["prompt_name"]]
    if len(prompts) > 1:
        prompts.sort(key=lambda row: (row["start_ns"], row["span_id"]))
    return {
        "trace_id": root["trace_id"],
        "name": root["name"],
        "start_ns": start,
        "end_ns": end,
        # Made-up times put the spans of a log in order and say nothing of how long it took.
        "latency_ms": (end - start) / 1e6 if [1 for row in spans if row["latency_ms"] is not None] else None,
        "status": status,
        "error_type": failing.get("error_type"),
        "error_message": failing.get("error_message"),
        "error_span_id": facts.error_span_id,
        "root_span_id": facts.root_span_id,
        "span_count": len(spans),
        "error_count": len([1 for row in spans if row["status"] == "error"]),
        "call_count": len(calls),
        "models": _distinct([row["model"] or row["requested_model"] for row in calls]),
        "prompt_refs": _distinct([_prompt_ref(row) for row in prompts]),
        "input_tokens": _total(calls, "input_tokens"),
        "output_tokens": _total(calls, "output_tokens"),
        "cost_usd": _total(calls, "cost_usd"),
        "unpriced_calls": sum(map(is_unpriced, calls)),
        "session_id": _first(root, spans, "session_id"),
        "user_id": _first(root, spans, "user_id"),
        "service": _first(root, spans, "service"),
        "environment": _first(root, spans, "environment"),
        "input": preview(_said("input", root, calls, facts), "user"),
        "output": preview(_said("output", root, calls[::-1], facts), "assistant"),
        "is_orphan": facts.is_orphan,
    }


def _said(column: str, root: Row, calls: Sequence[Row], facts: TraceFacts) -> str | None:
    """Return the text of the root, else of the first of these calls that has one.

    The first span of a trace whose root was lost may be any step: there the calls say more.
    """
    for row in (*calls, root) if facts.is_orphan else (root, *calls):
        said: str | None = row[column]
        if said is not None:
            return said
    return None


def _first(root: Row, rows: Sequence[Row], column: str) -> Any:  # a value of any column
    """Return the value of the root, else of the earliest row that has one: not of the first to arrive."""
    said = root[column]
    if said is not None or len(rows) == 1:
        return said
    given = [(row["start_ns"], row["span_id"], row[column]) for row in rows if row[column] is not None]
    return min(given)[2] if given else None


def _distinct(values: Sequence[str | None]) -> list[str]:
    return list(dict.fromkeys(filter(None, values))) if values else []


def _prompt_ref(row: Row) -> str:
    return f"{row['prompt_name']}@{row['prompt_version']}" if row["prompt_version"] else row["prompt_name"]


def _total(calls: Sequence[Row], column: str) -> Any:  # int of tokens, float of money, None of nothing
    if not calls:
        return None
    given = [row[column] for row in calls if row[column] is not None]
    if len(given) <= 1:
        return given[0] if given else None
    total = sum(sorted(given)) if isinstance(given[0], float) else sum(given)
    # Adding sorted floats makes the sum independent of the order of arrival.
    return total if isinstance(total, float) else min(total, 2**63 - 1)


def preview(text: str | None, role: str) -> str | None:
    """Return what a person said in an input or an output: the last message of ``role``, cut to ``PREVIEW_CHARS``.

    Of an object with one text, such as {"question": "..."}, it is the text.
    """
    if text is None:
        return None
    if text.startswith('[{"role":'):
        said = [message.get("content") for message in _dicts(text) if message.get("role") == role]
        spoken = [content for content in said if isinstance(content, str) and content]
        if spoken:
            text = spoken[-1]
    elif text.startswith('{"') and len(text) <= 4 * PREVIEW_CHARS and text.count('":') == 1:
        values = [value for item in _dicts(f"[{text}]") for value in item.values()]
        if len(values) == 1 and isinstance(values[0], str) and values[0]:
            text = values[0]
    return text if len(text) <= PREVIEW_CHARS else text[: PREVIEW_CHARS - 1] + "\u2026"


def _dicts(text: str) -> list[dict[str, Any]]:
    """Return the objects of a JSON list; nothing when it is none."""
    import orjson

    try:
        found = orjson.loads(text)
    except ValueError:
        return []
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
