"""Spans as more clients really send them, found by running those clients, become the rows that a reader expects."""

from __future__ import annotations

import json

import pytest

from .test_normalise import event, row_of, talk

LANGCHAIN_ANSWER = {
    "lc": 1,
    "type": "constructor",
    "id": ["langchain", "schema", "messages", "AIMessage"],
    "kwargs": {"content": "Within 30 days.", "type": "ai"},
}


def test_a_tool_span_with_the_schema_of_its_arguments():
    """OpenAI Agents through OpenInference: ``tool.parameters`` is a schema, the arguments are the input."""
    schema = {"properties": {"city": {"type": "string"}}, "required": ["city"], "type": "object"}
    given = {"openinference.span.kind": "TOOL", "tool.name": "weather", "tool.parameters": json.dumps(schema)}
    assert row_of({**given, "input.value": '{"city":"Bern"}'})["input"] == '{"city":"Bern"}'
    assert row_of(given)["input"] is None
    assert row_of({**given, "tool.parameters": '{"city":"Bern"}'})["input"] == '{"city":"Bern"}'


def test_traceloop_writes_around_the_values_of_langchain():
    """What went in and out of a step are its values, without tags, metadata and constructors."""
    around = {"tags": [], "metadata": {"session_id": "s"}, "kwargs": {"name": "chain"}}
    row = row_of(
        {
            "traceloop.span.kind": "workflow",
            "traceloop.entity.input": json.dumps({"inputs": "refund?", **around}),
            "traceloop.entity.output": json.dumps({"outputs": LANGCHAIN_ANSWER, "kwargs": {}}),
        }
    )
    assert (row["kind"], row["input"], row["output"]) == ("chain", "refund?", "Within 30 days.")
    tool = row_of(
        {
            "gen_ai.operation.name": "execute_tool",
            "traceloop.span.kind": "tool",
            "gen_ai.tool.name": "weather",
            "gen_ai.tool.call.arguments": json.dumps({"input_str": "{'city': 'Z'}", "inputs": {"city": "Z"}, **around}),
            "gen_ai.tool.call.result": json.dumps({"output": "sunny", "kwargs": {"name": "weather"}}),
        }
    )
    assert (tool["input"], tool["output"]) == ('{"city":"Z"}', "sunny")


def test_a_retriever_of_langsmith_is_no_embedding():
    """Its operation says "embeddings": LangSmith's own word for the kind comes first."""
    found = {"output": [{"page_content": "30 days", "metadata": {"id": "kb-1"}}]}
    row = row_of(
        {
            "gen_ai.operation.name": "embeddings",
            "langsmith.span.kind": "retriever",
            "gen_ai.prompt": '{"q":"refund?"}',
            "gen_ai.completion": json.dumps(found),
        }
    )
    (document,) = json.loads(row["documents"])
    assert (row["kind"], document["id"], document["content"]) == ("retriever", "kb-1", "30 days")


def test_langsmith_keeps_details_of_usage_and_wraps_values():
    """Cached and reasoning tokens come as an object; {"output": text} is the text."""
    call = row_of(
        {
            "gen_ai.operation.name": "chat",
            "langsmith.span.kind": "llm",
            "gen_ai.usage.input_tokens": 30,
            "gen_ai.usage.input_token_details": {"cache_read": 8, "cache_creation": 2},
            "langsmith.metadata.usage_metadata": '{"output_token_details":{"reasoning":5}}',
        }
    )
    assert [call[name] for name in ("cached_input_tokens", "cache_write_input_tokens", "reasoning_tokens")] == [8, 2, 5]
    step = row_of(
        {"langsmith.span.kind": "chain", "gen_ai.prompt": '{"q":"a","k":1}', "gen_ai.completion": '{"output":"b"}'}
    )
    assert (step["input"], step["output"]) == ('{"q":"a","k":1}', "b")


def test_mlflow_embeddings_and_streams():
    """The usage of an embedding is inside its output; the first piece of a stream is an event."""
    spent = {"data": [], "usage": {"prompt_tokens": 7, "total_tokens": 7}}
    embedding = row_of({"mlflow.spanType": '"EMBEDDING"', "mlflow.spanOutputs": json.dumps(spent)})
    assert (embedding["input_tokens"], embedding["output_tokens"]) == (7, None)
    streamed = row_of({"mlflow.spanType": '"CHAT_MODEL"'}, events=[event("mlflow.chunk.item.0", at_ms=40)])
    assert streamed["ttft_ms"] == 40.0


@pytest.mark.parametrize("role", ["unknown", "assistantassistantassistant", "ai"])
def test_roles_of_streamed_answers(role):
    """Put together from pieces, a role may come out as no role at all."""
    said = [{"role": role, "parts": [{"type": "text", "content": "yes"}]}]
    row = row_of({"gen_ai.operation.name": "chat", "gen_ai.output.messages": json.dumps(said)})
    assert talk(row["output"]) == [("assistant", "yes")]


def test_a_streamed_answer_of_logfire_says_how_long_it_took():
    """It is a moment, with the duration beside it; a log line without one has no latency."""
    given = {"gen_ai.operation.name": "chat", "logfire.span_type": "log"}
    assert row_of({**given, "duration": 0.25})["latency_ms"] == 250.0
    assert row_of(given)["latency_ms"] is None


def test_settings_of_a_request_are_not_what_was_embedded():
    """Logfire keeps the model of a request for embeddings and not the texts."""
    given = {"gen_ai.operation.name": "embeddings", "request_data": '{"model":"text-embedding-3-small"}'}
    assert row_of(given)["input"] is None


@pytest.mark.parametrize(
    ("given", "total"), [((40, 30, 20), 90), ((50, 30, 20), 50), ((40, 50, None), 90), ((None, 50, 2), None)]
)
def test_input_tokens_include_cached_ones(given, total):
    """More cached tokens than tokens at all: the client left them out, and they are added."""
    names = (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_write.input_tokens",
    )
    usage = {name: number for name, number in zip(names, given, strict=True) if number is not None}
    assert row_of({"gen_ai.operation.name": "chat", **usage})["input_tokens"] == total


def test_the_ai_sdk_of_vercel():
    """The inner span is the request, the outer one, which repeats its usage, is a step; a tool has name and values."""
    usage = {"ai.usage.promptTokens": 12, "ai.usage.completionTokens": 5, "ai.model.id": "gpt-4o-mini"}
    asked = json.dumps([{"role": "user", "content": [{"type": "text", "text": "weather?"}]}])
    outer = row_of({
        "ai.operationId": "ai.generateText", **usage, "ai.prompt": '{"prompt":"weather?"}',
        "ai.response.text": "sunny", "ai.telemetry.metadata.sessionId": "s1",
    })  # fmt: skip  # arguments that belong together share a line
    assert (outer["kind"], outer["input_tokens"], outer["session_id"], outer["output"]) == (
        "chain",
        None,
        "s1",
        "sunny",
    )
    inner = row_of({
        "ai.operationId": "ai.generateText.doGenerate", **usage, "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4o-mini", "gen_ai.response.id": "chatcmpl-1", "ai.prompt.messages": asked,
        "ai.response.toolCalls": '[{"type":"tool-call","toolCallId":"c1","toolName":"weather","input":"{}"}]',
        "ai.response.finishReason": "tool-calls",
    })  # fmt: skip  # arguments that belong together share a line
    assert (inner["kind"], inner["input_tokens"], inner["output_tokens"]) == ("llm", 12, 5)
    assert (inner["provider"], inner["model"], inner["finish_reason"]) == ("openai", "gpt-4o-mini", "tool_calls")
    assert talk(inner["input"]) == [("user", "weather?")]
    (answer,) = json.loads(inner["output"])
    assert (answer["role"], [call["name"] for call in answer["tool_calls"]]) == ("assistant", ["weather"])
    tool = row_of(
        {
            "ai.operationId": "ai.toolCall",
            "ai.toolCall.name": "weather",
            "ai.toolCall.args": "{}",
            "ai.toolCall.result": '"sunny"',
        }
    )
    assert (tool["kind"], tool["tool_name"], tool["input"]) == ("tool", "weather", "{}")
