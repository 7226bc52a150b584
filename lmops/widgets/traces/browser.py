"""The trace browser as a view: what Python can ask of :class:`TraceBrowserController`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.widgets.kit.live import Live

if TYPE_CHECKING:
    import pandas as pd

    from lmops.traces import Trace
    from lmops.widgets.traces.controller import TraceBrowserController


class TraceBrowser(Live):
    """A list of traces to filter, sort and read, by mouse and keyboard.

    What is done in it is a Python value: ``.where``, ``.sql``, ``.df()``, ``.selected``, ``.selected_ids``.

    Args:
        controller: What it shows.
        height: Height in pixels, from 240 to 4,000.
    """

    _place = "traces/browser"
    _controller: TraceBrowserController

    def __repr__(self) -> str:
        """Say what is shown."""
        return f"<TraceBrowser {self._controller.total:,} traces: {self._controller.words}>"

    # -- what Python can ask ---------------------------------------------------------------------------------------

    @property
    def where(self) -> str | None:
        """The filter as one SQL predicate; set it to change what is shown, None shows all.

        Raises:
            QueryError: The search cannot be read; the list stays as it is.
        """
        return self._controller.where

    @where.setter
    def where(self, where: str | None) -> None:
        self._controller.where = where

    @property
    def sql(self) -> str:
        """The list as one query for ``ws.sql``."""
        return self._controller.sql

    @property
    def selected(self) -> Trace | None:
        """The trace under the cursor; None when no row was chosen."""
        return self._controller.selected

    @property
    def selected_ids(self) -> list[str]:
        """The marked traces in the order they were marked; the one under the cursor when none is marked."""
        return self._controller.selected_ids

    def df(self) -> pd.DataFrame:
        """Return all traces of the list in its order, with every column of ``traces``."""
        return self._controller.df()

    def refresh(self) -> None:
        """Take in the traces that have arrived since; what is being read stays where it is."""
        self._controller.refresh()
