-- Versions of prompts: what is in a row is never changed and never removed.
create table prompt_versions (
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
create trigger prompt_versions_no_update before update on prompt_versions begin
    select raise(abort, 'a version of a prompt is never changed');
end;
create trigger prompt_versions_no_delete before delete on prompt_versions begin
    select raise(abort, 'a version of a prompt is never removed');
end;

-- Where each alias points now, and every move that brought it there. "earlier": JSON list of the versions that a
-- rollback would return to, the latest last.
create table prompt_aliases (
    name text not null,
    alias text not null,
    version integer not null,
    earlier text not null,
    event_id integer not null,
    primary key (name, alias)
) without rowid;
create table prompt_moves (
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
create index prompt_moves_alias on prompt_moves (name, alias, event_id);

create table prompt_protections (
    name text not null,
    alias text not null,
    event_id integer not null,
    primary key (name, alias)
) without rowid;

-- What a folder of prompt files and the registry both said after the last sync.
create table prompt_files (
    folder text not null,
    name text not null,
    hash text not null,
    primary key (folder, name)
) without rowid;

-- The end of the audit chain, moved with every event: that the last events are missing shows only here.
create table audit_head (
    one integer primary key check (one = 1),
    events integer not null,
    hash text not null
);
insert into audit_head
    select 1, count(*), coalesce((select hash from audit order by event_id desc limit 1), printf('%064d', 0)) from audit;
