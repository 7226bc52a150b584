"""The dashboard of monitors, without a page."""

from __future__ import annotations

import pytest

from lmops.errors import UsageError
from lmops.widgets.monitors.controller import DashboardController
from tests.widgets.monitor_samples import Board, alert, full, tile


def asked(controller, kind, **params):
    """Ask as the page does and return the answer."""
    return controller.handle({"kind": kind, "id": "v:1", "view": "v", **params})[0]


def test_the_state_has_every_series_and_alert():
    """What a view draws is one message, in JSON's own kinds."""
    state = asked(DashboardController(full()), "hello")
    assert [one["status"] for one in state["tiles"]] == ["firing", "quiet", "quiet", "quiet", "learning", "no data"]
    assert [one["series"] for one in state["tiles"]][2] == "model gpt-5-mini"
    assert [(one["alert"], one["status"]) for one in state["alerts"]] == [(1, "firing"), (2, "acknowledged")]
    assert state["tiles"][3]["points"][3][2] is None


def test_a_range_is_asked_for_with_the_width_of_its_points():
    """Every view hears of it."""
    board, heard = Board(), []
    controller = DashboardController(board)
    controller.on_change = heard.append
    assert asked(controller, "range", last="30d")["last"] == "30d"
    assert board.asked == [("30d", "1d")]
    assert [one["last"] for one in heard] == ["30d"]
    assert "24h" in asked(controller, "range", last="2 weeks")["message"]


def test_an_alert_is_acknowledged_once_and_said():
    """What was done stands in the state that follows."""
    board = Board()
    state = asked(DashboardController(board), "move", alert=1, what="acknowledge")
    assert (state["said"], state["alerts"]) == ("alert 1: acknowledge", [])
    assert asked(DashboardController(board), "move", alert=1, what="delete")["kind"] == "error"


def test_a_store_that_is_read_only_moves_nothing():
    """The page is told why, and so is who asks past it."""
    board = Board()
    controller = DashboardController(board, refused="this store is read-only")
    assert asked(controller, "hello")["refused"] == "this store is read-only"
    assert asked(controller, "move", alert=1, what="silence")["message"] == "this store is read-only"
    assert (1, "silence") not in board.asked


def test_the_traces_of_an_alert_are_its_examples():
    """They open below where that can be; the call that does it is said in any case."""
    board = Board(alerts=[alert(7, examples=("a'b", "cd"))])
    found = asked(DashboardController(board), "traces", alert=7, is_shown=True)
    assert found["model"] == "model-1"
    assert board.asked == [("trace_id in ('a''b', 'cd')", None)]
    assert found["call"] == """ws.traces.browse("trace_id in ('a''b', 'cd')")"""
    assert "no trace" in asked(DashboardController(board), "traces", alert=8, is_shown=True)["message"]


def test_the_traces_of_a_series_are_those_of_its_range():
    """By its key, as the page has it."""
    board = Board([tile(where="status = 'error'")])
    controller = DashboardController(board, last="3d")
    key = asked(controller, "hello")["tiles"][0]["key"]
    found = asked(controller, "traces", key=key, is_shown=False)
    assert (found["model"], found["call"]) == (None, """ws.traces.browse("status = 'error'", last='3d')""")
    assert "refresh" in asked(controller, "traces", key="gone|", is_shown=False)["message"]


def test_the_static_form_has_the_same_and_no_markup_of_others():
    """A table that reads where no kernel answers."""
    made = DashboardController(full()).bundle()
    assert "6 series, 2 alerts" in made["text/plain"]
    assert "6.2" in made["text/html"]
    assert "<b>booking" not in made["text/html"]


def test_a_range_that_is_not_shown_is_refused():
    """The error names those that are."""
    with pytest.raises(UsageError, match="24h, 3d, 7d, 14d, 30d"):
        DashboardController(Board(), last="1y")
