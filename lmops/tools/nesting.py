"""A call or a run inside of a tool: it may be bounded more closely than what called it, and never less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from lmops.tools.budgets import Budget, Held
from lmops.tools.calling import STANDING
from lmops.tools.contract import EndedError
from lmops.tools.policies.joint import Joint, Under

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lmops.tools.budgets import Taken, Used
    from lmops.tools.calling import Standing
    from lmops.tools.contract import Decider, Executor

N = TypeVar("N", int, float)


def inside(
    outer: Standing,
    *,
    decider: Decider | None,
    role: str | None,
    budget: Budget | Mapping[str, Any] | None,
    executor: Executor | None,
    retries: int,
    messages: Sequence[Mapping[str, Any]],
    context: Mapping[str, Any],
) -> Standing:
    """Return what a call inside of a tool is part of: of all that its run is, and of what it brings itself.

    Its policy decides beside that of the run. Who says that he has another role is decided on under both.

    Raises:
        UsageError: The budget cannot be used.
    """
    held = outer.decider
    if held is not None and role is not None and role != outer.role:
        held = Joint(Under(held, outer.role), held)
    return outer._replace(
        decider=Joint(held, decider) if held and decider else decider or held,
        executor=executor or outer.executor,
        role=role or outer.role,
        budget=outer.budget if budget in (None, outer.budget) else Nested(outer.budget, Budget.of(budget), outer.depth),
        retries=retries,
        messages=messages or outer.messages,
        more={**outer.more, **context},
    )


def deeper(standing: Standing) -> Standing:
    """Return what an agent is part of that works inside of a tool: one step deeper; outside of tools as it is.

    Raises:
        EndedError: It would be deeper than the budget allows.
    """
    if STANDING.get() is None:
        return standing
    depth = standing.depth + 1
    if (why := standing.budget.why_not_deeper(depth)) is not None:
        raise EndedError("budget", why)
    return standing._replace(depth=depth)


class Nested(Budget):
    """A budget within another: what is used counts in both, and the smaller of the two holds.

    Args:
        outer: Of what called the tool.
        own: What was given inside of it.
        depth: Of what called the tool: how deep sub-agents may go is counted from there in the inner one.
    """

    def __init__(self, outer: Budget, own: Budget, depth: int) -> None:
        super().__init__(depth=min(outer.depth, depth + own.depth))
        self._outer = outer
        self._own = own
        own.begin()

    @property
    def seconds_left(self) -> float | None:
        """Seconds that are left; None: as many as anybody likes."""
        return _least(self._outer.seconds_left, self._own.seconds_left)

    @property
    def calls_left(self) -> int | None:
        """Calls of tools that are left; None: as many as anybody likes."""
        return _least(self._outer.calls_left, self._own.calls_left)

    @property
    def usd_left(self) -> float | None:
        """US dollars that are left; None: as many as anybody likes."""
        return _least(self._outer.usd_left, self._own.usd_left)

    @property
    def is_counted(self) -> bool:
        """Whether tokens or dollars are bounded."""
        return self._outer.is_counted or self._own.is_counted

    @property
    def used(self) -> Used:
        """What was used of the inner one."""
        return self._own.used

    def take_call(self, tool: str) -> Taken:
        """Reserve one call of both; it has the number that it has in the whole run."""
        own = self._own.take_call(tool)
        if own.refusal is not None:  # nothing of the outer one is held meanwhile: others may use it
            return own
        outer = self._outer.take_call(tool)
        if outer.refusal is not None:
            self._own.give_back(tool)
        return outer._replace(calls_left=_least(own.calls_left, outer.calls_left))

    def give_back(self, tool: str) -> None:
        """Give back a call that was reserved and not made."""
        self._own.give_back(tool)
        self._outer.give_back(tool)

    def take_tokens(self, at_least: int, most_out: int, price: Callable[[int, int], float | None]) -> Held | str:
        """Reserve a call of a model of both."""
        own = self._own.take_tokens(at_least, most_out, price)
        if isinstance(own, str):
            return own
        outer = self._outer.take_tokens(at_least, own.most_out, price)
        if isinstance(outer, str):
            own.give_back()
            return outer
        return _Both(own, outer)

    def why_not_deeper(self, depth: int) -> str | None:
        """Return why no agent may work at a depth; None: it may, and is noted."""
        return super().why_not_deeper(depth) or self._outer.why_not_deeper(depth)


class _Both(Held):
    """What is reserved of two budgets for one call of a model."""

    __slots__ = ("_held",)

    def __init__(self, own: Held, outer: Held) -> None:
        super().__init__(Budget(), tokens=outer.tokens, usd=outer.usd, most_out=outer.most_out)
        self._held = (own, outer)

    def settle(self, tokens: int | None, usd: float | None) -> None:
        """Say to both what was used."""
        for one in self._held:
            one.settle(tokens, usd)

    def give_back(self) -> None:
        """Give all of it back."""
        for one in self._held:
            one.give_back()


def _least(one: N | None, two: N | None) -> N | None:
    """Return the smaller of two limits; None is none."""
    known = [limit for limit in (one, two) if limit is not None]
    return min(known) if known else None
