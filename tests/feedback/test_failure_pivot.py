"""How often failure modes were found: by group, with intervals and n; a rate of the traffic only where it is one."""

from __future__ import annotations

import pytest

from lmops.calc.intervals import proportion_interval, wilson
from lmops.errors import UsageError
from tests.feedback.notes import noted, trace
from tests.feedback.test_themes import A, B, C, D, E, F
from tests.store.helpers import span


def rows(pivot, *columns):
    return pivot.df()[list(columns)].to_numpy().tolist()


def test_modes_are_counted_by_version(ws):
    """Of the items that somebody looked at; a mode that a version does not have is there with 0."""
    themes = noted(ws)
    themes.make("fares", [A, B, C])
    themes.make("rude", [D])
    pivot = themes.pivot("version")
    assert rows(pivot, "version", "failure_mode", "count", "items") == [
        ["answer@1", "fares", 1, 4],
        ["answer@1", "rude", 1, 4],
        ["answer@2", "fares", 2, 4],
        ["answer@2", "rude", 0, 4],
    ]
    low, high = (float(one) for one in wilson(2, 4))
    assert rows(pivot, "share", "low", "high")[2] == pytest.approx([0.5, low, high])
    assert rows(pivot, "share", "low")[3] == [0, 0]
    assert pivot.items == 8
    assert "2 notes are in no mode yet" in pivot.notes
    assert rows(themes.pivot("topic"), "topic", "failure_mode", "count", "items")[0] == ["fares", "fares", 3, 3]
    assert len(rows(themes.pivot(["model", "version"]), "model", "version")) == 4


def test_items_of_one_session_are_one_cluster(ws):
    """The interval is that of clustered outcomes."""
    themes = noted(ws)
    themes.make("fares", [A, B, C])
    sessions = [number // 2 for number in range(8)]
    found = proportion_interval([1, 1, 1, 0, 0, 0, 0, 0], clusters=sessions)
    assert rows(themes.pivot(), "share", "low", "high") == [pytest.approx([found.estimate, found.low, found.high])]


def test_chosen_items_give_no_rate_of_the_traffic(ws):
    """Rows of their own, and words that say so."""
    themes = noted(ws)
    themes.make("fares", [A])
    assert rows(themes.pivot(), "of") == [["items chosen"]]
    assert "not of the traffic" in themes.pivot().text
    ws.feedback.queue("drawn", "random", schema="support", n=8)
    ws.feedback.queues.label("drawn", trace(1), {"verdict": {"value": "fail", "critique": "odd"}}, rater="ann")
    drawn = ws.feedback.themes("drawn")
    drawn.make("odd", drawn.df()["note"].tolist())
    assert rows(drawn.pivot(), "of", "count", "items") == [["traffic", 1, 1]]


def test_unequal_chances_are_weighed(ws):
    """An item that was drawn with half the chance stands for two."""
    chances = [{"trace_id": trace(number), "probability": 0.5 if number < 4 else 1.0} for number in range(1, 9)]
    themes = noted(ws, items=chances)
    themes.make("fares", [A, B, C])
    assert rows(themes.pivot(), "of", "count", "items", "share") == [["traffic", 3, 8, pytest.approx(6 / 11)]]


def test_a_queue_of_both_kinds_has_both_rows(ws):
    """What was drawn apart from what was chosen."""
    given = [{"trace_id": trace(number), "probability": 0.5 if number < 5 else None} for number in range(1, 9)]
    themes = noted(ws, items=given)
    themes.make("rude", [D, E, F])
    assert rows(themes.pivot(), "of", "count", "items") == [["traffic", 1, 4], ["items chosen", 2, 4]]
    assert len([note for note in themes.pivot().notes if "items were" in note]) == 2


def test_what_users_said_groups_as_well(ws):
    """Items that nobody said anything of are a group too; a name that nobody used is refused."""
    themes = noted(ws)
    themes.make("fares", [A, B])
    ws.feedback.record(trace(1), value="down", user="u")
    found = themes.pivot("feedback.thumb").data()["rows"]
    assert [(one["feedback.thumb"], one["count"], one["items"]) for one in found] == [("down", 1, 1), (None, 1, 7)]
    with pytest.raises(UsageError, match=r"thumb"):
        themes.pivot("feedback.thum")
    with pytest.raises(UsageError, match="grouping"):
        themes.pivot("versoin")
    with pytest.raises(UsageError, match="once"):
        themes.pivot(["version", "version"])
    with pytest.raises(UsageError, match="level=2"):
        themes.pivot(level=2.0)


def test_two_raters_of_an_item_count_it_once(ws):
    """However many notes of it are in a mode."""
    themes = noted(ws)
    ws.feedback.queues.note("q", 1, "made up", rater="bob")
    themes.make("fares", [A, "1/note/bob"])
    assert rows(themes.pivot(), "count", "items") == [[1, 8]]
    assert (themes.mode("fares").notes, themes.mode("fares").items) == (2, 1)


def test_items_outlive_their_traces(ws):
    """What retention took is still counted, in no group, and the figures say so."""
    themes = noted(ws)
    themes.make("fares", [A, B])
    ws.store.retain(days=1, now_ns=ws.sql("select max(end_ns) from spans").fetchall()[0][0] + 10 * 86_400_000_000_000)
    pivot = themes.pivot("version")
    assert [(one["version"], one["count"], one["items"]) for one in pivot.data()["rows"]] == [(None, 2, 8)]
    assert "8 items whose trace is not in the store (any more) are in no group" in pivot.notes
    assert themes.df()["words"].tolist()[0] == "invents a fare of 40 euro"


def test_a_group_may_be_called_as_a_figure(ws):
    """Every column has a name of its own."""
    themes = noted(ws)
    themes.make("fares", [A])
    spans = span("t1", "late", attributes='{"count": "many"}')
    ws.store.append_many({"spans": [spans]})
    frame = themes.pivot(["name", "count"]).df()
    assert list(frame.columns)[:4] == ["name", "count of the trace", "mode", "failure_mode"]
    assert frame.columns.is_unique
    assert "many" in themes.pivot("count").text


def test_nothing_looked_at_is_no_rate(ws):
    """No rows, and words that say why."""
    noted(ws)
    ws.feedback.queue("empty", [trace(1)], schema="support")
    pivot = ws.feedback.themes("empty").pivot("version")
    assert (len(pivot.df()), pivot.notes, pivot.data()["rows"]) == (0, ("nobody has looked at an item yet",), [])


def test_the_chart_has_a_mark_for_each_mode(ws):
    """In a colour a group; its title says how many items were looked at."""
    themes = noted(ws)
    themes.make("fares", [A, B, C])
    figure = themes.pivot("version").view
    assert "8 items looked at" in figure.layout.title.text.replace("<br>", " ")
    assert [len(one.x) for one in figure.data] == [1, 1]


def test_known_answers_are_in_no_share(ws):
    """What raters are measured by was looked at for that alone."""
    themes = noted(ws)
    themes.make("fares", [A, B, C])
    before = rows(themes.pivot(), "count", "items", "share")
    ws.store.append_many({"spans": [span("t", "root", trace_id="f" * 32, span_id="1" * 16)]})
    made = ws.feedback.queues.gold("q", {"f" * 32: {"verdict": "fail"}}, share=0.5)
    ws.feedback.queues.label("q", made.count, {"verdict": {"value": "fail", "critique": "seen before"}}, rater="ann")
    assert rows(themes.pivot(), "count", "items", "share") == before
