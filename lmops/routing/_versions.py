"""What a version of a route is in the store, and whether what somebody asks for can be one."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from lmops.base.units import share
from lmops.errors import DamagedStoreError, UsageError, did_you_mean
from lmops.models import check_params
from lmops.records import Kind, check_word, text_hash, told
from lmops.routing._plan import plan_of
from lmops.routing._records import Arm, ArmLimits, CircuitSettings, RouteVersion, Rule, Segment
from lmops.routing.choosing import POINTS, laid_out
from lmops.text import plain_line

if TYPE_CHECKING:
    import sqlite3

    from lmops.records import Row
    from lmops.store import Store

#: What a route may say.
SAID: Final = ("arms", "fallbacks", "when", "timeout_s", "circuit", "canary")
_ARM: Final = ("prompt", "model", "params", "policy", "weight", "limits")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:/+-]{0,199}")
_ONE: Final = 1e-9
_BOUNDS: Final = ("at_least", "at_most")


def body_of(route: object, *, name: str) -> dict[str, Any]:
    """Return the content of a route out of what somebody said, each part checked by itself.

    Args:
        route: A mapping with arms, or of prompts to shares.
        name: Of the route, for messages.

    Raises:
        UsageError: A part cannot be used.
    """
    said = _mapping(route, f"route {name!r}")
    if "arms" not in said and said and all(_is_number(one) for one in said.values()):
        said = {"arms": {prompt: {"prompt": prompt, "weight": weight} for prompt, weight in said.items()}}
    _refuse_unknown(said, SAID, "part of a route")
    arms = {_arm_name(arm): _arm(arm, one) for arm, one in _mapping(said.get("arms") or {}, "arms").items()}
    if not arms:
        raise UsageError(f"route {name!r} has no arm: {{'arms': {{'current': {{'prompt': 'answer@1', 'weight': 1}}}}}}")
    _refuse_odd_sum({arm: one["weight"] for arm, one in arms.items()}, f"route {name!r}")
    fallbacks = said.get("fallbacks") or []
    if isinstance(fallbacks, str) or not isinstance(fallbacks, Sequence):
        raise UsageError(f"fallbacks={plain_line(fallbacks, 80)!r}: give a list of names of arms")
    for one in fallbacks:
        _known_arm(one, arms, "fallbacks")
    return {
        "arms": arms,
        "fallbacks": list(dict.fromkeys(fallbacks)),
        "when": [_rule(one, arms, place) for place, one in enumerate(said.get("when") or (), start=1)],
        "timeout_s": _number(said.get("timeout_s", 30.0), "timeout_s", above=0.0),
        "circuit": _circuit(said.get("circuit") or {}),
        "canary": _canary(said.get("canary"), arms, f"route {name!r}"),
    }


def _arm_name(arm: object) -> str:
    if not isinstance(arm, str) or not _NAME.fullmatch(arm):
        raise UsageError(
            f"{plain_line(arm, 80)!r} is no name of an arm: letters, digits and . _ @ : / + -, at most 200"
        )
    return arm


def _arm(arm: str, given: object) -> dict[str, Any]:
    said = _mapping(given, f"arm {arm!r}")
    _refuse_unknown(said, _ARM, f"part of arm {arm!r}")
    found = {part: said.get(part) for part in ("prompt", "model", "policy")}
    for part, one in found.items():
        if one is not None and (not isinstance(one, str) or not one.strip()):
            raise UsageError(f"arm {arm!r}: {part}={plain_line(one, 80)!r}: give a name")
    if not found["prompt"] and not found["model"]:
        raise UsageError(f"arm {arm!r} has neither a prompt nor a model: {{'prompt': 'answer@6'}}")
    params = dict(_mapping(said.get("params") or {}, f"params of arm {arm!r}"))
    check_params(params)
    weight = _number(said.get("weight", 0.0), f"weight of arm {arm!r}", least=0.0)
    limits = _mapping(said.get("limits") or {}, f"limits of arm {arm!r}")
    _refuse_unknown(limits, [one.name for one in fields(ArmLimits)], f"limit of arm {arm!r}")
    usd = limits.get("usd_per_day")
    kept = {"usd_per_day": None if usd is None else _number(usd, "usd_per_day", above=0.0)}
    kept |= {part: _whole(limits.get(part), part) for part in ("per_minute", "concurrency")}
    return {**found, "params": params, "weight": weight, "limits": kept}


def _rule(given: object, arms: Mapping[str, Any], place: int) -> dict[str, Any]:
    said = _mapping(given, f"when[{place}]")
    _refuse_unknown(said, ("if", "arms"), f"part of when[{place}]")
    conditions = _mapping(said.get("if"), f"when[{place}]['if']")
    if not conditions:
        raise UsageError(f"when[{place}] says no condition: {{'if': {{'segment': 'vip'}}, 'arms': {{'current': 1}}}}")
    shares = _mapping(said.get("arms"), f"when[{place}]['arms']")
    weights = {
        _known_arm(arm, arms, f"when[{place}]"): _number(one, f"weight of {arm!r} in when[{place}]", least=0.0)
        for arm, one in shares.items()
    }
    _refuse_odd_sum(weights, f"when[{place}]")
    return {"if": {str(key): _wanted(one, str(key)) for key, one in conditions.items()}, "arms": weights}


def _wanted(given: Any, key: str) -> Any:
    """Return what counts of a key of the context: a list of values, or limits of a number."""
    if isinstance(given, Mapping):
        _refuse_unknown(given, _BOUNDS, f"limit of {key!r}")
        if not given:
            raise UsageError(f"{key!r}: give values, or {{'at_least': ..., 'at_most': ...}}")
        return {name: _number(one, f"{name} of {key!r}") for name, one in given.items()}
    values = [*given] if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    if not values or any(not isinstance(one, str | int | float | bool) for one in values):
        raise UsageError(f"{key!r}: give texts or numbers, or {{'at_least': ..., 'at_most': ...}}")
    return values


def _circuit(given: object) -> dict[str, Any]:
    said = _mapping(given, "circuit")
    default = CircuitSettings()
    _refuse_unknown(said, [one.name for one in fields(default)], "part of circuit")
    found: dict[str, Any] = {
        part: _whole(said.get(part, getattr(default, part)), part) for part in ("failures", "of")
    } | {part: _number(said.get(part, getattr(default, part)), part, above=0.0) for part in ("window_s", "open_s")}
    if not found["failures"] or not found["of"] or found["failures"] > found["of"]:
        raise UsageError(f"circuit: {found['failures']} failures of {found['of']} calls cannot be")
    return found


def _canary(given: object, arms: Mapping[str, Any], what: str) -> dict[str, Any] | None:
    """Return the plan of a canary as it was said, once it is known to be one."""
    if given is None:
        return None
    said = dict(_mapping(given, "canary"))
    plan_of(said, {arm: one["weight"] for arm, one in arms.items()}, what)
    return said


def _refuse_odd_sum(weights: Mapping[str, float], what: str) -> None:
    total = math.fsum(weights.values())
    if abs(total - 1) > _ONE:
        listed = ", ".join(f"{plain_line(arm, 60)} {weight:g}" for arm, weight in weights.items()) or "none"
        raise UsageError(f"the weights of {what} add up to {total:.10g} and not to 1: {listed}")


def _known_arm(arm: object, arms: Mapping[str, Any], where: str) -> str:
    if not isinstance(arm, str) or arm not in arms:
        raise UsageError(f"{where}: {did_you_mean('arm', str(arm), arms)}")
    return arm


def _mapping(given: object, what: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping) or any(not isinstance(key, str) for key in given):
        raise UsageError(f"{what}: give a mapping, not {plain_line(repr(given), 80)}")
    return given


def _refuse_unknown(said: Mapping[str, Any], known: Sequence[str], what: str) -> None:
    for name in said:
        if name not in known:
            raise UsageError(did_you_mean(what, name, known))


def _is_number(one: object) -> bool:
    return isinstance(one, int | float) and not isinstance(one, bool)


def _number(one: Any, what: str, *, above: float | None = None, least: float | None = None) -> float:
    if not _is_number(one) or not math.isfinite(one):
        raise UsageError(f"{what}: give a number, not {plain_line(repr(one), 60)}")
    if (above is not None and one <= above) or (least is not None and one < least):
        raise UsageError(f"{what}={one:g}: give {'more than' if above is not None else 'at least'} 0")
    return float(one)


def _whole(one: Any, what: str) -> int | None:
    if one is None:
        return None
    if not isinstance(one, int) or isinstance(one, bool) or one < 1:
        raise UsageError(f"{what}={plain_line(repr(one), 60)}: give a whole number from 1")
    return one


def layout_of(body: Mapping[str, Any], before: RouteVersion | None) -> str:
    """Return which arm has which stretch of keys, as it is kept: of the route, then of each of its rules.

    Args:
        body: The content of the new version.
        before: The version that it takes the place of: as few keys move as can be.
    """
    weights = {arm: one["weight"] for arm, one in body["arms"].items()}
    base = laid_out(weights, before.layout[0] if before is not None else ())
    known = [] if before is None else [*zip(before.when, before.layout[1:], strict=True)]
    found = [base]
    for one in body["when"]:
        rule = _made_rule(one)
        its = next((line for was, line in known if was.when == rule.when), base)
        found.append(laid_out(rule.arms, its))
    return json.dumps(found)


def made(body: Mapping[str, Any], layout: str, **_told: Any) -> RouteVersion:
    """Return a route of its content, its layout and what is told of its version."""
    lines = tuple(tuple(Segment(*one) for one in line) for line in json.loads(layout))
    return RouteVersion(
        arms={arm: Arm(name=arm, **{**one, "limits": ArmLimits(**one["limits"])}) for arm, one in body["arms"].items()},
        fallbacks=tuple(body["fallbacks"]),
        when=tuple(map(_made_rule, body["when"])),
        timeout_s=body["timeout_s"],
        circuit=CircuitSettings(**body["circuit"]),
        canary=body["canary"],
        layout=lines,
        **_told,
    )


def _made_rule(one: Mapping[str, Any]) -> Rule:
    when = {key: said if isinstance(said, dict) else tuple(said) for key, said in one["if"].items()}
    return Rule(when=when, arms=one["arms"])


def content_of(version: RouteVersion) -> dict[str, Any]:
    """Return the content of a version, as it is kept and filed."""
    arms = {
        arm: {part: getattr(one, part) for part in _ARM} | {"limits": _fields(one.limits)}
        for arm, one in version.arms.items()
    }
    rules = [
        {"if": {key: dict(one) if isinstance(one, Mapping) else [*one] for key, one in rule.when.items()}}
        | {"arms": dict(rule.arms)}
        for rule in version.when
    ]
    return {
        "arms": arms,
        "fallbacks": [*version.fallbacks],
        "when": rules,
        "timeout_s": version.timeout_s,
        "circuit": _fields(version.circuit),
        "canary": version.canary,
    }


def reweighed(live: RouteVersion, weights: Mapping[str, float]) -> dict[str, Any]:
    """Return the content of a route with other shares; arms that are not named get none.

    Raises:
        UsageError: There is no such arm.
    """
    for arm in weights:
        if arm not in live.arms:
            raise UsageError(did_you_mean(f"arm of {live.ref}", str(arm), live.arms))
    body = content_of(live)
    for arm, one in body["arms"].items():
        one["weight"] = weights.get(arm, 0.0)
    return body


def _fields(record: Any) -> dict[str, Any]:
    return {one.name: getattr(record, one.name) for one in fields(record)}


def _read(_store: Store, _con: sqlite3.Connection, row: Row) -> RouteVersion:
    found = made(json.loads(row["body"]), row["layout"], **told(row))
    if any(sum(one.end - one.start for one in line) != POINTS for line in found.layout):
        raise DamagedStoreError(f"{found.ref}: its arms do not have all keys")
    return found


def _problem(row: Row) -> str | None:
    return None if text_hash(row["body"]) == row["hash"] else "its content is not what was saved"


def weights_words(row: Row) -> str:
    """Return the shares of a version of its row, in words."""
    arms = json.loads(row["body"])["arms"]
    return ", ".join(f"{arm} {share(one['weight'])}" for arm, one in arms.items() if one["weight"])


KIND: Final = Kind(
    name="route",
    noun="routing",
    table="route_versions",
    read=_read,
    own={"arms": weights_words},
    check_name=lambda name: check_word(name, "a route"),
    problem=_problem,
)
