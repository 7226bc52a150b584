-- Runs of evaluations: what exactly ran, and how far it came.
create table eval_runs (
    run_id text primary key,
    name text not null,
    status text not null,          -- running, finished, interrupted, over_budget, failed
    task_kind text not null,       -- function, prompt, recorded
    task text not null,            -- module:function, prompt ref, or "recorded"
    dataset text not null,         -- name@version
    dataset_hash text not null,
    prompt_ref text,
    prompt_hash text,
    model text,
    params text,                   -- JSON object
    scorers text not null,         -- JSON list of {name, version, range, higher_is_better}
    settings text not null,        -- JSON: concurrency, timeout_s, retries, budget_usd, limit, cache, tracing
    examples integer not null,
    repeats integer not null,
    seed integer,
    code_version text,
    lmops_version text not null,
    environment text not null,     -- JSON: python, platform, packages
    actor text not null,
    started_ns integer not null,
    ended_ns integer,
    duration_s real not null default 0,   -- working time, over all sessions
    sessions integer not null default 1,
    error text,
    -- sums over its finished cases, moved in the transaction that writes them
    cases integer not null default 0,
    errors integer not null default 0,
    input_tokens integer,
    output_tokens integer,
    cost_usd real,
    scoring_cost_usd real,
    unpriced integer not null default 0,
    -- who works on it now
    owner text,
    pid integer,
    pid_started text,
    host text,
    heartbeat_ns integer
) without rowid;
create index eval_runs_started on eval_runs (started_ns);

-- One row per case. Rows with status ok move to a Parquet segment when there are many of them.
create table eval_results (
    run_id text not null,
    example_id text not null,
    repeat integer not null,
    status text not null,          -- ok, error, timeout, not_run
    output text,
    output_is_json integer not null default 0,
    error_type text,
    error text,
    latency_ms real,
    input_tokens integer,
    output_tokens integer,
    cached_input_tokens integer,
    reasoning_tokens integer,
    cost_usd real,                 -- of the task
    scoring_cost_usd real,         -- of judges
    model text,
    system_fingerprint text,
    finish_reason text,
    is_cached integer,
    attempts integer,
    trace_id text,
    cluster text,
    documents text,                -- JSON list
    tool_calls text,               -- JSON list
    started_ns integer,
    scores text not null default '[]',  -- JSON list of [scorer, value, status, reason, rationale, detail]
    primary key (run_id, example_id, repeat)
) without rowid;

create table verdicts (
    verdict_id text primary key,
    run_id text not null,
    baseline_run_id text,
    prompt_ref text,
    outcome text not null,         -- pass, fail, inconclusive
    criteria text not null,        -- JSON
    detail text not null,          -- JSON
    created_ns integer not null,
    actor text not null,
    event_id integer
) without rowid;
