"""Approximate search by usearch, for more vectors than can be compared one by one: about 500,000 and more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lmops.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lmops.retrieval.indexes.vectors import Places, Scores, Vectors


def refuse_absent() -> None:
    """Raise when usearch is not installed.

    Raises:
        MissingDependencyError: It is not.
    """
    _index_of()


def write_graph(path: Path, vectors: Vectors | None, params: Mapping[str, Any]) -> None:
    """Write the graph of some vectors (HNSW, inner product).

    Args:
        path: Where to.
        vectors: One a row.
        params: connectivity, expansion_add, expansion_search.
    """
    if vectors is None:
        return
    graph = _made(vectors.shape[1], params)
    graph.add(np.arange(len(vectors), dtype=np.uint64), vectors, threads=1)
    graph.save(str(path))


class Graph:
    """A graph that was written, mapped.

    Args:
        path: Where it is.
        dim: Numbers in a vector.
        params: As it was written with.
    """

    def __init__(self, path: Path, dim: int, params: Mapping[str, Any]) -> None:
        self._graph = _made(dim, params)
        self._graph.view(str(path))

    def near(self, vectors: Vectors, queries: Vectors, k: int) -> list[tuple[Places, Scores]]:
        """Return about k of the nearest vectors of each query, best first, with their inner products.

        Args:
            vectors: All of them: what the graph finds is compared again.
            queries: One a row.
            k: How many.
        """
        found = []
        for query in queries:
            matches = self._graph.search(query, min(k, len(vectors)), threads=1)
            places = np.sort(matches.keys.astype(np.int64))
            scores = (vectors[places].astype(np.float64) * query.astype(np.float64)).sum(axis=1)
            order = np.argsort(-scores, kind="stable")
            found.append((places[order], scores[order]))
        return found


def _made(dim: int, params: Mapping[str, Any]) -> Any:
    return _index_of()(
        ndim=dim,
        metric="ip",
        dtype="f32",
        connectivity=params["connectivity"],
        expansion_add=params["expansion_add"],
        expansion_search=params["expansion_search"],
    )


def _index_of() -> Any:
    try:
        from usearch.index import Index
    except ImportError as error:
        raise MissingDependencyError.of("usearch", "ann") from error
    return Index
