"""What a call of a model was made of, read back from its span: to try it again, and to find what a prompt was given."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lmops.prompts.content import ROLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lmops.base.chat import Message
    from lmops.traces import Span

#: Parameters of a request as spans carry them.
_PARAMS: Final = (
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "reasoning_effort",
)
_REQUEST: Final = "gen_ai.request."
_VARIABLE: Final = "gen_ai.prompt.variable."
_CODE: Final = re.compile(r"\{[{%#]")
_SLOT: Final = re.compile(r"\{\{-?\s*(?P<name>[A-Za-z_]\w*)\s*-?\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a model.

    Args:
        span_id: Its span.
        prompt: The name and version of the prompt that it was rendered from; None where the span does not say.
        sent: Its messages; calls and results of tools, which templates do not know, stand as text.
        model: The model that was asked, as a call names it.
        params: Its parameters, as far as spans carry them.
        variables: What the prompt was rendered with, as far as the span remembers.
    """

    span_id: str
    prompt: tuple[str, str] | None
    sent: tuple[dict[str, str], ...]
    model: str | None
    params: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def messages(self) -> list[dict[str, str]]:
        """Its messages as templates that render to exactly them."""
        return [{**one, "content": literal(one["content"])} for one in self.sent]


def call_of(span: Span, *, models: Mapping[str, str]) -> Call:
    """Return the call of a span.

    Args:
        span: A call of a model.
        models: The names that can be called here -> the model behind each.
    """
    said = span.attributes
    name, version = span.row.get("prompt_name"), span.row.get("prompt_version")
    params = {one: said[_REQUEST + one] for one in _PARAMS if said.get(_REQUEST + one) is not None}
    if stop := said.get(f"{_REQUEST}stop_sequences"):
        params["stop"] = stop
    return Call(
        span_id=str(span.row["span_id"]),
        prompt=(str(name), str(version)) if name and version else None,
        sent=tuple(_message(one) for one in span.input_messages) or ({"role": "user", "content": ""},),
        model=_called(span, models),
        params=params,
        variables=remembered(said),
    )


def _called(span: Span, models: Mapping[str, str]) -> str | None:
    """Return the name to call the model by: as our client did, as it is registered, or as the provider's own."""
    said = span.attributes.get("lmops.model")
    if isinstance(said, str) and said:
        return said
    asked = [str(one) for one in (span.row.get("requested_model"), span.row.get("model")) if one]
    for name, model in models.items():
        if model in asked or name in asked:
            return name
    provider = span.row.get("provider")
    return f"openai:{asked[0]}" if asked and provider == "openai" else next(iter(asked), None)


def _message(message: Message) -> dict[str, str]:
    calls = [f"{call.name}({call.arguments})" for call in message.tool_calls]
    text = "\n".join([message.content, *calls] if message.content else calls)
    return {"role": message.role if message.role in ROLES else "user", "content": text}


def literal(text: str) -> str:
    """Return the template that renders to a text, whatever it holds.

    Example:
        >>> literal("plain"), literal("{{ x }}")
        ('plain', "{{ '{{' }} x }}")
    """
    return _CODE.sub(lambda found: f"{{{{ '{found[0]}' }}}}", text)


def remembered(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that a span remembers its prompt was rendered with."""
    found = {key.removeprefix(_VARIABLE): value for key, value in attributes.items() if key.startswith(_VARIABLE)}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def recovered(templates: Sequence[Mapping[str, str]], sent: Sequence[Mapping[str, Any]]) -> dict[str, str] | None:
    """Return variables that make the messages that were sent of templates that have nothing but places for them.

    Args:
        templates: The messages of a version.
        sent: Messages with role and content; more may follow, such as the turns of a conversation.

    Returns:
        Variable -> value; None where the templates hold other code, or do not give the messages.
    """
    found: dict[str, str] = {}
    if len(sent) < len(templates):
        return None
    for template, message in zip(templates, sent, strict=False):
        content = message.get("content")
        if not isinstance(content, str) or message.get("role") != template["role"]:
            return None
        values = _values(template["content"], content)
        if values is None:
            return None
        for name, value in values:
            if found.setdefault(name, value) != value:
                return None
    return found


def _values(template: str, text: str) -> list[tuple[str, str]] | None:
    """Return what stands in the places of a template: up to what follows it there, so in one pass over the text."""
    first, *rest = _SLOT.split(template)
    names, after = rest[::2], rest[1::2]
    if any(map(_CODE.search, (first, *after))) or not text.startswith(first):
        return None
    found, at = [], len(first)
    for place, (name, end) in enumerate(zip(names, after, strict=True), start=1):
        is_last = place == len(names)
        stop = len(text) - len(end) if is_last and text.endswith(end) else text.find(end, at) if end else -1
        if stop < at:
            return None
        found.append((name, text[at:stop]))
        at = stop + len(end)
    return found if at == len(text) else None
