"""The labeler for whoever comes: a name with every message, checked; what goes wrong names no place of this machine."""

from __future__ import annotations

import pytest

from lmops.errors import UsageError

ITEMS = [f"{number:032x}" for number in range(1, 4)]


@pytest.fixture
def make(ws):
    """Return a function that opens a queue, for certain raters or for all, and returns what answers its pages."""
    ws.feedback.schemas.save("support")

    def open_it(**more):
        ws.feedback.queue("q", ITEMS, schema="support", **more)
        return ws.feedback.label("q", ask=True)._controller

    return open_it


def say(desk, kind, **more):
    """Send one message and return its answer."""
    (found,) = desk.handle({"kind": kind, "id": "1", "view": "v", **more})
    return found


def label(position):
    """Return the act of labelling an item, as a page sends it."""
    return [{"sequence": 1, "action": "label", "positions": [position], "values": {"verdict": "pass"}, "version": 1}]


def test_a_page_without_a_name_is_asked_for_one(make, ws):
    """It hears of the queue and nothing of what is in it, and no act is taken."""
    desk = make()
    found = say(desk, "hello")
    assert found == {"kind": "who", "queue": "q", "store": ws.store.store_id, "id": "1", "origin": "v"}
    assert say(desk, "ops", client="c", ops=label(1))["kind"] == "error"


def test_each_rater_has_work_of_their_own(make, ws):
    """Two pages on one desk get different items, and what they say is kept under their names."""
    desk = make()
    first, second = (say(desk, "ahead", n=1, have=[], rater=who)["items"][0]["position"] for who in ("ann", " bob "))
    assert first != second
    kept = say(desk, "ops", client="c", ops=label(first), rater="ann")
    assert (kept["kind"], kept["rater"], kept["stopped"]) == ("kept", "ann", None)
    say(desk, "ops", client="d", ops=label(second), rater=" bob ")
    assert ws.sql("select rater, position from labels order by 1").fetchall() == [("ann", first), ("bob", second)]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "say your name"),
        ("  ", "say your name"),
        (7, "say your name"),
        ("x" * 101, "at most 100 characters, and this one has 101"),
        ("ann\nbob", "on one line"),
        ("ann\u202e", "cannot be seen"),
        ("ann\x1b[31m", "cannot be seen"),
    ],
)
def test_what_is_no_name_is_said_in_words(make, name, words):
    """Nobody sits down under it."""
    found = say(make(), "hello", rater=name)
    assert found["kind"] == "error"
    assert words in found["message"]


def test_hostile_names_are_names(make):
    """Markup and quotes are kept as they are."""
    name = "<img src=x onerror=alert(1)> '; drop table labels;"
    assert say(make(), "hello", rater=name)["rater"] == name


def test_who_is_not_asked_does_not_hear_who_is(make):
    """The names of the raters are nobody else's business."""
    found = say(make(raters=["zoe"]), "hello", rater="ann")
    assert found["message"].startswith("nobody is asked here as 'ann'")
    assert "zoe" not in str(found)


def test_what_goes_wrong_names_no_place(make, ws, monkeypatch):
    """Neither the store nor any other file, in errors and where an act could not be kept."""
    desk = make()
    say(desk, "hello", rater="ann")
    full = OSError(28, "No space left", f"{ws.store.path}/inbox.sqlite")
    words = f"store {ws.store.path} is held; see /srv/ann/notes.txt or C:\\data\\x, on 3/4 of a/b"
    failing = [full, UsageError(words)]

    def fail(*_arguments, **_more):
        raise failing.pop()

    monkeypatch.setattr(desk._seats["ann"], "progress", fail)
    monkeypatch.setattr(desk._seats["ann"], "_keep", fail)
    said = say(desk, "progress", rater="ann")["message"]
    assert said == "store the store is held; see (a file) or (a file), on 3/4 of a/b"
    stopped = say(desk, "ops", client="c", ops=label(1), rater="ann")["stopped"]
    assert "No space left" in stopped["message"]
    assert str(ws.store.path) not in stopped["message"]


def test_a_name_is_given_or_asked_for(make, ws):
    """Both at once is a mistake; the static form names nobody."""
    make()
    with pytest.raises(UsageError, match="or let the page ask"):
        ws.feedback.label("q", rater="ann", ask=True)
    found = ws.feedback.label("q", ask=True)
    assert repr(found) == "<Labeler q as whoever comes>"
    assert (found.rater, found.progress.items) == ("", 3)
    assert "(as " not in found._controller.bundle()["text/html"]
