"""Charts are seen where no plotly is: an exported notebook has a drawing of each."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import nbformat
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbconvert.exporters import HTMLExporter

from lmops import charts
from lmops.charts._drawing import drawing
from lmops.text import unescape
from tests.test_charts import HOSTILE, stats

SVG = "{http://www.w3.org/2000/svg}"
SCORES = pd.DataFrame(
    {
        "label": ["a", "a", "b", "b"],
        "scorer": ["judge", "length", "judge", "length"],
        "mean": [0.5, 40.0, 0.7, None],
        "low": [0.4, 30.0, None, None],
        "high": [0.6, 55.0, None, None],
        "cost_per_case_usd": [0.1, 0.1, 0.2, 0.2],
    }
)
MODES = pd.DataFrame(
    {
        "mode": [1, 2],
        "failure_mode": ["rude", "wrong"],
        "of": "items",
        "share": [0.2, 0.0],
        "low": [0.1, 0.0],
        "high": [0.4, 0.1],
    }
)
DIFFERENCES = pd.DataFrame(
    {
        "name": ["judge"],
        "difference": [-0.1],
        "low": [-0.3],
        "high": [0.1],
        "outcome": ["inconclusive"],
    }
)
FIGURES = {
    "bars in time": lambda: charts.traffic(stats()),
    "groups": lambda: charts.cost(pd.concat([stats("small"), stats("large")])),
    "lines": lambda: charts.latency(stats(p50_low=700.0, p50_high=900.0)),
    "a gap": lambda: charts.errors(stats(error_rate=[0.1, None, 0.2])),
    "bars": lambda: charts.bars(pd.DataFrame({"x": ["one", "two"], "y": [1, -2.5]}), "x", "y"),
    "panels": lambda: charts.scores(SCORES),
    "against cost": lambda: charts.quality_and_cost(SCORES),
    "sideways": lambda: charts.failure_modes(MODES),
    "differences": lambda: charts.differences(DIFFERENCES),
}


def drawn(figure):
    return ET.fromstring(drawing(figure.to_plotly_json()))


@pytest.mark.parametrize("name", FIGURES)
def test_every_chart_is_drawn(name):
    """With its title and marks, and nothing that is no number."""
    found = drawn(FIGURES[name]())
    assert found.findtext(f"{SVG}title")
    assert any(found.findall(f".//{SVG}{mark}") for mark in ("rect", "circle", "polyline"))
    numbers = [
        one.get(key) for one in found.iter() for key in ("x", "y", "x1", "y2", "cx", "cy", "points") if one.get(key)
    ]
    assert not any("nan" in number or "inf" in number for number in numbers)


def test_each_day_stands_once_under_an_axis():
    """Where it begins."""
    words = [one.text for one in drawn(charts.traffic(stats())).findall(f"{SVG}text")]
    assert [word for word in words if word.startswith("11-")] == ["11-01", "11-02", "11-03"]


def test_nothing_is_drawn_of_nothing():
    """But that there is no data."""
    found = drawn(charts.traffic(stats()[:0]))
    assert [one.text for one in found.findall(f"{SVG}text")] == ["Traces", "no data"]


def test_text_of_traces_stays_text():
    """Markup neither acts nor is escaped twice; no "$" begins a formula, and the text is found in the drawing."""
    made = charts.bars(pd.DataFrame({"x": [HOSTILE], "y": [1]}), "x", "y")
    found = drawn(made)
    assert {one.tag.removeprefix(SVG) for one in found.iter()} <= {"svg", "title", "rect", "line", "text", "tspan"}
    assert any("<b>b</b> &amp; $x^2$" in "".join(one.itertext()) for one in found.iter(f"{SVG}text"))
    assert {one.text for one in found.iter(f"{SVG}tspan")} == {"$"}
    assert "<b>b</b> &amp; $x^2$" in unescape(made.svg())


def test_an_exported_notebook_shows_the_chart(monkeypatch):
    """What a front end gets has the figure and the drawing; the page made of it has the drawing."""
    monkeypatch.setenv("PLOTLY_RENDERER", "plotly_mimetype")
    InteractiveShell.instance()
    with capture_output() as captured:
        charts.traffic(stats())._ipython_display_()
    (shown,) = captured.outputs
    assert {"application/vnd.plotly.v1+json", "image/svg+xml"} <= set(shown.data)
    output = nbformat.v4.new_output("display_data", data=dict(shown.data))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("chart", outputs=[output])])
    page, _ = HTMLExporter(template_name="basic").from_notebook_node(notebook)
    assert "image/svg+xml" in page
    # as an image, which sees no colour of its page: neither black on a dark one nor white on a light one
    assert f'fill="{charts.GREY}"' in shown.data["image/svg+xml"]
    assert "currentColor" not in shown.data["image/svg+xml"]
