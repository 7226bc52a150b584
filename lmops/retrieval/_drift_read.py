"""Reads the retrievals of two periods once: numbers and ids come over, texts of documents stay where they are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.store import Bounds
from lmops.times import to_ns
from lmops.traces import found_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from lmops.calc.arrays import Floats, Ints
    from lmops.monitors import Periods
    from lmops.retrieval._drift_golden import Golden
    from lmops.store import Store

    Bools = NDArray[np.bool_]

#: What chunks of a document are called, such as pets#2.
_NUMBER: Final = re.compile(r"#\d+$")
_SOURCE: Final = "/gen_ai.data_source.id"
_CORPUS: Final = "/lmops.corpus.fingerprint"
_PROBE: Final = "/lmops.index.probe"
_SYSTEM: Final = ["/openai.response.system_fingerprint", "/gen_ai.openai.response.system_fingerprint"]
_SHAPE: Final = '[{"id":"VARCHAR","score":"DOUBLE","content":"VARCHAR"}]'
#: One form of a question: small letters, words only, one space between them.
_PLAIN: Final = "trim(regexp_replace(lower({}), '[^\\p{{L}}\\p{{N}}]+', ' ', 'g'))"
_WITHIN: Final = (
    "(start_ns >= {before_since} and start_ns < {before_until} or start_ns >= {since} and start_ns < {until})"
)
#: What a retriever found through another one, or through a chain between the two, counts once: the view
#: ``retrieved_documents`` has the same rule.
_SEEN: Final = """
with found as materialized ({found}),
around as (
  select trace_id, coalesce(user_id, session_id, trace_id) as unit, input from traces
  where trace_id in (select trace_id from found)
),
golden as (
  select {plain_given} as key, min(place) as place from
    (select unnest($texts::VARCHAR[]) as text, unnest($places::BIGINT[]) as place) where text is not null group by 1
),
outer_ones as (
  select trace_id, span_id from spans
  where kind = 'retriever' and documents is not null and {within} and trace_id in (select trace_id from found)
),
wraps as (
  select * from outer_ones union all
  select chain.trace_id, chain.span_id from spans as chain join outer_ones on outer_ones.trace_id = chain.trace_id
    and outer_ones.span_id = chain.parent_span_id where chain.kind = 'chain' and {within}
),
took as (
  select *, from_json(documents, '{shape}') as found_documents from spans
  where kind in ('retriever', 'reranker') and status is distinct from 'error' and {within}
    and trace_id in (select trace_id from found) and (kind = 'reranker' or not exists (
      select 1 from wraps where wraps.trace_id = spans.trace_id and wraps.span_id = spans.parent_span_id))
)
select epoch_us(s.start_at) as at_us, s.start_ns >= {since} as is_after, s.kind = 'reranker' as is_reranked,
  coalesce(json_extract_string(s.attributes, $source), s.name) as source, s.index_fingerprint as settings,
  json_extract_string(s.attributes, $corpus) as corpus, json_extract_string(s.attributes, $probe) as probe,
  s.input as query, {plain_query} as key,
  a.unit, s.trace_id, coalesce(g.place, h.place) as golden, s.documents is not null as has_documents,
  [coalesce(x.id, 'text:' || md5(x.content)) for x in s.found_documents] as ids,
  [hash(x.content) for x in s.found_documents if x.content is not null] as texts,
  s.found_documents[1].score as top_score
from took as s join around as a on a.trace_id = s.trace_id
  left join golden as g on g.key = {plain_query} left join golden as h on h.key = {plain_asked}
order by at_us, s.trace_id, s.span_id
"""
_MODELS: Final = """
with found as ({found}),
retrieved as (
  select distinct trace_id from spans
  where kind in ('retriever', 'reranker') and {within} and trace_id in (select trace_id from found)
),
calls as materialized (
  select kind, coalesce(requested_model, model) as asked, start_at, start_ns >= {since} as is_after,
    coalesce(model, requested_model) as model,
    case when contains(attributes, 'system_fingerprint') then
      coalesce(json_extract_string(attributes, $system)[1], json_extract_string(attributes, $system)[2]) end as mark
  from spans where (kind = 'llm' and is_call or kind = 'embedding') and status is distinct from 'error' and {within}
    and coalesce(model, requested_model) is not null and trace_id in (select trace_id from retrieved)
),
told as (
  select kind, asked, model, mark, count(*) filter (not is_after) as n_before, count(*) filter (is_after) as n_after,
    min(start_at) as first_at, max(start_at) as last_at from calls group by all
)
select told.*, (select count(*) from calls where calls.kind = told.kind and calls.asked = told.asked
  and calls.start_at >= told.first_at) as since_first from told order by kind, asked, first_at, model, mark
"""


@dataclass(frozen=True, slots=True)
class Retrievals:
    """The retrievals of both periods in the order of time: places in ``names`` of what is a text, -1 for none.

    ``chunks`` and ``texts`` of row i are those from ``starts[i]`` to ``starts[i + 1]``; of a row whose documents have
    no text ``texts`` is 0.
    """

    at_us: Ints
    is_after: Bools
    is_reranked: Bools
    source: Ints
    settings: Ints
    corpus: Ints
    probe: Ints
    query: Ints
    key: Ints
    unit: Ints
    trace: Ints
    golden: Ints
    has_documents: Bools
    top_score: Floats
    starts: Ints
    chunks: Ints
    texts: NDArray[np.uint64]
    documents: Ints
    names: dict[str, list[str]]
    document_names: list[str]

    @property
    def found(self) -> Bools:
        """Which rows are of retrievers, not of rerankers."""
        return ~self.is_reranked

    def ranking(self, row: int) -> tuple[int, ...]:
        """Return the documents of a row as places in ``document_names``, each where it stands first."""
        return tuple(dict.fromkeys(self.documents[self.starts[row] : self.starts[row + 1]].tolist()))

    def chunk_ranking(self, row: int) -> tuple[int, ...]:
        """Return the chunks of a row."""
        return tuple(self.chunks[self.starts[row] : self.starts[row + 1]].tolist())


class Call(NamedTuple):
    """How often a model called itself so in the traces that retrieve."""

    kind: str
    asked: str
    model: str
    mark: str | None
    n_before: int
    n_after: int
    first_at: Any
    last_at: Any
    since_first: int


def _parts(periods: Periods, where: str | None) -> dict[str, str]:
    since, until, before_since, before_until = map(to_ns, periods)
    within = _WITHIN.format(since=since, until=until, before_since=before_since, before_until=before_until)
    bounds = Bounds(before_since - 86_400_000_000_000, until)  # a trace may be a little older than its retrieval
    return {"found": found_sql(where, bounds, evaluations=False), "within": within, "since": str(since)}


def retrievals(store: Store, periods: Periods, where: str | None, golden: Sequence[Golden]) -> Retrievals:
    """Return what was retrieved in two periods, in one pass over them."""
    import numpy as np

    query = _SEEN.format(
        **_parts(periods, where),
        shape=_SHAPE,
        plain_given=_PLAIN.format("text"),
        plain_query=_PLAIN.format("s.input"),
        plain_asked=_PLAIN.format("a.input"),
    )
    asked = {"texts": [one.text for one in golden], "places": list(range(len(golden)))}
    table = store.sql(query, {**asked, "source": _SOURCE, "corpus": _CORPUS, "probe": _PROBE}).to_arrow_table()
    names: dict[str, list[str]] = {}
    codes = {}
    for name in ("source", "settings", "corpus", "probe", "query", "key", "unit", "trace_id"):
        names[name], codes[name] = _coded(table[name])
    starts, chunks, texts, names["chunk"] = _listed(table)
    shown: dict[str, int] = {}
    document_of = np.array([shown.setdefault(_NUMBER.sub("", one), len(shown)) for one in names["chunk"]], np.int64)
    return Retrievals(
        at_us=table["at_us"].to_numpy(),
        is_after=_bools(table["is_after"]),
        is_reranked=_bools(table["is_reranked"]),
        source=codes["source"],
        settings=codes["settings"],
        corpus=codes["corpus"],
        probe=codes["probe"],
        query=codes["query"],
        key=codes["key"],
        unit=codes["unit"],
        trace=codes["trace_id"],
        golden=table["golden"].fill_null(-1).to_numpy(),
        has_documents=_bools(table["has_documents"]),
        top_score=table["top_score"].to_numpy(),
        starts=starts,
        chunks=chunks,
        texts=texts,
        documents=document_of[chunks] if len(chunks) else chunks,
        names=names,
        document_names=list(shown),
    )


def calls(store: Store, periods: Periods, where: str | None) -> list[Call]:
    """Return what models called themselves in the traces that retrieve."""
    found = store.sql(_MODELS.format(**_parts(periods, where)), {"system": _SYSTEM}).fetchall()
    return [Call(*row) for row in found]


def _bools(column: pa.ChunkedArray[Any]) -> Bools:
    import numpy as np

    return np.asarray(column.to_numpy(), dtype=np.bool_)


def _coded(column: pa.ChunkedArray[Any]) -> tuple[list[str], Ints]:
    """Return the different texts of a column, and the place of that of each row; -1 for a missing one."""
    import numpy as np

    found: Any = column.dictionary_encode().unify_dictionaries().combine_chunks()
    return found.dictionary.to_pylist(), found.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)


def _listed(table: pa.Table) -> tuple[Ints, Ints, NDArray[np.uint64], list[str]]:
    """Return where the documents of each row begin, their chunks and the hashes of their texts, and names of chunks."""
    import numpy as np
    import pyarrow.compute as pc

    ids, hashes = (table[name].combine_chunks() for name in ("ids", "texts"))
    counts, hashed = (pc.list_value_length(one).fill_null(0).to_numpy(zero_copy_only=False) for one in (ids, hashes))
    starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    flat: Any = pc.list_flatten(ids).dictionary_encode()
    chunks = flat.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    texts = np.zeros(len(chunks), np.uint64)
    whole = np.repeat(counts == hashed, counts)
    kept = np.repeat(counts == hashed, hashed)
    texts[whole] = pc.list_flatten(hashes).to_numpy(zero_copy_only=False)[kept]
    return starts, chunks, texts, flat.dictionary.to_pylist()
