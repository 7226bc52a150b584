"""What can be done about an incident: each action says what stands, what would stand, and does it, in one change.

A room that can be changed in a hurry adds its own with ``ACTIONS.register``, a package by an entry point in the group
``lmops.actions``.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.base.registry import Registry
from lmops.errors import UsageError, did_you_mean
from lmops.guardrails import Guardrails
from lmops.judges import Judges
from lmops.models import Models
from lmops.prompts import Prompts
from lmops.records import text_hash
from lmops.routing import Routing
from lmops.text import plain_line
from lmops.tools import ToolPolicies, Tools
from lmops.traces import carry_out_reprice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lmops.records import Project, Versioned

Params = dict[str, Any]


class Stand(NamedTuple):
    """What an action is about, as it is now.

    Args:
        stands: Plain data: the same again means that nothing is to be done.
        mark: What else tells this moment from a later one at which it is the same again, such as the last move.
    """

    stands: Mapping[str, Any]
    mark: object = None

    @property
    def seen(self) -> str:
        """A short name of this state, to be given back by whoever decided on it."""
        return text_hash(json.dumps([self.stands, self.mark], sort_keys=True, default=str)).removeprefix("sha256:")[:12]


class Planned(NamedTuple):
    """What an action would do: what would stand after it, and the same in a sentence."""

    then: Mapping[str, Any]
    words: str


@dataclass(frozen=True, kw_only=True)
class Action:
    """Something that can be done about an incident.

    Args:
        name: Such as "roll_back".
        words: What it does, in a sentence.
        params: Its arguments: what each of them is.
        needs: Those that must be given.
        stand: Returns how what it is about is now.
        plan: Returns what it would do; raises where it cannot be done.
        do: Does it, for a reason, with a project whose changes are parts of one.
    """

    name: str
    words: str
    params: Mapping[str, str]
    needs: tuple[str, ...] = ()
    stand: Callable[[Project, Params], Stand]
    plan: Callable[[Project, Params], Planned]
    do: Callable[[Project, Params, str], object]

    def checked(self, params: Mapping[str, Any]) -> Params:
        """Return arguments that the action knows, or raise.

        Raises:
            UsageError: One is missing or not known.
        """
        for name in params:
            if name not in self.params:
                raise UsageError(did_you_mean(f"argument of {self.name}", str(name), self.params))
        missing = [name for name in self.needs if params.get(name) in (None, "")]
        if missing:
            told = "; ".join(f"{name}: {self.params[name]}" for name in missing)
            raise UsageError(f"{self.name} needs {', '.join(missing)} ({told})")
        return dict(params)


def _accept(name: str, offered: object) -> Action:
    if not isinstance(offered, Action):
        raise UsageError(f"the action {name!r} is a {type(offered).__name__}, not an lmops.incidents.Action")
    return offered


ACTIONS: Final[Registry[Action]] = Registry(
    "action", group="lmops.actions", accept=_accept, hint="ws.incidents.actions() lists them"
)
_PRODUCTION: Final = "production"


def _routing(project: Project) -> Routing:
    return Routing(project, models=lambda: Models(project, reprice=functools.partial(carry_out_reprice, project.store)))


#: What has versions that can be rolled back, by the argument that names it.
_NOUNS: Final[Mapping[str, Callable[[Project], Versioned[Any]]]] = {
    "prompt": Prompts,
    "judge": Judges,
    "route": _routing,
    "policy": Guardrails,
    "tool_policy": ToolPolicies,
}


def _rolled(project: Project, params: Params) -> tuple[Versioned[Any], str, str]:
    """Return the noun, the name and the alias that are rolled back."""
    given = [kind for kind in _NOUNS if params.get(kind)]
    if len(given) != 1:
        raise UsageError(f"roll_back: say what, one of {', '.join(_NOUNS)}, such as prompt='support-answer'")
    return _NOUNS[given[0]](project), str(params[given[0]]), str(params.get("alias") or _PRODUCTION)


def _alias_stand(project: Project, params: Params) -> Stand:
    noun, name, alias = _rolled(project, params)
    moves = noun.history(name, alias=alias)
    last = None if moves.empty else int(moves["event_id"].iloc[-1])
    return Stand({f"{name}@{alias}": noun.aliases(name).get(alias)}, last)


def _roll_back_plan(project: Project, params: Params) -> Planned:
    noun, name, alias = _rolled(project, params)
    move = noun.rollback(name, alias=alias, reason="dry run", dry_run=True)
    ref = f"{name}@{alias}"
    return Planned(
        {ref: move.to_version}, f"{plain_line(ref, 200)} goes from {move.from_version} back to {move.to_version}"
    )


def _roll_back(project: Project, params: Params, reason: str) -> object:
    noun, name, alias = _rolled(project, params)
    return noun.rollback(name, alias=alias, reason=reason)


ACTIONS.register(
    "roll_back",
    Action(
        name="roll_back",
        words="point the alias of a prompt, a judge, a route or a policy to the version that was there before",
        params={
            "prompt": "name of a prompt",
            "judge": "or of a judge",
            "route": "or of a route",
            "policy": "or of a policy",
            "tool_policy": "or of a policy of tools",
            "alias": "production by default",
        },
        stand=_alias_stand,
        plan=_roll_back_plan,
        do=_roll_back,
    ),
)


def _asked_shares(params: Params) -> dict[str, float]:
    asked = params["weights"]
    if not isinstance(asked, dict) or not asked:
        raise UsageError(f"reroute: weights={asked!r}: give arms with their shares, such as {{'current': 1}}")
    return asked


def _route_stand(project: Project, params: Params) -> Stand:
    live = _routing(project).live(str(params["route"]))
    return Stand(dict(live.weights), live.ref)


def _shared(project: Project, params: Params, weights: dict[str, float]) -> Planned:
    """Return what a route with other shares would be, checked as one that is set; arms that are not named get none."""
    then = _routing(project).weigh(str(params["route"]), weights, dry_run=True).weights
    shares = ", ".join(f"{plain_line(arm, 60)} {share:g}" for arm, share in then.items())
    return Planned(then, f"the route {plain_line(params['route'], 100)} sends its traffic to {shares}")


def _reroute_plan(project: Project, params: Params) -> Planned:
    return _shared(project, params, _asked_shares(params))


def _reroute(project: Project, params: Params, reason: str) -> object:
    return _routing(project).weigh(str(params["route"]), _asked_shares(params), reason=reason)


def _without_canary(project: Project, params: Params) -> dict[str, float]:
    """Return the shares of a route in which the arm of its canary has none and the control has its own."""
    routing, name = _routing(project), str(params["route"])
    live, plan = routing.live(name), routing.canary(name)
    share = live.weights[plan.control] + live.weights[plan.arm]
    return {**live.weights, plan.control: share, plan.arm: 0.0}


def _stop_plan(project: Project, params: Params) -> Planned:
    return _shared(project, params, _without_canary(project, params))


def _stop(project: Project, params: Params, reason: str) -> object:
    return _routing(project).weigh(str(params["route"]), _without_canary(project, params), reason=reason)


def _switch_name(params: Params) -> str:
    return str(params["route"]) if params.get("arm") is None else f"{params['route']}/{params['arm']}"


def _arm_of(params: Params) -> str | None:
    return None if params.get("arm") is None else str(params["arm"])


def _switch_stand(project: Project, params: Params) -> Stand:
    _routing(project).live(str(params["route"]))
    query = "select is_killed, moved_ns from route_switches where route = ? and arm = ?"
    with project.reading() as con:
        row = con.execute(query, (str(params["route"]), _arm_of(params) or "")).fetchone()
    is_off = row is not None and bool(row[0])
    return Stand({_switch_name(params): "off" if is_off else "on"}, None if row is None else row[1])


def _kill_plan(project: Project, params: Params) -> Planned:
    _routing(project).kill(str(params["route"]), _arm_of(params), reason="dry run", dry_run=True)
    what = "the route" if _arm_of(params) is None else "the arm"
    return Planned({_switch_name(params): "off"}, f"{what} {plain_line(_switch_name(params), 200)} is switched off")


def _kill(project: Project, params: Params, reason: str) -> object:
    return _routing(project).kill(str(params["route"]), _arm_of(params), reason=reason)


ACTIONS.register(
    "reroute",
    Action(
        name="reroute",
        words="give the arms of a route other shares of the traffic",
        params={"route": "name of the route", "weights": "mapping of its arms to shares that add up to 1"},
        needs=("route", "weights"),
        stand=_route_stand,
        plan=_reroute_plan,
        do=_reroute,
    ),
)
ACTIONS.register(
    "kill_arm",
    Action(
        name="kill_arm",
        words="switch off an arm of a route, or all of it",
        params={"route": "name of the route", "arm": "name of the arm; without it all of the route"},
        needs=("route",),
        stand=_switch_stand,
        plan=_kill_plan,
        do=_kill,
    ),
)
ACTIONS.register(
    "stop_canary",
    Action(
        name="stop_canary",
        words="give the share of a canary back to its control",
        params={"route": "name of the route"},
        needs=("route",),
        stand=_route_stand,
        plan=_stop_plan,
        do=_stop,
    ),
)


def _tool_stand(project: Project, params: Params) -> Stand:
    tools, name = Tools(project), str(params["tool"])
    off = {one.tool: one.at for one in tools.disabled()}
    if name not in off:
        tools.disable(name, reason="dry run", dry_run=True)  # refuses what is no tool
    return Stand({name: "off" if name in off else "on"}, off.get(name))


def _disable_plan(project: Project, params: Params) -> Planned:
    name = str(params["tool"])
    Tools(project).disable(name, reason="dry run", dry_run=True)
    return Planned({name: "off"}, f"the tool {plain_line(name, 200)} is switched off: agents are told so")


def _disable(project: Project, params: Params, reason: str) -> object:
    return Tools(project).disable(str(params["tool"]), reason=reason)


ACTIONS.register(
    "disable_tool",
    Action(
        name="disable_tool",
        words="switch off a tool for every agent, in all its versions",
        params={"tool": "name of the tool"},
        needs=("tool",),
        stand=_tool_stand,
        plan=_disable_plan,
        do=_disable,
    ),
)


def _enable_plan(project: Project, params: Params) -> Planned:
    name = str(params["tool"])
    Tools(project).enable(name, reason="dry run", dry_run=True)
    return Planned({name: "on"}, f"the tool {plain_line(name, 200)} is switched on again")


def _enable(project: Project, params: Params, reason: str) -> object:
    return Tools(project).enable(str(params["tool"]), reason=reason)


ACTIONS.register(
    "enable_tool",
    Action(
        name="enable_tool",
        words="switch on a tool that was switched off",
        params={"tool": "name of the tool"},
        needs=("tool",),
        stand=_tool_stand,
        plan=_enable_plan,
        do=_enable,
    ),
)


def _tightening(params: Params) -> str:
    """Return which of the two it is: "version" or "rail"."""
    given = [name for name in ("version", "rail") if params.get(name) is not None]
    if len(given) != 1:
        raise UsageError("tighten_guardrail: say version= (of a stricter policy) or rail= (that is switched off)")
    return given[0]


def _policy_alias(params: Params) -> str:
    return str(params.get("alias") or _PRODUCTION)


def _policy_stand(project: Project, params: Params) -> Stand:
    policies, name = Guardrails(project), str(params["policy"])
    if _tightening(params) == "version":
        moves, alias = policies.history(name, alias=_policy_alias(params)), _policy_alias(params)
        last = None if moves.empty else int(moves["event_id"].iloc[-1])
        return Stand({f"{name}@{alias}": policies.aliases(name).get(alias)}, last)
    off = {one.rail: one.at for one in policies.switched_off(name)}
    rail = str(params["rail"])
    return Stand({f"{name}/{rail}": "off" if rail in off else "on"}, off.get(rail))


def _tighten_plan(project: Project, params: Params) -> Planned:
    policies, name = Guardrails(project), str(params["policy"])
    if _tightening(params) == "version":
        alias = _policy_alias(params)
        move = policies.promote(name, params["version"], to=alias, reason="dry run", dry_run=True)
        words = f"{plain_line(f'{name}@{alias}', 200)} goes from {move.from_version or 'nothing'} to {move.to_version}"
        return Planned({f"{name}@{alias}": move.to_version}, words)
    rail = str(params["rail"])
    policies.switch_on(name, rail, reason="dry run", dry_run=True)
    return Planned({f"{name}/{rail}": "on"}, f"the rail {plain_line(f'{name}/{rail}', 200)} is switched on again")


def _tighten(project: Project, params: Params, reason: str) -> object:
    policies, name = Guardrails(project), str(params["policy"])
    if _tightening(params) == "version":
        return policies.promote(name, params["version"], to=_policy_alias(params), reason=reason)
    return policies.switch_on(name, str(params["rail"]), reason=reason)


ACTIONS.register(
    "tighten_guardrail",
    Action(
        name="tighten_guardrail",
        words="point the alias of a policy to a stricter version, or switch on a rail of it that is off",
        params={
            "policy": "name of the policy",
            "version": "that its alias is to point to",
            "rail": "or the rail that is switched on",
            "alias": "production by default",
        },
        needs=("policy",),
        stand=_policy_stand,
        plan=_tighten_plan,
        do=_tighten,
    ),
)
