"""The plan of a canary release, as a route has it, and the shares that its steps set."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import UsageError, did_you_mean
from lmops.metrics import metric_of
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable

_PARTS: Final = ("arm", "control", "steps", "primary", "margin", "guards", "automatic", "level")
_EXAMPLE: Final = (
    "{'arm': 'next', 'steps': [{'share': 0.05, 'n': 200}, {'share': 0.25, 'n': 500}], 'guards': {'error_rate': 0.02}}"
)
_FEWEST_PAIRS: Final = 50.0


class Step(NamedTuple):
    """The share that an arm has in a step, and the users of the arm after which the next one follows."""

    share: float
    n: int


class Plan(NamedTuple):
    """How a canary is to go on.

    Args:
        arm: The arm that is tried.
        control: The arm that it is held against.
        steps: Their shares grow.
        primary: The metric that it is about; None: it must only do no harm.
        margin: Largest acceptable loss of that, in its unit; None: it must be better.
        guards: By metric the largest acceptable loss; None: it only stops what is worse.
        automatic: A step moves by itself.
        level: Of all that is looked at together.
    """

    arm: str
    control: str
    steps: tuple[Step, ...]
    primary: str | None
    margin: float | None
    guards: dict[str, float | None]
    automatic: bool
    level: float

    @property
    def tightest_at(self) -> float:
        """Pairs of users at the end of the last step: where intervals are tightest."""
        last = self.steps[-1]
        return max(last.n * (1 - last.share), _FEWEST_PAIRS)


def plan_of(said: Mapping[str, Any] | None, weights: Mapping[str, float], ref: str) -> Plan:
    """Return the plan of a canary, each part checked.

    Args:
        said: As the route has it.
        weights: Share by arm of the route.
        ref: Of the route, for messages.

    Raises:
        UsageError: There is none, or a part cannot be used.
    """
    if said is None:
        raise UsageError(f"{ref} has no plan of a canary: set it with 'canary': {_EXAMPLE}")
    for part in said:
        if part not in _PARTS:
            raise UsageError(did_you_mean("part of canary", str(part), _PARTS))
    arm = _arm(said.get("arm"), weights, "arm")
    rest = [one for one in weights if one != arm]
    if not rest:
        raise UsageError(f"canary: {ref} has no other arm to hold {arm!r} against")
    control = _arm(said.get("control") or max(rest, key=lambda one: weights[one]), weights, "control")
    if control == arm:
        raise UsageError(f"canary: arm and control are both {arm!r}")
    primary, guards = said.get("primary"), _guards(said.get("guards"))
    if primary is None and not guards:
        raise UsageError(f"canary: say a primary metric or guards, else nothing could stop it: {_EXAMPLE}")
    if primary is not None:
        metric_of(primary)
    automatic, level = said.get("automatic", False), said.get("level", 0.95)
    if not isinstance(automatic, bool):
        raise UsageError(f"canary: automatic={plain_line(repr(automatic), 60)}: give true or false")
    if not _is_number(level) or not 0 < level < 1:
        raise UsageError(f"canary: level={plain_line(repr(level), 60)}: give one in (0, 1), such as 0.95")
    margin = _margin(said.get("margin"), "margin")
    return Plan(arm, control, _steps(said.get("steps")), primary, margin, guards, automatic, level)


def shares_with(weights: Mapping[str, float], arm: str, share: float, *, control: str) -> dict[str, float]:
    """Return the shares of all arms when one has a share; the others keep theirs among themselves.

    Args:
        weights: Share by arm.
        arm: That gets the share.
        share: In 0..1.
        control: Gets the rest where no other arm has any, and what rounding leaves.
    """
    rest = sum(weight for name, weight in weights.items() if name != arm)
    found = {
        name: share if name == arm else round(weight / rest * (1 - share), 9) if rest > 0 else 0.0
        for name, weight in weights.items()
    }
    found[control] += 1 - sum(found.values())
    return found


def _arm(name: object, weights: Iterable[str], part: str) -> str:
    known = list(weights)
    if not isinstance(name, str) or name not in known:
        raise UsageError(f"canary: {part}: {did_you_mean('arm', str(name), known)}")
    return name


def _steps(said: object) -> tuple[Step, ...]:
    if not isinstance(said, Sequence) or isinstance(said, str) or not said:
        raise UsageError(f"canary: steps: give a list of shares and users: {_EXAMPLE}")
    found = []
    for place, one in enumerate(said, start=1):
        if not isinstance(one, Mapping) or set(one) != {"share", "n"}:
            raise UsageError(f"canary: steps[{place}]: give share and n, such as {{'share': 0.05, 'n': 200}}")
        share, n = one["share"], one["n"]
        if not _is_number(share) or not 0 < share < 1:
            raise UsageError(f"canary: steps[{place}]: share={plain_line(repr(share), 60)}: give one in (0, 1)")
        if not isinstance(n, int) or isinstance(n, bool) or n < 1:
            raise UsageError(f"canary: steps[{place}]: n={plain_line(repr(n), 60)}: give users, a whole number from 1")
        found.append(Step(float(share), n))
    if any(later.share <= one.share for one, later in itertools.pairwise(found)):
        raise UsageError(f"canary: the shares of its steps must grow: {', '.join(f'{one.share:g}' for one in found)}")
    return tuple(found)


def _guards(said: object) -> dict[str, float | None]:
    if said is None:
        return {}
    if isinstance(said, str) or not isinstance(said, Mapping | Sequence):
        raise UsageError("canary: guards: give names, or a mapping of names to margins: {'error_rate': 0.02}")
    named = dict(said) if isinstance(said, Mapping) else dict.fromkeys(said)
    for name, margin in named.items():
        metric_of(name)
        _margin(margin, f"margin of {name}")
    return named


def _margin(margin: Any, what: str) -> float | None:
    if margin is not None and (not _is_number(margin) or margin < 0):
        raise UsageError(f"canary: {what}={plain_line(repr(margin), 60)}: give the largest acceptable loss, from 0")
    return None if margin is None else float(margin)


def _is_number(one: object) -> bool:
    return isinstance(one, int | float) and not isinstance(one, bool)
