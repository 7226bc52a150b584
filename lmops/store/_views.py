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


#: Views over results of evaluations: rows in SQLite and, when there are many, in segments.
RESULT_VIEWS: Final[dict[str, tuple[Column, ...]]] = {
    "results": (
        ("run_id", "VARCHAR", "the run"),
        ("example_id", "VARCHAR", "the example; (run_id, example_id, repeat) is unique"),
        ("repeat", "BIGINT", "0, 1, 2, ..."),
        ("status", "VARCHAR", "ok, error, timeout, not_run (the budget was spent, or the run was stopped)"),
        ("output", "VARCHAR", "what the task returned: text, or JSON"),
        ("output_is_json", "BOOLEAN", "whether it is JSON"),
        ("error_type", "VARCHAR", "class of the exception"),
        ("error", "VARCHAR", "its message"),
        ("latency_ms", "DOUBLE", "of the attempt that counts, without scoring"),
        ("input_tokens", "BIGINT", "tokens in, cached ones included"),
        ("output_tokens", "BIGINT", "tokens out, reasoning included"),
        ("cached_input_tokens", "BIGINT", "tokens read from a cache"),
        ("reasoning_tokens", "BIGINT", "output tokens spent on reasoning"),
        ("cost_usd", "DOUBLE", "cost of the task; NULL when it is unknown"),
        ("scoring_cost_usd", "DOUBLE", "cost of judges; NULL when there were none"),
        ("model", "VARCHAR", "model that answered"),
        ("system_fingerprint", "VARCHAR", "of the model that answered"),
        ("finish_reason", "VARCHAR", "why it stopped"),
        ("is_cached", "BOOLEAN", "whether the answer came from the cache of models"),
        ("attempts", "BIGINT", "attempts of the task"),
        ("trace_id", "VARCHAR", "the trace of the case"),
        ("cluster", "VARCHAR", "cluster of the example"),
        ("documents", "VARCHAR", "JSON list of what was retrieved"),
        ("tool_calls", "VARCHAR", "JSON list of the tools called"),
        ("started_at", "TIMESTAMP WITH TIME ZONE", "start"),
    ),
    "scores": (
        ("run_id", "VARCHAR", "the run"),
        ("example_id", "VARCHAR", "the example"),
        ("repeat", "BIGINT", "0, 1, 2, ..."),
        ("scorer", "VARCHAR", "(run_id, example_id, repeat, scorer) is unique"),
        ("value", "DOUBLE", "yes is 1, no is 0; NULL when there is none"),
        ("status", "VARCHAR", "value, unmeasured, error"),
        ("reason", "VARCHAR", "why there is no value"),
        ("rationale", "VARCHAR", "why the value is what it is"),
        ("detail", "VARCHAR", "JSON, what the value was made of"),
        ("trace_id", "VARCHAR", "the trace of the case"),
        ("started_at", "TIMESTAMP WITH TIME ZONE", "start of the case"),
    ),
}


class RecordView(NamedTuple):
    """A view over a SQLite table."""

    columns: tuple[Column, ...]
    sql: str


RECORD_VIEWS: Final[dict[str, RecordView]] = {
    "datasets": RecordView(
        (
            ("dataset", "VARCHAR", "name; one row per version"),
            ("version", "BIGINT", "1, 2, 3, ..."),
            ("ref", "VARCHAR", "name@version"),
            ("is_current", "BIGINT", "1: what the name without a number means"),
            ("count", "BIGINT", "examples"),
            ("hash", "VARCHAR", "SHA-256 over its examples in their order"),
            ("parent", "BIGINT", "the version it was made from"),
            ("note", "VARCHAR", "why"),
            ("author", "VARCHAR", "who saved it"),
            ("created_ns", "BIGINT", "when"),
        ),
        "select v.name, v.version, v.name || '@' || v.version, v.version = h.version, v.count, v.hash, v.parent, "
        "v.note, v.author, v.created_ns from dataset_versions v join dataset_heads h on h.name = v.name "
        "order by v.name, v.version",
    ),
    "examples": RecordView(
        (
            ("dataset", "VARCHAR", "name; its current version only (ws.datasets.get has the others)"),
            ("version", "BIGINT", "the current version"),
            ("position", "BIGINT", "1, 2, 3, ... within the version"),
            ("example_id", "VARCHAR", "unique within the version"),
            ("input", "VARCHAR", "text, or JSON"),
            ("expected", "VARCHAR", "text, or JSON"),
            ("metadata", "VARCHAR", "JSON object"),
            ("split", "VARCHAR", "such as dev, test"),
            ("tags", "VARCHAR", "JSON list"),
            ("cluster", "VARCHAR", "what it belongs to"),
            ("trace_id", "VARCHAR", "the trace it was made from"),
            ("output", "VARCHAR", "what production answered: text, or JSON"),
            ("documents", "VARCHAR", "JSON list of {id, content, score}"),
            ("labels", "VARCHAR", "JSON object"),
        ),
        "select v.name, v.version, row_number() over (partition by v.name order by c.key, m.key), e.example_id, "
        "iif(json_type(e.input) = 'text', json_extract(e.input, '$'), e.input), "
        "iif(json_type(e.expected) = 'text', json_extract(e.expected, '$'), e.expected), "
        "e.metadata, e.split, e.tags, e.cluster, e.trace_id, "
        "iif(json_type(e.output) = 'text', json_extract(e.output, '$'), e.output), e.documents, e.labels "
        "from dataset_heads h join dataset_versions v on v.name = h.name and v.version = h.version, "
        "json_each(v.chunks) c join dataset_chunks k on k.chunk_id = c.value, "
        "json_each(k.members) m join example_contents e on e.content_id = m.value order by v.name, c.key, m.key",
    ),
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
    "prompts": RecordView(
        (
            ("name", "VARCHAR", "unique"),
            ("versions", "BIGINT", "how many; the newest one"),
            ("aliases", "VARCHAR", "JSON object: alias to version"),
            ("created_ns", "BIGINT", "first version"),
            ("changed_ns", "BIGINT", "newest version"),
        ),
        "select v.name, max(v.version) as versions, (select json_group_object(a.alias, a.version) from prompt_aliases "
        "a where a.name = v.name) as aliases, min(v.created_ns) as created_ns, max(v.created_ns) as changed_ns "
        "from prompt_versions v group by v.name order by v.name",
    ),
    "prompt_versions": RecordView(
        (
            ("name", "VARCHAR", "prompt"),
            ("version", "BIGINT", "1, 2, 3, ..."),
            ("ref", "VARCHAR", "name@version, as in prompt_refs of traces"),
            ("hash", "VARCHAR", "of its content"),
            ("messages", "VARCHAR", "JSON list of template messages"),
            ("model", "VARCHAR", "the model it is written for"),
            ("params", "VARCHAR", "JSON object"),
            ("response_schema", "VARCHAR", "JSON schema"),
            ("tools", "VARCHAR", "JSON list"),
            ("note", "VARCHAR", "why"),
            ("author", "VARCHAR", "who"),
            ("tags", "VARCHAR", "JSON list"),
            ("parent", "BIGINT", "the version it was made from"),
            ("git_commit", "VARCHAR", "of the file it came from"),
            ("created_ns", "BIGINT", "when"),
            ("event_id", "BIGINT", "in the audit chain"),
        ),
        "select name, version, name || '@' || version as ref, hash, case when json_extract(body, '$.template') is null "
        "then json_extract(body, '$.messages') else json_array(json_object('role', 'user', 'content', "
        "json_extract(body, '$.template'))) end as messages, json_extract(body, '$.model') as model, "
        "json_extract(body, '$.params') as params, json_extract(body, '$.response_schema') as response_schema, "
        "json_extract(body, '$.tools') as tools, note, author, tags, parent, git_commit, created_ns, event_id "
        "from prompt_versions order by name, version",
    ),
    "prompt_history": RecordView(
        (
            ("event_id", "BIGINT", "in the audit chain"),
            ("name", "VARCHAR", "prompt"),
            ("alias", "VARCHAR", "such as production"),
            ("action", "VARCHAR", "promote or rollback"),
            ("from_version", "BIGINT", "NULL: the alias did not exist"),
            ("to_version", "BIGINT", "where it points from then on"),
            ("at_ns", "BIGINT", "when"),
            ("actor", "VARCHAR", "who"),
            ("reason", "VARCHAR", "why"),
            ("evidence", "VARCHAR", "JSON list of ids"),
            ("is_forced", "BOOLEAN", "to a protected alias without evidence"),
        ),
        "select event_id, name, alias, action, from_version, to_version, at_ns, actor, reason, evidence, is_forced "
        "from prompt_moves order by event_id",
    ),
    "model_endpoints": RecordView(
        (
            ("name", "VARCHAR", "unique; how calls name it"),
            ("base_url", "VARCHAR", "address"),
            ("model", "VARCHAR", "the endpoint's name of the model"),
            ("provider", "VARCHAR", "NULL: known from the address, else the name"),
            ("api_key_env", "VARCHAR", "name of the environment variable that holds the key"),
            ("headers", "VARCHAR", "JSON object; $NAME is an environment variable"),
            ("timeout_s", "DOUBLE", "seconds for one attempt"),
            ("max_concurrency", "BIGINT", "most requests at once from one process"),
            ("actor", "VARCHAR", "who registered it"),
            ("registered_ns", "BIGINT", "when"),
        ),
        "select name, base_url, model, provider, api_key_env, headers, timeout_s, max_concurrency, actor, "
        "registered_ns from model_endpoints order by name",
    ),
    "runbook_runs": RecordView(
        (
            ("run_id", "VARCHAR", "unique"),
            ("name", "VARCHAR", "runbook"),
            ("notebook", "VARCHAR", "path of its source"),
            ("status", "VARCHAR", "running, ok, failed, timeout, killed, refused, lost"),
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
            ("changes", "VARCHAR", "JSON list of {event_id, action, subject}: the audit events of what it changed"),
        ),
        "select run_id, name, notebook, status, parameters, started_ns, duration_s, notebook_path, html_path, sha256, "
        "result, failing_cell, error, actor, changes from runbook_runs order by started_ns",
    ),
    "runs": RecordView(
        (
            ("run_id", "VARCHAR", "unique"),
            ("name", "VARCHAR", "name of the experiment"),
            ("status", "VARCHAR", "running, finished, interrupted, over_budget, failed, crashed"),
            ("task_kind", "VARCHAR", "function, prompt, recorded"),
            ("task", "VARCHAR", "what ran"),
            ("dataset", "VARCHAR", "name@version"),
            ("dataset_hash", "VARCHAR", "of its content"),
            ("prompt_ref", "VARCHAR", "name@version"),
            ("prompt_hash", "VARCHAR", "of its content"),
            ("model", "VARCHAR", "model asked for"),
            ("params", "VARCHAR", "JSON object"),
            ("scorers", "VARCHAR", "JSON list of name, version, range, higher_is_better"),
            ("settings", "VARCHAR", "JSON object: concurrency, timeout_s, retries, budget_usd, ..."),
            ("examples", "BIGINT", "examples that it is over"),
            ("repeats", "BIGINT", "times each is asked"),
            ("cases", "BIGINT", "cases that are finished; examples x repeats in the end"),
            ("errors", "BIGINT", "of them, those that failed or ran out of time"),
            ("input_tokens", "BIGINT", "sum over its cases"),
            ("output_tokens", "BIGINT", "sum over its cases"),
            ("cost_usd", "DOUBLE", "sum over the cases whose cost is known"),
            ("scoring_cost_usd", "DOUBLE", "sum of what judges cost"),
            ("unpriced", "BIGINT", "cases whose cost is not known"),
            ("seed", "BIGINT", "given by the caller"),
            ("code_version", "VARCHAR", "commit of the caller's code, with + when it was changed since"),
            ("lmops_version", "VARCHAR", "version of lmops"),
            ("environment", "VARCHAR", "JSON object"),
            ("actor", "VARCHAR", "who ran it"),
            ("started_ns", "BIGINT", "start"),
            ("ended_ns", "BIGINT", "end"),
            ("duration_s", "DOUBLE", "working time in seconds, over all sessions"),
            ("sessions", "BIGINT", "1, and 1 for every time it was resumed"),
            ("error", "VARCHAR", "what stopped it"),
        ),
        "select run_id, name, status, task_kind, task, dataset, dataset_hash, prompt_ref, prompt_hash, model, params, "
        "scorers, settings, examples, repeats, cases, errors, input_tokens, output_tokens, cost_usd, scoring_cost_usd, "
        "unpriced, seed, code_version, lmops_version, environment, actor, started_ns, ended_ns, duration_s, sessions, "
        "error, pid, pid_started, host, heartbeat_ns from eval_runs order by started_ns",
    ),
    "verdicts": RecordView(
        (
            ("verdict_id", "VARCHAR", "unique"),
            ("run_id", "VARCHAR", "the run that was judged"),
            ("baseline_run_id", "VARCHAR", "the run it was compared with"),
            ("prompt_ref", "VARCHAR", "the prompt version that ran"),
            ("outcome", "VARCHAR", "pass, fail, inconclusive"),
            ("criteria", "VARCHAR", "JSON, what was asked"),
            ("detail", "VARCHAR", "JSON, what was found"),
            ("created_ns", "BIGINT", "when"),
            ("actor", "VARCHAR", "who asked"),
            ("event_id", "BIGINT", "its audit event"),
        ),
        "select verdict_id, run_id, baseline_run_id, prompt_ref, outcome, criteria, detail, created_ns, actor, "
        "event_id from verdicts order by created_ns",
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
            ("records", "VARCHAR", "JSON object, table -> key -> SHA-256 of the rows that it left; null: removed"),
        ),
        "select event_id, at_ns, actor, action, subject, reason, before, after, evidence, previous_hash, hash, records "
        "from audit order by event_id",
    ),
}

#: Record columns that hold nanoseconds are shown as times: (name in the table, name in the view).
RECORD_TIMES: Final = {
    "valid_from_ns": "valid_from_at",
    "set_ns": "set_at",
    "started_ns": "started_at",
    "registered_ns": "registered_at",
    "ended_ns": "ended_at",
    "created_ns": "created_at",
    "changed_ns": "changed_at",
    "at_ns": "at",
}


class DerivedView(NamedTuple):
    """A view over other views."""

    base: str
    sql: str


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
#: A tool that calls itself says so: one client, and other arguments.
_IS_ITSELF: Final = (
    "around.scope is not distinct from spans.scope and around.service is not distinct from spans.service "
    "and around.input <> spans.input"
)

DERIVED_VIEWS: Final[dict[str, DerivedView]] = {
    # What the client reported stands in where no price is known; the cost says so.
    "llm_calls": DerivedView(
        "spans",
        "select * exclude (is_call), case when cost_usd is null then null when cost_usd = reported_cost_usd "
        "then 'reported' else 'computed' end as cost_source from spans where is_call",
    ),
    # A call of a tool that two spans tell of, such as those of an MCP client and of its server, is the outer one's.
    "tool_calls": DerivedView(
        "spans",
        "select trace_id, span_id, tool_name, input as arguments, output as result, latency_ms, status, error_type, "
        "error_message, start_at, service, environment, session_id, user_id from spans where kind = 'tool' "
        f"and not exists ({_AROUND} and around.kind = 'tool' and around.tool_name = spans.tool_name "
        f"and not coalesce({_IS_ITSELF}, false))",
    ),
    # So is a document that a retriever found through another one.
    "retrieved_documents": DerivedView(
        "spans",
        "select trace_id, span_id, (document->>'rank')::BIGINT as rank, document->>'id' as document_id, "
        "(document->>'score')::DOUBLE as score, document->>'content' as content, "
        "(document->'metadata')::VARCHAR as metadata, index_fingerprint, start_at, service, environment "
        "from (select trace_id, span_id, index_fingerprint, start_at, service, environment, "
        "unnest(documents::JSON::JSON[]) as document from spans where documents is not null "
        f"and not exists ({_AROUND} and around.has_documents) and not exists ({_BEYOND}))",
    ),
}
#: What the derived views ask of the span around another: a view of its own, so that times asked for bound the spans.
AROUND: Final = "spans_around"
AROUND_VIEW: Final = (
    f"create temp view {AROUND} as select trace_id, span_id, parent_span_id, kind, tool_name, scope, service, "
    "input, documents is not null as has_documents from spans where kind in ('tool', 'chain') or documents is not null"
)
AROUND_TABLE: Final = (
    f"create table {AROUND} (trace_id VARCHAR, span_id VARCHAR, parent_span_id VARCHAR, kind VARCHAR, "
    "tool_name VARCHAR, scope VARCHAR, service VARCHAR, input VARCHAR, has_documents BOOLEAN)"
)

VIEW_NAMES: Final = (*FACT_VIEWS, *DERIVED_VIEWS, *RESULT_VIEWS, *RECORD_VIEWS)


def table_ddl(name: str) -> str:
    """Return ``create table`` for the columns that a base view shows."""
    columns = FACT_VIEWS.get(name) or RESULT_VIEWS.get(name) or RECORD_VIEWS[name].columns
    shown = ((RECORD_TIMES.get(column, column), sql) for column, sql, _ in columns)
    times = set(RECORD_TIMES.values())
    body = ", ".join(f'"{column}" {"TIMESTAMP WITH TIME ZONE" if column in times else sql}' for column, sql in shown)
    return f"create table {name} ({body})"
