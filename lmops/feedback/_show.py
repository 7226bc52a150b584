"""How signals, imports of them, their rates, agreement, calibrations, schemas and queues look."""

from __future__ import annotations

import math
from typing import Any, Final

from lmops.base.sheet import aligned, framed
from lmops.base.shown import html_of, text_of
from lmops.base.units import share
from lmops.feedback._budget import JudgeBudget
from lmops.feedback._improve import JudgeImprovement
from lmops.feedback._measured import JudgeCalibration, Limits, RaterAgreement
from lmops.feedback._records import FeedbackStats, ImportReport, Signal
from lmops.text import escape, plain_line

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
    waits = f"; it waits: this {signal.target} is not in the store yet" if signal.is_waiting else ""
    return f"{said} on {signal.target} {plain_line(signal.place, 60)}{did}{waits}"


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
    hidden |= {f"{of}_{what}" for of in ("corrected", "ppi") for what in ("low", "high", "labels", "note")}
    names = [str(name) for name in found.frame.columns if name not in hidden]
    rows = found.frame.to_dict("records")
    return names, [[_cell(name, row, found.kind) for name in names] for row in rows]


def _cell(name: str, row: dict[Any, Any], kind: str) -> str:
    import pandas as pd

    value = row[name]
    if name == "ppi":
        return _by_labels(row, kind)
    if pd.isna(value):
        return "-"
    if name == "bucket":
        return f"{value:%Y-%m-%d %H:%M}"
    if name == "share":
        return _interval(value, row["share_low"], row["share_high"], is_share=True)
    if name == "corrected":
        return _interval(value, row["corrected_low"], row["corrected_high"], is_share=True)
    if name in ("rate", "mean"):
        return _interval(value, row["low"], row["high"], is_share=kind != "number")
    return f"{value:,}" if isinstance(value, int) else plain_line(value, 60)


def _by_labels(row: dict[Any, Any], kind: str) -> str:
    """Return what people would find by labels, or why that is not known."""
    limits = (row["ppi"], row["ppi_low"], row["ppi_high"])
    if math.isnan(row["ppi_low"]):
        return plain_line(row["ppi_note"], 100)
    return f"{_interval(*limits, is_share=kind != 'number')}, {row['ppi_labels']:,} labels"


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
    notes = "".join(f"<div>{escape(note)}</div>" for note in _notes(found))
    return framed(_judged(found), ["figure", "value"], _worth(found)) + notes


_COEFFICIENTS: Final = {
    "cohen_kappa": "Cohen's kappa",
    "fleiss_kappa": "Fleiss' kappa",
    "krippendorff_alpha": "Krippendorff's alpha",
    "gwet_ac1": "Gwet's AC1",
}
_AGREED: Final = ["field", "coefficient", "value", "raw", "items", "raters", "in dispute"]


def _agreed(found: RaterAgreement) -> str:
    fields = f"{len(found.fields)} field{'' if len(found.fields) == 1 else 's'}"
    return f"agreement of raters in {fields}, limits at {100 * found.level:g} %"


def _agreement(found: RaterAgreement) -> list[list[str]]:
    return [
        [
            plain_line(one.field, 60),
            _COEFFICIENTS.get(name, name),
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
    return [[name, value] for name, value in rows if value not in ("", "-")]


def _notes(found: JudgeCalibration) -> list[str]:
    notes = [f"stale: {plain_line(reason, 300)}" for reason in found.stale]
    _, n_pass, _, n_fail = found.errors
    if n_pass + n_fail < 0.95 * (found.n_pass + found.n_fail):
        notes.append(
            f"labels in clusters, or drawn unequally, tell as much as {n_pass:.0f} pass and {n_fail:.0f} fail that are "
            "independent"
        )
    if found.n_disputed:
        notes.append(f"{found.n_disputed:,} items that as many people pass as fail are left out")
    return [*notes, *(plain_line(one, 300) for one in found.used), found.advice]


def _limits(found: Limits) -> str:
    value, low, high = (None if one is None or math.isnan(one) else one for one in found)
    if value is None:
        return "-"
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"


@text_of.register(JudgeBudget)
def _(found: JudgeBudget) -> str:
    return "\n".join([_budgeted(found), *aligned([_SOURCES, *_sources(found)]), *_next_steps(found), *_words(found)])


@html_of.register(JudgeBudget)
def _(found: JudgeBudget) -> str:
    notes = "".join(f"<div>{escape(note)}</div>" for note in (*_next_steps(found), *_words(found)))
    return framed(_budgeted(found), _SOURCES, _sources(found)) + notes


@text_of.register(JudgeImprovement)
def _(found: JudgeImprovement) -> str:
    changed = [_CASES, *_changed(found)]
    lines = [_improved(found), *aligned([_versions(found), *_side_by_side(found)])]
    return "\n".join([*lines, *(["", *aligned(changed)] if len(changed) > 1 else [])])


@html_of.register(JudgeImprovement)
def _(found: JudgeImprovement) -> str:
    changed = _changed(found)
    more = framed("what changed", _CASES, changed) if changed else ""
    return framed(_improved(found), _versions(found), _side_by_side(found)) + more


_CASES: Final = ["item", "people", "before", "after", "change"]
_MOST_CASES: Final = 20


def _improved(found: JudgeImprovement) -> str:
    kept = "the new version is kept" if found.is_better else "the old version is kept"
    p_value = "-" if found.p_value is None else f"{found.p_value:.2g}"
    shown = f"{len(found.examples)} examples out of {found.n_learning:,} items"
    return (
        f"judge {plain_line(found.candidate.name, 60)}, {shown}, measured on {found.n_held_out:,} others: {kept} "
        f"(p {p_value}, asked {found.alpha:g}){_saved(found)}"
    )


def _saved(found: JudgeImprovement) -> str:
    if found.saved is None:
        return ""
    name, version = plain_line(found.saved.name, 60), found.saved.version
    call = f"ws.judges.promote({name!r}, {version}, to=..., evidence={found.verdict_id!r})"
    return f"; {name}@{version} is a draft: {call}"


def _versions(found: JudgeImprovement) -> list[str]:
    return ["figure", f"before: {found.before.version}", f"after: {found.after.version}"]


def _side_by_side(found: JudgeImprovement) -> list[list[str]]:
    before, after = found.before, found.after
    return [
        ["right", _limits(before.right), _limits(after.right)],
        ["sensitivity", _limits(before.sensitivity), _limits(after.sensitivity)],
        ["specificity", _limits(before.specificity), _limits(after.specificity)],
        ["more often right by", "", _limits(found.difference)],
    ]


def _changed(found: JudgeImprovement) -> list[list[str]]:
    """Return the first cases whose verdict changed, those that broke first."""
    words = {1.0: "pass", 0.0: "fail"}
    cases = sorted((change, item, said) for item, *said, change in found.cases() if change)
    return [
        [plain_line(item, 60), *(words.get(one, "-") for one in said), change]
        for change, item, said in cases[:_MOST_CASES]
    ]


_SOURCES: Final = ["source", "share of the error", "half-width alone"]


def _budgeted(found: JudgeBudget) -> str:
    what = f"difference of {' and '.join(found.runs)}" if found.is_difference else f"mean of {', '.join(found.runs)}"
    half = found.found.half_width
    limits = "" if math.isnan(half) else f" ± {half:.3f}"
    estimate = "-" if math.isnan(found.found.estimate) else f"{found.found.estimate:.3f}"
    return f"{plain_line(found.judge, 100)}, {plain_line(what, 200)}: {estimate}{limits}, {found.found.n:,} examples"


def _sources(found: JudgeBudget) -> list[list[str]]:
    shares = found.found.shares
    half = found.found.half_width / found.found.se if found.found.se > 0 else math.nan
    return [
        [
            "few examples" if name == "items" else name,
            "not known" if math.isnan(part) else share(shares[name]),
            "" if math.isnan(part) else f"{half * math.sqrt(part):.3f}",
        ]
        for name, part in found.found.parts.items()
    ]


def _words(found: JudgeBudget) -> list[str]:
    return [plain_line(note, 300) for note in (*found.notes, *found.unknown)]


def _next_steps(found: JudgeBudget) -> list[str]:
    """Return what to spend the next calls or labels on, with the half-width that is left."""
    half = found.found.half_width / found.found.se if found.found.se > 0 else math.nan
    return [f"{place}. {one.advice}: ± {half * one.se:.3f}" for place, one in enumerate(found.steps, start=1)]
