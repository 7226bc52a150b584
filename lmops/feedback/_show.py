"""How signals, imports of them, their rates, agreement, calibrations, schemas and queues look."""

from __future__ import annotations

import math
from typing import Any, Final

from lmops.base.sheet import aligned, framed
from lmops.base.shown import html_of, text_of
from lmops.base.units import share
from lmops.feedback._label_records import Adjudication, Kept, LabelField, LabelSchema, Queue, QueueProgress, Turn
from lmops.feedback._measured import JudgeCalibration, Limits, RaterAgreement
from lmops.feedback._records import FeedbackStats, ImportReport, Signal
from lmops.text import escape, plain, plain_line

_CHANGES: Final = {
    "new": "kept",
    "changed": "kept, in the place of an earlier one",
    "same": "there already",
    "late": "kept; a later one counts",
}


@text_of.register(Signal)
def _(signal: Signal) -> str:
    comment = "" if signal.comment is None else f" {plain_line(signal.comment, 200)!r}"
    who = "" if signal.user_id is None else f" by {plain_line(signal.user_id, 60)}"
    did = "" if signal.change is None else f": {_CHANGES[signal.change]}"
    said = f"{plain_line(signal.name, 60)} {plain_line(signal.value, 200)}{comment}{who}"
    return f"{said} on {signal.target} {plain_line(signal.place, 60)}{did}"


@text_of.register(ImportReport)
def _(report: ImportReport) -> str:
    counts = (
        (report.new, "new"),
        (report.changed, "that replace earlier ones"),
        (report.same, "there already"),
        (report.late, "older than what is there"),
        (report.waiting, "that wait for their trace"),
        (report.rejected_count, "rejected"),
    )
    parts = [f"{count:,} {words}" for count, words in counts if count] or ["nothing"]
    lines = [f"signals: {', '.join(parts)}"]
    lines += [f"  {plain_line(where, 100)}: {plain_line(why, 300)}" for where, why in report.rejected[:5]]
    if report.rejected_count > 5:
        lines.append(f"  ... and {report.rejected_count - 5:,} more in .rejected")
    return "\n".join(lines)


@text_of.register(FeedbackStats)
def _(found: FeedbackStats) -> str:
    heads, rows = _table(found)
    return "\n".join([plain_line(found.title, 300), *aligned([heads, *rows]), *found.notes])


@html_of.register(FeedbackStats)
def _(found: FeedbackStats) -> str:
    heads, rows = _table(found)
    notes = "".join(f"<p>{escape(note)}</p>" for note in found.notes)
    return framed(found.title, heads, rows) + notes


def _table(found: FeedbackStats) -> tuple[list[str], list[list[str]]]:
    """Return the headings and the rows, an interval in one cell."""
    hidden = {"share_low", "share_high", "low", "high"}
    names = [str(name) for name in found.frame.columns if name not in hidden]
    rows = found.frame.to_dict("records")
    return names, [[_cell(name, row, found.kind) for name in names] for row in rows]


def _cell(name: str, row: dict[Any, Any], kind: str) -> str:
    import pandas as pd

    value = row[name]
    if pd.isna(value):
        return "-"
    if name == "bucket":
        return f"{value:%Y-%m-%d %H:%M}"
    if name == "share":
        return _interval(value, row["share_low"], row["share_high"], is_share=True)
    if name in ("rate", "mean"):
        return _interval(value, row["low"], row["high"], is_share=kind != "number")
    return f"{value:,}" if isinstance(value, int) else plain_line(value, 60)


def _interval(value: float, low: float, high: float, *, is_share: bool) -> str:
    """Return an estimate with its limits; without them where there are none, as of what one user says."""
    said = [share(one) if is_share else f"{one:.3g}" for one in (value, low, high)]
    return said[0] if math.isnan(low) else f"{said[0]} ({said[1]} to {said[2]})"


@text_of.register(RaterAgreement)
def _(found: RaterAgreement) -> str:
    return "\n".join([_agreed(found), *aligned([_AGREED, *_agreement(found)])])


@html_of.register(RaterAgreement)
def _(found: RaterAgreement) -> str:
    return framed(_agreed(found), _AGREED, _agreement(found))


@text_of.register(JudgeCalibration)
def _(found: JudgeCalibration) -> str:
    return "\n".join([_judged(found), *aligned(_worth(found)), *_notes(found)])


@html_of.register(JudgeCalibration)
def _(found: JudgeCalibration) -> str:
    notes = "".join(f"<p>{escape(note)}</p>" for note in _notes(found))
    return framed(_judged(found), ["figure", "value"], _worth(found)) + notes


_AGREED: Final = ["field", "coefficient", "value", "raw", "items", "raters", "in dispute"]


def _agreed(found: RaterAgreement) -> str:
    return f"agreement of raters in {len(found.fields)} field{'' if len(found.fields) == 1 else 's'}"


def _agreement(found: RaterAgreement) -> list[list[str]]:
    return [
        [
            plain_line(one.field, 60),
            name.replace("_", " "),
            _limits((one_of.value, one_of.low, one_of.high)),
            share(None if math.isnan(one_of.raw) else one_of.raw),
            f"{one_of.n:,}",
            str(one_of.n_raters),
            f"{len(one.disagreements):,}",
        ]
        for one in found.fields
        for name, one_of in one.coefficients.items()
    ]


def _judged(found: JudgeCalibration) -> str:
    model = "" if found.model is None else f" on {plain_line(found.model, 60)}"
    judge = f"{plain_line(found.judge, 60)} {plain_line(found.judge_version, 40)}{model}"
    return f"calibration {found.number} of judge {judge}: {'fresh' if found.is_fresh else 'stale'}"


def _worth(found: JudgeCalibration) -> list[list[str]]:
    """Return the figures that are known, each with its limits."""
    labels = f"{found.n_pass:,} pass, {found.n_fail:,} fail"
    rows = [
        ("labels", labels),
        ("sensitivity", _limits(found.sensitivity)),
        ("specificity", _limits(found.specificity)),
        ("kappa", _limits(found.kappa)),
        ("AC1", _limits(found.ac1)),
        ("passes by people", share(found.base_rate)),
        ("passes by the judge", share(found.judge_rate)),
        ("same after a swap", _limits(found.position_consistency)),
        ("repeats that disagree", share(found.flip_rate)),
        ("slope with length", _limits(found.length_slope)),
    ]
    return [[name, value] for name, value in rows if value != "-"]


def _notes(found: JudgeCalibration) -> list[str]:
    notes = [f"stale: {plain_line(reason, 300)}" for reason in found.stale]
    if found.n_disputed:
        notes.append(f"{found.n_disputed:,} items that as many people pass as fail are left out")
    return [*notes, found.advice]


def _limits(found: Limits) -> str:
    value, low, high = (None if one is None or math.isnan(one) else one for one in found)
    if value is None:
        return "-"
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"


@text_of.register(LabelSchema)
def _(schema: LabelSchema) -> str:
    lines = [schema.ref, *([plain(schema.criteria)] if schema.criteria else [])]
    return "\n".join([*lines, *(f"  {_field(field)}" for field in schema.fields)])


def _field(field: LabelField) -> str:
    """Return a field on one line: what it is, how it is chosen, what it means."""
    keys = ", ".join(f"{plain_line(value, 40)} [{plain_line(key, 1)}]" for value, key in field.keys.items())
    needed = ", required" if field.is_required else ""
    said = f": {plain_line(field.criteria, 200)}" if field.criteria else ""
    return f"{field.name} ({field.kind.replace('_', ' ')}{needed}){said}{f' - {keys}' if keys else ''}"


@text_of.register(Queue)
def _(queue: Queue) -> str:
    asked = "one rater an item"
    if queue.k > 1:
        asked = f"{queue.k} raters for {share(queue.overlap)} of them, one for the others"
    who = f" by {plain_line(', '.join(queue.raters), 200)}" if queue.raters else ""
    added = f" ({queue.added:,} added)" if queue.added else ""
    return f"queue {queue.name}, {queue.status}: {queue.count:,} items{added} under {queue.schema_ref}{who}; {asked}"


@text_of.register(QueueProgress)
def _(progress: QueueProgress) -> str:
    rows = [
        [
            plain_line(one.rater, 60),
            *(f"{n:,}" for n in (one.done, one.skipped, one.held)),
            f"{one.seconds / one.done:.0f} s" if one.done else "-",
        ]
        for one in progress.raters
    ]
    head = f"queue {progress.queue}: {progress.done:,} of {progress.items:,} items done"
    return "\n".join([head, *aligned([["rater", "done", "skipped", "held", "each"], *rows])] if rows else [head])


@text_of.register(Turn)
def _(turn: Turn) -> str:
    said = "" if turn.said is None else f": {plain_line(turn.said, 200)}"
    return f"item {turn.position} of {turn.queue}, {plain_line(turn.item, 100)}{said}"


@text_of.register(Kept)
def _(kept: Kept) -> str:
    on = ", ".join(map(str, kept.positions[:5])) + (", ..." if len(kept.positions) > 5 else "")
    return f"{kept.action} of item {on}: {'there already' if kept.is_repeated else 'kept'}"


@text_of.register(Adjudication)
def _(made: Adjudication) -> str:
    decided = f"item {made.position} of {made.queue}: {plain_line(made.values, 200)}"
    return f"{decided}, decided by {plain_line(made.actor, 60)} (event {made.event_id})"
