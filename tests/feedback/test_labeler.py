"""The labeler without a page: every act is answered once it is in the store, by client and number."""

from __future__ import annotations

import json

import pytest

from lmops.widgets.feedback.controller import LabelerController

ITEMS = [f"{number:032x}" for number in range(1, 4)]


@pytest.fixture
def ask(ws):
    """Send one message as the page of Ann does, and return the answer."""
    ws.feedback.schemas.save("support", criteria="As a <b>customer</b>.")
    ws.feedback.queue("q", ITEMS, schema="support")
    controller = LabelerController(ws.feedback, "q", "ann")

    def send(kind, **more):
        (found,) = controller.handle({"kind": kind, "id": "1", "client": "page", **more})
        assert json.loads(json.dumps(found)) == found
        return found

    return send


def test_the_page_hears_what_is_asked(ask):
    """Fields with their keys, and how far everybody is."""
    state = ask("hello")
    assert state["schema"]["fields"][0]["keys"]["pass"] == "p"
    assert state["progress"] == {"items": 3, "done": 0, "mine": None}
    assert ask("next")["item"]["position"] == 1


def test_an_act_is_acknowledged_once_it_is_kept(ask, ws):
    """Sent again it is said again and not done again."""
    label = {"position": 1, "values": {"verdict": "pass"}, "version": 1, "seconds": 3.5, "sequence": 1}
    first, again = ask("label", **label), ask("label", **label)
    assert (first["client"], first["sequence"], first["positions"]) == ("page", 1, [1])
    assert (first["is_repeated"], again["is_repeated"], again["seq"]) == (False, True, first["seq"])
    assert ws.sql("select rater, seconds from labels").fetchall() == [("ann", 3.5)]


def test_the_whole_life_of_an_item(ask):
    """Skipped, noted, labelled with others at once, taken back, found again."""
    assert ask("skip", position=1, sequence=1)["action"] == "skip"
    ask("note", position=2, words="odd", sequence=2)
    marked = ask("label", positions=[2, 3], values={"verdict": "fail"}, version=1, sequence=3)
    assert marked["positions"] == [2, 3]
    assert [one["position"] for one in ask("filter", which="mine", after=0)["items"]] == [2, 3]
    assert ask("undo", sequence=4)["positions"] == [2, 3]
    item = ask("jump", position=2)["item"]
    assert (item["said"], item["note"]) == (None, "odd")
    assert [ask("undo", sequence=number)["action"] for number in (5, 6, 7)] == ["undo", "undo", None]


@pytest.mark.parametrize(
    ("kind", "more", "why"),
    [
        ("label", {"position": 1, "values": "pass", "version": 1, "sequence": 1}, "values is an object"),
        ("label", {"position": 1, "values": {"x": 1}, "version": 1, "sequence": 1}, "no field of support@1"),
        ("label", {"position": 1, "values": {"verdict": "pass"}, "version": 1, "sequence": 2}, "1 is missing"),
        ("skip", {"position": 9, "sequence": 1}, "has no item 9"),
        ("skip", {"position": 1, "sequence": 1, "client": ""}, "client names the page"),
        ("filter", {"which": "yours", "after": 0}, "no which named 'yours'"),
        ("drop", {}, "no kind named 'drop'"),
    ],
)
def test_what_cannot_be_done_is_answered(ask, kind, more, why):
    """As an error with the message's id; the page goes on."""
    found = ask(kind, **more)
    assert (found["kind"], found["id"]) == ("error", "1")
    assert why in found["message"]
    assert ask("next")["item"]["position"] == 1


def test_without_a_page_it_says_how_far_it_is(ws, ask):
    """As text and as a table; names of raters are only words."""
    ws.feedback.queues.label("q", 1, {"verdict": "pass"}, rater="<script>alert(1)</script>")
    found = LabelerController(ws.feedback, "q", "ann").bundle()
    assert found["text/plain"].startswith("queue q: 1 of 3 items done")
    assert "<script>" not in found["text/html"]
