"""Figures that show themselves on every page: in its colours, and where no plotly is, as a drawing."""

from __future__ import annotations

from typing import Any, Final

import plotly.graph_objects as go

from lmops.charts._drawing import drawing
from lmops.charts._ink import GREY, NOTEBOOK, PAGE, inked

PLOTLY: Final = "application/vnd.plotly.v1+json"
SVG: Final = "image/svg+xml"


class Figure(go.Figure):  # type: ignore[misc]  # untyped base
    """A plotly figure with a drawing beside it: front ends show the figure, ``jupyter nbconvert`` the drawing."""

    def show(self, *args: Any, **_plotly: Any) -> Any:
        """Show the figure as ``plotly.io.show`` does, its texts in the colour of the page."""
        return self._on_page(NOTEBOOK).show(*args, **_plotly)

    def to_html(self, *args: Any, **_plotly: Any) -> str:
        """Return the figure as ``plotly.io.to_html`` does, its texts in the colour of the page."""
        return str(self._on_page().to_html(*args, **_plotly))

    def write_html(self, *args: Any, **_plotly: Any) -> None:
        """Write the figure as ``plotly.io.write_html`` does, its texts in the colour of the page."""
        self._on_page().write_html(*args, **_plotly)

    def svg(self) -> str:
        """Return the drawing that stands for the figure where no script runs, in the colour of its page."""
        return drawing(self.to_plotly_json())

    def _on_page(self, colour: str = PAGE) -> go.Figure:
        return go.Figure(inked(self.to_dict(), colour))

    def _repr_mimebundle_(self, *args: Any, **_plotly: Any) -> dict[str, Any]:
        return dict(self._on_page(NOTEBOOK)._repr_mimebundle_(*args, **_plotly))

    def _ipython_display_(self) -> None:
        bundle = self._repr_mimebundle_()
        if PLOTLY not in bundle or "text/html" in bundle:
            self._on_page(NOTEBOOK)._ipython_display_()  # a renderer that somebody chose
            return
        from IPython.display import display

        # an exported notebook shows it as an image, which does not know whether its page is light or dark
        display({**bundle, SVG: drawing(self.to_plotly_json(), GREY)}, raw=True)
