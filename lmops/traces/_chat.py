"""Chat-completion records: request logs, fine-tuning files, whole conversations with tool calls, agent histories.

One record becomes one trace. Its ids come from its content and its place, so that reading it again adds nothing.
A time that the record does not say is the caller's; ``lmops.time_estimated`` marks it and durations stay unknown.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from lmops.calc.fees import fees
from lmops.calc.usage import read_cost, read_usage, terms
from lmops.traces._fields import as_count, as_number, as_text, iso_ns
from lmops.traces._json import dumps, structure
from lmops.traces._raw import NO_RESOURCE, STATUS_ERROR, STATUS_UNSET, RawSpan, Rejection, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

SCOPE: Final = "lmops.chat"
_STEP_NS: Final = 1_000_000
#: Inputs of a conversation grow with the square of its length; above this many characters only what is new is kept.
_INPUT_CHARACTERS: Final = 2_000_000
_LISTS: Final = ("messages", "history", "traj", "trajectory", "conversations", "conversation")
_TERMINALS: Final = frozenset({"computer_terminal", "computerterminal", "terminal", "executor"})
_STARTS: Final = (
    "start_time",
    "startTime",
    "started_at",
    "timestamp",
    "time",
    "created_at",
    "createdAt",
    "ts",
    "created",
)
_ENDS: Final = ("end_time", "endTime", "finished_at", "completed_at")
_MILLISECONDS: Final = ("latency_ms", "duration_ms", "response_ms", "elapsed_ms")
_PEOPLE: Final = (("session.id", ("session_id", "conversation_id", "thread_id")), ("user.id", ("user_id", "user")))
_ANSWER_KEYS: Final = ("choices", "output", "outputs", "steps", "content", "candidates", "message", "role", "text")
#: Keys by which an answer of any API is known.
_ANSWERS: Final = frozenset(
    {
        "choices",
        "output",
        "candidates",
        "content",
        "usage",
        "message",
        "data",
        "meta",
        "usage_info",
    }
)
_ASKED: Final = ("prompt", "input", "inputs", "contents", "query")
_USAGES: Final = ("usage", "usageMetadata", "usage_metadata", "usage_info")
_COPIED: Final = (
    ("provider", "gen_ai.provider.name"),
    ("cost_usd", "lmops.cost_usd"),
    ("total_cost", "lmops.cost_usd"),
)
_SETTINGS: Final = ("temperature", "top_p", "max_tokens", "seed")

Json = dict[str, object]


def is_chat(record: Json) -> bool:
    """Return whether an object looks like a chat record of any shape."""
    if "resourceSpans" in record or "resourceLogs" in record:
        return False
    if any(isinstance(record.get(key), list) for key in _LISTS):
        return True
    request = _request(record)
    if request is not record and any(key in request for key in ("messages", "input", "prompt", "contents")):
        return True
    if not _ANSWERS.isdisjoint(_response(record)) and ("response" in record or "modelOutput" in record):
        return True
    if _is_batch(record):
        return True
    return isinstance(record.get("choices"), list) or ("prompt" in record and "completion" in record)


def chat_spans(record: Json, *, position: int, fallback_time_ns: int) -> Iterator[RawSpan | Rejection]:
    """Yield the spans of one record, or a rejection that says what is missing.

    Args:
        record: the parsed line.
        position: its line number; equal records at different places are different traces.
        fallback_time_ns: start for a record without a time, nanoseconds since 1970.
    """
    trace = _Trace(record, position, fallback_time_ns)
    if isinstance(record.get("history"), list):
        yield from _history(trace, _messages(record["history"]))
        return
    request, response = _request(record), _response(record)
    found = next((request[key] for key in _LISTS if isinstance(request.get(key), list)), None)
    messages = _messages(found)
    if response or not messages:
        yield from _call(trace, request, response, messages)
        return
    turns = [place for place, message in enumerate(messages) if message.get("role") == "assistant"]
    if len(turns) > 1 or any(message.get("role") in ("tool", "function") for message in messages):
        yield from _conversation(trace, messages)
    elif turns and turns[0] == len(messages) - 1:
        yield from _call(trace, request, {"choices": [{"message": messages[-1]}]}, messages[:-1])
    else:
        yield from _call(trace, request, response, messages)


class _Trace:
    """Ids, times and the attributes that are common to the spans of one record."""

    def __init__(self, record: Json, position: int, fallback_time_ns: int) -> None:
        self.record = record
        digest = hashlib.blake2b(f"{position}\n{dumps(record)}".encode(), digest_size=16).digest()
        self.id = digest.hex()
        self.start = _moment(_find(record, _STARTS)) or 0
        self.end = _moment(_find(record, _ENDS)) or 0
        self.is_estimated = not self.start
        if self.is_estimated:
            self.start, self.end = max(fallback_time_ns, 1), 0
        elif not self.end:
            took = next((number for key in _MILLISECONDS if (number := as_number(record.get(key))) is not None), None)
            self.end = self.start + int(took * 1e6) if took is not None and took < 1e12 else 0
        service = as_text(record.get("service"))
        self.resource = Resource({"service.name": service}) if service else NO_RESOURCE
        metadata = record.get("metadata")
        self._metadata: Json = metadata if isinstance(metadata, dict) else {}

    def span_id(self, number: int) -> str:
        return hashlib.blake2b(f"{self.id}/{number}".encode(), digest_size=8).hexdigest()

    def common(self) -> Json:
        attributes: Json = {}
        for key, names in _PEOPLE:
            for name in names:
                said = as_text(self.record.get(name)) or as_text(self._metadata.get(name))
                if said and key not in attributes:
                    attributes[key] = said
        if self.is_estimated:
            attributes["lmops.time_estimated"] = True
        return attributes

    def source(self) -> Json:
        """Return the plain values of the record, for search: task ids, rewards, labels."""
        return {
            f"lmops.source.{key}": value
            for key, value in self.record.items()
            if isinstance(value, (str, int, float, bool)) and value != ""
        }

    def span(
        self, number: int, name: str, attributes: Json, *, start: int = 0, end: int = 0, error: str = ""
    ) -> RawSpan:
        """Return one span; number 0 is the root."""
        attributes = {**self.common(), **attributes}
        return RawSpan(
            self.id,
            self.span_id(number),
            self.span_id(0) if number else None,
            name,
            start or (self.start if number == 0 else self.start + number * _STEP_NS),
            end,
            STATUS_ERROR if error else STATUS_UNSET,
            error,
            attributes,
            [],
            [],
            self.resource,
            SCOPE,
        )


def _is_batch(record: Json) -> bool:
    """Return whether a record is a line of the file that a batch of requests left: such calls cost less."""
    response = record.get("response")
    if "custom_id" in record:
        return isinstance(record.get("result"), dict) or "response" in record
    if isinstance(response, dict) and ("candidates" in response or "usageMetadata" in response):
        return "processed_time" in record or ("key" in record and "request" not in record)
    return "recordId" in record and "modelOutput" in record


def _request(record: Json) -> Json:
    for key in ("request", "body", "modelInput", "params"):
        inner = record.get(key)
        if isinstance(inner, dict):
            body = inner.get("body")
            return body if isinstance(body, dict) else inner
    return record


def _response(record: Json) -> Json:
    inner = structure(record.get("response", record.get("modelOutput")))
    if isinstance(inner, dict):
        body = inner.get("body")
        return body if isinstance(body, dict) else inner
    result = record.get("result")
    if "custom_id" in record and isinstance(result, dict):  # a batch of Anthropic's
        message = result.get("message", result)
        return message if isinstance(message, dict) else result
    if isinstance(inner, str) and inner:
        return {"choices": [{"message": {"role": "assistant", "content": inner}}]}
    if isinstance(record.get("choices"), list):
        return record
    completion = record.get("completion")
    if isinstance(completion, str) and completion and "prompt" in record:
        return {"choices": [{"message": {"role": "assistant", "content": completion}}]}
    return {}


def _messages(found: object) -> list[Json]:
    """Return the messages of a list; {"from", "value"} becomes role and content."""
    result: list[Json] = []
    for item in found if isinstance(found, list) else []:
        if isinstance(item, dict):
            said = item.get("from")
            role = {"human": "user", "gpt": "assistant"}.get(said, said) if isinstance(said, str) else None
            result.append({"role": role, "content": item.get("value"), **item} if role is not None else item)
    return result


def _call(trace: _Trace, request: Json, response: Json, messages: list[Json]) -> Iterator[RawSpan | Rejection]:
    """Yield the one span of a request and its answer."""
    asked: object = messages
    if not messages:
        asked = next((request[key] for key in _ASKED if request.get(key)), None)
    is_batch = _is_batch(trace.record)
    if not asked and not response and not is_batch:
        yield Rejection("", "chat record without messages")
        return
    model = as_text(request.get("model")) or as_text(request.get("modelId"))
    is_embedding = not messages and _is_vectors(response.get("data"))
    word = "embeddings" if is_embedding else "rerank" if {"query", "documents"} <= request.keys() else "chat"
    attributes: Json = {"gen_ai.operation.name": word, **trace.source()}
    if asked:
        shown = {"messages": asked, **{key: request[key] for key in ("system", "instructions") if request.get(key)}}
        attributes["gen_ai.input.messages"] = dumps(shown if len(shown) > 1 or is_embedding else asked)
        if is_embedding:
            attributes["gen_ai.input.messages"] = dumps({"input": asked})
    if model:
        attributes["gen_ai.request.model"] = model
    attributes.update(_settings(request))
    attributes.update(_answer(response))
    on_terms = terms(response) | ({"processing": "batch"} if is_batch else {})
    on_terms |= fees(response)
    attributes.update(_usage(_used(response, trace.record), on_terms))
    for name, key in _COPIED:
        said = trace.record.get(name)
        if said is not None and isinstance(said, (str, int, float)):
            attributes[key] = said
    error = _error(trace.record, response, attributes)
    yield trace.span(0, f"{word} {model}" if model else word, attributes, end=trace.end, error=error)


def _is_vectors(data: object) -> bool:
    return isinstance(data, list) and all(isinstance(item, dict) and "embedding" in item for item in data)


def _settings(request: Json) -> Json:
    return {
        f"gen_ai.request.{key}": request[key]
        for key in _SETTINGS
        if isinstance(request.get(key), (int, float)) and not isinstance(request.get(key), bool)
    }


def _answer(response: Json) -> Json:
    """Return the attributes of an answer: messages, id, model, finish reasons."""
    attributes: Json = {}
    shown = {key: response[key] for key in _ANSWER_KEYS if key in response}
    if shown:
        attributes["gen_ai.output.messages"] = dumps(shown)
    identity = as_text(response.get("id")) or as_text(response.get("responseId"))
    model = as_text(response.get("model")) or as_text(response.get("modelVersion"))
    if identity and (shown or "usage" in response):
        attributes["gen_ai.response.id"] = identity
    if model and "messages" not in response:
        attributes["gen_ai.response.model"] = model
    found = response.get("choices")
    choices = found if isinstance(found, list) else []
    reasons = [as_text(choice.get("finish_reason")) for choice in choices if isinstance(choice, dict)]
    reasons += [as_text(response.get(key)) for key in ("stop_reason", "stopReason", "done_reason")]
    candidates = response.get("candidates")
    for candidate in candidates if isinstance(candidates, list) else []:
        if isinstance(candidate, dict):
            reasons.append(as_text(candidate.get("finishReason")) or as_text(candidate.get("finish_reason")))
    said = [reason for reason in reasons if reason]
    if said:
        attributes["gen_ai.response.finish_reasons"] = said
    return attributes


def _used(response: Json, record: Json) -> object:
    """Return the usage object of an answer: beside it, or the answer itself where it counts there, as Ollama does."""
    for holder in (response, record):
        for key in _USAGES:
            if isinstance(holder.get(key), dict):
                return holder[key]
        meta = holder.get("meta")
        if isinstance(meta, dict) and isinstance(meta.get("billed_units"), dict):
            return meta["billed_units"]
    return response if "prompt_eval_count" in response or "eval_count" in response else None


def _usage(details: object, on_terms: Json | None = None) -> Json:
    """Return the attributes of what a call used, and on which terms it was made."""
    if not isinstance(details, dict):
        return {}
    names = (
        ("input", "input_tokens"),
        ("output", "output_tokens"),
        ("cached", "cache_read.input_tokens"),
        ("cache_write", "cache_write.input_tokens"),
        ("reasoning", "reasoning.output_tokens"),
        ("total", "total_tokens"),
    )
    found = read_usage(details)
    attributes: Json = {f"gen_ai.usage.{key}": found[name] for name, key in names if name in found}
    units = {**found.get("units", {}), **(on_terms or {})}
    if units:
        attributes["lmops.usage.units"] = dumps(units)
    cost = read_cost(details)
    if cost is not None:
        attributes["lmops.cost_usd"] = cost
    return attributes


def _error(record: Json, response: Json, attributes: Json) -> str:
    """Return the message of an error, and put its type among the attributes."""
    result = record.get("result")
    error = record.get("error") or response.get("error") or (result.get("error") if isinstance(result, dict) else None)
    if not error:
        return ""
    if isinstance(error, dict):
        kind = as_text(error.get("type")) or as_text(error.get("code"))
        if kind:
            attributes["error.type"] = kind
        return as_text(error.get("message")) or dumps(error)
    return as_text(error) or "error"


def _conversation(trace: _Trace, messages: list[Json]) -> Iterator[RawSpan]:
    """Yield an agent span, a model span for each assistant turn and a tool span for each tool result."""
    users = [_content(message) for message in messages if message.get("role") == "user"]
    answers = [_content(message) for message in messages if message.get("role") == "assistant"]
    root: Json = {"gen_ai.operation.name": "invoke_agent", **trace.source()}
    _put(root, "lmops.input", users[0] if users else "")
    _put(root, "lmops.output", answers[-1] if answers else "")
    yield trace.span(0, as_text(trace.record.get("name")) or "conversation", root, end=trace.end)
    model = as_text(trace.record.get("model"))
    calls: dict[str, Json] = {}
    sizes = [len(dumps(message)) for message in messages]
    spent, new_from, before = 0, 0, 0
    for number, message in enumerate(messages, 1):
        role = message.get("role")
        if role == "assistant":
            is_whole = spent + before <= _INPUT_CHARACTERS
            shown = messages[0 if is_whole else new_from : number - 1]
            spent += before if is_whole else 0
            yield _turn(trace, number, message, shown, model, is_whole=is_whole)
            new_from = number - 1
            calls.update(_calls(message))
        elif role in ("tool", "function"):
            yield _tool(trace, number, message, calls)
        before += sizes[number - 1]


def _turn(
    trace: _Trace, number: int, message: Json, shown: list[Json], model: str | None, *, is_whole: bool
) -> RawSpan:
    model = as_text(message.get("model")) or model
    attributes: Json = {"gen_ai.operation.name": "chat", "lmops.step": number - 1}
    if shown:
        attributes["gen_ai.input.messages"] = dumps(shown)
    attributes["gen_ai.output.messages"] = dumps([message])
    if not is_whole:
        attributes["lmops.input_truncated"] = True
    _put(attributes, "gen_ai.request.model", model or "")
    attributes.update(_usage(message.get("usage"), fees(message)))
    start = _moment(_find(message, _STARTS)) or 0
    return trace.span(number, f"chat {model}" if model else "chat", attributes, start=start)


def _calls(message: Json) -> dict[str, Json]:
    """Return the calls of an assistant message by id; the old form with one unnamed call is under ""."""
    found: dict[str, Json] = {}
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        if isinstance(call, dict):
            function = call.get("function")
            found[str(call.get("id") or "")] = function if isinstance(function, dict) else call
    call = message.get("function_call")
    if isinstance(call, dict):
        found[""] = call
    return found


def _tool(trace: _Trace, number: int, message: Json, calls: dict[str, Json]) -> RawSpan:
    identity = as_text(message.get("tool_call_id")) or ""
    call = calls.get(identity, {})
    name = as_text(message.get("name")) or as_text(call.get("name")) or "tool"
    attributes: Json = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name, "lmops.step": number - 1}
    _put(attributes, "gen_ai.tool.call.id", identity)
    arguments = call.get("arguments")
    _put(attributes, "gen_ai.tool.call.arguments", arguments if isinstance(arguments, str) else dumps(arguments or {}))
    _put(attributes, "gen_ai.tool.call.result", _content(message))
    start = _moment(_find(message, _STARTS)) or 0
    return trace.span(number, f"execute_tool {name}", attributes, start=start)


def _history(trace: _Trace, turns: list[Json]) -> Iterator[RawSpan | Rejection]:
    """Yield an agent span and one span for each turn: an agent's, or a tool's for a terminal.

    The turns are not model spans: such a log does not say which calls were made.
    """
    if not turns:
        yield Rejection("", "chat record without messages")
        return
    root: Json = {"lmops.kind": "agent", **trace.source()}
    _put(root, "lmops.input", as_text(trace.record.get("question")) or _content(turns[0]))
    _put(root, "lmops.output", _content(turns[-1]))
    yield trace.span(0, as_text(trace.record.get("name")) or "agents", root, end=trace.end)
    last = ""
    for number, turn in enumerate(turns, 1):
        name = as_text(turn.get("name")) or as_text(turn.get("role")) or "agent"
        kind = "agent"
        if name.lower() in _TERMINALS or turn.get("role") in ("tool", "function"):
            kind = "tool"
        elif name in ("human", "user", "system"):
            kind = "chain"
        attributes: Json = {"lmops.kind": kind, "lmops.step": number - 1}
        if kind == "agent":
            attributes["gen_ai.agent.name"] = name
        _put(attributes, "lmops.input", last)
        last = _content(turn)
        _put(attributes, "lmops.output", last)
        yield trace.span(number, name, attributes, start=_moment(_find(turn, _STARTS)) or 0)


def _content(message: Json) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return "\n".join(text for text in texts if isinstance(text, str))
    return "" if content is None else dumps(content)


def _put(attributes: Json, key: str, value: str) -> None:
    if value:
        attributes[key] = value


def _find(record: Json, names: tuple[str, ...]) -> object:
    """Return the first of the names, in the record, its answer, or its request."""
    response = record.get("response")
    body = response.get("body") if isinstance(response, dict) else None
    for holder in (record, response, body, record.get("request")):
        if isinstance(holder, dict):
            for name in names:
                if holder.get(name):
                    return holder[name]
    return None


def _moment(value: object) -> int | None:
    """Return nanoseconds since 1970 of a number (s, ms, us or ns by its size) or an ISO 8601 text."""
    number = as_count(value)
    if number is None:
        fraction = as_number(value)
        if fraction is not None and fraction < 1e11:
            return round(fraction * 1e6) * 1000
        moment = iso_ns(as_text(value))
        return moment if moment is not None and 0 < moment < 2**63 else None
    for limit, factor in ((10**11, 10**9), (10**14, 10**6), (10**17, 1000)):
        if number < limit:
            return number * factor or None
    return number if number < 2**63 else None
