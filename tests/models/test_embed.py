"""Vectors."""

import math

import pytest

from lmops.errors import ModelError, UsageError


def answer(kit, *, lose=0):
    def take(asked):
        rows = [{"index": i, "embedding": [float(len(text)), 1]} for i, text in enumerate(asked.body["input"])]
        rows = rows[::-1][: len(rows) - lose]
        return kit.reply({"data": rows, "model": "vec-1", "usage": {"prompt_tokens": 3 * len(rows)}})

    return take


def test_texts_go_in_batches_and_vectors_come_in_order(ws, house, kit):
    """Whatever order the endpoint gives them in."""
    house.answer = answer(kit)
    ws.models.set_price("vec-1", input_usd_per_mtok=1, output_usd_per_mtok=0)
    texts = ["x" * n for n in range(1, 8)]
    found = ws.models.embed("house", texts, batch_size=3, params={"dimensions": 2, "house_option": 1})
    assert found.vectors == tuple((float(n), 1.0) for n in range(1, 8))
    assert (found.model, found.usage.input_tokens, len(found)) == ("vec-1", 21, 7)
    assert found.cost_usd == pytest.approx(21e-6)
    assert sorted(len(asked.body["input"]) for asked in house.asked) == [1, 3, 3]
    body = house.asked[0].body
    assert (body["dimensions"], body["house_option"], body["encoding_format"]) == (2, 1, "float")


def test_no_texts_are_no_vectors(ws, house):
    """Nothing is sent for nothing."""
    assert ws.models.embed("house", []).vectors == ()
    assert house.asked == []


def test_vectors_that_are_missing_are_an_error(ws, house, kit):
    """A vector must never be that of another text."""
    house.answer = answer(kit, lose=1)
    with pytest.raises(ModelError, match="1 vectors for 2 texts") as caught:
        ws.models.embed("house", ["a", "b"])
    assert caught.value.kind == "bad_response"


@pytest.mark.parametrize(("texts", "size"), [([1], 8), (["a", None], 8), (["a"], 0)])
def test_arguments_that_cannot_be_used(ws, house, texts, size):
    """They are refused before anything is sent."""
    with pytest.raises(UsageError):
        ws.models.embed("house", texts, batch_size=size)
    assert house.asked == []


def test_the_stand_in_has_vectors_without_a_network(ws):
    """Texts that share words lie close; every vector has length 1."""
    near, like, far = ws.models.embed(
        "standin:embed-1", ["A ferry to the island", "ferries, islands", "a refund"]
    ).vectors
    assert math.isclose(math.fsum(x * x for x in near), 1)
    assert math.sumprod(near, like) > math.sumprod(near, far) if hasattr(math, "sumprod") else near != far


def test_a_model_without_vectors_says_which_has_them(ws):
    """The message names one."""
    with pytest.raises(UsageError, match="embed-1"):
        ws.models.embed("standin:ferry-1", ["a"])
