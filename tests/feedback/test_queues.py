"""Queues: an item is in once, is handed to whom it is due, comes back when nobody takes it; done means by all asked."""

from __future__ import annotations

import pytest

from lmops.errors import ConflictError, NotFoundError, UsageError
from lmops.feedback import Queues
from lmops.records import Project
from tests.store.helpers import span

ITEMS = [f"{number:032x}" for number in range(1, 7)]


@pytest.fixture
def queues(ws, clock):
    """The queues of a store whose clock moves when it is told to; a schema is there."""
    ws.feedback.schemas.save("support")
    return Queues(Project(store=ws.store, actor="tester", now=clock))


def shown(ws, columns, view, order="1"):
    return ws.sql(f"select {columns} from {view} order by {order}").fetchall()


def take(queues, rater, queue="q"):
    turn = queues.next(queue, rater=rater)
    return None if turn is None else turn.position


def test_an_item_is_in_a_queue_once(ws, queues):
    """However often it is put in; what is new is added; the chain has each time."""
    assert queues.open("q", [ITEMS[0], ITEMS[0], ITEMS[1]], schema="support").added == 2
    again = queues.open("q", ITEMS[:3])
    assert (again.added, again.count) == (1, 3)
    assert queues.open("q").added == 0
    assert shown(ws, "position, item, probability, is_done", "queue_items") == [
        (number + 1, ITEMS[number], None, False) for number in range(3)
    ]
    assert ws.audit.events().action.tolist()[1:] == ["queue.open", "queue.add", "queue.add"]
    assert ws.audit.verify().ok


def test_raters_never_have_the_same_item(queues):
    """While it is held; who asks again has the same one."""
    queues.open("q", ITEMS[:2], schema="support")
    assert [take(queues, who) for who in ("ann", "bob", "cy", "ann")] == [1, 2, None, 1]
    with pytest.raises(ConflictError, match="item 1 of q is with others"):
        queues.jump("q", 1, rater="bob")


def test_a_vanished_rater_gives_back(queues, clock):
    """The item comes back to those who were further already."""
    queues.open("q", ITEMS[:2], schema="support")
    assert (take(queues, "ann"), take(queues, "bob")) == (1, 2)
    queues.label("q", 2, {"verdict": "pass"}, rater="bob")
    assert take(queues, "bob") is None
    clock.advance(seconds=301)
    assert take(queues, "bob") == 1
    assert take(queues, "ann") is None


def test_a_label_that_comes_late_is_kept(queues, clock, ws):
    """Though another rater has the item by then: nothing that was decided is lost."""
    queues.open("q", ITEMS[:1], schema="support")
    take(queues, "ann")
    clock.advance(seconds=301)
    assert take(queues, "bob") == 1
    queues.label("q", 1, {"verdict": "fail"}, rater="ann")
    queues.label("q", 1, {"verdict": "pass"}, rater="bob")
    assert shown(ws, "rater", "labels") == [("ann",), ("bob",)]


def test_done_is_done_by_all_that_were_asked(queues):
    """Half of the items are asked twice, the others once; each rater has an item once."""
    queues.open("q", ITEMS[:4], schema="support", raters=["ann", "bob"], overlap=0.5)
    for rater, count in (("ann", 4), ("bob", 2)):
        for _ in range(count):
            assert not queues.progress("q").is_done
            queues.label("q", take(queues, rater), {"verdict": "pass"}, rater=rater, seconds=500)
        assert take(queues, rater) is None
    progress = queues.progress("q")
    assert (progress.done, progress.is_done) == (4, True)
    assert [(one.rater, one.done, one.seconds) for one in progress.raters] == [("ann", 4, 480), ("bob", 2, 240)]


def test_what_one_skips_another_has(queues):
    """And who skipped it can come back to it."""
    queues.open("q", ITEMS[:1], schema="support")
    queues.skip("q", take(queues, "ann"), rater="ann")
    assert take(queues, "ann") is None
    assert queues.progress("q").raters[0].skipped == 1
    assert queues.jump("q", ITEMS[0], rater="ann").position == 1
    assert take(queues, "bob") is None


def test_undo_goes_back_without_end(queues):
    """Label by label, past a change of mind and a skip; the item is the rater's again."""
    queues.open("q", ITEMS[:3], schema="support")
    queues.label("q", take(queues, "ann"), {"verdict": "pass"}, rater="ann")
    queues.label("q", 1, {"verdict": "fail"}, rater="ann")
    queues.skip("q", take(queues, "ann"), rater="ann")
    assert queues.undo("q", rater="ann").positions == (2,)
    queues.undo("q", rater="ann")
    assert queues.jump("q", 1, rater="ann").said == {"verdict": {"value": "pass"}}
    queues.undo("q", rater="ann")
    assert queues.jump("q", 1, rater="ann").said is None
    assert queues.undo("q", rater="ann") is None
    assert (take(queues, "ann"), take(queues, "bob")) == (1, 3)


def test_what_was_taken_back_is_told(queues):
    """Also to a page that asks a second time, as it heard no answer; a skip had said nothing."""
    queues.open("q", ITEMS[:3], schema="support")
    queues.skip("q", 2, rater="ann")
    queues.label("q", 1, {"verdict": {"value": "fail", "critique": "rude"}}, rater="ann")
    sent = {"rater": "ann", "client": "page"}
    first, again = (queues.undo("q", **sent, sequence=1) for _ in range(2))
    assert first.undid == again.undid == {"verdict": {"critique": "rude", "value": "fail"}}
    assert again.is_repeated
    assert queues.undo("q", **sent, sequence=2).undid is None


def test_a_blind_rater_sees_nothing_of_others(queues):
    """Before the own label; afterwards all."""
    queues.open("q", ITEMS[:1], schema="support", k=2)
    queues.open("open", ITEMS[:1], schema="support", k=2, blind=False)
    said = (("ann", {"verdict": {"value": "fail"}}),)
    for queue in ("q", "open"):
        queues.label(queue, 1, {"verdict": "fail"}, rater="ann")
    assert queues.next("q", rater="bob").others == ()
    assert queues.next("open", rater="bob").others == said
    queues.label("q", 1, {"verdict": "pass"}, rater="bob")
    assert queues.jump("q", 1, rater="bob").others == said


def test_what_is_sent_again_is_kept_once(ws, queues):
    """By client and number, after the queue is closed as well; another act under the number is refused, a gap too."""
    queues.open("q", ITEMS[:2], schema="support")
    send = {"rater": "ann", "client": "page", "sequence": 1}
    first = queues.label("q", 1, {"verdict": "pass"}, **send)
    queues.close("q")
    again = queues.label("q", 1, {"verdict": "pass"}, **send)
    assert (first.is_repeated, again.is_repeated, again.seq) == (False, True, first.seq)
    queues.reopen("q")
    with pytest.raises(ConflictError, match="number 1 of 'page' was label of item 1"):
        queues.label("q", 1, {"verdict": "fail"}, **send)
    with pytest.raises(ConflictError, match="number 3 of 'page' came and 2 is missing"):
        queues.skip("q", 2, rater="ann", client="page", sequence=3)
    undone = queues.undo("q", rater="ann", client="page", sequence=2)
    assert queues.undo("q", rater="ann", client="page", sequence=2).seq == undone.seq
    assert shown(ws, "action", "label_history", "seq") == [("label",), ("undo",)]


def test_many_items_have_one_label_and_one_undo(ws, queues):
    """Both are in the chain."""
    queues.open("q", ITEMS[:3], schema="support")
    assert queues.label("q", [1, ITEMS[2]], {"verdict": "pass"}, rater="ann").positions == (1, 3)
    assert shown(ws, "position, field_values", "labels") == [(at, '{"verdict": {"value": "pass"}}') for at in (1, 3)]
    assert queues.undo("q", rater="ann").positions == (1, 3)
    assert shown(ws, "*", "labels") == []
    assert ws.audit.events().action.tolist()[-2:] == ["queue.label_many", "queue.undo"]
    assert ws.audit.verify().ok


def test_a_label_keeps_the_version_it_was_made_under(ws, queues):
    """Criteria that change midway change no label; an open page may still send the older form."""
    queues.open("q", ITEMS[:3], schema="support")
    queues.label("q", 1, {"verdict": "pass"}, rater="ann")
    ws.feedback.schemas.save("support", [{"name": "tone", "kind": "scale"}])
    assert queues.use("q", "support", reason="tone matters").schema_ref == "support@2"
    queues.label("q", 2, {"tone": 3}, rater="ann")
    queues.label("q", 3, {"verdict": "fail"}, rater="ann", version=1)
    with pytest.raises(UsageError, match="no field of support@2 named 'verdict'"):
        queues.label("q", 3, {"verdict": "fail"}, rater="ann")
    assert shown(ws, "position, schema_version", "labels") == [(1, 1), (2, 2), (3, 1)]


def test_a_closed_queue_takes_nothing(queues):
    """It says who closed it and what goes on with it; archived ones come back as well."""
    queues.open("q", ITEMS[:1], schema="support")
    queues.close("q", reason="enough")
    for act in (lambda: take(queues, "ann"), lambda: queues.skip("q", 1), lambda: queues.open("q", ITEMS)):
        with pytest.raises(ConflictError, match=r"q is closed by tester: ws.feedback.queues.reopen\('q'\)"):
            act()
    assert queues.archive("q").status == "archived"
    assert queues.reopen("q").status == "open"
    assert take(queues, "ann") == 1


def test_notes_stand_beside_labels(ws, queues):
    """The last one counts, an undo brings the one before it back."""
    queues.open("q", ITEMS[:1], schema="support")
    queues.label("q", 1, {"verdict": "pass"}, rater="ann")
    queues.note("q", 1, "odd <b>one</b>", rater="ann")
    queues.note("q", 1, "ask legal", rater="ann")
    assert shown(ws, "note", "labels") == [("ask legal",)]
    queues.undo("q", rater="ann")
    assert queues.jump("q", 1, rater="ann").note == "odd <b>one</b>"


@pytest.mark.parametrize("rater", ["", "  ", "a\nb", "\u202eann", "x" * 101])
def test_a_rater_has_a_name(queues, rater):
    """On one line, and not a long one."""
    queues.open("q", ITEMS[:1], schema="support")
    with pytest.raises(UsageError, match="give a name of 1 to 100"):
        queues.next("q", rater=rater)


def test_what_is_not_there_is_said(queues):
    """A queue, an item, a rater who is not asked, a schema that is missing, items that are none."""
    with pytest.raises(UsageError, match="say what raters are asked"):
        queues.open("q", ITEMS)
    with pytest.raises(UsageError, match="only 1 raters"):
        queues.open("q", ITEMS, schema="support", raters=["ann"], k=2)
    for items, why in ((7, "this is 7"), ([{"x": 1}], "this is"), ("best", "no strategy named 'best'")):
        with pytest.raises(UsageError, match=why):
            queues.open("q", items, schema="support")
    queues.open("q", ITEMS, schema="support", raters=["ann"])
    with pytest.raises(UsageError, match="'bob' is not asked in queue q: its raters are ann"):
        queues.next("q", rater="bob")
    with pytest.raises(NotFoundError, match="no queue named 'p'"):
        queues.next("p")
    with pytest.raises(NotFoundError, match="has no item 99"):
        queues.label("q", 99, {"verdict": "pass"}, rater="ann")


def test_tags_of_the_past_are_completed(ws, queues):
    """The most frequent first."""
    ws.feedback.schemas.save("tagged", [{"name": "tags", "kind": "tags"}])
    queues.open("q", ITEMS[:2], schema="tagged")
    queues.label("q", 1, {"tags": ["b", "a"]})
    queues.label("q", 2, {"tags": ["b"]})
    assert queues.tags("q", "tags") == ("b", "a")


@pytest.mark.parametrize(
    "change", ["update label_history set rater = 'bob'", "update queue_items set needs = 9", "delete from queue_items"]
)
def test_a_change_past_the_store_is_found(ws, queues, change):
    """Of items and of labels."""
    queues.open("q", ITEMS[:2], schema="support")
    queues.label("q", 1, {"verdict": "pass"})
    with ws.store.transaction() as con:
        con.execute(change)
    assert not ws.audit.verify().ok


def test_who_is_erased_is_erased_from_queues(ws, queues):
    """The item keeps its place and loses its trace; labels and notes on it lose their words; the chain agrees."""
    ws.store.append_many({"spans": [span("t", "root", trace_id=ITEMS[0], span_id="1" * 16, user_id="u7")]})
    queues.open("q", ITEMS[:2], schema="support")
    queues.label("q", 1, {"verdict": {"value": "fail", "critique": "names the aunt"}})
    queues.label("q", 2, {"verdict": "pass"})
    ws.erase(user_id="u7", reason="asked for", dry_run=False)
    assert shown(ws, "field_values", "labels", "position") == [(None,), ('{"verdict": {"value": "pass"}}',)]
    assert ITEMS[0] not in str(shown(ws, "*", "queue_items"))
    assert ws.audit.verify().ok
