"""Frames as a notebook shows them."""

from __future__ import annotations

import pandas as pd
import pytest

from lmops.base.frames import Frame
from lmops.text import unescape


@pytest.fixture
def frame():
    columns = {"input": ["<b>$5 or $6</b>", "x" * 200], "cost_usd": [0.00123, None], "latency_ms": [2310.0, 812.4]}
    return Frame({**columns, "error_rate": [0.25, None], "calls": [12345, 1]})


def test_numbers_have_their_units_and_stand_to_the_right(frame):
    """Prose to the left and cut; what is missing is a dash."""
    found = unescape(frame._repr_html_())
    for words in ("$0.001230", "2.31 s", "812 ms", "25.0 %", "12,345", ">-</td>", "x…", "2 rows, 5 columns"):
        assert words in found, words
    assert 'text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap">12,345' in found
    assert "&lt;b&gt;<span>$</span>5 or <span>$</span>6" in frame._repr_html_()


def test_ends_of_intervals_have_the_unit_of_what_they_belong_to():
    """Of the rate beside them, or of the row; a mean has none, and a difference of rates is in points."""
    of_rates = unescape(Frame({"rate": [0.25], "low": [0.1], "high": [0.5], "n": [8]})._repr_html_())
    for words in ("25.0 %", "10.0 %", "50.0 %", ">8<"):
        assert words in of_rates, words
    of_means = unescape(Frame({"share": [0.25], "mean": [0.5], "low": [0.1]})._repr_html_())
    assert "25.0 %" in of_means
    assert ">0.1<" in of_means
    rows = {
        "unit": ["ms", "usd", "rate", "points"],
        "value": [1520.0, 0.002, 0.5, 7.5],
        "difference": [58.0, -0.001, 0.036, 1.0],
    }
    by_row = unescape(Frame(rows)._repr_html_())
    for words in ("1.52 s", "58 ms", "$0.002000", "50.0 %", "+3.6 pp", ">7.5<"):
        assert words in by_row, words


def test_what_is_made_of_a_frame_is_shown_the_same_way(frame):
    """Sorted, filtered, with an index of its own; in everything else it is pandas' frame."""
    assert "$0.001230" in unescape(frame.sort_values("calls").head(2)._repr_html_())
    by_calls = frame.set_index("calls")
    assert ">calls</th>" in by_calls._repr_html_()
    pd.testing.assert_frame_equal(pd.DataFrame(frame), pd.DataFrame(frame.copy()))
    assert isinstance(frame, pd.DataFrame)


def test_a_long_frame_shows_its_first_rows():
    """As many as pandas' options say."""
    found = Frame({"n": range(1_000)})._repr_html_()
    assert found.count("<tr>") == 11
    assert "the first 10 of 1,000 rows" in found


def test_frames_of_several_levels_are_pandas_own():
    """They have no names by which units could be told."""
    wide = Frame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")]))
    assert 'class="dataframe"' in wide._repr_html_()


def test_no_frame_of_ours_typesets_a_formula(ws):
    """What a notebook shows of an answer, a data set and a difference of prompts has no "$" that begins one."""
    text = "pay $5 and $6"
    ws.datasets.save("money", [{"id": "a", "input": text}])
    ws.prompts.save("pay", text)
    ws.prompts.save("pay", f"{text}, please")
    shown = [
        ws.sql("select input from examples"),
        ws.datasets.get("money"),
        ws.datasets.get("money").df(),
        ws.prompts.diff("pay", 1, 2).df(),
    ]
    for one in shown:
        html = one._repr_html_()
        assert "<span>$</span>5" in html, type(one)
        assert "$" not in html.replace("<span>$</span>", ""), type(one)
        assert not hasattr(one, "_repr_mimebundle_"), type(one)


def test_cells_of_every_kind():
    """A structure is JSON and cut, a day is a day, a truth is no number."""
    from datetime import date

    values = {"input": {"question": "Which $?"}, "day": date(2026, 1, 2), "is_done": True, "took": pd.Timedelta("1s")}
    found = unescape(Frame({name: pd.Series([value], dtype=object) for name, value in values.items()})._repr_html_())
    for words in ('{"question": "Which $?"}', ">2026-01-02<", ">True<", "0 days 00:00:01"):
        assert words in found, words
    long = Frame({"documents": [[{"text": "x" * 500}] * 3]})._repr_html_()
    assert "x" * 81 not in long
    assert "…" in long
