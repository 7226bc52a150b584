"""Tools that others describe: MCP lists and OpenAPI documents."""

from __future__ import annotations

import json

import pytest

from lmops.errors import NotFoundError, UsageError

MCP = {
    "tools": [
        {
            "name": "get weather",
            "description": "The weather.",
            "inputSchema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
            "annotations": {"readOnlyHint": True},
        },
        {"name": "get/weather", "inputSchema": {"type": "object"}},
        {"name": "plain"},
    ]
}
OPENAPI = """
openapi: 3.0.3
paths:
  /orders/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get: {operationId: getOrder, summary: One order.}
    post:
      parameters: [{$ref: '#/components/parameters/Dry'}]
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: '#/components/schemas/Node'}}}
components:
  parameters: {Dry: {name: dry, in: query, description: Only look., schema: {type: boolean}}}
  schemas:
    Node:
      type: object
      properties:
        xml: {type: string, nullable: true}
        inner: {type: array, items: {$ref: '#/components/schemas/Node'}}
"""


def test_an_mcp_list_is_read_and_called(ws):
    """Names are made legal and told apart; a call goes to what it is called there."""
    seen = []
    found = ws.tools.read(MCP, call=lambda name, arguments: seen.append((name, arguments)) or "sunny")
    assert found[["name", "called", "is_read_only"]].to_numpy().tolist() == [
        ["get_weather", "get weather", True],
        ["get_weather_2", "get/weather", False],
        ["plain", "plain", False],
    ]
    assert ws.tools.call("get_weather", {"city": "Rome"}).value == "sunny"
    assert ws.tools.call("get_weather", {"town": "Rome"}).outcome == "invalid_arguments"
    assert seen == [("get weather", {"city": "Rome"})]
    assert not ws.tools.read(MCP)["is_new"].any()
    assert ws.tools.read({"result": MCP}, only=["plain"])["name"].tolist() == ["plain"]
    with pytest.raises(NotFoundError):
        ws.tools.read(MCP, only=["plan"])


def test_an_openapi_document_is_read(ws, tmp_path):
    """Out of a file; a schema that leads to itself stays one."""
    path = tmp_path / "shop.yaml"
    path.write_text(OPENAPI)

    async def call(name, arguments):
        return [name, arguments]

    found = ws.tools.read(path, call=call).set_index("called")
    assert found["is_read_only"].to_dict() == {"getOrder": True, "post_/orders/{id}": False}
    assert ws.tools.call("getOrder", {"id": "7"}).value == ["getOrder", {"id": "7"}]
    name = found.loc["post_/orders/{id}", "name"]
    version = ws.tools.get(name)
    assert version.origin["in"] == {"id": "path", "dry": "query", "body": "body"}
    assert sorted(version.parameters["required"]) == ["body", "id"]
    assert ws.tools.call(name, {"id": "7", "body": {"xml": None, "inner": [{"inner": []}]}}).ok
    assert ws.tools.call(name, {"id": "7", "body": {"inner": [{"inner": [3]}]}}).outcome == "invalid_arguments"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"tools": [{"name": "a"}, {"name": "a"}]}, "more than once: 'a'"),
        ({"tools": [{"name": 3}]}, "a mapping with a name"),
        ({"tools": [{"name": "a", "inputSchema": {"type": "string"}}]}, "'object'"),
        (
            {"tools": [{"name": "a"}, {"name": "b", "inputSchema": {"type": "object", "properties": []}}]},
            "no JSON schema",
        ),
        ({"tools": "x"}, "neither an MCP list"),
        ({"swagger": "2.0"}, "Swagger"),
        ({"openapi": "3.1.0", "paths": []}, "no paths"),
        (
            {"openapi": "3.1.0", "paths": {"/a": {"get": {"parameters": [{"$ref": "http://x/y"}]}}}},
            "nothing is fetched",
        ),
        ({"openapi": "3.1.0", "paths": {"/a": {"get": {"parameters": [{"$ref": "#/x"}]}}}}, "leads nowhere"),
        (
            {"openapi": "3.1.0", "paths": {"/a": {"get": {"parameters": [{"$ref": "#/a"}]}}}, "a": {"$ref": "#/a"}},
            "itself",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_whole(ws, document, words):
    """Nothing of it is kept."""
    with pytest.raises(UsageError, match=words):
        ws.tools.read(document)
    assert len(ws.tools.list()) == 0


def test_a_dry_run_changes_nothing(ws, tmp_path):
    """And says what it would do; a file that is nothing says so."""
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps(MCP))
    assert ws.tools.read(path, dry_run=True)["is_new"].all()
    assert len(ws.tools.list()) == 0
    path.write_text("{[")
    with pytest.raises(UsageError, match="neither JSON nor YAML"):
        ws.tools.read(path)
