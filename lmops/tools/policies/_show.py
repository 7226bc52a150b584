"""How policies of tools, switches and what waits for a yes look."""

from __future__ import annotations

import json

from lmops.base.cards import card_html, card_text
from lmops.base.sheet import aligned, html_table
from lmops.base.shown import html_of, text_of
from lmops.base.units import duration
from lmops.text import escape, plain, plain_line
from lmops.tools.policies._records import Ask, ToolSwitch
from lmops.tools.policies.rules import ToolPolicy, ToolRule

_RULES = ("rule", "does", "tools", "where")


@text_of.register(ToolPolicy)
def _(found: ToolPolicy) -> str:
    rows = aligned([list(_RULES), *map(_cells, found.rules)]) if found.rules else []
    return "\n".join([card_text("tool policy", found.ref, _facts(found)), *(f"  {row}" for row in rows)])


@html_of.register(ToolPolicy)
def _(found: ToolPolicy) -> str:
    more = html_table(_RULES, [_cells(one) for one in found.rules]) if found.rules else ""
    return card_html("tool policy", found.ref, _facts(found), more=more)


def _facts(found: ToolPolicy) -> list[tuple[str, str]]:
    waits = duration(found.ask_timeout_s * 1000) if found.ask_timeout_s else "not at all"
    return [
        ("where no rule holds", found.default),
        ("a call waits for a yes", waits),
        ("a yes can be said for", duration(found.ask_expires_s * 1000)),
        ("note", found.note or ""),
        ("saved", f"{found.created_at:%Y-%m-%d %H:%M} UTC by {found.author}"),
    ]


def _cells(rule: ToolRule) -> list[str]:
    hidden = (rule.action, "name", "reason")
    told = {name: one for name, one in rule.said().items() if name not in hidden}
    where = "; ".join(f"{name} {json.dumps(one, ensure_ascii=False)}" for name, one in told.items())
    return [plain_line(one, 160) for one in (rule.name, rule.action, ", ".join(rule.tools), where)]


@text_of.register(ToolSwitch)
def _(found: ToolSwitch) -> str:
    return plain(_switched(found))


@html_of.register(ToolSwitch)
def _(found: ToolSwitch) -> str:
    return f"<p>{escape(_switched(found))}</p>"


def _switched(found: ToolSwitch) -> str:
    why = f": {plain_line(found.reason, 300)}" if found.reason else ""
    state = "off" if found.is_off else "on"
    who = plain_line(found.actor, 60)
    return f"tool {plain_line(found.tool, 80)} is {state} since {found.at:%Y-%m-%d %H:%M:%S} UTC, by {who}{why}"


@text_of.register(Ask)
def _(found: Ask) -> str:
    return card_text("ask", str(found.ask), _told(found))


@html_of.register(Ask)
def _(found: Ask) -> str:
    return card_html("ask", str(found.ask), _told(found))


def _told(found: Ask) -> list[tuple[str, str]]:
    last = f"{found.moved_at:%Y-%m-%d %H:%M:%S} UTC by {plain_line(found.actor, 60)}"
    return [
        ("call", plain_line(f"{found.tool}@{found.version} {json.dumps(found.arguments, ensure_ascii=False)}", 2_000)),
        ("status", found.status),
        ("why", plain_line(found.why, 300)),
        ("policy", plain_line(f"{found.policy}{f', rule {found.rule}' if found.rule else ''}", 200)),
        ("who calls", plain_line(found.role or "", 100)),
        ("said by", plain_line(", ".join(found.origins), 200)),
        ("trace", found.trace_id or ""),
        ("until", f"{found.expires_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("last step", f"{last}{f': {plain_line(found.reason, 300)}' if found.reason else ''}"),
    ]
