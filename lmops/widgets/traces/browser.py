"""The trace browser as a view: what Python can ask of :class:`TraceBrowserController`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.base.units import counted
from lmops.widgets.kit.live import Live

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from lmops.traces import Trace
    from lmops.traces.views import TraceView
    from lmops.widgets.traces.controller import TraceBrowserController


class TraceBrowser(Live):
    """A list of traces to filter, sort and read, by mouse and keyboard.

    What is done in it is a Python value: ``.where``, ``.sql``, ``.df()``, ``.selected``, ``.selected_ids``, ``.view``;
    ``.export()`` writes a file.

    Args:
        controller: What it shows.
        height: Height in pixels, from 240 to 4,000.
    """

    _place = "traces/browser"
    _controller: TraceBrowserController

    def __repr__(self) -> str:
        """Say what is shown."""
        return f"<TraceBrowser {counted(self._controller.total, self._controller.noun)}: {self._controller.words}>"

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

    def export(self, form: str = "parquet") -> Path:
        """Write what is listed into a new file of the working directory, piece by piece; return where it is.

        Args:
            form: "csv" or "parquet". In CSV lists are text, and a text that a spreadsheet would take for a formula has
                an apostrophe before it.

        Raises:
            UsageError: It is neither.
            StoreError: The file cannot be written.
        """
        return self._controller.export(form)[0]

    @property
    def view(self) -> TraceView:
        """What is shown, as ``ws.traces.views.keep(name, view)`` saves it."""
        return self._controller.view

    def refresh(self) -> None:
        """Take in the traces that have arrived since; what is being read stays where it is."""
        self._controller.refresh()
