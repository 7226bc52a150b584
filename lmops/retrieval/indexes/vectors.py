"""Exact search among vectors: every vector is compared, in blocks, and equal scores come in one order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]
    Places = npt.NDArray[np.int64]
    Scores = npt.NDArray[np.float64]

#: So many scores are held at once: 16 MB.
_SCORES: Final = 1 << 22
#: So many vectors are compared again at once.
_AGAIN: Final = 4096
#: A product in float32 is right to about this, whatever block it is made in.
_SLACK: Final = 1e-5


def normalised(vectors: Vectors) -> Vectors:
    """Return vectors of length 1, as new ones; one of zeros stays what it is.

    Args:
        vectors: One a row.
    """
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)


def nearest(
    vectors: Vectors, queries: Vectors, k: int, allowed: npt.NDArray[np.bool_] | None = None
) -> list[tuple[Places, Scores]]:
    """Return the k vectors with the greatest inner product with each query, best first.

    All are compared in float32 as one product a block; what may be among the best is compared again in float64, so
    that a query finds the same alone and among others, and equal vectors score the same. Equal scores come in the
    order of the places. Memory: 16 MB beside the vectors, which may be mapped from a file.

    Args:
        vectors: One a row, finite.
        queries: One a row, finite.
        k: How many, from 1; all where there are fewer.
        allowed: Which may be found; all by default.

    Returns:
        For each query the places of rows and their scores.
    """
    if allowed is not None and not allowed.all():
        few = np.flatnonzero(allowed)
        if len(few) < len(vectors) // 8:
            return [(few[at], scores) for at, scores in nearest(vectors[few], queries, k)]
    else:
        allowed = None
    found: list[list[tuple[Places, Vectors]]] = [[] for _ in queries]
    for start, products in _products(vectors, queries):
        if allowed is not None:
            products[:, ~allowed[start : start + products.shape[1]]] = -np.inf
        for own, row in zip(found, products, strict=True):
            at = _candidates(row, k)
            own.append((at + start, row[at]))
    return [_best(vectors, query, own, k) for query, own in zip(queries, found, strict=True)]


def top(scores: npt.NDArray[np.floating], k: int) -> Places:
    """Return the places of the k greatest scores, best first, equal ones in the order of their places.

    Args:
        scores: Those that are minus infinity are left out.
        k: How many at most.
    """
    at = _candidates(scores, k, slack=0)
    return at[np.argsort(-scores[at], kind="stable")][:k]


def _products(vectors: Vectors, queries: Vectors) -> Iterator[tuple[int, Vectors]]:
    """Yield where a block begins, and the product of every query with each of its vectors."""
    rows = max(1, _SCORES // max(1, len(queries)))
    for start in range(0, len(vectors), rows):
        block = vectors[start : start + rows]
        if len(queries) == 1:
            yield start, (block @ queries[0])[None, :]
        else:
            yield start, queries @ block.T


def _candidates(scores: npt.NDArray[np.floating], k: int, slack: float = _SLACK) -> Places:
    """Return the places of all that can be among the k greatest, in their order."""
    if len(scores) <= k:
        return np.flatnonzero(scores > -np.inf)
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    if least == -np.inf:
        return np.flatnonzero(scores > least)
    return np.flatnonzero(scores >= least - slack * max(1.0, abs(float(least))))


def _best(vectors: Vectors, query: Vectors, found: list[tuple[Places, Vectors]], k: int) -> tuple[Places, Scores]:
    """Return the best of the candidates of all blocks, compared again."""
    places = np.concatenate([at for at, _ in found]) if found else np.empty(0, np.int64)
    rough = np.concatenate([scores for _, scores in found]) if found else np.empty(0, np.float32)
    places = places[_candidates(rough, k)]
    exact = query.astype(np.float64)
    scores = np.empty(len(places), np.float64)
    for at in range(0, len(places), _AGAIN):
        scores[at : at + _AGAIN] = (vectors[places[at : at + _AGAIN]].astype(np.float64) * exact).sum(axis=1)
    order = top(scores, k)
    return places[order], scores[order]
