"""Two runs on the same examples: per scorer the difference, its interval, an exact test and a word one can act on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.base.units import counted
from lmops.errors import NotFoundError, UsageError
from lmops.evals._matrix import MEASURES, Measured
from lmops.evals.summaries import pass_mark, row_means, scale, unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from lmops.calc.paired import PairedDifference, TestResult
    from lmops.datasets import Example
    from lmops.evals._matrix import Matrix
    from lmops.evals._recorded import Recorded
    from lmops.evals._runs import RunState

_TESTED: Final = ("better", "worse")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One scorer (or measure) of run a against run b, a - b; NaN where it cannot be known.

    Args:
        name: The scorer, or latency_ms, cost_usd, output_tokens.
        kind: "scorer" or "measure".
        slice: "" for all examples, else such as "language=de".
        higher_is_better: Its direction.
        mean_a: Over the pairs: the examples that have a score on both sides.
        mean_b: Over the pairs.
        overall_a: Over all examples with a score in a, as the summary of the run shows it.
        overall_b: Over all with one in b.
        difference: a - b in the unit of the score.
        low: Lower limit of its interval.
        high: Upper limit.
        level: Confidence level.
        p_value: Two-sided, exact where it can be (see ``test``); at most alpha exactly where the interval leaves 0 out.
        p_adjusted: For the number of scorers that decide (Holm), or of slices (as asked); the outcome follows it.
        is_exploratory: Whether the outcome is one of many looks and decides nothing.
        test: How the p-value was made.
        n: Pairs.
        n_clusters: Clusters they are in.
        coverage: Pairs / examples.
        missing_a: Examples with a score in b only.
        missing_b: Examples with a score in a only.
        failing_alone: How many of these do not pass in a, from the middle of the scale on; None where it has none.
        low_all: Lower limit when the examples with a score on one side only count as the worst for a; NaN without a
            scale.
        high_all: Upper limit when they count as the best for a.
        worst: The difference if every missing score were the worst for a; NaN without a scale.
        best: The difference if every one were the best for a.
        gained: Examples that pass in a only; None unless the scores are verdicts.
        lost: Examples that pass in b only.
        margin: The loss that is acceptable.
        outcome: better, worse, non_inferior or inconclusive.
        reason: Why.
        n_needed: Examples in all that would decide; None when decided or when none would.
        minimum_detectable_effect: The least difference that these examples would find four times in five.
        calibration: Of a judge "fresh", "uncalibrated: ..." or "stale: ..."; empty for other scorers.
        corrected: The difference that people would find; NaN where it cannot be computed.
        corrected_low: Lower limit of its interval.
        corrected_high: Upper limit.
        corrected_p: Two-sided p-value.
        corrected_outcome: What its interval says, in the words of ``outcome``; empty where there is none.
        correction: By which labels or calibration, or why there is none.
        unit: The scale of the scorer, such as "0 to 1"; its name where the scale is open.
    """

    name: str
    kind: str
    slice: str = ""
    higher_is_better: bool
    mean_a: float
    mean_b: float
    overall_a: float
    overall_b: float
    difference: float
    low: float
    high: float
    level: float
    p_value: float
    p_adjusted: float = math.nan
    is_exploratory: bool = False
    test: str
    n: int
    n_clusters: int | None
    coverage: float
    missing_a: tuple[str, ...]
    missing_b: tuple[str, ...]
    failing_alone: int | None
    low_all: float
    high_all: float
    worst: float
    best: float
    gained: int | None
    lost: int | None
    margin: float | None
    outcome: str
    reason: str
    n_needed: int | None
    minimum_detectable_effect: float
    calibration: str = ""
    corrected: float = math.nan
    corrected_low: float = math.nan
    corrected_high: float = math.nan
    corrected_p: float = math.nan
    corrected_outcome: str = ""
    correction: str = ""
    unit: str = ""

    def __repr__(self) -> str:
        from lmops.evals.summaries import number

        place = f" [{self.slice}]" if self.slice else ""
        return (
            f"<{self.name}{place} {self.outcome}: {number(self.difference)} "
            f"[{number(self.low)}, {number(self.high)}], {self.p_words}, n={self.n}>"
        )

    @property
    def alone(self) -> str:
        """What has a score on one side only, in words: "18 newly answered, all fail"; empty where there is nothing."""
        return "; ".join(
            filter(None, (newly_answered(len(self.missing_b), self.failing_alone), gone(len(self.missing_a))))
        )

    @property
    def p_words(self) -> str:
        """The p-value that the outcome follows, in words: the adjusted one where there is one."""
        from lmops.evals.summaries import number

        if math.isnan(self.p_adjusted) or self.p_adjusted == self.p_value:
            return f"p={number(self.p_value)}"
        return f"p={number(self.p_adjusted)} adjusted, {number(self.p_value)} alone"


class Sides(NamedTuple):
    """Two runs, put in the same order of examples."""

    ids: list[str]
    clusters: list[str | None] | None
    a: Measured
    b: Measured
    at_a: Any
    at_b: Any


def sides(one: RunState, two: RunState, *, allow_unmatched: bool, allow_changed: bool) -> tuple[Sides, list[str]]:
    """Return both runs by example, and what a reader has to know.

    Raises:
        UsageError: They are not over the same examples of the same dataset version.
    """
    import numpy as np

    (a, left), (b, right) = ((state.run, state.measured) for state in (one, two))
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
            f"{counted(len(ids), 'example')} finished in {run.run_id} only "
            f"({', '.join(ids[:3])}{', ...' * (len(ids) > 3)})"
            for run, ids in ((a, extra[0]), (b, extra[1]))
            if ids
        )
        early = [run.run_id for run in (a, b) if has_looked(run)]
        if early and not allow_unmatched:
            raise UsageError(
                f"{words}: {' and '.join(early)} stopped as soon as the criteria were decided. Gate it, "
                "ws.evals.gate(run), or say allow_unmatched=True to compare the others"
            )
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


def has_looked(run: Recorded) -> bool:
    """Return whether a run was looked at while it ran, to stop when its criteria are decided."""
    return run.settings.get("until") is not None


def common_scorers(
    a: Recorded, b: Recorded, asked: Sequence[str] | None, *, allow_changed: bool
) -> dict[str, dict[str, Any]]:
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
        which = f"{'scorer' if len(changed) == 1 else 'scorers'} {', '.join(changed)}"
        raise UsageError(
            f"{which} changed between {b.run_id} and {a.run_id}: the scores mean different things; run the older one "
            "again, or say allow_changed=True"
        )
    return {name: left[name] for name in chosen}


def differences(
    found: Sides,
    scorers: Mapping[str, Mapping[str, Any]],
    *,
    margins: Callable[[str], float | None],
    alpha: float,
    rows: Any = None,
    name: str = "",
    seed: int = 0,
) -> list[Difference]:
    """Return the difference of every scorer, and of every measure, over all pairs or those at ``rows``."""
    import numpy as np

    chosen = np.arange(len(found.ids)) if rows is None else rows
    clusters = None if found.clusters is None else [found.clusters[position] for position in chosen]
    ids = [found.ids[position] for position in chosen]
    made = []
    for scorer, about in scorers.items():
        left, right = (
            _taken(side.scores.get(scorer), at[chosen]) for side, at in ((found.a, found.at_a), (found.b, found.at_b))
        )
        made.append(
            _difference(
                scorer,
                "scorer",
                ids,
                left,
                right,
                clusters,
                ends=scale(about.get("range")),
                margin=margins(scorer),
                higher=bool(about.get("higher_is_better", True)),
                alpha=alpha,
                place=name,
                seed=seed,
            )
        )
    for measure in MEASURES:
        left, right = (
            side.measures[measure][at[chosen]] for side, at in ((found.a, found.at_a), (found.b, found.at_b))
        )
        if np.isnan(left).all() or np.isnan(right).all():
            continue
        made.append(_difference(
            measure, "measure", ids, left, right, clusters, ends=(-math.inf, math.inf), margin=margins(measure),
            higher=False, alpha=alpha, place=name, seed=seed,
        ))  # fmt: skip  # arguments that belong together share a line
    return made


def _taken(matrix: Matrix | None, at: Any) -> Matrix:
    import numpy as np

    return np.full((len(at), 1), np.nan) if matrix is None else matrix[at]


def _difference(
    name: str, kind: str, ids: list[str], left: Matrix, right: Matrix, clusters: list[str | None] | None, *,
    ends: tuple[float, float], margin: float | None, higher: bool, alpha: float, place: str, seed: int,
) -> Difference:  # fmt: skip  # arguments that belong together share a line
    import numpy as np

    from lmops.calc.arrays import is_binary
    from lmops.calc.bounds import difference_bounds
    from lmops.calc.decide import decide
    from lmops.calc.paired import flips, paired_difference

    mean_a, mean_b = row_means(left), row_means(right)
    verdicts = is_binary(np.concatenate((left.ravel(), right.ravel())))
    if verdicts and math.isinf(ends[0]) and math.isinf(ends[1]):
        ends = (0.0, 1.0)
    found = paired_difference(
        left, right, clusters=clusters, level=1 - alpha, has_ends=kind == "scorer", long_tails=True
    )
    test = _test(left, right, clusters, is_verdict=verdicts, seed=seed)
    found, p_value = _agreed(_possible(found, ends), test.p_value, alpha)
    decision = decide(found, margin=margin, higher_is_better=higher)
    bounds = difference_bounds(mean_a, mean_b, low=ends[0], high=ends[1])
    worst, best = (bounds.low, bounds.high) if higher else (bounds.high, bounds.low)
    table = flips(left, right) if verdicts else None
    reason, least = decision.reason, decision.minimum_detectable_effect
    if found.se == 0:
        least = math.nan
        if decision.outcome == "inconclusive":
            reason = "every pair is equal, and the spread is not known"
    is_a, is_b = ~np.isnan(mean_a), ~np.isnan(mean_b)
    low_all, high_all = _with_one_sided(mean_a, mean_b, is_a | is_b, ends, found)
    made = Difference(
        name=name, kind=kind, slice=place, higher_is_better=higher, mean_a=found.mean_a, mean_b=found.mean_b,
        overall_a=_mean(mean_a[is_a]), overall_b=_mean(mean_b[is_b]), difference=found.difference, low=found.low,
        high=found.high, level=1 - alpha, p_value=p_value, test=test.method, n=found.n, n_clusters=found.n_clusters,
        coverage=bounds.coverage, missing_a=_named(ids, is_b & ~is_a), missing_b=_named(ids, is_a & ~is_b),
        failing_alone=_failing(mean_a[is_a & ~is_b], pass_mark(ends), is_higher_better=higher),
        low_all=low_all, high_all=high_all, worst=worst, best=best, gained=None if table is None else table.gained,
        lost=None if table is None else table.lost, margin=margin, outcome=decision.outcome, reason=reason,
        n_needed=decision.n_needed, minimum_detectable_effect=least, unit=unit(name, ends),
    )  # fmt: skip  # arguments that belong together share a line
    return _held(made)


def newly_answered(count: int, failing: int | None) -> str:
    """Return in words how many examples have a score in a only, and how many of them do not pass; empty for none."""
    if not count:
        return ""
    how = {None: "", 0: ", none fails", count: ", all fail" if count > 1 else ", it fails"}.get(failing)
    return f"{count:,} newly answered{f', {failing:,} fail' if how is None else how}"


def gone(count: int) -> str:
    """Return in words how many examples have a score in b only; empty for none."""
    return f"{count:,} no longer scored" if count else ""


def _failing(values: Matrix, mark: float | None, *, is_higher_better: bool) -> int | None:
    """Return how many scores do not pass; None where nothing says from which one on a score passes."""
    if mark is None:
        return None
    return int(((values < mark) if is_higher_better else (values > mark)).sum())


def _test(left: Matrix, right: Matrix, clusters: list[str | None] | None, *, is_verdict: bool, seed: int) -> TestResult:
    from lmops.calc.paired import mcnemar, sign_flip_test

    if is_verdict and clusters is None and left.shape[1] == right.shape[1] == 1:
        return mcnemar(left, right)
    return sign_flip_test(row_means(left) - row_means(right), clusters=clusters, seed=seed)


def _possible(found: PairedDifference, ends: tuple[float, float]) -> PairedDifference:
    """Return a difference whose limits lie within what scores of this scale can differ by."""
    most = ends[1] - ends[0]
    return replace(found, low=max(found.low, -most), high=min(found.high, most))


def _agreed(found: PairedDifference, p_value: float, alpha: float) -> tuple[PairedDifference, float]:
    """Return interval and p-value so that 0 is left out exactly when p is at most alpha: the more cautious one counts.

    An exact test and an interval are made in two ways, and near the border one may say what the other does not. Pairs
    that all differ by the same have no spread, and so no interval but what the exact test leaves: that difference.
    """
    if found.se == 0 and math.isnan(found.low) and p_value <= alpha:
        return replace(found, low=found.difference, high=found.difference), p_value
    if math.isnan(found.low) or math.isnan(found.high) or math.isnan(p_value):
        return found, p_value
    is_outside = found.low > 0 or found.high < 0
    if is_outside and p_value > alpha:
        return replace(found, low=min(found.low, 0.0), high=max(found.high, 0.0)), p_value
    if not is_outside and p_value <= alpha:
        return found, max(found.p_value, math.nextafter(alpha, 1.0))
    return found, p_value


def _with_one_sided(
    a: Matrix, b: Matrix, known: Any, ends: tuple[float, float], found: PairedDifference
) -> tuple[float, float]:
    """Return the limits of the difference with the examples that have a score on one side only at their extremes."""
    from lmops.calc.bounds import difference_bounds

    bounds = difference_bounds(a[known], b[known], low=ends[0], high=ends[1])
    if not bounds.n_missing or not bounds.n:
        return (found.low, found.high) if not bounds.n_missing else (bounds.low, bounds.high)
    share = bounds.coverage
    return share * (found.low - found.difference) + bounds.low, share * (found.high - found.difference) + bounds.high


def scored(number: int) -> str:
    """Return that so many examples have a score."""
    return f"{counted(number, 'example')} {'has' if number == 1 else 'have'} a score"


def _held(one: Difference) -> Difference:
    """Return a difference whose good news survive the worst case of the examples with a score on one side only."""
    few = len(one.missing_a) + len(one.missing_b)
    low = one.low_all if one.higher_is_better else -one.high_all
    bar = {"better": 0.0, "non_inferior": -(one.margin or 0.0)}.get(one.outcome)
    if not few or bar is None or low > bar:
        return one
    shown = "no scale says how bad that may be" if math.isnan(low) else f"at worst the gain is {low:.4g}"
    reason = f"{one.reason}, but {scored(few)} in one run only, and {shown}"
    return replace(one, outcome="inconclusive", reason=reason, n_needed=None)


def _named(ids: Sequence[str], chosen: Any) -> tuple[str, ...]:
    return tuple(ids[position] for position in chosen.nonzero()[0])


def _mean(values: Matrix) -> float:
    return float(values.mean()) if values.size else math.nan


def adjusted(
    made: Sequence[Difference], method: str, alpha: float, *, decide: Iterable[str], of: str
) -> list[Difference]:
    """Return the differences with p-values adjusted for how many decide; the outcome follows the adjusted one.

    Args:
        made: The differences.
        method: "holm", "bh" or "none".
        alpha: Of the whole family.
        decide: The names that make the family; the others are exploratory, and say so.
        of: What the family is made of, in words.
    """
    from lmops.calc.multiple import adjust

    names = set(decide)
    family = [one for one in made if one.name in names]
    values = dict(zip(map(id, family), adjust([one.p_value for one in family], method).tolist(), strict=True))  # type: ignore[arg-type]  # checked by adjust
    of_people = [one.corrected_p if one.corrected_outcome else one.p_value for one in family]
    corrected = dict(zip(map(id, family), adjust(of_people, method).tolist(), strict=True))  # type: ignore[arg-type]  # checked by adjust
    result = []
    for one in made:
        if id(one) not in values:
            result.append(replace(one, is_exploratory=True))
            continue
        p_value = values[id(one)]
        told = replace(one, p_adjusted=p_value)
        if one.outcome in _TESTED and p_value > alpha:
            left = _without_test(one, one.low_all, one.high_all)
            told = replace(told, outcome=left, reason=f"{one.reason}, but not after correction for {of}")
        if one.corrected_outcome in _TESTED and corrected[id(one)] > alpha:
            told = replace(told, corrected_outcome=_without_test(one, one.corrected_low, one.corrected_high))
        result.append(told)
    return result


def _without_test(one: Difference, low: float, high: float) -> str:
    """Return what is left of an outcome that a test no longer carries: a loss beyond the margin stays excluded."""
    low = low if one.higher_is_better else -high
    return "non_inferior" if one.margin is not None and low > -one.margin else "inconclusive"


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
