"""One conversation out of the many shapes that clients write.

OpenTelemetry parts, OpenAI chat and responses, Anthropic blocks, Gemini contents, LangChain and LlamaIndex messages.

A canonical message is ``{"role", "content"}`` with ``tool_calls``, ``tool_call_id``, ``name`` and ``reasoning`` where
they apply; content is always text.
"""

from __future__ import annotations

from typing import Final

from lmops.traces._json import MAX_DEPTH, dumps, structure

Canonical = dict[str, object]

#: Words for roles that are not the chat word.
ROLES: Final[dict[str, str]] = {"human": "user", "ai": "assistant", "AIMessageChunk": "assistant", "model": "assistant",
                                "humanmessage": "user", "aimessage": "assistant", "systemmessage": "system",
                                "toolmessage": "tool", "aimessagechunk": "assistant"}  # fmt: skip

_ROLE_WORDS: Final = frozenset({*ROLES, "system", "user", "assistant", "tool"})
_TEXT_PARTS: Final = frozenset({"text", "input_text", "output_text", "summary_text", "refusal"})
_REASONING_PARTS: Final = frozenset({"reasoning", "thinking", "reasoning_content"})
_CALL_PARTS: Final = frozenset({"tool_call", "tool_use", "function_call", "server_tool_call", "tool-call"})
_RESULT_PARTS: Final = frozenset(
    {"tool_call_response", "tool_result", "function_call_output", "server_tool_call_response", "tool-result"}
)
_ARGUMENT_KEYS: Final = ("arguments", "input", "args", "tool_kwargs", "parameters")
#: Keys that hold the messages of a request or of an answer, most telling first.
_WRAPPERS: Final = ("messages", "choices", "generations", "candidates", "contents", "output", "message", "response",
                    "prompt", "input", "prompts", "content", "text", "combined_chunk_content", "delta")  # fmt: skip
_SIMPLE_ROLES: Final = frozenset({"user", "assistant", "system"})
_SIMPLE_KEYS: Final = frozenset({"role", "content", "parts", "finish_reason", "name"})
_MESSAGE_KEYS: Final = frozenset({"role", "parts", "blocks", "lc", "data", "tool_calls"})


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
    word = value.get("type")
    if isinstance(word, str):
        if word in _CALL_PARTS or word in _REASONING_PARTS:
            return _message({"role": "assistant", "content": [value]}, role)
        if word in _RESULT_PARTS or word in _TEXT_PARTS:
            return _message({"role": role, "content": [value]}, role)
        if "content" in value or word.lower() in ROLES:
            return _message(value, role)
    for key in _WRAPPERS:
        inner = value.get(key)
        if inner is None or inner == "":
            continue
        found = _collect(structure(inner) if key != "text" else inner, role, depth + 1)
        if found:
            return _preamble(value, found) + found
    return []


def _preamble(value: dict[str, object], found: list[Canonical]) -> list[Canonical]:
    """Return the system message that some requests keep beside the messages."""
    for key in ("system", "instructions", "system_instruction"):
        inner = value.get(key)
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
        said = word if isinstance(word, str) and word.lower() in _ROLE_WORDS else role
    said = _role(said, role)
    parts = item.get("parts")
    if parts is None:
        parts = item.get("content")
    if parts is None:
        parts = item.get("blocks")
    body = _Body()
    body.take(parts)
    _extras(item, body)
    message: Canonical = {"role": said, "content": "\n".join(body.texts)}
    if body.calls:
        message["tool_calls"] = body.calls
    for key in ("tool_call_id", "name"):
        extra = item.get(key)
        if isinstance(extra, str) and extra:
            message[key] = extra
    if said == "tool" and "tool_call_id" not in message and isinstance(item.get("id"), str):
        message["tool_call_id"] = item["id"]
    if body.reasoning:
        message["reasoning"] = "\n".join(body.reasoning)
    if body.results and len(message) == 2 and not message["content"]:
        return body.results
    return [message, *body.results]


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
    """Take what chat formats keep beside the content: calls, reasoning, a refusal."""
    calls = item.get("tool_calls")
    if isinstance(calls, list) and not body.calls:
        for call in calls:
            if isinstance(call, dict):
                body.call(call)
    call = item.get("function_call")
    if isinstance(call, dict) and not body.calls:
        body.call(call)
    for key in ("reasoning_content", "reasoning", "thinking"):
        text = item.get(key)
        if isinstance(text, str) and text and not body.reasoning:
            body.reasoning.append(text)
    refusal = item.get("refusal")
    if isinstance(refusal, str) and refusal and not body.texts:
        body.texts.append(refusal)


class _Body:
    """What the parts of one message amount to."""

    __slots__ = ("calls", "reasoning", "results", "texts")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.calls: list[Canonical] = []
        self.results: list[Canonical] = []
        self.reasoning: list[str] = []

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
        said = part.get("type") or part.get("block_type") or part.get("kind")
        word = said if isinstance(said, str) else ""
        if word in _TEXT_PARTS:
            text = part.get("content")
            if text is None:
                text = part.get("text", part.get("refusal"))
            if text is not None:
                self.texts.append(plain(text))
        elif word in _CALL_PARTS:
            self.call(part)
        elif word in _RESULT_PARTS:
            self.result(part)
        elif word in _REASONING_PARTS:
            self.think(part)
        else:
            self.untyped(part, word)

    def untyped(self, part: dict[str, object], word: str) -> None:
        """Take a Gemini part, whose key says what it is, or a part that is not text."""
        call = part.get("function_call", part.get("functionCall"))
        answer = part.get("function_response", part.get("functionResponse"))
        text = part.get("text")
        if isinstance(call, dict):
            self.call(call)
        elif isinstance(answer, dict):
            self.result(answer)
        elif isinstance(text, str) and not word:
            self.texts.append(text)
        else:
            self.texts.append(f"[{_medium(part, word)}]")

    def call(self, call: dict[str, object]) -> None:
        function = call.get("function")
        inner = function if isinstance(function, dict) else call
        name = inner.get("name", call.get("tool_name", call.get("toolName")))
        arguments = next((inner[key] for key in _ARGUMENT_KEYS if inner.get(key) is not None), "")
        identity = (
            call.get("call_id")
            or call.get("id")
            or call.get("tool_call_id")
            or call.get("tool_id")
            or call.get("toolCallId")
        )
        self.calls.append({
            "id": identity if isinstance(identity, str) else None,
            "name": name if isinstance(name, str) else "",
            "arguments": arguments if isinstance(arguments, str) else dumps(arguments),
        })  # fmt: skip

    def result(self, part: dict[str, object]) -> None:
        content = next(
            (part[key] for key in ("result", "response", "content", "output") if part.get(key) is not None), ""
        )
        message: Canonical = {"role": "tool", "content": plain(content)}
        identity = part.get("id") or part.get("tool_use_id") or part.get("call_id") or part.get("tool_call_id")
        if isinstance(identity, str):
            message["tool_call_id"] = identity
        if isinstance(part.get("name"), str):
            message["name"] = part["name"]
        self.results.append(message)

    def think(self, part: dict[str, object]) -> None:
        for key in ("content", "text", "thinking", "summary"):
            text = part.get(key)
            if text:
                self.reasoning.append(plain(structure(text)))
                return


def plain(value: object) -> str:
    """Return the text of a value: parts of text joined, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and isinstance(value.get("text"), str) and value.get("type") in (None, *_TEXT_PARTS):
        return str(value["text"])
    if isinstance(value, list) and value:
        if all(isinstance(item, str) for item in value):
            return "\n".join(str(item) for item in value)
        parts = [item for item in value if isinstance(item, dict) and isinstance(item.get("text"), str)]
        if len(parts) == len(value):
            return "\n".join(str(part["text"]) for part in parts)
    return "" if value is None else dumps(value)


def _medium(part: dict[str, object], word: str) -> str:
    """Return what a part that is not text shows: image, audio, video, document, file."""
    media = str(part.get("modality") or part.get("mime_type") or part.get("media_type") or "")
    text = f"{media} {word} {' '.join(part)}".lower()
    for name in ("image", "audio", "video", "document", "file"):
        if name in text:
            return name
    return word[:40] or "part"
