"""Whether texts break a rule, asked of an endpoint that says nothing else."""

import pytest

from lmops.errors import ModelError, UsageError


def said(kit, *results, model="omni-1"):
    return lambda _asked: kit.reply({"id": "modr-1", "model": model, "results": list(results)})


def test_texts_are_asked_in_one_request_and_answered_in_order(ws, house, kit):
    """Under /moderations, with what the endpoint takes beside them."""
    house.answer = said(
        kit,
        {"flagged": False, "categories": {"hate": False}, "category_scores": {"hate": 0.01}},
        {"flagged": True, "category_scores": {"hate": 0.93, "self-harm/intent": 0.2}},
        {"flagged": True},
    )
    found = ws.models.moderate("house", ["hello", "go away", "worse"], params={"house_option": 1})
    assert [one.is_flagged for one in found.results] == [False, True, True]
    assert found.results[1].scores == {"hate": 0.93, "self-harm/intent": 0.2}
    assert found.results[2].scores == {"flagged": 1.0}
    assert (found.model, found.requested_model, len(found)) == ("omni-1", "house-1", 3)
    assert repr(found) == "<Moderations omni-1: 2 of 3 flagged>"
    (asked,) = house.asked
    assert asked.path.endswith("/moderations")
    assert (asked.body["input"], asked.body["house_option"]) == (["hello", "go away", "worse"], 1)


@pytest.mark.parametrize(
    "results",
    [
        [],
        [{"flagged": False}, {"flagged": False}],
        [{"flagged": "no"}],
        ["safe"],
        [{"flagged": False, "category_scores": {"hate": 7}}],
        [{"flagged": False, "category_scores": {"<b>": 0.9}}],
    ],
)
def test_what_is_no_verdict_is_an_error(ws, house, kit, results):
    """A text of which nothing clear was said has not passed."""
    house.answer = said(kit, *results)
    with pytest.raises(ModelError) as caught:
        ws.models.moderate("house", "hello")
    assert caught.value.kind == "bad_response"


def test_who_cannot_moderate_is_said_before_anything_is_sent(ws, house):
    """And a text that is none."""
    with pytest.raises(UsageError, match="omni-moderation"):
        ws.models.moderate("standin:ferry-1", "hello")
    with pytest.raises(UsageError, match="item 1 is a NoneType"):
        ws.models.moderate("house", ["hello", None])
    assert house.asked == []
