"""The feedback button without a page: what it keeps, what it shows, what it leaves behind."""

from __future__ import annotations

import pytest

from lmops.errors import UsageError

HOSTILE = "<img src=x onerror=alert(1)>\u202e\x1b[31m"


@pytest.fixture
def traced(ws, conversation):
    ws.store.load(spans=[row for i in range(3) for row in conversation(i)])
    return ws, [f"{i:032x}" for i in (1, 2, 3)]


def ask(view, kind, **given):
    (found,) = view._controller.handle({"kind": kind, "id": "1", "view": "v", **given})
    return found


def test_a_thumb_a_comment_and_a_correction_are_kept(traced):
    """Each is a signal of whoever acts, from a notebook; the last one holds."""
    ws, ids = traced
    view = ws.feedback.button(ids[0])
    assert (view.value, ask(view, "hello")["value"]) == (None, None)
    assert ask(view, "thumb", value="up")["said"] == "kept: thumb of tester"
    state = ask(view, "thumb", value="down", comment="too long")
    assert (state["value"], state["comment"]) == ("down", "too long")
    assert ask(view, "thumb", value="down", comment="too long")["said"] == "that was kept already"
    assert ask(view, "correct", text="No.")["correction"] == "No."
    rows = ws.sql("select name, kind, value, comment, user_id, source from feedback order by name").fetchall()
    assert rows == [
        ("correction", "correction", "No.", None, "tester", "notebook"),
        ("thumb", "thumb", "down", "too long", "tester", "notebook"),
    ]
    assert (view.value, view.comment, view.correction) == ("down", "too long", "No.")


def test_what_was_said_before_is_shown(traced):
    """Of this person and this answer only: another user, another trace and a span have their own."""
    ws, ids = traced
    ws.feedback.record(ids[0], value="up", user="mara", comment="nice")
    ws.feedback.record(ids[0], value="down", user="jo")
    view = ws.feedback.button(ids[0], user="mara")
    assert (view.value, view.comment) == ("up", "nice")
    span_id = ws.traces.get(ids[0]).root.row["span_id"]
    assert ws.feedback.button(ids[0], user="mara", span_id=span_id).value is None
    assert ws.feedback.button(ids[1], user="mara").value is None


def test_two_views_and_python_see_the_same(traced):
    """States are numbered, and a hello reads what was said elsewhere since."""
    ws, ids = traced
    view = ws.feedback.button(ids[0], user="mara")
    first = ask(view, "hello")["seq"]
    ws.feedback.record(ids[0], value="down", user="mara")
    again = ask(view, "hello")
    assert (again["value"], again["seq"] > first) == ("down", True)


def test_a_trace_that_is_not_there_is_waited_for(ws):
    """It says so, and what is said of it is joined later."""
    view = ws.feedback.button("f" * 32)
    assert ask(view, "hello")["is_there"] is False
    ask(view, "thumb", value="up")
    assert len(ws.feedback.waiting()) == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kind": "thumb", "value": "sideways"}, "value"),
        ({"kind": "thumb", "value": None}, "value"),
        ({"kind": "thumb", "value": "up", "comment": "x" * 100_001}, "at most"),
        ({"kind": "correct", "text": ""}, "empty"),
        ({"kind": "correct"}, "text"),
        ({"kind": "erase"}, "kind"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_words(traced, given, words):
    """An answer of kind error, and nothing is kept."""
    ws, ids = traced
    answer = ask(ws.feedback.button(ids[0]), **given)
    assert answer["kind"] == "error"
    assert words in answer["message"]
    assert len(ws.feedback.list()) == 0


@pytest.mark.parametrize("given", [{"name": ""}, {"user": ""}, {"span_id": "not hex!" * 90}])
def test_a_button_that_could_keep_nothing_is_refused(traced, given):
    """When it is made, not when it is pressed."""
    ws, ids = traced
    with pytest.raises(UsageError):
        ws.feedback.button(ids[0], **given)
    with pytest.raises(UsageError):
        ws.feedback.button("")


def test_its_static_form_escapes(traced, monkeypatch):
    """What a runbook leaves: no connection, what was said as text."""
    ws, ids = traced
    monkeypatch.setenv("LMOPS_STATIC", "1")
    view = ws.feedback.button(ids[0], user="mara <b>")
    assert "nothing said yet" in view.text
    ws.feedback.record(ids[0], value="down", user="mara <b>", comment=HOSTILE)
    data, metadata = ws.feedback.button(ids[0], user="mara <b>")._repr_mimebundle_()
    assert (set(data), metadata) == ({"text/plain", "text/html"}, {})
    assert "<img" not in data["text/html"]
    assert "mara &lt;b&gt;" in data["text/html"]
    assert not {"\u202e", "\x1b"} & set(data["text/plain"] + data["text/html"])
