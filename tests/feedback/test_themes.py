"""Error analysis: notes are sorted into failure modes, every act is kept and can be taken back."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lmops
from lmops.errors import ConflictError, NotFoundError, UsageError
from tests.feedback.notes import noted, trace

A, B, C, D, E, F = (f"{number}/verdict.critique/ann" for number in range(1, 7))


@pytest.fixture
def themes(ws):
    return noted(ws)


def sorted_into(themes):
    """Return what each mode holds, by its name."""
    frame = themes.df()
    frame = frame[frame["mode"].notna()]
    return {name: sorted(part["note"]) for name, part in frame.groupby("name")}


def test_notes_are_listed_with_where_they_come_from(ws, themes):
    """Critiques and notes on items, the last that stands; those on what passed when they are asked for."""
    ws.feedback.queues.note("q", 8, "first", rater="bob")
    ws.feedback.queues.note("q", 8, "no source", rater="bob")
    frame = themes.df()
    assert frame["note"].tolist() == [A, B, C, D, E, F, "8/note/bob"]
    last = frame.iloc[-1]
    assert (last["words"], last["rater"], last["position"], last["trace_id"]) == ("no source", "bob", 8, trace(8))
    first = frame.iloc[0]
    assert (first["version"], first["topic"], first["model"], first["session_id"]) == ("answer@2", "fares", "m-1", "s1")
    assert (first["verdict"], first["field"]) == ("fail", "verdict")
    assert len(ws.feedback.themes("q", passed=True).df()) == 8
    ws.feedback.queues.undo("q", rater="bob")
    assert themes.df().iloc[-1]["words"] == "first"


def test_modes_are_made_renamed_merged_and_split(ws, themes):
    """Each act is an event of the chain, and the views say what holds."""
    fares = themes.make("invents fares", [A, B], criteria="a price that no source has")
    assert (fares.number, fares.notes, fares.items, fares.criteria) == (1, 2, 2, "a price that no source has")
    themes.make("rude", [D])
    assert themes.assign([E, C], "rude").notes == 3
    assert themes.rename(2, "rude tone").name == "rude tone"
    assert themes.split("rude tone", C, "odd").number == 3
    assert themes.merge("odd", "invents fares").notes == 3
    assert sorted_into(themes) == {"invents fares": [A, B, C], "rude tone": [D, E]}
    assert themes.df("rude tone")["mode"].tolist() == [2, 2]
    assert str(themes.df()["mode"].dtype) == "Int64"
    assert themes.take_off([D, F]) == 1
    assert themes.describe("rude tone", "hurts").criteria == "hurts"
    assert themes.modes()[["mode", "name", "notes", "items"]].to_numpy().tolist() == [
        [1, "invents fares", 3, 3],
        [2, "rude tone", 1, 1],
    ]
    assert themes.remove("rude tone").notes == 1
    done = [
        f"failure_mode.{one}"
        for one in ("make", "make", "assign", "rename", "split", "merge", "take_off", "describe", "remove")
    ]
    events = ws.audit.events()
    assert events.action.tolist()[-9:] == done
    assert "invents" not in str(events.to_dict())
    assert ws.audit.verify().ok


def test_undo_goes_back_without_end(ws, themes):
    """Act by act, also after the store was closed."""
    themes.make("fares", [A])
    themes.make("rude", [D, E])
    themes.merge("rude", "fares")
    assert themes.undo() == "merge of 2 notes"
    assert sorted_into(themes) == {"fares": [A], "rude": [D, E]}
    folder = ws.store.path
    ws.close()
    with lmops.open(folder, actor="tester") as again:
        themes = again.feedback.themes("q")
        assert (themes.undo(), themes.undo(), themes.undo()) == ("make of 2 notes", "make of 1 note", None)
        assert (len(themes.modes()), again.audit.verify().ok) == (0, True)
        assert themes.make("new").number == 3


def test_nobody_takes_back_what_others_went_on_from(ws, themes):
    """Their undo comes first; what is of no concern to it can be taken back."""
    other = lmops.feedback.Themes(ws.project.acting_as("bob"), "q")
    themes.make("fares", [A])
    other.make("rude", [D])
    other.assign(B, "fares")
    with pytest.raises(ConflictError, match=r"bob went on from there \(assign\)"):
        themes.undo()
    assert other.undo() == "assign of 1 note"
    assert themes.undo() == "make of 1 note"
    assert sorted_into(themes) == {"rude": [D]}


def test_an_undo_brings_back_no_second_mode_of_a_name(ws, themes):
    """Whoever has the name by now keeps it."""
    themes.make("fares", [A])
    themes.rename("fares", "prices")
    lmops.feedback.Themes(ws.project.acting_as("bob"), "q").make("fares")
    with pytest.raises(ConflictError, match="a mode of the name 'fares' was made since"):
        themes.undo()


@pytest.mark.parametrize(
    ("act", "error", "words"),
    [
        (lambda t: t.make(" "), UsageError, "1 to 100 characters"),
        (lambda t: t.make("a\nb" * 50), UsageError, "1 to 100 characters"),
        (lambda t: t.make("7"), UsageError, "a number is how"),
        (lambda t: t.make("fares"), ConflictError, "mode 1 has the name 'fares'"),
        (lambda t: t.rename("far", "x"), NotFoundError, "fares"),
        (lambda t: t.assign("99/note/ann", "fares"), NotFoundError, "has no note '99/note/ann'"),
        (lambda t: t.split("fares", [B], "x"), NotFoundError, "is not in mode 1"),
        (lambda t: t.split("fares", [], "x"), UsageError, "give the notes"),
        (lambda t: t.merge(["fares", "nope"], "fares"), NotFoundError, "nope"),
        (lambda t: t.df(True), UsageError, "mode=True"),
    ],
)
def test_what_cannot_be_is_refused(ws, themes, act, error, words):
    """And nothing is changed."""
    themes.make("fares", [A])
    before = ws.sql("select count(*) from failure_history").fetchall()
    with pytest.raises(error, match=words):
        act(themes)
    assert ws.sql("select count(*) from failure_history").fetchall() == before


def test_a_queue_that_is_not_there_is_named(ws, themes):
    """With what would work."""
    with pytest.raises(NotFoundError, match="q"):
        ws.feedback.themes("triag")
    with pytest.raises(NotFoundError, match="queue"):
        lmops.feedback.Themes(ws.project, "gone").make("x")


def test_what_changes_nothing_is_no_act(ws, themes):
    """The same again is not said again."""
    themes.make("fares", [A])
    themes.assign(A, "fares")
    themes.rename("fares", "fares")
    themes.merge("fares", "fares")
    themes.describe("fares", "")
    assert themes.take_off(B) == 0
    assert ws.sql("select count(distinct act) from failure_history").fetchall() == [(1,)]


NAMES = ("one", "two", "three")
NOTES = (A, B, C, D, E, F)
ACTS = st.one_of(
    st.tuples(st.just("make"), st.sampled_from(NAMES), st.lists(st.sampled_from(NOTES), max_size=3)),
    st.tuples(st.just("assign"), st.lists(st.sampled_from(NOTES), min_size=1, max_size=3), st.sampled_from(NAMES)),
    st.tuples(st.just("take_off"), st.lists(st.sampled_from(NOTES), min_size=1, max_size=2)),
    st.tuples(st.just("merge"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(
        st.just("split"), st.sampled_from(NAMES), st.lists(st.sampled_from(NOTES), max_size=2), st.sampled_from(NAMES)
    ),
    st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("remove"), st.sampled_from(NAMES)),
    st.tuples(st.just("undo")),
)


def state_of(themes):
    """Return the modes and the notes in them."""
    return themes.modes()["name"].sort_values().tolist(), sorted_into(themes)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(ACTS, min_size=3, max_size=12))
def test_any_acts_and_undos_are_the_acts_that_stand(ws, acts):
    """After each undo everything is as it was before the act; the rows that stand, replayed, are the views."""
    themes = noted(ws) if not ws.sql("from queues").fetchall() else ws.feedback.themes("q")
    while themes.undo():
        pass
    before = [state_of(themes)]
    for action, *rest in acts:
        try:
            getattr(themes, action)(*rest)
        except (NotFoundError, ConflictError, UsageError):
            continue
        now = state_of(themes)
        if action == "undo":
            if len(before) > 1:
                before.pop()
            assert now == before[-1]
        elif now != before[-1]:
            before.append(now)
    assert replayed(ws) == now_of(ws)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(st.tuples(st.sampled_from(("ann", "bob")), ACTS), min_size=3, max_size=12))
def test_two_people_sort_the_same_notes(ws, acts):
    """Whatever each does and takes back, the history says what holds, and a name is that of one mode."""
    if not ws.sql("from queues").fetchall():
        noted(ws)
    for who, (action, *rest) in acts:
        themes = lmops.feedback.Themes(ws.project.acting_as(who), "q")
        try:
            getattr(themes, action)(*rest)
        except (NotFoundError, ConflictError, UsageError):
            continue
    modes, _ = now_of(ws)
    assert replayed(ws) == now_of(ws)
    assert len(set(modes.values())) == len(modes)


def now_of(ws):
    """Return what the views say: modes and the notes in them."""
    modes = dict(ws.sql("select mode, name from failure_modes where queue = 'q'").fetchall())
    return modes, dict(ws.sql("select note, mode from failure_notes where mode is not null").fetchall())


def replayed(ws):
    """Return the same from the history, act by act."""
    rows = ws.sql("select act, mode, note, name, undoes from failure_history order by seq").fetchall()
    undone = {row[4] for row in rows}
    modes, notes = {}, {}
    for act, mode, note, name, undoes in rows:
        if act in undone or undoes is not None:
            continue
        (modes if note is None else notes)[mode if note is None else note] = name if note is None else mode
    modes = {mode: name for mode, name in modes.items() if name is not None}
    return modes, {note: mode for note, mode in notes.items() if mode in modes}
