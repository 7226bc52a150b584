"""How comparisons of arms, plans, canaries and advice look: in words, and as cards with bars."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from lmops.base.cards import card_html
from lmops.base.sheet import BAD, GOOD, aligned, html_table
from lmops.base.shown import html_of, text_of
from lmops.base.units import amount, counted, share
from lmops.routing._trial_records import (
    Advice,
    AdvisedArm,
    ArmComparison,
    CanaryStatus,
    CanaryStep,
    ExperimentPower,
    MetricComparison,
)
from lmops.routing._words import VERDICTS, interval_words, verdict_words
from lmops.text import escape, plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEAD: Final = ("metric", "treatment", "control", "difference", "verdict", "users")
_NEXT: Final = {
    "wait": "waits",
    "go_on": "goes on",
    "promote": "is to be promoted",
    "stop": "is to be stopped",
    "promoted": "has been promoted",
    "stopped": "has been stopped",
}
#: What a verdict is coloured by: the colours of the page, and of bars, which its sanitiser keeps only when plain.
_STYLES: Final = {"better": GOOD, "non_inferior": GOOD, "worse": BAD, "invalid": BAD}
_BARS: Final = {"better": "seagreen", "non_inferior": "steelblue", "worse": "firebrick"}
_OPEN: Final = "gray"
_ROW: Final = "display:flex;flex-wrap:wrap;align-items:baseline;margin:10px 0 0 0"
_NAME: Final = "flex:1 1 200px;min-width:160px;padding:0 12px 0 0;overflow-wrap:anywhere"
_PLOT: Final = "flex:0 0 240px;position:relative;height:16px;margin:0 14px 0 0;align-self:center"
_SAID: Final = "flex:1 1 220px;min-width:200px;font-variant-numeric:tabular-nums"
_QUIET: Final = "font-size:11px;opacity:0.75"
_WIDTH: Final = 240
_NOTE: Final = "margin:6px 0 0 0"


@text_of.register(ArmComparison)
def comparison_text(found: ArmComparison) -> str:
    """Return a comparison as plain text."""
    table = aligned([_HEAD, *map(_cells, found.metrics)])
    split = [] if found.since is None else [f"split {_split_words(found)}"]
    notes = [f"  {plain_line(one, 600)}" for one in (*_notes(found), *split)]
    return "\n".join([f"{_title(found)}: {_lead(found)}", *(f"  {line}" for line in table), *notes])


@html_of.register(ArmComparison)
def comparison_html(found: ArmComparison) -> str:
    """Return a comparison as a card: of each metric a bar against no difference and its margin."""
    lead = f'<div style="{_STYLES.get(found.verdict, "font-weight:600")}">{escape(_lead(found))}</div>'
    return card_html("arms of a route:", _title(found), _facts(found), lead=lead, more=_bars(found))


def _bars(found: ArmComparison) -> str:
    """Return a bar a metric, and below them what else is to be known."""
    if found.since is None:
        return ""
    has_margin = any(one.decision.margin for one in found.metrics)
    legend = "bars: the difference and its limits; left of the middle is worse" + ", orange the margin" * has_margin
    said = [legend, *_notes(found)]
    notes = "".join(f'<div style="{_NOTE};{_QUIET}">{escape(one, 600)}</div>' for one in said)
    return "".join(map(_html_row, found.metrics)) + notes


def _title(found: ArmComparison) -> str:
    return f"{plain_line(found.route, 80)}, {plain_line(found.treatment, 60)} against {plain_line(found.control, 60)}"


def _lead(found: ArmComparison) -> str:
    if found.since is None:
        return "nothing is recorded yet"
    if found.verdict == "invalid":
        return "nothing can be said: the users did not come in the shares that were meant"
    return f"{plain_line(found.primary.metric.words, 80)} {verdict_words(found.primary)}"


def _facts(found: ArmComparison) -> list[tuple[str, str]]:
    one = found.primary.found
    split = " / ".join(f"{plain_line(arm, 40)} {n:,}" for arm, n in zip(found.arms, found.split.counts, strict=False))
    times = "" if found.since is None else f"{found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC"
    return [
        ("users with this metric", f"{one.n_a:,} and {one.n_b:,}"),
        ("keys, by arm", split),
        ("split", _split_words(found)),
        ("decisions", times),
        ("intervals", f"{share(found.level)}, hold at every look"),
    ]


def _split_words(found: ArmComparison) -> str:
    if not found.split.n:
        return ""
    verdict = "is not as meant" if found.split.is_mismatch else "as meant"
    p = found.split.p_value
    return f"{verdict} (p {'<' if p < 0.001 else '='} {max(p, 0.001):.3f})"


def _cells(one: MetricComparison) -> list[str]:
    unit, found = one.metric.unit, one.found
    figures = ["" if math.isnan(each) else amount(each, unit) for each in (found.mean_a, found.mean_b)]
    name = plain_line(one.metric.words, 60) + (" (guard)" if one.is_guard else "")
    return [name, *figures, interval_words(one), verdict_words(one), f"{found.n_a:,} and {found.n_b:,}"]


def _notes(found: ArmComparison) -> list[str]:
    """Return what else is to be known, of all and of each metric."""
    of_metrics = [f"{plain_line(one.metric.words, 60)}: {note}" for one in found.metrics for note in one.notes]
    return [*found.notes, *of_metrics]


def _html_row(one: MetricComparison) -> str:
    """Return a metric as its name, a bar with the interval, and what that says."""
    name, treatment, control, said, verdict, _ = _cells(one)
    figures = f"{treatment} against {control}" if treatment and control else "no figure in one of the arms"
    return (
        f'<div style="{_ROW}"><div style="{_NAME}">{escape(name)}<div style="{_QUIET}">{escape(figures)}</div></div>'
        f'<div style="{_PLOT}">{_plot(one)}</div>'
        f'<div style="{_SAID}"><span style="{_STYLES.get(one.verdict, "font-weight:600")}">{escape(verdict)}</span>'
        f'<div style="{_QUIET}">{escape(said)}</div></div></div>'
    )


def _plot(one: MetricComparison) -> str:
    """Return the interval of a difference on a line with none in the middle; what is worse lies to the left."""
    found, margin = one.found, one.decision.margin
    if math.isnan(found.low):
        return _block(_WIDTH // 2, 1, 16, _OPEN)
    sign = 1 if one.metric.worse == "below" else -1
    low, high = sorted((sign * found.low, sign * found.high))
    reach = max(abs(low), abs(high), (margin or 0.0) * 1.1) or 1.0

    def place(value: float) -> int:
        return round(_WIDTH / 2 + value / reach * (_WIDTH / 2 - 4))

    colour = _BARS.get(one.verdict, _OPEN)
    marks = [_block(0, _WIDTH, 1, "lightgray", top=8), _block(place(0), 1, 16, _OPEN)]
    if margin:
        marks.append(_block(place(-margin), 2, 16, "darkorange"))
    marks.append(_block(place(low), max(place(high) - place(low), 2), 6, colour, top=5))
    marks.append(_block(place(sign * found.difference) - 2, 4, 12, colour, top=2))
    return "".join(marks)


def _block(left: int, width: int, height: int, colour: str, *, top: int = 0) -> str:
    """Return a filled rectangle; a border is its colour, because backgrounds are not kept everywhere."""
    place = f"position:absolute;left:{left}px;top:{top}px;width:{width}px;height:{height}px"
    return f'<div style="{place};box-sizing:border-box;border-left:{width}px solid {colour}"></div>'


@text_of.register(ExperimentPower)
def power_text(found: ExperimentPower) -> str:
    """Return a plan as plain text."""
    return "\n".join([_power_title(found), *(f"  {line}" for line in aligned(_power_facts(found)))])


@html_of.register(ExperimentPower)
def _(found: ExperimentPower) -> str:
    return card_html("what it takes:", _power_title(found), _power_facts(found))


def _power_title(found: ExperimentPower) -> str:
    unit = found.metric.unit
    what = f"{plain_line(found.metric.words, 80)} of {plain_line(found.route, 80)}"
    return f"{what}: {amount(found.figure, unit)}, a difference of {amount(found.effect, unit, signed=True)}"


def _power_facts(found: ExperimentPower) -> list[tuple[str, str]]:
    arms = f"{plain_line(found.treatment, 40)} {share(found.shares[0])}, {plain_line(found.control, 40)} "
    days = "" if found.days is None else f"{found.days:,.1f} days at {found.per_day:,.0f} users a day"
    return [
        ("arms", f"{arms}{share(found.shares[1])}"),
        ("users, one look", _many(found.one_look)),
        ("users, any look", f"{_many(found.always)}; most are told earlier"),
        ("takes", days),
        ("power", f"{share(found.power)} at {share(found.level)}"),
        ("known from", counted(found.users, "user")),
    ]


def _many(users: int | None) -> str:
    return "more than can be had" if users is None else f"{users:,}"


@text_of.register(CanaryStatus)
def canary_text(found: CanaryStatus) -> str:
    """Return how a canary stands as plain text."""
    lines = [f"canary {_canary_title(found)}: {plain_line(found.reason, 500)}"]
    lines += [f"  {name}: {said}" for name, said in _canary_facts(found) if said]
    return "\n".join([*lines, *([] if found.comparison is None else [comparison_text(found.comparison)])])


@html_of.register(CanaryStatus)
def _(found: CanaryStatus) -> str:
    return _canary_html(found)


def _canary_html(found: CanaryStatus, became: str = "") -> str:
    """Return how a canary stands as a card, with what became of a step, and its metrics."""
    lead = f'<div style="{_canary_style(found)}">{escape(plain_line(found.reason, 500))}</div>'
    lead += f"<div>{escape(became)}</div>" if became else ""
    more = "" if found.comparison is None else _bars(found.comparison)
    return card_html("canary", _canary_title(found), _canary_facts(found), lead=lead, more=more)


def _canary_style(found: CanaryStatus) -> str:
    if found.decision in ("stop", "stopped"):
        return BAD
    return "font-weight:600" if found.decision == "wait" else GOOD


def _canary_title(found: CanaryStatus) -> str:
    return f"{plain_line(found.arm, 60)} of {plain_line(found.route, 80)}@{found.version} {_NEXT[found.decision]}"


def _canary_facts(found: CanaryStatus) -> list[tuple[str, str]]:
    step = f"{found.step or '-'} of {found.steps}"
    users = f"{found.n:,}" + ("" if found.n_wanted is None else f" of {found.n_wanted:,}")
    to = "" if found.weights is None else _weights(found.weights)
    return [
        ("share", share(found.share)),
        ("step", step),
        ("users in this step", users),
        ("would set", to),
        ("moves by itself", "yes" if found.is_automatic else "no"),
    ]


def _weights(weights: Mapping[str, float]) -> str:
    return ", ".join(f"{plain_line(arm, 60)} {share(weight)}" for arm, weight in weights.items())


@text_of.register(CanaryStep)
def step_text(found: CanaryStep) -> str:
    """Return what became of a step as plain text."""
    return f"{_step_words(found)}\n{canary_text(found.status)}"


@html_of.register(CanaryStep)
def _(found: CanaryStep) -> str:
    return _canary_html(found.status, _step_words(found))


def _step_words(found: CanaryStep) -> str:
    status = found.status
    if found.is_moved:
        return f"moved: {plain_line(status.route, 80)}@{found.version} has {_weights(status.weights or {})}"
    if status.weights is None:
        return "nothing moves"
    return f"proposed, not moved: {_weights(status.weights)}; step({plain_line(status.route, 80)!r}, act=True) moves it"


@text_of.register(Advice)
def advice_text(found: Advice) -> str:
    """Return advice as plain text."""
    table = aligned([_ARMS, *(_arm_cells(one, found) for one in found.arms)]) if found.arms else []
    rests = [f"  rests on {plain_line(', '.join(found.evidence), 300)}"] if found.evidence else []
    return "\n".join([_advice_title(found), *(f"  {line}" for line in table), *rests, *_set_words(found)])


@html_of.register(Advice)
def _(found: Advice) -> str:
    rows = [_arm_cells(one, found) for one in found.arms]
    table = f'<div style="overflow-x:auto;margin:8px 0 0 0">{html_table(_ARMS, rows, compact=True)}</div>'
    code = "".join(
        f'<pre style="{_NOTE};white-space:pre-wrap;word-break:normal">{escape(line)}</pre>'
        for line in _set_words(found)
    )
    facts = [("quality", found.quality), ("margin", amount(found.margin, found.unit)), ("known from", found.source)]
    facts += [("rests on", plain_line(", ".join(found.evidence), 300))] if found.evidence else []
    return card_html("advice on", _advice_title(found), facts, more=table + code)


_ARMS: Final = ("arm", "quality", "cost", "to the best", "verdict", "units")


def _advice_title(found: Advice) -> str:
    what = "cannot tell yet" if found.arm is None else plain_line(found.arm, 60)
    return f"{plain_line(found.route, 80)}@{found.version}: {what}; {plain_line(found.reason, 400)}"


def _arm_cells(one: AdvisedArm, found: Advice) -> list[str]:
    is_known = one.difference is not None and one.low is not None and one.high is not None
    limits = [amount(each, found.unit, signed=True) for each in (one.difference, one.low, one.high)] if is_known else []
    verdict = "the best" if one.arm == found.best else VERDICTS[one.verdict] if one.verdict else "not known"
    return [
        plain_line(one.arm, 60),
        "" if one.quality is None else amount(one.quality, found.unit),
        "" if one.cost is None else amount(one.cost, "usd"),
        f"{limits[0]} [{limits[1]}, {limits[2]}]" if limits else "",
        verdict,
        f"{one.units:,}",
    ]


def _set_words(found: Advice) -> list[str]:
    """Return the call that would do it."""
    if found.weights is None:
        return []
    weights = ", ".join(f"{plain_line(arm, 60)!r}: {weight:g}" for arm, weight in found.weights.items())
    return [f"ws.routing.weigh({plain_line(found.route, 80)!r}, {{{weights}}}, reason='...')"]
