"""The board of failure modes as a view: what Python can ask of :class:`ThemesController`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.widgets.kit.live import Live

if TYPE_CHECKING:
    from lmops.feedback import Themes
    from lmops.widgets.feedback.themes_controller import ThemesController


class ThemesBoard(Live):
    """Notes as cards, failure modes as columns: moved, renamed, merged and split by keys or by dragging.

    Args:
        controller: What it shows.
        height: Height in pixels, from 240 to 4,000.
        refused: Why nothing can be changed here; empty where it can.
    """

    _place = "feedback/themes"
    _controller: ThemesController

    def __repr__(self) -> str:
        """Say what is sorted."""
        return repr(self.value).replace("<Themes", "<ThemesBoard")

    @property
    def value(self) -> Themes:
        """The notes and failure modes that are shown."""
        return self._controller.themes

    def refresh(self) -> None:
        """Take in what raters and others have done since."""
        self._controller.refresh()
