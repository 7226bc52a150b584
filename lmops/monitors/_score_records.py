"""What a call that scores production says, and what production's scores are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from lmops.base.shown import Shown

if TYPE_CHECKING:
    import pandas as pd

End = Literal["finished", "over_budget", "failed", "planned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What one scorer did in one call.

    Args:
        scorer: Its name.
        version: Its version.
        kind: code, judge.
        wanted: Traces that it is to score: all that were found, or those that were drawn.
        known: Of them, those that it had scored before.
        values: Scores that this call added.
        unmeasured: Traces with nothing to measure.
        failed: Traces that it could not score; the next call tries again.
        left: Traces that are still to be scored: the budget was spent, or somebody else scores them.
        cost_usd: What asking models cost; None where nothing has a known cost.
        expected_usd: What all that is left would cost by the scores so far; None: not known, or nothing.
    """

    scorer: str
    version: str
    kind: str
    wanted: int
    known: int
    values: int = 0
    unmeasured: int = 0
    failed: int = 0
    left: int = 0
    cost_usd: float | None = None
    expected_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringReport(Shown):
    """What one call of ``ws.monitors.score`` did.

    Args:
        scorers: One record a scorer.
        traces: Traces of production that the condition and the range find.
        drawn: Of them, those that were drawn for what asks a model; None where nothing does.
        status: finished, over_budget, failed (a model that could not be reached, or has no price), planned (a dry run).
        error: What stopped it before its end.
        cost_usd: What it cost in all; None where nothing has a known cost.
        notes: What a reader has to know besides.
    """

    scorers: tuple[Scored, ...]
    traces: int
    drawn: int | None
    status: End
    error: str | None = None
    cost_usd: float | None = None
    notes: tuple[str, ...] = ()

    def df(self) -> pd.DataFrame:
        """Return a row a scorer: scorer, version, kind, wanted, known, values, unmeasured, failed, left, cost_usd."""
        import pandas as pd

        return pd.DataFrame([{name: getattr(one, name) for name in Scored.__slots__} for one in self.scorers])

    def data(self) -> dict[str, Any]:
        """Return all as plain data."""
        scorers = [{name: getattr(one, name) for name in Scored.__slots__} for one in self.scorers]
        names = ("traces", "drawn", "status", "error", "cost_usd")
        return {**{name: getattr(self, name) for name in names}, "notes": list(self.notes), "scorers": scorers}


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceScores(Shown):
    """What scorers say of production, by scorer, interval and group; ``df()`` has the rows.

    Args:
        frame: As :meth:`lmops.monitors.Monitors.scores` says.
        by: The groups.
        notes: What a reader has to know besides.
    """

    frame: pd.DataFrame = field(repr=False)
    by: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def df(self) -> pd.DataFrame:
        """Return the rows as a frame of its own."""
        return self.frame.copy()

    def data(self) -> dict[str, Any]:
        """Return the rows and the notes as plain data."""
        rows = self.frame.astype(object).where(self.frame.notna(), None).to_dict("records")
        return {"by": list(self.by), "notes": list(self.notes), "rows": rows}
