"""The comparison of prompt versions as a widget: a thin skin over :class:`PromptCompareController`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.widgets.kit.assets import script, style
from lmops.widgets.kit.skin import Skin

if TYPE_CHECKING:
    import pandas as pd

    from lmops.prompts._compare import PromptComparison
    from lmops.widgets.prompts.compare_controller import PromptCompareController


class PromptCompareWidget(Skin):
    """How versions of a prompt behaved, with n and intervals, and what they answered to the same inputs.

    What it shows is a Python value: ``.value``, ``.df()``, ``.outputs``, ``.caveats``, ``.text``. With
    ``LMOPS_STATIC=1`` it opens no connection and displays as text and a table.

    Args:
        controller: What it shows.
        height: Height in pixels, from 240 to 4,000.
    """

    _esm = script("prompts/compare.js")
    _css = style("prompts/compare.css")
    _controller: PromptCompareController

    def __repr__(self) -> str:
        """Say what is compared."""
        return repr(self.value).replace("<PromptComparison", "<PromptCompareWidget")

    @property
    def value(self) -> PromptComparison:
        """The comparison that is shown, as plain records."""
        return self._controller.comparison

    @property
    def text(self) -> str:
        """The comparison as plain text."""
        return self.value.text

    @property
    def caveats(self) -> tuple[str, ...]:
        """What may explain a difference beside the prompt."""
        return self.value.caveats

    @property
    def outputs(self) -> pd.DataFrame | None:
        """What the versions answered to the same inputs; None when they were not evaluated over one dataset."""
        return self.value.outputs

    def df(self) -> pd.DataFrame:
        """Return one row a measure and version: value, low, high, n, and the difference from the first version."""
        return self.value.df()
