"""The fact tables: one Arrow schema each, the single source for Parquet, inbox, views and documentation.

A fact row is a plain dict with these names. A missing value is ``None``, never 0 or "".
Times are integers, nanoseconds since 1970 UTC; the views show them as ``start_at`` and ``end_at``.
"""

from __future__ import annotations

import functools
import operator
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from lmops.store.schema import schema

if TYPE_CHECKING:
    from lmops.store.schema import Column

SPAN_COLUMNS: Final[tuple[Column, ...]] = (
    ("trace_id", "VARCHAR", "32 lower-case hex digits"),
    ("span_id", "VARCHAR", "16 lower-case hex digits; (trace_id, span_id) is unique"),
    ("parent_span_id", "VARCHAR", "the span around it; NULL for a root"),
    ("name", "VARCHAR", "span name as sent"),
    (
        "kind", "VARCHAR",
        "llm, embedding, chain, retriever, reranker, tool, agent, guardrail, evaluator, prompt, decision, unknown",
    ),
    ("start_ns", "BIGINT", "nanoseconds since 1970 UTC"),
    ("end_ns", "BIGINT", "nanoseconds since 1970 UTC"),
    ("latency_ms", "DOUBLE", "milliseconds from start to end"),
    ("status", "VARCHAR", "ok, error, unset"),
    ("error_type", "VARCHAR", "exception class or error.type"),
    ("error_message", "VARCHAR", "status or exception message"),
    ("service", "VARCHAR", "service.name of the resource"),
    ("environment", "VARCHAR", "deployment environment"),
    ("session_id", "VARCHAR", "the conversation it belongs to"),
    ("user_id", "VARCHAR", "the person who used the application"),
    ("provider", "VARCHAR", "model provider, OpenTelemetry spelling"),
    ("requested_model", "VARCHAR", "model asked for"),
    ("model", "VARCHAR", "model that answered, else the one asked for"),
    ("prompt_name", "VARCHAR", "name of the prompt"),
    ("prompt_version", "VARCHAR", "version of the prompt"),
    ("input", "VARCHAR", "text, or canonical JSON messages for a model call"),
    ("output", "VARCHAR", "text, or canonical JSON messages for a model call"),
    ("input_tokens", "BIGINT", "tokens in, cached ones included"),
    ("output_tokens", "BIGINT", "tokens out, reasoning included"),
    ("cached_input_tokens", "BIGINT", "tokens read from a cache"),
    ("cache_write_input_tokens", "BIGINT", "tokens written to a cache"),
    ("reasoning_tokens", "BIGINT", "output tokens spent on reasoning"),
    ("cost_usd", "DOUBLE", "computed cost; NULL when the price or the usage is unknown"),
    ("reported_cost_usd", "DOUBLE", "cost as the client reported it"),
    ("response_id", "VARCHAR", "id of the model's response"),
    ("finish_reason", "VARCHAR", "why the model stopped"),
    ("ttft_ms", "DOUBLE", "milliseconds to the first token"),
    ("tool_name", "VARCHAR", "name of the tool"),
    ("index_fingerprint", "VARCHAR", "version of the retrieval index"),
    ("attributes", "VARCHAR", "JSON object, as sent"),
    ("events", "VARCHAR", "JSON list of {name, time_ns, attributes}"),
    ("resource", "VARCHAR", "JSON object: the service, host and SDK that made the span"),
    ("documents", "VARCHAR", "JSON list of {rank, id, score, content, metadata}"),
    ("links", "VARCHAR", "JSON list of {trace_id, span_id, attributes}"),
    ("dialect", "VARCHAR", "whose attributes it has: openinference, langfuse, mlflow, genai, traceloop, chat, unknown"),
    ("scope", "VARCHAR", "instrumentation scope, name and version"),
    ("normaliser_version", "INTEGER", "version of the rules by which its attributes became columns"),
)  # fmt: skip  # one line for each column

#: A span's key, out of its row.
KEY_OF: Final = operator.itemgetter("trace_id", "span_id")

#: Log events that carry content of a span (messages, choices), kept until and after their span arrives.
LOG_COLUMNS: Final[tuple[Column, ...]] = (
    ("trace_id", "VARCHAR", "32 hex digits"),
    ("span_id", "VARCHAR", "16 hex digits"),
    ("time_ns", "BIGINT", "nanoseconds since 1970 UTC"),
    ("name", "VARCHAR", "event name, such as gen_ai.user.message"),
    ("body", "VARCHAR", "JSON body or NULL"),
    ("attributes", "VARCHAR", "JSON object"),
)

#: One row per trace, kept beside the spans so that lists never group them.
TRACE_COLUMNS: Final[tuple[Column, ...]] = (
    ("trace_id", "VARCHAR", "32 lower-case hex digits, unique"),
    ("name", "VARCHAR", "name of the root span"),
    ("start_ns", "BIGINT", "start of the first span"),
    ("end_ns", "BIGINT", "end of the last span"),
    (
        "latency_ms",
        "DOUBLE",
        "milliseconds from first start to last end; NULL when no span says how long it took",
    ),
    ("status", "VARCHAR", "status of the root span; of any span when the root never arrived"),
    ("error_type", "VARCHAR", "of the deepest failing span"),
    ("error_message", "VARCHAR", "of the deepest failing span"),
    ("error_span_id", "VARCHAR", "the deepest failing span"),
    ("root_span_id", "VARCHAR", "the root, or the earliest orphan"),
    ("span_count", "BIGINT", "spans that arrived"),
    ("error_count", "BIGINT", "spans with status error"),
    ("call_count", "BIGINT", "billable model calls"),
    ("models", "VARCHAR[]", "distinct models of the calls, first use first"),
    ("prompt_refs", "VARCHAR[]", "distinct name@version of prompts, first use first"),
    ("input_tokens", "BIGINT", "sum over the calls that report it"),
    ("output_tokens", "BIGINT", "sum over the calls that report it"),
    ("cost_usd", "DOUBLE", "sum over the priced calls"),
    ("unpriced_calls", "BIGINT", "calls without a cost that may have cost something: not failed, or with usage"),
    ("session_id", "VARCHAR", "first one given"),
    ("user_id", "VARCHAR", "first one given"),
    ("service", "VARCHAR", "of the root span"),
    ("environment", "VARCHAR", "of the root span"),
    ("input", "VARCHAR", "preview: what was asked, at most 1,000 characters"),
    ("output", "VARCHAR", "preview: what was answered, at most 1,000 characters"),
    ("is_orphan", "BOOLEAN", "no root span arrived"),
)

#: Set when a trace is put together, so that ``llm_calls`` is a filter and not a join.
CALL_COLUMNS: Final[tuple[Column, ...]] = (
    ("is_call", "BOOLEAN", "a billable call: a model span with no model span below it, and no duplicate"),
    ("duplicate_span_ids", "VARCHAR[]", "other spans of the same call, as trace_id:span_id"),
)

#: Columns that every stored row has besides its own: the views do not show ``rev``.
REV: Final[Column] = ("rev", "BIGINT", "revision at which the row was published")


class Filed(NamedTuple):
    """How the rows of a table lie in its files.

    Args:
        time: The column of the time by which files are told apart.
        key: What there may be once only; nothing where rows may be equal.
        sort: The order of rows within a file.
        group_rows: Rows that are read together: few where single rows are looked up by the hundred, more where columns
            are scanned.
    """

    time: str
    key: tuple[str, ...]
    sort: tuple[tuple[str, Literal["ascending", "descending"]], ...]
    group_rows: int


#: Times that queries prune by, physical copies of ``*_ns`` at microseconds.
TIME_COLUMNS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "spans": (("start_at", "start_ns"), ("end_at", "end_ns")),
    "traces": (("start_at", "start_ns"), ("end_at", "end_ns")),
    "logs": (("at", "time_ns"),),
}
#: Rows within a file: the newest first, since that is what is asked for, and the calls together, so that a question
#: over ``llm_calls`` skips the row groups of everything else.
_FACTS: Final[dict[str, Filed]] = {
    "spans": Filed(
        "start_ns", ("trace_id", "span_id"), (("is_call", "descending"), ("start_ns", "descending")), 16_384
    ),
    "traces": Filed("start_ns", ("trace_id",), (("start_ns", "descending"),), 4_096),
    "logs": Filed("time_ns", (), (("time_ns", "descending"),), 16_384),
}


@functools.cache
def filed() -> dict[str, Filed]:
    """Return how the rows of every table lie in its files."""
    packed = schema().packed.views.values()
    return _FACTS | {
        view.name: Filed(view.time, view.key, tuple((name, "ascending") for name in view.sort), view.group_rows)
        for view in packed
    }


STORED: Final[dict[str, tuple[Column, ...]]] = {
    "spans": (*SPAN_COLUMNS, *CALL_COLUMNS, REV),
    "traces": (*TRACE_COLUMNS, REV),
    "logs": (*LOG_COLUMNS, REV),
}
SCHEMA_VERSION: Final = 2
"""Version of the Parquet schema; a segment carries the one it was written with. From 2 on it has a page index."""
