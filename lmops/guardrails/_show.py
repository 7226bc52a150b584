"""How policies, their switches, decisions and verdicts look."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lmops.base.cards import card_html, card_text
from lmops.base.sheet import aligned, html_table
from lmops.base.shown import html_of, text_of
from lmops.base.units import duration
from lmops.guardrails._live import RailSwitch
from lmops.guardrails._records import Decision, Verdict
from lmops.guardrails.cards import UNMEASURED
from lmops.guardrails.policy import Policy
from lmops.text import escape, plain, plain_line

if TYPE_CHECKING:
    from lmops.guardrails.policy import RailSpec

_RAILS = ("stage", "rail", "options", "on a finding", "when it fails", "within", "measured")
_VERDICTS = ("rail", "action", "found", "score", "took")


@text_of.register(Verdict)
def _(found: Verdict) -> str:
    return plain(_line(found))


@html_of.register(Verdict)
def _(found: Verdict) -> str:
    return f"<p>{escape(_line(found))}</p>"


@text_of.register(Decision)
def _(found: Decision) -> str:
    lines = [plain_line(_title(found), 300)]
    if found.verdicts:
        lines += [f"  {line}" for line in aligned([list(_VERDICTS), *map(_cells, found.verdicts)])]
    return "\n".join(lines)


@html_of.register(Decision)
def _(found: Decision) -> str:
    return f"<p><b>{escape(_title(found))}</b></p>{html_table(_VERDICTS, [*map(_cells, found.verdicts)])}"


def _title(found: Decision) -> str:
    by = found.decided_by
    who = "" if by is None else f" by {by.rail}"
    return f"{found.stage}: {found.action}{who} ({found.policy or 'rails'}, {duration(found.latency_ms)})"


def _line(found: Verdict) -> str:
    why = found.error or found.reason
    return f"{plain_line(found.rail, 80)}: {found.action}{f', {plain_line(why, 300)}' if why else ''}"


def _cells(found: Verdict) -> list[str]:
    why = f"failed: {found.error}" if found.error is not None else found.reason
    score = "" if found.score is None else f"{found.score:.2f}"
    return [plain_line(one, 120) for one in (found.rail, found.action, why, score, duration(found.latency_ms))]


@text_of.register(Policy)
def _(found: Policy) -> str:
    return "\n".join(
        [
            card_text("policy", found.ref, _facts(found)),
            *(f"  {line}" for line in aligned([list(_RAILS), *_rails(found)])),
        ]
    )


@html_of.register(Policy)
def _(found: Policy) -> str:
    return card_html("policy", found.ref, _facts(found), more=html_table(_RAILS, _rails(found)))


def _facts(found: Policy) -> list[tuple[str, str]]:
    return [
        ("who is blocked reads", found.blocked_text),
        ("checks have", "" if found.budget_ms is None else duration(found.budget_ms)),
        ("note", found.note or ""),
        ("saved", f"{found.created_at:%Y-%m-%d %H:%M} UTC by {found.author}"),
    ]


def _rails(found: Policy) -> list[list[str]]:
    return [
        [
            plain_line(cell, 120)
            for cell in (*_rail(stage, spec), found.measured.get(spec.made().config_hash, UNMEASURED))
        ]
        for stage, specs in found.stages.items()
        for spec in specs
    ]


def _rail(stage: str, spec: RailSpec) -> list[str]:
    options = ", ".join(f"{name}={json.dumps(one, ensure_ascii=False)}" for name, one in spec.options.items())
    name = spec.name if spec.name == spec.rail else f"{spec.name} ({spec.rail})"
    fails = "blocks" if spec.on_error == "closed" else "passes"
    return [stage, name, options, spec.action, fails, duration(spec.timeout_s * 1000)]


@text_of.register(RailSwitch)
def _(found: RailSwitch) -> str:
    return plain(_switched(found))


@html_of.register(RailSwitch)
def _(found: RailSwitch) -> str:
    return f"<p>{escape(_switched(found))}</p>"


def _switched(found: RailSwitch) -> str:
    why = f": {plain_line(found.reason, 300)}" if found.reason else ""
    state = "off" if found.is_off else "on"
    who = plain_line(found.actor, 60)
    return (
        f"rail {found.rail} of policy {found.policy} is {state} since {found.at:%Y-%m-%d %H:%M:%S} UTC, by {who}{why}"
    )
