"""What becomes a tool, its schema, its versions, and how providers are told of it."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import jsonschema
import pytest
from pydantic import BaseModel, Field

import lmops
from lmops.errors import NotFoundError, UsageError
from lmops.tools.docstrings import documented

TOLD = {"order": "Its number.", "amount": "In euro, at most what was paid."}
GOOGLE = """Refund.

More.

Args:
    order: Its number.
    amount (float): In euro,
        at most what was paid.

Returns:
    x: y
"""
NUMPY = """Refund.

More.

Parameters
----------
order : str
    Its number.
amount : float, optional
    In euro,
    at most what was paid.

Returns
-------
str
    x
"""
REST = """Refund.

More.

:param order: Its number.
:param float amount: In euro,
    at most what was paid.
:returns: x
"""


class Node(BaseModel):
    """A place with places in it."""

    name: str
    inner: list[Node] = []


def refund(order: str, amount: float = 5.0, why: Literal["late", "broken"] = "late") -> dict:
    """Refund an order.

    Args:
        order: Its number.
    """
    return {"order": order, "amount": amount, "why": why}


@pytest.mark.parametrize("text", [GOOGLE, NUMPY, REST], ids=["google", "numpy", "rest"])
def test_a_docstring_says_what_arguments_are(text):
    """In each of the three forms."""
    assert documented(text) == ("Refund.\n\nMore.", TOLD)


def test_a_function_is_a_tool_and_stays_a_function(ws):
    """Its schema is that of its annotations; what describes an argument wins over the docstring."""

    @ws.tools.tool(name="pay", is_read_only=True)
    def pay_back(order: Annotated[str, Field(description="The number.")], n: int = 1) -> str:
        """Pay.

        Args:
            order: Not this.
            n: How often.
        """
        return order * n

    assert pay_back("a", 2) == "aa"
    found = ws.tools.get("pay")
    assert (found.version, found.is_read_only, found.is_idempotent, found.description) == (1, True, True, "Pay.")
    assert found.parameters == {
        "additionalProperties": False,
        "properties": {
            "n": {"default": 1, "description": "How often.", "type": "integer"},
            "order": {"description": "The number.", "type": "string"},
        },
        "required": ["order"],
        "type": "object",
    }


def test_the_same_content_is_the_same_version(ws):
    """Decorated again, nothing is written; another signature is the next version, and the old one is there."""
    ws.tools.tool(refund)
    ws.tools.tool(refund)
    events = ws.audit.events().action.tolist().count("tool.save")
    assert (ws.tools.get("refund").version, events) == (1, 1)
    ws.tools.tool(name="refund")(lambda order: order)
    assert ws.tools.get("refund").version == 2
    assert "-    amount:" in ws.tools.diff("refund", 1, 2)
    ws.tools.tool(refund)
    assert ws.tools.call("refund", {"order": "a"}).version == 1
    assert len(ws.tools.versions("refund")) == 2
    assert ws.tools.verify() == ()


def test_a_method_is_a_tool(ws):
    """Bound, without its self."""

    class Shop:
        def __init__(self):
            self.sold = 3

        def stock(self, item: str) -> int:
            """Say how many are left."""
            return self.sold

    ws.tools.tool(Shop().stock)
    assert ws.tools.call("stock", {"item": "a"}).value == 3
    with pytest.raises(UsageError, match="bound"):
        ws.tools.tool(Shop.stock)


def test_a_store_for_reading_binds_without_a_version(ws):
    """What it has is used; what it has not is bound and says no version."""
    ws.tools.tool(refund)
    with lmops.open(ws.store.path, read_only=True) as reading:
        reading.tools.tool(refund)
        reading.tools.tool(name="other")(lambda: 1)
        assert reading.tools.call("refund", {"order": "a"}).version == 1
        found = reading.tools.call("other")
        assert (found.value, found.version) == (1, None)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda *args: 1, r"takes \*args"),
        (lambda **more: 1, r"takes \*\*more"),
        (int, "a tool is a function"),
        (3, "a tool is a function"),
    ],
)
def test_what_is_no_tool_is_refused(ws, function, words):
    """With what it is."""
    with pytest.raises(UsageError, match=words):
        ws.tools.tool(name="x")(function)


@pytest.mark.parametrize("name", ["", "a b", "a" * 65, "réfund", "x\n", "../x", "rm -rf", "<b>", "a.b"])
def test_hostile_names_are_refused(ws, name):
    """Every provider takes what is left."""
    with pytest.raises(UsageError, match="cannot be the name"):
        ws.tools.save(name, description="", parameters={"type": "object"})


def test_a_name_that_differs_by_capitals_alone_is_refused(ws):
    """A rule on one would not hold the other."""
    ws.tools.tool(refund)
    with pytest.raises(UsageError, match="capitals"):
        ws.tools.tool(name="Refund")(refund)


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "array"},
        {"type": "object", "properties": 3},
        [],
        {"type": "object", "properties": {"a": {"type": "nope"}}},
        {"type": "object", "x": {1, 2}},
    ],
)
def test_what_is_no_schema_of_arguments_is_refused(ws, parameters):
    """Before anything is written."""
    with pytest.raises(UsageError):
        ws.tools.save("x", description="", parameters=parameters)
    assert len(ws.tools.list()) == 0


def test_a_schema_that_leads_to_itself_is_read_called_and_offered(ws):
    """Of a type that holds itself."""

    @ws.tools.tool
    def count(tree: Node) -> int:
        return 1 + sum(count(one) for one in tree.inner)

    tree = {"name": "a", "inner": [{"name": "b", "inner": [{"name": "c"}]}]}
    assert ws.tools.call("count", {"tree": tree}).value == 3
    assert ws.tools.call("count", {"tree": {"name": "a", "inner": [{"x": 1}]}}).outcome == "invalid_arguments"
    deep = '{"tree": ' + '{"name": "a", "inner": [' * 5000 + "]}" * 5000 + "}"
    assert ws.tools.call("count", deep).outcome == "invalid_arguments"
    (told,) = ws.tools.offered("count", dialect="openai_strict")
    jsonschema.Draft202012Validator.check_schema(told["function"]["parameters"])


def test_dialects_are_derived_from_one_schema(ws):
    """Strict: everything is required and may be null, nothing has a default."""
    ws.tools.tool(refund)
    schema = ws.tools.get("refund").parameters
    told = {one: ws.tools.offered("refund", dialect=one)[0] for one in ("openai", "responses", "anthropic", "mcp")}
    assert told["openai"]["function"]["parameters"] == schema
    assert (told["responses"]["parameters"], told["responses"]["strict"]) == (schema, False)
    assert told["anthropic"]["input_schema"] == told["mcp"]["inputSchema"] == schema
    strict = ws.tools.offered(["refund"], dialect="openai_strict")[0]["function"]
    assert strict["strict"] is True
    assert sorted(strict["parameters"]["required"]) == ["amount", "order", "why"]
    assert strict["parameters"]["properties"]["amount"] == {"type": ["number", "null"]}
    assert strict["parameters"]["properties"]["order"]["type"] == "string"
    why = strict["parameters"]["properties"]["why"]
    jsonschema.validate({"order": "a", "amount": None, "why": None}, strict["parameters"])
    assert "default" not in why
    with pytest.raises(UsageError, match="openai_strict"):
        ws.tools.offered("refund", dialect="openai-strict")
    with pytest.raises(NotFoundError, match="refund"):
        ws.tools.offered(["refnd"])
    ws.tools.save("open", description="", parameters={"type": "object", "additionalProperties": {"type": "string"}})
    with pytest.raises(UsageError, match="any keys"):
        ws.tools.offered("open", dialect="responses_strict")


def test_what_a_strict_call_leaves_null_is_left_out(ws):
    """So that the function's own default holds."""
    ws.tools.tool(refund)
    found = ws.tools.call("refund", '{"order": "a", "amount": null, "why": null}')
    assert found.value == {"order": "a", "amount": 5.0, "why": "late"}


def test_tools_load_nothing_heavy():
    """Schemas come with the first tool."""
    import subprocess

    code = "import sys, lmops.tools; print({'pydantic', 'jsonschema', 'numpy', 'openai'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_files_and_versions_are_brought_together(ws, tmp_path):
    """Without loss, both ways; a file that is no tool says its line."""
    ws.tools.tool(refund)
    assert [one.action for one in ws.tools.sync(tmp_path).entries] == ["written"]
    path = tmp_path / "refund.yaml"
    assert [one.action for one in ws.tools.sync(tmp_path).entries] == ["same"]
    path.write_text(path.read_text().replace("Refund an order.", "Give money back."))
    ws.tools.sync(tmp_path)
    assert (ws.tools.get("refund").version, ws.tools.get("refund").description) == (2, "Give money back.")
    path.write_text("description: x\nparametres: {}\n")
    entry = ws.tools.sync(tmp_path).entries[0]
    assert "line 2" in entry.detail
