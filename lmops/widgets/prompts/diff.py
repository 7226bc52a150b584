"""The prompt diff as a view: what Python can ask of :class:`PromptDiffController`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.widgets.kit.live import Live

if TYPE_CHECKING:
    from lmops.prompts.diffs import PromptDiff
    from lmops.widgets.prompts.diff_controller import PromptDiffController


class PromptDiffView(Live):
    """Two versions of a prompt, side by side or inline, by mouse and keyboard; press ? for the keys.

    Args:
        controller: What it shows.
        height: Height in pixels, from 240 to 4,000.
    """

    _place = "prompts/diff"
    _controller: PromptDiffController

    def __repr__(self) -> str:
        """Say what is compared, and how much changed."""
        return f"<PromptDiffView {self.value.title}: {self.value.summary}>"

    @property
    def value(self) -> PromptDiff:
        """The difference that is shown now: other versions can be chosen in the view."""
        return self._controller.diff

    def show(self, a: int | str, b: int | str) -> None:
        """Compare two other versions of the same prompt.

        Args:
            a: The old version: a number or an alias.
            b: The new one.
        """
        self._controller.show(a, b)
