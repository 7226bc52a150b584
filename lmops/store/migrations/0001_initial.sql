-- Facts that are acknowledged but not yet in a segment. One row is one acknowledged write.
create table inbox (
    seq integer primary key autoincrement,
    written_ns integer not null,
    rows integer not null,
    payload blob not null
);

-- The manifest. A file that is not listed here does not exist.
create table segments (
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
);
create table retired (
    path text primary key,
    retired_ns integer not null
) without rowid;

-- Rows of segments that a later revision replaced: dead when rev < before_rev; copies of them are still in files.
create table dead_rows (
    tbl text not null,
    trace_id text not null,
    span_id text not null default '',
    before_rev integer not null,
    copies integer not null default 1,
    primary key (tbl, trace_id, span_id)
) without rowid;

-- "rev": last revision given to published rows; "manifest": moves with every change of segments or dead rows;
-- "inbox_rows": rows that wait in the inbox.
create table counters (name text primary key, value integer not null) without rowid;
insert into counters values ('rev', 0), ('manifest', 0), ('inbox_rows', 0);

create table info (key text primary key, value text not null) without rowid;

create table prices (
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

create table runbook_runs (
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
);
create index runbook_runs_started on runbook_runs (started_ns);

create table audit (
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
);
create trigger audit_no_update before update on audit begin
    select raise(abort, 'the audit chain is append-only');
end;
create trigger audit_no_delete before delete on audit begin
    select raise(abort, 'the audit chain is append-only');
end;
