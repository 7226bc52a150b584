"""What a version is made of, checked, in one canonical form, and its hash."""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lmops.errors import UsageError, did_you_mean
from lmops.prompts.rendering import analyse
from lmops.records import text_hash

ROLES: Final = ("system", "developer", "user", "assistant")
MAX_BYTES: Final = 1_000_000
_MAX_MESSAGES: Final = 1000
_MAX_DEPTH: Final = 64
_EXACT: Final = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The content of a version: equal content, equal hash."""

    messages: tuple[dict[str, str], ...]
    template: str | None = None
    model: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    response_schema: dict[str, Any] | None = None
    tools: list[Any] | None = None

    @property
    def body(self) -> str:
        """Return the canonical JSON: sorted keys, no spaces, exact text."""
        text: dict[str, Any] = (
            {"messages": list(self.messages)} if self.template is None else {"template": self.template}
        )
        rest = {
            "model": self.model,
            "params": self.params,
            "response_schema": self.response_schema,
            "tools": self.tools,
        }
        return json.dumps(text | rest, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)

    @property
    def hash(self) -> str:
        """Return the tagged SHA-256 of the canonical JSON in UTF-8."""
        return text_hash(self.body)


def from_body(body: str) -> Content:
    """Return the content of a stored canonical JSON text."""
    found = json.loads(body)
    template = found.get("template")
    messages = ({"role": "user", "content": template},) if template is not None else tuple(found["messages"])
    return Content(
        messages=messages,
        template=template,
        model=found["model"],
        params=found["params"],
        response_schema=found["response_schema"],
        tools=found["tools"],
    )


def make(
    template: str | Sequence[Mapping[str, str]],
    *,
    model: str | None = None,
    params: Mapping[str, Any] | None = None,
    response_schema: Mapping[str, Any] | None = None,
    tools: Sequence[Any] | None = None,
) -> Content:
    r"""Return checked content; line ends become ``\n``, everything else of the text stays as it is.

    Raises:
        UsageError: It cannot be a prompt; the message says what is wrong and where.
    """
    text = _text(template, "the template") if isinstance(template, str) else None
    messages = ({"role": "user", "content": text},) if text is not None else _messages(template)
    if not any(message["content"].strip() for message in messages):
        raise UsageError("the prompt is empty: give a text, or messages with content")
    if model is not None and not (isinstance(model, str) and model.strip()):
        raise UsageError(f"model={model!r}: give the name of a model, such as 'openai:gpt-5-mini', or leave it out")
    settings = _mapping(params, "params") or {}
    from lmops.models import check_params

    check_params(settings, has_schema=response_schema is not None)
    content = Content(
        messages=messages,
        template=text,
        model=model.strip() if model else None,
        params=settings,
        response_schema=_mapping(response_schema, "response_schema"),
        tools=_tools(tools),
    )
    size = len(content.body.encode())
    if size > MAX_BYTES:
        raise UsageError(
            f"the prompt has {size:,} bytes; the most is {MAX_BYTES:,}. Long documents belong into a variable"
        )
    analyse(messages)
    return content


def _messages(given: object) -> tuple[dict[str, str], ...]:
    if not isinstance(given, Sequence) or isinstance(given, bytes):
        raise UsageError(
            f"a prompt is a text or a list of messages, not {type(given).__name__}: "
            "[{'role': 'system', 'content': '...'}, {'role': 'user', 'content': '...'}]"
        )
    if len(given) > _MAX_MESSAGES:
        raise UsageError(f"the prompt has {len(given):,} messages; the most is {_MAX_MESSAGES:,}")
    return tuple(_message(message, number) for number, message in enumerate(given, start=1))


def _message(message: object, number: int) -> dict[str, str]:
    where = f"message {number}"
    if not isinstance(message, Mapping):
        raise UsageError(f"{where} is {type(message).__name__}; give {{'role': 'user', 'content': '...'}}")
    unknown = [str(key) for key in message if key not in ("role", "content")]
    if unknown:
        raise UsageError(f"{where} has the key {unknown[0]!r}; a message of a prompt has 'role' and 'content'")
    role = message.get("role")
    if role not in ROLES:
        raise UsageError(f"{where}: " + did_you_mean("role", str(role), ROLES))
    if not isinstance(message.get("content"), str):
        raise UsageError(f"{where}: the content must be text, not {type(message.get('content')).__name__}")
    return {"role": role, "content": _text(message["content"], where)}


def _text(text: str, where: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{where} holds half a character (a lone surrogate); it cannot be stored") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _mapping(given: object, what: str) -> dict[str, Any] | None:
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise UsageError(f"{what} must be a dict, not {type(given).__name__}")
    found: dict[str, Any] = _plain(given, what, 0)
    return found


def _tools(given: object) -> list[Any] | None:
    if given is None:
        return None
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
        raise UsageError(f"tools must be a list of tool definitions or names, not {type(given).__name__}")
    for number, tool in enumerate(given, start=1):
        if not isinstance(tool, str | Mapping):
            raise UsageError(f"tools: number {number} is {type(tool).__name__}; give a definition (dict) or a name")
    return [_plain(tool, "tools", 0) for tool in given]


def _plain(value: Any, where: str, depth: int) -> Any:
    """Return JSON data in one form: integral floats as integers, tuples as lists, keys as text."""
    if depth > _MAX_DEPTH:
        raise UsageError(f"{where} is nested deeper than {_MAX_DEPTH} levels")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(_text(value, where))
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        value = float(value)
        if not math.isfinite(value):
            raise UsageError(f"{where} holds {value}, which is no JSON number")
        return int(value) if value.is_integer() and abs(value) < _EXACT else value
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise UsageError(f"{where}: the key {key!r} is {type(key).__name__}; keys are text")
        return {_text(key, where): _plain(item, f"{where}.{key[:40]}", depth + 1) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_plain(item, f"{where}[{place}]", depth + 1) for place, item in enumerate(value)]
    raise UsageError(f"{where} is {type(value).__name__}; use text, numbers, booleans, None, lists and dicts")
