"""Two measured rankings, query by query: differences by measure, who wins where, and what of them was judged."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

from lmops.base.units import share
from lmops.calc.rankings import overlap_at_k, rbo
from lmops.errors import UsageError
from lmops.retrieval._measure_records import RankingComparison, RankingDifference, RankingReport
from lmops.retrieval.measuring import hits_in, k_of, scorer_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lmops.datasets import Example
    from lmops.evals import Comparison, Run
    from lmops.retrieval.contract import Hit
    from lmops.store import Store

    Values = Mapping[str, Mapping[str, float]]

#: From which difference of the judged shares on a reader is told to look at what was judged only.
_APART: Final = 0.02


def rankings_of(store: Store, run: Run, example_id: str | None = None) -> dict[str, list[Hit]]:
    """Return the ranking of each query of a run (of the first repeat), or of one.

    Args:
        store: Where it is.
        run: The run.
        example_id: Only of this query.
    """
    rows = store.sql(
        "select example_id, documents from results where run_id = $run and repeat = 0 and status = 'ok' "
        "and ($example is null or example_id = $example)",
        {"run": run.run_id, "example": example_id},
    ).fetchall()
    return {key: hits_in(json.loads(listed) if isinstance(listed, str) else listed or []) for key, listed in rows}


def refuse_apart(a: Run, b: Run) -> int:
    """Return the k of two runs that can be compared.

    Raises:
        UsageError: They count another number of chunks, or order equal scores otherwise.
    """
    (k, ties), (other, other_ties) = k_of(a), k_of(b)
    if (k, ties) != (other, other_ties):
        raise UsageError(
            f"{a.run_id} was measured with k={k}, ties={ties!r} and {b.run_id} with k={other}, ties={other_ties!r}: "
            "measure one of them again as the other"
        )
    return k


def compared(
    store: Store,
    a: RankingReport,
    b: RankingReport,
    found: Comparison,
    examples: Sequence[Example],
) -> RankingComparison:
    """Return two reports as a comparison.

    Args:
        store: Where the runs are.
        a: What is judged.
        b: What it is compared with.
        found: Their runs, compared as evaluations.
        examples: Those of the data set.
    """
    one, two = a.values, b.values
    names = {scorer: measure for measure, scorer in scorer_names(a.k).items()}
    differences = tuple(_difference(names[each.name], each, one, two) for each in found.scorers if each.name in names)
    made = RankingComparison(
        a,
        b,
        differences=differences,
        comparison=found,
        queries=_queries(store, a, b, one, two, examples),
        notes=(),
    )
    made.notes = tuple(_notes(made))
    return made


def _difference(measure: str, each: Any, one: Values, two: Values) -> RankingDifference:
    left, right = one.get(measure, {}), two.get(measure, {})
    both = sorted(set(left) & set(right))
    changes = [round(left[key] - right[key], 12) for key in both]
    wins, losses = sum(change > 0 for change in changes), sum(change < 0 for change in changes)
    return RankingDifference(
        name=measure,
        a=each.mean_a,
        b=each.mean_b,
        difference=each.difference,
        low=each.low,
        high=each.high,
        p_value=each.p_value if math.isnan(each.p_adjusted) else each.p_adjusted,
        n=each.n,
        wins=wins,
        losses=losses,
        ties=len(both) - wins - losses,
        judged_a=_mean(one.get("judged", {}), both),
        judged_b=_mean(two.get("judged", {}), both),
        outcome=each.outcome,
        n_needed=each.n_needed,
    )


def _mean(values: Mapping[str, float], ids: Sequence[str]) -> float:
    known = [values[one] for one in ids if one in values]
    return sum(known) / len(known) if known else math.nan


def _queries(
    store: Store, a: RankingReport, b: RankingReport, one: Values, two: Values, examples: Sequence[Example]
) -> list[dict[str, Any]]:
    """Return one row a query, the largest loss of a first, what cannot be compared last."""
    left, right = rankings_of(store, a.run), rankings_of(store, b.run)
    rows = []
    for example in examples:
        key = example.example_id
        values = {
            f"{measure}_{side}": of.get(measure, {}).get(key)
            for measure in ("ndcg", "recall", "mrr", "judged")
            for side, of in (("a", one), ("b", two))
        }
        ours, theirs = values["ndcg_a"], values["ndcg_b"]
        change = None if ours is None or theirs is None else round(ours - theirs, 12)
        row = {"example_id": key, "query": query_of(example), "cluster": example.cluster, "change": change}
        rows.append({**row, **values, **_alike(left.get(key), right.get(key), a.k)})
    return sorted(rows, key=lambda row: (row["change"] is None, row["change"] or 0.0, row["example_id"]))


def query_of(example: Example) -> str:
    """Return the text of a query."""
    given = example.input
    if isinstance(given, dict):
        given = given.get("question") or given.get("query") or given
    return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False, default=str)


def _alike(left: list[Hit] | None, right: list[Hit] | None, k: int) -> dict[str, Any]:
    """Return how alike two rankings are, by document: chunks of other settings have other bounds."""
    if left is None or right is None:
        return {"top": None, "overlap": None, "rbo": None}
    ours, theirs = ([one.chunk.document for one in hits[:k]] for hits in (left, right))
    overlap, biased = overlap_at_k(ours, theirs), rbo(ours, theirs)
    return {
        "top": ours[:1] == theirs[:1],
        "overlap": None if math.isnan(overlap) else overlap,
        "rbo": None if math.isnan(biased) else biased,
    }


def _notes(made: RankingComparison) -> list[str]:
    """Return what a reader has to know of a comparison."""
    said = [one for one in made.comparison.notes if "exploratory" not in one]
    main = made["ndcg"]
    if abs(main.judged_a - main.judged_b) >= _APART:
        said.append(
            f"of the first {made.a.k} of {made.a.searched} {share(main.judged_a)} are judged, of {made.b.searched} "
            f"{share(main.judged_b)}: what nobody judged counts as not relevant, so look at nDCG of the judged and "
            "bpref, or judge the rest: ws.retrieval.pool(a, b, queries, queue=...)"
        )
    for side in (made.a, made.b):
        said += [f"{side.searched}: {line}" for line in notes_of(side)]
    return said


def notes_of(report: RankingReport) -> list[str]:
    """Return what a reader of a report has to know: what was left out, what counts as 0."""
    found = (
        (report.without_relevant, "without a relevant document: unmeasured, not 0"),
        (len(report.lacking), "not in the rankings: counted as 0"),
        (report.empty - len(report.lacking), "found nothing: counted as 0"),
        (report.unknown, "ranked without judgements: left out"),
        (report.repeated, "with a chunk twice: it counts once"),
        (report.failed, "failed: unmeasured, ws.retrieval.resume(run) asks again"),
    )
    return [f"{count:,} {'query' if count == 1 else 'queries'} {words}" for count, words in found if count > 0]
