"""Two small rails by patterns: one reads the question, one the answer. Both miss things on purpose."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

BLOCKED_ANSWER: Final = "I can only help with questions about travelling with Tidelark Ferries."
_INPUT_RULES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    # wide on purpose: it also stops an honest customer who asks whether a limit may be ignored
    ("override", re.compile(r"\bignore (?:all|the|your)\b", re.IGNORECASE)),
    ("system-prompt", re.compile(r"\bsystem prompt\b", re.IGNORECASE)),
    ("markup", re.compile(r"</?\w+_task>")),
    ("secret", re.compile(r"\b\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}\b")),
)
_OUTPUT_RULES: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("prompt-leak", re.compile(r"You are the help desk assistant", re.IGNORECASE)),
    ("secret", re.compile(r"\b\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}\b")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a rail decided, and by which rule (None when it lets the text pass)."""

    action: Literal["pass", "block"]
    rule: str | None = None


def check_input(text: str) -> Verdict:
    """Return the verdict on a question."""
    return _check(text, _INPUT_RULES)


def check_output(text: str) -> Verdict:
    """Return the verdict on an answer. It knows the first words of an old prompt only."""
    return _check(text, _OUTPUT_RULES)


def _check(text: str, rules: tuple[tuple[str, re.Pattern[str]], ...]) -> Verdict:
    for name, pattern in rules:
        if pattern.search(text):
            return Verdict(action="block", rule=name)
    return Verdict(action="pass")
