-- Changes that take long and are not finished. A row is written in the transaction that decides the change and goes in
-- the one that completes it, so that a change that was cut short is always found here.
create table pending_changes (
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

-- JSON object: table -> key of a row -> SHA-256 of what the event left there, null when it removed the row.
alter table audit add column records text;

-- Rows of records that no event names yet: those of stores from before events named rows, and those that wait for it.
create table unsealed (
    tbl text not null,
    key text not null,             -- JSON list
    primary key (tbl, key)
) without rowid;
insert into unsealed select 'prices', json_array(price_id) from prices;
insert into unsealed select 'prompt_versions', json_array(name, version) from prompt_versions;
insert into unsealed select 'prompt_aliases', json_array(name, alias) from prompt_aliases;
insert into unsealed select 'prompt_moves', json_array(event_id) from prompt_moves;
insert into unsealed select 'prompt_protections', json_array(name, alias) from prompt_protections;
insert into unsealed select 'model_endpoints', json_array(name) from model_endpoints;
insert into unsealed select 'response_cache', json_array(key) from response_cache;
insert into unsealed select 'dataset_versions', json_array(name, version) from dataset_versions;
insert into unsealed select 'dataset_heads', json_array(name) from dataset_heads;
insert into unsealed select 'eval_runs', json_array(run_id) from eval_runs;
insert into unsealed select 'eval_results', json_array(run_id) from eval_runs;
insert into unsealed select 'verdicts', json_array(verdict_id) from verdicts;
insert into unsealed select 'runbook_runs', json_array(run_id) from runbook_runs;
