-- Endpoints of models by name. The key itself is never here, only the name of the variable that holds it.
create table model_endpoints (
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

-- Answers by the hash of the whole request; content is JSON.
create table response_cache (
    key text primary key,
    model text not null,
    content text not null,
    created_ns integer not null
) without rowid;
create index response_cache_created on response_cache (created_ns);
