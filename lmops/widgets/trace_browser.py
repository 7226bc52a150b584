"""The trace browser as a widget: a thin skin over :class:`TraceBrowserController`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.errors import MissingDependencyError, UsageError
from lmops.widgets._assets import script, text_of
from lmops.widgets._static_table import bundle, is_static

try:
    import anywidget
    import traitlets
except ImportError as error:
    raise MissingDependencyError.of("anywidget", "lab") from error

if TYPE_CHECKING:
    import pandas as pd

    from lmops.traces import Trace
    from lmops.widgets.trace_browser_controller import TraceBrowserController

_HEIGHTS: Final = (240, 4_000)


class TraceBrowser(anywidget.AnyWidget):
    """A list of traces to filter, sort and read, by mouse and keyboard.

    What is done in it is a Python value: ``.where``, ``.sql``, ``.df()``, ``.selected``, ``.selected_ids``.
    With ``LMOPS_STATIC=1`` it opens no connection and displays as a table.

    Args:
        controller: What it shows.
        height: Height in pixels, from 240 to 4,000.
    """

    _esm = script("trace_browser.js")
    _css = text_of("trace_browser.css")
    _height = traitlets.Int(560).tag(sync=True)

    def __init__(self, controller: TraceBrowserController, *, height: int = 560) -> None:
        if not isinstance(height, int) or not _HEIGHTS[0] <= height <= _HEIGHTS[1]:
            raise UsageError(f"height={height!r}: give pixels from {_HEIGHTS[0]} to {_HEIGHTS[1]}")
        self._controller = controller
        super().__init__(_height=height)
        controller.on_change = self.send
        self.on_msg(self._answer)

    def open(self) -> None:
        """Open the connection to the page, unless the notebook is written to be read later."""
        if not is_static():
            super().open()

    def _answer(self, _widget: object, message: object, _buffers: object) -> None:
        for answer in self._controller.handle(message):
            self.send(answer)

    def __repr__(self) -> str:
        """Say what is shown."""
        return f"<TraceBrowser {self._controller.total:,} traces: {self._controller.words}>"

    def _repr_mimebundle_(self, **_options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the view and, for exported and untrusted notebooks, the table as HTML."""
        static: dict[str, Any] = dict(bundle(self._controller))
        live = None if is_static() else super()._repr_mimebundle_()
        if live is None:
            return static, {}
        data, metadata = live
        return {**data, **static}, metadata

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
