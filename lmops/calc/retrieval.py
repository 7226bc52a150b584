"""How good a ranked list of documents is, given which are relevant. One query at a time; average over queries outside.

A document that is listed twice counts where it stands first; the second place is wasted. A query without any relevant
document says nothing about the retriever: NaN, so that it is counted as unmeasured and not as 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Sequence

    Relevant = Collection[Hashable] | Mapping[Hashable, float]


def recall_at_k(ranked: Sequence[Hashable], relevant: Relevant, k: int | None = None) -> float:
    """Return the share of the relevant documents among the first k: |relevant and first k| / |relevant|.

    Args:
        ranked: document ids, best first.
        relevant: ids of the relevant documents, or a mapping from id to gain (those above 0 are relevant).
        k: places that count, at least 1; None: all.

    Returns:
        A fraction in 0..1; NaN when no document is relevant.

    >>> recall_at_k(["a", "x", "b"], {"a", "b", "c"}, 3)
    0.6666666666666666
    """
    gains = _gains(relevant)
    return sum(_hits(ranked, gains, k)) / len(gains) if gains else math.nan


def precision_at_k(ranked: Sequence[Hashable], relevant: Relevant, k: int | None = None) -> float:
    """Return the share of relevant documents among the first k places; places left empty count as misses.

    Args:
        ranked: document ids, best first.
        relevant: as for :func:`recall_at_k`.
        k: places that count, at least 1; None: as many as there are documents.

    Returns:
        A fraction in 0..1; NaN when no document is relevant, or when k is None and nothing was retrieved.

    >>> precision_at_k(["a", "x"], {"a"}, 4)
    0.25
    """
    gains = _gains(relevant)
    hits = _hits(ranked, gains, k)
    places = len(ranked) if k is None else k
    return sum(hits) / places if gains and places else math.nan


def hit_at_k(ranked: Sequence[Hashable], relevant: Relevant, k: int | None = None) -> float:
    """Return 1.0 when any of the first k documents is relevant, otherwise 0.0; NaN when no document is relevant.

    >>> hit_at_k(["x", "a"], {"a"}, 1)
    0.0
    """
    gains = _gains(relevant)
    return float(any(_hits(ranked, gains, k))) if gains else math.nan


def reciprocal_rank(ranked: Sequence[Hashable], relevant: Relevant, k: int | None = None) -> float:
    """Return 1 / the place of the first relevant document among the first k; 0.0 for none. Its mean is MRR.

    Source: E. M. Voorhees, TREC-8 question answering track report (1999). NaN when no document is relevant.

    >>> reciprocal_rank(["x", "a"], {"a"})
    0.5
    """
    gains = _gains(relevant)
    if not gains:
        return math.nan
    return next((1 / place for place, hit in enumerate(_hits(ranked, gains, k), 1) if hit), 0.0)


def average_precision(ranked: Sequence[Hashable], relevant: Relevant, k: int | None = None) -> float:
    """Return the mean over the relevant documents of the precision at their places. Its mean over queries is MAP.

    ``sum over hits of (hits so far / place) / min(|relevant|, k)``; relevant documents that were not retrieved add 0.
    Source: C. Manning, P. Raghavan, H. Schuetze, Introduction to Information Retrieval (2008), section 8.4.

    Returns:
        A fraction in 0..1; NaN when no document is relevant.

    >>> round(average_precision(["a", "x", "b"], {"a", "b"}), 4)
    0.8333
    """
    gains = _gains(relevant)
    if not gains:
        return math.nan
    found, total = 0, 0.0
    for place, hit in enumerate(_hits(ranked, gains, k), 1):
        if hit:
            found += 1
            total += found / place
    return total / (len(gains) if k is None else min(len(gains), k))


def ndcg_at_k(
    ranked: Sequence[Hashable],
    relevant: Relevant,
    k: int | None = None,
    *,
    gain: Literal["linear", "exponential"] = "linear",
) -> float:
    """Return the normalised discounted cumulative gain of the first k documents.

    ``sum(gain_i / log2(i + 1))`` over places i, divided by that of the best possible order. Source: K. Jarvelin,
    J. Kekalainen, ACM TOIS 20 (2002) 422-446; exponential gain ``2^g - 1``: C. Burges et al., ICML 2005.

    Args:
        ranked: document ids, best first.
        relevant: a mapping from id to gain (not negative), or ids that have gain 1.
        k: places that count, at least 1; None: all.
        gain: "linear" as in trec_eval, or "exponential".

    Returns:
        A fraction in 0..1; NaN when no document is relevant.

    Raises:
        ValueError: another gain, a negative one, or k below 1.

    >>> round(ndcg_at_k(["x", "a"], {"a"}), 4)
    0.6309
    """
    from lmops.calc.arrays import check_choice  # numpy is not needed otherwise

    check_choice("gain", gain, ("linear", "exponential"))
    gains = _gains(relevant)
    if not gains:
        return math.nan
    worth = {name: 2.0**g - 1 if gain == "exponential" else float(g) for name, g in gains.items()}
    seen: set[Hashable] = set()
    total = 0.0
    for place, name in enumerate(ranked[: _places(k)], 1):
        if name in worth and name not in seen:
            seen.add(name)
            total += worth[name] / math.log2(place + 1)
    best = sorted(worth.values(), reverse=True)[: _places(k)]
    return total / sum(g / math.log2(place + 1) for place, g in enumerate(best, 1))


def retrieval_scores(ranked: Sequence[Hashable], relevant: Relevant, k: int | None = None) -> dict[str, float]:
    """Return recall, precision, hit, reciprocal_rank, average_precision and ndcg of one query by name."""
    return {
        "recall": recall_at_k(ranked, relevant, k),
        "precision": precision_at_k(ranked, relevant, k),
        "hit": hit_at_k(ranked, relevant, k),
        "reciprocal_rank": reciprocal_rank(ranked, relevant, k),
        "average_precision": average_precision(ranked, relevant, k),
        "ndcg": ndcg_at_k(ranked, relevant, k),
    }


def _gains(relevant: Relevant) -> dict[Hashable, float]:
    gains = dict(relevant) if isinstance(relevant, Mapping) else dict.fromkeys(relevant, 1.0)
    if any(not g >= 0 for g in gains.values()):
        raise ValueError("the gain of a document must not be negative or NaN")
    return {name: g for name, g in gains.items() if g > 0}


def _hits(ranked: Sequence[Hashable], gains: Mapping[Hashable, float], k: int | None) -> list[bool]:
    """Return for each of the first k places whether a relevant document stands there for the first time."""
    left = set(gains)
    hits = []
    for name in ranked[: _places(k)]:
        hits.append(name in left)
        left.discard(name)
    return hits


def _places(k: int | None) -> int | None:
    if k is not None and k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    return k
