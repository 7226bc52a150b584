"""Spans of each client, written by hand after what the client sends, become the rows that a reader expects."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmops.base.chat import Message, ToolCall
from lmops.store._tables import LOG_COLUMNS, SPAN_COLUMNS
from lmops.traces import _normalise
from lmops.traces._aliases import ALIASES
from lmops.traces._formats import log_row
from lmops.traces._messages import messages
from lmops.traces._normalise import NORMALISER_VERSION, apply_logs, normalise, renormalise
from lmops.traces._otlp import decode_json, decode_traces_pb
from lmops.traces._raw import RawLog, RawSpan, Resource

from .otlp_builders import START_NS, TRACE_ID, request_json, request_pb, span_json

SPAN_ID = "00f067aa0ba902b7"


def row_of(attributes, *, name="step", events=(), status=0, message="", resource=None, scope="tests 1"):
    raw = RawSpan(
        TRACE_ID,
        SPAN_ID,
        None,
        name,
        START_NS,
        START_NS + 2_000_000_000,
        status,
        message,
        dict(attributes),
        list(events),
        [],
        Resource(resource or {}),
        scope,
    )
    return normalise(raw)


def event(name, at_ms=0, **attributes):
    given = {key.replace("__", "."): value for key, value in attributes.items()}
    return {"name": name, "time_ns": START_NS + at_ms * 1_000_000, "attributes": given}


def talk(text):
    return [(message.role, message.content) for message in messages(text) or ()]


def test_a_row_has_every_column():
    row = row_of({})
    assert tuple(row) == tuple(name for name, _, _ in SPAN_COLUMNS)
    assert (row["kind"], row["latency_ms"], row["normaliser_version"]) == ("unknown", 2000.0, NORMALISER_VERSION)
    assert row["cost_usd"] is None
    assert row["input"] is row["output"] is row["documents"] is row["events"] is row["links"] is None


# Clients


def test_llama_index_nested_llm():
    row = row_of(
        {
            "openinference.span.kind": "LLM",
            "llm.model_name": "gpt-4o-mini",
            "llm.provider": "openai",
            "llm.invocation_parameters": '{"context_window":128000,"model":"gpt-4o-mini","temperature":0.1}',
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.contents.0.message_content.type": "text",
            "llm.input_messages.0.message.contents.0.message_content.text": "look",
            "llm.input_messages.0.message.contents.1.message_content.type": "image",
            "llm.input_messages.0.message.contents.1.message_content.image.image.url": "data:image/png;base64,AAAA",
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.content": "a cat",
            "llm.token_count.prompt": 10,
            "llm.token_count.completion": 3,
        }
    )
    assert talk(row["input"]) == [("user", "look\n[image]")]
    assert talk(row["output"]) == [("assistant", "a cat")]
    assert (row["requested_model"], row["input_tokens"]) == ("gpt-4o-mini", 10)


def test_llama_index_retriever_has_ids_scores_and_texts():
    row = row_of(
        {
            "openinference.span.kind": "RETRIEVER",
            "input.value": "refund?",
            **{
                f"retrieval.documents.{n}.document.{key}": value
                for n in range(11)
                for key, value in (
                    ("id", f"kb-{n}"),
                    ("score", 1 - n / 20),
                    ("content", f"text {n}"),
                    ("metadata", '{"page": 1}'),
                )
            },
        }
    )
    found = json.loads(row["documents"])
    assert [document["id"] for document in found] == [f"kb-{n}" for n in range(11)]
    assert found[10] == {"rank": 11, "id": "kb-10", "score": 0.5, "content": "text 10", "metadata": {"page": 1}}
    assert row["input"] == "refund?"


def test_openinference_anthropic_with_thinking_and_tool():
    row = row_of(
        {
            "openinference.span.kind": "LLM",
            "llm.model_name": "claude-sonnet-4-5",
            "llm.system": "anthropic",
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.content": "weather?",
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.contents.0.message_content.type": "thinking",
            "llm.output_messages.0.message.contents.0.message_content.text": "hmm",
            "llm.output_messages.0.message.contents.1.message_content.type": "text",
            "llm.output_messages.0.message.contents.1.message_content.text": "Let me see.",
            "llm.output_messages.0.message.tool_calls.0.tool_call.id": "toolu_1",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "get_weather",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"city":"Bern"}',
            "llm.token_count.prompt": 500,
            "llm.token_count.prompt_details.cache_read": 400,
            "llm.token_count.prompt_details.cache_write": 50,
            "llm.finish_reason": "tool_use",
            "output.value": '{"id": "msg_1", "content": []}',
            "output.mime_type": "application/json",
        }
    )
    (answer,) = messages(row["output"])
    assert answer == Message(
        role="assistant",
        content="Let me see.",
        reasoning="hmm",
        tool_calls=(ToolCall(id="toolu_1", name="get_weather", arguments='{"city":"Bern"}'),),
    )
    assert (row["cached_input_tokens"], row["cache_write_input_tokens"], row["response_id"]) == (400, 50, "msg_1")
    assert (row["finish_reason"], row["provider"]) == ("tool_calls", "anthropic")


def test_anthropic_sdk_own_span():
    row = row_of(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "anthropic",
            "gen_ai.request.model": "claude-sonnet-4-5",
            "gen_ai.response.id": "msg_1",
            "gen_ai.usage.input_tokens": 500,
            "gen_ai.usage.cache_write.input_tokens": 50,
            "anthropic.message.stop_reason": "end_turn",
        },
        scope="com.anthropic.sdk.python 2.12.0",
    )
    assert (row["kind"], row["response_id"], row["cache_write_input_tokens"]) == ("llm", "msg_1", 50)
    assert (row["finish_reason"], row["scope"]) == ("stop", "com.anthropic.sdk.python 2.12.0")
    assert (row["model"], row["requested_model"]) == ("claude-sonnet-4-5", "claude-sonnet-4-5")


def test_logfire_stream_counts_as_one_call():
    call = {
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4o",
        "request_data": '{"messages":[{"role":"user","content":"hi"}],"model":"gpt-4o","stream":true}',
        "logfire.span_type": "span",
    }
    answer = {
        **call,
        "logfire.span_type": "log",
        "response_data": '{"combined_chunk_content":"hello","message":{"role":"assistant","content":"hello"}}',
    }
    first, second = row_of(call), row_of(answer)
    assert (first["kind"], second["kind"]) == ("llm", "llm")
    assert talk(first["input"]) == [("user", "hi")]
    assert talk(second["output"]) == [("assistant", "hello")]
    assert row_of({**call, "logfire.span_type": "pending_span"})["kind"] == "unknown"


def test_logfire_call_with_raw_usage_and_answer():
    row = row_of(
        {
            "gen_ai.operation.name": "chat",
            "request_data": '{"messages":[{"role":"user","content":"hi"}],"model":"gpt-4o"}',
            "response_data": '{"message":{"role":"assistant","content":"hello"}}',
            "gen_ai.usage.raw": '{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}}',
            "gen_ai.response.finish_reasons": '["stop"]',
        }
    )
    assert (row["input_tokens"], row["output_tokens"], row["cached_input_tokens"]) == (9, 2, 4)
    assert (row["requested_model"], row["finish_reason"]) == ("gpt-4o", "stop")
    assert talk(row["output"]) == [("assistant", "hello")]


def mlflow(**values):
    return {f"mlflow.{key}": json.dumps(value) for key, value in values.items()}


def test_mlflow_chat_model():
    row = row_of(
        mlflow(
            spanType="CHAT_MODEL",
            traceRequestId="tr-1",
            spanInputs={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Zürich?"}]},
            spanOutputs={
                "id": "chatcmpl-1",
                "model": "gpt-4o-mini-2026",
                "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}],
            },
        )
        | {
            "mlflow.chat.tokenUsage": json.dumps(
                json.dumps({"input_tokens": 9, "output_tokens": 2, "total_tokens": 11})
            ),
            "mlflow.llm.cost": '{"input_cost": 0.1, "output_cost": 0.2, "total_cost": 0.3}',
            "mlflow.llm.provider": '"openai"',
        }
    )
    assert (row["kind"], row["dialect"], row["provider"]) == ("llm", "mlflow", "openai")
    assert (row["requested_model"], row["model"], row["response_id"]) == (
        "gpt-4o-mini",
        "gpt-4o-mini-2026",
        "chatcmpl-1",
    )
    assert (row["input_tokens"], row["output_tokens"], row["reported_cost_usd"]) == (9, 2, 0.3)
    assert (talk(row["input"]), talk(row["output"])) == ([("user", "Zürich?")], [("assistant", "yes")])
    assert row["finish_reason"] == "stop"


def test_mlflow_retriever_and_tool():
    found = row_of(
        mlflow(
            spanType="RETRIEVER",
            spanInputs="refund?",
            spanOutputs=[{"page_content": "30 days", "metadata": {"doc_uri": "a.md", "score": 0.9}, "id": "kb-1"}],
        )
    )
    assert json.loads(found["documents"]) == [
        {"rank": 1, "id": "kb-1", "score": 0.9, "content": "30 days", "metadata": {"doc_uri": "a.md", "score": 0.9}}
    ]
    assert found["input"] == "refund?"
    tool = row_of(mlflow(spanType="TOOL", spanFunctionName="lookup", spanInputs={"id": 1}, spanOutputs="shipped"))
    assert (tool["tool_name"], tool["input"], tool["output"]) == ("lookup", '{"id":1}', "shipped")


def test_mlflow_prompt_session_and_user():
    row = row_of(
        {
            "mlflow.linkedPrompts": '[{"name": "answer", "version": "4"}]',
            "mlflow.trace.session": '"s1"',
            "mlflow.trace.user": '"u1"',
        }
    )
    assert (row["prompt_name"], row["prompt_version"]) == ("answer", "4")
    assert (row["session_id"], row["user_id"]) == ("s1", "u1")


def test_openai_agents_responses_api():
    row = row_of(
        {
            "openinference.span.kind": "LLM",
            "llm.model_name": "gpt-5",
            "input.value": json.dumps(
                [
                    {"role": "user", "content": [{"type": "input_text", "text": "weather?"}]},
                    {
                        "type": "function_call",
                        "call_id": "call_1",
                        "name": "get_weather",
                        "arguments": '{"city":"Bern"}',
                    },
                    {"type": "function_call_output", "call_id": "call_1", "output": "21 C"},
                ]
            ),
            "input.mime_type": "application/json",
            "output.value": json.dumps(
                {
                    "id": "resp_1",
                    "model": "gpt-5",
                    "output": [
                        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "easy"}]},
                        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Warm."}]},
                    ],
                }
            ),
            "output.mime_type": "application/json",
        }
    )
    assert [message.role for message in messages(row["input"])] == ["user", "assistant", "tool"]
    assert messages(row["input"])[1].tool_calls[0].name == "get_weather"
    assert messages(row["input"])[2] == Message(role="tool", content="21 C", tool_call_id="call_1")
    assert messages(row["output"])[-1].content == "Warm."
    assert messages(row["output"])[0].reasoning == "easy"
    assert row["response_id"] == "resp_1"


def test_langsmith_export():
    row = row_of(
        {
            "langsmith.span.kind": "llm",
            "langsmith.metadata.ls_provider": "openai",
            "langsmith.metadata.thread_id": "t1",
            "langsmith.trace.session_id": "project",
            "gen_ai.prompt": '{"messages":[{"role":"user","content":"hi"}]}',
            "gen_ai.completion": '{"choices":[{"message":{"role":"assistant","content":"yes"}}]}',
            "gen_ai.usage.prompt_tokens": 3,
            "gen_ai.usage.completion_tokens": 1,
            "langsmith.metadata.ls_model_name": "gpt-4o",
        }
    )
    assert (row["kind"], row["dialect"], row["provider"], row["session_id"]) == ("llm", "langsmith", "openai", "t1")
    assert (row["model"], row["input_tokens"], row["output_tokens"]) == ("gpt-4o", 3, 1)
    assert (talk(row["input"]), talk(row["output"])) == ([("user", "hi")], [("assistant", "yes")])
    assert row_of({"langsmith.span.kind": "llm", "langsmith.trace.session_id": "s"})["session_id"] == "s"


def test_traceloop_langchain_retriever():
    row = row_of(
        {
            "traceloop.span.kind": "task",
            "gen_ai.operation.name": "vector_db_retrieve",
            "traceloop.entity.name": "kb",
            "traceloop.entity.input": '{"args": ["refund?"], "kwargs": {}}',
            "traceloop.entity.output": json.dumps(
                {"documents": [{"page_content": "30 days", "metadata": {"source": "a"}, "id": "kb-1"}]}
            ),
        }
    )
    assert (row["kind"], row["dialect"], row["input"]) == ("retriever", "traceloop", "refund?")
    assert json.loads(row["documents"])[0]["id"] == "kb-1"


@pytest.mark.parametrize("attributes", [{"db.system": "chroma", "db.operation": "query"}, {"lmops.kind": "retriever"}])
def test_traceloop_vector_database_events(attributes):
    events = [
        event(
            "db.query.result",
            db__query__result__id="kb-1",
            db__query__result__score=0.9,
            db__query__result__document="30 days",
            db__query__result__metadata='{"a": 1}',
        ),
        event("db.query.embeddings"),
        event("db.query.result", db__query__result__id=2, db__query__result__distance=0.25),
    ]
    row = row_of(attributes, events=events)
    assert row["kind"] == "retriever"
    assert json.loads(row["documents"]) == [
        {"rank": 1, "id": "kb-1", "score": 0.9, "content": "30 days", "metadata": {"a": 1}},
        {"rank": 2, "id": "2", "score": None, "content": None, "metadata": {"distance": 0.25}},
    ]


def test_traceloop_old_indexed_conventions():
    row = row_of(
        {
            "llm.request.type": "chat",
            "gen_ai.system": "OpenAI",
            "gen_ai.request.model": "gpt-4",
            "llm.user": "u",
            "gen_ai.prompt.0.role": "system",
            "gen_ai.prompt.0.content": "be brief",
            "gen_ai.prompt.1.role": "user",
            "gen_ai.prompt.1.content": '[{"type":"text","text":"look"},{"type":"image_url"}]',
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.finish_reason": "tool_calls",
            "gen_ai.completion.0.tool_calls.0.id": "c1",
            "gen_ai.completion.0.tool_calls.0.name": "get_weather",
            "gen_ai.completion.0.tool_calls.0.arguments": '{"city":"Bern"}',
            "gen_ai.usage.prompt_tokens": 7,
            "gen_ai.usage.completion_tokens": 2,
            "gen_ai.usage.cache_read_input_tokens": 1,
        }
    )
    assert (row["kind"], row["provider"], row["user_id"], row["finish_reason"]) == ("llm", "openai", "u", "tool_calls")
    assert talk(row["input"]) == [("system", "be brief"), ("user", "look\n[image]")]
    assert messages(row["output"])[0].tool_calls == (
        ToolCall(id="c1", name="get_weather", arguments='{"city":"Bern"}'),
    )
    assert (row["input_tokens"], row["output_tokens"], row["cached_input_tokens"]) == (7, 2, 1)


def test_traceloop_mcp_tool():
    row = row_of(
        {
            "traceloop.span.kind": "tool",
            "traceloop.entity.name": "search",
            "mcp.request.argument": '{"q": 1}',
            "mcp.response.value": "found",
            "mcp.method.name": "tools/call",
            "mcp.session.id": "transport",
        }
    )
    assert (row["kind"], row["tool_name"], row["input"], row["output"]) == ("tool", "search", '{"q": 1}', "found")
    assert row["session_id"] is None


def test_mcp_tool_of_the_standard():
    row = row_of(
        {
            "mcp.method.name": "tools/call",
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "search",
            "gen_ai.tool.call.arguments": {"q": 1},
            "error.type": "tool_error",
        },
        name="tools/call search",
    )
    assert (row["kind"], row["tool_name"], row["input"]) == ("tool", "search", '{"q":1}')
    assert (row["status"], row["error_type"]) == ("error", "tool_error")
    assert row_of({"mcp.method.name": "tools/call"}, name="tools/call search")["tool_name"] == "search"


def test_genai_retrieval_keeps_ids_without_texts():
    row = row_of(
        {
            "gen_ai.operation.name": "retrieval",
            "gen_ai.retrieval.query.text": "refund?",
            "gen_ai.retrieval.documents": '[{"id":"kb-1","score":0.9},{"id":"kb-2","score":-0.1}]',
            "lmops.index.fingerprint": "idx-7",
        }
    )
    assert [(d["rank"], d["id"], d["score"], d["content"]) for d in json.loads(row["documents"])] == [
        (1, "kb-1", 0.9, None),
        (2, "kb-2", -0.1, None),
    ]
    assert (row["input"], row["index_fingerprint"]) == ("refund?", "idx-7")


@pytest.mark.parametrize(
    ("said", "score"), [("-0.5", -0.5), (' "0.25" ', 0.25), ("nan", None), ("0." + 40 * "1", None), (True, None)]
)
def test_the_score_of_a_document_is_read_from_text(said, score):
    """As amounts are, and it may be below nothing."""
    row = row_of(
        {
            "openinference.span.kind": "RETRIEVER",
            "retrieval.documents.0.document.id": "a",
            "retrieval.documents.0.document.score": said,
        }
    )
    assert [document["score"] for document in json.loads(row["documents"])] == [score]


def test_reranker_documents_are_those_that_came_out():
    row = row_of(
        {
            "openinference.span.kind": "RERANKER",
            "reranker.query": "q",
            "reranker.model_name": "rr-1",
            "reranker.input_documents.0.document.id": "a",
            "reranker.input_documents.1.document.id": "b",
            "reranker.output_documents.0.document.id": "b",
            "reranker.output_documents.0.document.score": 0.9,
        }
    )
    assert [document["id"] for document in json.loads(row["documents"])] == ["b"]
    assert (row["kind"], row["model"], row["input"]) == ("reranker", "rr-1", "q")


def test_pydantic_ai_agent_and_older_tool():
    agent = row_of(
        {
            "gen_ai.operation.name": "invoke_agent",
            "model_name": "gpt-4o",
            "final_result": "sunny",
            "gen_ai.aggregated_usage.input_tokens": 138,
            "pydantic_ai.all_messages": json.dumps(
                [
                    {"role": "system", "parts": [{"type": "text", "content": "be brief"}]},
                    {"role": "user", "parts": [{"type": "text", "content": "weather?"}]},
                    {"role": "assistant", "parts": [{"type": "text", "content": "sunny"}]},
                ]
            ),
        }
    )
    assert (agent["kind"], agent["input"], agent["output"]) == ("agent", "weather?", "sunny")
    assert (agent["input_tokens"], agent["requested_model"], agent["model"]) == (None, "gpt-4o", None)
    tool = row_of({"gen_ai.tool.name": "t", "tool_arguments": '{"a":1}', "tool_response": "ok", "lmops.kind": "tool"})
    assert (tool["tool_name"], tool["input"], tool["output"]) == ("t", '{"a":1}', "ok")


def test_gemini_contents_and_instructions_of_the_standard():
    row = row_of(
        {
            "gen_ai.operation.name": "generate_content",
            "gen_ai.provider.name": "gcp.gemini",
            "gen_ai.system_instructions": '[{"type":"text","content":"be brief"}]',
            "gen_ai.input.messages": json.dumps(
                [
                    {
                        "role": "user",
                        "parts": [
                            {"type": "text", "content": "what is this"},
                            {"type": "blob", "modality": "image", "content": "AAAA"},
                        ],
                    }
                ]
            ),
            "gen_ai.output.messages": json.dumps(
                [
                    {
                        "role": "model",
                        "parts": [
                            {"type": "reasoning", "content": "a cat, I think"},
                            {"type": "text", "content": "a cat"},
                        ],
                    }
                ]
            ),
        }
    )
    assert talk(row["input"]) == [("system", "be brief"), ("user", "what is this\n[image]")]
    assert messages(row["output"]) == [Message(role="assistant", content="a cat", reasoning="a cat, I think")]


def test_messages_may_be_native_lists():
    parts = [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]
    assert talk(row_of({"gen_ai.operation.name": "chat", "gen_ai.input.messages": parts})["input"]) == [("user", "hi")]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ({"messages": [{"role": "user", "content": "hi"}], "system": "s"}, [("system", "s"), ("user", "hi")]),
        (
            {
                "messages": [
                    [
                        {
                            "lc": 1,
                            "type": "constructor",
                            "id": ["langchain", "schema", "messages", "HumanMessage"],
                            "kwargs": {"content": "hi", "type": "human"},
                        }
                    ]
                ]
            },
            [("user", "hi")],
        ),
        ([{"type": "ai", "data": {"content": "yes", "tool_calls": []}}], [("assistant", "yes")]),
        ([{"type": "human", "content": "hi"}], [("user", "hi")]),
        ({"contents": [{"role": "model", "parts": [{"text": "yes"}]}]}, [("assistant", "yes")]),
        ({"prompt": "hi"}, [("user", "hi")]),
        ({"input": "hi", "instructions": "s"}, [("system", "s"), ("user", "hi")]),
        ([{"role": "user", "blocks": [{"block_type": "text", "text": "hi"}]}], [("user", "hi")]),
        (["a", "b"], [("user", "a"), ("user", "b")]),
        ("plain", [("user", "plain")]),
        ({"unknown": 1}, [("user", '{"unknown":1}')]),
        (
            [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x", "content": "21 C"}]}],
            [("tool", "21 C")],
        ),
        ([{"role": "user", "content": None}], [("user", "")]),
        ([{"role": "assistant", "content": None, "refusal": "no"}], [("assistant", "no")]),
        (
            [{"role": "tool", "parts": [{"type": "tool_call_response", "id": "x", "result": {"a": 1}}]}],
            [("tool", '{"a":1}')],
        ),
    ],
)
@pytest.mark.parametrize("encode", [lambda value: value, json.dumps])
def test_shapes_of_a_request_become_messages(shape, expected, encode):
    row = row_of({"langfuse.observation.type": "generation", "langfuse.observation.input": encode(shape)})
    assert talk(row["input"]) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        ('"text"', "text"),
        ('{"args": ["q"], "kwargs": {}}', "q"),
        ('{"args": ["q"], "kwargs": {"k": 1}}', '{"args":["q"],"kwargs":{"k":1}}'),
        ('{"a": "\\u00fc"}', '{"a":"ü"}'),
        ("{broken", "{broken"),
        ("", None),
        ("[]", None),
        ("null", "null"),
    ],
)
def test_content_of_other_kinds_is_one_text_or_json(value, expected):
    assert row_of({"traceloop.span.kind": "task", "traceloop.entity.input": value})["input"] == expected


def test_roles_alone_do_not_hide_the_content():
    row = row_of(
        {
            "openinference.span.kind": "AGENT",
            "llm.input_messages.0.message.role": "user",
            "input.value": "weather",
        }
    )
    assert row["input"] == "weather"


def test_embedding_keeps_texts_and_drops_vectors():
    row = row_of(
        {
            "openinference.span.kind": "EMBEDDING",
            "embedding.embeddings.0.embedding.text": "a",
            "embedding.embeddings.1.embedding.text": "b",
            "output.value": '{"data":[{"embedding":[0.1]}]}',
        }
    )
    assert (row["input"], row["output"]) == ('["a","b"]', None)


def test_the_first_spans_of_the_conventions_said_no_operation():
    row = row_of({"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4", "gen_ai.usage.completion_tokens": 3})
    assert (row["kind"], row["output_tokens"]) == ("llm", 3)
    assert row_of({"gen_ai.request.model": "gpt-4"})["kind"] == "unknown"


# Time, status


def test_time_to_first_token_comes_from_an_event():
    row = row_of({"openinference.span.kind": "LLM"}, events=[event("First Token Stream Event", at_ms=120)])
    assert row["ttft_ms"] == 120.0


@pytest.mark.parametrize(
    ("status", "attributes", "expected"),
    [
        (0, {}, "unset"),
        (1, {}, "ok"),
        (2, {}, "error"),
        (0, {"error.type": "timeout"}, "error"),
        (1, {"error.type": "timeout"}, "error"),
        (0, {"langfuse.observation.level": "ERROR"}, "error"),
        (0, {"langfuse.observation.level": "WARNING"}, "unset"),
        (0, {"error.type": ""}, "unset"),
    ],
)
def test_status_words(status, attributes, expected):
    assert row_of(attributes, status=status)["status"] == expected


def test_error_type_is_the_exception_before_the_attribute():
    happened = event("exception", exception__type="openai.RateLimitError", exception__message="slow down")
    row = row_of({"error.type": "RateLimitError"}, events=[happened], status=2)
    assert (row["error_type"], row["error_message"]) == ("openai.RateLimitError", "slow down")
    assert row_of({}, events=[happened], status=2, message="m")["error_message"] == "m"
    assert row_of({"error.type": "a", "error.message": "b"})["error_message"] == "b"
    assert row_of({}, events=[happened], status=1)["error_type"] is None


def test_langfuse_error():
    row = row_of(
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.level": "ERROR",
            "langfuse.observation.status_message": "429",
            "langfuse.observation.model.name": "gpt-4o",
        }
    )
    assert (row["status"], row["error_message"], row["model"], row["requested_model"]) == (
        "error",
        "429",
        "gpt-4o",
        None,
    )


# Log events


def log(name, body=None, at=0, span_id=SPAN_ID, **attributes):
    given = {key.replace("__", "."): value for key, value in attributes.items()}
    return log_row(RawLog(TRACE_ID, span_id, START_NS + at, name, body, given))


def test_log_rows_have_every_column():
    assert tuple(log("gen_ai.choice")) == tuple(name for name, _, _ in LOG_COLUMNS)


def test_logs_in_any_order_fill_only_what_is_missing():
    row = row_of({"gen_ai.operation.name": "chat"})
    logs = [
        log(
            "gen_ai.choice",
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}},
            9,
        ),
        log("gen_ai.user.message", {"content": "hi"}, 2),
        log("gen_ai.system.message", {"content": "s"}, 1),
        log("gen_ai.user.message", {"content": "other"}, 1, span_id="1" * 16),
    ]
    filled = apply_logs(row, logs)
    assert talk(filled["input"]) == [("system", "s"), ("user", "hi")]
    assert (talk(filled["output"]), filled["finish_reason"]) == ([("assistant", "yes")], "stop")
    assert apply_logs(filled, [log("gen_ai.user.message", {"content": "late"})]) == filled
    assert apply_logs(row, []) is row


@pytest.mark.parametrize("in_body", [False, True])
def test_one_event_may_hold_the_whole_call(in_body):
    details = {
        "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}],
        "gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "yes"}]}],
        "gen_ai.system_instructions": [{"type": "text", "content": "s"}],
        "gen_ai.response.id": "r1",
    }
    name = "gen_ai.client.inference.operation.details"
    record = RawLog(TRACE_ID, SPAN_ID, START_NS, name, details if in_body else None, {} if in_body else details)
    row = apply_logs(row_of({"gen_ai.operation.name": "chat"}), [log_row(record)])
    assert talk(row["input"]) == [("system", "s"), ("user", "hi")]
    assert (talk(row["output"]), row["response_id"]) == ([("assistant", "yes")], "r1")


def test_span_events_of_older_conventions_carry_content():
    events = [
        event("gen_ai.content.prompt", gen_ai__prompt='[{"role":"user","content":"hi"}]'),
        event("gen_ai.content.completion", gen_ai__completion='[{"role":"assistant","content":"yes"}]'),
    ]
    row = row_of({"gen_ai.operation.name": "chat"}, events=events)
    assert (talk(row["input"]), talk(row["output"])) == ([("user", "hi")], [("assistant", "yes")])
    events = [event("gen_ai.user.message", content="hi"), event("gen_ai.choice", message='{"content": "yes"}', index=0)]
    row = row_of({"gen_ai.operation.name": "chat"}, events=events)
    assert (talk(row["input"]), talk(row["output"])) == ([("user", "hi")], [("assistant", "yes")])


def test_an_exception_may_come_as_a_log_event():
    happened = log("gen_ai.client.operation.exception", exception__type="Timeout", exception__message="slow")
    row = apply_logs(row_of({"gen_ai.operation.name": "chat"}, status=2), [happened])
    assert (row["error_type"], row["error_message"]) == ("Timeout", "slow")


# Properties

KEYS = sorted({alias[1] for alias in ALIASES})
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["LLM", "chat", '"TOOL"', "stop", '["stop"]', '[{"role":"user","content":"x"}]', "{", '{"id":"a"}']
    )
    | st.integers(0, 99).map(str),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "parts", "type", "id", "choices", "messages", "text", "input"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
encoded = values | values.map(json.dumps)
indexed = st.sampled_from([key for key in KEYS if key.endswith(".")]).flatmap(
    lambda key: st.sampled_from(
        ["0.message.role", "0.message.content", "1.document.id", "0", "x", "0.prompt.text", "9999999.a"]
    ).map(lambda rest: key + rest)
)
names = st.sampled_from([key for key in KEYS if not key.endswith(".")]) | indexed | st.text(max_size=6)
attribute_sets = st.dictionaries(names, encoded, max_size=8)
times = st.integers(1, 2**63 - 1)


@settings(max_examples=100, deadline=None)
@given(
    attributes=attribute_sets,
    events=st.lists(
        st.tuples(
            st.sampled_from(["exception", "gen_ai.choice", "db.query.result", "First Token Stream Event", "x"]),
            attribute_sets,
        ),
        max_size=2,
    ),
    start=times,
    end=st.integers(0, 2**63 - 1),
    code=st.integers(0, 3),
    message=st.text(max_size=5),
    resource=attribute_sets,
)
def test_stored_rows_renormalise_to_themselves(attributes, events, start, end, code, message, resource):
    span = span_json(
        attributes,
        startTimeUnixNano=str(start),
        endTimeUnixNano=str(end),
        status={"code": code, "message": message},
        events=[
            {"name": name, "timeUnixNano": str(start), "attributes": span_json(given)["attributes"]}
            for name, given in events
        ],
    )
    (raw,) = decode_json(request_json(span, resource=resource))
    row = normalise(raw)
    assert renormalise(row) == row
    row.pop("usage_units", None)  # no column: what a price depends on
    assert all(value is None or isinstance(value, (str, int, float)) for value in row.values())


@pytest.mark.parametrize("places", [("0", "0.prompt.text"), ("0.prompt", "0.prompt.text")])
def test_what_one_span_says_is_not_in_another(places):
    """Values of short attributes are shared between spans: what is nested in them is put into copies."""
    first, second = (f"reranker.output_documents.{place}" for place in places)
    nested, alone = {first: {}, second: ["said by one"]}, {first: {}}
    for attributes in (nested, alone):
        (raw,) = decode_traces_pb(request_pb(span_json(attributes)))
        assert json.loads(normalise(raw)["attributes"]) == attributes
    assert "said by one" not in str(raw.attributes)


@settings(max_examples=60, deadline=None)
@given(attributes=attribute_sets, resource=attribute_sets)
def test_protobuf_and_json_are_the_same_row(attributes, resource):
    span = span_json(attributes)
    (from_json,) = decode_json(request_json(span, resource=resource))
    (from_protobuf,) = decode_traces_pb(request_pb(span, resource=resource))
    assert normalise(from_json) == normalise(from_protobuf)


@settings(max_examples=60, deadline=None)
@given(
    bodies=st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "gen_ai.user.message",
                    "gen_ai.choice",
                    "gen_ai.tool.message",
                    "gen_ai.content.prompt",
                    "gen_ai.client.inference.operation.details",
                ]
            ),
            encoded,
            attribute_sets,
        ),
        max_size=3,
    )
)
def test_any_log_event_is_survived_and_applied_once(bodies):
    row = row_of({"gen_ai.operation.name": "chat"})
    logs = [
        log_row(RawLog(TRACE_ID, SPAN_ID, place, name, body, given)) for place, (name, body, given) in enumerate(bodies)
    ]
    once = apply_logs(row, logs)
    assert apply_logs(once, logs) == once
    assert renormalise(once, logs) == once
    for column in ("input", "output"):
        assert once[column] is None or messages(once[column])


@given(text=st.text(max_size=20) | encoded.map(str))
def test_any_text_reads_as_messages_or_none(text):
    found = messages(text)
    assert found is None or all(isinstance(message, Message) for message in found)


def test_memory_for_keys_is_bounded():
    for number in range(3000):
        row_of({f"{'k' * 1000}{number}.{place}": 1 for place in range(10)})
        row_of({f"llm.input_messages.{number}.message.content{'x' * 300}": "y", "openinference.span.kind": "LLM"})
    assert _normalise._PLANS
    assert sum(len(key) + 200 for keys in _normalise._PLANS for key in keys) <= _normalise._KEPT_BYTES
    row_of({f"k.{number}.{'x' * 100}": 1 for number in range(200)})
    assert all(sum(map(len, keys)) <= _normalise._PLAN_CHARACTERS for keys in _normalise._PLANS)


@pytest.mark.parametrize(
    ("message", "request_id"),
    [
        (
            "Error code: 429 - {'error': {}, 'request_id': 'req_011CSHoEeqs5C35K2UUqR7Fy'}",
            "req_011CSHoEeqs5C35K2UUqR7Fy",
        ),
        ("The server had an error. (Please include the request ID 7f3a9c0112ab in your message.)", "7f3a9c0112ab"),
        ("Throttled (RequestId: 0b3a4c5d-1e2f-4a5b-8c6d-7e8f9a0b1c2d)", "0b3a4c5d-1e2f-4a5b-8c6d-7e8f9a0b1c2d"),
        ("the request id header is missing", None),
        ("Rate limit reached for gpt-4o", None),
    ],
)
def test_a_failed_request_has_the_id_that_its_error_says(message, request_id):
    """No answer has an id of its own where the call failed; the provider names the request instead."""
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "error.type": "E",
        "error.message": message,
    }
    assert row_of(attributes)["response_id"] == request_id
