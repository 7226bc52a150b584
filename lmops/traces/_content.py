"""Readers of content: what went into a span, what came out, and the documents it found."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from lmops.traces._canonical import Canonical, conversation, plain
from lmops.traces._json import dumps, structure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lmops.traces._raw import RawSpan

parsed = structure

#: What a request for embeddings says besides the texts.
_SETTINGS: Final = frozenset({"model", "dimensions", "encoding_format", "user", "stream", "extra_headers"})
#: A text longer than this is no number.
_LONGEST_NUMBER: Final = 40


def shape(value: object, kind: str, role: str) -> str | None:
    """Return the text of a column: canonical messages for a model call, else plain text or compact JSON."""
    value = structure(value)
    if kind == "llm":
        found = conversation(value, role)
        if found is None and value not in (None, "", [], {}):
            found = [{"role": role, "content": value if isinstance(value, str) else dumps(value)}]
        return dumps(found) if found else None
    if kind == "embedding" and role == "user":
        return _texts(value)
    return _plain_or_json(_unwrap_arguments(value))


def _texts(value: object) -> str | None:
    """Return what was embedded: one text, or a JSON list of texts."""
    if isinstance(value, dict) and "input" in value:
        value = value["input"]
    elif isinstance(value, dict) and value.keys() <= _SETTINGS:
        return None
    found = conversation(value, "user")
    texts = [message["content"] for message in found] if found else []
    if not texts:
        return _plain_or_json(value)
    return str(texts[0]) if len(texts) == 1 else dumps(texts)


#: What Traceloop writes around the values of LangChain, besides the values.
_AROUND: Final = frozenset({"tags", "metadata", "kwargs", "input_str", "name"})


def _unwrap_arguments(value: object) -> object:
    """Return the value inside what clients write around it.

    {"args": [text], "kwargs": {}} is one text; {"inputs": value, "tags": ..., "kwargs": ...} is the value.
    """
    if not isinstance(value, dict):
        return value
    if value.keys() == {"args", "kwargs"} and not value["kwargs"]:
        arguments = value["args"]
        if isinstance(arguments, list) and len(arguments) == 1 and isinstance(arguments[0], str):
            return arguments[0]
    if "kwargs" in value:
        for key in ("inputs", "outputs", "output", "query"):
            if key in value and value.keys() - {key} <= _AROUND:
                return value[key]
    return value


def _plain_or_json(value: object) -> str | None:
    if isinstance(value, str):
        return value or None
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, dict) and ("parts" in first or _is_langchain_message(first)):
        found = conversation(value, "user")
        if found:
            return _one_text(found)
    return None if value in (None, [], {}) else dumps(value)


def _is_langchain_message(value: dict[str, object]) -> bool:
    names = value.get("id")
    last = names[-1] if value.get("lc") == 1 and isinstance(names, list) and names else None
    return isinstance(last, str) and last.endswith(("Message", "MessageChunk"))


def _one_text(found: list[Canonical]) -> str:
    """Return plain text when the messages are one text, else canonical JSON."""
    if len(found) == 1 and found[0].keys() == {"role", "content"}:
        return str(found[0]["content"])
    return dumps(found)


def input_of(raw: RawSpan, key: str, kind: str) -> str | None:
    """Return what went in, from an attribute that holds messages, JSON or text."""
    value = _of_langsmith(raw, structure(raw.attributes.get(key)), "input")
    if kind != "llm":
        return shape(value, kind, "user")
    found = conversation(value, "user")
    if found is None:
        return shape(value, kind, "user")
    return dumps(with_instructions(found, raw.attributes.get("gen_ai.system_instructions")))


def with_instructions(found: list[Canonical], said: object) -> list[Canonical]:
    """Return the messages with the instructions in front, unless a system message is there already."""
    if said is None or "system" in [message["role"] for message in found]:
        return found
    parts = conversation(said, "system")
    text = "\n".join(str(part["content"]) for part in parts or ())
    return [{"role": "system", "content": text}, *found] if text else found


def output_of(raw: RawSpan, key: str, kind: str) -> str | None:
    """Return what came out, from an attribute that holds messages, JSON or text."""
    value = raw.attributes.get(key)
    return shape(value if kind == "llm" else _of_langsmith(raw, value, "output"), kind, "assistant")


def ai_answer(raw: RawSpan, _key: str, kind: str) -> str | None:
    """Return the answer of the AI SDK, which comes in pieces: what it thought, what it said, what it called."""
    attributes = raw.attributes
    said = attributes.get("ai.response.text")
    calls = structure(attributes.get("ai.response.toolCalls"))
    if kind != "llm":
        return _plain_or_json(said) or _plain_or_json(calls)
    thought = structure(attributes.get("ai.response.reasoning"))
    answer: dict[str, object] = {"role": "assistant", "content": said if isinstance(said, str) else ""}
    if isinstance(calls, list) and calls:
        answer["tool_calls"] = calls
    if thought:
        answer["reasoning"] = thought if isinstance(thought, str) else plain(thought)
    return shape(answer, kind, "assistant") if len(answer) > 2 or answer["content"] else None


def _of_langsmith(raw: RawSpan, value: object, name: str) -> object:
    """Return the value itself where LangSmith made an object of it: {"output": value}."""
    if "langsmith.span.kind" not in raw.attributes:
        return value
    inner = structure(value)
    return inner[name] if isinstance(inner, dict) and inner.keys() == {name} else value


def value_of(raw: RawSpan, key: str, _kind: str) -> str | None:
    """Return text as it is, a list or object as compact JSON."""
    value = raw.attributes.get(key)
    if isinstance(value, str) and '"kwargs"' in value:
        found = structure(value)
        inner = _unwrap_arguments(found)
        value = value if inner is found else inner
    return _plain_or_json(value)


def arguments_of(raw: RawSpan, key: str, _kind: str) -> str | None:
    """Return the arguments of a tool call; nothing where the attribute holds the schema of arguments instead."""
    given = structure(raw.attributes.get(key))
    is_schema = (
        isinstance(given, dict)
        and isinstance(given.get("properties"), dict)
        and (given.get("type") == "object" or "required" in given or "$schema" in given)
    )
    return None if is_schema else _plain_or_json(given)


def value_in(raw: RawSpan, key: str, kind: str) -> str | None:
    """Return OpenInference's ``input.value``; its mime type says whether quotes are part of the text."""
    return _value(raw, key, kind, "user", "input.mime_type")


def value_out(raw: RawSpan, key: str, kind: str) -> str | None:
    """Return OpenInference's ``output.value``."""
    return _value(raw, key, kind, "assistant", "output.mime_type")


def _value(raw: RawSpan, key: str, kind: str, role: str, mime_key: str) -> str | None:
    value = raw.attributes.get(key)
    if kind in ("llm", "embedding"):
        return shape(value, kind, role)
    if isinstance(value, str) and (value[:1] != '"' or raw.attributes.get(mime_key) != "application/json"):
        return value or None
    return shape(value, kind, role)


def instructions(raw: RawSpan, key: str, _kind: str) -> str | None:
    """Return the instructions alone, when no messages were captured."""
    found = with_instructions([], raw.attributes.get(key))
    return dumps(found) if found else None


def asked(raw: RawSpan, key: str, kind: str) -> str | None:
    """Return the messages before the first answer of a whole conversation."""
    found = conversation(raw.attributes.get(key), "user") or []
    answers = [place for place, message in enumerate(found) if message["role"] == "assistant"]
    before = found[: answers[0]] if answers else found
    if kind == "llm":
        before = with_instructions(before, raw.attributes.get("gen_ai.system_instructions"))
        return dumps(before) if before else None
    users = [message for message in before if message["role"] != "system"]
    return _one_text(users) if users else None


def answered(raw: RawSpan, key: str, kind: str) -> str | None:
    """Return the last answer of a whole conversation."""
    found = conversation(raw.attributes.get(key), "user") or []
    if not found or found[-1]["role"] != "assistant":
        return None
    return dumps(found[-1:]) if kind == "llm" else _one_text(found[-1:])


def events_in(raw: RawSpan, key: str, kind: str) -> str | None:
    """Return what was asked, out of a list of the events of the older convention that stands in one attribute."""
    found = _before_answer(_events(raw, key))
    if kind == "llm":
        return dumps(found) if found else None
    users = [message for message in found if message["role"] != "system"]
    return _one_text(users) if users else None


def events_out(raw: RawSpan, key: str, kind: str) -> str | None:
    """Return what was answered, out of the same list: the choices, else the last message of the assistant."""
    events = _events(raw, key)
    said = [event for event in events if "message" in event]
    found = [message for event in said for message in conversation(event["message"], "assistant") or ()]
    if not found:
        found = (conversation(events[-1], "user") or []) if events else []
        found = [message for message in found if message["role"] == "assistant"]
    if not found:
        return None
    return dumps(found) if kind == "llm" else _one_text(found[-1:])


def _events(raw: RawSpan, key: str) -> list[dict[str, object]]:
    found = structure(raw.attributes.get(key))
    return [event for event in found if isinstance(event, dict)] if isinstance(found, list) else []


def _before_answer(events: list[dict[str, object]]) -> list[Canonical]:
    """Return the messages of events that are no choice; without a choice, those before the last answer."""
    asked = [event for event in events if "message" not in event]
    if len(asked) == len(events) and asked and asked[-1].get("role") == "assistant":
        asked = asked[:-1]
    return [message for event in asked for message in conversation(event, _role_of(event)) or ()]


def _role_of(event: dict[str, object]) -> str:
    """Return the role in the name of an event: "gen_ai.user.message"."""
    name = event.get("event.name")
    parts = name.split(".") if isinstance(name, str) else []
    return parts[1] if len(parts) == 3 and parts[1] in ("system", "user", "assistant", "tool") else "user"


def _in_order(node: object) -> list[object]:
    """Return the values of {"0": a, "1": b} in order."""
    if not isinstance(node, dict):
        return node if isinstance(node, list) else []
    return [node[key] for key in sorted((key for key in node if key.isdigit()), key=int)]


def messages_indexed_in(raw: RawSpan, key: str, kind: str) -> str | None:
    """Return the input messages of indexed keys."""
    return _indexed(raw, key, kind, "user")


def messages_indexed_out(raw: RawSpan, key: str, kind: str) -> str | None:
    """Return the output messages of indexed keys."""
    return _indexed(raw, key, kind, "assistant")


def _indexed(raw: RawSpan, key: str, kind: str, role: str) -> str | None:
    found = _plain_messages(raw, key)
    if found is None:
        found = []
        for item in raw.items(key):
            if isinstance(item, dict):
                inner = item.get("message")
                found += conversation(_chat_shape(inner if isinstance(inner, dict) else item), role) or []
    if not [1 for message in found if len(message) > 2 or message["content"]]:
        return None  # roles alone say nothing; another attribute may have the content
    if role == "user":
        found = with_instructions(found, raw.attributes.get("gen_ai.system_instructions"))
    return dumps(found) if kind == "llm" else _one_text(found)


def _plain_messages(raw: RawSpan, prefix: str) -> list[Canonical] | None:
    """Return messages that are only a role and one text, which most are; None leaves them to the long way."""
    indexed = raw.keys_below(prefix)
    if indexed is None or indexed.messages is None:
        return None
    attributes = raw.attributes
    found: list[Canonical] = []
    for role_key, content_key in indexed.messages:
        said, content = attributes[role_key], attributes[content_key]
        if not isinstance(content, str) or content[:2] == "[{" or said not in ("user", "assistant", "system"):
            return None
        found.append({"role": said, "content": content})
    return found


def _chat_shape(item: dict[str, object]) -> dict[str, object]:
    """Return an indexed message in chat form: contents and tool calls as lists."""
    message: dict[str, object] = {key: item[key] for key in ("role", "name", "tool_call_id") if key in item}
    content = item.get("content")
    contents = _in_order(item.get("contents"))
    if contents and not content:
        content = [part.get("message_content", part) for part in contents if isinstance(part, dict)]
    elif isinstance(content, str):
        content = _blocks(content)
    message["content"] = content
    message.setdefault("role", None)
    calls = []
    for call in _in_order(item.get("tool_calls")):
        if isinstance(call, dict):
            calls.append(call.get("tool_call", call))  # noqa: PERF401 - more calls are added below
    function = item.get("function_call")
    if not calls and isinstance(function, dict):
        calls.append(function)
    if not calls and isinstance(item.get("function_call_name"), str):
        calls.append({"name": item["function_call_name"], "arguments": item.get("function_call_arguments_json", "")})
    if calls:
        message["tool_calls"] = calls
    for name in ("reasoning", "reasoning_content"):
        if isinstance(item.get(name), str):
            message[name] = item[name]
    return message


def _blocks(content: str) -> object:
    """Return the parts of content that is a JSON list of typed parts, else the text."""
    if content.startswith('[{"') and '"type"' in content:
        found = structure(content)
        if isinstance(found, list) and all(isinstance(part, dict) and "type" in part for part in found):
            return found
    return content


def prompts_indexed(raw: RawSpan, key: str, _kind: str) -> str | None:
    """Return the prompts of ``llm.prompts.N.prompt.text``."""
    return _texts_indexed(raw, key, ("prompt", "text"), "user")


def choices_indexed(raw: RawSpan, key: str, _kind: str) -> str | None:
    """Return the texts of ``llm.choices.N.completion.text``."""
    return _texts_indexed(raw, key, ("completion", "text"), "assistant")


def _texts_indexed(raw: RawSpan, key: str, path: tuple[str, str], role: str) -> str | None:
    found: list[Canonical] = []
    for item in raw.items(key):
        inner = item.get(path[0]) if isinstance(item, dict) else None
        text = inner.get(path[1]) if isinstance(inner, dict) else item
        if isinstance(text, str) and text:
            found.append({"role": role, "content": text})
    return dumps(found) if found else None


def embedded_texts(raw: RawSpan, key: str, _kind: str) -> str | None:
    """Return what was embedded: ``embedding.embeddings.N.embedding.text``."""
    texts: list[str] = []
    for item in raw.items(key):
        inner = item.get("embedding") if isinstance(item, dict) else None
        text = inner.get("text") if isinstance(inner, dict) else None
        if isinstance(text, str):
            texts.append(text)
    if not texts:
        return None
    return texts[0] if len(texts) == 1 else dumps(texts)


# Documents


def documents_indexed(raw: RawSpan, key: str, _kind: str) -> str | None:
    """Return the documents of ``retrieval.documents.N.document.*``; ids missing there are taken from the output."""
    items = [
        item["document"] if isinstance(item, dict) and isinstance(item.get("document"), dict) else item
        for item in raw.items(key)
    ]
    found = _documents(items)
    if found and all(document["id"] is None for document in found):
        again = _documents(_document_list(structure(raw.attributes.get("output.value"))))
        if len(again) == len(found):
            for document, other in zip(found, again, strict=True):
                if document["content"] == other["content"]:
                    document["id"] = other["id"]
    return dumps(found) if found else None


def documents(raw: RawSpan, key: str, _kind: str) -> str | None:
    """Return the documents of a list, or of an object that holds one."""
    found = _documents(_document_list(structure(raw.attributes.get(key))))
    return dumps(found) if found else None


def _document_list(value: object, depth: int = 0) -> list[object]:
    if isinstance(value, dict):
        for key in ("documents", "matches", "results", "nodes", "source_documents", "output", "outputs", "points"):
            inner = structure(value.get(key))
            if isinstance(inner, (list, dict)) and depth < 4:
                return _document_list(inner, depth + 1)
        return []
    return value if isinstance(value, list) else []


def _documents(items: Iterable[object]) -> list[Canonical]:
    found: list[Canonical] = []
    for item in items:
        document = _document(structure(item))
        if document is not None:
            document["rank"] = len(found) + 1
            found.append(document)
    return found


_DOCUMENT_KEYS: Final = frozenset({"id", "content", "score", "metadata"})


def _document(item: object) -> Canonical | None:
    """Return one document, its rank left at 0; a score or id that is only in the metadata counts."""
    plainly = _plain_document(item) if isinstance(item, dict) else None
    if plainly is not None:
        return plainly
    if isinstance(item, str):
        return {"rank": 0, "id": None, "score": None, "content": item, "metadata": None} if item else None
    if isinstance(item, list) and len(item) == 2 and isinstance(item[0], dict):
        document = _document(item[0])  # LangChain: (document, score)
        if document is not None and document["score"] is None:
            document["score"] = as_finite(item[1])
        return document
    if not isinstance(item, dict) or not item:
        return None
    inner = item.get("node", item.get("document"))
    inner = inner if isinstance(inner, dict) else {}
    metadata = structure(item.get("metadata") or item.get("payload") or inner.get("metadata"))
    below = metadata if isinstance(metadata, dict) else {}
    content = _first((item, inner), ("content", "page_content", "text", "pageContent", "document", "chunk"))
    identity = _first((item, inner, below), ("id", "document_id", "id_", "doc_id", "chunk_id"))
    if identity is None:
        identity = item.get("node_id")
    score = as_finite(item.get("score"))
    if score is None:
        score = next((number for value in _scores(item, below) if (number := as_finite(value)) is not None), None)
    return {
        "rank": 0,
        "id": identity if isinstance(identity, str) or identity is None else plain(identity),
        "score": score,
        "content": content if isinstance(content, str) or content is None else plain(content),
        "metadata": metadata or None,
    }


def _plain_document(item: dict[str, object]) -> Canonical | None:
    """Return a document that says what it is in the plainest words, as most do; None leaves it to the long way."""
    identity, content, score = item.get("id"), item.get("content"), item.get("score")
    if not identity or not content or not item.keys() <= _DOCUMENT_KEYS:
        return None
    if type(identity) is not str or type(content) is not str or type(score) is not float or score - score != 0:
        return None
    metadata = structure(item.get("metadata")) or None
    return {"rank": 0, "id": identity, "score": score, "content": content, "metadata": metadata}


def _first(holders: Iterable[dict[str, object]], names: tuple[str, ...]) -> object:
    for holder in holders:
        if holder:
            for name in names:
                value = holder.get(name)
                if value is not None and value != "" and not isinstance(value, dict):
                    return value
    return None


def _scores(*holders: dict[str, object]) -> Iterator[object]:
    """Yield what may be a score, most telling first."""
    for name in ("score", "relevance_score", "similarity", "_score"):
        for holder in holders:
            if name in holder:
                yield holder[name]


def as_finite(value: object) -> float | None:
    """Return a finite number, also from text; None for anything else."""
    if isinstance(value, str):
        try:
            value = float(value.strip().strip('"')) if len(value) <= _LONGEST_NUMBER else None
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def documents_of_events(events: Iterable[dict[str, object]]) -> str | None:
    """Return the documents of ``db.query.result`` span events."""
    items: list[object] = []
    for event in events:
        if event.get("name") != "db.query.result":
            continue
        given = event.get("attributes")
        if isinstance(given, dict):
            start = "db.query.result."
            item = {key[len(start) :]: value for key, value in given.items() if key.startswith(start)}
            if isinstance(item.get("document"), str):
                item["content"] = item.pop("document")
            distance = item.pop("distance", None)
            if "score" not in item and distance is not None:
                item["metadata"] = {**_as_dict(item.get("metadata")), "distance": distance}
            items.append(item)
    found = _documents(items)
    return dumps(found) if found else None


def _as_dict(value: object) -> dict[str, object]:
    value = structure(value)
    return value if isinstance(value, dict) else {}
