"""A check is one span of kind guardrail, with the verdicts of its rails: positions and kinds, never a found text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from lmops.text import plain_line
from lmops.traces import trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lmops.guardrails._records import Decision, Verdict
    from lmops.guardrails.checking import Checker
    from lmops.guardrails.contract import Stage
    from lmops.guardrails.redacting import Redactor

#: Positions of one verdict that stand on a span; ``found`` says how many there are.
_MAX_SPANS: Final = 100
_MAX_RULES: Final = 20
_PLACE: Final = "lmops.guardrail."


def recorded(
    checker: Checker,
    stage: Stage,
    text: str,
    *,
    context: Mapping[str, Any] | None = None,
    redactor: Redactor | None = None,
    spent_ms: float = 0.0,
) -> Decision:
    """Return what is decided on a text, and put it on a span where an application is traced.

    Args:
        checker: The rails.
        stage: Where the text was met.
        text: The text.
        context: What rails may know beside it.
        redactor: That of the request.
        spent_ms: Milliseconds that its other checks took.
    """
    with trace(f"guardrail {stage}", kind="guardrail") as span:
        decision = checker.check(stage, text, context=context, redactor=redactor, spent_ms=spent_ms)
        if span.is_recording():
            span.set_attributes({**attributes_of(decision), "output.value": words_of(decision)})
    return decision


def noted(decision: Decision) -> None:
    """Put a decision on a span that was made while its text came in pieces.

    Args:
        decision: What was decided.
    """
    with trace(f"guardrail {decision.stage}", kind="guardrail") as span:
        if span.is_recording():
            span.set_attributes(attributes_of(decision))


def attributes_of(decision: Decision) -> dict[str, str | int | float]:
    """Return what stands on the span of a check: the view ``guardrail_checks`` reads it."""
    policy, _, version = (decision.policy or "").partition("@")
    found: dict[str, str | int | float | None] = {
        "name": policy or "rails",
        "policy": policy or None,
        "version": int(version) if version.isdecimal() else None,
        "stage": decision.stage,
        "action": decision.action,
        "latency_ms": round(decision.latency_ms, 4),
        "verdicts": orjson.dumps([_plain(one) for one in decision.verdicts]).decode(),
    }
    if (by := decision.decided_by) is not None:
        found |= {"rail": plain_line(by.rail, 80), "rule": plain_line(by.rules[0], 80) if by.rules else None}
        found |= {"score": by.score, "spans": orjson.dumps(_positions(by)).decode()}
    return {f"{_PLACE}{name}": value for name, value in found.items() if value is not None}


def words_of(decision: Decision) -> str:
    """Return what was decided, in words that hold nothing of the text: what a list of spans shows."""
    by = decision.decided_by
    if by is None:
        return decision.action
    return plain_line(f"{decision.action} by {by.rail}: {by.error or by.reason}", 300)


def _plain(one: Verdict) -> dict[str, Any]:
    said = {
        "rail": plain_line(one.rail, 80),
        "kind": plain_line(one.kind, 80),
        "action": one.action,
        "latency_ms": round(one.latency_ms, 4),
        "version": one.version,
    }
    if one.findings:
        said |= {"rules": [plain_line(rule, 80) for rule in one.rules[:_MAX_RULES]], "found": len(one.findings)}
        said |= {"spans": _positions(one)}
    if one.score is not None:
        said["score"] = one.score
    if one.error is not None:
        said["error"] = plain_line(one.error, 300)
    return said


def _positions(one: Verdict) -> list[list[int]]:
    return [[finding.start, finding.end] for finding in one.findings[:_MAX_SPANS]]
