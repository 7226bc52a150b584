"""The stand-in for a model that calls any tools: deterministic, by rules that a test can rely on.

* A question that says a call, such as ``refund({"order": "A1"})``, is that call; several are made side by side, and
  what stands after the word "then" is called when the results are there.
* Else it calls the tools whose name and description share words with the question, each once, with the arguments that
  the question has: numbers, texts in quotes, words of an enumeration, else a word with a digit in it.
* When all that is called, it answers with what the tools returned.
"""

from __future__ import annotations

import hashlib
import json
import re
from random import Random
from typing import TYPE_CHECKING, Any, Final

from lmops.base.chat import ToolCall
from lmops.standin.text import terms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lmops.base.chat import Message

_CALL: Final = re.compile(r"\b([A-Za-z0-9_-]{1,64})\((?=\{|\))")
_THEN: Final = re.compile(r"\bthen\b", re.IGNORECASE)
_QUOTED: Final = re.compile(r"\"([^\"]*)\"|'([^']*)'")
_NUMBER: Final = re.compile(r"(?<![\w.-])-?\d+(?:\.\d+)?(?![\w-])")
_CODED: Final = re.compile(r"\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]+\b")
#: So many words of a question must be those of a tool.
_SHARED: Final = 2
_SAID: Final = 2_000


def wanted(messages: Sequence[Message], definitions: Sequence[Mapping[str, Any]]) -> tuple[ToolCall, ...]:
    """Return the calls that come next; none: it is time to answer.

    Args:
        messages: The conversation.
        definitions: The tools on offer, as OpenAI has them.
    """
    turn = max((place for place, one in enumerate(messages) if one.role == "user"), default=-1)
    if turn < 0:
        return ()
    question, since = messages[turn].content, messages[turn + 1 :]
    offered = {one["function"]["name"]: one["function"] for one in definitions}
    done = sum(1 for one in since if one.role == "assistant" and one.tool_calls)
    said = _said(question)
    calls = (said[done] if done < len(said) else []) if said else _guessed(question, offered) if not done else []
    key = hashlib.sha256(f"{done}|{question}".encode()).hexdigest()
    random = Random(key)
    return tuple(
        ToolCall(id=f"call_{random.getrandbits(48):012x}", name=name, arguments=arguments) for name, arguments in calls
    )


def told(messages: Sequence[Message]) -> str:
    """Return the answer: what the tools of this turn returned, in the order of the calls."""
    turn = max((place for place, one in enumerate(messages) if one.role == "user"), default=-1)
    results = [one.content for one in messages[turn + 1 :] if one.role == "tool"]
    if not results:
        return "I have no tool for this."
    return "The tools say: " + "; ".join(one[:_SAID] for one in results)


def _said(text: str) -> list[list[tuple[str, str]]]:
    """Return the calls that a text says, step by step, as they are written: what is in brackets may be no JSON."""
    steps: list[list[tuple[str, str]]] = []
    decoder, place = json.JSONDecoder(), 0
    while (call := _CALL.search(text, place)) is not None:
        if not steps or _THEN.search(text, place, call.start()):
            steps.append([])
        end = call.end()
        if not text.startswith(")", end):
            try:
                _, end = decoder.raw_decode(text, end)
            except ValueError:
                found = text.find(")", end)
                end = len(text) if found < 0 else found
        steps[-1].append((call[1], text[call.end() : end] or "{}"))
        place = end
    return steps


def _guessed(question: str, offered: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    asked = set(terms(question))
    found = []
    for name, one in offered.items():
        words = set(terms(f"{name.replace('_', ' ').replace('-', ' ')} {one.get('description', '')}"))
        schema = one.get("parameters") or {}
        if len(asked & words) >= _SHARED and (arguments := _arguments(question, schema)) is not None:
            found.append((name, json.dumps(arguments, ensure_ascii=False)))
    return found


def _arguments(question: str, schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the arguments that a question has; None where one that is needed is not there."""
    numbers = [json.loads(one) for one in _NUMBER.findall(question)]
    texts = [one or other for one, other in _QUOTED.findall(question)] + _CODED.findall(question)
    found: dict[str, Any] = {}
    for name, part in schema.get("properties", {}).items():
        if (value := _value(question, part, numbers, texts)) is not None:
            found[name] = value
        elif name in schema.get("required", ()):
            return None
    return found


def _value(question: str, part: Mapping[str, Any], numbers: list[Any], texts: list[str]) -> Any:
    lowered = question.lower()
    if "enum" in part:
        return next((one for one in part["enum"] if str(one).lower() in lowered), None)
    kind = part.get("type")
    if kind == "integer":
        place = next((place for place, one in enumerate(numbers) if isinstance(one, int)), None)
        return None if place is None else numbers.pop(place)
    if kind == "number":
        return numbers.pop(0) if numbers else None
    if kind == "string":
        return texts.pop(0) if texts else None
    return None
