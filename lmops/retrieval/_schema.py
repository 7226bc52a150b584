"""The tables of retrieval settings, and the views over them."""

from __future__ import annotations

from typing import Final

from lmops.store.schema import TIME, Column, DerivedView, Room, Table, View

_VERSIONS: Final[tuple[Column, ...]] = (
    ("name", "VARCHAR", "of the settings"),
    ("version", "BIGINT", "1, 2, 3, ..."),
    ("ref", "VARCHAR", "name@version"),
    ("fingerprint", "VARCHAR", "of what decides which chunks are found; stands on every span that retrieves"),
    ("body", "VARCHAR", "JSON object: chunker, cleaner, embedder, kind, params, k, filters, fusion, reranker"),
    ("hash", "VARCHAR", "of its content"),
    ("parent", "BIGINT", "the version it was made from"),
    ("note", "VARCHAR", "why"),
    ("author", "VARCHAR", "who"),
    ("created_at", TIME, "when"),
)
_RUNS: Final[tuple[Column, ...]] = (
    ("run_id", "VARCHAR", "an evaluation run"),
    ("settings", "VARCHAR", "the settings of the index that it searched"),
    ("version", "BIGINT", "of the settings"),
    ("actor", "VARCHAR", "who noted it"),
    ("noted_at", TIME, "when"),
)
#: Settings by their fingerprint: those that were saved first, where more have the same.
_RETRIEVALS: Final = """
with known as (
  select fingerprint, min_by(ref, (created_at, ref)) as ref from retrieval_versions group by fingerprint
), told as (
  select *, json_extract_string(attributes, ['/lmops.index.settings', '/lmops.corpus.fingerprint',
    '/gen_ai.retrieval.top_k', '/retrieval.top_k', '/top_k', '/lmops.index.chunks', '/gen_ai.data_source.id',
    '/lmops.retrieval.found', '/gen_ai.retrieval.documents', '/lmops.index.probe']) as a
  from spans where kind in ('retriever', 'reranker')
), read as (
  select *, try_cast(coalesce(a[3], a[4], a[5]) as bigint) as k,
    coalesce(json_array_length(documents), try_cast(a[8] as bigint), case when trim(a[9]) = '[]' then 0 end) as found
  from told
)
select r.trace_id as trace_id, r.span_id as span_id, r.start_at as start_at, r.kind as kind, a[7] as source,
  r.input as query, r.k as k, r.documents as documents, r.found as found,
  r.index_fingerprint as index_fingerprint, r.a[2] as corpus_fingerprint, coalesce(r.a[1], known.ref) as settings,
  split_part(coalesce(r.a[1], known.ref), '@', 1) as name,
  try_cast(split_part(coalesce(r.a[1], known.ref), '@', 2) as bigint) as version,
  try_cast(r.a[6] as bigint) as chunks, r.a[10] as probe,
  try_cast(json_extract_string(r.documents, '$[0].score') as double) as top_score,
  r.found = 0 as is_empty, r.latency_ms as latency_ms, r.status as status, r.session_id as session_id,
  r.user_id as user_id, r.service as service, r.environment as environment
from read as r left join known on known.fingerprint = r.index_fingerprint
"""
MADE: Final = """
create table retrieval_versions (
    name text not null, version integer not null, hash text not null, body text not null, fingerprint text not null,
    probe text not null, parent integer, note text, author text not null, created_ns integer not null,
    primary key (name, version)
) without rowid;
create table retrieval_runs (
    run_id text not null primary key, settings text not null, version integer not null, actor text not null,
    noted_ns integer not null
) without rowid;
create table retrieval_files (
    folder text not null, name text not null, hash text not null, primary key (folder, name)
) without rowid;
"""
ROOM: Final = Room(
    tables=(
        Table("retrieval_versions", ("name", "version")),
        Table("retrieval_runs", ("run_id",)),
        Table(
            "retrieval_files",
            ("folder", "name"),
            held_by="nothing: it is what the last sync saw; a wrong one makes the next ask",
        ),
    ),
    views=(
        View(
            "retrieval_versions",
            _VERSIONS,
            "select name, version, name || '@' || version, fingerprint, body, hash, parent, note, author, created_ns "
            "from retrieval_versions order by name, version",
            ("retrieval_versions",),
        ),
        View(
            "retrieval_runs",
            _RUNS,
            "select run_id, settings, version, actor, noted_ns from retrieval_runs order by noted_ns",
            ("retrieval_runs",),
        ),
    ),
    migrations={26: MADE},
    derived=(
        DerivedView(
            "retrievals",
            ("spans", "retrieval_versions"),
            _RETRIEVALS,
            says={
                "start_at": "when it was asked",
                "kind": "retriever, or reranker: what it made of what a retriever found",
                "source": "what was searched, as the span names it",
                "query": "what was asked",
                "k": "how many were asked for; NULL: the span does not say",
                "documents": "JSON list of {rank, id, score, content, metadata}",
                "found": "how many were found; NULL: the span does not say",
                "index_fingerprint": "of the settings",
                "corpus_fingerprint": "of the documents; NULL: the span does not say",
                "settings": "name@version, as the span says, else the first that has the fingerprint; NULL: none here",
                "name": "of the settings",
                "version": "of the settings",
                "chunks": "how many the index has; NULL: the span does not say",
                "probe": "how its chunker cuts; another one with the same settings: its library cuts otherwise",
                "top_score": "of the first document, in the retriever's own unit",
                "is_empty": "nothing was found; NULL: the span does not say",
                "latency_ms": "milliseconds that it took",
            },
        ),
    ),
)
