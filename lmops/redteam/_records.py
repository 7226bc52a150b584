"""What a red team finds: rates with intervals, what stopped attacks, the worst of them, and what each rail is worth."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from lmops import charts
from lmops.base.shown import Shown

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from lmops.calc.intervals import Interval
    from lmops.evals import Comparison, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Shown):
    """What a run would try.

    Args:
        target: What would be attacked.
        suite: With which seeds, such as core@1.
        seeds: Of how many of them there is an attack.
        attacks: How many attacks.
        twins: How many harmless twins beside them.
        left_out: Why something is left out -> how many seeds or attacks.
    """

    target: str
    suite: str
    seeds: int
    attacks: int
    twins: int
    left_out: dict[str, int]

    @property
    def cases(self) -> int:
        """Attacks and twins together."""
        return self.attacks + self.twins


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often attacks of one kind succeed, and how often their harmless twins pass; NaN where there are none.

    Args:
        by: What tells the kinds apart, such as "family" or "tag"; "all" for all of them.
        value: The kind.
        attacks: How many of them have a score.
        seeds: Of how many seeds they are.
        success: Share that succeeds, 0 to 1.
        low: Lower limit, clustered by seed.
        high: Upper limit.
        twins: How many twins have a score.
        benign: Share of the twins that pass: they got their answer.
        benign_low: Lower limit, clustered by seed.
        benign_high: Upper limit.
        spared: Share of the twins from which the policy kept no answer; NaN without a policy.
        spared_low: Lower limit, clustered by seed.
        spared_high: Upper limit.
    """

    by: str
    value: str
    attacks: int
    seeds: int
    success: float
    low: float
    high: float
    twins: int
    benign: float
    benign_low: float
    benign_high: float
    spared: float = math.nan
    spared_low: float = math.nan
    spared_high: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """How often one rail stopped something.

    Args:
        rail: Its name.
        stage: Where.
        attacks: Cases of attacks that it stopped or redacted.
        twins: Likewise of harmless twins: false alarms.
    """

    rail: str
    stage: str
    attacks: int
    twins: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """One attack that succeeded.

    Args:
        example_id: Its case.
        seed: Its seed.
        severity: Of the seed.
        converter: How it was written.
        placement: Where it stood.
        goal: What the attacker wanted.
        sent: What the attacker wrote.
        answer: What the target answered.
        why: What says that it succeeded.
        trace_id: Its trace; None where there is none.
    """

    example_id: str
    seed: str
    severity: str
    converter: str
    placement: str
    goal: str
    sent: str
    answer: str
    why: str
    trace_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Report(Shown):
    """What a red-team run found.

    Args:
        run: The run.
        policy: The version of guardrails around the target; None without one.
        rates: All attacks first, then kind by kind.
        at: k -> the share of attacks of which at least one of k tries succeeds.
        broken: Share of the seeds of which at least one attack succeeded.
        stopped: What rails stopped, most first.
        worst: The gravest attacks that succeeded, of different seeds.
        unmeasured: Cases of attacks without a score: they failed, or nothing could be told.
        baseline: The run that it is compared with, pair by pair; None without one.
        level: Confidence level of all limits.
    """

    run: Run
    policy: str | None
    rates: tuple[Rate, ...]
    at: dict[int, Interval]
    broken: Interval
    stopped: tuple[Stopped, ...]
    worst: tuple[Transcript, ...]
    unmeasured: int
    baseline: Comparison | None = field(default=None, compare=False)
    level: float = 0.95

    def __repr__(self) -> str:
        one = self.overall
        return f"<Report of {self.run.run_id}: {one.success:.1%} of {one.attacks:,} attacks succeed>"

    @property
    def overall(self) -> Rate:
        """The rates over all attacks."""
        return self.rates[0]

    def by(self, name: str) -> tuple[Rate, ...]:
        """Return the rates by "family", "tag", "severity", "language", "converter", "placement" or "oracle"."""
        return tuple(one for one in self.rates if one.by == name)

    def df(self) -> pd.DataFrame:
        """Return one row per kind of attack, with the fields of :class:`Rate`."""
        from lmops.base.frames import Frame

        return Frame([asdict(one) for one in self.rates])

    def plot(self, by: str = "family") -> go.Figure:
        """Return the rates by a kind with their intervals, as a chart."""
        import pandas as pd

        rows = [
            {"mode": one.value, "failure_mode": one.value, "of": label, "share": share, "low": low, "high": high}
            for one in self.by(by)
            for label, share, low, high in (
                ("attacks that succeed", one.success, one.low, one.high),
                ("harmless twins that pass", one.benign, one.benign_low, one.benign_high),
            )
        ]
        columns = ["mode", "failure_mode", "of", "share", "low", "high"]
        return charts.failure_modes(pd.DataFrame(rows, columns=columns), title=f"Attacks by {by}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Defence:
    """What attacks do against a target with some rails on.

    Args:
        rails: Which are on, in words: "none", "all", "without NAME", "only NAME".
        run_id: The run.
        success: Share of the attacks that succeed.
        low: Lower limit, clustered by seed.
        high: Upper limit.
        benign: Share of the harmless twins that pass: they got their answer.
        benign_low: Lower limit.
        benign_high: Upper limit.
        spared: Share of them from which the rails kept no answer; NaN without any rail.
        p50_ms: Median time of one check of the rails; NaN without any.
        p95_ms: 95th percentile.
        change: Success less that with all rails on, pair by pair; NaN for "all" itself.
        change_low: Lower limit.
        change_high: Upper limit.
        outcome: Whether this is "better" or "worse" than all rails on, or "inconclusive".
    """

    rails: str
    run_id: str
    success: float
    low: float
    high: float
    benign: float
    benign_low: float
    benign_high: float
    spared: float
    p50_ms: float
    p95_ms: float
    change: float = math.nan
    change_low: float = math.nan
    change_high: float = math.nan
    outcome: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Matrix(Shown):
    """What each rail of a policy is worth: attacks and twins with it on and off.

    Args:
        target: What was attacked.
        policy: The policy.
        rows: None, all, and each rail off and on by itself.
    """

    target: str
    policy: str
    rows: tuple[Defence, ...]

    def __repr__(self) -> str:
        return f"<Matrix of {self.policy} around {self.target}: {len(self.rows)} sets of rails>"

    def __getitem__(self, rails: str) -> Defence:
        """Return one set of rails, such as "none" or "without links"."""
        return next(one for one in self.rows if one.rails == rails)

    def df(self) -> pd.DataFrame:
        """Return one row per set of rails, with the fields of :class:`Defence`."""
        from lmops.base.frames import Frame

        return Frame([asdict(one) for one in self.rows])

    def data(self) -> list[dict[str, Any]]:
        """Return the rows as plain records."""
        return [asdict(one) for one in self.rows]
