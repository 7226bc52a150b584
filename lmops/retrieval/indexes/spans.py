"""Searches as spans: what the index found is a retriever's, what a reranker made of it is one of its own."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, Protocol

from lmops.retrieval.contract import Ranking
from lmops.traces import trace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lmops.retrieval.contract import Hit
    from lmops.retrieval.settings import Settings
    from lmops.retrieval.stamping import Recorder

    Found = tuple[Hit, ...]


class Searched(Protocol):
    """What is searched, as far as a span says it."""

    settings: Settings
    tracing: bool

    @property
    def name(self) -> str:
        """How it is called."""

    @property
    def index_fingerprint(self) -> str:
        """Of its settings."""

    @property
    def corpus_fingerprint(self) -> str:
        """Of its documents."""

    @property
    def recorder(self) -> Recorder:
        """Puts what was found, and what the index was built of, on a span."""


def recorded(
    index: Searched,
    queries: Sequence[str],
    k: int,
    *,
    find: Callable[[Sequence[str], int], list[Found]],
    rerank: Callable[[str, Found], Found],
) -> list[Ranking]:
    """Return the rankings of some queries, each with its spans where an application is traced.

    A query alone is found inside of its span, so that what its embedder is asked stands below; several are found
    together, and each has a span that says what it found.

    Args:
        index: What is searched.
        queries: What is asked.
        k: How many each finds.
        find: Returns what the index finds, so many for each.
        rerank: Puts what one found in its last order.
    """
    reranker = index.settings.reranker
    many = k if reranker is None else max(k, int(reranker["candidates"]))
    began = time.perf_counter()
    together = find(queries, many) if len(queries) > 1 else None
    each_ms = (time.perf_counter() - began) * 1000 / len(queries)
    made = []
    for place, query in enumerate(queries):
        started = time.perf_counter()
        with _span(index, f"search {index.name}", "chain") if reranker is not None else contextlib.nullcontext():
            with _span(index, f"retrieve {index.name}", "retriever") as span:
                found = find([query], many)[0] if together is None else together[place]
                told = _told(span, index, query, found, many)
            last = found[:k]
            if reranker is not None:
                with _span(index, f"rerank {index.name}", "reranker") as span:
                    last = rerank(query, found)
                    _told(span, index, query, last, k, model=str(reranker["model"]))
        made.append(
            Ranking(
                query=query,
                hits=last,
                index_fingerprint=index.index_fingerprint,
                corpus_fingerprint=index.corpus_fingerprint,
                took_ms=(time.perf_counter() - started) * 1000 + (0.0 if together is None else each_ms),
                before_rerank=None if reranker is None else found,
                trace_id=told[0],
                span_id=told[1],
            )
        )
    return made


def _span(index: Searched, name: str, kind: Any) -> Any:
    return trace(name, kind=kind) if index.tracing else contextlib.nullcontext()


def _told(
    span: Any, index: Searched, query: str, hits: Found, k: int, model: str | None = None
) -> tuple[str | None, str | None]:
    """Put what was asked and found on a span; return the ids of its trace and of itself, where it is recorded."""
    if span is None or not span.is_recording():
        return None, None
    index.recorder.opened(span, query, k).found(hits)
    more = {"gen_ai.data_source.id": index.name} | ({} if model is None else {"gen_ai.request.model": model})
    span.set_attributes(more)
    context = span.get_span_context()
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"
