-- What the migrations up to 29 make, at once. python -m tests.newest writes it.
CREATE TABLE inbox (
    seq integer primary key autoincrement,
    written_ns integer not null,
    rows integer not null,
    payload blob not null
, checksum integer);
CREATE TABLE segments (
    segment_id integer primary key autoincrement,
    tbl text not null,
    path text not null unique,
    rows integer not null,
    bytes integer not null,
    raw_bytes integer not null,
    min_ns integer,
    max_ns integer,
    sha256 text not null,
    schema_version integer not null,
    created_ns integer not null
, seal integer, generation integer, rev integer);
CREATE TABLE retired (
    path text primary key,
    retired_ns integer not null
) without rowid;
CREATE TABLE dead_rows (
    tbl text not null,
    trace_id text not null,
    span_id text not null default '',
    before_rev integer not null,
    copies integer not null default 1, seal integer,
    primary key (tbl, trace_id, span_id)
) without rowid;
CREATE TABLE counters (name text primary key, value integer not null) without rowid;
CREATE TABLE info (key text primary key, value text not null) without rowid;
CREATE TABLE prices (
    price_id integer primary key autoincrement,
    model text not null,
    provider text,
    valid_from_ns integer not null,
    input_usd_per_mtok real not null,
    output_usd_per_mtok real not null,
    cached_input_usd_per_mtok real,
    cache_write_input_usd_per_mtok real,
    actor text not null,
    set_ns integer not null
);
CREATE TABLE runbook_runs (
    run_id text primary key,
    name text not null,
    notebook text not null,
    status text not null,
    parameters text not null,
    started_ns integer not null,
    duration_s real,
    notebook_path text,
    html_path text,
    sha256 text,
    result text,
    failing_cell text,
    error text,
    actor text not null
, changes text, event_id integer, pid integer, pid_started text, host text, heartbeat_ns integer);
CREATE INDEX runbook_runs_started on runbook_runs (started_ns);
CREATE TABLE audit (
    event_id integer primary key,
    at_ns integer not null,
    actor text not null,
    action text not null,
    subject text not null,
    reason text,
    before text,
    after text,
    evidence text,
    previous_hash text not null,
    hash text not null unique
, records text);
CREATE TRIGGER audit_no_update before update on audit begin
    select raise(abort, 'the audit chain is append-only');
end;
CREATE TRIGGER audit_no_delete before delete on audit begin
    select raise(abort, 'the audit chain is append-only');
end;
CREATE TABLE prompt_versions (
    name text not null,
    version integer not null,
    hash text not null,
    body text not null,
    note text,
    author text not null,
    tags text not null,
    parent integer,
    git_commit text,
    created_ns integer not null,
    event_id integer not null,
    primary key (name, version),
    unique (name, hash)
) without rowid;
CREATE TRIGGER prompt_versions_no_update before update on prompt_versions begin
    select raise(abort, 'a version of a prompt is never changed');
end;
CREATE TRIGGER prompt_versions_no_delete before delete on prompt_versions begin
    select raise(abort, 'a version of a prompt is never removed');
end;
CREATE TABLE prompt_aliases (
    name text not null,
    alias text not null,
    version integer not null,
    earlier text not null,
    event_id integer not null,
    primary key (name, alias)
) without rowid;
CREATE TABLE prompt_moves (
    event_id integer primary key,
    name text not null,
    alias text not null,
    action text not null,
    from_version integer,
    to_version integer not null,
    at_ns integer not null,
    actor text not null,
    reason text,
    evidence text,
    is_forced integer not null
);
CREATE INDEX prompt_moves_alias on prompt_moves (name, alias, event_id);
CREATE TABLE prompt_protections (
    name text not null,
    alias text not null,
    event_id integer not null,
    primary key (name, alias)
) without rowid;
CREATE TABLE prompt_files (
    folder text not null,
    name text not null,
    hash text not null,
    primary key (folder, name)
) without rowid;
CREATE TABLE audit_head (
    one integer primary key check (one = 1),
    events integer not null,
    hash text not null
);
CREATE TABLE model_endpoints (
    name text primary key,
    base_url text not null,
    model text not null,
    provider text,
    api_key_env text,
    headers text not null,
    timeout_s real not null,
    max_concurrency integer not null,
    actor text not null,
    registered_ns integer not null
) without rowid;
CREATE TABLE response_cache (
    key text primary key,
    model text not null,
    content text not null,
    created_ns integer not null
) without rowid;
CREATE INDEX response_cache_created on response_cache (created_ns);
CREATE TABLE example_contents (
    content_id integer primary key,
    hash blob not null unique,
    example_id text not null,
    input text not null,
    expected text,
    metadata text,
    split text,
    tags text,
    cluster text,
    trace_id text,
    output text,
    documents text,
    labels text
);
CREATE TRIGGER example_contents_no_update before update on example_contents begin
    select raise(abort, 'an example of a dataset version never changes');
end;
CREATE TABLE dataset_chunks (
    chunk_id integer primary key,
    hash blob not null unique,
    members text not null
);
CREATE TABLE dataset_versions (
    name text not null,
    version integer not null,
    hash text not null,
    chunks text not null,
    count integer not null,
    parent integer,
    note text not null,
    author text not null,
    created_ns integer not null,
    primary key (name, version)
) without rowid;
CREATE INDEX dataset_versions_hash on dataset_versions (name, hash);
CREATE TRIGGER dataset_versions_no_update before update on dataset_versions begin
    select raise(abort, 'a dataset version never changes');
end;
CREATE TABLE dataset_heads (
    name text primary key,
    version integer not null,
    moved_ns integer not null
) without rowid;
CREATE TABLE eval_runs (
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
CREATE INDEX eval_runs_started on eval_runs (started_ns);
CREATE TABLE eval_results (
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
    scores text not null default '[]', seal integer,  -- JSON list of [scorer, value, status, reason, rationale, detail]
    primary key (run_id, example_id, repeat)
) without rowid;
CREATE TABLE verdicts (
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
CREATE TABLE pending_changes (
    change_id integer primary key autoincrement,
    kind text not null,            -- reprice, renormalise, retain, ...
    subject text not null,
    arguments text not null,       -- JSON object: all that the work needs to be done again
    progress text not null,        -- JSON object: how far it came
    actor text not null,
    started_ns integer not null,
    -- who works on it now
    owner text,
    pid integer,
    pid_started text,
    host text,
    heartbeat_ns integer
);
CREATE TABLE unsealed (
    tbl text not null,
    key text not null,             -- JSON list
    primary key (tbl, key)
) without rowid;
CREATE INDEX runbook_runs_running on runbook_runs (run_id) where status = 'running';
CREATE TABLE aliases (
    kind text not null,
    name text not null,
    alias text not null,
    version integer not null,
    earlier text not null,
    event_id integer not null,
    primary key (kind, name, alias)
) without rowid;
CREATE TABLE alias_moves (
    event_id integer primary key,
    kind text not null,
    name text not null,
    alias text not null,
    action text not null,
    from_version integer,
    to_version integer not null,
    at_ns integer not null,
    actor text not null,
    reason text,
    evidence text,
    is_forced integer not null
);
CREATE INDEX alias_moves_alias on alias_moves (kind, name, alias, event_id);
CREATE TABLE alias_protections (
    kind text not null,
    name text not null,
    alias text not null,
    event_id integer not null,
    primary key (kind, name, alias)
) without rowid;
CREATE TABLE feedback_history (
    seq integer primary key autoincrement,
    signal_id text not null,
    target text not null,
    trace_id text,
    span_id text,
    response_id text,
    session_id text,
    name text not null,
    kind text not null,
    value text not null,
    number real,
    scale_low real,
    scale_high real,
    comment text,
    user_id text,
    source text,
    said_ns integer not null,
    recorded_ns integer not null,
    replaces integer,
    checksum integer not null
);
CREATE INDEX feedback_history_signal on feedback_history (signal_id);
CREATE TABLE calibrations (
    number integer primary key, judge text not null, judge_version text not null, model text, schema text,
    figures text not null, stale text, author text not null, created_ns integer not null
);
CREATE INDEX calibrations_judge on calibrations (judge, number);
CREATE TABLE label_schemas (
    name text not null, version integer not null, hash text not null, body text not null, parent integer, note text,
    author text not null, created_ns integer not null, primary key (name, version)
) without rowid;
CREATE TABLE queues (
    queue text primary key, schema text not null, schema_version integer not null, strategy text not null,
    count integer not null, k integer not null, overlap real not null, raters text, is_blind integer not null,
    author text not null, created_ns integer not null, status text not null, owner text, until_ns integer,
    actor text not null, moved_ns integer not null, reason text
, item_order text, seed integer, gold_share real, since_version integer) without rowid;
CREATE TABLE queue_items (
    queue text not null, position integer not null, item text not null, trace_id text, span_id text, run_id text,
    example_id text, repeat integer, stratum text, probability real, needs integer not null,
    checksum integer not null, primary key (queue, position)
) without rowid;
CREATE UNIQUE INDEX queue_items_item on queue_items (queue, item);
CREATE TABLE queue_turns (
    queue text not null, position integer not null, rater text not null, status text not null, until_ns integer,
    seq integer, seconds real, primary key (queue, position, rater)
) without rowid;
CREATE INDEX queue_turns_held on queue_turns (queue, until_ns) where status = 'held';
CREATE TABLE label_history (
    seq integer primary key autoincrement, client text not null, sequence integer not null, part integer not null,
    queue text not null, position integer not null, rater text not null, action text not null, schema_version integer,
    field_values text, note text, seconds real, undoes integer, said_ns integer not null, recorded_ns integer not null,
    checksum integer not null
);
CREATE UNIQUE INDEX label_history_client on label_history (client, sequence, part);
CREATE UNIQUE INDEX label_history_undoes on label_history (undoes) where undoes is not null;
CREATE INDEX label_history_rater on label_history (queue, rater, seq);
CREATE INDEX label_history_item on label_history (queue, position, rater, seq);
CREATE TABLE adjudications (
    queue text not null, position integer not null, schema_version integer not null, field_values text not null,
    actor text not null, reason text, created_ns integer not null, primary key (queue, position)
) without rowid;
CREATE TABLE failure_history (
    seq integer primary key autoincrement, act integer not null, queue text not null, action text not null,
    mode integer, note text, name text, criteria text, other_mode integer, undoes integer, actor text not null,
    recorded_ns integer not null
);
CREATE UNIQUE INDEX failure_history_undoes on failure_history (undoes) where undoes is not null;
CREATE INDEX failure_history_act on failure_history (act);
CREATE INDEX failure_history_mode on failure_history (queue, mode, seq);
CREATE INDEX failure_history_note on failure_history (queue, note, seq) where note is not null;
CREATE TABLE queue_full (queue text not null, position integer not null, primary key (queue, position)) without rowid;
CREATE TABLE queue_back (id integer primary key autoincrement, queue text not null, position integer not null);
CREATE UNIQUE INDEX queue_back_item on queue_back (queue, position);
CREATE INDEX queue_back_queue on queue_back (queue);
CREATE TABLE queue_gone (queue text not null, position integer not null, primary key (queue, position)) without rowid;
CREATE INDEX queue_items_erased on queue_items (queue) where trace_id glob 'erased-*';
CREATE INDEX queue_turns_rater on queue_turns (queue, rater, status, seconds);
CREATE TABLE queue_raters (
    queue text not null, rater text not null, first integer not null, size integer not null, step integer not null,
    back integer not null, handed integer not null, primary key (queue, rater)
) without rowid;
CREATE TABLE queue_gold (
    queue text not null, position integer not null, schema_version integer not null, field_values text not null,
    author text not null, created_ns integer not null, primary key (queue, position)
) without rowid;
CREATE TABLE queue_draws (
    queue text not null, number integer not null, asked text not null, last integer not null, frame blob not null,
    primary key (queue, number)) without rowid;
CREATE TABLE judge_versions (
    name text not null, version integer not null, hash text not null, body text not null, judge_version text not null,
    parent integer, note text, author text not null, created_ns integer not null, primary key (name, version)
) without rowid;
CREATE TABLE judge_examples (
    name text not null, version integer not null, place integer not null, message text not null, trace_id text,
    primary key (name, version, place)
) without rowid;
CREATE TABLE judge_improvements (
    number integer primary key, judge text not null, from_version integer not null, version integer not null,
    n_learning integer not null, n_held_out integer not null, p_value real, figures text not null,
    author text not null, created_ns integer not null
);
CREATE TABLE trace_views (
    name text primary key not null, body text not null, author text not null, saved_ns integer not null
) without rowid;
CREATE TABLE trace_score_history (
    seq integer primary key autoincrement, trace_id text not null, start_ns integer not null, session_id text,
    scorer text not null, scorer_version text not null, kind text not null, status text not null, score real,
    reason text, rationale text, detail text, cost_usd real, span_count integer not null, is_sampled integer not null,
    number real, scored_ns integer not null, replaces integer, checksum integer not null
);
CREATE INDEX trace_score_history_trace on trace_score_history (trace_id, scorer, seq);
CREATE TABLE trace_score_chances (seq integer primary key, probability real not null, checksum integer not null);
CREATE TABLE trace_score_claims (
    trace_id text not null, scorer text not null, scorer_version text not null, owner text not null,
    pid integer not null, pid_started text, host text not null, heartbeat_ns integer not null,
    primary key (trace_id, scorer, scorer_version)
) without rowid;
CREATE INDEX trace_score_claims_owner on trace_score_claims (owner);
CREATE TABLE trace_scorers (
    scorer text not null, scorer_version text not null, kind text not null, model text, low real, high real,
    higher_is_better integer not null, seed integer, author text not null, created_ns integer not null,
    primary key (scorer, scorer_version)
) without rowid;
CREATE TABLE monitor_versions (
    name text not null, version integer not null, hash text not null, body text not null, parent integer, note text,
    author text not null, created_ns integer not null, primary key (name, version)
) without rowid;
CREATE TABLE monitor_states (
    monitor text not null, version integer not null, series text not null, status text not null, n integer,
    needed integer, estimate real, low real, high real, baseline real, words text not null,
    looked_until_ns integer not null, checked_ns integer not null, seq integer not null, body text not null,
    checksum integer not null, primary key (monitor, version, series)
) without rowid;
CREATE TABLE alerts (
    alert integer primary key, monitor text not null, version integer not null, series text not null,
    metric text not null, direction text, severity text not null, since_ns integer, since_low_ns integer,
    since_high_ns integer, found_ns integer not null, opened_ns integer not null, n integer, estimate real, low real,
    high real, baseline real, words text not null, times_opened integer not null, silenced_until_ns integer,
    resolved_ns integer, status text not null, owner text, until_ns integer, actor text not null,
    moved_ns integer not null, reason text
);
CREATE INDEX alerts_open on alerts (monitor, series, status);
CREATE TABLE monitor_files (
    folder text not null, name text not null, hash text not null, primary key (folder, name)
) without rowid;
CREATE TABLE alert_examples (
    alert integer not null, place integer not null, trace_id text not null, primary key (alert, place)
) without rowid;
CREATE TABLE alert_sinks (
    name text primary key, kind text not null, url text, url_env text, secret_env text, min_severity text not null,
    monitors text, has_text integer not null, mail text, actor text not null, saved_ns integer not null
) without rowid;
CREATE TABLE alert_outbox (
    number integer primary key autoincrement, alert integer not null, seq integer not null, transition text not null,
    sink text not null, severity text not null, idempotency_key text not null, facts text not null,
    status text not null, attempts integer not null, refused integer not null, said text, made_ns integer not null,
    next_ns integer, ended_ns integer
);
CREATE TABLE alert_sink_states (
    sink text primary key, failures integer not null, since_ns integer not null, next_ns integer not null,
    said text not null
) without rowid;
CREATE INDEX alert_outbox_waiting on alert_outbox (sink, status, next_ns);
CREATE INDEX alert_outbox_alert on alert_outbox (alert, sink);
CREATE TABLE route_versions (
    name text not null, version integer not null, hash text not null, body text not null, layout text not null,
    parent integer, note text, author text not null, created_ns integer not null, primary key (name, version)
) without rowid;
CREATE TABLE route_switches (
    route text not null, arm text not null, is_killed integer not null, actor text not null,
    moved_ns integer not null, reason text, primary key (route, arm)
) without rowid;
CREATE TABLE route_files (
    folder text not null, name text not null, hash text not null, primary key (folder, name)
) without rowid;
CREATE TABLE incidents (
    incident integer primary key, title text not null, severity integer not null, in_charge text, cause text not null,
    explained text, condition text, since_ns integer not null, detected_ns integer not null, acknowledged_ns integer,
    mitigated_ns integer, resolved_ns integer, closed_ns integer, is_verified integer, times_opened integer not null,
    reopened_ns integer, opened_ns integer not null, opened_by text not null, status text not null, owner text,
    until_ns integer, actor text not null, moved_ns integer not null, reason text
);
CREATE TABLE incident_alerts (
    incident integer not null, alert integer not null, linked_ns integer not null, primary key (incident, alert)
) without rowid;
CREATE TABLE incident_notes (
    incident integer not null, number integer not null, kind text not null, text text not null, ref text,
    actor text not null, at_ns integer not null, primary key (incident, number)
) without rowid;
CREATE TABLE incident_actions (
    incident integer not null, number integer not null, action text not null, params text not null, stood text not null,
    stands text not null, words text not null, events text not null, actor text not null, at_ns integer not null,
    reason text, primary key (incident, number)
) without rowid;
CREATE TABLE incident_checks (
    incident integer not null, number integer not null, state text not null, since_ns integer not null,
    until_ns integer not null, words text not null, found text not null, actor text not null, at_ns integer not null,
    primary key (incident, number)
) without rowid;
CREATE TABLE incident_escalations (
    incident integer not null, opened integer not null, step text not null, who text not null, sink text not null,
    due_ns integer not null, at_ns integer not null, primary key (incident, opened, step)
) without rowid;
CREATE TABLE escalation_policies (
    name text primary key, rules text not null, actor text not null, saved_ns integer not null
) without rowid;
CREATE TABLE judge_anchors (
    judge text not null, version integer not null, judge_version text not null, dataset text not null,
    items integer not null, repeats integer not null, every_s real not null, budget_usd real, author text not null,
    created_ns integer not null, primary key (judge, version)
) without rowid;
CREATE TABLE anchor_verdicts (
    seq integer primary key autoincrement, judge text not null, version integer not null, sweep integer not null,
    example_id text not null, score real not null, kept real not null, differs real, cost_usd real,
    start_ns integer not null
);
CREATE INDEX anchor_verdicts_judge on anchor_verdicts (judge, version, sweep);
CREATE TABLE anchor_claims (
    judge text not null, version integer not null, pid integer not null, pid_started text, host text not null,
    heartbeat_ns integer not null, primary key (judge, version)
) without rowid;
CREATE TABLE guardrail_cards (
    number integer primary key, subject text not null, kind text not null, config_hash text not null,
    stage text not null, dataset text not null, figures text not null, author text not null, created_ns integer not null
);
CREATE INDEX guardrail_cards_of on guardrail_cards (config_hash);
CREATE TABLE guardrail_card_mistakes (
    card integer not null, place integer not null, example_id text not null, is_attack integer not null,
    primary key (card, place)
) without rowid;
CREATE TABLE guardrail_versions (
    name text not null, version integer not null, hash text not null, body text not null, parent integer, note text,
    author text not null, created_ns integer not null, primary key (name, version)
) without rowid;
CREATE TABLE guardrail_switches (
    policy text not null, rail text not null, is_off integer not null, actor text not null,
    moved_ns integer not null, reason text, primary key (policy, rail)
) without rowid;
CREATE TABLE guardrail_runs (
    run_id text not null primary key, policy text not null, version integer not null, actor text not null,
    noted_ns integer not null
) without rowid;
CREATE TABLE guardrail_files (
    folder text not null, name text not null, hash text not null, primary key (folder, name)
) without rowid;
CREATE TABLE retrieval_versions (
    name text not null, version integer not null, hash text not null, body text not null, fingerprint text not null,
    probe text not null, parent integer, note text, author text not null, created_ns integer not null,
    primary key (name, version)
) without rowid;
CREATE TABLE retrieval_runs (
    run_id text not null primary key, settings text not null, version integer not null, actor text not null,
    noted_ns integer not null
) without rowid;
CREATE TABLE retrieval_files (
    folder text not null, name text not null, hash text not null, primary key (folder, name)
) without rowid;
CREATE TABLE retrieval_indexes (
    name text not null primary key, settings text not null, index_fingerprint text not null,
    corpus_fingerprint text not null, documents integer not null, chunks integer not null, about text not null,
    folder text not null, manifest text not null, author text not null, built_ns integer not null
) without rowid;
CREATE TABLE tool_versions (
    name text not null, version integer not null, hash text not null, body text not null, parent integer, note text,
    author text not null, created_ns integer not null, primary key (name, version)
) without rowid;
CREATE TABLE tool_files (
    folder text not null, name text not null, hash text not null, primary key (folder, name)
) without rowid;
CREATE TABLE tool_policy_versions (
    name text not null, version integer not null, hash text not null, body text not null, parent integer, note text,
    author text not null, created_ns integer not null, primary key (name, version)
) without rowid;
CREATE TABLE tool_policy_files (
    folder text not null, name text not null, hash text not null, primary key (folder, name)
) without rowid;
CREATE TABLE tool_switches (
    tool text not null primary key, is_off integer not null, actor text not null, moved_ns integer not null,
    reason text
) without rowid;
CREATE TABLE tool_asks (
    ask integer primary key, tool text not null, version integer not null, arguments text not null,
    digest text not null, policy text not null, rule text, why text not null, role text, run_id text not null,
    trace_id text, origins text not null, asked_ns integer not null, expires_ns integer not null, status text not null,
    owner text, until_ns integer, actor text not null, moved_ns integer not null, reason text
);
CREATE INDEX tool_asks_of on tool_asks (digest, status);
insert into audit_head values (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');
insert into counters values ('commits', 0);
insert into counters values ('inbox_rows', 0);
insert into counters values ('manifest', 0);
insert into counters values ('rev', 0);
insert into counters values ('segments', 0);
pragma user_version=29;
