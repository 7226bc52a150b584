"""What a comparison of arms found, what it would take, how a canary stands, and what is advised."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from lmops import charts
from lmops.base.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import pandas as pd
    import plotly.graph_objects as go

    from lmops.calc.decide import Decision
    from lmops.calc.experiments import ArmDifference, SampleRatio
    from lmops.metrics import Metric

#: better, worse and non_inferior say what is known; inconclusive that more users are needed; invalid that the users did
#: not come in the shares that were meant, so that nothing is known.
Verdict = Literal["better", "worse", "non_inferior", "inconclusive", "invalid"]
#: What a canary does next; promoted and stopped are behind it.
Next = Literal["wait", "go_on", "promote", "stop", "promoted", "stopped"]

_COLUMNS: Final = (
    *("name", "title", "role", "outcome", "difference", "low", "high", "margin", "unit", "worse", "treatment"),
    *("control", "n_treatment", "n_control", "n_needed", "reduced", "note"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricComparison:
    """One metric of two arms, by user.

    Args:
        metric: What is compared.
        is_guard: It must not get worse; else it is what the comparison is about.
        found: The difference, treatment - control.
        decision: What that says.
        verdict: The word of it; invalid where the users did not come in the shares that were meant.
        items: Of both arms.
        notes: What else is to be known.
    """

    metric: Metric
    is_guard: bool
    found: ArmDifference
    decision: Decision
    verdict: Verdict
    items: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmComparison(Shown):
    """Two arms of a route, metric by metric, with intervals that hold however often one looks.

    Args:
        route: Name of the route.
        treatment: The arm that is asked about.
        control: The arm that it is held against.
        since: First decision that counts, UTC; None without any.
        until: Last one.
        metrics: The one that is asked about, then the guards.
        split: Whether the users came in the shares that were meant.
        arms: All arms, in the order of the split.
        users_in_two: Users who were given several arms; they count in the first, while they had it.
        elsewhere: Requests that another arm answered than the one that had the key, by reason.
        level: Of the intervals.
        notes: What else is to be known.
    """

    route: str
    treatment: str
    control: str
    since: datetime | None
    until: datetime | None
    metrics: tuple[MetricComparison, ...]
    split: SampleRatio
    arms: tuple[str, ...]
    users_in_two: int
    elsewhere: Mapping[str, int]
    level: float
    notes: tuple[str, ...] = ()

    @property
    def primary(self) -> MetricComparison:
        """The metric that is asked about."""
        return self.metrics[0]

    @property
    def verdict(self) -> Verdict:
        """What can be said of the metric that is asked about."""
        return self.primary.verdict

    def df(self) -> pd.DataFrame:
        """Return one row a metric.

        Returns:
            name, title, role ("primary", "guard"), outcome, difference (treatment - control, in the unit of the
            metric), low, high, margin, unit, worse ("above", "below"), treatment, control (their figures), n_treatment,
            n_control (users), n_needed (users in all), reduced (share of the variance that earlier means took away),
            note. What is not known is NaN.
        """
        from lmops.base.frames import Frame

        return Frame([_row(one) for one in self.metrics], columns=_COLUMNS).astype({"n_needed": "Int64"})

    def chart(self) -> go.Figure:
        """Return the differences with their intervals, a panel a unit."""
        frame = self.df().assign(name=[one.metric.words for one in self.metrics])
        return charts.differences(frame, title=f"{self.treatment} - {self.control}")


def _row(one: MetricComparison) -> dict[str, Any]:
    found, decision = one.found, one.decision
    return {
        "name": one.metric.name,
        "title": one.metric.words,
        "role": "guard" if one.is_guard else "primary",
        "outcome": one.verdict,
        **{name: getattr(found, name) for name in ("difference", "low", "high", "reduced")},
        "margin": math.nan if decision.margin is None else decision.margin,
        "unit": one.metric.unit,
        "worse": one.metric.worse,
        "treatment": found.mean_a,
        "control": found.mean_b,
        "n_treatment": found.n_a,
        "n_control": found.n_b,
        "n_needed": decision.n_needed,
        "note": "; ".join(one.notes),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentPower(Shown):
    """How many users it takes to tell a difference.

    Args:
        route: Name of the route.
        metric: What would be compared.
        treatment: The arm that would be asked about.
        control: The arm that it would be held against.
        shares: Of the two arms.
        figure: The metric as it is.
        effect: Difference that is to be told.
        sd: Standard deviation of a user.
        users: From whom both are known.
        one_look: Users in all for one look that is planned; None: more than can be had.
        always: Users in all when one looks as often as one likes; most differences are told earlier.
        per_day: Users of a day, as they came so far; None where that is not known.
        level: Of the interval.
        power: With which the difference is told.
    """

    route: str
    metric: Metric
    treatment: str
    control: str
    shares: tuple[float, float]
    figure: float
    effect: float
    sd: float
    users: int
    one_look: int | None
    always: int | None
    per_day: float | None
    level: float
    power: float

    @property
    def days(self) -> float | None:
        """How long it takes while one looks as often as one likes; None where that is not known."""
        return None if self.always is None or not self.per_day else self.always / self.per_day


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryStatus(Shown):
    """How a canary stands.

    Args:
        route: Name of the route.
        version: That is live.
        arm: The arm that is tried.
        control: The arm that it is held against.
        share: That the arm has.
        step: Place of the step, 1, 2, ...; None: it has none of the shares of the plan.
        steps: How many there are.
        n: Users of the arm since this step began.
        n_wanted: Users that this step asks for.
        decision: What is next: wait, go_on, promote, stop; promoted and stopped are behind it.
        reason: Why.
        weights: The shares by arm that the decision would set; None where nothing moves.
        comparison: The metrics; None where it is behind.
        is_automatic: The plan lets a step move by itself.
    """

    route: str
    version: int
    arm: str
    control: str
    share: float
    step: int | None
    steps: int
    n: int
    n_wanted: int | None
    decision: Next
    reason: str
    weights: Mapping[str, float] | None
    comparison: ArmComparison | None
    is_automatic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryStep(Shown):
    """What became of a step of a canary.

    Args:
        status: How it stood, and what was decided.
        is_moved: The weights were moved.
        version: Of the route, afterwards.
    """

    status: CanaryStatus
    is_moved: bool
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvisedArm:
    """What speaks for an arm, and against it.

    Args:
        arm: Its name.
        quality: Its figure; None: not known.
        cost: Its cost; None: not known.
        units: Users, or examples, behind its quality.
        verdict: Of its quality against that of the best arm; None: it is the best, or not known.
        difference: Of its quality to that of the best arm; None: it is the best, or not known.
        low: Limit of it.
        high: Limit of it.
        n_needed: Users in all with which it can be told.
    """

    arm: str
    quality: float | None
    cost: float | None
    units: int
    verdict: Verdict | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    n_needed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice(Shown):
    """The cheapest arm whose quality is not worse than that of the best by more than a margin, as a proposal.

    Args:
        route: Name of the route.
        version: That is live.
        source: "traffic" (users), or "evals" (the same examples, of runs).
        quality: By what arms are good, and in which unit.
        unit: Of the quality.
        margin: The largest loss that is acceptable, in that unit.
        best: The arm of the highest quality; None: not known.
        arm: That is proposed; None: it cannot be told yet.
        reason: Why.
        arms: What speaks for each, the cheapest first.
        weights: The shares that ``set`` would take; None without a proposal.
        n_needed: Users, or examples, in all with which more can be told; None: nothing is open, or no number would do.
        evidence: What it rests on: the versions of the route whose decisions count, or the ids of the runs.
    """

    route: str
    version: int
    source: Literal["traffic", "evals"]
    quality: str
    unit: str
    margin: float
    best: str | None
    arm: str | None
    reason: str
    arms: tuple[AdvisedArm, ...]
    weights: Mapping[str, float] | None
    n_needed: int | None
    evidence: tuple[str, ...] = ()
