"""What the view of an incident answers its page."""

from __future__ import annotations

import pytest

from lmops.widgets.incidents.controller import IncidentController
from tests.widgets.incident_samples import Board, incident


def ask(controller, kind, **given):
    """Return the answer to a message of the page."""
    (found,) = controller.handle({"kind": kind, "id": 1, "view": "v", **given})
    return found


def test_the_state_has_all_that_is_shown():
    """The record, the line, the moments, what can be done and was."""
    state = ask(IncidentController(Board()), "hello")
    assert (state["incident"], state["status"], len(state["moments"]), state["line"]["baseline"]) == (
        3,
        "mitigated",
        8,
        401,
    )
    assert [one[0] for one in state["actions"]] == ["kill_arm", "roll_back"]
    assert state["acts"][0]["rows"] == [["support-answer@production", "3", "2"]]


def test_a_dry_run_is_shown_before_it_is_done():
    """With what it has seen, and a reason."""
    controller = IncidentController(board := Board())
    plan = ask(controller, "plan", action="roll_back", params="prompt=support-answer")["plan"]
    assert plan["state"] == "planned"
    told = []
    controller.on_change = told.append
    given = {
        "action": "roll_back",
        "params": '{"prompt": "support-answer"}',
        "seen": plan["seen"],
        "reason": "too long",
    }
    assert ask(controller, "act", **given)["said"].startswith("done")
    params = {"prompt": "support-answer"}
    assert board.asked == [
        ("roll_back", params, True, None, ""),
        ("roll_back", params, False, "a1b2c3", "too long"),
    ]
    assert len(told) == 1


@pytest.mark.parametrize("params", ["prompt", "{", "=x"])
def test_arguments_that_are_none_are_said(params):
    """And nothing is asked of the store."""
    controller = IncidentController(board := Board())
    assert ask(controller, "plan", action="roll_back", params=params)["kind"] == "error"
    assert board.asked == []


@pytest.mark.parametrize("kind", ["act", "note", "own", "verify"])
def test_what_is_refused_is_not_done(kind):
    """In a store that is open for reading alone; a dry run may be looked at."""
    controller = IncidentController(board := Board(), refused="this store is read-only")
    given = {"action": "roll_back", "params": "", "seen": "x", "reason": "y", "text": "z"}
    assert ask(controller, kind, **given)["message"] == "this store is read-only"
    assert board.asked == []
    assert ask(controller, "plan", **given)["kind"] == "plan"


def test_the_static_form_has_it_as_well():
    """Escaped, as a table with the facts below it."""
    bundle = IncidentController(Board(incident(title="<b>x</b>"))).bundle()
    assert "<b>x</b>" not in bundle["text/html"]
    for text in bundle.values():
        assert "first trace with support-answer@3" in text
        assert "214 traces" in text


def test_one_of_a_store_is_shown(ws):
    """The same calls, over a workspace."""
    ws.incidents.open("answers cite no sources")
    state = ask(ws.incidents.show(1)._controller, "hello")
    assert (state["line"], state["moments"][-1]["what"]) == (None, "open")
    assert ask(ws.incidents.show(1)._controller, "note", text="hm")["said"] == "noted"
