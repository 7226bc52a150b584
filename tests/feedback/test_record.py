"""What users say: the last word counts, every word is kept, and it finds its trace whichever came first."""

from __future__ import annotations

import pytest

import lmops
from lmops.errors import UsageError
from lmops.feedback._schema_signals import STORED
from lmops.store import DamagedSegmentWarning
from tests.store.helpers import span

TRACE, OTHER = "a" * 32, "b" * 32


def arrive(ws, trace_id=TRACE, **columns):
    """Store one trace of one span."""
    ws.store.append_many({"spans": [span("t", "root", trace_id=trace_id, span_id="1" * 16, **columns)]})


def shown(ws, columns="value", view="feedback"):
    return ws.sql(f"select {columns} from {view} order by seq").fetchall()


@pytest.mark.parametrize(
    "value", ["up", "UP ", True, 1, "+1", "👍", "👍🏽", "thumbs up", ":thumbsup:", "like", "true", "1.0"]
)
def test_a_thumb_up_is_said_in_many_ways(ws, value):
    """All of them are the same."""
    made = ws.feedback.record(TRACE, value=value)
    assert (made.kind, made.value, made.number) == ("thumb", "up", 1.0)


@pytest.mark.parametrize("value", ["down", False, -1, 0, "👎", "👎🏿", "thumbs_down", "dislike", "no"])
def test_a_thumb_down_is_said_in_many_ways(ws, value):
    """All of them are the same."""
    made = ws.feedback.record(TRACE, value=value)
    assert (made.kind, made.value, made.number) == ("thumb", "down", 0.0)


@pytest.mark.parametrize(
    ("name", "value", "more", "kind", "kept", "number"),
    [
        ("rating", 4, {"scale": (1, 5)}, "number", "4", 4.0),
        ("rating", "4.5", {}, "number", "4.5", 4.5),
        ("topic", "refunds", {}, "category", "refunds", None),
        ("topic", "2024", {"kind": "category"}, "category", "2024", None),
        ("why", "it is\nwrong", {}, "text", "it is\nwrong", None),
        ("correction", "At 9:30.", {}, "correction", "At 9:30.", None),
        ("helpful", "👍", {}, "thumb", "up", 1.0),
        ("helpful", True, {}, "thumb", "up", 1.0),
    ],
)
def test_a_value_says_its_kind(ws, name, value, more, kind, kept, number):
    """Numbers, categories, texts and the right answer are told apart."""
    made = ws.feedback.record(TRACE, value=value, name=name, **more)
    assert (made.kind, made.value, made.number) == (kind, kept, number)
    assert shown(ws, "kind, value, number, scale_high") == [(kind, kept, number, 5.0 if more.get("scale") else None)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"value": "meh"}, "is no thumb: give 'up' or 'down'"),
        ({"value": "  "}, "the value is empty"),
        ({"value": None}, "the value is empty"),
        ({"value": [1]}, "no thumb"),
        ({"value": {}, "name": "x"}, "a bool, a number or text, not dict"),
        ({"value": float("nan"), "name": "rating"}, "is no number"),
        ({"value": 6, "name": "rating", "scale": (1, 5)}, "6 is outside its scale of 1 to 5"),
        ({"value": 3, "name": "rating", "scale": (5, 1)}, "the least and the greatest"),
        ({"value": "a", "name": "topic", "scale": (1, 5)}, "only numbers have a scale"),
        ({"value": "x" * 201, "name": "topic", "kind": "category"}, "kind='text' takes it"),
        ({"value": "up", "kind": "thump"}, "thumb"),
        ({"value": "up", "user": " "}, "user is empty"),
        ({"value": "up", "user": "a\ud800"}, "half a character"),
        ({"value": "up", "at": "yesterday"}, "is not a time"),
        ({"value": "up", "at": "9999-01-01"}, "before 1970 or after 2262"),
        ({"value": "up", "session_id": "s"}, "give one of"),
        ({"value": "up", "name": ""}, "the name of a signal is empty|name is empty"),
    ],
)
def test_what_cannot_be_used_is_said(ws, arguments, said):
    """And nothing of it is kept."""
    with pytest.raises(UsageError, match=said):
        ws.feedback.record(TRACE, **arguments)
    assert shown(ws) == []


@pytest.mark.parametrize("bad", ["", "abc", "g" * 32, "a" * 31])
def test_what_is_no_id_of_a_trace_is_refused(ws, bad):
    """It could never find its trace."""
    with pytest.raises(UsageError, match="trace_id"):
        ws.feedback.record(bad, value="up")
    with pytest.raises(UsageError, match="one of trace_id=, span_id=, response_id= and session_id="):
        ws.feedback.record(value="up")


def test_the_last_word_of_a_user_counts(ws):
    """And all that was said before is in the history."""
    for value in ("up", "down", "up"):
        ws.feedback.record(TRACE, value=value, user="u1")
    ws.feedback.record(TRACE, value="down", user="u2")
    assert shown(ws, "user_id, value") == [("u1", "up"), ("u2", "down")]
    assert shown(ws, "value, replaces", "feedback_history") == [("up", None), ("down", 1), ("up", 2), ("down", None)]


def test_the_same_again_adds_nothing(ws):
    """It says that it was there."""
    first = ws.feedback.record(TRACE, value="up", user="u1", comment="good")
    again = ws.feedback.record(TRACE, value="👍", user="u1", comment="good")
    assert (first.change, again.change) == ("new", "same")
    assert len(shown(ws, view="feedback_history")) == 1


def test_what_comes_late_does_not_count(ws):
    """What was said later holds, whichever came first."""
    ws.feedback.record(TRACE, value="up", user="u1", at="2026-01-02")
    late = ws.feedback.record(TRACE, value="down", user="u1", at="2026-01-01")
    assert late.change == "late"
    assert "a later one counts" in late.text
    assert shown(ws) == [("up",)]
    assert shown(ws, "value, replaces", "feedback_history") == [("up", None), ("down", 2)]


def test_what_lies_in_the_future_counts_from_now(ws):
    """A clock that is fast silences nobody; its time is kept as it was said."""
    ws.feedback.record(TRACE, value="up", user="u1", at="2200-01-01")
    ws.feedback.record(TRACE, value="down", user="u1")
    assert shown(ws, "value") == [("down",)]
    assert shown(ws, "year(said_at)", "feedback_history")[0] == (2200,)


def test_nobody_known_is_each_time_another(ws):
    """Unless a key says which signal it is."""
    for _ in range(2):
        ws.feedback.record(TRACE, value="up")
        ws.feedback.record(TRACE, value="down", key="score-1")
        ws.feedback.record(TRACE, value="down", at="2026-01-01")
    assert sorted(shown(ws)) == [("down",), ("down",), ("up",), ("up",)]


def test_feedback_waits_for_its_trace(ws):
    """It is joined when that arrives, by the id of the response or of the span as well."""
    ws.feedback.record(TRACE, value="up")
    ws.feedback.record(span_id="1" * 16, value="up", name="span")
    ws.feedback.record(response_id="resp-1", value="up", name="response")
    ws.feedback.record(session_id="s-1", value="up", name="session")
    assert set(ws.feedback.waiting()["target"]) == {"trace", "span", "response", "session"}
    arrive(ws, kind="llm", model="m", response_id="resp-1", session_id="s-1")
    assert ws.feedback.waiting().empty
    found = dict(shown(ws, "target, trace_id"))
    assert found == {"trace": TRACE, "span": TRACE, "response": TRACE, "session": None}


def test_hostile_text_is_text(ws):
    """It is kept as it came, and shown without acting."""
    hostile = "'); drop table traces; <img onerror=x>\x1b[31m\u202e"
    made = ws.feedback.record(TRACE, value=hostile, name=hostile, user=hostile, comment=hostile)
    assert "\x1b" not in made.text + repr(ws.feedback)
    assert "<img" not in made._repr_html_()
    assert shown(ws, "name, value, user_id, comment") == [(hostile,) * 4]
    assert ws.feedback.list(user=hostile, name=hostile)["value"].tolist() == [hostile]


def test_signals_of_other_processes_are_seen(ws, tmp_path):
    """And those that are erased from the table are gone."""
    ws.feedback.record(TRACE, value="up", user="u1")
    assert len(shown(ws)) == 1
    with lmops.open(ws.store.path) as other:
        other.feedback.record(TRACE, value="down", user="u2")
    assert len(shown(ws)) == 2
    with ws.store.transaction() as con:
        con.execute("delete from feedback_history where user_id = 'u1'")
    assert shown(ws, "user_id") == [("u2",)]


def test_a_signal_is_no_event_of_the_audit_chain(ws):
    """They are facts by the million; the chain is whole, and a changed one is named."""
    ws.feedback.record(TRACE, value="up", user="u1")
    assert ws.sql("select count(*) from audit").fetchall() == [(0,)]
    assert ws.audit.verify().ok
    with ws.store.transaction() as con:
        con.execute("update feedback_history set value = 'down'")
    assert not ws.audit.verify().ok


@pytest.mark.parametrize("column", [*STORED, "checksum"])
def test_another_value_in_any_column_is_found(ws, column):
    """By whoever verifies the chain, and by whoever asks for signals."""
    ws.feedback.record(TRACE, value="up", user="u1", comment="fine")
    with ws.store.transaction() as con:
        con.execute(f"update feedback_history set {column} = coalesce({column}, 0) || '1'")
    found = ws.audit.verify()
    assert not found.ok
    assert "feedback_history" in found.text
    with pytest.warns(DamagedSegmentWarning, match="is not what was written"):
        ws.sql("select seq from feedback_history")


def test_a_store_that_is_read_only_answers(ws):
    """And takes nothing."""
    ws.feedback.record(TRACE, value="up")
    with lmops.open(ws.store.path, read_only=True) as other:
        assert other.feedback.list()["value"].tolist() == ["up"]
        with pytest.raises(lmops.ReadOnlyError):
            other.feedback.record(TRACE, value="up")


@pytest.mark.parametrize("limit", [-1, True, 1.5])
def test_a_list_has_a_length(ws, limit):
    """A number of rows, or None."""
    with pytest.raises(UsageError, match="limit="):
        ws.feedback.list(limit=limit)


@pytest.mark.parametrize(
    "on", [{"trace_id": TRACE}, {"span_id": "1" * 16}, {"response_id": "r-1"}, {"session_id": "s-1"}]
)
def test_what_comes_before_its_trace_says_that_it_waits(ws, on):
    """As the list of what waits does; not once it is there."""
    early = ws.feedback.record(**on, value="up", user="u")
    assert early.is_waiting
    assert early.text.endswith(f": kept; it waits: this {early.target} is not in the store yet")
    assert len(ws.feedback.waiting()) == 1
    arrive(ws, kind="llm", response_id="r-1", session_id="s-1")
    late = ws.feedback.record(**on, value="down", user="u")
    assert (late.is_waiting, len(ws.feedback.waiting())) == (False, 0)
    assert "waits" not in late.text
