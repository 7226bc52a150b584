"""Monitors that look at a window each time they are asked: thresholds, single queries, budgets, silence."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lmops.base.units import amount, counted
from lmops.monitors import reading
from lmops.monitors._judged import Judged
from lmops.monitors._records import ALL, Figures, Look, Step
from lmops.monitors._source import US
from lmops.monitors._state import State
from lmops.monitors._versions import baseline_of
from lmops.monitors._words import estimate_words, time_words
from lmops.monitors.detecting import LEAST, Found
from lmops.monitors.reading import TICK_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lmops.calc.arrays import Floats
    from lmops.monitors._records import Monitor
    from lmops.monitors.reading import Traffic

_HOUR_NS: Final = 3600 * 10**9
_DAY_NS: Final = 24 * _HOUR_NS
_FEW: Final = 30  # items by which an interval on both sides of a threshold is not for want of items
#: A single query is far from usual when it is also so many times what is usual, however alike the others are.
_TIMES: Final = 3.0
#: The column that tells queries apart that are not alike, by view.
_MODEL: Final = {"traces": "models", "llm_calls": "model"}
#: What is spent of a budget of 30 days at so many times its pace, over a long and a short time: the SRE workbook's.
BURNS: Final = ((14.4, _HOUR_NS, _HOUR_NS // 12), (6.0, 6 * _HOUR_NS, _HOUR_NS // 2), (1.0, 3 * _DAY_NS, 6 * _HOUR_NS))
_PERIOD_NS: Final = 30 * _DAY_NS
_EXAMPLES: Final = 10
_LEAST_OF_BURN: Final = 5  # queries that may say that too many fail
#: Where looks are farther apart than that, so many windows are looked at in the time of one: what is over a window is
#: seen in whole, a burst for most of it. How fast a budget is spent, and silence, are as they are now.
_PARTS: Final = {"threshold": 4, "anomaly": 1}
_CAUGHT_UP_NS: Final = 7 * _DAY_NS
#: What is usual at an hour of the day is known of so many days.
_USUAL_NS: Final = 14 * _DAY_NS
_LEAST_HOURS: Final = 47  # so that every hour of the day was there twice, or nearly


class Verdict(NamedTuple):
    """What a method says of one series."""

    look: Look
    fires: bool = False
    is_clear: bool = False  # it fires no more
    direction: str | None = None
    since_ns: int | None = None
    usual: dict[str, list[float]] | None = None  # to be kept
    told: tuple[str, ...] = ()  # traces of single queries
    is_more: bool = False  # some of them are new


def asked_as(monitor: Monitor) -> Monitor:
    """Return a monitor as its items are read: single queries are held against those of the same model."""
    column = _MODEL.get(monitor.watched.view)
    if monitor.method != "anomaly" or monitor.by or column is None:
        return monitor
    return replace(monitor, by=(column,))


def look(traffic: Traffic, states: Mapping[str, State], until_ns: int) -> Found:
    """Look at the window of every series of a monitor up to a time, and at those that went by since the last look.

    Args:
        traffic: Of a monitor with a method other than "detector".
        states: Where its series stood.
        until_ns: Items before it count.
    """
    through = max((state.through_ns for state in states.values()), default=None)
    if through is not None and until_ns < through:
        return Found(dict(states), [], [])
    found, steps = Found(dict(states), [], []), []
    for moment in (*_passed(traffic.monitor, through, until_ns), until_ns):
        found = _look_at(traffic, found.states, moment)
        steps += found.steps
    return found._replace(steps=steps)


def _passed(monitor: Monitor, through_ns: int | None, until_ns: int) -> range:
    """Return the ends of windows that went by between two looks, so that a burst between them is not missed."""
    parts = _PARTS.get(monitor.method)
    if through_ns is None or parts is None:
        return range(0)
    step = max(monitor.window_ns // parts, TICK_NS)
    since = max(through_ns, until_ns - _CAUGHT_UP_NS)
    return range((since // step + 1) * step, until_ns, step)


def _look_at(traffic: Traffic, states: Mapping[str, State], until_ns: int) -> Found:
    """Look at the window of every series of a monitor before a time."""
    monitor = traffic.monitor
    verdicts = _METHODS[monitor.method](traffic, states, until_ns)
    watched = [*states, *sorted(series for series in verdicts if series not in states)][: monitor.most]
    steps, found = [], {}
    for series in watched:
        nothing = Look(series, "no data", Figures(), f"nothing in the {monitor.window} before {time_words(until_ns)}")
        one = verdicts.get(series, Verdict(nothing))
        state = states.get(series) or State(look=one.look)
        core, fires = state.core, state.core.fires
        if one.fires and fires is None:
            steps.append(_step(monitor, one, until_ns))
            core = replace(core, fires=one.direction or monitor.method, fired_ns=until_ns)
        elif fires is not None and one.is_clear:
            steps.append(Step(series, False, until_ns, one.direction, words=f"well again: {one.look.words}"))
            core = replace(core, fires=None, fired_ns=until_ns)
        elif one.is_more:
            steps.append(_step(monitor, one, until_ns)._replace(is_more=True))
        core = replace(core, usual=one.usual or core.usual, told=one.told)
        shown = one.look if core.fires is None else one.look._replace(status="firing")
        found[series] = replace(state, look=shown, through_ns=until_ns, core=core)
    left = len({*states, *verdicts}) - len(watched)
    notes = [f"{monitor.name}: {left:,} more series are not watched (most={monitor.most})"] if left else []
    return Found(found, steps, notes)


def _step(monitor: Monitor, one: Verdict, until_ns: int) -> Step:
    words = f"{monitor.watched.words}: {one.look.words}"
    return Step(
        one.look.series,
        True,
        until_ns,
        one.direction,
        one.since_ns,
        figures=one.look.figures,
        words=words,
        examples=one.look.examples,
    )


def _threshold(traffic: Traffic, _states: Mapping[str, State], until_ns: int) -> dict[str, Verdict]:
    """Fire where the whole interval of the window lies beyond the limit; until the estimate is back."""
    monitor = traffic.monitor
    metric, limit, since = monitor.watched, monitor.limit or 0.0, until_ns - monitor.window_ns
    is_above = monitor.direction == "above"
    judged, result = Judged(traffic), {}
    for series, found in reading.figures(traffic, since, until_ns).items():
        now, basis = judged.told(series, found, (since, until_ns))
        now = now._replace(baseline=limit)
        sign, near = (1, now.low) if is_above else (-1, now.high)
        fires = near is not None and sign * (near - limit) > 0
        is_back = now.estimate is not None and sign * (now.estimate - limit) <= 0
        needed = max(_FEW - now.n, 0) if not fires and (near is None or not is_back) else 0
        words = f"{estimate_words(metric, now)}, limit {amount(limit, metric.unit)}{basis}"
        found_in = reading.examples(traffic, series, since, until_ns, direction=monitor.direction) if fires else ()
        shown = Look(series, "learning" if needed else "quiet", now, words, needed or None, found_in)
        begun = _first_bad(traffic, series, since, until_ns) if fires else None
        result[series] = Verdict(shown, fires, is_back, monitor.direction, begun)
    return result


def _first_bad(traffic: Traffic, series: str, since_ns: int, until_ns: int) -> int:
    """Return when the first item of a window was that is beyond its limit; of a rate the first that counts."""
    monitor = traffic.monitor
    limit = 0.5 if monitor.watched.kind == "rate" else monitor.limit or 0.0
    found = reading.by_series(traffic, since_ns, until_ns, series=series)[series]
    bad = found.us[found.value > limit] if monitor.direction == "above" else found.us[found.value < limit]
    return int(bad.min()) * US if bad.size else since_ns


def _anomaly(traffic: Traffic, states: Mapping[str, State], until_ns: int) -> dict[str, Verdict]:
    """Fire where single queries are far beyond what is usual of their kind, on the scale of logarithms."""
    monitor = traffic.monitor
    metric, window = monitor.watched, until_ns - monitor.window_ns
    sign = -1 if monitor.direction == "below" else 1
    usual, missing = _usual(traffic, states, window, until_ns, sign=sign)
    items = reading.by_series(traffic, window, until_ns)
    there = sum(int((found.value > 0).sum()) for found in items.values())
    known = set(states[ALL].core.told) if ALL in states else set()
    if missing is not None:
        words = f"learning what is usual: {counted(missing, 'more item')} needed"
        return {ALL: Verdict(Look(ALL, "learning", Figures(there), words, missing))}
    far = sorted(
        (-sign * float(away), -int(found.us[at]), found.row[at], float(found.value[at]), math.exp(usual[name][0]))
        for name, found in items.items()
        if name in usual and usual[name][2] >= LEAST
        for at, away in _far(found.value, sign, monitor.limit or 0.0, *usual[name][:2])
    )
    kept = usual if baseline_of(monitor.baseline).kind in ("first", "pinned") else None
    if not far:
        words = f"none of {counted(there, 'item')} is far from usual"
        return {ALL: Verdict(Look(ALL, "quiet", Figures(there), words), is_clear=True, usual=kept)}
    worst = [f"{amount(value, metric.unit)} ({_times_usual(value, mid)})" for *_, value, mid in far[:3]]
    now = Figures(len(far), far[0][3], None, None, far[0][4])
    words = f"{len(far):,} of {counted(there, 'item')} far from usual: {', '.join(worst)}"
    traces = traffic.traces(np.array([row for _, _, row, *_ in far]))
    told = tuple(dict.fromkeys(one for one in traces if one is not None))
    new = tuple(one for one in told if one not in known)
    shown = Look(ALL, "firing", now, words, None, tuple(dict.fromkeys((*new, *told)))[:_EXAMPLES])
    direction = "below" if sign < 0 else "above"
    first = min(-us for _, us, *_ in far) * 1000
    return {ALL: Verdict(shown, True, False, direction, first, kept, told, bool(new))}


def _far(values: Floats, sign: int, limit: float, mid: float, spread: float) -> list[tuple[int, float]]:
    """Return the places of values that are far from usual, and how far each is on the scale of logarithms."""
    known = np.flatnonzero(values > 0)
    away = sign * (np.log(values[known]) - mid)
    far = (away > math.log(_TIMES)) & (away > limit * spread)
    return list(zip(known[far].tolist(), away[far].tolist(), strict=True))


def _usual(
    traffic: Traffic, states: Mapping[str, State], window_ns: int, until_ns: int, *, sign: int
) -> tuple[dict[str, list[float]], int | None]:
    """Return what is usual of each kind (the middle and the spread of logarithms, n); or how many items are missing.

    That of a time that does not move is kept once the time is over.
    """
    known = states[ALL].core.usual if ALL in states else {}
    if known:
        return known, None
    since, until = _usual_time(traffic, window_ns, until_ns)
    found = {}
    for name, items in reading.by_series(traffic, since, until).items():
        logs = np.log(items.value[items.value > 0])
        if logs.size:
            found[name] = [*_middle(logs, sign), int(logs.size)]
    there = int(sum(n for _, _, n in found.values()))
    return found, max(LEAST - there, 0) if there < LEAST or until > until_ns else None


def _middle(logs: Floats, sign: int) -> tuple[float, float]:
    """Return the middle of values and their spread on one side of it: what is cheap says nothing of what is dear."""
    mid = float(np.median(logs))
    beyond = sign * (logs - mid)
    return mid, 1.4826 * float(np.median(beyond[beyond >= 0]))


def _times_usual(value: float, usual: float) -> str:
    return f"{value / usual:,.1f} times the usual" if value >= usual else f"1/{usual / value:,.0f} of the usual"


def _usual_time(traffic: Traffic, window_ns: int, until_ns: int) -> tuple[int, int]:
    """Return the time of the baseline: that before the window, the first days, or the one that is pinned."""
    base = baseline_of(traffic.monitor.baseline)
    if base.kind == "pinned":
        return base.since_ns, base.until_ns
    if base.kind == "first":
        ends = traffic.ends(until_ns)
        first = until_ns if ends is None else ends[0]
        return first, first + base.span_ns
    return window_ns - base.span_ns, window_ns


def _burn(traffic: Traffic, _states: Mapping[str, State], until_ns: int) -> dict[str, Verdict]:
    """Fire where a budget is spent too fast, over a long time and still over a short one."""
    metric, limit = traffic.monitor.watched, traffic.monitor.limit or 1.0
    is_rate = metric.kind == "rate"
    paces = {
        span: _paces(traffic, until_ns, span, limit, is_rate=is_rate)
        for span in {span for _, *spans in BURNS for span in spans}
    }
    result = {}
    for series in sorted({series for one in paces.values() for series in one}):
        told = [
            (factor, long, paces[long].get(series, (0.0, Figures())), paces[short].get(series, (0.0, Figures())))
            for factor, long, short in BURNS
        ]
        over = [one for one in told if one[2][0] > one[0] and one[3][0] > one[0]]
        factor, long, (pace, now), (pace_now, _) = over[0] if over else told[-1]
        hours = long // _HOUR_NS
        sure = " at least" if is_rate else ""
        words = (
            f"{hours} h at{sure} {pace:,.1f} times the pace of the budget (now {pace_now:,.1f}; {factor:g} is too fast)"
        )
        found = reading.examples(traffic, series, until_ns - long, until_ns, direction="above") if over else ()
        shown = Look(series, "firing" if over else "quiet", now, words, None, found)
        result[series] = Verdict(shown, bool(over), not over, "above", until_ns - long if over else None)
    return result


def _paces(
    traffic: Traffic, until_ns: int, span_ns: int, limit: float, *, is_rate: bool
) -> dict[str, tuple[float, Figures]]:
    """Return of each series how many times too fast the budget was spent; of a rate the least that is likely."""
    since = until_ns - span_ns
    if is_rate:
        found = reading.figures(traffic, since, until_ns)
        return {
            series: ((one.low or 0.0) / limit if one.n >= _LEAST_OF_BURN else 0.0, one._replace(baseline=limit))
            for series, one in found.items()
        }
    sums = "select series, count(*), sum(value) from {items} group by series"
    usual = limit * span_ns / _PERIOD_NS
    rows = traffic.ask(sums, since, until_ns).fetchall()
    return {series: (total / usual, Figures(n, total, None, None, usual)) for series, n, total in rows}


_PER_HOUR: Final = """
select series, us // $hour as hour, count(distinct cluster), max(us) from {items} group by series, hour
order by series, hour"""


def _silence(traffic: Traffic, _states: Mapping[str, State], until_ns: int) -> dict[str, Verdict]:
    """Fire where nothing came for so long that many sessions were to be expected at these hours of the day."""
    rows = traffic.ask(_PER_HOUR, until_ns - _USUAL_NS, until_ns, hour=_HOUR_NS // 1000).fetchall()
    hours: dict[str, dict[int, int]] = {}
    last: dict[str, int] = {}
    for series, hour, n, newest in rows:
        hours.setdefault(series, {})[hour] = n
        last[series] = newest * 1000
    result = {}
    for series, counts in hours.items():
        total = sum(counts.values())
        if total < LEAST:
            needed = LEAST - total
            words = f"learning: {counted(needed, 'more session')} needed"
            result[series] = Verdict(Look(series, "learning", Figures(total), words, needed))
            continue
        if max(counts) - min(counts) < _LEAST_HOURS:
            words = "learning what is usual at each hour of the day: two days are needed"
            result[series] = Verdict(Look(series, "learning", Figures(total), words))
            continue
        expected = expected_sessions(counts, last[series], until_ns)
        fires = expected >= (traffic.monitor.limit or math.inf)
        since = time_words(last[series])
        words = f"nothing since {since}, and {expected:,.0f} sessions were to be expected"
        words = words if fires else f"the last item is of {since}"
        shown = Look(series, "firing" if fires else "quiet", Figures(0 if fires else total), words)
        result[series] = Verdict(shown, fires, not fires, None, last[series])
    return result


def expected_sessions(counts: Mapping[int, int], last_ns: int, until_ns: int) -> float:
    """Return how many sessions were to be expected between the last item and a time, by the hour of the day.

    Args:
        counts: Sessions by hour since 1970, of the hours that had any.
        last_ns: When the last item was.
        until_ns: Up to when nothing came.
    """
    first, end = min(counts), max(counts)
    usual = [0.0] * 24
    for hour in range(24):
        days = len(range(first + (hour - first) % 24, end + 1, 24))
        there = sum(n for one, n in counts.items() if one % 24 == hour)
        usual[hour] = there / days if days else sum(counts.values()) / (end - first + 1)
    expected = 0.0
    for hour in range(last_ns // _HOUR_NS, until_ns // _HOUR_NS + 1):
        begin, stop = max(hour * _HOUR_NS, last_ns), min((hour + 1) * _HOUR_NS, until_ns)
        expected += usual[hour % 24] * max(stop - begin, 0) / _HOUR_NS
    return expected


_METHODS: Final[dict[str, Callable[[Traffic, Mapping[str, State], int], dict[str, Verdict]]]] = {
    "threshold": _threshold,
    "anomaly": _anomaly,
    "burn": _burn,
    "silence": _silence,
}
