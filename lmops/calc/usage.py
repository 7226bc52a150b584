"""What a usage record says, whichever client wrote it: one form for spans, chat logs and our own client.

The canonical form, a dict of whole numbers by name, holds what was said and nothing else:

- ``input``: all tokens that went in, those read from a cache or written to one included;
- ``output``: all tokens that came out, reasoning included;
- ``cached``, ``cache_write``, ``reasoning``: the parts of these that have a column;
- ``units``: what else a price may depend on, by the names of ``genai-prices`` (audio, images, cache writes that live an
  hour, searches, seconds, pages), and the words ``service_tier``, ``processing`` and ``speed``; ``unpriced`` names
  something that no list prices.

Clients agree neither on names nor on whether a part stands inside its whole. A total decides where there is one; else
the dialect does; and no part is ever larger than its whole.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BIGINT_MAX: Final = 2**63 - 1

#: Number -> the keys for it, the one that speaks first in front. Keys are compared without case, "_" and "-".
_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "input": (
        "inputtokens", "prompttokens", "inputtokens.total", "prompttokencount", "inputtokencount", "promptevalcount",
        "totalinputtokens", "billedunits.inputtokens", "input", "prompt",
    ),
    "output": (
        "outputtokens", "completiontokens", "outputtokens.total", "candidatestokencount", "responsetokencount",
        "outputtokencount", "evalcount", "totaloutputtokens", "generatedtokencount", "generationtokencount",
        "billedunits.outputtokens", "output", "completion",
    ),
    "cached": (
        "cachedinputtokens", "inputcachedtokens", "cachereadinputtokens", "inputcacheread", "cachedtokens",
        "cachereadtokens", "cacheread", "inputcached", "cachedcontenttokencount", "cachedinputtokencount",
        "cachedcontenttokens",
        "cachereadinputtokencount", "prompttokensdetails.cachedtokens", "inputtokensdetails.cachedtokens",
        "prompttokendetails.cachedtokens", "inputtokendetails.cacheread", "inputtokendetails.cachereadtokens",
        "inputtokendetails.cachedtokens", "inputtokendetails.cachedtokencount", "inputtokens.cacheread",
        "prompttokensdetails.cacheread", "prompttokensdetails.cachereadtokens", "cachedprompttexttokens",
        "promptcachehittokens", "numcachedtokens", "totalcachedtokens", "inputtokensdetails.cachereadinputtokens",
        *(f"{side}{tier}cacheread" for side in ("inputtokendetails.", "input") for tier in ("priority", "flex")),
    ),
    "cache_write": (
        "cachewriteinputtokens", "cachecreationinputtokens", "inputcachecreation", "cachewritetokens",
        "inputcachewrite", "cachewrite", "cachecreation", "cachecreationtokens", "cachewriteinputtokencount",
        "prompttokensdetails.cachewritetokens", "prompttokensdetails.cachecreationtokens",
        "prompttokensdetails.cachewrite", "inputtokensdetails.cachewritetokens", "inputtokendetails.cachecreation",
        "inputtokendetails.cachecreationtokens", "inputtokendetails.cachewrite", "inputtokendetails.cachewritetokens",
        "inputtokens.cachewrite", "prompttokensdetails.cachecreationinputtokens",
        *(f"{side}{tier}cachecreation" for side in ("inputtokendetails.", "input") for tier in ("priority", "flex")),
    ),
    "reasoning": (
        "reasoningtokens", "outputreasoningtokens", "outputreasoning", "reasoning", "reasoningoutputtokens",
        "thoughtstokencount", "thoughtstokens", "totalthoughttokens", "reasoningtokencount", "thinkingtokens",
        "completiontokensdetails.reasoningtokens", "completiontokensdetails.reasoning",
        "completiontokendetails.reasoningtokens", "outputtokensdetails.reasoningtokens",
        "outputtokensdetails.thinkingtokens", "outputtokendetails.reasoning", "outputtokendetails.reasoningtokens",
        "outputtokendetails.reasoningtokencount", "outputtokens.reasoning",
        *(f"{side}{tier}reasoning" for side in ("outputtokendetails.", "output") for tier in ("priority", "flex")),
    ),
    "total": ("totaltokens", "total", "totaltokencount"),
    "tool_input": ("tooluseprompttokencount", "tooluseprompttokens", "totaltoolusetokens"),
    "cache_write_1h_tokens": (
        "cachecreation.ephemeral1hinputtokens", "ephemeral1hinputtokens", "cachecreationephemeral1hinputtokens",
        "inputtokendetails.ephemeral1hinputtokens",
        "prompttokensdetails.cachecreationtokendetails.ephemeral1hinputtokens",
        "inputephemeral1hinputtokens", "cachewrite1htokens", "inputcachecreation1h",
    ),
    "cache_write_5m_tokens": (
        "cachecreation.ephemeral5minputtokens", "ephemeral5minputtokens", "cachecreationephemeral5minputtokens",
        "inputtokendetails.ephemeral5minputtokens",
        "prompttokensdetails.cachecreationtokendetails.ephemeral5minputtokens",
        "inputephemeral5minputtokens", "cachewrite5mtokens", "inputcachecreation5m",
        "prompttokensdetails.cachecreation.ephemeral5minputtokens",
    ),
    "web_searches": (
        "servertooluse.websearchrequests", "websearchrequests", "numsearchqueries",
        "toolcallsdetails.searchweb.invocation",
    ),
    "output_citation_tokens": ("citationtokens",),
    "rerank_searches": ("searchunits", "billedunits.searchunits"),
    "audio_seconds": ("promptaudioseconds", "seconds", "audioseconds", "billableaudioseconds"),
    "input_text_messages": ("inputtextmessages",),
    "input_document_pages": ("pagesprocessed",),
    "input_characters": ("characters", "inputcharacters"),
    # what a search of the web read is paid by the source, a tool by the call: no list says how much
    "unpriced": ("numsourcesused",),
    "server_tools": ("numserversidetoolsused",),
    # LangChain says on which terms a call was made by the names of its tokens
    "priority": tuple(f"{side}priority" for side in ("inputtokendetails.", "outputtokendetails.", "input", "output")),
    "flex": tuple(f"{side}flex" for side in ("inputtokendetails.", "outputtokendetails.", "input", "output")),
}  # fmt: skip  # the keys of one number stand together
_MEDIA: Final = ("audio", "image", "video")
_INPUT_DETAILS: Final = (
    "prompttokensdetails",
    "inputtokensdetails",
    "inputtokendetails",
    "prompttokendetails",
    "promptdetails",
)
_OUTPUT_DETAILS: Final = (
    "completiondetails",
    "completiontokensdetails",
    "outputtokensdetails",
    "outputtokendetails",
    "completiontokendetails",
    "candidatestokensdetails",
    "responsetokensdetails",
)


def _media_keys() -> Iterator[tuple[str, str]]:
    """Yield each key of tokens that are not text, and the unit it counts."""
    for medium in _MEDIA:
        for side, outers, words in (
            ("input", _INPUT_DETAILS, ("input", "prompt")),
            ("output", _OUTPUT_DETAILS, ("output", "completion", "candidates")),
        ):
            for outer in outers:
                for end in ("", "tokens", "tokencount"):
                    yield f"{outer}.{medium}{end}", f"{side}_{medium}_tokens"
            for word in words:
                for key in (f"{word}{medium}tokens", f"{word}{medium}", f"{medium}{word}tokens", f"{medium}{word}"):
                    yield key, f"{side}_{medium}_tokens"
        yield f"{medium}cachetokens", f"cache_{medium}_read_tokens"
        for outer in _INPUT_DETAILS:
            yield f"{outer}.cachedtokensdetails.{medium}tokens", f"cache_{medium}_read_tokens"


_SAYS: Final[dict[str, tuple[str, int]]] = {
    key: (name, rank) for name, keys in _KEYS.items() for rank, key in enumerate(keys)
} | {key: (unit, 0) for key, unit in _media_keys()}
_OUTER: Final = frozenset(key.rpartition(".")[0] for key in _SAYS if "." in key) | {
    outer.partition(".")[0] for outer in _SAYS if outer.count(".") > 1
}
#: Lists of {modality, tokenCount}, as Gemini writes them -> the unit of each modality.
_MODALITY_LISTS: Final[dict[str, str]] = {
    "prompttokensdetails": "input_{}_tokens",
    "candidatestokensdetails": "output_{}_tokens",
    "responsetokensdetails": "output_{}_tokens",
    "cachetokensdetails": "cache_{}_read_tokens",
    "tooluseprompttokensdetails": "input_{}_tokens",
}
#: What was read from a cache -> what it is part of: there, that none of it was is worth knowing.
_MAY_BE_CACHED: Final = {f"cache_{medium}_read_tokens": f"input_{medium}_tokens" for medium in _MEDIA}
#: Names in the words of Anthropic and Bedrock: there, what a cache gave stands beside the input.
_BESIDE: Final = frozenset(
    {
        "cachereadinputtokens",
        "cachewriteinputtokens",
        "cachecreationinputtokens",
        "cachereadinputtokencount",
        "cachewriteinputtokencount",
    }
)
#: Words for the usual terms of a request.
_USUAL: Final = frozenset({"default", "standard", "auto", "on_demand", "ondemand", "standard_only", "none", "null", ""})
_TRAFFIC: Final[dict[str, dict[str, Any]]] = {
    "on_demand": {},
    "on_demand_priority": {"service_tier": "priority"},
    "on_demand_flex": {"service_tier": "flex"},
    "provisioned_throughput": {"unpriced": 1},
}


@functools.lru_cache(maxsize=4096)
def _plain(key: str) -> str:
    """Return a key without case, "_" and "-", by which all spellings of a name are one."""
    return key.replace("_", "").replace("-", "").lower()


def part_of(key: str) -> str | None:
    """Return which part or unit a key of a usage object says, dots between the keys of nested ones; None for neither.

    Example:
        >>> part_of("prompt_tokens_details.cached_tokens"), part_of("completion_details.audio")
        ('cached', 'output_audio_tokens')
    """
    says = _SAYS.get(_plain(key))
    return None if says is None else says[0]


def as_count(value: object) -> int | None:
    """Return a whole number that is not negative, also from text; None for anything else."""
    if type(value) is int:
        return value if 0 <= value <= BIGINT_MAX else None
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        value = value.strip().strip('"')
        if not value.isascii() or len(value) > 20:
            return None
        try:
            value = int(value) if value.isdigit() else float(value)
        except ValueError:
            return None
    if isinstance(value, float):
        if not math.isfinite(value) or not value.is_integer():
            return None
        value = int(value)
    return value if isinstance(value, int) and 0 <= value <= BIGINT_MAX else None


def read_usage(details: Mapping[str, object]) -> dict[str, Any]:
    """Return the canonical form of a usage object, in whatever names it is written.

    Args:
        details: The object: OpenAI's, Anthropic's, Gemini's, Bedrock's, Langfuse's, the AI SDK's and so on.

    Returns:
        ``input``, ``output``, ``cached``, ``cache_write``, ``reasoning`` and ``units``, each only where it is known;
        ``total`` where it is all that was said.

    Example:
        >>> read_usage({"promptTokenCount": 9, "candidatesTokenCount": 2, "thoughtsTokenCount": 3})["output"]
        5
    """
    numbers = _numbers(details)
    keys = {_plain(key) for key in details}
    has_buckets = "input" in keys or "output" in keys
    if has_buckets:
        _add_buckets(details, numbers)
    is_gemini = not has_buckets and not _GEMINI.isdisjoint(keys)
    if is_gemini and "input" in numbers and "reasoning" in numbers:
        numbers.setdefault("output", 0)  # it thought until its limit, so there is no candidate
    if not _PERPLEXITY.isdisjoint(keys):
        _add_research(numbers)
    units = _units(details, numbers)
    found = settle(
        numbers,
        is_cache_beside=not has_buckets
        and "inputtokens" in keys
        and "cachedinputtokens" not in keys
        and not _BESIDE.isdisjoint(keys),
        is_reasoning_beside=is_gemini,
    )
    if not found.get("cache_write"):  # some say the lifetimes only
        written = units.get("cache_write_1h_tokens", 0) + units.get("cache_write_5m_tokens", 0)
        if written:
            found["cache_write"] = written
    if not found and "total" in numbers:
        found["total"] = numbers["total"]
    if units:
        found["units"] = units
    return found


_UNITS: Final = tuple(
    dict.fromkeys(
        unit
        for unit, _ in _SAYS.values()
        if unit not in ("input", "output", "cached", "cache_write", "reasoning", "total", "tool_input")
    )
)
#: By these keys Gemini and Perplexity are known.
_GEMINI: Final = frozenset({"candidatestokencount", "thoughtstokencount", "totalthoughttokens"})
_PERPLEXITY: Final = frozenset({"citationtokens", "numsearchqueries"})


def _units(details: Mapping[str, object], numbers: dict[str, int]) -> dict[str, Any]:
    """Take what is no token of a column off the numbers; return it with the terms of the call."""
    counted = {name: numbers.pop(name) for name in _UNITS if name in numbers}
    tier = next((word for word in ("priority", "flex") if counted.pop(word, 0)), None)
    units: dict[str, Any] = {
        name: count for name, count in counted.items() if count or counted.get(_MAY_BE_CACHED.get(name, ""))
    }
    if tier is not None:
        units["service_tier"] = tier
    if lasting := _lasting(details):
        units["cache_write_1h_tokens"] = lasting
    return units | terms(details)


def _add_research(numbers: dict[str, int]) -> None:
    """Count what Perplexity thought and cited, which its total leaves out, as output."""
    numbers.pop("total", None)
    if "output" in numbers:
        numbers["output"] += numbers.get("reasoning", 0) + numbers.get("output_citation_tokens", 0)


def _numbers(details: Mapping[str, object]) -> dict[str, int]:
    """Return the numbers by our names, as they are said."""
    found: dict[str, int] = {}
    ranks: dict[str, int] = {}
    for key, value in _flat(details, "", 0):
        says = _SAYS.get(key)
        if says is None:
            continue
        name, rank = says
        number = as_count(value)
        if number is not None and rank < ranks.get(name, len(_SAYS)):
            found[name], ranks[name] = number, rank
    for key, value in details.items():
        pattern = _MODALITY_LISTS.get(_plain(key))
        if pattern is not None and isinstance(value, list):
            for medium in _MEDIA:  # a list names all that there is
                found.setdefault(pattern.format(medium), 0)
            _add_modalities(value, pattern, found)
    return found


def _flat(details: Mapping[str, object], prefix: str, depth: int) -> Iterator[tuple[str, object]]:
    for key, value in details.items():
        name = prefix + _plain(str(key))
        if isinstance(value, dict):
            if name == "additionalcounts":  # .NET writes whole paths below it: "InputTokenDetails.AudioTokenCount"
                yield from _flat(value, "", 3)
            elif name in _OUTER and depth < 3:
                yield from _flat(value, name + ".", depth + 1)
        else:
            yield name, value


def _add_modalities(items: list[object], pattern: str, found: dict[str, int]) -> None:
    for item in items:
        if isinstance(item, dict):
            medium = str(item.get("modality") or "").rpartition(".")[2].lower()
            medium = "image" if medium == "document" else medium  # its pages are images
            number = as_count(item.get("tokenCount", item.get("token_count")))
            if medium in _MEDIA and number:
                unit = pattern.format(medium)
                found[unit] = found.get(unit, 0) + number


def _add_buckets(details: Mapping[str, object], numbers: dict[str, int]) -> None:
    """Count Langfuse's buckets: what begins with a side's name stands beside that side, unless a total says no.

    ``{"input": 800, "input_cached_tokens": 200}`` is 1,000 tokens in.
    """
    beside: dict[tuple[str, str], int] = {}
    has_cached = "cached" in numbers
    for key, value in details.items():
        name, number = _plain(key), as_count(value)
        if not number or name in ("input", "output", "total") or "cost" in name:
            continue
        side = "output" if name.startswith(("output", "completion", "reasoning", "candidates", "thoughts")) else "input"
        if not name.startswith((side, *_BUCKETS)):
            continue
        # "input_tokens" beside "input" says the same again; "cache_creation" may be split by lifetime.
        if name in ("inputtokens", "outputtokens", "prompttokens", "completiontokens"):
            continue
        is_again = ("ephemeral" in name and "cache_write" in numbers) or (has_cached and name.startswith("cachedmod"))
        if not is_again:
            group = "tier" if "priority" in name or "flex" in name else "cache" if "cache" in name else ""
            beside[side, group] = beside.get((side, group), 0) + number
        _sort_bucket(name, side, number, numbers, is_again=is_again)
    given = numbers.get("input", 0) + numbers.get("output", 0)
    total = numbers.pop("total", None)
    # LangChain's words for the terms of a call repeat what stands in the whole; a total knows better.
    readings = (("", "cache"), ("", "cache", "tier"), ("",), ("", "tier"))
    chosen: tuple[str, ...] = readings[0]
    if total is not None:
        sums = {reading: sum(n for (_, group), n in beside.items() if group in reading) for reading in ((), *readings)}
        chosen = next((reading for reading, extra in sums.items() if total == given + extra), chosen)
    for side in ("input", "output"):
        if side in numbers:
            numbers[side] += sum(n for (whose, group), n in beside.items() if whose == side and group in chosen)


#: How buckets begin that do not begin with the name of their side.
_BUCKETS: Final = (
    "cache",
    "prompt",
    "tooluse",
    "ephemeral",
    "completion",
    "reasoning",
    "thoughts",
    "candidates",
)
#: The numbers by which Google's protocol names what is not text.
_MODALITIES: Final = {
    "modality2": "image",
    "modality3": "video",
    "modality4": "audio",
    "modality5": "image",
    "document": "image",
}


def _sort_bucket(name: str, side: str, number: int, numbers: dict[str, int], *, is_again: bool) -> None:
    """Put a bucket that has no name of ours under the part it is."""
    if name in _SAYS:
        return
    medium = next((word for word in _MEDIA if word in name), None)
    medium = medium or next((word for mark, word in _MODALITIES.items() if mark in name), None)
    if medium is not None:
        unit = f"cache_{medium}_read_tokens" if "cache" in name else f"{side}_{medium}_tokens"
        numbers[unit] = numbers.get(unit, 0) + number
    if "cache" in name and not is_again:
        part = "cache_write" if "creation" in name or "write" in name else "cached"
        numbers[part] = numbers.get(part, 0) + number
    elif "reasoning" in name or "thought" in name:
        numbers["reasoning"] = numbers.get("reasoning", 0) + number


def _lasting(details: Mapping[str, object]) -> int:
    """Return the tokens that were written for an hour, out of Bedrock's list of {ttl, inputTokens}."""
    items = next((value for key, value in details.items() if _plain(key) == "cachedetails"), None)
    return sum(
        as_count(item.get("inputTokens")) or 0
        for item in (items if isinstance(items, list) else ())
        if isinstance(item, dict) and item.get("ttl") == "1h"
    )


def terms(details: Mapping[str, object]) -> dict[str, Any]:
    """Return the words of an object that say on which terms a call was made, where they are not the usual ones.

    Example:
        >>> terms({"service_tier": "flex"}), terms({"serviceTier": "default"})
        ({'service_tier': 'flex'}, {})
    """
    found: dict[str, Any] = {}
    for key, value in details.items():
        if not isinstance(value, str):
            continue
        name, word = _plain(key), value.lower().removeprefix("service_tier_")
        if name == "servicetier" and word not in _USUAL:
            found |= {"processing": "batch"} if word == "batch" else {"service_tier": word}
        elif name == "speed" and word not in _USUAL:
            found["speed"] = word
        elif name == "traffictype":
            found |= _TRAFFIC.get(word, {"unpriced": 1})
        # The list has the fee of the largest context only.
        elif (name == "inferencegeo" and word == "us") or (name == "searchcontextsize" and word != "high"):
            found["unpriced"] = 1
    return found


#: xAI counts money in these.
_TICK_USD: Final = 1e-10


def read_cost(details: Mapping[str, object]) -> float | None:
    """Return what a usage object says that the call cost, in US dollars; None where it says nothing."""
    said = details.get("cost")
    if isinstance(said, dict):
        said = said.get("total_cost", said.get("total"))
    ticks = _amount(details.get("cost_in_usd_ticks"))
    return _amount(said) if _amount(said) is not None or ticks is None else ticks * _TICK_USD


def _amount(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None


def settle(
    numbers: Mapping[str, int], *, is_cache_beside: bool = False, is_reasoning_beside: bool = False
) -> dict[str, Any]:
    """Return the numbers with every part inside its whole.

    Args:
        numbers: ``input``, ``output``, ``cached``, ``cache_write``, ``reasoning``, ``tool_input`` and ``total``, each
            only where it was said.
        is_cache_beside: The dialect counts what a cache gave or took beside the input.
        is_reasoning_beside: The dialect counts reasoning beside the output, and the results of tools beside the input.

    Returns:
        The same without ``total`` and ``tool_input``. A total that one reading explains decides; else the dialect does.
        A part that is larger than its whole stands beside it, whatever was said.
    """
    found: dict[str, Any] = {name: numbers[name] for name in _WHOLES if name in numbers}
    cached, written, thought = (numbers.get(name, 0) for name in ("cached", "cache_write", "reasoning"))
    tool = numbers.get("tool_input", 0)
    if not (cached or written or thought or tool):
        return found
    given_in, given_out, total = numbers.get("input", 0), numbers.get("output", 0), numbers.get("total")
    stored, is_beside = cached + written, is_cache_beside or is_reasoning_beside
    extra_in, extra_out = 0, 0
    # A total that the plain reading explains is the plain reading's, before any other.
    is_plain = not is_beside if total is None else total == given_in + given_out
    if not is_plain or stored > given_in or thought > given_out:
        asked = tool if is_reasoning_beside else 0
        ins = [stored if is_cache_beside else 0, stored, 0, written, cached]
        ins = [extra for extra in ins if stored <= given_in + extra] or [stored]
        outs = [thought if is_reasoning_beside else 0, thought, 0]
        outs = [extra for extra in outs if thought <= given_out + extra]
        first = ins[0] + asked, outs[0]
        choices = (first, *((a + b, c) for a in (*ins[:1], *ins) for b in (asked, 0, tool) for c in outs))
        exact = (choice for choice in choices if total is not None and given_in + given_out + sum(choice) == total)
        extra_in, extra_out = next(exact, first)
    if "input" in found:
        found["input"] = min(given_in + extra_in, BIGINT_MAX)
    if "output" in found:
        found["output"] = min(given_out + extra_out, BIGINT_MAX)
    return found


_WHOLES: Final = ("input", "output", "cached", "cache_write", "reasoning")

__all__ = ["BIGINT_MAX", "as_count", "part_of", "read_cost", "read_usage", "settle", "terms"]
