"""What the rooms of retrieval share: documents, their chunks, what a query found, and whatever can be searched."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from lmops.base.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A text that is cut, indexed and found.

    Args:
        id: Unique in its corpus.
        text: Its whole text.
        metadata: What filters may ask for: strings, numbers and truth values.
    """

    id: str
    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of a document.

    Args:
        document: Id of the document.
        number: 1, 2, 3, ... in the order of the document.
        start: First character of the document that is in it.
        end: First character that is not in it any more.
        text: What is in it, as it stands in the document.
    """

    document: str
    number: int
    start: int
    end: int
    text: str

    @property
    def id(self) -> str:
        """Its name in rankings and on spans, such as ``pets#2``."""
        return f"{self.document}#{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A chunk that was found.

    Args:
        chunk: What was found.
        rank: 1 for the best.
        score: Higher is better; comparable within one ranking only.
        parts: What the score is made of, such as {"bm25": 7.1, "vector": 0.82, "rerank": 0.9}.
        terms: Terms of the query that the chunk holds, with their share of the lexical score.
    """

    chunk: Chunk
    rank: int
    score: float
    parts: Mapping[str, float] = field(default_factory=dict)
    terms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking(Shown):
    """What one query found.

    Args:
        query: What was asked.
        hits: Best first.
        index_fingerprint: Of the settings.
        corpus_fingerprint: Of the documents.
        took_ms: Milliseconds.
        before_rerank: What the index found, where a reranker put it in another order; else None.
        trace_id: Of its span.
        span_id: Of its span.
    """

    query: str
    hits: tuple[Hit, ...]
    index_fingerprint: str
    corpus_fingerprint: str | None = None
    took_ms: float | None = None
    before_rerank: tuple[Hit, ...] | None = None
    trace_id: str | None = None
    span_id: str | None = None


class Searchable(Protocol):
    """What can be measured and compared: an index of ours, or anything that answers in rankings."""

    @property
    def name(self) -> str:
        """How it is called in reports."""

    @property
    def index_fingerprint(self) -> str:
        """Of its settings."""

    @property
    def corpus_fingerprint(self) -> str | None:
        """Of its documents; None where it is not known."""

    def search(self, query: str, k: int | None = None) -> Ranking:
        """Return the best k chunks of a query; as many as its settings say by default."""

    def search_many(self, queries: Sequence[str], k: int | None = None) -> list[Ranking]:
        """Return the best k chunks of each query, in their order."""
