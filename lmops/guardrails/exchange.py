"""One request through a policy: what is asked passes, what is answered passes, and the user's own words come back.

What the user wrote and a rail redacted is restored in the answer. What a tool returned is not: it was nobody's own.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from lmops.errors import UsageError
from lmops.guardrails._spans import noted, recorded
from lmops.guardrails.redacting import Redactor, Restore, Restoring
from lmops.guardrails.streaming import Stream
from lmops.models import Completion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lmops.base.chat import ToolCall
    from lmops.guardrails._records import Decision
    from lmops.guardrails.checking import Checker
    from lmops.guardrails.contract import Stage

_TOLD: Final = ("tool", "function")


class Exchange:
    """One request and its answer.

    Args:
        checker: The rails.
    """

    def __init__(self, checker: Checker) -> None:
        self.checker = checker
        self.decisions: list[Decision] = []
        self.is_blocked = False
        self._redactor = Redactor()
        self._restore = Restore()
        self._known: dict[str, Any] = {}

    @property
    def blocked_text(self) -> str:
        """What the user reads when it is blocked."""
        return self.checker.blocked_text

    def asked(self, given: Any) -> Any:
        """Return a text, or chat messages, as they may go on; ``is_blocked`` says that they may not.

        Of messages those of the user and of tools are checked. One of an earlier turn that is blocked gives way to the
        policy's words, so that the conversation can go on; system prompts are the application's own.

        Args:
            given: A text, or messages as OpenAI has them.
        """
        if isinstance(given, str):
            self._known["question"] = given
            passed = self._passed("input", given)
            self._restore = self._redactor.restore
            return passed
        messages = list(given)
        turn = max((place for place, one in enumerate(messages) if one.get("role") == "user"), default=0)
        texts = [_text(one) for one in messages]
        system = "\n".join(text for one, text in zip(messages, texts, strict=True) if one.get("role") == "system")
        self._known |= {"question": texts[turn] if texts else ""} | ({"system_prompt": system} if system else {})
        for place, one in enumerate(messages):
            if one.get("role") == "user":
                messages[place] = self._message(one, "input", is_now=place >= turn)
        self._restore = self._redactor.restore
        self._known["documents"] = [text for one, text in zip(messages, texts, strict=True) if one.get("role") in _TOLD]
        for place, one in enumerate(messages):
            if one.get("role") in _TOLD:
                messages[place] = self._message(one, "tool_result", is_now=place >= turn, tool=_tool(one, messages))
            elif one.get("role") != "user":
                messages[place] = _called(_mapped(one, self._redactor.again), self._redactor.again)
        return messages

    def answered(self, found: Any) -> Any:
        """Return an answer as the user may have it: a text, plain data or a completion.

        Raises:
            UsageError: It is something else.
        """
        if found is None:
            return None
        if isinstance(found, Completion):
            return self.completed(found)
        texts = [*_leaves(found)]
        self._passed("output", "\n".join(texts))
        if not self.is_blocked and self.decisions[-1].action == "redact":
            found = _data(found, self.part)
        return self.blocked_text if self.is_blocked else _data(found, self._restore)

    def completed(self, found: Completion, *, text: str | None = None) -> Completion:
        """Return a completion as the user may have it.

        Args:
            found: As the model gave it.
            text: Its text, where that passed piece by piece; it is checked here by default.
        """
        content, calls = text, [self._call(one) for one in found.tool_calls]
        if text is None and found.content is not None:
            content = self._passed("output", found.content, cost_usd=found.cost_usd)
        if self.is_blocked:
            return self.blocked(found)
        parsed, restore = found.parsed, self._restore
        if parsed is not None:
            if content != found.content:
                parsed = _data(parsed, self.part)
            parsed = _data(parsed, restore)
            content = json.dumps(parsed, ensure_ascii=False) if len(restore) or content != found.content else content
        elif text is None and content is not None:
            content = restore(content)
        calls = [dataclasses.replace(one, arguments=_in_json(one.arguments, restore)) for one in calls]
        refusal = None if found.refusal is None else content
        return dataclasses.replace(
            self.told(found), content=content, tool_calls=tuple(calls), parsed=parsed, refusal=refusal
        )

    def blocked(self, found: Completion) -> Completion:
        """Return the completion of who is blocked."""
        said = self.told(found)
        return dataclasses.replace(
            said, content=self.blocked_text, tool_calls=(), parsed=None, refusal=None, finish_reason="content_filter"
        )

    def told(self, found: Completion) -> Completion:
        """Return a completion with what was decided."""
        return dataclasses.replace(found, decisions=tuple(self.decisions))

    def reading(self) -> Reading:
        """Return what takes the pieces of a streamed answer."""
        return Reading(self)

    def streaming(self) -> Stream:
        """Return what checks the pieces of an answer."""
        return Stream(self.checker, "output", context=self._known, redactor=self._redactor, spent_ms=self._spent_ms)

    def streamed(self, decision: Decision) -> None:
        """Keep what was decided on an answer that came in pieces."""
        noted(decision)
        self.decisions.append(decision)
        self.is_blocked = self.is_blocked or decision.is_blocked

    def restoring(self) -> Restoring:
        """Return what restores the pieces of a text."""
        return Restoring(self._restore)

    @property
    def _spent_ms(self) -> float:
        return sum(one.latency_ms for one in self.decisions)

    @property
    def shown(self) -> str:
        """What was asked, without anything that a rail found: what may be traced."""
        first = next((one for one in self.decisions if one.stage == "input"), None)
        if first is None:
            return ""
        found = [finding for verdict in first.verdicts for finding in verdict.findings]
        return Redactor().redacted(str(self._known.get("question", "")), found)

    def _passed(self, stage: Stage, text: str, *, is_now: bool = True, **context: Any) -> str:
        known = {**self._known, **{name: one for name, one in context.items() if one is not None}}
        decision = recorded(self.checker, stage, text, context=known, redactor=self._redactor, spent_ms=self._spent_ms)
        self.decisions.append(decision)
        self.is_blocked = self.is_blocked or (is_now and decision.is_blocked)
        return decision.text

    def part(self, text: str) -> str:
        """Return a part of a text that was checked as a whole."""
        decision = self.checker.check("output", text, context=self._known, redactor=self._redactor)
        self.is_blocked = self.is_blocked or decision.is_blocked
        return decision.text

    def _message(self, one: Mapping[str, Any], stage: Stage, *, is_now: bool, **context: Any) -> Mapping[str, Any]:
        return _mapped(one, lambda text: self._passed(stage, text, is_now=is_now, **context))

    def _call(self, one: ToolCall) -> ToolCall:
        arguments = self._passed("tool_call", one.arguments, tool=one.name, arguments=_parsed(one.arguments))
        return dataclasses.replace(one, arguments=arguments)


class Reading:
    """A streamed answer: pieces go in, and what may be shown comes out.

    Args:
        exchange: What it is the answer of.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._restoring = exchange.restoring()
        self._stream = exchange.streaming() if exchange.checker.has("output") else None
        self._released: list[str] = []

    @property
    def is_over(self) -> bool:
        """Whether the answer is blocked, so that nothing more of it is shown."""
        return self._exchange.is_blocked

    @property
    def text(self) -> str:
        """What was released up to now."""
        return "".join(self._released)

    def feed(self, piece: str) -> str:
        """Take a piece and return what may be shown of the answer now."""
        if self._stream is None:
            return self._show(self._restoring.feed(piece))
        return self._passed(self._stream, self._stream.feed(piece))

    def finish(self) -> str:
        """Return what is left to show, of a blocked answer the policy's words."""
        if self._stream is None:
            return self._show(self._restoring.finish())
        shown = self._passed(self._stream, self._stream.finish())
        return shown if self.is_over else shown + self._show(self._restoring.finish())

    def _passed(self, stream: Stream, passed: str) -> str:
        if stream.decision is not None and not self.is_over:
            self._exchange.streamed(stream.decision)
        return self._show(passed if self.is_over else self._restoring.feed(passed))

    def _show(self, text: str) -> str:
        self._released.append(text)
        return text


def is_input(given: object) -> bool:
    """Return whether something is a text or chat messages."""
    if isinstance(given, str):
        return True
    return (
        isinstance(given, list | tuple)
        and bool(given)
        and all(isinstance(one, Mapping) and "role" in one for one in given)
    )


def size_of(given: object) -> int:
    """Return how many characters a text, or chat messages, have."""
    if isinstance(given, str):
        return len(given)
    return sum(len(_text(one)) for one in given) if isinstance(given, list | tuple) and is_input(given) else 0


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(one["text"]) for one in parts if isinstance(one, Mapping) and isinstance(one.get("text"), str))


def _mapped(message: Mapping[str, Any], change: Callable[[str], str]) -> Mapping[str, Any]:
    """Return a message with its texts changed."""
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": change(content)}
    if not isinstance(content, list):
        return message
    return {**message, "content": [_part(one, change) for one in content]}


def _called(message: Mapping[str, Any], change: Callable[[str], str]) -> Mapping[str, Any]:
    """Return a message with the arguments of the tools changed that it calls."""
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return message
    return {**message, "tool_calls": [_data(one, change) for one in calls]}


def _part(part: Any, change: Callable[[str], str]) -> Any:
    if isinstance(part, str):
        return change(part)
    if isinstance(part, Mapping) and isinstance(part.get("text"), str):
        return {**part, "text": change(part["text"])}
    return part


def _tool(message: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the name of the tool that a message is the result of."""
    if isinstance(message.get("name"), str):
        return cast("str", message["name"])
    calls = [call for one in messages for call in one.get("tool_calls") or () if isinstance(call, Mapping)]
    named = (call.get("function") or {} for call in calls if call.get("id") == message.get("tool_call_id"))
    return next((str(one["name"]) for one in named if isinstance(one, Mapping) and "name" in one), None)


def _leaves(found: Any) -> Iterator[str]:
    """Yield the texts in plain data.

    Raises:
        UsageError: It holds something else.
    """
    if isinstance(found, str):
        yield found
    elif isinstance(found, Mapping):
        for key, value in found.items():
            yield from _leaves(key)
            yield from _leaves(value)
    elif isinstance(found, list | tuple):
        for one in found:
            yield from _leaves(one)
    elif found is not None and not isinstance(found, bool | int | float):
        raise UsageError(
            f"a policy reads texts, plain data and completions; the answer is a {type(found).__name__}: wrap a "
            "function that returns one of these, or use policy.check('output', text)"
        )


def _data(found: Any, change: Callable[[str], str]) -> Any:
    """Return plain data with its texts changed."""
    if isinstance(found, str):
        return change(found)
    if isinstance(found, Mapping):
        return {_data(key, change): _data(value, change) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return type(found)(_data(one, change) for one in found)
    return found


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def _in_json(text: str, restore: Restore) -> str:
    """Return the text of arguments with what was redacted in its values put back."""
    if not len(restore) or restore(text) == text:
        return text
    found = _parsed(text)
    return restore(text) if isinstance(found, str) else json.dumps(_data(found, restore), ensure_ascii=False)
