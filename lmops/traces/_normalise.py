"""From a span of any dialect to a span row, and back from a stored row to the same row."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.calc.rollup import MODEL_KINDS
from lmops.calc.usage import part_of, settle
from lmops.store import SPAN_COLUMNS
from lmops.traces._aliases import (
    ALIASES,
    DIALECTS,
    KIND_SETS,
    KIND_WORDS,
    NORMALISER_VERSION,
    USAGE_PREFIXES,
)
from lmops.traces._content import documents_of_events
from lmops.traces._events import apply_events, apply_logs, is_content_event
from lmops.traces._fields import BIGINT_MAX, as_count, as_text, reader, seconds
from lmops.traces._indexed import indexed_keys
from lmops.traces._json import dumps, loads
from lmops.traces._raw import STATUS_ERROR, STATUS_OK, STATUS_UNSET, RawSpan, Resource
from lmops.types import EVAL_RUN_ID, EVALUATION

if TYPE_CHECKING:
    from collections.abc import Callable

    Entry = tuple[str, Callable[[RawSpan, str, str], object], str]
    Plain = tuple[tuple[str, str], ...]
    Row = dict[str, Any]

__all__ = ["NORMALISER_VERSION", "apply_logs", "normalise", "renormalise"]

_EMPTY_ROW: Final[dict[str, object]] = {name: None for name, _, _ in SPAN_COLUMNS}
#: Plans are kept for sets of keys up to so many characters, and so many bytes, roughly, in all.
_PLAN_CHARACTERS: Final = 20_000
_KEPT_BYTES: Final = 16_000_000
_ESTIMATED: Final = "lmops.time_estimated"
#: Attributes that change what the span itself says of its times and of its status.
_TIME_KEYS: Final = frozenset({"logfire.span_type", _ESTIMATED})
_STATUS_KEYS: Final = frozenset({"error.type", "langfuse.observation.level"})
#: Events that a client adds when the first piece of a streamed answer arrives.
_FIRST_TOKEN: Final = frozenset({"First Token Stream Event", "mlflow.chunk.item.0"})

_EXACT: Final[dict[str, tuple[int, ...]]] = {}
_INDEXED: Final[dict[str, tuple[int, ...]]] = {}
_READERS: Final = tuple(reader(how) if how != "kind" else None for _, _, _, how, _ in ALIASES)
for _place, (_column, _key, _dialect, _how, _kinds) in enumerate(ALIASES):
    _table = _INDEXED if _key.endswith(".") else _EXACT
    _table[_key] = (*_table.get(_key, ()), _place)
_INDEXED_PREFIXES: Final = tuple(_INDEXED)
#: What the table reads of the usage of a call that is no column of its own.
_BESIDES: Final = ("total_tokens", "tool_input_tokens", "usage_units", "usage_fees", "usage_terms")
_PARTS: Final = (
    ("input", "input_tokens"),
    ("output", "output_tokens"),
    ("cached", "cached_input_tokens"),
    ("cache_write", "cache_write_input_tokens"),
    ("reasoning", "reasoning_tokens"),
    ("total", "total_tokens"),
    ("tool_input", "tool_input_tokens"),
)
_COLUMN_OF: Final = dict(_PARTS)
_ORDER: Final = {dialect: place for place, (dialect, _) in enumerate(DIALECTS)}


class _Columns(NamedTuple):
    """How to fill the columns of one kind of span.

    Most columns are one attribute as it is: those, as (column, key), are read without a call. The rest, and what else
    may give a column that was left empty, goes through its reader in the order of the table.
    """

    #: what a row begins with: every column, and ``besides``
    row: dict[str, object]
    texts: Plain
    counts: Plain
    others: tuple[Entry, ...]
    #: (unit, key) of the tokens of a call that a price may tell apart
    units: Plain
    #: of which of ``_BESIDES`` the spans may say anything
    besides: tuple[str, ...]


class _Plan:
    """What to read from spans that carry one set of keys; worked out once for each set."""

    __slots__ = (
        "by_kind",
        "dialect",
        "fallback_kind",
        "has_status",
        "has_time",
        "indexed",
        "is_asked",
        "kind_keys",
        "parts",
        "places",
        "stands_beside",
    )

    def __init__(self, keys: tuple[str, ...]) -> None:
        places: set[int] = set()
        for key in keys:
            found = _EXACT.get(key)
            if found is not None:
                places.update(found)
            elif key.startswith(_INDEXED_PREFIXES):
                for prefix, indexed in _INDEXED.items():
                    if key.startswith(prefix) and key[len(prefix) :].partition(".")[0].isdigit():
                        places.update(indexed)
        ordered = sorted(places)
        self.kind_keys = tuple(ALIASES[place][1] for place in ordered if ALIASES[place][0] == "kind")
        self.places = tuple(place for place in ordered if ALIASES[place][0] != "kind")
        ranks = [_ORDER[ALIASES[place][2]] for place in ordered if ALIASES[place][2] in _ORDER]
        self.dialect = DIALECTS[min(ranks)][1] if ranks else "unknown"
        columns = {ALIASES[place][0] for place in self.places}
        # The first generative-AI spans named no operation: a model with usage or an answer is a call.
        names_model = any(key in keys for key in ("gen_ai.request.model", "gen_ai.response.model", "llm.model_name"))
        is_call = names_model and bool({"input_tokens", "output_tokens", "output"} & columns)
        self.fallback_kind = "llm" if is_call else "unknown"
        self.has_status = not _STATUS_KEYS.isdisjoint(keys)
        self.has_time = not _TIME_KEYS.isdisjoint(keys)
        self.is_asked = EVAL_RUN_ID in keys
        self.indexed = indexed_keys(keys) if any(ALIASES[place][1].endswith(".") for place in self.places) else {}
        self.parts = tuple(part for key in keys if key not in _EXACT and (part := _part(key)) is not None)
        self.stands_beside = _stands_beside(frozenset(keys))
        self.by_kind: dict[str, _Columns] = {}

    def columns(self, kind: str) -> _Columns:
        # The resource speaks first of the environment.
        seen = {"environment"}
        plain: dict[str, list[tuple[str, str]]] = {"text": [], "count": []}
        others: list[Entry] = []
        for place in self.places:
            column, key, _, how, kinds = ALIASES[place]
            read = _READERS[place]
            if kind not in KIND_SETS[kinds] or read is None:
                continue
            if how in plain and column not in seen:
                plain[how].append((column, key))
            else:
                others.append((column, read, key))
            seen.add(column)
        units: list[tuple[str, str]] = []
        for name, key in self.parts if kind in MODEL_KINDS else ():
            part_column = _COLUMN_OF.get(name)
            if part_column is None:
                units.append((name, key))
            elif part_column not in seen:
                plain["count"].append((part_column, key))
                seen.add(part_column)
        besides = tuple(column for column in _BESIDES if column in seen)
        row = _EMPTY_ROW | dict.fromkeys(besides)
        row |= {"kind": kind, "dialect": self.dialect, "normaliser_version": NORMALISER_VERSION}
        self.by_kind[kind] = _Columns(
            row, tuple(plain["text"]), tuple(plain["count"]), tuple(others), tuple(units), besides
        )
        return self.by_kind[kind]


def _part(key: str) -> tuple[str, str] | None:
    """Return which part of the usage an attribute is that the table does not name."""
    for prefix in USAGE_PREFIXES:
        if key.startswith(prefix):
            name = part_of(key[len(prefix) :])
            return None if name is None else (name, key)
    return None


def _stands_beside(keys: frozenset[str]) -> str:
    """Return which parts spans with these keys count beside their whole: "cache", "reasoning" or "", or "ai"."""
    if "input_tokens" in keys and ("cache_read_tokens" in keys or "cache_creation_tokens" in keys):
        return "cache"  # Claude Code, in the words of Anthropic
    if "gen_ai.usage.experimental.reasoning_tokens" in keys:
        return "reasoning"  # Google's ADK, until it followed the convention
    is_old = not any(key.startswith("ai.usage.inputTokenDetails.") for key in keys)
    return "ai" if is_old and ("ai.usage.inputTokens" in keys or "ai.usage.promptTokens" in keys) else ""


class _Kept:
    """How much the kept plans hold, roughly."""

    bytes = 0


_kept: Final = _Kept()
_PLANS: Final[dict[tuple[str, ...], _Plan]] = {}


def _new_plan(keys: tuple[str, ...]) -> _Plan:
    plan = _Plan(keys)
    characters = sum(map(len, keys))
    if characters <= _PLAN_CHARACTERS:  # keys come from outside: the memory for them is bounded
        size = characters + 200 * len(keys) + 1_000
        if _kept.bytes + size > _KEPT_BYTES:
            _PLANS.clear()
            _kept.bytes = 0
        _PLANS[keys] = plan
        _kept.bytes += size
    return plan


def normalise(raw: RawSpan) -> dict[str, object]:
    """Return the span row of one span: every column of SPAN_COLUMNS, None where nothing was said.

    Tokens and cost stand only on model spans (llm, embedding, reranker), so that a sum over spans counts each call
    once; what agents and chains report about their children stays in ``attributes``. ``cost_usd`` is None here.
    """
    attributes = raw.attributes
    plan = _PLANS.get(tuple(attributes)) or _new_plan(tuple(attributes))
    kind = _kind(raw, plan)
    columns = plan.by_kind.get(kind) or plan.columns(kind)
    row = columns.row.copy()
    resource = raw.resource
    row["environment"] = resource.environment
    raw.indexed = plan.indexed
    _read_columns(raw, row, columns, kind)
    if plan.is_asked and attributes[EVAL_RUN_ID]:
        # Whatever the process calls itself: what an evaluation asks is no traffic.
        row["environment"] = EVALUATION
    elif row["environment"] is None:
        row["environment"] = resource.fallback_environment
    if kind in MODEL_KINDS:
        if row["model"] is None:
            row["model"] = row["requested_model"]
        _usage(raw, row, plan, columns)
    if kind == "tool" and row["tool_name"] is None:
        row["tool_name"] = _tool_of(raw.name)
    row["trace_id"] = raw.trace_id
    row["span_id"] = raw.span_id
    row["parent_span_id"] = raw.parent_span_id
    row["name"] = raw.name
    row["service"] = resource.service
    row["resource"] = resource.json
    row["scope"] = raw.scope or None
    if raw.scope == "lmops.chat":
        row["dialect"] = "chat"
    row["attributes"] = dumps(attributes)
    _times(raw, row, plan)
    row["status"] = "ok" if raw.status_code == STATUS_OK else "unset"
    if plan.has_status or raw.status_code == STATUS_ERROR:
        _error(raw, row)
    if raw.events:
        _events(raw, row, kind)
    if raw.links:
        row["links"] = dumps(raw.links)
    return row


def _read_columns(raw: RawSpan, row: dict[str, object], columns: _Columns, kind: str) -> None:
    """Put the columns that the table reads from attributes."""
    attributes = raw.attributes
    for column, key in columns.texts:
        value = attributes[key]
        row[column] = value if type(value) is str and value and value[0] not in '"N' else as_text(value)
    for column, key in columns.counts:
        value = attributes[key]
        row[column] = value if type(value) is int and 0 <= value <= BIGINT_MAX else as_count(value)
    for column, read, key in columns.others:
        if row[column] is None:
            row[column] = read(raw, key, kind)


def _usage(raw: RawSpan, row: Row, plan: _Plan, columns: _Columns) -> None:
    """Put every part of the usage inside its whole; keep what else a price depends on as ``usage_units``.

    The units are no column: whoever puts the costs takes them off the row.
    """
    said = {column: value for column in columns.besides if (value := row.pop(column)) is not None}
    cached, written, thought = row["cached_input_tokens"], row["cache_write_input_tokens"], row["reasoning_tokens"]
    if (cached or written or thought or said.get("tool_input_tokens")) and (
        # Most calls say no total, and each part is inside its whole already.
        said
        or plan.stands_beside
        or (cached or 0) + (written or 0) > (row["input_tokens"] or 0)
        or (thought or 0) > (row["output_tokens"] or 0)
    ):
        numbers = {name: number for name, column in _PARTS if (number := row.get(column, said.get(column))) is not None}
        beside = plan.stands_beside
        is_beside = beside == "cache" or (beside == "ai" and _is_exclusive(raw))
        if is_beside:
            numbers.pop("total", None)  # the client's own sum of the parts
        found = settle(numbers, is_cache_beside=is_beside, is_reasoning_beside=beside == "reasoning")
        row["input_tokens"], row["output_tokens"] = found.get("input"), found.get("output")
    if said or columns.units:
        _besides(raw, row, said, columns)


def _besides(raw: RawSpan, row: Row, said: Row, columns: _Columns) -> None:
    """Put what the usage says beside its parts."""
    if row["kind"] != "llm" and row["input_tokens"] is None and row["output_tokens"] is None:
        row["input_tokens"] = said.get("total_tokens")  # who only reads says no more than a total
    units: dict[str, object] = {}
    for found in (said.get("usage_fees"), said.get("usage_units")):
        units |= found if isinstance(found, dict) else {}
    for unit, key in columns.units:
        if number := as_count(raw.attributes[key]):
            units.setdefault(unit, number)
    on_terms = said.get("usage_terms")
    if isinstance(on_terms, dict):
        units |= on_terms
    if units:
        row["usage_units"] = units


def _is_exclusive(raw: RawSpan) -> bool:
    """Return whether the AI SDK, before version 6, passes on the input without what the cache gave."""
    said = raw.attributes.get("ai.model.provider") or raw.attributes.get("gen_ai.system")
    return isinstance(said, str) and ("anthropic" in said or "bedrock" in said)


def _kind(raw: RawSpan, plan: _Plan) -> str:
    for key in plan.kind_keys:
        value = raw.attributes[key]
        if isinstance(value, str):
            words = KIND_WORDS[key]
            kind = words.get(value) or words.get(value.lower())
            if kind is None and value[:1] == '"':
                kind = words.get((as_text(value) or "").lower())
            if kind is not None:
                return kind
    is_query = raw.events and any(event.get("name") == "db.query.result" for event in raw.events)
    return "retriever" if is_query and plan.fallback_kind == "unknown" else plan.fallback_kind


def _tool_of(name: str) -> str | None:
    """Return the tool's name out of a span name: "execute_tool x", "tools/call x", "x.tool"."""
    for start in ("execute_tool ", "tools/call ", "running tool: "):
        name = name.removeprefix(start)
    return name.removesuffix(".tool") or None


def _times(raw: RawSpan, row: dict[str, object], plan: _Plan) -> None:
    """Put the times; the duration is None for a span that is open, ends before it starts, or has guessed times."""
    start, end = raw.start_ns, raw.end_ns
    row["start_ns"] = start
    if end > 0:
        row["end_ns"] = end
        if plan.has_time and raw.attributes.get("logfire.span_type") == "log":
            # A moment; a streamed answer says how long it took.
            row["latency_ms"] = seconds(raw, "duration", "")
        elif end >= start and not (plan.has_time and _ESTIMATED in raw.attributes):
            row["latency_ms"] = (end - start) / 1e6


def _error(raw: RawSpan, row: dict[str, object]) -> None:
    """Put what went wrong, if anything did: some clients say so in an attribute only."""
    attributes, code = raw.attributes, raw.status_code
    error = as_text(attributes["error.type"]) if "error.type" in attributes else None
    if code != STATUS_ERROR and error is None and attributes.get("langfuse.observation.level") != "ERROR":
        return
    row["status"] = "error"
    kind_of_event, message_of_event = _exception(raw.events)
    row["error_type"] = kind_of_event or error or as_text(attributes.get("exception.type"))
    row["error_message"] = (
        raw.status_message
        or as_text(attributes.get("langfuse.observation.status_message"))
        or message_of_event
        or as_text(attributes.get("error.message"))
        or as_text(attributes.get("exception.message"))
    )
    if row["kind"] in MODEL_KINDS and row["response_id"] is None:
        row["response_id"] = _request_id(row["error_message"])


#: How providers name a request in what they say of its failure: "req_011CSHoEeqs5C35K2UUqR7Fy", "Request ID: 7f3a-...".
_REQUEST: Final = re.compile(
    r"\b(req_[A-Za-z0-9]{8,64})\b|\brequest[ _-]?id\W{1,5}(?=[\w-]*\d)([A-Za-z0-9][\w-]{7,63})", re.IGNORECASE
)


def _request_id(said: object) -> str | None:
    """Return the id that a provider gave a request that failed: by it two spans are told to be one call."""
    found = _REQUEST.search(said[:10_000]) if isinstance(said, str) else None
    return None if found is None else found[1] or found[2]


def _exception(events: list[dict[str, object]]) -> tuple[str | None, str | None]:
    """Return type and message of the last exception that was recorded; the last is the one that ended the span."""
    for event in reversed(events):
        if event.get("name") in ("exception", "gen_ai.client.operation.exception"):
            given = event.get("attributes")
            if isinstance(given, dict):
                return as_text(given.get("exception.type")), as_text(given.get("exception.message"))
    return None, None


def _events(raw: RawSpan, row: dict[str, object], kind: str) -> None:
    row["events"] = dumps(raw.events)
    content = False
    for event in raw.events:
        name, at = event.get("name"), event.get("time_ns")
        if name in _FIRST_TOKEN and row["ttft_ms"] is None and kind in MODEL_KINDS:
            if isinstance(at, int) and at >= raw.start_ns:
                row["ttft_ms"] = (at - raw.start_ns) / 1e6
        elif isinstance(name, str) and is_content_event(name):
            content = True
    if row["documents"] is None and kind in ("retriever", "reranker"):
        row["documents"] = documents_of_events(raw.events)
    if content:
        apply_events(row, raw.events)


def renormalise(row: dict[str, object], logs: list[dict[str, object]] | None = None) -> dict[str, object]:
    """Return the row that the present table makes of a stored row and its log events.

    Example:
        A row that this version made comes back unchanged, except for ``cost_usd``, which is None.
    """
    status = row.get("status")
    raw = RawSpan(
        str(row["trace_id"]),
        str(row["span_id"]),
        _optional(row.get("parent_span_id")),
        str(row.get("name") or ""),
        _integer(row.get("start_ns")),
        _integer(row.get("end_ns")),
        STATUS_ERROR if status == "error" else STATUS_OK if status == "ok" else STATUS_UNSET,
        _optional(row.get("error_message")) or "",
        _stored(row.get("attributes")),
        _stored_list(row.get("events")),
        _stored_list(row.get("links")),
        Resource(_stored(row.get("resource"))),
        _optional(row.get("scope")) or "",
    )
    again = normalise(raw)
    return apply_logs(again, logs) if logs else again


def _optional(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _integer(value: object) -> int:
    return value if isinstance(value, int) else 0


def _stored(value: object) -> dict[str, object]:
    found = loads(value) if isinstance(value, str) and value else {}
    return found if isinstance(found, dict) else {}


def _stored_list(value: object) -> list[dict[str, object]]:
    found = loads(value) if isinstance(value, str) and value else []
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
