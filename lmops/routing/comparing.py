"""Two arms of a route, metric by metric: decisions and what came of them, by user, as the keys were assigned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args

import numpy as np

from lmops.base.units import counted, share
from lmops.calc.experiments import arm_difference, judge_arms, pairs_needed, sample_ratio, user_spread
from lmops.errors import UsageError, did_you_mean
from lmops.metrics import items_sql, metric_of
from lmops.routing import judges
from lmops.routing._trial_records import ArmComparison, ExperimentPower, MetricComparison
from lmops.text import plain_line
from lmops.times import from_ns, to_ns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lmops.calc.experiments import ArmDifference, SampleRatio
    from lmops.metrics import Metric
    from lmops.routing._records import RouteVersion
    from lmops.store import Store

#: Whose requests belong together.
By = Literal["user_id", "key"]
#: What a comparison watches beside what it is about.
GUARDS: Final[Mapping[str, float | None]] = {"error_rate": None, "latency_p95": None, "cost_per_query": None}
#: Earlier means are of so long before the first decision.
_BEFORE_NS: Final = 28 * 24 * 3600 * 10**9
_DAY_NS: Final = 24 * 3600 * 10**9
_END_NS: Final = 4_102_444_800 * 10**9
#: Earlier means that take away less of the variance are not worth a word.
_WORTH: Final = 0.01
_CAUSES: Final = (
    "likely causes: decisions of one arm that were not recorded (its process ended, or its traces were dropped), a key "
    "that is not the same in each request, answers from a cache, traffic that was sent to one arm on purpose"
)
_UNIT: Final = {
    "user_id": "case when key_hash is null then trace_id else coalesce(user_id, key_hash) end",
    "key": "coalesce(key_hash, trace_id)",
}
#: Of a trace with several decisions the first counts. What a rule decided was not drawn.
_DRAWN: Final = """
drawn as materialized (
  select trace_id, assigned as arm, version, start_at as began, {unit} as unit, arm as answered, reason
  from routing_decisions
  where route = $route and list_contains($versions::BIGINT[], version) and not by_rule
    and start_at >= $from and start_at < $to
  qualify row_number() over (partition by trace_id order by start_at, span_id) = 1
)"""


class Trial(NamedTuple):
    """What is compared.

    Args:
        live: The version that is live.
        versions: Those in which both arms had a share and were what they are now.
        treatment: The arm that is asked about.
        control: The arm that it is held against.
        since_ns: Decisions from then on count.
        until_ns: Decisions before it count.
        by: Whose requests belong together.
    """

    live: RouteVersion
    versions: tuple[RouteVersion, ...]
    treatment: str
    control: str
    since_ns: int
    until_ns: int
    by: By

    @property
    def params(self) -> dict[str, Any]:
        """What the query of decisions is asked with."""
        return {
            "route": self.live.name,
            "versions": [one.version for one in self.versions],
            "from": from_ns(self.since_ns),
            "to": from_ns(self.until_ns),
        }

    @property
    def drawn(self) -> str:
        """The query of decisions: trace_id, arm (assigned), version, began, unit, answered, reason."""
        return _DRAWN.format(unit=_UNIT[self.by])

    @property
    def phases(self) -> dict[int, int]:
        """Versions under whose shares keys were drawn alike, by version."""
        known: dict[tuple[tuple[str, float], ...], int] = {}
        shares = ((one.version, tuple(sorted(one.weights.items()))) for one in self.versions)
        return {version: known.setdefault(weights, len(known)) for version, weights in shares}


def trial_of(
    live: RouteVersion,
    versions: Sequence[RouteVersion],
    arms: Sequence[str] | None,
    *,
    since: str | datetime | None = None,
    until: str | datetime | None = None,
    by: str = "user_id",
) -> Trial:
    """Return what is compared.

    Args:
        live: The version that is live.
        versions: All versions of the route.
        arms: The arm that is asked about and the one that it is held against; None: of a route with two arms the one
            with the smaller share against the other.
        since: Decisions from then on count; None: all.
        until: Decisions before it count; None: all.
        by: "user_id" or "key".

    Raises:
        UsageError: There are no such arms, or more than two and nobody said which.
    """
    if by not in get_args(By):
        raise UsageError(did_you_mean("kind of user to count by", by, get_args(By)))
    treatment, control = _pair(live, arms)
    same = tuple(
        one
        for one in versions
        if all(
            arm in one.arms and one.arms[arm].weight > 0 and _is_same(one, live, arm) for arm in (treatment, control)
        )
    )
    since_ns = 0 if since is None else to_ns(since)
    until_ns = _END_NS if until is None else to_ns(until)
    if since_ns >= until_ns:
        raise UsageError(f"since={plain_line(since, 60)!r} is not before until={plain_line(until, 60)!r}")
    return Trial(live, same, treatment, control, since_ns, until_ns, by)  # type: ignore[arg-type]  # checked above


class _About(NamedTuple):
    """What the decisions of a trial say beside their split."""

    arms: tuple[str, ...]
    first_ns: int | None
    last_ns: int | None
    n_random: int
    users_in_two: int
    elsewhere: dict[str, int]


def _pair(live: RouteVersion, arms: Sequence[str] | None) -> tuple[str, str]:
    if arms is None:
        used = sorted(live.arms, key=lambda name: -live.arms[name].weight)
        if len(used) != 2:
            listed = ", ".join(plain_line(one, 60) for one in live.arms)
            raise UsageError(f"{live.ref} has {counted(len(used), 'arm')} ({listed}): say arms=(treatment, control)")
        return used[1], used[0]
    if isinstance(arms, str) or len(arms) != 2 or arms[0] == arms[1]:
        raise UsageError(f"arms={arms!r}: give two, the one that is asked about and the one it is held against")
    for arm in arms:
        if arm not in live.arms:
            raise UsageError(did_you_mean(f"arm of {live.ref}", str(arm), live.arms))
    return arms[0], arms[1]


def _is_same(one: RouteVersion, live: RouteVersion, arm: str) -> bool:
    """Return whether an arm was what it is now; its share and its limits do not matter."""
    return replace(one.arms[arm], weight=0.0, limits=live.arms[arm].limits) == replace(live.arms[arm], weight=0.0)


def compared(
    store: Store,
    trial: Trial,
    metric: str | Mapping[str, Any],
    guards: Mapping[str, float | None],
    *,
    margin: float | None,
    level: float,
    tightest_at: float,
) -> ArmComparison:
    """Return the comparison; see :meth:`lmops.routing.Routing.compare`."""
    primary = metric_of(metric)
    watched = [_Watched(primary, margin, is_guard=False)]
    watched += [_Watched(metric_of(name), most, is_guard=True) for name, most in guards.items() if name != primary.name]
    split, about = _split(store, trial)
    first_ns, last_ns = about.first_ns, about.last_ns
    found = tuple(
        _compared(store, trial, one, first_ns=first_ns, is_off=split.is_mismatch, level=level, at=tightest_at)
        for one in watched
    )
    return ArmComparison(
        route=trial.live.name,
        treatment=trial.treatment,
        control=trial.control,
        since=None if first_ns is None else from_ns(first_ns),
        until=None if last_ns is None else from_ns(last_ns),
        metrics=found,
        split=split,
        arms=about.arms,
        users_in_two=about.users_in_two,
        elsewhere=about.elsewhere,
        level=level,
        notes=tuple(_notes(trial, split, about)),
    )


class _Watched(NamedTuple):
    """A metric, the largest acceptable loss of it, and whether it must only not get worse."""

    metric: Metric
    margin: float | None
    is_guard: bool


def _compared(
    store: Store, trial: Trial, watched: _Watched, *, first_ns: int | None, is_off: bool, level: float, at: float
) -> MetricComparison:
    """Return one metric of two arms."""
    metric = watched.metric
    values, units, in_a, phases, before = _items(store, trial, metric, first_ns)

    def at_level(level: float) -> ArmDifference:
        return arm_difference(
            values,
            units,
            in_a,
            phases=phases,
            before=before if bool((~np.isnan(before)).any()) else None,
            quantile=metric.level,
            level=level,
            tightest_at=at,
        )

    found, said = judges.corrected(store, trial, metric, at_level, level=level)
    decision = judge_arms(found, margin=watched.margin, higher_is_better=metric.worse == "below")
    notes = [*([found.note] if found.note else []), *said]
    if found.reduced >= _WORTH:
        notes.append(f"{share(found.reduced)} of the variance is explained by what users were like before")
    return MetricComparison(
        metric=metric,
        is_guard=watched.is_guard,
        found=found,
        decision=decision,
        verdict="invalid" if is_off else decision.outcome,
        items=values.size,
        notes=tuple(notes),
    )


def _items(store: Store, trial: Trial, metric: Metric, first_ns: int | None) -> tuple[np.ndarray, ...]:
    """Return of each item its value, unit, whether the treatment had it, its phase, and its unit's earlier mean."""
    began = trial.since_ns if first_ns is None else first_ns
    earlier = items_sql(metric, since="$before", until="$began")
    phases = trial.phases
    query = (
        f"with {trial.drawn}, was as (select t.user_id as unit, avg(i.value) as before from ({earlier}) as i join "
        "traces as t on t.trace_id = i.trace_id where t.user_id in (select unit from drawn) group by t.user_id) "
        "select i.value, d.unit, d.arm = $treatment as in_a, d.version, was.before from "
        f"({items_sql(metric)}) as i join drawn as d on d.trace_id = i.trace_id left join was on was.unit = d.unit "
        "where d.arm in ($treatment, $control) order by d.began, d.trace_id"
    )
    asked = {
        "treatment": trial.treatment,
        "control": trial.control,
        "since": from_ns(trial.since_ns),
        "until": from_ns(_END_NS),
        "before": from_ns(max(began - _BEFORE_NS, 0)),
        "began": from_ns(began),
    }
    found = store.sql(query, trial.params | asked).fetchnumpy()
    before = np.ma.filled(np.ma.asarray(found["before"], dtype=np.float64), np.nan)
    versions = np.asarray(found["version"], dtype=np.int64)
    phase = np.asarray([phases[one] for one in versions.tolist()], dtype=np.int64)
    in_a = np.asarray(found["in_a"], dtype=bool)
    return np.asarray(found["value"], dtype=np.float64), np.asarray(found["unit"], dtype=object), in_a, phase, before


def _split(store: Store, trial: Trial) -> tuple[SampleRatio, _About]:
    """Return whether users came in the shares that were meant, and what else the decisions say."""
    arms = tuple(dict.fromkeys(arm for one in trial.versions for arm, weight in one.weights.items() if weight > 0))
    phases = trial.phases
    query = (
        f"with {trial.drawn} select unit, arm, version, epoch_ns(began), answered, reason from drawn "
        "order by began, trace_id"
    )
    rows = store.sql(query, trial.params).fetchall()
    counts = np.zeros((max(len(set(phases.values())), 1), max(len(arms), 1)), dtype=np.int64)
    shares = np.full(counts.shape, 1 / counts.shape[1])
    for one in trial.versions:
        shares[phases[one.version]] = [one.weights.get(arm, 0.0) for arm in arms]
    known: dict[str, str] = {}
    several = set()
    for unit, arm, version, *_ in rows:
        if unit not in known:  # a user counts under the shares under which he came
            counts[phases[version], arms.index(arm)] += 1
        elif known[unit] != arm:
            several.add(unit)
        known[unit] = arm
    about = _About(
        arms=arms,
        first_ns=rows[0][3] if rows else None,
        last_ns=rows[-1][3] if rows else None,
        n_random=sum(row[5] == "random" for row in rows),
        users_in_two=len(several),
        elsewhere=dict(Counter(row[5] for row in rows if row[4] != row[1]).most_common()),
    )
    return sample_ratio(counts.tolist(), shares.tolist()), about


def _notes(trial: Trial, split: SampleRatio, about: _About) -> list[str]:
    """Return what else is to be known."""
    notes = []
    if about.first_ns is None:
        notes.append("no decision is recorded in which both arms had a share and were what they are now")
    if split.is_mismatch:
        notes.append(f"the users did not come in the shares that were meant, so nothing is said; {_CAUSES}")
    if about.users_in_two:
        several = counted(about.users_in_two, "user")
        notes.append(f"{several} had several arms, one after the other: what they met before may still show")
    if about.elsewhere:
        total = sum(about.elsewhere.values())
        why = ", ".join(f"{plain_line(reason, 30)} {n:,}" for reason, n in about.elsewhere.items())
        notes.append(
            f"{counted(total, 'request')} ({why}) got another arm's answer; each counts for the arm that had the key"
        )
    if about.n_random:
        notes.append(f"{counted(about.n_random, 'request')} had no key: each counts as a user of its own")
    if len(set(trial.phases.values())) > 1:
        notes.append("the shares changed on the way: only what happened under the same shares is held together")
    return notes


def guards_of(guards: Sequence[str] | Mapping[str, float | None] | None) -> dict[str, float | None]:
    """Return the metrics that must not get worse, with the largest acceptable loss of each."""
    if guards is None:
        return dict(GUARDS)
    if isinstance(guards, str):
        raise UsageError(f"guards={guards!r}: give names, or a mapping of names to margins: {{{guards!r}: 0.01}}")
    named = dict(guards) if isinstance(guards, Mapping) else dict.fromkeys(guards)
    for name, margin in named.items():
        metric_of(name)
        check_margin(margin, name)
    return named


def check_margin(margin: float | None, name: str) -> None:
    """Refuse a margin that is none."""
    if margin is not None and (isinstance(margin, bool) or not isinstance(margin, int | float) or not margin >= 0):
        raise UsageError(f"margin of {name}: {margin!r} is none; give the largest acceptable loss, such as 0.02")


def check_numbers(*, level: float, tightest_at: float, power: float = 0.8) -> None:
    """Refuse a level or a power that is none, and a number of pairs that cannot be."""
    for name, one in (("level", level), ("power", power)):
        if not 0 < one < 1:
            raise UsageError(f"{name}={one:g}: give one in (0, 1), such as 0.95")
    if not tightest_at > 0:
        raise UsageError(f"tightest_at={tightest_at:g}: give pairs of users, such as 250")


def two_shares(shares: Sequence[float] | None) -> tuple[float, float] | None:
    """Return the shares that two arms would have."""
    if shares is None:
        return None
    if len(shares) != 2 or not all(0 < one < 1 for one in shares) or sum(shares) > 1 + 1e-9:
        raise UsageError(f"shares={shares!r}: give two in (0, 1), of the treatment and the control, such as (0.1, 0.9)")
    return shares[0], shares[1]


def powered(
    store: Store,
    trial: Trial,
    metric: str | Mapping[str, Any],
    *,
    effect: float | None,
    shares: tuple[float, float] | None,
    power: float,
    level: float,
    tightest_at: float,
) -> ExperimentPower:
    """Return what it takes; see :meth:`lmops.routing.Routing.power`."""
    watched = metric_of(metric)
    values, units, days = _traffic(store, trial, watched)
    spread = user_spread(values, units, quantile=watched.level)
    if spread.users < 2:
        raise UsageError(
            f"nothing is known of {watched.name} of {trial.live.name}: it takes traffic of at least two users to plan"
        )
    weights = shares or (trial.live.weights[trial.treatment], trial.live.weights[trial.control])
    if min(weights) <= 0:
        raise UsageError(
            f"{trial.treatment} and {trial.control} have the shares {weights[0]:g} and {weights[1]:g}: say which they "
            "would have, shares=(0.1, 0.9)"
        )
    wanted = 0.1 * abs(spread.figure) if effect is None else abs(effect)
    if not wanted > 0:
        raise UsageError("effect: give the difference that is to be told, in the unit of the metric and above 0")
    part = weights[0] / sum(weights)
    one_look, always = (
        pairs_needed(wanted, spread.sd**2, alpha=1 - level, power=power, tightest_at=at) for at in (None, tightest_at)
    )
    in_all = [None if pairs is None else int(np.ceil(pairs / part / (1 - part))) for pairs in (one_look, always)]
    return ExperimentPower(
        route=trial.live.name,
        metric=watched,
        treatment=trial.treatment,
        control=trial.control,
        shares=weights,
        figure=spread.figure,
        effect=wanted,
        sd=spread.sd,
        users=spread.users,
        one_look=in_all[0],
        always=in_all[1],
        per_day=spread.users * sum(weights) / days if days else None,
        level=level,
        power=power,
    )


def _traffic(store: Store, trial: Trial, metric: Metric) -> tuple[np.ndarray, np.ndarray, float]:
    """Return values and users of what a route was asked, of all traffic before it was; and of how many days."""
    query = (
        f"select i.value, coalesce(t.user_id, i.cluster) as unit, epoch_ns(i.at) as ns from ({items_sql(metric)}) as i "
        "left join traces as t on t.trace_id = i.trace_id"
    )
    asked: dict[str, Any] = {"since": from_ns(trial.since_ns), "until": from_ns(trial.until_ns)}
    routed = f"{query} where i.trace_id in (select trace_id from routing_decisions where route = $route)"
    found = store.sql(routed, asked | {"route": trial.live.name}).fetchnumpy()
    if not len(found["value"]):
        found = store.sql(query, asked).fetchnumpy()
    at = np.asarray(found["ns"], dtype=np.int64)
    days = max(float(at.max() - at.min()) / _DAY_NS, 1.0) if at.size else 0.0
    return np.asarray(found["value"], dtype=np.float64), np.asarray(found["unit"], dtype=object), days
