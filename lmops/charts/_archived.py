"""Figures that show themselves also where no plotly is: as a drawing in an exported or archived notebook."""

from __future__ import annotations

from typing import Any, Final

import plotly.graph_objects as go

from lmops.charts._drawing import drawing

PLOTLY: Final = "application/vnd.plotly.v1+json"
SVG: Final = "image/svg+xml"


class Figure(go.Figure):  # type: ignore[misc]  # untyped base
    """A plotly figure with a drawing beside it: front ends show the figure, ``jupyter nbconvert`` the drawing."""

    def _ipython_display_(self) -> None:
        bundle: dict[str, Any] = self._repr_mimebundle_()
        if PLOTLY not in bundle or "text/html" in bundle:
            super()._ipython_display_()  # a renderer that somebody chose
            return
        from IPython.display import display

        display({**bundle, SVG: drawing(self.to_plotly_json())}, raw=True)
