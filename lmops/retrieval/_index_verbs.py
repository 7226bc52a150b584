"""The verbs that build and search an index of one's own."""

from __future__ import annotations

import functools
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from lmops.records import Filed
from lmops.retrieval.indexes.record import IndexRecord
from lmops.retrieval.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from lmops.retrieval._indexes import Indexes
    from lmops.retrieval.contract import Ranking
    from lmops.retrieval.hosting import Host
    from lmops.retrieval.indexes.searching import Index


class WithIndexes(Filed[Settings]):
    """Settings with the verbs of indexes."""

    def __init__(self, host: Host) -> None:
        super().__init__(host.project)
        self._host = host
        self._opened: dict[tuple[str, str, bool], Index] = {}

    def build(
        self,
        name: str,
        documents: Any,
        settings: str | Settings,
        *,
        reason: str | None = None,
        tracing: bool = True,
    ) -> Index:
        """Build an index of documents, or bring the one with this name up to date; return it.

        Only documents that changed are cut again, and only texts that are new are embedded. Until all of it is there
        the old index answers; cut short, the same call goes on behind what was embedded. The same documents and
        settings again change nothing.

        Args:
            name: Of the index, such as "docs".
            documents: Documents; mappings with id, text and metadata; texts by id; a DataFrame with the columns id and
                text, the others being metadata; a data set or its reference (the input of an example is the text, its
                id the id); the path of a folder (a document a file, its path the id) or of a file of JSON lines. They
                are all that is in the index: those that are not among them any more go.
            settings: A version, or its reference; "docs@production" means what it means now.
            reason: Why, for the audit chain.
            tracing: Record searches of what is returned as spans.

        Raises:
            UsageError: There is no document, two have one id, one is none, or the settings are of a store of your own.
            NotFoundError: There are no such settings, no such file or data set.
            ModelError: The embedder failed; what was embedded is kept for the next call.
            RefusedError: The embedder makes vectors of another dimension than the settings say.
            MissingDependencyError: What cuts, counts or embeds is not installed.
            BusyError: Another process builds it at the moment.
            StoreFullError: The disk is full; the old index is whole.
        """
        from lmops.retrieval._indexes import check_name
        from lmops.retrieval.indexes.documents import documents_of

        check_name(name)
        version = self.get(settings.ref if isinstance(settings, Settings) else settings)
        found = documents_of(documents, self._host.datasets)
        return self._indexes.build(name, found, version, reason=reason, tracing=tracing)

    def index(self, name: str, *, tracing: bool = True) -> Index:
        """Return an index that was built; it stays as it is while another one is built in its place.

        Args:
            name: Of the index.
            tracing: Record its searches as spans.

        Raises:
            NotFoundError: There is none.
            DamagedStoreError: A file of it is missing, or it is not what the audit chain says was built.
        """
        row = self._indexes.row(name)
        key = name, str(row["folder"]), tracing
        if key not in self._opened:
            for old in [one for one in self._opened if one[0] == name and one[1] != key[1]]:
                del self._opened[old]
            self._opened[key] = self._indexes.opened(row, self.get(str(row["settings"])), tracing=tracing)
        return self._opened[key]

    def search(
        self,
        name: str,
        query: str,
        k: int | None = None,
        *,
        filters: Mapping[str, Any] | None = None,
        tracing: bool = True,
    ) -> Ranking:
        """Return the best k chunks that an index has for a query; an index that was built anew is seen at once.

        Args:
            name: Of the index.
            query: What is asked.
            k: How many at most; as many as its settings say by default.
            filters: What metadata of documents must be: {"language": "en", "year": {"at_least": 2024}}.
            tracing: Record it as spans: the retriever's, and the reranker's apart.

        Raises:
            NotFoundError: There is no such index.
            UsageError: The query is empty, or k or a filter cannot be used.
            ModelError: The embedder or the reranker failed.
            RefusedError: The embedder answers with other vectors than when the index was built.
        """
        return self.index(name, tracing=tracing).search(query, k, filters=filters)

    def indexes(self) -> pd.DataFrame:
        """Return one row an index, sorted by name.

        Returns:
            name, settings (name@version), documents, chunks, bytes, index_fingerprint, corpus_fingerprint, built_at
            (UTC), author.
        """
        from lmops.base.frames import Frame

        rows = [asdict(IndexRecord.of(row)) for row in self._indexes.rows()]
        return Frame(rows, columns=[one.name for one in fields(IndexRecord)])

    def drop(self, name: str, *, reason: str | None = None, dry_run: bool = False) -> IndexRecord:
        """Remove an index with its files; return what it was. Documents and settings stay where they are.

        Args:
            name: Of the index.
            reason: Why, for the audit chain.
            dry_run: Check everything and change nothing.

        Raises:
            NotFoundError: There is none.
            BusyError: Another process builds it at the moment.
        """
        return self._indexes.drop(name, reason=reason, dry_run=dry_run)

    @functools.cached_property
    def _indexes(self) -> Indexes:
        from lmops.retrieval._indexes import Indexes  # numpy comes with it

        return Indexes(self._project, self._host.models)
