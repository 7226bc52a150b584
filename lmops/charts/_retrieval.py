"""Figures of retrieval over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.charts._figure import COLOURS, RED, escape, figure_of, need, or_no_data
from lmops.charts._ink import GREY
from lmops.charts._marks import marks, plotly_objects

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    import pandas as pd
    import plotly.graph_objects as go


def retrieval_drift(
    frame: pd.DataFrame, *, changes: Iterable[tuple[datetime, str]] = (), title: str = "Recall on golden questions"
) -> go.Figure:
    """Return a share over the days with its limits, one colour for each settings, and lines where something changed.

    Args:
        frame: Columns bucket (start, UTC), estimate, low, high (shares), fingerprint (of the settings that served most;
            missing where no span says it).
        changes: Times and what changed then.
        title: Above the figure.
    """
    need(frame, "bucket", "estimate", "low", "high", "fingerprint")
    go, figure = plotly_objects(), figure_of(title, None, y_title=None)
    known = frame[frame["estimate"].notna()]
    times = [one.isoformat() for one in known["bucket"]]
    if len(known):
        line = {"color": GREY, "width": 1}
        values = known["estimate"].astype(float).tolist()
        figure.add_trace(go.Scatter(x=times, y=values, mode="lines", line=line, hoverinfo="skip", showlegend=False))
    served = known["fingerprint"].fillna("").tolist()
    for place, name in enumerate(dict.fromkeys(served)):
        rows = [row for row, one in enumerate(served) if one == name]
        colour = COLOURS[place % len(COLOURS)]
        part, at = known.iloc[rows], [times[row] for row in rows]
        marks(figure, at, part, ("estimate", "low", "high"), name=escape(name) or "not known", colour=colour)
    for moment, words in changes:
        when = moment.isoformat()
        figure.add_vline(x=when, line={"color": RED, "width": 1.5, "dash": "dash"})
        text = {"text": escape(words), "textangle": -90, "font": {"color": RED, "size": 11}, "showarrow": False}
        figure.add_annotation(x=when, y=0, yref="paper", xanchor="right", yanchor="bottom", **text)
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
    figure.update_layout(hovermode="closest", height=300)
    return or_no_data(figure, known)
