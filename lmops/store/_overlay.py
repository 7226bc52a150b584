"""What new spans and log events mean for the traces they belong to, stored ones included.

One function serves both sides: the drain writes its result into segments, a reader lays it over the segments in
memory. So an undrained write looks exactly as it will after the drain, whatever the order of arrival.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from lmops.calc.rollup import MODEL_KINDS, TraceFacts, is_unpriced, pick_duplicates, rollup
from lmops.store._tables import KEY_OF

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

Row = dict[str, Any]
Key = tuple[str, str]

PREVIEW_CHARS: Final = 1000
_NO_SPAN: Final[Row] = {}
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
)  # fmt: skip  # many words: packed, they are read at a glance


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
    #: The billable calls among ``spans``, each with the other spans of the same call as ``trace_id:span_id``.
    calls: dict[Key, list[str]] = field(default_factory=dict)
    traces: list[Row] = field(default_factory=list)
    logs: list[Row] = field(default_factory=list)
    dead_spans: list[Key] = field(default_factory=list)
    dead_traces: list[str] = field(default_factory=list)
    #: the response ids of the model spans among ``spans``, and of the stored spans of their traces
    responses: set[str] = field(default_factory=set)
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
    given = 0
    for row in spans:
        fresh.setdefault(KEY_OF(row), row)
        given += 1
    result.duplicates = given - len(fresh)
    new_logs = {_log_key(row): row for row in logs}
    replaced = {KEY_OF(row): row for row in replacing}
    ids = {key[0] for key in (*fresh, *replaced)} | {row["trace_id"] for row in new_logs.values()}
    known = {KEY_OF(row): row for row in stored.spans_of(ids)}
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
    calls = named([*fresh.values(), *known.values()])
    responses = {row["response_id"] for row in calls}
    sharing = stored.traces_with_responses(responses) if responses else {}
    worn = {response_id for response_id, found in sharing.items() if len(found) > MOST_SHARED}
    relatives = {trace_id for name, found in sharing.items() if name not in worn for trace_id in found} - ids
    if relatives:
        found = stored.spans_of(relatives)
        known.update((KEY_OF(row), row) for row in found)
        calls += named(found)
    result.responses = {row["response_id"] for row in calls} if relatives else responses
    if not fresh and not patched:
        return
    traces: dict[str, list[Row]] = defaultdict(list)
    for (trace_id, _), row in (*known.items(), *fresh.items()):
        traces[trace_id].append(row)
    # Nearly every id names one call of one trace: only where one comes again is there anything to compare.
    again = responses if relatives else _repeated([row["response_id"] for row in calls])
    settling = _Settling(
        known=known,
        marks=dict.fromkeys(patched),
        changed={key[0] for key in (*fresh, *patched)},
        # Not the traces of the known spans: spans may be lost with a damaged file, and the row must be there once.
        stored_traces=set(stored.traces_of(ids | relatives)),
        relatives=relatives,
        responses=responses,
        telling=again - worn - _worn_out(calls, again),
        result=result,
    )
    for trace_id, rows in traces.items():
        settling.take(trace_id, rows)
    settling.finish()
    whole = dict(patched)
    lacking = [key for key in settling.marks if key not in patched]
    if lacking:
        whole.update(((row["trace_id"], row["span_id"]), row) for row in stored.whole_spans(lacking))
    for key in whole:
        flag = settling.marks[key]
        if flag is not None:
            result.calls[key] = flag
    result.dead_spans = list(whole)
    result.spans = [*fresh.values(), *whole.values()]


def _repeated(names: Sequence[str]) -> set[str]:
    """Return the names that stand there more than once."""
    return {name for name, times in Counter(names).items() if times > 1}


def named(rows: Iterable[Row]) -> list[Row]:
    """Return the model spans whose answer has an id."""
    return [row for row in rows if row["response_id"] and row["kind"] in MODEL_KINDS]


def _worn_out(calls: Sequence[Row], responses: set[str]) -> set[str]:
    """Return the response ids that too many traces have to name one response."""
    if not responses:
        return set()
    sharing: dict[str, set[str]] = defaultdict(set)
    for row in calls:
        if row["response_id"] in responses:
            sharing[row["response_id"]].add(row["trace_id"])
    return {response_id for response_id, found in sharing.items() if len(found) > MOST_SHARED}


#: Spans that are calls, each with the other spans of the same call as ``trace_id:span_id``.
Flags = dict[str, list[str]]


@dataclass(slots=True, kw_only=True)
class _Settling:
    """Traces on their way to a row: each is done in one go, unless calls of other traces may be the same as its own."""

    known: dict[Key, Row]
    #: stored spans that have to be written again, with their flags
    marks: dict[Key, list[str] | None]
    changed: set[str]
    stored_traces: set[str]
    relatives: set[str]
    responses: set[str]
    #: response ids that tell two spans to be one call
    telling: set[str]
    result: Overlay
    candidates: list[Row] = field(default_factory=list)
    waiting: dict[str, tuple[list[Row], TraceFacts, Flags]] = field(default_factory=dict)

    def take(self, trace_id: str, rows: list[Row]) -> None:
        """Settle a trace, or keep it until all traces have named their calls."""
        facts = rollup(rows)
        flags: Flags = {}
        may_be_shared = False
        if facts.call_span_ids:
            same, is_relative = facts.duplicates, trace_id in self.relatives
            for row in rows:
                span_id = row["span_id"]
                if span_id not in facts.call_span_ids:
                    continue
                # Of a trace that is here only as a relative, the other calls were settled before and stay as they are.
                if is_relative and row["response_id"] not in self.responses:
                    if row["is_call"]:
                        flags[span_id] = list(row["duplicate_span_ids"] or ())
                    continue
                if row["response_id"] in self.telling:
                    self.candidates.append(row)
                    may_be_shared = True
                flags[span_id] = [f"{trace_id}:{other}" for other in same.get(span_id, ())] if same else []
        if may_be_shared:
            self.waiting[trace_id] = rows, facts, flags
        else:
            self._settle(trace_id, rows, facts, flags)

    def finish(self) -> None:
        """Settle the traces that wait."""
        for winner, losers in pick_duplicates(self.candidates).items():
            flag = self.waiting[winner[0]][2][winner[1]]
            for loser in losers:
                flag.append(f"{loser[0]}:{loser[1]}")
                flag.extend(self.waiting[loser[0]][2].pop(loser[1]))
        for trace_id, (rows, facts, flags) in self.waiting.items():
            self._settle(trace_id, rows, facts, flags)

    def _settle(self, trace_id: str, rows: list[Row], facts: TraceFacts, flags: Flags) -> None:
        calls = []
        for row in rows:
            flag = flags.get(row["span_id"])
            if flag is not None:
                calls.append(row)
            key = trace_id, row["span_id"]
            if key not in self.known:
                if flag is not None:
                    self.result.calls[key] = flag
            elif key in self.marks or _differs(row, flag):
                self.marks[key] = flag
                self.changed.add(trace_id)
        if trace_id in self.changed:
            self.result.traces.append(trace_row(rows, facts, calls))
            if trace_id in self.stored_traces:
                self.result.dead_traces.append(trace_id)


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
    if len(spans) == 1:
        return _row_of_one(spans[0], facts, calls)
    root, failing = _chosen(spans, facts)
    start, end = spans[0]["start_ns"], 0
    is_timed, errors = False, 0
    prompts = []
    for row in spans:
        began = row["start_ns"]
        # A clock that ran backwards must not put a span outside its trace: spans are looked up by the trace's range.
        start, end = min(start, began), max(end, began, row["end_ns"] or 0)
        is_timed |= row["latency_ms"] is not None
        errors += row["status"] == "error"
        if row["prompt_name"]:
            prompts.append(row)
    if len(calls) > 1:
        calls = sorted(calls, key=_start)
    if len(prompts) > 1:
        prompts.sort(key=_start)
    status = "error" if facts.is_orphan and failing else root["status"]
    return {
        "trace_id": root["trace_id"],
        "name": root["name"],
        "start_ns": start,
        "end_ns": end,
        # Made-up times put the spans of a log in order and say nothing of how long it took.
        "latency_ms": (end - start) / 1e6 if is_timed else None,
        "status": status,
        "error_type": failing.get("error_type"),
        "error_message": failing.get("error_message"),
        "error_span_id": facts.error_span_id,
        "root_span_id": facts.root_span_id,
        "span_count": len(spans),
        "error_count": errors,
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


def _chosen(spans: Sequence[Row], facts: TraceFacts) -> tuple[Row, Row]:
    """Return the span that a trace is called after, and the one whose error is the trace's."""
    root, failing = spans[0], _NO_SPAN
    for row in spans:
        if row["span_id"] == facts.root_span_id:
            root = row
        if row["span_id"] == facts.error_span_id:
            failing = row
    return root, failing


def _start(row: Row) -> tuple[int, str]:
    return row["start_ns"], row["span_id"]


def _row_of_one(span: Row, facts: TraceFacts, calls: Sequence[Row]) -> Row:
    """Return the row of a trace of one span, which many are: a call without an application around it."""
    start, model, call = span["start_ns"], span["model"] or span["requested_model"], bool(calls)
    end = max(start, span["end_ns"] or 0)
    is_error = span["status"] == "error"
    return {
        "trace_id": span["trace_id"],
        "name": span["name"],
        "start_ns": start,
        "end_ns": end,
        "latency_ms": (end - start) / 1e6 if span["latency_ms"] is not None else None,
        "status": span["status"],
        "error_type": span["error_type"] if is_error else None,
        "error_message": span["error_message"] if is_error else None,
        "error_span_id": facts.error_span_id,
        "root_span_id": span["span_id"],
        "span_count": 1,
        "error_count": 1 if is_error else 0,
        "call_count": len(calls),
        "models": [model] if call and model else [],
        "prompt_refs": [_prompt_ref(span)] if span["prompt_name"] else [],
        "input_tokens": span["input_tokens"] if call else None,
        "output_tokens": span["output_tokens"] if call else None,
        "cost_usd": span["cost_usd"] if call else None,
        "unpriced_calls": int(call and is_unpriced(span)),
        "session_id": span["session_id"],
        "user_id": span["user_id"],
        "service": span["service"],
        "environment": span["environment"],
        "input": preview(span["input"], "user"),
        "output": preview(span["output"], "assistant"),
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
    """Return what a person said in an input or an output, cut to ``PREVIEW_CHARS``; see :func:`said`."""
    if text is None:
        return None
    text = said(text, role)
    return text if len(text) <= PREVIEW_CHARS else text[: PREVIEW_CHARS - 1] + "\u2026"


def said(text: str, role: str) -> str:
    """Return what a person said in an input or an output: the last message of ``role``.

    Of an object with one text, such as {"question": "..."}, it is the text.
    """
    if text.startswith('[{"role":'):
        return _last_said(text, role) or text
    if text.startswith('{"') and len(text) <= 4 * PREVIEW_CHARS and text.count('":') == 1:
        values = [value for item in _dicts(f"[{text}]") for value in item.values()]
        if len(values) == 1 and isinstance(values[0], str) and values[0]:
            return values[0]
    return text


def _last_said(text: str, role: str) -> str | None:
    """Return the last text that ``role`` says in a JSON list of messages."""
    # Quotes inside a text are escaped, so this finds messages only. One that ends the list and holds no escape needs no
    # parser, and is what most lists end with.
    begin = f'{{"role":"{role}","content":"'
    at = text.rfind(begin)
    if at > 0 and text.endswith('"}]'):
        content = text[at + len(begin) : -3]
        if content and '"' not in content and "\\" not in content:
            return content
    for part in (f"[{text[at:]}", text) if at > 0 else (text,):
        said = [message.get("content") for message in _dicts(part) if message.get("role") == role]
        found = next((content for content in reversed(said) if isinstance(content, str) and content), None)
        if found is not None:
            return found
    return None


def _dicts(text: str) -> list[dict[str, Any]]:
    """Return the objects of a JSON list; nothing when it is none."""
    import orjson

    try:
        found = orjson.loads(text)
    except ValueError:
        return []
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
