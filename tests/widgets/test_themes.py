"""What the board of failure modes knows and answers, without a page."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.feedback.notes import noted, trace
from tests.feedback.test_themes import NAMES, NOTES, A, B, C, D, E, F, now_of, replayed


@pytest.fixture
def controller(ws):
    """The board of a queue with six notes."""
    from lmops.widgets.feedback.themes_controller import ThemesController

    return ThemesController(noted(ws))


def ask(controller, kind, **more):
    """The answer to one message."""
    (answer,) = controller.handle({"kind": kind, "id": "v1:1", "view": "v1", **more})
    return answer


def columns(state):
    """The notes of each column, by its name."""
    return {one["name"]: [card["note"] for card in one["cards"]] for one in state["columns"]}


def test_hello_tells_notes_modes_and_shares(controller):
    """What is not sorted comes first; a share of chosen items is no rate; the message is plain JSON."""
    controller.themes.make("fares", [A, B], criteria="a price")
    state = ask(controller, "hello")
    assert columns(state) == {"Not sorted yet": [C, D, E, F], "fares": [A, B]}
    mode = state["columns"][1]
    assert (mode["mode"], mode["criteria"], mode["items"], mode["share"]["is_rate"]) == (1, "a price", 2, False)
    assert mode["share"]["values"][0] == 2 / 8
    card = state["columns"][0]["cards"][0]
    assert card["words"] == "an invented fare, no source has it"
    assert (card["rater"], card["version"], card["model"], card["topic"], card["trace"]) == (
        "ann",
        "answer@2",
        "m-1",
        "fares",
        trace(3),
    )
    assert (state["notes"], state["open"], state["items"]) == (6, 4, 8)
    json.dumps(state, allow_nan=False)


def test_notes_move_by_number_by_name_and_out(controller):
    """A name that is not there makes a mode; where the notes are of one mode, that is split."""
    ask(controller, "make", name="fares", notes=[A, B, C])
    assert columns(ask(controller, "move", notes=[D], to=1))["fares"] == [A, B, C, D]
    assert columns(ask(controller, "move", notes=[D, E], to=" rude "))["rude"] == [D, E]
    assert columns(ask(controller, "move", notes=[F], to="rude"))["rude"] == [D, E, F]
    ask(controller, "move", notes=[C], to="odd")
    assert controller.themes._store.sql("select max_by(action, seq) from failure_history").fetchall() == [("split",)]
    state = ask(controller, "move", notes=[C], to=None)
    assert (columns(state)["odd"], state["said"]) == ([], "1 note in no mode any more")


def test_modes_are_changed(controller):
    """Renamed, described, merged, removed, taken back; what is refused is an error and changes nothing."""
    for name in ("one", "two"):
        ask(controller, "make", name=name, notes=[])
    assert ask(controller, "rename", mode=1, name="two")["kind"] == "error"
    assert "first" in columns(ask(controller, "rename", mode=1, name="first"))
    assert ask(controller, "describe", mode=1, criteria="why")["columns"][1]["criteria"] == "why"
    assert "is that mode itself" in ask(controller, "merge", mode=1, into="first")["message"]
    assert ask(controller, "merge", mode=1, into=2)["said"] == "first is part of two now"
    assert ask(controller, "remove", mode=2)["said"] == "removed two; 0 notes to be sorted again"
    assert ask(controller, "undo")["said"] == "taken back: remove"
    while (said := ask(controller, "undo")["said"]) != "there is nothing to take back":
        assert said.startswith("taken back")


def test_suggestions_are_shown_and_applied_only_when_accepted(ws, controller):
    """A group shrinks with its notes and is gone with the last; a place that is gone is refused."""
    assert ask(controller, "accept", place=0)["kind"] == "error"
    state = ask(controller, "suggest", on=True)
    assert state["suggested"]["groups"] == 2
    assert ws.sql("select count(*) from failure_history").fetchall() == [(0,)]
    groups = {one["suggestion"]: [card["note"] for card in one["cards"]] for one in state["columns"][1:]}
    fares = next(place for place, notes in groups.items() if A in notes)
    ask(controller, "move", notes=[A], to="x")
    state = ask(controller, "accept", place=fares, name="fares")
    assert (columns(state)["fares"], state["suggested"]["groups"]) == ([B, C], 1)
    assert ask(controller, "suggest", on=False)["suggested"] is None


@pytest.mark.parametrize(
    "message",
    [{"kind": "move", "notes": "x", "to": 1}, {"kind": "move", "notes": [1], "to": 1},
     {"kind": "move", "notes": [], "to": 2.5}, {"kind": "more"}, {"kind": "drop"},
     {"kind": "rename", "mode": True, "name": "x"}, {"kind": "rename", "mode": 1, "name": "x" * 2_000},
     {"kind": "move", "notes": ["nope"], "to": None}, {"kind": "merge", "mode": 1, "into": []}],
)  # fmt: skip  # cases that belong together share a line
def test_a_message_that_is_none_is_an_error(ws, controller, message):
    """And nothing is changed."""
    controller.themes.make("fares", [A])
    assert ask(controller, message.pop("kind"), **message)["kind"] == "error"
    assert ws.sql("select count(distinct act) from failure_history").fetchall() == [(1,)]


MESSAGES = st.one_of(
    st.fixed_dictionaries({"kind": st.just("move"), "notes": st.lists(st.sampled_from(NOTES), min_size=1, max_size=3),
                           "to": st.sampled_from((None, 1, 2, 3, *NAMES))}),
    st.fixed_dictionaries({"kind": st.just("make"), "notes": st.lists(st.sampled_from(NOTES), max_size=2),
                           "name": st.sampled_from(NAMES)}),
    st.fixed_dictionaries({"kind": st.just("rename"), "mode": st.integers(1, 4), "name": st.sampled_from(NAMES)}),
    st.fixed_dictionaries({"kind": st.just("merge"), "mode": st.integers(1, 4), "into": st.integers(1, 4)}),
    st.fixed_dictionaries({"kind": st.just("remove"), "mode": st.integers(1, 4)}),
    st.fixed_dictionaries({"kind": st.sampled_from(("undo", "undo", "suggest", "refresh"))}),
    st.fixed_dictionaries({"kind": st.just("accept"), "place": st.integers(0, 2)}),
)  # fmt: skip  # arguments that belong together share a line


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=st.lists(MESSAGES, max_size=10))
def test_any_messages_show_the_events_that_stand(ws, messages):
    """Whatever a page sends, what it is shown is what a replay of the history yields, each note once."""
    from lmops.widgets.feedback.themes_controller import ThemesController

    themes = noted(ws) if not ws.sql("from queues").fetchall() else ws.feedback.themes("q")
    board = ThemesController(themes)
    for message in messages:
        ask(board, message["kind"], **{name: value for name, value in message.items() if name != "kind"})
    state = ask(board, "hello")
    modes, notes = replayed(ws)
    assert (modes, notes) == now_of(ws)
    assert {one["mode"]: one["name"] for one in state["columns"] if one["mode"]} == modes
    shown = [(card["note"], one["mode"]) for one in state["columns"] for card in one["cards"]]
    assert sorted(shown, key=str) == sorted(((note, notes.get(note)) for note in NOTES), key=str)


def test_two_boards_of_one_queue_agree_after_a_refresh(ws, controller):
    """Python tells its views what others have done since."""
    board = ws.feedback.themes("q").view
    heard = []
    board._controller.on_change = heard.append
    ask(controller, "make", name="fares", notes=[A])
    board.refresh()
    assert columns(heard[0])["fares"] == [A]
    assert repr(board) == "<ThemesBoard of q: 6 notes, 5 in no mode, 1 modes>"
    assert board.value.mode("fares").notes == 1


def test_static_it_is_tables(ws, monkeypatch):
    """Modes with examples, and what is not sorted; hostile text is text."""
    monkeypatch.setenv("LMOPS_STATIC", "1")
    themes = noted(ws, written=((1, "fail", "<img src=x>\u202e"), (2, "fail", "rude")))
    themes.make("<script>x</script>", [A])
    data, _ = themes._repr_mimebundle_()
    assert set(data) == {"text/plain", "text/html"}
    assert "&lt;script&gt;" in data["text/html"]
    assert "&lt;img src=x&gt;[U+202E]" in data["text/html"]
    assert "Notes in no mode" in data["text/html"]
    assert "1 in no mode" in data["text/plain"]
    assert "\u202e" not in data["text/plain"]
    assert themes.suggest()._repr_html_().count("<table") <= 1
    assert "chosen for a reason" in themes.pivot()._repr_html_()
