"""A search of a trace: what it found, what stood there before its reranker, and what of the answer it supports."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.retrieval.boards import Sides, side_by_side
from lmops.retrieval.recorded import Recorded
from lmops.scorers import ScoreInput, source_support
from lmops.text import plain_line
from lmops.traces.reading import exchange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.retrieval.contract import Hit, Searchable
    from lmops.store import Store
    from lmops.traces import Span

_KINDS: Final = ("retriever", "reranker")
_QUESTIONS: Final = ("query", "question", "input", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A search that a trace recorded.

    Args:
        name: What it is called where it is shown.
        query: What was asked.
        found: Its ranking.
        before: What the retriever found before the reranker; None without one.
        fingerprint: Of its settings; None where the span says none.
        unsupported: Sentences of the answer that none of its documents supports.
    """

    name: str
    query: str
    found: Recorded
    before: Recorded | None
    fingerprint: str | None
    unsupported: tuple[str, ...]


def search_of(traces: Any, store: Store, given: Any) -> Search:
    """Return the search that is meant.

    Args:
        traces: ``ws.traces``.
        store: Where they are.
        given: A span, its id, a trace, or its id: then the last of its searches.

    Raises:
        NotFoundError: There is no such trace or span.
        UsageError: Nothing was retrieved in it.
    """
    trace, chosen = _meant(traces, store, given)
    searches = [one for one in trace.spans if one.row["kind"] in _KINDS and one.documents]
    if chosen is not None and chosen not in searches:
        raise UsageError(f"span {chosen.row['span_id']} is no search with documents, but {chosen.row['kind']}")
    if not searches:
        raise UsageError(f"nothing was retrieved in trace {trace.trace_id}: no span of a retriever has documents")
    last = chosen or searches[-1]
    seen = exchange(trace)
    query = _query_of(last) or seen.question or ""
    earlier = [one for one in searches[: searches.index(last)] if one.row["kind"] == "retriever"]
    before = (
        _recorded("before the reranker", query, earlier[-1]) if earlier and last.row["kind"] == "reranker" else None
    )
    return Search(
        name=f"trace {trace.trace_id[:8]}",
        query=query,
        found=_recorded(f"trace {trace.trace_id[:8]}", query, last),
        before=before,
        fingerprint=last.row.get("index_fingerprint"),
        unsupported=_unsupported(seen.answer, query, last.documents),
    )


def _meant(traces: Any, store: Store, given: Any) -> tuple[Any, Span | None]:
    """Return the trace that is meant, and the span where one is."""
    if hasattr(given, "trace") and hasattr(given, "row"):
        return given.trace, given
    if hasattr(given, "spans") and hasattr(given, "trace_id"):
        return given, None
    asked = str(given).strip().lower()
    rows = store.sql("select trace_id from spans where span_id = $id limit 1", {"id": asked}).fetchall()
    trace = traces.get(str(rows[0][0]) if rows else asked)
    return trace, trace.span(asked) if rows else None


def _query_of(span: Span) -> str | None:
    """Return what a search was asked: the text of its input, or the field of it that is a question."""
    given = span.row.get("input")
    if not isinstance(given, str) or not given.strip():
        return None
    if given.lstrip().startswith("{"):
        try:
            fields = json.loads(given)
        except ValueError:
            return given
        return next((str(fields[name]) for name in _QUESTIONS if fields.get(name)), given)
    return given


def _recorded(name: str, query: str, span: Span) -> Recorded:
    rows = [
        {**one, "id": plain_line(one.get("id") or f"document {place}", 200), **_place(one.get("metadata"))}
        for place, one in enumerate(span.documents, start=1)
    ]
    scored = all(isinstance(one.get("score"), int | float) for one in rows)
    return Recorded(name, {query: [one if scored else {**one, "score": -at} for at, one in enumerate(rows)]})


def _place(metadata: Any) -> dict[str, int]:
    """Return where a chunk stands in its document, where its metadata say it."""
    known = metadata if isinstance(metadata, dict) else {}
    return {name: known[name] for name in ("start", "end") if type(known.get(name)) is int}


def _unsupported(answer: Any, query: str, documents: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Return the sentences of an answer that no document supports: by words, numbers and names."""
    if not isinstance(answer, str) or not answer.strip():
        return ()
    given = ScoreInput(output=answer, documents=list(documents), example={"input": query})
    detail = source_support().score(given).detail or {}
    return tuple(str(one["sentence"]) for one in detail.get("unsupported", ()))


def looked_into(search: Search, other: Searchable | None, *, k: int) -> Sides:
    """Return what a search found beside what another finds for the same query.

    Args:
        search: Of a trace.
        other: What it is compared with; None for nothing.
        k: Chunks that are shown.
    """
    theirs: tuple[Hit, ...] = () if other is None else other.search(search.query, k).hits
    sides = side_by_side(search.query, search.found.search(search.query, k).hits, theirs, k=k)
    return Sides(
        query=sides.query,
        relevant=sides.relevant,
        a=sides.a,
        b=sides.b,
        measures=sides.measures,
        missed=sides.missed,
        unsupported=search.unsupported,
    )
