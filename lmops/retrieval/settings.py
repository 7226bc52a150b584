"""What decides which chunks a query finds: the settings of retrieval, in versions, and the fingerprint of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lmops.records import Version
from lmops.retrieval.fingerprints import content_fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The parts of the content, in the order in which they are shown.
PARTS: Final = (
    "chunker",
    "cleaner",
    "embedder",
    "kind",
    "index_version",
    "params",
    "k",
    "filters",
    "fusion",
    "reranker",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunker:
    """How documents are cut.

    Args:
        name: Of what cuts: "sentences", "words", "whole", "semantic-text-splitter", or "PACKAGE:NAME" of an
            application's own, such as "langchain-text-splitters:RecursiveCharacterTextSplitter".
        size: Longest chunk, in units; 0: the whole document.
        overlap: Most units that a chunk repeats of the one before it.
        unit: "characters", "words" or "tokens".
        version: Of the library that cuts; filled in when the settings are saved; None where it is lmops itself.
        tokenizer: Whose tokens are counted, such as "tiktoken:gpt-4o"; None where none are.
    """

    name: str = "sentences"
    size: int = 800
    overlap: int = 0
    unit: str = "characters"
    version: str | None = None
    tokenizer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedder:
    """What makes vectors of texts.

    Args:
        model: "standin:embed-1", "wordllama:256", "openai:text-embedding-3-small", any endpoint.
        dim: Numbers in a vector.
        is_normalised: Each vector has length 1.
        query_prefix: Stands before each query, such as "query: ".
        document_prefix: Stands before each chunk, such as "passage: ".
        version: Of the library that has the weights; filled in when the settings are saved; None where an endpoint
            answers.
    """

    model: str
    dim: int
    is_normalised: bool = True
    query_prefix: str = ""
    document_prefix: str = ""
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Version):
    """One version of the settings of an index.

    Args:
        chunker: How documents are cut.
        cleaner: What is done to a text before: "none", "whitespace", "markdown", or "PACKAGE:NAME" of one's own.
        embedder: What makes vectors; None: words only.
        kind: "bm25", "exact" (vectors), "hybrid" (both), "usearch" (vectors, approximately), or "STORE:KIND" of an
            application's own vector store, such as "pgvector:hnsw".
        index_version: Of the library that ranks, such as bm25s; None where it is lmops itself or not known.
        params: Of the index, such as {"k1": 1.2, "b": 0.75, "language": "en"}.
        k: Chunks that a query finds.
        filters: What metadata of documents must be: {"language": ["en"], "year": {"at_least": 2024}}.
        fusion: How the two rankings of a hybrid become one: {"name": "rrf", "k": 60} or {"name": "weighted",
            "weight": 0.5}, the share of the vectors.
        reranker: A model that puts what was found in another order: {"model": ..., "candidates": 50}, with {"form":
            "api"} where it is asked under ``/rerank``; None: none.
    """

    chunker: Chunker
    cleaner: str = "none"
    embedder: Embedder | None = None
    kind: str = "bm25"
    index_version: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    k: int = 10
    filters: Mapping[str, Any] = field(default_factory=dict)
    fusion: Mapping[str, Any] | None = None
    reranker: Mapping[str, Any] | None = None
    probe: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def content(self) -> dict[str, Any]:
        """What they are made of, as plain data: neither a name nor a note, and no documents."""
        found = {name: getattr(self, name) for name in PARTS}
        found["chunker"] = asdict(self.chunker)
        found["embedder"] = None if self.embedder is None else asdict(self.embedder)
        return found

    @property
    def fingerprint(self) -> str:
        """Of their content, 32 hex digits: it stands on each span that retrieves by them."""
        return content_fingerprint(self.content)
