"""One run, as it is in the store: what ran, how far it is, its cases and scores as frames, its summary."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from lmops.base.shown import Shown
from lmops.errors import NotFoundError, UsageError
from lmops.evals._records import Totals
from lmops.evals._rows import named, run_row
from lmops.evals.summaries import ScorerSummary, summarise
from lmops.text import plain_line
from lmops.times import from_ns

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    import pandas as pd

    from lmops.evals._matrix import Measured
    from lmops.store import Store

_JSON = ("params", "scorers", "settings", "environment")


class Run(Shown):
    """One run of an evaluation: ``.df()``, ``.scores()``, ``.failures()``, ``.summary()``, ``.totals``.

    It reads the store, so that a run that is going on in another process is seen as far as it is.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self.run_id = run_id
        row = self._row()
        self._record: dict[str, Any] = {
            name: json.loads(value) if name in _JSON and value else value for name, value in dict(row).items()
        }

    def _row(self) -> sqlite3.Row:
        with self._store.reading() as con:
            return run_row(con, self.run_id)

    # -- what ran --------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """Name of the experiment."""
        return str(self._record["name"])

    @property
    def record(self) -> dict[str, Any]:
        """Everything that is written down of it, as a dict."""
        hidden = ("owner", "pid", "pid_started", "host", "heartbeat_ns")
        return {name: value for name, value in self._record.items() if name not in hidden} | {"status": self.status}

    @property
    def dataset(self) -> str:
        """The dataset version, such as "golden@2"."""
        return str(self._record["dataset"])

    @property
    def dataset_hash(self) -> str:
        """The hash of the dataset version."""
        return str(self._record["dataset_hash"])

    @property
    def prompt_ref(self) -> str | None:
        """The prompt version, such as "support-answer@3"; None when no prompt was named."""
        found: str | None = self._record["prompt_ref"]
        return found

    @property
    def model(self) -> str | None:
        """The model that was asked for."""
        found: str | None = self._record["model"]
        return found

    @property
    def scorers(self) -> dict[str, dict[str, Any]]:
        """Its scorers by name: version, range, higher_is_better."""
        return {one["name"]: one for one in self._record["scorers"]}

    @property
    def settings(self) -> dict[str, Any]:
        """Concurrency, timeout, retries, budget and what else was set."""
        found: dict[str, Any] = self._record["settings"]
        return found

    @property
    def repeats(self) -> int:
        """How many times each example is asked."""
        return int(self._record["repeats"])

    @property
    def started_at(self) -> datetime:
        """When it began."""
        return from_ns(self._record["started_ns"])

    # -- how far it is ---------------------------------------------------------------------------------------------

    @property
    def status(self) -> str:
        """One of running, finished, interrupted, over_budget, failed, crashed (nobody works on it any more)."""
        from lmops.evals._journal import is_held

        row = self._row()
        if row["status"] == "running" and not is_held(row, now_ns=time.time_ns()):
            return "crashed"
        return str(row["status"])

    @property
    def is_complete(self) -> bool:
        """Whether every case is finished."""
        totals = self.totals
        return totals.cases == totals.planned

    @property
    def error(self) -> str | None:
        """What stopped it before its end; None when nothing did."""
        found: str | None = self._row()["error"]
        return found

    @property
    def totals(self) -> Totals:
        """Sums over its finished cases, over all sessions."""
        row = self._row()
        planned = row["examples"] * row["repeats"]
        return Totals(
            cases=row["cases"],
            planned=planned,
            errors=row["errors"],
            not_run=planned - row["cases"],
            input_tokens=row["input_tokens"],
            output_tokens=row["output_tokens"],
            cost_usd=row["cost_usd"],
            scoring_cost_usd=row["scoring_cost_usd"],
            unpriced=row["unpriced"],
            duration_s=row["duration_s"],
            sessions=row["sessions"],
        )

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
        from lmops.evals._matrix import measured

        return measured(self._store, self.run_id)

    def summary(self, *, level: float = 0.95) -> list[ScorerSummary]:
        """Return the mean of each scorer with its interval, coverage and errors.

        Args:
            level: Confidence level in (0, 1).
        """
        return summarise(self.measured(), self.scorers, cases=self.totals.planned, level=level)

    def _frame(self, query: str) -> pd.DataFrame:
        found: pd.DataFrame = self._store.sql(query, [self.run_id]).to_arrow_table().to_pandas()
        return found

    # -- for a reader ----------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        totals = self.totals
        failed = f", {totals.errors:,} failed" if totals.errors else ""
        return (
            f"<Run {self.run_id} {plain_line(self.name, 60)} on {self.dataset}: {self.status}, "
            f"{totals.cases:,} of {totals.planned:,} cases{failed}{self._why_nothing(totals)}>"
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
            "select scorer, min(reason) from scores where run_id = ? and scorer in (select unnest(?::VARCHAR[])) "
            "group by scorer having count(value) = 0 and count(*) filter (status = 'error') > 0 order by scorer limit 1"
        )
        found = self._store.sql(query, [self.run_id, list(self.scorers)]).fetchall()
        return f"; {found[0][0]} has no score: {plain_line(found[0][1], 160)}" if found else ""


def find_run(store: Store, asked: str) -> str:
    """Return the id of the run that is meant.

    Raises:
        NotFoundError: There is none.
        UsageError: The start of an id fits several.
    """
    if not isinstance(asked, str):
        raise UsageError(f"a run is named by its id or by the name of its experiment; this is {type(asked).__name__}")
    with store.reading() as con:
        rows = named(con)
    for row in rows:
        if row["run_id"] == asked:
            return asked
    starting = [row["run_id"] for row in rows if len(asked) > 4 and row["run_id"].startswith(asked)]
    if len(starting) > 1:
        raise UsageError(f"{asked!r} is the start of {len(starting)} runs: {', '.join(starting[:5])}")
    of_name = [row["run_id"] for row in rows if row["name"] == asked]
    if found := starting or of_name:
        return str(found[0])
    known = [row["run_id"] for row in rows[:1000]] + [row["name"] for row in rows[:1000]]
    raise NotFoundError.of("run", asked, known, hint="ws.evals.list() shows them")
