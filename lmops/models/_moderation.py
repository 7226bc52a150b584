"""What models that moderate say of texts, read strictly: what is no verdict is an error, never a pass."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

_CATEGORY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_/ -]{0,59}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moderation:
    """What is said of one text.

    Args:
        is_flagged: It breaks a rule.
        scores: By category, 0 to 1; {"flagged": 1.0} where it is flagged and no category has a score.
    """

    is_flagged: bool
    scores: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, said: Any) -> Self:
        """Return what an object with flagged and category_scores says, as moderation APIs answer.

        Raises:
            ValueError: It is none; the message says why.
        """
        flagged = said.get("flagged") if isinstance(said, Mapping) else None
        if flagged is not True and flagged is not False:
            raise ValueError("no object with flagged and category_scores")
        scores = said.get("category_scores") or {}
        if not isinstance(scores, Mapping) or not all(_is_score(name, score) for name, score in scores.items()):
            raise ValueError("scores that are none: category_scores has numbers of 0 to 1 by name")
        found = {name: float(score) for name, score in scores.items()}
        return cls(is_flagged=flagged, scores=found or ({"flagged": 1.0} if flagged else {}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Moderations:
    """What is said of some texts, in their order."""

    results: tuple[Moderation, ...]
    model: str
    requested_model: str
    provider: str
    latency_ms: float

    def __len__(self) -> int:
        """Return of how many texts something is said."""
        return len(self.results)

    def __repr__(self) -> str:
        """Say how many are flagged."""
        flagged = sum(one.is_flagged for one in self.results)
        return f"<Moderations {self.model}: {flagged} of {len(self.results)} flagged>"


def _is_score(name: object, score: Any) -> bool:
    is_number = isinstance(score, int | float) and not isinstance(score, bool) and math.isfinite(score)
    return isinstance(name, str) and _CATEGORY.fullmatch(name) is not None and is_number and 0 <= score <= 1
