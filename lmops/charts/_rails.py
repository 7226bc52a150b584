"""Figures of cards of guardrails: the ROC curve with its band, and what is wrongly stopped by kind of text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.charts._figure import COLOURS, MAX_GROUPS, RED, escape, figure_of, need, or_no_data
from lmops.charts._ink import GREY
from lmops.charts._marks import marks, numbers, plotly_objects

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

_RATES: Final = ("recall", "recall_low", "recall_high", "fpr", "fpr_low", "fpr_high")


def roc(frame: pd.DataFrame, *, title: str = "What is found, by what is wrongly stopped") -> go.Figure:
    """Return the ROC curve with its band of 95 %, and where its threshold is: ``card.curve()``.

    Args:
        frame: Columns threshold, recall, fpr (both with _low and _high), is_chosen; the highest threshold first.
        title: Above the figure.
    """
    need(frame, "threshold", *_RATES, "is_chosen")
    go, figure = plotly_objects(), figure_of(title, None, y_title="found (recall)")
    if len(frame):
        # each curve goes from corner to corner
        ends = {name: [0.0, *frame[name].astype(float).tolist(), 1.0] for name in _RATES}
        over, under = (ends["fpr_low"], ends["recall_high"]), (ends["fpr_high"], ends["recall_low"])
        figure.add_trace(_band(go, over, under))
        look = {"mode": "lines", "hoverinfo": "skip", "showlegend": False}
        figure.add_trace(go.Scatter(x=[0, 1], y=[0, 1], line={"color": GREY, "width": 1, "dash": "dot"}, **look))
        figure.add_trace(
            go.Scatter(
                x=ends["fpr"],
                y=ends["recall"],
                name="curve",
                mode="lines+markers" if len(frame) <= 2 else "lines",
                line={"color": COLOURS[0], "width": 2},
                marker={"size": 4},
                showlegend=False,
                customdata=["", *(f"{one:.3g}" for one in frame["threshold"]), ""],
                hovertemplate="threshold %{customdata}: finds %{y:.1%}, wrongly stops %{x:.1%}<extra></extra>",
            )
        )
        at = frame[frame["is_chosen"].astype(bool)]
        if len(at):
            marks(figure, numbers(at, "fpr"), at, _RATES[:3], name="its threshold", colour=RED, symbol="diamond")
    figure.update_xaxes(title="wrongly stopped", tickformat=".0%", range=[0, 1.02], showgrid=True)
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
    figure.update_layout(hovermode="closest", height=340)
    return or_no_data(figure, frame)


def false_positives(frame: pd.DataFrame, *, title: str = "Wrongly stopped, by kind of text") -> go.Figure:
    """Return the share of ordinary texts that are wrongly stopped with its limits, by slice: ``card.df()``.

    Args:
        frame: Columns by, value, fpr, fpr_low, fpr_high; slices without ordinary texts are left out, and of more than
            12 those with the lowest rates.
        title: Above the figure.
    """
    need(frame, "by", "value", "fpr", "fpr_low", "fpr_high")
    figure = figure_of(title, None, y_title=None)
    part = frame[frame["fpr"].notna()].sort_values("fpr", ascending=False, kind="stable").head(MAX_GROUPS).iloc[::-1]
    if len(part):
        places: list[Any] = list(range(len(part)))
        columns = ("fpr", "fpr_low", "fpr_high")
        marks(figure, places, part, columns, name="wrongly stopped", colour=COLOURS[0], is_sideways=True)
        labels = [escape(f"{by}: {value}") for by, value in zip(part["by"], part["value"], strict=True)]
        figure.update_yaxes(tickmode="array", tickvals=places, ticktext=labels, rangemode="normal")
        top = max(0.01, float(part[["fpr", "fpr_high"]].max().max()))
        figure.update_xaxes(range=[-0.03 * top, 1.05 * top])  # so that no mark lies on a name
        figure.update_traces(showlegend=False)
    figure.update_xaxes(tickformat=".1~%", title="of ordinary texts", showgrid=True)
    figure.update_layout(hovermode="closest", height=110 + 34 * max(len(part), 1))
    return or_no_data(figure, part)


def _band(go: Any, over: tuple[list[float], list[float]], under: tuple[list[float], list[float]]) -> Any:
    """Return the area between two curves from corner to corner."""
    red, green, blue = (int(COLOURS[0][i : i + 2], 16) for i in (1, 3, 5))
    return go.Scatter(
        x=[*over[0], *reversed(under[0])],
        y=[*over[1], *reversed(under[1])],
        fill="toself",
        fillcolor=f"rgba({red},{green},{blue},0.15)",
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
    )
