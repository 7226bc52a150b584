"""What ``show`` draws: a monitor over time, with its baseline and its alerts."""

from __future__ import annotations

import re

import pytest

from tests.monitors.traffic import add, day, sessions


@pytest.fixture
def fired(ws):
    """A monitor by service that has found an outage of one of them."""
    add(ws, sessions(day(0), day(5), service="a"), sessions(day(0), day(6), name="c", service="<b>x"))
    add(ws, sessions(day(5), day(6), bad=lambda number: number % 2 == 0, name="b", service="a"))
    ws.monitors.save("errors", metric="error_rate", by="service")
    ws.monitors.check(at=day(6))
    return ws


def test_a_line_has_estimates_baseline_and_alerts(fired):
    """The series that fires comes first; a time without items is a gap."""
    found = fired.monitors.show("errors", last="7d")
    line = found.line()
    assert line["estimate"].dropna().iloc[-2:].mean() == pytest.approx(0.5, abs=0.1)
    assert line["baseline"].unique().tolist() == [0.0]
    assert line["baseline_high"].iloc[0] > 0
    assert line["n"].iloc[0] == 0
    assert line["estimate"].isna().iloc[0]
    (told,) = line["alert"].dropna()
    assert "queries that failed" in told
    assert found.exit_code == 1


def test_a_chart_stands_in_the_page_as_a_drawing(fired):
    """Nothing in it runs, names of series are text, and its ink is that of the page."""
    html = fired.monitors.show("errors", last="7d")._repr_html_()
    assert html.count("<svg") == 2
    assert "currentColor" in html
    assert "<b>x" not in html
    assert not re.search(r"<script|onload|https?://(?!www.w3.org)", html)


def test_a_drift_is_drawn_as_the_share_of_its_part(ws):
    """One part all along: the one that fires."""
    add(ws, sessions(day(0), day(4), model=lambda number: "big" if number % 5 == 0 else "small"))
    add(ws, sessions(day(4), day(6), name="b", model=lambda number: "big" if number % 5 < 3 else "small"))
    ws.monitors.save("models", metric="model_mix", method="drift")
    ws.monitors.check(at=day(6))
    found = ws.monitors.show("models", last="6d")
    line = found.line()
    assert found.unit == "share"
    assert line["estimate"].dropna().iloc[1] == pytest.approx(0.2, abs=0.1)
    assert line["estimate"].dropna().iloc[-2] == pytest.approx(0.6, abs=0.1)


def test_a_monitor_that_has_not_looked_yet_has_no_line(ws):
    """The report says so; the chart too."""
    ws.monitors.save("errors", metric="error_rate")
    found = ws.monitors.show("errors")
    assert len(found.line()) == 0
    assert "no check has looked yet" in found.text
    assert found.figure().layout.annotations[-1].text == "no data"
