"""What a call costs by the list: every rate of it, or nothing."""

from __future__ import annotations

import pytest

from lmops.models._prices import Price, Pricer, Rates
from lmops.times import to_ns

AT = to_ns("2026-11-20T12:00:00Z")


def cost(model, provider=None, tokens=(1000, 1000), *, kind="llm", cached=None, written=None, reported=None, **units):
    row = {
        "kind": kind, "provider": provider, "model": model, "requested_model": None, "input_tokens": tokens[0],
        "output_tokens": tokens[1], "cached_input_tokens": cached, "cache_write_input_tokens": written,
        "reasoning_tokens": None, "start_ns": AT, "reported_cost_usd": reported, "usage_units": units or None,
    }  # fmt: skip  # keys that belong together share a line
    return Pricer().cost(row)


@pytest.mark.parametrize(
    ("provider", "model", "usd"),
    [
        ("gcp.gemini", "models/gemini-2.5-flash", 0.0028),
        ("gcp.vertex_ai", "projects/p/locations/us/publishers/google/models/gemini-2.5-flash", 0.0028),
        (None, "publishers/google/models/gemini-2.5-flash", 0.0028),
        ("openai", "openai/gpt-4o-mini", 0.00075),
        (None, "openai/gpt-4o-mini", 0.00075),
        (None, "openai:gpt-4o-mini", 0.00075),
        (None, "azure/gpt-4o", 0.0125),
        ("azure.ai.openai", "azure/gpt-4o", 0.0125),
        ("anthropic", "anthropic/claude-sonnet-4-5", 0.018),
        (None, "gemini/gemini-2.5-flash", 0.0028),
        (None, "vertex_ai/gemini-2.5-flash", 0.0028),
        (None, "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", 0.0198),
        (None, "bedrock/converse/global.anthropic.claude-sonnet-4-5-20250929-v1:0", 0.018),
        ("aws.bedrock", "bedrock/global.anthropic.claude-sonnet-4-5-20250929-v1:0", 0.018),
        ("anthropic", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", 0.018),
        (
            "aws.bedrock",
            "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            0.0198,
        ),
        (None, "openrouter/anthropic/claude-sonnet-4.5", 0.018),
        ("openrouter", "openrouter/anthropic/claude-sonnet-4.5", 0.018),
        (None, "xai/grok-4", 0.018),
        (None, "mistral/mistral-large-latest", 0.008),
        ("strands-agents", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", 0.018),
        ("langchain", "gpt-4o-mini", 0.00075),
        ("litellm", "openai/gpt-4o-mini", 0.00075),
        ("groq", "openai/gpt-oss-120b", 0.00075),
        ("openai", "gpt-4o-mini-2029-01-01", 0.00075),
        # somebody's own server is not the provider whose model it runs
        ("ollama", "llama3.2", None),
        ("vllm", "openai/gpt-oss-120b", None),
        (None, "ollama/gpt-4o", None),
        (None, "hosted_vllm/openai/gpt-4o", None),
        ("openai", "our-gpt-4o", None),
        (None, "deepseek-r1:7b", None),
        (None, "deepseek-r1:latest", None),
        (None, "sonar-pro", 0.032),
    ],
)
def test_a_name_finds_its_model(provider, model, usd):
    """Prefixes, paths and frameworks do not hide a price, and a price is never somebody else's."""
    found = cost(model, provider)
    assert found == (None if usd is None else pytest.approx(usd))


@pytest.mark.parametrize(
    ("found", "usd"),
    [
        (cost("gpt-realtime", "openai", input_audio_tokens=1000, output_audio_tokens=1000), 0.096),
        (cost("gpt-realtime", "openai", input_audio_tokens=400), (600 * 4 + 400 * 32 + 1000 * 16) / 1e6),
        (cost("gemini-2.5-flash", "google", input_audio_tokens=1000), (1000 * 1 + 1000 * 2.5) / 1e6),
        (cost("claude-sonnet-4-5", "anthropic", (10_000, 10), written=9000, cache_write_1h_tokens=9000), 0.05715),
        (cost("claude-sonnet-4-5", "anthropic", (10_000, 10), written=9000, cache_write_5m_tokens=9000), 0.0369),
        (
            cost("claude-sonnet-4-5", "anthropic", (10_000, 10), written=9000, cache_write_1h_tokens=4000),
            (1000 * 3 + 4000 * 6 + 5000 * 3.75 + 10 * 15) / 1e6,
        ),
        (cost("claude-sonnet-4-5", "anthropic", (300_000, 10)), (300_000 * 6 + 10 * 22.5) / 1e6),
        (cost("claude-sonnet-4-5", "anthropic", web_searches=2), 0.018 + 0.02),
        (cost("claude-sonnet-4-5", "anthropic", processing="batch"), 0.009),
        (cost("gpt-4o-mini", "openai", processing="batch"), 0.000375),
        (cost("gpt-5", "openai", service_tier="flex"), 0.005625),
        (cost("gpt-5", "openai", service_tier="priority"), 0.0225),
        (cost("sonar", "perplexity"), 0.002 + 0.012),
        (cost("sonar-deep-research", "perplexity", web_searches=10), 0.01 + 0.05),
        (
            cost("gpt-realtime", "openai", cached=400, input_audio_tokens=100, cache_audio_read_tokens=0),
            (500 * 4 + 400 * 0.4 + 100 * 32 + 1000 * 16) / 1e6,
        ),
        (cost("whisper-1", "openai", (None, None), audio_seconds=60), 0.006),
        (cost("gpt-4o-mini", "openai", cached=400), (600 * 0.15 + 400 * 0.075 + 1000 * 0.6) / 1e6),
        (cost("text-embedding-3-small", None, (100_000, None), kind="embedding"), 0.002),
        (cost("gemini-2.5-flash", "google", input_image_tokens=500), 0.0028),
    ],
)
def test_every_rate_of_the_list_is_used(found, usd):
    """Sound, lifetimes, sizes, searches, batches, tiers and fees have the rates of the list."""
    assert found == pytest.approx(usd)


@pytest.mark.parametrize(
    "found",
    [
        cost("whisper-1", "openai"),  # paid by the hour
        cost("tts-1", "openai"),  # by the character
        cost("mistral-ocr-latest", "mistral_ai"),  # by the page
        cost("whisper-large-v3", "groq"),
        cost("gpt-4o-audio-preview", "openai", output_audio_tokens=400),  # the list has no rate of its sound
        cost("gpt-4o-mini", "openai", written=100),  # nor one of written input
        cost("kimi-k2", "moonshotai", cached=100),
        cost("gpt-4o", "azure", service_tier="priority", cached=10, unpriced=1),
        cost("claude-sonnet-4-5", "anthropic", service_tier="priority"),  # a tier that is not listed
        cost("gemini-2.5-flash", "google", unpriced=1),
        cost("text-embedding-3-small", "openai", (1000, 1000)),  # it answers nothing
        cost("gpt-4o-mini", "openai", (100, 10), cached=400),  # more cached than read
        cost("rerank-v3.5", "cohere", (5000, None), kind="reranker"),
        cost("sonar-deep-research", "perplexity"),  # it always searches, and does not say how often
        cost("o3-deep-research", "openai"),
        cost("gpt-4o-search-preview", "openai"),
        cost("gemini-2.5-flash", "google", web_searches=2),  # paid by the prompt, and some of a day are free
        cost("no-such-model", "openai"),
    ],
)
def test_what_the_list_does_not_say_has_no_cost(found):
    """A cost is right or not known: never 0, never nearly."""
    assert found is None


def test_a_reported_cost_stands_in_where_no_price_is_known():
    """The computed cost comes first; without one the client's own is taken, but never its 0."""
    assert cost("our-finetune-7", "openai", reported=0.0123) == 0.0123
    assert cost("whisper-1", "openai", reported=0.006) == 0.006
    assert cost("gpt-4o-mini", "openai", reported=9.9) == pytest.approx(0.00075)
    assert cost("our-finetune-7", "openai", reported=0.0) is None


def test_free_is_what_the_list_calls_free():
    """A model without rates is free only where its name on the list says so."""
    assert cost("deepseek-r1:free", "openrouter") == 0.0
    assert cost("gpt-4.1", "github_copilot") is None


def test_a_price_set_here_knows_tokens_only():
    """An own price does not guess at sound or tiers, and has one rate for written input."""
    rates = Rates(input=1, output=2, cached_input=0.5, cache_write_input=1.5)
    pricer = Pricer([Price(model="m", provider=None, valid_from_ns=0, rates=rates)])
    row = {
        "kind": "llm", "provider": None, "model": "m", "requested_model": None, "input_tokens": 1000,
        "output_tokens": 1000, "cached_input_tokens": 0, "cache_write_input_tokens": 1000, "start_ns": AT,
        "reported_cost_usd": None,
    }  # fmt: skip  # keys that belong together share a line
    assert pricer.cost({**row, "usage_units": {"cache_write_1h_tokens": 1000}}) == pytest.approx(0.0035)
    assert pricer.cost({**row, "usage_units": {"input_audio_tokens": 10}}) is None
