"""How routes, their switches and their state look."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lmops.base.cards import card_html, card_text
from lmops.base.sheet import aligned, html_table
from lmops.base.shown import html_of, text_of
from lmops.base.units import money, share
from lmops.routing._records import Arm, ArmStatus, RouteStatus, RouteVersion, Rule, Switch
from lmops.text import escape, plain, plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable


_ARMS = ("arm", "share", "prompt", "model", "params", "limits")
_STATUS = ("arm", "share", "state", "failures", "under way", "last minute", "spent today")


@text_of.register(RouteVersion)
def _(found: RouteVersion) -> str:
    rows = [[plain_line(cell, 120) for cell in row] for row in (_ARMS, *map(_arm, found.arms.values()))]
    return "\n".join([card_text("route", found.ref, _facts(found)), *(f"  {line}" for line in aligned(rows))])


@html_of.register(RouteVersion)
def _(found: RouteVersion) -> str:
    more = html_table(_ARMS, [[plain_line(cell, 120) for cell in _arm(arm)] for arm in found.arms.values()])
    return card_html("route", found.ref, _facts(found), more=more)


def _facts(found: RouteVersion) -> list[tuple[str, str]]:
    facts = [
        ("then", ", ".join(found.fallbacks)),
        *((f"when {_condition(rule)}", _shares(rule.arms.items())) for rule in found.when),
        ("an arm has", f"{found.timeout_s:g} s"),
        ("note", found.note or ""),
        ("saved", f"{found.created_at:%Y-%m-%d %H:%M} UTC by {found.author}"),
    ]
    if found.canary is not None:
        facts.insert(-2, ("canary", json.dumps(found.canary, ensure_ascii=False, sort_keys=True)))
    return facts


def _arm(arm: Arm) -> list[str]:
    return [
        arm.name,
        share(arm.weight) if arm.weight else "as a fallback",
        arm.prompt or "",
        arm.model or "that of the prompt",
        ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in arm.params.items()),
        _limits(arm),
    ]


def _limits(arm: Arm) -> str:
    limits = arm.limits
    said = [
        "" if limits.usd_per_day is None else f"{money(limits.usd_per_day)} a day",
        "" if limits.per_minute is None else f"{limits.per_minute:,} a minute",
        "" if limits.concurrency is None else f"{limits.concurrency:,} at a time",
    ]
    return ", ".join(filter(None, said))


def _condition(rule: Rule) -> str:
    return " and ".join(f"{key} {_wanted(one)}" for key, one in rule.when.items())


def _wanted(one: tuple[Any, ...] | Mapping[str, float]) -> str:
    if isinstance(one, Mapping):
        return " and ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in one.items())
    return "is " + " or ".join(map(str, one))


def _shares(weights: Iterable[tuple[str, float]]) -> str:
    return ", ".join(f"{arm} {share(weight)}" for arm, weight in weights)


@text_of.register(Switch)
def _(found: Switch) -> str:
    return plain(_switched(found))


@html_of.register(Switch)
def _(found: Switch) -> str:
    return f"<p>{escape(_switched(found))}</p>"


def _switched(found: Switch) -> str:
    what = f"route {found.route}" if found.arm is None else f"arm {found.arm} of route {found.route}"
    why = f": {plain_line(found.reason, 300)}" if found.reason else ""
    state = "off" if found.is_killed else "on"
    return f"{what} is {state} since {found.at:%Y-%m-%d %H:%M:%S} UTC, by {plain_line(found.actor, 60)}{why}"


@text_of.register(RouteStatus)
def _(found: RouteStatus) -> str:
    rows = [[plain_line(cell, 120) for cell in row] for row in (_STATUS, *map(_stands, found.arms))]
    return "\n".join([plain_line(_title(found), 400), *(f"  {line}" for line in aligned(rows))])


@html_of.register(RouteStatus)
def _(found: RouteStatus) -> str:
    rows = [[plain_line(cell, 120) for cell in _stands(one)] for one in found.arms]
    return f"<p><b>{escape(_title(found))}</b></p>{html_table(_STATUS, rows)}"


def _title(found: RouteStatus) -> str:
    return f"{found.version.ref} is live" if found.off is None else _switched(found.off)


def _stands(one: ArmStatus) -> list[str]:
    states = {"closed": "answers", "open": "left alone after failures", "half_open": "tries again"}
    spent = "" if one.spent_usd is None else f"{money(one.spent_usd)} of {money(one.limits.usd_per_day)}"
    return [
        one.arm,
        share(one.weight) if one.weight else "as a fallback",
        "off" if one.is_killed else states[one.circuit],
        f"{one.failures:,}",
        f"{one.in_flight:,}",
        f"{one.last_minute:,}",
        spent,
    ]
