"""Redaction: what was found gives way to a word that stands for it, and can be put back by who holds the map.

    redactor = Redactor()
    redactor.redacted("Write to a@b.eu", [Finding(9, 15, "email")])  # "Write to [EMAIL_1]"
    redactor.restore("I wrote to [EMAIL_1].")                        # "I wrote to a@b.eu."

The map lives in memory only: it has no repr, and is not pickled or copied.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lmops.guardrails.normal import Folded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lmops.guardrails.contract import Finding

_NO_WORD: Final = re.compile(r"[^A-Z0-9]+")


class Restore:
    """Puts back what was redacted; without its map, as a pickle or a copy has it, it returns texts as they are.

    Args:
        words: Placeholder -> what it stands for.
    """

    __slots__ = ("_pattern", "_words")

    def __init__(self, words: dict[str, str] | None = None) -> None:
        self._words = dict(words or {})
        self._pattern: re.Pattern[str] | None = None

    def __call__(self, text: str) -> str:
        """Return a text with everything put back that it has a placeholder of."""
        if not self._words:
            return text
        if self._pattern is None:
            self._pattern = re.compile("|".join(map(re.escape, sorted(self._words, key=len, reverse=True))))
        return self._pattern.sub(lambda found: self._words[found[0]], text)

    def __len__(self) -> int:
        """Return how many placeholders it knows."""
        return len(self._words)

    @property
    def longest(self) -> int:
        """Characters of the longest placeholder; 0 without any."""
        return max(map(len, self._words), default=0)

    def __repr__(self) -> str:
        return f"<Restore of {len(self._words)} redacted>"

    def __reduce__(self) -> tuple[type[Restore], tuple[()]]:
        return Restore, ()


class Restoring:
    """Restores a text that comes in pieces: what may be the beginning of a placeholder waits for its end.

    Args:
        restore: What restores.
    """

    def __init__(self, restore: Restore) -> None:
        self._restore = restore
        self._held = ""

    def feed(self, piece: str) -> str:
        """Take a piece and return what can be shown now."""
        text = self._held + piece
        at = text.rfind("[", max(0, len(text) - self._restore.longest + 1)) if self._restore.longest else -1
        cut = at if at >= 0 and "]" not in text[at:] else len(text)
        self._held = text[cut:]
        return self._restore(text[:cut])

    def finish(self) -> str:
        """Return what waited."""
        held, self._held = self._held, ""
        return held


class Redactor:
    """Redacts the texts of one request: a value has one placeholder in all of them, and no two share one."""

    def __init__(self) -> None:
        self._by_value: dict[tuple[str, str], str] = {}
        self._words: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<Redactor of {len(self._words)} redacted>"

    def __reduce__(self) -> tuple[type[Redactor], tuple[()]]:
        return Redactor, ()

    def redacted(self, text: str, findings: Iterable[Finding]) -> str:
        """Return a text in which placeholders take the place of what was found; what overlaps has one together.

        Args:
            text: As it came.
            findings: What to take out; one without an extent takes out nothing.
        """
        parts, at = [], 0
        for start, end, kind in merged(findings):
            parts += [text[at:start], self._word(kind, text[start:end], text)]
            at = end
        return "".join([*parts, text[at:]])

    def again(self, text: str) -> str:
        """Return a text in which what was redacted before gives way to its placeholder."""
        for (_, value), word in self._by_value.items():
            text = text.replace(value, word)
        return text

    @property
    def restore(self) -> Restore:
        """What puts back all that was redacted up to now."""
        return Restore(self._words)

    def _word(self, kind: str, value: str, text: str) -> str:
        if not Folded(value).text:  # what nobody sees leaves nothing behind
            return ""
        label = _NO_WORD.sub("_", kind.upper()).strip("_") or "REDACTED"
        found = self._by_value.get((label, value))
        while found is None:
            self._counts[label] = self._counts.get(label, 0) + 1
            word = f"[{label}_{self._counts[label]}]"
            if word not in text:  # somebody wrote it himself: it stands for nothing
                found = self._by_value[label, value] = word
                self._words[word] = value
        return found


def merged(findings: Iterable[Finding]) -> list[tuple[int, int, str]]:
    """Return the stretches (start, end, kind) of what was found, in order; what overlaps is one, of the longest's kind.

    Args:
        findings: In any order; those without an extent are left out.
    """
    found: list[tuple[int, int, str]] = []
    longest = 0
    for one in sorted((one for one in findings if one.end > one.start), key=lambda one: (one.start, -one.end)):
        if found and one.start < found[-1][1]:
            start, end, kind = found[-1]
            if one.end - one.start > longest:
                kind, longest = one.kind, one.end - one.start
            found[-1] = (start, max(end, one.end), kind)
        else:
            found.append((one.start, one.end, one.kind))
            longest = one.end - one.start
    return found
