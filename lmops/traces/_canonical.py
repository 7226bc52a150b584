"""One conversation out of the many shapes that clients write.

OpenTelemetry parts, OpenAI chat and responses, Anthropic blocks, Gemini contents, LangChain and LlamaIndex messages.

A canonical message is ``{"role", "content"}`` with ``tool_calls``, ``tool_call_id``, ``name`` and ``reasoning`` where
they apply; content is always text.
"""

from __future__ import annotations

import functools
from typing import Final

from lmops.traces._json import MAX_DEPTH, dumps, structure

Canonical = dict[str, object]

#: Words for roles that are not the chat word.
ROLES: Final[dict[str, str]] = {
    "human": "user",
    "ai": "assistant",
    "AIMessageChunk": "assistant",
    "model": "assistant",
    "humanmessage": "user",
    "aimessage": "assistant",
    "systemmessage": "system",
    "toolmessage": "tool",
    "aimessagechunk": "assistant",
    "function": "tool",
}

_ROLE_WORDS: Final = frozenset({*ROLES, "system", "user", "assistant", "tool"})
_TEXT_PARTS: Final = frozenset({"text", "input_text", "output_text", "summary_text", "refusal", "user-prompt"})
_REASONING_PARTS: Final = frozenset({"reasoning", "thinking", "reasoning_content", "redacted_thinking", "thought"})
#: How the type of a part ends that is a call of a tool, or what a tool gave; hosted tools too.
_CALL_ENDS: Final = ("_call", "-call", "tool_use", "tool.execution", "tool_approval_request", "mcp_approval_request")
_RESULT_ENDS: Final = (
    "_call_output",
    "tool_result",
    "tool-result",
    "tool_call_response",
    "tool-return",
    "tool-error",
    "tool-output",
    "function_response",
    "function_result",
    "_search_result",
    "_execution_result",
    "_context_result",
    "mcp_list_tools",
    "retry-prompt",
    "mcp_approval_response",
)
#: Parts that are told by their key: (key, what it is).
_KEYED: Final = (
    ("toolUse", "call"),
    ("tool_use", "call"),
    ("functionCall", "call"),
    ("function_call", "call"),
    ("executableCode", "call"),
    ("executable_code", "call"),
    ("toolResult", "result"),
    ("tool_result", "result"),
    ("functionResponse", "result"),
    ("function_response", "result"),
    ("codeExecutionResult", "result"),
    ("code_execution_result", "result"),
    ("reasoningContent", "reasoning"),
    ("reasoning_content", "reasoning"),
    ("citationsContent", "text"),
    ("guardContent", "text"),
    ("cachePoint", "nothing"),
    ("cache_point", "nothing"),
)
_KEYS: Final = frozenset(key for key, _ in _KEYED)
#: Where a part that is not text holds its data, and what says of which kind they are.
_DATA: Final = ("inlineData", "inline_data", "fileData", "file_data", "source")
_MEDIA_TYPES: Final = ("modality", "mime_type", "media_type", "mimeType", "mediaType")
#: pydantic-ai says what a message is, not whose.
_KINDS: Final = {"request": "user", "response": "assistant"}
#: Parts that say nothing.
_MARKS: Final = frozenset(
    {
        "step-start",
        "step-finish",
        "compaction",
        "source",
        "source-url",
        "source-document",
        "tool_reference",
    }
)
_ARGUMENT_KEYS: Final = (
    "arguments",
    "input",
    "args",
    "tool_kwargs",
    "parameters",
    "action",
    "queries",
    "code",
    "operation",
    "server_tool_call",
)
_RESULT_KEYS: Final = (
    "result",
    "response",
    "content",
    "output",
    "results",
    "outputs",
    "server_tool_call_response",
    "errorText",
    "error",
    "tools",
    "approve",
)
_CALL_IDS: Final = ("call_id", "id", "tool_call_id", "tool_id", "toolCallId", "toolUseId", "tool_use_id")
_RESULT_IDS: Final = ("tool_use_id", "call_id", "tool_call_id", "toolCallId", "toolUseId", "approval_request_id", "id")
#: Keys that hold the messages of a request or of an answer, most telling first.
_WRAPPERS: Final = (
    "messages", "choices", "generations", "candidates", "contents", "steps", "output", "outputs", "message", "response",
    "prompt", "input", "prompts", "content", "text", "combined_chunk_content", "delta",
)  # fmt: skip  # many words: packed, they are read at a glance
_SIMPLE_ROLES: Final = frozenset({"user", "assistant", "system"})
_SIMPLE_KEYS: Final = frozenset({"role", "content", "parts", "finish_reason", "name"})
_MESSAGE_KEYS: Final = frozenset({"role", "parts", "blocks", "lc", "data", "tool_calls"})
_NAMES: Final = (("tool_call_id", ("tool_call_id", "toolCallId")), ("name", ("name", "tool_name", "toolName")))
_NAME_KEYS: Final = frozenset(name for _, names in _NAMES for name in names)
#: What chat formats keep beside the content of a message.
_BESIDE_KEYS: Final = frozenset(
    {
        "additional_kwargs",
        "tool_calls",
        "toolCalls",
        "function_call",
        "toolInvocations",
        "executed_tools",
        "images",
        "reasoning_content",
        "reasoning",
        "thinking",
        "tool_plan",
        "audio",
        "refusal",
    }
)


@functools.lru_cache(maxsize=1024)
def _what(word: str) -> str:
    """Return what a part of this type is: text, reasoning, call, result, or "" for anything else."""
    if word in _TEXT_PARTS:
        return "text"
    if word in _REASONING_PARTS:
        return "reasoning"
    if word.endswith(_RESULT_ENDS):
        return "result"
    is_tool = word.startswith("tool-") or word == "dynamic-tool"  # as the AI SDK keeps messages
    return "call" if is_tool or word.endswith(_CALL_ENDS) else ""


def conversation(value: object, role: str) -> list[Canonical] | None:
    """Return canonical messages of a value in any known shape, or None when it has none.

    Args:
        value: JSON text, plain text, or the native list or dict.
        role: the role of text that does not say one.
    """
    found = _collect(structure(value), role, 0)
    return found or None


def _collect(value: object, role: str, depth: int) -> list[Canonical]:
    if isinstance(value, str):
        return [{"role": role, "content": value}] if value else []
    if depth > MAX_DEPTH:
        return []
    if isinstance(value, list):
        result: list[Canonical] = []
        for item in value:
            simple = _simple(item, role)
            if simple is not None:
                result.append(simple)
            else:
                result += _collect(item, role, depth + 1)
        return result
    if isinstance(value, dict):
        simple = _simple(value, role)
        return _from_dict(value, role, depth) if simple is None else [simple]
    return []


def _simple(item: object, role: str) -> Canonical | None:
    """Return a message that is only a role and one text, which most are; None leaves it to the long way."""
    if type(item) is not dict:
        return None
    said, content = item.get("role"), item.get("content")
    if said is None:  # a text alone, in the words of OpenTelemetry
        is_text = len(item) == 2 and type(content) is str and item.get("type") == "text" and role in _SIMPLE_ROLES
        return {"role": role, "content": content} if is_text else None
    if type(said) is not str or said not in _SIMPLE_ROLES:
        return None
    if len(item) > 2 and (not item.keys() <= _SIMPLE_KEYS or item.get("name")):
        return None
    if content is None:
        parts = item.get("parts")
        if type(parts) is list and len(parts) == 1:
            part = parts[0]
            if type(part) is dict and part.get("type") == "text":
                content = part.get("content")
    return {"role": said, "content": content} if type(content) is str else None


def _from_dict(value: dict[str, object], role: str, depth: int) -> list[Canonical]:
    if not _MESSAGE_KEYS.isdisjoint(value):
        return _message(value, role)
    alone = _as_message(value, role)
    if alone is not None:
        # What is only encrypted, such as thoughts that are kept secret, says nothing.
        return [message for message in _message(alone, role) if len(message) > 2 or message["content"]]
    for key in _WRAPPERS:
        inner = value.get(key)
        if inner is None or inner == "":
            continue
        found = _collect(structure(inner) if key != "text" else inner, role, depth + 1)
        if found:
            return _preamble(value, found) + found
    return []


def _as_message(value: dict[str, object], role: str) -> dict[str, object] | None:
    """Return the message around a part that stands alone; None for what is no part."""
    word = value.get("type")
    what = _what(word) if isinstance(word, str) else ""
    if what:
        return {"role": "assistant" if what in ("call", "reasoning") else role, "content": [value]}
    if isinstance(word, str) and ("content" in value or word.lower() in ROLES):
        return value
    if not _KEYS.isdisjoint(value):
        return {"role": role, "content": [value]}
    if isinstance(value.get("thinking"), str) and isinstance(value.get("response"), str):  # Ollama
        return {"role": "assistant", "content": value["response"], "thinking": value["thinking"]}
    return None


def _preamble(value: dict[str, object], found: list[Canonical]) -> list[Canonical]:
    """Return the system message that some requests keep beside the messages."""
    config = value.get("config")
    for key in ("system", "instructions", "system_instruction", "systemInstruction"):
        inner = value.get(key) or (config.get(key) if isinstance(config, dict) else None)
        if inner and isinstance(inner, (str, list, dict)) and found[0].get("role") != "system":
            text = "\n".join(str(part["content"]) for part in _collect(inner, "system", 1))
            return [{"role": "system", "content": text}] if text else []
    return []


def _message(item: dict[str, object], role: str) -> list[Canonical]:
    """Return one message, and one more for each tool result it carries."""
    word = item.get("type")
    for inner_key in ("data", "kwargs"):  # LangChain: {"type", "data": {...}} and {"lc", "kwargs": {...}}
        inner = item.get(inner_key)
        if isinstance(inner, dict) and "role" not in item:
            names = item.get("id")
            kind = names[-1] if isinstance(names, list) and names and isinstance(names[-1], str) else ""
            word = inner.get("type") or word if inner_key == "data" else inner.get("type") or kind
            item = inner
            break
    said = item.get("role")
    if not isinstance(said, str) or not said:
        whose = item.get("kind")
        said = word if isinstance(word, str) and word.lower() in _ROLE_WORDS else role
        said = _KINDS.get(whose, said) if isinstance(whose, str) else said
    said = _role(said, role)
    parts = item.get("parts")
    if parts is None:
        parts = item.get("content")
    if parts is None:
        parts = item.get("blocks")
    body = _Body()
    body.take(parts)
    if not _BESIDE_KEYS.isdisjoint(item):
        _extras(item, body)
    message: Canonical = {"role": said, "content": "\n".join(body.texts)}
    if body.calls:
        message["tool_calls"] = body.calls
    if not _NAME_KEYS.isdisjoint(item):
        message |= _names(item)
    if said == "tool" and "tool_call_id" not in message and isinstance(item.get("id"), str):
        message["tool_call_id"] = item["id"]
    if body.reasoning:
        message["reasoning"] = "\n".join(body.reasoning)
    if (body.results or body.system) and len(message) == 2 and not message["content"]:
        return [*body.system, *body.results]
    return [*body.system, message, *body.results]


def _names(item: dict[str, object]) -> Canonical:
    """Return whose result a message is and what its speaker is called."""
    said = ((key, next((item[name] for name in names if item.get(name)), None)) for key, names in _NAMES)
    return {key: name for key, name in said if isinstance(name, str)}


def _role(said: str, role: str) -> str:
    """Return the chat word of a role; ``role`` for a client's "unknown"."""
    word = said.lower()
    if word == "unknown":
        return role
    # A stream put together piece by piece: "assistantassistantassistant".
    if word.startswith("assistant") and not word.replace("assistant", ""):
        return "assistant"
    return ROLES.get(word, said)


def _extras(item: dict[str, object], body: _Body) -> None:
    """Take what stands under ``_BESIDE_KEYS``: calls, reasoning, a refusal."""
    more = item.get("additional_kwargs")
    more = more if isinstance(more, dict) else {}
    calls = item.get("tool_calls") or item.get("toolCalls") or more.get("tool_calls")
    if isinstance(calls, list) and not body.calls:
        for call in calls:
            if isinstance(call, dict):
                body.call(call)
    call = item.get("function_call")
    if isinstance(call, dict) and not body.calls:
        body.call(call)
    for inner in _dicts(item.get("toolInvocations")):  # the AI SDK, up to version 4
        body.call(inner, "tool-invocation")
    for inner in _dicts(item.get("executed_tools")):  # Groq
        body.call({**inner, "name": inner.get("name") or inner.get("type")}, "executed_tool_call")
    body.texts += ["[image]" for _ in _items(item.get("images"))]  # Ollama
    for key in ("reasoning_content", "reasoning", "thinking", "tool_plan"):
        text = item.get(key) or more.get(key)
        if isinstance(text, str) and text and not body.reasoning:
            body.reasoning.append(text)
    audio = item.get("audio")  # an answer that is spoken says its words beside
    spoken = audio.get("transcript") if isinstance(audio, dict) else None
    for said in (item.get("refusal"), spoken):
        if isinstance(said, str) and said and not body.texts:
            body.texts.append(said)


class _Body:
    """What the parts of one message amount to."""

    __slots__ = ("calls", "reasoning", "results", "system", "texts")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.calls: list[Canonical] = []
        self.results: list[Canonical] = []
        self.reasoning: list[str] = []
        self.system: list[Canonical] = []

    def take(self, parts: object) -> None:
        if isinstance(parts, str):
            if parts:
                self.texts.append(parts)
        elif isinstance(parts, list):
            for part in parts:
                if isinstance(part, dict):
                    self.part(part)
                elif isinstance(part, str):
                    self.texts.append(part)
        elif isinstance(parts, dict):
            inner = parts.get("parts")
            if isinstance(inner, list):
                self.take(inner)
            else:
                self.part(parts)
        elif parts is not None:
            self.texts.append(dumps(parts))

    def part(self, part: dict[str, object]) -> None:
        if isinstance(part.get("toolInvocation"), dict):  # the AI SDK, up to version 4
            part = {**_dict(part["toolInvocation"]), "type": "tool-invocation"}
        said = part.get("type") or part.get("block_type") or part.get("part_kind") or part.get("kind")
        word = said if isinstance(said, str) else ""
        what = _what(word) if word else ""
        if what == "text":
            text = part.get("content")
            if text is None:
                text = part.get("text", part.get("refusal"))
            if isinstance(text, list) and word == "user-prompt":
                self.take(text)
            elif text is not None:
                self.texts.append(plain(text))
        elif what == "call":
            self.call(part, word)
        elif word == "retry-prompt" and not part.get("tool_name"):
            self.texts.append(plain(part.get("content")))  # what pydantic-ai asks of the model again
        elif what == "result":
            self.result(part)
        elif what == "reasoning":
            self.think(part)
        elif word == "system-prompt":
            self.system.append({"role": "system", "content": plain(part.get("content"))})
        elif word not in _MARKS:
            self.untyped(part, word)

    def untyped(self, part: dict[str, object], word: str) -> None:
        """Take a part whose key says what it is, as Gemini and Bedrock write them, or a part that is not text."""
        for key, what in _KEYED:
            inner = part.get(key)
            if isinstance(inner, dict):
                self.keyed(inner, what, "code_execution" if "xecut" in key else "")
                return
        text = part.get("text")
        if isinstance(text, str) and not word:
            (self.reasoning if part.get("thought") is True else self.texts).append(text)
        elif word == "document" and "data" in (document := _dict(part.get("document"))):
            self.texts.append(plain(document["data"]))  # Cohere: what a tool found
        elif word == "text-delta" or (not word and part.keys() == {"json"}):
            self.texts.append(plain(part.get("delta", part.get("json"))))
        else:
            self.texts.append(f"[{_medium(part, word)}]")

    def keyed(self, inner: dict[str, object], what: str, name: str) -> None:
        if what == "call":
            self.call({**inner, "name": name} if name else inner)
        elif what == "result":
            self.result({**inner, "name": name} if name else inner)
        elif what == "reasoning":
            self.think(inner)
        elif what == "text":
            self.texts.append(plain(inner.get("content", inner.get("text"))))

    def call(self, call: dict[str, object], word: str = "") -> None:
        inner = next((found for key in ("function", "custom") if isinstance(found := call.get(key), dict)), call)
        name = inner.get("name", call.get("tool_name", call.get("toolName")))
        if not isinstance(name, str):
            # A hosted tool has no other name than its type: "web_search_call".
            name = word.removeprefix("tool-").removesuffix("_call") if word not in ("tool_call", "tool-call") else ""
        arguments = next((inner[key] for key in _ARGUMENT_KEYS if inner.get(key) is not None), "")
        identity = next((call[key] for key in _CALL_IDS if call.get(key)), None)
        known = _id(identity)
        self.calls.append(
            {
                "id": known,
                "name": name,
                "arguments": arguments if isinstance(arguments, str) else dumps(arguments),
            }
        )
        if word and word not in ("tool_call", "function_call", "tool_use", "tool-call"):
            # The endpoint ran the tool itself and says in the same part what came of it.
            given = next(
                (
                    call[key]
                    for key in ("output", "results", "outputs", "result", "errorText", "error")
                    if call.get(key)
                ),
                None,
            )
            if word == "image_generation_call" and given is not None:
                given = "[image]"
            if given is not None:
                self.result({"output": given, "id": known, "name": name})

    def result(self, part: dict[str, object]) -> None:
        content = next((part[key] for key in _RESULT_KEYS if part.get(key) is not None), "")
        if isinstance(content, dict) and "value" in content and content.keys() <= {"type", "value", "providerOptions"}:
            content = content["value"]  # the AI SDK says the type of a result around it
        message: Canonical = {"role": "tool", "content": plain(content)}
        identity = next((part[key] for key in _RESULT_IDS if part.get(key)), None)
        known = _id(identity)
        if known is not None:
            message["tool_call_id"] = known
        name = part.get("name") or part.get("tool_name") or part.get("toolName")
        if isinstance(name, str):
            message["name"] = name
        self.results.append(message)

    def think(self, part: dict[str, object]) -> None:
        for key in ("content", "text", "thinking", "reasoningText", "summary", "reasoning"):
            text = structure(part.get(key))
            if text:
                said = text.get("text") if isinstance(text, dict) else text
                if said:
                    self.reasoning.append(plain(said))
                return


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _dicts(value: object) -> list[dict[str, object]]:
    return [item for item in _items(value) if isinstance(item, dict)]


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _id(value: object) -> str | None:
    """Return an id as text: a few clients count their calls."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


def plain(value: object) -> str:
    """Return the text of a value: parts of text joined, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and isinstance(value.get("text"), str) and value.get("type") in (None, *_TEXT_PARTS):
        return str(value["text"])
    if isinstance(value, dict) and _is_medium(value):
        return f"[{_medium(value, str(value['type']))}]"
    if isinstance(value, list) and value:
        if all(isinstance(item, str) for item in value):
            return "\n".join(str(item) for item in value)
        texts = [_text_of(item) for item in value]
        if None not in texts:
            return "\n".join(map(str, texts))
    return "" if value is None else dumps(value)


#: Types of the parts of a result that are shown by their name, and what they hold their data in.
_MEDIA: Final = frozenset({
    "image", "image_url", "input_image", "computer_screenshot", "audio", "input_audio", "video", "document", "media",
    "file", "input_file", "image-data", "file-data",
})  # fmt: skip  # many words: packed, they are read at a glance
_HELD: Final = frozenset({"image_url", "file_id", "file_data", "input_audio", *_MEDIA_TYPES[1:]})


def _is_medium(part: dict[str, object]) -> bool:
    """Return whether a part of a result is no text; what a tool gave may call itself a document too."""
    if len(part) == 1:  # Bedrock
        return any(isinstance(_dict(part.get(key)).get("source"), dict) for key in ("image", "document", "video"))
    return part.get("type") in _MEDIA and (isinstance(part.get("source"), dict) or not _HELD.isdisjoint(part))


def _text_of(item: object) -> str | None:
    """Return the text of one part of a result: {"text": ...}, or Bedrock's {"json": ...}."""
    if not isinstance(item, dict):
        return None
    if isinstance(item.get("text"), str):
        return str(item["text"])
    if _is_medium(item):
        return f"[{_medium(item, str(item.get('type') or ''))}]"
    return dumps(item["json"]) if item.keys() == {"json"} else None


_NAMED: Final = tuple((name, name) for name in ("audio", "video", "document", "file"))


def _medium(part: dict[str, object], word: str) -> str:
    """Return what a part that is not text shows: image, audio, video, document, file."""
    data = next((inner for key in _DATA if isinstance(inner := part.get(key), dict)), part)
    said = (holder.get(key) for holder in (part, data) for key in _MEDIA_TYPES)
    media = str(next((found for found in said if found), ""))
    text = f"{media} {word} {' '.join(part)}".lower()
    for name, mark in (("image", "image"), ("image", "screenshot"), *_NAMED):
        if mark in text:
            return name
    return word[:40] or "part"
