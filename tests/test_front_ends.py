"""What front ends beside JupyterLab make of what is shown."""

from __future__ import annotations

import pytest


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


def test_marimo_shows_records_and_views_as_html(ws):
    """Where it is installed: it asks for the same forms as a notebook."""
    formatting = pytest.importorskip("marimo._output.formatting", reason="marimo is not installed")
    for one in (ws, ws.store.stats(), ws.traces.search(), ws.traces.browse()):
        found = formatting.try_format(one)
        assert found.exception is None
        assert found.mimetype in {"text/html", "application/vnd.marimo+mimebundle"}, type(one)
