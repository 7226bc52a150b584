"""The gate: criteria in, a verdict out, kept with its evidence.

Every criterion holds, is broken, or cannot be told: it holds when the whole interval is on the right side, is broken
when the whole interval is on the wrong one. All have to hold for a pass, so that testing many of them makes a false
pass less likely, not more (an intersection-union test: R. L. Berger, Technometrics 24 (1982) 295-300).
"""

from __future__ import annotations

import json
import math
import secrets
from dataclasses import replace
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from lmops.base.units import counted
from lmops.errors import DamagedStoreError, NotFoundError, UsageError
from lmops.evals._differences import scored
from lmops.evals._people import Ground, difference_of_people, rate_of_people
from lmops.evals._rows import verdict_row
from lmops.evals._verdict import CriterionResult, Outcome, Verdict
from lmops.evals.summaries import number, scale
from lmops.records import is_confirmed, verdict_digest
from lmops.times import from_ns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from lmops.evals._comparison import Comparison
    from lmops.evals._criteria import Criteria
    from lmops.evals._differences import Difference
    from lmops.evals._matrix import Matrix, Measured
    from lmops.evals._recorded import Recorded
    from lmops.evals._records import Totals
    from lmops.evals._runs import RunState
    from lmops.evals._until import Watch
    from lmops.evals.summaries import ScorerSummary
    from lmops.records import Project
    from lmops.store import Store


def judge(
    state: RunState, comparison: Comparison | None, criteria: Criteria, *, same: Sequence[str] = ()
) -> list[CriterionResult]:
    """Return one result per criterion; the first says whether the run is whole, and where it is as its baseline.

    Raises:
        UsageError: A criterion needs a baseline, and there is none.
        NotFoundError: A criterion names a scorer that the run does not have.
    """
    if criteria.needs_baseline and comparison is None:
        raise UsageError("max_loss is a loss against a baseline: give one, gate(run, baseline, criteria)")
    scorers = state.run.scorers
    for name in criteria.scorers:
        if name not in scorers:
            raise NotFoundError.of(f"scorer of {state.run.run_id}", name, scorers)
    whole = _complete(state.totals)
    found = [replace(whole, reason="; ".join((whole.reason, *same))), *_of_run(state, criteria)]
    summaries = {one.scorer: one for one in state.summary(level=criteria.level)}
    for name, asked in criteria.scorers.items():
        summary = summaries.get(name)
        if summary is None:
            found.append(_made(name, "inconclusive", "nothing was scored"))
            continue
        if criteria.min_coverage is not None:
            found.append(_coverage(summary, criteria.min_coverage))
        ends = scale(scorers[name]["range"])
        told, ground = rate_of_people(summary, ends)
        gone = state.totals.planned - state.totals.cases + state.totals.errors + told.errors
        levels = [_level(told, key, asked[key], ends, gone=gone) for key in ("min", "max") if key in asked]
        if criteria.missing == "worst":
            levels = [_lost(one, told, state.totals) for one in levels]
        found += [_grounded(one, ground, criteria) for one in levels]
        if "max_loss" in asked and comparison is not None:
            difference, ground = difference_of_people(comparison[name], ends)
            loss = _loss(difference, asked["max_loss"], missing=criteria.missing)
            found.append(_grounded(replace(loss, reason="; ".join((loss.reason, *same))), ground, criteria))
    return found


def _grounded(one: CriterionResult, ground: Ground, criteria: Criteria) -> CriterionResult:
    """Return a result that says by which number it was decided, where a judge scored."""
    if not ground.words:
        return one
    told = replace(one, reason=f"{one.reason}; {ground.words}")
    if ground.is_corrected:
        return replace(told, n_needed=None)  # what is missing may be labels, and not examples
    is_ground = criteria.allow_uncalibrated or not ground.is_none
    return told if is_ground else replace(told, outcome="inconclusive", reason=ground.words, n_needed=None)


def judge_early(state: RunState, watch: Watch) -> list[CriterionResult]:
    """Return the results of a run that was looked at while it ran; what is asked of the run as a whole is as always."""
    decided = watch.outcome is not None or watch.looks == watch.planned
    said = watch.said() + "; resume the run" * (not decided)
    if judges := sorted(watch.criteria.scorers.keys() & state.judged.trust.keys()):
        said += f"; its bounds take {', '.join(judges)} by the judge's own word, not corrected"
    looked = _made("looked early", "pass" if decided else "inconclusive", said)
    found = [looked, *_of_run(state, watch.criteria)]
    if watch.criteria.min_coverage is not None:
        totals = state.totals
        for one in state.summary(level=watch.criteria.level):
            if one.scorer in watch.criteria.scorers:
                share = one.coverage * totals.planned / totals.cases if totals.cases else math.nan
                found.append(_coverage(replace(one, coverage=share), watch.criteria.min_coverage))
    return [*found, *watch.results()]


def _made(name: str, outcome: Outcome, reason: str, **found: Any) -> CriterionResult:
    numbers = {key: found.get(key) for key in ("value", "low", "high", "asked")}
    plain = {key: None if value is None or not math.isfinite(value) else float(value) for key, value in numbers.items()}
    return CriterionResult(name=name, outcome=outcome, reason=reason, n_needed=found.get("n_needed"), **plain)


def _complete(totals: Totals) -> CriterionResult:
    share = totals.cases / totals.planned if totals.planned else math.nan
    if totals.cases == totals.planned:
        return _made("complete", "pass", f"{totals.cases:,} cases", value=share, asked=1.0)
    reason = f"{totals.not_run:,} of {totals.planned:,} cases are not finished; resume the run"
    return _made("complete", "inconclusive", reason, value=share, asked=1.0)


def _of_run(state: RunState, criteria: Criteria) -> list[CriterionResult]:
    """Return the results of what is asked of the run as a whole."""
    import numpy as np

    from lmops.calc.intervals import quantile_interval, score_interval, wilson

    found = []
    totals, measured = state.totals, state.measured
    if criteria.max_error_rate is not None:
        low, high = (float(end) for end in wilson(totals.errors, totals.cases, criteria.level))
        rate = totals.errors / totals.cases if totals.cases else math.nan
        # How many failed is a fact of this run; an upper limit would ask for hundreds of cases without a failure.
        outcome: Outcome = "fail" if rate > criteria.max_error_rate else "pass"
        reason = f"{totals.errors:,} of {totals.cases:,} cases failed"
        found.append(
            _made("max_error_rate", outcome, reason, value=rate, low=low, high=high, asked=criteria.max_error_rate)
        )
    went_well = measured.statuses.get("ok", 0)
    if criteria.max_cost_usd is not None:
        known, groups = _known(measured, "cost_usd")
        interval = score_interval(known, clusters=groups, level=criteria.level, has_ends=False)
        ends = (interval.estimate, interval.low, interval.high)
        one = _below("max_cost_usd", ends, criteria.max_cost_usd, n=known.size, of="mean cost of a case")
        found.append(_of_known(one, known.size, went_well, "cost", least=interval.low * known.size / max(went_well, 1)))
    if criteria.max_latency_ms is not None:
        known, groups = _known(measured, "latency_ms")
        low, high = quantile_interval(known, 0.95, criteria.level, clusters=groups)
        p95 = float(np.quantile(known, 0.95)) if known.size else math.nan
        one = _below("max_latency_ms", (p95, low, high), criteria.max_latency_ms, n=known.size, of="p95")
        found.append(_of_known(one, known.size, went_well, "latency"))
    return found


def _known(measured: Measured, measure: str) -> tuple[Matrix, Any]:
    """Return what is known of a measure, and which of it is alike: by cluster, or by example where it was repeated."""
    import numpy as np

    from lmops.calc.arrays import cluster_codes

    values = measured.measures[measure]
    known = ~np.isnan(values)
    if measured.clusters is None and (known.sum(axis=1) < 2).all():
        return values[known], None
    codes = cluster_codes(measured.clusters or measured.ids, len(values))
    return values[known], np.repeat(codes, known.sum(axis=1))


def _of_known(
    one: CriterionResult, known: int, went_well: int, what: str, *, least: float = math.nan
) -> CriterionResult:
    """Return a result that does not take what is unknown for what is known.

    Args:
        one: The result over the cases that are known.
        known: How many these are.
        went_well: How many should be.
        what: The figure.
        least: The lower limit if all that is unknown were 0; a failure that even this shows stays one.
    """
    unknown = went_well - known
    if unknown <= 0 or not known or one.asked is None or (one.outcome == "fail" and least > one.asked):
        return one
    reason = f"the {what} of {unknown:,} of {went_well:,} cases is unknown; of the others: {one.reason}"
    return replace(one, outcome="inconclusive", reason=reason)


def _below(name: str, ends: tuple[float, float, float], asked: float, *, n: int, of: str) -> CriterionResult:
    value, low, high = ends
    if n == 0 or math.isnan(value):
        return _made(name, "inconclusive", "nothing is known", asked=asked)
    if high <= asked:
        outcome, reason = "pass", f"{of}: the whole interval is within"
    elif low > asked:
        outcome, reason = "fail", f"{of}: the whole interval is above"
    else:
        outcome, reason = "inconclusive", f"{of}: the interval holds the limit"
    return _made(name, outcome, reason, value=value, low=low, high=high, asked=asked)  # type: ignore[arg-type]  # one of the three


def _coverage(summary: ScorerSummary, asked: float) -> CriterionResult:
    outcome: Outcome = "pass" if summary.coverage >= asked else "fail"
    reason = f"{summary.unmeasured:,} unmeasured, {summary.errors:,} errors"
    return _made(f"{summary.scorer}.coverage", outcome, reason, value=summary.coverage, asked=asked)


def _level(summary: ScorerSummary, key: str, asked: float, ends: tuple[float, float], *, gone: int) -> CriterionResult:
    """Return whether the mean is at least ("min") or at most ("max") what is asked.

    Args:
        summary: The scores.
        key: "min" or "max".
        asked: What is asked.
        ends: Of the scale.
        gone: Cases that failed, were not run or could not be scored; what had nothing to measure is none of them.
    """
    name = f"{summary.scorer}.{key}"
    low, high = summary.low, summary.high
    found = {"value": summary.mean, "low": low, "high": high, "asked": asked}
    if math.isnan(summary.mean):
        return _made(name, "inconclusive", "nothing was measured", **found)
    sure, broken = (low >= asked, high < asked) if key == "min" else (high <= asked, low > asked)
    if sure:
        reason = f"the whole interval is {'at or above' if key == 'min' else 'at or below'} it"
        worst = summary.worst if key == "min" else summary.best
        missed = gone > 0 and math.isfinite(worst) and (worst < asked if key == "min" else worst > asked)
        if missed:
            reason += f", though the missing cases could bring it to {number(worst)}"
        return _made(name, "pass", reason, **found)
    if broken:
        return _made(name, "fail", f"the whole interval is {'below' if key == 'min' else 'above'} it", **found)
    if math.isnan(low) or math.isnan(high):
        return _made(
            name,
            "inconclusive",
            f"{counted(summary.n, 'example')} {'gives' if summary.n == 1 else 'give'} no interval",
            **found,
        )
    half, away = (high - low) / 2, abs(summary.mean - asked)
    needed = math.ceil(summary.n * (_sure(summary.level) * half / away) ** 2) if away > 0 else None
    reason = "the interval holds it"
    if asked in ends:
        reason += ", which is the end of the scale: no number of examples can exclude anything below"
        needed = None
    return _made(name, "inconclusive", reason, n_needed=needed if needed and needed > summary.n else None, **found)


def _lost(one: CriterionResult, summary: ScorerSummary, totals: Totals) -> CriterionResult:
    """Return a level that passes as inconclusive when the cases that failed could break it at worst.

    What had nothing to measure, such as the sources of a refusal, is no failure and says nothing here.
    """
    failed, planned = totals.errors + summary.errors, totals.planned
    is_min = one.name.endswith(".min")
    bound = summary.worst if is_min else summary.best  # with everything that is missing
    known = round(summary.coverage * planned)
    if one.outcome != "pass" or one.asked is None or not failed or known == planned or not math.isfinite(bound):
        return one
    end = (bound * planned - summary.mean * known) / (planned - known)
    worst = (summary.mean * known + failed * end) / (known + failed)
    if (worst >= one.asked) if is_min else (worst <= one.asked):
        return one
    reason = (
        f"of the cases with a score {one.reason.partition(', though')[0]}, but {failed:,} failed: with them it may be "
        f"{number(worst)} at worst"
    )
    return replace(one, outcome="inconclusive", reason=reason)


def _sure(level: float, power: float = 0.8) -> float:
    """Return how much narrower than the distance an interval has to be, so that it excludes the bar so often."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    return (z + NormalDist().inv_cdf(power)) / z


def _loss(one: Difference, asked: float, *, missing: str) -> CriterionResult:
    """Return whether the loss against the baseline is at most what is asked: as :func:`lmops.calc.decide.decide` does.

    A loss that is certain, and may be larger than what is asked, fails. What has a score on one side only counts as the
    worst that it can be: a pass that this would change is inconclusive (``missing="pairs"``: it is left out, and said).
    """
    sign = -1.0 if one.higher_is_better else 1.0
    loss, ends = sign * one.difference, sorted((sign * one.low, sign * one.high))
    low, high = ends
    name = f"{one.name}.max_loss"
    found = {"value": loss, "low": low, "high": high, "asked": asked}
    few = len(one.missing_a) + len(one.missing_b)
    if math.isnan(low) or math.isnan(high):
        return _made(name, "inconclusive", one.reason + (f"; {_one_sided(one)}" if few else ""), **found)
    p_value = f"{one.p_words}, n = {one.n:,}"
    more = f"; {scored(few)} in one run only, left out" if few else ""
    if high <= asked:
        most = -one.low_all if one.higher_is_better else one.high_all
        if few and missing == "worst" and not most <= asked:
            shown = "no scale says how large" if math.isnan(most) else f"{number(most)} at worst"
            reason = (
                f"over the pairs a larger loss is excluded ({p_value}), but {_one_sided(one)}: with them it may be "
                f"larger, {shown}"
            )
            return _made(name, "inconclusive", reason, **found)
        if few and missing == "worst":
            more = f"; also when {_one_sided(one)} and that is the worst that it can be"
        reason = f"a larger loss is excluded ({one.outcome.replace('_', '-')}, {p_value}){more}"
        return _made(name, "pass", reason, **found)
    if one.outcome == "worse":
        size = (
            f"the loss is larger, {number(low)} at least"
            if low > asked
            else (f"there is a loss, {number(low)} at least, and a larger one than {asked:g} is not excluded")
        )
        return _made(name, "fail", f"{size} ({p_value}){more}", **found)
    unsure = f"and one of more than {asked:g} is not excluded" if one.n_needed else one.reason
    least = one.minimum_detectable_effect
    seen = "" if math.isnan(least) else f"; these examples would have shown a difference of {number(least)}"
    reason = f"no loss is shown, {unsure} ({p_value}){seen}{more}"
    return _made(name, "inconclusive", reason, n_needed=one.n_needed, **found)


def _one_sided(one: Difference) -> str:
    """Return which examples have a score on one side only, in words."""
    sides = (("the baseline", one.missing_a), ("the run", one.missing_b))
    return " and ".join(
        f"{scored(len(ids))} in {side} only ({', '.join(ids[:3])}{', ...' * (len(ids) > 3)})"
        for side, ids in sides
        if ids
    )


def outcome_of(results: list[CriterionResult]) -> Outcome:
    """Return the outcome of all criteria together."""
    found = {one.outcome for one in results}
    return "fail" if "fail" in found else "inconclusive" if "inconclusive" in found else "pass"


def record(
    project: Project, run: Recorded, baseline: Recorded | None, criteria: Criteria, results: list[CriterionResult]
) -> Verdict:
    """Keep a verdict and its audit event, and return it."""
    outcome = outcome_of(results)
    verdict_id = f"verdict-{secrets.token_hex(8)}"
    baseline_id = baseline.run_id if baseline is not None else None
    said = {
        "verdict_id": verdict_id,
        "run_id": run.run_id,
        "baseline_run_id": baseline_id,
        "prompt_ref": run.prompt_ref,
        "outcome": outcome,
        "criteria": json.dumps(criteria.as_dict()),
        "detail": json.dumps({"results": [_as_json(one) for one in results]}, allow_nan=False),
    }
    evidence = [verdict_id, run.run_id, *([baseline_id] if baseline_id else [])]
    with project.change(evidence=evidence) as change:
        verdict = {**said, "created_ns": change.at_ns, "actor": change.actor}
        row = {**verdict, "event_id": change.event_id}
        change.insert("verdicts", row)
        after = {"verdict_id": verdict_id, "outcome": outcome, "prompt_ref": run.prompt_ref}
        change.say("eval.gate", run.run_id, after={**after, "digest": verdict_digest(verdict)})
    return _verdict_of(row)


def _as_json(one: CriterionResult) -> dict[str, Any]:
    return {name: getattr(one, name) for name in CriterionResult.__dataclass_fields__}


def read_verdict(store: Store, verdict_id: str) -> Verdict:
    """Return a verdict that was kept.

    Raises:
        NotFoundError: There is none of this id.
        DamagedStoreError: It is not what the audit chain says of it.
    """
    with store.reading() as con:
        row = verdict_row(con, verdict_id)
        if not is_confirmed(con, row):
            raise DamagedStoreError(
                f"{verdict_id} is not what the audit chain says of it: somebody changed it, so that it is no evidence. "
                "Gate the run again: ws.evals.gate(...)"
            )
    return _verdict_of(row)


def _verdict_of(row: Mapping[str, Any] | sqlite3.Row) -> Verdict:
    return Verdict(
        verdict_id=row["verdict_id"],
        outcome=row["outcome"],
        run_id=row["run_id"],
        baseline_run_id=row["baseline_run_id"],
        prompt_ref=row["prompt_ref"],
        results=tuple(CriterionResult(**one) for one in json.loads(row["detail"])["results"]),
        criteria=json.loads(row["criteria"]),
        created_at=from_ns(row["created_ns"]),
        actor=row["actor"],
        event_id=row["event_id"],
    )
