"""One session of work on a run: from the plan to its end, in whichever loop it is started."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from lmops.base.endings import Logged
from lmops.base.loops import waited
from lmops.errors import StoreError, interrupted
from lmops.evals._case import Cases
from lmops.evals._records import resumed_by
from lmops.evals._rows import run_row
from lmops.evals._tracing import CaseTracer
from lmops.evals._until import FAILED, ordered, replayed, stopped_words, watch_of
from lmops.progress import Progress
from lmops.scorers.asking import known_sum
from lmops.scorers.workers import Runner, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lmops.datasets import Example
    from lmops.evals._journal import Journal
    from lmops.evals._records import Case, Plan
    from lmops.evals._task import Task
    from lmops.scorers import Scorer
    from lmops.store import Store
    from lmops.traces import Traces

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What is needed to work on a run until there is nothing left.

    Args:
        store: Where results go.
        traces: The traces of the workspace, when cases are traced.
        models: What judges call.
        plan: What runs.
        task: Answers the examples.
        examples: All examples of the run.
        scorers: What scores the answers.
        journal: The record of the run.
        budget_usd: Of the whole run.
    """

    store: Store
    traces: Traces | None
    models: Any
    plan: Plan
    task: Task
    examples: Sequence[Example]
    scorers: Sequence[Scorer]
    journal: Journal
    budget_usd: float | None
    is_resumed: bool = False

    def run(self, *, progress: bool) -> None:
        """Work in a loop of its own, also where one is running; an interrupt keeps what is finished."""
        with self._held(), self._bar(state := self._state(), is_shown=progress) as bar:
            try:
                waited(
                    lambda: self._work(state, owns_loop=True),
                    name="lmops-eval",
                    tick=lambda: bar.update(state.done, note=state.note()),
                )
            except KeyboardInterrupt:
                raise interrupted(f"finished cases are kept; {self._goes_on} goes on") from None
            bar.update(state.done, note=state.note())
            bar.close(state.note())

    async def arun(self, *, progress: bool) -> None:
        """Work in the running loop."""
        with self._held(), self._bar(state := self._state(), is_shown=progress) as bar:
            ticker = asyncio.create_task(_tick(bar, state))
            try:
                await self._work(state, owns_loop=False)
            finally:
                ticker.cancel()
            bar.update(state.done, note=state.note())
            bar.close(state.note())

    def _bar(self, state: State, *, is_shown: bool) -> Progress:
        show = None if is_shown else _nothing
        return Progress(f"eval {self.plan.name}", state.total, unit="cases", resumed_by=self._goes_on, show=show)

    @property
    def _goes_on(self) -> str:
        """The call that goes on with the run."""
        return f'{resumed_by(self.plan.task)}("{self.journal.run_id}")'

    def _state(self) -> State:
        total = len(self.examples) * self.plan.repeats
        if not self.is_resumed:
            return State(total=total, done=0, cost_usd=None)
        with self.store.reading() as con:
            row = run_row(con, self.journal.run_id)
        cost = known_sum((row["cost_usd"], row["scoring_cost_usd"]))
        return State(total=total, done=row["cases"], cost_usd=cost)

    async def _work(self, state: State, *, owns_loop: bool) -> None:
        tracer = None
        try:
            if self.traces is not None:
                tracer = CaseTracer(self.traces, self.plan, self.journal.run_id)
            await self._run_cases(state, tracer, owns_loop=owns_loop)
        except (asyncio.CancelledError, KeyboardInterrupt):
            self._end_early("interrupted", "interrupted; finished cases are kept, resume the run to go on")
            raise
        except StoreError as error:
            self._end_early("failed", f"{type(error).__name__}: {error}")
            run_id = self.journal.run_id
            raise type(error)(f"{error}. Run {run_id} keeps its finished cases; when resumed it goes on") from error
        except BaseException as error:  # whatever it is, the run says what ended it
            self._end_early("failed", f"{type(error).__name__}: {error}")
            raise
        finally:
            self.task.close()
            if tracer is not None:
                tracer.close()

    async def _run_cases(self, state: State, tracer: CaseTracer | None, *, owns_loop: bool) -> None:
        journal, settings = self.journal, self.plan.settings
        cases = Cases(
            run_id=journal.run_id, call=self.task.call, scorers=self.scorers, timeout_s=settings["timeout_s"],
            retries=settings["retries"], models=self.models, is_cached=settings["cache"], tracer=tracer,
            is_looked_up=self.task.kind == "recorded",
        )  # fmt: skip  # arguments that belong together share a line
        watch = self._watch()
        left = self._left()
        runner = Runner(
            journal, cases, left, state, concurrency=settings["concurrency"], budget_usd=self.budget_usd,
            owns_loop=owns_loop, watch=watch,
        )  # fmt: skip  # arguments that belong together share a line
        await runner.run()
        not_run = [(example.example_id, repeat, example.cluster) for example, repeat in left]
        journal.write_not_run(not_run)
        self._end(*runner.end(len(not_run)))
        if self.budget_usd is not None and state.done and state.cost_usd is None:
            log.warning("run %s: no case had a known cost, so the budget was not watched", journal.run_id)

    def _left(self) -> Iterator[tuple[Example, int]]:
        """Return what is to be done: every example once, then every example again; one by one if it may stop early."""
        done = self.journal.done() if self.is_resumed else frozenset()
        until = self.plan.settings.get("until")
        pairs: Iterator[tuple[Example, int]]
        if until is None:
            pairs = ((one, repeat) for repeat, one in itertools.product(range(self.plan.repeats), self.examples))
        else:
            pairs = itertools.product(ordered(self.examples, until), range(self.plan.repeats))
        return ((example, repeat) for example, repeat in pairs if (example.example_id, repeat) not in done)

    def _watch(self) -> Callable[[Case], str | None] | None:
        """Return what looks at every finished case of a run that may stop early."""
        until = self.plan.settings.get("until")
        if until is None:
            return None
        import orjson

        from lmops.evals._runs import states

        baseline = None if until["baseline"] is None else states(self.store, [until["baseline"]])[0]
        scorers = {one["name"]: one for one in self.plan.scorers}
        watch = watch_of(until, self.examples, scorers, baseline)
        if self.is_resumed:
            replayed(self.store, self.journal.run_id, watch)

        def look(row: Case) -> str | None:
            has_failed = row["status"] in ("error", "timeout")
            scores = {
                name: FAILED if has_failed or status == "error" else value
                for name, value, status, *_ in orjson.loads(row["scores"])
            }
            return None if watch.add(row["example_id"], scores) is None else stopped_words(watch)

        return look

    def _end(self, status: str, error: str | None) -> None:
        self.journal.end(status, error=error)
        with Logged(log, "results of the store %s could not be packed", self.store.path):
            try:
                self.store.pack_results()
            except StoreError as problem:  # the rows are safe where they are, and are packed another time
                log.warning("results could not be packed and stay as they are: %s", problem)

    def _end_early(self, status: str, error: str) -> None:
        """Record an end that has its own error, which a record that fails must not hide."""
        with Logged(log, "the end of run %s could not be recorded; it can be resumed", self.journal.run_id):
            self._end(status, error)

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        try:
            yield
        finally:
            self.journal.release()


class Work(NamedTuple):
    """A run and the session that is due on it, to be waited for or to be awaited; both end with its id."""

    run_id: str
    #: None when nothing of it is missing
    session: Session | None
    progress: bool

    def run(self) -> str:
        """Work in a loop of its own."""
        if self.session is not None:
            self.session.run(progress=self.progress)
        return self.run_id

    async def arun(self) -> str:
        """Work in the running loop."""
        if self.session is not None:
            await self.session.arun(progress=self.progress)
        return self.run_id


def _nothing(_text: str, _fraction: float | None, **_: bool) -> None:
    return


async def _tick(bar: Progress, state: State) -> None:
    while True:
        bar.update(state.done, note=state.note())
        await asyncio.sleep(0.2)
