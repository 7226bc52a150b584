"""Feedback: what users say of answers, kept beside the traces and asked with them."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmops.base.public import only
from lmops.errors import UsageError
from lmops.feedback import _show as _show
from lmops.feedback import calibration as judges
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
from lmops.feedback._measured import JudgeCalibration, RaterAgreement
from lmops.feedback._records import FeedbackStats, ImportReport, Signal
from lmops.feedback._write import record
from lmops.feedback.agreement import labels_of, rater_agreement
from lmops.feedback.importing import found_in, found_in_traces, take
from lmops.feedback.questions import current, waiting
from lmops.feedback.queues import Queues
from lmops.feedback.schemas import LabelSchemas
from lmops.feedback.signals import make_signal
from lmops.feedback.stats import feedback_stats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.records import Project
    from lmops.store import Store

__all__ = [
    "WHICH",
    "Adjudication",
    "Feedback",
    "FeedbackStats",
    "ImportReport",
    "JudgeCalibration",
    "Kept",
    "LabelField",
    "LabelSchema",
    "LabelSchemas",
    "Queue",
    "QueueProgress",
    "Queues",
    "RaterAgreement",
    "RaterProgress",
    "Signal",
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

    def __init__(self, project: Project) -> None:
        self._project = project

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
            The signal; its ``change`` says whether it is new, changed something, was there already, or came too late.

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
        return record(self._project, signal)

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
        pair = None if scale is None else (scale[0], scale[-1])
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
            evaluations: Count what evaluations asked as well.

        Returns:
            A record with one row per interval and group in ``df()``: bucket, the groups, traces, with_feedback, share
            with its interval share_low and share_high, signals, users; of thumbs up, down and rate, of categories
            value, count and rate, of numbers mean, each with the 95 % interval low and high. What one user says counts
            as one cluster. ``view`` is the chart.

        Raises:
            UsageError: There is no signal of this name, or no such group.
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
                evaluations=evaluations,
            )
        )

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
            labels: A queue, or a frame, a list of dicts or a file with item, rater, value, and field where there are
                several; the last of one item, field and rater counts.
            categories: All possible values of a field in their order, as {"tone": ["kind", "rude"]}.
            level: Of the intervals.
            seed: Of the resampling.

        Raises:
            UsageError: A column is missing, or there are no labels.
        """
        if isinstance(labels, Queue):
            labels = labels_of(self._project.store, labels.name)
        return rater_agreement(labels, categories=categories, level=level, seed=seed)

    def calibrate(
        self, judge: Any, labels: Any, *, version: str | None = None, model: str | None = None
    ) -> JudgeCalibration:
        """Measure a judge on items that people labeled, and keep the record.

        The record holds for this version of the judge (its prompt, options and model) and this version of the label
        schema. What most raters say of an item is its label; where as many pass it as fail it, it is left out.

        Args:
            judge: The scorer, or its name with ``version``.
            labels: A frame, a list of dicts or a file with item, label and verdict (pass or fail, 1 or 0), one row per
                rater or repeat. Where there are more columns: rater; repeat (which time the judge was asked: flip
                rate); swapped (its verdict with the two answers swapped: position consistency); length (slope);
                cluster (items that belong together); schema (name@version).
            version: Of the judge, where only its name is given.
            model: That it asks, where only its name is given.

        Raises:
            UsageError: A column is missing, a value is no verdict, labels of several versions of a schema, or no item
                with both.
        """
        return judges.measure(self._project, judges.judge_of(judge, version, model), labels)

    def calibration(
        self, judge: Any, *, version: str | None = None, model: str | None = None, schema: str | None = None
    ) -> JudgeCalibration | None:
        """Return the newest record of a judge; ``stale`` says why it does not hold. None: it is uncalibrated.

        Args:
            judge: The scorer, or its name with ``version``.
            version: Of the judge, where only its name is given.
            model: That it asks, where only its name is given.
            schema: The label schema that is in use, as name@version.

        Raises:
            DamagedStoreError: The record is not what was written.
        """
        return judges.latest(self._project.store, judges.judge_of(judge, version, model), schema)

    def recheck(
        self, judge: Any, labels: Any, *, version: str | None = None, model: str | None = None, alpha: float = 0.05
    ) -> JudgeCalibration:
        """Hold newer labels against a judge's record: where they disagree by an exact test, it is stale from then on.

        Args:
            judge: The scorer, or its name with ``version``.
            labels: As of :meth:`calibrate`, of items that were labeled since.
            version: Of the judge, where only its name is given.
            model: That it asks, where only its name is given.
            alpha: Share of false alarms.

        Returns:
            The record; ``stale`` says what newer labels say against it.

        Raises:
            NotFoundError: There is no record yet.
            UsageError: As of :meth:`calibrate`.
        """
        return judges.recheck(self._project, judges.judge_of(judge, version, model), labels, alpha=alpha)

    def _with_view(self, found: FeedbackStats) -> FeedbackStats:
        """Return a record with its view, where there is one."""
        return found
