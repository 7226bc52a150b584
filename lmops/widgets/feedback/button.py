"""The feedback button as a view: what Python can ask of :class:`FeedbackButtonController`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.widgets.kit.live import Live

if TYPE_CHECKING:
    from lmops.widgets.feedback.button_controller import FeedbackButtonController


class FeedbackButton(Live):
    """An answer with a thumb, a comment and a correction beside it, by mouse and keyboard; press ? for the keys.

    Args:
        controller: What it shows.
        refused: Why nothing can be said here; empty where it can.
    """

    _place = "feedback/button"
    _controller: FeedbackButtonController

    def __init__(self, controller: FeedbackButtonController, *, refused: str = "") -> None:
        super().__init__(controller, height=240, refused=refused)

    def __repr__(self) -> str:
        """Say what was said."""
        return f"<FeedbackButton {self._controller.words}>"

    @property
    def value(self) -> str | None:
        """The thumb, "up" or "down"; None where nothing was said yet."""
        return self._controller.said(self._controller.name)[0]

    @property
    def comment(self) -> str | None:
        """What was said beside the thumb."""
        return self._controller.said(self._controller.name)[1]

    @property
    def correction(self) -> str | None:
        """What the answer should have been."""
        return self._controller.said(self._controller.CORRECTION)[0]
