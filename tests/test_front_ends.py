"""What front ends beside JupyterLab make of what is shown."""

from __future__ import annotations

import pytest

from lmops.errors import UsageError
from tests.forked import run


def test_visitors_of_a_page_are_offered_nothing_that_changes_the_store(ws, monkeypatch):
    """Voila names itself in the kernel's environment; what is asked all the same is refused."""
    from tests.widgets.prompt_samples import saved

    saved(ws)
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5.13")
    state = ws.traces.browse()._controller.state("hello")
    assert [one for one in state["actions"] if one["is_there"] or one["hint"]] == []
    diff = ws.prompts.diff("support-answer", 1, 2).view._controller
    assert diff.state("hello")["refused"] == "this page is for reading"
    asked = {"kind": "move", "id": "1", "action": "rollback", "alias": "production", "reason": "x", "dry_run": False}
    assert diff.handle(asked)[0]["message"] == "this page is for reading"
    assert ws.prompts.aliases("support-answer") == {"production": 3}


def test_visitors_save_no_view_and_write_no_file(ws, monkeypatch):
    """They open the views that are there."""
    ws.traces.browse("status = 'error'")._controller.handle({"kind": "save", "id": "1", "name": "failed"})
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5.13")
    page = ws.traces.browse()._controller
    state = page.state("hello")
    assert (state["can_save"], state["can_write"]) == (False, False)
    for asked in ({"kind": "save", "name": "mine"}, {"kind": "remove", "name": "failed"}):
        assert page.handle({"id": "1", **asked})[0]["message"] == "this page is for reading"
    assert page.handle({"kind": "export", "id": "1", "format": "csv"})[0]["kind"] == "error"
    assert page.handle({"kind": "view", "id": "1", "name": "failed"})[0]["where"] == "status = 'error'"


def test_visitors_label_and_thumb_in_their_own_name_only(ws, monkeypatch):
    """What would be said in the name of who serves the page is a table there, and asks no model at that one's cost."""
    from tests.feedback.notes import noted, trace
    from tests.widgets.prompt_samples import saved

    noted(ws)
    saved(ws)
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5.13")
    shut = [
        ws.feedback.label("q"),
        ws.feedback.button(trace(1)),
        ws.feedback.themes("q").view,
        ws.prompts.playground("support-answer"),
    ]
    for view in shut:
        assert view.text.startswith("this page is for reading")
        assert set(view._repr_mimebundle_()[0]) == {"text/plain", "text/html"}
        with pytest.raises(UsageError, match=f"this page is for reading: {type(view).__name__} has no widget here"):
            view.widget  # noqa: B018
    for view in (ws.feedback.label("q", ask=True), ws.feedback.button(trace(1), user="visitor")):
        assert "application/vnd.jupyter.widget-view+json" in view._repr_mimebundle_()[0]


_IN_MARIMO = """
import sys
import lmops
from marimo._output import formatting
with lmops.open(sys.argv[1]) as ws:
    for one in (ws, ws.store.stats(), ws.traces.search(), ws.traces.browse()):
        found = formatting.try_format(one)
        assert found.exception is None, found.exception
        assert found.mimetype in {"text/html", "application/vnd.marimo+mimebundle"}, type(one)
print("shown")
"""


def test_marimo_shows_records_and_views_as_html(ws):
    """It asks for the same forms as a notebook; in a process of its own, for it takes all widgets of its process."""
    shown = run(_IN_MARIMO, str(ws.store.path))
    assert shown.stdout.strip() == "shown", shown.stderr
