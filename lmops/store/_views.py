"""The public views over facts, and the SQL that derives views from them; rooms declare the others."""

from __future__ import annotations

import functools
from typing import Final

from lmops.store._tables import CALL_COLUMNS, SPAN_COLUMNS, TRACE_COLUMNS
from lmops.store.schema import TIME, Column, DerivedView, PackedView, View, schema

_TIMES: Final[tuple[Column, ...]] = (
    ("start_at", TIME, "start, UTC"),
    ("end_at", TIME, "end, UTC"),
)


def _with_times(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """Show ``start_at`` and ``end_at`` in the place of ``start_ns``, and the nanoseconds last."""
    nanos = tuple(column for column in columns if column[0] in ("start_ns", "end_ns"))
    shown: list[Column] = []
    for column in columns:
        if column[0] == "start_ns":
            shown += _TIMES
        elif column not in nanos:
            shown.append(column)
    return (*shown, *nanos)


#: Views over facts: the base tables of every query.
FACT_VIEWS: Final[dict[str, tuple[Column, ...]]] = {
    "spans": _with_times((*SPAN_COLUMNS, *CALL_COLUMNS)),
    "traces": _with_times(TRACE_COLUMNS),
}


_AROUND: Final = (
    "select 1 from spans_around as around where around.trace_id = spans.trace_id "
    "and around.span_id = spans.parent_span_id"
)
#: A chain between two retrievers, such as the one that writes further questions, changes nothing.
_BEYOND: Final = (
    "select 1 from spans_around as chain join spans_around as around on around.trace_id = chain.trace_id "
    "and around.span_id = chain.parent_span_id where chain.trace_id = spans.trace_id "
    "and chain.span_id = spans.parent_span_id and chain.kind = 'chain' and around.has_documents"
)
#: A client reaches its server over HTTP: through the span of who asks, or that of who answers too.
_REACHED: Final = (
    "select step.trace_id, step.span_id, around.tool_name from spans_around as step join spans_around as around "
    "on around.trace_id = step.trace_id and around.span_id = step.parent_span_id "
    "where step.kind = 'unknown' and around.kind = 'tool'"
)
_IS_REACHED: Final = (
    f"select 1 from (with once as ({_REACHED}) select * from once union all "
    "select further.trace_id, further.span_id, once.tool_name from once join spans_around as further "
    "on further.trace_id = once.trace_id and further.parent_span_id = once.span_id where further.kind = 'unknown') "
    "as reached where reached.trace_id = spans.trace_id and reached.span_id = spans.parent_span_id "
    "and reached.tool_name = spans.tool_name"
)
#: A tool that calls itself says so: one client, and other arguments.
_IS_ITSELF: Final = (
    "around.scope is not distinct from spans.scope and around.service is not distinct from spans.service "
    "and around.input <> spans.input"
)

_OF_SPANS: Final[tuple[DerivedView, ...]] = (
    # What the client reported stands in where no price is known; the cost says so.
    DerivedView(
        "llm_calls",
        ("spans",),
        "select * exclude (is_call), case when cost_usd is null then null when cost_usd = reported_cost_usd "
        "then 'reported' else 'computed' end as cost_source from spans where is_call",
        {"cost_source": "computed from a price, or reported by the client; NULL without a cost"},
    ),
    # A call of a tool that two spans tell of, such as those of an MCP client and of its server, is the outer one's.
    DerivedView(
        "tool_calls",
        ("spans",),
        "select trace_id, span_id, tool_name, input as arguments, output as result, latency_ms, status, error_type, "
        "error_message, start_at, service, environment, session_id, user_id, "
        "try_cast(json_extract_string(attributes, '/lmops.tool.version') as bigint) as version, "
        "json_extract_string(attributes, '/lmops.tool.outcome') as outcome from spans where kind = 'tool' "
        f"and not exists ({_AROUND} and around.kind = 'tool' and around.tool_name = spans.tool_name "
        f"and not coalesce({_IS_ITSELF}, false)) and not exists ({_IS_REACHED})",
        {
            "span_id": "the tool's span",
            "arguments": "what the tool was given: text or JSON",
            "result": "what it answered: text or JSON",
            "version": "of the tool; NULL where it is not one of this store's",
            "outcome": "what came of it, such as ok, denied or timeout; NULL where the client does not say",
        },
    ),
    # So is a document that a retriever found through another one.
    DerivedView(
        "retrieved_documents",
        ("spans",),
        "select trace_id, span_id, (document->>'rank')::BIGINT as rank, document->>'id' as document_id, "
        "(document->>'score')::DOUBLE as score, document->>'content' as content, "
        "(document->'metadata')::VARCHAR as metadata, index_fingerprint, start_at, service, environment "
        "from (select trace_id, span_id, index_fingerprint, start_at, service, environment, "
        "unnest(documents::JSON::JSON[]) as document from spans where documents is not null "
        f"and not exists ({_AROUND} and around.has_documents) and not exists ({_BEYOND}))",
        {
            "rank": "1, 2, 3, ... in the order of the retriever",
            "span_id": "the retriever's span",
            "document_id": "id of the document",
            "score": "how near it was, in the retriever's own unit",
            "content": "the text that was found",
            "metadata": "JSON object, as sent",
        },
    ),
)
#: What the derived views ask of the span around another: a view of its own, so that times asked for bound the spans.
AROUND: Final = "spans_around"
AROUND_VIEW: Final = (
    f"create temp view {AROUND} as select trace_id, span_id, parent_span_id, kind, tool_name, scope, service, "
    "input, documents is not null as has_documents from spans "
    "where kind in ('tool', 'chain', 'unknown') or documents is not null"
)
AROUND_TABLE: Final = (
    f"create table {AROUND} (trace_id VARCHAR, span_id VARCHAR, parent_span_id VARCHAR, kind VARCHAR, "
    "tool_name VARCHAR, scope VARCHAR, service VARCHAR, input VARCHAR, has_documents BOOLEAN)"
)


@functools.cache
def derived_views() -> dict[str, DerivedView]:
    """Return every view that is made from others."""
    return {**{view.name: view for view in _OF_SPANS}, **schema().derived}


def view_names() -> tuple[str, ...]:
    """Return the names of all public views, those that are made from others after these."""
    own = (view.name for view in _OF_SPANS)
    return (*FACT_VIEWS, *own, *schema().packed.views, *schema().views, *schema().derived)


def base_views() -> dict[str, tuple[Column, ...]]:
    """Return the columns of every view that is not made from others."""
    declared: dict[str, PackedView | View] = {**schema().packed.views, **schema().views}
    return {**FACT_VIEWS, **{name: view.columns for name, view in declared.items()}}


def table_ddl(name: str, columns: tuple[Column, ...]) -> str:
    """Return ``create table`` for the columns that a base view shows."""
    shown = ", ".join(f'"{column}" {sql}' for column, sql, _ in columns)
    return f"create table {name} ({shown})"
