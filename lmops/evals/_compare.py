"""Two runs on the same examples: per scorer the difference, its interval, an exact test and a word one can act on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import NotFoundError, UsageError
from lmops.evals._matrix import MEASURES, Measured
from lmops.evals._summary import row_means, scale

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from lmops.datasets import Example
    from lmops.evals._matrix import Matrix
    from lmops.evals._runs import Run

#: Skewed measures get a bootstrap interval up to so many examples; above, the normal one is as good.
_BOOTSTRAP_UP_TO: Final = 5_000
_TESTED: Final = ("better", "worse")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One scorer (or measure) of run a against run b, a - b; NaN where it cannot be known.

    Args:
        name: The scorer, or latency_ms, cost_usd, output_tokens.
        kind: "scorer" or "measure".
        slice: "" for all examples, else such as "language=de".
        higher_is_better: Its direction.
        mean_a: Over the pairs.
        mean_b: Over the pairs.
        difference: a - b in the unit of the score.
        low: Lower limit of its interval.
        high: Upper limit.
        level: Confidence level.
        p_value: Two-sided, exact where it can be (see ``test``).
        p_adjusted: For the number of scorers (Holm), or of slices (as asked).
        test: How the p-value was made.
        n: Pairs.
        n_clusters: Clusters they are in.
        coverage: Pairs / examples.
        worst: The difference if every missing score were the worst for a; NaN without a scale.
        best: The difference if every one were the best for a.
        gained: Examples that pass in a only; None unless the scores are verdicts.
        lost: Examples that pass in b only.
        margin: The loss that is acceptable.
        outcome: better, worse, non_inferior or inconclusive.
        reason: Why.
        n_needed: Examples in all that would decide; None when decided or when none would.
        minimum_detectable_effect: The least difference that these examples would find four times in five.
    """

    name: str
    kind: str
    slice: str = ""
    higher_is_better: bool
    mean_a: float
    mean_b: float
    difference: float
    low: float
    high: float
    level: float
    p_value: float
    p_adjusted: float = math.nan
    test: str
    n: int
    n_clusters: int | None
    coverage: float
    worst: float
    best: float
    gained: int | None
    lost: int | None
    margin: float | None
    outcome: str
    reason: str
    n_needed: int | None
    minimum_detectable_effect: float

    def __repr__(self) -> str:
        from lmops.evals._summary import number

        place = f" [{self.slice}]" if self.slice else ""
        return (
            f"<{self.name}{place} {self.outcome}: {number(self.difference)} "
            f"[{number(self.low)}, {number(self.high)}], p={number(self.p_value)}, n={self.n}>"
        )


class Sides(NamedTuple):
    """Two runs, put in the same order of examples."""

    ids: list[str]
    clusters: list[str | None] | None
    a: Measured
    b: Measured
    at_a: Any
    at_b: Any


def sides(a: Run, b: Run, *, allow_unmatched: bool, allow_changed: bool) -> tuple[Sides, list[str]]:
    """Return both runs by example, and what a reader has to know.

    Raises:
        UsageError: They are not over the same examples of the same dataset version.
    """
    import numpy as np

    left, right = a.measured(), b.measured()
    notes = []
    if a.run_id == b.run_id:
        raise UsageError(f"run {a.run_id} is compared with itself")
    if a.dataset_hash != b.dataset_hash:
        words = f"{a.run_id} is on {a.dataset} and {b.run_id} on {b.dataset}"
        if not allow_changed:
            raise UsageError(
                f"{words}: differences between the versions would look like differences between the runs; run one "
                "again on the other's version, or say allow_changed=True"
            )
        notes.append(words)
    done = [set(side.ids) - set(side.not_run) for side in (left, right)]
    common = sorted(done[0] & done[1])
    extra = [sorted(done[0] - done[1]), sorted(done[1] - done[0])]
    if extra[0] or extra[1]:
        words = " and ".join(
            f"{len(ids):,} example(s) finished in {run.run_id} only ({', '.join(ids[:3])}{', ...' * (len(ids) > 3)})"
            for run, ids in ((a, extra[0]), (b, extra[1])) if ids
        )  # fmt: skip
        if not allow_unmatched:
            raise UsageError(
                f"{words}: what is missing is seldom missing at random. Resume the run that is not complete, or "
                "say allow_unmatched=True to compare the others"
            )
        notes.append(f"left out: {words}")
    if not common:
        raise UsageError(f"{a.run_id} and {b.run_id} have no finished example in common")
    at_a, at_b = (np.searchsorted(np.array(side.ids), np.array(common)) for side in (left, right))
    clusters = None
    if left.clusters is not None:
        known = left.clusters
        clusters = [known[position] for position in at_a]
    return Sides(common, clusters, left, right, at_a, at_b), notes


def common_scorers(a: Run, b: Run, asked: Sequence[str] | None, *, allow_changed: bool) -> dict[str, dict[str, Any]]:
    """Return the scorers of both runs that are compared.

    Raises:
        NotFoundError: One that was asked for is not in both.
        UsageError: There is none in both, or one changed between the runs.
    """
    left, right = a.scorers, b.scorers
    both = [name for name in left if name in right]
    for name in asked or ():
        if name not in both:
            raise NotFoundError.of(f"scorer of both {a.run_id} and {b.run_id}", name, both)
    chosen = list(asked) if asked is not None else both
    if not chosen:
        raise UsageError(
            f"{a.run_id} has the scorers {', '.join(left) or 'none'} and {b.run_id} {', '.join(right) or 'none'}: "
            "there is none to compare by"
        )
    changed = [name for name in chosen if left[name]["version"] != right[name]["version"]]
    if changed and not allow_changed:
        raise UsageError(
            f"scorer(s) {', '.join(changed)} changed between {b.run_id} and {a.run_id}: the scores mean different "
            "things; run the older one again, or say allow_changed=True"
        )
    return {name: left[name] for name in chosen}


def differences(
    found: Sides, scorers: Mapping[str, Mapping[str, Any]], *, margins: Callable[[str], float | None], alpha: float,
    rows: Any = None, name: str = "", seed: int = 0,
) -> list[Difference]:  # fmt: skip
    """Return the difference of every scorer, and of every measure, over all pairs or those at ``rows``."""
    import numpy as np

    chosen = np.arange(len(found.ids)) if rows is None else rows
    clusters = None if found.clusters is None else [found.clusters[position] for position in chosen]
    made = []
    for scorer, about in scorers.items():
        left, right = (
            _taken(side.scores.get(scorer), at[chosen]) for side, at in ((found.a, found.at_a), (found.b, found.at_b))
        )
        made.append(_difference(
            scorer, "scorer", left, right, clusters, ends=scale(about.get("range")), margin=margins(scorer),
            higher=bool(about.get("higher_is_better", True)), alpha=alpha, place=name, seed=seed,
        ))  # fmt: skip
    for measure in MEASURES:
        left, right = (
            side.measures[measure][at[chosen]] for side, at in ((found.a, found.at_a), (found.b, found.at_b))
        )
        if np.isnan(left).all() or np.isnan(right).all():
            continue
        made.append(_difference(
            measure, "measure", left, right, clusters, ends=(-math.inf, math.inf), margin=margins(measure),
            higher=False, alpha=alpha, place=name, seed=seed,
        ))  # fmt: skip
    return made


def _taken(matrix: Matrix | None, at: Any) -> Matrix:
    import numpy as np

    return np.full((len(at), 1), np.nan) if matrix is None else matrix[at]


def _difference(
    name: str, kind: str, left: Matrix, right: Matrix, clusters: list[str | None] | None, *,
    ends: tuple[float, float], margin: float | None, higher: bool, alpha: float, place: str, seed: int,
) -> Difference:  # fmt: skip
    import numpy as np

    from lmops.calc._arrays import is_binary
    from lmops.calc.bounds import difference_bounds
    from lmops.calc.decide import decide
    from lmops.calc.paired import flips, mcnemar, paired_bootstrap, paired_difference, sign_flip_test

    level = 1 - alpha
    mean_a, mean_b = row_means(left), row_means(right)
    verdicts = is_binary(np.concatenate((left.ravel(), right.ravel())))
    if kind == "measure" and len(left) <= _BOOTSTRAP_UP_TO:
        found = paired_bootstrap(left, right, clusters=clusters, level=level, seed=seed)
    else:
        found = paired_difference(left, right, clusters=clusters, level=level)
    decision = decide(found, margin=margin, higher_is_better=higher)
    single = left.shape[1] == right.shape[1] == 1
    if verdicts and single and clusters is None:
        test = mcnemar(left, right)
    else:
        test = sign_flip_test(mean_a - mean_b, clusters=clusters, seed=seed)
    if verdicts and math.isinf(ends[0]) and math.isinf(ends[1]):
        ends = (0.0, 1.0)
    bounds = difference_bounds(mean_a, mean_b, low=ends[0], high=ends[1])
    worst, best = (bounds.low, bounds.high) if higher else (bounds.high, bounds.low)
    table = flips(left, right) if verdicts else None
    outcome, reason, least = decision.outcome, decision.reason, decision.minimum_detectable_effect
    if found.low == found.high == 0:
        reason, least = "every pair is equal, and the spread is not known", math.nan
    elif kind == "measure" and outcome in _TESTED and test.p_value > alpha:
        outcome, reason = "inconclusive", f"{reason}, but not by the permutation test"
    return Difference(
        name=name, kind=kind, slice=place, higher_is_better=higher, mean_a=found.mean_a, mean_b=found.mean_b,
        difference=found.difference, low=found.low, high=found.high, level=level, p_value=test.p_value,
        test=test.method, n=found.n, n_clusters=found.n_clusters, coverage=bounds.coverage, worst=worst, best=best,
        gained=None if table is None else table.gained, lost=None if table is None else table.lost, margin=margin,
        outcome=outcome, reason=reason, n_needed=decision.n_needed, minimum_detectable_effect=least,
    )  # fmt: skip


def adjusted(made: Sequence[Difference], method: str, alpha: float, *, decides: bool) -> list[Difference]:
    """Return the differences with p-values adjusted for how many scorers were looked at.

    Args:
        made: The differences.
        method: "holm", "bh" or "none".
        alpha: Of the whole family.
        decides: Whether an adjusted p-value above ``alpha`` takes "better" and "worse" back.
    """
    from dataclasses import replace

    from lmops.calc.multiple import adjust

    scorers = [one for one in made if one.kind == "scorer"]
    values = dict(zip(map(id, scorers), adjust([one.p_value for one in scorers], method).tolist(), strict=True))  # type: ignore[arg-type]  # checked by adjust
    result = []
    for one in made:
        p_value = values.get(id(one), math.nan)
        taken_back = decides and one.outcome in _TESTED and p_value > alpha
        result.append(
            replace(
                one, p_adjusted=p_value, outcome="inconclusive",
                reason=f"{one.reason}, but not after correction for the number of slices",
            )
            if taken_back
            else replace(one, p_adjusted=p_value)
        )  # fmt: skip
    return result


def slice_rows(examples: Iterable[Example], ids: Sequence[str], by: Sequence[str]) -> dict[str, Any]:
    """Return the positions of the examples of each slice, such as "language=de".

    Args:
        examples: All examples.
        ids: The compared ones, in order.
        by: "split", "tags", "cluster", or keys of the metadata or the input.

    Raises:
        NotFoundError: No example has such a key.
    """
    import numpy as np

    by_id = {example.example_id: example for example in examples}
    found: dict[str, list[int]] = {}
    known: set[str] = {"split", "tags", "cluster"}
    for key in by:
        before = len(found)
        for position, example_id in enumerate(ids):
            example = by_id.get(example_id)
            if example is None:
                continue
            given = example.input if isinstance(example.input, dict) else {}
            known |= example.metadata.keys() | given.keys()
            for value in _values(example, given, key):
                found.setdefault(f"{key}={value}", []).append(position)
        if len(found) == before:
            raise NotFoundError.of("key to slice by", key, known)
    return {name: np.array(rows) for name, rows in found.items()}


def _values(example: Example, given: Mapping[str, Any], key: str) -> list[Any]:
    if key == "tags":
        return list(example.tags)
    own = key in ("split", "cluster")
    value = getattr(example, key) if own else example.metadata.get(key, given.get(key))
    return [] if value is None or isinstance(value, dict | list) else [value]
