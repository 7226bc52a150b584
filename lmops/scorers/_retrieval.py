"""How good the retrieved documents are, where the example names the right ones."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from lmops.calc import retrieval as measures
from lmops.errors import UsageError
from lmops.scorers._normalise import as_text
from lmops.scorers._records import Score
from lmops.scorers._registry import scorer_factory

if TYPE_CHECKING:
    from collections.abc import Callable

Metric = Literal["recall", "precision", "hit", "mrr", "ap", "ndcg"]
_METRICS = ("recall", "precision", "hit", "mrr", "ap", "ndcg")


@scorer_factory(range=(0, 1))
def retrieval(metric: Metric = "recall", *, k: int | None = None, by_article: bool = True) -> Callable[..., Any]:
    """How good the ranking of the documents is against the metadata's ``source_ids`` (or ``relevant``: id -> gain).

    Args:
        metric: "recall", "precision", "hit", "mrr" (reciprocal rank), "ap" (average precision), "ndcg".
        k: Places that count; None: all.
        by_article: Chunks count as their article: "pets#2" as "pets", each article where it stands first.
    """
    if metric not in _METRICS or (k is not None and k < 1):
        raise UsageError(f"retrieval({metric!r}, k={k}): use one of {', '.join(_METRICS)} and k of 1 or more")

    def name(value: Any) -> str:
        text = as_text(value)
        return text.partition("#")[0] if by_article else text

    def score(documents: Any, metadata: Any = None) -> Score:
        known = metadata if isinstance(metadata, dict) else {}
        relevant = known.get("relevant") or known.get("source_ids")
        if not relevant:
            return Score.unmeasured("the metadata names no relevant documents (source_ids, or relevant: id -> gain)")
        listed = [document for document in documents if isinstance(document, dict) and document.get("id") is not None]
        if documents and not listed:
            return Score.failed("the documents have no ids")
        ranked = [name(document["id"]) for document in sorted(listed, key=_rank)]
        if by_article:
            ranked = list(dict.fromkeys(ranked))
        gains: Any = {name(one) for one in relevant}
        if isinstance(relevant, dict):
            gains = {}
            for one, gain in relevant.items():
                gains[name(one)] = max(gains.get(name(one), 0.0), float(gain))
        value = _measure(metric, ranked, gains, k)
        if math.isnan(value):
            return Score.unmeasured("no document is relevant, or none was retrieved")
        return Score.of(value, detail={"ranked": ranked[:20], "relevant": sorted(gains)})

    return score


def _rank(document: dict[str, Any]) -> float:
    rank = document.get("rank")
    return float(rank) if isinstance(rank, int | float) else 0.0


def _measure(metric: str, ranked: list[str], gains: Any, k: int | None) -> float:
    return {
        "recall": measures.recall_at_k,
        "precision": measures.precision_at_k,
        "hit": measures.hit_at_k,
        "mrr": measures.reciprocal_rank,
        "ap": measures.average_precision,
        "ndcg": measures.ndcg_at_k,
    }[metric](ranked, gains, k)
