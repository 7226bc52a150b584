"""What all figures share: their template, colours, titles, and text that is shown as it is."""

from __future__ import annotations

import html
import re
import textwrap
from typing import TYPE_CHECKING, Final

from lmops.charts._ink import GREY
from lmops.charts._marks import plotly_objects
from lmops.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import plotly.graph_objects as go

#: Okabe and Ito's colour-blind-safe set, without black and yellow, which vanish on dark or on light pages; orange and
#: sky blue are darker than theirs, so that each stands out 3 : 1 from white and from JupyterLab's dark.
COLOURS: Final = ("#0072B2", "#BF8400", "#009E73", "#CC79A7", "#3D97CF", "#D55E00")
RED: Final = "#D55E00"
_GRID: Final = "rgba(119,122,128,0.25)"
MAX_GROUPS: Final = 12
#: How high the names of groups may stand below a plot; where they need more, on a phone, they are scrolled.
_NAMES_PX: Final = 76
#: What fits beside each other at the size of titles where a page is 390 px wide; plotly itself cuts what is longer.
_TITLE_LINE: Final = 46
_TITLE_LINES: Final = 3
_LINE_PX: Final = 17
_FIRST_PX: Final = 9
_TOP_PX: Final = 36
_MEASURES: Final = frozenset(
    {
        "traces", "spans", "calls", "errors", "error_rate", "error_rate_low", "error_rate_high", "p50_ms", "p95_ms",
        "p50_ms_low", "p50_ms_high", "p95_ms_low", "p95_ms_high", "p50_low", "p50_high", "p95_low", "p95_high",
        "input_tokens", "output_tokens", "cost_usd", "cost_per_trace_usd", "unpriced_calls", "with_feedback", "share",
        "share_low", "share_high", "signals", "users", "up", "down", "rate", "mean", "low", "high", "count",
        "estimate", "n", "baseline", "baseline_low", "baseline_high", "alert",
        "corrected", "corrected_low", "corrected_high", "ppi", "ppi_low", "ppi_high", "ppi_labels", "ppi_note",
    }
)  # fmt: skip  # many words: packed, they are read at a glance
_INVISIBLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def template() -> go.layout.Template:
    """Return the template: transparent, a grey grid, a colour-blind-safe cycle, narrow margins."""
    go = plotly_objects()
    axis = {
        "gridcolor": _GRID,
        "linecolor": _GRID,
        "zerolinecolor": _GRID,
        "tickcolor": _GRID,
        "automargin": True,
        "title": {"standoff": 8, "font": {"size": 11}},
        "showspikes": False,  # plotly draws them on a white stripe
        "unifiedhovertitle": {"text": "%{x}"},  # in the colour of its box, not of the ticks
    }
    return go.layout.Template(
        layout={
            "meta": "lmops",
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"color": GREY, "size": 12, "family": "system-ui, sans-serif"},
            "title": {"font": {"size": 13}, "x": 0, "xref": "paper", "xanchor": "left", "y": 0.98, "yanchor": "top"},
            "colorway": list(COLOURS),
            "margin": {"l": 8, "r": 8, "t": _TOP_PX, "b": 8},
            "height": 260,
            "xaxis": {**axis, "showgrid": False},
            "yaxis": {**axis, "rangemode": "tozero"},
            "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
            "hovermode": "x unified",
            "hoverlabel": {
                "bgcolor": "#111111",
                "bordercolor": GREY,
                "font": {"size": 12, "color": "#eeeeee"},
                "namelength": 40,
            },
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": GREY, "activecolor": COLOURS[4]},
            "bargap": 0.2,
        }
    )


def escape(text: object) -> str:
    """Return text as plotly shows it literally: its markup, entities and invisible controls are taken apart."""
    shown = "" if text is None else str(text)
    shown = _INVISIBLE.sub(lambda match: " " if match[0].isspace() else f"[U+{ord(match[0]):04X}]", shown)
    if len(shown) > 80:
        shown = shown[:79] + "…"
    # $...$ would be typeset as TeX where MathJax is on the page; %{...} is a placeholder in hover texts
    return html.escape(shown, quote=False).replace("$", "&#36;").replace("%{", "%\u2060{")


def grouped_by(frame: pd.DataFrame) -> list[str]:
    """Return the columns the frame was grouped by: neither the time, nor a known measure, nor any other number."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    others = [column for column in frame.columns if column != "bucket" and column not in _MEASURES]
    return [name for name in others if is_bool_dtype(frame[name].dtype) or not is_numeric_dtype(frame[name].dtype)]


def figure_of(title: str, frame: pd.DataFrame | None, *, y_title: str | None) -> go.Figure:
    """Return the empty figure; its title says when the frame has more groups than are drawn."""
    plotly_objects()
    from lmops.charts._archived import Figure

    by = [] if frame is None else grouped_by(frame)
    if frame is not None and by:
        count = len(frame[by].drop_duplicates())
        if count > MAX_GROUPS:
            title = f"{title} (the {MAX_GROUPS} largest of {count:,} groups)"
    lines = textwrap.wrap(title, _TITLE_LINE, max_lines=_TITLE_LINES, placeholder="…")
    figure = Figure(layout={"template": template(), "title": {"text": "<br>".join(map(escape, lines))}})
    more = max(0, len(lines) - 1)
    # plotly sets the first of several lines higher than a line alone
    figure.update_layout(margin={"t": _TOP_PX + _LINE_PX * more}, title={"pad": {"t": _FIRST_PX * bool(more)}})
    if y_title:
        figure.update_yaxes(title=y_title)
    if by:
        # Names of groups are long and many: above the plot they would run into its title.
        place = {"x": 0, "xanchor": "left", "y": 0, "yanchor": "bottom", "yref": "container"}
        figure.update_layout(legend={**place, "font": {"size": 11}, "maxheight": _NAMES_PX})
    return figure


def or_no_data(figure: go.Figure, frame: pd.DataFrame) -> go.Figure:
    if not len(frame) or not len(figure.data):
        figure.add_annotation(
            text="no data", x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, font={"size": 14}
        )
        figure.update_xaxes(visible=False)
        figure.update_yaxes(visible=False)
    return figure


def need(frame: pd.DataFrame, *columns: str) -> None:
    known: Sequence[str] = [str(column) for column in frame.columns]
    for column in columns:
        if column not in known:
            raise UsageError(did_you_mean("column of the frame", column, known))
