"""What a model, a tool and a person said reaches the messages as what it is, in the words of every API."""

from __future__ import annotations

import json

import pytest

from lmops.traces._canonical import conversation
from tests.traces.test_aliases import row_of


def call(identity, name, arguments):
    return {"id": identity, "name": name, "arguments": arguments}


def said(content, **more):
    return {"role": "assistant", "content": content, **more}


def gave(content, identity=None, name=None):
    found = {"role": "tool", "content": content}
    return found | ({"tool_call_id": identity} if identity else {}) | ({"name": name} if name else {})


CITY = '{"city":"Bern"}'

ANSWERS = {
    "responses: a hosted tool and what it gave": (
        [
            {"type": "mcp_call", "id": "m1", "name": "lookup", "arguments": CITY, "output": "7"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "ok"}]},
        ],
        [said("", tool_calls=[call("m1", "lookup", CITY)]), gave("7", "m1", "lookup"), said("ok")],
    ),
    "responses: reasoning": (
        [{"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "hm"}], "content": None}],
        [said("", reasoning="hm")],
    ),
    "responses: a custom tool": (
        [
            {"type": "custom_tool_call", "call_id": "c1", "id": "x", "name": "patch", "input": "*** Begin"},
            {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"},
        ],
        [said("", tool_calls=[call("c1", "patch", "*** Begin")]), gave("done", "c1")],
    ),
    "responses: a search of the web": (
        [{"type": "web_search_call", "id": "w1", "status": "completed", "action": {"type": "search", "query": "q"}}],
        [said("", tool_calls=[call("w1", "web_search", '{"type":"search","query":"q"}')])],
    ),
    "responses: a search of files": (
        [{"type": "file_search_call", "id": "f1", "queries": ["q"], "results": [{"text": "doc"}]}],
        [said("", tool_calls=[call("f1", "file_search", '["q"]')]), gave("doc", "f1", "file_search")],
    ),
    "responses: code": (
        [{"type": "code_interpreter_call", "id": "i1", "code": "1+1", "outputs": [{"type": "logs", "logs": "2"}]}],
        [
            said("", tool_calls=[call("i1", "code_interpreter", "1+1")]),
            gave('[{"type":"logs","logs":"2"}]', "i1", "code_interpreter"),
        ],
    ),
    "responses: a picture and a screen are shown by their name": (
        [
            {"type": "image_generation_call", "id": "g1", "status": "completed", "result": "iVBORw0KGgo="},
            {"type": "computer_call", "call_id": "u1", "action": {"type": "screenshot"}},
            {
                "type": "computer_call_output",
                "call_id": "u1",
                "output": {"type": "computer_screenshot", "image_url": "data:image/png;base64,AA"},
            },
        ],
        [
            said("", tool_calls=[call("g1", "image_generation", "")]),
            gave("[image]", "g1", "image_generation"),
            said("", tool_calls=[call("u1", "computer", '{"type":"screenshot"}')]),
            gave("[image]", "u1"),
        ],
    ),
    "responses: what was allowed joins what was asked": (
        [
            {"type": "mcp_approval_request", "id": "a1", "name": "t", "arguments": "{}"},
            {"type": "mcp_approval_response", "approval_request_id": "a1", "approve": True},
        ],
        [said("", tool_calls=[call("a1", "t", "{}")]), gave("true", "a1")],
    ),
    "anthropic: a result with a picture, and one that only looks like it": (
        [
            {
                "type": "tool_result",
                "tool_use_id": "t1",
                "content": [{"type": "text", "text": "r"}, {"type": "image", "source": {"type": "base64"}}],
            },
            {"type": "tool_result", "tool_use_id": "t2", "content": [{"type": "document", "title": "T"}]},
        ],
        [gave("r\n[image]", "t1"), gave('[{"type":"document","title":"T"}]', "t2")],
    ),
    "gemini: an interaction": (
        {
            "id": "v1",
            "steps": [
                {"type": "thought", "summary": [{"type": "text", "text": "hm"}]},
                {"type": "google_search_call", "id": "g1", "arguments": {"queries": ["q"]}},
                {"type": "google_search_result", "call_id": "g1", "result": [{"url": "u"}]},
                {"type": "model_output", "content": [{"type": "text", "text": "ok"}]},
            ],
        },
        [
            said("", reasoning="hm"),
            said("", tool_calls=[call("g1", "google_search", '{"queries":["q"]}')]),
            gave('[{"url":"u"}]', "g1"),
            said("ok"),
        ],
    ),
    "groq: tools that it ran": (
        {
            "choices": [
                {
                    "message": {
                        "role": "assistant",
                        "content": "ok",
                        "executed_tools": [{"type": "search", "arguments": '{"q":1}', "output": "found"}],
                    }
                }
            ]
        },
        [said("ok", tool_calls=[call(None, "search", '{"q":1}')]), gave("found", None, "search")],
    ),
    "mistral: a conversation": (
        {
            "outputs": [
                {"type": "tool.execution", "id": "x1", "name": "web_search", "arguments": "{}"},
                {
                    "type": "message.output",
                    "role": "assistant",
                    "content": [{"type": "text", "text": "ok"}, {"type": "tool_reference", "title": "t"}],
                },
            ]
        },
        [said("", tool_calls=[call("x1", "web_search", "{}")]), said("ok")],
    ),
    "cohere: a plan, and documents that a tool found": (
        [
            {"role": "assistant", "tool_plan": "I look", "tool_calls": [{"id": "c1", "function": {"name": "f"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "document", "document": {"data": "d"}}]},
        ],
        [said("", tool_calls=[call("c1", "f", "")], reasoning="I look"), gave("d", "c1")],
    ),
    "ai sdk 4: calls and results in one list": (
        {
            "role": "assistant",
            "content": "",
            "toolInvocations": [
                {"state": "result", "toolCallId": "c1", "toolName": "f", "args": {"city": "Bern"}, "result": "7"}
            ],
        },
        [said("", tool_calls=[call("c1", "f", CITY)]), gave("7", "c1", "f")],
    ),
    "ai sdk 4: a call among the parts, and a source": (
        {
            "role": "assistant",
            "parts": [
                {"type": "source", "source": {"url": "u"}},
                {"type": "tool-invocation", "toolInvocation": {"toolCallId": "c1", "toolName": "f", "args": {}}},
                {"type": "text", "text": "ok"},
            ],
        },
        [said("ok", tool_calls=[call("c1", "f", "{}")])],
    ),
    "responses: a list of tools is not what the assistant said": (
        [{"type": "mcp_list_tools", "id": "l1", "server_label": "s", "tools": [{"name": "lookup"}]}],
        [gave('[{"name":"lookup"}]', "l1")],
    ),
    "anthropic: thinking, a tool of the server and what it gave": (
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "redacted_thinking", "data": "x"},
                {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
                {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"url": "u"}]},
                {"type": "text", "text": "ok"},
            ],
        },
        [
            said("ok", tool_calls=[call("s1", "web_search", '{"query":"q"}')], reasoning="hm"),
            gave('[{"url":"u"}]', "s1"),
        ],
    ),
    "anthropic: a tool of an MCP server": (
        {
            "role": "assistant",
            "content": [
                {"type": "mcp_tool_use", "id": "m1", "name": "find", "server_name": "s", "input": {}},
                {"type": "mcp_tool_result", "tool_use_id": "m1", "content": [{"type": "text", "text": "doc"}]},
            ],
        },
        [said("", tool_calls=[call("m1", "find", "{}")]), gave("doc", "m1")],
    ),
    "bedrock: call, result as JSON, reasoning": (
        {
            "output": {
                "message": {
                    "role": "assistant",
                    "content": [
                        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
                        {"cachePoint": {"type": "default"}},
                        {"toolUse": {"toolUseId": "t1", "name": "weather", "input": {"city": "Bern"}}},
                        {"toolResult": {"toolUseId": "t1", "content": [{"json": {"t": 7}}, {"text": "warm"}]}},
                        {"text": "ok"},
                    ],
                }
            }
        },
        [
            said("ok", tool_calls=[call("t1", "weather", CITY)], reasoning="hm"),
            gave('{"t":7}\nwarm', "t1"),
        ],
    ),
    "gemini: thought, call, code": (
        {
            "candidates": [
                {
                    "content": {
                        "role": "model",
                        "parts": [
                            {"text": "hm", "thought": True},
                            {"functionCall": {"id": "g1", "name": "weather", "args": {"city": "Bern"}}},
                            {"executableCode": {"language": "PYTHON", "code": "1+1"}},
                            {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}},
                            {"text": "ok"},
                        ],
                    }
                }
            ]
        },
        [
            said(
                "ok",
                tool_calls=[call("g1", "weather", CITY), call(None, "code_execution", "1+1")],
                reasoning="hm",
            ),
            gave("2", None, "code_execution"),
        ],
    ),
    "gemini: what a function gave": (
        {"role": "user", "parts": [{"functionResponse": {"id": "g1", "name": "weather", "response": {"t": 7}}}]},
        [gave('{"t":7}', "g1", "weather")],
    ),
    "ai sdk: call and result": (
        [
            {
                "role": "assistant",
                "content": [
                    {"type": "reasoning", "text": "hm"},
                    {"type": "tool-call", "toolCallId": "c1", "toolName": "weather", "input": {"city": "Bern"}},
                ],
            },
            {
                "role": "tool",
                "content": [
                    {
                        "type": "tool-result",
                        "toolCallId": "c1",
                        "toolName": "weather",
                        "output": {"type": "json", "value": {"t": 7}},
                    }
                ],
            },
        ],
        [said("", tool_calls=[call("c1", "weather", CITY)], reasoning="hm"), gave('{"t":7}', "c1", "weather")],
    ),
    "ai sdk: a message of the page": (
        {
            "role": "assistant",
            "parts": [
                {"type": "step-start"},
                {
                    "type": "tool-weather",
                    "toolCallId": "c1",
                    "state": "output-available",
                    "input": {"city": "Bern"},
                    "output": "7",
                },
                {"type": "text", "text": "ok"},
            ],
        },
        [said("ok", tool_calls=[call("c1", "weather", CITY)]), gave("7", "c1", "weather")],
    ),
    "pydantic-ai: its own messages": (
        [
            {
                "kind": "request",
                "parts": [
                    {"part_kind": "system-prompt", "content": "be brief"},
                    {"part_kind": "user-prompt", "content": "hi"},
                ],
            },
            {
                "kind": "response",
                "parts": [
                    {"part_kind": "thinking", "content": "hm"},
                    {"part_kind": "tool-call", "tool_name": "weather", "args": {"city": "Bern"}, "tool_call_id": "p1"},
                ],
            },
            {
                "kind": "request",
                "parts": [{"part_kind": "tool-return", "tool_name": "weather", "content": "7", "tool_call_id": "p1"}],
            },
        ],
        [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "hi"},
            said("", tool_calls=[call("p1", "weather", CITY)], reasoning="hm"),
            gave("7", "p1", "weather"),
        ],
    ),
    "opentelemetry: a tool of the server": (
        [
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "content": "hm"},
                    {"type": "server_tool_call", "id": "s1", "name": "search", "server_tool_call": {"query": "q"}},
                    {"type": "server_tool_call_response", "id": "s1", "server_tool_call_response": {"n": 1}},
                    {"type": "text", "content": "ok"},
                ],
            }
        ],
        [
            said("ok", tool_calls=[call("s1", "search", '{"query":"q"}')], reasoning="hm"),
            gave('{"n":1}', "s1"),
        ],
    ),
    "ollama: thinking and a call without an id": (
        {
            "model": "qwen3",
            "message": {
                "role": "assistant",
                "content": "",
                "thinking": "hm",
                "tool_calls": [{"function": {"name": "weather", "arguments": {"city": "Bern"}}}],
            },
        },
        [said("", tool_calls=[call(None, "weather", CITY)], reasoning="hm")],
    ),
    "ollama: what a tool gave": (
        [{"role": "tool", "tool_name": "weather", "content": "7"}],
        [gave("7", None, "weather")],
    ),
    "ollama: an answer of generate": ({"response": "ok", "thinking": "hm"}, [said("ok", reasoning="hm")]),
    "gemini: an image": (
        {"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": "x"}}, {"text": "hi"}]},
        [{"role": "user", "content": "[image]\nhi"}],
    ),
    "responses: thoughts that are kept secret": (
        [
            {"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "zz"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "ok"}]},
        ],
        [said("ok")],
    ),
    "chat: a call of a custom tool": (
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "custom", "custom": {"name": "apply_patch", "input": "*** Begin"}}],
        },
        [said("", tool_calls=[call("c1", "apply_patch", "*** Begin")])],
    ),
    "chat: an answer that is spoken": (
        {"role": "assistant", "content": None, "audio": {"id": "a", "data": "zz", "transcript": "ok"}},
        [said("ok")],
    ),
    "deepseek": (
        {"choices": [{"message": {"role": "assistant", "content": "ok", "reasoning_content": "hm"}}]},
        [said("ok", reasoning="hm")],
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_was_said_is_what_it_is(name):
    """Calls, results and thoughts are told apart from what the assistant said, and ids join call and result."""
    given, expected = ANSWERS[name]
    assert conversation(given, "user" if name.startswith("pydantic") else "assistant") == expected
    assert conversation(json.dumps(given), "user" if name.startswith("pydantic") else "assistant") == expected


def test_a_type_nobody_knows_that_ends_as_a_call_is_a_call():
    """A hosted tool that comes tomorrow is a tool too: what it gave is no word of the assistant."""
    found = conversation(
        [{"type": "time_travel_call", "id": "t1", "action": {"to": 1990}, "output": "SECRET"}], "assistant"
    )
    assert [message["content"] for message in found if message["role"] == "assistant"] == [""]
    assert found[0]["tool_calls"] == [call("t1", "time_travel", '{"to":1990}')]


def event(name, **attributes):
    return {"name": name, "time_ns": 1, "attributes": attributes}


def test_strands_tells_in_events():
    """Blocks of Bedrock in events of the older convention: asked, called, given."""
    blocks = [{"toolUse": {"toolUseId": "t1", "name": "weather", "input": {"city": "Bern"}}}]
    given = [{"toolResult": {"toolUseId": "t1", "content": [{"text": "7"}]}}]
    row = row_of(
        {"gen_ai.operation.name": "chat", "gen_ai.system": "strands-agents"},
        events=[
            event("gen_ai.user.message", content=json.dumps([{"text": "hi"}])),
            event("gen_ai.assistant.message", content=json.dumps(blocks)),
            event("gen_ai.tool.message", content=json.dumps(given)),
            event("gen_ai.choice", finish_reason="end_turn", message=json.dumps([{"text": "ok"}])),
        ],
        scope="strands.telemetry.tracer",
    )
    asked = [{"role": "user", "content": "hi"}, said("", tool_calls=[call("t1", "weather", CITY)]), gave("7", "t1")]
    assert json.loads(row["input"]) == asked
    assert (json.loads(row["output"]), row["finish_reason"], row["provider"]) == ([said("ok")], "stop", None)


def test_what_a_person_shows_is_named():
    """Pictures beside a text, or between two, are shown by their name."""
    parts = ["hi", {"kind": "image-url", "url": "u"}, {"kind": "binary", "media_type": "audio/wav", "data": "A"}]
    asked = {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": parts}]}
    assert conversation([asked], "user") == [{"role": "user", "content": "hi\n[image]\n[audio]"}]
    assert conversation([{"role": "user", "content": "x", "images": ["AA"]}], "user") == [
        {"role": "user", "content": "x\n[image]"}
    ]


def test_strands_tells_of_a_tool_in_events():
    """The arguments and the result of a tool stand in its events."""
    row = row_of(
        {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather"},
        events=[
            event("gen_ai.tool.message", role="tool", content=CITY, id="t1"),
            event("gen_ai.choice", message=json.dumps([{"text": "7"}]), id="t1"),
        ],
    )
    assert (json.loads(row["input"]), row["output"]) == ({"city": "Bern"}, "7")


def test_pydantic_ai_1_tells_in_one_attribute():
    """A list of events in one attribute is a conversation."""
    events = [
        {"event.name": "gen_ai.system.message", "role": "system", "content": "be brief"},
        {"event.name": "gen_ai.user.message", "role": "user", "content": "hi"},
        {
            "event.name": "gen_ai.choice",
            "index": 0,
            "message": {
                "role": "assistant",
                "tool_calls": [{"id": "p1", "type": "function", "function": {"name": "weather", "arguments": CITY}}],
            },
        },
    ]
    row = row_of({"gen_ai.operation.name": "chat", "gen_ai.system": "openai", "events": json.dumps(events)})
    assert [message["role"] for message in json.loads(row["input"])] == ["system", "user"]
    assert json.loads(row["output"]) == [said("", tool_calls=[call("p1", "weather", CITY)])]


def test_adk_tells_in_its_own_words():
    """Google's ADK puts request and answer of Gemini into attributes of its own."""
    asked = {"config": {"system_instruction": "Be brief"}, "contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    answer = {"content": {"role": "model", "parts": [{"text": "hm", "thought": True}, {"text": "ok"}]}}
    row = row_of(
        {
            "gen_ai.system": "gcp.vertex.agent",
            "gen_ai.request.model": "gemini-2.5-flash",
            "gcp.vertex.agent.llm_request": json.dumps(asked),
            "gcp.vertex.agent.llm_response": json.dumps(answer),
        }
    )
    assert json.loads(row["input"]) == [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "hi"}]
    assert (row["kind"], json.loads(row["output"])) == ("llm", [said("ok", reasoning="hm")])


def test_the_ai_sdk_answers_in_pieces():
    """Text, thoughts and calls of one answer stand in three attributes."""
    calls = [{"toolCallId": "c1", "toolName": "weather", "input": {"city": "Bern"}}]
    row = row_of(
        {
            "ai.operationId": "ai.streamText.doStream",
            "ai.response.text": "I look.",
            "ai.response.reasoning": "hm",
            "ai.response.toolCalls": json.dumps(calls),
        }
    )
    assert json.loads(row["output"]) == [said("I look.", tool_calls=[call("c1", "weather", CITY)], reasoning="hm")]
