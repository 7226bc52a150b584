"""A search as the task of an evaluation, its measures as scorers, and what a run of it says."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.evals import TaskResult
from lmops.retrieval._measure_records import Measure, RankingReport, Reranked
from lmops.retrieval._together import Together
from lmops.retrieval.contract import Chunk, Hit, Ranking
from lmops.retrieval.indexes.searching import Index
from lmops.retrieval.recorded import Recorded
from lmops.retrieval.relevance import AT_K, Found, found_by, judgements_in, measured
from lmops.scorers import Score, build

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lmops.datasets import Example
    from lmops.evals import Run
    from lmops.retrieval.contract import Searchable
    from lmops.scorers import Scorer

#: The room of the task, as it stands in a run.
ROOM: Final = "retrieval"
NOTHING: Final = "no document is judged relevant"


def scorer_names(k: int) -> dict[str, str]:
    """Return measure -> name of its scorer."""
    named = {name: f"{name}_at_{k}" for name in (*AT_K, "judged", "condensed", "coverage")}
    return {**named, "bpref": "bpref"}


def scorers_of(k: int, ties: str, *, spans: bool) -> list[Scorer]:
    """Return the scorers of a run.

    Args:
        k: Chunks that count.
        ties: "rank" or "trec".
        spans: Whether a judgement is of a span.
    """
    return [_scorer(name, k, ties) for name in scorer_names(k) if spans or name != "coverage"]


def _scorer(measure: str, k: int, ties: str) -> Scorer:
    def score(documents: Any, output: Any, metadata: Any) -> Score:
        judgements = judgements_in(metadata)
        found = found_by(hits_in(documents or []), judgements, k=k, ties=ties)
        if measure != "judged" and not any(one.grade > 0 for one in judgements):
            return Score.unmeasured(NOTHING)
        value = measured(found, k)[measure]
        if math.isnan(value):
            return Score.unmeasured("nothing was found" if measure == "judged" else "no span is judged relevant")
        return Score.of(value, detail=_detail(found, output, judgements, k, ties) if measure == "ndcg" else None)

    options = {"measure": measure, "k": k, "ties": ties}
    return build(score, name=scorer_names(k)[measure], range=(0, 1), needs=("output", "metadata"), options=options)


def _detail(found: Found, output: Any, judgements: Any, k: int, ties: str) -> dict[str, Any]:
    """Return what a report says beside the measures, and what they were before the reranker."""
    before = output.get("before") if isinstance(output, dict) else None
    is_lacking = isinstance(output, dict) and bool(output.get("lacks"))
    said: dict[str, Any] = {"repeated": found.repeated, "lacks": is_lacking}
    if before is not None:
        values = measured(found_by(hits_in(before), judgements, k=k, ties=ties), k)
        said["before"] = {name: values[name] for name in AT_K}
    return said


def packed(hits: Sequence[Hit], *, texts: bool = True) -> list[dict[str, Any]]:
    """Return hits as an evaluation keeps them.

    Args:
        hits: Best first.
        texts: Whether with what is in them, and why they scored.
    """
    found = []
    for one in hits:
        chunk = one.chunk
        row = {"id": chunk.id, "document": chunk.document, "number": chunk.number, "start": chunk.start}
        row |= {"end": chunk.end, "score": float(one.score), "rank": one.rank}
        if texts:
            row |= {"content": chunk.text, "parts": dict(one.parts), "terms": dict(one.terms)}
        found.append(row)
    return found


def hits_in(rows: Sequence[Mapping[str, Any]]) -> list[Hit]:
    """Return the hits that an evaluation kept."""
    return [
        Hit(
            chunk=Chunk(
                document=str(one.get("document", one.get("id"))),
                number=int(one.get("number", 1)),
                start=int(one.get("start", 0)),
                end=int(one.get("end", 0)),
                text=str(one.get("content") or ""),
            ),
            rank=int(one.get("rank", place)),
            score=float(one.get("score", 0.0)),
            parts=one.get("parts") or {},
            terms=one.get("terms") or {},
        )
        for place, one in enumerate(rows, start=1)
    ]


class Searches:
    """The task of a run: search for the query of an example.

    Args:
        searchable: What searches.
        k: Chunks to find.
        examples: Those that are going to be asked: an index of ours, where no reranker is asked query by query, is
            searched for many at once, which finds the same in a fifth of the time.
    """

    def __init__(self, searchable: Searchable, k: int, examples: Sequence[Example] = ()) -> None:
        self.searchable = searchable
        self._k = k
        self._together: Together | None = None
        if isinstance(searchable, Index) and searchable.settings.reranker is None:
            self._together = Together(searchable, [query_of(one) for one in examples], k)
        self.__module__ = ROOM
        self.__qualname__ = " ".join(filter(None, (stem(searchable.name), *fingerprints_of(searchable))))

    def __call__(self, example: Any) -> TaskResult:
        """Return what was found: chunks as documents, and what they were before a reranker."""
        query, lacks = query_of(example), False
        if isinstance(self.searchable, Recorded):
            found = self.searchable.of(example.example_id, query, self._k)
            lacks = found is None
            ranking = found or Ranking(query=query, hits=(), index_fingerprint=self.searchable.index_fingerprint)
        else:
            together = None if self._together is None else self._together.of(query)
            ranking = together or self.searchable.search(query, self._k)
        hits = ranking.hits[: self._k]
        _refuse_nan(hits, query)
        before = None if ranking.before_rerank is None else packed(ranking.before_rerank[: self._k], texts=False)
        output: dict[str, Any] = {"ranking": [one.chunk.id for one in hits]}
        output |= ({"lacks": True} if lacks else {}) | ({"before": before} if before else {})
        return TaskResult(output, documents=packed(hits), latency_ms=ranking.took_ms, trace_id=ranking.trace_id)


def query_of(example: Any) -> str:
    """Return what an example asks.

    Args:
        example: Of a data set: its input is the query, or has it by name.
    """
    given = example.input
    if isinstance(given, dict):
        given = given.get("question") or given.get("query") or given
    return given if isinstance(given, str) else str(given)


def stem(name: str) -> str:
    """Return a name as it can stand in names of runs and data sets."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-._")[:80] or "own"


def _refuse_nan(hits: Sequence[Hit], query: str) -> None:
    for one in hits:
        if not math.isfinite(one.score):
            raise ValueError(
                f"the score of {one.chunk.id!r:.80} for {query!r:.80} is {one.score}: nothing is ordered by it"
            )


def fingerprints_of(searchable: Searchable) -> tuple[str, str | None]:
    """Return the fingerprints of the settings and of the documents, short."""
    corpus = searchable.corpus_fingerprint
    return searchable.index_fingerprint[:16], None if corpus is None else corpus[:16]


def name_of(run: Run) -> str:
    """Return what was measured in a run.

    Raises:
        UsageError: It is no run of retrieval.
    """
    room, _, rest = run.task.partition(":")
    if room != ROOM or not any(name.startswith("ndcg_at_") for name in run.scorers):
        raise UsageError(f"run {run.run_id} is of {run.task!r:.60}, no measurement of ws.retrieval.measure(...)")
    return rest.split(" ")[0]


def k_of(run: Run) -> tuple[int, str]:
    """Return the k of a run, and how equal scores are ordered in it.

    Raises:
        UsageError: It is no run of retrieval.
    """
    name_of(run)
    options = next(one["options"] for one in run.scorers.values() if one["name"].startswith("ndcg_at_"))
    return int(options["k"]), str(options["ties"])


def values_of(run: Run) -> dict[str, dict[str, float]]:
    """Return measure -> example id -> value, the mean over repeats; what has none is left out."""
    from lmops.evals.summaries import row_means

    k, _ = k_of(run)
    found = run.measured()
    made: dict[str, dict[str, float]] = {}
    for measure, name in scorer_names(k).items():
        if name in found.scores:
            means = row_means(found.scores[name]).tolist()
            made[measure] = {one: value for one, value in zip(found.ids, means, strict=True) if not math.isnan(value)}
    return made


def report_of(run: Run, examples: Sequence[Example], *, unknown: int = 0, level: float = 0.95) -> RankingReport:
    """Return what a run says.

    Args:
        run: The run.
        examples: Those of its data set.
        unknown: Rankings of queries without judgements, which were left out.
        level: Confidence level in (0, 1).

    Raises:
        UsageError: It is no run of retrieval.
    """
    from lmops.calc.intervals import score_interval

    k, ties = k_of(run)
    values = values_of(run)
    clusters = {one.example_id: one.cluster for one in examples}
    relevant = {
        one.example_id for one in examples if any(j.grade > 0 for j in judgements_in(one.metadata, one.example_id))
    }
    judged = values.get("judged", {})
    measures = []
    for name, by_query in values.items():
        ids = sorted(by_query)
        groups = [clusters.get(one) or one for one in ids]
        is_clustered = len(set(groups)) < len(groups)
        found = score_interval([by_query[one] for one in ids], clusters=groups if is_clustered else None, level=level)
        share = [judged[one] for one in ids if one in judged]
        measures.append(
            Measure(
                name=name,
                k=None if name == "bpref" else k,
                value=found.estimate,
                low=found.low,
                high=found.high,
                n=found.n,
                n_clusters=found.n_clusters,
                judged=sum(share) / len(share) if share else math.nan,
            )
        )
    details = _details(run)
    totals = run.totals
    return RankingReport(
        run=run,
        searched=name_of(run),
        k=k,
        ties=ties,
        measures=tuple(measures),
        queries=totals.planned,
        without_relevant=len(clusters) - len(relevant),
        empty=sum(one not in judged for one in values.get("ndcg", {})),
        lacking=tuple(sorted(one for one, said in details.items() if said.get("lacks"))),
        unknown=unknown,
        repeated=sum(bool(said.get("repeated")) for said in details.values()),
        failed=totals.errors,
        reranked=_reranked(details, values, clusters, level),
        values=values,
        level=level,
    )


def _details(run: Run) -> dict[str, dict[str, Any]]:
    """Return what the first repeat of each query says beside its measures."""
    k, _ = k_of(run)
    scores = run.scores()
    chosen = scores[scores["scorer"] == scorer_names(k)["ndcg"]]
    found: dict[str, dict[str, Any]] = {}
    for example_id, detail in zip(chosen["example_id"], chosen["detail"], strict=True):
        plain = json.loads(detail) if isinstance(detail, str) else detail
        if isinstance(plain, dict):
            found.setdefault(example_id, plain)
    return found


def _reranked(
    details: Mapping[str, Mapping[str, Any]],
    values: Mapping[str, Mapping[str, float]],
    clusters: Mapping[str, str | None],
    level: float,
) -> tuple[Reranked, ...]:
    """Return what the reranker moved, measure by measure, query by query."""
    made = []
    for name in AT_K:
        ids = sorted(one for one, said in details.items() if said.get("before") and one in values.get(name, {}))
        if not ids:
            continue
        after = [values[name][one] for one in ids]
        before = [float(details[one]["before"][name]) for one in ids]
        made.append(Reranked(**asdict(difference_of(name, ids, after, before, clusters, level))))
    return tuple(made)


def difference_of(
    name: str,
    ids: Sequence[str],
    after: Sequence[float],
    before: Sequence[float],
    clusters: Mapping[str, str | None],
    level: float,
) -> Reranked:
    """Return the difference of two lists of values, query by query, with an interval by source.

    Args:
        name: The measure.
        ids: Queries.
        after: Values.
        before: Values of the same queries.
        clusters: Query -> source.
        level: Confidence level in (0, 1).
    """
    from lmops.calc.paired import paired_difference

    groups = [clusters.get(one) or one for one in ids]
    is_clustered = len(set(groups)) < len(groups)
    found = paired_difference(after, before, clusters=groups if is_clustered else None, level=level)
    changes = [round(one - other, 12) for one, other in zip(after, before, strict=True)]
    return Reranked(
        name=name,
        before=found.mean_b,
        after=found.mean_a,
        difference=found.difference,
        low=found.low,
        high=found.high,
        n=found.n,
        wins=sum(one > 0 for one in changes),
        losses=sum(one < 0 for one in changes),
    )


def refuse_without_queries(examples: Sequence[Example], name: str) -> bool:
    """Refuse a data set in which nothing is judged relevant; return whether a judgement is of a span.

    Raises:
        UsageError: There is nothing to measure by, or a judgement cannot be used.
    """
    spans, relevant = False, 0
    for one in examples:
        judgements = judgements_in(one.metadata, f"query {one.example_id!r:.60} of {name}")
        relevant += any(found.grade > 0 for found in judgements)
        spans = spans or any(found.start is not None for found in judgements)
    if not relevant:
        raise UsageError(
            f"{name} has no query with a relevant document: examples say it in their metadata as judgements "
            "(ws.retrieval.qrels(...)), relevant or source_ids"
        )
    return spans
