"""What is drawn on several figures: marks with their intervals, and plain numbers for them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lmops.charts._panels import axis_of
from lmops.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import plotly.graph_objects as go


def plotly_objects() -> Any:
    """Return what figures are made with.

    Raises:
        MissingDependencyError: plotly is not installed.
    """
    try:
        import plotly.graph_objects as go
    except ImportError as error:
        raise MissingDependencyError.of("plotly", "runbooks") from error
    return go


def marks(
    figure: go.Figure,
    places: Sequence[Any],
    part: pd.DataFrame,
    columns: tuple[str, str, str],
    *,
    name: str,
    colour: str,
    is_sideways: bool = False,
    symbol: str = "circle",
    panel: int = 0,
) -> None:
    """Add one mark with its interval per row, in one of the panels; the legend has each name once."""
    go = plotly_objects()
    values, bar = numbers(part, columns[0]), error_bars(part, columns)
    along = "x" if is_sideways else "y"
    # plotly's own %{x} would bring the colour of the axis into a box with a ground of its own
    named = [place for place in places if isinstance(place, str)]
    figure.add_trace(
        go.Scatter(
            x=values if is_sideways else places,
            y=places if is_sideways else values,
            **{f"error_{along}": bar},
            mode="markers",
            marker={"size": 9, "color": colour, "symbol": symbol},
            name=name,
            legendgroup=name,
            showlegend=all(one.name != name for one in figure.data),
            xaxis=f"x{axis_of(panel)}",
            yaxis=f"y{axis_of(panel)}",
            customdata=named or None,
            hovertemplate=f"{name}{', %{customdata}' if named else ''}: %{{{along}:.4f}}<extra></extra>",
        )
    )


def error_bars(part: pd.DataFrame, columns: tuple[str, str, str]) -> dict[str, Any]:
    """Return the interval of each row as plotly takes it."""
    value, low, high = (part[column].astype(float) for column in columns)
    return {
        "type": "data",
        "symmetric": False,
        "thickness": 1.5,
        "width": 4,
        "array": [None if math.isnan(up) else up for up in (high - value).tolist()],
        "arrayminus": [None if math.isnan(down) else down for down in (value - low).tolist()],
    }


def numbers(part: pd.DataFrame, column: str) -> list[float | None]:
    """Return plain numbers, None where one is missing: plotly then leaves a gap and stores no binary array."""
    return [None if missing else float(value) for value, missing in zip(part[column], part[column].isna(), strict=True)]
