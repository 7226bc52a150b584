"""What a policy is: by stage the rails that are asked, in one version that never changes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lmops.errors import LmopsError, UsageError
from lmops.guardrails.checking import BLOCKED_TEXT, Checker
from lmops.guardrails.contract import Finding, Given, OnError, Rail, RailKind, made
from lmops.guardrails.guarding import Guard
from lmops.guardrails.streaming import held
from lmops.records import Version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from lmops.guardrails._records import Decision
    from lmops.guardrails.asking import Asked
    from lmops.guardrails.contract import Action, Stage
    from lmops.guardrails.guarding import F


@dataclass(frozen=True, slots=True, kw_only=True)
class RailSpec:
    """A rail as a policy says it.

    Args:
        rail: The kind, one of ``lmops.guardrails.available()``.
        name: In the policy and on spans; of its stage no other has it.
        options: What the kind takes.
        action: What is done about a finding: flag, redact or block.
        on_error: closed or open: what is done when it fails or is late.
        timeout_s: Seconds for one check.
    """

    rail: str
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    action: Action
    on_error: OnError = "closed"
    timeout_s: float = 1.0

    def made(self) -> Rail:
        """Return the rail; one whose kind is not here fails at each check, as the policy says of what fails."""
        try:
            found = made(self.rail, self.options, action=self.action)
        except LmopsError as error:
            found = Rail(
                kind=RailKind(name=self.rail, function=_absent(str(error))), name=self.name, action=self.action
            )
        return dataclasses.replace(found, name=self.name, on_error=self.on_error, timeout_s=self.timeout_s)


def _absent(said: str) -> Callable[..., Iterable[Finding]]:
    def fails(_given: Given) -> Iterator[Finding]:
        raise UsageError(said)

    return fails


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(Version):
    """One version of a policy.

    One that a workspace returned for a name or an alias (``"support@production"``) checks by what that means at the
    moment of each check, one for a number by that version; either leaves out rails that are switched off.

    Args:
        stages: By stage the rails, in the order in which they are asked.
        blocked_text: What somebody reads whose text is blocked.
        budget_ms: Most milliseconds for the checks of one request; None: those of its rails.
        bound: What checks by it in a store; None of one that no workspace returned.
        measured: By the hash of a rail's configuration what its newest card says; a rail that is not there is
            unmeasured.
    """

    stages: Mapping[Stage, tuple[RailSpec, ...]]
    blocked_text: str = BLOCKED_TEXT
    budget_ms: float | None = None
    bound: Guard | None = field(default=None, repr=False, compare=False)
    measured: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def rails(self) -> dict[Stage, tuple[Rail, ...]]:
        """By stage its rails, made."""
        return {stage: tuple(one.made() for one in specs) for stage, specs in self.stages.items()}

    @property
    def stream_delay(self) -> int | None:
        """Characters of a streamed answer that are held back; 0 without output rails, None where all of it is."""
        return held(self.checker().runs("output"))

    @property
    def guard(self) -> Guard:
        """What checks by it."""
        return self.fixed() if self.bound is None else self.bound

    def fixed(self, *, off: Iterable[str] = ()) -> Guard:
        """Return what checks by exactly this version, whatever its alias means later; each check is a span.

        Args:
            off: Names of rails that are left out.

        Raises:
            UsageError: It has no rail of such a name.
        """
        checker = self.checker(off=off)
        return Guard(lambda: checker)

    def checker(self, *, off: Iterable[str] = (), asked: Asked | None = None) -> Checker:
        """Return what checks by exactly this version; its checks are no spans.

        Args:
            off: Names of rails that are left out.
            asked: The workspace that rails may ask; that of the workspace it was taken from by default.

        Raises:
            UsageError: It has no rail of such a name.
        """
        known = {one.name for specs in self.stages.values() for one in specs}
        for name in (left := frozenset(off)):
            if name not in known:
                raise UsageError(f"{self.ref} has no rail {name!r}: it has {', '.join(sorted(known))}")
        return Checker(
            self.rails,
            policy=self.ref,
            blocked_text=self.blocked_text,
            budget_ms=self.budget_ms,
            off=left,
            asked=asked or (self.bound.asked if self.bound is not None else None),
        )

    def check(self, stage: Stage, text: str, *, context: Mapping[str, Any] | None = None) -> Decision:
        """Return what is decided on a text, without a call of a model; the check is a span.

        Args:
            stage: Where it was met: input, retrieval, tool_call, tool_result or output.
            text: The text.
            context: What rails may know beside it: question, documents, system_prompt, tool, arguments, cost_usd.

        Raises:
            UsageError: It is no text, or no stage.
        """
        return self.guard.check(stage, text, context=context)

    async def acheck(self, stage: Stage, text: str, *, context: Mapping[str, Any] | None = None) -> Decision:
        """Return what :meth:`check` does; rails that wait do not hold up the loop.

        Args:
            stage: As for :meth:`check`.
            text: As for :meth:`check`.
            context: As for :meth:`check`.

        Raises:
            UsageError: It is no text, or no stage.
        """
        return await self.guard.acheck(stage, text, context=context)

    def wrap(self, function: F) -> F:
        """Return a function that is asked only what passes, and whose answer passes before it is returned.

        Functions, coroutines, generators and async generators of texts, chat messages or plain data. Somebody whose
        text is blocked gets the policy's own words in the place of the answer, and the function is not called.

        Args:
            function: Its first argument that is a text, or a list of messages, is the input.

        Raises:
            UsageError: It is no function, or it is called without a text or answers with none.
        """
        return self.guard.wrap(function)
