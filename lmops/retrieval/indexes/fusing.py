"""Two rankings made one: by ranks (reciprocal rank fusion) or by scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    #: Places of chunks with their scores, best first.
    Ranked = Sequence[tuple[int, float]]


def fused(vector: Ranked, lexical: Ranked, fusion: Mapping[str, Any]) -> list[tuple[int, float]]:
    """Return two rankings as one, best first, equal scores in the order of the places.

    ``rrf`` gives a place 1 / (k + rank) of each ranking that has it (Cormack, Clarke and Buettcher, SIGIR 2009).
    ``weighted`` adds the scores, each ranking scaled so that its best has 1 and its worst 0: ``weight`` of the
    vectors', the rest of the words'. What one ranking lacks has nothing of it.

    Args:
        vector: By vectors.
        lexical: By words.
        fusion: {"name": "rrf", "k": 60} or {"name": "weighted", "weight": 0.5}.

    Example:
        >>> fused([(4, 0.9), (7, 0.8)], [(7, 3.1), (2, 0.5)], {"name": "rrf", "k": 60})[0][0]
        7
    """
    totals: dict[int, float] = {}
    if fusion["name"] == "rrf":
        for ranking in (vector, lexical):
            for rank, (place, _) in enumerate(ranking, start=1):
                totals[place] = totals.get(place, 0.0) + 1 / (fusion["k"] + rank)
    else:
        weight = float(fusion["weight"])
        for share, ranking in ((weight, vector), (1 - weight, lexical)):
            for place, score in _scaled(ranking):
                totals[place] = totals.get(place, 0.0) + share * score
    return sorted(totals.items(), key=lambda one: (-one[1], one[0]))


def _scaled(ranking: Ranked) -> list[tuple[int, float]]:
    if not ranking:
        return []
    best, worst = ranking[0][1], ranking[-1][1]
    width = best - worst
    return [(place, (score - worst) / width if width > 0 else 1.0) for place, score in ranking]
