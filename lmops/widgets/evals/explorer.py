"""The eval explorer as a view: what Python can ask of :class:`EvalExplorerController`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmops.widgets.kit.live import Live

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from lmops.evals import Comparison
    from lmops.evals.boards import Case
    from lmops.widgets.evals.controller import EvalExplorerController


class EvalExplorer(Live):
    """Runs by cases: scores, what became worse, outputs side by side, slices, confusion; press ? for the keys.

    What is done in it is a Python value: ``.selected``, ``.selected_ids``, ``.df()``, ``.where``, ``.value``.

    Args:
        controller: What it shows.
        height: Height in pixels, from 240 to 4,000.
    """

    _place = "evals/explorer"
    _controller: EvalExplorerController

    def __repr__(self) -> str:
        """Say what is shown."""
        return f"<EvalExplorer {self._controller.total:,} cases: {self._controller.words}>"

    @property
    def value(self) -> Comparison | None:
        """Run a against run b, with intervals and verdicts; None for one run, or where nothing can be compared."""
        return self._controller.comparison

    @property
    def where(self) -> dict[str, Any]:
        """The filter as a plain record; set a part of it, such as ``{"regressions": True}``, to change what is shown.

        Raises:
            UsageError: It cannot be read; the list stays as it is.
            NotFoundError: It names a run, scorer or slice that is not there.
        """
        return self._controller.where

    @where.setter
    def where(self, where: Mapping[str, Any]) -> None:
        self._controller.where = where

    @property
    def selected(self) -> Case | None:
        """The case under the cursor, with everything that the runs answered; None when no row was chosen."""
        return self._controller.selected

    @property
    def selected_ids(self) -> list[str]:
        """The marked cases in the order they were marked; the one under the cursor when none is marked."""
        return self._controller.selected_ids

    def df(self) -> pd.DataFrame:
        """Return the cases shown in their order: input, expected, scores and outputs by run, change, flip."""
        return self._controller.df()

    def refresh(self) -> None:
        """Read the runs again, as far as they are now; what is being read stays where it is."""
        self._controller.refresh()
