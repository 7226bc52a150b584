"""The public views: their columns, and the SQL that makes them from the fact and record tables."""

from __future__ import annotations

from typing import Final, NamedTuple

from lmops.store._tables import CALL_COLUMNS, SPAN_COLUMNS, TRACE_COLUMNS, Column

_TIMES: Final[tuple[Column, ...]] = (
    ("start_at", "TIMESTAMP WITH TIME ZONE", "start, UTC"),
    ("end_at", "TIMESTAMP WITH TIME ZONE", "end, UTC"),
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


class RecordView(NamedTuple):
    """A view over a SQLite table."""

    columns: tuple[Column, ...]
    sql: str


RECORD_VIEWS: Final[dict[str, RecordView]] = {
    "prices": RecordView(
        (
            ("price_id", "BIGINT", "unique"),
            ("model", "VARCHAR", "model name"),
            ("provider", "VARCHAR", "NULL: any provider"),
            ("valid_from_ns", "BIGINT", "from this time on"),
            ("input_usd_per_mtok", "DOUBLE", "USD per million input tokens"),
            ("output_usd_per_mtok", "DOUBLE", "USD per million output tokens"),
            ("cached_input_usd_per_mtok", "DOUBLE", "NULL: as input"),
            ("cache_write_input_usd_per_mtok", "DOUBLE", "NULL: as input"),
            ("actor", "VARCHAR", "who set it"),
            ("set_ns", "BIGINT", "when it was set"),
        ),
        "select price_id, model, provider, valid_from_ns, input_usd_per_mtok, output_usd_per_mtok, "
        "cached_input_usd_per_mtok, cache_write_input_usd_per_mtok, actor, set_ns from prices order by price_id",
    ),
    "runbook_runs": RecordView(
        (
            ("run_id", "VARCHAR", "unique"),
            ("name", "VARCHAR", "runbook"),
            ("notebook", "VARCHAR", "path of its source"),
            ("status", "VARCHAR", "ok, failed, timeout, killed, refused"),
            ("parameters", "VARCHAR", "JSON object"),
            ("started_ns", "BIGINT", "start"),
            ("duration_s", "DOUBLE", "seconds"),
            ("notebook_path", "VARCHAR", "the executed notebook"),
            ("html_path", "VARCHAR", "its HTML"),
            ("sha256", "VARCHAR", "of the executed notebook"),
            ("result", "VARCHAR", "JSON, what the runbook decided"),
            ("failing_cell", "VARCHAR", "JSON: index, source, error"),
            ("error", "VARCHAR", "what went wrong"),
            ("actor", "VARCHAR", "who ran it"),
        ),
        "select run_id, name, notebook, status, parameters, started_ns, duration_s, notebook_path, html_path, sha256, "
        "result, failing_cell, error, actor from runbook_runs order by started_ns",
    ),
    "audit": RecordView(
        (
            ("event_id", "BIGINT", "1, 2, 3, ... without gaps"),
            ("at_ns", "BIGINT", "when"),
            ("actor", "VARCHAR", "who"),
            ("action", "VARCHAR", "what, such as price.set"),
            ("subject", "VARCHAR", "on what"),
            ("reason", "VARCHAR", "why"),
            ("before", "VARCHAR", "JSON"),
            ("after", "VARCHAR", "JSON"),
            ("evidence", "VARCHAR", "JSON list of ids"),
            ("previous_hash", "VARCHAR", "hash of the event before"),
            ("hash", "VARCHAR", "SHA-256 over this event and the hash before"),
        ),
        "select event_id, at_ns, actor, action, subject, reason, before, after, evidence, previous_hash, hash "
        "from audit order by event_id",
    ),
}

#: Record columns that hold nanoseconds are shown as times: (name in the table, name in the view).
RECORD_TIMES: Final = {"valid_from_ns": "valid_from_at", "set_ns": "set_at", "started_ns": "started_at", "at_ns": "at"}


class DerivedView(NamedTuple):
    """A view over other views."""

    base: str
    sql: str


DERIVED_VIEWS: Final[dict[str, DerivedView]] = {
    "llm_calls": DerivedView("spans", "select * exclude (is_call) from spans where is_call"),
    "tool_calls": DerivedView(
        "spans",
        "select trace_id, span_id, tool_name, input as arguments, output as result, latency_ms, status, error_type, "
        "error_message, start_at, service, environment, session_id, user_id from spans where kind = 'tool'",
    ),
    "retrieved_documents": DerivedView(
        "spans",
        "select trace_id, span_id, (document->>'rank')::BIGINT as rank, document->>'id' as document_id, "
        "(document->>'score')::DOUBLE as score, document->>'content' as content, "
        "(document->'metadata')::VARCHAR as metadata, index_fingerprint, start_at, service, environment "
        "from (select trace_id, span_id, index_fingerprint, start_at, service, environment, "
        "unnest(documents::JSON::JSON[]) as document from spans where documents is not null)",
    ),
}

VIEW_NAMES: Final = (*FACT_VIEWS, *DERIVED_VIEWS, *RECORD_VIEWS)


def table_ddl(name: str) -> str:
    """Return ``create table`` for the columns that a base view shows."""
    columns = FACT_VIEWS[name] if name in FACT_VIEWS else RECORD_VIEWS[name].columns
    shown = ((RECORD_TIMES.get(column, column), sql) for column, sql, _ in columns)
    times = set(RECORD_TIMES.values())
    body = ", ".join(f'"{column}" {"TIMESTAMP WITH TIME ZONE" if column in times else sql}' for column, sql in shown)
    return f"create table {name} ({body})"
