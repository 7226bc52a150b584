"""Has a distribution drifted? Its parts are watched as rates are, each by an e-detector, so that it may be often.

Numbers are told apart by the deciles of the baseline, "at most 210" and "more than 210"; kinds (models, languages,
topics) by what they are, with one more part for what the baseline does not have. A part must move by more than a limit,
so that a drift that is sure and tiny is none. An effect size is shown beside it: of numbers the largest of the moves,
which is the distance of Kolmogorov and Smirnov at the deciles, of kinds Cramer's V. All parts of all series share the
false alarms that a monitor may have.

A part is a JSON list: how it is told and by what, such as ["<=", 210], [">", 210], ["=", "de"], ["!=", "de"], or
["none of", ["de", "en"]].
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from lmops.base.units import amount
from lmops.calc.anytime import anytime_rate, wider
from lmops.calc.distances import cramers_v
from lmops.calc.intervals import wilson
from lmops.metrics import items_sql, metric_of
from lmops.monitors import _state
from lmops.monitors._records import Figures
from lmops.monitors._state import Held
from lmops.monitors.reading import REACH_NS, Traffic, number
from lmops.text import plain_line
from lmops.times import from_ns, to_ns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lmops.calc.arrays import Floats, Ints
    from lmops.metrics import Metric
    from lmops.monitors._records import Alert, Monitor
    from lmops.monitors._state import State
    from lmops.monitors.reading import Stretch
    from lmops.records import Project

_US: Final = 1_000
_APART_US: Final = 24 * 3600 * 10**6
_CUTS: Final = tuple(place / 10 for place in range(1, 10))
#: Kinds that are watched by themselves; all others are one part.
_KINDS: Final = 9
#: The edges of all parts together are beyond the limits of intervals that hold with so much.
_SURE: Final = 0.99
_LARGEST: Final = 1 - 1e-4
_EXAMPLES: Final = 5
_SAID: Final = """
with items as (select trace_id, epoch_us("at") as us, hash(cluster) as cluster, said, series from ({items})
  where isfinite(value) and said is not null),
gaps as (select *, us - lag(us) over (partition by series, cluster order by us) as gap from items),
begun as (select *, max(case when gap is null or gap >= {apart} then us end)
  over (partition by series, cluster order by us rows unbounded preceding) as start_us from gaps)
select series, trace_id, us, cluster, start_us, said from begun order by series, start_us, cluster, us"""


class Said(NamedTuple):
    """What the items of one series say, in the order of their sessions.

    Args:
        at: When each session began, nanoseconds.
        session: Of each item the place of its session.
        said: Of each item what it says: numbers, or texts.
        us: When each item was, microseconds.
        cluster: What is alike.
        traces: Its trace.
    """

    at: Ints
    session: Ints
    said: NDArray[Any]
    us: Ints
    cluster: NDArray[Any]
    traces: NDArray[Any]

    def of(self, way: str) -> Floats:
        """Return of each session the share of what it says in its first quarter of an hour that is in a part."""
        known = self.us < self.at[self.session] // _US + REACH_NS // _US
        inside = part_of(way, self.said)[known].astype(float)
        counts = np.bincount(self.session[known], minlength=self.at.size)
        found: Floats = np.bincount(self.session[known], inside, minlength=self.at.size) / np.maximum(counts, 1)
        return found

    def between(self, since_ns: int, until_ns: int) -> Said:
        """Return the sessions that began between two times."""
        low, high = np.searchsorted(self.at, [since_ns, until_ns])
        mine = (self.session >= low) & (self.session < high)
        rest = (self.said[mine], self.us[mine], self.cluster[mine], self.traces[mine])
        return Said(self.at[low:high], self.session[mine] - low, *rest)


def read(traffic: Traffic, since_ns: int, until_ns: int) -> dict[str, Said]:
    """Return what the items of each series say between two times; sessions that began before are left out.

    Args:
        traffic: Of a monitor with the method "drift".
        since_ns: Sessions that begin from it on.
        until_ns: And before it.
    """
    metric = traffic.monitor.watched
    is_kind = metric.part is not None
    said = f"({metric.part})::VARCHAR" if is_kind else f"({metric.value})::DOUBLE"
    query = _SAID.format(items=items_sql(metric, by=traffic.monitor.by, also={"said": said}), apart=_APART_US)
    times = {"since": from_ns(max(since_ns - _APART_US * _US, 0)), "until": from_ns(until_ns + REACH_NS)}
    found = traffic.store.sql(query, times).fetchnumpy()
    names = np.asarray(found["series"], dtype=object)
    started = np.asarray(found["start_us"], dtype=np.int64) * _US
    result = {}
    for name in dict.fromkeys(names.tolist()):
        mine = (names == name) & (started >= since_ns) & (started < until_ns)
        cluster, start = found["cluster"][mine], started[mine]
        new = np.ones(start.size, dtype=bool)
        new[1:] = (start[1:] != start[:-1]) | (cluster[1:] != cluster[:-1])
        texts = np.asarray(found["said"][mine], dtype=object if is_kind else np.float64)
        result[name] = Said(
            start[new], np.cumsum(new) - 1, texts, found["us"][mine], cluster, np.asarray(found["trace_id"][mine])
        )
    return result


def values(traffic: Traffic, stretches: Sequence[Stretch]) -> dict[str, Said]:
    """Return what each series says in its stretches of time."""
    if not stretches:
        return {}
    return read(traffic, min(one.since_ns for one in stretches), max(one.until_ns for one in stretches))


# -- parts -------------------------------------------------------------------------------------------------------------


def part_of(way: str, said: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which of what is said belongs to a part."""
    sign, value = json.loads(way)
    if sign in ("<=", ">"):
        found = said <= value if sign == "<=" else said > value
    elif sign == "none of":
        found = ~np.isin(said.astype(str), value)
    else:
        found = said == value if sign == "=" else said != value
    return np.asarray(found, dtype=bool)


def words_of(way: str, unit: str = "number") -> str:
    """Return a part in words."""
    sign, value = json.loads(way)
    if sign in ("<=", ">"):
        return f"{'at most' if sign == '<=' else 'more than'} {amount(value, unit)}"
    if sign == "none of":
        return "what the baseline does not have"
    return f"{'not ' if sign == '!=' else ''}{plain_line(value, 80) or '(empty)'}"


def parts(said: Said) -> list[str]:
    """Return the parts of a baseline, each as it is and as all but it."""
    if said.said.dtype != object:
        cuts = np.unique(np.quantile(said.said, _CUTS, method="inverted_cdf")).tolist()
        return [json.dumps([sign, cut]) for cut in cuts for sign in ("<=", ">")]
    kinds, counts = np.unique(said.said.astype(str), return_counts=True)
    known = kinds[np.argsort(-counts, kind="stable")[:_KINDS]].tolist()
    is_it, is_not = ([json.dumps([sign, kind]) for kind in known] for sign in ("=", "!="))
    return [*is_it, json.dumps(["none of", known]), *is_not]  # of two that say the same the first is shown


def held(
    traffic: Traffic, since_ns: int, until_ns: int, *, from_ns: int, to_ns: int | None, least: int
) -> dict[str, Held]:
    """Return what each series is held against, of a time with enough sessions of it.

    Args:
        traffic: What is watched.
        since_ns: Start of the baseline.
        until_ns: Its end.
        from_ns: When it counts.
        to_ns: Until when; None: for good.
        least: Sessions that it needs.
    """
    result = {}
    for series, said in read(traffic, since_ns, until_ns).items():
        if said.at.size < least:
            continue
        shares = {way: float(said.of(way).mean()) for way in parts(said)}
        result[series] = Held(
            since_ns=since_ns,
            until_ns=until_ns,
            n=int(said.at.size),
            from_ns=from_ns,
            to_ns=to_ns,
            edges=edges(shares, said.at.size, traffic.monitor.limit or 0.0),
            shares=shares,
        )
    return result


def edges(shares: Mapping[str, float], n: int, limit: float) -> dict[str, list[float]]:
    """Return the share that each part must not go beyond: by the limit, and by what the baseline does not know.

    Args:
        shares: Of each part of the baseline.
        n: Sessions of it.
        limit: How far the share of a part may move. A part that can move no farther is left out.
    """
    level = 1 - (1 - _SURE) / len(shares)
    told = {way: max(float(wilson(share * n, n, level)[1]), share + limit) for way, share in shares.items()}
    return {way: [one] for way, one in told.items() if one < _LARGEST}


# -- what is said ------------------------------------------------------------------------------------------------------


class Drifted(NamedTuple):
    """How far a series is from its baseline, by the part that moved most or that fires; and its effect size."""

    way: str
    figures: Figures
    effect: str

    def words(self, unit: str) -> str:
        """Return it as a sentence."""
        now = self.figures
        low, high, share, usual = (amount(one, "share") for one in (now.low, now.high, now.estimate, now.baseline))
        return (
            f"{words_of(self.way, unit)}: {share} [{low}, {high}] of {now.n:,} sessions, in the baseline {usual}; "
            f"{self.effect}"
        )


def drifted(said: Said, core_held: Held, way: str | None = None) -> Drifted | None:
    """Return how far what is said is from a baseline; None where nothing is said.

    Args:
        said: Of the time that is asked about.
        core_held: The baseline.
        way: The part that is shown; by default the one that has grown most.
    """
    if not said.said.size:
        return None
    moves = {one: float(said.of(one).mean()) - share for one, share in core_held.shares.items()}
    shown = max(moves, key=lambda one: moves[one]) if way is None else way
    found = anytime_rate(said.of(shown))
    estimate, low, high = map(number, (found.estimate, found.low, found.high))
    figures = Figures(found.n, estimate, low, high, core_held.shares.get(shown))
    return Drifted(shown, figures, _effect(moves, core_held, int(said.at.size)))


def _effect(moves: Mapping[str, float], core_held: Held, n: int) -> str:
    """Return the effect size of a drift in words: Cramer's V of kinds, the Kolmogorov-Smirnov distance of numbers."""
    whole = [way for way in moves if json.loads(way)[0] in ("=", "none of")]
    if not whole:
        return f"Kolmogorov-Smirnov distance {max(abs(move) for move in moves.values()):.2f}"
    before = np.array([core_held.shares[way] for way in whole])
    after = before + np.array([moves[way] for way in whole])
    found = cramers_v(before * core_held.n, np.maximum(after, 0.0) * n)
    return f"Cramer's V {found:.2f}" if np.isfinite(found) else "Cramer's V not known"


class Parts:
    """Of each series of a drift the part that is shown: the one that fires, or has grown most; its share over time.

    Args:
        traffic: Of a monitor with the method "drift".
        states: What is known of its series.
        span: Start and end of what can be asked about, in nanoseconds.
        window: Start and end of the time in which the part has grown most.
    """

    def __init__(
        self, traffic: Traffic, states: Mapping[str, State], span: tuple[int, int], window: tuple[int, int]
    ) -> None:
        self._unit = metric_of(traffic.monitor.metric).unit
        self._said = read(traffic, *span)
        self._held = {series: one.core.held for series, one in states.items() if one.core.held is not None}
        self._ways: dict[str, str] = {}
        for series in self._said.keys() & self._held.keys():
            said = self._said[series].between(*window)
            grown = drifted(said, self._held[series])
            way = states[series].core.fires or (None if grown is None else grown.way)
            if way is not None:
                self._ways[series] = way

    def way(self, series: str) -> str | None:
        """Return the part of a series; None where nothing is known."""
        return self._ways.get(series)

    def words(self, series: str) -> str | None:
        """Return the part of a series in words; None where nothing is known."""
        way = self._ways.get(series)
        return None if way is None else words_of(way, self._unit)

    def baseline(self, series: str) -> tuple[float, float, float] | None:
        """Return the share of the part in the baseline, with its limits; None where nothing is known."""
        way = self._ways.get(series)
        if way is None or way not in self._held[series].shares:
            return None
        held = self._held[series]
        worth = held.n / wider(held.n) ** 2
        low, high = wilson(held.shares[way] * worth, worth)
        return held.shares[way], float(low), float(high)

    def figures(self, since_ns: int, until_ns: int) -> dict[str, Figures]:
        """Return the share of the part of each series between two times, with its limits."""
        found = {
            series: drifted(self._said[series].between(since_ns, until_ns), self._held[series], way)
            for series, way in self._ways.items()
        }
        return {series: one.figures for series, one in found.items() if one is not None}

    def shares(self, series: str, since_ns: int, until_ns: int, width_ns: int) -> list[tuple[int, int, float | None]]:
        """Return the start of each stretch of time, its sessions, and the share of the part in them; None without any.

        Args:
            series: Which.
            since_ns: Start of the first stretch.
            until_ns: End of the last one.
            width_ns: Of a stretch.
        """
        points: list[tuple[int, int, float | None]] = []
        for at in range(since_ns, until_ns, width_ns):
            said = self._said[series].between(at, min(at + width_ns, until_ns))
            n = int(said.at.size)
            points.append((at, n, float(said.of(self._ways[series]).mean()) if n else None))
        return points


def of_alert(project: Project, traffic: Traffic, alert: Alert, span: tuple[int, int]) -> Parts:
    """Return the part that an alert is about, over a time in nanoseconds."""
    found_ns = to_ns(alert.found_at)
    window = (found_ns - traffic.monitor.window_ns, found_ns)
    with project.reading() as con:
        states = _state.read(con, traffic.monitor)
    return Parts(traffic, states, (min(span[0], window[0]), max(span[1], window[1])), window)


def found_by(project: Project, alert: Alert, monitor: Monitor, series: str) -> Metric:
    """Return what an alert found: what its monitor watches, or of a drift the share of the part that has grown.

    Args:
        project: Where the traffic is.
        alert: Which.
        monitor: The version that found it.
        series: Of the alert, as its row has it.
    """
    metric = monitor.watched
    if monitor.method != "drift":
        return metric
    found_ns = to_ns(alert.found_at)
    with Traffic(project.store, monitor, found_ns) as traffic:
        way = of_alert(project, traffic, alert, (found_ns, found_ns)).way(series)
    if way is None:  # its baseline is not known any more
        return replace(metric_of(monitor.metric), where=metric.where)
    sign, value = json.loads(way)
    said = f"({metric.part})::VARCHAR" if metric.part is not None else f"({metric.value})::DOUBLE"
    title = f"{words_of(way, metric_of(monitor.metric).unit)}: {metric.title}"
    known = f"({', '.join(map(_literal, value))})" if sign == "none of" else _literal(value)
    is_part = f"{said} {'not in' if sign == 'none of' else sign} {known}"
    return replace(metric, title=title, value=is_part, kind="rate", level=None, part=None)


def _literal(value: object) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def examples(said: Said, way: str) -> tuple[str, ...]:
    """Return the newest traces of a part."""
    inside = np.flatnonzero(part_of(way, said.said))
    newest = inside[np.argsort(-said.us[inside], kind="stable")]
    return tuple(dict.fromkeys(one for one in said.traces[newest].tolist() if one is not None))[:_EXAMPLES]
