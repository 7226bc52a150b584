"""The stand-in behind the interface of a real endpoint.

It reads the messages as an application sends them: the sources and the question may stand in one user message, in a
system and a user message, or be the question alone. It is deterministic, so without a ``seed`` the repeat index
takes its place (unless the temperature is 0): repeats differ as those of a model would.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from lmops.base.chat import Message, ToolCall, Usage
from lmops.errors import ModelError
from lmops.models._records import Answer, finish_reason
from lmops.standin import ChatRequest, chat_model
from lmops.standin.embed import embedding
from lmops.standin.text import count_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lmops.models._records import Call, Endpoint
    from lmops.standin import ChatModel

_QUESTION: Final = "\nQuestion:\n"
_ONE_LINE: Final = re.compile(r"(?:\A|\n)(?:Question|User|Customer):[ \t]*(?=\S)")
_SOURCE: Final = re.compile(r"^\[[\w#-]+\] ", re.MULTILINE)
_MARKED: Final = re.compile(r"[a-z]{2}: ")


@functools.cache
def _model(name: str, revision: int) -> ChatModel:
    return chat_model(f"standin:{name}", revision=revision)


def warm(endpoint: Endpoint) -> None:
    """Read what the stand-in knows."""
    if endpoint.model != "embed-1":
        _model(endpoint.model, endpoint.revision)


def answer(call: Call) -> Answer:
    """Return what the stand-in says; ``latency_ms`` that it simulates is put on the span, and not waited for here."""
    endpoint, params = call.endpoint, call.params
    if endpoint.model == "embed-1":
        raise ModelError(
            "'standin:embed-1' makes vectors: ws.models.embed('standin:embed-1', texts)", kind="bad_request"
        )
    temperature = params.get("temperature", 0.2)
    seed = params.get("seed")
    if seed is None:
        seed = call.repeat if temperature else 0
    try:
        request = ChatRequest(
            model=endpoint.model,
            messages=_messages(call.messages, endpoint.model),
            tools=tuple(tool["function"]["name"] for tool in call.tools or ()),
            definitions=tuple(dict(tool) for tool in call.tools or ()) if endpoint.model == "agent-1" else (),
            temperature=temperature,
            max_tokens=params.get("max_tokens", 600),
            seed=seed,
        )
        found = _model(endpoint.model, endpoint.revision).complete(request)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            f"{endpoint.spec!r} cannot read this request ({type(error).__name__}: {error}); it knows the help pages "
            "and the two tools of the sample, and nothing else",
            kind="bad_request",
        ) from error
    content: str | None = found.content
    if call.schema is not None and not found.tool_calls and endpoint.model != "judge-1":
        content = _in_schema(found.content, call.schema)
    return Answer(
        content=None if found.tool_calls and not content else content,
        model=found.model,
        tool_calls=found.tool_calls,
        finish_reason=finish_reason(found.finish_reason),
        usage=found.usage,
        response_id=found.id,
        system_fingerprint=found.system_fingerprint,
        attributes={"lmops.standin.simulated_latency_ms": found.latency_ms},
    )


def embed(texts: list[str]) -> tuple[tuple[tuple[float, ...], ...], Usage]:
    """Return the stand-in's vectors, and the tokens by its own count."""
    return tuple(map(embedding, texts)), Usage(input_tokens=sum(map(count_tokens, texts)))


def _messages(messages: Any, model: str) -> tuple[Message, ...]:
    found = [
        Message(
            role=message["role"] if message["role"] != "developer" else "system",
            content=_text(message.get("content")),
            tool_calls=tuple(
                ToolCall(id=raw.get("id", ""), name=raw["function"]["name"], arguments=raw["function"]["arguments"])
                for raw in message.get("tool_calls") or ()
            ),
            tool_call_id=message.get("tool_call_id"),
        )
        for message in messages
    ]
    last = found[-1]
    if model in ("judge-1", "agent-1"):
        return tuple(found)
    if model == "rewrite-1":
        if not _MARKED.match(last.content):
            found[-1] = Message(role=last.role, content="en: " + last.content)
    elif last.role != "tool" and _QUESTION not in last.content:
        found[-1] = Message(role=last.role, content=_marked(last.content, found[:-1]))
    return tuple(found)


def _marked(text: str, before: list[Message]) -> str:
    """Return the last message in the form that the stand-in reads: sources, then the question under its heading."""
    heads = list(_ONE_LINE.finditer(text))
    head, question = (text[: heads[-1].start()], text[heads[-1].end() :]) if heads else ("", text)
    if not heads and _SOURCE.search(text):
        # Sources and no heading: the last paragraph asks.
        head, _, question = text.rstrip().rpartition("\n\n")
    if not _SOURCE.search(head):
        head = "\n".join([*(message.content for message in before if _SOURCE.search(message.content)), head])
    return f"{head}{_QUESTION}{question}"


def _text(content: object) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(part.get("text", "") for part in content)
    raise TypeError(f"content is a {type(content).__name__}")


def _in_schema(text: str, schema: Mapping[str, Any]) -> str:
    """Return the text as the first text property of the schema; it has nothing to say in any other shape."""
    properties = schema.get("properties", {})
    name = next((name for name, part in properties.items() if part.get("type") == "string"), None)
    return text if name is None else orjson.dumps({name: text}).decode()
