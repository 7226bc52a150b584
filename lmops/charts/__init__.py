"""Plotly figures from plain frames, in a template of our own that reads on light and on dark pages.

Every function takes a frame as ``ws.traces.stats(by=[...], every="1d")`` gives it: one row per interval and group, with
``bucket`` (start of the interval, UTC), the columns it was grouped by, and some of ``traces``, ``calls``, ``errors``,
``error_rate``, ``error_rate_low``, ``error_rate_high``, ``p50_ms``, ``p95_ms``, ``input_tokens``, ``output_tokens``,
``cost_usd``, ``cost_per_trace_usd``, ``unpriced_calls``. It returns a plain ``go.Figure`` (never a ``FigureWidget``,
which would store all of plotly.js in the notebook). A missing value is a gap, never zero. Text that comes from traces
is shown as text: plotly's own small markup is switched off by escaping it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.base.public import only
from lmops.base.units import counted
from lmops.charts._figure import (
    COLOURS,
    MAX_GROUPS,
    RED,
    escape,
    figure_of,
    grouped_by,
    need,
    or_no_data,
    template,
)
from lmops.charts._ink import GREY
from lmops.charts._marks import error_bars, marks, numbers, plotly_objects
from lmops.charts._panels import axis_of, divide, panels_of
from lmops.charts._rails import false_positives, roc
from lmops.charts._retrieval import retrieval_drift

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    import plotly.graph_objects as go

__all__ = [
    "accounts",
    "bars",
    "cost",
    "differences",
    "errors",
    "escape",
    "failure_modes",
    "false_positives",
    "feedback",
    "latency",
    "quality_and_cost",
    "retrieval_drift",
    "roc",
    "scores",
    "series",
    "template",
    "traffic",
]
__dir__ = only(__all__)


def accounts(frame: pd.DataFrame, *, title: str = "What accounts for the change") -> go.Figure:
    """Return what share of a change each dimension accounts for, with its limits: ``explanation.df()``.

    Args:
        frame: Columns title, words, share, share_low, share_high, is_clear; the first 12 rows are drawn.
        title: Above the figure.
    """
    need(frame, "title", "words", "share", "share_low", "share_high", "is_clear")
    figure = figure_of(title, None, y_title=None)
    part = frame.head(MAX_GROUPS).iloc[::-1]
    for is_clear, name, colour in ((True, "clear", COLOURS[0]), (False, "not clear", GREY)):
        places = [place for place, one in enumerate(part["is_clear"].tolist()) if bool(one) is is_clear]
        if places:
            columns = ("share", "share_low", "share_high")
            marks(figure, places, part.iloc[places], columns, name=name, colour=colour, is_sideways=True)
    labels = [f"{escape(one.title)}: {escape(one.words)}" for one in part.itertuples()]
    figure.update_yaxes(tickmode="array", tickvals=list(range(len(part))), ticktext=labels, rangemode="normal")
    figure.update_xaxes(tickformat=".0%", title="share of the change", showgrid=True)
    figure.update_layout(hovermode="closest", height=110 + 34 * max(len(part), 1))
    return or_no_data(figure, part)


def traffic(frame: pd.DataFrame, *, title: str = "Traces") -> go.Figure:
    """Return bars of ``traces`` per interval, stacked by group."""
    return _bars_in_time(frame, "traces", title=title, axis="traces", hover=":,")


def cost(frame: pd.DataFrame, *, title: str = "Cost") -> go.Figure:
    """Return bars of ``cost_usd`` per interval, stacked by group; the title says how many calls have no price."""
    if "unpriced_calls" in frame.columns and len(frame):
        unpriced = int(frame["unpriced_calls"].fillna(0).sum())
        if unpriced:
            title = f"{title}, {counted(unpriced, 'call')} without a price left out"
    return _bars_in_time(frame, "cost_usd", title=title, axis="USD", hover=":$,.4f")


def latency(frame: pd.DataFrame, *, title: str = "Latency") -> go.Figure:
    """Return lines of ``p50_ms`` and ``p95_ms``, with a band where the frame has ``p50_low`` and ``p50_high`` etc."""
    need(frame, "bucket", "p50_ms", "p95_ms")
    figure = figure_of(title, frame, y_title="ms")
    for place, (name, part) in enumerate(_groups(frame)):
        for quantile, dash in (("p50", "solid"), ("p95", "dot")):
            colour = _colour(place) if name else COLOURS[0 if quantile == "p50" else 1]
            band = next(
                (pair for stem in (quantile, f"{quantile}_ms") if (pair := (f"{stem}_low", f"{stem}_high"))[0] in part),
                None,
            )
            if band is not None:
                _band(figure, part, *band, colour)
            label = f"{quantile} {escape(name)}".strip()
            _line(figure, part, f"{quantile}_ms", label, colour=colour, dash=dash, hover=":,.0f} ms")
    return or_no_data(figure, frame)


def errors(frame: pd.DataFrame, *, title: str = "Error rate") -> go.Figure:
    """Return lines of ``error_rate`` in per cent, with the band ``error_rate_low`` to ``error_rate_high``, if any."""
    need(frame, "bucket", "error_rate")
    figure = figure_of(title, frame, y_title=None)
    figure.update_yaxes(tickformat=".0%")
    for place, (name, part) in enumerate(_groups(frame)):
        colour = _colour(place) if name else RED
        if {"error_rate_low", "error_rate_high"} <= set(part.columns):
            _band(figure, part, "error_rate_low", "error_rate_high", colour)
        _line(figure, part, "error_rate", escape(name) or "error rate", colour=colour, dash="solid", hover=":.2%}")
    return or_no_data(figure, frame)


def feedback(frame: pd.DataFrame, *, title: str = "Feedback") -> go.Figure:
    """Return what users say, with its interval: lines over time, marks by group: ``ws.feedback.stats().df()``.

    Args:
        frame: Columns ``rate`` (a fraction, shown in per cent) or ``mean``, with ``low`` and ``high``; with ``bucket``
            it is drawn over time. What people would find where a judge spoke is an open mark with its interval
            (``corrected``, and ``ppi`` by labels); over time ``corrected`` is dotted.
        title: Above the figure.
    """
    measure = "rate" if "rate" in frame.columns else "mean"
    need(frame, measure, "low", "high")
    figure = figure_of(title, frame, y_title=None if measure == "rate" else "mean")
    hover = ":.1%" if measure == "rate" else ":.3g"
    if "bucket" in frame.columns:
        for place, (name, part) in enumerate(_groups(frame)):
            _band(figure, part, "low", "high", _colour(place))
            _line(figure, part, measure, escape(name) or measure, colour=_colour(place), dash="solid", hover=hover)
            if "corrected" in part:
                label = f"{escape(name)} corrected".strip()
                _line(figure, part, "corrected", label, colour=_colour(place), dash="dot", hover=hover)
            if "ppi" in part:
                known, (_, words, symbol) = part[part["ppi"].notna()], _OF_PEOPLE[1]
                label, columns = f"{escape(name)} {words}".strip(), ("ppi", "ppi_low", "ppi_high")
                marks(figure, _times(known), known, columns, name=label, colour=_colour(place), symbol=symbol)
    else:
        part = frame[frame[measure].notna()]
        by = grouped_by(frame)
        labels = [" · ".join(_name(value) for value in row) for row in part[by].itertuples(index=False, name=None)]
        shown = [escape(label) or measure for label in labels]
        marks(figure, shown, part, (measure, "low", "high"), name=measure, colour=_colour(0))
        for column, words, symbol in _OF_PEOPLE:
            if column in part:
                columns = (column, f"{column}_low", f"{column}_high")
                marks(figure, shown, part, columns, name=words, colour=_colour(0), symbol=symbol)
                figure.update_layout(scattermode="group", scattergap=0.6)  # beside each other, not one on the other
    if measure == "rate":
        figure.update_yaxes(tickformat=".0%")
    return or_no_data(figure, frame)


def failure_modes(frame: pd.DataFrame, *, title: str = "Failure modes") -> go.Figure:
    """Return how often each failure mode was found, with its interval, a colour a group: ``themes.pivot().df()``.

    Args:
        frame: Columns mode, failure_mode, of, share, low, high, and the groups before them; at most 8 groups are shown.
        title: Above the figure.
    """
    need(frame, "mode", "failure_mode", "of", "share", "low", "high")
    figure = figure_of(title, None, y_title=None)
    by = [*frame.columns[: frame.columns.get_loc("mode")], "of"]
    modes = frame.drop_duplicates("mode")
    place = {mode: len(modes) - 1 - at for at, mode in enumerate(modes["mode"].tolist())}
    groups = list(frame.groupby(by, dropna=False, sort=False))[:MAX_GROUPS]
    for number, (key, part) in enumerate(groups):
        shift = (number - (len(groups) - 1) / 2) * 0.7 / max(len(groups), 1)
        places = [place[mode] - shift for mode in part["mode"].tolist()]
        name = " · ".join(escape(_name(value)) for value in key)
        columns = ("share", "low", "high")
        marks(figure, places, part, columns, name=name, colour=_colour(number), is_sideways=True)
    labels = [escape(_name(value)) for value in modes["failure_mode"].tolist()]
    figure.update_yaxes(tickmode="array", tickvals=list(place.values()), ticktext=labels, rangemode="normal")
    highest = [value for value in (*numbers(frame, "high"), *numbers(frame, "share")) if value is not None]
    top = min(1.05, 1.1 * max(highest, default=1.0)) or 1.0
    figure.update_xaxes(tickformat=".0%", range=[-0.015 * top, top], title="share of items")
    figure.update_layout(hovermode="closest", height=140 + 44 * max(len(modes), 1))
    return or_no_data(figure, frame)


_FORMATS: Final = {"share": ".0%", "usd": "$,.4~g"}


def series(frame: pd.DataFrame, *, title: str = "Series", unit: str = "share") -> go.Figure:
    """Return what is watched over time beside its baseline, with its alerts, and how many items there are.

    Args:
        frame: Columns bucket, estimate, low, high, n, baseline, baseline_low, baseline_high (NaN: not known), and alert
            (words of the alert that was found then; NaN elsewhere).
        title: Above the figure.
        unit: Of the estimate: "share", "usd", "ms", ...
    """
    need(frame, "bucket", "estimate", "low", "high", "n", "baseline", "baseline_low", "baseline_high", "alert")
    go, figure = plotly_objects(), figure_of(title, frame, y_title=None)
    divide(figure, [unit, "items"], [5, 1], is_stacked=True)
    form = _FORMATS.get(unit, ",.4~g")
    _band(figure, frame, "baseline_low", "baseline_high", GREY)
    if frame["baseline"].notna().any():
        _line(figure, frame, "baseline", "baseline", colour=GREY, dash="dot", hover=f":{form}")
        figure.data[-1].update(mode="lines")
    _band(figure, frame, "low", "high", COLOURS[0])
    _line(figure, frame, "estimate", "now", colour=COLOURS[0], dash="solid", hover=f":{form}")
    known = frame[frame["alert"].notna() & frame["estimate"].notna()]
    if len(known):
        at = {"x": _times(known), "y": numbers(known, "estimate"), "text": list(map(escape, known["alert"]))}
        mark = {"color": RED, "size": 11, "symbol": "diamond"}
        figure.add_trace(go.Scatter(**at, name="alert", mode="markers", marker=mark, hovertemplate="%{text}"))
    look = {"mode": "lines", "line": {"color": GREY, "width": 1.5}, "fill": "tozeroy", "showlegend": False}
    counts = go.Scatter(x=_times(frame), y=numbers(frame, "n"), name="items", **look)  # as wide as what is above it
    figure.add_trace(counts.update(xaxis="x2", yaxis="y2"))
    axes = {"yaxis": {"tickformat": form}, "yaxis2": {"nticks": 3}, "xaxis2": {"matches": "x"}}
    figure.update_layout({**axes, "height": 340})
    return or_no_data(figure, frame)


def bars(frame: pd.DataFrame, x: str, y: str, *, title: str | None = None) -> go.Figure:
    """Return horizontal bars of the number column ``y`` per value of the column ``x``, the largest on top.

    At most 30 bars are shown. Rows whose ``y`` is missing are left out.

    Raises:
        UsageError: the frame has no such column.
    """
    go = plotly_objects()
    need(frame, x, y)
    figure = figure_of(title or f"{y} by {x}", None, y_title=None)
    part = frame[frame[y].notna()].nlargest(30, y).iloc[::-1]
    if len(part):
        # One place per row, labelled: equal labels must not be drawn on top of each other.
        places = list(range(len(part)))
        labels = [escape(_name(value)) for value in part[x].tolist()]
        figure.add_trace(
            go.Bar(
                x=part[y].astype(float).tolist(),
                y=places,
                orientation="h",
                marker={"color": COLOURS[0]},
                customdata=labels,
                hovertemplate="%{customdata}: %{x:,}<extra></extra>",
            )
        )
        figure.update_yaxes(tickmode="array", tickvals=places, ticktext=labels, showgrid=False, rangemode="normal")
        figure.update_xaxes(showgrid=True, rangemode="tozero", title=escape(y))
        figure.update_layout(hovermode="closest", height=90 + 22 * len(part), showlegend=False)
    return or_no_data(figure, part)


def scores(frame: pd.DataFrame, *, title: str = "Scores") -> go.Figure:
    """Return the mean of each scorer with its interval, one mark per run, a panel a unit: ``ws.evals.summary(runs)``.

    Args:
        frame: Columns label, scorer, mean, low, high; missing limits leave out the bar. Without a column unit, scorers
            whose numbers are all within 0..1 share a panel, and each other one has its own. Of judges, with
            calibration, corrected and ppi and their limits, open marks show what people would find, and a name says
            what speaks against its scores.
        title: Above the figure.
    """
    need(frame, "label", "scorer", "mean", "low", "high")
    figure = figure_of(title, None, y_title=None)
    known = frame[frame["mean"].notna()]
    panels = panels_of(known, "scorer", ("mean", "low", "high"))
    divide(figure, _units(panels), [len(set(part["scorer"])) for _, part in panels])
    labels = list(dict.fromkeys(frame["label"].tolist()))
    for panel, (_, rows) in enumerate(panels):
        for place, label in enumerate(labels):
            part = rows[rows["label"] == label]
            shown, colour = escape(_name(label)), _colour(place)
            marks(figure, _scorers(part), part, ("mean", "low", "high"), name=shown, colour=colour, panel=panel)
            for column, words, symbol in _OF_PEOPLE:
                told = part[part[column].notna()] if column in part else part[:0]
                if len(told):
                    columns, name = (column, f"{column}_low", f"{column}_high"), f"{shown}, {words}"
                    marks(figure, _scorers(told), told, columns, name=name, colour=colour, symbol=symbol, panel=panel)
    figure.update_layout(scattermode="group", scattergap=0.6, hovermode="closest")
    figure.update_yaxes(rangemode="normal")
    return or_no_data(figure, frame)


def differences(frame: pd.DataFrame, *, title: str = "Difference, a - b") -> go.Figure:
    """Return the difference of each scorer with its interval, a panel a unit: ``comparison.df()``.

    Args:
        frame: Columns name, difference, low, high, outcome; "unit" as for :func:`scores`; "kind" and "slice" when there
            are measures or slices, of which the measures are left out; of judges calibration and corrected with its
            limits, an open mark.
        title: Above the figure.
    """
    need(frame, "name", "difference", "low", "high", "outcome")
    figure = figure_of(title, None, y_title=None)
    part = frame[frame["kind"] == "scorer"] if "kind" in frame else frame
    part = part[part["difference"].notna()]
    panels = panels_of(part, "name", ("difference", "low", "high"))
    divide(figure, _units(panels), [len(rows) for _, rows in panels], is_stacked=True)
    for panel, (_, rows) in enumerate(panels):
        _draw_differences(figure, rows, panel)
    if len(part):
        figure.update_yaxes(tickmode="array", showgrid=False, rangemode="normal")
        figure.update_xaxes(showgrid=True)
        figure.update_layout(hovermode="closest", height=80 + 30 * len(part) + 50 * max(len(panels), 1))
    return or_no_data(figure, part)


def _draw_differences(figure: go.Figure, part: pd.DataFrame, panel: int) -> None:
    """Draw the differences of one unit and the line of none."""
    part = part.iloc[::-1]
    places = list(range(len(part)))
    where = part["slice"].tolist() if "slice" in part else [""] * len(part)
    labels = [
        f"{name} {escape(f'[{_name(place)}]')}" if place else name
        for name, place in zip(_scorers(part, "name"), where, strict=True)
    ]
    for outcome, colour in _OUTCOME_COLOURS.items():
        chosen = (part["outcome"] == outcome).tolist()
        if any(chosen):
            at = [place for place, is_in in zip(places, chosen, strict=True) if is_in]
            columns = ("difference", "low", "high")
            name = outcome.replace("_", "-")
            marks(figure, at, part[chosen], columns, name=name, colour=colour, is_sideways=True, panel=panel)
    known = part["corrected"].notna().tolist() if "corrected" in part else []
    if any(known):
        below = [place - 0.25 for place, is_in in zip(places, known, strict=True) if is_in]  # below the judge's own
        columns = ("corrected", "corrected_low", "corrected_high")
        look = {"name": "corrected", "colour": GREY, "symbol": "diamond-open"}
        marks(figure, below, part[known], columns, is_sideways=True, panel=panel, **look)
    axis = axis_of(panel)
    line = {"color": GREY, "width": 1, "dash": "dot"}
    figure.add_shape(type="line", x0=0, x1=0, y0=0, y1=1, xref=f"x{axis}", yref=f"y{axis} domain", line=line)
    figure.update_layout({f"yaxis{axis}": {"tickvals": places, "ticktext": labels}})


def quality_and_cost(
    frame: pd.DataFrame, *, cost: str = "cost_per_case_usd", title: str = "Quality against cost"
) -> go.Figure:
    """Return the mean of each scorer against the cost of a case, one mark per run: ``ws.evals.summary(runs)``.

    Args:
        frame: Columns label, scorer, mean, low, high and the cost.
        cost: The column on the horizontal axis, such as "p50_ms".
        title: Above the figure.
    """
    go = plotly_objects()
    need(frame, "label", "scorer", "mean", "low", "high", cost)
    figure = figure_of(title, None, y_title=None)
    known = frame[frame["mean"].notna() & frame[cost].notna()]
    panels = panels_of(known, "scorer", ("mean", "low", "high"))
    divide(figure, _units(panels), [1] * len(panels))
    panel_of = {scorer: place for place, (_, rows) in enumerate(panels) for scorer in rows["scorer"]}
    for place, scorer in enumerate(dict.fromkeys(known["scorer"].tolist())):
        part = known[known["scorer"] == scorer].sort_values(cost)
        axis = axis_of(panel_of[scorer])
        labels = [escape(_name(value)) for value in part["label"].tolist()]
        figure.add_trace(
            go.Scatter(
                x=numbers(part, cost),
                y=numbers(part, "mean"),
                error_y=error_bars(part, ("mean", "low", "high")),
                mode="markers+lines",
                line={"width": 1, "dash": "dot"},
                marker={"size": 9, "color": _colour(place)},
                name=_scorers(part)[0],
                xaxis=f"x{axis}",
                yaxis=f"y{axis}",
                customdata=labels,
                hovertemplate="%{customdata}: %{y:.3f} at %{x:,.5g}<extra></extra>",
            )
        )
    figure.update_xaxes(showgrid=True, title=escape(cost))
    figure.update_yaxes(rangemode="normal")
    figure.update_layout(hovermode="closest")
    return or_no_data(figure, known)


#: What people would find where a judge scored: by its calibration, by labels on some of the cases.
_OF_PEOPLE: Final = (("corrected", "corrected", "diamond-open"), ("ppi", "by labels", "circle-open"))


def _scorers(part: pd.DataFrame, column: str = "scorer") -> list[str]:
    """Return the names of scorers; of a judge with what speaks against its scores, in one word."""
    names = [_name(value) for value in part[column].tolist()]
    words = [str(value) for value in part["calibration"].tolist()] if "calibration" in part else [""] * len(names)
    return [
        escape(name if doubt in ("", "fresh") else f"{name} ({doubt.partition(':')[0]})")
        for name, doubt in zip(names, words, strict=True)
    ]


#: Good, acceptable, unknown and bad; the legend says the word.
_OUTCOME_COLOURS: Final = {"better": "#009E73", "non_inferior": "#0072B2", "inconclusive": GREY, "worse": RED}


def _units(panels: Sequence[tuple[str, pd.DataFrame]]) -> list[str]:
    return [escape(unit) for unit, _ in panels]


def _bars_in_time(frame: pd.DataFrame, column: str, *, title: str, axis: str, hover: str) -> go.Figure:
    go = plotly_objects()
    need(frame, "bucket", column)
    figure = figure_of(title, frame, y_title=axis)
    figure.update_layout(barmode="stack")
    for place, (name, part) in enumerate(_groups(frame)):
        figure.add_trace(
            go.Bar(
                x=_times(part),
                y=numbers(part, column),
                name=escape(name) or axis,
                showlegend=bool(name),
                marker={"color": _colour(place)},
                hovertemplate=f"%{{y{hover}}}",
            )
        )
    return or_no_data(figure, frame)


def _line(
    figure: go.Figure, part: pd.DataFrame, column: str, label: str, *, colour: str, dash: str, hover: str
) -> None:
    go = plotly_objects()
    figure.add_trace(
        go.Scatter(
            x=_times(part),
            y=numbers(part, column),
            name=label,
            mode="lines+markers",
            line={"color": colour, "width": 2, "dash": dash},
            marker={"size": 4},
            connectgaps=False,
            hovertemplate="%{y" + hover,
        )
    )


def _band(figure: go.Figure, part: pd.DataFrame, low: str, high: str, colour: str) -> None:
    """Add the area between two columns, behind the line of the same colour; only where both ends are known."""
    go = plotly_objects()
    known = part[part[low].notna() & part[high].notna()]
    if not len(known):
        return
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    times = _times(known)
    figure.add_trace(
        go.Scatter(
            x=[*times, *reversed(times)],
            y=[*numbers(known, high), *reversed(numbers(known, low))],
            fill="toself",
            fillcolor=f"rgba({red},{green},{blue},0.15)",
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            showlegend=False,
        )
    )


def _groups(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield (name, rows in time order) of each group, the largest first; "" is the name of a frame without groups."""
    by = grouped_by(frame)
    ordered = frame.sort_values("bucket")
    if not by:
        if len(ordered):
            yield "", ordered
        return
    groups = [(key, part) for key, part in ordered.groupby(by, dropna=False, sort=True, observed=True)]
    groups.sort(key=lambda item: -float(item[1]["traces"].sum() if "traces" in item[1] else len(item[1])))
    for key, part in groups[:MAX_GROUPS]:
        yield " · ".join(_name(value) for value in key), part


def _name(value: object) -> str:
    text = "" if value is None else str(value)
    return "(none)" if text in {"", "<NA>", "NaT", "nan"} else text


def _times(part: pd.DataFrame) -> list[Any]:
    import pandas as pd

    return [moment.to_pydatetime() for moment in pd.to_datetime(part["bucket"], utc=True)]


def _colour(place: int) -> str:
    return COLOURS[place % len(COLOURS)]
