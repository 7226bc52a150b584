"""The canonical form of a conversation, read back from the ``input`` and ``output`` columns."""

from __future__ import annotations

from lmops.base.chat import Message, ToolCall
from lmops.traces._json import loads


def messages(text: str | None) -> list[Message] | None:
    """Return the messages of one canonical text, or None when the text is not in that form.

    Example:
        >>> messages('[{"role":"user","content":"hi"}]')[0].content
        'hi'
        >>> messages("plain text") is None
        True
    """
    if not text or text[0] != "[":
        return None
    try:
        found = loads(text)
    except ValueError:
        return None
    if not isinstance(found, list):
        return None
    result: list[Message] = []
    for item in found:
        message = _message(item)
        if message is None:
            return None
        result.append(message)
    return result


def _message(item: object) -> Message | None:
    if not isinstance(item, dict):
        return None
    role, content = item.get("role"), item.get("content")
    if not isinstance(role, str) or not isinstance(content, str):
        return None
    raw_calls = item.get("tool_calls")
    calls = raw_calls if isinstance(raw_calls, list) else []
    return Message(
        role=role,
        content=content,
        tool_calls=tuple(_tool_call(call) for call in calls if isinstance(call, dict)),
        tool_call_id=_optional(item.get("tool_call_id")),
        name=_optional(item.get("name")),
        reasoning=_optional(item.get("reasoning")),
    )


def _tool_call(call: dict[str, object]) -> ToolCall:
    return ToolCall(
        id=_optional(call.get("id")),
        name=_optional(call.get("name")) or "",
        arguments=_optional(call.get("arguments")) or "",
    )


def _optional(value: object) -> str | None:
    return value if isinstance(value, str) else None
