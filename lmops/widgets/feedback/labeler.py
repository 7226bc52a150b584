"""The labeler as a view: what Python can ask of :class:`LabelerController`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.widgets.kit.live import Live

if TYPE_CHECKING:
    from lmops.feedback import QueueProgress
    from lmops.widgets.feedback.controller import LabelerController
    from lmops.widgets.feedback.desk import Desk


class Labeler(Live):
    """Cases one by one, as the user saw them, and a key for each choice; press ? for the keys.

    What is decided is in the store once the page says so: ``ws.sql("from labels")``.

    Args:
        controller: What it shows.
        height: Height in pixels, from 240 to 4,000.
        refused: Why nothing can be changed here; empty where it can.
    """

    _place = "feedback/labeler"
    _controller: LabelerController | Desk

    def __repr__(self) -> str:
        """Say whose work it is, on what."""
        return f"<Labeler {self.queue} as {self.rater or 'whoever comes'}>"

    @property
    def queue(self) -> str:
        """The name of the queue."""
        return self._controller.queue

    @property
    def rater(self) -> str:
        """Who labels; "" where the page asks."""
        return self._controller.rater

    @property
    def progress(self) -> QueueProgress:
        """How far the queue and each of its raters are."""
        return self._controller.progress()
