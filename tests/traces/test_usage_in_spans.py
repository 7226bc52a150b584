"""The usage of a call in the attributes of every client, in chat logs and in batches, and what it costs."""

from __future__ import annotations

import json

import pytest

from lmops.models._prices import Pricer
from lmops.traces._chat import chat_spans, is_chat
from lmops.traces._normalise import normalise
from tests.traces.test_aliases import row_of

COLUMNS = ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_input_tokens", "reasoning_tokens")
OI = {"openinference.span.kind": "LLM"}
OTEL = {"gen_ai.operation.name": "chat"}
AI = {"ai.operationId": "ai.generateText.doGenerate"}


@pytest.mark.parametrize(
    ("attributes", "scope", "expected"),
    [
        # OpenInference: the prompt below its cache, above it with a total that says so, and as the rule has it
        ({**OI, "llm.token_count.prompt": 3, "llm.token_count.completion": 442, "llm.token_count.total": 8712,
          "llm.token_count.prompt_details.cache_read": 7917, "llm.token_count.prompt_details.cache_write": 350},
         "", (8270, 442, 7917, 350, None)),
        ({**OI, "llm.token_count.prompt": 5000, "llm.token_count.completion": 100, "llm.token_count.total": 7600,
          "llm.token_count.prompt_details.cache_read": 2000, "llm.token_count.prompt_details.cache_write": 500},
         "", (7500, 100, 2000, 500, None)),
        ({**OI, "llm.token_count.prompt": 5000, "llm.token_count.completion": 100, "llm.token_count.total": 5100,
          "llm.token_count.prompt_details.cache_read": 2000}, "", (5000, 100, 2000, None, None)),
        # Strands, whose total is Bedrock's
        ({**OTEL, "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 50, "gen_ai.usage.total_tokens": 1150,
          "gen_ai.usage.cache_read_input_tokens": 900, "gen_ai.usage.cache_write_input_tokens": 100},
         "strands.telemetry.tracer", (1100, 50, 900, 100, None)),
        # xAI through OpenTelemetry
        ({**OTEL, "gen_ai.usage.input_tokens": 32, "gen_ai.usage.output_tokens": 9, "gen_ai.usage.total_tokens": 135,
          "gen_ai.usage.reasoning.output_tokens": 94}, "", (32, 103, None, None, 94)),
        # Gemini: what a tool gave stands beside the prompt where the total says so
        ({**OTEL, "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5, "gen_ai.usage.total_tokens": 55,
          "gen_ai.usage.tool_use_prompt_token_count": 40}, "", (50, 5, None, None, None)),
        ({**OTEL, "gen_ai.usage.input_tokens": 50, "gen_ai.usage.output_tokens": 9,
          "gen_ai.usage.details.thoughts_tokens": 4, "gen_ai.usage.details.tool_use_prompt_tokens": 40},
         "pydantic-ai", (50, 9, None, None, 4)),
        # ADK, before and after it followed the convention
        ({**OTEL, "gen_ai.usage.input_tokens": 50, "gen_ai.usage.output_tokens": 50,
          "gen_ai.usage.experimental.reasoning_tokens": 10}, "", (50, 60, None, None, 10)),
        ({**OTEL, "gen_ai.usage.input_tokens": 50, "gen_ai.usage.output_tokens": 60,
          "gen_ai.usage.reasoning.output_tokens": 10}, "", (50, 60, None, None, 10)),
        # the AI SDK: 4 and 5 pass on what Anthropic says, 6 counts it in
        ({**AI, "ai.model.provider": "anthropic.messages", "ai.usage.inputTokens": 500, "ai.usage.outputTokens": 9,
          "ai.usage.totalTokens": 509, "ai.usage.cachedInputTokens": 200}, "ai", (700, 9, 200, None, None)),
        ({**AI, "ai.model.provider": "anthropic.messages", "ai.usage.promptTokens": 500, "ai.usage.completionTokens": 9,
          "ai.response.providerMetadata": '{"anthropic":{"cacheCreationInputTokens":30,"cacheReadInputTokens":200}}'},
         "ai", (730, 9, 200, 30, None)),
        ({**AI, "ai.model.provider": "anthropic.messages", "ai.usage.inputTokens": 730, "ai.usage.outputTokens": 9,
          "ai.usage.inputTokenDetails.noCacheTokens": 500, "ai.usage.inputTokenDetails.cacheReadTokens": 200,
          "ai.usage.inputTokenDetails.cacheWriteTokens": 30, "ai.usage.cachedInputTokens": 200},
         "ai", (730, 9, 200, 30, None)),
        ({**AI, "ai.model.provider": "openai.responses", "ai.usage.inputTokens": 500, "ai.usage.outputTokens": 9,
          "ai.usage.totalTokens": 509, "ai.usage.cachedInputTokens": 200, "ai.usage.reasoningTokens": 4},
         "ai", (500, 9, 200, None, 4)),
        ({**AI, "ai.model.provider": "google.generative-ai", "ai.usage.inputTokens": 50, "ai.usage.outputTokens": 9,
          "ai.usage.totalTokens": 79, "ai.usage.reasoningTokens": 20}, "ai", (50, 29, None, None, 20)),
        # MLflow says the same total of Anthropic's usage, which leaves the cache out, and of LangChain's
        ({"mlflow.spanType": '"CHAT_MODEL"', "mlflow.message.format": '"anthropic"', "mlflow.chat.tokenUsage":
          '{"input_tokens":500,"output_tokens":5,"total_tokens":505,"cache_read_input_tokens":200}'},
         "", (700, 5, 200, None, None)),
        ({"mlflow.spanType": '"CHAT_MODEL"', "mlflow.message.format": '"langchain"', "mlflow.chat.tokenUsage":
          '{"input_tokens":500,"output_tokens":5,"total_tokens":505,"cache_read_input_tokens":200}'},
         "", (500, 5, 200, None, None)),
        # ADK keeps what it does not name in the answer
        ({**OTEL, "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 50, "gcp.vertex.agent.llm_response":
          '{"usage_metadata":{"prompt_token_count":100,"candidates_token_count":20,"thoughts_token_count":30,'
          '"cached_content_token_count":40}}'}, "", (100, 50, 40, None, 30)),
        # Claude Code, in the words of Anthropic
        ({"span.type": "llm_request", "gen_ai.system": "anthropic", "input_tokens": 2, "output_tokens": 1200,
          "cache_read_tokens": 84562, "cache_creation_tokens": 7096}, "", (91660, 1200, 84562, 7096, None)),
        ({"span.type": "llm_request", "input_tokens": 100, "output_tokens": 5, "cache_read_tokens": 20},
         "", (120, 5, 20, None, None)),
        # .NET and Semantic Kernel, before the convention had its names
        ({**OTEL, "gen_ai.response.input_tokens": 9, "gen_ai.response.output_tokens": 2}, "", (9, 2, None, None, None)),
        ({**OTEL, "gen_ai.response.prompt_tokens": 9, "gen_ai.response.completion_tokens": 2},
         "", (9, 2, None, None, None)),
        # names that stand in no table of ours are read by what they say
        ({**OTEL, "gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 7,
          "gen_ai.usage.prompt_tokens_details.cache_read": 4, "gen_ai.usage.completion_tokens_details.reasoning": 3},
         "openlit", (9, 7, 4, None, 3)),
        ({**OTEL, "gen_ai.usage.input_tokens": 9637, "gen_ai.usage.output_tokens": 50,
          "gen_ai.usage.details.cache_read_input_tokens": 4352}, "pydantic-ai", (9637, 50, 4352, None, None)),
    ],
)  # fmt: skip  # cases that belong together share a line
def test_each_client_is_read_as_it_counts(attributes, scope, expected):
    """Attributes of each dialect give the same meaning of the columns."""
    row = row_of(attributes, scope=scope or "tests 1")
    assert (row["kind"], tuple(row[name] for name in COLUMNS)) == ("llm", expected)


@pytest.mark.parametrize(
    ("attributes", "units"),
    [
        ({**OI, "llm.token_count.prompt_details.audio": 7}, {"input_audio_tokens": 7}),
        ({**OI, "llm.token_count.completion_details.audio": 7}, {"output_audio_tokens": 7}),
        ({**OTEL, "gen_ai.usage.details.input_audio_tokens": 7}, {"input_audio_tokens": 7}),
        ({**OTEL, "gen_ai.usage.details.audio_prompt_tokens": 7}, {"input_audio_tokens": 7}),
        ({**OTEL, "gen_ai.usage.tool_use_prompt_token_count": 7}, None),
        (
            {
                **OTEL,
                "gen_ai.usage.input_token_details": '{"audio":7}',
                "gen_ai.usage.output_token_details": '{"audio":3,"flex":9}',
            },
            {"input_audio_tokens": 7, "output_audio_tokens": 3, "service_tier": "flex"},
        ),
        ({**OI, "output.value": '{"output":[{"type":"web_search_call","id":"w"}]}'}, {"web_searches": 1}),
        ({**OI, "output.value": '{"output":[{"type":"code_interpreter_call","id":"w"}]}'}, {"unpriced": 1}),
        ({**OI, "output.value": '{"output":[{"type":"function_call","name":"web_search_call"}]}'}, None),
        ({**OI, "output.value": '{"content":[{"type":"server_tool_use","name":"web_search"}]}'}, {"web_searches": 1}),
        ({**OI, "output.value": '{"usage":{"prompt_tokens_details":{"audio_tokens":7}}}'}, {"input_audio_tokens": 7}),
        ({**OI, "output.value": '{"usage":{"prompt_tokens_details":{"audio_tokens":0}}}'}, None),
        (
            {**OTEL, "gcp.vertex.agent.llm_response": '{"grounding_metadata":{"web_search_queries":["q"]}}'},
            {"unpriced": 1},
        ),
        (
            {**AI, "ai.response.providerMetadata": '{"google":{"groundingMetadata":{"webSearchQueries":["q"]}}}'},
            {"unpriced": 1},
        ),
        (
            {**AI, "ai.response.toolCalls": '[{"toolName":"web_search","providerExecuted":true,"type":"tool-call"}]'},
            {"web_searches": 1},
        ),
        (
            {**OTEL, "gen_ai.output.messages": '[{"parts":[{"type":"server_tool_call","name":"web_search"}]}]'},
            {"web_searches": 1},
        ),
        ({**OTEL, "openai.response.service_tier": "flex"}, {"service_tier": "flex"}),
        ({**OTEL, "gen_ai.response.service_tier": "default", "gen_ai.request.service_tier": "flex"}, None),
        ({**OI, "output.value": '{"id":"r","service_tier":"priority"}'}, {"service_tier": "priority"}),
        ({**OI, "output.value": '{"text":"he said \\"service_tier\\":\\"priority\\""}'}, None),
        ({**AI, "ai.response.providerMetadata": '{"openai":{"serviceTier":"flex"}}'}, {"service_tier": "flex"}),
    ],
)
def test_what_a_price_depends_on_reaches_the_price(attributes, units):
    """Units and terms stand beside the columns until the call has a cost."""
    row = row_of(attributes)
    assert row.get("usage_units") == units
    Pricer().put_costs([row])
    assert "usage_units" not in row


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.usage.cost": 0.25},
        {"gen_ai.usage.cost": "0.25"},
        {"gen_ai.usage.input_cost": 0.125, "gen_ai.usage.output_cost": 0.125},
        {"gen_ai.cost.total_cost": 0.25},
        {"ai.response.providerMetadata": '{"gateway":{"cost":"0.25"}}'},
        {"ai.response.providerMetadata": '{"openrouter":{"usage":{"cost":0.25}}}'},
        {**OI, "output.value": '{"choices":[],"usage":{"prompt_tokens":9,"cost":0.25}}'},
        {"langfuse.observation.usage_details": '{"prompt_tokens":9,"cost":{"total_cost":0.25}}'},
    ],
)
def test_a_reported_cost_is_used_where_no_price_is_known(attributes):
    """What a client reports is kept beside the computed cost, and stands in for it."""
    row = row_of({**OTEL, "gen_ai.request.model": "our-finetune-7", **attributes})
    Pricer().put_costs([row])
    assert (row["reported_cost_usd"], row["cost_usd"]) == (0.25, 0.25)


def test_an_answer_that_speaks_of_costs_reports_none():
    """Only a usage object says what a call cost."""
    row = row_of({**OI, "llm.model_name": "ours", "output.value": '{"usage":"daily","cost":3}'})
    assert row["reported_cost_usd"] is None


def chat(record):
    """Return the rows of one chat record, with their costs."""
    assert is_chat(record)
    rows = [normalise(span) for span in chat_spans(record, position=1, fallback_time_ns=1_795_000_000 * 10**9)]
    Pricer().put_costs(rows)
    return rows


BODY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_795_000_000,
    "model": "gpt-4o-mini",
    "choices": [{"message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 100_000, "total_tokens": 1_100_000},
}
ANTHROPIC = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "stop_reason": "end_turn",
    "content": [{"type": "text", "text": "a"}], "usage": {"input_tokens": 1000, "output_tokens": 1000},
}  # fmt: skip  # keys that belong together share a line
GEMINI = {
    "modelVersion": "gemini-2.5-flash", "responseId": "g1",
    "candidates": [{"content": {"role": "model", "parts": [{"text": "a"}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 1000, "candidatesTokenCount": 400, "thoughtsTokenCount": 600,
                      "totalTokenCount": 2000},
}  # fmt: skip  # keys that belong together share a line


@pytest.mark.parametrize(
    ("record", "tokens", "usd"),
    [
        ({"request": {"messages": [{"role": "user", "content": "q"}]}, "response": BODY}, 1_000_000, 0.21),
        ({"custom_id": "r1", "response": {"status_code": 200, "body": BODY}, "error": None}, 1_000_000, 0.105),
        ({"custom_id": "r1", "result": {"type": "succeeded", "message": ANTHROPIC}}, 1000, 0.009),
        ({"request": {"contents": [{"parts": [{"text": "q"}]}]}, "response": GEMINI}, 1000, 0.0028),
        ({"key": "r1", "response": GEMINI}, 1000, 0.0014),
        (
            {"request": {"messages": [{"role": "user", "content": "q"}]}, "response": {**BODY, "service_tier": "flex"}},
            1_000_000,
            None,
        ),
    ],
)
def test_logs_and_batches_of_every_api_are_calls(record, tokens, usd):
    """A line of a batch costs what a batch costs; the answer, its reason and its usage are read in all words."""
    (row,) = chat(record)
    assert (row["input_tokens"], json.loads(row["output"])[-1]["content"], row["finish_reason"]) == (
        tokens,
        "a",
        "stop",
    )
    assert row["cost_usd"] == (None if usd is None else pytest.approx(usd))


def test_a_log_of_bedrock_names_its_model_in_the_request():
    """Converse answers without a name; what the cache gave stands beside the input."""
    answer = {
        "output": {"message": {"role": "assistant", "content": [{"text": "a"}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 10, "outputTokens": 20, "totalTokens": 1030, "cacheReadInputTokens": 1000},
    }
    request = {
        "modelId": "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "messages": [{"role": "user", "content": [{"text": "q"}]}],
    }
    (row,) = chat({"request": request, "response": answer})
    assert (row["model"], row["input_tokens"]) == (request["modelId"], 1010)
    assert row["cost_usd"] == pytest.approx((10 * 3 + 1000 * 0.3 + 20 * 15) / 1e6)


def test_a_log_of_the_responses_api_pays_its_searches():
    """A search of the web is paid beside the tokens, in a log as in a span."""
    answer = {
        "id": "resp_1", "object": "response", "created_at": 1_795_000_000, "model": "gpt-5", "output": [
            {"type": "web_search_call", "id": "w", "action": {"type": "search"}},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]}],
        "usage": {"input_tokens": 1000, "output_tokens": 1000, "total_tokens": 2000},
    }  # fmt: skip  # keys that belong together share a line
    (row,) = chat({"request": {"model": "gpt-5", "input": "q"}, "response": answer})
    assert row["cost_usd"] == pytest.approx(0.01125 + 0.01)


def test_a_failed_line_of_a_batch_is_a_failed_call():
    """A request of a batch that was refused says why."""
    (row,) = chat({"custom_id": "r1", "response": {"status_code": 400, "body": {"error": {"message": "too long"}}}})
    assert (row["status"], row["error_message"]) == ("error", "too long")


def test_an_embedding_whose_usage_is_a_total_read_it():
    """Some say how many tokens there were in all, and an embedding has an input only."""
    answer = {"object": "list", "data": [{"embedding": [0.5]}], "model": "voyage-3", "usage": {"total_tokens": 10}}
    (row,) = chat({"request": {"model": "voyage-3", "input": ["q"]}, "response": answer})
    assert (row["input_tokens"], row["output_tokens"]) == (10, None)
    span = row_of({"openinference.span.kind": "EMBEDDING", "llm.token_count.total": 10})
    assert (span["input_tokens"], row_of({**OI, "llm.token_count.total": 10})["input_tokens"]) == (10, None)


@pytest.mark.parametrize(
    ("record", "kind", "usd"),
    [
        ({"custom_id": "r1", "response": {"status_code": 200, "body": {
            "object": "list", "data": [{"embedding": [0.5]}], "model": "mistral-embed",
            "usage": {"prompt_tokens": 1000, "total_tokens": 1000}}}}, "embedding", 0.00005),
        ({"request": {"model": "rerank-v3.5", "query": "q", "documents": ["a"]},
          "response": {"results": [{"index": 0}], "meta": {"billed_units": {"search_units": 3}}}}, "reranker", None),
        ({"request": {"model": "mistral-ocr-2505", "document": {}},
          "response": {"pages": [], "model": "mistral-ocr-2505", "usage_info": {"pages_processed": 1000}}}, "llm", 1.0),
    ],
)  # fmt: skip  # cases that belong together share a line
def test_what_is_no_chat_is_logged_all_the_same(record, kind, usd):
    """Vectors of a batch, rankings and pages that were read are calls, with a cost where the list has one."""
    (row,) = chat(record)
    assert (row["kind"], row["cost_usd"]) == (kind, None if usd is None else pytest.approx(usd))


@pytest.mark.parametrize(
    "answer",
    [
        {"text": "a", "usage": {"type": "duration", "seconds": 60}},
        {"text": "a", "meta": {"billed_units": {"input_tokens": 9, "output_tokens": 1}}},
        {"steps": [{"type": "model_output", "content": [{"type": "text", "text": "a"}]}], "usage": {}},
        {"outputs": [{"type": "message.output", "role": "assistant", "content": "a"}], "usage": {}},
    ],
)
def test_what_was_answered_is_read_wherever_an_api_says_it(answer):
    """A transcript, Cohere's first answers, the steps of Gemini and the outputs of Mistral."""
    (row,) = chat({"request": {"model": "m", "input": "q"}, "response": answer})
    assert json.loads(row["output"]) == [{"role": "assistant", "content": "a"}]


def test_a_search_whose_price_is_not_known_leaves_the_cost_open():
    """A grounded answer of Gemini has no cost: how many searches of a day are free is not in the trace."""
    answer = {**GEMINI, "candidates": [{**GEMINI["candidates"][0], "groundingMetadata": {"webSearchQueries": ["q"]}}]}
    (row,) = chat({"request": {"contents": [{"parts": [{"text": "q"}]}]}, "response": answer})
    assert (row["input_tokens"], row["cost_usd"]) == (1000, None)


def test_ollama_counts_in_its_answer():
    """Ollama has no usage object: the counts stand beside the message."""
    answer = {"model": "m", "message": {"role": "assistant", "content": "a"}, "prompt_eval_count": 26, "eval_count": 9}
    (row,) = chat({"request": {"messages": [{"role": "user", "content": "q"}]}, "response": answer})
    assert (row["input_tokens"], row["output_tokens"], row["cost_usd"]) == (26, 9, None)


@pytest.mark.parametrize(
    ("said", "provider"),
    [
        ("openai.chat", "openai"),
        ("anthropic.messages", "anthropic"),
        ("google.vertex.chat", "gcp.vertex_ai"),
        ("amazon-bedrock", "aws.bedrock"),
        ("azure-openai.responses", "azure.ai.openai"),
        ("strands-agents", None),
        ("gcp.vertex.agent", None),
        ("aws.bedrock", "aws.bedrock"),
    ],
)
def test_a_provider_is_who_runs_the_model(said, provider):
    """Endings of the AI SDK are cut off; a framework is no provider."""
    assert row_of({**OTEL, "gen_ai.system": said})["provider"] == provider


def test_strands_gives_the_time_to_the_first_token_in_milliseconds():
    """The same attribute holds seconds elsewhere."""
    attributes = {**OTEL, "gen_ai.server.time_to_first_token": 250}
    assert row_of(attributes, scope="strands.telemetry.tracer 1")["ttft_ms"] == 250.0
    assert row_of(attributes)["ttft_ms"] == 250_000.0
