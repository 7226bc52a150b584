"""A better judge out of what it got wrong: examples of a new version, measured on labels that it has not seen."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections import defaultdict
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.base.loops import waited
from lmops.base.shown import Shown
from lmops.errors import UsageError
from lmops.feedback import calibration
from lmops.judges import Judges
from lmops.scorers import ScoreInput, Scorer, with_examples
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from lmops.feedback._measured import JudgeCalibration, Limits
    from lmops.judges import JudgeVersion
    from lmops.records import Project
    from lmops.scorers import Complete

_AT_ONCE: Final = 16
_SHARES: Final = 10**6
_MESSAGES: Final = 2  # of an example: what is judged, and the verdict on it


class Item(NamedTuple):
    """What a judge is shown, and what people say of it."""

    name: str
    group: str  # what belongs together: learned from or measured on, never both
    label: float
    verdict: float  # of the judge as it was; NaN where it is to be asked
    given: ScoreInput
    critique: str
    trace_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """How one version of a judge did on the labels that neither version was shown."""

    version: str
    right: Limits
    sensitivity: Limits
    specificity: Limits


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class JudgeImprovement(Shown):
    """Two versions of a judge on the same labels, which the new one was not shown.

    Args:
        judge: The one to use from now on: the new version where it is better, else the old one.
        candidate: The new version; its examples are in ``candidate.options["few_shot"]``.
        is_better: Whether it is, by the paired test.
        before: The old version on the items held out.
        after: The new one on the same.
        difference: Share of verdicts that are right, new - old, with its limits.
        p_value: Of no difference: McNemar's mid-p, or sign flips by cluster.
        alpha: At which the test is better.
        examples: The items that became examples.
        n_learning: Items that it could learn from.
        n_held_out: Items that both are measured on.
        calibration: Of the new version on the items held out, where it is better.
        saved: The new version as ``ws.judges`` keeps it, where it is better: a draft, to which no alias points yet.
        verdict_id: What its promotion can rest on, where it is better.
    """

    judge: Scorer = field(repr=False)
    candidate: Scorer = field(repr=False)
    is_better: bool
    before: Worth
    after: Worth
    difference: Limits
    p_value: float | None
    alpha: float
    examples: tuple[str, ...]
    n_learning: int
    n_held_out: int
    calibration: JudgeCalibration | None
    saved: JudgeVersion | None
    verdict_id: str | None
    _cases: tuple[tuple[str, float, float, float], ...] = field(repr=False, default=())

    def __repr__(self) -> str:
        return self.text

    def df(self) -> pd.DataFrame:
        """Return one row an item held out: people, before, after (1 pass, 0 fail), and what changed."""
        from lmops.base.frames import Frame

        return Frame(self.cases(), columns=["item", "people", "before", "after", "change"])

    def cases(self) -> list[tuple[str, float, float, float, str]]:
        """Return the rows of :meth:`df`; NaN where a version said nothing."""
        return [(*case, _change(*case[1:])) for case in self._cases]


def _change(people: float, before: float, after: float) -> str:
    if math.isnan(before) or math.isnan(after) or before == after:
        return ""
    return "mended" if after == people else "broken"


def improve(
    project: Project,
    complete: Complete,
    judge: Scorer,
    items: Sequence[Item],
    *,
    examples: int,
    share: float,
    alpha: float,
    seed: int,
    schema: str | None,
    reason: str | None,
) -> JudgeImprovement:
    """Return a new version of a judge and how it does; see :meth:`lmops.feedback.Feedback.improve`."""
    learning, held_out = _split(items, share=share, seed=seed)
    old = _asked(complete, judge, [one for one in items if math.isnan(one.verdict)])
    verdicts = {one.name: old.get(one.name, one.verdict) for one in items}
    shown = _wrong(learning, verdicts, examples)
    candidate = with_examples(judge, [_shot(one) for one in shown])
    new = _asked(complete, candidate, held_out)
    cases = tuple((one.name, one.label, verdicts[one.name], new.get(one.name, math.nan)) for one in held_out)
    difference, p_value = _compared(cases, [one.group for one in held_out])
    is_better = p_value is not None and p_value <= alpha and (difference[0] or 0) > 0
    before = _worth(judge.version, [(label, then) for _, label, then, _ in cases])
    after = _worth(candidate.version, [(label, then) for _, label, _, then in cases])
    sizes = {"n_learning": len(learning), "n_held_out": len(held_out)}
    found = {"p_value": p_value, "alpha": alpha, "difference": difference}
    figures = {**sizes, **found, "before": asdict(before), "after": asdict(after)}
    saved, verdict_id = _kept(project, judge, candidate, shown, figures, is_better=is_better, reason=reason)
    made = None
    if is_better:
        rows = _rows(held_out, new, schema)
        used = (f"{len(held_out):,} items that it was not shown",)
        made = calibration.measure(project, calibration.judge_of(project, candidate), rows, used=used)
    return JudgeImprovement(
        judge=candidate if is_better else judge,
        candidate=candidate,
        is_better=is_better,
        before=before,
        after=after,
        difference=difference,
        p_value=p_value,
        alpha=alpha,
        examples=tuple(one.name for one in shown),
        n_learning=len(learning),
        n_held_out=len(held_out),
        calibration=made,
        saved=saved,
        verdict_id=verdict_id,
        _cases=cases,
    )


def _split(items: Sequence[Item], *, share: float, seed: int) -> tuple[list[Item], list[Item]]:
    """Return the items to learn from and those held out; what belongs together is in one part, the same every time."""
    parts: tuple[list[Item], list[Item]] = ([], [])
    for one in items:
        parts[_place(one.group, seed) >= share].append(one)
    if not all(parts):
        raise UsageError(f"improve: {len(items):,} labelled items cannot be split into two parts; label more")
    return parts


def _place(group: str, seed: int) -> float:
    """Return where a group lies in 0..1: by its name, so that labels that come later move nothing."""
    digest = hashlib.sha256(f"{seed}/{group}".encode("utf-8", "surrogatepass")).hexdigest()
    return int(digest[:12], 16) % _SHARES / _SHARES


def _wrong(learning: Sequence[Item], verdicts: Mapping[str, float], examples: int) -> list[Item]:
    """Return what the judge got wrong, of passes and fails in turn, in an order that is left to chance."""
    by_label: dict[float, list[Item]] = defaultdict(list)
    for one in sorted(learning, key=lambda one: _place(one.name, -1)):
        if verdicts[one.name] != one.label and not math.isnan(verdicts[one.name]):
            by_label[one.label].append(one)
    found: list[Item] = []
    while len(found) < examples and any(by_label.values()):
        found += [given.pop(0) for _, given in sorted(by_label.items()) if given]
    if not found:
        raise UsageError(
            f"improve: the judge agrees with people on all {len(learning):,} items to learn from; there is nothing to "
            "show it"
        )
    return found[:examples]


def _kept(
    project: Project,
    judge: Scorer,
    candidate: Scorer,
    shown: Sequence[Item],
    figures: Mapping[str, Any],
    *,
    is_better: bool,
    reason: str | None,
) -> tuple[JudgeVersion | None, str | None]:
    """Write what was tried; return the version of a better judge and the id of its evidence, None of another."""
    saved = verdict_id = None
    with project.change(reason=reason) as change:
        if is_better:
            traces = [one.trace_id for one in shown for _ in range(_MESSAGES)]
            saved, verdict_id = Judges(project).better(change, judge, candidate, traces=traces, figures=figures)
        said = {
            "version": candidate.version,
            "is_better": is_better,
            "n": figures["n_held_out"],
            "p": figures["p_value"],
        }
        change.say("judge.improve", judge.name, before={"version": judge.version}, after=said)
    return saved, verdict_id


def _shot(one: Item) -> dict[str, Any]:
    rationale = one.critique or f"People who looked at it say that it is a {'pass' if one.label else 'fail'}."
    return {
        "input": one.given.example.get("input"),
        "output": one.given.output,
        "expected": one.given.expected,
        "documents": one.given.documents,
        "verdict": bool(one.label),
        "rationale": rationale,
    }


def _asked(complete: Complete, judge: Scorer, items: Sequence[Item]) -> dict[str, float]:
    """Return the verdicts of a judge by item; what it could not say is not there.

    Raises:
        UsageError: It says nothing of any of them; with the first reason.
    """

    async def ask() -> list[Any]:
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one_of(item: Item) -> Any:
            async with slots:
                return await judge.ascore(replace(item.given, complete=complete))

        return await asyncio.gather(*(one_of(item) for item in items))

    if not items:
        return {}
    scores = waited(ask, name="lmops-improve")
    found = {
        item.name: float(score.value)
        for item, score in zip(items, scores, strict=True)
        if score.value is not None and float(score.value) in (0.0, 1.0)
    }
    if not found:
        raise UsageError(f"improve: the judge says nothing of any item, the first: {plain_line(scores[0].reason, 300)}")
    return found


def _compared(cases: Sequence[tuple[str, float, float, float]], groups: Sequence[str]) -> tuple[Limits, float | None]:
    """Return by how much more often the new version is right, with limits and the p-value of the paired test."""
    import numpy as np

    from lmops.calc.paired import mcnemar, paired_difference, sign_flip_test

    known = [not (math.isnan(before) or math.isnan(after)) for _, _, before, after in cases]
    right = np.array(
        [(float(after == label), float(before == label)) for _, label, before, after in cases], dtype=np.float64
    )[known]
    kept = [group for group, is_in in zip(groups, known, strict=True) if is_in]
    if not len(right):
        return (None, None, None), None
    clusters = kept if len(set(kept)) < len(kept) else None
    found = paired_difference(right[:, 0], right[:, 1], clusters=clusters)
    if clusters is None:
        p_value = mcnemar(right[:, 0], right[:, 1]).p_value
    else:
        p_value = sign_flip_test(right[:, 0] - right[:, 1], clusters=clusters).p_value
    limits = (_known(found.difference), _known(found.low), _known(found.high))
    return limits, _known(p_value)


def _worth(version: str, pairs: Sequence[tuple[float, float]]) -> Worth:
    from lmops.calc.intervals import proportion_interval

    def limits(outcomes: list[bool]) -> Limits:
        found = proportion_interval([float(one) for one in outcomes])
        return _known(found.estimate), _known(found.low), _known(found.high)

    known = [(label, verdict) for label, verdict in pairs if not math.isnan(verdict)]
    return Worth(
        version=version,
        right=limits([label == verdict for label, verdict in known]),
        sensitivity=limits([verdict == 1 for label, verdict in known if label == 1]),
        specificity=limits([verdict == 0 for label, verdict in known if label == 0]),
    )


def _rows(items: Sequence[Item], verdicts: Mapping[str, float], schema: str | None) -> list[dict[str, Any]]:
    return [
        {
            "item": one.name,
            "label": one.label,
            "verdict": verdicts.get(one.name),
            "cluster": one.group,
            **({} if schema is None else {"schema": schema}),
        }
        for one in items
    ]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
