"""The verbs that record calls of tools, replay them and say how good they were."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmops.base.kinds import refuses_wrong_kinds
from lmops.datasets import Datasets
from lmops.errors import NotFoundError, UsageError
from lmops.records import Filed
from lmops.tools.contract import ToolVersion

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.datasets import DatasetVersion
    from lmops.models import Models
    from lmops.records import Project
    from lmops.tools.contract import Executor
    from lmops.tools.finding import ToolFindings
    from lmops.tools.logs import AgentLog, LogFormat
    from lmops.tools.replaying import Match, Replay, Unseen
    from lmops.tools.simulating import Simulator


@refuses_wrong_kinds
class WithQuality(Filed[ToolVersion]):
    """Tools with the verbs of recordings and of quality."""

    def __init__(self, project: Project, *, models: Callable[[], Models] | None = None) -> None:
        super().__init__(project)
        self._models = models

    # -- recordings --------------------------------------------------------------------------------------------------

    def record(
        self,
        name: str,
        *,
        traces: Iterable[str] | None = None,
        where: str | None = None,
        last: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        tools: Sequence[str] | None = None,
        note: str = "",
    ) -> DatasetVersion:
        """Keep what tools returned in traces as a version of a data set, out of which :meth:`replay` returns it again.

        Each call is an example: ``input`` has tool and arguments, ``expected`` outcome, value and error. Calls that a
        policy or a budget refused, that were replayed themselves, or whose result the trace does not hold are left
        out; ``report.skipped`` says which. Keys are masked. The same calls again are the same version.

        Args:
            name: Of the data set.
            traces: Trace ids; None: those that the other arguments find.
            where: As for ``ws.traces.search``.
            last: As for it.
            since: As for it.
            until: As for it.
            tools: The only tools to record; None: all.
            note: Why.

        Raises:
            UsageError: No call is found, or traces are named beside a condition.
        """
        from lmops.tools.recording import recorded_calls

        given = [traces] if isinstance(traces, str) else traces
        rows, skipped = recorded_calls(
            self._store, traces=given, where=where, last=last, since=since, until=until, tools=tools
        )
        saved = Datasets(self._project).save(name, rows, note=note or f"{len(rows):,} calls of tools recorded")
        report = getattr(saved, "report", None)
        return saved if report is None else replace(saved, report=replace(report, skipped=tuple(skipped)))

    def replay(self, ref: str, *, match: Match = "exact", unseen: Unseen = "error") -> Replay:
        """Return what executes calls out of recordings in place of the tools: ``ws.tools.run(..., executor=...)``.

        Args:
            ref: A data set of :meth:`record`, such as "bookings" or "bookings@2".
            match: "exact", or "schema": where there is no equal call, one whose arguments have the same names and
                kinds.
            unseen: What a call comes to that nobody recorded: "error" (its outcome is "unseen" and names the nearest
                one), or "simulate": what the tool returned to another call; ``.counts`` and ``.misses`` tell of both.

        Raises:
            NotFoundError: There is no such data set.
            UsageError: It holds no recordings.
        """
        from lmops.tools.replaying import Replay

        return Replay(Datasets(self._project).get(ref), match=match, unseen=unseen)

    def simulate(
        self, plan: Mapping[str, Mapping[str, float]], *, seed: int = 0, over: Executor | None = None
    ) -> Simulator:
        """Return what executes calls and lets some of them fail, the same ones for the same seed.

        Args:
            plan: By tool ("*": any other) the share of its calls that come to "timeout", "error", "wrong_units",
                "empty" or "injected": ``{"refund": {"timeout": 0.1, "wrong_units": 0.02}}``.
            seed: Another seed, other failures.
            over: What executes the calls that do not fail, such as :meth:`replay`; None: the tools themselves.

        Raises:
            UsageError: A failure is unknown, or the shares of a tool add up to more than 1.
        """
        from lmops.tools.simulating import Simulator

        return Simulator(plan, seed=seed, over=over)

    # -- quality -----------------------------------------------------------------------------------------------------

    def report(
        self,
        *,
        by: str | Sequence[str] = "tool",
        where: str | None = None,
        last: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Return how calls of tools did in production; what evaluations called is left out.

        Args:
            by: What is told apart: any of tool, version, model, agent, outcome, error_type, service, environment, day,
                hour; () for one row.
            where: As for ``ws.traces.search``: the traces whose calls count.
            last: As for it.
            since: As for it.
            until: As for it.
            level: Of the intervals, in (0, 1).

        Returns:
            The columns of ``by``, calls, traces, errors, error_rate with its Wilson interval error_rate_low and
            error_rate_high, timeouts, invalid_arguments, looping_calls (the same call three times or more in its
            trace), p50_ms, p95_ms, cost_usd (of the model calls that a tool made, such as a sub-agent's; NULL where it
            made none), unpriced_calls.

        Raises:
            UsageError: Something to tell apart is unknown.
            QueryError: The condition cannot be read.
        """
        from lmops.tools.reporting import report

        return report(self._store, by=by, where=where, last=last, since=since, until=until, level=level)

    def findings(
        self,
        *,
        where: str | None = None,
        last: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
    ) -> ToolFindings:
        """Return what is wrong with calls of tools: outages, arguments nobody said, runs that go in circles.

        An outage is a stretch in which more calls failed than chance makes once in a hundred series
        (:func:`lmops.calc.windows.failing_windows`). An argument is wrong where an identifier stands nowhere in what
        was said before the call, where two ends of a direction are in each other's place, or where the arguments do
        not fit the registered tool.

        Args:
            where: As for ``ws.traces.search``.
            last: As for it.
            since: As for it.
            until: As for it.

        Raises:
            QueryError: The condition cannot be read.
        """
        from lmops.tools.finding import findings

        return findings(self._store, where=where, last=last, since=since, until=until, checked=self._misfits())

    def read_log(
        self, path: str | os.PathLike[str], *, format: LogFormat | None = None, ingest: bool = True
    ) -> AgentLog:
        """Return the runs of a published log of agents as trajectories, and keep them as traces.

        Args:
            path: A file of JSON lines.
            format: "tau-bench" (messages, rewards, expected actions) or "who-and-when" (steps of several agents with
                labels of the failing one); found out by default.
            ingest: Keep the runs as traces as well.

        Raises:
            NotFoundError: There is no such file.
            UsageError: It holds no run of these formats.
        """
        from lmops.tools.logs import read_log, with_traces
        from lmops.traces import Traces

        found = read_log(Path(path), format)
        if ingest and self._models is not None:
            models = self._models
            traces = Traces(self._store, pricer=lambda: models().pricer())
            traces.ingest(Path(path), format="chat-jsonl", progress=False)
            lines = Path(path).read_text(encoding="utf-8").splitlines()
            found = with_traces(found, self._sources(), lines)
        return found

    def _sources(self) -> dict[str, str]:
        """Return the traces that were read from logs, by the plain values of their records."""
        from lmops.tools.logs import source_key

        query = (
            "select trace_id, attributes from spans where parent_span_id is null and attributes like '%lmops.source.%'"
        )
        found = {}
        for trace_id, attributes in self._store.sql(query).fetchall():
            told: dict[str, Any] = json.loads(attributes)
            start = "lmops.source."
            record = {key.removeprefix(start): one for key, one in told.items() if key.startswith(start)}
            found[source_key(record)] = trace_id
        return found

    def _misfits(self) -> Callable[[str, str | Mapping[str, Any]], Sequence[str] | None]:
        """Return what says what of arguments does not fit the registered tool; None where none is registered."""
        from lmops.tools.validating import MisfitError, SchemaReading, parsed

        readings: dict[str, SchemaReading | None] = {}

        def reading(tool: str) -> SchemaReading | None:
            if tool not in readings:
                try:
                    readings[tool] = SchemaReading(self.get(tool).parameters, None)
                except (NotFoundError, UsageError):
                    readings[tool] = None
            return readings[tool]

        def misfits(tool: str, arguments: str | Mapping[str, Any]) -> Sequence[str] | None:
            found = reading(tool)
            try:
                if found is None:
                    return None
                found.read(parsed(arguments)[1])
            except MisfitError as error:
                return error.problems
            return ()

        return misfits
