"""How tools, calls, decisions and runs look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from lmops.base.cards import card_html, card_text
from lmops.base.sheet import aligned, html_table
from lmops.base.shown import html_of, text_of
from lmops.base.units import duration, money
from lmops.text import escape, plain, plain_line
from lmops.tools.contract import Decision, ToolResult, ToolVersion
from lmops.tools.runs import AgentRun

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_ARGUMENTS = ("argument", "type", "needed", "says")
_CALLS = ("step", "tool", "arguments", "came", "result", "took")


@text_of.register(ToolVersion)
def _(found: ToolVersion) -> str:
    lines = [card_text("tool", found.ref, _facts(found), texts=[("", found.description)])]
    return "\n".join([*lines, *(f"  {line}" for line in aligned([list(_ARGUMENTS), *_arguments(found)]))])


@html_of.register(ToolVersion)
def _(found: ToolVersion) -> str:
    table = html_table(_ARGUMENTS, _arguments(found))
    return card_html("tool", found.ref, _facts(found), texts=[("", found.description)], more=table)


def _facts(found: ToolVersion) -> list[tuple[str, object]]:
    does = "changes nothing" if found.is_read_only else "may be tried again" if found.is_idempotent else ""
    return [
        ("source", found.source),
        ("calls", does),
        ("a call has", duration(found.timeout_s * 1000)),
        ("note", found.note or ""),
        ("saved", f"{found.created_at:%Y-%m-%d %H:%M} UTC by {found.author}" if found.version else "not in this store"),
    ]


def _arguments(found: ToolVersion) -> list[list[str]]:
    needed = found.parameters.get("required", ())
    return [
        [
            plain_line(name, 60),
            plain_line(_kind(one), 60),
            "yes" if name in needed else "",
            plain_line(one.get("description", "") if isinstance(one, dict) else "", 160),
        ]
        for name, one in found.parameters.get("properties", {}).items()
    ]


def _kind(schema: Mapping[str, Any]) -> str:
    """Return the type of an argument in a few words."""
    if not isinstance(schema, dict):
        return "anything"
    if "enum" in schema:
        return " | ".join(orjson.dumps(one).decode() for one in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(map(_kind, schema["anyOf"]))
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    kind = schema.get("type", "anything")
    said = " | ".join(kind) if isinstance(kind, list) else str(kind)
    return f"{said} of {_kind(schema['items'])}" if said == "array" and "items" in schema else said


@text_of.register(ToolResult)
def _(found: ToolResult) -> str:
    return card_text("call", found.tool, _call_facts(found), texts=_call_texts(found))


@html_of.register(ToolResult)
def _(found: ToolResult) -> str:
    return card_html("call", found.tool, _call_facts(found), texts=_call_texts(found))


def _call_facts(found: ToolResult) -> list[tuple[str, object]]:
    return [
        ("came", found.outcome),
        ("version", found.version or ""),
        ("decided", found.decided_by or ""),
        ("tried", found.attempts if found.attempts > 1 else ""),
        ("took", duration(found.latency_ms) if found.attempts else ""),
        ("cost", "" if found.cost_usd is None else money(found.cost_usd)),
        ("replayed", "yes" if found.is_replayed else ""),
        ("read as", "; ".join(map(str, found.detail.get("lax", ())))),
    ]


def _call_texts(found: ToolResult) -> list[tuple[str, object]]:
    return [
        ("arguments", _json(found.arguments)),
        ("result", found.content if found.ok else ""),
        ("error", found.error),
    ]


@text_of.register(Decision)
def _(found: Decision) -> str:
    return plain(_decided(found))


@html_of.register(Decision)
def _(found: Decision) -> str:
    return f"<p>{escape(_decided(found))}</p>"


def _decided(found: Decision) -> str:
    who = f" by {plain_line(found.rule, 80)}" if found.rule else " by default"
    why = f": {plain_line(found.reason, 300)}" if found.reason else ""
    return f"{found.action}{who}{f' of {plain_line(found.policy, 80)}' if found.policy else ''}{why}"


@text_of.register(AgentRun)
def _(found: AgentRun) -> str:
    head = card_text("run", found.agent, _run_facts(found), texts=[("answer", found.answer or "")])
    return "\n".join([head, *(["", *aligned([list(_CALLS), *_calls(found)])] if found.results else [])])


@html_of.register(AgentRun)
def _(found: AgentRun) -> str:
    table = html_table(_CALLS, _calls(found)) if found.results else ""
    return card_html("run", found.agent, _run_facts(found), texts=[("answer", found.answer or "")], more=table)


def _run_facts(found: AgentRun) -> list[tuple[str, object]]:
    tokens = (found.usage.input_tokens, found.usage.output_tokens)
    return [
        ("ended", found.ended if found.reason is None else f"{found.ended}: {found.reason}"),
        ("model", found.model),
        ("steps", len(found.steps)),
        ("calls", len(found.results)),
        ("tokens", "" if None in tokens else f"{tokens[0]:,} in, {tokens[1]:,} out"),
        ("cost", "unpriced" if found.cost_usd is None else money(found.cost_usd)),
        ("took", duration(found.latency_ms)),
    ]


def _calls(found: AgentRun) -> list[list[str]]:
    return [
        [
            str(place),
            plain_line(one.tool, 60),
            plain_line(_json(one.arguments), 120),
            one.outcome,
            plain_line(one.content if one.ok else one.error or "", 120),
            duration(one.latency_ms) if one.attempts else "",
        ]
        for place, step in enumerate(found.steps, start=1)
        for one in step.results
    ]


def _json(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=lambda one: type(one).__name__).decode()
