"""What measuring and comparing rankings returns."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lmops.base.shown import Shown, Viewed
from lmops.errors import NotFoundError
from lmops.retrieval.relevance import WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from lmops.evals import Comparison, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One measure of a report, the mean over queries that have a relevant document.

    Args:
        name: "ndcg", "recall", "precision", "mrr", "map", "judged" (the share of the first k that was judged),
            "condensed" (nDCG without what is unjudged), "bpref", "coverage" (share of relevant spans, by characters).
        k: Chunks that count; None for bpref.
        value: In 0..1; NaN where nothing was measured.
        low: Lower limit, clustered by source where several queries have one.
        high: Upper limit.
        n: Queries.
        n_clusters: Their sources; None where each query has its own.
        judged: Share of the first k that was judged, over the same queries.
    """

    name: str
    k: int | None
    value: float
    low: float
    high: float
    n: int
    n_clusters: int | None
    judged: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reranked:
    """What a reranker did to one measure, query by query: after less before.

    Args:
        name: The measure.
        before: Its mean over what the index found.
        after: Its mean over the order of the reranker.
        difference: After less before.
        low: Lower limit.
        high: Upper limit.
        n: Queries.
        wins: Queries that it made better.
        losses: Queries that it made worse.
    """

    name: str
    before: float
    after: float
    difference: float
    low: float
    high: float
    n: int
    wins: int
    losses: int


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RankingReport(Shown):
    """How good the rankings of a run are.

    Args:
        run: The run: an evaluation that resumes, compares and gates as any other.
        searched: What was measured.
        k: Chunks that count.
        ties: How equal scores are ordered: "rank" or "trec".
        measures: Each with its interval.
        queries: How many were asked.
        without_relevant: Queries for which nothing is judged relevant: unmeasured, not 0.
        empty: Queries that found nothing: they count as 0.
        lacking: Ids of the queries that recorded rankings lack: they count as 0.
        unknown: Recorded rankings of queries without judgements: left out.
        repeated: Queries whose ranking has a chunk twice: it counts once.
        failed: Searches that failed: unmeasured; ``ws.retrieval.resume`` asks them again.
        reranked: What the reranker did; empty without one.
        values: Measure -> query -> value, the mean over repeats.
        level: Of all limits.
    """

    run: Run
    searched: str
    k: int
    ties: str
    measures: tuple[Measure, ...]
    queries: int
    without_relevant: int
    empty: int
    lacking: tuple[str, ...]
    unknown: int
    repeated: int
    failed: int
    reranked: tuple[Reranked, ...]
    values: Mapping[str, Mapping[str, float]]
    level: float = 0.95

    def __repr__(self) -> str:
        one = self["ndcg"]
        return f"<RankingReport of {self.searched}: nDCG@{self.k} {one.value:.3f} over {one.n:,} queries>"

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.run.run_id

    def __getitem__(self, name: str) -> Measure:
        """Return one measure, such as "ndcg" or "recall"."""
        for one in self.measures:
            if one.name == name:
                return one
        raise NotFoundError.of("measure of this report", name, [one.name for one in self.measures])

    def df(self) -> pd.DataFrame:
        """Return one row a measure, with the fields of :class:`Measure`."""
        from lmops.base.frames import Frame

        return Frame([asdict(one) for one in self.measures])

    def by_query(self) -> pd.DataFrame:
        """Return one row a query: example_id, and a column a measure; missing where it is unmeasured."""
        from lmops.base.frames import Frame

        made = Frame(self.values)
        made.insert(0, "example_id", made.index)
        return Frame(made.reset_index(drop=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingDifference:
    """One measure of a against b, query by query: a - b.

    Args:
        name: The measure.
        a: Its mean over the queries that have it on both sides.
        b: Likewise.
        difference: a - b.
        low: Lower limit, clustered by source.
        high: Upper limit.
        p_value: Two-sided, adjusted for the number of measures that decide.
        n: Queries.
        wins: Queries in which a is better.
        losses: Queries in which b is better.
        ties: The others.
        judged_a: Share of the first k of a that was judged.
        judged_b: Of b.
        outcome: better, worse, non_inferior or inconclusive.
        n_needed: Queries in all that would decide; None when decided or when none would.
    """

    name: str
    a: float
    b: float
    difference: float
    low: float
    high: float
    p_value: float
    n: int
    wins: int
    losses: int
    ties: int
    judged_a: float
    judged_b: float
    outcome: str
    n_needed: int | None

    @property
    def words(self) -> str:
        """What the measure is called where people read it, such as nDCG."""
        return WORDS[self.name]


class RankingComparison(Viewed):
    """Two rankings of the same queries: ``["ndcg"].difference``, ``.by_query()``, ``.won``, ``.lost``, ``.text``.

    Args:
        a: What is judged.
        b: What it is compared with.
        differences: One a measure.
        comparison: The same as a comparison of evaluations, which the eval explorer shows.
        queries: One row a query.
        notes: What a reader has to know.
    """

    def __init__(
        self,
        a: RankingReport,
        b: RankingReport,
        *,
        differences: tuple[RankingDifference, ...],
        comparison: Comparison,
        queries: list[dict[str, Any]],
        notes: tuple[str, ...] = (),
    ) -> None:
        self.a = a
        self.b = b
        self.differences = differences
        self.comparison = comparison
        self.notes = notes
        self._queries = queries

    def __repr__(self) -> str:
        one = self["ndcg"]
        limits = f"[{one.low:+.3f}, {one.high:+.3f}]" if math.isfinite(one.low) else "without limits"
        return (
            f"<RankingComparison {self.a.searched} - {self.b.searched}: nDCG@{self.a.k} {one.difference:+.3f} "
            f"{limits}, {one.outcome}>"
        )

    def __getitem__(self, name: str) -> RankingDifference:
        """Return the difference of one measure, such as "ndcg"."""
        for one in self.differences:
            if one.name == name:
                return one
        raise NotFoundError.of("measure of this comparison", name, [one.name for one in self.differences])

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of :meth:`by_query` as plain records."""
        return list(self._queries)

    @property
    def won(self) -> list[str]:
        """Ids of the queries with a higher nDCG in a, the largest difference first."""
        return [one["example_id"] for one in reversed(self._queries) if one["change"] is not None and one["change"] > 0]

    @property
    def lost(self) -> list[str]:
        """Ids of the queries with a higher nDCG in b, the largest loss first."""
        return [one["example_id"] for one in self._queries if one["change"] is not None and one["change"] < 0]

    def df(self) -> pd.DataFrame:
        """Return one row a measure, with the fields of :class:`RankingDifference`."""
        from lmops.base.frames import Frame

        return Frame([asdict(one) for one in self.differences])

    def by_query(self) -> pd.DataFrame:
        """Return one row a query, the largest loss of a first.

        Returns:
            Columns example_id, query, cluster, change (nDCG of a less that of b), ndcg_a, ndcg_b, recall_a, recall_b,
            mrr_a, mrr_b, judged_a, judged_b (missing where unmeasured), top (whether both have the same first chunk),
            overlap (of the first k), rbo.
        """
        from lmops.base.frames import Frame

        return Frame(self._queries)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Pool(Shown):
    """What two rankings found and nobody judged yet, as a queue of labels.

    Args:
        queue: Its name.
        dataset: The queries.
        queries: Of how many queries there is something.
        chunks: How many pairs of a query and a chunk were put into the queue.
        judged: How many of the pairs were judged before.
        schema: What raters are asked, as name@version.
    """

    queue: str
    dataset: str
    queries: int
    chunks: int
    judged: int
    schema: str

    def __repr__(self) -> str:
        return f"<Pool {self.queue}: {self.chunks:,} chunks of {self.queries:,} queries to judge>"
