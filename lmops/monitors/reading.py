"""Questions of monitors over the views: the items of a metric, by series, as figures and as values of a detector."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, TypeVar

import numpy as np

from lmops.calc.anytime import anytime_mean, anytime_quantile, anytime_rate
from lmops.errors import UsageError
from lmops.monitors._records import Figures
from lmops.monitors._source import PRIME, US, Items, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import duckdb
    import pyarrow as pa
    from numpy.typing import NDArray

    from lmops.calc.arrays import Floats, Ints
    from lmops.metrics import Metric
    from lmops.monitors._records import Monitor
    from lmops.store import Store

#: Times of a monitor are whole ones of these, so that it does not matter how often somebody looks.
TICK_NS: Final = 15 * 60 * 10**9
#: What a session says in so long is one value; after so long without a word it says another.
REACH_NS: Final = 15 * 60 * 10**9
_APART_NS: Final = 24 * 3600 * 10**9
_EXAMPLES: Final = 5
T = TypeVar("T")


class Stretch(NamedTuple):
    """A time in which a series is held against the same numbers; what is beyond them is unwelcome."""

    series: str
    since_ns: int
    until_ns: int
    low: float | None = None  # None: of a rate, whose values say themselves what is unwelcome
    high: float | None = None


class Values(NamedTuple):
    """One value for each session, in the order of time: the share of what it said that is unwelcome, either way."""

    at: Ints
    above: Floats
    below: Floats

    def of(self, way: str) -> Floats:
        """Return the shares that are unwelcome in one direction."""
        return self.above if way == "above" else self.below

    def between(self, since_ns: int, until_ns: int) -> Values:
        """Return the sessions that began between two times."""
        part = slice(*np.searchsorted(self.at, [since_ns, until_ns]))
        return Values(self.at[part], self.above[part], self.below[part])


class Told(NamedTuple):
    """Items of a series: their values, clusters, times in microseconds, and rows for ``Traffic.traces``."""

    value: Floats
    cluster: NDArray[np.uint64]
    us: Ints
    row: Ints


class Seen(NamedTuple):
    """What there is of a series."""

    first_ns: int
    last_ns: int
    n: int


def level_of(metric: Metric, direction: str) -> float:
    """Return the level of the baseline's percentile whose far side is unwelcome: of a mean that of a quarter."""
    if metric.level is not None:
        return metric.level
    return 0.75 if direction == "above" else 0.25


class Traffic:
    """The items that a monitor watches: read from the store once, and asked in memory as often as it takes.

    Args:
        store: Where they are.
        monitor: Whose they are.
        until_ns: Items before it are read.
        source: What is read for several monitors at once; by default it is read for this one.
    """

    def __init__(self, store: Store, monitor: Monitor, until_ns: int, source: Source | None = None) -> None:
        self.store = store
        self.monitor = monitor
        self._open = contextlib.ExitStack()
        self._source = Source(store, [monitor], until_ns) if source is None else source
        if source is None:
            self._open.callback(self._source.close)
        self._known: tuple[Source, int, Items] | None = None
        self._sessions: Sessions | None = None
        self._con: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> Self:
        """Return the traffic itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Let go of the items."""
        self._open.close()

    def ends(self, until_ns: int) -> tuple[int, int] | None:
        """Return when the first and the last item before a time was; None without any."""
        return self._from(lambda source: source.ends(self.monitor, until_ns))

    def items(self, since_ns: int) -> Items:
        """Return the items from a time on, and earlier ones where more has been read."""
        return self._from(lambda source: self._items(source, max(since_ns, 0)))

    def sessions(self, since_ns: int) -> Sessions:
        """Return the items from a time on by session, and earlier ones where more has been read."""
        items = self.items(since_ns)
        if self._sessions is None:
            self._sessions = sessions_of(items)
        return self._sessions

    def traces(self, rows: Ints) -> list[str | None]:
        """Return the ids of the traces of some rows of items."""
        return self._source.of(self.monitor).traces(rows)

    def ask(self, query: str, since_ns: int, until_ns: int, **_params: Any) -> duckdb.DuckDBPyRelation:
        """Run a query over the items between two times: ``{items}`` in it is what they are.

        Each has trace_id, us (when, microseconds since 1970), cluster (a hash of it), value and series.
        """
        self.items(since_ns)
        if self._con is None:
            self._con = self._open.enter_context(self._source.database().cursor())
            self._con.register("items", self._table())
        items = f"(select * from items where us >= {max(since_ns, 0) // US} and us < {until_ns // US})"
        return self._con.sql(query.replace("{items}", items), params=_params)

    def _items(self, source: Source, since_ns: int) -> Items:
        if self._known is not None and self._known[0] is source and source.has(since_ns, self._known[1]):
            return self._known[2]
        found = source.items(self.monitor, since_ns)
        self._known, self._sessions = (source, source.loads, found), None
        if self._con is not None:
            self._con.register("items", self._table())
        return found

    def _table(self) -> pa.Table:
        import pyarrow as pa

        assert self._known is not None
        items = self._known[2]
        counts = np.diff(items.ends)
        series = pa.array(items.names, pa.string()).take(np.repeat(np.arange(len(items.names)), counts))
        numbers = [pa.array(column) for column in (items.us, items.cluster, items.value)]
        columns: list[Any] = [pa.array(self.traces(items.row), pa.string()), *numbers, series]
        return pa.table(columns, names=["trace_id", "us", "cluster", "value", "series"])

    def _from(self, ask: Callable[[Source], T]) -> T:
        """Ask the source of all; where what another monitor watches cannot be asked, one for this monitor alone."""
        source = self._source.of(self.monitor)
        try:
            return ask(source)
        except UsageError:
            if len(source.monitors) == 1:
                raise
            return ask(source.split(self.monitor))


class Sessions(NamedTuple):
    """What sessions said in their first quarter of an hour, by series, in each in the order of time.

    Args:
        ends: The sessions of series i are those from ends[i] to ends[i + 1].
        start: When each began, microseconds since 1970.
        order: Its place among the sessions in the order of the values.
        values: All that they said, by series and session.
        bounds: The values of series i are those from bounds[i] to bounds[i + 1].
        firsts: Where those of each session begin.
    """

    ends: Ints
    start: Ints
    order: Ints
    values: Floats
    bounds: Ints
    firsts: Ints


def sessions_of(items: Items) -> Sessions:
    """Return items by session: one that is silent for a day begins anew, and what it says later is not counted."""
    codes = np.repeat(np.arange(len(items.names)), np.diff(items.ends))
    other = np.ones(codes.size, dtype=bool)
    other[1:] = (codes[1:] != codes[:-1]) | (items.cluster[1:] != items.cluster[:-1])
    begins = other.copy()
    begins[1:] |= np.diff(items.us) >= _APART_NS // US
    start = items.us[np.maximum.accumulate(np.where(begins, np.arange(codes.size), 0))]
    kept = items.us < start + REACH_NS // US
    firsts = np.flatnonzero(begins[kept])  # the first of a session is always kept
    codes, start, cluster = codes[kept][firsts], start[kept][firsts], items.cluster[kept][firsts]
    order = np.lexsort((cluster, start, codes))
    series = np.arange(len(items.names) + 1)
    ends = np.searchsorted(codes[order], series)
    values = items.value[kept]
    bounds = np.append(firsts, values.size)[ends]
    return Sessions(ends, start[order], order, values, bounds, firsts)


def _between(items: Items, since_ns: int, until_ns: int, series: str | None = None) -> Iterator[tuple[str, Ints]]:
    """Yield each series, or the one that is asked for, that has items between two times, with their places."""
    since, until = max(since_ns, 0) // US, until_ns // US
    for place, name in enumerate(items.names):
        if series not in (None, name):
            continue
        part = items.of(place)
        us = items.us[part]
        found = np.flatnonzero((us >= since) & (us < until))
        if found.size:
            yield name, found + part.start


def seen(traffic: Traffic, since_ns: int, until_ns: int) -> dict[str, Seen]:
    """Return which series there are between two times."""
    items = traffic.items(since_ns)
    found = ((name, items.us[at]) for name, at in _between(items, since_ns, until_ns))
    return {name: Seen(int(us.min()) * US, int(us.max()) * US, us.size) for name, us in found}


def cuts(
    traffic: Traffic, since_ns: int, until_ns: int, *, series: str | None = None
) -> dict[str, tuple[float, float]]:
    """Return of each series, or of one, the two percentiles beyond which a value is unwelcome.

    Where the percentile is the end of all there is, as of a judge who fails every third answer, nothing could ever be
    beyond it: then it is the next value that is not the end.
    """
    levels = [level_of(traffic.monitor.watched, direction) for direction in ("below", "above")]
    items = traffic.items(since_ns)
    result = {}
    for name, at in _between(items, since_ns, until_ns, series):
        found = items.value[at]
        low, high = map(float, np.quantile(found, levels))
        above, below = found[found > found.min()], found[found < found.max()]
        low = float(above.min()) if low == found.min() and above.size else low
        high = float(below.max()) if high == found.max() and below.size else high
        result[name] = (low, high)
    return result


def values(traffic: Traffic, stretches: Sequence[Stretch]) -> dict[str, Values]:
    """Return of each series one value for each session that began in one of its stretches.

    What a session says is alike, so that all it says in its first quarter of an hour is one value: the share of it that
    is unwelcome. A session that is silent for a day begins anew. A session counts where it began, so that it does not
    matter how often somebody looks.
    """
    if not stretches:
        return {}
    since = min(one.since_ns for one in stretches) - _APART_NS
    names, known = traffic.items(since).names, traffic.sessions(since)
    found: dict[str, list[Values]] = {one.series: [] for one in stretches}
    for one in sorted(stretches, key=lambda one: one.since_ns):
        if one.series in names:
            found[one.series].append(_values(known, names.index(one.series), one))
    nothing = Values(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))
    return {
        name: Values(*(np.concatenate(column) for column in zip(*parts, strict=True))) if parts else nothing
        for name, parts in found.items()
    }


def _values(known: Sessions, place: int, stretch: Stretch) -> Values:
    """Return the values of the sessions of a series that began in a stretch."""
    first, last = known.ends[place], known.ends[place + 1]
    began = known.start[first:last]
    low, high = np.searchsorted(began, [stretch.since_ns // US, stretch.until_ns // US])
    said = known.values[known.bounds[place] : known.bounds[place + 1]]
    if low == high:
        return Values(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))
    chosen = known.order[first + low : first + high] - first
    firsts = known.firsts[first:last] - known.bounds[place]
    counts = np.diff(np.append(firsts, said.size))
    above = said if stretch.high is None else (said > stretch.high).astype(np.float64)
    below = 1 - said if stretch.low is None else (said < stretch.low).astype(np.float64)
    means = [(np.add.reduceat(one, firsts) / counts)[chosen] for one in (above, below)]
    return Values(began[low:high] * US, *means)


def ticks(traffic: Traffic, since_ns: int, until_ns: int) -> dict[str, dict[str, list[int]]]:
    """Return of each series and quarter of an hour how many items there are, and a sum of hashes of them."""
    items = traffic.items(since_ns)
    result: dict[str, dict[str, list[int]]] = {}
    for name, at in _between(items, since_ns, until_ns):
        tick, codes, counts = np.unique(items.us[at] // (TICK_NS // US), return_inverse=True, return_counts=True)
        sums = np.zeros(tick.size, dtype=np.int64)
        np.add.at(sums, codes, items.digest[at])
        there = zip(tick.tolist(), counts.tolist(), (sums % PRIME).tolist(), strict=True)
        result[name] = {str(one): [n, digest] for one, n, digest in there}
    return result


def figures(traffic: Traffic, since_ns: int, until_ns: int, *, series: str | None = None) -> dict[str, Figures]:
    """Return the metric of each series, or of one, between two times with limits that hold at every look, by session.

    They are those of a confidence sequence (95 %) of the sessions since the first of the times.
    """
    found = by_series(traffic, since_ns, until_ns, series=series)
    return {name: _figures(traffic.monitor.watched, *one[:2]) for name, one in found.items()}


def by_series(traffic: Traffic, since_ns: int, until_ns: int, *, series: str | None = None) -> dict[str, Told]:
    """Return what there is of each series, or of one, between two times."""
    items = traffic.items(since_ns)
    found = _between(items, since_ns, until_ns, series)
    return {name: Told(items.value[at], items.cluster[at], items.us[at], items.row[at]) for name, at in found}


def _figures(metric: Metric, known: Floats, clusters: NDArray[np.uint64]) -> Figures:
    if metric.kind == "quantile":
        at = metric.level or 0.5
        low, high = anytime_quantile(known, at, clusters=clusters)
        return Figures(known.size, float(np.quantile(known, at)), number(low), number(high))
    one = (anytime_rate if metric.kind == "rate" else anytime_mean)(known, clusters=clusters)
    return Figures(one.n, number(one.estimate), number(one.low), number(one.high))


def number(value: float) -> float | None:
    """Return a number, None for what is none."""
    return float(value) if math.isfinite(value) else None


def examples(traffic: Traffic, series: str, since_ns: int, until_ns: int, *, direction: str | None) -> tuple[str, ...]:
    """Return the ids of the worst traces of a series between two times; the newest first of those that are alike."""
    items = traffic.items(since_ns)
    at = dict(_between(items, since_ns, until_ns, series)).get(series, np.zeros(0, dtype=np.int64))
    if traffic.monitor.watched.kind == "rate":
        at = at[items.value[at] == int(direction != "below")]
    sign = 1 if direction == "below" else -1
    worst: dict[str, tuple[float, int]] = {}
    told = zip(traffic.traces(items.row[at]), items.value[at].tolist(), items.us[at].tolist(), strict=True)
    for trace_id, value, us in told:
        if trace_id is not None:
            bad, newest = worst.get(trace_id, (sign * value, -us))
            worst[trace_id] = (min(bad, sign * value), min(newest, -us))
    return tuple(sorted(worst, key=lambda one: (*worst[one], one))[:_EXAMPLES])
