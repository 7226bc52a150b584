"""Readers: one function per structured field, from an attribute of a span to the value of a column.

Each reader takes the span, the key and the kind and returns the value or None. ``READERS`` names them for the table.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import TYPE_CHECKING, Final

from lmops.calc.fees import fees
from lmops.calc.usage import BIGINT_MAX, as_count, read_cost, read_usage, terms
from lmops.times import to_ns
from lmops.traces._aliases import FINISH_REASONS, PROVIDER_ENDINGS, PROVIDERS
from lmops.traces._canonical import conversation
from lmops.traces._content import (
    ai_answer,
    answered,
    arguments_of,
    as_finite,
    asked,
    choices_indexed,
    documents,
    documents_indexed,
    embedded_texts,
    events_in,
    events_out,
    input_of,
    instructions,
    messages_indexed_in,
    messages_indexed_out,
    output_of,
    parsed,
    prompts_indexed,
    value_in,
    value_of,
    value_out,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lmops.traces._raw import RawSpan

Reader = "Callable[[RawSpan, str, str], object]"


def text(raw: RawSpan, key: str, _kind: str) -> str | None:
    """Return text; numbers become text, a JSON-encoded string is decoded."""
    return as_text(raw.attributes[key])


def as_text(value: object) -> str | None:
    """Return the text of a plain value, None for an empty one."""
    for _ in range(3):
        if not isinstance(value, str) or value[:1] != '"':
            break
        decoded = parsed(value)
        if decoded == value:
            break
        value = decoded
    if isinstance(value, str):
        return value if value and value != "None" else None
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() else str(value)
    return None


def provider(raw: RawSpan, key: str, kind: str) -> str | None:
    """Return the OpenTelemetry name of a provider."""
    said = text(raw, key, kind)
    if said is None:
        return None
    word = said.lower()
    if word in PROVIDERS:
        return PROVIDERS[word]
    head, _, ending = word.rpartition(".")
    if head and ending in PROVIDER_ENDINGS:
        word = head
    return PROVIDERS.get(word, word)


def provider_of_model(raw: RawSpan, key: str, kind: str) -> str | None:
    """Return the provider in front of a model name such as openai/gpt-4o."""
    said = text(raw, key, kind)
    head, slash, _ = (said or "").partition("/")
    return PROVIDERS.get(head.lower(), head.lower()) if slash and head else None


def count(raw: RawSpan, key: str, _kind: str) -> int | None:
    """Return a number of tokens."""
    return as_count(raw.attributes.get(key))


def as_number(value: object) -> float | None:
    """Return a finite number that is not negative, also from text; None for anything else."""
    number = as_finite(value)
    return number if number is not None and number >= 0 else None


def money(raw: RawSpan, key: str, _kind: str) -> float | None:
    """Return an amount in US dollars."""
    return as_number(raw.attributes.get(key))


def seconds(raw: RawSpan, key: str, _kind: str) -> float | None:
    """Return milliseconds of a time given in seconds."""
    number = as_number(raw.attributes.get(key))
    return None if number is None else number * 1000.0


def milliseconds(raw: RawSpan, key: str, _kind: str) -> float | None:
    """Return a time given in milliseconds."""
    return as_number(raw.attributes.get(key))


def since_start(raw: RawSpan, key: str, _kind: str) -> float | None:
    """Return milliseconds from the start of the span to a moment written in ISO 8601."""
    moment = iso_ns(as_text(raw.attributes.get(key)))
    return None if moment is None or moment < raw.start_ns else (moment - raw.start_ns) / 1e6


def iso_ns(said: str | None) -> int | None:
    """Return nanoseconds since 1970 of an ISO 8601 text; without a zone it is UTC."""
    if not said or len(said) > 40:
        return None
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        return None
    return to_ns(moment)


def cost_details(raw: RawSpan, key: str, _kind: str) -> float | None:
    """Return the total of {input, output, total}; without a total, the sum of the parts."""
    details = parsed(raw.attributes.get(key))
    if not isinstance(details, dict):
        return as_number(details)
    for name in ("total", "total_cost"):
        total = as_number(details.get(name))
        if total is not None:
            return total
    parts = [number for number in map(as_number, details.values()) if number is not None]
    return math.fsum(parts) if parts else None


def sum_of(keys: str) -> Callable[[RawSpan, str, str], object]:
    """Return a reader that adds the attributes of several keys."""
    names = tuple(keys.split("|"))

    def read(raw: RawSpan, _key: str, _kind: str) -> float | None:
        parts = [number for number in (as_number(raw.attributes.get(name)) for name in names) if number is not None]
        return math.fsum(parts) if parts else None

    return read


def within(path: str) -> Callable[[RawSpan, str, str], object]:
    """Return a reader of one place inside JSON: "model", "0.name", "model|model_name" for the first that is there."""
    choices = tuple(tuple(choice.split(".")) for choice in path.split("|"))

    def read(raw: RawSpan, key: str, _kind: str) -> str | None:
        for steps in choices:
            value: object = _memo(raw, key)
            for step in steps:
                if isinstance(value, dict):
                    value = value.get(step)
                elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
                    value = value[int(step)]
                else:
                    value = None
            found = as_text(value)
            if found is not None:
                return found
        return None

    return read


def usage(name: str) -> Callable[[RawSpan, str, str], object]:
    """Return a reader of one part of a usage object: a number, or the units that a price may depend on."""

    def read(raw: RawSpan, key: str, _kind: str) -> object:
        return _usage_of(raw, key).get(name)

    return read


def _usage_of(raw: RawSpan, key: str) -> dict[str, object]:
    """Return what the usage object in an attribute says; several columns are read from it."""
    details = _memo(raw, key)
    if not isinstance(details, dict) or raw.memo is None:
        return {}
    found = raw.memo.get((key, "usage"))
    if not isinstance(found, dict):
        if key.endswith("_token_details"):  # LangSmith keeps those of each side in an attribute of its own
            sides = ("input_token_details", "output_token_details")
            details = {**details, **{side: _memo(raw, f"gen_ai.usage.{side}") for side in sides}}
        elif key == "mlflow.chat.tokenUsage" and _is_anthropic(raw):
            # MLflow passes on what the cache gave beside the input, and adds up the two others.
            details = {name: count for name, count in details.items() if name != "total_tokens"}
        found = raw.memo[key, "usage"] = read_usage(details)
    return found


def _is_anthropic(raw: RawSpan) -> bool:
    said = as_text(raw.attributes.get("mlflow.message.format")) or as_text(raw.attributes.get("mlflow.llm.provider"))
    return said in ("anthropic", "bedrock")


def usage_within(name: str) -> Callable[[RawSpan, str, str], object]:
    """Return a reader of one part of the usage inside an answer."""

    def read(raw: RawSpan, key: str, _kind: str) -> object:
        answer = _memo(raw, key)
        if not isinstance(answer, dict):
            return None
        details = answer.get("usage", answer.get("usage_metadata"))
        return read_usage(details).get(name) if isinstance(details, dict) else None

    return read


def provider_usage(name: str) -> Callable[[RawSpan, str, str], object]:
    """Return a reader of one part of what the AI SDK passes on from a provider: {"anthropic": {...}}."""

    def read(raw: RawSpan, key: str, _kind: str) -> object:
        value = raw.attributes.get(key)
        if not isinstance(value, str) or ("okens" not in value and "okenCount" not in value):
            return None
        for said in _providers(raw, key):
            inner = said.get("usage", said.get("usageMetadata"))
            for details in (said, inner):
                number = read_usage(details).get(name) if isinstance(details, dict) else None
                if number is not None:
                    return number
        return None

    return read


def _providers(raw: RawSpan, key: str) -> list[dict[str, object]]:
    found = _memo(raw, key)
    return [said for said in found.values() if isinstance(said, dict)] if isinstance(found, dict) else []


def provider_cost(raw: RawSpan, key: str, _kind: str) -> float | None:
    """Return what a gateway says that a call cost: {"gateway": {"cost": ...}}, {"openrouter": {"usage": {...}}}."""
    value = raw.attributes.get(key)
    if isinstance(value, str) and '"cost"' in value:
        for said in _providers(raw, key):
            inner = said.get("usage")
            for details in (said, inner):
                cost = as_number(details.get("cost")) if isinstance(details, dict) else None
                if cost is not None:
                    return cost
    return None


def units(raw: RawSpan, key: str, _kind: str) -> object:
    """Return the units that our own client puts on its spans."""
    found = _memo(raw, key)
    return found if isinstance(found, dict) else None


def terms_of(raw: RawSpan, key: str, _kind: str) -> object:
    """Return on which terms a call was made, where they are not the usual ones; {} for the usual ones."""
    said = text(raw, key, "")
    return None if said is None else terms({"service_tier": said})


#: Quotes inside a text are escaped, so this finds a key of the object and never what somebody wrote.
_TERMS: Final = re.compile(r'"(service_?tier|traffic_?type|speed)"\s*:\s*"([A-Za-z_]{1,40})"', re.IGNORECASE)


def terms_within(raw: RawSpan, key: str, _kind: str) -> object:
    """Return the same of the JSON of a request or an answer, without reading all of it."""
    value = raw.attributes.get(key)
    if not isinstance(value, str) or ("ervice" not in value and "raffic" not in value):
        return None
    found = _TERMS.search(value)
    return None if found is None else terms({found[1]: found[2]})


#: Words without which an answer says nothing of what it pays beside its tokens.
_FEES: Final = (
    "_search",
    "code_",
    "image_generation",
    "server_tool",
    "rounding",
    "xecuted",
    '"builtin"',
    "tool.execution",
    "ephemeral_1h",
    "odality",
)
#: Begins with what is rare, so that a long text is looked through quickly.
_COUNT: Final = re.compile(r'okens"\s*:\s*[1-9]')
_MEDIA: Final = ("audio_t", "audiot", "image_t", "imaget", "video_t", "videot")


def _says_fees(said: str) -> bool:
    for word in _FEES:
        if word in said:
            return True
    if "okens" not in said:  # many times as quick as the pattern
        return False
    starts = (found.start() for found in _COUNT.finditer(said))
    return any(said[max(start - 7, 0) : start].lower().endswith(_MEDIA) for start in starts)


def fees_within(raw: RawSpan, key: str, _kind: str) -> object:
    """Return what an answer pays beside its tokens: the searches and other tools that the endpoint ran."""
    value = raw.attributes.get(key)
    if isinstance(value, str) and not _says_fees(value):
        return None
    return fees(_memo(raw, key)) or None


def cost_within(raw: RawSpan, key: str, _kind: str) -> float | None:
    """Return what the usage inside an answer, or a usage object itself, says that the call cost."""
    value = raw.attributes.get(key)
    if not isinstance(value, str) or "cost" not in value:
        return None
    answer = _memo(raw, key)
    details = answer.get("usage", answer) if isinstance(answer, dict) else None
    # Any answer may speak of costs; what counts tokens is about the call.
    return read_cost(details) if isinstance(details, dict) and "input" in read_usage(details) else None


def server_seconds(raw: RawSpan, key: str, kind: str) -> float | None:
    """Return milliseconds of a time given in seconds; Strands gives it in milliseconds."""
    return milliseconds(raw, key, kind) if raw.scope.startswith("strands") else seconds(raw, key, kind)


_REASONS: Final = frozenset({"stop", "length", "tool_calls", "content_filter", "error"})


def reasons(raw: RawSpan, key: str, _kind: str) -> str | None:
    """Return the finish reason in one word of ``FINISH_REASONS``; several different ones are joined by a comma."""
    return join_reasons(parsed(raw.attributes.get(key)))


def join_reasons(value: object) -> str | None:
    """Return one text of a reason or a list of them, each in the word that all clients' words mean."""
    if type(value) is list and len(value) == 1:
        value = value[0]
    if type(value) is str and value in _REASONS:  # as most say it
        return value
    found = dict.fromkeys(_reason(said) for said in (value if isinstance(value, list) else [value]) if as_text(said))
    return ",".join(found) or None


def _reason(said: object) -> str:
    text_said = as_text(said) or ""
    # Enumerations come with the name of their type: FinishReason.STOP, FINISH_REASON_STOP.
    word = text_said.rpartition(".")[2].lower().removeprefix("finish_reason_")
    if word in _REASONS:
        return word
    return FINISH_REASONS.get(word, text_said)


#: Parts of the keys under which an answer says why it ended.
_REASON_KEYS: Final = ("finish", "stop_reason", "stopReason", "done_r")


def reasons_within(raw: RawSpan, key: str, kind: str) -> str | None:
    """Return the finish reasons inside an answer: of its messages, choices or generations."""
    value = raw.attributes.get(key)
    if isinstance(value, str) and not [word for word in _REASON_KEYS if word in value]:
        return None
    if kind == "embedding":
        return None
    return join_reasons(list(_reasons(_memo(raw, key), 0)))


def _reasons(value: object, depth: int) -> list[object]:
    if isinstance(value, list):
        return [reason for item in value[:100] for reason in _reasons(item, depth + 1)] if depth < 6 else []
    if not isinstance(value, dict):
        return []
    for name in ("finish_reason", "stop_reason", "finishReason", "stopReason", "done_reason"):
        if value.get(name):
            return [value[name]]
    for name in ("choices", "generations", "candidates", "generation_info", "message", "messages"):
        if name in value and depth < 6:
            found = _reasons(value[name], depth + 1)
            if found:
                return found
    return []


def reasons_indexed(raw: RawSpan, key: str, _kind: str) -> str | None:
    """Return the finish reasons of ``gen_ai.completion.N.finish_reason``."""
    return join_reasons([choice.get("finish_reason") for choice in raw.items(key) if isinstance(choice, dict)])


_HEAD_ID: Final = re.compile(r'\s*\{\s*"id"\s*:\s*"([^"\\]{1,200})"')


def response_id(raw: RawSpan, key: str, kind: str) -> str | None:
    """Return the id of an answer that is only inside ``output.value``."""
    value = raw.attributes.get(key)
    if kind == "embedding" or not isinstance(value, str) or '"id"' not in value:
        return None
    head = _HEAD_ID.match(value)
    if head:
        return head[1]
    answer = _memo(raw, key)
    if not isinstance(answer, dict):
        return None
    generations = answer.get("generations")
    while isinstance(generations, list) and generations:
        generations = generations[0]
    if isinstance(generations, dict):  # LangChain keeps the provider's id beside its own
        message = generations.get("message")
        inner = message.get("kwargs") if isinstance(message, dict) else None
        metadata = inner.get("response_metadata") if isinstance(inner, dict) else None
        answer = metadata if isinstance(metadata, dict) else {}
    return as_text(answer.get("id"))


def _memo(raw: RawSpan, key: str) -> object:
    """Return the parsed value of an attribute; several rows of the table look into the same JSON."""
    memo = raw.memo
    if memo is None:
        memo = raw.memo = {}
    if key not in memo:
        memo[key] = parsed(raw.attributes.get(key))
    return memo[key]


_PLAIN: Final[dict[str, Callable[[RawSpan, str, str], object]]] = {
    "text": text, "provider": provider, "provider_of_model": provider_of_model, "count": count, "money": money,
    "milliseconds": milliseconds, "seconds": seconds, "since_start": since_start, "cost_details": cost_details,
    "provider_cost": provider_cost, "units": units, "terms": terms_of, "terms_within": terms_within,
    "fees_within": fees_within, "cost_within": cost_within,
    "server_seconds": server_seconds, "reasons": reasons, "reasons_within": reasons_within,
    "reasons_indexed": reasons_indexed,
    "response_id": response_id, "documents": documents, "documents_indexed": documents_indexed,
    "input": input_of, "output": output_of, "ai_answer": ai_answer, "events_in": events_in, "events_out": events_out,
    "value": value_of, "arguments": arguments_of, "value_in": value_in, "value_out": value_out,
    "embedded_texts": embedded_texts,
    "messages_indexed_in": messages_indexed_in, "messages_indexed_out": messages_indexed_out,
    "prompts_indexed": prompts_indexed, "choices_indexed": choices_indexed, "instructions": instructions,
    "asked": asked, "answered": answered,
}  # fmt: skip  # many words: packed, they are read at a glance
_FACTORIES: Final[dict[str, Callable[[str], Callable[[RawSpan, str, str], object]]]] = {
    "json": within,
    "usage": usage,
    "usage_within": usage_within,
    "provider_usage": provider_usage,
    "sum": sum_of,
}


def reader(how: str) -> Callable[[RawSpan, str, str], object]:
    """Return the reader that a row of the alias table names."""
    name, colon, argument = how.partition(":")
    return _FACTORIES[name](argument) if colon else _PLAIN[name]


__all__ = ["BIGINT_MAX", "as_count", "as_number", "as_text", "conversation", "iso_ns", "join_reasons", "reader"]
