"""The prompt diff as a widget: a thin skin over :class:`PromptDiffController`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.widgets.kit.assets import script, style
from lmops.widgets.kit.skin import Skin

if TYPE_CHECKING:
    import pandas as pd

    from lmops.prompts._diff import Change, PromptDiff, Stats
    from lmops.widgets.prompts.diff_controller import PromptDiffController


class PromptDiffWidget(Skin):
    """Two versions of a prompt, side by side or inline, by mouse and keyboard; press ? for the keys.

    What it shows is a Python value: ``.value``, ``.text``, ``.df()``, ``.changes``, ``.stats``. With
    ``LMOPS_STATIC=1`` it opens no connection and displays as text and a table.

    Args:
        controller: What it shows.
        height: Height in pixels, from 240 to 4,000.
    """

    _esm = script("prompts/diff.js")
    _css = style("prompts/diff.css")
    _controller: PromptDiffController

    def __repr__(self) -> str:
        """Say what is compared, and how much changed."""
        return f"<PromptDiffWidget {self.value.title}: {self.value.summary}>"

    @property
    def value(self) -> PromptDiff:
        """The difference that is shown, as plain records."""
        return self._controller.diff

    @property
    def text(self) -> str:
        """The difference as plain text, for terminals and archives."""
        return self.value.text

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes of model, parameters, response schema and tools."""
        return self.value.changes

    @property
    def stats(self) -> Stats:
        """How much changed."""
        return self.value.stats

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return self.value.is_empty

    def df(self) -> pd.DataFrame:
        """Return one row a line: message, role, kind, left_line, right_line, left, right."""
        return self.value.df()

    def show(self, a: int | str, b: int | str) -> None:
        """Compare two other versions of the same prompt.

        Args:
            a: The old version: a number or an alias.
            b: The new one.
        """
        self._controller.show(a, b)
