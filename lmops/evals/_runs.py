"""One run, as it is in the store: what ran, how far it is, its cases and scores as frames, its summary."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.base.shown import Shown
from lmops.errors import UsageError
from lmops.evals._calibrated import doubts
from lmops.evals._corrected import Judged, judged_of, with_correction
from lmops.evals._matrix import measured
from lmops.evals._recorded import Progress, Recorded
from lmops.evals._rows import asked_row, run_row
from lmops.evals.summaries import scale, summarise, unit
from lmops.text import plain_line

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    import pandas as pd

    from lmops.evals._matrix import Measured
    from lmops.evals._records import Totals
    from lmops.evals.summaries import ScorerSummary
    from lmops.store import Store

_CORRECTED: Final = (
    "corrected",
    "corrected_low",
    "corrected_high",
    "correction",
    "ppi",
    "ppi_low",
    "ppi_high",
    "ppi_labels",
    "ppi_note",
)
_SIDE_BY_SIDE: Final = (
    "run_id",
    "label",
    "scorer",
    "mean",
    "low",
    "high",
    "n",
    "coverage",
    "cost_per_case_usd",
    "p50_ms",
    "unit",
    "calibration",
    *_CORRECTED,
)


class Run(Shown, Recorded):
    """One run of an evaluation: ``.df()``, ``.scores()``, ``.failures()``, ``.summary()``, ``.totals``.

    It reads the store, so that a run that is going on in another process is seen as far as it is.

    Args:
        store: Where it is.
        run_id: Which one it is.
        row: Of the run, where it was read already.
    """

    def __init__(self, store: Store, run_id: str, *, row: sqlite3.Row | None = None) -> None:
        self._store = store
        super().__init__(self._row(run_id) if row is None else row)

    def _row(self, run_id: str) -> sqlite3.Row:
        with self._store.reading() as con:
            return run_row(con, run_id)

    @property
    def record(self) -> dict[str, Any]:
        """Everything that is written down of it, as a dict."""
        hidden = ("owner", "pid", "pid_started", "host", "heartbeat_ns")
        return {name: value for name, value in self._record.items() if name not in hidden} | {"status": self.status}

    # -- how far it is ---------------------------------------------------------------------------------------------

    def progress(self) -> Progress:
        """Return how far it is now: status, error and totals of one moment."""
        return Progress.of(self._row(self.run_id))

    def state(self) -> RunState:
        """Return it as it is now, with its cases as arrays: read once, to be asked as often as wanted."""
        return states(self._store, [self])[0]

    @property
    def status(self) -> str:
        """One of running, finished, interrupted, over_budget, failed, crashed (nobody works on it any more)."""
        return self.progress().status

    @property
    def is_complete(self) -> bool:
        """Whether every case is finished."""
        totals = self.totals
        return totals.cases == totals.planned

    @property
    def error(self) -> str | None:
        """What stopped it before its end; None when nothing did."""
        return self.progress().error

    @property
    def totals(self) -> Totals:
        """Sums over its finished cases, over all sessions."""
        return self.progress().totals

    # -- what came out ---------------------------------------------------------------------------------------------

    def df(self) -> pd.DataFrame:
        """Return one row per case: the columns of the view ``results`` and one for the value of each scorer."""
        results = self._frame("select * exclude (run_id) from results where run_id = ? order by example_id, repeat")
        scores = self._frame(
            "select example_id, repeat, scorer, value from scores where run_id = ? order by scorer, example_id, repeat"
        )
        keys = ["example_id", "repeat"]
        found = {str(name): part for name, part in scores.groupby("scorer", sort=False)}
        for name in self.scorers:
            column = name if name not in results.columns else f"score.{name}"
            part = found.get(name, scores[:0])
            if len(part) == len(results):
                # Every case has its row of every scorer, in the same order.
                results[column] = part["value"].to_numpy()
            else:
                values = part[[*keys, "value"]].rename(columns={"value": column})
                results = results.merge(values, on=keys, how="left")
        return results

    def scores(self) -> pd.DataFrame:
        """Return one row per case and scorer: value, status, reason, rationale, detail."""
        return self._frame("select * exclude (run_id) from scores where run_id = ? order by scorer, example_id, repeat")

    def failures(self) -> pd.DataFrame:
        """Return the cases that failed, ran out of time or were not run, with their errors."""
        return self._frame(
            "select example_id, repeat, status, error_type, error, attempts, latency_ms, trace_id, started_at "
            "from results where run_id = ? and status <> 'ok' order by example_id, repeat"
        )

    def measured(self) -> Measured:
        """Return its scores as arrays: examples by repeats."""
        return measured(self._store, [self.run_id])[0]

    def summary(self, *, level: float = 0.95) -> list[ScorerSummary]:
        """Return the mean of each scorer with its interval, coverage and errors; of a judge what people would find too.

        Args:
            level: Confidence level in (0, 1).
        """
        return self.state().summary(level=level)

    def uncalibrated(self) -> dict[str, str]:
        """Return the scorers that are judges without a calibration that holds, each with why."""
        return doubts(self._store, self.scorers)

    def _frame(self, query: str) -> pd.DataFrame:
        from lmops.base.frames import Frame

        return Frame(self._store.sql(query, [self.run_id]).to_arrow_table().to_pandas())

    # -- for a reader ----------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return self.line(self.progress())

    def line(self, progress: Progress, *, is_silent: bool = True) -> str:
        """Return it in one line.

        Args:
            progress: How far it is.
            is_silent: Whether something may have no score at all: why is said then.
        """
        totals = progress.totals
        failed = f", {totals.errors:,} failed" if totals.errors else ""
        return (
            f"<Run {self.run_id} {plain_line(self.name, 60)} on {self.dataset}: {progress.status}, "
            f"{totals.cases:,} of {totals.planned:,} cases{failed}{self._why_nothing(totals) if is_silent else ''}>"
        )

    def _why_nothing(self, totals: Totals) -> str:
        """Return why there is nothing to see, where every case or every score of a scorer failed."""
        if not totals.cases or (totals.errors < totals.cases and not self.scorers):
            return ""
        if totals.errors == totals.cases:
            query = "select error_type, error from results where run_id = ? and error is not null order by started_at"
            found = self._store.sql(f"{query} limit 1", [self.run_id]).fetchall()
            return f": {plain_line(': '.join(filter(None, found[0])), 160)}" if found else ""
        query = (
            "select scorer, arg_min(reason, (status <> 'error', reason)) from scores where run_id = ? and scorer in "
            "(select unnest(?::VARCHAR[])) group by scorer having count(value) = 0 "
            "order by count(*) filter (status = 'error') = 0, scorer"
        )
        found = self._store.sql(query, [self.run_id, list(self.scorers)]).fetchall()
        if not found:
            return ""
        more = f" (nor has {', '.join(plain_line(one[0], 60) for one in found[1:])})" if found[1:] else ""
        return f"; {plain_line(found[0][0], 60)} has no score: {plain_line(found[0][1] or '', 160)}{more}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """A run at one moment; what is made of it reads nothing more.

    Args:
        run: What ran.
        progress: How far it was.
        measured: Its cases as arrays.
        judged: What is known of its judges.
    """

    run: Run
    progress: Progress
    measured: Measured
    judged: Judged

    @property
    def totals(self) -> Totals:
        """Sums over its finished cases."""
        return self.progress.totals

    def summary(self, *, level: float = 0.95) -> list[ScorerSummary]:
        """Return the mean of each scorer with its interval, coverage and errors.

        Args:
            level: Confidence level in (0, 1).
        """
        scorers = self.run.scorers
        found = summarise(self.measured, scorers, cases=self.totals.planned, level=level)
        return [
            with_correction(one, self.measured, self.judged, scale(scorers[one.scorer]["range"]), level)
            for one in found
        ]


def states(store: Store, asked: Sequence[Run | str] | Run | str) -> list[RunState]:
    """Return these runs as they are now, all of one moment, with their cases as arrays.

    Args:
        store: Where they are.
        asked: Runs, their ids, or names of experiments; or one.

    Raises:
        NotFoundError: There is no such run.
        UsageError: Something else than a run or its name was given.
    """
    if isinstance(asked, str) or not isinstance(asked, Iterable):
        asked = [asked]
    asked = list(asked)
    for one in asked:
        refuse_what_is_no_run(one)
    with store.reading() as con:
        rows = [run_row(con, one.run_id) if isinstance(one, Run) else asked_row(con, one) for one in asked]
    runs = [
        one if isinstance(one, Run) else Run(store, row["run_id"], row=row)
        for one, row in zip(asked, rows, strict=True)
    ]
    found = measured(store, [run.run_id for run in runs])
    return [
        RunState(run=run, progress=Progress.of(row), measured=cases, judged=judged)
        for run, row, cases, judged in zip(runs, rows, found, judged_of(store, runs), strict=True)
    ]


def find_run(store: Store, asked: str) -> Run:
    """Return the run that is meant: by its id, the start of its id, or the newest of an experiment's name.

    Raises:
        NotFoundError: There is none.
        UsageError: The start of an id fits several.
    """
    refuse_what_is_no_run(asked)
    with store.reading() as con:
        row = asked_row(con, asked)
    return Run(store, row["run_id"], row=row)


def refuse_what_is_no_run(asked: object) -> None:
    """Raise for what is neither a run nor can name one.

    Raises:
        UsageError: It is neither.
    """
    if not isinstance(asked, Run | str):
        raise UsageError(f"a {type(asked).__name__} is no run: give a Run, its id or the name of an experiment")


def _unit(state: RunState, scorer: str) -> str:
    """Return in which unit a scorer of a run counts; verdicts are shares whether their scale is said or not."""
    from lmops.calc.arrays import is_binary

    ends = scale(state.run.scorers[scorer]["range"])
    return unit(
        scorer, (0.0, 1.0) if math.isinf(max(map(abs, ends))) and is_binary(state.measured.scores[scorer]) else ends
    )


def side_by_side(states: Sequence[RunState], *, level: float) -> pd.DataFrame:
    """Return one row per run and scorer, with the mean cost of a case and the median latency of the run."""
    import numpy as np

    from lmops.base.frames import Frame

    labels = [plain_line(state.run.prompt_ref or state.run.name, 60) for state in states]
    made = []
    for state, label in zip(states, labels, strict=True):
        run_id = state.run.run_id
        shown = label if labels.count(label) == 1 else f"{label} ({run_id[-6:]})"
        measures = state.measured.measures
        cost, latency = (
            float(measure(values)) if (values := matrix[~np.isnan(matrix)]).size else math.nan
            for measure, matrix in ((np.mean, measures["cost_usd"]), (np.median, measures["latency_ms"]))
        )
        made += [
            (
                run_id,
                shown,
                one.scorer,
                one.mean,
                one.low,
                one.high,
                one.n,
                one.coverage,
                cost,
                latency,
                _unit(state, one.scorer),
                one.calibration,
                *(getattr(one, name) for name in _CORRECTED),
            )
            for one in state.summary(level=level)
        ]
    return Frame(made, columns=list(_SIDE_BY_SIDE))
