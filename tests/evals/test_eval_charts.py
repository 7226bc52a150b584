"""Charts of evaluations, from plain frames."""

from __future__ import annotations

import pandas as pd
import pytest

from lmops import charts
from lmops.errors import UsageError

HOSTILE = "<b>x</b> %{y}"


def summary(**columns):
    frame = pd.DataFrame({
        "label": ["p@2", "p@3"], "scorer": "support", "mean": [0.9, 0.8], "low": [0.85, 0.7], "high": [0.95, 0.9],
        "cost_per_case_usd": [0.01, 0.02], "p50_ms": [100.0, 200.0],
    })  # fmt: skip  # arguments that belong together share a line
    return frame.assign(**columns)


def compared(**columns):
    frame = pd.DataFrame({
        "name": ["support", "refusal", "cost_usd"], "kind": ["scorer", "scorer", "measure"],
        "slice": ["", "lang=de", ""],
        "difference": [-0.1, 0.02, 5.0], "low": [-0.2, -0.01, 4.0], "high": [-0.02, 0.05, 6.0],
        "outcome": ["worse", "inconclusive", "worse"],
    })  # fmt: skip  # arguments that belong together share a line
    return frame.assign(**columns)


def test_scores_show_a_mark_and_an_interval_per_run():
    """The limits are those of the frame."""
    figure = charts.scores(summary())
    assert [trace.name for trace in figure.data] == ["p@2", "p@3"]
    assert figure.data[0].y == (0.9,)
    assert figure.data[0].error_y.array == pytest.approx((0.05,))
    assert figure.data[1].error_y.arrayminus == pytest.approx((0.1,))


def test_differences_leave_measures_out_and_mark_no_difference():
    """Their unit is another; the word is in the legend, so that colour is not all."""
    figure = charts.differences(compared())
    assert {trace.name for trace in figure.data} == {"worse", "inconclusive"}
    assert list(figure.layout.yaxis.ticktext) == ["refusal [lang=de]", "support"]
    assert figure.layout.shapes[0].x0 == 0


def test_quality_stands_against_cost():
    """One line per scorer, one mark per run; another measure on request."""
    figure = charts.quality_and_cost(summary())
    assert (figure.data[0].x, figure.data[0].y) == ((0.01, 0.02), (0.9, 0.8))
    assert charts.quality_and_cost(summary(), cost="p50_ms").data[0].x == (100.0, 200.0)


@pytest.mark.parametrize(
    ("chart", "frame"),
    [(charts.scores, summary()), (charts.differences, compared()), (charts.quality_and_cost, summary())],
)
def test_nothing_is_no_data_and_unknown_columns_are_named(chart, frame):
    """An empty frame says so; a frame of something else is refused."""
    assert chart(frame[:0]).layout.annotations[0].text == "no data"
    with pytest.raises(UsageError, match="no column of the frame named"):
        chart(frame.drop(columns="low"))


def test_missing_values_and_hostile_names():
    """A missing limit leaves out the bar, and names are text."""
    figure = charts.scores(summary(low=None, label=HOSTILE))
    assert figure.data[0].error_y.arrayminus[0] is None
    for made in (figure, charts.differences(compared(name=HOSTILE)), charts.quality_and_cost(summary(scorer=HOSTILE))):
        text = made.to_json()
        assert "<b>" not in text
        assert "&lt;b&gt;" in text


def mixed():
    """Two scorers of one scale and one that counts words."""
    frames = [summary(), summary(scorer="refusal"), summary(scorer="length", mean=25.0, low=20.0, high=30.0)]
    return pd.concat(frames, ignore_index=True)


@pytest.mark.parametrize("more", [{}, {"unit": ["0 to 1"] * 4 + ["words"] * 2}])
def test_scores_have_a_panel_a_unit(more):
    """What is a share has an axis of its own, whether the frame names units or not; the legend has each run once."""
    figure = charts.scores(mixed().assign(**more))
    where = {(trace.yaxis, name) for trace in figure.data for name in trace.x}
    assert where == {("y", "support"), ("y", "refusal"), ("y2", "length")}
    assert [trace.name for trace in figure.data if trace.showlegend] == ["p@2", "p@3"]
    assert figure.layout.xaxis.domain[1] < figure.layout.xaxis2.domain[0]
    assert figure.layout.annotations[0].text == "0 to 1"


def test_differences_have_a_panel_a_unit():
    """Each with its own line of no difference; a small loss is not flattened by a count of words."""
    frame = compared(kind="scorer", unit=["0 to 1", "0 to 1", "<b>"])
    figure = charts.differences(frame)
    assert {(shape.xref, shape.x0) for shape in figure.layout.shapes} == {("x", 0), ("x2", 0)}
    assert [list(axis.ticktext) for axis in (figure.layout.yaxis, figure.layout.yaxis2)] == [
        ["refusal [lang=de]", "support"],
        ["cost_usd"],
    ]
    assert "<b>" not in figure.to_json()


def test_quality_has_a_panel_a_unit():
    """Against the same cost."""
    assert {trace.yaxis for trace in charts.quality_and_cost(mixed()).data} == {"y", "y2"}
