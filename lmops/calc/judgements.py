"""What a ranking is worth where not everything in it was judged, and the order of TREC for equal scores.

What nobody judged is not the same as what is not relevant. A mean over rankings in which much is unjudged is too low,
and lower for the system that the judgements were not collected from: its share belongs beside every mean.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Mapping, Sequence


def judged_at_k(ranked: Sequence[Hashable], judged: Collection[Hashable], k: int | None = None) -> float:
    """Return the share of the first k that somebody judged, relevant or not; of those that are there where fewer are.

    Args:
        ranked: ids, best first; one that is listed twice counts once.
        judged: ids that were judged.
        k: places that count, at least 1; None: all.

    Returns:
        A fraction in 0..1; NaN when nothing was retrieved.

    >>> judged_at_k(["a", "x", "b", "y"], {"a", "b"}, 3)
    0.6666666666666666
    """
    first = list(dict.fromkeys(ranked))[: _places(k)]
    return sum(one in judged for one in first) / len(first) if first else math.nan


def condensed(ranked: Sequence[Hashable], judged: Collection[Hashable]) -> list[Hashable]:
    """Return a ranking without what nobody judged, as any measure can then be taken of it.

    Two systems that differ in what is judged are compared on these: T. Sakai, SIGIR 2007, 71-78.

    >>> condensed(["x", "a", "y", "b"], {"a", "b"})
    ['a', 'b']
    """
    return [one for one in ranked if one in judged]


def bpref(ranked: Sequence[Hashable], judged: Mapping[Any, float]) -> float:
    """Return how seldom what was judged not relevant stands above what is relevant; what is unjudged plays no part.

    ``1/R sum over relevant r of 1 - min(R, judged not relevant above r) / min(R, N)``, R the relevant and N the judged
    not relevant documents; relevant ones that were not retrieved add 0. C. Buckley, E. Voorhees, SIGIR 2004, 25-32, as
    trec_eval computes it.

    Args:
        ranked: ids, best first; one that is listed twice counts where it stands first.
        judged: id -> grade; above 0 is relevant.

    Returns:
        A fraction in 0..1; NaN when no document is relevant.

    >>> bpref(["x", "a", "n", "b"], {"a": 1, "b": 1, "n": 0})
    0.5
    """
    relevant = sum(grade > 0 for grade in judged.values())
    others = len(judged) - relevant
    if not relevant:
        return math.nan
    above, total = 0, 0.0
    for one in dict.fromkeys(ranked):
        if one not in judged:
            continue
        if judged[one] > 0:
            total += 1 - min(above, relevant) / min(relevant, others) if above else 1.0
        else:
            above += 1
    return total / relevant


def trec_order(scored: Sequence[tuple[str, float]]) -> list[int]:
    """Return the places of a list in the order of trec_eval: by falling score, equal ones by falling document id.

    trec_eval keeps scores in single precision, so that two which differ less are equal to it.

    Args:
        scored: document ids and scores.

    >>> trec_order([("a", 1.0), ("b", 1.0), ("c", 2.0)])
    [2, 1, 0]
    """
    keys = [(_single(score), document.encode()) for document, score in scored]
    return sorted(range(len(keys)), key=keys.__getitem__, reverse=True)


def _single(score: float) -> float:
    return float(struct.unpack("f", struct.pack("f", score))[0])


def _places(k: int | None) -> int | None:
    if k is not None and k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    return k
