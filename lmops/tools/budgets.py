"""What a run may use: calls, tokens, dollars, seconds and depth, shared with every sub-agent that works for it.

A budget is handed down and never copied. What is about to be used is reserved first and settled afterwards, so that
however many calls run side by side none goes over and none is lost.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import UsageError, did_you_mean
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LIMITS: Final = ("calls", "tokens", "usd", "seconds", "depth")
#: An agent that calls agents that call agents stops here unless it is told otherwise.
DEPTH: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What was used of a budget.

    Args:
        calls: Calls of tools that were made.
        model_calls: Calls of models.
        tokens: In and out, of the calls of models that say.
        usd: US dollars, of the calls that have a price.
        unpriced: Calls of models without a price.
        seconds: Since it began.
        depth: The deepest sub-agent, 0 without any.
        by_tool: Calls by tool.
    """

    calls: int
    model_calls: int
    tokens: int
    usd: float
    unpriced: int
    seconds: float
    depth: int
    by_tool: Mapping[str, int]


class Taken(NamedTuple):
    """A call that was asked for.

    Args:
        number: Which one of the run, from 0.
        before: Calls by tool before it.
        calls_left: Calls that were left, this one included; None: as many as anybody likes.
        refusal: Why it may not be made; None: it may, and is reserved.
    """

    number: int
    before: dict[str, int]
    calls_left: int | None
    refusal: str | None = None


class Budget:
    """What a run and all that works for it may use together.

    Args:
        calls: Most calls of tools; None: as many as anybody likes.
        tokens: Most tokens, in and out.
        usd: Most US dollars; a model without a price is not asked then.
        seconds: Most seconds, from the first call of ``run``.
        depth: How deep sub-agents may go: 0 calls none.
        clock: Seconds that only grow.

    Raises:
        UsageError: A limit is no number, or below 0.
    """

    def __init__(
        self,
        *,
        calls: int | None = None,
        tokens: int | None = None,
        usd: float | None = None,
        seconds: float | None = None,
        depth: int = DEPTH,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        for name, one in zip(LIMITS, (calls, tokens, usd, seconds, depth), strict=True):
            if one is None:
                continue
            is_whole = name in ("calls", "tokens", "depth")
            if isinstance(one, bool) or not isinstance(one, int if is_whole else int | float) or not one >= 0:
                number = "a whole number" if is_whole else "a number"
                raise UsageError(f"budget: {name}={plain_line(repr(one), 40)}: give {number} from 0")
        self.calls, self.tokens, self.usd, self.seconds, self.depth = calls, tokens, usd, seconds, depth
        self._clock = clock
        self._lock = threading.Lock()
        self._began: float | None = None
        self._by_tool: dict[str, int] = {}
        self._calls = 0
        self._number = 0
        self._model_calls = self._unpriced = self._deepest = 0
        self._tokens, self._held_tokens = 0, 0
        self._usd, self._held_usd = 0.0, 0.0

    def __repr__(self) -> str:
        said = [f"{name}={getattr(self, name)}" for name in LIMITS if getattr(self, name) is not None]
        return f"<Budget {', '.join(said)}>"

    @classmethod
    def of(cls, given: Budget | Mapping[str, Any] | None) -> Budget:
        """Return a budget: as it is, out of a mapping of limits, or one without limits but that of depth.

        Raises:
            UsageError: It is none, or names another limit.
        """
        if isinstance(given, Budget):
            return given
        if given is None:
            return cls()
        try:
            limits = dict(given)
        except (TypeError, ValueError) as error:
            raise UsageError(f"budget={plain_line(repr(given), 80)}: give {{'calls': 20, 'usd': 0.05}}") from error
        for name in limits:
            if name not in LIMITS:
                raise UsageError(did_you_mean("limit of a budget", str(name), LIMITS))
        return cls(**limits)

    def begin(self) -> None:
        """Let its seconds run, from the first time on."""
        with self._lock:
            if self._began is None:
                self._began = self._clock()

    @property
    def seconds_left(self) -> float | None:
        """Seconds that are left; None: as many as anybody likes."""
        if self.seconds is None:
            return None
        return self.seconds - (0.0 if self._began is None else self._clock() - self._began)

    @property
    def calls_left(self) -> int | None:
        """Calls of tools that are left; None: as many as anybody likes."""
        return None if self.calls is None else self.calls - self._calls

    @property
    def usd_left(self) -> float | None:
        """US dollars that are left; None: as many as anybody likes."""
        return None if self.usd is None else self.usd - self._usd

    @property
    def is_counted(self) -> bool:
        """Whether tokens or dollars are bounded."""
        return self.tokens is not None or self.usd is not None

    @property
    def used(self) -> Used:
        """What was used of it up to now."""
        with self._lock:
            return Used(
                calls=self._calls,
                model_calls=self._model_calls,
                tokens=self._tokens,
                usd=self._usd,
                unpriced=self._unpriced,
                seconds=0.0 if self._began is None else self._clock() - self._began,
                depth=self._deepest,
                by_tool=dict(self._by_tool),
            )

    # -- calls of tools ----------------------------------------------------------------------------------------------

    def take_call(self, tool: str) -> Taken:
        """Reserve one call; what may not be made is not reserved."""
        with self._lock:
            before = dict(self._by_tool)
            number, self._number = self._number, self._number + 1
            calls_left = None if self.calls is None else self.calls - self._calls
            if self.calls is not None and self._calls >= self.calls:
                return Taken(number, before, calls_left, f"the budget of {self.calls:,} calls of tools is used up")
            if (left := self.seconds_left) is not None and left <= 0:
                return Taken(number, before, calls_left, f"the budget of {self.seconds:g} seconds is used up")
            self._by_tool[tool] = before.get(tool, 0) + 1
            self._calls += 1
            return Taken(number, before, calls_left)

    def give_back(self, tool: str) -> None:
        """Give back a call that was reserved and not made."""
        with self._lock:
            self._by_tool[tool] -= 1
            self._calls -= 1

    # -- calls of models ---------------------------------------------------------------------------------------------

    def take_tokens(self, at_least: int, most_out: int, price: Callable[[int, int], float | None]) -> Held | str:
        """Reserve a call of a model: what goes in, and as much of what may come out as is left.

        Args:
            at_least: Tokens that go in, estimated.
            most_out: Tokens that may come out.
            price: What so many tokens in and out cost, US dollars; None: unknown.

        Returns:
            What is held; or why nothing may be asked any more.
        """
        with self._lock:
            if (left := self.seconds_left) is not None and left <= 0:
                return f"the budget of {self.seconds:g} seconds is used up"
            if self.tokens is not None:
                most_out = min(most_out, self.tokens - self._tokens - self._held_tokens - at_least)
                if most_out < 1:
                    return f"the budget of {self.tokens:,} tokens is used up"
            cost = 0.0
            if self.usd is not None:
                fits = self._affordable(at_least, most_out, price)
                if isinstance(fits, str):
                    return fits
                most_out, cost = fits
            held = Held(self, tokens=at_least + most_out, usd=cost, most_out=most_out)
            self._held_tokens += held.tokens
            self._held_usd += held.usd
            return held

    def _affordable(
        self, at_least: int, most_out: int, price: Callable[[int, int], float | None]
    ) -> tuple[int, float] | str:
        """Return the most tokens out that can be paid for, and what all of it costs; else why not."""
        assert self.usd is not None
        left = self.usd - self._usd - self._held_usd
        first, two = price(at_least, 1), price(at_least, most_out)
        if first is None or two is None:
            return "the price of the model is unknown, so a budget in dollars cannot hold: ws.models.set_price(...)"
        if first > left:
            return f"the budget of ${self.usd:g} is used up"
        if two > left:
            each = (two - first) / max(1, most_out - 1)
            most_out = max(1, int((left - first) / each) + 1) if each > 0 else most_out
            while most_out > 1 and (price(at_least, most_out) or 0.0) > left:
                most_out -= 1
        return most_out, price(at_least, most_out) or 0.0

    def settle(self, held: Held, tokens: int | None, usd: float | None) -> None:
        """Put in place of what was reserved what was used; what is unknown counts as reserved."""
        with self._lock:
            self._held_tokens -= held.tokens
            self._held_usd -= held.usd
            self._model_calls += 1
            self._unpriced += usd is None
            self._tokens += held.tokens if tokens is None else tokens
            self._usd += held.usd if usd is None else usd

    def give_back_tokens(self, held: Held) -> None:
        """Give back what was reserved for a call that cost nothing."""
        with self._lock:
            self._held_tokens -= held.tokens
            self._held_usd -= held.usd

    # -- depth -------------------------------------------------------------------------------------------------------

    def why_not_deeper(self, depth: int) -> str | None:
        """Return why no agent may work at a depth; None: it may, and is noted."""
        with self._lock:
            if depth > self.depth:
                return f"agents may call agents {self.depth} deep, and no deeper"
            self._deepest = max(self._deepest, depth)
            return None


class Held:
    """What is reserved for one call of a model.

    Args:
        budget: Of which budget.
        tokens: In and out.
        usd: US dollars.
        most_out: Tokens that may come out.
    """

    __slots__ = ("_budget", "most_out", "tokens", "usd")

    def __init__(self, budget: Budget, *, tokens: int, usd: float, most_out: int) -> None:
        self._budget = budget
        self.tokens = tokens
        self.usd = usd
        self.most_out = most_out

    def settle(self, tokens: int | None, usd: float | None) -> None:
        """Say what was used; None: unknown, so it counts as reserved."""
        self._budget.settle(self, tokens, usd)

    def give_back(self) -> None:
        """Give all of it back."""
        self._budget.give_back_tokens(self)
