"""Calls of tools, and outputs that are JSON."""

import pytest

from lmops.errors import UsageError
from lmops.guardrails import Given, made
from tests.guardrails.found import kinds

AMOUNT = {
    "type": "object",
    "properties": {"amount": {"maximum": 50}},
    "required": ["amount"],
    "additionalProperties": False,
}
REFUND = {"allow": ["refund", "lookup"], "schemas": {"refund": AMOUNT}}


@pytest.mark.parametrize(
    ("tool", "arguments", "found"),
    [
        ("refund", {"amount": 20}, []),
        ("refund", '{"amount": 20}', []),
        ("lookup", {"any": "thing"}, []),
        ("delete", {}, ["tool"]),
        ("Refund", {"amount": 20}, ["tool"]),
        ("refund", {"amount": 500}, ["arguments"]),
        ("refund", {"amount": 20, "to": "me"}, ["arguments"]),
        ("refund", "no json", ["arguments"]),
        ("refund", "[" * 100_000, ["arguments"]),
    ],
)
def test_a_call_is_of_the_list_and_its_arguments_of_their_form(tool, arguments, found):
    """Whether they come as a dict or as JSON."""
    assert kinds("tools", "", "tool_call", {"tool": tool, "arguments": arguments}, **REFUND) == found


def test_a_note_says_nothing_of_the_arguments():
    """Only which part of the schema they do not keep."""
    given = Given(text="", stage="tool_call", context={"tool": "refund", "arguments": {"amount": 20, "hunter2": 1}})
    assert [one.note for one in made("tools", REFUND).find(given)] == ["additionalProperties"]


def test_a_call_without_a_tool_is_an_error():
    """And so is what could never fit."""
    with pytest.raises(UsageError, match="say which tool is called"):
        kinds("tools", "{}", "tool_call", allow=["refund"])
    with pytest.raises(UsageError, match="there is a schema of 'pay', which is not allowed: refund"):
        made("tools", {"allow": ["refund"], "schemas": {"pay": {}}})
    with pytest.raises(UsageError, match="this is no JSON schema"):
        made("tools", {"allow": ["pay"], "schemas": {"pay": {"type": "nothing"}}})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"amount": 5}', []),
        ('```json\n{"amount": 5}\n```', []),
        ('{"amount": NaN}', ["json"]),
        ("Sure! 5", ["json"]),
        ("", ["json"]),
        ('{"amount": 500}', ["schema"]),
    ],
)
def test_an_output_is_json_of_its_form(text, found):
    """One fence of code around it is fine."""
    assert kinds("json_schema", text, schema=AMOUNT) == found


def test_a_schema_fetches_nothing():
    """A reference to an address is an error."""
    with pytest.raises(UsageError, match="refers to something that is not in it"):
        kinds("json_schema", "{}", schema={"$ref": "https://example.com/schema.json"})
