"""What a model that reranks says of some documents: a score of each, read strictly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lmops.base.chat import Usage

#: Where services have the rows of an answer, and the score of a row: Cohere, Jina, vLLM; Voyage; TEI.
_ROWS: Final = ("results", "data")
_SCORES: Final = ("relevance_score", "score")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reranking:
    """How relevant some documents are to a query, in the order in which they were given.

    Args:
        scores: Higher is better; None of a document of which the model said nothing.
        model: As it calls itself.
        requested_model: As it was asked for.
        provider: Who answered.
        usage: Tokens, or searches that are paid for.
        cost_usd: None where no price is known.
        latency_ms: Milliseconds.
    """

    scores: tuple[float | None, ...]
    model: str
    requested_model: str
    provider: str
    usage: Usage
    cost_usd: float | None
    latency_ms: float

    def __len__(self) -> int:
        """Return how many documents there were."""
        return len(self.scores)

    def __repr__(self) -> str:
        """Say how many have a score."""
        return f"<Reranking {self.model}: {sum(one is not None for one in self.scores)} of {len(self)} scored>"


def scores_in(body: Mapping[str, Any], count: int) -> tuple[float | None, ...]:
    """Return the score of each document that a response has.

    Args:
        body: The response.
        count: How many documents were sent.

    Raises:
        ValueError: It has no scores, or one of a document that was not sent; the message says which.
    """
    rows = next((body[name] for name in _ROWS if isinstance(body.get(name), list)), None)
    if not rows:
        raise ValueError("it scores no document")
    found: list[float | None] = [None] * count
    for row in rows:
        place = row.get("index") if isinstance(row, dict) else None
        score = next((row[name] for name in _SCORES if name in row), None) if isinstance(row, dict) else None
        if type(place) is not int or not 0 <= place < count or found[place] is not None:
            raise ValueError(f"it scores document {place!r:.40} of {count}, counted from 0, each once")
        if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score):
            raise ValueError(f"the score of document {place} is {score!r:.40}")
        found[place] = float(score)
    return tuple(found)
