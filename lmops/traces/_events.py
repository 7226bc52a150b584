"""Content that travels beside a span: log events joined by span id, and span events of the older conventions."""

from __future__ import annotations

from typing import Final

from lmops.calc.rollup import MODEL_KINDS
from lmops.traces._canonical import Canonical, conversation
from lmops.traces._content import shape, with_instructions
from lmops.traces._fields import as_text, join_reasons
from lmops.traces._json import dumps, structure

_DETAILS: Final = "gen_ai.client.inference.operation.details"
_ROLES: Final[dict[str, str]] = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_CHOICE: Final = "gen_ai.choice"
_PROMPT, _COMPLETION = "gen_ai.content.prompt", "gen_ai.content.completion"
_RESULT: Final = "gen_ai.evaluation.result"
_CONTENT: Final = frozenset({_DETAILS, _CHOICE, _PROMPT, _COMPLETION, *_ROLES})

#: Name, body and attributes of one event.
Event = tuple[str, object, dict[str, object]]


def is_content_event(name: str) -> bool:
    """Return whether an event carries messages of a model call."""
    return name in _CONTENT


def apply_logs(row: dict[str, object], logs: list[dict[str, object]]) -> dict[str, object]:
    """Return the row with the content of its log rows where the span itself has none.

    Fills ``input``, ``output``, ``finish_reason``, ``response_id``, ``error_type`` and ``error_message``; never
    replaces a value. What evaluations said goes to ``events``. Log rows of other spans are left out. Applying the same
    rows again changes nothing.
    """
    mine = [
        log
        for log in logs
        if log.get("span_id") == row.get("span_id") and log.get("trace_id") in (None, row.get("trace_id"))
    ]
    if not mine:
        return row
    mine.sort(key=_time_of)
    events: list[Event] = []
    for log in mine:
        attributes = structure(log.get("attributes"))
        events.append(
            (
                str(log.get("name") or ""),
                structure(log.get("body")),
                attributes if isinstance(attributes, dict) else {},
            )
        )
    result = dict(row)
    _fill(result, events)
    _add_results(result, mine)
    return result


def _add_results(row: dict[str, object], logs: list[dict[str, object]]) -> None:
    """Put what evaluations said of a span among its events, where it would be had it been sent as one."""
    results = [
        {"name": _RESULT, "time_ns": log.get("time_ns"), "attributes": structure(log.get("attributes")) or {}}
        for log in logs
        if log.get("name") == _RESULT
    ]
    if results:
        events = structure(row.get("events"))
        known: list[object] = events if isinstance(events, list) else []
        row["events"] = dumps([*known, *(one for one in results if one not in known)])


def apply_events(row: dict[str, object], events: list[dict[str, object]]) -> None:
    """Fill the row from span events that carry content."""
    found: list[Event] = []
    for event in events:
        attributes = event.get("attributes")
        name = event.get("name")
        if isinstance(name, str):
            found.append((name, None, attributes if isinstance(attributes, dict) else {}))
    _fill(row, found)


def _time_of(log: dict[str, object]) -> int:
    at = log.get("time_ns")
    return at if isinstance(at, int) else 0


def _fill(row: dict[str, object], events: list[Event]) -> None:
    kind = str(row["kind"])
    asked: list[Canonical] = []
    choices: list[tuple[int, list[Canonical]]] = []
    reasons: list[object] = []
    for name, body, attributes in events:
        if name in _ROLES:
            asked += conversation(_message(body, attributes, _ROLES[name]), _ROLES[name]) or []
        elif name == _CHOICE:
            choice = _choice(body, attributes)
            index = choice.get("index")
            choices.append(
                (
                    index if isinstance(index, int) else 0,
                    conversation(_message(choice.get("message", choice), {}, "assistant"), "assistant") or [],
                )
            )
            reasons.append(choice.get("finish_reason"))
        elif name == _DETAILS:
            _details(row, kind, attributes, body)
        elif name == _PROMPT:
            asked += conversation(attributes.get("gen_ai.prompt", body), "user") or []
        elif name == _COMPLETION:
            choices.append((0, conversation(attributes.get("gen_ai.completion", body), "assistant") or []))
        elif name in ("gen_ai.client.operation.exception", "exception") and row["status"] == "error":
            _put(row, "error_type", as_text(attributes.get("exception.type")))
            _put(row, "error_message", as_text(attributes.get("exception.message")))
    answers = [message for _, found in sorted(choices, key=lambda choice: choice[0]) for message in found]
    _put(row, "input", _column(asked, kind))
    _put(row, "output", _column(answers, kind))
    if kind == "llm":
        _put(row, "finish_reason", join_reasons(reasons))


def _message(body: object, attributes: dict[str, object], role: str) -> object:
    """Return one message in chat form; older span events keep it in attributes."""
    if isinstance(body, dict):
        return {"role": role, **body}
    if body not in (None, ""):
        return {"role": role, "content": body}
    inner = structure(attributes.get("gen_ai.event.content"))
    if isinstance(inner, dict):
        return {"role": role, **inner}
    given = {
        key: structure(attributes[key]) for key in ("content", "tool_calls", "id", "name", "role") if key in attributes
    }
    content = given.get("content")
    if content is not None and not isinstance(content, (str, list)):
        given["content"] = dumps(content)
    return {"role": role, **given} if given else None


def _choice(body: object, attributes: dict[str, object]) -> dict[str, object]:
    if isinstance(body, dict):
        return body
    inner = structure(attributes.get("gen_ai.event.content"))
    if isinstance(inner, dict):
        return inner
    choice = {key: structure(value) for key, value in attributes.items()}
    if body not in (None, ""):
        choice["message"] = body
    message = choice.get("message")
    if isinstance(message, str):
        choice["message"] = {"role": "assistant", "content": message}
    return choice


def _details(row: dict[str, object], kind: str, attributes: dict[str, object], body: object) -> None:
    """Take the event that holds the whole call in its attributes (or, in some clients, in its body)."""
    given = (
        attributes if "gen_ai.input.messages" in attributes or not isinstance(body, dict) else {**attributes, **body}
    )
    asked = structure(given.get("gen_ai.input.messages"))
    if asked is not None:
        found = conversation(asked, "user") or []
        _put(row, "input", _column(with_instructions(found, given.get("gen_ai.system_instructions")), kind))
    answered = structure(given.get("gen_ai.output.messages"))
    if answered is not None:
        if kind == "tool":
            _put(row, "output", _column(conversation(answered, "tool") or [], kind))
        _put(row, "output", shape(answered, kind, "assistant"))
    if kind in MODEL_KINDS:
        _put(row, "response_id", as_text(given.get("gen_ai.response.id")))
        _put(row, "finish_reason", join_reasons(structure(given.get("gen_ai.response.finish_reasons"))))


def _column(found: list[Canonical], kind: str) -> str | None:
    if not found:
        return None
    if kind == "tool" and len(found) == 1:
        calls = found[0].get("tool_calls")
        if isinstance(calls, list) and len(calls) == 1 and not found[0]["content"]:
            return str(calls[0]["arguments"]) or None
        return str(found[0]["content"]) or None
    if kind == "llm" or len(found) > 1 or len(found[0]) > 2:
        return dumps(found)
    return str(found[0]["content"]) or None


def _put(row: dict[str, object], column: str, value: object) -> None:
    if row[column] is None and value is not None:
        row[column] = value
