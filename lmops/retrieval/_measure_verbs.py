"""The verbs that measure rankings and compare them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final, cast

from lmops.base.kinds import refuses_wrong_kinds
from lmops.errors import UsageError
from lmops.retrieval._index_verbs import WithIndexes
from lmops.retrieval._measure_records import Pool, RankingComparison, RankingReport
from lmops.retrieval.comparing import compared, rankings_of, refuse_apart
from lmops.retrieval.measuring import (
    ROOM,
    Searches,
    k_of,
    name_of,
    refuse_without_queries,
    report_of,
    scorer_names,
    scorers_of,
    stem,
)
from lmops.retrieval.pooling import CRITERIA, FIELDS, GRADE, SCHEMA, grades_of, pooled, with_grades
from lmops.retrieval.qrels import examples_of
from lmops.retrieval.recorded import Called, Recorded
from lmops.retrieval.relevance import check_k, check_ties

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from lmops.datasets import DatasetVersion
    from lmops.evals import Criteria, Run, Verdict
    from lmops.retrieval.contract import Searchable

_PREFIX: Final = "retrieval"
#: The measures whose outcome decides in a comparison.
DECIDES: Final = ("ndcg",)


@refuses_wrong_kinds
class WithMeasures(WithIndexes):
    """Indexes with the verbs that say how good they are."""

    # -- judgements and rankings -----------------------------------------------------------------------------------

    def qrels(
        self, name: str, judgements: Any, *, queries: Any = None, documents: Any = None, note: str = ""
    ) -> DatasetVersion:
        """Save judgements as a data set, one example a query, and return its version.

        A judgement is of a span of a document (``start``, ``end``: characters) or of all of it, with a ``grade`` from
        0, not relevant; spans hold however documents are cut. ``source`` (or ``cluster``) says which queries belong
        together; other columns are kept.

        Args:
            name: Of the data set.
            judgements: Rows, a frame or a file (.jsonl, .json, .csv, .tsv, .parquet) with query, document, grade, start
                and end, one judgement or (as ``judgements``, a list) one query a row; or a qrels file of TREC, of
                which grades below 0 are 0.
            queries: Query id -> its text, or a file of "id TAB text", where rows have ids only.
            documents: Id -> text, or documents: ids and spans are checked against them.
            note: Why there is a new version.

        Raises:
            UsageError: A judgement cannot be used, a query has no text, or there is none. Nothing was saved.
            NotFoundError: There is no such file or document.
        """
        rows, said = examples_of(judgements, queries, documents)
        saved: DatasetVersion = self._host.datasets.save(name, rows, note="; ".join(filter(None, (note, said))))
        return saved

    def rankings(self, name: str, rankings: Any) -> Recorded:
        """Return rankings that were made elsewhere as what can be measured and compared.

        Args:
            name: In reports.
            rankings: Query (its id or text) -> what was found, best first: ids such as "pets" or "pets#2", pairs of id
                and score, or mappings with id, text, start, end and score; or the path of a run file of TREC.

        Raises:
            UsageError: There is none, one has no id, or a score is no finite number.
            NotFoundError: There is no such file.
        """
        return Recorded(name, rankings)

    # -- measuring -------------------------------------------------------------------------------------------------

    def measure(
        self,
        searchable: Any,
        queries: Any,
        *,
        k: int = 10,
        ties: str = "rank",
        name: str | None = None,
        limit: int | None = None,
        concurrency: int = 4,
        timeout_s: float | None = 300.0,
        retries: int = 1,
        progress: bool = True,
        level: float = 0.95,
    ) -> RankingReport:
        """Search for every query, measure what was found by its judgements, and return the report of the run.

        The run is an evaluation: it resumes (:meth:`resume`), compares, gates and is explored as any other. A chunk is
        relevant when it shares half of the shorter of the two with a judged span. A query for which nothing is
        relevant is unmeasured; one that finds nothing, or that recorded rankings lack, counts as 0.

        Args:
            searchable: An index or its name, rankings (:meth:`rankings`, or a mapping), or a function of a query.
            queries: A data set of :meth:`qrels`, its name, or rows of judgements; one with ``source_ids`` or
                ``relevant`` in its metadata does as well.
            k: Chunks that count.
            ties: "rank": equal scores stay as they are ranked; "trec": by document id, descending, as trec_eval does.
            name: Of the experiment; by default of what is measured.
            limit: Only the first so many queries.
            concurrency: Searches at a time.
            timeout_s: Most seconds for one.
            retries: Further attempts after an error that may pass.
            progress: Show how far it is.
            level: Of the limits, in (0, 1).

        Raises:
            UsageError: No query has a relevant document, k is below 1, or no ranking is of one of the queries.
            NotFoundError: There is no such data set or index.

        Example:
            >>> import lmops
            >>> ws = lmops.open(":memory:")
            >>> asked = ws.retrieval.qrels("asked", [{"query": "May my dog come?", "document": "pets"}])
            >>> found = {"May my dog come?": ["fares", "pets"]}
            >>> ws.retrieval.measure(found, asked, progress=False)["mrr"].value
            0.5
        """
        check_k(k)
        check_ties(ties)
        made = self._searchable(searchable)
        dataset = self._queries(queries, made.name)
        examples = dataset.examples if limit is None else dataset.examples[:limit]
        spans = refuse_without_queries(examples, dataset.ref)
        unknown = _unknown(made, dataset) if isinstance(made, Recorded) else 0
        run = self._host.evals.run(
            Searches(made, k, examples),
            dataset,
            scorers_of(k, ties, spans=spans),
            name=name or f"{_PREFIX}-{stem(made.name)}",
            limit=limit,
            concurrency=concurrency,
            timeout_s=timeout_s,
            retries=retries,
            progress=progress,
        )
        self._note(run, made)
        return report_of(run, examples, unknown=unknown, level=level)

    def resume(
        self, run: Any, searchable: Any = None, *, retry_errors: bool = True, progress: bool = True
    ) -> RankingReport:
        """Search for the queries that are missing of a run, or that failed, and return its report.

        Args:
            run: The run, its id or its report.
            searchable: What was measured, again; an index is taken by its name.
            retry_errors: Ask those again that failed.
            progress: Show how far it is.

        Raises:
            UsageError: It is not what was measured, or was built anew since.
            NotFoundError: There is no such run or index.
        """
        found = self._run(run)
        k, ties = k_of(found)
        made = self._searchable(name_of(found) if searchable is None else searchable)
        task = Searches(made, k, self._examples(found))
        if found.task != f"{ROOM}:{task.__qualname__}":
            raise UsageError(
                f"run {found.run_id} is of {found.task.removeprefix(f'{ROOM}:')}, and this is {task.__qualname__}: "
                "another index, or one that was built anew since. Measure it as a run of its own"
            )
        spans = scorer_names(k)["coverage"] in found.scorers
        resumed = self._host.evals.resume(
            found.run_id,
            task=task,
            scorers=scorers_of(k, ties, spans=spans),
            retry_errors=retry_errors,
            progress=progress,
        )
        return self.report(resumed)

    def report(self, run: Any, *, level: float = 0.95) -> RankingReport:
        """Return what a run of :meth:`measure` says.

        Args:
            run: The run, its id, the name of its experiment, or its report.
            level: Of the limits, in (0, 1).

        Raises:
            UsageError: It is another run.
            NotFoundError: There is no such run.
        """
        found = self._run(run)
        return report_of(found, self._examples(found), level=level)

    def compare(
        self,
        a: Any,
        b: Any,
        queries: Any = None,
        *,
        k: int = 10,
        ties: str = "rank",
        margin: float | None = None,
        level: float = 0.95,
        progress: bool = True,
    ) -> RankingComparison:
        """Return two rankings of the same queries, paired by query and clustered by source: a - b.

        nDCG decides, the other measures are looks beside it. Where the two differ in how much of them was judged, the
        notes say so, and nDCG of the judged and bpref are the fairer ones.

        Args:
            a: What is judged: an index, its name, rankings or a function, which is measured first; or a run of
                :meth:`measure`, its id (``run-...``) or its report.
            b: What it is compared with, likewise.
            queries: As for :meth:`measure`; needed unless both are runs.
            k: As for it.
            ties: As for it.
            margin: The largest loss of nDCG that is acceptable.
            level: Of the limits, in (0, 1).
            progress: Show how far it is.

        Raises:
            UsageError: There are no queries, or the two runs cannot be compared.
            NotFoundError: There is no such run, index or data set.
        """
        one, two = self._sides(a, b, queries, k=k, ties=ties, progress=progress, level=level)
        depth = refuse_apart(one.run, two.run)
        names = scorer_names(depth)
        both = [name for name in names.values() if name in one.run.scorers and name in two.run.scorers]
        main = names[DECIDES[0]]
        found = self._host.evals.compare(
            one.run,
            two.run,
            scorers=both,
            decide=[main],
            margin=None if margin is None else {main: margin},
            alpha=1 - level,
            slices=(),
        )
        return self._with_view(compared(self._store, one, two, found, self._examples(one.run)))

    def gate(
        self,
        run: Any,
        baseline: Any = None,
        *,
        min_ndcg: float | None = None,
        min_recall: float | None = None,
        max_loss: float | None = 0.02,
        criteria: Criteria | Mapping[str, Any] | str | PathLike[str] | None = None,
        seed: int = 0,
    ) -> Verdict:
        """Return whether a measured run is good enough: pass, fail or inconclusive; evidence for its settings.

        Args:
            run: The run that is judged, its id or its report.
            baseline: What losses are measured against, likewise; without one no loss is asked for.
            min_ndcg: Least nDCG: the whole interval has to be at or above it.
            min_recall: Least recall, likewise.
            max_loss: The most by which nDCG and recall may be lower than those of the baseline.
            criteria: As for ``ws.evals.gate``, in place of the three.
            seed: Of the permutations.

        Raises:
            UsageError: Nothing is asked, or the runs cannot be compared.
            NotFoundError: There is no such run.
        """
        found, against = self._run(run), None if baseline is None else self._run(baseline)
        names = scorer_names(k_of(found)[0])
        if criteria is None:
            asked: dict[str, dict[str, float]] = {names["ndcg"]: {}, names["recall"]: {}}
            for measure, least in (("ndcg", min_ndcg), ("recall", min_recall)):
                if least is not None:
                    asked[names[measure]]["min"] = least
            if against is not None and max_loss is not None:
                asked = {one: {**limits, "max_loss": max_loss} for one, limits in asked.items()}
            criteria = {"scorers": {one: limits for one, limits in asked.items() if limits}}
            if not criteria["scorers"]:
                raise UsageError("nothing is asked: give a baseline (and max_loss=), min_ndcg= or min_recall=")
        return self._host.evals.gate(found, against, criteria, seed=seed)

    # -- what nobody judged ----------------------------------------------------------------------------------------

    def pool(
        self,
        a: Any,
        b: Any,
        queries: Any = None,
        *,
        queue: str,
        k: int = 10,
        raters: Sequence[str] = (),
        schema: str | None = None,
        progress: bool = True,
    ) -> Pool:
        """Put what two rankings found and nobody judged into a queue of labels, without a word on who found it.

        Raters see the query and the passage, in an order of their own. Labels come back by :meth:`judged`.

        Args:
            a: As for :meth:`compare`.
            b: As for it.
            queries: As for it.
            queue: Of the labels; made where there is none.
            k: So many chunks of each.
            raters: Who may label; everybody by default.
            schema: What raters are asked, with a scale named "grade"; 0 to 3 by default.
            progress: Show how far it is.

        Raises:
            UsageError: All that was found is judged, or the two cannot be compared.
            NotFoundError: There is no such run, index, data set or schema.
        """
        check_k(k)
        one, two = self._sides(a, b, queries, k=k, ties="rank", progress=progress, level=0.95)
        refuse_apart(one.run, two.run)
        examples = self._examples(one.run)
        sides = [rankings_of(self._store, side.run) for side in (one, two)]
        rows, known = pooled(examples, sides, k)
        if not rows:
            raise UsageError(f"all {known:,} pairs that the two found in their first {k} are judged: nothing to label")
        feedback = self._host.feedback
        asked = schema or feedback.schemas.save(SCHEMA, list(FIELDS), criteria=CRITERIA).ref
        name = _pool_name(queue)
        dataset = self._host.datasets.add(name, rows, note=f"to be judged for {one.run.dataset}")
        ids = {row["example_id"] for row in rows}
        shown = self._host.evals.run("recorded", dataset, name=name, progress=progress)
        items = [{"run_id": shown.run_id, "example_id": one} for one in sorted(ids)]
        made = feedback.queue(queue, items, schema=asked, raters=raters, order="random")
        return Pool(
            queue=queue,
            dataset=one.run.dataset,
            queries=len({row["metadata"]["query_id"] for row in rows}),
            chunks=made.added,
            judged=known,
            schema=asked,
        )

    def judged(self, queue: str, dataset: str, *, field: str = GRADE) -> DatasetVersion:
        """Take the labels of a queue of :meth:`pool` into the judgements of a data set; return its new version.

        A decision counts before what raters said, and of several raters their lower median.

        Args:
            queue: With the labels.
            dataset: Of the queries, by its name.
            field: The scale in the schema.

        Raises:
            UsageError: Nothing is labelled, or no label is of one of its queries.
            NotFoundError: There is no such queue or data set.
        """
        self._host.feedback.queues.get(queue)
        grades = grades_of(self._store, queue, field)
        pool = {one.example_id: one for one in self._host.datasets.get(_pool_name(queue)).examples}
        version: DatasetVersion = self._host.datasets.get(dataset)
        changed, count = with_grades(version.examples, pool, grades)
        if not changed:
            raise UsageError(f"the labels of {queue!r:.60} say nothing new of a query of {version.ref}")
        saved: DatasetVersion = self._host.datasets.add(
            version.name, changed, note=f"{count:,} judgements of {len(changed):,} queries from queue {queue}"
        )
        return saved

    # -- steps -----------------------------------------------------------------------------------------------------

    def _with_view(self, found: RankingComparison) -> RankingComparison:
        return found  # a workspace gives it a live view

    def _searchable(self, given: Any) -> Searchable:
        """Return what is meant as something that can be searched.

        Raises:
            UsageError: It cannot be.
            NotFoundError: There is no such index.
        """
        if isinstance(given, str):
            return self.index(given, tracing=False)
        if getattr(given, "tracing", False) is True:  # questions of a test are no traffic
            given = copy.copy(given)
            given.tracing = False
        if hasattr(given, "search_many") and hasattr(given, "index_fingerprint"):
            made: Searchable = given
            return made
        if hasattr(given, "items"):
            return Recorded("rankings", given)
        if callable(given):
            return Called(given)
        raise UsageError(
            f"{type(given).__name__} cannot be searched: give an index or its name, rankings by query, or a function"
        )

    def _queries(self, given: Any, name: str) -> DatasetVersion:
        """Return the queries that are meant; rows of judgements are saved first."""
        if isinstance(given, str) and "/" not in given and not given.endswith((".jsonl", ".txt", ".qrels")):
            found: DatasetVersion = self._host.datasets.get(given)
            return found
        if hasattr(given, "examples"):
            version: DatasetVersion = given
            return version
        return self.qrels(f"{stem(name)}-queries", given)

    def _sides(
        self, a: Any, b: Any, queries: Any, *, k: int, ties: str, progress: bool, level: float
    ) -> tuple[RankingReport, RankingReport]:
        """Return the reports of both sides, measured where they are not."""
        made: list[RankingReport] = []
        dataset = None if queries is None else self._queries(queries, "asked")
        for side in (a, b):
            if self._is_run(side):
                made.append(self.report(side, level=level))
            elif dataset is None:
                raise UsageError("queries: give the data set by whose judgements the two are measured")
            else:
                options: dict[str, Any] = {"k": k, "ties": ties, "level": level, "progress": progress}
                made.append(self.measure(side, dataset, **options))
        return made[0], made[1]

    def _run(self, run: Any) -> Run:
        """Return the run that is meant by itself, its id or its report."""
        if isinstance(run, RankingReport):
            return run.run
        found: Run = self._host.evals.get(run) if isinstance(run, str) else run
        return found

    def _examples(self, run: Run) -> Sequence[Any]:
        found: Sequence[Any] = self._host.datasets.get(run.dataset).examples
        limit = run.examples
        return found[:limit]

    @staticmethod
    def _is_run(given: Any) -> bool:
        """Return whether a run, its id or its report is meant."""
        is_named = isinstance(given, str) and given.startswith("run-")
        return is_named or isinstance(given, RankingReport) or hasattr(given, "dataset_hash")

    def _note(self, run: Run, searchable: Searchable) -> None:
        """Note the version of settings that a run is of: verdicts on it are evidence."""
        ref = getattr(getattr(searchable, "settings", None), "ref", None)
        if isinstance(ref, str):
            cast("Any", self).note_run(run, ref)


def _pool_name(queue: str) -> str:
    return f"{queue}-pool"


def _unknown(recorded: Recorded, dataset: DatasetVersion) -> int:
    """Return how many rankings are of no query; refuse when all are.

    Raises:
        UsageError: No ranking is of one of the queries.
    """
    known = {one.example_id for one in dataset.examples} | {str(one.input) for one in dataset.examples}
    lost = [one for one in recorded.queries if one not in known]
    if len(lost) == len(recorded.queries):
        raise UsageError(
            f"{recorded.name} ranks {len(lost):,} queries ({lost[0]!r:.60}, ...) and none of them is in {dataset.ref} "
            f"({dataset.examples[0].example_id!r:.60}, ...): rankings go by the ids or the texts of queries"
        )
    return len(lost)
