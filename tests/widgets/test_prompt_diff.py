"""What the prompt diff knows and answers, without a page."""

from __future__ import annotations

import json
import sys

import pytest

from lmops.errors import MissingDependencyError
from tests.widgets.prompt_samples import saved


@pytest.fixture
def ws():
    """A workspace with the sample prompt."""
    import lmops

    with lmops.open(":memory:", actor="ada") as found:
        yield saved(found)


@pytest.fixture
def controller(ws):
    """Versions 2 and 3."""
    from lmops.widgets.prompts.diff_controller import PromptDiffController

    return PromptDiffController(ws.prompts, ws.prompts.diff("support-answer", 2, "production"))


def ask(controller, kind, **more):
    """The answer to one message."""
    (answer,) = controller.handle({"kind": kind, "id": "v1:1", "view": "v1", **more})
    assert answer["id"] == "v1:1"
    return answer


def test_hello_tells_versions_changes_variables_and_where_differences_are(controller):
    """Everything but the lines, which come by range."""
    state = ask(controller, "hello")
    assert (state["left"], state["right"], state["is_empty"]) == (2, 3, False)
    assert [(one["version"], one["aliases"]) for one in state["versions"]] == [(3, ["production"]), (2, []), (1, [])]
    assert state["changes"] == [
        [1, "params.temperature", "0.2", "0.7"],
        [2, "params.max_tokens", None, "600"],
    ]
    assert state["variables"] == [["sources", 0], ["question", 0]]
    assert state["messages"] == [["system", 1, 0, 8], ["user", 0, 8, 5]]
    assert state["hunks"] == [[0, 5]]
    assert state["can_undo"] == ["production"]
    json.dumps(state, allow_nan=False)


def test_rows_come_by_range_with_words_marked(controller):
    """Kind, numbers, old parts, new parts; a line that did not change comes once."""
    ask(controller, "hello")
    found = ask(controller, "rows", rev=1, start=0, count=8)["rows"]
    assert found[0][:3] == [1, 1, 1]
    assert [text for text, flags in found[0][3] if flags & 1] == ["help desk assistant"]
    assert found[5] == [0, 5, 4, None, [["Use the tools for questions about one booking or one day's timetable.", 0]]]
    assert ask(controller, "rows", rev=1, start=8, count=400)["rows"][1][4] == [["{{ sources }}", 2]]
    assert ask(controller, "rows", rev=0, start=0, count=8)["message"].endswith("has changed since")


@pytest.mark.parametrize(
    "message",
    [
        {"kind": "drop"}, {"kind": "rows", "rev": 1, "start": -1, "count": 5},
        {"kind": "versions", "left": 9, "right": 1},
        {"kind": "rows", "rev": 1, "start": 0, "count": 10_000}, {"kind": "versions", "left": "x", "right": 1},
        {"kind": "move", "action": "delete", "alias": "production"}, {"kind": "move", "action": "promote", "alias": 1},
        {"kind": "move", "action": "promote", "alias": "production", "version": 1, "expected": "x"}, "hello", None,
    ],
)  # fmt: skip  # cases that belong together share a line
def test_what_cannot_be_used_is_an_error_message_and_changes_nothing(controller, ws, message):
    """A closed set of kinds, checked parameters."""
    (answer,) = controller.handle(message)
    assert answer["kind"] == "error"
    assert controller.diff.title == "support-answer@2 → support-answer@3"
    assert ws.prompts.aliases("support-answer") == {"production": 3}


def test_a_move_is_planned_first_and_then_told_to_everybody(controller, ws):
    """Without dry_run=false nothing moves."""
    plan = ask(controller, "move", action="rollback", alias="production")
    assert plan["words"] == "support-answer@production: 3 → 2"
    assert ws.prompts.aliases("support-answer") == {"production": 3}
    state = ask(controller, "move", action="rollback", alias="production", reason="invented", dry_run=False, expected=3)
    assert state["said"].startswith("support-answer@production: 3 → 2, recorded as audit event ")
    assert state["aliases"] == [{"alias": "production", "version": 2}]
    late = ask(controller, "move", action="promote", alias="production", version=1, dry_run=False, expected=3)
    assert "Nothing was changed" in late["message"]
    assert ask(controller, "move", action="rollback", alias="production", dry_run=False)["kind"] == "error"


def test_showing_other_versions_from_python_is_told_to_the_page(controller):
    """A new revision, so that old lines are not mixed with new ones; new versions are found."""
    told = []
    controller.on_change = told.append
    controller.show(1, "support-answer@2")
    assert (told[0]["left"], told[0]["right"], told[0]["rev"]) == (1, 2, 2)


def test_the_record_is_a_value_and_shows_a_widget(ws):
    """Text, frame, changes, records; a record and an alias name versions as well."""
    found = ws.prompts.diff("support-answer", ws.prompts.get("support-answer@2"), "production")
    assert found.text == found.view.value.text == found.view.text
    assert found.text.startswith("support-answer@2 -> support-answer@3: 2 lines changed, 1 line added, 2 lines removed")
    assert found.stats.settings == 2
    assert len(found.df()) == 13
    assert not found.is_empty
    data, _ = found._repr_mimebundle_()
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}


def test_static_it_is_text_and_a_table(ws, monkeypatch):
    """With LMOPS_STATIC=1 no connection is opened."""
    monkeypatch.setenv("LMOPS_STATIC", "1")
    found = ws.prompts.diff("support-answer", 2, 3)
    assert found.view.widget.comm is None
    data, _ = found._repr_mimebundle_()
    assert set(data) == {"text/html", "text/plain"}
    assert "<ins>warm and helpful voice</ins>" in data["text/html"]
    assert data["text/plain"] == found.text


def test_without_anywidget_the_same_verbs_return_the_same_things(ws, monkeypatch):
    """A server or a pipeline has the same records and views; they show themselves as text and a table."""
    monkeypatch.delitem(sys.modules, "lmops.widgets.kit.skin", raising=False)
    monkeypatch.setitem(sys.modules, "anywidget", None)
    found = ws.prompts.diff("support-answer", 2, 3)
    assert found.text.startswith("support-answer@2 -> support-answer@3")
    compared, browsed = ws.prompts.compare("support-answer", [2, 3]), ws.traces.browse()
    shown = [found, compared, browsed, ws.prompts.playground("support-answer")]
    names = ["PromptDiff", "PromptComparison", "TraceBrowser", "PromptPlayground"]
    assert [type(one).__name__ for one in shown] == names
    assert {tuple(sorted(one._repr_mimebundle_()[0])) for one in shown} == {("text/html", "text/plain")}
    with pytest.raises(MissingDependencyError, match="anywidget"):
        _ = found.view.widget


def test_what_a_notebook_stores_is_small():
    """Code and styles of each widget; nothing in them makes markup or comes from elsewhere."""
    from lmops.widgets.kit.assets import script, style

    for name in ("prompts/diff", "prompts/compare", "prompts/playground"):
        code = script(f"{name}.js") + style(f"{name}.css")
        assert len(code.encode()) < 50_000
        for word in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "import(",
            "http://",
            "https://",
            "url(",
        ):
            assert word not in code.replace("http://www.w3.org/2000/svg", ""), (name, word)


def test_a_rollback_can_be_taken_back(controller, ws):
    """What is offered moves the alias to where it was, whatever it needed to get there, and is in the chain."""
    ws.prompts.protect("support-answer", "production", reason="live")
    moved = ask(controller, "move", action="rollback", alias="production", reason="wrong", dry_run=False)
    assert ws.prompts.aliases("support-answer")["production"] == 2
    back = ask(controller, "move", **moved["undo"])
    assert ws.prompts.aliases("support-answer")["production"] == 3
    assert "recorded as audit event" in back["said"]
    assert ws.prompts.history("support-answer").iloc[-1]["reason"].startswith("taken back: support-answer@production")
    assert "undo" not in ask(controller, "hello")


def test_a_store_that_is_read_only_refuses_before_the_form(tmp_path):
    """Views say why nothing can be changed, so that their buttons are off."""
    import lmops

    with lmops.open(tmp_path / ".lmops") as ws:
        saved(ws)
    with lmops.open(tmp_path / ".lmops", read_only=True) as ws:
        for view in (
            ws.prompts.diff("support-answer", 1, 2).view,
            ws.prompts.compare("support-answer", [1, 2]).view,
            ws.prompts.playground("support-answer"),
        ):
            assert ask(view._controller, "hello")["refused"] == "this store is open read-only"
