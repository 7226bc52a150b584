"""Figures from plain frames."""

from __future__ import annotations

import html
import subprocess
import sys

import pandas as pd
import plotly.graph_objects as go
import pytest

from lmops import charts
from lmops.charts._ink import NOTEBOOK
from lmops.errors import UsageError
from tests.page_themes import DARK, LIGHT, colour, contrast

HOSTILE = "<a href='javascript:alert(1)'>x</a> <b>b</b> &amp; $x^2$ %{y} \u202e\x00"
TIME_CHARTS = [charts.traffic, charts.cost, charts.latency, charts.errors]


def stats(model=None, days=3, **columns):
    frame = pd.DataFrame({
        "bucket": pd.date_range("2026-11-01", periods=days, tz="UTC"),
        "traces": range(10, 10 + days), "calls": 20, "errors": 1, "error_rate": 0.1, "error_rate_low": 0.02,
        "error_rate_high": 0.4, "p50_ms": 800.0, "p95_ms": 2000.0, "input_tokens": 5, "output_tokens": 6,
        "cost_usd": 0.5, "cost_per_trace_usd": 0.05, "unpriced_calls": 0,
    })  # fmt: skip  # arguments that belong together share a line
    if model is not None:
        frame.insert(1, "model", model)
    return frame.assign(**columns)


@pytest.mark.parametrize("chart", TIME_CHARTS)
def test_empty_frame_says_no_data(chart):
    """A frame without rows gives a figure that says so."""
    for frame in (stats()[:0], stats("a")[:0]):
        figure = chart(frame)
        assert [note.text for note in figure.layout.annotations] == ["no data"]
        assert not figure.data
    assert charts.bars(stats("a")[:0], "model", "traces").layout.annotations[0].text == "no data"


@pytest.mark.parametrize("chart", TIME_CHARTS)
def test_plain_figure_with_our_template(chart):
    """Figures are no widgets, their ground is transparent, and their data are plain lists."""
    figure = chart(stats())
    assert go.Figure in type(figure).__mro__[:2]
    assert figure.layout.template.layout.paper_bgcolor == "rgba(0,0,0,0)"
    assert "bdata" not in figure.to_json()
    assert len(figure.to_json()) < 12_000


@pytest.mark.parametrize("chart", TIME_CHARTS)
def test_text_from_traces_is_text(chart):
    """Markup, entities, TeX and placeholders of plotly in a group's name are taken apart."""
    figure = chart(pd.concat([stats(HOSTILE), stats("gpt")]))
    names = " ".join(trace.name or "" for trace in figure.data)
    assert "<" not in names
    assert "&lt;a href" in names
    assert "&amp;amp;" in names
    assert "$" not in names
    assert "%{y}" not in names
    assert "\u202e" not in names
    assert "\x00" not in names


def test_bars_escape_and_order():
    """Bars are ordered by value, the largest on top; labels are text; missing values are left out."""
    frame = pd.DataFrame({"model": ["a", HOSTILE, None, "b"], "cost_usd": [1.0, 3.0, 2.0, None]})
    (bar,) = charts.bars(frame, "model", "cost_usd").data
    assert list(bar.x) == [1.0, 2.0, 3.0]
    assert bar.customdata[1] == "(none)"
    assert "<" not in bar.customdata[2]


def test_missing_values_are_gaps():
    """A missing number is None in the figure, not 0."""
    frame = stats()
    frame.loc[1, "p50_ms"] = None
    line = next(trace for trace in charts.latency(frame).data if trace.name == "p50")
    assert list(line.y) == [800.0, None, 800.0]
    assert line.connectgaps is False


def test_bands_follow_interval_columns():
    """Bands appear when the frame has the columns of an interval."""
    assert sum(trace.fill == "toself" for trace in charts.errors(stats()).data) == 1
    assert sum(trace.fill == "toself" for trace in charts.latency(stats()).data) == 0
    banded = stats(p50_low=700.0, p50_high=900.0, p95_ms_low=1500.0, p95_ms_high=2500.0)
    assert sum(trace.fill == "toself" for trace in charts.latency(banded).data) == 2


def test_groups_are_the_text_columns():
    """Numbers the chart does not know are no groups; two columns name a group together."""
    frame = pd.concat([stats("a", service="s1", n=3.5), stats("b", service="s2", n=4)])
    assert {trace.name for trace in charts.traffic(frame).data} == {"a · s1", "b · s2"}


def test_names_of_groups_leave_the_plot_its_room():
    """They stand below it, at the end of the figure, and are scrolled where they need more than a third of it."""
    made = charts.traffic(pd.concat([stats(model=f"vendor/a-long-name-{place}") for place in range(10)]))
    legend = made.layout.legend
    assert (legend.yref, legend.y, legend.yanchor) == ("container", 0, "bottom")
    assert legend.maxheight < charts.template().layout.height / 3


def test_titles_say_what_is_not_shown():
    """Calls without a price and groups beyond the twelfth are counted in the title."""
    assert "3 calls without a price" in charts.cost(stats(unpriced_calls=1)).layout.title.text
    many = pd.concat([stats(f"m{i}") for i in range(15)])
    assert "12 largest of 15 groups" in charts.traffic(many).layout.title.text


def test_one_call_without_a_price_is_one():
    """The words of the title agree with the number."""
    assert charts.cost(stats(unpriced_calls=1)[:1]).layout.title.text == "Cost, 1 call without a price left out"


def test_a_long_title_takes_lines_that_a_phone_holds():
    """Its text stays text, the plot makes room for the lines, and no line is cut."""
    made = charts.traffic(stats(), title=f"Traces of the support assistant by release <b>, {'and more ' * 5}")
    lines = made.layout.title.text.split("<br>")
    assert len(lines) == 3
    assert all(len(html.unescape(line)) <= 46 for line in lines)
    assert "&lt;b&gt;" in made.layout.title.text
    assert made.layout.margin.t > charts.traffic(stats()).layout.margin.t
    assert "by release &lt;b&gt;, and more and" in made.svg()  # one line: a drawing has the room


def test_unknown_column():
    """A missing column is named with its nearest."""
    with pytest.raises(UsageError, match="did you mean 'cost_usd'"):
        charts.bars(stats("a"), "model", "cost_us")
    with pytest.raises(UsageError, match="p95_ms"):
        charts.latency(stats().drop(columns="p95_ms"))


def test_import_is_light():
    """Importing the charts loads neither plotly nor pandas."""
    code = "import sys, lmops.charts; print([m for m in ('plotly', 'pandas', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_colours_stand_out_from_light_and_dark_pages():
    """Lines and marks 3 : 1; boxes that come with the pointer have a ground of their own."""
    for page in (LIGHT["jp-layout-color0"], DARK["jp-layout-color0"]):
        for one in (charts.GREY, *charts.COLOURS, charts.RED):
            assert contrast(colour(one), colour(page)) >= 3, one
    box = charts.template().layout.hoverlabel
    assert contrast(colour(box.font.color), colour(box.bgcolor)) >= 4.5


def test_a_page_gives_texts_their_colour():
    """What is shown has the colour of the page around it; what is read of a figure stays as it was."""
    figure = charts.scores(pd.DataFrame([{"label": "a", "scorer": "s", "mean": 0.5, "low": 0.4, "high": 0.6}]))
    shown = figure._on_page()
    for text in (shown.layout.title.text, shown.data[0].name, shown.layout.xaxis.tickprefix):
        assert text.startswith('<span style="color:currentColor">')
    assert shown.data[0].hovertemplate == "a, %{customdata}: %{y:.4f}<extra></extra>"
    assert (figure.layout.title.text, figure.data[0].name) == ("Scores", "a")
    assert "currentColor" in figure.to_html(include_plotlyjs=False)
    assert f", {charts.GREY}))" in figure._on_page(NOTEBOOK).layout.title.text  # of the picture that plotly makes of it


def test_a_colour_that_somebody_chose_holds():
    """Of texts, or by a template."""
    for chosen in ({"font": {"color": "red"}}, {"template": "plotly_dark"}):
        assert charts.traffic(stats()).update_layout(chosen)._on_page().layout.title.text == "Traces"


def curve(**columns):
    limits = {"recall_low": [0.1, 0.5], "recall_high": [0.7, 1.0], "fpr_low": [0.0, 0.3], "fpr_high": [0.2, 0.6]}
    rates = {"threshold": [0.9, 0.4], "recall": [0.4, 0.9], "fpr": [0.0, 0.5], "is_chosen": [True, False]}
    return pd.DataFrame(rates | limits).assign(**columns)


def test_a_roc_curve_goes_from_corner_to_corner():
    """With its band, chance, and a mark where the threshold is; none without a curve."""
    figure = charts.roc(curve())
    band, chance, line, mark = figure.data
    assert (line.x, line.y) == ((0, 0, 0.5, 1), (0, 0.4, 0.9, 1))
    assert (len(band.x), band.fill, chance.x) == (8, "toself", (0, 1))
    assert (mark.x, mark.y, mark.name) == ((0,), (0.4,), "its threshold")
    assert charts.roc(curve()[:0]).layout.annotations[0].text == "no data"
    assert len(charts.roc(curve(is_chosen=False)).data) == 3


def test_false_positives_are_by_kind_of_text():
    """The highest on top, those without ordinary texts left out; names are shown as text."""
    rows = {"by": ["kind", "kind", "tag"], "value": ["a", HOSTILE, "b"], "fpr": [0.1, 0.3, None]}
    frame = pd.DataFrame(rows).assign(fpr_low=0.0, fpr_high=0.5)
    figure = charts.false_positives(frame)
    assert figure.data[0].x == (0.1, 0.3)
    assert figure.layout.yaxis.ticktext[0] == "kind: a"
    assert "<a" not in figure.layout.yaxis.ticktext[1]
    assert charts.false_positives(frame[2:]).layout.annotations[0].text == "no data"
