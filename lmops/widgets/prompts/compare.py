"""The comparison of prompt versions as a view: what Python can ask of :class:`PromptCompareController`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.widgets.kit.live import Live

if TYPE_CHECKING:
    from lmops.prompts.comparisons import PromptComparison
    from lmops.widgets.prompts.compare_controller import PromptCompareController


class PromptCompareView(Live):
    """How versions of a prompt behaved, with n and intervals, and what they answered to the same inputs.

    Args:
        controller: What it shows.
        height: Height in pixels, from 240 to 4,000.
    """

    _place = "prompts/compare"
    _controller: PromptCompareController

    def __repr__(self) -> str:
        """Say what is compared."""
        return repr(self.value).replace("<PromptComparison", "<PromptCompareView")

    @property
    def value(self) -> PromptComparison:
        """The comparison that is shown."""
        return self._controller.comparison
