"""A gate that stops when it knows: bets on every example as it comes, in an order that was fixed beforehand.

Looking after every example and stopping when the result is liked would pass far too much. Here every criterion is held
against a mixture of bets, whose capital reaches 1/alpha with probability at most alpha however often one looks. All
criteria have to be shown for a pass, one that is broken is a fail; for that the error is shared among them.

Examples of one cluster follow each other and make one bet: with n of them, mean m, bar b and N the size of the largest
cluster the value is ``b + n/N (m - b)``. It lies within the scale, and over the clusters it is b on average exactly
when the mean of all examples is. Repeats of an example are averaged before it counts. A case that failed could have had
any score: it counts as the worst of the scale against a pass, and as the best against a fail.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import UsageError
from lmops.evals._criteria import Criteria, read_criteria
from lmops.evals._verdict import CriterionResult
from lmops.evals.summaries import number, row_means, scale

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lmops.calc.sequential import Wager
    from lmops.datasets import Example
    from lmops.evals._runs import Run, RunState
    from lmops.evals._verdict import Outcome
    from lmops.store import Store

_KEYS: Final = ("min", "max", "max_loss")
#: The score of a case that failed, or whose scoring did; None is that of one with nothing to measure.
FAILED: Final = math.nan


@dataclass(slots=True, kw_only=True)
class Question:
    """One criterion of one scorer, and the bets on it.

    Args:
        scorer: The scorer.
        key: "min", "max" or "max_loss".
        asked: What is asked.
        bar: The mean that is bet against, in the unit of the values.
        ends: Of the scale of the values: of the scores, or of the gains of pairs.
        sign: 1 when more than the bar passes, -1 when less does.
        wager: The bets.
        values: What was seen, example by example; for a pair without one score its worst case.
        bets: What was bet on, cluster by cluster, in the worst case.
        hopes: The same in the best case.
    """

    scorer: str
    key: str
    asked: float
    bar: float
    ends: tuple[float, float]
    sign: float
    wager: Wager
    rival: Wager
    values: list[float] = field(default_factory=list)
    bets: list[float] = field(default_factory=list)
    hopes: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        """As a verdict names it."""
        return f"{self.scorer}.{self.key}"

    def add(self, pairs: Sequence[tuple[float, float]], largest: int) -> None:
        """Bet on the next cluster: its worst case against a pass, its best case against a fail."""
        worst, best = (
            self.bar + sum(value - self.bar for value in side) / largest for side in zip(*pairs, strict=True)
        )
        self.wager.add(worst)
        self.rival.add(best)
        self.bets.append(worst)
        self.hopes.append(best)
        self.values += [value for value, _ in pairs]

    def limits(self, level: float, weight: float) -> tuple[float, float]:
        """Return the limits of the mean that hold at every look, whatever was missing; NaN where no mean is left.

        Args:
            level: Their confidence level.
            weight: The mean size of a cluster / the largest.
        """
        from lmops.calc.sequential import betting_sequence

        least, most = (
            betting_sequence(bets, level=level, low=self.ends[0], high=self.ends[1]).last
            for bets in sorted((self.bets, self.hopes), key=sum)
        )
        low, high = (
            min(max(self.bar + (end - self.bar) / weight, self.ends[0]), self.ends[1]) for end in (least[0], most[1])
        )
        return low, high

    def outcome(self, alpha: float, count: int) -> Outcome | None:
        """Return what is shown with errors of alpha/2 on either side; None while nothing is."""
        passes = self.wager.p_above if self.sign > 0 else self.wager.p_below
        fails = self.rival.p_below if self.sign > 0 else self.rival.p_above
        return "pass" if passes <= alpha / 2 else "fail" if fails <= alpha / 2 / count else None


class Watch:
    """Looks at a run example by example and knows when its criteria are decided.

    Args:
        criteria: What is asked; only what is asked of scorers is watched.
        order: The examples, in the order in which they count.
        scorers: By name, what is written down of a scorer.
        baseline: By scorer and example, the scores that losses are measured against; None where there is none.
        clusters: By example, its cluster; those of one follow each other in the order. Others stand for themselves.
        repeats: How often each example is asked.
    """

    def __init__(
        self,
        criteria: Criteria,
        order: Sequence[str],
        scorers: Mapping[str, Mapping[str, Any]],
        baseline: Mapping[str, Mapping[str, float | None]],
        clusters: Mapping[str, str] | None = None,
        repeats: int = 1,
    ) -> None:
        self.criteria = criteria
        self.questions = [
            _question(name, scorers[name], key, asked[key])
            for name, asked in criteria.scorers.items()
            for key in _KEYS
            if key in asked
        ]
        self.looks = 0
        self.outcome: Outcome | None = None
        self._order = list(order)
        self._baseline = baseline
        self._repeats = repeats
        self._waiting: dict[str, list[Mapping[str, float | None]]] = {}
        self._cluster: list[tuple[str, dict[str, _Mean]]] = []  # what is known of the cluster that is open
        names = [(clusters or {}).get(example, (example,)) for example in self._order]
        self._is_last = [one != after for one, after in pairwise([*names, None])]
        sizes = Counter(names).values()
        self._largest = max(sizes, default=1)
        self._weight = self.planned / (len(sizes) * self._largest) if sizes else 1.0

    @property
    def planned(self) -> int:
        """How many examples there are in all."""
        return len(self._order)

    def add(self, example_id: str, scores: Mapping[str, float | None]) -> Outcome | None:
        """Take the scores of one finished case, in whatever order they come, and return what is decided by now.

        Args:
            example_id: Its example.
            scores: By scorer; None where there was nothing to measure, :data:`FAILED` where that failed.
        """
        self._waiting.setdefault(example_id, []).append(scores)
        while self.outcome is None and self.looks < self.planned:
            example = self._order[self.looks]
            if len(self._waiting.get(example, ())) < self._repeats:
                break
            self._cluster.append((example, _averaged(self._waiting.pop(example))))
            if self._is_last[self.looks]:
                self._look()
            self.looks += 1
        return self.outcome

    def _look(self) -> None:
        """Bet on the cluster that is complete."""
        for one in self.questions:
            seen = (self._values(one, example, scores.get(one.scorer, _NOTHING)) for example, scores in self._cluster)
            pairs = [pair for pair in seen if pair is not None]
            if pairs:
                one.add(pairs, self._largest)
        self._cluster.clear()
        alpha = 1 - self.criteria.level
        found = [one.outcome(alpha, len(self.questions)) for one in self.questions]
        self.outcome = "fail" if "fail" in found else "pass" if all(said == "pass" for said in found) else None

    def _values(self, one: Question, example_id: str, score: _Mean) -> tuple[float, float] | None:
        """Return the worst and the best case of what an example says to a criterion; None where it says nothing."""
        is_worst = self.criteria.missing == "worst"
        if one.key != "max_loss":
            if is_worst and score.failed:
                low, high = one.ends if one.sign > 0 else one.ends[::-1]
                known = (1 - score.failed) * (score.mean or 0.0)
                return (known + score.failed * low, known + score.failed * high)
            return None if score.mean is None else (score.mean, score.mean)
        before = self._baseline[one.scorer].get(example_id)
        if score.mean is None and before is None:
            return None
        if score.mean is None or before is None:  # the gains of scores have a scale of twice their width
            return one.ends if is_worst else None
        gain = score.mean - before
        return (gain, gain)

    def results(self) -> list[CriterionResult]:
        """Return one result per criterion, with limits that hold at every look."""
        made = []
        alpha = 1 - self.criteria.level
        for one in self.questions:
            low = high = mean = math.nan
            if one.values:
                low, high = one.limits(self.criteria.level, self._weight)
                mean = sum(one.values) / len(one.values)
            if one.key == "max_loss":  # a loss is a gain turned round
                low, high, mean = -high, -low, -mean
            outcome = one.outcome(alpha, len(self.questions)) or "inconclusive"
            said = {"pass": "shown", "fail": "broken", "inconclusive": "neither shown nor broken"}[outcome]
            reason = f"{said} after {len(one.bets):,} looks, by bounds that hold at every one of them"
            plain = (None if math.isnan(value) else value for value in (mean, low, high))
            value, lower, upper = plain
            made.append(
                CriterionResult(
                    name=one.name, outcome=outcome, value=value, low=lower, high=upper, asked=one.asked, reason=reason
                )
            )
        return made

    def said(self) -> str:
        """Return in a sentence how far it looked and what was decided."""
        shown = f"{self.looks:,} of {self.planned:,} examples"
        if self.outcome is None:
            return f"looked after every example in an order fixed beforehand; {shown} decided nothing"
        return f"looked early: {self.outcome} after {shown}, in an order fixed beforehand"


class _Mean(NamedTuple):
    """The mean of the repeats of an example, None where none has a score, and the share of them that failed."""

    mean: float | None
    failed: float


_NOTHING: Final = _Mean(None, 0.0)


def _averaged(scores: Sequence[Mapping[str, float | None]]) -> dict[str, _Mean]:
    """Return the mean of the repeats of one example, by scorer; what had nothing to measure does not count."""
    found: dict[str, _Mean] = {}
    for name in {name for one in scores for name in one}:
        values = [value for one in scores if (value := one.get(name)) is not None]
        known = [value for value in values if not math.isnan(value)]
        failed = 1 - len(known) / len(values) if values else 0.0
        found[name] = _Mean(sum(known) / len(known) if known else None, failed)
    return found


def _question(name: str, about: Mapping[str, Any], key: str, asked: float) -> Question:
    from lmops.calc.sequential import Wager

    low, high = scale(about.get("range"))
    low, high = (0.0, 1.0) if math.isinf(low) and math.isinf(high) else (low, high)
    if math.isinf(low) or math.isinf(high):
        raise UsageError(
            f"until: {name} has no scale with two ends, and bets need one: give the scorer a range, or gate at the end"
        )
    higher = bool(about.get("higher_is_better", True))
    if key == "max_loss":
        width = high - low
        ends, bar, sign = (-width, width), -min(asked, width), 1.0
    else:
        ends, bar, sign = (low, high), min(max(asked, low), high), 1.0 if key == "min" else -1.0
    if key == "max_loss" and not higher:
        raise UsageError(f"until: max_loss of {name}, of which less is better, cannot be watched: ask for its max")
    wagers = [Wager(bar, low=ends[0], high=ends[1]) for _ in range(2)]
    return Question(scorer=name, key=key, asked=asked, bar=bar, ends=ends, sign=sign, wager=wagers[0], rival=wagers[1])


# -- runs ------------------------------------------------------------------------------------------------------------


def planned(
    until: Any,
    baseline: Run | None,
    examples: Sequence[Example],
    scorers: Mapping[str, Any],
    *,
    repeats: int,
    seed: int,
) -> dict[str, Any]:
    """Return what is written down of a run that may stop early.

    Raises:
        UsageError: The criteria cannot be watched; the message says why.
    """
    criteria = read_criteria(until)
    unknown = [name for name in criteria.scorers if name not in scorers]
    if not criteria.scorers or unknown:
        there = ", ".join(scorers) or "nothing"
        raise UsageError(f"until: the run scores {there}; criteria ask for {', '.join(unknown) or 'none of these'}")
    if criteria.needs_baseline and baseline is None:
        raise UsageError(
            "until: max_loss is a loss against a baseline: give one, run(..., until=criteria, baseline=run)"
        )
    found = {
        "criteria": criteria.as_dict(),
        "baseline": baseline.run_id if baseline is not None else None,
        "seed": seed,
        "repeats": repeats,
    }
    watch_of(found, examples, scorers, None if baseline is None else baseline.state())  # refuses what cannot be watched
    return found


def ordered(examples: Sequence[Example], until: Mapping[str, Any]) -> list[Example]:
    """Return the examples in the order in which they are asked: by chance, fixed by the seed, cluster by cluster."""
    import numpy as np

    by_id = sorted(examples, key=lambda example: example.example_id)
    clusters = _clusters(examples, read_criteria(until["criteria"]))
    units: dict[Any, list[Example]] = {}
    for example in by_id:
        units.setdefault(clusters.get(example.example_id, (example.example_id,)), []).append(example)
    listed = list(units.values())
    return [one for place in np.random.default_rng(until["seed"]).permutation(len(listed)) for one in listed[place]]


def _clusters(examples: Sequence[Example], criteria: Criteria) -> dict[str, str]:
    """Return the cluster of each example that has one, when clusters count."""
    if not criteria.clustered:
        return {}
    return {example.example_id: example.cluster for example in examples if example.cluster is not None}


def watch_of(
    until: Mapping[str, Any], examples: Sequence[Example], scorers: Mapping[str, Any], baseline: RunState | None
) -> Watch:
    """Return who watches a run."""
    criteria = read_criteria(until["criteria"])
    order = [example.example_id for example in ordered(examples, until)]
    clusters = _clusters(examples, criteria)
    repeats = until.get("repeats", 1)
    return Watch(criteria, order, scorers, _scores(baseline, criteria), clusters=clusters, repeats=repeats)


def _scores(baseline: RunState | None, criteria: Criteria) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    measured = None if baseline is None else baseline.measured
    for name, asked in criteria.scorers.items():
        if measured is None or "max_loss" not in asked:
            found[name] = {}
            continue
        if name not in measured.scores:
            raise UsageError(f"until: the baseline {baseline.run.run_id} has no scores of {name}")  # type: ignore[union-attr]  # it was measured
        values = row_means(measured.scores[name]).tolist()
        found[name] = {key: None if math.isnan(one) else one for key, one in zip(measured.ids, values, strict=True)}
    return found


def replayed(store: Store, run_id: str, watch: Watch) -> Watch:
    """Return a watch that has seen what is finished of a run."""
    rows = store.sql(
        "select r.example_id, r.repeat, s.scorer, s.value, r.status in ('error', 'timeout') or s.status = 'error' "
        "from results r left join scores s on s.run_id = r.run_id and s.example_id = r.example_id and "
        "s.repeat = r.repeat where r.run_id = ? and r.status <> 'not_run'",
        [run_id],
    ).fetchall()
    found: dict[tuple[str, int], dict[str, float | None]] = {}
    for example_id, repeat, scorer, value, has_failed in rows:
        found.setdefault((example_id, repeat), {})[scorer] = FAILED if has_failed else value
    for (example_id, _), scores in found.items():
        watch.add(example_id, scores)
    return watch


def stopped_words(watch: Watch) -> str:
    """Return why a run ended before its last example."""
    shown = "; ".join(
        f"{one.name} {one.outcome}, {number(one.value)} for {number(one.asked)}" for one in watch.results()
    )
    return f"{watch.said()} ({shown})"
