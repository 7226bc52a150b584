"""A monitor that may be looked at at any time: an e-detector over the sessions of each series, against a baseline.

A session is one value: the share of what it said that is unwelcome. Of a rate that is what the rate is of; of a number
whether it is beyond a percentile of the baseline. The edge that a rate must not go beyond lies beyond the baseline's
own uncertainty, so that a baseline of few sessions makes a monitor slow and not a false alarm.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, Self

import numpy as np

from lmops.base.units import amount, counted
from lmops.calc.changes import change_point
from lmops.calc.detectors import Detection, Watch, detect
from lmops.calc.intervals import wilson
from lmops.metrics import metric_of
from lmops.monitors import drifting, reading
from lmops.monitors._judged import Judged
from lmops.monitors._records import ALL, Figures, Look, Step
from lmops.monitors._state import Core, Held, State, rewound
from lmops.monitors._versions import Baseline, baseline_of
from lmops.monitors._words import estimate_words, series_words, time_words
from lmops.monitors.reading import TICK_NS, Stretch, Traffic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lmops.calc.arrays import Floats, Ints
    from lmops.monitors._records import Monitor

#: Sessions that a baseline needs, and an hour of the week that has an edge of its own.
LEAST: Final = 50
_LEAST_OF_HOUR: Final = 30
#: The edge is beyond the limit of an interval of so much.
_SURE: Final = 0.99
_NEAREST: Final = 1e-4  # of an edge to 0 and to 1
#: Values between two times at which a series that is still bad is taken to be well again.
_BACK_EVERY: Final = 100.0
_HOUR_NS: Final = 3600 * 10**9
_DAY_NS: Final = 24 * _HOUR_NS
_WEEK_HOURS: Final = 168
#: So far back goes the first look, and the search for the time of a change.
_HISTORY_NS: Final = 28 * _DAY_NS
_DATED_NS: Final = 14 * _DAY_NS
#: So long late data are noticed; and so often it is kept where a series stood.
KEPT_NS: Final = 2 * _DAY_NS
_STEP_NS: Final = 6 * _HOUR_NS
_DRAWS: Final = 199


class Sessions(Protocol):
    """Sessions in the order of time, and of each the share of what it said that counts in one way."""

    @property
    def at(self) -> Ints:
        """When each began."""

    def of(self, way: str) -> Floats:
        """Return the shares."""

    def between(self, since_ns: int, until_ns: int) -> Self:
        """Return those that began between two times."""


class Found(NamedTuple):
    """What a look found: where each series stands, what happened since the last look, and what else is to be said."""

    states: dict[str, State]
    steps: list[Step]
    notes: list[str]


def look(traffic: Traffic, states: Mapping[str, State], until_ns: int) -> Found:
    """Go on with every series of a monitor up to a time; what was looked at is not looked at again.

    Args:
        traffic: Of a monitor with the method "detector".
        states: Where its series stood.
        until_ns: Sessions that began before it are looked at.
    """
    monitor = traffic.monitor
    through = max((state.through_ns for state in states.values()), default=None)
    if through is not None and until_ns <= through:
        return Found(dict(states), [], [])
    there = {} if through is None else reading.ticks(traffic, through - KEPT_NS, until_ns)
    known, notes = ({}, []) if through is None else _on_time(monitor, states, there, through)
    known, more = _with_new(traffic, known, through, until_ns)
    plans = _plans(traffic, known, until_ns)
    values = _values(traffic, [one for plan in plans.values() for one in plan.stretches])
    judged = Judged(traffic)
    window = _Window(traffic, judged, until_ns)
    there = there or reading.ticks(traffic, until_ns - KEPT_NS, until_ns)
    found, steps = {}, []
    for series, state in known.items():
        core, before, happened = _advanced(monitor, state, plans[series], values.get(series), until_ns)
        steps += [_told(traffic, judged, series, step, core.first_ns or 0) for step in happened]
        found[series] = replace(
            state,
            look=window.look(series, core, plans[series]),
            through_ns=until_ns,
            core=core,
            before=before,
            ticks=_since(there.get(series, {}), until_ns - KEPT_NS),
        )
    return Found(found, sorted(steps, key=lambda step: step.at_ns), [*notes, *more])


def _values(traffic: Traffic, stretches: Sequence[Stretch]) -> Mapping[str, Sessions]:
    """Return the sessions of each series."""
    return (drifting.values if traffic.monitor.method == "drift" else reading.values)(traffic, stretches)


# -- which values ------------------------------------------------------------------------------------------------------


class _Plan(NamedTuple):
    """What a series is held against from where it stands on; what it still needs where that is nothing."""

    held: list[Held]
    stretches: list[Stretch]
    needed: int | None = None
    words: str = ""


def _since(ticks: dict[str, list[int]], ns: int) -> dict[str, list[int]]:
    return {tick: there for tick, there in ticks.items() if int(tick) * TICK_NS >= ns}


def _on_time(
    monitor: Monitor, states: Mapping[str, State], ticks: Mapping[str, dict[str, list[int]]], through: int
) -> tuple[dict[str, State], list[str]]:
    """Return where the series stood before anything that came late; and that it did."""
    result, notes = {}, []
    for series, state in states.items():
        there = ticks.get(series, {})
        begin = max(through - KEPT_NS, state.core.first_ns or 0)
        times = {tick: int(tick) * TICK_NS for tick in {*there, *state.ticks}}
        changed = [
            at for tick, at in times.items() if begin <= at < through and there.get(tick) != state.ticks.get(tick)
        ]
        result[series] = rewound(state, min(changed)) if changed else state
        if changed:
            named = f" ({series_words(series)})" if series != ALL else ""
            notes.append(
                f"{monitor.name}{named}: what was there at {time_words(min(changed))} has changed since it was looked "
                f"at (late data); it was looked at again from {time_words(result[series].through_ns)} on"
            )
    return result, notes


def _with_new(
    traffic: Traffic, states: dict[str, State], through: int | None, until_ns: int
) -> tuple[dict[str, State], list[str]]:
    """Return the series with those that came since, as many as are watched; and how many are not."""
    monitor = traffic.monitor
    since = through
    if since is None:
        ends = traffic.ends(until_ns)
        if ends is None:
            return {}, []
        since = max(ends[0], ends[1] - _HISTORY_NS)
    there = reading.seen(traffic, since, until_ns)
    new = sorted((series for series in there if series not in states), key=lambda series: (-there[series].n, series))
    free = monitor.most - len(states)
    for series in new[:free]:
        first = there[series].first_ns // TICK_NS * TICK_NS
        unseen = Look(series, "learning", Figures(), "")
        states[series] = State(look=unseen, through_ns=first, core=Core(first_ns=first))
    left = len(new) - max(free, 0)
    said = f"{monitor.name}: {counted(left, 'more series')} not watched (most={monitor.most})".replace(
        "seriess", "series"
    )
    return states, [said] if left > 0 else []


def _plans(traffic: Traffic, states: Mapping[str, State], until_ns: int) -> dict[str, _Plan]:
    """Return of each series what it is held against from where it stands on."""
    monitor = traffic.monitor
    base = baseline_of(monitor.baseline)
    if base.kind in ("rolling", "hours"):
        return _daily(traffic, states, base, until_ns)
    plans = {}
    for series, state in states.items():
        held = state.core.held
        plan = _Plan([], []) if held is not None else _learned(traffic, series, state.core, base, until_ns)
        plans[series] = _from(state, [held] if held is not None else plan.held, plan, until_ns)
    return plans


def _from(state: State, held: Iterable[Held], plan: _Plan, until_ns: int) -> _Plan:
    """Return a plan with the stretches of time that are still to be looked at."""
    stretches = []
    for one in held:
        since, until = max(one.from_ns, state.through_ns), until_ns if one.to_ns is None else min(one.to_ns, until_ns)
        if since < until:
            stretches.append(Stretch(state.look.series, since, until, one.low, one.high))
    return plan._replace(held=[*held], stretches=stretches)


def _learned(traffic: Traffic, series: str, core: Core, base: Baseline, until_ns: int) -> _Plan:
    """Return the baseline of a series once there is enough of it: its first days, or a time that is pinned."""
    first = base.since_ns if base.kind == "pinned" else core.first_ns or 0
    end = -(-(first + base.span_ns) // TICK_NS) * TICK_NS
    begun = reading.values(traffic, [Stretch(series, first, max(min(until_ns, end + _HISTORY_NS), first + 1))])
    at = begun[series].at
    there = int((at < end).sum())
    if base.kind == "first" and end <= until_ns and there < LEAST <= at.size:
        end = (int(at[LEAST - 1]) // TICK_NS + 1) * TICK_NS
        there = LEAST
    if end > until_ns or there < LEAST:
        needed = max(LEAST - there, 0)
        when = f"the baseline ends at {time_words(end)}" if end > until_ns else "it has too few sessions"
        return _Plan([], [], needed, f"learning: {counted(needed, 'more session')} needed, {when}")
    begin = max(end, core.first_ns or 0)
    held = held_of(traffic, first, end, from_ns=begin, to_ns=None, series=series).get(series)
    return _Plan([] if held is None else [held], [])


def _daily(traffic: Traffic, states: Mapping[str, State], base: Baseline, until_ns: int) -> dict[str, _Plan]:
    """Return of each series a baseline for each day: that of the days before it."""
    by_day: dict[int, dict[str, Held]] = {}
    plans = {}
    for series, state in states.items():
        held = []
        for day in range(state.through_ns // _DAY_NS * _DAY_NS, until_ns, _DAY_NS):
            now = state.core.held
            if now is not None and now.from_ns == day:
                held.append(now)
                continue
            if day not in by_day:
                by_day[day] = held_of(traffic, day - base.span_ns, day, from_ns=day, to_ns=day + _DAY_NS)
            held += [by_day[day][series]] if series in by_day[day] else []
        is_held = bool(held) and held[-1].to_ns is not None and held[-1].to_ns >= until_ns
        words = "" if is_held else f"learning: {LEAST} sessions needed in the {base.span_ns // _DAY_NS} days before"
        plans[series] = _from(state, held, _Plan([], [], None if is_held else LEAST, words), until_ns)
    return plans


def held_of(
    traffic: Traffic, since_ns: int, until_ns: int, *, from_ns: int, to_ns: int | None, series: str | None = None
) -> dict[str, Held]:
    """Return what each series, or one, is held against, of a time with enough sessions of it."""
    monitor = traffic.monitor
    if monitor.method == "drift":
        return drifting.held(traffic, since_ns, until_ns, from_ns=from_ns, to_ns=to_ns, least=LEAST)
    is_rate = monitor.watched.kind == "rate"
    limits = {} if is_rate else reading.cuts(traffic, since_ns, until_ns, series=series)
    shown = reading.figures(traffic, since_ns, until_ns, series=series)
    stretches = [Stretch(name, since_ns, until_ns, *limits.get(name, (None, None))) for name in shown]
    found = {}
    for name, values in reading.values(traffic, stretches).items():
        if values.at.size < LEAST:
            continue
        low, high = limits.get(name, (None, None))
        hours = baseline_of(monitor.baseline).kind == "hours"
        found[name] = Held(
            since_ns=since_ns,
            until_ns=until_ns,
            n=int(values.at.size),
            from_ns=from_ns,
            to_ns=to_ns,
            low=low,
            high=high,
            edges={way: edges(values.at, values.of(way), monitor.margin, hours=hours) for way in monitor.directions},
            estimate=shown[name].estimate,
        )
    return found


def edge(bad: Floats, margin: float) -> float:
    """Return the rate that what is unwelcome must not go beyond.

    It is the upper limit of a 99 % interval of the baseline's rate (Wilson's), or the rate and a share of the lesser of
    it and its rest, whichever is more.

    Args:
        bad: one share for each session of the baseline.
        margin: that share.
    """
    rate = float(bad.mean())
    _, high = wilson(min(bad.sum(), bad.size), bad.size, _SURE)
    return float(np.clip(max(float(high), rate + margin * min(rate, 1 - rate)), _NEAREST, 1 - _NEAREST))


def edges(at: Ints, bad: Floats, margin: float, *, hours: bool) -> list[float]:
    """Return the edge of a baseline; or of each hour of the week in UTC: where it has few, of that hour of the day."""
    whole = edge(bad, margin)
    if not hours:
        return [whole]
    week = at // _HOUR_NS % _WEEK_HOURS
    result = []
    for hour in range(_WEEK_HOURS):
        own, of_day = bad[week == hour], bad[week % 24 == hour % 24]
        known = own if own.size >= _LEAST_OF_HOUR else of_day
        result.append(edge(known, margin) if known.size else whole)
    return result


# -- going on ----------------------------------------------------------------------------------------------------------


class Turn(NamedTuple):
    """A series began to fire at a value, or fires no more."""

    at_ns: int
    direction: str
    fires: bool
    held: Held
    since_ns: int  # of the values that say so


def _advanced(
    monitor: Monitor, state: State, plan: _Plan, values: Sessions | None, until_ns: int
) -> tuple[Core, tuple[tuple[int, Core], ...], list[Turn]]:
    """Return where a series stands in the end, where it stood on the way, and its turns."""
    core, turns = state.core, []
    first_kept = until_ns - KEPT_NS
    kept = [(at, one) for at, one in state.before if at >= first_kept - _STEP_NS]
    marks = [mark for mark in _marks(state.through_ns, until_ns) if mark >= first_kept - _STEP_NS or mark == until_ns]
    since = state.through_ns
    for mark in marks:
        for held in plan.held:
            begin, end = max(held.from_ns, since), mark if held.to_ns is None else min(held.to_ns, mark)
            if begin >= end:
                continue
            core = replace(core, held=held)
            if values is not None:
                part = values.between(begin, end)
                ways = len(held.edges) / len(monitor.directions)  # parts of a distribution are many
                core, happened = advance(core, part, every=monitor.each_every * ways)
                turns += happened
        if mark % _STEP_NS == 0:
            kept.append((mark, core))
        since = mark
    return core, tuple(kept), turns


def _marks(since_ns: int, until_ns: int) -> list[int]:
    """Return the times at which it is kept where a series stood, and the end."""
    first = (since_ns // _STEP_NS + 1) * _STEP_NS
    return [*range(first, until_ns, _STEP_NS), until_ns]


def advance(core: Core, values: Sessions, *, every: float) -> tuple[Core, list[Turn]]:
    """Go on with a series by some values that are held against one baseline; return where it stands, and its turns.

    Args:
        core: Where it stood; ``held`` says what it is held against.
        values: In the order of time.
        every: Values between two false alarms in one direction.
    """
    held = core.held
    if held is None:
        return core, []
    hours = values.at // _HOUR_NS % _WEEK_HOURS
    limits = {way: np.asarray(one)[hours if len(one) > 1 else np.zeros_like(hours)] for way, one in held.edges.items()}
    turns: list[Turn] = []
    start, size = 0, values.at.size
    while start < size:
        if core.fires in limits:
            way = str(core.fires)
            bad = values.of(way)[start:]
            seen = detect(bad, limits[way][start:], direction="below", every=_BACK_EVERY, watch=core.back)
            if not seen.alarms:
                return replace(core, back=seen.watch), turns
            start += seen.alarms[0] + 1
            turns.append(Turn(int(values.at[start - 1]), way, False, held, core.fired_ns or 0))
            core = replace(core, fires=None, fired_ns=int(values.at[start - 1]), watches={}, back=Watch())
            continue
        found = {
            way: _detected(values.of(way)[start:], limit[start:], every, core.watches.get(way))
            for way, limit in limits.items()
        }
        alarms = {way: one.alarms[0] for way, one in found.items() if one.alarms}
        if not alarms:
            return replace(core, watches={way: one.watch for way, one in found.items()}), turns
        way = min(alarms, key=lambda one: alarms[one])
        start += alarms[way] + 1
        at = int(values.at[start - 1])
        turns.append(Turn(at, way, True, held, max(core.fired_ns or 0, held.since_ns)))
        core = replace(core, fires=way, fired_ns=at, watches={}, back=Watch())
    return core, turns


def _detected(bad: Floats, limit: Floats, every: float, watch: Watch | None) -> Detection:
    return detect(bad, limit, direction="above", every=every, watch=watch)


# -- what is said ------------------------------------------------------------------------------------------------------


def _told(traffic: Traffic, judged: Judged, series: str, turn: Turn, first_ns: int) -> Step:
    """Return a turn with all that an alert says of it."""
    monitor = traffic.monitor
    metric = monitor.watched
    what = drifting.words_of(turn.direction, _unit(monitor)) if monitor.method == "drift" else ""
    if what and not turn.fires:
        words = f"{metric.words}: evidence at {time_words(turn.at_ns)} that there is no longer more of: {what}"
        return Step(series, False, turn.at_ns, None, words=words)
    if not turn.fires:
        words = f"{metric.words}: evidence at {time_words(turn.at_ns)} that it is no longer {turn.direction} its edge"
        return Step(series, False, turn.at_ns, turn.direction, words=words)
    begin = max(turn.since_ns, turn.at_ns - _DATED_NS, first_ns)
    end = turn.at_ns + 1_000  # times are whole microseconds
    asked = [Stretch(series, begin, end, turn.held.low, turn.held.high)]
    values = _values(traffic, asked)[series]
    change = change_point(values.of(turn.direction), draws=_DRAWS)
    dated: list[int | None] = [
        None if at is None else int(values.at[at]) for at in (change.at, change.low, change.high)
    ]
    since, low, high = dated
    start, end = begin if since is None else since, turn.at_ns + reading.REACH_NS
    when = ""
    if since is not None and low is not None and high is not None:
        when = f" since {time_words(since)} (between {time_words(low)} and {time_words(high)})"
    if isinstance(values, drifting.Said):
        moved = values.between(start, end)
        one = drifting.drifted(moved, turn.held, turn.direction)
        figures, words = (
            (Figures(), "") if one is None else (one.figures, f"{metric.words}: {one.words(_unit(monitor))}{when}")
        )
        examples = drifting.examples(moved, turn.direction)
        return Step(series, True, turn.at_ns, None, since, low, high, figures, words, examples)
    now = reading.figures(traffic, start, end, series=series).get(series, Figures())
    now, basis = judged.told(series, now, (start, end), turn.held)
    words = (
        f"{metric.words}: {estimate_words(metric, now)}, {turn.direction} its baseline of "
        f"{amount(now.baseline, metric.unit)}{when}{basis}"
    )
    found = reading.examples(traffic, series, start, end, direction=turn.direction)
    return Step(series, True, turn.at_ns, turn.direction, since, low, high, now, words, found)


class _Window:
    """What each series was in the window before a time, beside what it is held against.

    Args:
        traffic: What the monitor watches.
        until_ns: The end of the window.
    """

    def __init__(self, traffic: Traffic, judged: Judged, until_ns: int) -> None:
        self._monitor, self._judged = traffic.monitor, judged
        self._span = (until_ns - traffic.monitor.window_ns, until_ns)
        is_drift = traffic.monitor.method == "drift"
        self._said = drifting.read(traffic, *self._span) if is_drift else {}
        self._figures = {} if is_drift else reading.figures(traffic, *self._span)

    def look(self, series: str, core: Core, plan: _Plan) -> Look:
        """Return how a series is now."""
        now, said, basis = self._told(series, core)
        if core.fires is not None:
            way = "" if self._monitor.method == "drift" else f": {core.fires} its baseline"
            return Look(series, "firing", now, f"{said}{way} since {time_words(core.fired_ns or 0)}{basis}")
        if core.held is None or plan.needed is not None:
            return Look(series, "learning", now, plan.words, plan.needed)
        if not now.n:
            words = f"nothing in the {self._monitor.window} before {time_words(self._span[1])}"
            return Look(series, "no data", now, words)
        return Look(series, "quiet", now, f"{said}{basis}")

    def _told(self, series: str, core: Core) -> tuple[Figures, str, str]:
        """Return figures, and in words what they are and on what they rest."""
        if self._monitor.method == "drift":
            there = self._said.get(series)
            one = None if there is None or core.held is None else drifting.drifted(there, core.held, core.fires)
            return (Figures(), "", "") if one is None else (one.figures, one.words(_unit(self._monitor)), "")
        now, basis = self._judged.told(series, self._figures.get(series, Figures()), self._span, core.held)
        return now, estimate_words(self._monitor.watched, now), basis


def _unit(monitor: Monitor) -> str:
    """Return the unit of the numbers whose distribution is watched."""
    return metric_of(monitor.metric).unit
