"""The policy of an arm: what is asked and answered passes it, and who is blocked reads its words."""

from __future__ import annotations

import pytest

from lmops.errors import NotFoundError
from tests.guardrails.words import words
from tests.models.conftest import Reply, completion

ROUTE = {
    "arms": {
        "main": {"model": "first", "policy": "support@production", "weight": 1},
        "spare": {"model": "second", "policy": "support@production"},
    },
    "fallbacks": ["spare"],
}


@pytest.fixture
def guarded(ws, endpoints):
    """A route whose arms have a policy that redacts addresses and blocks "attack" and "leak"; where it asks."""
    with words():
        ws.guardrails.save(
            "support",
            input=["mail", {"rail": "word", "name": "attacks", "word": "attack"}],
            output=["mail", {"rail": "word", "name": "leaks", "word": "leak"}],
            blocked_text="Not that.",
        )
        ws.guardrails.promote("support", 1, to="production")
        ws.routing.set("support", ROUTE)
        yield endpoints


def rows(ws):
    query = (
        "select arm, json_extract_string(attributes, '/lmops.route.policy'), input, output from routing_decisions as d"
    )
    return ws.sql(f"{query} join spans as s on s.span_id = d.span_id").fetchall()


def test_who_is_blocked_reads_the_words_of_the_policy(ws, guarded):
    """No model is asked, none is ill, and the decision says it."""
    handle = ws.traces.instrument()
    found = ws.routing.call("support", "an attack", key="u1")
    handle.flush()
    assert (found.content, found.is_blocked, [one.outcome for one in found.attempts]) == (
        "Not that.",
        True,
        ["blocked"],
    )
    assert [one.asked for one in guarded] == [[], []]
    assert rows(ws) == [("main", "support@production", "Not that.", "Not that.")]
    assert [one.stage for one in found.decisions] == ["input"]
    assert ws.routing.status("support").arms[0].failures == 0


def test_a_model_sees_no_address_and_no_span_of_the_route_does(ws, guarded):
    """The user reads his own."""
    guarded[0].replies[0] = Reply(completion("Dear [EMAIL_1]"))
    handle = ws.traces.instrument()
    found = ws.routing.call("support", "I am a@b.eu", key="u1")
    handle.flush()
    assert found.content == "Dear a@b.eu"
    assert guarded[0].asked[0].body["messages"][0]["content"] == "I am [EMAIL_1]"
    assert rows(ws) == [("main", "support@production", "I am [EMAIL_1]", "Dear [EMAIL_1]")]


def test_an_answer_that_is_blocked_is_not_asked_for_again(ws, guarded):
    """What the fallback would say passes the same policy."""
    guarded[0].replies[0] = Reply(completion("a leak"))
    found = ws.routing.call("support", "Hello?", key="u1")
    assert (found.content, found.choice.arm, guarded[1].asked) == ("Not that.", "main", [])


def test_a_fallback_has_a_policy_of_its_own(ws, guarded):
    """It holds for whoever answers."""
    guarded[0].replies[0].status = 500
    guarded[1].replies[0] = Reply(completion("a leak"))
    found = ws.routing.call("support", "Hello?", key="u1")
    assert (found.content, [one.outcome for one in found.attempts]) == ("Not that.", ["server", "blocked"])


def test_a_route_to_a_policy_that_is_not_there_is_refused(ws, guarded):
    """The message says which arm, and the nearest."""
    route = {"arms": {"main": {"model": "first", "policy": "suport@production", "weight": 1}}}
    with pytest.raises(NotFoundError, match=r"arm 'main'.*suport"):
        ws.routing.set("support", route)
