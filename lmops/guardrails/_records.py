"""What a rail decided on a text, and what a policy did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lmops.base.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from lmops.guardrails.contract import Action, Finding, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict(Shown):
    """What one rail decided on one text.

    Args:
        rail: Its name in the policy.
        kind: The kind of rail that it is.
        action: What follows: allow where it found nothing; of a rail that failed block or flag, as its policy says.
        findings: What it found, in the order of the text.
        score: The highest of its findings, 0 to 1; None where it does not score.
        reason: Why, in words that hold nothing of the text; "" where it found nothing.
        latency_ms: Milliseconds it took.
        version: Hash of its configuration.
        error: Why it could not decide; None where it did.
    """

    rail: str
    kind: str
    action: Action
    findings: tuple[Finding, ...] = ()
    score: float | None = None
    reason: str = ""
    latency_ms: float
    version: str
    error: str | None = None

    @property
    def rules(self) -> tuple[str, ...]:
        """The kinds of what it found, each once, in the order of the text."""
        return tuple(dict.fromkeys(one.kind for one in self.findings))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(Shown):
    """What a policy did with one text.

    Args:
        action: The gravest of its verdicts.
        stage: Where the text was met.
        policy: Which policy decided, such as "support@3"; None where rails were asked by themselves.
        text: What may go on: the text, without what was redacted; of a block the policy's own words.
        verdicts: Of each rail that was asked.
        latency_ms: Milliseconds all of it took.
        restore: Puts back into a text what was redacted. It lives in memory only: no repr, pickle, log or span has it.
    """

    action: Action
    stage: Stage
    policy: str | None
    text: str = field(repr=False)
    verdicts: tuple[Verdict, ...]
    latency_ms: float
    restore: Callable[[str], str] = field(repr=False, compare=False)

    @property
    def is_blocked(self) -> bool:
        """Whether the text must not go on."""
        return self.action == "block"

    @property
    def decided_by(self) -> Verdict | None:
        """The first verdict of the gravest action; None where every rail let the text pass."""
        if self.action == "allow":
            return None
        return next(one for one in self.verdicts if one.action == self.action)

    @property
    def errors(self) -> dict[str, str]:
        """By rail why it could not decide."""
        return {one.rail: one.error for one in self.verdicts if one.error is not None}
