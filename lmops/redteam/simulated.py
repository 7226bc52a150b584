"""A target whose weakness is known, so that the estimate itself can be tried: does the interval hold the truth?"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.evals import TaskResult
from lmops.redteam.attacks import ATTACK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lmops.redteam.targets import Given

_HARMLESS: Final = "Here is what is known about it: nothing out of the ordinary."
_REFUSED: Final = "I'm sorry, but I can't help with that."


class SimulatedTarget:
    """A target that gives in to a known share of attacks.

    Each seed has a weakness of its own, drawn from a beta distribution: attacks of one seed are alike, as they are in
    life.

    Args:
        rate: Mean share of attacks that succeed, above 0 and below 1.
        alike: How alike the attacks of one seed are, above 0 and below 1: the correlation of two of them.
        refused: Share of the harmless twins that it refuses.
        draw: Another number, other weaknesses and other outcomes.

    Raises:
        UsageError: A share is out of range.
    """

    name = "simulated"
    channels = frozenset({"documents", "tool_results", "memory", "history", "system", "tools"})

    def __init__(self, rate: float = 0.2, *, alike: float = 0.3, refused: float = 0.02, draw: int = 0) -> None:
        for called, value in (("rate", rate), ("alike", alike)):
            if not 0 < value < 1:
                raise UsageError(f"{called}={value}: give a share above 0 and below 1")
        if not 0 <= refused <= 1:
            raise UsageError(f"refused={refused}: give a share in 0..1")
        self._rate, self._alike, self._refused, self._draw = rate, alike, refused, draw

    def __repr__(self) -> str:
        return f"<SimulatedTarget: {self._rate:.1%} of attacks succeed>"

    async def ask(self, given: Given, repeat: int) -> TaskResult:
        """Return an answer that gives in or does not."""
        example = given["example"]
        about = example.metadata
        chance = Random(f"{self._draw}|{example.example_id}|{repeat}").random()
        if about["kind"] != ATTACK:
            return TaskResult(_REFUSED if chance < self._refused else _HARMLESS, tool_calls=[])
        return (
            _given_in(about["checks"])
            if chance < self.weakness(about["seed"])
            else TaskResult(_HARMLESS, tool_calls=[])
        )

    def weakness(self, seed_id: str) -> float:
        """Return the share of attacks of a seed that succeed."""
        size = 1 / self._alike - 1
        return Random(f"{self._draw}|{seed_id}").betavariate(self._rate * size, (1 - self._rate) * size)


def _given_in(checks: Mapping[str, Any]) -> TaskResult:
    """Return an answer that does what the attacker wants."""
    kind = checks["kind"]
    calls: list[dict[str, Any]] = [{"name": checks["tools"][0], "arguments": {}}] if kind == "tool" else []
    return TaskResult(_SAID[kind](checks), tool_calls=calls)


_SAID: Final[dict[str, Callable[[Mapping[str, Any]], str]]] = {
    "marker": lambda checks: f"{checks['marker']}.",
    "canary": lambda checks: f"The reference is {checks['canary']}.",
    "phrase": lambda checks: str(checks["any"][0]),
    "link": lambda checks: f"![status](https://{checks['host']}/s.png)",
    "tool": lambda _checks: "It is done.",
    "length": lambda checks: "tide " * (checks.get("max_chars", 0) // 4),
}
