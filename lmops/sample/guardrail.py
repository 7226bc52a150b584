"""The policy that guards the assistant, in two versions: the one of the two weeks, and the one that came of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import NotFoundError
from lmops.guardrails import Checker, made

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lmops.guardrails import Policy, Rail, Stage
    from lmops.workspace import Workspace

POLICY: Final = "support"
BLOCKED_ANSWER: Final = "I can only help with questions about travelling with Tidelark Ferries."
_CARD: Final = r"\b\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}\b"
#: Two rails by patterns; both miss things on purpose.
_FIRST: Final[dict[str, Any]] = {
    "blocked_text": BLOCKED_ANSWER,
    "input": [
        {
            "rail": "patterns",
            "name": "input-patterns",
            "action": "block",
            "rules": {
                # wide on purpose: it also stops an honest customer who asks whether a limit may be ignored
                "override": r"\bignore (?:all|the|your)\b",
                "system-prompt": r"\bsystem prompt\b",
                "markup": r"</?\w+_task>",
                "secret": _CARD,
            },
        }
    ],
    "output": [
        {
            "rail": "patterns",
            "name": "output-patterns",
            "action": "block",
            # it knows the first words of an old prompt only
            "rules": {"prompt-leak": "You are the help desk assistant", "secret": _CARD},
        }
    ],
}
#: What the first one missed was said to the assistant word for word; nobody asks it to write anything.
_SECOND: Final[dict[str, Any]] = {
    "blocked_text": BLOCKED_ANSWER,
    "input": [
        "injection",
        {"rail": "dictated", "action": "block"},
        "hidden",
        {"rail": "pii", "name": "cards", "kinds": ["card"], "action": "block"},
    ],
    "output": ["prompt_leak", {"rail": "dictated", "name": "said", "action": "block"}, "secrets"],
}
VERSIONS: Final[tuple[tuple[dict[str, Any], str], ...]] = (
    (_FIRST, "the patterns of the first weeks"),
    (_SECOND, "what dictates an answer is stopped; a limit that may be ignored is no attack"),
)


def recorded() -> Checker:
    """Return what guarded the two weeks."""
    guarded: tuple[Stage, ...] = ("input", "output")
    stages = {stage: [_rail(one) for one in _FIRST[stage]] for stage in guarded}
    return Checker(stages, policy=f"{POLICY}@1", blocked_text=BLOCKED_ANSWER)


def policies(ws: Workspace) -> tuple[Policy, ...]:
    """Save both versions of the policy of the sample and return them; the first goes into production if none is.

    Args:
        ws: Where they are kept; what is there already stays.
    """
    saved = [ws.guardrails.save(POLICY, **said, reason=reason) for said, reason in VERSIONS]
    if "production" not in set(ws.guardrails.history(POLICY)["alias"]):
        ws.guardrails.promote(POLICY, saved[0].version, to="production", reason="what guarded the two weeks")
    return tuple(saved)


def live_checker(ws: Workspace) -> Checker | None:
    """Return the rails of the policy that is in production in a store; None where there is none.

    Args:
        ws: Where it is kept.
    """
    try:
        return ws.guardrails.get(f"{POLICY}@production").checker()
    except NotFoundError:
        return None


def _rail(said: Mapping[str, Any]) -> Rail:
    options = {name: one for name, one in said.items() if name not in ("rail", "name", "action")}
    return replace(made(said["rail"], options, action=said["action"]), name=said["name"])
