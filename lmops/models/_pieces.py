"""A streamed answer put together from its pieces, whatever an endpoint makes of OpenAI's form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from lmops.base.chat import ToolCall, Usage
from lmops.models._records import Answer, finish_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: Parts of a content that are not what the model answers.
_ASIDE: Final = frozenset({"thinking", "reasoning", "redacted_thinking"})


class Pieces:
    """The pieces of one streamed answer.

    Args:
        answer: Filled on the way.
        usage_of: What the usage of an endpoint means.
    """

    def __init__(self, answer: Answer, usage_of: Callable[[object, Mapping[str, Any]], Usage]) -> None:
        self._answer = answer
        self._usage_of = usage_of
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._calls: list[_Call] = []
        self.is_finished = False

    @property
    def text(self) -> str:
        """The text up to now."""
        return "".join(self._text)

    def add(self, chunk: Mapping[str, Any]) -> str:
        """Take one piece and return its text."""
        answer = self._answer
        answer.model = optional(chunk.get("model")) or answer.model
        answer.response_id = optional(chunk.get("id")) or answer.response_id
        answer.system_fingerprint = optional(chunk.get("system_fingerprint")) or answer.system_fingerprint
        if chunk.get("usage") is not None:
            answer.usage = self._usage_of(chunk["usage"], chunk)
        text = ""
        for choice in (chunk.get("choices") or ())[:1]:
            if choice.get("finish_reason"):
                self.is_finished = True
                answer.finish_reason = finish_reason(choice["finish_reason"])
            # A few send whole messages.
            delta = choice.get("delta") or choice.get("message") or {}
            text = text_of(delta.get("content")) or ""
            refusal = delta.get("refusal")
            self._refusal.append(refusal if isinstance(refusal, str) else "")
            old = delta.get("function_call")
            for place, part in enumerate(delta.get("tool_calls") or ([{"function": old}] if old else ())):
                self._add_call(part, place)
        self._text.append(text)
        return text

    def _add_call(self, part: Mapping[str, Any], place: int) -> None:
        function = function_of(part)
        index = part["index"] if isinstance(part.get("index"), int) else place
        found = _Call(index, str(part.get("id") or ""), str(function.get("name") or ""), arguments_of(function))
        known = [call for call in self._calls if call.index == index]
        by_id = [call for call in known if found.id and call.id == found.id]
        of = by_id or known
        if not of or of[-1].is_another(found):
            self._calls.append(found)
        else:
            of[-1].extend(found)

    def finish(self) -> None:
        """Put what was collected on the answer."""
        answer = self._answer
        answer.tool_calls = tuple(
            ToolCall(id=call.id, name=call.name, arguments=call.arguments)
            for call in sorted(self._calls, key=lambda call: call.index)
        )
        answer.refusal = "".join(self._refusal) or None
        answer.content = self.text or (None if answer.tool_calls or answer.refusal else "")


class _Call:
    """A call of a tool that comes in parts."""

    def __init__(self, index: int, call_id: str, name: str, arguments: str) -> None:
        self.index, self.id, self.name, self.arguments = index, call_id, name, arguments

    def is_another(self, part: _Call) -> bool:
        """Return whether a part at the same index begins another call.

        Some endpoints give every parallel call the index 0; some say the name, or a new id, with each part of one.
        """
        if not part.name or (part.id and part.id == self.id):
            return False
        has_new_id = bool(part.id and self.id)
        if not self.arguments:
            return has_new_id
        if _is_whole(self.arguments):
            return has_new_id or part.name != self.name or part.arguments.lstrip().startswith("{")
        return has_new_id and (part.name != self.name or part.arguments.lstrip().startswith("{"))

    def extend(self, part: _Call) -> None:
        """Take a further part of this call."""
        self.id = self.id or part.id
        if part.name != self.name:
            self.name += part.name
        self.arguments += part.arguments


def _is_whole(arguments: str) -> bool:
    try:
        return isinstance(orjson.loads(arguments), dict)
    except orjson.JSONDecodeError:
        return False


def function_of(call: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return name and arguments of a call; a custom tool has an input, which is any text, in their place."""
    custom = call.get("custom")
    if isinstance(custom, dict):
        return {"name": custom.get("name"), "arguments": custom.get("input")}
    return call.get("function") or {}


def arguments_of(function: Mapping[str, Any]) -> str:
    """Return the arguments of a call as JSON text, also where they came as an object."""
    arguments = function.get("arguments")
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return orjson.dumps(arguments).decode()


def text_of(content: object) -> str | None:
    """Return the text of a content: a text, or a list of parts without what the model thought.

    Raises:
        TypeError: It is neither.
    """
    if content is None or isinstance(content, str):
        return content
    if isinstance(content, dict):
        content = [content]
    if isinstance(content, list):
        return "".join(
            part if isinstance(part, str) else part["text"]
            for part in content
            if isinstance(part, str)
            or (isinstance(part, dict) and isinstance(part.get("text"), str) and part.get("type") not in _ASIDE)
        )
    raise TypeError("its content is no text")


def optional(value: object) -> str | None:
    """Return a text that is not empty, or None."""
    return value if isinstance(value, str) and value else None


def plain(chunk: Any) -> dict[str, Any]:
    """Return a piece of a client as the JSON object that it is.

    Raises:
        TypeError: It is none.
    """
    if hasattr(chunk, "model_dump"):
        chunk = chunk.model_dump(warnings=False)
    elif not isinstance(chunk, dict):
        chunk = orjson.loads(orjson.dumps(chunk, default=vars))
    if not isinstance(chunk, dict):
        raise TypeError("a piece of the stream is no JSON object")
    return chunk


def events_of(body: bytes) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a stream of events that came as one body.

    Raises:
        JSONDecodeError: One of them is none.
        TypeError: One of them is something else in JSON.
    """
    for line in body.splitlines():
        data = line.removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
        if data == b"[DONE]":
            return
        if data:
            yield plain(orjson.loads(data))


def is_events(body: bytes) -> bool:
    """Return whether a body is a stream of events."""
    return body.lstrip().startswith((b"data:", b"event:", b": "))
