"""Feedback: what users say of answers, kept beside the traces and asked with them."""

from __future__ import annotations

import functools
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmops.base.public import only
from lmops.errors import UsageError
from lmops.feedback import _show as _show
from lmops.feedback import _show_failures as _show_failures
from lmops.feedback import _show_queues as _show_queues
from lmops.feedback import calibration as judges
from lmops.feedback._adjudicating import adjudicate
from lmops.feedback._budget import JudgeBudget, budget
from lmops.feedback._by_labels import OTHER_SCALE as OTHER_SCALE
from lmops.feedback._by_labels import mean_by_labels as mean_by_labels
from lmops.feedback._by_labels import on_scale as on_scale
from lmops.feedback._failure_records import FailureMode, FailurePivot, SuggestedMode, Suggestions
from lmops.feedback._improve import JudgeImprovement, improve
from lmops.feedback._judged_items import items_of_rows, items_of_runs
from lmops.feedback._label_records import (
    Adjudication,
    Kept,
    LabelField,
    LabelSchema,
    Queue,
    QueueProgress,
    RaterProgress,
    Turn,
)
from lmops.feedback._looking import WHICH
from lmops.feedback._measured import GoldAccuracy, JudgeCalibration, RaterAccuracy, RaterAgreement
from lmops.feedback._people import CaseLabels as CaseLabels
from lmops.feedback._people import Labels as Labels
from lmops.feedback._people import labels_of_cases as labels_of_cases
from lmops.feedback._picked import picked
from lmops.feedback._records import FeedbackStats, ImportReport, Signal
from lmops.feedback._write import record
from lmops.feedback.agreement import labels_of, rater_agreement
from lmops.feedback.digest import FeedbackDigest, digest
from lmops.feedback.importing import found_in, found_in_traces, take
from lmops.feedback.questions import current, is_waiting, waiting
from lmops.feedback.queues import Queues
from lmops.feedback.schemas import LabelSchemas
from lmops.feedback.signals import make_signal, scale_of
from lmops.feedback.stats import feedback_stats
from lmops.feedback.themes import Themes
from lmops.judges import meant
from lmops.scorers import Scorer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.models import Models
    from lmops.records import Project
    from lmops.store import Store

__all__ = [
    "WHICH",
    "Adjudication",
    "FailureMode",
    "FailurePivot",
    "Feedback",
    "FeedbackDigest",
    "FeedbackStats",
    "GoldAccuracy",
    "ImportReport",
    "JudgeBudget",
    "JudgeCalibration",
    "JudgeImprovement",
    "Kept",
    "LabelField",
    "LabelSchema",
    "LabelSchemas",
    "Queue",
    "QueueProgress",
    "Queues",
    "RaterAccuracy",
    "RaterAgreement",
    "RaterProgress",
    "Signal",
    "SuggestedMode",
    "Suggestions",
    "Themes",
    "Turn",
]
__dir__ = only(__all__)


def known_calibration(store: Store, name: str, version: str, model: str | None) -> JudgeCalibration | None:
    """Return the newest record of a judge, as the rooms above ask for it; see :meth:`Feedback.calibration`."""
    return judges.latest(store, judges.Judge(name, version, model))


class Feedback:
    """The feedback of a workspace: ``ws.feedback``.

    What users say are facts, as traces are, and there may be millions of them: the audit chain has an event of every
    import and every deletion, and none of a single signal.
    """

    def __init__(self, project: Project, *, models: Callable[[], Models] | None = None) -> None:
        self._project = project
        self._models = models

    def __repr__(self) -> str:
        """Say how many there are."""
        query = "select count(*), count(distinct trace_id) from feedback"
        signals, traces = self._project.store.sql(query).fetchall()[0]
        return f"<Feedback: {signals:,} signals on {traces:,} traces>"

    @functools.cached_property
    def schemas(self) -> LabelSchemas:
        """What raters are asked: save, get, list, versions."""
        return LabelSchemas(self._project)

    @functools.cached_property
    def queues(self) -> Queues:
        """What is to be labelled: open, next, label, undo, progress, close."""
        return Queues(self._project)

    @property
    def queue(self) -> Callable[..., Queue]:
        """Make a queue of what is to be labelled, or add items to it: :meth:`Queues.open`."""
        return self.queues.open

    def record(
        self,
        trace_id: str | None = None,
        *,
        value: object,
        name: str = "thumb",
        span_id: str | None = None,
        response_id: str | None = None,
        session_id: str | None = None,
        kind: str | None = None,
        scale: Sequence[float] | None = None,
        comment: str | None = None,
        user: str | None = None,
        source: str | None = None,
        at: str | datetime | None = None,
        key: str | None = None,
    ) -> Signal:
        """Keep what a user said; what the same user says of the same under the same name later takes its place.

        All that was said stays in ``feedback_history``. Feedback may come before its trace: it is joined when that
        arrives. Where no user is named every signal is one of its own, unless a key says which it is.

        Args:
            trace_id: What it is on: a trace; or name one of the next three.
            value: "up" or "down" (also True, False, 1, -1 and a thumb as a picture), a number, a category, a text, or
                with ``kind="correction"`` what the answer should have been.
            name: What was asked, such as "rating".
            span_id: A span; with ``trace_id`` where it is known.
            response_id: The model's response, as its client had it.
            session_id: A whole conversation.
            kind: thumb, number, category, text, correction; found out by default.
            scale: Least and greatest number, as (1, 5).
            comment: What was said beside it.
            user: Who said it.
            source: Where it came from, such as "app".
            at: When it was said; now by default. What lies in the future counts from now.
            key: Which signal of nobody known it is, such as the id that another tool gave it.

        Returns:
            The signal; its ``change`` says whether it is new, changed something, was there already, or came too late;
            ``is_waiting`` that what it is on is not in the store yet.

        Raises:
            UsageError: Not exactly one thing that it is on, or a value that does not suit the name or the scale.
        """
        on = {"span_id": span_id, "response_id": response_id, "session_id": session_id}
        named = [name for name, one in on.items() if one is not None]
        if len(named) > 1 or (named and trace_id is not None and named != ["span_id"]):
            raise UsageError(
                "record: give one of trace_id, span_id (beside its trace_id if you like), response_id and session_id"
            )
        signal = make_signal(
            value=value,
            trace_id=trace_id,
            **on,
            name=name,
            kind=kind,
            scale=scale,
            comment=comment,
            user=user,
            source=source,
            at=at,
            key=key,
        )
        kept = record(self._project, signal)
        return replace(kept, is_waiting=is_waiting(self._project.store, kept))

    def list(
        self,
        *,
        name: str | None = None,
        trace_id: str | None = None,
        user: str | None = None,
        history: bool = False,
        limit: int | None = 100,
    ) -> pd.DataFrame:
        """Return signals, the newest first: the columns of the view ``feedback`` or ``feedback_history``.

        Args:
            name: Only of this name.
            trace_id: Only on this trace.
            user: Only of this user.
            history: All that was ever said, not only what holds.
            limit: The most rows; None for all.
        """
        return current(self._project.store, name=name, trace_id=trace_id, user=user, history=history, limit=limit)

    def waiting(self) -> pd.DataFrame:
        """Return the signals whose trace, span, response or session is not in the store (yet), the newest first."""
        return waiting(self._project.store)

    def ingest(
        self,
        data: Any,
        *,
        map: Mapping[str, str] | None = None,
        name: str | None = None,
        source: str | None = None,
        scale: Sequence[float] | None = None,
        reason: str | None = None,
    ) -> ImportReport:
        """Read signals from a file or from rows; the same ones again add nothing.

        Columns are found by their usual names (``trace_id``, ``value``, ``comment``, ``user``, ``at``, ...), those of
        Langfuse's export of scores among them. A line that cannot be read is named in the report, the others are kept.

        Args:
            data: Path of a JSONL, JSON, CSV, TSV or Parquet file, a frame, or a list of dicts.
            map: What a column holds where its name does not say it, as {"trace_id": "Trace", "value": "Stars"}.
            name: Of signals whose line has none; "thumb" by default.
            source: Where they came from, where a line does not say it.
            scale: Least and greatest number, where a line has none.
            reason: Why, for the audit chain.

        Raises:
            NotFoundError: There is no such file.
            UsageError: It is none of these, or ``map`` names a field that there is not.
        """
        low, high = scale_of("ingest", scale)
        pair = None if low is None or high is None else (low, high)
        found = found_in(data, columns=map, name=name, source=source, scale=pair)
        subject = Path(data).name if isinstance(data, str | os.PathLike) else "rows"
        return take(self._project, found, subject=subject, reason=reason)

    def gather(self, *, reason: str | None = None) -> ImportReport:
        """Take in what evaluations said in traces: OpenTelemetry's events ``gen_ai.evaluation.result``.

        They become signals on their spans, with the source "otel"; the spans stay as they are. Asked again, it adds
        what is new since.

        Args:
            reason: Why, for the audit chain.
        """
        return take(self._project, found_in_traces(self._project), subject="traces", reason=reason)

    def stats(
        self,
        name: str = "thumb",
        *,
        by: str | Sequence[str] = (),
        every: str | None = "day",
        last: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        where: str | None = None,
        evaluations: bool = False,
    ) -> FeedbackStats:
        """Return what users say, per interval and group, and how much of the traffic said anything.

        Args:
            name: Of the signals.
            by: A column of traces (service, environment, user_id, ...) or of spans (model, tool_name,
                index_fingerprint, ...), "prompt_version" (as name@version), or an attribute that spans have, such as
                "topic" or "language".
            every: Length of the intervals: "hour", "day", "week", "6h", ...; None for one row a group.
            last: "24h", "7d", ...: back from ``until``, else from now, or from the newest trace where all are older.
            since: Traces from this time on.
            until: Traces before this time.
            where: Only these traces: a condition as for ``ws.traces.search``.
            evaluations: Count what evaluations asked as well; otherwise only where ``where`` names an environment.

        Returns:
            A record with one row per interval and group in ``df()``: bucket, the groups (where an attribute has the
            name of another column, as "count of the trace"), traces, with_feedback, share
            with its interval share_low and share_high, signals, users; of thumbs up, down and rate, of categories
            value, count and rate, of numbers mean, each with the 95 % interval low and high. What one user says counts
            as one cluster. Where a judge of this name spoke, corrected with its limits is what people would find, by
            its calibration; ppi with its limits, ppi_labels and ppi_note by labels on the very traces. ``view`` is the
            chart.

        Raises:
            UsageError: There is no signal of this name, or no such group.
            QueryError: The condition cannot be read, or names something unknown.
        """
        return self._with_view(
            feedback_stats(
                self._project.store,
                name=name,
                by=by,
                every=every,
                last=last,
                since=since,
                until=until,
                where=where,
                evaluations=evaluations,
            )
        )

    def digest(self, name: str = "thumb", *, last: str = "7d", until: str | datetime | None = None) -> FeedbackDigest:
        """Return what a week says: what users disliked, what raters named that is new, how queues and raters are.

        Args:
            name: Of the signals.
            last: Length of the window, "24h", "7d", ...: back from ``until``, else from now, or from the newest trace
                where all are older.
            until: Its end.

        Returns:
            A record with ``now`` and ``before`` (:class:`FeedbackStats` of this window and of the one before) and the
            frames ``disliked``, ``problems`` and ``queues``.

        Raises:
            UsageError: There is no signal of this name, or the window cannot be read.
        """
        return digest(
            self._project.store, self.schemas, self.queues, name=name, last=last, until=until, at=self._project.now()
        )

    def themes(self, queue: str, *, passed: bool = False) -> Themes:
        """Return the notes that raters wrote on the items of a queue, to be sorted into failure modes.

        Args:
            queue: Its name.
            passed: Take the notes on what their rater passed as well.

        Raises:
            NotFoundError: There is no such queue.
        """
        return Themes(self._project, self.queues.get(queue).name, passed=passed)

    def agreement(
        self,
        labels: Any,
        *,
        categories: Mapping[str, Sequence[Any]] | None = None,
        level: float = 0.95,
        seed: int = 0,
    ) -> RaterAgreement:
        """Return how far raters agree: by field, by pair of raters, by category, and what is in dispute.

        Args:
            labels: A queue or its name, or a frame, a list of dicts or a file with item, rater, value, and field where
                there are several; the last of one item, field and rater counts.
            categories: All possible values of a field in their order, as {"tone": ["kind", "rude"]}.
            level: Of the intervals.
            seed: Of the resampling.

        Raises:
            UsageError: A column is missing, or there are no labels.
        """
        queue = self._queue_named(labels)
        if queue is not None:
            labels = labels_of(self._project.store, queue)
        return rater_agreement(labels, categories=categories, level=level, seed=seed)

    def adjudicate(
        self,
        queue: str,
        decisions: str | Mapping[int | str, Mapping[str, Any]],
        *,
        reason: str | None = None,
    ) -> tuple[Adjudication, ...]:
        """Decide on what raters said differently, many items in one call; the chain has every decision.

        Where the disagreements were put into a queue of their own, ``ws.feedback.queue("disputes",
        ws.feedback.queues.disagreements("q"), schema=...)``, its labels are the decisions: ``adjudicate("q",
        "disputes")``. What is in dispute there as well is left open. Where something does not fit nothing is decided.

        Args:
            queue: Where raters disagreed.
            decisions: The queue where somebody looked at it again, or item (its id or position) -> values by field.
            reason: Why.

        Raises:
            NotFoundError: There is no such queue.
            UsageError: An item is not in dispute, a value does not suit the schema, or there is no decision.
        """
        store = self._project.store
        return adjudicate(store, self.queues, self.schemas, queue, decisions, reason=reason)

    def calibrate(
        self,
        judge: Any,
        labels: Any = None,
        *,
        version: str | None = None,
        model: str | None = None,
        field: str | None = None,
    ) -> JudgeCalibration:
        """Measure a judge on items that people labeled, and keep the record.

        The record holds for this version of the judge (its prompt, options and model) and this version of the label
        schema. What most raters say of an item is its label; where as many pass it as fail it, it is left out.

        Args:
            judge: The scorer, or its name.
            labels: A queue or its name, a run whose cases people labelled, or None for all that they labelled of what
                this version judged: verdicts are those of runs, or what evaluations said in production, and ``used``
                says which. Or a frame, a list of dicts or a file with item, label and verdict (pass or fail, 1 or 0),
                one row per rater or repeat. Where there are more columns: rater; repeat (which time the judge was
                asked: flip rate); swapped (its verdict with the two answers swapped: position consistency); length
                (slope); cluster (items that belong together); weight (1 over the chance that the item was drawn with;
                labels of a queue bring theirs); schema (name@version).
            version: Of the judge, where only its name is given; by default that of the newest run which it scored.
            model: That it asks, where only its name is given.
            field: Of the labels of a queue; by default that of the judge's name, else the only pass or fail.

        Raises:
            UsageError: A column is missing, a value is no verdict, labels of several versions of a schema, or no item
                with both.
        """
        who = judges.judge_of(self._project, judge, version, model)
        rows, used = self._labels(who, labels, field)
        return judges.measure(self._project, who, rows, used=used)

    def calibration(
        self, judge: Any, *, version: str | None = None, model: str | None = None, schema: str | None = None
    ) -> JudgeCalibration | None:
        """Return the newest record of a judge; ``stale`` says why it does not hold. None: it is uncalibrated.

        Args:
            judge: The scorer, or its name.
            version: Of the judge, where only its name is given; by default that of the newest run which it scored.
            model: That it asks, where only its name is given.
            schema: The label schema that is in use, as name@version; its newest version by default.

        Raises:
            DamagedStoreError: The record is not what was written.
        """
        return judges.latest(self._project.store, judges.judge_of(self._project, judge, version, model), schema)

    def recheck(
        self,
        judge: Any,
        labels: Any = None,
        *,
        version: str | None = None,
        model: str | None = None,
        field: str | None = None,
        alpha: float = 0.05,
    ) -> JudgeCalibration:
        """Hold newer labels against a judge's record: where they disagree by an exact test, it is stale from then on.

        Args:
            judge: The scorer, or its name.
            labels: As of :meth:`calibrate`, of items that were labeled since; what people labelled since then where
                none are given.
            version: Of the judge, where only its name is given; by default that of the newest run which it scored.
            model: That it asks, where only its name is given.
            field: As of :meth:`calibrate`.
            alpha: Share of false alarms.

        Returns:
            The record; ``stale`` says what newer labels say against it.

        Raises:
            NotFoundError: There is no record yet.
            UsageError: As of :meth:`calibrate`.
        """
        who = judges.judge_of(self._project, judge, version, model)
        rows, _ = self._labels(who, labels, field, after=judges.known(self._project, who).created_at)
        return judges.recheck(self._project, who, rows, alpha=alpha)

    def improve(
        self,
        judge: Any,
        labels: Any = None,
        *,
        examples: int = 8,
        share: float = 0.5,
        alpha: float = 0.05,
        field: str | None = None,
        seed: int = 0,
        reason: str | None = None,
    ) -> JudgeImprovement:
        """Make a new version of a judge that is shown what it got wrong, and say whether it is better.

        Labelled items are split by example: from one part come the examples of the new version, cases where judge and
        people disagree, with what people wrote; on the other part both versions are measured. An item is always in the
        same part, also when more are labelled or an improved judge is improved again, so that no version is measured on
        what it was shown. The new version is kept only if it is right more often by the paired test; then it is
        calibrated on the items held out, and saved as a draft: ``ws.judges.promote`` is for somebody to do.

        Args:
            judge: Made by ``lmops.scorers.judge``, or ``"judge:polite@production"`` of ``ws.judges``; pass or fail.
            labels: As for :meth:`calibrate`: a queue, a run, None for all that people labelled of what it judged; or
                rows with item, label and output, and input, expected, documents, critique, verdict, cluster where there
                are any. Where a verdict is missing the judge is asked.
            examples: The most examples.
            share: Of the items, to learn from.
            alpha: Of the paired test.
            field: Of the labels of a queue.
            seed: Of the split; keep it, or items change parts.
            reason: Why, for the audit chain.

        Returns:
            Both versions side by side; ``judge`` is the one to use from now on.

        Raises:
            UsageError: Too few items, nothing that the judge got wrong, or a judge that cannot be shown examples.
        """
        if self._models is None:
            raise UsageError("improve asks a model: open a workspace, lmops.open(...).feedback.improve(...)")
        judge = meant(self._project, judge)
        if not isinstance(judge, Scorer):
            raise UsageError(f"improve: give the judge that lmops.scorers.judge made, not {judge!r:.80}")
        if not 0 < share < 1 or examples < 1:
            words = f"share={share!r}, examples={examples!r}"
            raise UsageError(f"{words}: give a share between 0 and 1, and one example or more")
        rows, used = self._labels(judges.judge_of(self._project, judge), labels, field)
        items = items_of_runs(self._project, rows) if used else items_of_rows(rows)
        complete = functools.partial(self._models().acomplete, cache=True)
        schema = str(rows[0]["schema"]) if used else None
        return improve(
            self._project,
            complete,
            judge,
            items,
            examples=examples,
            share=share,
            alpha=alpha,
            seed=seed,
            schema=schema,
            reason=reason,
        )

    def budget(
        self,
        what: Any,
        *,
        judge: str | Sequence[str] = (),
        spend: int = 50,
        level: float = 0.95,
        clustered: bool = True,
    ) -> JudgeBudget:
        """Return where the error of what a judge found comes from, and what the next calls or labels take off it.

        Its parts: few examples; judge noise (repeats that differ); judge bias (how well its errors are known); and, of
        runs or judges that differ in it, its wording and temperature. ``ws.feedback.queue(name, budget, ...)`` asks for
        the labels that tell most, drawn with known chances, so that rates corrected by them are unbiased.

        Args:
            what: A run, several runs over the same examples, or a comparison: then of the difference.
            judge: Its name, or several that ask the same in other words; by default the only judge there is.
            spend: Calls or labels to give next.
            level: Confidence level in (0, 1).
            clustered: Take the clusters of the examples into account, when they have some.

        Raises:
            UsageError: No judge scored here, or several did and none is named.
            NotFoundError: There is no such run or scorer.
        """
        names = [judge] if isinstance(judge, str) else list(judge)
        return budget(self._project.store, what, judges=names, spend=spend, level=level, clustered=clustered)

    def _labels(
        self, judge: judges.Judge, labels: Any, field: str | None, *, after: datetime | None = None
    ) -> tuple[Any, tuple[str, ...]]:
        """Return labels with verdicts as rows, and what they are where they were picked up."""
        queue = self._queue_named(labels)
        run_id = None if hasattr(labels, "columns") else getattr(labels, "run_id", None)
        if labels is not None and queue is None and run_id is None:
            return labels, ()
        after = after if labels is None else None
        return picked(self._project.store, judge, queue=queue, run_id=run_id, field=field, after=after)

    def _queue_named(self, labels: Any) -> str | None:
        """Return the name of the queue that is meant; None where something else is."""
        if isinstance(labels, Queue):
            return labels.name
        if not isinstance(labels, str) or Path(labels).suffix or Path(labels).exists():
            return None
        return self.queues.get(labels).name

    def _with_view(self, found: FeedbackStats) -> FeedbackStats:
        """Return a record with its view, where there is one."""
        return found
