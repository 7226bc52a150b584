"""What a list says that a call costs: the rates of ``genai-prices``, every one that it knows, or nothing.

A cost is right or it is not known. A part of the usage that has no rate of its own on the list (audio at a model that
lists text only), a tier that is not listed, a model that is paid by the hour: none of them has a cost here.
"""

from __future__ import annotations

import functools
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from lmops.times import EPOCH, from_ns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

Row = dict[str, Any]

#: OpenTelemetry's names of providers that genai-prices calls otherwise.
_PROVIDER_IDS: Final = {
    "azure.ai.openai": "azure", "azure.ai.inference": "azure", "az.ai.openai": "azure", "azure_openai": "azure",
    "az.ai.inference": "azure", "azure_ai": "azure", "gcp.vertex_ai": "google", "gcp.gemini": "google",
    "gcp.gen_ai": "google", "vertex_ai": "google", "gemini": "google", "aws.bedrock": "aws", "bedrock": "aws",
    "mistral_ai": "mistral", "x_ai": "x-ai", "xai": "x-ai", "moonshot": "moonshotai", "moonshot_ai": "moonshotai",
    "together_ai": "together", "fireworks_ai": "fireworks", "voyage": "voyageai", "voyage_ai": "voyageai",
}  # fmt: skip  # the names of one provider stand together
#: Frameworks that put their own name where the provider's belongs: the model alone decides.
_NOT_PROVIDERS: Final = frozenset({
    "langchain", "langgraph", "litellm", "llamaindex", "llama_index", "dspy", "haystack", "strands-agents", "strands",
    "gcp.vertex.agent", "crewai", "autogen", "ag2", "agno", "semantic_kernel", "openai_agents", "pydantic_ai",
    "pydantic-ai", "smolagents", "spring_ai", "vercel", "mastra", "_other", "unknown",
})  # fmt: skip  # many words: packed, they are read at a glance
#: What stands in front of a model's name, before "/" or ":" -> whose list it names.
_PREFIXES: Final = {
    **_PROVIDER_IDS,
    "openai": "openai", "text-completion-openai": "openai", "azure": "azure", "anthropic": "anthropic", "aws": "aws",
    "bedrock_converse": "aws", "amazon-bedrock": "aws", "amazon_bedrock": "aws", "vertexai": "google",
    "vertex": "google", "google": "google", "google_genai": "google", "google_vertexai": "google",
    "google-gla": "google", "google-vertex": "google", "vertex_ai_beta": "google", "mistral": "mistral",
    "mistralai": "mistral", "cohere": "cohere", "cohere_chat": "cohere", "deepseek": "deepseek", "x-ai": "x-ai",
    "groq": "groq", "together": "together", "fireworks": "fireworks", "perplexity": "perplexity",
    "openrouter": "openrouter", "moonshotai": "moonshotai", "cerebras": "cerebras", "voyageai": "voyageai",
    "databricks": "databricks", "novita": "novita", "minimax": "minimax", "zai": "zai",
}  # fmt: skip  # many words: packed, they are read at a glance
#: Clients that are used to ask other providers too: what the model's name says in front comes after their own list.
_GATEWAYS: Final = frozenset({None, "openai", "anthropic", "azure"})
_BEDROCK: Final = re.compile(
    r"^(?:[a-z]{2,6}(?:-gov)?\.)?(?:anthropic|amazon|meta|cohere|mistral|ai21|deepseek|openai|qwen|writer|twelvelabs)\.",
)
_BEDROCK_PATHS: Final = re.compile(r"^(?:converse|invoke|converse_like|[a-z]{2}-[a-z]+-\d)/")
_PATHS: Final = re.compile(r"^(?:models|(?:projects/[^/]+/locations/[^/]+/)?publishers/[^/]+/models)/")
_SIZED: Final = re.compile(r":(?:latest|e?\d+(?:x\d+)?(?:\.\d+)?[bm])(?:-[\w.-]+)?$", re.IGNORECASE)
#: Models that never answer without a search, which is paid beside the tokens.
_SEARCHING: Final = re.compile(r"-search-(?:preview|api)|deep-research")
#: Families of rates that need a count of their own: who pays by the hour has no cost by tokens.
_COUNTED: Final = ("hours", "mchars", "messages_kcount", "gpixels", "kpages", "rerank_searches_kcount")
_WORDS: Final = ("service_tier", "processing", "speed", "search_type")
_PLAIN: Final = {
    "input_tokens": "input_mtok",
    "output_tokens": "output_mtok",
    "cache_read_tokens": "cache_read_mtok",
    "cache_write_tokens": "cache_write_mtok",
}


class Listed:
    """A model on a list, as it was on one day."""

    def __init__(self, provider: Any, model: Any, at: datetime) -> None:
        self._provider = provider
        self._model = model
        self._price = model.get_prices(at)
        self._rates = _known(self._price)
        conditions = model.prices if isinstance(model.prices, list) else []
        is_timed = any(hasattr(condition.constraint, "start_time") for condition in conditions)
        is_split = "output_reasoning_mtok" in self._rates
        self._is_searching = bool(_SEARCHING.search(model.id))
        self._tiers = None if is_timed or is_split or self._is_searching else _tiers(self._rates)

    def cost(self, row: Row, units: Row) -> float | None:
        """Return the cost of one call in USD; None where the list does not say all of it.

        Args:
            row: The counts of the call; input includes what was read from a cache or written to one.
            units: What else the call counts and its terms, see :mod:`lmops.calc.usage`.
        """
        if not self._rates:
            return 0.0 if str(self._model.id).endswith(":free") and not units else None
        if units or self._tiers is None:
            return self._exact(row, units)
        tokens_in, tokens_out = row["input_tokens"] or 0, row["output_tokens"] or 0
        cached, written = row["cached_input_tokens"] or 0, row["cache_write_input_tokens"] or 0
        start, rates = self._tiers[0]
        if tokens_in <= start:
            rates = next(rates for start, rates in self._tiers if tokens_in > start)
        if rates is None or tokens_in < cached + written:
            return None
        rate_in, rate_out, rate_cached, rate_written, paid = rates
        try:
            # A part without a rate is None here, and None times a count has no result.
            if fresh := tokens_in - cached - written:
                paid += fresh * rate_in
            if tokens_out:
                paid += tokens_out * rate_out
            if cached:
                paid += cached * rate_cached
            if written:
                paid += written * rate_written
        except TypeError:
            return None
        return float(paid / 1e6)

    def _exact(self, row: Row, units: Row) -> float | None:
        """Return the cost as the list itself counts it, which takes its time."""
        from genai_prices import Usage

        # Gemini pays for grounded prompts or for queries, some of which are free each day.
        is_grounded = units.get("web_searches") and str(self._model.id).startswith("gemini")
        if units.get("unpriced") or is_grounded:
            return None
        at = from_ns(row["start_ns"] or 0)
        context: dict[str, str] = {word: str(units[word]) for word in _WORDS if word in units}
        counts = self._counts(row, units)
        price = self._model.get_prices(at, context or None)
        rates = _known(price)
        if context and not self._is_listed(context, at, counts):
            return None
        counts = {unit: count for unit, count in counts.items() if not self._is_within(unit, rates)}
        if any(count and _key(unit) not in rates for unit, count in counts.items()) or _lacks_count(
            rates, counts, is_searching=self._is_searching
        ):
            return None
        try:
            found = self._model.calc_price(
                Usage(**counts), self._provider, genai_request_timestamp=at, price_context=context or None
            )
        except (LookupError, ValueError):
            return None  # counts that contradict each other have no price
        return float(found.total_price)

    @staticmethod
    def _counts(row: Row, units: Row) -> dict[str, int]:
        counts = {unit: count for unit, count in units.items() if isinstance(count, int)}
        counts |= {
            "input_tokens": row["input_tokens"] or 0,
            "output_tokens": row["output_tokens"] or 0,
            "cache_read_tokens": row["cached_input_tokens"] or 0,
            "cache_write_tokens": row["cache_write_input_tokens"] or 0,
        }
        if row.get("reasoning_tokens"):
            counts["output_reasoning_tokens"] = row["reasoning_tokens"]
        if "audio_seconds" in counts:
            counts["input_audio_seconds"] = counts["audio_seconds"]
        return counts

    def _is_listed(self, context: dict[str, str], at: datetime, counts: dict[str, int]) -> bool:
        """Return whether the list has these terms, for all that the call used."""
        if not any(self._model is model for model in self._provider.models):
            return False
        variants = [
            variant
            for variant in self._model.price_variants or ()
            if all(context.get(word) == value for word, value in variant.when.items())
            and (variant.constraint is None or variant.constraint.active(at))
        ]
        if {word for variant in variants for word in variant.when} != set(context):
            return False
        changed = {key for variant in variants for key in _known(variant.prices)}
        used = {_key(unit) for unit, count in counts.items() if count}
        return not changed or not (used & self._rates.keys()) - changed

    def _is_within(self, unit: str, rates: dict[str, Any]) -> bool:
        """Return whether a unit costs what the whole costs that it is part of."""
        if _key(unit) in rates:
            return False
        if unit in ("output_reasoning_tokens", "output_citation_tokens"):
            return True
        if unit == "cache_write_5m_tokens":
            return "cache_write_mtok" in rates
        if unit == "web_searches":  # Perplexity asks a fee for the request instead
            return self._provider.id == "perplexity" and "requests_kcount" in rates
        # An image or a video is input as any other, where the list tells no difference; sound is so at Google only.
        if unit.startswith(("input_image", "input_video", "cache_image", "cache_video")):
            return True
        return self._provider.id == "google" and unit.startswith(("input_audio", "cache_audio"))


def _known(price: Any) -> dict[str, Any]:
    return {key: value for key, value in price.__dict__.items() if value is not None and not key.startswith("_")}


@functools.cache
def _keys() -> dict[str, str]:
    from genai_prices.data_units import unit_data

    return {unit: str(said.get("price_key", unit)) for unit, said in unit_data.items()}


def _key(unit: str) -> str:
    """Return the name of the rate of a unit."""
    return _PLAIN.get(unit) or _keys().get(unit, unit)


def _lacks_count(rates: dict[str, Any], counts: dict[str, int], *, is_searching: bool) -> bool:
    """Return whether a model is paid by something that the call does not count."""
    needed = {key for key in rates if key.endswith(_COUNTED)}
    if is_searching:
        needed |= {"web_searches_kcount"}
    return bool(needed) and needed.isdisjoint(_key(unit) for unit, count in counts.items() if count)


#: Rates of one size of request: input, output, cached and written input per million (None: not listed), and its fee.
_Tier = tuple[Any, Any, Any, Any, float]


def _tiers(rates: dict[str, Any]) -> list[tuple[int, _Tier | None]]:
    """Return (more input tokens than, rates), the largest first: a larger request pays its rates for all tokens."""
    if _lacks_count(rates, {}, is_searching=False):
        return [(-1, None)]
    parts = [rates.get(key) for key in _PLAIN.values()]
    starts = {tier.start for part in parts for tier in getattr(part, "tiers", ())}
    fee = float(rates.get("requests_kcount", 0)) * 1e3
    return [(start, _tier(parts, start + 1, fee)) for start in sorted({*starts, -1}, reverse=True)]


def _tier(parts: list[Any], input_tokens: int, fee: float) -> _Tier:
    known = [None if part is None else float(_of_size(part, input_tokens)) for part in parts]
    return known[0], known[1], known[2], known[3], fee


def _of_size(price: Any, input_tokens: int) -> Any:
    if not hasattr(price, "tiers"):
        return price
    return next((tier.price for tier in reversed(price.tiers) if input_tokens > tier.start), price.base)


@functools.lru_cache(maxsize=4096)
def listed(provider: str | None, model: str | None, requested: str | None, day: int) -> Listed | None:
    """Return what the list has of a model on a day (days since 1970); None where it does not know it."""
    at = EPOCH + timedelta(days=day)
    for name in dict.fromkeys(name for name in (model, requested) if name):
        for whose, candidate in _candidates(provider, name):
            for found in dict.fromkeys((candidate, _without_date(candidate))):
                offer = _find(found, whose)
                if offer is not None:
                    return Listed(*offer, at)
    return None


def _candidates(provider: str | None, name: str) -> Iterator[tuple[str | None, str]]:
    """Yield whose list to look in and for which name, the most literal reading first."""
    word = None if provider is None else provider.lower()
    asked = None if word is None or word in _NOT_PROVIDERS else _PROVIDER_IDS.get(word, word)
    head, slash, _ = name.partition("/")
    if asked is None and _SIZED.search(name):
        return  # a size behind the name is how local servers say it: "deepseek-r1:7b"
    if asked is None and slash and head.lower() not in _PREFIXES and not _PATHS.match(name) and "." not in head:
        return  # somebody's own server: "ollama/llama3", "hosted_vllm/..."
    yield asked, name
    if name.startswith("arn:aws:"):
        yield "aws", name.rpartition("/")[2]
        return
    bare = _PATHS.sub("", name)
    if bare != name:
        yield asked or "google", bare
    whose, rest = _prefix(bare)
    if whose is not None and (asked == whose or asked in _GATEWAYS):
        yield whose, rest
        inner, last = _prefix(rest)
        if inner == whose:
            yield whose, last
    if _BEDROCK.match(bare) and asked in (None, "anthropic"):
        yield "aws", bare
    if asked is None and "/" not in bare:
        yield from ((house, bare) for house in ("openai", "google", "voyageai", "perplexity", "cohere"))


def _prefix(name: str) -> tuple[str | None, str]:
    """Return whose list the front of a name says, and the name behind it."""
    for mark in ("/", ":"):
        head, found, rest = name.partition(mark)
        whose = _PREFIXES.get(head.lower()) if found and rest else None
        if whose == "aws":
            rest = _BEDROCK_PATHS.sub("", rest)
        if whose is not None:
            return whose, rest
    return None, name


def _find(name: str, provider: str | None) -> tuple[Any, Any] | None:
    from genai_prices import data_snapshot

    try:
        found: tuple[Any, Any] = data_snapshot.get_snapshot().find_provider_model(name, None, provider, None)
    except LookupError:
        return None
    return found


def _without_date(name: str) -> str:
    """Return a model name without a dated suffix such as ``-2026-05-01`` or ``-20260501``."""
    return re.sub(r"[-@](\d{4}-\d{2}-\d{2}|\d{8})$", "", name)
