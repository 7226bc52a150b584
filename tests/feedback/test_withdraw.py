"""What was just put into a queue is taken out of it again, unless somebody has gone on with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lmops.errors import ConflictError, NotFoundError

IDS = [f"{n:032x}" for n in range(1, 6)]


@pytest.fixture
def feedback(ws):
    ws.feedback.schemas.save("support")
    ws.feedback.queue("review", IDS[:2], schema="support")
    return ws.feedback


def test_the_items_of_the_last_call_go(feedback, ws):
    """What was there stays, the chain has both, and the items can be added again."""
    left = feedback.queues.withdraw(feedback.queue("review", IDS), reason="the wrong ones")
    assert (left.count, list(feedback.queues.items("review")["trace_id"])) == (2, IDS[:2])
    assert ws.sql("select action, reason from audit order by event_id desc limit 1").fetchall() == [
        ("queue.withdraw", "the wrong ones")
    ]
    assert feedback.queue("review", IDS).added == 3
    assert [feedback.queues.next("review", rater=f"r{n}").position for n in range(5)] == [1, 2, 3, 4, 5]
    assert ws.audit.verify().ok


@pytest.mark.parametrize("step", ["next", "label", "skip", "note"])
def test_what_a_rater_has_worked_on_stays(feedback, step):
    """Whole: none of the items goes where one of them was looked at."""
    made = feedback.queue("review", IDS)
    queues = feedback.queues
    {
        "next": lambda: [queues.next("review", rater=f"r{n}") for n in range(3)],
        "label": lambda: queues.label("review", 3, {"verdict": "pass"}),
        "skip": lambda: queues.skip("review", 3),
        "note": lambda: queues.note("review", 3, "odd"),
    }[step]()
    with pytest.raises(ConflictError, match="worked on 1 of these 3 items"):
        feedback.queues.withdraw(made)
    assert queues.get("review").count == 5


def test_items_that_others_added_since_are_not_taken(feedback):
    """The queue has moved on; a queue that is closed or gone is refused too."""
    made = feedback.queue("review", IDS[:4])
    feedback.queue("review", IDS)
    with pytest.raises(ConflictError, match="other items since: 5, not 4"):
        feedback.queues.withdraw(made)
    feedback.queues.close("review")
    with pytest.raises(ConflictError, match="is closed"):
        feedback.queues.withdraw(made)
    with pytest.raises(NotFoundError, match="no queue 'gone'"):
        feedback.queues.withdraw(replace(made, name="gone"))


def test_a_call_that_added_nothing_takes_nothing(feedback):
    """There is nothing of its own to take."""
    assert feedback.queues.withdraw(feedback.queue("review", IDS[:1])).count == 2
