"""Monitors: what is watched of an application in production."""

from __future__ import annotations

import builtins
import inspect
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from lmops.base.kinds import refuses_wrong_kinds
from lmops.base.public import only
from lmops.errors import UsageError
from lmops.judges import scorers_meant
from lmops.metrics import METRICS, Metric, items_sql, metric_of
from lmops.monitors import _show as _show
from lmops.monitors import _show_anchors as _show_anchors
from lmops.monitors import _show_explained as _show_explained
from lmops.monitors import _show_scores as _show_scores
from lmops.monitors import _show_sinks as _show_sinks
from lmops.monitors import anchors, checking, replay, scoring
from lmops.monitors._anchor_verbs import WithAnchors
from lmops.monitors._delivering import deliver
from lmops.monitors._explained import Explanation
from lmops.monitors._fatigue import fatigue
from lmops.monitors._history import History, history
from lmops.monitors._moved import Moved
from lmops.monitors._records import Alert, Backtest, CheckReport, Monitor, Recovery, Simulation
from lmops.monitors._score_draw import checked
from lmops.monitors._score_rates import rates
from lmops.monitors._score_records import Scored, ScoringReport, TraceScores
from lmops.monitors._score_watched import scorers_watched
from lmops.monitors._sink_records import Deliveries, Sink, SinkKind
from lmops.monitors._sync import MonitorFiling
from lmops.monitors._versions import KIND, body_of, made, refuse_what_cannot_be_asked
from lmops.monitors.anchors import Anchor
from lmops.monitors.defaults import DEFAULTS
from lmops.monitors.explaining import Periods, explained, periods_of
from lmops.monitors.sinks import Sinks
from lmops.text import plain_line
from lmops.times import to_ns
from lmops.traces import seconds, time_range

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.models import Models
    from lmops.records import Kind, Project

__all__ = [
    "METRICS",
    "Alert",
    "Anchor",
    "Backtest",
    "CheckReport",
    "Deliveries",
    "Explanation",
    "History",
    "Metric",
    "Monitor",
    "Monitors",
    "Moved",
    "Periods",
    "Recovery",
    "Scored",
    "ScoringReport",
    "Simulation",
    "Sink",
    "SinkKind",
    "Sinks",
    "TraceScores",
    "items_sql",
    "metric_of",
    "periods_of",
]
__dir__ = only(__all__)

_PRODUCTION = "production"


@refuses_wrong_kinds
class Monitors(WithAnchors):
    """The monitors of a workspace: ``ws.monitors``."""

    KIND: ClassVar[Kind[Monitor]] = KIND

    def __init__(self, project: Project, *, models: Callable[[], Models] | None = None) -> None:
        super().__init__(project, models=models)

    def backtest(
        self,
        monitor: str | Monitor,
        *,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        every: str = "1h",
        lateness: str = "15m",
    ) -> Backtest:
        """Replay a monitor over what has passed and say when it would have fired; nothing is written.

        Args:
            monitor: Name, reference or record of it.
            since: As of when it looks first; the first item by default.
            until: As of when it looks last; the newest item by default.
            every: How often it looks.
            lateness: What is younger at a look is not looked at yet.

        Raises:
            NotFoundError: There is no such monitor.
            UsageError: There is nothing that it watches, or it would look too often.
        """
        return replay.backtest(
            self._store,
            self._meant(monitor),
            since_ns=None if since is None else to_ns(since),
            until_ns=None if until is None else to_ns(until),
            every_ns=int(seconds(every) * 1e9),
            lateness_s=seconds(lateness),
        )

    def check(
        self,
        monitors: Sequence[str] | None = None,
        *,
        at: str | datetime | None = None,
        lateness: str = "15m",
    ) -> CheckReport:
        """Look at what came since the last check, open and resolve alerts, and tell the sinks; often or seldom.

        A detector reads what is new alone, and goes on with what it knows. What came late to a time within two days
        that was looked at is noticed: it is looked at again from before, and the report says so. Of several processes
        that check at once one counts for each monitor. A version is looked at where the alias production points to it;
        without the alias the newest is.

        Args:
            monitors: Names; all that are on by default.
            at: As of when; now by default.
            lateness: What is younger is not looked at yet.

        Returns:
            The report; ``exit_code`` is 0 quiet, 1 firing, 3 cannot tell.

        Raises:
            NotFoundError: There is no such monitor.
            ReadOnlyError: The store was opened read-only.
        """
        now_ns = to_ns(self._project.now() if at is None else at)
        every = {one.name: one for one in self.current()}
        asked = builtins.list(every.values()) if monitors is None else self.current(monitors)
        versions = {name: one.version for name, one in every.items()}
        notes = anchors.rejudge(self._project, self._models and self._models(), asked, now_ns=now_ns)
        report = checking.check(self._project, asked, current=versions, now_ns=now_ns, lateness_s=seconds(lateness))
        failed = self.deliver().failed.items()
        notes += [f"{plain_line(sink, 100)} could not be told: {plain_line(why, 200)}" for sink, why in failed]
        return replace(report, notes=(*report.notes, *notes))

    def current(self, names: Sequence[str] | None = None) -> builtins.list[Monitor]:
        """Return the versions that a check looks at: those of the alias production, else the newest, that are on.

        Args:
            names: Of monitors; all by default.

        Raises:
            NotFoundError: There is no such monitor.
        """
        named = self.names() if names is None else builtins.list(names)
        return [one for one in map(self._current, named) if one.on]

    def deliver(self) -> Deliveries:
        """Tell the sinks what waits for them, and return what became of that; a check ends with it by itself.

        Each notice is told at least once, with a key by which a repetition is known; of an alert only the newest one. A
        sink that fails is left alone for a while, longer each time (5 minutes at most), and nothing is lost. Two
        processes at once do not tell the same.

        Raises:
            ReadOnlyError: The store was opened read-only.
        """
        return deliver(self._project)

    def explain(
        self,
        what: int | str | Mapping[str, Any] | Metric,
        *,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        before: str | tuple[str | datetime, str | datetime] | None = None,
        where: str | None = None,
        by: str | Sequence[str] = (),
        level: float = 0.95,
    ) -> Explanation:
        """Return what accounts for a change of a metric: which prompt, model, index, tool, kind of traffic or time.

        Two periods are compared. For each dimension the change is split into what comes of other shares (mix) and what
        of other values within a kind (rate), with intervals by session; one value that took the place of another is a
        replacement. What accounts for most comes first, and of equals what moved when the metric did, and what somebody
        changed. Nothing here names a cause: what changed together is said to be so.

        Args:
            what: The number of an alert; or a metric: a name of ``METRICS``, ``"score.NAME"``, a mapping of view, value
                and kind, or a ``Metric``.
            since: Start of the period that is explained, such as "2026-10-24T08:00"; that of the alert by default.
            until: Its end; the newest trace by default, of an alert a window of its monitor later.
            before: What it is held against: a length that ends at since, such as "7d", or two times, as a pair or as
                "TIME/TIME". By default the same length, and at least a day.
            where: Only traces that satisfy this condition, as for ``ws.traces.search``.
            by: Attributes of spans that are looked at beside what is known, such as "app.tier".
            level: Of the intervals, in (0, 1).

        Returns:
            A record with ``df()`` (a row a dimension), ``values()`` (a row a value) and ``figure()``; its state is
            explained, unexplained, no_change or cannot_tell.

        Raises:
            UsageError: There is no such metric, or a period is none.
            NotFoundError: There is no such alert, or its monitor is not there any more.
            QueryError: The condition cannot be read, or names something unknown.
        """
        if isinstance(what, int) or (isinstance(what, str) and what.isdigit()):
            _, about = self._about(int(what))
            metric, since, until = about.metric, since or about.since, until or about.until
        else:
            metric = what if isinstance(what, Metric) else metric_of(what)
        if since is None:
            raise UsageError(f"explain({plain_line(what, 60)!r}): say since when, such as since='2026-10-24T08:00'")
        periods = periods_of(self._store, since, until, before)
        attributes = [by] if isinstance(by, str) else list(by)
        return explained(self._store, metric, periods, where=where, by=attributes, level=level)

    def fatigue(self, *, last: str | None = "30d") -> pd.DataFrame:
        """Return how many alerts each monitor opened, and of how many somebody took notice: what nobody acts on tires.

        Args:
            last: Alerts that were opened in so long; None: of all time.

        Returns:
            One row a monitor, of numbers of alerts: monitor, alerts, opened (how often, those that came back included),
            notices (messages that sinks were sent), acted_on (acknowledged, silenced or resolved by somebody),
            share_acted_on (of alerts, a fraction), share_low and share_high (its 95 % limits), ended_by_itself (before
            anybody acted), untouched (open, and nobody acted), minutes_to_act (the median of those acted on, minutes).
        """
        bounds = time_range(self._store, last=last, since=None, until=None)
        return fatigue(self._store, since_ns=bounds.since_ns)

    def names(self) -> builtins.list[str]:
        """Return the names of all monitors, sorted."""
        with self._project.reading() as con:
            return sorted(self._versions.names(con))

    def save(
        self,
        name: str,
        *,
        metric: str | Mapping[str, Any],
        by: str | Sequence[str] | None = None,
        where: str | None = None,
        method: str = "detector",
        window: str = "1d",
        baseline: str | Mapping[str, str] = "first 3d",
        direction: str | None = None,
        limit: float | None = None,
        margin: float = 0.2,
        every: float = 10_000,
        most: int = 10,
        severity: str = "ticket",
        owner: str | None = None,
        on: bool = True,
        reason: str | None = None,
    ) -> Monitor:
        """Save a monitor as a version of its name and return it; the same content again is the same version.

        Args:
            name: Of the monitor.
            metric: A name of ``lmops.monitors.METRICS``, "score.NAME", or a mapping of view, value (SQL) and kind.
            by: Columns of the metric's view that tell series apart: one monitor, many series.
            where: SQL over a row of the view: which ones count.
            method: "detector" holds sessions against the baseline and may be looked at however often; "threshold" fires
                where the whole interval of the window is beyond ``limit``; "anomaly" on single queries far beyond what
                is usual of their model; "burn" where a budget of 30 days is spent too fast; "silence" where nothing
                comes.
            window: The stretch of time that estimates are of, such as "1d".
            baseline: "first 3d" of the series, "rolling 7d" before each day, "same hour of the week" of the 28 days
                before (in UTC), or a pinned time: {"since": ..., "until": ...}.
            direction: "above", "below" or "both"; that of the metric by default.
            limit: Of a threshold in the metric's unit; of a burn USD (or whatever the metric is in), or the share of
                failures, in 30 days; of an anomaly robust standard deviations (5); of silence usual gaps (10).
            margin: How far beyond its baseline a rate may be before it counts, as a share of the lesser of it and its
                rest; never less than the uncertainty of the baseline itself.
            every: Sessions between two false alarms, of all series together.
            most: Series that are watched at most, those with the most items first.
            severity: "page", "urgent", "ticket" or "note".
            owner: Who looks after it.
            on: Whether checks look at it.
            reason: Why there is a new version.

        Raises:
            UsageError: An argument cannot be used, or the views do not have what the monitor asks for.
        """
        given = {key: value for key, value in locals().items() if key not in ("self", "name", "reason")}
        self.KIND.check_name(name)
        body = body_of(given)
        now = self._project.now()
        refuse_what_cannot_be_asked(
            self._store, made(body, name=name, version=0, hash="", author=self._project.actor, created_at=now)
        )
        return self._put(name, body, reason=reason)

    def save_defaults(self, *, owner: str | None = None, reason: str | None = None) -> pd.DataFrame:
        """Save the monitors that nearly every application wants, where there are none of their names; return all.

        They watch failures, latency, cost, single dear queries, the length of answers, tools, guardrails, documents
        found, thumbs and silence.

        Args:
            owner: Who looks after them.
            reason: Why, for the audit chain.

        Returns:
            As of :meth:`list`.
        """
        known = set(self.names())
        for name, given in DEFAULTS.items():
            if name not in known:
                self.save(name, **given, owner=owner, reason=reason)
        return self.list()

    # -- scores of production --------------------------------------------------------------------------------------

    def score(
        self,
        scorers: Any = None,
        *,
        where: str | None = None,
        last: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        sample: float | None = None,
        by: str | None = None,
        more: str | Mapping[str, float] | None = None,
        seed: int = 0,
        budget_usd: float | None = None,
        concurrency: int = 8,
        timeout_s: float | None = 120.0,
        progress: bool = True,
        dry_run: bool = False,
    ) -> ScoringReport:
        """Score traces of production that no call has scored yet: all by code, by judges those that are drawn.

        The same call again scores what came since, what failed, and traces that have got more spans; so it may run
        every minute, on several machines at once, and go on after it was killed. A judge's new version scores anew.

        Args:
            scorers: Names ("refusal"), scorers, functions or judges ("judge:polite@production"), one or several; None:
                those whose scores a monitor watches.
            where: Only these traces: a condition as for ``ws.traces.search``.
            last: "24h", "7d", ...: back from ``until``, else from now, or from the newest trace where all are older.
            since: Traces from this time on.
            until: Traces before this time.
            sample: Share of the traces, in (0, 1], for scorers that ask a model; None: all, as far as ``budget_usd``
                reaches. Code scores all traces.
            by: Column of ``traces`` whose values get equally many of the sample, so that rare ones are seen.
            more: Condition that finds traces which are judged for sure, such as ``"thumb = 'down'"``; or conditions
                with the chance that each gives at least, ``{"status = 'error'": 0.5}``. Rates stay unbiased: they count
                each trace by its chance.
            seed: Of the draw; the same trace is drawn in every call.
            budget_usd: What this call may cost: no trace is begun when those in hand may use it up.
            concurrency: Traces that are judged at a time.
            timeout_s: Most seconds for one score of a judge; None for no limit.
            progress: Show how far it is.
            dry_run: Only say how many traces would be scored, and what that would cost by the scores so far.

        Raises:
            NotFoundError: There is no such scorer.
            QueryError: The condition cannot be read, or names something unknown.
            UsageError: A scorer needs an expected answer, a judge has neither a sample nor a budget, or another seed.
        """
        asked = scoring.Asked(
            where=where,
            bounds=time_range(self._store, last=last, since=since, until=until),
            sampling=checked(sample, by, more, seed),
            budget_usd=budget_usd,
            concurrency=concurrency,
            timeout_s=timeout_s,
        )
        models = None if self._models is None else self._models()
        wanted = scorers_watched(self._project, self.current()) if scorers is None else scorers
        found = scorers_meant(self._project, wanted)
        if not found and scorers is not None:
            raise UsageError('name a scorer: ws.monitors.score(["refusal"]), or "judge:polite@production"')
        return scoring.score(self._project, models, found, asked, progress=progress, dry_run=dry_run)

    def scores(
        self,
        scorer: str | None = None,
        *,
        by: str | Sequence[str] = (),
        every: str | None = None,
        last: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        level: float = 0.95,
    ) -> TraceScores:
        """Return what scorers say of production: rates and means with intervals, by scorer, interval and group.

        Traces that were drawn count by one over their chance, those of one session as one cluster. A judge that passes
        or fails is corrected by its calibration, where there is one that holds.

        Args:
            scorer: Only this one.
            by: Groupings: columns of ``traces``, ``prompt_version``, columns of spans such as ``model``, attributes.
            every: Length of the intervals: "hour", "day", "week", "15m", ...; None for one row a group.
            last: "24h", "7d", ...: back from ``until``, else from now, or from the newest trace where all are older.
            since: Traces from this time on.
            until: Traces before this time.
            level: Confidence level in (0, 1).

        Returns:
            A record; ``df()`` has scorer, version, kind, bucket (where there are intervals), the groups, n (scores that
            count), unmeasured, failed, is_rate, mean (of a rate the share) with low and high, probability (the mean
            chance), and of judges corrected with corrected_low and corrected_high, and note, which says why not.

        Raises:
            UsageError: No such scorer has scored, or there is no such group.
        """
        bounds = time_range(self._store, last=last, since=since, until=until)
        groups = [by] if isinstance(by, str) else list(by)
        return rates(self._store, scorer, bounds, groups=groups, every=every, level=level)

    # -- monitors ----------------------------------------------------------------------------------------------------

    def show(self, name: str, *, last: str = "14d") -> History:
        """Return how a monitor's series and alerts are as of the last check, and a chart of how they went.

        It does not look.

        Args:
            name: Of the monitor.
            last: Length of the chart, back from now, or from the newest trace.

        Returns:
            A report as of :meth:`check`, with ``line()`` and ``figure()`` by series.

        Raises:
            NotFoundError: There is no such monitor.
        """
        monitor = self._current(name)
        return history(self._project, monitor, checking.last_report(self._project, monitor), last=last)

    @property
    def sinks(self) -> Sinks:
        """Who is told of alerts: save, list, get, test, remove."""
        return Sinks(self._project)

    def simulate(
        self,
        rate: float,
        n_per_day: float,
        *,
        baseline: int = 300,
        margin: float = 0.2,
        every: float = 10_000,
    ) -> Simulation:
        """Return how soon a detector would find changes of a rate of what is unwelcome, by simulation.

        Args:
            rate: Of the baseline, in (0, 1), such as the error rate.
            n_per_day: Sessions a day.
            baseline: Sessions of the baseline.
            margin: As of :meth:`save`.
            every: As of :meth:`save`.

        Raises:
            UsageError: It is no rate, or there are no sessions.
        """
        return replay.simulate(rate, n_per_day, baseline=baseline, margin=margin, every=every)

    def _filing(self) -> MonitorFiling:
        return MonitorFiling(self._project, self._versions, _defaults(Monitors.save))

    def _current(self, name: str) -> Monitor:
        """Return the version that is looked at: that of the alias production, or the newest."""
        is_released = _PRODUCTION in self.aliases(name)
        return self.get(f"{name}@{_PRODUCTION}" if is_released else name)

    def _meant(self, monitor: str | Monitor) -> Monitor:
        return monitor if isinstance(monitor, Monitor) else self.get(monitor)


def _defaults(save: Callable[..., Monitor]) -> dict[str, Any]:
    """Return what somebody need not say who saves a monitor."""
    given = inspect.signature(save).parameters.values()
    return {one.name: one.default for one in given if one.default is not one.empty and one.name != "reason"}
