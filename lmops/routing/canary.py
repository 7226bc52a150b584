"""A canary release: how it stands under bounds that hold at every look, and what the next step would set."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from lmops.base.units import counted, share
from lmops.routing._plan import Plan, plan_of, shares_with
from lmops.routing._trial_records import ArmComparison, CanaryStatus, MetricComparison, Next
from lmops.routing._words import difference_words
from lmops.routing.comparing import Trial, compared, trial_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lmops.routing._records import RouteVersion
    from lmops.store import Store

_ALIKE: Final = 1e-6
#: A reason of the audit chain is not endless.
_LONGEST: Final = 480


def status_of(store: Store, live: RouteVersion, versions: Sequence[RouteVersion]) -> CanaryStatus:
    """Return how the canary of a route stands; see :meth:`lmops.routing.Routing.canary`."""
    plan = plan_of(live.canary, live.weights, live.ref)
    has = live.weights[plan.arm]
    trial = trial_of(live, versions, (plan.arm, plan.control))
    place = next((at for at, one in enumerate(plan.steps) if abs(one.share - has) < _ALIKE), None)
    if has > 1 - _ALIKE:
        return _status(live, plan, None, "promoted", f"{plan.arm} has all keys")
    if has < _ALIKE and trial.versions:
        return _status(live, plan, None, "stopped", f"{plan.arm} had a share and has none any more")
    if has < _ALIKE:
        return _status(live, plan, None, "go_on", f"nobody has {plan.arm} yet", to=plan.steps[0].share)
    comparison = _looked_at(store, trial, plan)
    n = _came(store, trial)
    if place is None:
        reason = f"its share of {share(has)} is none of the plan's: set one of them to go on"
        return _status(live, plan, None, "wait", reason, n=n, comparison=comparison)
    decision, reason = _decided(plan, place, n, comparison)
    to = {"stop": 0.0, "promote": 1.0, "go_on": plan.steps[min(place + 1, len(plan.steps) - 1)].share}.get(decision)
    return _status(live, plan, place, decision, reason, n=n, comparison=comparison, to=to)


def _status(
    live: RouteVersion,
    plan: Plan,
    place: int | None,
    decision: Next,
    reason: str,
    *,
    n: int = 0,
    comparison: ArmComparison | None = None,
    to: float | None = None,
) -> CanaryStatus:
    return CanaryStatus(
        route=live.name,
        version=live.version,
        arm=plan.arm,
        control=plan.control,
        share=live.weights[plan.arm],
        step=None if place is None else place + 1,
        steps=len(plan.steps),
        n=n,
        n_wanted=None if place is None else plan.steps[place].n,
        decision=decision,
        reason=reason,
        weights=None if to is None else shares_with(live.weights, plan.arm, to, control=plan.control),
        comparison=comparison,
        is_automatic=plan.automatic,
    )


def _looked_at(store: Store, trial: Trial, plan: Plan) -> ArmComparison:
    """Return the comparison; all that is looked at together errs as seldom as the plan says."""
    guards = dict(plan.guards)
    primary = plan.primary or next(iter(guards))
    margin = plan.margin if plan.primary else guards.pop(primary)
    looked_at = len({primary, *guards})
    level = 1 - (1 - plan.level) / looked_at
    return compared(store, trial, primary, guards, margin=margin, level=level, tightest_at=plan.tightest_at)


def _came(store: Store, trial: Trial) -> int:
    """Return how many users the arm had under the shares of the live version."""
    phases = trial.phases
    mine = tuple(one for one in trial.versions if phases[one.version] == phases.get(trial.live.version))
    now = trial._replace(versions=mine)
    query = f"with {now.drawn} select count(distinct unit) from drawn where arm = $treatment"
    return int(store.sql(query, now.params | {"treatment": trial.treatment}).fetchall()[0][0])


def _decided(plan: Plan, place: int, n: int, found: ArmComparison) -> tuple[Next, str]:
    """Return what is next, and why."""
    wanted = plan.steps[place].n
    if found.split.is_mismatch:
        return "wait", "the users did not come in the shares that were meant: nothing can be said until that is found"
    worse = [one for one in found.metrics if one.verdict == "worse"]
    if worse:
        return "stop", "; ".join(map(difference_words, worse))
    if n < wanted:
        return "wait", f"{counted(n, 'user')} of {wanted:,} that this step asks for; nothing is worse so far"
    if place < len(plan.steps) - 1:
        return "go_on", f"{counted(n, 'user')} in this step, and nothing is worse"
    is_open = [one for one in found.metrics if not _passes(one, plan)]
    if not is_open:
        return "promote", "; ".join(map(difference_words, found.metrics))
    needed = [one.decision.n_needed for one in is_open]
    most = "" if None in needed else f", {max(filter(None, needed)):,} users in all tell"
    return "wait", f"cannot tell yet{most}: " + "; ".join(map(difference_words, is_open))


def _passes(one: MetricComparison, plan: Plan) -> bool:
    """Return whether a metric lets the arm be promoted: a guard without a margin only stops what is worse."""
    if one.verdict in ("better", "non_inferior"):
        return True
    is_primary = not one.is_guard and plan.primary is not None
    return one.decision.margin is None and not is_primary and one.verdict == "inconclusive"


def evidence_of(status: CanaryStatus) -> dict[str, Any]:
    """Return what a step rests on, as plain data: the version, the decisions that were looked at, and their figures."""
    found = status.comparison
    told: dict[str, Any] = {
        **{name: getattr(status, name) for name in ("version", "arm", "control", "decision", "step", "n", "n_wanted")},
        "from": status.share,
        "to": status.weights,
    }
    if found is None:
        return told
    split = {"arms": dict(zip(found.arms, found.split.counts, strict=False)), "p_value": found.split.p_value}
    return {**told, "since": _iso(found.since), "until": _iso(found.until), "split": split} | {
        "metrics": [_figures(one) for one in found.metrics]
    }


def _figures(one: MetricComparison) -> dict[str, Any]:
    found = one.found
    numbers = {name: getattr(found, name) for name in ("difference", "low", "high", "mean_a", "mean_b", "level")}
    known = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
    users = {"users_a": found.n_a, "users_b": found.n_b, "margin": one.decision.margin}
    return {"metric": one.metric.name, "verdict": one.verdict, **known, **users}


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def move_words(status: CanaryStatus, reason: str | None) -> str:
    """Return why the shares move, for the audit chain: the evidence, and what somebody said."""
    verb = {"go_on": "goes on", "promote": "is promoted", "stop": "is stopped"}[status.decision]
    step = "" if status.step is None else f", step {status.step} of {status.steps}"
    why = f"{reason}; " if reason else ""
    return f"{why}canary {status.arm} {verb}{step}: {status.reason}"[:_LONGEST]
