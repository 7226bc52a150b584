"""Answers as objects."""

import pytest

from lmops.errors import ModelError, UsageError

ASK = "Grade it."
SCHEMA = {
    "title": "Grade it!",
    "type": "object",
    "properties": {"grade": {"type": "integer"}},
    "required": ["grade"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("text", ['{"grade": 4}', '```json\n{"grade": 4}\n```', ' {"grade":4}\n'])
def test_an_answer_that_fits_is_parsed(ws, house, kit, text):
    """A fence around the JSON is no reason to fail; the text stays as it was."""
    house.reply(kit.reply(kit.completion(text)))
    found = ws.models.complete("house", ASK, response_schema=SCHEMA)
    assert (found.parsed, found.content) == ({"grade": 4}, text)
    assert house.asked[0].body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "Grade_it_", "schema": SCHEMA, "strict": True},
    }


def test_strict_is_only_asked_where_the_schema_allows_it(ws, house, kit):
    """Endpoints refuse strict with optional properties."""
    house.reply(kit.reply(kit.completion('{"grade": 4}')))
    ws.models.complete("house", ASK, response_schema={**SCHEMA, "additionalProperties": True})
    assert house.asked[0].body["response_format"]["json_schema"]["strict"] is False


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("four", "not JSON"),
        ("", "not JSON"),
        ('{"grade": "4"}', "not of type 'integer'"),
        ("[]", "not of type"),
        ("NaN", "not JSON"),
    ],
)
def test_an_answer_that_does_not_fit_keeps_its_text_and_its_cost(ws, house, kit, text, why):
    """The call was made and paid for: the error carries the answer with its usage."""
    house.reply(kit.reply(kit.completion(text)))
    ws.models.set_price("house-1-0315", input_usd_per_mtok=1, output_usd_per_mtok=1)
    with pytest.raises(ModelError, match=why) as caught:
        ws.models.complete("house", ASK, response_schema=SCHEMA)
    error = caught.value
    assert (error.kind, error.text) == ("bad_response", text)
    assert error.completion.cost_usd == pytest.approx(120e-6)
    assert len(house.asked) == 1


def test_a_cut_answer_says_so(ws, house, kit):
    """JSON that ends in the middle has a simple cause."""
    house.reply(kit.reply(kit.completion('{"gra', finish="length")))
    with pytest.raises(ModelError, match="cut at max_tokens"):
        ws.models.complete("house", ASK, response_schema=SCHEMA)


def test_a_refusal_is_no_object(ws, house, kit):
    """The reason is the model's own."""
    house.reply(kit.reply(kit.completion(message={"role": "assistant", "content": None, "refusal": "I may not."})))
    with pytest.raises(ModelError, match="refused: I may not") as caught:
        ws.models.complete("house", ASK, response_schema=SCHEMA)
    assert caught.value.text == "I may not."


def test_one_repair_shows_the_model_its_mistake(ws, house, kit):
    """Both calls count: usage and cost are their sum."""
    house.reply(kit.reply(kit.completion("four")), kit.reply(kit.completion('{"grade": 4}')))
    ws.models.set_price("house-1-0315", input_usd_per_mtok=1, output_usd_per_mtok=1)
    found = ws.models.complete("house", ASK, response_schema=SCHEMA, repair=True)
    assert (found.parsed, found.retries, found.usage.input_tokens) == ({"grade": 4}, 1, 200)
    assert found.cost_usd == pytest.approx(240e-6)
    sent = house.asked[1].body["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user"]
    assert sent[1]["content"] == "four"
    assert "not JSON" in sent[2]["content"]


def test_a_repair_is_tried_once(ws, house, kit):
    """The second failure is the error; what both answers took is with it."""
    house.reply(kit.reply(kit.completion("four")))
    with pytest.raises(ModelError, match="not JSON") as caught:
        ws.models.complete("house", ASK, response_schema=SCHEMA, repair=True)
    assert len(house.asked) == 2
    assert caught.value.completion.usage.input_tokens == 200


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"properties": 3}, [], "x", {"a": object()}])
def test_a_schema_that_is_none_is_refused_before_the_call(ws, house, schema):
    """Nothing is sent for it."""
    with pytest.raises(UsageError, match="response_schema"):
        ws.models.complete("house", ASK, response_schema=schema)
    assert house.asked == []


def test_a_schema_never_reaches_out(ws, house, kit):
    """A reference to an address is not fetched."""
    house.reply(kit.reply(kit.completion("{}")))
    with pytest.raises(ModelError, match="not in it"):
        ws.models.complete("house", ASK, response_schema={"$ref": f"{house.url}/schema.json"})
    assert [asked.path for asked in house.asked] == ["/v1/chat/completions"]


def test_a_call_of_a_tool_is_no_object_to_check(ws, house, kit):
    """The object comes after the tool has answered."""
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    house.reply(kit.reply(kit.completion(message=message, finish="tool_calls")))
    found = ws.models.complete("house", ASK, response_schema=SCHEMA, tools=[])
    assert (found.parsed, len(found.tool_calls)) == (None, 1)
