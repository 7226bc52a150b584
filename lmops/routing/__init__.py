"""Routes: which prompt and model answers whom, in versions that are seen everywhere at once; and what happens if not.

A route is an artefact like a prompt: its versions never change, the alias production says which is live, every move is
in the audit chain and can be undone. A switch takes an arm, or all of a route, out of use at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from lmops.base.kinds import refuses_wrong_kinds
from lmops.base.loops import waited
from lmops.base.public import only
from lmops.base.twins import takes_as
from lmops.errors import NotFoundError, UsageError
from lmops.prompts import Prompts
from lmops.records import Filed, Kind, Move, Versioned, check_words, content_text, seen_at_once, switch_reason
from lmops.routing import _show as _show
from lmops.routing import _show_trials as _show_trials
from lmops.routing._live import SWITCHES, live_number, live_routes
from lmops.routing._records import (
    Arm,
    ArmLimits,
    ArmStatus,
    Attempt,
    Choice,
    RoutedCompletion,
    RouteStatus,
    RouteVersion,
    Rule,
    Switch,
)
from lmops.routing._sync import RouteFiling
from lmops.routing._trial_records import (
    Advice,
    AdvisedArm,
    ArmComparison,
    CanaryStatus,
    CanaryStep,
    ExperimentPower,
    MetricComparison,
)
from lmops.routing._trial_verbs import WithTrials
from lmops.routing._versions import KIND, body_of, layout_of
from lmops.routing.calling import Asked, Ways, called
from lmops.routing.limits import gate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lmops.models import Models
    from lmops.records import Change, Project

__all__ = [
    "Advice",
    "AdvisedArm",
    "Arm",
    "ArmComparison",
    "ArmLimits",
    "ArmStatus",
    "Attempt",
    "CanaryStatus",
    "CanaryStep",
    "Choice",
    "ExperimentPower",
    "MetricComparison",
    "RouteStatus",
    "RouteVersion",
    "RoutedCompletion",
    "Routing",
    "Rule",
    "Switch",
]
__dir__ = only(__all__)

_PRODUCTION: Final = "production"


@refuses_wrong_kinds
class Routing(WithTrials):
    """The routes of a workspace: ``ws.routing``."""

    KIND: ClassVar[Kind[RouteVersion]] = KIND

    def __init__(
        self, project: Project, *, models: Callable[[], Models], guard: Callable[[str], object] | None = None
    ) -> None:
        super().__init__(project)
        self._models = models
        self._guard = guard
        self._live = live_routes(project, self._versions)
        self._prompts = Prompts(project)

    # -- versions ----------------------------------------------------------------------------------------------------

    def set(
        self,
        name: str,
        route: Mapping[str, Any],
        *,
        to: str | None = _PRODUCTION,
        expected: int | str | RouteVersion | None = None,
        reason: str | None = None,
        dry_run: bool = False,
    ) -> RouteVersion:
        """Save a route as a version of its name, let an alias point to it in the same change, and return it.

        The same content again is the same version. Of the version that was live before as few keys move as can be.

        Args:
            name: Of the route.
            route: {"support-answer@6": 0.9, "support-answer@7": 0.1}, or a mapping of arms (name to a mapping of
                prompt, model, params, policy, weight and limits: usd_per_day, per_minute, concurrency), fallbacks
                (names of arms that are asked next), when (a list of {"if": {"segment": "vip", "language": ["de"],
                "size": {"at_least": 1000}}, "arms": {name: weight}}; the first that fits counts), timeout_s (30),
                circuit (failures, of, window_s, open_s) and canary. Weights add up to 1.
            to: The alias; None saves a draft.
            expected: Where you saw the alias when you decided; 0 for "it did not exist". By default where it is when
                this call starts.
            reason: Why, for the audit chain.
            dry_run: Check everything and change nothing; the version that is returned is not kept.

        Raises:
            UsageError: A part cannot be used, or weights do not add up to 1.
            NotFoundError: A prompt, a model or a policy is not there.
            RefusedError: The alias is protected.
            ConflictError: Somebody else moved the alias first; nothing was changed.
        """
        return self._set(name, route, to=to, expected=expected, reason=reason, dry_run=dry_run)

    @seen_at_once
    def _set(
        self,
        name: str,
        route: Mapping[str, Any],
        *,
        to: str | None,
        expected: int | str | RouteVersion | None,
        reason: str | None,
        dry_run: bool = False,
        step: Mapping[str, Any] | None = None,
    ) -> RouteVersion:
        """Do what :meth:`set` does; where that moves the alias the chain has what a step of a canary rests on."""
        self.KIND.check_name(name)
        body = body_of(route, name=name)
        words = check_words(reason, "reason")
        self._refuse_missing(body)
        with self._project.reading() as con:
            seen = None if to is None else self._seen(con, name, to, expected)
        with self._project.change(reason=words, dry_run=dry_run) as change:
            saved, _ = self._filing().put(change, name, body)
            if to is not None and not dry_run:
                was = self._versions.aliases.seen(change.con, name, to)
                self._pointed(change, name, to, saved.version, seen)
                if step is not None and was != saved.version:
                    change.say("route.step", name, after=step, evidence=[f"{name}@{step['version']}"])
            return saved

    promote = seen_at_once(Versioned.promote)
    rollback = seen_at_once(Versioned.rollback)
    sync = seen_at_once(Filed.sync)

    def live(self, name: str) -> RouteVersion:
        """Return the version that decides: where the alias production points, else the newest.

        Args:
            name: Of the route.

        Raises:
            NotFoundError: There is no such route.
        """
        self.KIND.check_name(name)
        with self._project.reading() as con:
            return self._versions.load(con, name, live_number(self._versions, con, name))

    # -- switches ----------------------------------------------------------------------------------------------------

    @seen_at_once
    def kill(self, name: str, arm: str | None = None, *, reason: str, dry_run: bool = False) -> Switch:
        """Switch off an arm, or all of a route, in every process within a second; return the switch.

        Keys of an arm that is off go to the fallbacks, else to the other arms. Of a route that is off ``choose`` and
        ``call`` are refused. Nothing moves: switched on again, everybody has the arm that he had.

        Args:
            name: Of the route.
            arm: Name of the arm; None: all of it.
            reason: Why, for the audit chain and for whoever is refused.
            dry_run: Check everything and change nothing.

        Raises:
            NotFoundError: There is no such route, or the version that is live has no such arm.
            UsageError: There is no reason.
        """
        return self._switch(name, arm, is_killed=True, reason=reason, dry_run=dry_run)

    @seen_at_once
    def revive(self, name: str, arm: str | None = None, *, reason: str, dry_run: bool = False) -> Switch:
        """Switch on an arm, or a route, that was switched off; return the switch.

        Args:
            name: Of the route.
            arm: Name of the arm; None: the route, whose arms stay as they were.
            reason: Why, for the audit chain.
            dry_run: Check everything and change nothing.

        Raises:
            NotFoundError: There is no such route or arm.
            UsageError: There is no reason.
        """
        return self._switch(name, arm, is_killed=False, reason=reason, dry_run=dry_run)

    # -- requests ----------------------------------------------------------------------------------------------------

    def choose(self, name: str, key: str | None = None, context: Mapping[str, Any] | None = None) -> Choice:
        """Return which arm of the live version has a key; nothing is read from the disk for it.

        The same key has the same arm until its weight changes, and only as many keys move then as must.

        Args:
            name: Of the route.
            key: Whose request it is, such as the id of a user; None: an arm is drawn.
            context: What rules look at, such as {"segment": "vip", "language": "de"}.

        Raises:
            NotFoundError: There is no such route.
            RefusedError: The route is switched off, or all its arms are; the message says by whom and why.
        """
        return self._live.get(name).choose(key, context)

    async def acall(
        self,
        name: str,
        messages: str | Sequence[Mapping[str, Any]] | None = None,
        *,
        inputs: Mapping[str, Any] | None = None,
        key: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> RoutedCompletion:
        """Return the answer of the arm of a key, of a fallback where that does not answer.

        An arm that fails, takes too long, is left alone after failures or has spent its limits is passed over. Each arm
        that was asked is in the trace, with what it cost; ``.choice`` says who answered and why, ``.attempts`` what
        went before. What is asked and answered passes the policy of the arm: who is blocked gets its words
        (``.is_blocked``), and no other arm is asked.

        Args:
            name: Of the route.
            messages: Sent as they are to the model of the arm; its prompt is not rendered.
            inputs: Variables with which the prompt of each arm is rendered; in the place of messages.
            key: As for :meth:`choose`.
            context: As for :meth:`choose`.

        Raises:
            ModelError: No arm answered; the message has what each of them said.
            NotFoundError: There is no such route.
            RefusedError: The route is switched off.
            UsageError: Neither or both of messages and inputs, or the prompt needs other inputs.
        """
        chooser = self._live.get(name)
        choice = chooser.choose(key, context)
        ways = Ways(self._project, self._models(), self._prompts)
        return await called(ways, chooser, choice, Asked(messages, inputs, context))

    @takes_as(acall)
    def call(self, *_args: Any, **_options: Any) -> RoutedCompletion:
        """Return the answer of the arm of a key, as :meth:`acall` does, without ``await``.

        Raises:
            ModelError: No arm answered; the message has what each of them said.
            RefusedError: The route is switched off.
        """
        return waited(lambda: self.acall(*_args, **_options), name="lmops-route")

    def status(self, name: str) -> RouteStatus:
        """Return how the live version of a route stands, as this process sees it: switches, circuits, limits, spending.

        Args:
            name: Of the route.

        Raises:
            NotFoundError: There is no such route.
        """
        self._live.refresh()
        chooser = self._live.get(name)
        version, found = chooser.version, []
        for arm in version.arms.values():
            its_gate = gate(self._store, name, arm.name)
            if arm.limits.usd_per_day is not None:
                its_gate.read(self._store, self._project.now())
            found.append(its_gate.status(arm, version.circuit, is_killed=arm.name in chooser.killed))
        return RouteStatus(version=version, off=chooser.off, arms=tuple(found))

    # -- inside ------------------------------------------------------------------------------------------------------

    def _refuse_missing(self, body: Mapping[str, Any]) -> None:
        """Refuse arms whose prompt, model or policy is not there.

        Raises:
            NotFoundError: The message names the arm and the nearest that is there.
        """
        for arm, one in body["arms"].items():
            try:
                prompt = None if one["prompt"] is None else self._prompts.get(one["prompt"])
                model = one["model"] or (prompt.model if prompt is not None else None)
                if model is not None:
                    self._models().endpoint(model)
                if one["policy"] is not None and self._guard is not None:
                    self._guard(one["policy"])
            except NotFoundError as error:
                raise NotFoundError(f"arm {arm!r}: {error}") from error
            if model is None:
                raise UsageError(f"arm {arm!r}: neither it nor {one['prompt']} says a model: 'openai:gpt-5-mini'")

    def _before(self, change: Change, name: str) -> RouteVersion | None:
        """Return the version that is live until now."""
        if not self._versions.newest(change.con, name):
            return None
        return self._versions.load(change.con, name, live_number(self._versions, change.con, name))

    def _filing(self) -> RouteFiling:
        return RouteFiling(self._versions, row=self._row, check=self._refuse_missing)

    def _row(self, change: Change, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the columns of a new version."""
        return {"body": content_text("route", body), "layout": layout_of(body, self._before(change, name))}

    def _pointed(self, change: Change, name: str, alias: str, version: int, seen: int | None) -> None:
        """Let an alias point to a version that was saved in the same change."""
        move = Move(
            name=name,
            alias=alias,
            action="promote",
            from_version=self._versions.aliases.seen(change.con, name, alias),
            to_version=version,
            at=change.at,
            actor=change.actor,
            reason=change.reason,
            is_moved=False,
        )
        self._promote(change, move, seen=seen, force=False, dry_run=False)

    def _switch(self, name: str, arm: str | None, *, is_killed: bool, reason: str, dry_run: bool) -> Switch:
        words = switch_reason(reason)
        self.KIND.check_name(name)
        with self._project.change(reason=words, dry_run=dry_run) as change:
            version = self._versions.load(change.con, name, live_number(self._versions, change.con, name))
            known = {one.arm for one in SWITCHES.read(self._store, change.con) if one.route == name}
            if arm is not None and arm not in version.arms and arm not in known:
                raise NotFoundError.of(f"arm of {version.ref}", arm, version.arms)
            return SWITCHES.turn(change, {"route": name, "arm": arm or ""}, is_off=is_killed, dry_run=dry_run)
