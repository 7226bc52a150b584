"""Real lexical retrieval in pure Python: chunks, BM25, a hashed embedding and a reranker."""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from lmops.standin.text import sentences, terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.standin.content import Article


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSettings:
    """Everything that decides what the index returns; two equal settings have one fingerprint."""

    #: "sentences" keeps sentences whole, "words" cuts anywhere
    split: Literal["sentences", "words"] = "sentences"
    chunk_words: int = 45
    overlap_sentences: int = 1
    #: chunks of an article beyond this number are not indexed
    max_chunks: int = 3
    #: put the title of the article in front of each chunk
    with_title: bool = True
    k1: float = 1.2
    b: float = 0.6
    #: share of the hashed embedding in the score of a candidate
    embedding_weight: float = 0.2

    @property
    def fingerprint(self) -> str:
        """The settings as a short name; changes when any of them does."""
        text = json.dumps(asdict(self), sort_keys=True)
        return "idx_" + hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of an article."""

    id: str
    article_id: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A chunk that was found, with its score (higher is better, no upper bound)."""

    chunk: Chunk
    score: float


def chunk(article: Article, settings: IndexSettings) -> list[Chunk]:
    """Return the chunks of one article, each with at most ``chunk_words`` words unless one sentence is longer."""
    if settings.split == "words":
        pieces = _by_words(article.text, settings.chunk_words)
    else:
        pieces = _by_sentences(article.text, settings.chunk_words, settings.overlap_sentences)
    head = f"{article.title}\n" if settings.with_title else ""
    return [
        Chunk(id=f"{article.id}#{number}", article_id=article.id, content=head + piece)
        for number, piece in enumerate(pieces[: settings.max_chunks], start=1)
    ]


class Index:
    """A BM25 index over the chunks of some articles."""

    def __init__(self, articles: Sequence[Article], settings: IndexSettings) -> None:
        self.settings = settings
        self.fingerprint = settings.fingerprint
        self.chunks = [piece for article in articles for piece in chunk(article, settings)]
        counts = [Counter(terms(piece.content)) for piece in self.chunks]
        self._lengths = [sum(count.values()) for count in counts]
        self._mean_length = sum(self._lengths) / len(self._lengths)
        self._postings: dict[str, list[tuple[int, int]]] = {}
        for number, count in enumerate(counts):
            for term, times in count.items():
                self._postings.setdefault(term, []).append((number, times))
        self._embeddings = [embed(piece.content) for piece in self.chunks]

    def search(self, query: str, *, top_k: int) -> list[Hit]:
        """Return the best chunks, best first; ties are broken by the chunk's id, and no match gives an empty list."""
        scores: dict[int, float] = {}
        for term in sorted(set(terms(query))):
            postings = self._postings.get(term, [])
            weight = math.log(1 + (len(self.chunks) - len(postings) + 0.5) / (len(postings) + 0.5))
            for number, times in postings:
                norm = 1 - self.settings.b + self.settings.b * self._lengths[number] / self._mean_length
                gain = weight * times * (self.settings.k1 + 1) / (times + self.settings.k1 * norm)
                scores[number] = scores.get(number, 0.0) + gain
        best = sorted(scores, key=lambda number: (-round(scores[number], 6), number))[: 3 * top_k]
        vector = embed(query)
        mixed = {
            number: round(
                scores[number] * (1 + self.settings.embedding_weight * _dot(vector, self._embeddings[number])), 4
            )
            for number in best
        }
        order = sorted(mixed, key=lambda number: (-mixed[number], self.chunks[number].id))[:top_k]
        return [Hit(chunk=self.chunks[number], score=mixed[number]) for number in order]


def rerank(query: str, hits: Sequence[Hit], *, top_k: int) -> list[Hit]:
    """Return the best hits by the share of the query's terms they hold, mixed with their first score."""
    asked = set(terms(query))
    if not hits or not asked:
        return []
    top = max(hit.score for hit in hits)
    scored = [
        Hit(
            chunk=hit.chunk,
            score=round(0.6 * len(asked & set(terms(hit.chunk.content))) / len(asked) + 0.4 * hit.score / top, 4),
        )
        for hit in hits
    ]
    return sorted(scored, key=lambda hit: (-hit.score, hit.chunk.id))[:top_k]


def embed(text: str) -> dict[int, float]:
    """Return a sparse unit vector of hashed three-letter pieces: the stand-in for a real embedding model."""
    padded = " " + " ".join(terms(text)) + " "
    counts = Counter(zlib.crc32(padded[at : at + 3].encode()) % 512 for at in range(len(padded) - 2))
    length = math.sqrt(sum(count * count for count in counts.values())) or 1.0
    return {bucket: count / length for bucket, count in sorted(counts.items())}


def _dot(left: dict[int, float], right: dict[int, float]) -> float:
    return math.fsum(value * right.get(bucket, 0.0) for bucket, value in left.items())


def _by_words(text: str, limit: int) -> list[str]:
    parts = text.split()
    return [" ".join(parts[at : at + limit]) for at in range(0, len(parts), limit)]


def _by_sentences(text: str, limit: int, overlap: int) -> list[str]:
    pieces: list[str] = []
    current: list[str] = []
    for sentence in sentences(text):
        size = sum(len(part.split()) for part in current) + len(sentence.split())
        if current and size > limit:
            pieces.append(" ".join(current))
            current = current[-overlap:] if overlap else []
        current.append(sentence)
    if current:
        pieces.append(" ".join(current))
    return pieces
