"""One usage record is the same in the words of every client, and no part is larger than its whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmops.calc.fees import fees
from lmops.calc.usage import part_of, read_cost, read_usage, settle, terms

PARTS = ("input", "output", "cached", "cache_write", "reasoning")


def parts(details):
    found = read_usage(details)
    return tuple(found.get(name) for name in PARTS)


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        # OpenAI, and all who speak its words: parts stand inside
        (
            {
                "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
                "prompt_tokens_details": {"cached_tokens": 60}, "completion_tokens_details": {"reasoning_tokens": 30},
            },
            (100, 50, 60, None, 30),
        ),
        ({"prompt_tokens": 100, "completion_tokens": 5, "prompt_cache_hit_tokens": 64}, (100, 5, 64, None, None)),
        ({"prompt_tokens": 100, "completion_tokens": 5, "cached_tokens": 64}, (100, 5, 64, None, None)),
        ({"input_tokens": 9, "cached_input_tokens": 4, "output_tokens": 2}, (9, 2, 4, None, None)),
        # xAI counts reasoning beside the completion, and its total shows it
        (
            {
                "prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 135,
                "completion_tokens_details": {"reasoning_tokens": 94},
            },
            (32, 103, None, None, 94),
        ),
        # Anthropic: the cache stands beside the input
        (
            {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 2},
            (15, 5, 3, 2, None),
        ),
        # the same names beside OpenAI's, as a proxy writes them: inside
        (
            {"prompt_tokens": 100, "completion_tokens": 5, "cache_read_input_tokens": 30},
            (100, 5, 30, None, None),
        ),
        # Bedrock Converse
        (
            {
                "inputTokens": 100, "outputTokens": 50, "totalTokens": 1150, "cacheReadInputTokens": 900,
                "cacheWriteInputTokens": 100,
            },
            (1100, 50, 900, 100, None),
        ),
        ({"inputTokens": 100, "outputTokens": 5, "cacheReadInputTokens": 20}, (120, 5, 20, None, None)),
        # Cohere bills less than it reads; Perplexity leaves out of its total what it thought and cited
        (
            {"billed_units": {"input_tokens": 5, "output_tokens": 418}, "tokens": {"input_tokens": 71}},
            (5, 418, None, None, None),
        ),
        (
            {
                "prompt_tokens": 33, "completion_tokens": 100, "total_tokens": 133, "citation_tokens": 7,
                "num_search_queries": 2, "reasoning_tokens": 60,
            },
            (33, 167, None, None, 60),
        ),
        # LangChain on other than the usual terms
        (
            {
                "input_tokens": 350, "output_tokens": 240, "total_tokens": 590,
                "input_token_details": {"flex_cache_read": 100, "flex": 250},
                "output_token_details": {"flex_reasoning": 200, "flex": 40},
            },
            (350, 240, 100, None, 200),
        ),
        # Qwen, watsonx, Llama on Bedrock
        (
            {
                "prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 105, "prompt_tokens_details": {
                    "cached_tokens": 40, "cache_creation_input_tokens": 30,
                    "cache_creation": {"ephemeral_5m_input_tokens": 30},
                },
            },
            (100, 5, 40, 30, None),
        ),
        ({"input_token_count": 10, "generated_token_count": 5}, (10, 5, None, None, None)),
        ({"prompt_token_count": 10, "generation_token_count": 5}, (10, 5, None, None, None)),
        # Gemini's interactions
        (
            {
                "total_input_tokens": 100, "total_output_tokens": 20, "total_thought_tokens": 30,
                "total_cached_tokens": 40, "total_tool_use_tokens": 7, "total_tokens": 157,
            },
            (107, 50, 40, None, 30),
        ),
        # Langfuse's buckets of Vertex, with and without a total, and of other than the usual terms
        (
            {
                "input": 0, "output": 0, "total": 1020, "prompt_modality_TEXT": 500, "prompt_modality_AUDIO": 500,
                "candidates_modality_TEXT": 20, "cached_content_token_count": 400, "cached_modality_AUDIO": 400,
            },
            (1000, 20, 400, None, None),
        ),
        ({"input": 0, "output": 0, "input_modality_1": 9, "candidates_modality_1": 2}, (9, 2, None, None, None)),
        (
            {
                "input": 0, "output": 0, "input_priority": 250, "input_priority_cache_read": 100,
                "output_priority": 40, "total": 390,
            },
            (350, 40, 100, None, None),
        ),
        ({"input": 350, "output": 40, "input_priority": 350, "output_priority": 40}, (350, 40, None, None, None)),
        # Gemini: thoughts beside the candidates, results of tools beside the prompt, the cache inside it
        (
            {
                "promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 7, "totalTokenCount": 37,
                "toolUsePromptTokenCount": 15, "cachedContentTokenCount": 4,
            },
            (25, 12, 4, None, 7),
        ),
        ({"prompt_token_count": 10, "candidates_token_count": 5, "thoughts_token_count": 7}, (10, 12, None, None, 7)),
        ({"promptTokenCount": 10, "thoughtsTokenCount": 7, "totalTokenCount": 17}, (10, 7, None, None, 7)),
        ({"promptTokenCount": 10, "totalTokenCount": 10}, (10, None, None, None, None)),
        # Langfuse: buckets beside each other, unless a total says otherwise
        ({"input": 800, "output": 10, "input_cached_tokens": 200}, (1000, 10, 200, None, None)),
        ({"input": 1000, "output": 10, "input_cached_tokens": 200, "total": 1010}, (1000, 10, 200, None, None)),
        ({"input": 800, "output": 10, "input_cache_read": 200, "output_reasoning": 5}, (1000, 15, 200, None, 5)),
        ({"input": 10, "output": 5, "thoughts_token_count": 7, "total": 22}, (10, 12, None, None, 7)),
        ({"input": 10, "output": 5, "tool_use_prompt_token_count": 7, "total": 22}, (17, 5, None, None, None)),
        ({"input": 50, "output": 5, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 30},
         (100, 5, 20, 30, None)),
        ({"input": 70, "output": 5, "input_modality_AUDIO": 20, "cached_modality_TEXT": 4}, (94, 5, 4, None, None)),
        # the AI SDK's own objects
        (
            {
                "inputTokens": {"total": 100, "noCache": 20, "cacheRead": 80, "cacheWrite": 0},
                "outputTokens": {"total": 7, "text": 5, "reasoning": 2},
            },
            (100, 7, 80, 0, 2),
        ),
        ({"inputTokens": 100, "outputTokens": 7, "cachedInputTokens": 80, "totalTokens": 107},
         (100, 7, 80, None, None)),
        # .NET
        (
            {
                "InputTokenCount": 100, "OutputTokenCount": 7, "TotalTokenCount": 107,
                "InputTokenDetails": {"CachedTokenCount": 50}, "OutputTokenDetails": {"ReasoningTokenCount": 4},
            },
            (100, 7, 50, None, 4),
        ),
        (
            {"InputTokenCount": 100, "OutputTokenCount": 7, "AdditionalCounts": {
                "InputTokenDetails.CachedTokenCount": 50, "OutputTokenDetails.ReasoningTokenCount": 4}},
            (100, 7, 50, None, 4),
        ),
        # Ollama
        ({"prompt_eval_count": 26, "eval_count": 298}, (26, 298, None, None, None)),
        ({"input": None, "output": "many"}, (None, None, None, None, None)),
    ],
)  # fmt: skip  # cases that belong together share a line
def test_every_client_means_the_same(details, expected):
    """Input holds what the cache gave and took, output what was thought."""
    assert parts(details) == expected


@pytest.mark.parametrize(
    ("details", "units"),
    [
        ({"prompt_tokens_details": {"audio_tokens": 7}, "prompt_tokens": 9}, {"input_audio_tokens": 7}),
        ({"completion_tokens_details": {"audio_tokens": 482}, "completion_tokens": 592}, {"output_audio_tokens": 482}),
        ({"input_tokens": 9, "input_token_details": {"cached_tokens_details": {"audio_tokens": 3}}},
         {"cache_audio_read_tokens": 3}),
        ({"promptTokenCount": 9, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 2},
                                                         {"modality": "AUDIO", "tokenCount": 7}]},
         {"input_audio_tokens": 7}),
        ({"candidates_token_count": 9, "candidates_tokens_details": [{"modality": "IMAGE", "token_count": 9}]},
         {"output_image_tokens": 9}),
        ({"input": 10, "input_audio_tokens": 20}, {"input_audio_tokens": 20}),
        ({"input_tokens": 1, "cache_creation_input_tokens": 9,
          "cache_creation": {"ephemeral_1h_input_tokens": 9, "ephemeral_5m_input_tokens": 0}},
         {"cache_write_1h_tokens": 9}),
        ({"inputTokens": 1, "cacheWriteInputTokens": 9, "cacheDetails": [{"ttl": "1h", "inputTokens": 9}]},
         {"cache_write_1h_tokens": 9}),
        ({"input_tokens": 1, "server_tool_use": {"web_search_requests": 2}}, {"web_searches": 2}),
        ({"input_tokens": 1, "service_tier": "batch"}, {"processing": "batch"}),
        ({"input_tokens": 1, "service_tier": "standard"}, None),
        ({"type": "duration", "seconds": 12}, {"audio_seconds": 12}),
        ({"InputTokenCount": 9, "AdditionalCounts": {"InputTokenDetails.AudioTokenCount": 7}},
         {"input_audio_tokens": 7}),
        # that no sound came from the cache decides what the rest of it costs
        ({"input_tokens": 9, "input_token_details": {
            "audio_tokens": 7, "cached_tokens": 2, "cached_tokens_details": {"text_tokens": 2, "audio_tokens": 0}}},
         {"input_audio_tokens": 7, "cache_audio_read_tokens": 0}),
        ({"promptTokenCount": 9, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 7}],
          "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 2}]},
         {"input_audio_tokens": 7, "cache_audio_read_tokens": 0}),
        ({"prompt_tokens": 1, "search_context_size": "low"}, {"unpriced": 1}),
        ({"prompt_tokens": 1, "search_context_size": "high"}, None),
    ],
)  # fmt: skip  # cases that belong together share a line
def test_what_a_price_depends_on_is_kept(details, units):
    """Sound, images, lifetimes, searches, seconds and terms are units of their own."""
    assert read_usage(details).get("units") == units


COUNTS = st.dictionaries(
    st.sampled_from(["input", "output", "cached", "cache_write", "reasoning", "tool_input", "total"]),
    st.integers(0, 2**63 - 1),
)


@given(COUNTS, st.booleans(), st.booleans())
def test_no_part_is_larger_than_its_whole(numbers, cache, reasoning):
    """Whatever was said, the sums fit and hold their parts; nothing known becomes less."""
    found = settle(numbers, is_cache_beside=cache, is_reasoning_beside=reasoning)
    if "input" in numbers:
        assert found["input"] >= min(found.get("cached", 0) + found.get("cache_write", 0), 2**63 - 1)
        assert numbers["input"] <= found["input"] < 2**63
    if "output" in numbers:
        assert found["output"] >= found.get("reasoning", 0)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_total_decides(fresh, read, written, out):
    """Input with and without its cache come to the same, where a total tells them apart."""
    whole = {"cached": read, "cache_write": written, "output": out, "total": fresh + read + written + out}
    beside = settle({**whole, "input": fresh})
    inside = settle({**whole, "input": fresh + read + written})
    assert beside["input"] == inside["input"] == fresh + read + written


def test_a_part_without_a_whole_is_kept_and_makes_none():
    """Missing is missing: a cache that is known does not make an input."""
    assert read_usage({"cached_tokens": 5}) == {"cached": 5}


@pytest.mark.parametrize(
    ("details", "usd"),
    [
        ({"cost": 0.0123}, 0.0123),
        ({"cost": {"total_cost": 0.5}}, 0.5),
        ({"cost_in_usd_ticks": 12_300_000_000}, 1.23),
        ({"cost": "much"}, None),
        ({"cost": True}, None),
        ({"cost": float("nan")}, None),
        ({}, None),
    ],
)
def test_a_reported_cost_is_read(details, usd):
    """OpenRouter says dollars, Perplexity parts and a total, xAI ticks."""
    assert read_cost(details) == (None if usd is None else pytest.approx(usd))


def test_usual_terms_say_nothing():
    """Words for the usual terms are no terms; traffic that was paid beforehand has no price."""
    assert terms({"service_tier": "default", "speed": "standard", "trafficType": "ON_DEMAND"}) == {}
    assert terms({"serviceTier": "SERVICE_TIER_FLEX"}) == {"service_tier": "flex"}
    assert terms({"trafficType": "PROVISIONED_THROUGHPUT"}) == {"unpriced": 1}


@pytest.mark.parametrize(
    ("details", "units"),
    [
        ({"input_tokens": 9, "input_token_details": {"priority": 9}}, {"service_tier": "priority"}),
        ({"input": 9, "output": 2, "input_flex": 9, "total": 11}, {"service_tier": "flex"}),
        ({"num_server_side_tools_used": 3, "num_sources_used": 0}, {"server_tools": 3}),
        ({"promptTokensDetails": [{"modality": "DOCUMENT", "tokenCount": 8}]}, {"input_image_tokens": 8}),
        ({"input": 1, "prompt_modality_4": 5}, {"input_audio_tokens": 5}),
        ({"tool_calls_details": {"search_web": {"invocation": 2}}}, {"web_searches": 2}),
    ],
)
def test_what_else_a_usage_object_pays_has_a_unit(details, units):
    """Terms in the names of tokens, tools of the endpoint and pages of documents are units too."""
    assert read_usage(details)["units"] == units


def test_a_total_alone_is_kept_for_who_knows_what_it_counts():
    """An embedding only reads, so its total is its input; a model's answer would hide in it."""
    assert read_usage({"total_tokens": 10}) == {"total": 10}
    assert "total" not in read_usage({"prompt_tokens": 8, "total_tokens": 10})


def test_a_key_alone_says_which_part_it_is():
    """Attributes are usage objects whose keys were joined by dots."""
    assert part_of("prompt_details.audio") == "input_audio_tokens"
    assert part_of("prompt_tokens_details.cache_read") == "cached"
    assert part_of("something.else") is None


def test_tools_of_the_endpoint_are_paid_beside_the_tokens():
    """A search counts once, a page that is opened does not, and a container has no listed price."""
    parts = [
        {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q"}},
        {"type": "web_search_call", "action": {"type": "open_page"}},
        {"type": "web_search_call", "status": "failed"},
        {"type": "file_search_call"},
        {"type": "code_interpreter_call"},
        {"type": "function_call"},
        "text",
    ]
    assert fees(parts) == {"web_searches": 1, "storage_searches": 1, "unpriced": 1}


@pytest.mark.parametrize(
    ("answer", "units"),
    [
        ({"content": [{"type": "server_tool_use", "name": "web_search"}]}, {"web_searches": 1}),
        ({"content": [{"type": "server_tool_use", "name": "web_search"}],
          "usage": {"input_tokens": 9, "server_tool_use": {"web_search_requests": 2}}}, {"web_searches": 2}),
        ({"content": [{"type": "server_tool_use", "name": "web_fetch"}, {"type": "mcp_tool_use", "name": "x"}]}, {}),
        ({"content": [{"type": "server_tool_use", "name": "bash_code_execution"}]}, {"unpriced": 1}),
        ({"candidates": [{"groundingMetadata": {"webSearchQueries": ["q"]}}]}, {"unpriced": 1}),
        ({"candidates": [{"groundingMetadata": {"groundingChunks": [{"maps": {"uri": "u"}}]}}]}, {"unpriced": 1}),
        ({"candidates": [{"groundingMetadata": {}}]}, {}),
        ({"google": {"groundingMetadata": {"webSearchQueries": ["q"]}}}, {"unpriced": 1}),
        ([{"role": "assistant", "parts": [{"type": "server_tool_call", "name": "web_search"}]}], {"web_searches": 1}),
        ([{"role": "assistant", "parts": [{"type": "tool_call", "name": "web_search", "builtin": True}]}],
         {"web_searches": 1}),
        ([{"role": "assistant", "parts": [{"type": "tool_call", "name": "web_search"}]}], {}),
        ([{"type": "tool-call", "toolName": "code_execution", "providerExecuted": True}], {"unpriced": 1}),
        ([{"type": "tool-result", "toolName": "code_execution", "providerExecuted": True}], {}),
        ({"choices": [{"message": {"executed_tools": [{"type": "search"}]}}]}, {"unpriced": 1}),
        ({"messages": [{"content": [{"type": "server_tool_use", "name": "web_search"}]}]}, {}),
    ],
)  # fmt: skip  # cases that belong together share a line
def test_each_api_says_in_its_words_which_tools_it_ran(answer, units):
    """Searches are counted, what has no listed price is said, and the caller's own tools cost nothing."""
    assert fees(answer) == units
