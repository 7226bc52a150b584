"""The runner: N workers over one iterator of work, one writer, and an end that says why it came."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

from lmops.base.units import counted, money
from lmops.scorers.writing import Row, Writer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from lmops.scorers.writing import Journal

#: So many failures of the endpoint in a row, and at least twice as many as there are workers, end a run.
OUTAGE_CASES: Final = 20


class Maker(Protocol):
    """Turns work into finished rows."""

    @property
    def row(self) -> Callable[..., Awaitable[tuple[Row, str | None]]]:
        """Returns a row (status, error, cost_usd, scoring_cost_usd, ...) and the kind of outage that made it fail."""

    def close(self) -> None:
        """Let go of what is held for it."""


class State:
    """How far a run is, for whoever shows it.

    Args:
        total: Cases of the whole run.
        done: Of them, those that were finished before.
        cost_usd: What those cost.
    """

    def __init__(self, *, total: int, done: int, cost_usd: float | None) -> None:
        self.total = total
        self.done = self.before = done
        self.errors = 0
        self.cost_usd = cost_usd
        self._began = time.monotonic()

    def note(self) -> str:
        """Return rate, cost so far, failures and time left in a few words."""
        seconds = max(time.monotonic() - self._began, 1e-9)
        rate = (self.done - self.before) / seconds
        words = [f"{rate:,.1f}/s"]
        if self.cost_usd is not None:
            words.append(money(self.cost_usd))
        if self.errors:
            words.append(f"{self.errors:,} failed")
        if rate and self.done < self.total:
            words.append(f"{_span((self.total - self.done) / rate)} left")
        return "  ".join(words)


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Runner:
    """Runs what is left of a run.

    Args:
        journal: Where finished cases go.
        cases: Makes them.
        work: What is to be done, as the arguments of ``cases.row``.
        state: Kept up to date.
        concurrency: How many at a time.
        budget_usd: No case starts when so much is spent; None for no limit.
        watch: Is shown every finished case; what it says ends the run.
        owns_loop: Whether nobody else is in the loop.
        goes_on: How it goes on when an endpoint that is gone is back.
    """

    def __init__(
        self,
        journal: Journal,
        cases: Maker,
        work: Iterator[tuple[Any, ...]],
        state: State,
        *,
        concurrency: int,
        budget_usd: float | None,
        owns_loop: bool,
        watch: Callable[[Row], str | None] | None = None,
        goes_on: str = "resume the run with retry_errors=True",
    ) -> None:
        self._watch = watch
        self._goes_on = goes_on
        self._owns_loop = owns_loop
        self._journal = journal
        self._cases = cases
        self._work = work
        self._state = state
        self._concurrency = concurrency
        self._budget_usd = budget_usd
        self._in_flight = 0
        self._priced = 0
        self._spent = 0.0
        self._outages = 0
        self._stopped: str | None = None
        self._error: str | None = None

    async def run(self) -> None:
        """Run until there is nothing left, the budget is spent or the endpoint is gone; :meth:`end` says which."""
        writer = Writer(self._journal, owns_loop=self._owns_loop)
        count = min(self._concurrency, max(1, self._state.total - self._state.done))
        workers = [asyncio.create_task(self._worker(writer)) for _ in range(count)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            # What has finished is kept, whatever ended the run.
            await writer.close()
            self._cases.close()

    def end(self, left: int) -> tuple[str, str | None]:
        """Return the status of the run and what stopped it, when so many cases were not run."""
        if self._stopped != "over_budget" or self._budget_usd is None:
            return self._stopped or "finished", self._error
        if not left:
            # The cases in flight were the last ones.
            return "finished", None
        spent = f"the budget of {money(self._budget_usd)} is spent ({money(self._state.cost_usd or 0.0)})"
        return "over_budget", f"{spent}; {counted(left, 'case')} {'was' if left == 1 else 'were'} not run"

    async def _worker(self, writer: Writer) -> None:
        cases, state, put = self._cases.row, self._state, writer.put
        while self._stopped is None and not self._is_spent():
            work = next(self._work, None)
            if work is None:
                return
            self._in_flight += 1
            try:
                row, outage = await cases(*work)
            finally:
                self._in_flight -= 1
            # At once: what waits to be committed is spent as well.
            self._spend(row["cost_usd"], row["scoring_cost_usd"])
            await put(row)
            state.done += 1
            if self._watch is not None and self._stopped is None and (said := self._watch(row)) is not None:
                self._stopped, self._error = "finished", said
            if row["status"] != "ok":
                state.errors += 1
                self._note_failure(outage, row)
            else:
                self._outages = 0

    def _spend(self, cost: float | None, scoring: float | None) -> None:
        if cost is None and scoring is None:
            return
        both = (cost or 0.0) + (scoring or 0.0)
        self._priced += 1
        self._spent += both
        self._state.cost_usd = (self._state.cost_usd or 0.0) + both

    def _is_spent(self) -> bool:
        """Return whether the cases in flight may use up the budget, at the mean cost so far."""
        if self._budget_usd is None or self._state.cost_usd is None:
            return False
        mean = self._spent / self._priced if self._priced else 0.0
        if self._state.cost_usd + self._in_flight * mean < self._budget_usd:
            return False
        self._stopped = "over_budget"
        return True

    def _note_failure(self, outage: str | None, row: Row) -> None:
        if outage is None:
            self._outages = 0
            return
        self._outages += 1
        if self._outages >= max(OUTAGE_CASES, 2 * self._concurrency) and self._stopped is None:
            self._stopped = "failed"
            self._error = (
                f"{self._outages} cases in a row could not reach the model ({outage}): {row['error']}; "
                f"{self._goes_on} when it is back"
            )
