"""``ws.retrieval``: settings, indexes and measurements, with the explorer of two rankings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmops.errors import LmopsError, UsageError
from lmops.retrieval import Retrieval

if TYPE_CHECKING:
    from lmops.retrieval import RankingComparison, Searchable
    from lmops.widgets.retrieval.explorer import RankingExplorer


class BrowsableRetrieval(Retrieval):
    """The retrieval with its view: bound here, so that no phase imports one."""

    def explore(
        self,
        a: Any,
        b: Any,
        queries: Any = None,
        *,
        k: int = 10,
        query: str = "",
        height: int = 640,
    ) -> RankingExplorer:
        """Return the ranking explorer: queries by what a lost, both rankings side by side, what moved and why.

        Press ? for the keys. With two indexes own queries are asked live (/). In a runbook, in an exported or
        untrusted notebook and without anywidget the same call shows tables.

        Args:
            a: What is judged: an index, its name, rankings or a function; or a run of ``measure``, its id or report.
            b: What it is compared with, likewise.
            queries: The data set by whose judgements both are measured; not needed for runs and own queries.
            k: Chunks that count.
            query: A query of one's own that is asked first, such as that of a trace.
            height: Height in pixels.

        Raises:
            NotFoundError: There is no such index, run or data set.
            UsageError: The two cannot be compared.
        """
        from lmops.retrieval.boards import RankingBoard

        if queries is None and not (self._is_run(a) and self._is_run(b)):
            found = self._searchable(a), self._searchable(b)
            return self._explorer(RankingBoard(_names(*found), k, store=self._store, searchables=found), query, height)
        comparison = self.compare(a, b, queries, k=k, progress=False)
        return self._explorer(self._board(comparison, self._both(a, b)), query, height)

    def explore_span(self, span: Any, b: Any = None, *, k: int = 10, height: int = 640) -> RankingExplorer:
        """Return the explorer of what a trace found: beside what stood there before its reranker, or an index finds.

        Sentences of the answer that no retrieved document supports stand above: by words, numbers and names, no model
        is asked.

        Args:
            span: A retriever's or reranker's span, its id, a trace, or its id: then the last of its searches.
            b: What it is compared with: an index, its name or a function. By default what the retriever found before
                the reranker, else an index of the same settings, else nothing.
            k: Chunks that are shown.
            height: Height in pixels.

        Raises:
            NotFoundError: There is no such trace, span or index.
            UsageError: Nothing was retrieved in it.
        """
        from lmops.retrieval.boards import RankingBoard
        from lmops.retrieval.looking import looked_into, search_of

        found = search_of(self._host.traces, self._store, span)
        other = self._searchable(b) if b is not None else found.before or self._like(found)
        sides = looked_into(found, other, k=k)
        names = (found.name, "nothing to compare with" if other is None else other.name)
        return self._explorer(RankingBoard(names, k, store=self._store, opened=sides), "", height)

    def _like(self, found: Any) -> Searchable | None:
        """Return the index of the settings that a search was made with; None where it is not here."""
        if found.fingerprint is None:
            return None
        frame = self.indexes()
        same = frame[frame["index_fingerprint"] == found.fingerprint]["name"]
        return None if same.empty else self._searchable(same.iloc[0])

    def _with_view(self, found: RankingComparison) -> RankingComparison:
        return found.viewed_by(lambda: self._explorer(self._board(found, self._both(found.a, found.b)), "", 640))

    def _board(self, found: RankingComparison, searchables: tuple[Searchable, Searchable] | None) -> Any:
        from lmops.retrieval.boards import RankingBoard

        return RankingBoard(
            (found.a.searched, found.b.searched),
            found.a.k,
            store=self._store,
            comparison=found,
            examples=self._examples(found.a.run),
            searchables=searchables,
        )

    def _both(self, a: Any, b: Any) -> tuple[Searchable, Searchable] | None:
        """Return what answers own queries on both sides; None where one is a run whose index is not there."""
        made = []
        for one in (a, b):
            try:
                made.append(self._searchable(self.report(one).searched if self._is_run(one) else one))
            except LmopsError:
                return None
        return made[0], made[1]

    def _explorer(self, board: Any, query: str, height: int) -> RankingExplorer:
        from lmops.widgets.retrieval.controller import RankingExplorerController
        from lmops.widgets.retrieval.explorer import RankingExplorer

        if query and not board.can_search:
            raise UsageError(f"query={query[:60]!r} needs both indexes: give them, or their names, to explore(a, b)")
        return RankingExplorer(RankingExplorerController(board, query=query), height=height)


def _names(a: Searchable, b: Searchable) -> tuple[str, str]:
    return a.name, b.name
