"""Which arm is to be had: the cheapest one whose quality is not worse than that of the best by more than a margin."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from lmops.base.units import amount, counted
from lmops.calc.decide import decide
from lmops.calc.paired import paired_difference
from lmops.errors import UsageError
from lmops.metrics import metric_of
from lmops.routing._trial_records import Advice, AdvisedArm
from lmops.routing._words import VERDICTS
from lmops.routing.comparing import compared, trial_of
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from lmops.calc.decide import Decision
    from lmops.routing._records import RouteVersion
    from lmops.routing._trial_records import Verdict
    from lmops.store import Store


class _Held(NamedTuple):
    """An arm against the best one."""

    decision: Decision
    verdict: Verdict
    is_cheaper: bool


class _Figures(NamedTuple):
    """What is known of an arm by itself."""

    quality: float
    cost: float
    units: int


def by_traffic(
    store: Store,
    live: RouteVersion,
    versions: Sequence[RouteVersion],
    quality: str | Mapping[str, Any],
    *,
    cost: str | Mapping[str, Any],
    margin: float,
    level: float,
    tightest_at: float,
) -> Advice:
    """Return advice from what users of the arms met; see :meth:`lmops.routing.Routing.advise`."""
    watched, priced = metric_of(quality), metric_of(cost)
    used = [arm for arm, weight in live.weights.items() if weight > 0]
    if len(used) < 2:
        raise UsageError(f"{live.ref} has one arm with a share: advice takes two or more, or source='evals'")
    level = 1 - (1 - level) / (2 * (len(used) - 1))  # two comparisons for each arm but the best

    def held(arm: str, other: str) -> tuple[_Held, _Figures, _Figures]:
        trial = trial_of(live, versions, (arm, other))
        found = compared(
            store, trial, quality, {priced.name: None}, margin=margin, level=level, tightest_at=tightest_at
        )
        one, its_cost = found.metrics
        sides = [
            _Figures(*parts)
            for parts in (
                (one.found.mean_a, its_cost.found.mean_a, one.found.n_a),
                (one.found.mean_b, its_cost.found.mean_b, one.found.n_b),
            )
        ]
        return _Held(one.decision, one.verdict, its_cost.verdict == "better"), sides[0], sides[1]

    seen = {one.ref for arm in used[1:] for one in trial_of(live, versions, (arm, used[0])).versions}
    figures: dict[str, _Figures] = {}
    for arm in used[1:]:
        _, figures[arm], figures[used[0]] = held(arm, used[0])
    sign = 1 if watched.worse == "below" else -1
    return _advised(
        live,
        figures,
        lambda arm, best: held(arm, best)[0],
        source="traffic",
        evidence=[one.ref for one in versions if one.ref in seen],
        quality=watched.words,
        unit=watched.unit,
        sign=sign,
        margin=margin,
    )


class Wanted(NamedTuple):
    """What a run must have been of, to be of an arm.

    Args:
        prompt: Reference of the version; None: runs of no prompt.
        model: That was asked.
        params: Of the prompt and the arm together.
    """

    prompt: str | None
    model: str | None
    params: dict[str, Any]


def by_evals(
    store: Store,
    live: RouteVersion,
    wanted: Mapping[str, Wanted],
    scorer: str,
    *,
    dataset: str | None,
    margin: float,
    level: float,
) -> Advice:
    """Return advice from the newest runs of the arms on one dataset; see :meth:`lmops.routing.Routing.advise`."""
    runs = _runs(store, wanted, dataset)
    if len(runs) < 2:
        of = "" if dataset is None else f" on {plain_line(dataset, 80)}"
        raise UsageError(
            f"runs of {counted(len(runs), 'arm')} of {live.ref}{of} are known: advice takes finished runs of two arms "
            "or more on one dataset, each of the prompt, model and params of its arm: ws.evals.run(...)"
        )
    scores = {arm: _by_example(store, run_id, scorer) for arm, (run_id, _) in runs.items()}
    if not any(scores.values()):
        raise UsageError(f"no run of an arm of {live.ref} has scores of {plain_line(scorer, 80)}")
    sign = 1 if all(_is_higher_better(scorers, scorer) for _, scorers in runs.values()) else -1
    level = 1 - (1 - level) / (2 * (len(runs) - 1))

    def held(arm: str, best: str) -> _Held:
        both = sorted(scores[arm].keys() & scores[best].keys())
        quality, cost = (
            paired_difference(*([scores[one][example][place] for example in both] for one in (arm, best)), level=level)
            for place in (0, 1)
        )
        decision = decide(quality, margin=margin, higher_is_better=sign > 0)
        return _Held(decision, decision.outcome, cost.high < 0)

    figures = {
        arm: _Figures(
            _mean(score for score, _ in found.values()), _mean(spent for _, spent in found.values()), len(found)
        )
        for arm, found in scores.items()
    }
    return _advised(
        live,
        figures,
        held,
        source="evals",
        evidence=[run_id for run_id, _ in runs.values()],
        quality=scorer,
        unit="score",
        sign=sign,
        margin=margin,
    )


def _advised(
    live: RouteVersion,
    figures: Mapping[str, _Figures],
    held: Callable[[str, str], _Held],
    *,
    source: Any,
    evidence: Sequence[str],
    quality: str,
    unit: str,
    sign: int,
    margin: float,
) -> Advice:
    """Return the advice that the figures of arms and their differences to the best one give."""
    known = [arm for arm, one in figures.items() if not math.isnan(one.quality)]
    best = max(known, key=lambda arm: (sign * figures[arm].quality, -_price(figures[arm])), default=None)
    against = {arm: held(arm, best) for arm in known if best is not None and arm != best}
    order = sorted(figures, key=lambda arm: _price(figures[arm]))
    arms = tuple(_arm(arm, figures[arm], against.get(arm)) for arm in order)
    passing = [arm for arm in order if arm in against and against[arm].is_cheaper and _passes(against[arm])]
    is_open = [arm for arm in order if arm in against and against[arm].verdict == "inconclusive"]
    is_open = [arm for arm in is_open if best is not None and _price(figures[arm]) < _price(figures[best])]
    needed = [one.n_needed for one in arms if one.arm in is_open and one.n_needed]
    arm, reason = _choice(best, passing, is_open, against, amount(margin, unit))
    return Advice(
        route=live.name,
        version=live.version,
        source=source,
        quality=quality,
        unit=unit,
        margin=margin,
        best=best,
        arm=arm,
        reason=reason,
        arms=arms,
        weights=None if arm is None else {name: float(name == arm) for name in live.arms},
        n_needed=max(needed, default=None),
        evidence=tuple(evidence),
    )


def _runs(store: Store, wanted: Mapping[str, Wanted], dataset: str | None) -> dict[str, tuple[str, str]]:
    """Return the newest finished run of each arm, with its scorers, on the dataset that most of them have."""
    query = (
        "select run_id, dataset_hash, prompt_ref, model, params, scorers from runs where status = 'finished' and "
        "coalesce(dataset = $dataset or split_part(dataset, '@', 1) = $dataset, true) order by started_at desc"
    )
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for run_id, examples, prompt, model, params, scorers in store.sql(query, {"dataset": dataset}).fetchall():
        ran = Wanted(prompt, model, json.loads(params) if params else {})
        for arm, one in wanted.items():
            if one == ran:
                found.setdefault(examples, {}).setdefault(arm, (run_id, scorers))
    return max(found.values(), key=len, default={})


def _by_example(store: Store, run_id: str, scorer: str) -> dict[str, tuple[float, float]]:
    """Return the mean score and the mean cost of each example of a run; NaN where it has none."""
    query = (
        "select r.example_id, avg(s.value), avg(r.cost_usd) from results as r join scores as s using (run_id, "
        "example_id, repeat) where r.run_id = $run and s.run_id = $run and s.scorer = $scorer group by r.example_id"
    )
    rows = store.sql(query, {"run": run_id, "scorer": scorer}).fetchall()
    return {example: tuple(math.nan if one is None else float(one) for one in numbers) for example, *numbers in rows}  # type: ignore[misc]  # two of them


def _is_higher_better(scorers: str, scorer: str) -> bool:
    """Return the direction of a scorer, as a run describes it."""
    described = json.loads(scorers) if scorers else []
    return all(one.get("higher_is_better", True) for one in described if one.get("name") == scorer)


def _mean(values: Iterable[float]) -> float:
    known = [one for one in values if not math.isnan(one)]
    return sum(known) / len(known) if known else math.nan


def _choice(
    best: str | None,
    passing: Sequence[str],
    is_open: Sequence[str],
    against: Mapping[str, _Held],
    margin: str,
) -> tuple[str | None, str]:
    """Return the arm that is proposed, and why."""
    if best is None or not against:
        return None, "the quality of fewer than two arms is known"
    if any(one.verdict == "invalid" for one in against.values()):
        return None, "the users did not come in the shares that were meant: nothing can be said"
    if passing:
        words = VERDICTS[against[passing[0]].verdict]
        return passing[0], f"cheaper than {best}, and {words} by {margin} or more"
    if is_open:
        n = against[is_open[0]].decision.n_needed
        more = "" if n is None else f"; it takes {n:,} in all"
        return None, f"{is_open[0]} would be cheaper than {best}, and whether it is worse by {margin} is open{more}"
    return best, f"no arm is known to be cheaper and not worse by {margin} or more"


def _passes(one: _Held) -> bool:
    return one.verdict in ("better", "non_inferior")


def _price(one: _Figures) -> float:
    """Return a cost to sort by; an unknown one comes last."""
    return math.inf if math.isnan(one.cost) else one.cost


def _arm(arm: str, figures: _Figures, held: _Held | None) -> AdvisedArm:
    decision = None if held is None else held.decision
    return AdvisedArm(
        arm=arm,
        quality=_number(figures.quality),
        cost=_number(figures.cost),
        units=figures.units,
        verdict=None if held is None else held.verdict,
        difference=None if decision is None else _number(decision.difference),
        low=None if decision is None else _number(decision.low),
        high=None if decision is None else _number(decision.high),
        n_needed=None if decision is None else decision.n_needed,
    )


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
