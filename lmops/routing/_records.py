"""What a version of a route is, what it says for one key, what came of a call, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from lmops.base.shown import Shown
from lmops.models import Completion
from lmops.records import Version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

#: Why an arm has a request.
Reason = Literal["assigned", "condition", "random", "killed", "fallback", "limit"]
#: What a circuit does with requests.
CircuitState = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmLimits:
    """What an arm may take at most; None: no limit.

    Args:
        usd_per_day: US dollars of a day in UTC, by recorded cost; what is under way when they are spent still counts.
        per_minute: Requests in any 60 seconds, of each process.
        concurrency: Requests at a time, of each process.
    """

    usd_per_day: float | None = None
    per_minute: int | None = None
    concurrency: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One way to answer.

    Args:
        name: Of the arm; it keeps its users across versions of its route.
        prompt: Reference of the prompt that is rendered, such as "support-answer@6"; None: messages are sent as given.
        model: The model that is asked; None: that of the prompt.
        params: Parameters of the call, over those of the prompt.
        policy: Reference of the policy that what is asked and answered passes, such as "support@production".
        weight: Share of the keys, in 0..1.
        limits: What it may take.
    """

    name: str
    prompt: str | None = None
    model: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    policy: str | None = None
    weight: float = 0.0
    limits: ArmLimits = field(default_factory=ArmLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Other shares for requests of a kind.

    Args:
        when: By key of the context the values that count, or {"at_least": ..., "at_most": ...}; all keys must fit.
        arms: Share of the keys by arm.
    """

    when: Mapping[str, tuple[Any, ...] | Mapping[str, float]]
    arms: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitSettings:
    """When an arm is left alone: after so many failures of the last calls within a time, and for how long.

    Args:
        failures: Failures that open the circuit.
        of: The last so many calls are looked at.
        window_s: Seconds; older calls do not count.
        open_s: Seconds until one request may try again.
    """

    failures: int = 5
    of: int = 10
    window_s: float = 60.0
    open_s: float = 15.0


class Segment(NamedTuple):
    """A stretch of the line on which keys lie: which arm has it."""

    arm: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteVersion(Version):
    """One version of a route: which arm answers whom, and what happens when it does not.

    Args:
        arms: The arms by name.
        fallbacks: Names of arms that are asked next, in order, when one does not answer.
        when: Rules; the first that fits the context counts.
        timeout_s: Seconds for one arm to answer, with its retries.
        circuit: When an arm is left alone for a while.
        canary: Plan of a canary release, plain data.
        layout: Which arm has which stretch of keys, and the same for each rule; made of that of the version before.
    """

    arms: Mapping[str, Arm]
    fallbacks: tuple[str, ...] = ()
    when: tuple[Rule, ...] = ()
    timeout_s: float = 30.0
    circuit: CircuitSettings = field(default_factory=CircuitSettings)
    canary: Mapping[str, Any] | None = None
    layout: tuple[tuple[Segment, ...], ...] = field(repr=False, default=())

    @property
    def weights(self) -> dict[str, float]:
        """Share of the keys by arm, where no rule fits."""
        return {name: arm.weight for name, arm in self.arms.items()}


class Choice(NamedTuple):
    """Which arm a request gets, and why.

    Args:
        route: Name of the route.
        version: Of the route.
        assigned: The arm that has the key.
        arm: The arm that is to answer: another one where that was switched off.
        reason: assigned, condition (a rule fitted), random (there was no key) or killed; of a call that another arm
            answered fallback or limit.
        key_hash: What stands for the key in traces, the same for all versions of a route; None: drawn at random.
        settings: What the arm is.
        by_rule: A rule decided, so that the arm was not drawn by the shares of the route, whatever came of it.
    """

    route: str
    version: int
    assigned: str
    arm: str
    reason: Reason
    key_hash: str | None
    settings: Arm
    by_rule: bool = False

    @property
    def attributes(self) -> dict[str, str | int]:
        """What to put on the span of what the arm does: the view ``routing_decisions`` reads it."""
        found: dict[str, str | int] = {
            "lmops.route.name": self.route,
            "lmops.route.version": self.version,
            "lmops.route.assigned": self.assigned,
            "lmops.route.arm": self.arm,
            "lmops.route.reason": self.reason,
        }
        if self.key_hash is not None:
            found["lmops.route.key_hash"] = self.key_hash
        if self.by_rule:
            found["lmops.route.by_rule"] = True
        if self.settings.policy is not None:
            found["lmops.route.policy"] = self.settings.policy
        return found


class Attempt(NamedTuple):
    """What one arm did with a request.

    Args:
        arm: Its name.
        outcome: "ok", "blocked" (by the policy of the arm), the kind of the error of the model, "not_found" (its prompt
            or model is gone), or what kept it from being asked: "open" (its circuit), "budget", "rate", "concurrency".
        cost_usd: What it cost, None where that is not known or nothing was sent.
        latency_ms: Milliseconds; None where nothing was sent.
        said: The error.
    """

    arm: str
    outcome: str
    cost_usd: float | None = None
    latency_ms: float | None = None
    said: str | None = None

    @property
    def is_sent(self) -> bool:
        """Whether the arm was asked."""
        return self.latency_ms is not None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RoutedCompletion(Completion):
    """An answer, with the arm that gave it and what was tried before.

    Args:
        choice: Which arm answered, and why.
        attempts: What each arm that was considered did, the last one answered.
    """

    choice: Choice
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch(Shown):
    """Whether an arm of a route, or all of it, is switched off.

    Args:
        route: Name of the route.
        arm: None: the whole route.
        is_killed: It is off.
        actor: Who switched it last.
        at: When, UTC.
        reason: Why.
    """

    route: str
    arm: str | None
    is_killed: bool
    actor: str
    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmStatus:
    """How an arm stands in this process.

    Args:
        arm: Its name.
        weight: Share of the keys.
        is_killed: It is switched off.
        circuit: closed, open (it is left alone) or half_open (one request tries).
        failures: Failures of its last calls that count for its circuit.
        in_flight: Requests under way.
        last_minute: Requests of the last 60 seconds.
        spent_usd: Of this day in UTC, by all processes; None where the arm has no budget.
        limits: What it may take.
    """

    arm: str
    weight: float
    is_killed: bool
    circuit: CircuitState
    failures: int
    in_flight: int
    last_minute: int
    spent_usd: float | None
    limits: ArmLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteStatus(Shown):
    """How a route stands.

    Args:
        version: The version that is live.
        off: The switch of the whole route where it is off, else None.
        arms: How each arm stands.
    """

    version: RouteVersion
    off: Switch | None
    arms: tuple[ArmStatus, ...]

    @property
    def is_killed(self) -> bool:
        """Whether the whole route is switched off."""
        return self.off is not None
