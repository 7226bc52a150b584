"""Which arm has a key: a pure function of a route and the key, made ready once and asked often.

A key is a point on a line, the same for all versions of a route, and each arm has stretches of the line. A version
takes over the stretches of the one before: an arm that shrinks gives away what it got last, an arm that grows takes
only what others gave away. So exactly the keys move that must, and a version means the same users whenever it is live.
"""

from __future__ import annotations

import hashlib
import math
import random
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import RefusedError
from lmops.routing._records import Choice, Segment
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from lmops.routing._records import RouteVersion, Rule, Switch

_BITS: Final = 53
#: The length of the line.
POINTS: Final = 1 << _BITS
_SHIFT: Final = 64 - _BITS


def laid_out(weights: Mapping[str, float], before: Sequence[Segment] = ()) -> tuple[Segment, ...]:
    """Return which arm has which stretch of the line, with as little changed as the weights allow.

    Args:
        weights: Share by arm; they add up to 1.
        before: The stretches of the version before, in the order in which they were given away.

    Returns:
        Stretches that cover the line, those that were given away last at the end.
    """
    wanted = _quotas(weights)
    kept: list[Segment] = []
    free: list[Segment] = [] if before else [Segment("", 0, POINTS)]
    left = dict(wanted)
    for one in before:  # what came last goes first
        length = min(one.end - one.start, left.get(one.arm, 0))
        if length:
            kept.append(one._replace(end=one.start + length))
            left[one.arm] -= length
        if length < one.end - one.start:
            free.append(one._replace(start=one.start + length))
    for arm in sorted(left):
        while left[arm]:
            one = free.pop(0)
            length = min(one.end - one.start, left[arm])
            kept.append(Segment(arm, one.start, one.start + length))
            left[arm] -= length
            if length < one.end - one.start:
                free.insert(0, one._replace(start=one.start + length))
    return tuple(kept)


def _quotas(weights: Mapping[str, float]) -> dict[str, int]:
    """Return how many points each arm has, all of them together; what rounding leaves goes to the largest."""
    found = {arm: math.floor(weight * POINTS) for arm, weight in sorted(weights.items()) if weight > 0}
    largest = max(found, key=lambda arm: found[arm])
    found[largest] += POINTS - sum(found.values())
    return found


class _Line:
    """The stretches of one layout, ready to be looked up."""

    __slots__ = ("arms", "starts")

    def __init__(self, segments: Iterable[Segment]) -> None:
        ordered = sorted(segments, key=lambda one: one.start)
        self.starts = [one.start for one in ordered]
        self.arms = [one.arm for one in ordered]

    def at(self, point: int) -> str:
        return self.arms[bisect_right(self.starts, point) - 1]


class Chooser:
    """A version of a route, made ready.

    Args:
        version: The version.
        killed: Its arms that are switched off.
        off: The switch of the whole route, where it is off.
    """

    def __init__(self, version: RouteVersion, killed: Collection[str] = (), off: Switch | None = None) -> None:
        self.version = version
        self.killed = frozenset(killed)
        self.off = off
        base, *others = version.layout
        self._line = _Line(base)
        self._rules = [(rule, _Line(one)) for rule, one in zip(version.when, others, strict=True)]
        self._hash = hashlib.blake2b(f"{version.name}\0".encode(), digest_size=8)

    def choose(self, key: str | None, context: Mapping[str, Any] | None = None) -> Choice:
        """Return the arm of a key.

        Raises:
            RefusedError: The route is switched off, or all of its arms are.
        """
        if self.off is not None:
            raise RefusedError(_off(self.off))
        line, reason = self._line, "assigned"
        for rule, its_line in self._rules if context else ():
            if fits(rule, context or {}):
                line, reason = its_line, "condition"
                break
        if key is None:
            point, key_hash = random.getrandbits(_BITS), None
            reason = "random" if reason == "assigned" else reason
        else:
            hashed = self._hash.copy()
            hashed.update(key.encode("utf-8", "surrogatepass"))
            key_hash = hashed.hexdigest()
            point = int(key_hash, 16) >> _SHIFT
        assigned = arm = line.at(point)
        if arm in self.killed:
            arm, reason = self._instead(arm, line, point), "killed"
        return Choice(
            self.version.name,
            self.version.version,
            assigned,
            arm,
            reason,  # type: ignore[arg-type]  # a str that was one of them above
            key_hash,
            self.version.arms[arm],
            line is not self._line,
        )

    def after(self, arm: str) -> list[str]:
        """Return the arms that are asked, in order, when one does not answer."""
        return [one for one in self.version.fallbacks if one != arm and one not in self.killed]

    def _instead(self, arm: str, line: _Line, point: int) -> str:
        """Return the arm for keys of one that is switched off: a fallback, else others that have keys, by the key."""
        for one in self.after(arm):
            return one
        others = sorted({one for one in line.arms if one not in self.killed})
        if not others:
            raise RefusedError(
                f"route {self.version.ref}: its arm {arm!r} is switched off and no other is left; "
                f"ws.routing.revive({self.version.name!r}, arm={arm!r}) switches it on again"
            )
        return others[point % len(others)]


def fits(rule: Rule, context: Mapping[str, Any]) -> bool:
    """Return whether a rule is about a context: each of its keys is there and has one of its values."""
    for key, wanted in rule.when.items():
        said = context.get(key)
        if isinstance(wanted, tuple):
            if said not in wanted:
                return False
        elif not _lies(said, wanted):
            return False
    return True


def _lies(said: Any, wanted: Mapping[str, float]) -> bool:
    """Return whether something is a number between two limits."""
    is_number = isinstance(said, int | float) and not isinstance(said, bool)
    return is_number and wanted.get("at_least", -math.inf) <= said <= wanted.get("at_most", math.inf)


def _off(switch: Switch) -> str:
    why = plain_line(switch.reason, 200) or "no reason given"
    return (
        f"route {switch.route} is switched off by {plain_line(switch.actor, 60)} since "
        f"{switch.at:%Y-%m-%d %H:%M:%S} UTC ({why}); "
        f"ws.routing.revive({switch.route!r}) switches it on again"
    )
