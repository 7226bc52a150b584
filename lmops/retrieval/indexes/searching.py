"""An index that is searched: by words, by vectors or by both, filtered, put in another order, traced."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lmops.base.shown import Shown
from lmops.errors import NotFoundError, UsageError
from lmops.retrieval._said import filters_of
from lmops.retrieval.contract import Document, Hit, Ranking
from lmops.retrieval.indexes.embedding import embedded
from lmops.retrieval.indexes.files import CANARY, GRAPH, WORDS, Built
from lmops.retrieval.indexes.filtering import is_allowed
from lmops.retrieval.indexes.fusing import fused
from lmops.retrieval.indexes.lexical import Lexical
from lmops.retrieval.indexes.reranking import reranked
from lmops.retrieval.indexes.spans import recorded
from lmops.retrieval.indexes.vectors import nearest, top
from lmops.retrieval.spaces import CANARY_TEXT, refuse_other_vectors
from lmops.retrieval.stamping import Recorder, stamp_of
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from lmops.retrieval.contract import Chunk
    from lmops.retrieval.indexes.building import Work
    from lmops.retrieval.indexes.graph import Graph
    from lmops.retrieval.indexes.record import IndexRecord
    from lmops.retrieval.indexes.vectors import Vectors
    from lmops.retrieval.settings import Settings

#: So many of each ranking are fused.
_FUSED: Final = 100
_MOST: Final = 10_000


class Index(Shown):
    """An index as it was built: what is searched stays the same while another one is built in its place.

    Made by ``ws.retrieval.build`` and ``ws.retrieval.index``.

    Args:
        record: What is known of it.
        settings: The version that it was built of.
        folder: Where its files are.
        models: ``ws.models``.
        work: What the build did; None where it was only opened.
        tracing: Record searches as spans.
    """

    def __init__(
        self,
        record: IndexRecord,
        settings: Settings,
        folder: Path,
        models: Any,
        *,
        work: Work | None = None,
        tracing: bool = True,
    ) -> None:
        self.record = record
        self.settings = settings
        self.work = work
        self.tracing = tracing
        self._models = models
        # All at once: another build takes the folder away, and what is open stays.
        self._files = Built(folder)
        self._lexical = _lexical(folder / WORDS, settings)
        self._graph = _graph(folder / GRAPH, settings)
        self._canary = np.load(folder / CANARY, allow_pickle=False)[0] if settings.embedder is not None else None
        self._is_checked = False

    def __repr__(self) -> str:
        one = self.record
        return f"<Index {one.name} ({one.settings}): {one.documents:,} documents, {one.chunks:,} chunks>"

    def __len__(self) -> int:
        """Return how many chunks there are."""
        return self.record.chunks

    @property
    def name(self) -> str:
        """How it is called."""
        return self.record.name

    @property
    def index_fingerprint(self) -> str:
        """Of its settings."""
        return self.record.index_fingerprint

    @property
    def corpus_fingerprint(self) -> str:
        """Of its documents."""
        return self.record.corpus_fingerprint

    @functools.cached_property
    def recorder(self) -> Recorder:
        """Puts what was found, and what it was built of, on a span."""
        stamp = stamp_of(self.settings, corpus=self.corpus_fingerprint, chunks=len(self))
        return Recorder(stamp, name=f"retrieve {self.name}", documents=None, content=True)

    # -- what is in it -----------------------------------------------------------------------------------------------

    def document(self, name: str) -> Document:
        """Return a document as it was indexed.

        Args:
            name: Its id.

        Raises:
            NotFoundError: It is not in the index.
        """
        number = self._number(name)
        head = self._files.head(number)
        return Document(id=head["id"], text=self._files.document(number), metadata=head["metadata"])

    def chunks_of(self, name: str) -> list[Chunk]:
        """Return the chunks of a document, in its order.

        Args:
            name: Its id.

        Raises:
            NotFoundError: It is not in the index.
        """
        row = self._files.documents[self._number(name)]
        return [self._files.chunk(int(row["first"]) + place) for place in range(int(row["count"]))]

    def terms(self, query: str, chunk: Chunk) -> dict[str, float]:
        """Return the words of a query that a chunk holds, with their share of its lexical score, the greatest first.

        Args:
            query: What is asked.
            chunk: A chunk of this index.

        Raises:
            NotFoundError: It is not in the index.
        """
        if self._lexical is None:
            return {}
        row = self._files.documents[self._number(chunk.document)]
        return self._lexical.terms(query, int(row["first"]) + chunk.number - 1)

    # -- searching ---------------------------------------------------------------------------------------------------

    def search(self, query: str, k: int | None = None, *, filters: Mapping[str, Any] | None = None) -> Ranking:
        """Return the best k chunks of a query.

        Where an application is traced, what the index found is a span of kind retriever, and what a reranker made of
        it one of kind reranker.

        Args:
            query: What is asked.
            k: How many at most; as many as its settings say by default.
            filters: What metadata of documents must be beside what the settings ask: {"language": "en", "year":
                {"at_least": 2024}}.

        Raises:
            UsageError: The query is empty, or k or a filter cannot be used.
            ModelError: The embedder or the reranker failed.
            RefusedError: The embedder answers with other vectors than when the index was built.
        """
        return self._searched([query], k, filters)[0]

    def search_many(
        self, queries: Sequence[str], k: int | None = None, *, filters: Mapping[str, Any] | None = None
    ) -> list[Ranking]:
        """Return the best k chunks of each query, in their order; the same as one by one, and several times faster.

        Args:
            queries: What is asked.
            k: As for :meth:`search`.
            filters: As for :meth:`search`.

        Raises:
            UsageError: A query is empty, or k or a filter cannot be used.
            ModelError: The embedder or the reranker failed.
            RefusedError: The embedder answers with other vectors than when the index was built.
        """
        if isinstance(queries, str):
            raise UsageError("search_many takes several queries; search(query) takes one")
        return self._searched(list(queries), k, filters)

    def _searched(self, queries: list[str], k: int | None, filters: Mapping[str, Any] | None) -> list[Ranking]:
        for place, query in enumerate(queries, start=1):
            if not isinstance(query, str) or not query.strip():
                which = f"query {place} of {len(queries)}" if len(queries) > 1 else "the query"
                raise UsageError(f"{which} is {plain_line(repr(query), 60)}: give words to look for in {self.name!r}")
        wanted = self.settings.k if k is None else k
        if isinstance(wanted, bool) or not isinstance(wanted, int) or not 1 <= wanted <= _MOST:
            raise UsageError(f"k={plain_line(repr(k), 40)}: give a whole number from 1 to {_MOST:,}")
        if not queries:
            return []
        allowed = self._allowed(filters)
        return recorded(
            self,
            queries,
            wanted,
            find=lambda some, many: self._found(some, many, allowed),
            rerank=lambda query, hits: self._reranked(query, hits, wanted),
        )

    def _reranked(self, query: str, hits: tuple[Hit, ...], k: int) -> tuple[Hit, ...]:
        reranker = self.settings.reranker
        return hits[:k] if reranker is None else reranked(self._models, reranker, query, hits, k)

    def _found(self, queries: Sequence[str], k: int, allowed: npt.NDArray[np.bool_] | None) -> list[tuple[Hit, ...]]:
        """Return what the index finds for each query, before any reranker."""
        words, vectors = self._lexical, self._files.vectors
        depth = max(k, _FUSED) if words is not None and vectors is not None else k
        asked = self._embedded(queries) if vectors is not None else None
        near = self._near(asked, depth, allowed) if asked is not None else [None] * len(queries)
        found = []
        for place, (query, one) in enumerate(zip(queries, near, strict=True)):
            scores = None if words is None else words.scores(query.encode("utf-8", "replace").decode())
            if scores is not None and allowed is not None:
                scores[~allowed] = -np.inf
            by_words = [] if scores is None else [(int(at), float(scores[at])) for at in top(scores, depth)]
            by_vectors = [] if one is None else list(zip(one[0].tolist(), one[1].tolist(), strict=True))
            ranked = by_words or by_vectors
            if scores is not None and one is not None:
                ranked = fused(by_vectors, by_words, self.settings.fusion or {"name": "rrf", "k": 60})
            vector = None if asked is None else asked[place]
            found.append(
                tuple(
                    self._hit(query, at, rank, score, scores, vector)
                    for rank, (at, score) in enumerate(ranked[:k], start=1)
                )
            )
        return found

    def _near(self, asked: Vectors, k: int, allowed: npt.NDArray[np.bool_] | None) -> Any:
        """Return the nearest vectors of each query; a filter needs all of them to be compared."""
        if self._graph is not None and allowed is None:
            return self._graph.near(self._files.vectors, asked, k)
        return nearest(self._files.vectors, asked, k, allowed)

    def _hit(
        self,
        query: str,
        place: int,
        rank: int,
        score: float,
        scores: npt.NDArray[np.float32] | None,
        vector: Vectors | None,
    ) -> Hit:
        parts: dict[str, float] = {}
        terms: dict[str, float] = {}
        if vector is not None and self._files.vectors is not None:
            parts["vector"] = float((self._files.vectors[place].astype(np.float64) * vector.astype(np.float64)).sum())
        if scores is not None and self._lexical is not None and scores[place] > -np.inf:
            parts["bm25"] = float(scores[place])
            terms = self._lexical.terms(query, place)
        return Hit(chunk=self._files.chunk(place), rank=rank, score=score, parts=parts, terms=terms)

    # -- what it needs -----------------------------------------------------------------------------------------------

    @functools.cached_property
    def _heads(self) -> list[dict[str, Any]]:
        return list(self._files.heads())

    @functools.cached_property
    def _numbers(self) -> dict[str, int]:
        return {head["id"]: number for number, head in enumerate(self._heads)}

    def _number(self, name: str) -> int:
        if name not in self._numbers:
            raise NotFoundError.of(f"document in the index {self.name!r}", str(name), list(self._numbers)[:2_000])
        return self._numbers[name]

    def _embedded(self, queries: Sequence[str]) -> Vectors:
        """Return the vectors of queries, once the embedder is seen to be the one that made the index."""
        embedder = self.settings.embedder
        if embedder is None:
            raise UsageError(f"the settings {self.settings.ref} say nothing that makes vectors")
        texts = [embedder.query_prefix + query.encode("utf-8", "replace").decode() for query in queries]
        if self._is_checked:
            return embedded(self._models, embedder, texts)
        *asked, canary = embedded(self._models, embedder, [*texts, embedder.query_prefix + CANARY_TEXT])
        if self._canary is not None:
            since = f"the index {self.name!r} of {self.record.built_at:%Y-%m-%d}"
            refuse_other_vectors(embedder, self._canary, canary, since=since)
        self._is_checked = True
        return np.asarray(asked, np.float32)

    def _allowed(self, filters: Mapping[str, Any] | None) -> npt.NDArray[np.bool_] | None:
        """Return which chunks may be found; None for all."""
        asked = [dict(one) for one in (self.settings.filters, filters_of(filters)) if one]
        if not asked:
            return None
        ok = [all(is_allowed(head["metadata"], one) for one in asked) for head in self._heads]
        allowed: npt.NDArray[np.bool_] = np.asarray(ok, bool)[self._files.chunks["document"]]
        return allowed


def _lexical(path: Path, settings: Settings) -> Lexical | None:
    return Lexical.load(path, settings.params.get("language")) if path.exists() else None


def _graph(path: Path, settings: Settings) -> Graph | None:
    if settings.embedder is None or not path.exists():
        return None
    from lmops.retrieval.indexes.graph import Graph

    return Graph(path, settings.embedder.dim, settings.params)
