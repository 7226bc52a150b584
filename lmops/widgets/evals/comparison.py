"""A comparison that shows itself as the eval explorer where a kernel answers, and as tables elsewhere."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from lmops.errors import MissingDependencyError
from lmops.evals import Comparison
from lmops.widgets.kit.static import is_static

if TYPE_CHECKING:
    from collections.abc import Callable

    import plotly.graph_objects as go

    from lmops.widgets.evals.controller import EvalExplorerController
    from lmops.widgets.evals.explorer import EvalExplorer


class ShownComparison(Comparison):
    """A comparison with its ``.explorer``; nothing of that is made before it is shown.

    Args:
        found: The comparison.
        make: Makes what the explorer shows.
    """

    def __init__(self, found: Comparison, make: Callable[[], EvalExplorerController]) -> None:
        vars(self).update(vars(found))
        self._make = make

    @cached_property
    def _controller(self) -> EvalExplorerController:
        return self._make()

    @cached_property
    def explorer(self) -> EvalExplorer:
        """The eval explorer of the two runs: ``.selected``, ``.selected_ids``, ``.df()``, ``.where``.

        Raises:
            MissingDependencyError: anywidget is not installed.
        """
        from lmops.widgets.evals.explorer import EvalExplorer

        return EvalExplorer(self._controller, height=640)

    def plot(self, kind: Literal["difference", "scores", "cost"] = "difference") -> go.Figure:
        """Return a figure: the paired differences, the scores of both runs, or their quality against cost.

        Args:
            kind: "difference", "scores" or "cost"; each with intervals.

        Raises:
            UsageError: Another kind.
        """
        from lmops import charts
        from lmops.errors import UsageError, did_you_mean
        from lmops.evals._summary import side_by_side

        if kind == "difference":
            return charts.differences(self.df())
        both = {"scores": charts.scores, "cost": charts.quality_and_cost}
        if kind not in both:
            raise UsageError(did_you_mean("figure of a comparison", str(kind), ["difference", *both]))
        return both[kind](side_by_side([self.b, self.a], level=1 - self.alpha))

    def _repr_mimebundle_(self, **_options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the view and the static forms; only these in a notebook that is read later, or without anywidget."""
        if not is_static():
            try:
                return self.explorer._repr_mimebundle_()
            except MissingDependencyError:
                pass
        return dict(self._controller.bundle()), {}
