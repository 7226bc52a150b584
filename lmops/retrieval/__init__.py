"""Retrieval: settings in versions, indexes of them, rankings that are measured, and changes that are found.

Settings are an artefact like a prompt: their versions never change, the alias production says which are live, every
move is in the audit chain and can be undone. Their fingerprint stands on each span that retrieves by them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from lmops.base.kinds import refuses_wrong_kinds
from lmops.base.public import only
from lmops.records import Kind, check_words
from lmops.retrieval import _show as _show
from lmops.retrieval import _show_drift as _show_drift
from lmops.retrieval import _show_indexes as _show_indexes
from lmops.retrieval import _show_measures as _show_measures
from lmops.retrieval._drift_records import RetrievalDrift
from lmops.retrieval._drift_verbs import WithDrift
from lmops.retrieval._measure_records import (
    Measure,
    Pool,
    RankingComparison,
    RankingDifference,
    RankingReport,
    Reranked,
)
from lmops.retrieval._said import body_of
from lmops.retrieval._sync import SettingsFiling
from lmops.retrieval._versions import KIND, RUNS
from lmops.retrieval.contract import Chunk, Document, Hit, Ranking, Searchable
from lmops.retrieval.fingerprints import corpus_fingerprint
from lmops.retrieval.indexes.record import IndexRecord
from lmops.retrieval.indexes.searching import Index
from lmops.retrieval.probing import Probe, hashes_of, probed, warn_changed
from lmops.retrieval.recorded import Recorded
from lmops.retrieval.relevance import Judgement
from lmops.retrieval.settings import Chunker, Embedder, Settings
from lmops.retrieval.spaces import refuse_mixed
from lmops.retrieval.stamping import Recorder, Stamp, stamp_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from lmops.retrieval.fingerprints import Documents
    from lmops.retrieval.probing import Cut

__all__ = [
    "Chunk",
    "Chunker",
    "Document",
    "Embedder",
    "Hit",
    "Index",
    "IndexRecord",
    "Judgement",
    "Measure",
    "Pool",
    "Probe",
    "Ranking",
    "RankingComparison",
    "RankingDifference",
    "RankingReport",
    "Recorded",
    "Recorder",
    "Reranked",
    "Retrieval",
    "RetrievalDrift",
    "Searchable",
    "Settings",
    "Stamp",
    "corpus_fingerprint",
    "refuse_mixed",
]
__dir__ = only(__all__)


@refuses_wrong_kinds
class Retrieval(WithDrift):
    """The settings, indexes and measurements of retrieval: ``ws.retrieval``."""

    KIND: ClassVar[Kind[Settings]] = KIND

    def save(
        self,
        name: str,
        *,
        chunker: str | Mapping[str, Any] | Chunker = "sentences",
        cleaner: str = "none",
        embedder: str | Mapping[str, Any] | Embedder | None = None,
        kind: str | None = None,
        params: Mapping[str, Any] | None = None,
        k: int = 10,
        filters: Mapping[str, Any] | None = None,
        fusion: str | Mapping[str, Any] | None = None,
        reranker: str | Mapping[str, Any] | None = None,
        index_version: str | None = None,
        cut: Cut | None = None,
        reason: str | None = None,
        dry_run: bool = False,
    ) -> Settings:
        """Save settings as a version of their name and return it; the same content again is the same version.

        Args:
            name: Of the settings.
            chunker: What cuts documents: "sentences", "words", "whole", "semantic-text-splitter" or "PACKAGE:NAME" of
                one's own, or a mapping with name, size, overlap, unit (characters, words, tokens), tokenizer.
            cleaner: What is done to a text before: "none", "whitespace", "markdown", or "PACKAGE:NAME".
            embedder: What makes vectors: "wordllama:256", or a mapping with model, dim, is_normalised, query_prefix,
                document_prefix; None: words only.
            kind: "bm25", "exact", "hybrid", "usearch", or "STORE:KIND" such as "pgvector:hnsw"; "exact" with an
                embedder and "bm25" without one by default.
            params: Of the index; what is not said is filled in.
            k: Chunks that a query finds.
            filters: What metadata of documents must be: a value, a list of values, or {"at_least": 1, "at_most": 2}.
            fusion: How the rankings of a hybrid become one: "rrf", "weighted", or a mapping with name, and k or weight.
            reranker: A model that puts what was found in another order, or a mapping with model, candidates, and form:
                "chat" (a chat model, the default), or "api" (asked under ``/rerank``).
            index_version: Of the library that ranks; the one that is installed by default, where one does.
            cut: Your own chunker, for its probe: returns the chunks of a text, or where they start and end.
            reason: Why, for the audit chain.
            dry_run: Check everything and change nothing; the version that is returned is not kept.

        Raises:
            UsageError: A part cannot be used; the message names it, and what would work.
        """
        said = {
            "chunker": chunker,
            "cleaner": cleaner,
            "embedder": embedder,
            "kind": kind,
            "params": params,
            "k": k,
            "filters": filters,
            "fusion": fusion,
            "reranker": reranker,
            "index_version": index_version,
        }
        return self._save(name, said, reason, cut=cut, dry_run=dry_run)

    def save_content(
        self, name: str, content: Mapping[str, Any], *, reason: str | None = None, dry_run: bool = False
    ) -> Settings:
        """Save settings out of one mapping, as their file says it; see :meth:`save`.

        Args:
            name: Of the settings.
            content: chunker, cleaner, embedder, kind, params, k, filters, fusion, reranker, index_version.
            reason: Why, for the audit chain.
            dry_run: Check everything and change nothing; the version that is returned is not kept.

        Raises:
            UsageError: A part cannot be used.
        """
        return self._save(name, content, reason, cut=None, dry_run=dry_run)

    def _save(
        self, name: str, content: Mapping[str, Any], reason: str | None, *, cut: Cut | None, dry_run: bool
    ) -> Settings:
        self.KIND.check_name(name)
        body, words = body_of(content), check_words(reason, "reason")
        probe = hashes_of(body["chunker"], cut)  # by code of others: not while the store is locked
        filing = SettingsFiling(self._versions, probe=lambda _: probe)
        with self._project.change(reason=words, dry_run=dry_run) as change:
            return filing.put(change, name, body)[0]

    def get(self, ref: str) -> Settings:
        """Return one version; a warning says where its chunker cuts otherwise than when it was saved.

        Args:
            ref: "docs" (the newest), "docs@3", "docs@production", "docs@sha256:1f2e".

        Raises:
            NotFoundError: There is no such name, version or alias; the message names the nearest ones.
            DamagedStoreError: It is not what the audit chain says was saved.
        """
        found = super().get(ref)
        warn_changed(found)
        return found

    def probe(self, ref: str | Settings, *, cut: Cut | None = None) -> Probe:
        """Cut the texts of the probe again, and return which are cut otherwise than when the settings were saved.

        Args:
            ref: The settings.
            cut: Your own chunker, where lmops does not cut by it: as for :meth:`save`.

        Raises:
            NotFoundError: There are no such settings.
            UsageError: ``cut`` returns no chunks, or fails.
        """
        return probed(ref if isinstance(ref, Settings) else super().get(ref), cut)

    def stamp(
        self, settings: str | Settings, *, corpus: str | Documents | None = None, chunks: int | None = None
    ) -> Stamp:
        """Put the fingerprints of settings and documents on the current span, and return them.

        For whatever vector store an application has; where it is not traced nothing happens. Once it is returned,
        ``stamp.put()`` puts it on another span without a look into the store.

        Args:
            settings: The version that the index was built of; an alias means what it means now.
            corpus: Fingerprint of the documents, or the documents, whose fingerprint is then made.
            chunks: How many the index has.

        Raises:
            NotFoundError: There are no such settings.
            UsageError: It is no fingerprint and no documents.
        """
        found = self._stamp(settings, corpus, chunks)
        found.put()
        return found

    def record(
        self,
        settings: str | Settings,
        *,
        corpus: str | Documents | None = None,
        chunks: int | None = None,
        name: str | None = None,
        documents: Callable[[Any], Iterable[Any]] | None = None,
        content: bool = True,
    ) -> Recorder:
        """Return what records searches of an application's own store as retriever spans with their stamp.

        It decorates a search function, or a coroutine of one; ``with recorder.search(query) as span:
        span.found(rows)`` does the same for a block.

        Args:
            settings: The version that the index was built of; an alias means what it means now.
            corpus: Fingerprint of the documents, or the documents.
            chunks: How many the index has.
            name: Of the spans; "retrieve NAME" by default.
            documents: Turns what the search returns into (id, score), (id, score, text) or mappings with id, score,
                content, metadata.
            content: Record the texts of documents.

        Raises:
            NotFoundError: There are no such settings.
            UsageError: It is no fingerprint and no documents.
        """
        stamp = self._stamp(settings, corpus, chunks)
        called = name or f"retrieve {stamp.settings.partition('@')[0]}"
        return Recorder(stamp, name=called, documents=documents, content=content)

    def _stamp(self, settings: str | Settings, corpus: str | Documents | None, chunks: int | None) -> Stamp:
        if isinstance(settings, Settings):
            warn_changed(settings)
        found = settings if isinstance(settings, Settings) else self.get(settings)
        made = corpus if corpus is None or isinstance(corpus, str) else corpus_fingerprint(corpus)
        return stamp_of(found, corpus=made, chunks=chunks)

    def note_run(self, run: Any, ref: str, *, reason: str | None = None) -> Settings:
        """Note that an evaluation run was made by settings, so that verdicts on it are evidence for that version.

        Args:
            run: The run, or its id.
            ref: The settings; an alias means what it means now.
            reason: Why, for the audit chain.

        Raises:
            NotFoundError: There is no such run or version.
            UsageError: The run is noted under another version.
        """
        version = self.get(ref)
        with self._project.change(reason=reason) as change:
            RUNS.note(change, run, version)
        return version

    def _filing(self) -> SettingsFiling:
        return SettingsFiling(self._versions, probe=hashes_of)
