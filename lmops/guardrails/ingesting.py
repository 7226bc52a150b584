"""A policy on the way in: what its rails redact never reaches the store, and is counted by kind."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

from lmops.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lmops.guardrails.checking import Checker


class Redaction:
    """A policy as a function from text to text, for ``redact=``.

    Each text has stand-ins of its own, and nothing remembers what they stand for.

    Args:
        find: Returns the rails that are asked now.
        name: Of the policy.

    Raises:
        UsageError: No rail of the policy redacts.
    """

    def __init__(self, find: Callable[[], Checker], name: str) -> None:
        if not find().masks:
            raise UsageError(
                f"the policy {name} redacts nothing: give one of its rails action='redact', such as "
                "{'rail': 'pii', 'action': 'redact'}"
            )
        self._find = find
        self._name = name
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<Redaction by {self._name}: {sum(self.counts.values()):,} taken out>"

    def __call__(self, text: str) -> str:
        """Return a text as it may be kept.

        Args:
            text: As it came.

        Raises:
            UsageError: A rail that fails closed could not decide: nothing of the text may be kept.
        """
        kept, counts = self._find().masked(text)
        if counts:
            with self._lock:
                self._counts.update(counts)
        return kept

    @property
    def counts(self) -> Counter[str]:
        """How often each kind was taken out."""
        with self._lock:
            return Counter(self._counts)
