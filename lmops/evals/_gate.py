"""The gate: criteria in, a verdict out, kept with its evidence.

Every criterion holds, is broken, or cannot be told: it holds when the whole interval is on the right side, is broken
when the whole interval is on the wrong one. All have to hold for a pass, so that testing many of them makes a false
pass less likely, not more (an intersection-union test: R. L. Berger, Technometrics 24 (1982) 295-300).
"""

from __future__ import annotations

import json
import math
import secrets
import time
from typing import TYPE_CHECKING, Any

from lmops.errors import DamagedStoreError, NotFoundError, UsageError
from lmops.evals._summary import number, scale
from lmops.evals._verdict import CriterionResult, Outcome, Verdict
from lmops.prompts._evidence import is_confirmed, verdict_digest
from lmops.store import append_event
from lmops.times import from_ns

if TYPE_CHECKING:
    import sqlite3

    from lmops.evals._compare import Difference
    from lmops.evals._comparison import Comparison
    from lmops.evals._criteria import Criteria
    from lmops.evals._runs import Run
    from lmops.evals._summary import ScorerSummary
    from lmops.store import Store


def judge(run: Run, comparison: Comparison | None, criteria: Criteria) -> list[CriterionResult]:
    """Return one result per criterion.

    Raises:
        UsageError: A criterion needs a baseline, and there is none.
        NotFoundError: A criterion names a scorer that the run does not have.
    """
    if criteria.needs_baseline and comparison is None:
        raise UsageError("max_loss is a loss against a baseline: give one, gate(run, baseline, criteria)")
    for name in criteria.scorers:
        if name not in run.scorers:
            raise NotFoundError.of(f"scorer of {run.run_id}", name, run.scorers)
    found = [_complete(run), *_of_run(run, criteria)]
    summaries = {one.scorer: one for one in run.summary(level=criteria.level)}
    for name, asked in criteria.scorers.items():
        summary = summaries.get(name)
        if summary is None:
            found.append(_made(name, "inconclusive", "nothing was scored"))
            continue
        if criteria.min_coverage is not None:
            found.append(_coverage(summary, criteria.min_coverage))
        ends = scale(run.scorers[name]["range"])
        found += [_level(summary, key, asked[key], ends) for key in ("min", "max") if key in asked]
        if "max_loss" in asked and comparison is not None:
            found.append(_loss(comparison[name], asked["max_loss"]))
    return found


def _made(name: str, outcome: Outcome, reason: str, **found: Any) -> CriterionResult:
    numbers = {key: found.get(key) for key in ("value", "low", "high", "asked")}
    plain = {key: None if value is None or not math.isfinite(value) else float(value) for key, value in numbers.items()}
    return CriterionResult(name=name, outcome=outcome, reason=reason, n_needed=found.get("n_needed"), **plain)


def _complete(run: Run) -> CriterionResult:
    totals = run.totals
    share = totals.cases / totals.planned if totals.planned else math.nan
    if totals.cases == totals.planned:
        return _made("complete", "pass", f"{totals.cases:,} cases", value=share, asked=1.0)
    reason = f"{totals.not_run:,} of {totals.planned:,} cases are not finished; resume the run"
    return _made("complete", "inconclusive", reason, value=share, asked=1.0)


def _of_run(run: Run, criteria: Criteria) -> list[CriterionResult]:
    """Return the results of what is asked of the run as a whole."""
    import numpy as np

    from lmops.calc.intervals import mean_interval, quantile_interval, wilson

    found = []
    totals = run.totals
    if criteria.max_error_rate is not None:
        low, high = (float(end) for end in wilson(totals.errors, totals.cases, criteria.level))
        rate = totals.errors / totals.cases if totals.cases else math.nan
        # How many failed is a fact of this run; an upper limit would ask for hundreds of cases without a failure.
        outcome: Outcome = "fail" if rate > criteria.max_error_rate else "pass"
        reason = f"{totals.errors:,} of {totals.cases:,} cases failed"
        found.append(_made("max_error_rate", outcome, reason, value=rate, low=low, high=high,
                           asked=criteria.max_error_rate))  # fmt: skip
    measured = run.measured()
    if criteria.max_cost_usd is not None:
        costs = measured.measures["cost_usd"]
        known = costs[~np.isnan(costs)]
        interval = mean_interval(known, level=criteria.level)
        ends = (interval.estimate, interval.low, interval.high)
        found.append(_below("max_cost_usd", ends, criteria.max_cost_usd, n=known.size, of="mean cost of a case"))
    if criteria.max_latency_ms is not None:
        times = measured.measures["latency_ms"]
        known = times[~np.isnan(times)]
        low, high = quantile_interval(known, 0.95, criteria.level)
        p95 = float(np.quantile(known, 0.95)) if known.size else math.nan
        found.append(_below("max_latency_ms", (p95, low, high), criteria.max_latency_ms, n=known.size, of="p95"))
    return found


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


def _level(summary: ScorerSummary, key: str, asked: float, ends: tuple[float, float]) -> CriterionResult:
    """Return whether the mean is at least ("min") or at most ("max") what is asked."""
    name = f"{summary.scorer}.{key}"
    low, high = summary.low, summary.high
    found = {"value": summary.mean, "low": low, "high": high, "asked": asked}
    if math.isnan(summary.mean):
        return _made(name, "inconclusive", "nothing was measured", **found)
    sure, broken = (low >= asked, high < asked) if key == "min" else (high <= asked, low > asked)
    if sure:
        reason = f"the whole interval is {'at or above' if key == 'min' else 'at or below'} it"
        worst = summary.worst if key == "min" else summary.best
        missed = summary.coverage < 1 and math.isfinite(worst) and (worst < asked if key == "min" else worst > asked)
        if missed:
            reason += f", though the missing cases could bring it to {number(worst)}"
        return _made(name, "pass", reason, **found)
    if broken:
        return _made(name, "fail", f"the whole interval is {'below' if key == 'min' else 'above'} it", **found)
    if math.isnan(low) or math.isnan(high):
        return _made(name, "inconclusive", f"{summary.n} example(s) give no interval", **found)
    half, away = (high - low) / 2, abs(summary.mean - asked)
    needed = math.ceil(summary.n * (half / away) ** 2) if away > 0 else None
    reason = "the interval holds it"
    if asked in ends:
        reason += ", which is the end of the scale: no number of examples can exclude anything below"
        needed = None
    return _made(name, "inconclusive", reason, n_needed=needed if needed and needed > summary.n else None, **found)


def _loss(one: Difference, asked: float) -> CriterionResult:
    """Return whether the loss against the baseline is at most what is asked: as :func:`lmops.calc.decide.decide` does.

    A loss that is certain, and may be larger than what is asked, fails.
    """
    sign = -1.0 if one.higher_is_better else 1.0
    loss, ends = sign * one.difference, sorted((sign * one.low, sign * one.high))
    low, high = ends
    name = f"{one.name}.max_loss"
    found = {"value": loss, "low": low, "high": high, "asked": asked}
    if math.isnan(low) or math.isnan(high):
        return _made(name, "inconclusive", one.reason, **found)
    p_value = f"p = {number(one.p_value)}, n = {one.n:,}"
    if high <= asked:
        return _made(name, "pass", f"a larger loss is excluded ({one.outcome.replace('_', '-')}, {p_value})", **found)
    if low > asked:
        return _made(name, "fail", f"the loss is larger, {number(low)} at least ({p_value})", **found)
    if low > 0:
        reason = f"there is a loss, {number(low)} at least, and a larger one than {asked:g} is not excluded ({p_value})"
        return _made(name, "fail", reason, **found)
    reason = (
        f"no loss is shown, and one of more than {asked:g} is not excluded ({p_value}); these examples would have "
        f"shown a difference of {number(one.minimum_detectable_effect)}"
    )
    return _made(name, "inconclusive", reason, n_needed=one.n_needed, **found)


def outcome_of(results: list[CriterionResult]) -> Outcome:
    """Return the outcome of all criteria together."""
    found = {one.outcome for one in results}
    return "fail" if "fail" in found else "inconclusive" if "inconclusive" in found else "pass"


def record(
    store: Store, run: Run, baseline: Run | None, criteria: Criteria, results: list[CriterionResult], *, actor: str,
    now_ns: int | None = None,
) -> Verdict:  # fmt: skip
    """Keep a verdict and its audit event, and return it."""
    outcome = outcome_of(results)
    verdict_id = f"verdict-{secrets.token_hex(8)}"
    created_ns = time.time_ns() if now_ns is None else now_ns
    baseline_id = baseline.run_id if baseline is not None else None
    verdict = {
        "verdict_id": verdict_id, "run_id": run.run_id, "baseline_run_id": baseline_id, "prompt_ref": run.prompt_ref,
        "outcome": outcome, "criteria": json.dumps(criteria.as_dict()),
        "detail": json.dumps({"results": [_as_json(one) for one in results]}, allow_nan=False),
        "created_ns": created_ns, "actor": actor,
    }  # fmt: skip
    with store.transaction() as con:
        event_id = append_event(
            con, actor=actor, action="eval.gate", subject=run.run_id,
            after={
                "verdict_id": verdict_id, "outcome": outcome, "prompt_ref": run.prompt_ref,
                "digest": verdict_digest(verdict),
            },
            evidence=[verdict_id, run.run_id, *([baseline_id] if baseline_id else [])],
        )  # fmt: skip
        con.execute(
            f"insert into verdicts ({', '.join(verdict)}, event_id) values ({', '.join('?' * len(verdict))}, ?)",
            [*verdict.values(), event_id],
        )
    return read_verdict(store, verdict_id)


def _as_json(one: CriterionResult) -> dict[str, Any]:
    return {name: getattr(one, name) for name in CriterionResult.__dataclass_fields__}


def read_verdict(store: Store, verdict_id: str) -> Verdict:
    """Return a verdict that was kept.

    Raises:
        NotFoundError: There is none of this id.
        DamagedStoreError: It is not what the audit chain says of it.
    """
    with store.reading() as con:
        row: sqlite3.Row | None = con.execute("select * from verdicts where verdict_id = ?", (verdict_id,)).fetchone()
        if row is None:
            known = [
                one[0] for one in con.execute("select verdict_id from verdicts order by created_ns desc limit 500")
            ]
            raise NotFoundError.of("verdict", verdict_id, known)
        if not is_confirmed(con, row):
            raise DamagedStoreError(
                f"{verdict_id} is not what the audit chain says of it: somebody changed it, so that it is no evidence. "
                "Gate the run again: ws.evals.gate(...)"
            )
    return Verdict(
        verdict_id=row["verdict_id"], outcome=row["outcome"], run_id=row["run_id"],
        baseline_run_id=row["baseline_run_id"], prompt_ref=row["prompt_ref"],
        results=tuple(CriterionResult(**one) for one in json.loads(row["detail"])["results"]),
        criteria=json.loads(row["criteria"]), created_at=from_ns(row["created_ns"]),
        actor=row["actor"], event_id=row["event_id"],
    )  # fmt: skip
