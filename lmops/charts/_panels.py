"""Panels of a figure: what counts in one unit stands on one axis, and nothing else does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import plotly.graph_objects as go


def panels_of(frame: pd.DataFrame, name: str, columns: Sequence[str]) -> list[tuple[str, pd.DataFrame]]:
    """Return the rows by their unit, in the order of the frame.

    Args:
        frame: The rows; a column unit says in what they count.
        name: The column that names scorers; one without a unit counts in its own.
        columns: Numbers in the unit; of scorers without one, those within -1..1 count as shares of one scale.
    """
    found: dict[tuple[str, bool], list[int]] = {}
    for place, row in enumerate(frame.to_dict("records")):
        given = row.get("unit")
        is_given = isinstance(given, str) and bool(given)
        found.setdefault((str(given if is_given else row[name]), is_given), []).append(place)
    made: dict[str, list[int]] = {}
    for (unit, is_given), rows in found.items():
        is_share = not is_given and _is_small(frame.iloc[rows], columns)
        made.setdefault("0 to 1" if is_share else unit, []).extend(rows)
    return [(unit, frame.iloc[sorted(rows)]) for unit, rows in made.items()]


def _is_small(part: pd.DataFrame, columns: Sequence[str]) -> bool:
    known = part[list(columns)].astype("float64").abs()
    return bool((known.isna() | (known <= 1)).all(axis=None))


def divide(figure: go.Figure, units: Sequence[str], sizes: Sequence[int], *, is_stacked: bool = False) -> None:
    """Divide a figure into panels with axes of their own, each with its unit above it; one panel needs nothing.

    Args:
        figure: Changed.
        units: What stands above the panels, as plotly may show it.
        sizes: How much room each needs beside the others.
        is_stacked: Below each other, not beside each other.
    """
    if len(units) < 2:
        return
    gap = 0.34 / len(units) if is_stacked else 0.09
    share = (1 - gap * (len(units) - 1)) / (sum(sizes) + len(sizes))
    start = 0.0
    for place, (unit, size) in enumerate(zip(units, sizes, strict=True)):
        axis, end = axis_of(place), min(1.0, start + share * (size + 1))
        along, across = ([1 - end, 1 - start], [0, 1]) if is_stacked else ([0, 1], [start, end])
        axes = {
            f"xaxis{axis}": {"domain": across, "anchor": f"y{axis}"},
            f"yaxis{axis}": {"domain": along, "anchor": f"x{axis}"},
        }
        figure.update_layout(axes)
        corner = {"x": across[0], "y": along[1], "xref": "paper", "yref": "paper"}
        figure.add_annotation(text=unit, **corner, xanchor="left", yanchor="bottom", showarrow=False, font={"size": 11})
        start = end + gap
    figure.update_layout(
        margin={"t": figure.layout.margin.t + 28}, legend={"y": 1.06 if is_stacked else 1.12}, height=300
    )


def axis_of(place: int) -> str:
    """Return what plotly appends to the name of an axis of a panel."""
    return "" if place == 0 else str(place + 1)
