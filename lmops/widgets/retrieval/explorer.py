"""The ranking explorer: what Python can ask of it."""

from __future__ import annotations

from lmops.widgets.kit.live import Live


class RankingExplorer(Live):
    """Two rankings of the same queries: which lost, what moved, what is relevant, and why it scored."""

    _place = "retrieval/explorer"

    @property
    def selected(self) -> str | None:
        """The id of the query that is shown; None for one of one's own."""
        found: str | None = self._controller.cursor
        return found

    @property
    def query(self) -> str:
        """The query of one's own that is shown; empty for one of the data set."""
        found: str = self._controller.query
        return found
