"""The labeler without a page: every act is answered once it is in the store, by client and number."""

from __future__ import annotations

import json

import pytest

from lmops.errors import NotFoundError, UsageError
from lmops.widgets.feedback.controller import LabelerController

ITEMS = [f"{number:032x}" for number in range(1, 4)]


@pytest.fixture
def ask(ws):
    """Send one message as the page of Ann does, and return the answer."""
    ws.feedback.schemas.save("support", criteria="As a <b>customer</b>.")
    ws.feedback.queue("q", ITEMS, schema="support")
    controller = LabelerController(ws.feedback, "q", "ann")

    def send(kind, **more):
        (found,) = controller.handle({"kind": kind, "id": "1", **more})
        assert json.loads(json.dumps(found)) == found
        return found

    return send


@pytest.fixture
def act(ask):
    """Send acts of one page; they are numbered from ``first`` on."""

    def send(*ops, first=1, client="page"):
        return ask("ops", client=client, ops=[{"sequence": first + i, **one} for i, one in enumerate(ops)])

    return send


def label(*positions, value="pass", **more):
    """Return the act of labelling."""
    return {"action": "label", "positions": list(positions), "values": {"verdict": value}, "version": 1, **more}


def test_the_page_hears_what_is_asked(ask):
    """Fields with their keys, and how far everybody is."""
    state = ask("hello")
    assert state["schema"]["fields"][0]["keys"]["pass"] == "p"
    assert state["progress"] == {"items": 3, "done": 0, "mine": None}


def test_items_are_handed_out_ahead_and_not_twice(ask, ws):
    """Those that the page has are held on; nobody else gets any of them."""
    assert [one["position"] for one in ask("ahead", n=2, have=[])["items"]] == [1, 2]
    assert [one["position"] for one in ask("ahead", n=2, have=[1, 2])["items"]] == [3]
    assert ws.feedback.queues.next("q", rater="bob") is None
    assert [one["position"] for one in ask("ahead", n=9, have=[3])["items"]] == [1, 2]


def test_an_act_is_acknowledged_once_it_is_kept(act, ws):
    """Sent again it is said again and not done again."""
    first, again = act(label(1, seconds=3.5)), act(label(1, seconds=3.5))
    assert first["done"] == again["done"] == [{"sequence": 1, "action": "label", "positions": [1], "seq": 1}]
    assert ws.sql("select rater, seconds from labels").fetchall() == [("ann", 3.5)]


def test_the_whole_life_of_an_item(act, ask):
    """Skipped, noted, labelled with others at once, taken back, found again."""
    acts = {"action": "skip", "positions": [1]}, {"action": "note", "positions": [2], "words": "odd"}
    found = act(*acts, label(2, 3, value="fail"))
    assert [one["positions"] for one in found["done"]] == [[1], [2], [2, 3]]
    assert [one["position"] for one in ask("filter", which="mine", after=0)["items"]] == [2, 3]
    assert act({"action": "undo", "of": 3}, first=4)["done"][0]["positions"] == [2, 3]
    item = ask("jump", position=2)["item"]
    assert (item["said"], item["note"]) == (None, "odd")
    undone = act(*[{"action": "undo"}] * 3, label(1), first=5)["done"]
    assert [one["action"] for one in undone] == ["undo", "undo", None, "label"]


def test_an_undo_takes_back_the_act_that_it_means(act, ws):
    """Not what another page of the same rater did since; and once only."""
    act(label(1))
    act(label(2), client="other")
    assert act({"action": "undo", "of": 1}, {"action": "undo", "of": 1}, first=2)["done"][1]["action"] is None
    assert ws.sql("select position from labels").fetchall() == [(2,)]


def test_acts_before_one_that_fails_are_kept_and_it_says_why(act, ws):
    """What can never be kept is refused; its number is used up by an act that does nothing."""
    found = act(label(1), label(2, value="perhaps"), label(3))
    assert [one["sequence"] for one in found["done"]] == [1]
    assert (found["stopped"]["sequence"], found["stopped"]["why"]) == (2, "refused")
    assert "give one of pass, fail" in found["stopped"]["message"]
    assert [one["sequence"] for one in act({"action": "void"}, label(3), first=2)["done"]] == [2, 3]
    assert ws.sql("select position from labels order by 1").fetchall() == [(1,), (3,)]


@pytest.mark.parametrize("ops", [[label(1)], [{"action": "undo"}]])
def test_what_a_closed_queue_does_not_take_may_come_later(act, ws, ops):
    """Nothing is lost: the page keeps it until the queue is open again."""
    act(label(2))
    ws.feedback.queues.close("q")
    found = act(*ops, first=2)
    assert (found["done"], found["stopped"]["why"]) == ([], "later")
    ws.feedback.queues.reopen("q")
    assert len(act(*ops, first=2)["done"]) == 1


def test_others_are_heard_after_the_own_choice(ask, act, ws):
    """What another rater and a user said is shown to nobody who has not decided."""
    ws.feedback.queue("two", ITEMS, schema="support", k=2)
    ws.feedback.record(ITEMS[0], value="down", comment="wrong")
    labeler = ws.feedback.label("two", rater="ann")
    ws.feedback.queues.label("two", 1, {"verdict": "fail"}, rater="bob")
    (refused,) = labeler._controller.handle({"kind": "after", "id": "1", "position": 1})
    assert "once you have decided" in refused["message"]
    ws.feedback.queues.label("two", 1, {"verdict": "pass"}, rater="ann")
    (found,) = labeler._controller.handle({"kind": "after", "id": "1", "position": 1})
    assert found["others"] == [{"rater": "bob", "said": {"verdict": {"value": "fail"}}}]
    assert [(one["value"], one["why"]) for one in found["opinions"]] == [("down", "wrong")]


@pytest.mark.parametrize(
    ("kind", "more", "why"),
    [
        ("ops", {"client": "", "ops": [label(1)]}, "client names the page"),
        ("ops", {"client": "p", "ops": []}, "ops is a list of 1 to"),
        ("ahead", {"n": 1, "have": "all"}, "have is a list of"),
        ("jump", {"position": 9}, "has no item 9"),
        ("filter", {"which": "yours", "after": 0}, "no which named 'yours'"),
        ("drop", {}, "no kind named 'drop'"),
    ],
)
def test_what_cannot_be_done_is_answered(ask, kind, more, why):
    """As an error with the message's id; the page goes on."""
    found = ask(kind, **more)
    assert (found["kind"], found["id"]) == ("error", "1")
    assert why in found["message"]
    assert ask("ahead", n=1, have=[])["items"][0]["position"] == 1


@pytest.mark.parametrize(
    ("op", "why"),
    [
        ({"action": "label", "positions": [1], "values": "pass", "version": 1}, "values is an object"),
        ({"action": "label", "positions": [1], "values": {"x": 1}, "version": 1}, "no field of support@1"),
        ({"action": "skip", "positions": [9]}, "has no item 9"),
        ({"action": "skip", "positions": []}, "positions is a list of 1 to"),
        ({"action": "drop"}, "no action named 'drop'"),
    ],
)
def test_an_act_that_can_never_be_kept_is_refused(act, op, why):
    """With the reason; a number that was left out is waited for."""
    found = act(op)["stopped"]
    assert (found["why"], why in found["message"]) == ("refused", True)
    assert act(label(1), first=2)["stopped"]["why"] == "later"


def test_without_a_page_it_says_how_far_it_is(ws, ask):
    """As text and as a table; names of raters are only words."""
    ws.feedback.queues.label("q", 1, {"verdict": "pass"}, rater="<script>alert(1)</script>")
    found = LabelerController(ws.feedback, "q", "ann").bundle()
    assert found["text/plain"].startswith("queue q: 1 of 3 items done")
    assert "<script>" not in found["text/html"]


def test_who_is_not_asked_gets_no_labeler(ws, ask):
    """Nor is there one of a queue that is not there."""
    ws.feedback.queue("hers", ITEMS, schema="support", raters=["ann"])
    assert repr(ws.feedback.label("hers", rater="ann")) == "<Labeler hers as ann>"
    for queue, rater, error in (("hers", "bob", UsageError), ("q", "\n", UsageError), ("none", "ann", NotFoundError)):
        with pytest.raises(error):
            ws.feedback.label(queue, rater=rater)
    ws.feedback.queues.close("q")
    assert ws.feedback.label("q", rater="ann").progress.items == 3


def test_in_a_runbook_it_is_a_table(ws, ask, monkeypatch):
    """Nothing listens there; a closed queue is shown as well."""
    monkeypatch.setenv("LMOPS_STATIC", "1")
    ws.feedback.queues.label("q", 1, {"verdict": "pass"}, rater="ann")
    ws.feedback.queues.close("q")
    found = ws.feedback.label("q", rater="ann")
    data, _ = found._repr_mimebundle_()
    assert set(data) == {"text/html", "text/plain"}
    assert found.text.startswith("queue q: 1 of 3 items done")
    assert data["text/html"].count("<tr") == 6
    assert ITEMS[2] in data["text/html"]
