"""Two rankings side by side, as the explorer shows them: which hit is which, what moved, what is relevant, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.retrieval.comparing import query_of, rankings_of
from lmops.retrieval.relevance import WORDS, Judgement, found_by, grade_of, judgements_in, measured, relevant_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lmops.datasets import Example
    from lmops.retrieval._measure_records import RankingComparison
    from lmops.retrieval.contract import Chunk, Hit, Searchable
    from lmops.store import Store

#: The measures that stand over a query.
SHOWN: Final = ("ndcg", "recall", "mrr", "judged")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A hit of one side.

    Args:
        hit: What was found.
        grade: How well it answers; None where nobody judged it.
        other: Its rank on the other side; None where it is not there.
    """

    hit: Hit
    grade: float | None
    other: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """What both found for one query.

    Args:
        query: Its text.
        relevant: What is relevant, in words; empty where nothing is known.
        a: Hits of a.
        b: Hits of b.
        measures: Measure in words -> value of a and of b; None where it is unmeasured.
        missed: What is relevant and on neither side.
        unsupported: Sentences of an answer that no document of a supports.
    """

    query: str
    relevant: str
    a: tuple[Placed, ...]
    b: tuple[Placed, ...]
    measures: Mapping[str, tuple[float | None, float | None]]
    missed: tuple[str, ...]
    unsupported: tuple[str, ...] = ()


def is_same(one: Chunk, other: Chunk) -> bool:
    """Return whether two chunks are one thing to a reader: the same place, or half of the shorter one in common."""
    if one.document != other.document:
        return False
    if one.end <= one.start or other.end <= other.start:
        return one.number == other.number
    return Judgement(document=one.document, start=one.start, end=one.end).holds(other)


def side_by_side(
    query: str, a: Sequence[Hit], b: Sequence[Hit], judgements: Sequence[Judgement] = (), *, k: int = 10
) -> Sides:
    """Return what both found, each hit with its place on the other side.

    Args:
        query: Its text.
        a: Hits of a, best first.
        b: Hits of b.
        judgements: Of the query.
        k: Chunks that count.
    """
    a, b = a[:k], b[:k]
    left: dict[int, int] = {}
    right: dict[int, int] = {}
    for place, one in enumerate(a):
        # the nearest that is left: of chunks that overlap several are the same
        free = [at for at, other in enumerate(b) if at not in right and is_same(one.chunk, other.chunk)]
        if free:
            nearest = min(free, key=lambda at: (b[at].chunk != one.chunk, abs(at - place)))
            left[place], right[nearest] = nearest, place
    found = [found_by(hits, judgements, k=k) for hits in (a, b)]
    values = [measured(one, k) for one in found]
    keys = set(found[0].ranked) | set(found[1].ranked)
    return Sides(
        query=query,
        relevant=relevant_words(judgements),
        a=tuple(_placed(one, judgements, left.get(place)) for place, one in enumerate(a)),
        b=tuple(_placed(one, judgements, right.get(place)) for place, one in enumerate(b)),
        measures={WORDS[name]: (_known(values[0][name]), _known(values[1][name])) for name in SHOWN},
        missed=tuple(one.key for one in judgements if one.grade > 0 and one.key not in keys),
    )


def _placed(hit: Hit, judgements: Sequence[Judgement], other: int | None) -> Placed:
    return Placed(hit=hit, grade=grade_of(hit.chunk, judgements), other=None if other is None else other + 1)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


class RankingBoard:
    """What the explorer asks of two rankings.

    Args:
        names: Of a and of b.
        k: Chunks that count.
        store: Where their runs are.
        comparison: Of the two over a data set; None where only own queries are asked.
        examples: The queries of the data set.
        searchables: What answers own queries; None where a side is a run whose index is not there.
        opened: What is shown first, such as what a trace found.
    """

    def __init__(
        self,
        names: tuple[str, str],
        k: int,
        *,
        store: Store,
        comparison: RankingComparison | None = None,
        examples: Sequence[Example] = (),
        searchables: tuple[Searchable, Searchable] | None = None,
        opened: Sides | None = None,
    ) -> None:
        self.opened = opened
        self.names = names
        self.k = k
        self.comparison = comparison
        self._store = store
        self._examples = {one.example_id: one for one in examples}
        self._searchables = searchables

    @property
    def can_search(self) -> bool:
        """Whether own queries can be asked."""
        return self._searchables is not None

    def rows(self) -> list[dict[str, Any]]:
        """Return the queries, the largest loss of a first."""
        return [] if self.comparison is None else self.comparison.rows

    def has(self, example_id: str) -> bool:
        """Return whether there is such a query."""
        return example_id in self._examples

    def sides(self, example_id: str) -> Sides:
        """Return what both found for a query of the data set."""
        example = self._examples[example_id]
        assert self.comparison is not None  # a query of a data set
        both = (self.comparison.a, self.comparison.b)
        a, b = (rankings_of(self._store, side.run, example_id).get(example_id, []) for side in both)
        judgements = judgements_in(example.metadata, example_id)
        return side_by_side(query_of(example), a, b, judgements, k=self.k)

    def search(self, query: str) -> Sides:
        """Return what both find for a query of one's own; what a data set judges of the same text counts."""
        assert self._searchables is not None  # asked where it can search
        a, b = (one.search(query, self.k).hits for one in self._searchables)
        same = next((one for one in self._examples.values() if query_of(one).strip() == query.strip()), None)
        judgements = () if same is None else judgements_in(same.metadata, same.example_id)
        return side_by_side(query, a, b, judgements, k=self.k)

    def around(self, side: int, chunk: Chunk) -> tuple[str, str] | None:
        """Return what stands before and behind a chunk in its document; None where that is not known.

        Args:
            side: 0 for a, 1 for b.
            chunk: As it was found.
        """
        read = None if self._searchables is None else getattr(self._searchables[side], "document", None)
        if read is None or chunk.end <= chunk.start:
            return None
        text: str = read(chunk.document).text
        return text[: chunk.start], text[chunk.end :]
