-- An example as it stands in any version of any dataset: kept once, under the hash of its content. JSON in each column.
create table example_contents (
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
create trigger example_contents_no_update before update on example_contents begin
    select raise(abort, 'an example of a dataset version never changes');
end;

-- Runs of examples, as a JSON list of content ids. Versions that differ a little share nearly all of them.
create table dataset_chunks (
    chunk_id integer primary key,
    hash blob not null unique,
    members text not null
);

create table dataset_versions (
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
create index dataset_versions_hash on dataset_versions (name, hash);
create trigger dataset_versions_no_update before update on dataset_versions begin
    select raise(abort, 'a dataset version never changes');
end;

-- Which version a name without a number means: the one that was saved last.
create table dataset_heads (
    name text primary key,
    version integer not null,
    moved_ns integer not null
) without rowid;
