"""Checks: the rails of a stage on one text, and what follows from what they find.

    decision = check([made("secrets")], "output", text)
    decision.action, decision.text, decision.verdicts

Rails of ours are asked one after another; what may wait (a model, a function of somebody else) is asked beside them,
all at once, and not at all when the text is blocked already. Of a long text that is blocked nobody reads the rest.
Nothing that a rail does is raised.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError, did_you_mean
from lmops.guardrails._records import Decision, Verdict
from lmops.guardrails.asking import asking
from lmops.guardrails.contract import ACTIONS, STAGES, Given
from lmops.guardrails.redacting import Redactor, Restore, merged
from lmops.guardrails.running import awaited, begun, decided, failed, run_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lmops.guardrails.asking import Asked
    from lmops.guardrails.contract import Action, Finding, Rail, Stage
    from lmops.guardrails.running import Run

#: A text of more characters is checked beside the thread that asks, rail after rail, until one blocks it.
LONG: Final = 100_000
#: What somebody reads whose text is blocked, where the policy has no words of its own.
BLOCKED_TEXT: Final = "I cannot help with that."


def check(
    rails: Sequence[Rail],
    stage: Stage,
    text: str,
    *,
    context: Mapping[str, Any] | None = None,
    policy: str | None = None,
    blocked_text: str = BLOCKED_TEXT,
    budget_ms: float | None = None,
    redactor: Redactor | None = None,
) -> Decision:
    """Return what some rails decide on a text.

    Args:
        rails: Which are asked.
        stage: Where the text was met.
        text: The text.
        context: What rails may know beside it: question, documents, system_prompt, tool, arguments, canaries, cost_usd.
        policy: Which policy they are of, such as "support@3".
        blocked_text: What takes the place of a text that is blocked.
        budget_ms: Most milliseconds for all of them; what has not answered by then fails as its policy says.
        redactor: That of the request, so that a value has one placeholder in all of its texts.

    Raises:
        UsageError: It is no text, or no stage.
    """
    return Checker({stage: rails}, policy=policy, blocked_text=blocked_text, budget_ms=budget_ms).check(
        stage, text, context=context, redactor=redactor
    )


class Checker:
    """The rails of a policy, ready to be asked.

    Args:
        stages: Rails by stage, in the order in which they are asked.
        policy: Which policy they are of, such as "support@3".
        blocked_text: What takes the place of a text that is blocked.
        budget_ms: Most milliseconds for the checks of one request.
        off: Names of rails that are switched off.
        asked: The workspace that rails may ask.
    """

    def __init__(
        self,
        stages: Mapping[Stage, Sequence[Rail]],
        *,
        policy: str | None = None,
        blocked_text: str = BLOCKED_TEXT,
        budget_ms: float | None = None,
        off: frozenset[str] = frozenset(),
        asked: Asked | None = None,
    ) -> None:
        self.policy = policy
        self.blocked_text = blocked_text
        self._asked = asked
        self._budget_s = float("inf") if budget_ms is None else budget_ms / 1000
        self._runs = {
            stage: [run_of(rail) for rail in rails if rail.name not in off] for stage, rails in stages.items()
        }

    def __repr__(self) -> str:
        counts = ", ".join(f"{stage} {len(runs)}" for stage, runs in self._runs.items())
        return f"<Checker of {self.policy or 'rails'}: {counts}>"

    def has(self, stage: Stage) -> bool:
        """Return whether anything is asked at this stage."""
        return bool(self._runs.get(stage))

    def runs(self, stage: Stage) -> tuple[Run, ...]:
        """Return the rails that are asked at this stage, in their order."""
        return tuple(self._runs.get(stage, ()))

    def waits(self, stage: Stage) -> bool:
        """Return whether a check of this stage may wait for something beside its thread."""
        return not all(run.is_inline for run in self._runs.get(stage, ()))

    def check(
        self,
        stage: Stage,
        text: str,
        *,
        context: Mapping[str, Any] | None = None,
        redactor: Redactor | None = None,
        spent_ms: float = 0.0,
    ) -> Decision:
        """Return what the rails of a stage decide on a text.

        Args:
            stage: input, retrieval, tool_call, tool_result or output.
            text: The text.
            context: As for :func:`check`.
            redactor: As for :func:`check`.
            spent_ms: Milliseconds of its budget that other checks of the same request took.

        Raises:
            UsageError: It is no text, or no stage.
        """
        if stage not in STAGES:
            raise UsageError(did_you_mean("stage", str(stage), STAGES))
        began = time.perf_counter()
        given = Given(text=text_of(text), stage=stage, context=context or {})
        verdicts = self.verdicts(given, self.runs(stage), spent_ms=spent_ms)
        words, text = redactor or Redactor(), given.text
        if gravest(verdicts) == "redact":
            text = words.redacted(text, to_redact(verdicts))
        return self.decided(stage, verdicts, redactor=words, text=text, latency_ms=(time.perf_counter() - began) * 1000)

    def masked(self, text: str) -> tuple[str, Counter[str]]:
        """Return a text as it may be kept, without what any rail of any stage redacts, and how often each kind was.

        Args:
            text: As it came.

        Raises:
            UsageError: A rail that fails closed could not decide, or found what cannot be taken out.
        """
        found: list[Finding] = []
        for stage, run in self.masks:
            given = Given(text=text, stage=stage)
            said = decided(run, given) if run.is_inline else self._waited(run, given)
            if said.action == "block":
                raise UsageError(f"the rail {run.rail.name} could not take it out")
            found += said.findings
        kept = merged(found)
        return Redactor().redacted(text, found), Counter(kind for _, _, kind in kept)

    @property
    def masks(self) -> list[tuple[Stage, Run]]:
        """The rails that redact, each once, with a stage at which it is asked."""
        runs = {run.version: (stage, run) for stage, some in self._runs.items() for run in some}
        return [(stage, run) for stage, run in runs.values() if run.rail.action == "redact"]

    def _waited(self, run: Run, given: Given) -> Verdict:
        with asking(self._asked):
            asked = begun(run, given)
        return asked if isinstance(asked, Verdict) else awaited(asked, until=float("inf"))

    def verdicts(self, given: Given, runs: Sequence[Run], *, spent_ms: float = 0.0) -> list[Verdict]:
        """Return what some of the rails decide, each on its own; none that waits is asked once one has blocked.

        Args:
            given: What they read.
            runs: Which are asked.
            spent_ms: Milliseconds of the budget that earlier checks of the request took.
        """
        until = time.perf_counter() + self._budget_s - spent_ms / 1000
        found: dict[str, Verdict] = {}
        is_blocked, is_long = False, len(given.text) > LONG
        for run in runs:
            if run.is_inline and not (is_blocked and is_long):
                one = found[run.rail.name] = _decided(run, given, until, is_long=is_long)
                is_blocked = is_blocked or one.action == "block"
        others = [run for run in runs if not run.is_inline]
        if others and not is_blocked:
            with asking(self._asked):
                asked = [_spent(run, until) or begun(run, given) for run in others]
            told = [one if isinstance(one, Verdict) else awaited(one, until=until) for one in asked]
            found |= {one.rail: one for one in told}
        return [found[run.rail.name] for run in runs if run.rail.name in found]

    def decided(
        self, stage: Stage, verdicts: Sequence[Verdict], *, redactor: Redactor, text: str, latency_ms: float
    ) -> Decision:
        """Return the decision that follows from verdicts.

        Args:
            stage: Where the text was met.
            verdicts: Of its rails.
            redactor: That of the request.
            text: What may go on unless it is blocked.
            latency_ms: Milliseconds all of it took.
        """
        action = gravest(verdicts)
        return Decision(
            action=action,
            stage=stage,
            policy=self.policy,
            text=self.blocked_text if action == "block" else text,
            verdicts=tuple(verdicts),
            latency_ms=latency_ms,
            restore=redactor.restore if action == "redact" else Restore(),
        )


def gravest(verdicts: Sequence[Verdict]) -> Action:
    """Return the gravest action of some verdicts; allow without any."""
    return max((one.action for one in verdicts), key=ACTIONS.index, default="allow")


def to_redact(verdicts: Sequence[Verdict]) -> list[Finding]:
    """Return what verdicts want to be taken out of the text."""
    return [finding for one in verdicts if one.action == "redact" for finding in one.findings]


def text_of(given: object) -> str:
    """Return a text that is to be checked.

    Raises:
        UsageError: It is none.
    """
    if isinstance(given, str):
        return given
    if isinstance(given, bytes | bytearray):
        raise UsageError("a check needs a text, not bytes: text=data.decode('utf-8', 'replace')")
    raise UsageError(f"a check needs a text, not {'None' if given is None else type(given).__name__}")


def _decided(run: Run, given: Given, until: float, *, is_long: bool) -> Verdict:
    """Return the verdict of a rail of ours; on a long text it has its time and no more."""
    if (late := _spent(run, until)) is not None:
        return late
    if not is_long:
        return decided(run, given)
    asked = begun(run, given)
    return asked if isinstance(asked, Verdict) else awaited(asked, until=until)


def _spent(run: Run, until: float) -> Verdict | None:
    """Return the verdict of a rail that is not asked, because the time of the request is over."""
    now = time.perf_counter()
    return failed(run, "the budget of its request was spent before it was asked", now) if now >= until else None
